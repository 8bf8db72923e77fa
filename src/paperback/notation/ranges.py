"""Range proofs: is an affine form >= 0 wherever its guards hold, for all sizes?

    e >= 0  follows from the box where its least value is >= 0,
            from a guard g >= 0 where e - k*g >= 0 follows for some k >= 0,
            from a guard g == 0 where e - k*g >= 0 follows for any k.

k is chosen so that a letter cancels; at most three guards are used. Sufficient, and never wrong.
"""

from __future__ import annotations

__all__ = ["least_values", "normal", "proved", "smaller"]

from collections.abc import Callable, Iterator, Mapping, Sequence
from math import gcd

from paperback.notation.expr import Affine, AffineGuard, Guard, Letter, Size
from paperback.notation.infer import greatest
from paperback.notation.size import Rounded

_DEPTH = 3
Extents = Callable[[Letter], Size | None]


def proved(
    affine: Affine, extents: Extents, guards: Sequence[Guard], lower: Mapping[str, int], depth: int = _DEPTH
) -> bool:
    """Is `affine >= 0` at every point of the box where the guards hold?"""
    least = greatest(affine, extents, lower, sign=-1)
    if least is not None and least.is_nonnegative(lower):
        return True
    if not depth:
        return False
    for number, guard in enumerate(guards):
        if not isinstance(guard, AffineGuard) or guard.relation == "!=":
            continue
        rest = [*guards[:number], *guards[number + 1 :]]
        for factor in _factors(affine, guard.affine):
            usable = guard.relation == "==" or factor.is_nonnegative(lower)
            if usable and proved(affine - guard.affine * factor, extents, rest, lower, depth - 1):
                return True
    return False


def least_values(
    affine: Affine, extents: Extents, guards: Sequence[Guard], lower: Mapping[str, int], depth: int = _DEPTH
) -> Iterator[Size]:
    """Sizes that the form is never less than where the guards hold; those that need no guard first."""
    least = greatest(affine, extents, lower, sign=-1)
    if least is not None:
        yield least
    for number, guard in enumerate(guards if depth else ()):
        if not isinstance(guard, AffineGuard) or guard.relation == "!=":
            continue
        rest = [*guards[:number], *guards[number + 1 :]]
        for factor in _factors(affine, guard.affine):
            if guard.relation == "==" or factor.is_nonnegative(lower):
                yield from least_values(affine - guard.affine * factor, extents, rest, lower, depth - 1)


def _factors(affine: Affine, guard: Affine) -> list[Size]:
    """Multiples of the guard that cancel a letter of the form."""
    found: list[Size] = []
    for letter, slope in guard:
        own = affine.coefficient(letter)
        if own and slope == own:
            found.append(Size.of(1))
        elif own and slope == -own:
            found.append(Size.of(-1))
        elif own and slope in (Size.of(1), Size.of(-1)):
            found.append(own * slope.value)
        elif own.is_int and slope.is_int and own and own.value % slope.value == 0:
            found.append(Size.of(own.value // slope.value))
    return list(dict.fromkeys(found))


def normal(size: Size) -> Size:
    """A size that is >= 0 exactly where this one is, for d >= 1: common factors go, and so does one rounding.

    floor(n/d) + c >= 0   where   n + c*d >= 0             c - floor(n/d) >= 0   where   (c+1)*d - n - 1 >= 0
    ceil(n/d) + c >= 0    where   n + (c+1)*d - 1 >= 0     c - ceil(n/d) >= 0    where   c*d - n >= 0
    """
    while True:
        slopes = [c for monomial, c in size.terms if monomial]
        common = gcd(*slopes) if slopes else 1
        rest = Size(tuple((monomial, c // common) for monomial, c in size.terms if monomial))
        constant = size.constant // common
        if len(rest.terms) != 1:
            return rest + constant
        ((monomial, slope),) = rest.terms
        atom = monomial[0]
        if len(monomial) != 1 or not isinstance(atom, Rounded):
            return rest + constant
        strict = (slope == 1) == (atom.kind == "ceil")  # the rounding goes the way that makes one more place fit
        size = atom.numerator * slope + atom.denominator * (constant + strict) - strict


def smaller(a: Size, b: Size) -> Size:
    """The smaller of two sizes where that can be told, else the first: floor(n/d) grows with n."""
    (high, d), (low, e) = _over(a), _over(b)
    return b if (high * e - low * d).is_nonnegative() else a


def _over(size: Size) -> tuple[Size, int]:
    """`floor(n/d) + c` as n + c*d over d, any other size over 1."""
    for monomial, slope in size.terms:
        if len(monomial) == 1 and isinstance(atom := monomial[0], Rounded) and atom.kind == "floor":
            rest = size - Size(((monomial, 1),))
            if slope == 1 and atom.denominator.is_int and rest.is_int:
                return atom.numerator + rest * atom.denominator, atom.denominator.value
    return size, 1
