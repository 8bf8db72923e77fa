"""Exact numbers of formulas at given inputs.

    number("log(4/3)")                          an interval of 50 digits; "1/3" is a fraction
    value(formula, {"x": [1, 2], "k": 3})       the result in the exact engine
"""

from __future__ import annotations

__all__ = ["Given", "Objects", "near", "number", "parts_of", "text", "value"]

from collections.abc import Mapping
from functools import lru_cache
from typing import Any, TypeAlias

import numpy as np

from paperback import engines
from paperback.calculus.interval import Interval
from paperback.formulas import Formula, formula

Given: TypeAlias = Mapping[str, Any]  # tensors as nested lists, sizes as ints; a number may be a text, "log(3)"
Objects: TypeAlias = "np.ndarray[Any, np.dtype[np.object_]]"


def number(given: Any) -> Objects:
    """An array of exact numbers from nested lists of numbers and texts."""
    objects = np.asarray(given, dtype=object)
    exact: Objects = np.vectorize(lambda x: _written(x) if isinstance(x, str) else x, otypes=[object])(objects)
    return exact


@lru_cache(maxsize=1000)
def _written(text: str) -> Any:
    return value(formula(f"y = {text}"), {}).item()


def value(of: Formula, given: Given) -> Objects:
    """The result of a formula in exact arithmetic; what it does not know is left aside."""
    sizes, arrays = parts_of(of, given)
    found: Objects = engines.run(of.block, arrays, sizes, engine="exact")[of.block.result.target]
    return found


def parts_of(of: Formula, given: Given) -> tuple[dict[str, int], dict[str, Objects]]:
    """The sizes and the tensors among what is given that a formula knows."""
    tensors = {*of.block.inputs, *of.block.scalars}
    sizes = {name: x for name, x in given.items() if name in of.block.size_names - tensors}
    return sizes, {name: number(x) for name, x in given.items() if name in tensors}


def near(found: Any, wanted: Any, within: float = 1e-12) -> bool:
    """|error| <= within*(1 + |wanted|), entry by entry."""
    found, wanted = np.asarray(found, dtype=float), np.asarray(number(wanted), dtype=float)
    return found.shape == wanted.shape and bool((abs(found - wanted) <= within * (1 + abs(wanted))).all())


def text(found: Any) -> str:
    """A number, or an array of them, for people."""
    found = np.asarray(found, dtype=object)
    if found.ndim:
        return f"[{', '.join(text(part) for part in found)}]"
    one = found.item()
    return f"{float(one):.6g}" if isinstance(one, Interval | float) else str(one)
