"""What the tests of the claims share: one layer with given numbers, run and differentiated by the public API.

Referees are numbers of the catalogue, explicit loops, NumPy's own functions, fractions, finite differences.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from itertools import product
from typing import Any

import numpy as np

import paperback as pb

Array = np.ndarray[Any, Any]


def model_of(
    net: pb.nn.Layer, shape: tuple[int, ...], numbers: Mapping[str, Any] | None = None, **settings: Any
) -> pb.Model:
    """A float64 model; `numbers` are its parameters by name, in any shape that fits."""
    made = pb.Model(net, shape, **{"dtype": "float64", "engine": "numpy", **settings})
    sizes = {name: array.shape for name, array in {**made.parameters, **made.state}.items()}
    made.set_parameters({name: np.reshape(value, sizes[name]) for name, value in (numbers or {}).items()})
    return made


def run(net: pb.nn.Layer, x: Any, numbers: Mapping[str, Any] | None = None, **settings: Any) -> Array:
    """The output for one example."""
    one = np.asarray(x, dtype=float)
    return np.asarray(model_of(net, one.shape, numbers, **settings).predict(one[None])[0])


def pull(net: pb.nn.Layer, x: Any, v: Any, numbers: Mapping[str, Any] | None = None) -> dict[str, Array]:
    """The gradients of sum(v*y) for one example, by the input and by every parameter."""
    one = np.asarray(x, dtype=float)
    made = model_of(net, one.shape, numbers)
    _, gradients = made.vjp(one[None], np.asarray(v, dtype=float).reshape(1, *made.network.output_shape))
    return {**gradients, "input": gradients["input"][0]}


def places(*extents: int) -> Iterator[tuple[int, ...]]:
    return product(*map(range, extents))


def at(x: Array, *index: int) -> float:
    """x there, 0 outside."""
    inside = all(0 <= i < n for i, n in zip(index, x.shape, strict=True))
    return float(x[index]) if inside else 0.0


def slope(function: Callable[[Array], float], x: Array, h: float = 1e-6) -> Array:
    """Central differences of a number by every entry of x."""
    found = np.empty_like(x, dtype=float)
    for place in places(*x.shape):
        up, down = x.copy(), x.copy()
        up[place] += h
        down[place] -= h
        found[place] = (function(up) - function(down)) / (2 * h)
    return found
