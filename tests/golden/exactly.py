"""Golden numbers are compared exactly: rationals are equal, and intervals of 50 digits enclose the number."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import numpy as np

import paperback as pb
from paperback import engines
from paperback.calculus import interval
from paperback.calculus.interval import Interval

TIGHT = Fraction(1, 10**45)


def run(formula: pb.Formula, /, **arrays: Any) -> Any:
    """The result of a formula in the exact engine, as nested lists or one number."""
    known = set(formula.block.inputs) | set(formula.block.scalars)
    sizes = {name: value for name, value in arrays.items() if name not in known and isinstance(value, int)}
    given = {name: value for name, value in arrays.items() if name in known}
    result = engines.run(formula.block, given, sizes, engine="exact")[formula.block.result.target]
    return result if result.ndim else result.item()


def log(value: int | Fraction) -> Interval:
    return interval.log(Interval.of(Fraction(value)))


def agrees(value: Any, expected: Any) -> bool:
    """Equal, entry by entry; an interval must be tight and enclose the expected number (or overlap an interval)."""
    value, expected = np.asarray(value, dtype=object), np.asarray(expected, dtype=object)
    return value.shape == expected.shape and all(map(_agrees, value.ravel(), expected.ravel()))


def _agrees(value: Any, expected: Any) -> bool:
    if isinstance(expected, Interval):
        return Interval.of(value).overlaps(expected) and Interval.of(value).width < TIGHT
    if isinstance(value, Interval):
        return value.width < TIGHT and value.contains(Fraction(expected))
    return Fraction(value) == Fraction(expected)


def near(value: Any, expected: Any, tolerance: float = 1e-12) -> bool:
    """|error| <= tolerance * (1 + |expected|), entry by entry: the class T12 of golden numbers."""
    value = np.vectorize(as_float, otypes=[float])(np.asarray(value, dtype=object))
    expected = np.asarray(expected, dtype=float)
    if value.shape != expected.shape:
        return False
    return bool(np.all(np.abs(value - expected) <= tolerance * (1 + np.abs(expected))))


def as_float(value: Any) -> float:
    return float((value.lower + value.upper) / 2) if isinstance(value, Interval) else float(value)
