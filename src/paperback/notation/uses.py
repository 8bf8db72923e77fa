"""Uses: every index of every read of a statement, with the guards that hold where it is read.

    y[i] = sum(p | p < 3) x[i+p] * w[p]     ->     (x, axis 0, i+p, [3-1-p >= 0]),  (w, axis 0, p, [...])

A bracket guards all factors of its product; the guards of a reducer its body; both the guards to their right.
"""

from __future__ import annotations

__all__ = ["Use", "binders_of", "sizes_in", "uses_of"]

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

from paperback.notation.expr import (
    Affine,
    AffineGuard,
    Binder,
    Bracket,
    Compare,
    Divides,
    Guard,
    Index,
    IndexExpr,
    Letter,
    Mul,
    Node,
    Quotient,
    Read,
    Reduce,
    Size,
    Statement,
)
from paperback.notation.walk import children, nodes

Guards = tuple[Guard, ...]


@dataclass(frozen=True)
class Use:
    """Index number `axis` of a read, under `guards`, in statement number `place`."""

    place: int
    read: Read
    axis: int
    guards: Guards

    @cached_property
    def index(self) -> IndexExpr:
        return self.read.indices[self.axis]

    @cached_property
    def bare(self) -> Letter | None:
        return self.index.bare if isinstance(self.index, Affine) else None

    @property
    def padded(self) -> bool:
        """Does it give a value out of range? (Pads hold for the indices that are not bare.)"""
        return self.read.pad is not None and self.bare is None

    @cached_property
    def guarded(self) -> bool:
        """Does an index guard restrict it, so that it says nothing about extents?

        A bare index is restricted by an upper bound of its own only: in `[m <= q] * s[q,m]` m runs over all of s.
        So is a reversed one, which `infer` asks for by `limited`.
        """
        if not isinstance(self.index, Affine):
            return False
        if self.bare is not None:
            return self.limited
        letters = set(self.index.letters)
        return any(not isinstance(g, Compare) and not letters.isdisjoint(g.affine.letters) for g in self.guards)

    @cached_property
    def limited(self) -> bool:
        """Has its only letter (bare, or reversed: `w[P-1-p]`) an upper bound of its own among the guards?"""
        if not isinstance(self.index, Affine) or len(self.index.letters) != 1:
            return False
        return any(_bounds(guard, self.index.letters[0]) for guard in self.guards)


def _bounds(guard: Guard, letter: Letter) -> bool:
    """Is it an upper bound of this letter alone?"""
    if not isinstance(guard, AffineGuard) or guard.affine.letters != (letter,):
        return False
    slope = guard.affine.coefficient(letter)
    return guard.relation == "==" or (guard.relation == ">=" and (-slope).is_nonnegative())


def uses_of(statement: Statement, place: int = 0) -> tuple[Use, ...]:
    """The uses of a statement, without repetition, in reading order."""
    return tuple(dict.fromkeys(_walk(statement.expr, (), place)))


def _walk(node: Node, guards: Guards, place: int) -> Iterator[Use]:
    match node:
        case Read():
            for axis, index in enumerate(node.indices):
                yield Use(place, node, axis, guards)
                if isinstance(index, Read):
                    yield from _walk(index, guards, place)
        case Mul():
            inside = guards + tuple(g for f in node.factors if isinstance(f, Bracket) for g in f.guards)
            passed = guards
            for factor in node.factors:
                if isinstance(factor, Bracket):
                    yield from _walk(factor, passed, place)
                    passed = passed + factor.guards
                else:
                    yield from _walk(factor, inside, place)
        case Bracket():
            yield from _conditions(node.guards, guards, place)
        case Reduce():
            yield from _conditions(node.guards, guards, place)
            yield from _walk(node.body, guards + node.guards, place)
        case _:
            for child in children(node):
                yield from _walk(child, guards, place)


def _conditions(own: Guards, outer: Guards, place: int) -> Iterator[Use]:
    for number, guard in enumerate(own):
        if isinstance(guard, Compare):
            for side in (guard.left, guard.right):
                yield from _walk(side, outer + own[:number], place)


def binders_of(statement: Statement) -> Iterator[Binder]:
    """Every binder of a statement: the left letters, then those of its reducers, outside first."""
    yield from statement.binders
    for node in nodes(statement.expr):
        if isinstance(node, Reduce):
            yield from node.binders


def sizes_in(node: Node) -> Iterator[Size]:
    """The sizes in a node itself: slopes, constants, moduli, divisors; not those of its children, nor extents."""
    forms: list[Affine] = []
    if isinstance(node, Index):
        forms.append(node.affine)
    elif isinstance(node, Read):
        forms += [index for index in node.indices if isinstance(index, Affine)]
        for index in node.indices:
            if isinstance(index, Quotient):
                forms.append(index.affine)
                yield index.divisor
    elif isinstance(node, Reduce | Bracket):
        for guard in node.guards:
            if not isinstance(guard, Compare):
                forms.append(guard.affine)
            if isinstance(guard, Divides):
                yield guard.modulus
    for form in forms:
        yield form.const
        yield from (slope for _, slope in form)
