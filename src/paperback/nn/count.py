"""Counting: what a formula costs, and how small a batch may be.

flops(block)          one for every +, -, *, /, power, comparison or function, over the box of every statement and of
                      every reduction in it, as the formula is written: a multiply-add is 2. A convolution with bias
                      counts (2*P*Q*R + 1) per output. Signs, indices, guards and rounding cost nothing.
least_batch(...)      the smallest batch for which no statement divides by a size that is zero: M/(M - 1) needs M > 1
"""

from __future__ import annotations

__all__ = ["flops", "least_batch"]

from collections.abc import Iterable
from math import prod

from paperback.errors import ModelError
from paperback.notation.block import Block
from paperback.notation.expr import Add, Binder, Call, Index, Mul, Node, Pow, Reduce, Statement, as_affine, const
from paperback.notation.size import evaluate
from paperback.notation.walk import children, nodes

_LARGEST = 64
_MINUS = const(-1)


def flops(block: Block, batch: str = "N") -> int:
    """Arithmetic operations of the formulas for one example."""
    one = {batch: 1}
    return sum(_box(s.binders, one) * _operations(s.expr, one) for s in block.statements)


def _box(binders: Iterable[Binder], sizes: dict[str, int]) -> int:
    return prod(evaluate(binder.extent, sizes) for binder in binders)


def _operations(node: Node, sizes: dict[str, int]) -> int:
    below = sum(_operations(child, sizes) for child in children(node))
    match node:
        case Add():
            return below + len(node.terms) - 1
        case Mul():
            return below + len(node.factors) - 1 - (node.factors[0] == _MINUS)  # a - b is one operation, not a + (-1)*b
        case Pow():  # a reciprocal is the division by which it came, already counted as a factor
            return below + (0 if node.exponent == -1 else 1)
        case Call():
            return below + 1
        case Reduce():
            own = 2 if node.op == "logsumexp" else 1  # exp and +
            return _box(node.binders, sizes) * (below + own)
        case Index():
            return 0
    return below


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
