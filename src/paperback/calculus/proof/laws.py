"""The laws of powers, exponentials and logarithms.

    exp(a + b) = exp(a) exp(b)          exp(c*a) = exp(a)^c          exp(log a) = a
    log(a*b) = log a + log b            where b is surely positive
    (a*b)^n = a^n b^n                   n whole, or b surely positive
    1/(E^-1 + 1) = E/(E + 1)            common factors leave a sum before it is raised to a power
"""

from __future__ import annotations

__all__ = [
    "content_of", "exponential", "lead_of", "logarithm", "numbered", "opened", "part", "power", "product", "rest_of",
    "scale_of",    "surely_positive",
]  # fmt: skip

from dataclasses import replace
from fractions import Fraction

from paperback.calculus.proof.sums import (
    EVERYWHERE,
    NOTHING,
    POSITIVE,
    Atom,
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
    if not any(inner.head in ("sum", "zero", "call") for one in polynomial for inner, _ in one.factors):
        return polynomial
    found: list[Polynomial] = []
    for one in polynomial:
        step = _opening(one)
        found.append((one,) if step is None else opened(step))
    return plus(*found)


def _opening(one: Summand) -> Polynomial | None:
    for inner, exponent in one.factors:
        number = _number_of(inner)
        if number is not None and not 0 < exponent < 1:  # sqrt(2)^3 = 2 sqrt(2), 1/sqrt(2) = sqrt(2)/2
            rest = _with_power(one, inner, exponent % 1)
            return (replace(rest, coefficient=rest.coefficient * number ** (exponent // 1)),)
        if inner.head == "sum" and exponent >= 1:
            rest = _with_power(one, inner, exponent - 1)
            return times((rest,), part(inner))
        if inner.head == "sum" and exponent < 0:
            divided = _divided(one, inner, exponent)
            if divided is not None:
                return divided
        if inner.name == "cos" and exponent >= 2:
            sine = replace(inner, name="sin")
            rest = _with_power(one, inner, exponent - 2)
            return times((rest,), minus(ONE, atom(sine, 2)))
        if inner.head == "zero":
            lead = lead_of(inner.parts[0])
            if lead is not None and _contains(one, lead):  # where p is 0, its lead is what is left of it
                return scaled(times((_without(one, lead),), rest_of(inner, lead)), -1)
    return None


def _number_of(inner: Atom) -> Fraction | None:
    """The positive number whose root this atom is a power of."""
    one = single(inner.parts[0]) if inner.head == "sum" else None
    return one.coefficient if one is not None and not one.factors and one.coefficient > 0 else None


def _with_power(one: Summand, inner: Atom, exponent: Fraction) -> Summand:
    factors = [(a, exponent if a == inner else e) for a, e in one.factors]
    return summand(one.coefficient, factors, one.domain)


def _contains(one: Summand, part: Summand) -> bool:
    powers = dict(one.factors)
    return all(powers.get(a, Fraction(0)) >= e > 0 for a, e in part.factors) and bool(part.factors)


def _divided(one: Summand, inner: Atom, exponent: Fraction) -> Polynomial | None:
    """`lead * D^-b = D^(1-b) - (D - lead) * D^-b` where the leading term of D divides the product."""
    lead = lead_of(inner.parts[0]) if len(inner.parts[0]) > 1 else None
    if lead is None or not _contains(one, lead):
        return None
    quotient = _without(one, lead)
    return plus((_with_power(quotient, inner, exponent + 1),), scaled(times((quotient,), rest_of(inner, lead)), -1))


def _without(one: Summand, part: Summand) -> Summand:
    """The quotient by a product of atoms that it contains."""
    powers = dict(one.factors)
    for a, e in part.factors:
        powers[a] -= e
    return summand(one.coefficient / part.coefficient, powers.items(), one.domain)


def rest_of(inner: Atom, lead: Summand) -> Polynomial:
    """What is inside an atom but for its leading term."""
    return tuple(s.renewed() for s in inner.parts[0] if s is not lead)


def lead_of(polynomial: Polynomial) -> Summand | None:
    """The term of highest degree, the first of its name, if it is a plain product of atoms to whole powers."""
    def rank(one: Summand) -> tuple[Fraction, str]:
        return sum((abs(e) for _, e in one.factors), Fraction(0)), one.key

    if not polynomial:
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
    content, rest = content_of(base, whole=exponent.denominator == 1)
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
    roots = tuple((Atom("sum", parts=(constant(prime),)), n * exponent) for prime, n in _primes(value).items())
    return opened((summand(Fraction(1), (*factors, *roots)),))


def _primes(value: Fraction) -> dict[int, int]:
    """The primes of a positive number and their powers, 3/4 = 3 * 2^-2; what has no small ones counts as one."""
    found: dict[int, int] = {}
    for number, sign in ((value.numerator, 1), (value.denominator, -1)):
        prime = 2
        while number > 1:
            while number % prime == 0:
                found[prime] = found.get(prime, 0) + sign
                number //= prime
            prime = prime + 1 if prime * prime <= number and prime < 1000 else number
    return found


def numbered(polynomial: Polynomial) -> Polynomial:
    """As a part of an atom: letters numbered, summands in a fixed order."""
    return tuple(sorted((s.numbered() for s in polynomial), key=lambda s: (s.key, repr(s.factors), s.coefficient)))


def part(inner: Atom, number: int = 0) -> Polynomial:
    """What is inside an atom, with letters of its own."""
    return tuple(s.renewed() for s in inner.parts[number])


def content_of(base: Polynomial, whole: bool) -> tuple[Summand, Polynomial]:
    """A factor common to all summands, and what is left: with `whole` any atom and sign, else what is positive."""
    if not base:
        return summand(Fraction(1), ()), base
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
        inner, rest = content_of(opened(times(base, (inverse,))), whole)
        return summand(inner.coefficient, (*inner.factors, *kept.items())), rest
    scale = scale_of(base) if whole else abs(scale_of(base))
    return summand(scale, ()), scaled(base, 1 / scale)


def scale_of(polynomial: Polynomial) -> Fraction:
    """The coefficient that is made 1: of the first summand by key; of several with that key, their sum decides."""
    first = min(one.key for one in polynomial)
    tied = sorted((one.coefficient for one in polynomial if one.key == first), key=lambda c: (abs(c), c))
    return tied[-1] if sum(tied) >= 0 or len(tied) == 1 else tied[0]


# --------------------------------------------------------------------------------------------- exp and log


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
    content, rest = content_of(argument, whole=False) if argument else (summand(Fraction(1), ()), argument)
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
    return plus(*(scaled(_log(constant(prime)), n) for prime, n in _primes(value).items()))


def _is_positive(inner: Atom) -> bool:
    named = inner.name == POSITIVE or (inner.head == "scalar" and inner.name == "pi")
    return inner.head == "exp" or named or (inner.head == "sum" and surely_positive(inner.parts[0]))


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
