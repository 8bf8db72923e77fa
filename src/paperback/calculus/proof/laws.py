"""The laws of functions that proofs know; whatever else is called is an atom, equal where its arguments are.

    exp(a + b) = exp(a) exp(b)          exp(c*a) = exp(a)^c          exp(log a) = a
    log(a*b) = log a + log b            where b is surely positive
    sigmoid, tanh, softplus, sinh ...   through exp and log
    relu, abs, max, min, sign, step     through [p > 0] and [p == 0]
    (a*b)^n = a^n b^n                   n whole, or b surely positive
    1/(E^-1 + 1) = E/(E + 1)            common factors leave a sum before it is raised to a power
"""

from __future__ import annotations

__all__ = ["call", "compared", "exponential", "logarithm", "numbered", "opened", "part", "power", "product",
    "rebuilt",
]

from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction

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
    times,
)

ONE = constant(1)
_LARGEST_POWER = 8


def product(*factors: Polynomial) -> Polynomial:
    """The product, with sums opened that stand to a power of 1 or more."""
    found = ONE
    for factor in factors:
        found = opened(times(found, factor))
    return found


def opened(polynomial: Polynomial) -> Polynomial:
    """Sums to a power of 1 or more are multiplied out, and what a sum below divides is divided."""
    if not any(inner.head in ("sum", "zero") for one in polynomial for inner, _ in one.factors):
        return polynomial
    found: list[Polynomial] = []
    for one in polynomial:
        step = _opening(one)
        found.append((one,) if step is None else opened(step))
    return plus(*found)


def _opening(one: Summand) -> Polynomial | None:
    for inner, exponent in one.factors:
        if inner.head == "sum" and exponent >= 1:
            rest = _with_power(one, inner, exponent - 1)
            return times((rest,), part(inner))
        if inner.head == "sum" and exponent < 0:
            divided = _divided(one, inner, exponent)
            if divided is not None:
                return divided
        if inner.head == "zero":
            base = single(inner.parts[0])
            if base is not None and _contains(one, base):
                return NOTHING
    return None


def _with_power(one: Summand, inner: Atom, exponent: Fraction) -> Summand:
    factors = [(a, exponent if a == inner else e) for a, e in one.factors]
    return summand(one.coefficient, factors, one.domain)


def _contains(one: Summand, part: Summand) -> bool:
    powers = dict(one.factors)
    return all(powers.get(a, Fraction(0)) >= e > 0 for a, e in part.factors) and bool(part.factors)


def _divided(one: Summand, inner: Atom, exponent: Fraction) -> Polynomial | None:
    """`lead * D^-b = D^(1-b) - (D - lead) * D^-b` where the leading term of D divides the product."""
    lead = _lead(inner.parts[0])
    if lead is None or not _contains(one, lead):
        return None
    powers = dict(one.factors)
    for a, e in lead.factors:
        powers[a] -= e
    quotient = summand(one.coefficient / lead.coefficient, powers.items(), one.domain)
    rest = tuple(s.renewed() for s in inner.parts[0] if s is not lead)
    return plus((_with_power(quotient, inner, exponent + 1),), scaled(times((quotient,), rest), -1))


def _lead(polynomial: Polynomial) -> Summand | None:
    """The term of highest degree, the first of its name, if it is a plain product of atoms to whole powers."""
    def rank(one: Summand) -> tuple[Fraction, str]:
        return sum((abs(e) for _, e in one.factors), Fraction(0)), one.key

    if len(polynomial) < 2:
        return None
    best = max(polynomial, key=rank)
    tied = [one for one in polynomial if rank(one) == rank(best)]
    whole = all(e > 0 and e.denominator == 1 for _, e in best.factors)
    return best if len(tied) == 1 and best.domain == EVERYWHERE and best.factors and whole else None


# ------------------------------------------------------------------------------------------------------ powers


def power(base: Polynomial, exponent: Fraction) -> Polynomial:
    if exponent == 0:
        return ONE
    if exponent.denominator == 1 and 0 < exponent <= _LARGEST_POWER:
        return product(*[base] * int(exponent))
    if not base:
        return atom(Atom("sum", parts=(NOTHING,)), exponent)
    content, rest = _content(base, whole=exponent.denominator == 1)
    found = _scaled_power(content, exponent)
    one = single(rest)
    if one is not None and not one.factors and one.coefficient == 1:
        return found
    if one is not None and exponent.denominator == 1:
        factors = [(a, e * exponent) for a, e in one.factors]
        return product(found, (summand(Fraction(one.coefficient) ** int(exponent), factors),))
    return product(found, atom(Atom("sum", parts=(numbered(rest),)), exponent))


def _scaled_power(content: Summand, exponent: Fraction) -> Polynomial:
    """A positive number and positive atoms to a power; a root that is not rational is an atom."""
    factors = tuple((a, e * exponent) for a, e in content.factors)
    value = content.coefficient
    if exponent.denominator == 1:
        return (summand(value ** int(exponent), factors),)
    if value == 1:
        return (summand(Fraction(1), factors),)
    root = _rational_root(value, exponent.denominator)
    if root is not None:
        return (summand(root**exponent.numerator, factors),)
    return (summand(Fraction(1), (*factors, (Atom("sum", parts=(constant(value),)), exponent))),)


def _rational_root(value: Fraction, degree: int) -> Fraction | None:
    def whole(n: int) -> int | None:
        root = round(n ** (1 / degree)) if n < 1 << 52 else 0
        return root if root**degree == n else None

    top, bottom = whole(value.numerator), whole(value.denominator)
    return None if top is None or bottom is None else Fraction(top, bottom)


def numbered(polynomial: Polynomial) -> Polynomial:
    """As a part of an atom: letters numbered, summands in a fixed order."""
    return tuple(sorted((s.numbered() for s in polynomial), key=lambda s: (s.key, repr(s.factors), s.coefficient)))


def part(inner: Atom, number: int = 0) -> Polynomial:
    """What is inside an atom, with letters of its own."""
    return tuple(s.renewed() for s in inner.parts[number])


def _content(base: Polynomial, whole: bool) -> tuple[Summand, Polynomial]:
    """A factor common to all summands, and what is left: with `whole` any atom and sign, else what is positive."""
    powers: dict[Atom, Fraction] | None = None
    bound = {letter for one in base for letter in one.domain.letters}
    for one in base:
        own = {a: e for a, e in one.factors if bound.isdisjoint(a.letters)}
        if not whole:
            own = {a: e for a, e in own.items() if _is_positive(a)}
        if powers is None:
            powers = own
            continue
        powers = {a: min(powers.get(a, Fraction(0)), own.get(a, Fraction(0))) for a in {**powers, **own}}
    kept = {a: e for a, e in (powers or {}).items() if e}
    if kept:
        inverse = summand(Fraction(1), ((a, -e) for a, e in kept.items()))
        inner, rest = _content(opened(times(base, (inverse,))), whole)
        return summand(inner.coefficient, (*inner.factors, *kept.items())), rest
    scale = _scale(base) if whole else abs(_scale(base))
    return summand(scale, ()), scaled(base, 1 / scale)


def _scale(polynomial: Polynomial) -> Fraction:
    """The coefficient that is made 1: of the first summand by key; of several with that key, their sum decides."""
    first = min(one.key for one in polynomial)
    tied = sorted((one.coefficient for one in polynomial if one.key == first), key=lambda c: (abs(c), c))
    return tied[-1] if sum(tied) >= 0 or len(tied) == 1 else tied[0]


# ------------------------------------------------------------------------------------------- exp, log, selectors


def exponential(argument: Polynomial) -> Polynomial:
    found = ONE
    for one in argument:
        inner = one.factors[0] if len(one.factors) == 1 and one.domain == EVERYWHERE else None
        if inner is not None and inner[0].head == "log" and inner[1] == 1:
            found = product(found, power(part(inner[0]), one.coefficient))
        else:
            alone = (replace(one, coefficient=Fraction(1)),)
            found = product(found, atom(Atom("exp", parts=(numbered(alone),)), one.coefficient))
    return found


def logarithm(argument: Polynomial) -> Polynomial:
    content, rest = _content(argument, whole=False) if argument else (summand(Fraction(1), ()), argument)
    found: list[Polynomial] = []
    for inner, exponent in content.factors:
        if inner.head == "exp":
            found.append(scaled(part(inner), exponent))
        else:
            found.append(scaled(_log(part(inner) if inner.head == "sum" else atom(inner)), exponent))
    if content.coefficient != 1:
        found.append(_log_of_number(content.coefficient))
    return plus(*found, _log(rest))


def _log(argument: Polynomial) -> Polynomial:
    return NOTHING if argument == ONE else atom(Atom("log", parts=(numbered(argument),)))


def _log_of_number(value: Fraction) -> Polynomial:
    """Through the primes: log(3/4) = log 3 - 2 log 2."""
    found: list[Polynomial] = []
    for number, sign in ((value.numerator, 1), (value.denominator, -1)):
        prime = 2
        while number > 1:
            while number % prime == 0:
                found.append(scaled(_log(constant(prime)), sign))
                number //= prime
            prime = prime + 1 if prime * prime <= number and prime < 1000 else number
    return plus(*found)


def _is_positive(inner: Atom) -> bool:
    return inner.head in ("exp", "size") or (inner.head == "sum" and surely_positive(inner.parts[0]))


def surely_positive(polynomial: Polynomial) -> bool:
    """Is it > 0 wherever it is defined? All coefficients are, and so are all atoms, or their powers are even."""

    def positive(inner: Atom, exponent: Fraction) -> bool:
        return _is_positive(inner) or (inner.head == "sum" and exponent.denominator > 1)

    def fine(one: Summand, strict: bool) -> bool:
        even = [e.denominator == 1 and e % 2 == 0 and not strict for _, e in one.factors]
        return one.coefficient > 0 and all(ok or positive(a, e) for (a, e), ok in zip(one.factors, even, strict=True))

    strict = [one for one in polynomial if one.domain == EVERYWHERE and fine(one, strict=True)]
    loose = all(fine(one, strict=False) for one in polynomial)
    boxed = len(polynomial) == 1 and fine(polynomial[0], strict=True) and not polynomial[0].domain.zero
    return loose and (bool(strict) or boxed)


def compared(relation: str, difference: Polynomial) -> Polynomial:
    """`[difference relation 0]` as a polynomial of selectors."""
    match relation:
        case ">":
            return _positive(difference)
        case "<":
            return _positive(scaled(difference, -1))
        case ">=":
            return minus(ONE, _positive(scaled(difference, -1)))
        case "<=":
            return minus(ONE, _positive(difference))
        case "==":
            return _zero(difference)
    return minus(ONE, _zero(difference))


def _positive(p: Polynomial) -> Polynomial:
    """[p > 0]."""
    if not p or (len(p) == 1 and not p[0].factors and p[0].domain == EVERYWHERE):
        return ONE if p and p[0].coefficient > 0 else NOTHING
    split = _guarded(p)
    if split is not None:
        return product(split[0], _positive(split[1]))
    if surely_positive(p) and p[0].domain == EVERYWHERE:
        return ONE
    _, rest = _content(p, whole=False)
    if _scale(rest) < 0:
        flipped = scaled(rest, -1)
        return minus(ONE, plus(_positive(flipped), _zero(flipped)))
    return ONE if single(rest) and rest == ONE else atom(Atom("positive", parts=(numbered(rest),)))


def _zero(p: Polynomial) -> Polynomial:
    """[p == 0]."""
    if not p:
        return ONE
    if len(p) == 1 and not p[0].factors and p[0].domain == EVERYWHERE:
        return NOTHING
    split = _guarded(p)
    if split is not None:
        return plus(minus(ONE, split[0]), product(split[0], _zero(split[1])))
    _, rest = _content(p, whole=False)
    rest = scaled(rest, -1) if _scale(rest) < 0 else rest
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
    return product(x, _positive(x))


def _maximum(a: Polynomial, b: Polynomial) -> Polynomial:
    return plus(b, _relu(minus(a, b)))


def _odd(name: str) -> Callable[[Polynomial], Polynomial]:
    def of(x: Polynomial) -> Polynomial:
        if not x:
            return NOTHING
        sign = 1 if _scale(x) > 0 else -1
        return scaled(atom(Atom("call", name, parts=(numbered(scaled(x, sign)),))), sign)

    return of


def _cosine(x: Polynomial) -> Polynomial:
    if not x:
        return ONE
    return atom(Atom("call", "cos", parts=(numbered(scaled(x, 1 if _scale(x) > 0 else -1)),)))


def _sigmoid(x: Polynomial) -> Polynomial:
    return minus(ONE, power(plus(ONE, exponential(x)), Fraction(-1)))


_HALF = Fraction(1, 2)
_UNARY: dict[str, Callable[[Polynomial], Polynomial]] = {
    "exp": exponential,
    "log": logarithm,
    "log1p": lambda x: logarithm(plus(ONE, x)),
    "expm1": lambda x: minus(exponential(x), ONE),
    "sqrt": lambda x: power(x, _HALF),
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
    "abs": lambda x: minus(scaled(_relu(x), 2), x),
    "sign": lambda x: minus(_positive(x), _positive(scaled(x, -1))),
    "step": lambda x: minus(ONE, _positive(scaled(x, -1))),
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
    if not inner.parts:
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
            return _positive(parts[0])
        case "zero":
            return _zero(parts[0])
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
