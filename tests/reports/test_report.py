"""Every kind of model has its page; nothing gets in or out of it; it is written whole or not at all."""

from __future__ import annotations

import math
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.reports.networks import dense_net
from tests.reports.pages import sound

import paperback as pb
from paperback import nn
from paperback.errors import ModelError
from paperback.learn.history import Epoch, History

Array = Any


def others() -> dict[str, tuple[pb.Model, Array, Array, str]]:
    random = np.random.default_rng(5)
    pictures, signs = random.random((30, 6, 6, 3)), random.integers(0, 2, (30, 1))
    return {
        "logit": (pb.Model(nn.Dense(1), (3,)), random.normal(size=(30, 3)), signs, "binary_cross_entropy"),
        "sign": (pb.Model(nn.Dense(1), (3,)), random.normal(size=(30, 3)), 2 * signs - 1, "hinge"),
        "probability": (
            pb.Model(nn.Sequential(nn.Dense(1), nn.Sigmoid()), (3,)), random.normal(size=(30, 3)), signs,
            "probability_cross_entropy",
        ),
        "distribution": (pb.Model(nn.Dense(4), (3,)), random.normal(size=(30, 3)), np.eye(4)[random.integers(0, 4, 30)],
                         "softmax_cross_entropy"),
        "pixels": (
            pb.Model(nn.Conv2d(3, 1), (6, 6, 3)), pictures, random.integers(0, 3, (30, 6, 6)), "softmax_cross_entropy"
        ),
        "pixels, channels first": (
            pb.Model(nn.Conv2d(4, 1), (3, 6, 6), layout="NCHW"), np.moveaxis(pictures, -1, 1),
            random.integers(0, 4, (30, 6, 6)), "softmax_cross_entropy",
        ),
        "ids": (
            pb.Model(nn.Sequential(nn.Embedding(9, 4), nn.Flatten(), nn.Dense(3)), (5,)),
            random.integers(0, 9, (30, 5)), random.integers(0, 3, 30), "softmax_cross_entropy",
        ),
        "colour": (
            pb.Model(nn.Sequential(nn.Flatten(), nn.Dense(2)), (6, 6, 3)), pictures, random.integers(0, 2, 30),
            "softmax_cross_entropy",
        ),
        "no parameters": (pb.Model(nn.ReLU(), (3,)), random.random((30, 3)), random.integers(0, 3, 30),
                          "softmax_cross_entropy"),
        "statistics": (
            pb.Model(nn.Sequential(nn.BatchNorm(), nn.Dropout(0.5), nn.Residual(nn.Dense(3))), (3,)),
            random.normal(size=(30, 3)), random.integers(0, 3, 30), "softmax_cross_entropy",
        ),
        "many classes": (pb.Model(nn.Dense(40), (3,)), random.normal(size=(30, 3)), random.integers(0, 40, 30),
                         "softmax_cross_entropy"),
        "very many classes": (pb.Model(nn.Dense(1001), (3,)), random.normal(size=(30, 3)),
                              random.integers(0, 1001, 30), "softmax_cross_entropy"),
        "one example": (pb.Model(nn.Dense(3), (2,)), random.normal(size=(1, 2)), np.array([1]),
                        "softmax_cross_entropy"),
    }  # fmt: skip


def test_of_many_classes_the_worst_are_told() -> None:
    model = pb.Model(nn.Dense(120), (3,))
    random = np.random.default_rng(0)
    x = random.normal(size=(500, 3))
    y = model.predict(x).argmax(axis=1)
    y[:40] = (y[:40] + 1) % 120
    made = pb.report(model, x, y)
    rows, recall = sound(made).table("recall", "precision"), made.run.answers.recall
    assert recall is not None and len(rows) == 100
    told = {int(row["class"]) for row in rows}
    left = [recall[k] for k in range(120) if k not in told and not math.isnan(recall[k])]
    assert max(recall[k] for k in told if not math.isnan(recall[k])) <= min(left, default=1)


@pytest.mark.parametrize("kind", others())
def test_every_kind_of_model_has_its_page(kind: str) -> None:
    model, x, y, loss = others()[kind]
    made = pb.report(model, x, y, loss=loss)
    page, answers = sound(made), made.run.answers
    assert answers.loss == pytest.approx(model.evaluate(x, y, loss)["loss"])
    assert answers.accuracy == pytest.approx(model.evaluate(x, y, loss)["accuracy"])
    assert answers.judged == (30 * 36 if kind.startswith("pixels") else len(x))
    assert [row["layer"] for row in page.table("layer", "mean")] == [layer.name for layer in model.network.layers]
    assert page.elements.count("math") > 0
    assert (answers.mistakes == ()) == (kind.startswith("pixels") or not answers.wrong)
    filters = [v for tag, name, v in page.attributes if (tag, name) == ("img", "alt") and v.startswith("unit")]
    assert len(filters) == {"colour": 2}.get(kind, 0)
    assert (answers.confusion is None) == (kind == "very many classes")
    if kind == "sign":
        outputs = [float(model.predict(x)[mistake.place, 0]) for mistake in answers.mistakes]
        assert [mistake.confidence for mistake in answers.mistakes] == pytest.approx(np.abs(outputs))
        assert [mistake.given for mistake in answers.mistakes] == [int(z > 0) for z in outputs]
        assert answers.confidence == "margin"
    if kind == "logit":
        worst = answers.mistakes[0]
        logit = float(model.predict(x)[worst.place, 0])
        assert worst.confidence == pytest.approx(1 / (1 + math.exp(-abs(logit))), rel=1e-6)
    if kind == "probability":
        worst = answers.mistakes[0]
        share = float(model.predict(x)[worst.place, 0])
        assert worst.confidence == pytest.approx(max(share, 1 - share), rel=1e-6)


def test_the_kinds_were_seen() -> None:
    assert len(others()) == 13


def test_names_are_text_and_nothing_else() -> None:
    model, x, y = dense_net()
    nasty = ["<script>alert(1)</script>", "\"><img src=x onerror='alert(1)'>", "&amp;\x00</style>"]
    epoch = Epoch(1, math.nan, None, None, None, math.inf, 1.0)
    made = pb.report(model, x, y, class_names=nasty, title="</title><script>", history=History((epoch,), 1))
    page = sound(made)
    assert [row["class"] for row in page.table("precision")] == [nasty[0], nasty[1], "&amp;\ufffd</style>"]
    assert "<script" not in made.html and page.elements.count("style") == 1
    assert "<script" not in made._repr_html_() and made._repr_html_().startswith("<iframe srcdoc=")


def test_the_page_is_written_whole_or_not_at_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    model, x, y = dense_net()
    path = tmp_path / "page.html"
    made = pb.report(model, x, y, path=path)
    assert path.read_text(encoding="utf-8") == made.html
    path.write_text("old")

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    for step in ("fsync", "replace"):
        with monkeypatch.context() as patch:
            patch.setattr(os, step, full)
            with pytest.raises(OSError, match="No space"):
                pb.report(model, x, y, path=path)
        assert path.read_text() == "old" and [place.name for place in tmp_path.iterdir()] == ["page.html"]


def test_what_does_not_fit_is_refused_before_anything_is_computed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model, x, y = dense_net()

    def never(*_: object, **__: object) -> None:
        raise AssertionError("computed")

    for name in ("predict", "evaluate", "activations", "loss_and_gradients"):
        monkeypatch.setattr(pb.Model, name, never)
    cases: list[tuple[str, dict[str, Any]]] = [
        (f"report: cannot write {tmp_path / 'no' / 'page'}: there is no folder {tmp_path / 'no'}; make it, or choose "
         f"another path", {"path": tmp_path / "no" / "page"}),
        ("report: class_names is a list of texts, found 'abc'; pass class_names=", {"class_names": "abc"}),
        ("report: needs a name for each of the 3 classes, found 2; name all or none", {"class_names": ["a", "b"]}),
        ("report: history is what fit returned, found dict; pass that", {"history": {}}),
        ("report: needs a Model, found str; pass report(model, x, y)", {"model": "lenet"}),
        ("no loss is called 'mse'", {"loss": "mse"}),
        ("report: x needs shape (N, 5)", {"x": x[:, :4]}),
    ]  # fmt: skip
    for message, change in cases:
        with pytest.raises(ModelError) as error:
            pb.report(**{"model": model, "x": x, "y": y, **change})
        assert str(error.value).startswith(message)
    assert len(cases) == 7


def test_the_page_says_what_ran() -> None:
    model, x, y = dense_net()
    settings = {row["setting"]: row[""] for row in sound(pb.report(model, x, y)).table("setting")}
    assert (settings["seed"], settings["dtype"]) == ("2", "float64")
    told = {}
    for engine, threads in (("numpy", None), ("llvm", 2), ("llvm", None)):
        other = pb.Model(nn.Dense(3), (5,), engine=engine, threads=threads)
        told[engine, threads] = pb.report(other, x, y).run.settings["engine"]
    assert list(told.values()) == ["numpy", "llvm, threads: 2", "llvm, threads: one for each core"]
