"""x^(p/q) for a constant exponent.

    p small, q = 1      repeated multiplication
    q = 2               the same of sqrt(x)
    p < 0               1/x^(-p/q)
    otherwise           exp(y log|x|), y the float nearest to p/q: in double for float

The cases are those of the NumPy engine, so that both round alike: a negative x has no power unless y is whole, an odd y
keeps the sign.
"""

from __future__ import annotations

__all__ = ["raised"]

from fractions import Fraction
from math import inf, nan

import numpy as np

from paperback.engines.llvm.exponential import exp, log_of_split, split
from paperback.engines.llvm.vectors import Vector

_LAST_MULTIPLIED = 64


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
    return float(np.float32(float(exponent))) if element == "float" else float(exponent)


def _general(x: Vector, y: float) -> Vector:
    """x^y for a positive float y, odd, even or not whole."""
    if y == 0:
        return x.like(1.0)
    size = x.abs()
    if x.element == "float":
        value = exp(log_of_split(*split(size.wide())[:2]) * y).narrow()
    else:
        value = exp(log_of_split(*split(size)[:2]) * y)
    if y % 1:
        value = (x < 0.0).select(x.like(nan), value)
    value = (size < inf).select(value, size)  # inf and NaN
    value = size.is_(0.0).select(size, value)
    return value.signed(x.sign()) if y % 2 == 1 else value
