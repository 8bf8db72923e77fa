"""Batches and examples like the last are looked at in a shorter way; what is wrong is refused in the same words."""

from __future__ import annotations

import threading
from collections.abc import Callable

import numpy as np
import pytest

import paperback as pb
from paperback.engines.llvm import room
from paperback.learn import predictor
from paperback.learn.usual import UsualBatch, nothing
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


# --- predictions ------------------------------------------------------------------------------------------------------


def predicting(engine: str = "llvm", dtype: str = "float32") -> pb.Model:
    net = pb.nn.Sequential(pb.nn.Dense(7), pb.nn.BatchNorm(), pb.nn.Tanh(), pb.nn.Dense(3))
    return pb.Model(net, (4,), engine=engine, dtype=dtype)


def test_predictions_one_after_another_are_those_of_a_new_model() -> None:
    """Of other numbers, other shapes and sizes of batches, other parameters; kept results stay as they were."""
    pytest.importorskip("llvmlite")
    rng = np.random.default_rng(4)
    compared = 0
    for dtype in ("float32", "float64"):
        model, kept = predicting(dtype=dtype), []
        for turn in range(40):
            if turn % 7 == 3:
                model.set_parameters({"dense_1.w": rng.standard_normal((4, 7))})
            if turn % 9 == 5:
                model.train_step()(rng.standard_normal((6, 4)), rng.integers(0, 3, 6))
            x = rng.standard_normal(((1, 1, 1, 5, 2)[turn % 5], 4)).astype(dtype)
            given = x if turn % 4 else np.asfortranarray(np.repeat(x, 2, 1))[:, ::2]
            found = model.predict(given, batch_size=(256, 1, 3)[turn % 3])
            fresh = predicting(dtype=dtype)
            fresh.set_parameters(model._state.tensors)
            kept.append((found, found.copy()))
            assert found.tobytes() == fresh.predict(x).tobytes()
            compared += 1
        assert all(np.array_equal(one, copy) for one, copy in kept)
    assert compared == 80


def test_examples_that_are_wrong_are_refused_after_good_ones() -> None:
    pytest.importorskip("llvmlite")
    wrong = [np.full((1, 4), np.nan, np.float32), np.zeros((1, 3), np.float32), np.array([["a"] * 4])]
    for x in wrong:
        words = []
        for before in (0, 3):
            model = predicting()
            for _ in range(before):
                model.predict(np.ones((1, 4), np.float32))
            with pytest.raises(pb.ModelError) as error:
                model.predict(x)
            words.append(str(error.value))
        assert words[0] == words[1]
    model = predicting()
    x = np.ones((1, 4), np.float32)
    for _ in range(2):
        model.predict(x)
        with pytest.raises(pb.ModelError, match="batch_size is a whole number from 1 on, found 0"):
            model.predict(x, batch_size=0)


def test_predictions_by_several_threads() -> None:
    pytest.importorskip("llvmlite")
    model = predicting()
    inputs = np.random.default_rng(2).standard_normal((4, 1, 4)).astype(np.float32)
    expected = [predicting().predict(x).tobytes() for x in inputs]
    wrong: list[int] = []

    def ask(which: int) -> None:
        wrong.extend(which for _ in range(300) if model.predict(inputs[which]).tobytes() != expected[which])

    threads = [threading.Thread(target=ask, args=(k,)) for k in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []


def test_the_short_way_is_laid_the_second_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """It takes longer to lay than to go the long way once, as after every step."""
    pytest.importorskip("llvmlite")
    monkeypatch.setenv("PAPERBACK_DEBUG", "")
    model, x = predicting(), np.ones((1, 4), np.float32)
    for _ in range(3):
        found = []
        for _ in range(3):
            model.predict(x)
            found.append(model._like.predict is not nothing)
        assert found == [False, True, True]
        model.train_step()(np.ones((5, 4)), np.zeros(5, int))


def test_a_prediction_of_other_parameters_would_be_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    """The mutants: new parameters in the place of the old ones, and memory of results that somebody has used again."""
    pytest.importorskip("llvmlite")
    monkeypatch.setenv("PAPERBACK_DEBUG", "")  # between guard pages nothing is held
    mutants = [
        (predictor, "replace", lambda state, tensors: state.__dict__.update(tensors=tensors) or state),
        (room.Results, "holders", lambda self: 0),
    ]
    for place, name, mistake in mutants:
        with monkeypatch.context() as patch:
            patch.setattr(place, name, mistake)
            with pytest.raises(AssertionError):
                test_predictions_one_after_another_are_those_of_a_new_model()
