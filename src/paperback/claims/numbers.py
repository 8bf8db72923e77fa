"""Exact numbers: of formulas at given inputs, and at inputs that are drawn.

    number("log(4/3)")                          an interval of 50 digits; "1/3" is a fraction
    value(formula, {"x": [1, 2], "k": 3})       the result in the exact engine
    draw([formula, ...], seed)                  small sizes that meet every constraint, small fractions for the tensors
"""

from __future__ import annotations

__all__ = ["Given", "draw", "functions_of", "number", "parts_of", "text", "value"]

import random
from collections.abc import Mapping, Sequence
from fractions import Fraction
from functools import lru_cache
from typing import Any, TypeAlias

import numpy as np

from paperback import engines
from paperback.calculus.closures import Function
from paperback.calculus.interval import Interval
from paperback.errors import EngineError
from paperback.formulas import Formula, formula
from paperback.notation.bind import holds
from paperback.notation.size import evaluate

Given: TypeAlias = Mapping[str, Any]  # tensors as nested lists, sizes as ints; a number may be a text, "log(3)"
Objects: TypeAlias = "np.ndarray[Any, np.dtype[np.object_]]"

_LARGEST = 5  # of a size that is drawn
_TRIES = 2000


def number(given: Any) -> Objects:
    """An array of exact numbers from nested lists of numbers and texts."""
    objects = np.asarray(given, dtype=object)
    return np.vectorize(lambda x: _written(x) if isinstance(x, str) else x, otypes=[object])(objects)


@lru_cache(maxsize=1000)
def _written(text: str) -> Any:
    return value(formula(f"y = {text}"), {}).item()


def value(of: Formula, given: Given) -> Objects:
    """The result of a formula in exact arithmetic; what it does not know is left aside."""
    sizes, arrays = parts_of(of, given)
    return engines.run(of.block, arrays, sizes, engine="exact", functions=functions_of(of))[of.block.result.target]


def parts_of(of: Formula, given: Given) -> tuple[dict[str, int], dict[str, Objects]]:
    """The sizes and the tensors among what is given that a formula knows."""
    tensors = {*of.block.inputs, *of.block.scalars}
    sizes = {name: x for name, x in given.items() if name in of.block.size_names - tensors}
    return sizes, {name: number(x) for name, x in given.items() if name in tensors}


def functions_of(of: Formula) -> dict[str, Function]:
    """Functions that grow, one for each name that a formula leaves open, and their derivatives for phi', phi''."""
    names = sorted({name.rstrip("'") for name in of.block.functions})
    return {name: _cubic(names.index(name.rstrip("'")) + 1, name.count("'")) for name in of.block.functions}


def _cubic(slope: int, order: int) -> Function:
    """x^3 + slope*x, or its derivative of this order."""
    cubic: tuple[Function, ...] = (
        lambda x: x * x * x + x * slope,
        lambda x: x * x * 3 + slope,
        lambda x: x * 6,
        lambda x: x * 0 + 6,
    )
    return cubic[order]


def draw(formulas: Sequence[Formula], seed: int, least: int = 1) -> dict[str, Any]:
    """Inputs at which all the formulas can be computed."""
    dice = random.Random(seed)
    names = sorted({name for f in formulas for name in f.block.size_names})
    facts = [fact for f in formulas for fact in f.block.facts]
    axes = {name: tensor for f in formulas for name, tensor in f.block.inputs.items()}
    for _ in range(_TRIES):
        sizes = {name: dice.randint(least, _LARGEST) for name in names}
        if all(holds(fact, sizes) for fact in facts):
            break
    else:
        raise EngineError(f"no sizes up to {_LARGEST} meet {', '.join(map(str, facts))}")
    drawn: dict[str, Any] = dict(sizes)
    for name, tensor in axes.items():
        shape = [evaluate(axis, sizes) for axis in tensor.axes]
        drawn[name] = np.array([_drawn(dice, tensor.integer) for _ in range(int(np.prod(shape)))], object)
        drawn[name] = drawn[name].reshape(shape)
    return drawn | {name: _drawn(dice, False) for f in formulas for name in f.block.scalars}


def _drawn(dice: random.Random, whole: bool) -> Fraction:
    return Fraction(0) if whole else Fraction(dice.choice([-1, 1]) * dice.randint(1, 11), 4)


def text(found: Any) -> str:
    """A number, or an array of them, for people."""
    found = np.asarray(found, dtype=object)
    if found.ndim:
        return f"[{', '.join(text(part) for part in found)}]"
    one = found.item()
    return f"{float(one):.6g}" if isinstance(one, Interval | float) else str(one)
