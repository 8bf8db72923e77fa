"""The laws of functions that proofs know; whatever else is called is an atom, equal where its arguments are.

    sigmoid, tanh, softplus, log1p ...  through exp and log
    relu, abs, max, min, sign, step     through the selectors [p > 0] and [p == 0]
    [a*b > 0]                           through [a > 0], [b > 0], [a == 0], [b == 0]
"""

from __future__ import annotations

__all__ = ["call", "compared", "rebuilt", "root"]

from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction

from paperback.calculus.proof.laws import (
    content_of,
    exponential,
    logarithm,
    numbered,
    part,
    power,
    product,
    scale_of,
    surely_positive,
)
from paperback.calculus.proof.sums import (
    EVERYWHERE,
    NOTHING,
    Atom,
    Domain,
    Polynomial,
    Summand,
    atom,
    constant,
    minus,
    plus,
    scaled,
    single,
    summand,
)

ONE = constant(1)


def compared(relation: str, difference: Polynomial) -> Polynomial:
    """`[difference relation 0]` as a polynomial of selectors."""
    match relation:
        case ">":
            return positive(difference)
        case "<":
            return positive(scaled(difference, -1))
        case ">=":
            return minus(ONE, positive(scaled(difference, -1)))
        case "<=":
            return minus(ONE, positive(difference))
        case "==":
            return zero(difference)
    return minus(ONE, zero(difference))


def positive(p: Polynomial) -> Polynomial:
    """[p > 0]."""
    if not p or (len(p) == 1 and not p[0].factors and p[0].domain == EVERYWHERE):
        return ONE if p and p[0].coefficient > 0 else NOTHING
    split = _guarded(p)
    if split is not None:
        return product(split[0], positive(split[1]))
    if surely_positive(p) and p[0].domain == EVERYWHERE:
        return ONE
    _, rest = content_of(p, whole=False)
    one = single(rest)
    if one is not None and (len(one.factors) > 1 or (one.factors and one.factors[0][1] != 1)):
        return _sign_of_product(one)
    if scale_of(rest) < 0:
        flipped = scaled(rest, -1)
        return minus(ONE, plus(positive(flipped), zero(flipped)))
    return ONE if single(rest) and rest == ONE else atom(Atom("positive", parts=(numbered(rest),)))


def _sign_of_product(one: Summand) -> Polynomial:
    """[a*b^2*c > 0]: the signs of odd powers multiplied, where nothing is 0."""
    above, below = (ONE, NOTHING) if one.coefficient > 0 else (NOTHING, ONE)
    for inner, exponent in one.factors:
        own = atom(inner)
        if exponent.denominator == 1 and exponent % 2:
            p, n = positive(own), positive(scaled(own, -1))
            above, below = (
                plus(product(above, p), product(below, n)),
                plus(product(above, n), product(below, p)),
            )
        else:
            there = minus(ONE, zero(own))
            above, below = product(above, there), product(below, there)
    return above


def zero(p: Polynomial) -> Polynomial:
    """[p == 0]."""
    if not p:
        return ONE
    if len(p) == 1 and not p[0].factors and p[0].domain == EVERYWHERE:
        return NOTHING
    split = _guarded(p)
    if split is not None:
        return plus(minus(ONE, split[0]), product(split[0], zero(split[1])))
    _, rest = content_of(p, whole=False)
    rest = scaled(rest, -1) if scale_of(rest) < 0 else rest
    one = single(rest)
    if one is not None and (len(one.factors) > 1 or (one.factors and one.factors[0][1] != 1)):
        return minus(ONE, product(*(minus(ONE, zero(atom(a))) for a, _ in one.factors)))
    return NOTHING if rest == ONE else atom(Atom("zero", parts=(numbered(rest),)))


def _guarded(p: Polynomial) -> tuple[Polynomial, Polynomial] | None:
    """`guard * rest` where p is one product with guards or selectors in it and no letters of its own."""
    if len(p) != 1 or p[0].domain.letters:
        return None
    one = p[0]
    selectors = [(a, e) for a, e in one.factors if a.head in ("positive", "zero")]
    if not selectors and one.domain == EVERYWHERE:
        return None
    guard = summand(Fraction(1), selectors, one.domain)
    rest = summand(one.coefficient, [pair for pair in one.factors if pair not in selectors], Domain())
    return (guard,), (rest,)


# --------------------------------------------------------------------------------------------------- functions


def _relu(x: Polynomial) -> Polynomial:
    return product(x, positive(x))


def _maximum(a: Polynomial, b: Polynomial) -> Polynomial:
    return plus(b, _relu(minus(a, b)))


def _odd(name: str) -> Callable[[Polynomial], Polynomial]:
    def of(x: Polynomial) -> Polynomial:
        if not x:
            return NOTHING
        sign = 1 if scale_of(x) > 0 else -1
        return scaled(atom(Atom("call", name, parts=(numbered(scaled(x, sign)),))), sign)

    return of


def _cosine(x: Polynomial) -> Polynomial:
    if not x:
        return ONE
    return atom(Atom("call", "cos", parts=(numbered(scaled(x, 1 if scale_of(x) > 0 else -1)),)))


def _sigmoid(x: Polynomial) -> Polynomial:
    return minus(ONE, power(plus(ONE, exponential(x)), Fraction(-1)))


def _magnitude(x: Polynomial) -> Polynomial:
    return minus(scaled(_relu(x), 2), x)


def root(base: Polynomial, exponent: Fraction) -> Polynomial:
    """A power; the root of a product of squares is that of magnitudes, (a^2)^(1/2) = |a|."""
    one = single(base)
    if one is None or exponent.denominator % 2 or any(e.denominator > 1 or e % 2 for _, e in one.factors):
        return power(base, exponent)
    found = power(constant(one.coefficient), exponent)
    for inner, e in one.factors:
        n = e * exponent
        if n.denominator > 1:
            return power(base, exponent)
        odd = n % 2
        found = product(found, atom(inner, n - odd), _magnitude(atom(inner)) if odd else ONE)
    return found


_HALF = Fraction(1, 2)
_UNARY: dict[str, Callable[[Polynomial], Polynomial]] = {
    "exp": exponential,
    "log": logarithm,
    "log1p": lambda x: logarithm(plus(ONE, x)),
    "expm1": lambda x: minus(exponential(x), ONE),
    "sqrt": lambda x: root(x, _HALF),
    "sigmoid": _sigmoid,
    "tanh": lambda x: minus(scaled(_sigmoid(scaled(x, 2)), 2), ONE),
    "softplus": lambda x: logarithm(plus(ONE, exponential(x))),
    "sinh": lambda x: scaled(minus(exponential(x), exponential(scaled(x, -1))), _HALF),
    "cosh": lambda x: scaled(plus(exponential(x), exponential(scaled(x, -1))), _HALF),
    "sin": _odd("sin"),
    "erf": _odd("erf"),
    "cos": _cosine,
    "tan": lambda x: product(_odd("sin")(x), power(_cosine(x), Fraction(-1))),
    "relu": _relu,
    "abs": _magnitude,
    "sign": lambda x: minus(positive(x), positive(scaled(x, -1))),
    "step": lambda x: minus(ONE, positive(scaled(x, -1))),
}


def rebuilt(polynomial: Polynomial, image: Callable[[Atom], Polynomial | None]) -> Polynomial:
    """The polynomial with atoms replaced, inside other atoms too; None keeps an atom."""
    found: list[Polynomial] = []
    for one in polynomial:
        factors = [_rebuilt_factor(inner, exponent, image) for inner, exponent in one.factors]
        whole = product((replace(one, factors=(), domain=EVERYWHERE),), *factors)
        found.append(tuple(replace(s, domain=one.domain.and_(s.domain)) for s in whole))
    return plus(*found)


def _rebuilt_factor(inner: Atom, exponent: Fraction, image: Callable[[Atom], Polynomial | None]) -> Polynomial:
    new = image(inner)
    if new is not None:
        return power(new, exponent)
    if not inner.parts or inner.domain.letters:  # what binds letters of its own stays as it is, which is as true
        return atom(inner, exponent)
    parts = [rebuilt(part(inner, number), image) for number in range(len(inner.parts))]
    if all(numbered(new) == old for new, old in zip(parts, inner.parts, strict=True)):
        return atom(inner, exponent)
    match inner.head:
        case "exp":
            return exponential(scaled(parts[0], exponent))
        case "log":
            return power(logarithm(parts[0]), exponent)
        case "sum":
            return power(parts[0], exponent)
        case "positive":
            return positive(parts[0])
        case "zero":
            return zero(parts[0])
        case "call":
            return power(call(inner.name, parts), exponent)
    return atom(replace(inner, parts=tuple(numbered(p) for p in parts)), exponent)


def call(name: str, arguments: list[Polynomial]) -> Polynomial:
    """A function of polynomials."""
    if name == "max":
        return _maximum(*arguments)
    if name == "min":
        return scaled(_maximum(*(scaled(a, -1) for a in arguments)), -1)
    if name in _UNARY:
        return _UNARY[name](arguments[0])
    return atom(Atom("call", name, parts=tuple(numbered(a) for a in arguments)))
