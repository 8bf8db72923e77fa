"""Habits: what other notations write, and how it is written here.

ELSEWHERE   functions and reducers      mean, prod, ln, gelu
LOGIC       words for cases             or, not, if
"""

from __future__ import annotations

__all__ = ["ELSEWHERE", "LOGIC", "side_by_side"]

from collections.abc import Sequence

from paperback.notation.syntax import CallSyntax, ReadSyntax, Syntax
from paperback.notation.tokens import Token

ELSEWHERE: dict[str, str] = {
    "mean": "divide the sum by the extent n: (sum(i<n) x[i])/n",
    "prod": "of positive values: exp(sum(i) log(x[i]))",
    "product": "of positive values: exp(sum(i) log(x[i]))",
    "ln": "the natural logarithm is log",
    "pow": "a power is x^2, a root x^(1/2)",
    "gelu": "write the formula: x[i]*(1 + erf(x[i]/sqrt(2)))/2",
    "silu": "write the formula: x[i]*sigmoid(x[i])",
    "swish": "write the formula: x[i]*sigmoid(x[i])",
    "clip": "of a between 0 and 1: min(max(a, 0), 1)",
    "clamp": "of a between 0 and 1: min(max(a, 0), 1)",
    "softmax": "write the formula: exp(x[i]) / sum(k) exp(x[k])",
}
LOGIC: dict[str, str] = {
    "or": "take the larger of two brackets: max([a < b], [c < d])",
    "not": "turn the comparison around: [a >= b] where [a < b] is false",
    "if": "multiply each case by its bracket: [a < b]*x[i] + [a >= b]*z[i]",
    "else": "multiply each case by its bracket: [a < b]*x[i] + [a >= b]*z[i]",
}

_CONDITION = ("<", "<=", ">", ">=", "==", "!=", "|", "[")


def side_by_side(source: str, tokens: Sequence[Token], place: int, before: Syntax) -> tuple[str, int, int, str]:
    """Two values without an operator between them, the second at `place`: what is wrong, where, and how to cure it."""
    here = tokens[place]
    for token in (here, tokens[place - 1]):
        if token.text in LOGIC:
            return f"{token.text} is no word of the notation", token.start, token.end, LOGIC[token.text]
    if isinstance(before, CallSyntax) and before.function in ELSEWHERE:
        return f"{before.function} is no reducer", before.start, before.name_end, ELSEWHERE[before.function]
    if isinstance(before, ReadSyntax) and here.text == "[" and here.start == before.end:
        closing = next(n for n in range(place, len(tokens)) if tokens[n].text in ("]", ""))
        if not any(token.text in _CONDITION for token in tokens[place + 1 : closing]):
            joined = f"{source[before.start : before.end - 1]},{source[here.end : tokens[closing].end]}"
            return "the indices of a read stand in one bracket", here.start, here.end, f"write {joined}"
    return f"an operator is missing before {here.text}", here.start, here.end, "write * for a product"
