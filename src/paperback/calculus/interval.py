"""Enclosing intervals: a number that is not rational is held between two bounds that agree to 50 digits and more.

    a in A, b in B   =>   a + b in A + B,   a * b in A * B,   f(a) in f(A)

Every operation rounds its lower bound down and its upper bound up, at a precision of 200 bits (60 digits, so that 50
are left after sums of ordinary length). A question about the number is answered only where both bounds give the same
answer; otherwise it raises `ExactError`. The bounds are mpmath's floating-point numbers, loaded at the first need.
"""

from __future__ import annotations

__all__ = ["ExactError", "Interval", "cos", "erf", "exp", "log", "pi", "root", "sin"]

from fractions import Fraction
from functools import lru_cache
from math import inf
from typing import Any

from paperback.errors import PaperbackError

PRECISION = 200  # bits of every bound
_GUARD = 30  # more bits inside an elementary function, whose last bits are not trusted
_SERIES_LIMIT = 13  # 1 - erf(13) < exp(-169) < 2^-243


class ExactError(PaperbackError, ArithmeticError):
    """A question that enclosing intervals cannot decide: a comparison, a sign, a division by what may be 0."""


@lru_cache(maxsize=1)
def _mp() -> Any:
    import mpmath.libmp

    return mpmath.libmp


class Interval:
    """A real number known only to lie in [lower, upper]. Mixes with int and Fraction; never changes."""

    __slots__ = ("high", "low")
    low: Any  # mpmath's raw floating-point numbers
    high: Any

    def __init__(self, low: Any, high: Any) -> None:
        self.low = low
        self.high = high

    @staticmethod
    def of(value: Interval | Fraction | int) -> Interval:
        """The narrowest interval around a rational number."""
        if isinstance(value, Interval):
            return value
        mp, value = _mp(), Fraction(value)
        n, d = value.numerator, value.denominator
        return Interval(mp.from_rational(n, d, PRECISION, "f"), mp.from_rational(n, d, PRECISION, "c"))

    @staticmethod
    def between(lower: Fraction | int, upper: Fraction | int) -> Interval:
        return Interval(Interval.of(lower).low, Interval.of(upper).high)

    @property
    def lower(self) -> Fraction:
        return _rational(self.low)

    @property
    def upper(self) -> Fraction:
        return _rational(self.high)

    @property
    def width(self) -> Fraction:
        return self.upper - self.lower

    def contains(self, value: Interval | Fraction | int) -> bool:
        """Do the bounds enclose this number, or all of this interval?"""
        if isinstance(value, Interval):
            return self.lower <= value.lower and value.upper <= self.upper
        return self.lower <= value <= self.upper

    def overlaps(self, other: Interval | Fraction | int) -> bool:
        """Could both be the same number?"""
        if isinstance(other, Interval):
            return self.lower <= other.upper and other.lower <= self.upper
        return self.contains(other)

    def sign(self) -> int:
        """-1, 0 or 1; ExactError where the bounds differ in it."""
        mp = _mp()
        low, high = int(mp.mpf_sign(self.low)), int(mp.mpf_sign(self.high))
        if low == high:
            return low
        raise ExactError(f"the sign of {self} cannot be decided: the interval contains 0")

    def order(self, other: Interval | Fraction | int) -> int:
        """-1, 0 or 1 as this is less than, equal to or greater than the other; ExactError where they overlap."""
        if self is other:
            return 0
        mp, that = _mp(), Interval.of(other)
        if mp.mpf_lt(self.high, that.low):
            return -1
        if mp.mpf_lt(that.high, self.low):
            return 1
        if self.low == self.high == that.low == that.high and (isinstance(other, Interval) or that.lower == other):
            return 0
        raise ExactError(f"{self} and {other} cannot be compared: they agree in the 50 digits that are known")

    def __float__(self) -> float:
        """The middle, rounded; beyond the greatest float it is infinite."""
        middle = (self.lower + self.upper) / 2
        try:
            return float(middle)
        except OverflowError:
            return inf if middle > 0 else -inf

    def __repr__(self) -> str:
        mp = _mp()
        mid = mp.mpf_shift(mp.mpf_add(self.low, self.high, PRECISION, "n"), -1)
        radius = mp.mpf_shift(mp.mpf_sub(self.high, self.low, PRECISION, "n"), -1)
        return f"Interval({mp.to_str(mid, 20)} +- {mp.to_str(radius, 2)})"

    def __neg__(self) -> Interval:
        mp = _mp()
        return Interval(mp.mpf_neg(self.high), mp.mpf_neg(self.low))

    def __add__(self, other: Interval | Fraction | int) -> Interval:
        if not isinstance(other, Interval | Fraction | int):
            return NotImplemented
        return Interval(*_mp().libmpi.mpi_add(_pair(self), _pair(other), PRECISION))

    __radd__ = __add__

    def __sub__(self, other: Interval | Fraction | int) -> Interval:
        if not isinstance(other, Interval | Fraction | int):
            return NotImplemented
        return Interval(*_mp().libmpi.mpi_sub(_pair(self), _pair(other), PRECISION))

    def __rsub__(self, other: Fraction | int) -> Interval:
        return -self + other

    def __mul__(self, other: Interval | Fraction | int) -> Interval:
        if not isinstance(other, Interval | Fraction | int):
            return NotImplemented
        return Interval(*_mp().libmpi.mpi_mul(_pair(self), _pair(other), PRECISION))

    __rmul__ = __mul__

    def __truediv__(self, other: Interval | Fraction | int) -> Interval:
        if not isinstance(other, Interval | Fraction | int):
            return NotImplemented
        if not isinstance(other, Interval):
            return self * Fraction(1, other)
        other.sign()  # an interval around 0 has no inverse
        return Interval(*_mp().libmpi.mpi_div(_pair(self), _pair(other), PRECISION))

    def __rtruediv__(self, other: Fraction | int) -> Interval:
        return Interval.of(other) / self

    def __pow__(self, exponent: int) -> Interval:
        """An integer power; a negative one needs a sign."""
        if exponent < 0:
            return 1 / self**-exponent
        return Interval(*_mp().libmpi.mpi_pow_int(_pair(self), exponent, PRECISION))

    def __lt__(self, other: Interval | Fraction | int) -> bool:
        return self.order(other) < 0

    def __le__(self, other: Interval | Fraction | int) -> bool:
        return self.order(other) <= 0

    def __gt__(self, other: Interval | Fraction | int) -> bool:
        return self.order(other) > 0

    def __ge__(self, other: Interval | Fraction | int) -> bool:
        return self.order(other) >= 0

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Interval | Fraction | int):
            return NotImplemented
        return self.order(other) == 0

    def __hash__(self) -> int:
        return hash((self.low, self.high))


def _rational(raw: Any) -> Fraction:
    sign, mantissa, exponent, _ = raw
    whole = int(-mantissa if sign else mantissa)
    return Fraction(whole << int(exponent)) if exponent >= 0 else Fraction(whole, 1 << -int(exponent))


def _pair(value: Interval | Fraction | int) -> tuple[Any, Any]:
    whole = Interval.of(value)
    return whole.low, whole.high


def _outward(low: Any, high: Any) -> Interval:
    """Bounds whose last bits are not trusted, moved apart by more than those bits are worth."""
    mp = _mp()
    down = mp.mpf_shift(mp.mpf_abs(low), -PRECISION - _GUARD // 2)
    up = mp.mpf_shift(mp.mpf_abs(high), -PRECISION - _GUARD // 2)
    return Interval(mp.mpf_sub(low, down, PRECISION, "f"), mp.mpf_add(high, up, PRECISION, "c"))


def exp(x: Interval) -> Interval:
    mp = _mp()
    return _outward(mp.mpf_exp(x.low, PRECISION + _GUARD, "n"), mp.mpf_exp(x.high, PRECISION + _GUARD, "n"))


def log(x: Interval) -> Interval:
    """The logarithm of what is surely positive."""
    mp = _mp()
    if x.sign() <= 0:
        raise ExactError(f"the logarithm of {x} is no real number")
    return _outward(mp.mpf_log(x.low, PRECISION + _GUARD, "n"), mp.mpf_log(x.high, PRECISION + _GUARD, "n"))


def root(x: Interval, degree: int) -> Interval:
    """The positive root of what is surely positive."""
    if x.sign() <= 0:
        raise ExactError(f"the root of {x} is no real number")
    if degree == 2:
        mp = _mp()
        return Interval(mp.mpf_sqrt(x.low, PRECISION, "f"), mp.mpf_sqrt(x.high, PRECISION, "c"))
    return exp(log(x) * Fraction(1, degree))


def _cos_sin(x: Interval) -> tuple[Interval, Interval]:
    cosine, sine = _mp().libmpi.mpi_cos_sin((x.low, x.high), PRECISION + _GUARD)
    return _outward(*cosine), _outward(*sine)


def cos(x: Interval) -> Interval:
    return _cos_sin(x)[0]


def sin(x: Interval) -> Interval:
    return _cos_sin(x)[1]


@lru_cache(maxsize=1)
def pi() -> Interval:
    mp = _mp()
    return _outward(mp.mpf_pi(PRECISION + _GUARD, "f"), mp.mpf_pi(PRECISION + _GUARD, "c"))


def erf(x: Interval) -> Interval:
    """The error function, which increases: its values at both bounds."""
    return Interval(_erf_at(x.low).low, _erf_at(x.high).high)


def _erf_at(raw: Any) -> Interval:
    """At one point x >= 0:  erf(x) = 2/sqrt(pi) * exp(-x^2) * sum(n) 2^n x^(2n+1) / (1*3*...*(2n+1)).

    All terms are positive; once their ratio 2x^2/(2n+3) is at most 1/2, the rest is at most the last term.
    """
    mp = _mp()
    if raw == mp.fzero:
        return Interval(mp.fzero, mp.fzero)
    if mp.mpf_sign(raw) < 0:
        return -_erf_at(mp.mpf_neg(raw))
    if mp.mpf_ge(raw, mp.from_int(_SERIES_LIMIT)):
        return Interval.between(1 - Fraction(1, 2**243), 1)
    x = Interval(raw, raw)
    square = x * x
    term, total, n = x, x, 0
    while True:
        n += 1
        term = term * square * Fraction(2, 2 * n + 1)
        total = total + term
        ratio = square * Fraction(2, 2 * n + 3)
        small = mp.mpf_lt(mp.mpf_shift(term.high, PRECISION + 5), total.low)
        if small and mp.mpf_le(ratio.high, mp.fhalf):
            break
    total = Interval(total.low, (total + term).high)
    return total * exp(-square) * 2 / root(pi(), 2)
