r"""Translating a formula: its statements, one a row, and the clauses behind \text{where}.

    y_{i} &= ... \\ &\quad \text{where } 0 \le i < H         y[i] = ... where i < H
    x \in \mathbb{R}^{H \times W},  \mathit{id} \in \mathbb{Z}^{T}            x: H W, id: T, id int ...
    \eta\text{ scalar},  \phi : \mathbb{R} \to \mathbb{R},  x = 0\text{ elsewhere}   eta scalar, phi function, x pads 0

A statement that cannot be translated is left out, and the others go on: all problems are told at once.
"""

from __future__ import annotations

__all__ = ["Statements"]

import re
from collections.abc import Callable, Mapping, Sequence

from paperback.errors import Problem
from paperback.notation.expressions import UnreadableError
from paperback.notation.tex.marks import Mark
from paperback.notation.tex.scope import Scope
from paperback.notation.tex.translate import Part, Translator
from paperback.notation.tokens import Token

_KINDS = ("int", "scalar", "function", "increasing", "size")
_OPENING = ("where", "for")
_CLAUSES = (
    r"clauses are: 0 \le i < N, x \in \mathbb{R}^{H \times W}, \mathit{id} \in \mathbb{Z}^{T}, H \in \mathbb{N}, "
    r"\eta\text{ scalar}, \phi : \mathbb{R} \to \mathbb{R}, x = 0\text{ elsewhere}, H = 2K"
)
_GOES_ON = ("+", "-", "*", "/", "=", "and", "<", "<=", ">", ">=")


class Statements:
    """Cuts a formula into statements and clauses, and collects tokens and problems."""

    def __init__(self, source: str, marks: Sequence[Mark], partner: Mapping[int, int], scope: Scope, base: int) -> None:
        self.translator = Translator(source, marks, partner, scope, base)
        self.marks, self.base = marks, base

    @property
    def problems(self) -> list[Problem]:
        return self.translator.problems

    def tokens(self) -> list[Token]:
        """The plain tokens of all statements that could be translated."""
        end = len(self.marks) - 1
        for statement in self.rows(0, end):
            before = len(self.translator.out)
            try:
                self.statement(statement)
            except UnreadableError as error:
                self.problems.append(error.problem)
                del self.translator.out[before:]
        self.translator.emit("", self.marks[end], "end")
        return self.translator.out

    def rows(self, low: int, high: int) -> list[Part]:
        """The statements: a row ends one, unless the next goes on with an operator or `where`; and so does a comma."""
        cuts: list[int] = []
        clauses = False
        for place in self.translator.outside(low, high):
            mark, after = self.marks[place], self.marks[place + 1]
            clauses = (clauses and not mark.is_sign("row", ";")) or (mark.kind == "word" and mark.text in _OPENING)
            ends = after.kind == "end" or not (after.is_sign(*_GOES_ON) or after.kind == "word")
            clauses = clauses or self.counts(place)
            if (mark.is_sign("row", ";") or (mark.is_sign(",") and not clauses)) and ends:
                cuts.append(place)
        starts = [low, *(place + 1 for place in cuts)]
        return [part for part in zip(starts, [*cuts, high], strict=True) if part[0] < part[1]]

    def counts(self, place: int) -> bool:
        r"""Does `i = 0, \dots, N-1` follow a comma here, without a word before it?"""
        marks = self.marks[place : place + 6]
        shape = [mark.kind if mark.kind in ("name", "number") else mark.text for mark in marks]
        return shape == [",", "name", "=", "number", ",", "dots"]

    def opens(self, place: int) -> bool:
        """Do clauses begin behind this mark?"""
        mark = self.marks[place]
        return (mark.kind == "word" and mark.text in _OPENING) or self.counts(place)

    def statement(self, part: Part) -> None:
        low, high = part
        translator = self.translator
        places = [p for p in translator.outside(low, high) if not self.marks[p].is_sign("row")]
        where = next(filter(self.opens, places), high)
        first = self.marks[low]
        if first.kind != "name":
            hint = "on the left stands the name of what is computed: y_{i} = ..."
            raise translator.wrong(f"a statement begins with {translator.written(first)}", first, hint)
        second = self.marks[low + 1]
        if second.kind == "name" and second.close:
            word = re.match(r"\w+", translator.source[first.start :])
            hint = f"write \\mathit{{{word[0]}}} = ..." if word else ""
            raise translator.wrong("a name of several letters is written as one word", first, hint, second)
        if second.is_sign("("):
            hint = "name what it gives: y_{i} = ..., or y = ... for one number"
            raise translator.wrong("a statement computes an array, not a function", first, hint)
        equals = next((p for p in places if self.marks[p].is_sign("=")), low)
        power = next((p for p in places if p < equals and self.marks[p].is_sign("^")), None)
        if power is not None:
            raise self.raised(first, power, equals)
        if translator.out:
            translator.emit(";", first, "sep")
        for start, stop in translator.split(low, where, "row", ","):  # it may go on over several rows
            translator.place, translator.end = start, stop
            translator.slash = translator.argument = None
            translator.expression()
        if where < high:
            self.clauses((where + 1, high), self.marks[where])

    def raised(self, first: Mark, power: int, equals: int) -> UnreadableError:
        """Something stands above the name on the left: a label, or a power."""
        translator = self.translator
        name, above = translator.written(first), self.marks[power + 1]
        translator.place, translator.end = power + 1, equals
        label = re.sub(r"[^\w]", "", translator.slice(*translator.argument_of("stands above")))
        hint = f"compute {name} itself, or call its power by a name of its own"
        if above.kind == "name" or not label.isdigit():
            hint = f"a label belongs into the name: \\mathit{{{first.text}\\_{label}}}"
        return translator.wrong(f"a statement computes {name}, nothing stands above it", self.marks[power], hint)

    # ---------------------------------------------------------------------------------------------- clauses

    def clauses(self, part: Part, word: Mark) -> None:
        translator = self.translator
        begun = len(translator.out)
        translator.emit("where", word, "name")
        waiting: list[Mark] = []  # names that share the clause which follows
        low: Mark | None = None
        before = len(translator.out)
        pieces = [piece for piece in map(self.trimmed, translator.split(*part, ",", "row", ";")) if piece[0] < piece[1]]
        while pieces:
            start, stop = pieces.pop(0)
            inside = self.marks[start:stop]
            signs = [mark.text for mark in inside if mark.kind == "sign"]
            if len(inside) == 1 and inside[0].kind == "name":
                waiting.append(inside[0])
            elif pieces and signs == ["<="] and [mark.kind for mark in inside] == ["number", "sign", "name"]:
                low = inside[0]
                waiting.append(inside[2])
            else:
                if len(translator.out) > before:
                    translator.emit(",", inside[0])
                counted = signs == ["="] and len(pieces) > 1 and self.marks[pieces[0][0]].is_sign("dots")
                if counted:
                    self.counted(inside, pieces[1])
                    del pieces[:2]
                else:
                    self.clause((start, stop), waiting, low)
                waiting, low = [], None
        if word.text == "for" and len(translator.out) == before:
            del translator.out[begun:]  # `for all i` says nothing that the left side does not
        elif waiting:
            name = translator.written(waiting[0])
            hint = f"write 0 \\le {name} < N, or {name} \\in \\mathbb{{R}}^{{N}}"
            raise translator.wrong(f"nothing is said of {name}", waiting[0], hint)

    def trimmed(self, part: Part) -> Part:
        """Without the words that only join clauses."""
        start, stop = part
        while start < stop and self.marks[start].kind == "word" and self.marks[start].text in ("and", "where", "for"):
            start += 1
        return start, stop

    def counted(self, inside: Sequence[Mark], last: Part) -> None:
        r"""`i = 0, \dots, N-1`."""
        self.check_start(inside[0], inside[2])
        self.bound(inside[0], last, inclusive=True)

    def clause(self, part: Part, waiting: list[Mark], low: Mark | None) -> None:
        start, stop = part
        translator, inside = self.translator, self.marks[start:stop]
        names = [*waiting, inside[0]]
        second = inside[1] if len(inside) > 1 else inside[0]
        if inside[0].kind == "name" and second.is_sign("in"):
            self.member(names, start + 2, stop)
        elif inside[0].kind == "name" and second.is_sign(":") and len(inside) > 4 and inside[3].is_sign("to"):
            translator.emit(inside[0].text, inside[0], "name")
            increasing = inside[-1].kind == "word" and inside[-1].text == "increasing"
            translator.emit("increasing" if increasing else "function", inside[-1], "name")
        elif inside[0].kind == "name" and second.kind == "word" and second.text in _KINDS:
            self.each(names, lambda name: translator.emit(second.text, second, "name"))
        elif inside[-1].kind == "word" and inside[-1].text == "elsewhere" and second.is_sign("="):
            self.pads(inside[0], (start + 2, stop - 1))
        else:
            self.relation(part, waiting, low)

    def each(self, names: Sequence[Mark], emit: Callable[[Mark], None]) -> None:
        """A clause for each of the names."""
        for number, name in enumerate(names):
            if number:
                self.translator.emit(",", name)
            self.translator.emit(name.text, name, "name")
            emit(name)

    def member(self, names: Sequence[Mark], start: int, stop: int) -> None:
        r"""`x \in \mathbb{R}^{H \times W}`."""
        translator, domain = self.translator, self.marks[start]
        inside = translator.split(start + 1, stop - 1, ",")
        if domain.is_sign("lbrace") and len(inside) == 3 and self.marks[inside[1][0]].is_sign("dots"):
            for number, name in enumerate(names):  # i \in \{0, \dots, N-1\}
                if number:
                    translator.emit(",", name)
                self.check_start(name, self.marks[inside[0][0]])
                self.bound(name, inside[2], inclusive=True)
            return
        if start >= stop or domain.kind != "domain":
            hint = "write x \\in \\mathbb{R}^{H \\times W}, \\mathbb{Z} for whole numbers, H \\in \\mathbb{N} a size"
            first = self.marks[min(start, stop - 1)]
            raise translator.wrong(f"{translator.slice(start, stop) or 'nothing'} is no set of arrays", first, hint)
        axes: list[Part] = []
        if start + 1 < stop and self.marks[start + 1].is_sign("^"):
            translator.place, translator.end = start + 2, stop
            axes = self.factors(translator.argument_of("stands above"))
        elif start + 1 < stop:
            second = self.marks[start + 1]
            raise translator.wrong(f"{translator.written(second)} is not expected here", second)
        whole = domain.text != "R"

        def emit(name: Mark) -> None:
            if domain.text == "N" and not axes:
                translator.emit("size", domain, "name")
                return
            translator.emit(":", domain)
            for axis in axes:
                self.axis(axis)
            if not axes:
                translator.emit("(", domain)
                translator.emit(")", domain)
            if whole:
                translator.emit(",", domain)
                translator.emit(name.text, name, "name")
                translator.emit("int", domain, "name")

        self.each(names, emit)

    def factors(self, part: Part) -> list[Part]:
        r"""Axes with \times between them; a \cdot multiplies sizes."""
        pieces, start = [], part[0]
        for place in self.translator.outside(*part):
            if self.marks[place].is_sign("*") and self.translator.written(self.marks[place]) in ("\\times", "×"):
                pieces.append((start, place))
                start = place + 1
        return [*pieces, (start, part[1])]

    def axis(self, part: Part) -> None:
        low, high = part
        self.translator.head = len(self.translator.out)  # axes stand beside each other and are no product
        if high - low == 1:
            self.translator.part(low, high)
        else:
            first = self.marks[min(low, high - 1)]
            self.translator.out.append(Token("op", "(", first.start, first.start))
            self.translator.part(low, high)
            self.translator.emit(")", self.marks[high - 1])

    def pads(self, name: Mark, value: Part) -> None:
        r"""`x = -\infty`, `x = 0`, `x = \frac{1}{3}`."""
        translator, (low, high) = self.translator, value
        translator.emit(name.text, name, "name")
        translator.emit("pads", self.marks[low - 1], "name")
        while self.marks[low].is_sign("-"):
            translator.emit("-", self.marks[low])
            low += 1
        if self.marks[low].is_sign("inf") and high == low + 1:
            translator.emit("inf", self.marks[low], "name")
        elif self.marks[low].is_sign("frac"):
            numbers = [mark for mark in self.marks[low + 1 : high] if not mark.is_sign("{", "}")]
            for place, mark in enumerate(numbers):
                if place:
                    translator.emit("/", mark)
                translator.emit(mark.text, mark, mark.kind)
        else:
            translator.part(low, high)

    def relation(self, part: Part, waiting: list[Mark], low: Mark | None) -> None:
        """`0 <= i < H`, or an equation of sizes."""
        translator = self.translator
        places = [p for p in translator.outside(*part) if self.marks[p].is_sign("<", "<=", "=", ">", ">=")]
        parts = [*zip([part[0], *(p + 1 for p in places)], [*places, part[1]], strict=True)]
        signs = [self.marks[place].text for place in places]
        first = self.marks[part[0]]
        if any(mark.kind == "function" or mark.is_sign("sum", "sqrt", "frac") for mark in self.marks[slice(*part)]):
            hint = "write it as a statement of its own, above"
            raise translator.wrong("behind where nothing is computed", first, hint, self.marks[part[1] - 1])
        if signs == ["="]:
            translator.part(*parts[0])
            translator.emit("=", self.marks[places[0]])
            translator.part(*parts[1])
            return
        letter = translator.letter(parts[-2]) if signs and signs[-1] in ("<", "<=") else None
        starts = len(signs) == 2 and signs[0] == "<=" and translator.letter(parts[0]) is None
        if letter is None or not (len(signs) == 1 or starts):
            raise translator.wrong("this clause is none that is read here", first, _CLAUSES, self.marks[part[1] - 1])
        if len(signs) == 2:
            low = self.marks[parts[0][0]]
        if low is not None:
            self.check_start(letter, low)
        for number, name in enumerate([*waiting, letter]):
            if number:
                translator.emit(",", name)
            self.bound(name, parts[-1], inclusive=signs[-1] == "<=")

    def bound(self, name: Mark, high: Part, inclusive: bool) -> None:
        self.translator.emit(name.text, name, "name")
        self.translator.emit("<", self.marks[high[0]])
        self.translator.size(high, inclusive, self.marks[high[0]])

    def check_start(self, name: Mark, low: Mark) -> None:
        if low.text != str(self.base):
            shown = self.translator.written(name)
            hint = "a formula that counts from 1 is read with base=1" if low.text == "1" else "shift the index"
            message = f"{shown} begins at {low.text}, but indices count from {self.base} here"
            self.translator.complain(message, low, hint)
