"""What a test case of a layer is: an id, a layer, the shape of one example of its input; and the numbers it gets.

Shapes are small, not square, prime where that fits, and what comes in is not what goes out.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from paperback.nn import Layer


class Case(NamedTuple):
    id: str
    layer: Layer
    shape: tuple[int, ...]
    batch: int = 3
    values: str = "distinct"  # of the input; or "coarse": ties, zeros, kinks; or "real": any float32


def distinct(rng: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
    """Short decimals, all different and none of them 0: no ties, no kinks."""
    size = int(np.prod(shape))
    return (rng.permutation(size) - size // 2 + 0.5).reshape(shape) / 16


def numbers(rng: np.random.Generator, shape: tuple[int, ...], values: str) -> np.ndarray:
    if values == "distinct":
        return distinct(rng, shape)
    if values == "coarse":
        return rng.integers(-4, 5, shape) / 4
    return rng.standard_normal(shape).astype(np.float32).astype(float)


def arrays(network: Any, rng: np.random.Generator, batch: int, values: str = "distinct") -> dict[str, np.ndarray]:
    """An input, parameters, state and masks for a network: what one call of its programs needs."""
    shape = (batch, *network.input_shape)
    if network.train.tensors["input"].integer:
        given = {"input": rng.integers(0, min(spec.shape[0] for spec in network.parameters.values()), shape)}
    else:
        given = {"input": numbers(rng, shape, values)}
    for name, spec in network.parameters.items():
        given[name] = rng.integers(-15, 16, spec.shape) / 16 + 1 / 32
    for name, spec in network.state.items():
        given[name] = rng.integers(1, 16, spec.shape) / 8
    for name, mask in network.masks.items():
        given[name] = (rng.random((batch, *mask.shape)) < mask.keep).astype(float)
    return given
