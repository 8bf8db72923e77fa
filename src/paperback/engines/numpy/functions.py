"""The scalar functions on arrays: stable for large arguments, NaN wins, in the dtype of the argument.

    sigmoid(x) = 1/(1 + e),  e/(1 + e)        e = exp(-|x|), for x >= 0, x < 0
    softplus(x) = max(x, 0) + log1p(exp(-|x|))
    erf(c + h) = erf(c) + 2/sqrt(pi) exp(-c^2) sum(n) (-1)^n H_n(c) h^(n+1)/(n+1)!     |h| <= 1/32

erf is its Taylor series about the nearest of 97 centres c = k/16; beyond |x| = 6 it is 1 to the last bit. Ten terms
leave less than 1e-17.
"""

from __future__ import annotations

__all__ = ["FUNCTIONS", "erf", "number_of", "raise_to", "select"]

from collections.abc import Callable, Mapping
from decimal import MAX_EMAX, Context, Decimal
from fractions import Fraction
from math import erf as exact_erf
from math import exp, factorial, pi, sqrt
from typing import Any

import numpy as np

from paperback.errors import EngineError

Array = np.ndarray[Any, Any]

_PER_UNIT = 16
_LAST = 6 * _PER_UNIT


def _taylor(terms: int) -> Array:
    """Row k: erf and its Taylor coefficients at k/16."""
    table = np.zeros((_LAST + 1, terms + 1))
    for row in range(_LAST + 1):
        c = row / _PER_UNIT
        slope = 2 / sqrt(pi) * exp(-c * c)
        table[row, 0] = exact_erf(c)
        before, hermite = 0.0, 1.0
        for n in range(terms):
            table[row, n + 1] = slope * (-1) ** n * hermite / factorial(n + 1)
            before, hermite = hermite, 2 * c * hermite - 2 * n * before
    return table


_TAYLOR = _taylor(10)


def erf(x: Array) -> Array:
    """The error function, to about one unit in the last place."""
    x = np.asarray(x)
    terms = 5 if x.dtype == np.float32 else 10
    size = np.minimum(np.abs(x), 6)
    row = np.rint(np.where(np.isnan(size), 0, size) * _PER_UNIT).astype(np.intp)
    h = size - row.astype(x.dtype) / _PER_UNIT
    table = _TAYLOR.astype(x.dtype, copy=False)
    result = np.take(table[:, terms], row)
    for n in range(terms - 1, -1, -1):
        result = result * h + np.take(table[:, n], row)
    return np.asarray(np.copysign(result, x))


def _decimal(value: Fraction) -> str:
    """Four digits of a number that no float holds."""
    return f"{Context(prec=4, Emax=MAX_EMAX).divide(Decimal(value.numerator), Decimal(value.denominator)):g}"


def number_of(value: Fraction | float, dtype: np.dtype[Any]) -> Any:
    """A constant of a formula in the engine's dtype; EngineError where it is finite, but too large for it."""
    if isinstance(value, float):
        return dtype.type(value)
    largest = float(np.finfo(dtype).max)
    if abs(value) > Fraction(largest):
        raise EngineError(f"the constant {_decimal(value)} is too large for {dtype}\n  needed: at most {largest:.4g}")
    return dtype.type(float(value))


def select(mask: Array, value: Array) -> Array:
    """The value where the mask holds, else +0, whatever it was: on the bits, as a branch per element is slow."""
    value = np.asarray(value)
    bits = np.dtype(f"i{value.itemsize}")
    keep = np.negative(np.asarray(mask).astype(bits))  # all ones where true
    return np.asarray(np.bitwise_and(value.view(bits), keep)).view(value.dtype)


def sigmoid(x: Array) -> Array:
    e = np.exp(-np.abs(x))
    return np.asarray(np.where(x < 0, e, 1) / (1 + e))


def softplus(x: Array) -> Array:
    return np.asarray(np.maximum(x, 0) + np.log1p(np.exp(-np.abs(x))))


def relu(x: Array) -> Array:
    return np.asarray(np.maximum(x, 0))


def step(x: Array) -> Array:
    """1 from 0 on; 0 for NaN, as every comparison with it is false."""
    return np.asarray(np.greater_equal(x, 0).astype(np.asarray(x).dtype))


FUNCTIONS: Mapping[str, Callable[..., Any]] = {
    "exp": np.exp,
    "log": np.log,
    "log1p": np.log1p,
    "expm1": np.expm1,
    "sqrt": np.sqrt,
    "sin": np.sin,
    "cos": np.cos,
    "tan": np.tan,
    "tanh": np.tanh,
    "sigmoid": sigmoid,
    "softplus": softplus,
    "relu": relu,
    "abs": np.abs,
    "sign": np.sign,
    "step": step,
    "erf": erf,
    "max": np.maximum,
    "min": np.minimum,
}


def raise_to(x: Array, exponent: Fraction) -> Array:
    """x^(p/q): repeated multiplication for small p, a square root for q = 2, the reciprocal for p < 0."""
    if exponent < 0:
        return np.asarray(1 / raise_to(x, -exponent))
    if exponent.denominator == 2:
        x, exponent = np.sqrt(x), Fraction(exponent.numerator)
    if exponent.denominator != 1 or exponent > 64:
        return np.asarray(np.power(x, np.asarray(x).dtype.type(float(exponent))))
    result, square, power = None, x, int(exponent)
    while power:
        if power & 1:
            result = square if result is None else result * square
        power >>= 1
        if power:
            square = square * square
    return np.asarray(result)
