"""The learning-rate range test: its curve is that of steps taken by hand, and the model is left as it was."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from paperback import nn
from paperback.errors import ModelError
from paperback.learn.model import Model
from paperback.learn.optim import SGD, Adam
from paperback.nn.init import stream

RANDOM = np.random.default_rng(0)
X = RANDOM.normal(size=(90, 5))
Y = np.argmax(X[:, :3], axis=1)


def model() -> Model:
    return Model(nn.Sequential(nn.Dense(8), nn.ReLU(), nn.Dropout(0.1), nn.Dense(3)), (5,), seed=4, dtype="float64")


def test_the_curve_is_that_of_steps_at_growing_rates() -> None:
    found = model().find_learning_rate(X, Y, optimizer=SGD(0.3, momentum=0.5), batch_size=16, steps=20, highest=1.0)
    twin, mean = model(), 0.0
    assert len(found.rates) == len(found.losses) == len(found.smoothed) == 20
    assert found.rates[0] == 1e-6 and found.rates[-1] == pytest.approx(1)
    assert repr(found) == f"LearningRates(20 steps, 1e-06 to 1; suggestion {found.suggestion:.3g})"
    for k, rate in enumerate(found.rates):
        chosen = stream(4, f"learning rate {k}").choice(90, 16, replace=False)
        loss = twin.train_step(optimizer=SGD(rate, momentum=0.5))(X[chosen], Y[chosen])
        mean = 0.9 * mean + 0.1 * loss
        assert found.losses[k] == pytest.approx(loss, rel=1e-9)
        assert found.smoothed[k] == pytest.approx(mean / (1 - 0.9 ** (k + 1)), rel=1e-9)


def test_the_model_is_left_as_it_was() -> None:
    one, other = model(), model()
    for each in (one, other):
        each.fit(X, Y, optimizer=Adam(0.01), batch_size=16)
    before = one._state
    one.find_learning_rate(X, Y, optimizer=SGD(0.1), batch_size=16)
    assert one._state is before
    for each in (one, other):
        each.fit(X, Y, optimizer=Adam(0.01), batch_size=16)
    assert all(one.parameters[name].tobytes() == other.parameters[name].tobytes() for name in one.parameters)


def test_it_ends_where_the_loss_diverges_and_suggests_a_rate_that_learns() -> None:
    found = model().find_learning_rate(X * 3, Y, batch_size=32, highest=1e8)
    assert 10 < len(found.rates) < 100
    assert found.smoothed[-1] > 2 * min(found.smoothed)
    assert found.suggestion * 10 == found.rates[found.smoothed.index(min(found.smoothed))]
    assert 1e-3 < found.suggestion < 1e2
    learner = model()
    first = learner.evaluate(X * 3, Y)["loss"]
    learner.fit(X * 3, Y, optimizer=SGD(found.suggestion), batch_size=32, epochs=10)
    assert learner.evaluate(X * 3, Y)["loss"] < first / 2


ERRORS: list[tuple[Callable[[], object], str]] = [
    (lambda: model().find_learning_rate(X, Y, steps=9), "steps is a whole number from 10 on, found 9; pass steps=10"),
    (
        lambda: model().find_learning_rate(X, Y, lowest=1, highest=0.1),
        "needs 0 < lowest < highest, found 1 and 0.1; pass lowest=1e-6",
    ),
    (
        lambda: model().find_learning_rate(X, Y[:5]),
        "needs one label for each example, found 90 examples and 5 labels; check that x and y belong together",
    ),
    (
        lambda: model().find_learning_rate(X * 1e200, Y, lowest=1e200, highest=1e300),
        "the loss is no number in the first step, at the rate 1e+200; pass a smaller lowest, or scale x",
    ),
]


@pytest.mark.parametrize(("make", "message"), ERRORS, ids=[message[:30] for _, message in ERRORS])
def test_what_cannot_be_tested(make: Callable[[], Any], message: str) -> None:
    with pytest.raises(ModelError) as error:
        make()
    assert str(error.value) == f"find_learning_rate: {message}"
