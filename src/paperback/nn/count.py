"""Counting: what a formula costs, and how small a batch may be.

flops(block)          arithmetic operations of every statement; see `notation.count`
least_batch(...)      the smallest batch for which no statement divides by a size that is zero: M/(M - 1) needs M > 1
"""

from __future__ import annotations

__all__ = ["flops", "least_batch"]

from collections.abc import Iterable

from paperback.errors import ModelError
from paperback.notation.block import Block
from paperback.notation.count import operations
from paperback.notation.expr import Pow, Statement, as_affine
from paperback.notation.size import evaluate
from paperback.notation.walk import nodes

_LARGEST = 64


def flops(block: Block, batch: str = "N") -> int:
    """Arithmetic operations of the formulas for one example."""
    one = {batch: 1}
    return int(sum(operations(statement, lambda size: evaluate(size, one)) for statement in block.statements))


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
