"""Metrics: against loops over examples and against PyTorch, and the same over any cut into batches."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from paperback import nn
from paperback.errors import ModelError
from paperback.learn.metrics import (
    METRICS,
    R2,
    Accuracy,
    Confusion,
    MeanAbsoluteError,
    Metric,
    Precision,
    Recall,
    TopK,
    find_metrics,
    plain,
)
from paperback.learn.model import Model
from paperback.learn.optim import SGD

RANDOM = np.random.default_rng(0)
SCORES = RANDOM.integers(0, 4, (60, 6)).astype(float)  # with many ties
LABELS = RANDOM.integers(0, 5, 60)  # class 5 does not occur


def guess(row: Any) -> int:
    return [float(v) for v in row].index(max(row))


def test_accuracy_and_confusion_count_examples() -> None:
    table = [[0] * 6 for _ in range(6)]
    for row, label in zip(SCORES, LABELS, strict=True):
        table[label][guess(row)] += 1
    assert Confusion()(SCORES, LABELS).tolist() == table
    assert sum(map(sum, table)) == 60
    assert Accuracy()(SCORES, LABELS) == sum(table[k][k] for k in range(6)) / 60


def test_precision_and_recall_are_shares_of_columns_and_rows() -> None:
    given = [guess(row) for row in SCORES]
    precision, recall = Precision()(SCORES, LABELS), Recall()(SCORES, LABELS)
    undefined = 0
    for k in range(6):
        both = sum(g == k == label for g, label in zip(given, LABELS, strict=True))
        for found, whole in ((precision[k], given.count(k)), (recall[k], LABELS.tolist().count(k))):
            if whole:
                assert found == both / whole
            else:
                assert math.isnan(found)
                undefined += 1
    assert undefined == 1
    assert plain(recall)[5] is None and plain(recall)[:5] == recall[:5].tolist()


@pytest.mark.parametrize("k", [1, 2, 3, 5, 6])
def test_top_k_counts_labels_among_the_k_largest_of_which_the_first_comes_first(k: int) -> None:
    hits = 0
    for row, label in zip(SCORES, LABELS, strict=True):
        ranked = sorted(range(6), key=lambda c: (-row[c], c))
        hits += int(label) in ranked[:k]
    assert TopK(k)(SCORES, LABELS) == hits / 60
    if k == 1:
        assert hits / 60 == Accuracy()(SCORES, LABELS)


def test_top_k_is_that_of_torch_without_ties() -> None:
    torch = pytest.importorskip("torch")
    scores = RANDOM.normal(size=(50, 7))
    labels = RANDOM.integers(0, 7, 50)
    best = torch.tensor(scores).topk(3).indices.numpy()
    assert TopK(3)(scores, labels) == np.mean([label in row for label, row in zip(labels, best, strict=True)])


def test_distributions_one_probability_and_pixels_are_classes_too() -> None:
    whole = Confusion()(SCORES, LABELS)
    np.testing.assert_array_equal(Confusion()(SCORES, np.eye(6)[LABELS]), whole)
    pixels = Confusion()(SCORES.reshape(5, 4, 3, 6), LABELS.reshape(5, 4, 3))
    np.testing.assert_array_equal(pixels, whole)
    logits, sure = np.array([[-1.0], [2.0], [3.0], [0.0]]), np.array([[0.0], [1.0], [0.0], [1.0]])
    assert Confusion()(logits, sure).tolist() == [[1, 1], [1, 1]]
    assert TopK(1)(logits, sure) == Accuracy()(logits, sure) == 0.5


def test_numbers_are_judged_as_on_paper() -> None:
    output, label = RANDOM.normal(size=(20, 2)), RANDOM.normal(size=(20, 2)) * 3
    each = [[abs(float(a) - float(b)) for a, b in zip(*rows, strict=True)] for rows in zip(output, label, strict=True)]
    assert MeanAbsoluteError()(output, label) == pytest.approx(sum(map(sum, each)) / 40, rel=1e-14)
    for column in range(2):
        mean = math.fsum(label[:, column]) / 20
        errors = math.fsum((label[i, column] - output[i, column]) ** 2 for i in range(20))
        apart = math.fsum((label[i, column] - mean) ** 2 for i in range(20))
        assert R2()(output, label)[column] == pytest.approx(1 - errors / apart, rel=1e-12)
        assert R2()(output[:, [column]], label[:, [column]]) == pytest.approx(1 - errors / apart, rel=1e-12)


def test_r2_of_the_truth_of_the_mean_and_of_constant_labels() -> None:
    label = RANDOM.normal(size=(30, 1)) + 1e6
    assert R2()(label, label) == 1
    assert R2()(np.full((30, 1), label.mean()), label) == pytest.approx(0, abs=1e-9)
    assert math.isnan(R2()(np.ones((3, 1)), np.ones((3, 1)))) and R2()(np.zeros((3, 1)), np.ones((3, 1))) == -math.inf


@pytest.mark.parametrize("metric", [*METRICS.values(), TopK(2)], ids=lambda m: m.name)
def test_batches_of_any_size_tell_the_same(metric: Metric) -> None:
    output: Any = SCORES
    label: Any = LABELS
    if metric.name in ("mean_absolute_error", "r2"):
        output, label = RANDOM.normal(size=(60, 2)), RANDOM.normal(size=(60, 2)) + 1e4
    whole = metric(output, label)
    cuts = 0
    for size in (1, 7, 59):
        parts = [metric.measure(output[i : i + size], label[i : i + size]) for i in range(0, 60, size)]
        measured = parts[0]
        for part in parts[1:]:
            measured = metric.join(measured, part)
        np.testing.assert_allclose(metric.value(measured), whole, rtol=1e-10)
        cuts += len(parts)
    assert cuts == 60 + 9 + 2


def test_evaluate_measures_what_it_is_asked() -> None:
    model = Model(nn.Sequential(nn.Dense(6)), (4,), dtype="float64")
    x = RANDOM.normal(size=(60, 4))
    output = model.predict(x)
    found = model.evaluate(x, LABELS, batch_size=7, metrics=["top_2", "confusion", Recall(), "accuracy"])
    assert list(found) == ["loss", "accuracy", "top_2", "confusion", "recall"]
    assert found["top_2"] == TopK(2)(output, LABELS) and found["accuracy"] == Accuracy()(output, LABELS)
    np.testing.assert_array_equal(found["confusion"], Confusion()(output, LABELS))
    np.testing.assert_array_equal(found["recall"], Recall()(output, LABELS))


def test_evaluate_of_numbers() -> None:
    model = Model(nn.Sequential(nn.Dense(2)), (4,), dtype="float64")
    x, y = RANDOM.normal(size=(31, 4)), RANDOM.normal(size=(31, 2))
    found = model.evaluate(x, y, "mean_squared_error", batch_size=4, metrics=["mean_absolute_error", "r2"])
    assert found["mean_absolute_error"] == pytest.approx(np.abs(model.predict(x) - y).mean())
    np.testing.assert_allclose(found["r2"], R2()(model.predict(x), y), rtol=1e-10)
    assert list(found) == ["loss", "mean_absolute_error", "r2"]
    single = Model(nn.Sequential(nn.Dense(1)), (4,), dtype="float64")
    flat = single.evaluate(x, y[:, 0], "mean_squared_error", metrics=["r2"])  # one number for each example will do
    assert flat["r2"] == pytest.approx(R2()(single.predict(x), y[:, :1]), rel=1e-10)


ERRORS: list[tuple[Callable[[], object], str]] = [
    (lambda: find_metrics("accuracy", "integer", (3,)), "needs a list, found 'accuracy'; pass metrics=['accuracy']"),
    (lambda: find_metrics(["recal"], "integer", (3,)), "no metric is called 'recal'; did you mean recall?"),
    (
        lambda: find_metrics(["top_4"], "integer", (3,)),
        "top_4 needs at least 4 classes, the network has 3 outputs; choose a smaller k",
    ),
    (
        lambda: find_metrics(["precision"], "real", (2,)),
        "precision needs labels that are classes, the loss takes labels of kind real for outputs of shape (2,); leave "
        "it out, or use mean_absolute_error or r2",
    ),
    (
        lambda: find_metrics(["r2"], "integer", (3,)),
        "r2 needs labels of the output's shape, the labels are classes; leave it out, or use accuracy",
    ),
]


@pytest.mark.parametrize(("make", "message"), ERRORS, ids=[message[:40] for _, message in ERRORS])
def test_metrics_that_cannot_be(make: Callable[[], object], message: str) -> None:
    with pytest.raises(ModelError) as error:
        make()
    assert str(error.value) == f"metrics: {message}"


def test_k_is_a_count() -> None:
    with pytest.raises(ModelError) as error:
        TopK(0)
    assert str(error.value) == "TopK: k is a whole number from 1 on, found 0; pass k=1"


@pytest.mark.parametrize("loss", ["binary_cross_entropy", "probability_cross_entropy", "hinge"])
def test_one_output_is_judged_by_what_its_loss_takes_it_for(loss: str) -> None:
    """A logit and a margin say yes above 0, a probability above 1/2."""
    random = np.random.default_rng(0)
    x = random.normal(size=(40, 3))
    yes = x[:, 0] > 0.8  # few
    layers = [nn.Dense(1), nn.Sigmoid()] if loss == "probability_cross_entropy" else [nn.Dense(1)]
    model = Model(nn.Sequential(*layers), (3,), dtype="float64")
    y = np.where(yes, 1.0, -1.0 if loss == "hinge" else 0.0)
    history = model.fit(x, y, loss, SGD(0.0), batch_size=16)
    output = model.predict(x)[:, 0]
    said = output > (0.5 if loss == "probability_cross_entropy" else 0)
    assert 5 < said.sum() < 35
    found = model.evaluate(x, y, loss, metrics=["confusion", "mean_absolute_error"])
    assert found["accuracy"] == history[0].accuracy == np.mean(said == yes)
    assert found["confusion"].tolist() == [
        [sum(~yes & ~said), sum(~yes & said)], [sum(yes & ~said), sum(yes & said)]
    ]  # fmt: skip
    assert found["mean_absolute_error"] == pytest.approx(np.abs(output - y).mean())
