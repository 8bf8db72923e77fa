"""How likely a false polynomial identity is to survive random numbers: at most its degree over how many there are.

    P(p(r) = 0) <= deg p / |S|        for a polynomial p that is not 0 and r drawn from S  (Schwartz and Zippel)

For quotients p is the difference after both are brought to one denominator. Only sums, products and whole powers have
a degree; max, relu, comparisons and all other functions have none, and are never verified in this way.
"""

from __future__ import annotations

__all__ = ["SAMPLES", "degree_of"]

from collections.abc import Mapping

from paperback.notation.block import Block
from paperback.notation.expr import Add, Bracket, Compare, Const, Index, Mul, Node, Pow, Read, Reduce, Scalar
from paperback.notation.size import evaluate

SAMPLES = 2**61 - 1  # whole numbers to draw from
Degrees = tuple[int, int]  # of numerator and denominator


def degree_of(left: Block, right: Block, sizes: Mapping[str, int]) -> int | None:
    """A bound of the degree of `left - right` over one denominator at these sizes; None where a side has none."""
    sides = [_Degree(block, sizes).result() for block in (left, right)]
    if sides[0] is None or sides[1] is None:
        return None
    (a, b), (c, d) = sides[0], sides[1]
    return max(a + d, c + b)


class _Degree:
    def __init__(self, block: Block, sizes: Mapping[str, int]) -> None:
        self.block, self.sizes = block, sizes
        self.known: dict[str, Degrees | None] = {}

    def result(self) -> Degrees | None:
        for statement in self.block.statements:
            self.known[statement.target] = self.of(statement.expr)
        return self.known[self.block.result.target]

    def of(self, node: Node) -> Degrees | None:
        match node:
            case Const() | Index():
                return 0, 0
            case Scalar():
                return None if node.name == "pi" else (1, 0)
            case Read():
                plain = not any(isinstance(index, Read) for index in node.indices)
                return self.known.get(node.tensor, (1, 0)) if plain else None
            case Bracket():
                return None if any(isinstance(g, Compare) for g in node.guards) else (0, 0)
            case Add():
                return _added([self.of(term) for term in node.terms])
            case Mul():
                return _multiplied([self.of(factor) for factor in node.factors])
            case Pow() if node.exponent.denominator == 1:
                base, n = self.of(node.base), int(node.exponent)
                if base is None:
                    return None
                return (base[0] * n, base[1] * n) if n >= 0 else (base[1] * -n, base[0] * -n)
            case Reduce() if node.op == "sum" and not any(isinstance(g, Compare) for g in node.guards):
                count = 1
                for binder in node.binders:
                    count *= max(1, evaluate(binder.extent, self.sizes))
                body = self.of(node.body)
                return None if body is None else _added([body] * (count if body[1] else 1))
        return None


def _added(parts: list[Degrees | None]) -> Degrees | None:
    """Over the product of all denominators."""
    known = [part for part in parts if part is not None]
    if len(known) < len(parts):
        return None
    below = sum(d for _, d in known)
    return max(n - d + below for n, d in known), below


def _multiplied(parts: list[Degrees | None]) -> Degrees | None:
    known = [part for part in parts if part is not None]
    return None if len(known) < len(parts) else (sum(n for n, _ in known), sum(d for _, d in known))
