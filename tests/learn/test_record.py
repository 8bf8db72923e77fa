"""The course of training in few numbers, the history read back, and the record in a model's file."""

from __future__ import annotations

import json
import math
import re
import xml.etree.ElementTree as ET
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import paperback as pb
from paperback.errors import ModelError
from paperback.learn.checkpoint import read_record
from paperback.learn.curve import Curve, Point
from paperback.learn.environment import environment
from paperback.learn.history import Epoch, History
from paperback.learn.record import Record


@pytest.mark.parametrize("steps", [0, 1, 3, 511, 512, 513, 1024, 1025, 5000])
def test_the_curve_keeps_the_means_of_every_length(steps: int) -> None:
    losses = np.random.default_rng(steps).random(steps)
    rates = np.linspace(1, 2, steps)
    curve = Curve()
    for loss, rate in zip(losses, rates, strict=True):
        curve.step(float(loss), float(rate))
    points = curve.points
    assert len(points) <= 512 and len(points) >= min(steps, 256)
    ends = [0, *(point.step for point in points)]
    widths = np.diff(ends)
    assert ends[-1] == steps and (not steps or ((widths[:-1] == widths[0]).all() and widths[-1] <= widths[0]))
    for start, end, point in zip(ends, ends[1:], points, strict=False):
        assert point.loss == pytest.approx(losses[start:end].mean())
        assert point.rate == pytest.approx(rates[start:end].mean())


def trained() -> tuple[pb.Model, History]:
    model = pb.Model(pb.nn.Sequential(pb.nn.Dense(3)), input_shape=(4,), seed=1, dtype="float64")
    x = np.random.default_rng(0).random((20, 4))
    optimizer = pb.optim.SGD(0.5)
    return model, model.fit(x, np.arange(20) % 3, optimizer=optimizer, batch_size=8, epochs=2, schedule="cosine")


def test_fit_tells_the_loss_and_the_rate_of_every_step() -> None:
    _, history = trained()
    assert [point.step for point in history.curve] == [1, 2, 3, 4, 5, 6] and history.steps == 6
    assert [point.rate for point in history.curve] == pytest.approx(
        [0.5 * (1 + math.cos(math.pi * step / 6)) / 2 for step in range(6)]
    )
    per_epoch = [np.average([p.loss for p in history.curve[i : i + 3]], weights=[8, 8, 4]) for i in (0, 3)]
    assert per_epoch == pytest.approx([epoch.loss for epoch in history])


def test_a_history_is_read_back() -> None:
    _, history = trained()
    assert History.from_dict(json.loads(history.to_json())) == history
    epoch = Epoch(3, math.inf, None, 0.5, None, 1.0, 2.0, {"recall": [1.0, None]})
    odd = History((epoch,), 7, True, (Point(7, 0.1, 1),))
    back = History.from_dict(json.loads(odd.to_json()))
    assert math.isnan(back[0].loss) and back[0].val_metrics == {"recall": [1.0, None]} and back.interrupted


BAD_HISTORIES = [
    None, [], {}, {"epochs": 3, "steps": 1, "interrupted": False, "curve": []},
    {"epochs": [{}], "steps": 1, "interrupted": False, "curve": []},
    {"epochs": [], "steps": "many", "interrupted": False, "curve": []},
    {"epochs": [], "steps": 1, "interrupted": False, "curve": [[1, 2]]},
    {"epochs": [], "steps": 1, "interrupted": False, "curve": [[None, 2, 3]]},
]  # fmt: skip


@pytest.mark.parametrize("data", BAD_HISTORIES)
def test_what_is_no_history_is_refused(data: object) -> None:
    with pytest.raises(ModelError, match=r"a history needs what History\.to_dict gives"):
        History.from_dict(data)


def test_the_record_lies_in_the_models_file(tmp_path: Path) -> None:
    model, history = trained()
    record = Record({"command": "paperback train", "lr": 0.5}, history, environment())
    model.save(tmp_path / "bare")
    model.save(tmp_path / "run", record)
    assert read_record(tmp_path / "run") == record
    assert read_record(tmp_path / "bare") is None
    for name in ("bare", "run"):
        loaded = pb.load(tmp_path / name)
        assert all(np.array_equal(array, loaded.parameters[key]) for key, array in model.parameters.items())
    assert sorted(place.name for place in tmp_path.iterdir()) == ["bare", "run"]


@given(st.lists(st.tuples(*[st.none() | st.floats() for _ in range(5)]), max_size=4), st.floats() | st.none())
@settings(max_examples=60, deadline=None, derandomize=True)
def test_any_numbers_are_shown(rows: list[tuple[float | None, ...]], rate: float | None) -> None:
    """A file may say anything: what is no number, or no sensible one, is a gap."""
    names = ("loss", "accuracy", "val_loss", "val_accuracy", "seconds")
    epochs = [
        {"number": at, "images_per_second": 1, "val_metrics": {}, **dict(zip(names, row, strict=True))}
        for at, row in enumerate(rows)
    ]
    curve = [[at, row[0], rate] for at, row in enumerate(rows)]
    history = History.from_dict({"epochs": epochs, "steps": 3, "interrupted": True, "curve": curve})
    ET.fromstring(history._repr_html_())
    assert len(history.charts()) <= 4 and "inf" not in "".join(history.charts().values())


BAD_RECORDS = [
    "", "[]", "{}", "[" * 100_000, '{"job": 1, "history": {}, "environment": {}}',
    '{"job": {}, "history": {}, "environment": {"a": 1}}', '{"job": {}, "history": {}, "environment": {}}',
]  # fmt: skip


@pytest.mark.parametrize("text", BAD_RECORDS, ids=range(len(BAD_RECORDS)))
def test_a_damaged_record_is_refused_and_the_model_still_loads(tmp_path: Path, text: str) -> None:
    class Damaged(Record):
        def to_json(self) -> str:
            return text

    model, _ = trained()
    model.save(tmp_path / "run", Damaged())
    with pytest.raises(ModelError, match=r"load: .*run is damaged: "):
        read_record(tmp_path / "run")
    assert pb.load(tmp_path / "run").steps == 6


def test_no_model_has_no_record(tmp_path: Path) -> None:
    (tmp_path / "text").write_text("hello")
    with pytest.raises(ModelError, match="is no safetensors file"):
        read_record(tmp_path / "text")
    with pytest.raises(ModelError, match="nothing"):
        read_record(tmp_path / "nothing")


def test_the_environment_says_what_ran() -> None:
    told = environment()
    assert told["paperback"] == pb.__version__ and np.__version__ in told["NumPy"]
    assert all(isinstance(text, str) and text for text in told.values()) and len(told) == 8
    assert "safetensors" in told["packages"]


def test_a_history_shows_itself() -> None:
    _, history = trained()
    html = history._repr_html_()
    assert repr(history) == "History(2 epochs, 6 steps)"
    assert html.count("<svg") == 4 and html.count("<tr>") == 3 and "2 epochs, 6 steps" in html
    for epoch in history:
        assert f">{epoch.loss:.4g}<" in html and f"{epoch.accuracy:.1%}" in html
    assert "held-out" not in html
    one = History(history.epochs[:1], 3, False, history.curve[:3])
    assert list(one.charts()) == ["Loss by step", "Learning rate by step"]
    assert History()._repr_html_().count("<svg") == 0
    shown = History((Epoch(1, 1.0, None, 0.5, None, 1.0, 2.0),), 3)._repr_html_()
    assert "held-out loss" in shown and "accuracy" not in shown.split("</style>")[1]


def test_a_model_shows_its_summary() -> None:
    model = pb.Model(pb.nn.Sequential(pb.nn.Dense(3), pb.nn.ReLU()), input_shape=(4,))
    cells = re.findall(r"<td[^>]*>(.*?)</td>", model._repr_html_())
    assert cells[9:13] == ["dense_1", "3", "15", "27"] and len(cells) == 27
    lines = model.summary().splitlines()
    assert lines[2].split()[:4] == cells[9:13] and f">{lines[-1]}<" in model._repr_html_()
