"""Sums whose terms say where they go: `out[v, d] = sum(n) [t[n] == v] * g[n, d]`, the gradient of a gather.

As written every v is compared with every t[n]. Done the other way round every g[n, d] is added once, to row t[n], in
the order of n: the same terms in the same order, and rows that no t[n] means stay 0.
"""

from __future__ import annotations

__all__ = ["Address", "find_address"]

from collections.abc import Container
from dataclasses import dataclass

from paperback.notation.affine import Affine, Letter
from paperback.notation.expr import Bracket, Compare, Index, Mul, Node, Read, Reduce, bracket, mul
from paperback.notation.walk import free_letters


@dataclass(frozen=True)
class Address:
    """The letter that the codes choose, the codes, and what is added there."""

    place: Letter
    codes: Read
    body: Node


def find_address(node: Node, integers: Container[str]) -> Address | None:
    """A guard `[t[n] == v]` of a sum over n, where v is free and occurs nowhere else in the sum."""
    if not isinstance(node, Reduce) or node.op != "sum":
        return None
    bound = {b.letter for b in node.binders}
    factors = node.body.factors if isinstance(node.body, Mul) else (node.body,)
    brackets = [f for f in factors if isinstance(f, Bracket)]
    guards = (*node.guards, *(g for f in brackets for g in f.guards))
    for guard in guards:
        if not isinstance(guard, Compare) or guard.relation != "==":
            continue
        for codes, other in ((guard.left, guard.right), (guard.right, guard.left)):
            place = other.affine.bare if isinstance(other, Index) else None
            if place is None or place in bound or not isinstance(codes, Read) or codes.tensor not in integers:
                continue
            body = mul(bracket(*(g for g in guards if g is not guard)), *(f for f in factors if f not in brackets))
            bare = codes.pad is None and all(isinstance(i, Affine) for i in codes.indices)
            if bare and bound.issuperset(free_letters(codes)) and place not in free_letters(body):
                return Address(place, codes, body)
    return None
