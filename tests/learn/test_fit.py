"""The training loop: what it reports, the order it takes, what stops it and what is left then."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from paperback import nn
from paperback.errors import ModelError
from paperback.learn import progress, train_step
from paperback.learn.augment import Shift
from paperback.learn.history import Epoch, History
from paperback.learn.model import Model, load
from paperback.learn.optim import SGD, Adam

NET = nn.Sequential(nn.Dense(8), nn.ReLU(), nn.Dropout(0.2), nn.Dense(3))


def problem(count: int = 50) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
    random = np.random.default_rng(0)
    x = random.normal(size=(count, 6))
    return x, np.argmax(x[:, :3], axis=1)


def test_training_learns_and_reports() -> None:
    x, y = problem(200)
    model = Model(NET, (6,))
    history = model.fit(x, y, optimizer=Adam(0.02), batch_size=16, epochs=10, validation=(x, y))
    assert len(history) == 10 and history.steps == 10 * 13 and not history.interrupted
    assert [record.number for record in history] == list(range(1, 11))
    assert history[-1].loss < history[0].loss / 2
    after = model.evaluate(x, y)
    assert (history[-1].val_loss, history[-1].val_accuracy) == (after["loss"], after["accuracy"])
    assert after["accuracy"] > 0.9
    assert all(0 <= (record.accuracy or 0) <= 1 and record.images_per_second > 0 for record in history)


def test_history_is_json() -> None:
    x, y = problem()
    history = Model(NET, (6,)).fit(x, y, epochs=2)
    data = json.loads(history.to_json())
    assert data == history.to_dict()
    assert set(data["epochs"][0]) == {
        "number", "loss", "accuracy", "val_loss", "val_accuracy", "seconds", "images_per_second",
        "val_metrics",
    }  # fmt: skip
    assert data["epochs"][0]["val_loss"] is None
    assert list(history[:1]) == [history[0]]
    with pytest.raises(AttributeError):
        history[0].loss = 1.0  # type: ignore[misc]


def test_the_epoch_loss_is_the_mean_over_examples_of_a_ragged_epoch() -> None:
    x, y = problem(7)
    model = Model(nn.Sequential(nn.Dense(3)), (6,), dtype="float64")
    whole = model.evaluate(x, y)
    record = model.fit(x, y, optimizer=SGD(0.0), batch_size=3)[0]
    assert record.loss == pytest.approx(whole["loss"], rel=1e-12)
    assert record.accuracy == whole["accuracy"]


def test_a_ragged_batch_divides_by_its_own_size() -> None:
    x, y = problem(5)
    a, b = (Model(nn.Sequential(nn.Dense(3)), (6,), dtype="float64") for _ in range(2))
    a.fit(x, y, optimizer=SGD(0.1), batch_size=3, shuffle=False)
    step = b.train_step(optimizer=SGD(0.1))
    step(x[:3], y[:3])
    step(x[3:], y[3:])
    np.testing.assert_array_equal(a.parameters["dense_1.w"], b.parameters["dense_1.w"])


def orders(model: Model, count: int, epochs: int) -> list[list[int]]:
    """The order in which examples come, seen through a hook that sees every batch."""
    seen: list[int] = []

    def look(batch: Any, generator: np.random.Generator) -> Any:
        seen.extend(int(i) for i in batch[:, 0])
        return batch

    x = np.arange(count, dtype=float)[:, None] * np.ones(6)
    model.fit(x, np.zeros(count, dtype=int), optimizer=SGD(0.0), batch_size=4, epochs=epochs, augment=look)
    return [seen[i : i + count] for i in range(0, len(seen), count)]


def test_the_order_is_that_of_seed_and_epoch() -> None:
    a, b, other = Model(NET, (6,), seed=1), Model(NET, (6,), seed=1), Model(NET, (6,), seed=2)
    both = orders(a, 11, 2)
    assert both[0] != both[1]
    assert all(sorted(order) == list(range(11)) for order in both)
    assert orders(b, 11, 1) + orders(b, 11, 1) == both
    assert orders(other, 11, 1)[0] != both[0]


def test_two_runs_have_the_same_bits() -> None:
    x, y = problem()
    images = x.reshape(-1, 2, 3, 1)
    net = nn.Sequential(nn.Flatten(), *NET.layers)
    a, b = Model(net, (2, 3, 1)), Model(net, (2, 3, 1))
    for model in (a, b):
        model.fit(images, y, optimizer=Adam(0.01), batch_size=8, epochs=2, augment=Shift(1))
    assert all(a.parameters[n].tobytes() == b.parameters[n].tobytes() for n in a.parameters)


@pytest.mark.parametrize(("calls", "at"), [(0, 0), (2, 4), (6, 11)])
def test_control_c_stops_between_two_steps(calls: int, at: int, monkeypatch: pytest.MonkeyPatch) -> None:
    x, y = problem()  # 7 steps an epoch: two, two, two and one
    model, twin = Model(NET, (6,)), Model(NET, (6,))
    monkeypatch.setattr(train_step.TrainStep, "at_once", lambda self, size: 2)
    once = train_step.TrainStep.run_batches
    count = 0

    def run(self: Any, *arguments: Any) -> Any:
        nonlocal count
        count += 1
        if count > calls:
            raise KeyboardInterrupt
        return once(self, *arguments)

    monkeypatch.setattr(train_step.TrainStep, "run_batches", run)
    history = model.fit(x, y, optimizer=Adam(0.01), batch_size=8, epochs=2)
    assert history.interrupted and history.steps == model.steps == at and len(history) == at // 7
    stop = {"left": at}

    def limited(self: Any, *arguments: Any) -> Any:
        if not stop["left"]:
            raise KeyboardInterrupt
        stop["left"] -= 1
        return once(self, *arguments)

    monkeypatch.setattr(train_step.TrainStep, "at_once", lambda self, size: 1)
    monkeypatch.setattr(train_step.TrainStep, "run_batches", limited)
    twin.fit(x, y, optimizer=Adam(0.01), batch_size=8, epochs=2)
    assert all(model.parameters[n].tobytes() == twin.parameters[n].tobytes() for n in model.parameters)


def test_control_c_inside_a_step_leaves_the_model_before_it(monkeypatch: pytest.MonkeyPatch) -> None:
    x, y = problem()
    model = Model(NET, (6,))
    step = model.train_step(optimizer=SGD(0.1))
    step(x, y)
    before = model._state
    runners = model._runners

    def interrupted(arrays: Any) -> Any:
        raise KeyboardInterrupt

    for key, (_, names) in list(runners.items()):
        runners[key] = (interrupted, names)
    history = model.fit(x, y, optimizer=SGD(0.1))
    assert history == History((), 0, True)
    assert model._state is before


@pytest.mark.parametrize("lr", [1e20, 1e38])
def test_what_is_no_number_is_refused_with_the_parameters_before_it(lr: float) -> None:
    x, y = problem()
    model = Model(nn.Sequential(nn.Dense(3)), (6,))
    with pytest.raises(ModelError) as error:
        model.fit(x * 1e12, y, optimizer=SGD(lr, momentum=0.9), epochs=50)
    assert str(error.value).startswith("training: ")
    fix = f"use a smaller learning rate (it is {lr:g}); the parameters are those before this step"
    assert str(error.value).endswith(f" step {model.steps + 1}; {fix}")
    assert all(np.isfinite(array).all() for array in model.parameters.values())


def test_another_kind_of_optimizer_starts_afresh_and_the_same_goes_on() -> None:
    x, y = problem()
    model = Model(NET, (6,))
    model.fit(x, y, optimizer=Adam(0.01))
    assert model._state.taken == 1
    model.fit(x, y, optimizer=Adam(0.001), epochs=2)
    assert model._state.taken == 3
    model.fit(x, y, optimizer=SGD(0.1, momentum=0.9))
    assert model._state.taken == 1 and set(model._state.optimizer) == {f"{n}.v" for n in model.parameters}
    assert model.steps == 4


def test_callbacks_see_every_epoch_and_may_end_the_training() -> None:
    x, y = problem()
    seen: list[int] = []

    def watch(model: Model, record: Epoch) -> bool:
        seen.append(record.number)
        return record.number == 3

    history = Model(NET, (6,)).fit(x, y, epochs=9, callbacks=[watch])
    assert seen == [1, 2, 3] and len(history) == 3 and not history.interrupted


def test_a_checkpoint_after_every_epoch(tmp_path: Path) -> None:
    x, y = problem()
    model = Model(NET, (6,))
    model.fit(x, y, epochs=2, checkpoint=tmp_path / "model")
    assert load(tmp_path / "model").epochs == 2


def test_schedules_scale_the_learning_rate() -> None:
    x, y = problem(10)
    a, b, c = (Model(nn.Sequential(nn.Dense(3)), (6,), dtype="float64") for _ in range(3))
    a.fit(x, y, optimizer=SGD(0.1), batch_size=5, epochs=2, schedule="cosine")
    b.fit(x, y, optimizer=SGD(0.1), batch_size=5, epochs=2, schedule=lambda share: (1 + np.cos(np.pi * share)) / 2)
    c.fit(x, y, optimizer=SGD(0.1), batch_size=5, epochs=2)
    np.testing.assert_allclose(a.parameters["dense_1.w"], b.parameters["dense_1.w"])
    assert not np.allclose(a.parameters["dense_1.w"], c.parameters["dense_1.w"])


def test_the_progress_line(monkeypatch: pytest.MonkeyPatch) -> None:
    stream = io.StringIO()
    monkeypatch.setattr(progress.sys, "stderr", stream)
    x, y = problem()
    Model(NET, (6,)).fit(x, y, epochs=2, validation=(x, y))
    assert stream.getvalue() == ""  # no terminal
    Model(NET, (6,)).fit(x, y, epochs=2, validation=(x, y), progress=True)
    lines = stream.getvalue().splitlines()
    assert len([line for line in lines if "held out: loss" in line]) == 2
    assert lines[-1].lstrip("\r").startswith("epoch 2/2  loss ")


def test_a_line_of_progress() -> None:
    text = progress.line_for(3, 12, 0.25, 0.5, 12345.6, 75.2)
    assert text == "epoch  3/12  loss 0.2500  accuracy 50.00%  12,346 images/s  1:15 left"
    assert progress.line_for(1, 1, 0.25, None, 5, None) == "epoch 1/1  loss 0.2500  5 images/s"


def test_shift_moves_images_and_keeps_the_rest() -> None:
    images = np.random.default_rng(0).normal(size=(30, 4, 5, 2))
    moved = Shift(1, share=0.6)(images, np.random.default_rng(1))
    padded = np.pad(images, ((0, 0), (1, 1), (1, 1), (0, 0)))
    windows = [
        [padded[n, a : a + 4, b : b + 5] for a in range(3) for b in range(3)] for n in range(len(images))
    ]  # all the places an image may have gone to
    assert moved.shape == images.shape
    assert all(any(np.array_equal(moved[n], window) for window in windows[n]) for n in range(len(images)))
    still = sum(np.array_equal(a, b) for a, b in zip(images, moved, strict=True))
    assert 5 < still < 25
    assert np.array_equal(Shift(1, share=0)(images, np.random.default_rng(1)), images)
    with pytest.raises(ModelError) as error:
        Shift(1)(np.zeros((3, 4)), np.random.default_rng(1))
    assert str(error.value) == "Shift: images have axes N H W C, found shape (3, 4); leave the shift out"


def test_an_augmentation_keeps_the_shape() -> None:
    x, y = problem()
    with pytest.raises(ModelError) as error:
        Model(NET, (6,)).fit(x, y, augment=lambda batch, generator: batch[:, :3])
    assert str(error.value) == "fit: augment needs to keep the batch's shape (50, 6), found (50, 3); fix the function"


def noisy() -> tuple[tuple[Any, Any], tuple[Any, Any]]:
    """Few examples with wrong labels: the held-out loss soon rises."""
    random = np.random.default_rng(1)
    x, y = problem(60)
    return (x[:20], random.integers(0, 3, 20)), (x[20:], y[20:])


def test_patience_counts_epochs_since_the_least_held_out_loss() -> None:
    (x, y), held = noisy()
    stopped = 0
    for patience in (1, 2, 4):
        history = Model(NET, (6,)).fit(x, y, optimizer=Adam(0.05), epochs=40, validation=held, patience=patience)
        losses = [float(record.val_loss or 0) for record in history]
        since = [len(part) - 1 - part.index(min(part)) for part in (losses[: n + 1] for n in range(len(losses)))]
        assert since[-1] == patience and max(since[:-1], default=0) < patience
        assert history.best is not None and history.best.number == losses.index(min(losses)) + 1
        assert history.to_dict()["best"] == history.best.number
        stopped += len(history) < 40
    assert stopped == 3


def test_keep_best_goes_back_to_the_numbers_of_the_best_epoch(tmp_path: Path) -> None:
    (x, y), held = noisy()
    seen: dict[int, dict[str, bytes]] = {}

    def watch(model: Model, record: Epoch) -> None:
        seen[record.number] = {name: array.tobytes() for name, array in model.parameters.items()}

    settings: dict[str, Any] = {"optimizer": Adam(0.05), "epochs": 12, "validation": held, "callbacks": [watch]}
    model = Model(NET, (6,))
    history = model.fit(x, y, **settings, keep_best=True, checkpoint=tmp_path / "model")
    assert history.best is not None and 1 <= history.best.number < 12
    for found in (model, load(tmp_path / "model")):
        assert {name: array.tobytes() for name, array in found.parameters.items()} == seen[history.best.number]
        assert found.epochs == found.steps == 12
        assert found._state.taken == history.best.number  # the optimizer's own count goes back with its tensors
        assert found.evaluate(*held)["loss"] == history.best.val_loss
    last = Model(NET, (6,))
    last.fit(x, y, **settings)
    assert {name: array.tobytes() for name, array in last.parameters.items()} == seen[12] != seen[history.best.number]


def test_a_best_epoch_is_kept_through_control_c(monkeypatch: pytest.MonkeyPatch) -> None:
    (x, y), held = noisy()
    whole = Model(NET, (6,)).fit(x, y, optimizer=Adam(0.05), epochs=12, validation=held)

    def stop(model: Model, record: Epoch) -> None:
        if record.number == 12:
            raise KeyboardInterrupt

    model = Model(NET, (6,))
    history = model.fit(
        x, y, optimizer=Adam(0.05), epochs=20, validation=held, keep_best=True, callbacks=[stop]
    )
    assert history.interrupted and len(history) == 12 and whole.best is not None
    assert model.evaluate(*held)["loss"] == whole.best.val_loss


def test_metrics_of_the_held_out_examples() -> None:
    x, y = problem()
    model = Model(NET, (6,))
    history = model.fit(x, y, epochs=2, validation=(x, y), metrics=["confusion", "recall"])
    found = model.evaluate(x, y, metrics=["confusion", "recall"])
    assert history[-1].val_metrics == {"confusion": found["confusion"].tolist(), "recall": found["recall"].tolist()}
    assert json.loads(history.to_json())["epochs"][1]["val_metrics"]["confusion"] == found["confusion"].tolist()


def test_a_line_is_learned_as_numbers() -> None:
    random = np.random.default_rng(0)
    x = random.normal(size=(80, 3))
    y = x @ np.array([[1.0, -2.0], [0.5, 0.0], [3.0, 1.0]]) + [0.25, -1]
    model = Model(nn.Sequential(nn.Dense(2)), (3,), dtype="float64")
    history = model.fit(
        x, y, "mean_squared_error", SGD(0.2), 16, 40, validation=(x, y), metrics=["r2", "mean_absolute_error"]
    )
    assert min(history[-1].val_metrics["r2"]) > 1 - 1e-9 and history[-1].val_metrics["mean_absolute_error"] < 1e-5
    assert history[-1].accuracy is None and history[-1].val_accuracy is None
    np.testing.assert_allclose(model.parameters["dense_1.b"], [0.25, -1], atol=1e-5)


def test_losses_that_are_no_numbers_are_null_in_json() -> None:
    record = Epoch(1, 0.5, None, float("inf"), None, 1.0, 2.0)
    data = json.loads(History((record, Epoch(2, 0.5, None, float("nan"), None, 1.0, 2.0))).to_json())
    assert [epoch["val_loss"] for epoch in data["epochs"]] == [None, None] and data["epochs"][0]["loss"] == 0.5
