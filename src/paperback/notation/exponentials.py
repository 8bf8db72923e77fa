"""Sums of exponentials: what is written as a quotient or a logarithm and never overflows as a logsumexp.

    exp(g) / sum(k) exp(f)               exp(g - logsumexp(k) f)
    log(exp(g) / sum(k) exp(f))          g - logsumexp(k) f
    log(sum(k) exp(f))                   logsumexp(k) f
"""

from __future__ import annotations

__all__ = ["logarithm", "softmax"]

from paperback.notation.expr import Call, Mul, Node, Pow, Reduce, add, mul, scale
from paperback.notation.syntax import ProductSyntax, Syntax


def _sum_of_exponentials(node: Node) -> Node | None:
    """`logsumexp(k | g) f` where the node is `sum(k | g) exp(f)`."""
    if isinstance(node, Reduce) and node.op == "sum" and isinstance(node.body, Call) and node.body.function == "exp":
        return Reduce("logsumexp", node.binders, node.guards, node.body.arguments[0])
    return None


def logarithm(syntax: Syntax, node: Node) -> Node | None:
    """The log of a sum of exponentials, or of a softmax that was written as a quotient."""
    if isinstance(syntax, ProductSyntax) and isinstance(node, Call) and node.function == "exp":
        return node.arguments[0]
    return _sum_of_exponentials(node)


def softmax(node: Node) -> Node:
    """`exp(g) / sum(k) exp(f)` as `exp(g - logsumexp(k) f)`, which never overflows."""
    factors = list(node.factors) if isinstance(node, Mul) else []
    for place, factor in enumerate(factors):
        found = _sum_of_exponentials(factor.base) if isinstance(factor, Pow) and factor.exponent == -1 else None
        above = next((i for i, f in enumerate(factors) if isinstance(f, Call) and f.function == "exp"), None)
        if found is not None and above is not None:
            numerator = factors[above]
            assert isinstance(numerator, Call)
            factors[above] = Call("exp", (add(numerator.arguments[0], scale(-1, found)),))
            return softmax(mul(*factors[:place], *factors[place + 1 :]))
    return node
