"""This library: training as users call it, and the bare engine, which shows what Python adds."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

import paperback as pb
from benchmarks import networks as n
from benchmarks.learn import Examples, Job
from paperback import nn
from paperback.engines import compile_program

VARIANTS = [{}]
VERSION = f"paperback {pb.__version__}, NumPy {np.__version__}"


def build(layers: Sequence[n.Layer], rank: int) -> nn.Sequential:
    conv, pool = [(nn.Conv1d, nn.MaxPool1d), (nn.Conv2d, nn.MaxPool2d)][max(rank - 1, 0)]
    made: list[nn.Layer] = []
    for layer in layers:
        match layer:
            case n.Conv(filters, kernel, stride, padding):
                made.append(conv(filters, kernel, stride=stride, padding=padding))
            case n.Dense(units):
                made.append(nn.Dense(units))
            case n.MaxPool(window):
                made.append(pool(window))
            case n.ReLU():
                made.append(nn.ReLU())
            case n.Flatten():
                made.append(nn.Flatten())
            case n.MeanOverPlaces():
                made.append(nn.GlobalAvgPool())
            case n.Residual(inner):
                made.append(nn.Residual(*build(inner, rank).layers))
    return nn.Sequential(*made)


def model(network: n.Network, engine: str | None = None, threads: int | None = None) -> pb.Model:
    """The network with the numbers that all frameworks start from."""
    made = pb.Model(build(network.layers, len(network.shape) - 1), network.shape, engine=engine, threads=threads)
    flat = [array for pair in n.weights(network) for array in pair]
    made.set_parameters(dict(zip(made.parameters, flat, strict=True)))
    return made


def train(
    network: n.Network, batch: int, lr: float, engine: str | None = None, threads: int | None = None,
    bare: bool = False, calls: bool = False,
) -> Callable[[int], float]:  # fmt: skip
    """A function that takes so many steps and returns the last loss: `epoch` on examples in memory, or a call for each
    step.
    """
    made, rule = model(network, engine, threads), pb.optim.SGD(lr)
    batches = n.epoch(network, batch)
    if bare:
        return _bare(made, rule, batches, engine, threads)
    step = made.train_step(optimizer=rule)
    x, y = (np.concatenate(arrays) for arrays in zip(*batches, strict=True))
    taken = 0

    def run(steps: int) -> float:
        nonlocal taken
        while steps:
            first = taken % len(batches)
            count = 1 if calls else min(steps, len(batches) - first)
            at = slice(first * batch, (first + count) * batch)
            loss: float = step(x[at], y[at]) if calls else step.epoch(x[at], y[at], batch)[-1]
            taken, steps = taken + count, steps - count
        return loss

    return run


def _bare(
    made: pb.Model, rule: pb.optim.Optimizer, batches: list[tuple[np.ndarray, np.ndarray]], engine: str | None,
    threads: int | None,
) -> Callable[[int], float]:  # fmt: skip
    step = compile_program(made.program(optimizer=rule), engine=engine, threads=threads)
    given = [{"input": x, "label": y, **rule.values(1)} for x, y in batches]
    state, taken = dict(made.parameters), 0

    def run(steps: int) -> float:
        nonlocal state, taken
        for _ in range(steps):
            out = step({**state, **given[taken % len(given)]})
            state = {name: out[name] for name in state}
            taken += 1
        return float(out["loss"])

    return run


def infer(
    network: n.Network, batch: int, engine: str | None = None, threads: int | None = None, bare: bool = False
) -> Callable[[int], float]:
    """A function that predicts so often and returns the sum of the last output's magnitudes."""
    made = model(network, engine, threads)
    x = n.examples(network, batch, 1)[0][0]
    run_bare = compile_program(made.network.predict, engine=engine, threads=threads) if bare else None
    given = {"input": x, **made.parameters}

    def run(times: int) -> float:
        for _ in range(times):
            y = made.predict(x, batch_size=batch) if run_bare is None else run_bare(given)[made.network.output]
        return float(np.abs(y).sum())

    return run


def learn(job: Job, train: Examples, test: Examples) -> tuple[int, float]:
    """(epochs, share of the held-out examples that are right) of a training; see `learn`."""
    made, rule = model(job.network), pb.optim.SGD(job.lr, momentum=job.momentum)
    history = made.fit(
        *train, optimizer=rule, batch_size=job.batch, epochs=job.epochs, validation=test,
        callbacks=[lambda _, epoch: epoch.val_accuracy >= job.goal],
    )  # fmt: skip
    return len(history), history[-1].val_accuracy
