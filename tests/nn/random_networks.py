"""Random networks: layers one after the other and side by side, on images, sequences and vectors."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from tests.nn.dice import Dice

from paperback import nn

Shape = tuple[int, ...]

ACTIVATIONS: dict[str, Callable[[Dice], nn.Layer]] = {
    "Sigmoid": lambda dice: nn.Sigmoid(),
    "Tanh": lambda dice: nn.Tanh(),
    "GELU": lambda dice: nn.GELU(),
    "SiLU": lambda dice: nn.SiLU(),
    "Softplus": lambda dice: nn.Softplus(),
}


def activation(dice: Dice) -> nn.Layer:
    kinked = (nn.ReLU(), nn.LeakyReLU(0.2), nn.ELU(), nn.HardTanh())
    return dice.pick(*kinked, *(make(dice) for make in ACTIVATIONS.values()))


def norm(dice: Dice, shape: Shape) -> nn.Layer:
    """A norm; those of one channel only where there is more than one place, which PyTorch wants."""
    channels = shape[-1]
    alone = math.prod(shape[:-1]) == 1
    groups = [n for n in range(1, channels + 1) if channels % n == 0 and not (alone and n == channels)]
    every: list[nn.Layer] = [nn.BatchNorm(eps=0.125), nn.LayerNorm(0.125)]
    every += [nn.GroupNorm(dice.pick(*groups), 0.125)] if groups else []
    return dice.pick(*every, *([] if alone else [nn.InstanceNorm(0.125, True)]))


def same_conv(dice: Dice, rank: int, channels: int, filters: int) -> nn.Layer:
    """A convolution that keeps the number of places."""
    kind: Any = (nn.Conv1d, nn.Conv2d, nn.Conv3d)[rank - 1]
    groups = dice.pick(1, *(n for n in range(2, 4) if channels % n == 0 and filters % n == 0))
    kernel, dilation = dice.axes(rank, 1, 3), dice.whole(1, 2)
    return kind(filters, kernel, padding="same", dilation=dilation, groups=groups, bias=dice.flag())


def branch(dice: Dice, shape: Shape, last: int) -> nn.Layer:
    """Layers from x of this shape to the same places and `last` channels."""
    if len(shape) == 1:
        return nn.Sequential(nn.Dense(last), activation(dice)) if dice.flag() else nn.Dense(last)
    inner = same_conv(dice, len(shape) - 1, shape[-1], last)
    return dice.pick(inner, nn.Sequential(inner, activation(dice)), nn.Sequential(norm(dice, shape), inner))


def side_by_side(name: str, dice: Dice, shape: Shape) -> tuple[nn.Layer, Shape]:
    """One of the layers made of layers, and the shape that it gives."""
    channels, count = shape[-1], dice.whole(1, 3)
    if name == "Residual":
        inside = dice.whole(1, 4)
        return nn.Residual(branch(dice, shape, inside), branch(dice, (*shape[:-1], inside), channels)), shape
    if name == "Parallel":
        widths = [dice.whole(1, 3) for _ in range(count)]
        own = [nn.Identity()] if dice.flag() else []
        layers = (*own, *(branch(dice, shape, width) for width in widths))
        return nn.Parallel(*layers), (*shape[:-1], sum(widths) + channels * len(own))
    width = dice.whole(1, 4)
    branches = tuple(branch(dice, shape, width) for _ in range(count))
    return (nn.Add if name == "Add" else nn.Multiply)(*branches), (*shape[:-1], width)


def joined(name: str) -> Callable[[Dice], tuple[nn.Layer, Shape]]:
    def make(dice: Dice) -> tuple[nn.Layer, Shape]:
        shape = dice.pick((dice.whole(1, 6),), (dice.whole(1, 6), 2), (dice.whole(1, 5), dice.whole(1, 5), 3))
        return side_by_side(name, dice, shape)[0], shape

    return make


def image_net(dice: Dice) -> tuple[nn.Layer, Shape]:
    start = shape = (dice.whole(4, 8), dice.whole(4, 7), dice.whole(1, 3))
    layers: list[nn.Layer] = []
    for _ in range(dice.whole(1, 3)):
        h, w, c = shape
        kind = dice.pick("conv", "pool", "norm", "act", "Residual", "Add", "Multiply", "Parallel")
        if kind == "conv":
            layer: nn.Layer = nn.Conv2d(dice.whole(1, 4), (min(h, 2), min(w, 3)), bias=dice.flag())
            shape = (h - min(h, 2) + 1, w - min(w, 3) + 1, layer.filters)
        elif kind == "pool":
            layer = dice.pick(nn.MaxPool2d, nn.AvgPool2d)((min(h, 2), min(w, 2)), 2, ceil=True)
            shape = (-(-h // 2), -(-w // 2), c)
        elif kind in ("norm", "act"):
            layer = norm(dice, shape) if kind == "norm" else activation(dice)
        else:
            layer, shape = side_by_side(kind, dice, shape)
        layers.append(layer)
    layers.append(dice.pick(nn.Flatten, nn.GlobalAvgPool, nn.GlobalMaxPool)())
    return nn.Sequential(*layers, *head(dice)), start


def sequence_net(dice: Dice) -> tuple[nn.Layer, Shape]:
    heads = dice.whole(1, 3)
    width, length = 2 * heads, dice.whole(2, 5)
    block = (
        nn.Residual(nn.LayerNorm(0.125), nn.MultiHeadAttention(heads, dice.flag())),
        nn.Residual(nn.LayerNorm(0.125), nn.Conv1d(5, 1), activation(dice), nn.Conv1d(width, 1)),
    )
    layers = (nn.PositionalEncoding(), *block, nn.GlobalAvgPool(), *head(dice))
    if dice.flag():
        return nn.Sequential(nn.Embedding(7, width), *layers), (length,)
    return nn.Sequential(*layers), (length, width)


def vector_net(dice: Dice) -> tuple[nn.Layer, Shape]:
    width = dice.whole(2, 6)
    middle = dice.pick(nn.BatchNorm(eps=0.125), nn.LayerNorm(0.125), nn.Dropout(0.25), activation(dice))
    return nn.Sequential(nn.Dense(width), middle, activation(dice), *head(dice)), (dice.whole(1, 7),)


def head(dice: Dice) -> tuple[nn.Layer, ...]:
    last = dice.pick((), (nn.Softmax(),), (nn.LogSoftmax(),))
    return (nn.Dense(dice.whole(2, 5), bias=dice.flag()), *last)


def network(dice: Dice) -> tuple[nn.Layer, Shape]:
    return dice.pick(image_net, sequence_net, vector_net)(dice)
