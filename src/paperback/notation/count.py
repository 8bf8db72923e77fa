"""Counting what a statement costs.

One for every +, -, *, /, power, comparison or function, over the box of the statement and of every reduction in it, as
the formula is written: a multiply-add is 2. A convolution with bias counts (2*P*Q*R + 1) per output. Signs, indices,
guards and rounding cost nothing; nor does a product, or an element of a reduction, whose guards are false: a transposed
convolution counts 2 per element of x, tap and filter.
"""

from __future__ import annotations

__all__ = ["Number", "operations"]

from collections.abc import Callable, Iterable, Mapping
from fractions import Fraction
from math import prod

import numpy as np

from paperback.notation.expr import (
    Add,
    AffineGuard,
    Binder,
    Bracket,
    Call,
    Divides,
    Guard,
    Index,
    Letter,
    Mul,
    Node,
    Pow,
    Reduce,
    Statement,
    const,
)
from paperback.notation.size import Size
from paperback.notation.walk import children

_LARGEST_GRID = 1 << 22  # guards over more combinations are taken to hold
_MINUS = const(-1)

Extents = Mapping[Letter, int]  # of the letters in scope
Number = Callable[[Size], int]


def operations(statement: Statement, number: Number, guards: Iterable[Guard] = ()) -> Fraction:
    """Arithmetic operations of a statement, whose sizes `number` knows, where these guards of its letters hold."""
    extents = _extents(statement.binders, number)
    points = prod(extents.values()) * _share(guards, extents, number)
    return points * _operations(statement.expr, extents, number)


def _extents(binders: Iterable[Binder], number: Number) -> dict[Letter, int]:
    return {binder.letter: number(binder.extent) for binder in binders}


def _operations(node: Node, extents: Extents, number: Number) -> Fraction:
    """Operations for one value of the letters in scope, the mean over all of them."""
    if isinstance(node, Reduce):
        own = _extents(node.binders, number)
        inner = {**extents, **own}
        each = (2 if node.op == "logsumexp" else 1) + _unguarded(node.body, inner, number)  # exp and +
        return prod(own.values()) * _share((*node.guards, *_guards(node.body)), inner, number) * each
    return _share(_guards(node), extents, number) * _unguarded(node, extents, number)


def _unguarded(node: Node, extents: Extents, number: Number) -> Fraction:
    """As `_operations`, where the node's own brackets are true."""
    if isinstance(node, Reduce):
        return _operations(node, extents, number)
    below = sum((_operations(child, extents, number) for child in children(node)), Fraction(0))
    match node:
        case Add():
            return below + len(node.terms) - 1
        case Mul():  # a - b is one operation, not a + (-1)*b
            factors = [f for f in node.factors if not isinstance(f, Bracket) and f != _MINUS]
            return below + max(len(factors) - 1, 0)
        case Pow():  # a reciprocal is the division by which it came, already counted as a factor
            return below + (0 if node.exponent == -1 else 1)
        case Call():
            return below + 1
        case Index():
            return Fraction(0)
    return below


def _guards(node: Node) -> tuple[Guard, ...]:
    """What must hold for a product not to be 0."""
    factors = node.factors if isinstance(node, Mul) else (node,)
    return tuple(guard for factor in factors if isinstance(factor, Bracket) for guard in factor.guards)


def _share(guards: Iterable[Guard], extents: Extents, number: Number) -> Fraction:
    """For which share of the letters' values the guards hold; comparisons of data are taken to hold.

    Guards without a letter in common are independent of each other: [t == i+p]*[u == j+q] is two small tables.
    """
    tables: list[tuple[set[Letter], list[AffineGuard | Divides]]] = []
    for guard in guards:
        if not isinstance(guard, AffineGuard | Divides):
            continue
        letters, together = set(guard.affine.letters), [guard]
        for table in [table for table in tables if table[0] & letters]:
            tables.remove(table)
            letters, together = letters | table[0], [*table[1], *together]
        tables.append((letters, together))
    share = Fraction(1)
    for letters, together in tables:
        shape = [extents[letter] for letter in letters]
        if prod(shape) <= _LARGEST_GRID:
            values = dict(zip(letters, np.indices(shape, sparse=True), strict=True))
            holds = np.ones(shape, dtype=bool)
            for guard in together:
                holds &= _holds(guard, values, number)
            share *= Fraction(int(holds.sum()), holds.size)
    return share


def _holds(guard: AffineGuard | Divides, values: Mapping[Letter, np.ndarray], number: Number) -> np.ndarray:
    terms = (number(factor) * values[letter] for letter, factor in guard.affine)
    value = sum(terms, np.array(number(guard.affine.const)))
    if isinstance(guard, Divides):
        return np.asarray(value % number(guard.modulus) == 0)
    return np.asarray({">=": value >= 0, "==": value == 0, "!=": value != 0}[guard.relation])
