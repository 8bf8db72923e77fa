r"""Translating expressions: marks of LaTeX -> the tokens of the plain notation, each with its place in the LaTeX.

    \frac{a}{b} x_{(2i+p)j}      ((a)/(b))*x[2*i+p,j]
    \sum_{p=0}^{P-1} e^{-w_p}    sum(p<P-1+1) exp(-w[p])

The one parser of the notation reads what comes out. What needs a decision is decided here and nowhere else: what stands
side by side is a product, a name before a parenthesis is a function only if it is declared as one, and what can be read
in two ways is an error that shows both.
"""

from __future__ import annotations

__all__ = ["Expressions"]

from collections.abc import Callable

from paperback.notation.tex.cursor import RELATIONS, Cursor
from paperback.notation.tex.exponents import exponent
from paperback.notation.tex.marks import Mark
from paperback.notation.tex.words import REFUSED
from paperback.notation.tokens import Token
from paperback.notation.words import RESERVED


class Expressions(Cursor):
    """Values, powers, fractions and fences. What binds or lists indices is in `Translator`."""

    def part(self, low: int, high: int, condition: bool = False) -> None:
        with self.within(low, high):
            self.in_condition = condition
            self.expression()

    def begin(self, mark: Mark) -> None:
        """A value begins: beside another one it is multiplied."""
        last = self.out[-1] if self.out else None
        if last is None or len(self.out) == self.head or last.text in ("where", "and", "pads"):
            return
        if last.kind not in ("name", "number") and last.text not in (")", "]"):
            return
        if mark.kind == "number":
            hint = "write it in front, or with a \\cdot; an index stands below, a power above"
            raise self.wrong(f"the number {mark.text} stands behind a factor", mark, hint)
        if self.slash is not None:
            slash = self.written(self.slash)
            hint = "write \\frac{a}{b} c or \\frac{a}{b c}, or parentheses"
            self.complain(f"does {self.written(mark)} stand above or below the {slash}?", self.slash, hint)
            self.slash = None
        self.check_argument(mark)
        self.out.append(Token("op", "*", mark.start, mark.start))

    def check_argument(self, mark: Mark) -> None:
        r"""The product goes on behind `\log x`."""
        if self.argument is not None:
            name, inside = self.written(self.argument), self.source[self.argument.end : self.out[-1].end].strip()
            hint = f"write {name}({inside}) {self.written(mark)}... or {name}({inside} {self.written(mark)}...)"
            self.complain(f"where does the argument of {name} end?", self.argument, hint)
            self.argument = None

    # ------------------------------------------------------------------------------------------- expressions

    def expression(self) -> None:
        while not self.done:
            self.piece()

    def piece(self) -> None:
        mark = self.here
        if mark.kind == "number":
            self.number()
        elif mark.kind == "name":
            self.named()
        elif mark.kind == "function":
            self.function()
        elif mark.kind == "word":
            self.word()
        elif mark.kind == "domain":
            raise self.wrong(f"{self.written(mark)} belongs behind a \\in after \\text{{where}}", mark)
        else:
            self.sign()

    def sign(self) -> None:
        mark = self.here
        simple: dict[str, Callable[[], None]] = {
            "(": self.parentheses, "lbrace": self.parentheses, "[": self.bracket, "lvert": self.bars,
            "lfloor": self.rounding, "lceil": self.rounding, "frac": self.fraction, "sqrt": self.root,
            "sum": self.function, "{": self.braces, "one": self.indicator, "begin cases": self.cases,
        }  # fmt: skip
        if mark.text in simple:
            simple[mark.text]()
        elif mark.text in ("+", "-", *RELATIONS):
            self.place += 1
            self.slash = self.argument = None
            equal = mark.text == "=" and self.in_condition
            self.emit("==" if equal else mark.text, mark)
        elif mark.text in ("*", "/"):
            self.check_argument(mark)
            self.place += 1
            self.slash = mark if mark.text == "/" else None
            self.emit(mark.text, mark)
        elif mark.text == "and":
            self.place += 1
            self.emit("and", mark, "name")
        elif mark.text == "star":
            hint = "a product needs no sign, or \\cdot; a convolution is a sum: \\sum_{p} x_{i-p} w_{p}"
            raise self.wrong("* has no meaning on paper", mark, hint)
        elif mark.text == "^":
            raise self.wrong("a power of nothing", mark, "write what is raised before the ^")
        elif mark.text == "_":
            hint = "give it a name in a statement of its own, and index the name"
            raise self.wrong("only a name has indices", mark, hint)
        elif mark.text == "inf":
            hint = "as a pad write \\text{where } x = -\\infty\\text{ elsewhere}"
            raise self.wrong("\\infty is no value", mark, hint)
        elif mark.text == "dots":
            hint = "write the sum: \\sum_{i=0}^{N-1} x_{i}"
            raise self.wrong(f"{self.written(mark)} leaves out what is meant", mark, hint)
        elif mark.text == "in":
            raise self.wrong("\\in belongs behind \\text{where}", mark, "an index runs over its bounds: 0 \\le i < N")
        elif mark.text in (",", ";", "row"):
            raise self.wrong("a list has no value", mark, "indices stand without parentheses, x_{i,j}")
        else:
            raise self.wrong(f"{self.written(mark)} is not expected here", mark)

    def word(self) -> None:
        mark = self.take()
        if mark.text != "and":
            hint = "multiply by a bracket, [x_{i} > 0], or write cases" if mark.text in ("if", "otherwise") else ""
            raise self.wrong(f"{self.written(mark)} is not expected here", mark, hint)
        self.emit("and", mark, "name")

    def number(self) -> None:
        r"""A number; 2.5 \cdot 10^{-7} is one number too."""
        mark = self.here
        self.begin(mark)
        self.place += 1
        small = self.power_of_ten(self.place - 1)
        if mark.text == "10" and small is not None:
            self.place, text = small[0], f"1e{small[1]}"
        elif self.at("*") and (small := self.power_of_ten(self.place + 1)) is not None:
            self.place, text = small[0], f"{mark.text}e{small[1]}"
        else:
            text = mark.text
        last = self.marks[self.place - 1]
        self.out.append(Token("number", text, mark.start, last.end))
        self.scripts(mark)

    def power_of_ten(self, place: int) -> tuple[int, str] | None:
        """Behind `10^{-n}`, and -n."""
        seen = [mark.text for mark in self.marks[place : place + 6]]
        whole = len(seen) == 6 and seen[:4] == ["10", "^", "{", "-"] and seen[4].isdigit() and seen[5] == "}"
        return (place + 6, f"-{seen[4]}") if whole and place + 6 <= self.end else None

    # --------------------------------------------------------------------------------------------- the names

    def named(self) -> None:
        mark = self.here
        after = self.marks[self.place + 1] if self.place + 1 < self.end else None
        opens = after is not None and after.is_sign("(", "lbrace")
        known = self.scope.knows(mark.text)
        if mark.text == "e" and after is not None and after.is_sign("^") and not known:
            self.exponential()
        elif mark.text == "delta" and after is not None and after.is_sign("_") and not known:
            self.delta()
        elif mark.text == "sigma" and opens and (not known or mark.text in self.scope.indexed):
            self.function("sigmoid")
        elif opens and (self.scope.calls(mark.text) or mark.look == "upright"):
            self.function(mark.text)
        else:
            self.begin(mark)
            self.place += 1
            self.read(mark)

    def read(self, mark: Mark) -> None:
        """A name with what hangs below and above it."""
        if mark.text in RESERVED:
            hint = f"choose another name; as a function write \\operatorname{{{mark.text}}}"
            raise self.wrong(f"{mark.text} is a reserved word", mark, hint)
        self.emit(mark.text, mark, "name")
        raised: Callable[[], None] | None = None
        if self.at("^"):
            raised = exponent(self, mark)
        if self.at("_"):
            if mark.stem:
                first = self.written(mark).partition("_")[0]
                hint = f"write {first}_{{...}} with all indices"
                raise self.wrong(f"{self.written(mark)} has two subscripts", self.here, hint)
            self.subscript(mark)
        if raised is not None:
            raised()
        else:
            self.scripts(mark)
        if self.at("[") and self.here.close and not self.has_relation(self.place + 1, self.partner[self.place]):
            low, high = self.place + 1, self.partner[self.place]
            hint = f"write {self.written(mark)}_{{{self.slice(low, high)}}}"
            raise self.wrong("in LaTeX an index stands below", self.here, hint, self.marks[high])

    def scripts(self, base: Mark) -> None:
        """The powers behind a factor."""
        if self.at("^"):
            exponent(self, base)()
        if self.at("^"):
            raise self.wrong("a power of a power needs parentheses", self.here, "write (x^{2})^{3}")

    def exponential(self) -> None:
        """e^{x} is exp(x)."""
        mark = self.here
        self.begin(mark)
        self.place += 2
        low, high = self.argument_of("stands above e")
        self.emit("exp", mark, "name")
        self.enclosed(low, high, mark)

    def enclosed(self, low: int, high: int, mark: Mark) -> None:
        """( marks[low:high] )"""
        self.emit("(", mark)
        self.part(low, high)
        self.emit(")", self.marks[high - 1] if high > low else mark)

    def delta(self) -> None:
        r"""\delta_{ij} is [i == j]; with another number of indices it is a name."""
        mark = self.take()
        self.begin(mark)
        before = len(self.out)
        self.subscript(mark)
        inner = self.out[before:]
        depth, commas = 0, []
        for place, token in enumerate(inner, before):
            depth += (token.text in ("(", "[")) - (token.text in (")", "]"))
            if token.text == "," and depth == 1:
                commas.append(place)
        if len(commas) == 1:
            middle = self.out[commas[0]]
            self.out[commas[0]] = Token("op", "==", middle.start, middle.end)
            self.out[before] = Token("op", "[", mark.start, inner[0].end)
        else:
            self.out.insert(before, Token("name", mark.text, mark.start, mark.end))
        self.scripts(mark)

    def subscript(self, name: Mark) -> None:
        """The indices below a name; see `subscripts`."""
        raise NotImplementedError

    def function(self, name: str = "") -> None:
        """A function or a reducer; see `reducers`."""
        raise NotImplementedError

    # -------------------------------------------------------------------------------------- fences, fractions

    def parentheses(self) -> None:
        mark = self.here
        self.begin(mark)
        low, high = self.group()
        self.emit("(", mark)
        self.part(low, high)
        self.emit(")", self.marks[high])
        self.scripts(mark)

    def braces(self) -> None:
        """Braces leave no ink: what is inside stands there as it is."""
        low, high = self.group()
        kept, self.place, self.end = (self.place, self.end), low, high
        self.expression()
        self.place, self.end = kept
        if self.at("^", "_") and high - low == 1:
            self.scripts(self.marks[low])

    def bracket(self) -> None:
        """[i < j] is a condition; without a comparison it groups."""
        mark = self.here
        low, high = self.place + 1, self.partner[self.place]
        if not self.has_relation(low, high):
            self.parentheses()
            return
        self.begin(mark)
        self.place = high + 1
        self.emit("[", mark)
        self.part(low, high, condition=True)
        self.emit("]", self.marks[high])
        self.scripts(mark)

    def indicator(self) -> None:
        r"""\mathbb{1}[c], \mathbb{1}(c), \mathbb{1}_{c} are [c]."""
        mark = self.take()
        self.begin(mark)
        if self.at("_"):
            self.place += 1
        if not self.at("[", "(", "{", "lbrace"):
            raise self.wrong("an indicator needs its condition", mark, "write [i < j]")
        low, high = self.group()
        if self.marks[low].is_sign("lbrace") and self.partner[low] == high - 1:
            low, high = low + 1, high - 1
        self.emit("[", mark)
        self.part(low, high, condition=True)
        self.emit("]", self.marks[self.place - 1])

    def bars(self) -> None:
        mark = self.here
        self.begin(mark)
        low, high = self.group()
        if self.marks[low].is_sign("lvert") and self.partner[low] == high - 1:
            raise self.wrong("a norm is not part of the notation", mark, REFUSED["|"], self.marks[high])
        self.emit("abs", mark, "name")
        self.emit("(", mark)
        self.part(low, high)
        self.emit(")", self.marks[high])
        self.scripts(mark)

    def rounding(self) -> None:
        mark = self.here
        self.begin(mark)
        low, high = self.group()
        self.emit("floor" if mark.text == "lfloor" else "ceil", mark, "name")
        self.emit("(", mark)
        inside = self.marks[low]
        if inside.is_sign("frac"):  # \lfloor \frac{a}{b} \rfloor
            with self.within(low, high):
                self.place += 1
                above, below = self.argument_of("stands above"), self.argument_of("stands below")
                self.quotient(inside, above, below)
                self.expression()
        else:
            self.part(low, high)
        self.emit(")", self.marks[high])

    def fraction(self) -> None:
        mark = self.here
        self.begin(mark)
        self.place += 1
        above, below = self.argument_of("stands above the line"), self.argument_of("stands below the line")
        last = self.marks[self.place - 1]
        if all("partial" not in self.slice(*part) for part in (above, below)):
            self.emit("(", mark)
            self.quotient(mark, above, below)
            self.emit(")", last)
        self.scripts(mark)

    def quotient(self, mark: Mark, above: tuple[int, int], below: tuple[int, int]) -> None:
        self.enclosed(*above, self.marks[above[0] - 1] if above[0] == above[1] else mark)
        self.emit("/", mark)
        self.enclosed(*below, mark)

    def root(self) -> None:
        mark = self.take()
        self.begin(mark)
        degree = self.group() if self.at("[") else None
        low, high = self.argument_of("stands below the root")
        if degree is None:
            self.emit("sqrt", mark, "name")
            self.enclosed(low, high, mark)
            self.scripts(mark)
            return
        written = self.slice(*degree)
        if not written.isdigit():
            raise self.wrong(f"a root of the degree {written}", mark, "the degree of a root is a number")
        self.enclosed(low, high, mark)
        for text, kind in (("^", "op"), ("(", "op"), ("1", "number"), ("/", "op"), (written, "number"), (")", "op")):
            self.emit(text, mark, kind)

    def cases(self) -> None:
        """Values with conditions; see `clauses`."""
        raise NotImplementedError

