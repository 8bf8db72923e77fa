"""Does a polynomial vanish for all sizes? Summands cancel where `match` finds them equal; then stronger means.

    1  cancel          summands that are the same up to their letters
    2  denominators    multiply by sums that divide, where they do not depend on a bound letter
    3  cut             split the domains of summands along each other's bounds, and cancel the pieces
"""

from __future__ import annotations

__all__ = ["Decision", "as_linear", "decide"]

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from fractions import Fraction
from itertools import product as product_of

from paperback.calculus.proof.expand import Expander, UnknownFormError, inside, is_short
from paperback.calculus.proof.functions import rebuilt
from paperback.calculus.proof.laws import lead_of, part, product, rest_of
from paperback.calculus.proof.match import Matcher
from paperback.calculus.proof.positive import Known, Monomials, combination
from paperback.calculus.proof.simplify import simplified
from paperback.calculus.proof.split import by_place, by_remainder, cut, moduli
from paperback.calculus.proof.sums import (
    EVERYWHERE,
    Atom,
    Polynomial,
    Summand,
    atom,
    collected,
    constant,
    minus,
    scaled,
)
from paperback.notation.affine import Affine, Letter
from paperback.notation.block import Block, Fact
from paperback.notation.expr import Read
from paperback.notation.size import Size
from paperback.notation.walk import reads, same

MOST_SUMMANDS = 400
MOST_CUTS = 6


class Decision:
    """Decides about polynomials over the tensors with these axes."""

    def __init__(self, axes: Mapping[str, tuple[Size, ...]]) -> None:
        self.matcher = Matcher(axes, self.is_zero)
        self._depth = self._signs = self._cuts = 0
        self._assumed: list[tuple[Polynomial, bool]] = []  # what is > 0 (True) or == 0 in the case at hand
        self._residues = False

    def is_zero(self, polynomial: Polynomial, known: Known) -> bool:
        """Proved to be 0 wherever everything known holds? False says nothing."""
        if not polynomial:
            return True
        if self._depth > 6:
            return False
        self._depth += 1
        try:
            return self._is_zero(polynomial, known)
        finally:
            self._depth -= 1

    def _is_zero(self, polynomial: Polynomial, known: Known) -> bool:
        left = self.cancelled(simplified(polynomial, known), known)
        if not left:
            return True
        cleared = self._cleared(left, known)
        if cleared is not None:
            return self._is_zero(cleared, known)
        if self._fibres(left, known) or self._by_residue(left, known):
            return True
        placed = by_place(left)
        if placed is not None and self._is_zero(placed, known):
            return True
        return self._by_cuts(left, known) or self._by_sign(left, known)

    def cancelled(self, polynomial: Polynomial, known: Known) -> Polynomial:
        """What is left after equal summands are put together."""
        if len(polynomial) > MOST_SUMMANDS:
            return polynomial
        groups: dict[str, list[Summand]] = {}
        for one in polynomial:
            group = groups.setdefault(one.key, [])
            for place, other in enumerate(group):
                if self.matcher.same(one, other, known):
                    group[place] = replace(other, coefficient=other.coefficient + one.coefficient)
                    break
            else:
                group.append(one)
        return tuple(one for group in groups.values() for one in group if one.coefficient)

    # ------------------------------------------------------------------------------------------- denominators

    def _cleared(self, polynomial: Polynomial, known: Known) -> Polynomial | None:
        """Times the sums that divide; None where nothing does, or it depends on a bound letter."""
        powers: dict[Atom, Fraction] = {}
        for one in polynomial:
            for inner, exponent in one.factors:
                if inner.head == "sum" and exponent < 0:
                    powers[inner] = min(powers.get(inner, Fraction(0)), exponent)
        bound = {letter for one in polynomial for letter in one.domain.letters}
        powers = {inner: e for inner, e in powers.items() if bound.isdisjoint(inner.letters)}
        if not powers:
            return None
        chosen, lowest = next(iter(powers.items()))
        powers = {chosen: lowest}
        found: list[Summand] = []
        for one in polynomial:
            exponents = dict(one.factors)
            own = exponents.get(chosen, Fraction(0)) - lowest
            rest = tuple((a, e) for a, e in one.factors if a != chosen)
            base: Polynomial = (replace(one, factors=rest),)
            whole = own.numerator // own.denominator
            base = product(base, *[part(chosen) for _ in range(whole)])
            if own != whole:
                base = product(base, atom(chosen, own - whole))
            found.extend(base)
        return simplified(found, known)

    # ------------------------------------------------------------------------------------- domains in parts

    def _fibres(self, polynomial: Polynomial, known: Known) -> bool:
        """Sums over one domain are equal if what is summed is: there, denominators can be cleared."""
        first = polynomial[0]
        if not first.domain.letters or not any(a.head == "sum" and e < 0 for s in polynomial for a, e in s.factors):
            return False
        first = first.renewed()
        summed: list[Summand] = []
        for one in polynomial:
            moved = self.matcher.aligned(first, one, known)
            if moved is None:
                return False
            summed.append(replace(moved, domain=EVERYWHERE))
        inner = known.extended(first.domain.at_least, first.domain.zero)
        return self.is_zero(collected(summed), inner)

    def _by_cuts(self, polynomial: Polynomial, known: Known) -> bool:
        """One summand cut along another's domain, as long as that leads anywhere."""
        if self._cuts >= MOST_CUTS:
            return False
        self._cuts += 1
        try:
            pieces = cut(polynomial, self.matcher, known)
            return pieces is not None and self._is_zero(pieces, known)
        finally:
            self._cuts -= 1

    def _by_residue(self, polynomial: Polynomial, known: Known) -> bool:
        """Some summands read at 2*q + r: the others' letters are split by their remainders, i = 2*q, i = 2*q + 1."""
        if self._residues:
            return False
        self._residues = True
        try:
            for modulus in moduli(polynomial):
                pieces = by_remainder(polynomial, modulus)
                if pieces is not None and self._is_zero(pieces, known):
                    return True
        finally:
            self._residues = False
        return False

    # --------------------------------------------------------------------------------------------------- signs

    def _by_sign(self, polynomial: Polynomial, known: Known) -> bool:
        """By cases: p > 0, p < 0 and p == 0 for a selector of p, inside other atoms too."""
        selector = next((a for a in _atoms(polynomial) if a.head in ("positive", "zero")), None)
        if selector is None or not _free_of(polynomial, selector) or self._signs > 5:
            return False
        self._signs += 1
        asked = selector.parts[0]
        try:
            for sign in (1, -1, 0):
                self._assumed.append((scaled(asked, sign or 1), sign != 0))
                try:
                    impossible = contradictory(self._assumed)
                    if not impossible and not self._is_zero(_in_case(polynomial, selector, sign), known):
                        return False
                finally:
                    self._assumed.pop()
            return True
        finally:
            self._signs -= 1


def contradictory(assumed: Sequence[tuple[Polynomial, bool]]) -> bool:
    """Can these not be > 0, or == 0, together? a > b, b > c and c >= a cannot, as linear forms of their products."""
    zero = [as_linear(p) for p, strict in assumed if not strict]
    above = [as_linear(p) for p, strict in assumed if strict]
    return any(
        combination({m: -c for m, c in form.items()}, [other for other in above if other is not form], zero)
        for form in above
    )


def as_linear(polynomial: Polynomial) -> Monomials:
    """Products count as independent unknowns."""
    return {(s.factors, s.domain) if s.factors or s.domain != EVERYWHERE else (): s.coefficient for s in polynomial}


def _atoms(polynomial: Polynomial) -> Iterator[Atom]:
    """Every atom, those inside others first."""
    for one in polynomial:
        for inner, _ in one.factors:
            for inside_it in inner.parts:
                yield from _atoms(inside_it)
            yield inner


def _free_of(polynomial: Polynomial, selector: Atom) -> bool:
    """Does it depend on no letter that is bound anywhere?"""
    bound = {letter for one in polynomial for letter in one.domain.letters}
    return bound.isdisjoint(selector.letters) and all(letter.uid > 0 for letter in selector.letters)


def _in_case(polynomial: Polynomial, selector: Atom, sign: int) -> Polynomial:
    """The polynomial where what the selector asks about is positive, negative or 0."""
    lead = lead_of(selector.parts[0]) if sign == 0 else None
    nothing = lead.factors[0][0] if lead is not None and len(lead.factors) == 1 and lead.factors[0][1] == 1 else None

    def image(inner: Atom) -> Polynomial | None:
        if inner.parts == selector.parts and inner.head in ("positive", "zero"):
            return constant(int(sign > 0 if inner.head == "positive" else sign == 0))
        if lead is None or inner != nothing:
            return None
        return scaled(rest_of(selector, lead), -1 / lead.coefficient)

    return rebuilt(polynomial, image)


def decide(left: Block, right: Block, facts: Sequence[Fact], lower: Mapping[str, int]) -> bool:
    """Are the results of two blocks equal for all sizes that meet the facts? False says nothing."""
    if same(left.statements, right.statements) and left.inputs == right.inputs:
        return True
    known = Known(lower, facts, picks=_picks(left, right))
    for a, b in zip(left.result.axes, right.result.axes, strict=True):
        if a != b and not known.implies_zero(Affine.of(a - b)):
            return False
    return _decided(left, right, known, unroll=False) or _decided(left, right, known, unroll=True)


def _picks(*blocks: Block) -> dict[str, frozenset[Size]]:
    """Which axes tensors of whole numbers select from."""
    found: dict[str, set[Size]] = {}
    for block in blocks:
        for read in (r for s in block.statements for r in reads(s.expr)):
            for index, axis in zip(read.indices, block.tensor(read.tensor).axes, strict=True):
                if isinstance(index, Read) and index.tensor in block.inputs:
                    found.setdefault(index.tensor, set()).add(axis)
    return {name: frozenset(axes) for name, axes in found.items()}


def _decided(left: Block, right: Block, known: Known, unroll: bool) -> bool:
    """With `unroll`, short ranges are written out, those of left indices too."""
    axes = {name: t.axes for block in (left, right) for name, t in block.inputs.items()}
    letters = [Letter.fresh("i") for _ in left.result.axes]
    ranges = [form for l, axis in zip(letters, left.result.axes, strict=True) for form in inside(Affine.of(l), axis)]
    known = known.extended(ranges)
    short = {l: range(a.value) for l, a in zip(letters, left.result.axes, strict=True) if unroll and is_short(a)}
    try:
        sides = [Expander(block, known.lower, unroll).result(letters) for block in (left, right)]
        difference = minus(*sides)
        for values in product_of(*short.values()):
            put = dict(zip(short, map(Affine.of, values), strict=True))
            if not Decision(axes).is_zero(rebuilt(tuple(s.put(put) for s in difference), lambda _: None), known):
                return False
    except (UnknownFormError, RecursionError):
        return False
    return True
