"""Many steps in one call: an epoch has the bits of a loop over its batches, and so has training."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import paperback as pb
from paperback import nn
from paperback.engines.llvm.series import run_series
from paperback.learn import Shift, TrainStep, train_step
from paperback.learn.optim import SGD, Adam, Optimizer

pytest.importorskip("llvmlite")

SHAPE = (6, 5, 2)
RULES = [SGD(0.05), SGD(0.05, momentum=0.9, nesterov=True), Adam(0.01, clip=0.5)]


def made(engine: str = "llvm", **settings: Any) -> pb.Model:
    net = nn.Sequential(
        nn.Conv2d(4, 3), nn.BatchNorm(), nn.ReLU(), nn.Flatten(), nn.Dropout(0.25), nn.Dense(7), nn.Tanh(), nn.Dense(3)
    )
    return pb.Model(net, settings.pop("shape", SHAPE), engine=engine, **settings)


def problem(count: int = 61) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(5)
    return rng.standard_normal((count, *SHAPE), np.float32), rng.integers(0, 3, count)


def same(a: pb.Model, b: pb.Model) -> bool:
    """All that two models hold after training, bit for bit."""
    pairs = [(x._state.tensors | x._state.optimizer, x._state.taken, x.steps) for x in (a, b)]
    (first, *counts), (second, *others) = pairs
    return counts == others and all(first[n].tobytes() == second[n].tobytes() for n in first.keys() | second.keys())


def loop(step: TrainStep, x: Any, y: Any, size: int, weights: Any = None) -> list[float]:
    parts = [slice(at, at + size) for at in range(0, len(x), size)]
    return [step(x[p], y[p], None if weights is None else weights[p]) for p in parts]


@pytest.mark.parametrize("rule", RULES, ids=str)
@pytest.mark.parametrize("engine", ["llvm", "numpy"])
def test_an_epoch_has_the_bits_of_its_steps(rule: Optimizer, engine: str, monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[int] = []

    def counted(*given: Any) -> Any:
        calls.append(given[-1])
        return run_series(*given)

    monkeypatch.setenv("PAPERBACK_DEBUG", "")  # between guard pages steps run one by one
    monkeypatch.setattr("paperback.engines.llvm.runner.run_series", counted)
    monkeypatch.setattr(train_step, "_AT_ONCE_SECONDS", 1e6)
    x, y = problem()
    weights = np.random.default_rng(1).integers(1, 4, len(x)) / 4
    for size, weight in ((9, None), (9, weights), (1000, None), (4, None)):
        a, b = made(engine), made(engine)
        one, other = a.train_step(optimizer=rule), b.train_step(optimizer=rule)
        for _ in range(3):
            assert one.epoch(x, y, size, weight).tolist() == loop(other, x, y, size, weight)
        assert same(a, b)
    assert sum(calls) == (3 * (6 + 6 + 15) if engine == "llvm" else 0)  # all whole batches that have company


def test_what_an_epoch_takes() -> None:
    x, y = problem()
    nchw = made(layout="NCHW", shape=(2, 6, 5))
    losses = nchw.train_step(optimizer=SGD(0.05)).epoch(np.moveaxis(x, -1, 1), y.tolist(), batch_size=20)
    assert losses.dtype == np.float64 and losses.shape == (4,)  # of 20, 20, 20 and 1
    assert losses.tolist() == loop(made().train_step(optimizer=SGD(0.05)), x, y, 20)
    step = made().train_step()
    bad: list[tuple[dict[str, Any], str]] = [
        ({"batch_size": 0}, "epoch: batch_size is a whole number from 1 on, found 0; pass batch_size=1"),
        ({"batchsize": 3}, "epoch: takes no batchsize; did you mean batch_size?"),
        ({"weights": [1.0]}, "epoch: weights needs one number for each of 61 examples, found shape (1,)"),
    ]
    for settings, words in bad:
        with pytest.raises(pb.PaperbackError) as error:
            step.epoch(x, y, **settings)
        assert str(error.value).startswith(words)
    with pytest.raises(pb.ModelError, match=r"^epoch: needs one label for each example, found 61 examples and 60"):
        step.epoch(x, y[1:])
    assert step.model.steps == 0


def test_a_step_that_fails_leaves_those_before_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(train_step, "_AT_ONCE_SECONDS", 1e6)
    x, y = problem(40)
    x[23] *= np.float32(1e30)  # in the third batch of eight
    a, b = made(), made()
    with np.errstate(all="ignore"):
        for model in (a, b):
            step = model.train_step(optimizer=SGD(0.05))
            step.epoch(x[:16], y[:16], 4)
            with pytest.raises(train_step.DivergedError, match=r"(at|after) step 7"):
                step.epoch(x, y, 8) if model is a else loop(step, x, y, 8)
    assert a.steps == 6 and same(a, b)


@pytest.mark.parametrize("schedule", ["constant", "cosine"])
def test_training_by_one_step_at_a_time_has_the_same_bits(schedule: str, monkeypatch: pytest.MonkeyPatch) -> None:
    x, y = problem(200)
    found = []
    for at_once in (None, lambda self, size: 1, lambda self, size: 3):
        if at_once is not None:
            monkeypatch.setattr(TrainStep, "at_once", at_once)
        model = made()
        history = model.fit(
            x, y, optimizer=Adam(0.01), batch_size=11, epochs=4, augment=Shift(1), schedule=schedule,
            weights=np.arange(200) % 3 + 1.0,
        )  # fmt: skip
        found.append((model, [(r.loss, r.accuracy) for r in history], history.steps, history.curve))
    assert found[0][2] == 4 * 19
    for model, *rest in found[1:]:
        assert same(model, found[0][0]) and rest == list(found[0][1:])
