"""x^(p/q) for a constant exponent, by the cases of the NumPy engine.

    p small, q = 1      repeated multiplication
    q = 2               the same of sqrt(x)
    p < 0               1/x^(-p/q)
    otherwise           exp(y log|x|), y the float nearest to p/q

The last needs a logarithm with more bits than its result, as y log|x| goes up to 745: float computes in double, double
in pairs of doubles (high, low) whose sum is meant, from

    log(m) = 2 s + 2/3 s^3 + s^5 P(s^2)         s = (m - 1)/(m + 1)

A negative x has no power unless y is whole; an odd y keeps the sign.
"""

from __future__ import annotations

__all__ = ["raised"]

from fractions import Fraction
from math import inf, nan

import numpy as np

from paperback.engines.llvm.functions.exponential import exp, log2_parts, log_of_split, split
from paperback.engines.llvm.functions.polynomials import COEFFICIENTS
from paperback.engines.llvm.functions.vectors import Vector, horner, two_sum

_LAST_MULTIPLIED = 64
_LAST_EXPONENT = 1000.0

Pair = tuple[Vector, Vector]


def raised(x: Vector, exponent: Fraction) -> Vector:
    if exponent < 0:
        return 1.0 / raised(x, -exponent)
    if exponent.denominator == 2:
        x, exponent = x.sqrt(), Fraction(exponent.numerator)
    if exponent.denominator != 1 or exponent > _LAST_MULTIPLIED:
        return _general(x, _nearest(exponent, x.element))
    result, square, power = None, x, int(exponent)
    while power:
        if power & 1:
            result = square if result is None else result * square
        power >>= 1
        if power:
            square = square * square
    return x.like(1.0) if result is None else result


def _nearest(exponent: Fraction, element: str) -> float:
    """The exponent as the NumPy engine rounds it, and no more than the largest number."""
    dtype = np.float32 if element == "float" else np.float64
    return float(dtype(float(min(exponent, Fraction(float(np.finfo(dtype).max))))))


def _general(x: Vector, y: float) -> Vector:
    """x^y for a positive float y, odd, even or not whole."""
    if y == 0:
        return x.like(1.0)
    size = x.abs()
    if x.element == "float":
        value = exp(log_of_split(*split(size.wide())) * y).narrow()
    else:
        high, low = _product((size.like(y), size.like(0.0)), _long_log(size))
        value = exp(high, (high.abs() < _LAST_EXPONENT).select(low, 0.0))
    if y % 1:
        value = (x < 0.0).select(x.like(nan), value)
    value = (size < inf).select(value, size)  # inf and NaN
    value = size.is_(0.0).select(size, value)
    return value.signed(x.sign()) if y % 2 == 1 else value


# --- pairs of doubles ------------------------------------------------------------------------------------------------


def _halves(a: Vector) -> Pair:
    """a in two parts of about 26 bits."""
    high = (a.bits() & (-1 << 27)).real()
    return high, a - high


def _exact_product(a: Vector, b: Vector) -> Pair:
    """a*b, rounded, and what was lost (Dekker): no machine needs FMA for it."""
    product = a * b
    (a1, a2), (b1, b2) = _halves(a), _halves(b)
    return product, (((a1 * b1 - product) + a1 * b2) + a2 * b1) + a2 * b2


def _product(a: Pair, b: Pair) -> Pair:
    product, lost = _exact_product(a[0], b[0])
    return product, lost + (a[0] * b[1] + a[1] * b[0])


def _long_log(x: Vector) -> Pair:
    """log(x) for a positive double, to about 2^-65 of it."""
    k, f = split(x)
    below, lost = two_sum(f.like(2.0), f)
    s = f / below
    product, error = _exact_product(s, below)
    pair = s, (((f - product) - error) - s * lost) / below
    square = _product(pair, pair)
    z = square[0]
    third = Fraction(2, 3)
    near = float(third)
    cubic = _product(square, (z.like(near), z.like(float(third - Fraction(near)))))
    cubic = cubic[0], cubic[1] + (z * z) * horner(z, COEFFICIENTS["power", "double"])
    curve = _product(pair, cubic)
    high, low = log2_parts("double")
    total, first = two_sum(k * high, s * 2.0)
    total, second = two_sum(total, curve[0])
    return two_sum(total, (first + second) + (curve[1] + k.fma(low, pair[1] * 2.0)))
