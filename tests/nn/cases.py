"""Layers as test cases: every law about layers runs on every one of these (and of `more_cases`)."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch")
F = torch.nn.functional

from tests.nn.case import Case, Tensors, conv, dense, fixed  # noqa: E402
from tests.nn.more_cases import MORE  # noqa: E402

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

# --- references -------------------------------------------------------------------------------------------------------


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
    *MORE,
]
