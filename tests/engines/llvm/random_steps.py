"""Random training steps: a network, a loss, an optimizer and a batch, drawn by a seed, and the arrays of one step.

Networks are 2 to 6 blocks deep: convolutions of one to three axes with strides, paddings, dilations and groups, pools
that overlap, norms, branches side by side, dropout, dense layers; or the sequences and vectors of `random_networks`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
from tests.golden.exactly import as_float
from tests.nn.case import arrays
from tests.nn.dice import Dice
from tests.nn.random_losses import labels
from tests.nn.random_networks import activation, norm, sequence_net, side_by_side, vector_net

from paperback import nn
from paperback.calculus.interval import ExactError
from paperback.engines import compile_program
from paperback.engines.llvm import room
from paperback.learn import optim
from paperback.learn.steps import training_program
from paperback.nn.losses import LABEL, LOSSES, WEIGHT, Loss, huber, mean_squared_error, softmax_cross_entropy
from paperback.nn.network import Network, build
from paperback.program.program import Program

Shape = tuple[int, ...]
Arrays = dict[str, np.ndarray]

EPS = {name: float(np.finfo(name).eps) for name in ("float32", "float64")}
ROUNDINGS, SLACK = 8, 8
to_floats = np.vectorize(as_float, otypes=[float])


@dataclass(frozen=True)
class Step:
    """A training step and the prediction of one network, with what they are given."""

    seed: int
    tiny: bool
    network: Network
    loss: Loss
    optimizer: optim.Optimizer
    batch: int
    train: Program
    given: Arrays

    def __str__(self) -> str:
        layers = ", ".join(info.kind for info in self.network.layers)
        return f"draw_step({self.seed}, {self.tiny}): {layers}; {self.loss.name}, {self.optimizer}, batch {self.batch}"

    def needed(self, program: Program, count: int | None = None) -> Arrays:
        """What the program reads; for the first `count` examples alone."""
        names = {tensor.name: tensor for tensor in program.inputs}
        cut = {n: a for n, a in self.given.items() if n in names}
        if count is None:
            return cut
        batched = {n for n, t in names.items() if t.axes and t.axes[0] == program.tensors["input"].axes[0]}
        return {n: a[:count] if n in batched else a for n, a in cut.items()}


# --- networks ---------------------------------------------------------------------------------------------------------


def window_layer(dice: Dice, shape: Shape, tiny: bool) -> nn.Layer:
    """A convolution or a pool that fits."""
    rank = len(shape) - 1
    most = 3 if rank < 3 else 2
    size = tuple(dice.whole(1, min(most, n)) for n in shape[:-1])
    stride = tuple(dice.whole(1, 2 if max(shape[:-1]) < 9 else 3) for _ in size)
    if dice.whole(1, 3) > 1:
        groups = dice.pick(1, 1, *(n for n in (2, 3) if shape[-1] % n == 0))
        dilation = dice.pick(1, 1, 2)
        pads = dice.pick("same", "full", 1) if dilation > 1 else dice.pick("valid", "same", "full", 1, ((0, 1),) * rank)
        filters = groups * dice.whole(1, 2 if tiny else dice.pick(3, 8, 17))
        kind: Any = (nn.Conv1d, nn.Conv2d, nn.Conv3d)[rank - 1]
        bias = dice.pick(True, True, False, "position")
        layer: nn.Layer = kind(filters, size, stride, pads, dilation, flip=dice.flag(), bias=bias, groups=groups)
        return layer
    pools: Any = [(nn.MaxPool1d, nn.AvgPool1d), (nn.MaxPool2d, nn.AvgPool2d), (nn.MaxPool3d, nn.AvgPool3d)][rank - 1]
    settings = dice.pick({}, {"padding": "same"}, {"ceil": True})
    kind = dice.pick(*pools)
    ties = {"ties": dice.pick("first", "split", "all")} if kind is pools[0] and "ceil" not in settings else {}
    layer = kind(size, dice.pick(None, stride), **settings, **ties)
    return layer


def deep_net(dice: Dice, tiny: bool) -> tuple[nn.Layer, Shape]:
    """A network on a signal, an image or a volume; `tiny` ones can be computed exactly."""
    rank = dice.pick(1, 2, 2, 3)
    high = {1: 23, 2: 11, 3: 5}[rank] if not tiny else {1: 7, 2: 4, 3: 2}[rank]
    start = shape = (*(dice.whole(2, high) for _ in range(rank)), dice.whole(1, 2 if tiny else 3))
    layers: list[nn.Layer] = []
    for _ in range(dice.whole(2, 3 if tiny else 6)):
        kinds = ("window", "window", "norm", "act", "drop", "side", "side")
        match dice.pick(*kinds):
            case "window":
                layer = window_layer(dice, shape, tiny)
            case "norm":
                layer = norm(dice, shape)
            case "act":
                layer = activation(dice)
            case "drop":
                layer = nn.Dropout(dice.pick(0.25, 0.5))
            case _:
                layer, shape = side_by_side(dice.pick("Residual", "Add", "Multiply", "Parallel"), dice, shape)
                layers.append(layer)
                continue
        shape = build(layer, shape).output_shape
        layers.append(layer)
    layers.append(dice.pick(nn.Flatten, nn.Flatten, nn.GlobalAvgPool, nn.GlobalMaxPool)())
    middle = () if tiny or dice.flag() else (nn.Dense(dice.whole(3, 33)), dice.pick(nn.ReLU(), nn.Tanh(), nn.GELU()))
    return nn.Sequential(*layers, *middle, nn.Dense(dice.whole(2, 3 if tiny else 11), bias=dice.flag())), start


# --- losses and optimizers --------------------------------------------------------------------------------------------


def draw_loss(dice: Dice, net: nn.Layer) -> tuple[nn.Layer, Loss]:
    """A loss, and the network with the end that the loss needs."""
    own = (softmax_cross_entropy(0.125), huber(0.5), mean_squared_error(half=True))
    loss = dice.pick(*LOSSES.values(), *own)
    if loss.name == "probability_cross_entropy":
        net = nn.Sequential(net, nn.Sigmoid())
    return net, loss.reduced("sum") if dice.whole(1, 4) == 1 else loss


def draw_optimizer(dice: Dice) -> optim.Optimizer:
    clip = dice.pick(None, None, 0.5)
    decay = dice.pick(0.0, 0.125)
    every = [
        optim.SGD(0.125, weight_decay=decay, clip=clip),
        optim.SGD(0.125, momentum=0.75, nesterov=dice.flag(), weight_decay=decay, clip=clip),
        optim.RMSProp(0.0625, momentum=dice.pick(0.0, 0.5), weight_decay=decay, clip=clip),
        optim.Adam(0.0625, weight_decay=decay, clip=clip),
        optim.AdamW(0.0625, clip=clip),
    ]
    return dice.pick(*every)


# --- steps ------------------------------------------------------------------------------------------------------------


def draw_step(seed: int, tiny: bool = False) -> Step:
    """One step; the same seed draws the same one."""
    dice = Dice(np.random.default_rng([seed, int(tiny)]))
    make = (lambda d: deep_net(d, tiny)) if tiny or dice.whole(1, 3) > 1 else dice.pick(sequence_net, vector_net)
    net, shape = make(dice)
    net, loss = draw_loss(dice, net)
    network = build(net, shape)
    least = network.least_batch
    batch = max(least, dice.whole(1, 3) if tiny else dice.pick(1, 2, dice.whole(1, 9), dice.whole(1, 70)))
    optimizer = draw_optimizer(dice)
    kind = dice.pick(*loss.labels)
    weights = dice.whole(1, 4) == 1
    train = training_program(network, loss, kind, optimizer, list(network.parameters), weights)
    given = arrays(network, dice.rng, batch, dice.pick("coarse", *["real"] * 4))
    for name, spec in network.parameters.items():
        given[name] = given[name] / max(1, int(np.sqrt(np.prod(spec.shape[:-1]))))
    given[LABEL] = labels(dice, kind, (batch, *network.output_shape))
    if weights:
        given[WEIGHT] = dice.rng.integers(1, 9, batch) / 4
    for tensor in train.by_role("optimizer"):
        given[tensor.name] = dice.rng.integers(1, 16, [axis.value for axis in tensor.axes]) / 8
    given |= {name: np.asarray(value) for name, value in optimizer.values(3).items()}
    single = {n: a if a.dtype.kind == "i" else a.astype(np.float32).astype(float) for n, a in given.items()}
    return Step(seed, tiny, network, loss, optimizer, batch, train, single)


def run(program: Program, given: Arrays, engine: str, dtype: str, threads: int | None = None) -> Arrays:
    return compile_program(program, dtype, engine, threads)(given)


def compare(found: Arrays, truth: Arrays, rounded: Arrays, dtype: str) -> int:
    """How many numbers are near the truth: as near as float32 is on NumPy, or that shrunk to float64."""
    assert found.keys() == truth.keys()
    compared = 0
    for name, right in truth.items():
        assert found[name].dtype == dtype and found[name].shape == right.shape, name
        error = np.abs(rounded[name] - right).max(initial=0.0)
        least = ROUNDINGS * EPS["float32"] * np.abs(right).max(initial=1.0)
        allowed = SLACK * max(error, least) * EPS[dtype] / EPS["float32"]
        off = np.abs(found[name] - right).max(initial=0.0)
        assert off <= allowed, f"{name}, {dtype}: off by {off:.3g}, allowed {allowed:.3g}"
        compared += right.size
    return compared


def true_values(step: Step, program: Program, given: Arrays) -> Arrays | None:
    """A tiny step by the exact engine, another by NumPy in float64; None where intervals cannot decide."""
    if not step.tiny:
        return {name: array.astype(float) for name, array in run(program, given, "numpy", "float64").items()}
    try:
        return {name: to_floats(array) for name, array in run(program, given, "exact", "float64").items()}
    except (ExactError, ZeroDivisionError):
        return None


def check_step(step: Step, dtype: str, threads: int = 1) -> int:
    """A whole step and the prediction, of the whole batch and of a smaller last one; how many numbers were compared.

    Odd seeds are cut into shards however small the work is.
    """
    with pytest.MonkeyPatch.context() as patch:
        if step.seed % 2:
            patch.setattr(room, "_LEAST_WORK", 1)
        return _check_step(step, dtype, threads)


def _check_step(step: Step, dtype: str, threads: int) -> int:
    compared = 0
    counts = dict.fromkeys((step.batch, max(step.network.least_batch, (step.batch + 1) // 2)))
    for program in (step.train, step.network.predict):
        runner = compile_program(program, dtype, "llvm", threads)
        for count in counts:
            given = step.needed(program, count)
            truth = true_values(step, program, given)
            if truth is not None:
                with np.errstate(all="ignore"):
                    rounded = run(program, given, "numpy", "float32")
                found = runner(given)
                compared += compare(found, truth, rounded, dtype)
                again = runner(given)
                assert all(again[name].tobytes() == found[name].tobytes() for name in found), "another run, other bits"
    return compared
