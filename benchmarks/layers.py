"""The compiled engine against the NumPy engine, over all kinds of layers, losses and optimizers.

    python -m benchmarks.layers [--only conv,attention] [--batch 1,32] [--turns 5] [--dtype float32]

Every case is a whole training step and a prediction. The engines take turns; a ratio is the compiled engine's time over
NumPy's in one turn, and the median over the turns is printed: above 1 the compiled engine is the slower one.
"""

from __future__ import annotations

__all__ = ["CASES", "Case"]

import argparse
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from statistics import median
from typing import Any

import numpy as np

from paperback import nn
from paperback.engines import compile_program
from paperback.learn import optim
from paperback.learn.steps import training_program
from paperback.nn.losses import LABEL, LOSSES
from paperback.nn.network import build
from paperback.program.program import Program

LEAST_SECONDS = 0.02

SGD = optim.SGD(0.01)


@dataclass(frozen=True)
class Case:
    """A network for examples of one shape, and how it learns; `high` is the number of values of an integer input."""

    layer: nn.Layer
    shape: tuple[int, ...]
    loss: str = "mean_squared_error"
    optimizer: optim.Optimizer = SGD
    batches: tuple[int, ...] = (1, 32, 256)
    high: int = 0


IMAGE = (32, 32, 64)
SIGNAL = (1000, 64)
VECTOR = (1000,)
SOME = (1, 32)


def _block(filters: int) -> nn.Layer:
    return nn.Residual(nn.Conv2d(filters, 3, padding="same"), nn.ReLU(), nn.Conv2d(filters, 3, padding="same"))


def _mlp(loss: str = "softmax_cross_entropy", optimizer: optim.Optimizer = SGD, classes: int = 10) -> Case:
    return Case(nn.Sequential(nn.Dense(128), nn.ReLU(), nn.Dense(classes)), (784,), loss, optimizer)


CASES: Mapping[str, Case] = {
    "embedding": Case(nn.Embedding(10_000, 64), (128,), high=10_000, batches=SOME),
    "embedding-net": Case(
        nn.Sequential(nn.Embedding(10_000, 64), nn.GlobalAvgPool(), nn.Dense(2)), (128,), "softmax_cross_entropy",
        high=10_000,
    ),
    "positions": Case(nn.PositionalEncoding(), (128, 64)),
    "attention": Case(nn.MultiHeadAttention(8, causal=True), (128, 512), batches=(1, 8)),
    "attention-64": Case(nn.MultiHeadAttention(4), (64, 64), batches=SOME),
    "layernorm": Case(nn.LayerNorm(), IMAGE, batches=SOME),
    "layernorm-seq": Case(nn.LayerNorm(), (128, 256), batches=SOME),
    "groupnorm": Case(nn.GroupNorm(8), IMAGE, batches=SOME),
    "instancenorm": Case(nn.InstanceNorm(), IMAGE, batches=SOME),
    "batchnorm": Case(nn.BatchNorm(), IMAGE, batches=SOME),
    "batchnorm-dense": Case(nn.BatchNorm(), (512,)),
    "conv-depthwise": Case(nn.Conv2d(64, 3, padding="same", groups=64), IMAGE, batches=SOME),
    "conv-grouped": Case(nn.Conv2d(64, 3, padding="same", groups=4), IMAGE, batches=SOME),
    "conv-3x3": Case(nn.Conv2d(64, 3, padding="same"), IMAGE, batches=SOME),
    "conv-stride": Case(nn.Conv2d(64, 3, 2, 1), IMAGE, batches=SOME),
    "conv-dilation": Case(nn.Conv2d(64, 3, padding="same", dilation=2), IMAGE, batches=SOME),
    "conv-3d": Case(nn.Conv3d(16, 3, padding="same"), (16, 16, 16, 8), batches=(1, 8)),
    "conv-1d": Case(nn.Conv1d(64, 5, padding="same"), SIGNAL, batches=SOME),
    "convtranspose": Case(nn.ConvTranspose2d(32, 4, 2, 1), (16, 16, 64), batches=SOME),
    "convtranspose-1": Case(nn.ConvTranspose2d(32, 3), (16, 16, 64), batches=SOME),
    "convtranspose-1d": Case(nn.ConvTranspose1d(32, 4, 2, 1), SIGNAL, batches=SOME),
    "fixedconv": Case(nn.FixedConv(((-1.0, 0.0, 1.0), (-2.0, 0.0, 2.0), (-1.0, 0.0, 1.0))), IMAGE, batches=SOME),
    "differences": Case(nn.FiniteDifferences(), IMAGE, batches=SOME),
    "dct2d": Case(nn.DCT2d(), (32, 32, 8), batches=SOME),
    "blockdct": Case(nn.BlockDCT(8), (64, 64, 3), batches=SOME),
    "grey": Case(nn.Grey(), (64, 64, 3)),
    "maxpool": Case(nn.MaxPool2d(2), IMAGE, batches=SOME),
    "maxpool-overlap": Case(nn.MaxPool2d(3, 2, 1), IMAGE, batches=SOME),
    "avgpool": Case(nn.AvgPool2d(2), IMAGE, batches=SOME),
    "avgpool-overlap": Case(nn.AvgPool2d(3, 2), IMAGE, batches=SOME),
    "maxpool-1d": Case(nn.MaxPool1d(3, 2), SIGNAL, batches=SOME),
    "global-avg": Case(nn.GlobalAvgPool(), IMAGE, batches=SOME),
    "global-max": Case(nn.GlobalMaxPool(), IMAGE, batches=SOME),
    "softmax": Case(nn.Softmax(), VECTOR),
    "logsoftmax": Case(nn.LogSoftmax(), VECTOR),
    **{f"act-{a.__name__.lower()}": Case(a(), (4096,)) for a in (
        nn.ReLU, nn.LeakyReLU, nn.ELU, nn.GELU, nn.SiLU, nn.Softplus, nn.HardTanh, nn.Sigmoid, nn.Tanh)},
    "dropout": Case(nn.Dropout(0.5), (4096,)),
    "permute": Case(nn.Permute((1, 2, 0)), IMAGE, batches=SOME),
    "multiply": Case(nn.Multiply(nn.Dense(512), nn.Sequential(nn.Dense(512), nn.Sigmoid())), (512,)),
    "dense-4096": Case(nn.Dense(4096), (4096,), batches=SOME),
    "net-residual": Case(
        nn.Sequential(nn.Conv2d(32, 3, padding="same"), nn.ReLU(), _block(32), nn.BatchNorm(), nn.ReLU(), _block(32),
                      nn.GlobalAvgPool(), nn.Dense(10)),
        (32, 32, 3), "softmax_cross_entropy", batches=SOME,
    ),
    "loss-1000": _mlp(classes=1000),
    **{f"loss-{name}": _mlp(name) for name in LOSSES if name != "probability_cross_entropy"},
    "loss-probability_cross_entropy": Case(nn.Sequential(nn.Dense(10), nn.Sigmoid()), (784,),
                                           "probability_cross_entropy"),
    "opt-momentum": _mlp(optimizer=optim.SGD(0.01, momentum=0.9, nesterov=True)),
    "opt-rmsprop": _mlp(optimizer=optim.RMSProp(0.01)),
    "opt-adam": _mlp(optimizer=optim.Adam(0.01)),
    "opt-adamw": _mlp(optimizer=optim.AdamW(0.01)),
    "opt-clip": _mlp(optimizer=optim.Adam(0.01, clip=1.0)),
}  # fmt: skip


def _labels(rng: np.random.Generator, kind: str, shape: tuple[int, ...]) -> np.ndarray:
    if kind == "integer":
        return rng.integers(0, shape[-1], shape[:-1])
    if kind == "sign":
        return np.where(rng.random(shape) < 0.5, -1.0, 1.0)
    values = rng.random(shape)
    parts: np.ndarray = values / values.sum(axis=-1, keepdims=True)
    return parts


def programs(case: Case, batch: int) -> tuple[dict[str, Program], dict[str, Any]]:
    """The training step and the prediction, and arrays for both."""
    rng = np.random.default_rng(batch)
    scaled = nn.Formula("y[c] = x[c]*w[c]", {"w": nn.Ones()}, extra_axes=True)  # so that its input has a gradient
    network = build(case.layer if case.high else nn.Sequential(scaled, case.layer), case.shape)
    loss = LOSSES[case.loss]
    kind = loss.labels[0]
    train = training_program(network, loss, kind, case.optimizer, list(network.parameters))
    shape = (batch, *network.input_shape)
    given: dict[str, Any] = {}
    given["input"] = rng.integers(0, case.high, shape) if case.high else rng.standard_normal(shape)
    for name, spec in network.parameters.items():
        given[name] = rng.standard_normal(spec.shape) / np.sqrt(np.prod(spec.shape[:-1], initial=1))
    for name, spec in network.state.items():
        given[name] = rng.random(spec.shape) + 0.5
    for name, mask in network.masks.items():
        given[name] = (rng.random((batch, *mask.shape)) < mask.keep).astype(float)
    given[LABEL] = _labels(rng, kind, (batch, *network.output_shape))
    for tensor in train.by_role("optimizer"):
        given[tensor.name] = rng.random([axis.value for axis in tensor.axes])
    given |= {name: np.asarray(value) for name, value in case.optimizer.values(3).items()}
    return {"training": train, "prediction": network.predict}, given


def _needed(program: Program, given: Mapping[str, Any], dtype: str) -> dict[str, Any]:
    names = {tensor.name for tensor in program.inputs}
    return {n: a if a.dtype.kind == "i" else a.astype(dtype) for n, a in given.items() if n in names}


def _seconds(run: Callable[[], object]) -> float:
    count, start = 0, time.perf_counter()
    while True:
        run()
        count += 1
        spent = time.perf_counter() - start
        if spent > LEAST_SECONDS:
            return spent / count


def measure(program: Program, given: Mapping[str, Any], dtype: str, turns: int) -> tuple[float, float]:
    """Median milliseconds of the compiled engine, and the median of its ratios to NumPy."""
    arrays = _needed(program, given, dtype)
    ours, theirs = (compile_program(program, dtype, engine) for engine in ("llvm", "numpy"))
    pairs = []
    for turn in range(turns + 1):
        pair = _seconds(lambda: ours(arrays)), _seconds(lambda: theirs(arrays))
        pairs += [pair] if turn else []
    return 1000 * median(a for a, _ in pairs), median(a / b for a, b in pairs)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", default="", help="parts of names of cases, separated by commas")
    parser.add_argument("--batch", default="", help="batch sizes, separated by commas")
    parser.add_argument("--turns", type=int, default=5)
    parser.add_argument("--dtype", default="float32", choices=["float32", "float64"])
    options = parser.parse_args()
    wanted = options.only.split(",")
    print("| case | batch | training, ms | ratio | prediction, ms | ratio |\n|---|---|---|---|---|---|")
    for name, case in CASES.items():
        if not any(part in name for part in wanted):
            continue
        for batch in map(int, options.batch.split(",")) if options.batch else case.batches:
            found, given = programs(case, batch)
            cells = [measure(program, given, options.dtype, options.turns) for program in found.values()]
            text = " | ".join(f"{ms:.3g} | {ratio:.2f}" for ms, ratio in cells)
            print(f"| {name} | {batch} | {text} |", flush=True)


if __name__ == "__main__":
    main()
