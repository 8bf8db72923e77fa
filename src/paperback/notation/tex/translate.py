r"""Translating what lists or binds indices: subscripts, functions and reducers with their limits, cases.

    x_{ij}  x_{(2i+p)j}  x_{2i,j}      each bare letter is one index; the rest in parentheses or between commas
    \sum_{p,q}  \sum_{p=0}^{P-1}  \max_{0 \le p,q<2}  \sum_{m:m \le q}      letters, bounds, conditions
"""

from __future__ import annotations

__all__ = ["Translator"]

from dataclasses import dataclass
from itertools import pairwise

from paperback.notation.tex.cursor import RELATIONS
from paperback.notation.tex.exponents import exponent
from paperback.notation.tex.expressions import Expressions
from paperback.notation.tex.marks import Mark
from paperback.notation.tokens import Token
from paperback.notation.words import FUNCTIONS, REDUCERS

Part = tuple[int, int]
_ADDING = ("+", "-", "/", "*")
_NEGATED = {"<": ">=", "<=": ">", ">": "<=", ">=": "<", "=": "!=", "==": "!=", "!=": "=="}


@dataclass
class _Bound:
    """A letter that a reducer binds: `low <= letter < high`, or `letter <= high`."""

    letter: Mark
    low: Part | None = None
    above_low: bool = False
    high: Part | None = None
    inclusive: bool = False


class Translator(Expressions):
    """Everything inside a statement."""

    # -------------------------------------------------------------------------------------------- subscripts

    def subscript(self, name: Mark) -> None:
        """The indices below a name, as [i,j]."""
        under = self.take()
        if not self.at("{"):
            self.alone(name, under)
            return
        opening = self.here
        low, high = self.group()
        self.emit("[", Mark("sign", "[", under.start, opening.end))
        pieces = self.split(low, high, ",")
        if low == high:
            raise self.wrong(f"{self.written(name)} has an empty subscript", opening, "write its indices: x_{ij}")
        for number, piece in enumerate(pieces):
            if number:
                self.emit(",", self.marks[piece[0] - 1])
            self.indices(name, piece, len(pieces) == 1)
        self.emit("]", self.marks[high])

    def alone(self, name: Mark, under: Mark) -> None:
        """A subscript without braces: one letter."""
        mark = self.here
        if self.done or mark.kind != "name":
            raise self.wrong("a subscript is missing", under, "write x_{ij}")
        self.place += 1
        if mark.text.endswith("'") and self.source[mark.start] != "{":
            base, letter = self.written(name), self.written(mark).rstrip("'")
            hint = f"write {base}'_{letter}, or {base}_{{{self.written(mark)}}} for an index with a prime"
            raise self.wrong(f"the prime behind {base}_{letter} belongs to {base} on paper", mark, hint)
        after = self.here
        if not self.done and after.close and after.kind in ("name", "number") and mark.end - mark.start == 1:
            seen = f"{self.written(name)}_{self.written(mark)}"
            both = f"{self.written(mark)}{self.written(after)}"
            hint = f"write {self.written(name)}_{{{both}}} for two indices, {seen} {self.written(after)} for a product"
            message = f"{seen}{self.written(after)} is {seen} times {self.written(after)} on paper"
            raise self.wrong(message, under, hint, after)
        self.emit("[", under)
        self.emit(mark.text, mark, "name")
        self.emit("]", mark)

    def indices(self, name: Mark, piece: Part, only: bool) -> None:
        """What stands between two commas: letters and parentheses, each one index; or one index with operators."""
        low, high = piece
        items = self.items(piece)
        signs = [item for item in items if self.marks[item[0]].is_sign(*_ADDING)]
        numbers = [item for item in items if self.marks[item[0]].kind == "number"]
        if not items:
            raise self.wrong("an index is missing at the comma", self.marks[max(low - 1, 0)])
        if signs or (numbers and (len(items) == 1 or not only)) or len(items) == 1:
            beside = [
                (a, b) for a, b in pairwise(items)
                if a not in signs and b not in signs and self.marks[a[0]].kind != "number"
            ]  # fmt: skip
            if beside and only:
                raise self.joined(name, piece, items, beside[-1])
            self.part(low, high)
        elif numbers:
            raise self.digits(name, piece, items)
        else:
            for number, item in enumerate(items):
                if number:
                    self.out.append(Token("op", ",", self.marks[item[0]].start, self.marks[item[0]].start))
                self.part(*item)

    def items(self, piece: Part) -> list[Part]:
        """The things of a piece: a name with its own scripts, a fence, a number, a sign."""
        found: list[Part] = []
        low, high = piece
        while low < high:
            place = self.partner.get(low, low) + 1
            while place < high and self.marks[place].is_sign("_", "^"):
                place = self.partner.get(place + 1, place + 1) + 1
            found.append((low, min(place, high)))
            low = place
        return found

    def digits(self, name: Mark, piece: Part, items: list[Part]) -> Exception:
        """x_{2ij}: 2i and j, or 2, i and j?"""
        texts = [self.slice(*item) for item in items]
        at = next(n for n, item in enumerate(items) if self.marks[item[0]].kind == "number")
        joined, base = "", self.written(name)
        if at + 1 < len(texts):
            joined = f"{base}_{{{''.join(texts[:at])}({texts[at]}{texts[at + 1]}){''.join(texts[at + 2 :])}}}, or "
        hint = f"write {joined}{base}_{{{','.join(texts)}}} where {texts[at]} is an index"
        first, last = self.marks[items[at][0]], self.marks[piece[1] - 1]
        message = f"a digit in a subscript stands in parentheses or between commas, found {self.slice(*piece)}"
        return self.wrong(message, first, hint, last)

    def joined(self, name: Mark, piece: Part, items: list[Part], beside: tuple[Part, Part]) -> Exception:
        """x_{si+p}: one index, or s and i+p?"""
        base, whole = self.written(name), self.slice(*piece)
        split = beside[1][0]
        several = f"{self.slice(piece[0], split)}({self.slice(split, piece[1])})"
        hint = f"write {base}_{{({whole})}} for one index, {base}_{{{several}}} for more"
        first, last = self.marks[items[0][0]], self.marks[piece[1] - 1]
        return self.wrong(f"{whole} may be one index or several", first, hint, last)

    # ---------------------------------------------------------------------------------- functions, reducers

    def function(self, name: str = "") -> None:
        mark = self.take()
        name = name or mark.text
        self.begin(mark)
        if self.at("_") and name in REDUCERS:
            self.reducer(mark, name)
            return
        if name in REDUCERS and name not in FUNCTIONS:
            shown = self.written(mark)
            hint = f"write {shown}_{{i}} and the product after it"
            raise self.wrong(f"{shown} needs the indices that it binds", mark, hint)
        if self.at("_"):
            hint = "another base is a quotient: \\frac{\\log(x)}{\\log(2)}" if name == "log" else ""
            raise self.wrong(f"{self.written(mark)} has no indices", self.here, hint)
        raised = exponent(self, mark) if self.at("^") else None
        self.emit(name, mark, "name")
        if self.at("(", "[", "lbrace"):
            self.arguments()
        else:
            self.bare_argument(mark)
        if raised is not None:
            raised()
        else:
            self.scripts(mark)

    def arguments(self) -> None:
        opening = self.here
        low, high = self.group()
        self.emit("(", opening)
        for number, piece in enumerate(self.split(low, high, ",")):
            if number:
                self.emit(",", self.marks[piece[0] - 1])
            self.part(*piece)
        self.emit(")", self.marks[high])

    def bare_argument(self, mark: Mark) -> None:
        r"""\log p_{i}: one factor, or a reducer with its product."""
        start = self.place
        if self.done or (self.here.kind == "sign" and self.here.text in ("+", "-", "*", "/", ",", *RELATIONS)):
            raise self.wrong(f"{self.written(mark)} needs its argument", mark, f"write {self.written(mark)}(...)")
        if self.at("{"):
            self.enclosed(*self.group(), mark)
            return
        low, high = self.items((start, self.end))[0]
        reducer = self.here.is_sign("sum") or (self.here.kind == "function" and self.here.text in REDUCERS)
        if reducer or self.here.kind == "function":
            high = self.product_end(start)
        elif self.here.is_sign("frac"):
            high = self.after_fraction(start)
        self.emit("(", mark)
        self.part(low, high)
        self.place = high
        self.emit(")", self.marks[high - 1])
        if not reducer:
            self.argument = mark

    def product_end(self, start: int) -> int:
        stops = ("+", "-", ",", *RELATIONS, "row", ";", "and", ":")
        places = self.outside(start, self.end)
        return next((p for p in places if self.marks[p].is_sign(*stops) or self.marks[p].kind == "word"), self.end)

    def after_fraction(self, start: int) -> int:
        place = start + 1
        for _ in range(2):
            place = self.partner.get(place, place) + 1
        return min(place, self.end)

    def reducer(self, mark: Mark, name: str) -> None:
        r"""`\sum_{...}^{...}` as sum(...); what it takes follows by itself."""
        self.place += 1
        low, high = self.argument_of("stands below")
        top: Part | None = None
        if self.at("^"):
            self.place += 1
            top = self.argument_of("stands above")
        last = self.marks[self.place - 1]
        bounds, conditions = self.limits(mark, (low, high), top)
        self.emit(name, mark, "name")
        self.emit("(", mark)
        for number, bound in enumerate(bounds):
            if number:
                self.emit(",", bound.letter)
            self.emit(bound.letter.text, bound.letter, "name")
            self.extent(bound)
        for number, condition in enumerate(conditions):
            self.emit("and" if number else "|", self.marks[condition[0]], "name" if number else "op")
            self.part(*condition, condition=True)
        self.emit(")", last)
        self.head = len(self.out)

    def extent(self, bound: _Bound) -> None:
        if bound.high is not None:
            first = self.marks[bound.high[0]]
            self.emit("<", first)
            self.size(bound.high, bound.inclusive, first)
        if bound.low is not None and self.slice(*bound.low) == "1" and bound.high is not None:
            self.from_one.append(bound.letter)
        if bound.low is not None and (bound.above_low or self.slice(*bound.low) != "0" or self.base):
            first = self.marks[bound.low[0]]
            self.emit("..", first)
            self.size(bound.low, bound.above_low, first)

    def size(self, part: Part, plus_one: bool, mark: Mark) -> None:
        """A bound; one more where it is reached. A name in it can be nothing but a size."""
        for inside in self.marks[slice(*part)]:
            if inside.kind == "name" and not (self.scope.knows(inside.text) or inside.text in self.scope.below):
                self.sizes.setdefault(inside.text, inside)
        self.part(*part)
        if plus_one:
            self.emit("+", mark)
            self.emit("1", mark, "number")

    def limits(self, mark: Mark, below: Part, top: Part | None) -> tuple[list[_Bound], list[Part]]:
        """The letters below a reducer with their bounds, and the conditions."""
        low, high = below
        stop = next((place for place in self.outside(low, high) if self.marks[place].is_sign(":", "|")), high)
        bounds: dict[str, _Bound] = {}
        conditions: list[Part] = []
        waiting: list[_Bound] = []  # letters that share the bounds which follow
        for piece in self.split(low, stop, ","):
            self.limit(mark, piece, bounds, conditions, waiting)
        if top is not None:
            self.put_top(mark, bounds, top)
        if stop < high:
            conditions.append((stop + 1, high))
        return list(bounds.values()), conditions

    def limit(
        self, mark: Mark, piece: Part, bounds: dict[str, _Bound], conditions: list[Part], waiting: list[_Bound]
    ) -> None:
        """One piece between commas: `p`, `p=0`, `p<P`, `0 \\le p`, `0 \\le p<P`, or a condition on letters before."""
        low, high = piece
        places = [place for place in self.outside(low, high) if self.marks[place].is_sign(*RELATIONS, "in")]
        parts = [*zip([low, *(p + 1 for p in places)], [*places, high], strict=True)]
        letters = [self.letter(part) for part in parts]
        signs = [self.marks[place].text for place in places]
        if not any(letter is not None for letter in letters) or "in" in signs:
            at = self.marks[low] if low < high else mark
            hint = f"write {self.written(mark)}_{{i}}, _{{i=0}}^{{N-1}} or _{{i<N}}"
            found = self.slice(low, high) or "nothing"
            raise self.wrong(f"{self.written(mark)} binds letters, found {found}", at, hint)
        which = 0 if letters[0] is not None and letters[0].text not in self.scope.sizes else len(parts) > 1
        letter = letters[which]
        if letter is None or letter.text in bounds or ">" in "".join(signs):
            conditions.append(piece)
            return
        bound = bounds.setdefault(letter.text, _Bound(letter))
        if signs and which == 1:
            bound.low, bound.above_low = parts[0], signs[0] == "<"
        if not signs:
            waiting.append(bound)
            if len(waiting) > 1 and waiting[0].low is not None:
                bound.low, bound.above_low = waiting[0].low, waiting[0].above_low
            return
        if signs[which:] == []:  # 0 <= p, and the next piece goes on
            waiting[:] = [bound]
            return
        if signs[which] == "!=":
            conditions.append(piece)
        elif signs[which] == "=":
            bound.low = parts[which + 1]
            for other in waiting:
                other.low = bound.low
            waiting.append(bound)
            return
        else:
            shared = [bound] if which else [*waiting, bound]
            for other in shared:
                other.high, other.inclusive = parts[which + 1], signs[which] == "<="
                other.low, other.above_low = shared[0].low, shared[0].above_low
            self.triangular(shared, piece, conditions)
        waiting.clear()

    def triangular(self, shared: list[_Bound], piece: Part, conditions: list[Part]) -> None:
        """`j \\le i` for a letter i bounds no extent: it is a condition."""
        high = shared[-1].high
        assert high is not None
        if any(mark.kind == "name" and mark.text in self.scope.letters for mark in self.marks[slice(*high)]):
            conditions.append(piece)
            for bound in shared:
                bound.high = None
                bound.low = bound.low if bound.low and self.slice(*bound.low) != "0" else None

    def put_top(self, mark: Mark, bounds: dict[str, _Bound], top: Part) -> None:
        found = list(bounds.values())
        if not found or any(bound.high is not None for bound in found):
            raise self.wrong(f"{self.written(mark)} has two upper bounds", self.marks[top[0]], "write one of them")
        inside = next((m for m in self.marks[slice(*top)] if m.kind == "name" and m.text in self.scope.letters), None)
        if inside is not None:
            j, i = self.written(found[-1].letter), self.slice(*top)
            hint = f"write it as a condition: {self.written(mark)}_{{{j}:{j} \\le {i}}}"
            raise self.wrong(f"the bound {i} changes with {inside.text}", inside, hint)
        for bound in found:
            bound.high, bound.inclusive = top, True

    def letter(self, part: Part) -> Mark | None:
        """The name that a part is, if it is one."""
        low, high = part
        return self.marks[low] if high - low == 1 and self.marks[low].kind == "name" else None

    # ------------------------------------------------------------------------------------------------- cases

    def cases(self) -> None:
        """Each value with its condition as a bracket; the conditions exclude each other."""
        mark = self.here
        self.begin(mark)
        low, high = self.group()
        rows = [row for row in self.split(low, high, "row") if row[0] < row[1]]
        told: list[Part] = []
        self.emit("(", mark)
        for number, (start, stop) in enumerate(rows):
            columns = self.split(start, stop, "&")
            if len(columns) != 2:
                hint = "write \\begin{cases} x & \\text{if } x > 0 \\\\ 0 & \\text{otherwise} \\end{cases}"
                raise self.wrong("a case is a value, & and its condition", self.marks[start], hint)
            if number:
                self.emit("+", self.marks[start])
            self.case(columns[0], columns[1], told)
        self.emit(")", self.marks[high])

    def case(self, value: Part, condition: Part, told: list[Part]) -> None:
        low, high = condition
        word = self.marks[low] if low < high and self.marks[low].kind == "word" else None
        low += word is not None
        first = self.marks[condition[0]]
        while high > low and self.marks[high - 1].is_sign(","):
            high -= 1
        self.emit("[", first)
        if word is not None and word.text == "otherwise":
            self.otherwise(word, told)
        else:
            if low >= high:
                raise self.wrong("a case needs its condition", first, "write \\text{if } x > 0, or \\text{otherwise}")
            told.append((low, high))
            self.part(low, high, condition=True)
        self.emit("]", self.marks[high - 1])
        self.emit("*", first)
        while value[1] > value[0] and self.marks[value[1] - 1].is_sign(","):
            value = value[0], value[1] - 1
        self.enclosed(*value, self.marks[value[0]])

    def otherwise(self, word: Mark, told: list[Part]) -> None:
        """Where none of the conditions before holds."""
        if not told:
            raise self.wrong("otherwise of what", word, "write the condition of the first case")
        for number, (low, high) in enumerate(told):
            relations = [place for place in self.outside(low, high) if self.marks[place].is_sign(*RELATIONS, "and")]
            sign = self.marks[relations[0]].text if len(relations) == 1 else ""
            if sign not in _NEGATED:
                hint = "write the condition out: \\text{if } ..."
                raise self.wrong(f"the opposite of {self.slice(low, high)} is not one comparison", word, hint)
            if number:
                self.emit("and", word, "name")
            self.part(low, relations[0], condition=True)
            self.emit(_NEGATED[sign], word)
            self.part(relations[0] + 1, high, condition=True)
