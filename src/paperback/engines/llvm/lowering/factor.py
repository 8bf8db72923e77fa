"""Sums of products brought to products of two tensors, which contractions compute.

    sum(k) c*a[i,k]*b[k,j]                =  c * sum(k) a[i,k]*b[k,j]
    sum(k) exp(s[i,k])*v[k,j]             =  sum(k) P[i,k]*v[k,j]         P = exp(s), computed once and not for every j
    sum(k,d) p[i,k]*a[k,d]*b[i,d]         =  sum(k) p[i,k]*D[i,k]         D = sum(d) a*b

Attention and its gradients are such sums. What is left of range guards stays with the outer sum.
"""

from __future__ import annotations

__all__ = ["factored"]

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from math import prod

from paperback.engines.llvm.lowering.arrange import guards_of
from paperback.notation.affine import Affine, Letter
from paperback.notation.expr import AffineGuard, Guard, Node, Read, Reduce, Statement, mul
from paperback.notation.walk import free_letters, guard_letters, map_children, nodes

_LEAST_USES = 8  # of a factor that is worth a tensor
_MOST_ENTRIES = 1 << 22

Make = Callable[[Node, Sequence[Letter]], Read | None]
"""The read of a tensor that holds a value for all values of some letters; None where it cannot be had."""


def factored(statement: Statement, extents: Mapping[Letter, int], per_example: int, make: Make) -> Statement:
    """The statement with all sums brought to products of two reads where that can be; `per_example`: see `lower`."""

    several = sum(isinstance(n, Reduce) for n in nodes(statement.expr)) > 1  # a contraction is alone in its statement

    def image(node: Node) -> Node:
        node = map_children(node, image)
        return _product(node, tuple(statement.letters)) if isinstance(node, Reduce) and node.op == "sum" else node

    def entries(letters: Sequence[Letter]) -> int:
        return prod(extents[l] for l in letters if extents[l] != per_example)

    def tensor(value: Node, order: Sequence[Letter]) -> Read | None:
        free = free_letters(value)
        letters = sorted(free, key=lambda l: (extents[l] != per_example, order.index(l)))
        return make(value, letters) if entries(letters) <= _MOST_ENTRIES else None

    def _product(node: Reduce, outside: tuple[Letter, ...]) -> Node:
        more, factors = guards_of(node.body)
        guards = (*node.guards, *more)
        bound = {b.letter for b in node.binders}
        outer = [f for f in factors if bound.isdisjoint(free_letters(f))]
        inner = [f for f in factors if f not in outer]
        constant = all(not isinstance(n, Read) for f in outer for n in nodes(f))
        if not all(isinstance(g, AffineGuard) for g in guards) or (guards and not constant):
            return node
        if len(inner) + len(outer) < 2 or (not outer and not more and all(map(_is_plain, inner)) and len(inner) == 2):
            return node
        order = (*outside, *(l for l in extents if l not in outside))
        binders = node.binders
        if len(inner) == 3:
            found = _pair(node, inner, guards)
            if found is None:
                return node
            pair, rest, letters = found
            part: Node = Reduce("sum", tuple(b for b in binders if b.letter in letters), (), mul(*pair))
            read = tensor(part, order)
            if read is None:
                return node
            binders = tuple(b for b in binders if b.letter not in letters)
            inner = [rest, read]
        elif len(inner) == 2:
            every = {*outside, *bound, *(l for f in factors for l in free_letters(f))}
            for k, factor in enumerate(inner):
                uses = entries([l for l in every if l not in free_letters(factor)])
                read = None if _is_plain(factor) or uses < _LEAST_USES else tensor(factor, order)
                inner[k] = factor if read is None else read
            if not all(map(_is_plain, inner)):
                return node
        else:
            return node
        product: Node = Reduce("sum", binders, guards, mul(*inner))
        held = tensor(product, order) if several and not constant else None
        return mul(*outer, product if held is None else held)

    return replace(statement, expr=image(statement.expr))


def _is_plain(node: Node) -> bool:
    return isinstance(node, Read) and node.pad is None and all(isinstance(i, Affine) for i in node.indices)


def _pair(
    node: Reduce, factors: Sequence[Node], guards: Sequence[Guard]
) -> tuple[tuple[Node, Node], Node, set[Letter]] | None:
    """Two of three factors that share letters of the sum which nothing else has; the third; those letters."""
    for k, rest in enumerate(factors):
        pair = (factors[k - 2], factors[k - 1])
        others = {*free_letters(rest), *(l for g in guards for l in guard_letters(g))}
        letters = {b.letter for b in node.binders} - others
        shared = letters and all(letters <= set(free_letters(f)) for f in pair)
        if shared and len(letters) < len(node.binders) and all(map(_is_plain, pair)):
            return pair, rest, letters
    return None
