"""Layers as test cases: every law about layers runs on every one of these.

A case is (id, make, reference): `make(rng)` gives the layer and an input shape; `reference(layer, x, p)` is the same
layer in PyTorch, x channels-last with its batch, p the network's parameters, state and masks by their full names
("conv2d_1.w"). Shapes are small, not square, prime where that fits, and what comes in is not what goes out.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import numpy as np
import pytest

torch = pytest.importorskip("torch")
F = torch.nn.functional

from paperback.nn import (  # noqa: E402
    AvgPool2d,
    BatchNorm,
    Conv1d,
    Conv2d,
    Dense,
    Dropout,
    Flatten,
    Layer,
    MaxPool2d,
    ReLU,
    Residual,
    Sequential,
    Sigmoid,
    Softmax,
    Step,
    Tanh,
)  # fmt: skip

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
    values = {"input": distinct(rng, (batch, *network.input_shape))}
    for name, spec in network.parameters.items():
        values[name] = rng.integers(-15, 16, spec.shape) / 16 + 1 / 32
    for name, spec in network.state.items():
        values[name] = rng.integers(1, 16, spec.shape) / 8
    for name, mask in network.masks.items():
        values[name] = (rng.random((batch, *mask.shape)) < mask.keep).astype(float)
    return values


# --- references -------------------------------------------------------------------------------------------------------


def _pads(layer: Any, x: Any, rank: int) -> list[tuple[int, int]]:
    """The pads of a convolution, written down here once more: the layer's own arithmetic is what is tested."""
    kernel, stride, dilation = (_each(v, rank) for v in (layer.kernel, layer.stride, layer.dilation))
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


def _each(value: Any, rank: int) -> tuple[int, ...]:
    return tuple(value) if isinstance(value, tuple) else (value,) * rank


def conv(layer: Any, x: Any, p: Tensors, name: str | None = None) -> Any:
    rank = x.ndim - 2
    name = name or f"conv{rank}d_1"
    pads = [n for pair in reversed(_pads(layer, x, rank)) for n in pair]
    w = p[f"{name}.w"]
    if layer.flip:
        w = torch.flip(w, tuple(range(rank)))
    w = w.permute(rank + 1, rank, *range(rank))  # H W I O -> O I H W
    x = F.pad(x.movedim(-1, 1), pads)
    stride, dilation = _each(layer.stride, rank), _each(layer.dilation, rank)
    y = (F.conv1d if rank == 1 else F.conv2d)(x, w, p.get(f"{name}.b"), stride, 0, dilation)
    return y.movedim(1, -1)


def conv_same_by_torch(layer: Any, x: Any, p: Tensors) -> Any:
    w = p["conv2d_1.w"].permute(3, 2, 0, 1)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # even kernels cost PyTorch a copy
        y = F.conv2d(x.movedim(-1, 1), w, p["conv2d_1.b"], padding="same", dilation=layer.dilation)
    return y.movedim(1, -1)


def max_pool(layer: Any, x: Any, p: Tensors) -> Any:
    return F.max_pool2d(x.movedim(-1, 1), layer.window, layer.stride).movedim(1, -1)


def avg_pool(layer: Any, x: Any, p: Tensors) -> Any:
    return F.avg_pool2d(x.movedim(-1, 1), layer.window, layer.stride).movedim(1, -1)


def dense(layer: Any, x: Any, p: Tensors) -> Any:
    return F.linear(x, p["dense_1.w"].T, p.get("dense_1.b"))


def batch_norm(layer: Any, x: Any, p: Tensors) -> Any:
    scale, shift = p["batchnorm_1.scale"], p["batchnorm_1.shift"]
    y = F.batch_norm(x.movedim(-1, 1), None, None, scale, shift, True, layer.momentum, layer.eps)
    return y.movedim(1, -1)


def dropout(layer: Any, x: Any, p: Tensors) -> Any:
    return x * p["dropout_1.mask"] / (1 - layer.rate)


def residual_conv(layer: Any, x: Any, p: Tensors) -> Any:
    inner = conv(layer.layers[0], x, p)
    return x + conv(layer.layers[2], torch.tanh(inner), p, "conv2d_2")


def small_net(layer: Any, x: Any, p: Tensors) -> Any:
    x = F.max_pool2d(F.relu(conv(layer.layers[0], x, p)).movedim(-1, 1), 2).movedim(1, -1)
    return F.linear(x.reshape(len(x), -1), p["dense_1.w"].T, p["dense_1.b"])


def norm_net(layer: Any, x: Any, p: Tensors) -> Any:
    x = torch.sigmoid(batch_norm(layer.layers[1], conv(layer.layers[0], x, p), p))
    x = x.reshape(len(x), -1) * p["dropout_1.mask"] / (1 - layer.layers[4].rate)
    return F.softmax(F.linear(x, p["dense_1.w"].T), -1)


# --- cases ------------------------------------------------------------------------------------------------------------


def fixed(name: str, layer: Layer, shape: tuple[int, ...], reference: Any, batch: int = 3) -> Case:
    return Case(name, lambda rng: (layer, shape), reference, batch)


def random_conv2d(rng: np.random.Generator) -> tuple[Layer, tuple[int, ...]]:
    pick = lambda *values: values[rng.integers(len(values))]  # noqa: E731
    kernel = (int(rng.integers(1, 5)), int(rng.integers(1, 5)))
    dilation = (int(rng.integers(1, 3)), int(rng.integers(1, 3)))
    stride = (int(rng.integers(1, 4)), int(rng.integers(1, 4)))
    sides = tuple((int(a), int(b)) for a, b in rng.integers(0, 3, (2, 2)))
    padding = pick("valid", "same", "full", 1, (2, 1), sides)
    layer = Conv2d(pick(2, 3), kernel, stride, padding, dilation, flip=pick(True, False), bias=pick(True, False))
    shape = tuple(int(n) for n in rng.integers(7, 12, 2))
    return layer, (*shape, pick(1, 2, 3))


def random_conv1d(rng: np.random.Generator) -> tuple[Layer, tuple[int, ...]]:
    pick = lambda *values: values[rng.integers(len(values))]  # noqa: E731
    settings = [int(rng.integers(1, n)) for n in (5, 4, 3)]
    padding = pick("valid", "same", "full", 2, ((0, 2),), ((1, 0),))
    layer = Conv1d(pick(2, 3), settings[0], settings[1], padding, settings[2], flip=pick(True, False))
    return layer, (int(rng.integers(7, 14)), pick(1, 2, 3))


CASES: list[Case] = [
    fixed("conv2d", Conv2d(3, 2), (5, 7, 2), conv),
    fixed("conv2d-flip", Conv2d(3, (2, 3), flip=True), (5, 7, 2), conv),
    fixed("conv2d-no-bias", Conv2d(2, 3, bias=False), (7, 5, 3), conv),
    fixed("conv2d-stride", Conv2d(2, 2, stride=2), (7, 5, 3), conv),
    fixed("conv2d-stride-axes", Conv2d(2, (3, 2), stride=(2, 3)), (8, 11, 2), conv),
    fixed("conv2d-stride-over-kernel", Conv2d(2, 1, stride=3), (7, 5, 3), conv),
    fixed("conv2d-dilation", Conv2d(2, (2, 3), dilation=(3, 2)), (7, 11, 2), conv),
    fixed("conv2d-pad", Conv2d(2, 3, padding=1), (5, 7, 2), conv),
    fixed("conv2d-pad-axes", Conv2d(2, 3, padding=(0, 2)), (5, 7, 2), conv),
    fixed("conv2d-pad-sides", Conv2d(2, 3, padding=((0, 2), (1, 0))), (5, 7, 2), conv),
    fixed("conv2d-same", Conv2d(3, (3, 5), padding="same"), (5, 7, 2), conv_same_by_torch),
    fixed("conv2d-same-even", Conv2d(3, (2, 4), padding="same"), (5, 7, 2), conv_same_by_torch),
    fixed("conv2d-same-dilation", Conv2d(3, (2, 3), padding="same", dilation=2), (5, 7, 2), conv_same_by_torch),
    fixed("conv2d-same-stride", Conv2d(3, 3, padding="same", stride=2), (5, 8, 2), conv),
    fixed("conv2d-same-stride-gap", Conv2d(3, 1, padding="same", stride=3), (7, 8, 2), conv),
    fixed("conv2d-full", Conv2d(3, (2, 3), padding="full"), (3, 5, 2), conv),
    fixed("conv2d-full-flip-stride", Conv2d(3, (2, 3), stride=2, padding="full", flip=True), (3, 5, 2), conv),
    fixed("conv2d-1x1", Conv2d(3, 1), (3, 5, 2), conv),
    fixed("conv2d-whole", Conv2d(3, (3, 5)), (3, 5, 2), conv),
    fixed("conv2d-kernel-over-input", Conv2d(2, (5, 3), padding="same"), (3, 5, 2), conv),
    fixed("conv1d", Conv1d(3, 2), (7, 2), conv),
    fixed("conv1d-full-flip", Conv1d(2, 3, padding="full", flip=True), (7, 3), conv),
    fixed("conv1d-sides", Conv1d(2, 3, stride=2, padding=((2, 0),)), (8, 3), conv),
    *(Case(f"conv2d-random-{n}", random_conv2d, conv) for n in range(20)),
    *(Case(f"conv1d-random-{n}", random_conv1d, conv) for n in range(10)),
    fixed("maxpool2d", MaxPool2d(2), (4, 6, 3), max_pool),
    fixed("maxpool2d-drop", MaxPool2d((2, 3)), (5, 7, 2), max_pool),
    fixed("maxpool2d-overlap", MaxPool2d(3, 2), (7, 11, 2), max_pool),
    fixed("maxpool2d-gap", MaxPool2d(2, (3, 4)), (7, 11, 2), max_pool),
    fixed("maxpool2d-1", MaxPool2d(1), (3, 5, 2), max_pool),
    fixed("avgpool2d", AvgPool2d(2), (4, 6, 3), avg_pool),
    fixed("avgpool2d-drop", AvgPool2d((3, 2)), (7, 5, 2), avg_pool),
    fixed("avgpool2d-overlap", AvgPool2d((2, 3), (1, 2)), (5, 7, 2), avg_pool),
    fixed("dense", Dense(3), (5,), dense),
    fixed("dense-no-bias", Dense(5, bias=False), (7,), dense),
    fixed("dense-one", Dense(1, in_features=3), (3,), dense),
    fixed("flatten", Flatten(), (2, 3, 5), lambda layer, x, p: x.reshape(len(x), -1)),
    fixed("flatten-2", Flatten(), (3, 5), lambda layer, x, p: x.reshape(len(x), -1)),
    fixed("flatten-1", Flatten(), (5,), lambda layer, x, p: x),
    fixed("flatten-ones", Flatten(), (3, 1, 1), lambda layer, x, p: x.reshape(len(x), -1)),
    fixed("flatten-one-row", Flatten(), (1, 3, 2), lambda layer, x, p: x.reshape(len(x), -1)),
    fixed("relu", ReLU(), (5,), lambda layer, x, p: F.relu(x)),
    fixed("relu-3", ReLU(0.5), (2, 3, 5), lambda layer, x, p: F.relu(x)),
    fixed("sigmoid", Sigmoid(), (3, 5), lambda layer, x, p: torch.sigmoid(x)),
    fixed("tanh", Tanh(), (3, 5), lambda layer, x, p: torch.tanh(x)),
    fixed("step", Step(), (3, 5), lambda layer, x, p: (x >= 0).to(x.dtype) + 0 * x),
    fixed("step-0", Step(0), (3, 5), lambda layer, x, p: (x > 0).to(x.dtype) + 0 * x),
    fixed("softmax", Softmax(), (5,), lambda layer, x, p: F.softmax(x, -1)),
    fixed("softmax-3", Softmax(), (2, 3, 5), lambda layer, x, p: F.softmax(x, -1)),
    fixed("dropout", Dropout(0.25), (3, 5), dropout),
    fixed("batchnorm-1", BatchNorm(), (5,), batch_norm, 5),
    fixed("batchnorm-2", BatchNorm(0.2), (3, 5), batch_norm),
    fixed("batchnorm-3", BatchNorm(eps=0.125), (2, 3, 5), batch_norm),
    fixed("batchnorm-one", BatchNorm(eps=0.125), (2, 3, 5), batch_norm, 1),
    fixed("residual", Residual(Dense(5)), (5,), lambda layer, x, p: x + dense(layer, x, p)),
    fixed(
        "residual-conv",
        Residual(Conv2d(5, 3, padding="same"), Tanh(), Conv2d(2, (2, 3), padding="same")),
        (3, 5, 2),
        residual_conv,
    ),
    fixed("net", Sequential(Conv2d(3, 3), ReLU(), MaxPool2d(2), Flatten(), Dense(5)), (8, 7, 2), small_net),
    fixed(
        "net-norm",
        Sequential(
            Conv2d(3, 3, stride=2, padding="same"),
            BatchNorm(),
            Sigmoid(),
            Flatten(),
            Dropout(0.5),
            Dense(5, bias=False),
            Softmax(),
        ),
        (5, 7, 2),
        norm_net,
    ),
]
