"""A batch like the last one is looked at in a shorter way; what is wrong is refused in the same words."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

import paperback as pb
from paperback.learn.inputs import UsualBatch
from paperback.nn.losses import find

Pair = tuple[np.ndarray, np.ndarray]


def batch(seed: int = 0) -> Pair:
    rng = np.random.default_rng(seed)
    return rng.standard_normal((5, 4), np.float32), rng.integers(0, 3, 5)


def changed(x: object = None, y: object = None) -> Callable[[Pair], tuple[object, object]]:
    def change(pair: Pair) -> tuple[object, object]:
        for array, number in zip(pair, (x, y), strict=True):
            if number is not None:
                array.flat[2] = number
        return pair

    return change


WRONG: dict[str, Callable[[Pair], tuple[object, object]]] = {
    "NaN": changed(x=np.nan),
    "infinity": changed(x=-np.inf),
    "class too large": changed(y=3),
    "class below 0": changed(y=-1),
    "shape of x": lambda pair: (pair[0][:, :3], pair[1]),
    "one label less": lambda pair: (pair[0], pair[1][:4]),
    "labels are floats": lambda pair: (pair[0], pair[1].astype(float)),
    "labels have two axes": lambda pair: (pair[0], pair[1][:, None]),
    "words": lambda pair: (pair[0].astype(str), pair[1]),
}


def stepper() -> Callable[..., float]:
    model = pb.Model(pb.nn.Sequential(pb.nn.Dense(3)), (4,), engine="numpy")
    return model.train_step(optimizer=pb.optim.SGD(0.1))


@pytest.mark.parametrize("what", WRONG)
def test_what_is_wrong_is_refused_in_the_same_words(what: str) -> None:
    words = []
    for before in (0, 2):
        step = stepper()
        for seed in range(before):
            step(*batch(seed))
        with pytest.raises(pb.ModelError) as error:
            step(*WRONG[what](batch(9)))
        words.append(str(error.value))
        assert np.isfinite(step(*batch(3)))
    assert words[0] == words[1]


def test_what_is_right_gives_the_same_numbers() -> None:
    """Large numbers, whose squares are none, views, other types: the second time as the first."""
    forms: list[Callable[[Pair], Pair]] = [
        lambda pair: pair,
        lambda pair: (np.asfortranarray(pair[0]), pair[1]),
        lambda pair: (pair[0][::-1], pair[1][::-1]),
        lambda pair: (np.where(np.arange(4) == 1, np.float32(1e20), pair[0]), pair[1]),
        lambda pair: (pair[0].astype(np.float64), pair[1].astype(np.int8)),
    ]
    for form in forms:
        usual, first = stepper(), stepper()
        usual(*batch(0)), first(np.array(batch(0)[0]).tolist(), batch(0)[1].tolist())
        x, y = form(batch(1))
        assert usual(x, y) == first(x.tolist(), y.tolist())


def test_a_label_that_is_changed_later_is_not_changed_here() -> None:
    model = pb.Model(pb.nn.Sequential(pb.nn.Dense(3)), (4,), engine="numpy")
    for _ in range(2):
        x, y = batch()
        _, labels, _ = model.check_batch("here", x, y, find("softmax_cross_entropy"))
        assert not np.may_share_memory(labels, y)


def test_the_check_can_fail(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(UsualBatch, "is_like", lambda self, x, y, loss: self.form[0] == x.shape)
    for what in ("class too large", "class below 0"):
        step = stepper()
        step(*batch(0))
        with pytest.raises((IndexError, pytest.fail.Exception, pb.EngineError)), pytest.raises(pb.ModelError):
            step(*WRONG[what](batch(9)))
