"""Does a polynomial vanish for all sizes? Summands cancel where `match` finds them equal; then stronger means.

    1  cancel          summands that are the same up to their letters
    2  denominators    multiply by sums that divide, where they do not depend on a bound letter
    3  cut             split the domains of summands along each other's bounds, and cancel the pieces
"""

from __future__ import annotations

__all__ = ["Decision", "decide"]

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from fractions import Fraction
from itertools import product as product_of

from paperback.calculus.proof.expand import Expander, UnknownFormError, inside, is_short
from paperback.calculus.proof.laws import part, product, rebuilt
from paperback.calculus.proof.match import Matcher
from paperback.calculus.proof.positive import Known
from paperback.calculus.proof.simplify import simplified
from paperback.calculus.proof.sums import NOTHING, Atom, Polynomial, Summand, atom, constant, minus, single
from paperback.notation.affine import Affine, Letter
from paperback.notation.block import Block, Fact
from paperback.notation.size import Size

MOST_SUMMANDS = 400


class Decision:
    """Decides about polynomials over the tensors with these axes."""

    def __init__(self, axes: Mapping[str, tuple[Size, ...]]) -> None:
        self.matcher = Matcher(axes, self.is_zero)
        self._depth = self._signs = 0

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
        return self._cut(left, known) or self._by_sign(left, known)

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

    # ---------------------------------------------------------------------------------------------------- cuts

    def _cut(self, polynomial: Polynomial, known: Known) -> bool:
        """Summands of equal factors on domains that overlap: cut along each other's constraints, and cancel."""
        return False


    # --------------------------------------------------------------------------------------------------- signs

    def _by_sign(self, polynomial: Polynomial, known: Known) -> bool:
        """By cases: p > 0, p < 0 and p == 0 for a selector of p, inside other atoms too."""
        selector = next((a for a in _atoms(polynomial) if a.head in ("positive", "zero")), None)
        if selector is None or not _free_of(polynomial, selector) or self._signs > 5:
            return False
        self._signs += 1
        try:
            return all(self._is_zero(_in_case(polynomial, selector, sign), known) for sign in (1, -1, 0))
        finally:
            self._signs -= 1


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
    base = single(selector.parts[0])
    nothing = base.factors[0][0] if base and len(base.factors) == 1 and base.factors[0][1] == 1 else None

    def image(inner: Atom) -> Polynomial | None:
        if inner.parts == selector.parts and inner.head in ("positive", "zero"):
            return constant(int(sign > 0 if inner.head == "positive" else sign == 0))
        return NOTHING if sign == 0 and inner == nothing else None

    return rebuilt(polynomial, image)


def decide(left: Block, right: Block, facts: Sequence[Fact], lower: Mapping[str, int]) -> bool:
    """Are the results of two blocks equal for all sizes that meet the facts? False says nothing."""
    known = Known(lower, facts)
    for a, b in zip(left.result.axes, right.result.axes, strict=True):
        if a != b and not known.implies_zero(Affine.of(a - b)):
            return False
    return _decided(left, right, known, unroll=False) or _decided(left, right, known, unroll=True)


def _decided(left: Block, right: Block, known: Known, unroll: bool) -> bool:
    """With `unroll`, short ranges are written out, those of left indices too."""
    axes = {name: t.axes for block in (left, right) for name, t in block.inputs.items()}
    letters = [Letter.fresh("i") for _ in left.result.axes]
    ranges = [form for l, axis in zip(letters, left.result.axes, strict=True) for form in inside(Affine.of(l), axis)]
    known = known.extended(ranges)
    short = {l: range(a.value) for l, a in zip(letters, left.result.axes, strict=True) if unroll and is_short(a)}
    try:
        difference = minus(Expander(left, unroll).result(letters), Expander(right, unroll).result(letters))
        for values in product_of(*short.values()):
            put = dict(zip(short, map(Affine.of, values), strict=True))
            if not Decision(axes).is_zero(rebuilt(tuple(s.put(put) for s in difference), lambda _: None), known):
                return False
    except UnknownFormError:
        return False
    return True
