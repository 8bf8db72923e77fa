"""Guards: which are implied by the ranges of the letters, and which can never hold.

An affine form over a box, `0 <= l < E_l`, is least where every letter with a non-negative coefficient is 0 and every
other one is at its end:

    min a = c + sum(k_l < 0) k_l*(E_l - 1)        max a = -min(-a)

All of it is decided on polynomials in sizes >= 1 (see `size`), so a guard is dropped only when it holds for all sizes,
and a term only when it vanishes for all sizes. "Not decided" keeps the guard, which is never wrong.
"""

from __future__ import annotations

__all__ = ["Box", "simplify"]

from collections.abc import Iterable, Mapping
from math import gcd

from paperback.calculus.term import Term
from paperback.notation.affine import Affine
from paperback.notation.expr import (
    AffineGuard,
    Binder,
    Bracket,
    Call,
    Divides,
    Guard,
    IndexExpr,
    Node,
    Pow,
    Quotient,
    Read,
    Reduce,
    bracket,
)
from paperback.notation.size import Size, bounds_from_extents
from paperback.notation.walk import children, map_children


class Box:
    """The ranges of letters, with what is known of the sizes and of the axes of tensors."""

    def __init__(
        self,
        binders: Iterable[Binder] = (),
        lower: Mapping[str, int] | None = None,
        axes: Mapping[str, tuple[Size, ...]] | None = None,
    ) -> None:
        self.extents = {b.letter: b.extent for b in binders}
        self.lower = bounds_from_extents(self.extents.values(), lower)
        self.axes = axes or {}

    def with_binders(self, binders: Iterable[Binder]) -> Box:
        box = Box((), self.lower, self.axes)
        box.extents = {**self.extents, **{b.letter: b.extent for b in binders}}
        box.lower = bounds_from_extents(box.extents.values(), self.lower)
        return box

    def least(self, affine: Affine) -> Size | None:
        """A lower bound of the form over the box, or None where a sign or a range is not known."""
        total = affine.const
        for letter, coefficient in affine:
            if coefficient.is_nonnegative(self.lower):
                continue
            extent = self.extents.get(letter)
            if extent is None or not (-coefficient).is_nonnegative(self.lower):
                return None
            total = total + coefficient * (extent - 1)
        return total

    def is_nonnegative(self, affine: Affine) -> bool:
        """Proved >= 0 everywhere in the box?"""
        least = self.least(affine)
        return least is not None and least.is_nonnegative(self.lower)

    def is_in_range(self, affine: Affine, extent: Size) -> bool:
        """Proved 0 <= affine < extent everywhere in the box?"""
        bare = affine.bare
        if bare is not None and self.extents.get(bare) == extent:
            return True
        return self.is_nonnegative(affine) and self.is_nonnegative(Affine.of(extent - 1) - affine)

    def is_total(self, node: Node) -> bool:
        """Does the expression have a finite value everywhere in the box, with no guard to protect it?

        What is total may leave a product whose brackets stay behind: 0 wins over it just the same. A division, a
        logarithm, an exponential (which overflows), a gather and a read that may be out of range are not total.
        """
        match node:
            case Read():
                return node.pad is not None or self._reads_inside(node)
            case Pow():
                return node.exponent.denominator == 1 and node.exponent > 0 and self.is_total(node.base)
            case Call():
                return node.function in _BOUNDED and all(map(self.is_total, node.arguments))
            case Reduce():
                return not node.guards and self.with_binders(node.binders).is_total(node.body)
        return all(map(self.is_total, children(node)))

    def reads_whole(self, read: Read) -> bool:
        """Is every index a letter that runs over exactly its axis?"""
        axes = self.axes.get(read.tensor, ())
        letters = [index.bare for index in read.indices if isinstance(index, Affine)]
        if len(letters) != len(axes) or len(letters) != len(read.indices):
            return False
        return all(l is not None and self.extents.get(l) == axis for l, axis in zip(letters, axes, strict=True))

    def _reads_inside(self, read: Read) -> bool:
        axes = self.axes.get(read.tensor, ())
        if len(axes) != len(read.indices):
            return False
        pairs = zip(read.indices, axes, strict=True)
        return all(isinstance(index, Affine) and self.is_in_range(index, axis) for index, axis in pairs)

    def implies(self, guard: Guard) -> bool:
        """Does the guard hold everywhere in the box?"""
        if isinstance(guard, AffineGuard):
            if guard.relation == ">=":
                return self.is_nonnegative(guard.affine)
            if guard.relation == "==":
                return not guard.affine.terms and not guard.affine.const
            return self.is_nonnegative(guard.affine - 1) or self.is_nonnegative(-guard.affine - 1)
        if isinstance(guard, Divides):
            return guard.modulus == Size.of(1) or _is_multiple(guard.affine, guard.modulus)
        return False

    def excludes(self, guard: Guard) -> bool:
        """Does the guard hold nowhere in the box?"""
        if isinstance(guard, AffineGuard):
            if guard.relation == ">=":
                return self.is_nonnegative(-guard.affine - 1)
            if guard.relation == "==":
                return self.is_nonnegative(guard.affine - 1) or self.is_nonnegative(-guard.affine - 1)
            return not guard.affine.terms and not guard.affine.const
        if isinstance(guard, Divides) and guard.modulus.is_int:
            modulus = guard.modulus.value
            return any(modulus % d == 0 and _never_multiple(guard.affine, d) for d in range(2, modulus + 1))
        return False


def _is_multiple(affine: Affine, modulus: Size) -> bool:
    if modulus.is_int and modulus.value:
        return all(c.divided_by(modulus.value) is not None for c in (affine.const, *(c for _, c in affine)))
    return all(c == modulus or not c for c in (affine.const, *(c for _, c in affine)))


def _never_multiple(affine: Affine, d: int) -> bool:
    """All letters come in multiples of d and the constant does not."""
    return affine.const.is_int and affine.const.value % d != 0 and all(c.divided_by(d) is not None for _, c in affine)


_BOUNDED = frozenset("sin cos tanh sigmoid softplus relu abs sign step erf max min".split())
"""Functions that are finite wherever their arguments are."""


def _whole(node: Node) -> Node:
    """Quotient indices that divide out are affine, `(2*t)/2` is t, and so are the guards that are read with them."""
    node = map_children(node, _whole)
    if isinstance(node, Bracket):
        return bracket(*dict.fromkeys(_reduced(guard) for guard in node.guards))
    if isinstance(node, Read) and any(isinstance(index, Quotient) for index in node.indices):
        return Read(node.tensor, tuple(_divided(index) for index in node.indices), node.pad)
    return node


def _divided(index: IndexExpr) -> IndexExpr:
    if not isinstance(index, Quotient) or not _is_multiple(index.affine, index.divisor):
        return index

    def over(size: Size) -> Size:
        whole = size.divided_by(index.divisor.value) if index.divisor.is_int else None
        return whole if whole is not None else Size.of(1) if size else Size()

    return Affine(tuple((letter, over(c)) for letter, c in index.affine), over(index.affine.const))


def _reduced(guard: Guard) -> Guard:
    """`2*t >= 2` is `t >= 1`: integers, so the constant is rounded down after the common divisor is taken out."""
    if not isinstance(guard, AffineGuard) or guard.relation != ">=" or not guard.affine.terms:
        return guard
    rest = guard.affine.const - guard.affine.const.constant
    divisor = gcd(*(n for _, c in guard.affine for _, n in c.terms), *(n for _, n in rest.terms))
    if divisor == 1:
        return guard
    parts = [(letter, c.divided_by(divisor) or c) for letter, c in guard.affine]
    whole = rest.divided_by(divisor) or Size()
    return AffineGuard(">=", Affine(tuple(parts), whole + guard.affine.const.constant // divisor))


def simplify(term: Term, box: Box) -> Term | None:
    """The term without the guards that its box implies; None where a guard can never hold."""
    inside = box.with_binders(term.binders)
    if any(inside.excludes(guard) for guard in term.guards):
        return None
    guards = tuple(dict.fromkeys(_reduced(g) for g in term.guards if not inside.implies(g)))
    return Term(term.binders, guards, tuple(_whole(factor) for factor in term.factors))
