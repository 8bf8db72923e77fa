"""Random configurations of every layer: `draw("Conv2d", 17)` is always the same one.

A configuration is drawn so that it fits: first the settings, then an input that is as long as its windows reach, or
longer. Sizes are 1, even, odd and prime; every setting of a layer is drawn, in every form in which it can be written.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

pytest.importorskip("torch")

from tests.nn.case import Case
from tests.nn.dice import Dice
from tests.nn.pytorch import each
from tests.nn.random_networks import ACTIVATIONS, joined, network

from paperback import nn

Shape = tuple[int, ...]
Drawn = tuple[nn.Layer, Shape]
Make = Callable[[Dice], Drawn]

WORDS = ("valid", "same", "same_low", "full")  # paddings


# --- windows ----------------------------------------------------------------------------------------------------------


def padding(dice: Dice, rank: int, most: Shape) -> Any:
    """Numbers in every form: one, one per axis, pairs."""
    form = dice.pick("one", "each", "pairs")
    if form == "one":
        return dice.whole(0, min(most))
    if form == "each" and rank > 1:
        return tuple(dice.whole(0, n) for n in most)
    return tuple((dice.whole(0, n), dice.whole(0, n)) for n in most)


def lengths(dice: Dice, rank: int, kernel: Any, dilation: Any, pads: Any) -> Shape:
    """An input for these windows: they fit at least once, and up to five places more."""
    found = []
    for axis, (size, step) in enumerate(zip(each(kernel, rank), each(dilation, rank), strict=True)):
        reach = step * (size - 1) + 1
        if pads in WORDS[1:]:
            least = 1
        else:
            side = 0 if pads == "valid" else each(pads, rank)[axis]
            least = reach - (sum(side) if isinstance(side, tuple) else 2 * side)
        found.append(max(1, least) + dice.whole(0, 5 if rank < 3 else 2))
    return tuple(found)


def convolution(kind: Any, rank: int) -> Make:
    def make(dice: Dice) -> Drawn:
        kernel, dilation = dice.axes(rank, 1, 4 if rank < 3 else 3), dice.axes(rank, 1, 3 if rank < 3 else 2)
        pads = dice.pick(*WORDS, padding(dice, rank, (2,) * rank), padding(dice, rank, (3,) * rank))
        groups = dice.pick(1, 1, 2, 3)
        layer = kind(
            groups * dice.whole(1, 3), kernel, dice.axes(rank, 1, 3), pads, dilation, flip=dice.flag(),
            bias=dice.pick(True, False, "position"), groups=groups,
        )  # fmt: skip
        return layer, (*lengths(dice, rank, kernel, dilation, pads), groups * dice.whole(1, 3))

    return make


def transposed(kind: Any, rank: int) -> Make:
    def make(dice: Dice) -> Drawn:
        kernel, stride, dilation = (dice.axes(rank, 1, high) for high in (4, 3, 3))
        steps = tuple(max(pair) for pair in zip(each(stride, rank), each(dilation, rank), strict=True))
        shape = tuple(dice.whole(2, 5) for _ in range(rank))
        extra = tuple(dice.whole(0, n - 1) for n in steps)
        longest = zip(shape, each(kernel, rank), each(stride, rank), each(dilation, rank), strict=True)
        most = tuple(min(3, (s * (n - 1) + d * (k - 1)) // 2) for n, k, s, d in longest)
        layer = kind(dice.whole(1, 3), kernel, stride, padding(dice, rank, most), extra, dilation, bias=dice.flag())
        return layer, (*shape, dice.whole(1, 3))

    return make


def pool(kind: Any, rank: int) -> Make:
    ties = "first" if kind.__name__.startswith("Max") else None

    def make(dice: Dice) -> Drawn:
        settings = {} if ties is None else {"ties": dice.pick(ties, ties, "split", "all")}
        channels = dice.whole(1, 3)
        if dice.whole(1, 5) == 1:
            output = dice.axes(rank, 1, 3)
            if ties:
                settings["ties"] = ties
            return kind(output=output, **settings), (*(n * dice.whole(1, 3) for n in each(output, rank)), channels)
        window = dice.axes(rank, 1, 4 if rank < 3 else 3)
        stride = None if dice.whole(1, 3) == 1 else dice.axes(rank, 1, 3)
        sizes = each(window, rank)
        ceil = dice.flag() and settings.get("ties") in (None, ties)
        if ceil:  # PyTorch wants the same pads on both sides, at most half a window
            pads = dice.pick("valid", min(sizes) // 2, tuple(dice.whole(0, n // 2) for n in sizes))
            pads = ((pads[0], pads[0]),) if rank == 1 and isinstance(pads, tuple) else pads
        else:
            pads = dice.pick(*WORDS, padding(dice, rank, tuple(n - 1 for n in sizes)))
        room = "valid" if ceil else pads
        return kind(window, stride, pads, ceil, **settings), (*lengths(dice, rank, window, 1, room), channels)

    return make


def fixed_conv(dice: Dice) -> Drawn:
    rank, mixes = dice.whole(1, 3), dice.flag()
    rank = min(rank, 2) if not mixes else rank
    shape = tuple(dice.whole(1, 3) for _ in range(rank + 2 * mixes))
    kernel = dice.rng.integers(-8, 9, shape) / 4
    dilation = dice.axes(rank, 1, 2)
    pads = dice.pick(*WORDS, padding(dice, rank, (2,) * rank))
    layer = nn.FixedConv(kernel.tolist(), dice.axes(rank, 1, 3), pads, dilation, dice.flag())
    channels = shape[rank] if mixes else dice.whole(1, 3)
    return layer, (*lengths(dice, rank, shape[:rank], dilation, pads), channels)


# --- layers without windows -------------------------------------------------------------------------------------------


def any_shape(layer: Callable[[Dice], nn.Layer], least: int = 1, most: int = 4) -> Make:
    return lambda dice: (layer(dice), dice.shape(least, most, 5))


def eps(dice: Dice) -> float:
    return float(dice.pick(1e-5, 1e-3, 0.125))


def group_norm(dice: Dice) -> Drawn:
    groups = dice.whole(1, 4)
    return nn.GroupNorm(groups, eps(dice), dice.flag()), (*dice.shape(0, 3, 4), groups * dice.whole(2, 3))


def unflatten(dice: Dice) -> Drawn:
    shape = dice.shape(1, 4, 3)
    return nn.Unflatten(shape), (*dice.shape(0, 2, 4), int(np.prod(shape)))


def permute(dice: Dice) -> Drawn:
    shape = dice.shape(2, 4)
    return nn.Permute(tuple(int(n) for n in dice.rng.permutation(len(shape)))), shape


def attention(dice: Dice) -> Drawn:
    heads, features = dice.whole(1, 3), dice.pick(None, 1, 2, 3)
    width = heads * dice.whole(1, 3) if features is None else dice.whole(1, 5)
    return nn.MultiHeadAttention(heads, dice.flag(), dice.flag(), features), (dice.whole(1, 6), width)


def block_dct(dice: Dice) -> Drawn:
    n, scaling, inverse = dice.whole(1, 4), dice.pick("raw", "double", "root", "orthonormal"), dice.flag()
    a, b, c = (dice.whole(1, 3) for _ in range(3))
    return nn.BlockDCT(n, scaling, inverse), ((a, b, n * n * c) if inverse else (n * a, n * b, c))


def formula(dice: Dice) -> Drawn:
    a, b, n, m, o = dice.real(-2, 2), dice.real(-2, 2), *(dice.whole(2, 5) for _ in range(3))
    start = nn.HeNormal()
    return dice.pick(
        (nn.Formula("y = x[]*sigmoid(a*x[]) + b*x[]", constants={"a": a, "b": b}), (n, m)),
        (nn.Formula("y[o] = sum(i) x[i]*w[i,o] + tanh(x[0])*b[o]", {"w": start, "b": start}, {"O": o}), (n,)),
        (nn.Formula("y[a,o] = half*sum(i,k) x[i,a]*w[i,k,o]*x[k,a]", {"w": start}, {"O": o}, {"half": a}), (n, m)),
        (nn.Formula("m = sum(c) x[c]/C\ny[c] = (x[c] - m)*w[c]", {"w": start}, axes={"x": "C"}, extra_axes=True),
         (n, m)),
        (nn.Formula("y[i,c] = sum(p<2) x[i+p,c]*w[p,c] - x[i+1,c]^2", {"w": start}), (n, m)),
    )  # fmt: skip


def leaky(dice: Dice) -> nn.Layer:
    return nn.LeakyReLU(dice.pick(0.01, 1.0, dice.real(-2, 3)))


def hard(dice: Dice) -> nn.Layer:
    low = dice.pick(-1.0, dice.real(-3, 1))
    return nn.HardTanh(low, low + dice.real(0.01, 3))


KINDS: dict[str, Make] = {
    **{f"Conv{n}d": convolution(getattr(nn, f"Conv{n}d"), n) for n in (1, 2, 3)},
    **{f"ConvTranspose{n}d": transposed(getattr(nn, f"ConvTranspose{n}d"), n) for n in (1, 2)},
    **{f"MaxPool{n}d": pool(getattr(nn, f"MaxPool{n}d"), n) for n in (1, 2, 3)},
    **{f"AvgPool{n}d": pool(getattr(nn, f"AvgPool{n}d"), n) for n in (1, 2, 3)},
    "FixedConv": fixed_conv,
    "GlobalAvgPool": any_shape(lambda dice: nn.GlobalAvgPool(), 2),
    "GlobalMaxPool": any_shape(lambda dice: nn.GlobalMaxPool(dice.pick("first", "split", "all")), 2),
    "BatchNorm": any_shape(lambda dice: nn.BatchNorm(dice.real(0, 1), eps(dice))),
    "GroupNorm": group_norm,
    "InstanceNorm": lambda dice: (nn.InstanceNorm(eps(dice), dice.flag()), (dice.whole(2, 4), *dice.shape(1, 3, 4))),
    "LayerNorm": any_shape(lambda dice: nn.LayerNorm(eps(dice), dice.flag())),
    "Dense": lambda dice: (nn.Dense(dice.whole(1, 7), bias=dice.flag()), (dice.whole(1, 11),)),
    "Embedding": any_shape(lambda dice: nn.Embedding(dice.whole(1, 7), dice.whole(1, 5)), 1, 3),
    "MultiHeadAttention": attention,
    "PositionalEncoding": lambda dice: (nn.PositionalEncoding(), (dice.whole(1, 7), 2 * dice.whole(1, 4))),
    "Flatten": any_shape(lambda dice: nn.Flatten()),
    "Unflatten": unflatten,
    "Permute": permute,
    "Dropout": any_shape(lambda dice: nn.Dropout(dice.pick(0.0, 0.5, dice.real(0, 0.9)))),
    "Softmax": any_shape(lambda dice: nn.Softmax()),
    "LogSoftmax": any_shape(lambda dice: nn.LogSoftmax()),
    "DCT1d": any_shape(lambda dice: nn.DCT1d(dice.pick("raw", "double", "root", "orthonormal"), dice.flag()), 2, 2),
    "DCT2d": any_shape(lambda dice: nn.DCT2d(dice.pick("raw", "double", "root", "orthonormal"), dice.flag()), 3, 3),
    "BlockDCT": block_dct,
    "FiniteDifferences": any_shape(lambda dice: nn.FiniteDifferences(), 3, 3),
    "Grey": lambda dice: (nn.Grey(), (*dice.shape(0, 3), 3)),
    "Formula": formula,
    **{name: any_shape(make) for name, make in ACTIVATIONS.items()},
    "LeakyReLU": any_shape(leaky),
    "HardTanh": any_shape(hard),
    "ELU": any_shape(lambda dice: nn.ELU(dice.pick(1.0, dice.real(-1, 2)))),
    "ReLU": any_shape(lambda dice: nn.ReLU(dice.pick(0, 0.5, 1))),
    "Step": any_shape(lambda dice: nn.Step(dice.whole(0, 1))),
    "Identity": any_shape(lambda dice: nn.Identity()),
    **{name: joined(name) for name in ("Residual", "Add", "Multiply", "Parallel")},
    "Sequential": network,
}


def draw(kind: str, seed: int) -> Case:
    """One configuration; its id says how it is made again."""
    name = f"{kind.lower()}-random-{seed}"
    settings = Dice(np.random.default_rng([seed, *kind.encode()]))
    layer, shape = KINDS[kind](settings)
    alone = not isinstance(layer, nn.Sequential | nn.Residual | nn.Add | nn.Multiply | nn.Parallel)
    values = settings.pick("distinct", "coarse", "real") if alone else "real"
    batch = settings.whole(2 if "BatchNorm" in repr(layer) else 1, 5)
    return Case(name, layer, shape, batch, values)
