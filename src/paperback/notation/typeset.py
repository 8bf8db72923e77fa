"""Formulas as on paper: one walk that sets fractions, roots, subscripts and limits, for LaTeX and for MathML.

    text      x[2*i+p,j]*w[p]/P       sum(p<3 | p <= i) a[p]       [t == i]       v^(-1/2)
    paper     x with a subscript      a sum sign with limits       a delta        (v)^{-1/2}

What needs parentheses is inherited from `Speller`. Here is what a piece looks like on paper, in terms of a dozen marks
(`Marks`); `latex` and `mathml` say how each mark is written down.

In a subscript a bare letter stands by itself; any other index stands in parentheses: x_{(2i+p)jk}.
"""

from __future__ import annotations

__all__ = ["Marks", "Typesetter"]

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from fractions import Fraction
from itertools import groupby
from typing import Protocol

from paperback.notation.affine import Affine, Letter
from paperback.notation.expr import (
    ONE,
    Add,
    AffineGuard,
    Binder,
    Call,
    Const,
    Guard,
    Index,
    IndexExpr,
    Node,
    Pow,
    Quotient,
    Read,
    Reduce,
    Scalar,
)
from paperback.notation.numerals import number_text
from paperback.notation.size import Rounded, Size
from paperback.notation.spell import Speller, is_single
from paperback.notation.words import FUNCTIONS, GREEK

_SIGNS = {"<=": "≤", ">=": "≥", "==": "=", "!=": "≠", "|": "∣", "-": "−"}


class Marks(Protocol):
    """What can be put on paper. Every method takes and gives written marks, but for names, numerals and signs.

    Signs are single characters: + − / · × = ≠ < ≤ > ≥ ∣ : , ∧ ∈ → ∞ ∑; fences are two: () [] || ⌊⌋ ⌈⌉.
    """

    def name(self, name: str) -> str: ...
    def function(self, name: str, spelled: bool = False) -> str: ...
    def numeral(self, digits: str) -> str: ...
    def sign(self, sign: str) -> str: ...
    def words(self, words: str) -> str: ...
    def domain(self, letter: str) -> str: ...
    def negative(self, term: str) -> str: ...
    def row(self, pieces: Iterable[str]) -> str: ...
    def product(self, factors: Iterable[str]) -> str: ...
    def scripts(self, base: str, below: str = "", above: str = "") -> str: ...
    def limits(self, reducer: str, below: str, above: str = "") -> str: ...
    def fraction(self, above: str, below: str) -> str: ...
    def root(self, inside: str) -> str: ...
    def fenced(self, fence: str, inside: str) -> str: ...


class Typesetter(Speller):
    """Spells expressions with marks; see `Speller` for the scope."""

    def __init__(
        self,
        marks: Marks,
        names: Mapping[Letter, str] | None = None,
        taken: Iterable[str] = (),
        bounded: Iterable[Letter] = (),
        plain: Iterable[str] = (),
    ) -> None:
        super().__init__(names, taken, bounded, plain)
        self.marks = marks

    # ------------------------------------------------------------------------------------------------ pieces

    def letter(self, letter: Letter) -> str:
        name = self.name(letter)
        numbered = re.fullmatch(r"(\D)(\d+)", name)
        if numbered:
            return self.marks.scripts(self.marks.name(numbered[1]), below=self.marks.numeral(numbered[2]))
        return self.marks.name(name)

    def named(self, name: str) -> str:
        return self.marks.name(name)

    def number(self, value: Fraction) -> str:
        text = number_text(value)
        if "/" in text:
            return self.marks.fraction(*(self.marks.numeral(digits) for digits in text.split("/")))
        mantissa, e, power = text.partition("e-")
        if not e:
            return self.marks.numeral(text)
        small = self.marks.scripts(self.marks.numeral("10"), above=self.marks.negative(self.marks.numeral(power)))
        return small if mantissa == "1" else self.marks.row([self.marks.numeral(mantissa), self.sign("·"), small])

    def sign(self, sign: str) -> str:
        return self.marks.sign(_SIGNS.get(sign, sign))

    def parens(self, text: str) -> str:
        return self.marks.fenced("()", text)

    def joined(self, terms: Iterable[tuple[int, str]], space: str = "") -> str:
        pieces: list[str] = []
        for sign, term in terms:
            if pieces:
                pieces += [self.sign("+" if sign > 0 else "-"), term]
            else:
                pieces.append(term if sign > 0 else self.marks.negative(term))
        return self.marks.row(pieces) if pieces else self.marks.numeral("0")

    def times(self, factors: Sequence[str]) -> str:
        return self.marks.product(factors)

    def related(self, *pieces: str) -> str:
        return self.marks.row(self.sign(piece) if place % 2 else piece for place, piece in enumerate(pieces))

    def all_of(self, conditions: Sequence[str]) -> str:
        return self.between("∧", conditions)

    def between(self, sign: str, pieces: Sequence[str]) -> str:
        """Pieces with a sign between them."""
        first, *others = pieces
        return self.marks.row([first, *(mark for piece in others for mark in (self.sign(sign), piece))])

    # ------------------------------------------------------------------------------------- sizes and indices

    def size(self, size: Size) -> str:
        terms = []
        for monomial, coefficient in size.in_order:
            factors = [self.named(atom) if isinstance(atom, str) else self.rounded(atom) for atom in monomial]
            if abs(coefficient) != 1 or not factors:
                factors.insert(0, self.marks.numeral(str(abs(coefficient))))
            terms.append((coefficient, self.times(factors)))
        return self.joined(terms)

    def rounded(self, atom: Rounded) -> str:
        high, low = self.size_factor(atom.numerator), self.size_factor(atom.denominator)
        return self.marks.fenced("⌊⌋" if atom.kind == "floor" else "⌈⌉", self.marks.row([high, self.sign("/"), low]))

    def index(self, index: IndexExpr) -> str:
        if isinstance(index, Quotient):
            above = self.parens(self.affine(index.affine))
            return self.marks.row([above, self.sign("/"), self.size_factor(index.divisor)])
        return super().index(index)

    def indexed(self, tensor: str, indices: Sequence[IndexExpr]) -> str:
        return self.marks.scripts(self.named(tensor), below=self.subscript(indices)) if indices else self.named(tensor)

    def subscript(self, indices: Sequence[IndexExpr]) -> str:
        return self.marks.row(
            self.index(index) if self.stands_alone(index) else self.parens(self.index(index)) for index in indices
        )

    def stands_alone(self, index: IndexExpr) -> bool:
        """Is it one letter, which may have a number?"""
        letter = index.bare if isinstance(index, Affine) else None
        name = self.name(letter) if letter else ""
        return name in GREEK or re.fullmatch(r"\D\d*", name) is not None

    # ------------------------------------------------------------------------------------------- arithmetic

    def product(self, coefficient: Fraction, factors: Sequence[Node]) -> str:
        """Factors in order; what is divided by stands below a line of its own, with what stood before it above."""
        runs = list(_runs(factors))
        above, below = runs[0]
        if "/" not in number_text(coefficient):
            runs[0] = [*_but_one(Const(coefficient)), *above], below
        else:
            runs.insert(0, ([Const(Fraction(coefficient.numerator))], [Const(Fraction(coefficient.denominator))]))
        return self.times([self.over(*run) if run[1] else self.side_by_side(run[0]) for run in runs])

    def over(self, above: Sequence[Node], below: Sequence[Node]) -> str:
        """A fraction; a sum or a sign that is all there is above or below needs no parentheses."""
        parts = (self.expr(part[0]) if len(part) == 1 else self.side_by_side(part) for part in (above or [ONE], below))
        return self.marks.fraction(*parts)

    def side_by_side(self, factors: Sequence[Node]) -> str:
        pieces: list[str] = []
        for place, factor in enumerate(factors):
            if isinstance(factor, Reduce) and place == len(factors) - 1:
                pieces.append(self.reduction(factor))
            elif place and _needs_dot(factors[place - 1], factor):
                pieces[-1] = self.marks.row([pieces[-1], self.sign("·"), self.factor(factor)])
            else:
                pieces.append(self.factor(factor))
        return self.times(pieces)

    def root(self, node: Node) -> str:
        return self.marks.root(self.expr(node))

    def raised(self, base: Node, exponent: Fraction) -> str:
        above = self.marks.numeral(str(abs(exponent.numerator)))
        if exponent.denominator != 1:
            above = self.marks.row([above, self.sign("/"), self.marks.numeral(str(exponent.denominator))])
        above = above if exponent > 0 else self.marks.negative(above)
        if isinstance(base, Read) and base.indices:
            return self.marks.scripts(self.named(base.tensor), self.subscript(base.indices), above)
        ten = isinstance(base, Const) and "e" in number_text(base.value)  # 10^{-5} has a power already
        return self.marks.scripts(self.parens(self.expr(base)) if ten else self.primary(base), above=above)

    def call(self, node: Call) -> str:
        arguments = self.between(",", [self.expr(argument) for argument in node.arguments])
        if node.function == "abs":
            return self.marks.fenced("||", arguments)
        return self.marks.row([self.function_name(node.function), self.parens(arguments)])

    def function_name(self, name: str) -> str:
        """The sigmoid's letter is sigma, but where that is a name; a function sigma of one's own is spelled out too."""
        if name in FUNCTIONS or name.rstrip("'") == "sigma":
            return self.marks.function(name, spelled=name == "sigmoid" and "sigma" in self.taken)
        return self.named(name)

    def bracket(self, guards: Sequence[Guard]) -> str:
        """A delta where two letters are equal, else Iverson's bracket."""
        equal = guards[0] if len(guards) == 1 else None
        if isinstance(equal, AffineGuard) and equal.relation == "==" and "delta" not in self.taken:
            slopes = {slope for _, slope in equal.affine}
            if len(equal.affine.terms) == 2 and slopes == {Size.of(1), Size.of(-1)} and not equal.affine.const:
                return self.indexed("delta", [Affine.of(letter) for letter in equal.affine.letters])
        return self.marks.fenced("[]", self.condition(guards))

    # -------------------------------------------------------------------------------------------- reducers

    def reducer(self, node: Reduce) -> str:
        """`sum` from 0 to P-1, where one bound is all there is to write; else all conditions below."""
        sign = self.sign("∑") if node.op == "sum" else self.marks.function(node.op)
        if node.op == "sum" and len(node.binders) == 1 and node.binders[0].letter in self.bounded and not node.guards:
            binder = node.binders[0]
            below = self.related(self.letter(binder.letter), "==", self.marks.numeral("0"))
            return self.marks.limits(sign, below, self.size(binder.extent - 1))
        below = self.between(",", list(self.binders(node.binders)))
        if node.guards:
            below = self.related(below, ":", self.condition(node.guards))
        return self.marks.limits(sign, below)

    def binders(self, binders: Sequence[Binder]) -> Iterator[str]:
        """`p, q`, or `0 <= p, q < 2` where the extents are to be written."""
        for extent, group in groupby(binders, lambda b: b.extent if b.letter in self.bounded else None):
            letters = self.between(",", [self.letter(binder.letter) for binder in group])
            yield letters if extent is None else self.within(letters, extent)

    def within(self, letters: str, extent: Size) -> str:
        return self.related(self.marks.numeral("0"), "<=", letters, "<", self.size(extent))

    def reduced(self, reducer: str, body: str) -> str:
        return self.marks.row([reducer, body])

    # ---------------------------------------------------------------------------------------------- clauses

    def declared(self, name: str, axes: Sequence[Size], integer: bool, unused: bool = False) -> Iterator[str]:
        domain = self.marks.domain("Z" if integer else "R")
        sides = [self.size(axis) if len(axis.terms) <= 1 else self.size_factor(axis) for axis in axes]
        yield self.member(name, self.marks.scripts(domain, above=self.between("×", sides)) if axes else domain)

    def member(self, name: str, domain: str) -> str:
        return self.related(self.named(name), "∈", domain)

    def pads(self, tensor: str, value: Fraction | float) -> str:
        padding = self.related(self.named(tensor), "=", self.pad_value(value))
        return self.marks.row([padding, self.marks.words("elsewhere")])

    def infinity(self) -> str:
        return self.sign("∞")

    def extent(self, binder: Binder) -> str:
        return self.within(self.letter(binder.letter), binder.extent)

    def scalar(self, name: str) -> str:
        return self.marks.row([self.named(name), self.marks.words("scalar")])

    def function(self, name: str, increasing: bool) -> str:
        real = self.marks.domain("R")
        text = self.related(self.function_name(name), ":", real, "→", real)
        return self.marks.row([text, self.marks.words("increasing")]) if increasing else text

    def free_size(self, name: str) -> str:
        return self.member(name, self.marks.domain("N"))

    def equal_sizes(self, left: Size, right: Size) -> str:
        return self.related(self.size(left), "=", self.size(right))


def _runs(factors: Sequence[Node]) -> Iterator[tuple[list[Node], list[Node]]]:
    """Factors cut into fractions: what is multiplied, then the one that it is divided by."""
    above: list[Node] = []
    for factor in factors:
        if isinstance(factor, Pow) and factor.exponent < 0 and factor.exponent.denominator == 1:
            yield above, [factor.base if factor.exponent == -1 else Pow(factor.base, -factor.exponent)]
            above = []
        else:
            above.append(factor)
    if above:
        yield above, []


def _but_one(number: Const) -> list[Node]:
    return [] if number.value == 1 else [number]


def _needs_dot(before: Node, after: Node) -> bool:
    """Must a dot stand between two factors: before a digit, or where a name and parentheses would look like a call?"""
    while isinstance(after, Pow) and after.exponent != Fraction(1, 2):
        after = after.base
    if isinstance(after, Const):
        return True
    bare = isinstance(before, Scalar | Index) or (isinstance(before, Read) and not before.indices)
    return bare and (isinstance(after, Add | Reduce) or (isinstance(after, Index) and not is_single(after.affine)))
