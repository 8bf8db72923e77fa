"""What an operation of the corpus is, and the referee that says what its gradient is.

An operation is two plain functions over arrays, written by hand: `forward(*arguments)` gives an array (or a tuple of
them), `backward(cotangent, *arguments)` a tuple of gradients, one per argument, None for an argument of integers. Its
sample draws arguments with sides that differ, away from kinks.

The referee knows only the forward: central differences of fourth order, one per entry of each argument.
"""

from __future__ import annotations

__all__ = [
    "Array",
    "Backward",
    "Forward",
    "Operation",
    "apart",
    "away",
    "difference",
    "draw",
    "normal",
    "numeric",
    "slopes",
]

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

Array = NDArray[Any]
Forward = Callable[..., Any]
Backward = Callable[..., tuple[Array | None, ...]]
STEP = 1e-3


@dataclass(frozen=True)
class Operation:
    """A function, the gradient somebody wrote for it, and arguments to try it on."""

    name: str
    arguments: tuple[str, ...]
    forward: Forward
    backward: Backward
    sample: Callable[[Generator], tuple[Array, ...]]

    def position(self, argument: str) -> int:
        return self.arguments.index(argument)


def normal(*shapes: Sequence[int]) -> Callable[[Generator], tuple[Array, ...]]:
    """Arguments of these shapes, normally distributed."""
    return lambda rng: tuple(rng.normal(size=shape) for shape in shapes)


def away(*shapes: Sequence[int], least: float = 0.3) -> Callable[[Generator], tuple[Array, ...]]:
    """The same, none closer to zero than `least`: for functions with a kink there."""

    def sample(rng: Generator) -> tuple[Array, ...]:
        made = (rng.normal(size=shape) for shape in shapes)
        return tuple(np.where(x < 0, x - least, x + least) for x in made)

    return sample


def apart(shape: Sequence[int], rng: Generator) -> Array:
    """Numbers of which no two are closer than 0.1: a maximum over them has no tie nearby."""
    size = int(np.prod(shape))
    return (rng.permutation(size) - size / 2).reshape(shape) * 0.1


def draw(output: Any, rng: Generator) -> Any:
    """A random cotangent for such an output; no entry is close to zero."""
    if isinstance(output, tuple):
        return tuple(draw(part, rng) for part in output)
    g = rng.normal(size=np.shape(output))
    return np.asarray(np.where(g < 0, g - 0.1, g + 0.1))


def paired(output: Any, g: Any) -> float:
    """<output, g>."""
    if isinstance(output, tuple):
        return sum(paired(part, h) for part, h in zip(output, g, strict=True))
    return float(np.sum(np.asarray(output) * g))


def numeric(forward: Forward, g: Any, arguments: Sequence[Array]) -> tuple[Array | None, ...]:
    """The gradients of <forward, g>, from differences of the forward alone."""
    return tuple(
        _of_argument(forward, g, arguments, k) if arguments[k].dtype.kind == "f" else None
        for k in range(len(arguments))
    )


def _of_argument(forward: Forward, g: Any, arguments: Sequence[Array], k: int) -> Array:
    gradient = np.zeros(arguments[k].shape)
    for place in np.ndindex(*gradient.shape):

        def at(step: float, place: tuple[int, ...] = place) -> float:
            moved = [np.array(x) for x in arguments]
            moved[k][place] += step
            return paired(forward(*moved), g)

        gradient[place] = (8 * (at(STEP) - at(-STEP)) - (at(2 * STEP) - at(-2 * STEP))) / (12 * STEP)
    return gradient


def difference(returned: Array | None, true: Array) -> float:
    """How wrong a gradient is, relative to the larger of the two; infinite where there is none of that shape."""
    if returned is None or np.shape(returned) != true.shape or not np.isfinite(returned).all():
        return np.inf
    scale = max(np.abs(true).max(initial=0), np.abs(returned).max(initial=0), 1e-300)
    return float(np.abs(returned - true).max(initial=0) / scale)


def slopes(forward: Forward, g: Any, arguments: Sequence[Array], k: int, place: tuple[int, ...], value: float) -> bool:
    """Does the value lie between the slopes from both sides, for some step, up to the error of its differences?"""
    x = arguments[k][place]
    if not np.isfinite(x):  # where nothing moves
        return value == 0
    size = abs(float(x)) or float(np.abs(arguments[k][np.isfinite(arguments[k])]).max(initial=0)) or 1.0
    for step in size * 10.0 ** -np.arange(2, 14.5, 0.5):

        def at(h: float, step: float = step) -> float:
            moved = [np.array(a) for a in arguments]
            moved[k][place] += h * step
            with np.errstate(all="ignore"):
                return paired(forward(*moved), g)

        middle = at(0)
        sides = [s * (-3 * middle + 4 * at(s) - at(2 * s)) / (2 * step) for s in (-1, 1)]
        known = 1e-4 * max(abs(value), *map(abs, sides)) + 30 * np.finfo(float).eps * abs(middle) / step
        if np.isfinite(sides).all() and min(sides) - known <= value <= max(sides) + known:
            return True
    return False
