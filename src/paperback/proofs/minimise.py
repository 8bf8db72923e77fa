"""Making a counterexample small: the smallest sizes, then as many zeros, ones and small whole numbers as possible."""

from __future__ import annotations

__all__ = ["minimised"]

from collections.abc import Iterator, Mapping
from dataclasses import replace
from fractions import Fraction
from random import Random
from typing import Any

import numpy as np

from paperback.calculus.interval import ExactError
from paperback.errors import EngineError
from paperback.proofs.pair import Pair
from paperback.proofs.search import WORK, Difference, Point, differs, points, sizes_in_order, work

_SIMPLE = tuple(Fraction(n) for n in (0, 1, -1, 2))
_TRIES = 300  # evaluations


def minimised(pair: Pair, point: Point, random: Random) -> tuple[Point, Difference]:
    """A simpler point at which both sides still differ, and the difference there."""
    point = _smaller_sizes(pair, point, random)
    left = _TRIES
    for candidate in _bulk(point):
        left -= 1
        if _refutes(pair, candidate):
            point = candidate
    for name in point.inputs:
        for place in range(np.asarray(point.inputs[name], dtype=object).size):
            for value in _SIMPLE:
                current = _entry(point.inputs[name], place)
                if left <= 0 or _SIMPLE.index(value) >= _simplicity(current):
                    break
                left -= 1
                candidate = _with(point, name, place, value)
                if _refutes(pair, candidate):
                    point = candidate
                    break
    difference = differs(pair, point)
    assert difference is not None
    return point, difference


def _simplicity(value: Any) -> int:
    return _SIMPLE.index(value) if value in _SIMPLE else len(_SIMPLE)


def _refutes(pair: Pair, point: Point) -> bool:
    try:
        return differs(pair, point) is not None
    except (EngineError, ExactError, ZeroDivisionError):
        return False


def _smaller_sizes(pair: Pair, point: Point, random: Random) -> Point:
    total = sum(point.sizes.values())
    for tries, sizes in enumerate(sizes_in_order(pair)):
        if sum(sizes.values()) >= total or tries > 60:
            break
        if sum(work(block, sizes) for block in pair.sides) > WORK:
            continue
        for candidate in points(pair, sizes, random):
            if _refutes(pair, candidate):
                return candidate
    return point


def _bulk(point: Point) -> Iterator[Point]:
    """One input at a time all zeros, or all ones."""
    for name, value in point.inputs.items():
        for number in (Fraction(0), Fraction(1)):
            filled: Any = number
            if isinstance(value, np.ndarray):
                filled = np.empty(value.shape, dtype=object)
                filled.fill(number)
            inputs: Mapping[str, Any] = {**point.inputs, name: filled}
            yield replace(point, inputs=inputs)


def _entry(value: Any, place: int) -> Any:
    return value.flat[place] if isinstance(value, np.ndarray) else value


def _with(point: Point, name: str, place: int, value: Fraction) -> Point:
    old = point.inputs[name]
    new: Any = value
    if isinstance(old, np.ndarray):
        new = old.copy()
        new.flat[place] = value
    return replace(point, inputs={**point.inputs, name: new})
