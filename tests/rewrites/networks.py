"""Networks in which rules find something to do: one for each rule, and random ones."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from typing import Any

import numpy as np
from tests.nn.dice import Dice

import paperback as pb
from paperback import nn

Shape = tuple[int, ...]
S = nn.Sequential

_END = (nn.Flatten(), nn.Dense(2))
_SCALE = nn.Formula("y = x[]/4 - 1/2")

_MAJORITY = "y[o] = x[o]*x[o+1] + x[o+1]*x[o+2] + x[o]*x[o+2] - 2*x[o]*x[o+1]*x[o+2] where o < 1"

# rule -> networks and input shapes to which it applies
CASES: dict[str, list[tuple[nn.Layer, Shape]]] = {
    "tanh_from_sigmoid": [
        (S(nn.Dense(6), nn.Sigmoid(), nn.Dense(3)), (5,)),
        (S(nn.Conv2d(3, 3, padding="same"), nn.Sigmoid(), nn.AvgPool2d(2), nn.Conv2d(2, 3, padding=1)), (8, 7, 1)),
        (S(nn.Conv1d(2, 3, bias=False), nn.BatchNorm(), nn.Sigmoid(), nn.MaxPool1d(2), *_END), (9, 2)),
        (S(nn.Dense(4), nn.Sigmoid(), nn.Dense(4), nn.Sigmoid(), nn.Dense(3, bias=False)), (5,)),
        (S(nn.Conv2d(2, 2), nn.Sigmoid(), nn.Permute((2, 0, 1)), nn.Flatten(), nn.Dense(3)), (5, 4, 3)),
        (S(nn.Conv2d(4, 3), nn.Sigmoid(), nn.Conv2d(4, 3, padding="same", stride=2, groups=2, flip=True)), (8, 7, 1)),
    ],
    "sigmoid_from_tanh": [
        (S(nn.Dense(6), nn.Tanh(), nn.Dense(3)), (5,)),
        (S(nn.Conv2d(3, 3), nn.Tanh(), nn.GlobalAvgPool(), nn.Dense(3)), (8, 7, 1)),
        (S(nn.Residual(nn.Dense(4), nn.Tanh(), nn.Dense(5)), nn.Dense(2)), (5,)),
    ],
    "pool_before_activation": [
        (S(nn.Conv2d(3, 3), nn.ReLU(), nn.MaxPool2d(2), *_END), (8, 7, 1)),
        (S(nn.Conv1d(3, 3), nn.LeakyReLU(0.1), nn.MaxPool1d(3, 2, padding=1), *_END), (9, 2)),
        (S(nn.HardTanh(), nn.MaxPool2d(2, ceil=True, ties="split"), *_END), (7, 7, 2)),
        (S(nn.Sigmoid(), nn.MaxPool2d(2), *_END), (6, 6, 1)),
    ],
    "activation_before_pool": [
        (S(nn.Conv2d(3, 3), nn.MaxPool2d(2), nn.ELU(), *_END), (8, 7, 1)),
        (S(nn.MaxPool2d(3, 2), nn.Step(), *_END), (7, 7, 2)),
    ],
    "correlation_from_convolution": [
        (S(nn.Conv2d(3, (3, 2), flip=True, padding="same"), *_END), (8, 7, 2)),
        (S(nn.Conv1d(3, 3, flip=True, stride=2, dilation=2), *_END), (9, 2)),
    ],
    "convolution_from_correlation": [
        (S(nn.Conv2d(4, 3, stride=2, groups=2), *_END), (8, 7, 2)),
        (S(nn.Conv3d(2, 2), *_END), (4, 3, 3, 1)),
    ],
    "dense_from_convolution": [
        (S(nn.Conv2d(4, 1), nn.ReLU(), *_END), (5, 4, 2)),
        (S(nn.Conv1d(4, 1, bias=False), *_END), (5, 2)),
    ],
    "convolution_from_dense": [
        (S(nn.Flatten(), nn.Dense(3)), (5, 4, 2)),
        (S(nn.Flatten(), nn.Dense(3, bias=False)), (5, 2)),
    ],
    "matrix_from_convolution": [
        (S(nn.Conv2d(4, 3, stride=2, padding="same", groups=2), nn.ReLU(), *_END), (5, 6, 2)),
        (S(nn.Conv1d(2, 3, flip=True, dilation=2, bias="position"), *_END), (9, 2)),
    ],
    "merge_convolutions": [
        (S(nn.Conv2d(4, 3, padding="same"), nn.Conv2d(3, 2, stride=2, flip=True), *_END), (7, 6, 2)),
        (S(nn.Conv1d(2, 3, bias=False), nn.Conv1d(2, 2, bias=False), *_END), (9, 2)),
        (S(nn.Conv2d(2, 2), nn.Conv2d(2, 2, bias="position"), *_END), (5, 5, 1)),
    ],
    "merge_dense": [
        (S(nn.Dense(4), nn.Dense(3), nn.Dense(2)), (5,)),
        (S(nn.Dense(4, bias=False), nn.Dense(3, bias=False)), (5,)),
    ],
    "fold_batchnorm": [
        (S(nn.Conv2d(4, 3), nn.BatchNorm(), nn.ReLU(), *_END), (6, 6, 2)),
        (S(nn.Dense(4, bias=False), nn.BatchNorm(eps=0.125), nn.ReLU(), nn.Dense(2)), (5,)),
    ],
    "fold_scale": [
        (S(_SCALE, nn.Conv2d(4, 3, padding=1), nn.ReLU(), *_END), (6, 6, 2)),
        (S(_SCALE, nn.Dense(3, bias=False)), (5,)),
    ],
    "drop_zero_residual": [(S(nn.Residual(nn.Dense(3), nn.ReLU(), nn.Dense(3)), nn.Dense(2)), (3,))],
    "centre_softmax": [(S(nn.Dense(4), nn.Softmax()), (5,))],
    "reference_softmax": [(S(nn.Dense(4), nn.Softmax()), (5,)), (S(nn.Dense(2, bias=False), nn.Softmax()), (5,))],
    "softmax_from_sigmoid": [(S(nn.Dense(1), nn.Sigmoid()), (5,))],
    "convolution_from_avgpool": [
        (S(nn.AvgPool2d((2, 3)), *_END), (7, 6, 3)),
        (S(nn.AvgPool3d(2), *_END), (4, 4, 4, 2)),
    ],
    "depthwise_from_avgpool": [(S(nn.AvgPool2d(3, 2), *_END), (7, 7, 3)), (S(nn.AvgPool1d(3), *_END), (9, 2))],
    "avgpool_from_depthwise": [
        (S(nn.FixedConv(((1 / 6,) * 3,) * 2, stride=2), *_END), (7, 7, 3)),
        (S(nn.FixedConv((0.25,) * 4), *_END), (9, 2)),
    ],
    "dense_from_full_convolution": [
        (S(nn.Conv2d(4, (5, 4), flip=True), nn.ReLU(), *_END), (5, 4, 2)),
        (S(nn.Conv1d(3, 5, bias="position"), *_END), (5, 2)),
    ],
    "perceptron_from_gate": [
        (S(nn.Dense(2), nn.Step(), nn.Formula("y[o] = 1 - x[o]*x[o+1] where o < 1", axes={"x": "I"})), (3,)),
        (S(nn.Step(), nn.Formula(_MAJORITY, axes={"x": "I"})), (3,)),
    ],
    "convolution_from_differences": [(S(nn.FiniteDifferences(), *_END), (7, 6, 3))],
    "convolution_from_grey": [(S(nn.Grey(), *_END), (7, 6, 3))],
    "convolution_from_blockdct": [(S(nn.BlockDCT(3), *_END), (6, 9, 2))],
    "separable_from_blockdct": [(S(nn.BlockDCT(4), *_END), (8, 8, 2))],
}  # fmt: skip


def model_of(net: nn.Layer, shape: Shape, seed: int = 3, dtype: str = "float32") -> pb.Model:
    """A model with random numbers everywhere; variances are positive, blocks that must be 0 are.

    On NumPy, which compiles nothing: rules know no engines (`test_trained` has the compiled one).
    """
    model, random = pb.Model(net, shape, seed=seed, dtype=dtype, engine="numpy"), np.random.default_rng(seed)
    values = {name: random.normal(size=array.shape) / 2 for name, array in model.parameters.items()}
    for name, array in model.state.items():
        if name.endswith(".mean"):
            values[name] = random.normal(size=array.shape)
        elif name.endswith(".var"):
            values[name] = random.uniform(0.5, 1.5, size=array.shape)
    model.set_parameters(values)
    return model


def random_network(dice: Dice) -> tuple[nn.Layer, Shape]:
    """A small network of layers that rules know."""
    if dice.flag():
        start = shape = (dice.whole(5, 7), dice.whole(5, 6), dice.whole(1, 2))
        layers: list[nn.Layer] = [_SCALE] if dice.flag() else []
        for _ in range(dice.whole(1, 3)):
            layer, shape = _image_layer(dice, shape)
            layers += [layer, *_between(dice)]
        layers.append(nn.Flatten())
    else:
        start, layers = (dice.whole(1, 4),), []
    layers += [nn.Dense(dice.whole(1, 3), bias=dice.flag()), *_between(dice), nn.Dense(dice.whole(2, 3))]
    if dice.flag():
        layers.append(nn.Softmax())
    return S(*layers), start


def _between(dice: Dice) -> tuple[nn.Layer, ...]:
    every: list[tuple[nn.Layer, ...]] = [
        (), (nn.Sigmoid(),), (nn.Tanh(),), (nn.ReLU(),), (nn.LeakyReLU(0.25),), (nn.BatchNorm(eps=0.125),),
    ]  # fmt: skip
    return dice.pick(*every)


def _image_layer(dice: Dice, shape: Shape) -> tuple[nn.Layer, Shape]:
    h, w, c = shape
    kind = dice.pick("conv", "conv", "max", "mean", "residual") if min(h, w) > 3 else "one"
    filters = dice.whole(1, 2)
    if kind == "one":
        return nn.Conv2d(filters, 1), (h, w, filters)
    if kind == "conv":
        pad = dice.pick("valid", "same")
        out = (h, w) if pad == "same" else (h - 1, w - 2)
        return nn.Conv2d(filters, (2, 3), padding=pad, flip=dice.flag(), bias=dice.flag()), (*out, filters)
    if kind == "residual":
        return nn.Residual(nn.Conv2d(filters, 2, padding="same"), *_between(dice), nn.Conv2d(c, 1)), shape
    pool: Any = nn.MaxPool2d if kind == "max" else nn.AvgPool2d
    return pool(2), (h // 2, w // 2, c)


def quarters(random: np.random.Generator, shape: Shape) -> np.ndarray[Any, Any]:
    """Random multiples of 1/4 as Fractions."""
    make: Callable[[Any], Any] = np.vectorize(lambda n: Fraction(int(n), 4), otypes=[object])
    return make(random.integers(-8, 9, shape)) if np.prod(shape) else np.zeros(shape, dtype=object)
