"""What a test case of a layer is, and the references that several modules of cases share.

A case is (id, make, reference): `make(rng)` gives the layer and an input shape; `reference(layer, x, p)` is the same
layer in PyTorch, x channels-last with its batch, p the network's parameters, state and masks by their full names
("conv2d_1.w"). Shapes are small, not square, prime where that fits, and what comes in is not what goes out.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import numpy as np
import pytest

torch = pytest.importorskip("torch")
F = torch.nn.functional

from paperback.nn import Layer  # noqa: E402

Tensors = Mapping[str, Any]


class Case(NamedTuple):
    id: str
    make: Callable[[np.random.Generator], tuple[Layer, tuple[int, ...]]]
    reference: Callable[[Any, Any, Tensors], Any]
    batch: int = 3


def distinct(rng: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
    """Short decimals, all different and none of them 0: no ties, no kinks."""
    size = int(np.prod(shape))
    return (rng.permutation(size) - size // 2 + 0.5).reshape(shape) / 16


def arrays(network: Any, rng: np.random.Generator, batch: int) -> dict[str, np.ndarray]:
    """An input, parameters, state and masks for a network: what one call of its programs needs."""
    shape = (batch, *network.input_shape)
    if network.train.tensors["input"].integer:
        values = {"input": rng.integers(0, min(spec.shape[0] for spec in network.parameters.values()), shape)}
    else:
        values = {"input": distinct(rng, shape)}
    for name, spec in network.parameters.items():
        values[name] = rng.integers(-15, 16, spec.shape) / 16 + 1 / 32
    for name, spec in network.state.items():
        values[name] = rng.integers(1, 16, spec.shape) / 8
    for name, mask in network.masks.items():
        values[name] = (rng.random((batch, *mask.shape)) < mask.keep).astype(float)
    return values


def fixed(name: str, layer: Layer, shape: tuple[int, ...], reference: Any, batch: int = 3) -> Case:
    return Case(name, lambda rng: (layer, shape), reference, batch)


def pads_of(layer: Any, kernel: tuple[int, ...], x: Any) -> list[tuple[int, int]]:
    """The pads of a convolution, written down here once more: the layer's own arithmetic is what is tested."""
    rank = len(kernel)
    stride, dilation = each(layer.stride, rank), each(layer.dilation, rank)
    if layer.padding == "valid":
        return [(0, 0)] * rank
    if layer.padding == "full":
        return [(d * (k - 1), d * (k - 1)) for k, d in zip(kernel, dilation, strict=True)]
    if layer.padding == "same":
        pads = []
        for n, k, s, d in zip(x.shape[1 : 1 + rank], kernel, stride, dilation, strict=True):
            outputs = (n + s - 1) // s
            total = max((outputs - 1) * s + d * (k - 1) + 1 - n, 0)
            pads.append((total // 2, total - total // 2))
        return pads
    sides = layer.padding if isinstance(layer.padding, tuple) else (layer.padding,) * rank
    return [side if isinstance(side, tuple) else (side, side) for side in sides]


def each(value: Any, rank: int) -> tuple[int, ...]:
    return tuple(value) if isinstance(value, tuple) else (value,) * rank


def conv(layer: Any, x: Any, p: Tensors, name: str | None = None) -> Any:
    rank = x.ndim - 2
    name = name or f"conv{rank}d_1"
    w = p[f"{name}.w"]
    pads = [n for pair in reversed(pads_of(layer, tuple(w.shape[:rank]), x)) for n in pair]
    if layer.flip:
        w = torch.flip(w, tuple(range(rank)))
    w = w.permute(rank + 1, rank, *range(rank))  # H W I O -> O I H W
    x = F.pad(x.movedim(-1, 1), pads)
    stride, dilation = each(layer.stride, rank), each(layer.dilation, rank)
    function, groups = {1: F.conv1d, 2: F.conv2d, 3: F.conv3d}[rank], getattr(layer, "groups", 1)
    y = function(x, w, None, stride, 0, dilation, groups).movedim(1, -1)
    bias = p.get(f"{name}.b")
    return y if bias is None else y + bias


def dense(layer: Any, x: Any, p: Tensors) -> Any:
    return F.linear(x, p["dense_1.w"].T, p.get("dense_1.b"))
