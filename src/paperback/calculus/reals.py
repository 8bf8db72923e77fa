"""Numbers of the exact evaluator: a Fraction where rational, an Interval where not, a float for inf, -inf and NaN.

    inf - inf = NaN     0 * inf = NaN     1/0 = inf (zero has no sign here)     log(0) = -inf     0 < NaN is false

A rational result of a rational argument stays rational where a line of school mathematics says so: exp(0), log(1),
tanh(0), sigmoid(0) = 1/2, the root of a quotient of squares.
"""

from __future__ import annotations

__all__ = [
    "FUNCTIONS", "INF", "NAN", "ONE", "ZERO", "Real", "agree", "apply", "compare", "exact", "extreme", "hull", "is_nan",
    "power", "sign", "times", "total", "undecided",
]  # fmt: skip

import math
from collections.abc import Callable, Iterable, Sequence
from fractions import Fraction
from functools import lru_cache
from numbers import Rational
from typing import Any, TypeAlias

import numpy as np

from paperback.calculus import interval
from paperback.calculus.interval import ExactError, Interval

Real: TypeAlias = Fraction | Interval | float  # a float only for inf, -inf and NaN

INF = math.inf
NAN = math.nan
ZERO = Fraction(0)
ONE = Fraction(1)


def exact(value: Any) -> Any:
    """The number that was given: a float is the binary fraction it stores; what is not a number passes unchanged."""
    if type(value) is Fraction:
        return value
    if isinstance(value, float | np.floating):
        return Fraction(float(value)) if math.isfinite(value) else float(value)
    if isinstance(value, bool | np.bool_ | int | np.integer):
        return Fraction(int(value))
    if isinstance(value, Rational):
        return Fraction(int(value.numerator), int(value.denominator))
    return value


def is_nan(x: Real) -> bool:
    return isinstance(x, float) and math.isnan(x)


def sign(x: Real) -> int:
    """-1, 0 or 1 of what is not NaN."""
    return x.sign() if isinstance(x, Interval) else (x > 0) - (x < 0)


def _as_float(x: Real) -> float:
    """A stand-in for x among infinities: only its sign matters."""
    return x if isinstance(x, float) else float(sign(x))


def _finite_sum(a: Fraction | Interval, b: Fraction | Interval) -> Fraction | Interval:
    return a if b == ZERO and type(b) is Fraction else a + b


def total(terms: Iterable[Real]) -> Real:
    """The sum of any number of terms."""
    rational, rest, infinite = ZERO, None, None
    for term in terms:
        if type(term) is Fraction:
            rational += term
        elif isinstance(term, Interval):
            rest = term if rest is None else rest + term
        else:
            assert isinstance(term, float)
            infinite = term if infinite is None else infinite + term
    if infinite is not None:
        return infinite
    return rational if rest is None else _finite_sum(rest, rational)


def times(a: Real, b: Real) -> Real:
    if isinstance(a, float) or isinstance(b, float):
        if is_nan(a) or is_nan(b):
            return NAN
        return _as_float(a) * _as_float(b)
    if type(a) is Fraction:
        return a * b if a else ZERO
    if type(b) is Fraction:
        return a * b if b else ZERO
    return a * b


def power(x: Real, exponent: Fraction) -> Real:
    """x^(n/d); with d > 1 the base is not negative, or the power is NaN."""
    n, d = exponent.numerator, exponent.denominator
    if is_nan(x):
        return NAN
    if d > 1 and sign(x) < 0:
        return NAN
    if isinstance(x, float):
        return ZERO if n < 0 else INF if x > 0 or n % 2 == 0 else -INF
    if isinstance(x, Interval):
        return x**n if d == 1 else (interval.root(x, d) if sign(x) else ZERO) ** n
    if not x:
        return INF if n < 0 else ZERO
    if d == 1:
        return x**n
    top, bottom = _whole_root(x.numerator, d), _whole_root(x.denominator, d)
    if top is not None and bottom is not None:
        return Fraction(top, bottom) ** n
    return _root(x, d) ** n


@lru_cache(maxsize=65536)
def _root(x: Fraction, degree: int) -> Interval:
    return interval.root(Interval.of(x), degree)


def _whole_root(n: int, degree: int) -> int | None:
    """The whole number r >= 0 with r^degree = n, if there is one."""
    if degree == 2:
        r = math.isqrt(n)
        return r if r * r == n else None
    low, high = 0, 1 << (n.bit_length() // degree + 1)
    while low < high:
        middle = (low + high + 1) // 2
        low, high = (middle, high) if middle**degree <= n else (low, middle - 1)
    return low if low**degree == n else None


def _order(a: Real, b: Real) -> int:
    """-1, 0 or 1 as a is less than, equal to or greater than b; neither is NaN."""
    if isinstance(a, float) or isinstance(b, float):
        x, y = (v if isinstance(v, float) else 0.0 for v in (a, b))
        return (x > y) - (x < y)
    if isinstance(a, Interval):
        return a.order(b)
    if isinstance(b, Interval):
        return -b.order(a)
    return (a > b) - (a < b)


_RELATIONS: dict[str, Callable[[int], bool]] = {
    "<": lambda order: order < 0,
    "<=": lambda order: order <= 0,
    ">": lambda order: order > 0,
    ">=": lambda order: order >= 0,
    "==": lambda order: order == 0,
    "!=": lambda order: order != 0,
}


def compare(relation: str, a: Real, b: Real) -> bool:
    """`a relation b`: false where either is NaN, except that `!=` is true."""
    if is_nan(a) or is_nan(b):
        return relation == "!="
    return _RELATIONS[relation](_order(a, b))


def extreme(values: Sequence[Real], largest: bool) -> list[int]:
    """The positions of all that may be the maximum (minimum), in order; of the first NaN alone, where there is one."""
    if all(type(v) is Fraction for v in values):
        best = max(values) if largest else min(values)
        return [p for p, v in enumerate(values) if v == best]
    for position, value in enumerate(values):
        if is_nan(value):
            return [position]
    bounds = [_bounds(v) for v in values]
    if largest:
        bar = max(low for low, _ in bounds)
        return [p for p, (_, high) in enumerate(bounds) if high >= bar]
    bar = min(high for _, high in bounds)
    return [p for p, (low, _) in enumerate(bounds) if low <= bar]


def hull(values: Sequence[Real], largest: bool) -> Real:
    """The maximum (minimum) of candidates that cannot be told apart: it lies between the bounds of the strongest."""
    bounds = [_bounds(v) for v in values]
    pick = max if largest else min
    return Interval.between(pick(low for low, _ in bounds), pick(high for _, high in bounds))


def undecided(values: Sequence[Real]) -> ExactError:
    shown = ", ".join(str(v) for v in values[:4])
    return ExactError(f"which of {shown} is the extreme one cannot be decided: they agree in the digits that are known")


def _bounds(x: Real) -> tuple[Any, Any]:
    return (x.lower, x.upper) if isinstance(x, Interval) else (x, x)


def agree(a: Any, b: Any, digits: int = 45) -> bool:
    """Are two values, or all of two arrays, the same number as far as is known, and known to so many digits?

    Rational numbers must be equal; an interval must overlap the other value, and be narrower than 10^-digits of it.
    """
    if isinstance(a, np.ndarray | list | tuple) or isinstance(b, np.ndarray | list | tuple):
        left, right = np.asarray(a, dtype=object), np.asarray(b, dtype=object)
        pairs = zip(left.flat, right.flat, strict=False)
        return left.shape == right.shape and all(agree(x, y, digits) for x, y in pairs)
    a, b = exact(a), exact(b)
    if isinstance(a, float) or isinstance(b, float):
        return (is_nan(a) and is_nan(b)) or (isinstance(a, float) and isinstance(b, float) and a == b)
    (a_low, a_high), (b_low, b_high) = _bounds(a), _bounds(b)
    room = (1 + max(abs(bound) for bound in (a_low, a_high, b_low, b_high))) / 10**digits
    return bool(a_low <= b_high and b_low <= a_high and a_high - a_low <= room and b_high - b_low <= room)


# ------------------------------------------------------------------------------------------------------------------
# Scalar functions: what is rational, what happens at infinity, and the enclosing interval elsewhere.


def _exp(x: Interval) -> Real:
    return interval.exp(x)


def _log(x: Fraction | Interval) -> Real:
    if sign(x) <= 0:
        return NAN if x else -INF
    return interval.log(x) if isinstance(x, Interval) else _once(interval.log, x)


def _log1p(x: Fraction | Interval) -> Real:
    return ZERO if type(x) is Fraction and not x else _log(1 + x)


def _sigmoid(x: Interval) -> Real:
    return 1 / (1 + interval.exp(-x))


def _tanh(x: Interval) -> Real:
    return 1 - 2 / (1 + interval.exp(x * 2))


def _softplus(x: Interval) -> Real:
    """log(1 + e^x); where t = e^x is tiny, t - t^2/2 <= log(1 + t) <= t keeps the digits."""
    t = interval.exp(x)
    if t.upper < Fraction(1, 2**120):
        return Interval((t - t * t * Fraction(1, 2)).low, t.high)
    return interval.log(1 + t)


def _relu(x: Fraction | Interval) -> Real:
    if isinstance(x, Fraction):
        return max(x, ZERO)
    if x.upper <= 0:
        return ZERO
    return x if x.lower >= 0 else Interval.between(0, x.upper)


def _abs(x: Fraction | Interval) -> Real:
    if isinstance(x, Fraction):
        return abs(x)
    if x.lower < 0 < x.upper:
        return Interval.between(0, max(-x.lower, x.upper))
    return x if x.lower >= 0 else -x


Rule: TypeAlias = tuple[Callable[[Any], Real], dict[Fraction, Fraction], tuple[Real, Real], bool]
#  the function, its rational values at rational points, its limits at -inf and +inf, does it take Fractions?

FUNCTIONS: dict[str, Rule] = {
    "exp": (_exp, {ZERO: ONE}, (ZERO, INF), False),
    "log": (_log, {ONE: ZERO}, (NAN, INF), True),
    "log1p": (_log1p, {}, (NAN, INF), True),
    "expm1": (lambda x: interval.exp(x) - 1, {ZERO: ZERO}, (-ONE, INF), False),
    "sin": (interval.sin, {ZERO: ZERO}, (NAN, NAN), False),
    "cos": (interval.cos, {ZERO: ONE}, (NAN, NAN), False),
    "tan": (lambda x: interval.sin(x) / interval.cos(x), {ZERO: ZERO}, (NAN, NAN), False),
    "sinh": (lambda x: (interval.exp(x) - interval.exp(-x)) / 2, {ZERO: ZERO}, (-INF, INF), False),
    "cosh": (lambda x: (interval.exp(x) + interval.exp(-x)) / 2, {ZERO: ONE}, (INF, INF), False),
    "tanh": (_tanh, {ZERO: ZERO}, (-ONE, ONE), False),
    "sigmoid": (_sigmoid, {ZERO: Fraction(1, 2)}, (ZERO, ONE), False),
    "softplus": (_softplus, {}, (ZERO, INF), False),
    "erf": (interval.erf, {ZERO: ZERO}, (-ONE, ONE), False),
    "sqrt": (lambda x: power(x, Fraction(1, 2)), {}, (NAN, INF), True),
    "relu": (_relu, {}, (ZERO, INF), True),
    "abs": (_abs, {}, (INF, INF), True),
    "sign": (lambda x: Fraction(sign(x)), {}, (-ONE, ONE), True),
    "step": (lambda x: Fraction(sign(x) >= 0), {}, (ZERO, ONE), True),  # [x >= 0], so 0 for NaN
}


def apply(name: str, x: Real) -> Real:
    """A scalar function of the table; NaN stays NaN, but in comparisons."""
    function, rational, limits, takes_fractions = FUNCTIONS[name]
    if isinstance(x, float):
        return limits[x > 0] if not math.isnan(x) else ZERO if name == "step" else x
    if type(x) is Fraction:
        known = rational.get(x) if rational else None
        if known is not None:
            return known
        if not takes_fractions:
            return _once(function, x)
    return function(x)


@lru_cache(maxsize=65536)
def _once(function: Callable[[Any], Real], x: Fraction) -> Real:
    """The value at a rational point: one and the same interval each time, so that it is known to equal itself."""
    return function(Interval.of(x))
