"""Counting: what a formula costs, and how small a batch may be.

flops(block)          one for every +, -, *, /, power, comparison or function, over the box of every statement and of
                      every reduction in it, as the formula is written: a multiply-add is 2. A convolution with bias
                      counts (2*P*Q*R + 1) per output. Signs, indices, guards and rounding cost nothing; nor does a
                      product, or an element of a reduction, whose guards are false: a transposed convolution counts 2
                      per element of x, tap and filter
least_batch(...)      the smallest batch for which no statement divides by a size that is zero: M/(M - 1) needs M > 1
"""

from __future__ import annotations

__all__ = ["flops", "least_batch"]

from collections.abc import Iterable, Mapping
from fractions import Fraction
from math import prod

import numpy as np

from paperback.errors import ModelError
from paperback.notation.block import Block
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
    as_affine,
    const,
)
from paperback.notation.size import evaluate
from paperback.notation.walk import children, nodes

_LARGEST = 64
_LARGEST_GRID = 1 << 22  # guards over more combinations are taken to hold
_MINUS = const(-1)

Extents = Mapping[Letter, int]  # of the letters in scope


def flops(block: Block, batch: str = "N") -> int:
    """Arithmetic operations of the formulas for one example."""
    one = {batch: 1}
    total = Fraction(0)
    for statement in block.statements:
        extents = _extents(statement.binders, one)
        total += prod(extents.values()) * _operations(statement.expr, extents, one)
    return int(total)


def _extents(binders: Iterable[Binder], sizes: dict[str, int]) -> dict[Letter, int]:
    return {binder.letter: evaluate(binder.extent, sizes) for binder in binders}


def _operations(node: Node, extents: Extents, sizes: dict[str, int]) -> Fraction:
    """Operations for one value of the letters in scope, the mean over all of them."""
    if isinstance(node, Reduce):
        own = _extents(node.binders, sizes)
        inner = {**extents, **own}
        each = (2 if node.op == "logsumexp" else 1) + _unguarded(node.body, inner, sizes)  # exp and +
        return prod(own.values()) * _share((*node.guards, *_guards(node.body)), inner, sizes) * each
    return _share(_guards(node), extents, sizes) * _unguarded(node, extents, sizes)


def _unguarded(node: Node, extents: Extents, sizes: dict[str, int]) -> Fraction:
    """As `_operations`, where the node's own brackets are true."""
    if isinstance(node, Reduce):
        return _operations(node, extents, sizes)
    below = sum((_operations(child, extents, sizes) for child in children(node)), Fraction(0))
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


def _share(guards: Iterable[Guard], extents: Extents, sizes: dict[str, int]) -> Fraction:
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
                holds &= _holds(guard, values, sizes)
            share *= Fraction(int(holds.sum()), holds.size)
    return share


def _holds(guard: AffineGuard | Divides, values: Mapping[Letter, np.ndarray], sizes: dict[str, int]) -> np.ndarray:
    terms = (evaluate(factor, sizes) * values[letter] for letter, factor in guard.affine)
    value = sum(terms, np.array(evaluate(guard.affine.const, sizes)))
    if isinstance(guard, Divides):
        return np.asarray(value % evaluate(guard.modulus, sizes) == 0)
    return np.asarray({">=": value >= 0, "==": value == 0, "!=": value != 0}[guard.relation])


def least_batch(statements: Iterable[Statement], batch: str = "N") -> int:
    """The smallest batch from which on every size that is divided by is positive."""
    bases = [
        as_affine(node.base)
        for statement in statements
        for node in nodes(statement.expr)
        if isinstance(node, Pow) and node.exponent < 0
    ]
    divisors = [base.const for base in bases if base is not None and base.is_size]
    for least in range(1, _LARGEST + 1):
        if all((size - 1).is_nonnegative({batch: least}) for size in divisors):
            return least
    raise ModelError(f"a formula divides by {', '.join(map(str, divisors))}, which is zero for some batch")
