"""The only derivatives written by hand: one table of scalar functions.

    exp' = exp          log' = 1/x            log1p' = 1/(1+x)      expm1' = exp
    sin' = cos          cos' = -sin           tan' = 1 + tan^2      sinh' = cosh, cosh' = sinh
    tanh' = 1 - tanh^2  sigmoid' = s(1-s)     softplus' = sigmoid   erf' = 2/sqrt(pi) * exp(-x^2)
    relu' = [x > 0]     abs' = sign           step' = sign' = 0     max(a, b)' = [a >= b], [a < b]

The kinks of relu and abs take their value from the conventions. A function nobody knows (`where phi function`) has the
derivative phi'. The reducers' derivatives (sum, max through its argmax, logsumexp) are in `diff`, beside their binders.
"""

from __future__ import annotations

__all__ = ["partial_derivatives"]

from collections.abc import Callable
from fractions import Fraction

from paperback.calculus.conventions import Conventions
from paperback.notation.expr import ONE, ZERO, Call, Compare, Node, Scalar, add, bracket, const, mul, power, scale


def _call(name: str, x: Node) -> Node:
    return Call(name, (x,))


def _compare(relation: str, x: Node, y: Node) -> Node:
    return bracket(Compare(relation, x, y))


def _at_zero(x: Node, slope: Fraction) -> Node:
    return mul(const(slope), _compare("==", x, ZERO))


_UNARY: dict[str, Callable[[Node, Conventions], Node]] = {
    "exp": lambda x, c: _call("exp", x),
    "expm1": lambda x, c: _call("exp", x),
    "log": lambda x, c: power(x, -1),
    "log1p": lambda x, c: power(add(ONE, x), -1),
    "sin": lambda x, c: _call("cos", x),
    "cos": lambda x, c: scale(-1, _call("sin", x)),
    "tan": lambda x, c: add(ONE, power(_call("tan", x), 2)),
    "sinh": lambda x, c: _call("cosh", x),
    "cosh": lambda x, c: _call("sinh", x),
    "tanh": lambda x, c: add(ONE, scale(-1, power(_call("tanh", x), 2))),
    "sigmoid": lambda x, c: mul(_call("sigmoid", x), add(ONE, scale(-1, _call("sigmoid", x)))),
    "softplus": lambda x, c: _call("sigmoid", x),
    "erf": lambda x, c: mul(const(2), power(Scalar("pi"), Fraction(-1, 2)), _call("exp", scale(-1, power(x, 2)))),
    "relu": lambda x, c: add(_compare(">", x, ZERO), _at_zero(x, c.relu_at_zero)),
    "abs": lambda x, c: add(_call("sign", x), _at_zero(x, c.abs_at_zero)),
    "sign": lambda x, c: ZERO,
    "step": lambda x, c: ZERO,
}


def partial_derivatives(call: Call, conventions: Conventions) -> tuple[Node, ...]:
    """The derivative of a call with respect to each of its arguments."""
    if call.function == "max":
        a, b = call.arguments
        return _compare(">=", a, b), _compare("<", a, b)
    if call.function == "min":
        a, b = call.arguments
        return _compare("<=", a, b), _compare(">", a, b)
    if call.function in _UNARY:
        return (_UNARY[call.function](call.arguments[0], conventions),)
    if len(call.arguments) == 1:
        return (_call(call.function + "'", call.arguments[0]),)
    raise ValueError(f"no derivative is known for {call.function} of {len(call.arguments)} arguments")
