"""What a model answers on examples, judged: the numbers of a report that come from its outputs alone.

    classes     accuracy, confusion, precision, recall; the wrong answers, the most confident first
    numbers     mean absolute error, R²; the answers that are furthest off

How confident an answer is: its probability (softmax, or sigmoid for a single output) where the loss gives the outputs
that meaning, else how far its output is above the next.
"""

from __future__ import annotations

__all__ = ["Answers", "Miss", "Mistake", "judge"]

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from paperback.learn.inputs import channels_last
from paperback.learn.metrics import has_accuracy, label_classes, predicted, scores
from paperback.learn.model import Model
from paperback.nn.losses import BINARY_CROSS_ENTROPY, PROBABILITY_CROSS_ENTROPY, Loss

SHOWN = 24  # mistakes, or misses
_PAIRS = 1000  # points of the plot of numbers
_CLASSES = 1000  # for more there is no table of all pairs
_SOFTMAX = ("softmax_cross_entropy", "kl_divergence")

Array = NDArray[Any]


@dataclass(frozen=True)
class Mistake:
    """An example of class `label` that was taken for class `given`; `place` is its index among the examples."""

    place: int
    label: int
    given: int
    confidence: float


@dataclass(frozen=True)
class Miss:
    """An example whose numbers are far off; `error` is the largest of its absolute errors."""

    place: int
    label: Array
    given: Array
    error: float


@dataclass(frozen=True)
class Answers:
    """All of it. What does not apply is None, or empty.

    confusion    and with it precision and recall: None for more than a thousand classes, too
    mistakes     at most `SHOWN`, of `wrong`; empty where an example has several labels
    pairs        (labels, outputs) of up to a thousand numbers, evenly chosen
    """

    examples: int
    loss: float
    kind: str
    accuracy: float | None = None
    wrong: int = 0
    judged: int = 0
    confusion: Array | None = None
    precision: Array | None = None
    recall: Array | None = None
    mistakes: tuple[Mistake, ...] = ()
    confidence: str = ""
    mean_absolute_error: float | None = None
    r2: Array | None = None
    misses: tuple[Miss, ...] = ()
    pairs: tuple[Array, Array] | None = None


def judge(model: Model, x: ArrayLike, y: ArrayLike, loss: Loss) -> Answers:
    """The model's answers on these examples. ModelError for what the model cannot take."""
    _, labels, kind = model.check_batch("report", x, y, loss)
    if not has_accuracy(kind, model.network.output_shape):
        return _numbers(model, x, y, loss, labels, kind)
    few = model.network.output_shape[-1] <= _CLASSES
    reached = model.evaluate(x, y, loss, metrics=["confusion", "precision", "recall"] if few else [])
    output = scores(loss, channels_last(model.predict(x), model.layout))
    given, right = predicted(output), label_classes(output, labels)
    wrong = given != right
    name, sure = _confidence(loss, output)
    mistakes: tuple[Mistake, ...] = ()
    if wrong.ndim == 1:
        places = np.flatnonzero(wrong)
        places = places[np.argsort(-sure[places], kind="stable")][:SHOWN]
        mistakes = tuple(Mistake(int(p), int(right[p]), int(given[p]), float(sure[p])) for p in places)
    return Answers(
        len(labels), reached["loss"], kind, reached["accuracy"], int(wrong.sum()), wrong.size, reached.get("confusion"),
        reached.get("precision"), reached.get("recall"), mistakes, name,
    )  # fmt: skip


def _numbers(model: Model, x: ArrayLike, y: ArrayLike, loss: Loss, labels: Array, kind: str) -> Answers:
    if kind == "integer":
        return Answers(len(labels), model.evaluate(x, y, loss)["loss"], kind)
    reached = model.evaluate(x, y, loss, metrics=["mean_absolute_error", "r2"])
    output = channels_last(model.predict(x), model.layout)
    wide = output.astype(np.float64)
    errors = np.abs(wide - labels).reshape(len(labels), -1).max(axis=1)
    places = np.argsort(-errors, kind="stable")[:SHOWN]
    misses = tuple(Miss(int(p), labels[p], output[p], float(errors[p])) for p in places)
    chosen = np.unique(np.linspace(0, wide.size - 1, min(wide.size, _PAIRS)).round().astype(np.int64))
    pairs = labels.ravel()[chosen], wide.ravel()[chosen]
    return Answers(
        len(labels), reached["loss"], kind, mean_absolute_error=reached["mean_absolute_error"],
        r2=np.atleast_1d(reached["r2"]), misses=misses, pairs=pairs,
    )  # fmt: skip


def _confidence(loss: Loss, output: Array) -> tuple[str, Array]:
    """(its name, that of every answer); `output` as `scores` gives it."""
    wide = output.astype(np.float64)
    if loss.name.partition("(")[0] in _SOFTMAX:
        shifted = np.exp(wide - wide.max(axis=-1, keepdims=True))
        return "probability", shifted.max(axis=-1) / shifted.sum(axis=-1)
    if output.shape[-1] == 1:
        far = np.abs(wide[..., 0])
        if loss.formulas == BINARY_CROSS_ENTROPY.formulas:
            return "probability", 1 / (1 + np.exp(-far))
        if loss.formulas == PROBABILITY_CROSS_ENTROPY.formulas:
            return "probability", far + 0.5
        return "margin", far
    best = np.sort(wide, axis=-1)
    return "margin", best[..., -1] - best[..., -2]
