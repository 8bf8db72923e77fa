"""Numbers to judge a network by, over any number of batches.

    accuracy                the share of examples whose largest output is the label; the first maximum wins
    top_k                   the share whose label is among the k largest outputs; among equals the first come first
    confusion               how many examples of class i (row) were given class j (column)
    precision               of class j: the share of those given class j that are of class j; NaN where none was given
    recall                  of class i: the share of class i that was given class i; NaN where there is none
    mean_absolute_error     the mean of |output - label|
    r2                      of every output: 1 - sum (label - output)^2 / sum (label - mean label)^2; NaN, or -inf,
                            where all labels are equal

A metric says what one batch tells (`measure`), how two such answers become one (`join`), and what it comes to
(`value`). An example with several labels (every pixel of a segmentation) counts as so many examples.
"""

from __future__ import annotations

__all__ = [
    "METRICS", "R2", "Accuracy", "Confusion", "MeanAbsoluteError", "Metric", "Precision", "Recall", "TopK", "accuracy",
    "find_metrics", "has_accuracy", "label_classes", "plain", "predicted", "right", "scores",
]  # fmt: skip

import math
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from paperback.arguments import closest
from paperback.errors import ModelError
from paperback.learn.inputs import check_count
from paperback.nn.losses import PROBABILITY_CROSS_ENTROPY, Loss

Array = NDArray[Any]


def predicted(output: Array) -> NDArray[np.int64]:
    """The class of every example: the place of the largest output, or for a single output whether it is above 0."""
    if output.shape[-1] == 1:
        return (output[..., 0] > 0).astype(np.int64)
    best: NDArray[np.int64] = np.argmax(output, axis=-1)
    return best


def label_classes(output: Array, label: Array) -> Array:
    """Labels as classes `[N, ...]`; the largest entry of a distribution, of a sign whether it is 1."""
    if label.ndim == output.ndim and label.shape[-1] == output.shape[-1]:
        label = np.argmax(label, axis=-1) if label.shape[-1] > 1 else label[..., 0] > 0.5
    return label.astype(np.int64)


def right(output: Array, label: Array) -> int:
    """How many are right. Labels are classes `[N, ...]`, or a distribution `[N, ..., K]` whose largest entry counts."""
    return int(np.count_nonzero(predicted(output) == label_classes(output, label)))


def has_accuracy(kind: str, output_shape: tuple[int, ...]) -> bool:
    """Do labels of this kind say which answer is right? Classes and distributions, one probability, one sign."""
    return kind in ("integer", "distribution") or (kind in ("probability", "sign") and output_shape[-1:] == (1,))


def scores(loss: Loss, output: Array) -> Array:
    """The output, such that a single one is above 0 for class 1: a probability is, above 1/2."""
    shifted: Array = output - 0.5 if loss.name == PROBABILITY_CROSS_ENTROPY.name and output.shape[-1] == 1 else output
    return shifted


def accuracy(output: Array, label: Array) -> float:
    """The share of right answers, outputs `[N, ..., K]` against labels (see `right`)."""
    return right(output, label) / max(1, math.prod(output.shape[:-1]))


@dataclass(frozen=True)
class Metric:
    """Metrics are immutable: what was measured goes through them. `metric(output, label)` is that of one batch.

    of_classes    it looks at which class is given: `scores` are its outputs
    """

    of_classes: ClassVar[bool] = False

    @property
    def name(self) -> str:
        raise NotImplementedError

    def measure(self, output: Array, label: Array) -> Array:
        """What a batch tells; outputs `[N, ..., K]`, labels as the loss takes them."""
        raise NotImplementedError

    def join(self, first: Array, second: Array) -> Array:
        """What both batches tell together: the sum, unless a metric says otherwise."""
        total: Array = first + second
        return total

    def value(self, measured: Array) -> Any:
        """A float, or an array for metrics that have several numbers."""
        raise NotImplementedError

    def check(self, kind: str, output_shape: tuple[int, ...]) -> None:
        """ModelError where such labels, or such an output, cannot be judged so."""

    def __call__(self, output: Array, label: Array) -> Any:
        return self.value(self.measure(np.asarray(output), np.asarray(label)))


class _OfClasses(Metric):
    of_classes = True

    def check(self, kind: str, output_shape: tuple[int, ...]) -> None:
        if not has_accuracy(kind, output_shape):
            raise ModelError(
                f"metrics: {self.name} needs labels that are classes, the loss takes labels of kind {kind} for outputs "
                f"of shape {output_shape}; leave it out, or use mean_absolute_error or r2"
            )


class _Share(_OfClasses):
    """`measure` gives how many hits, and of how many."""

    def value(self, measured: Array) -> float:
        return float(measured[0] / measured[1])


@dataclass(frozen=True)
class Accuracy(_Share):
    @property
    def name(self) -> str:
        return "accuracy"

    def measure(self, output: Array, label: Array) -> Array:
        return np.array([right(output, label), math.prod(output.shape[:-1])])


@dataclass(frozen=True)
class TopK(_Share):
    k: int = 5

    def __post_init__(self) -> None:
        check_count("TopK", "k", self.k)

    @property
    def name(self) -> str:
        return f"top_{self.k}"

    def check(self, kind: str, output_shape: tuple[int, ...]) -> None:
        super().check(kind, output_shape)
        if self.k > output_shape[-1]:
            raise ModelError(
                f"metrics: {self.name} needs at least {self.k} classes, the network has {output_shape[-1]} outputs; "
                f"choose a smaller k"
            )

    def measure(self, output: Array, label: Array) -> Array:
        if output.shape[-1] == 1:
            return Accuracy().measure(output, label)
        own = np.take_along_axis(output, label_classes(output, label)[..., None], axis=-1)
        before = np.arange(output.shape[-1]) < label_classes(output, label)[..., None]
        ahead = np.count_nonzero((output > own) | ((output == own) & before), axis=-1)
        hits = np.count_nonzero((ahead < self.k) & ~np.isnan(own[..., 0]))
        return np.array([hits, math.prod(output.shape[:-1])])


@dataclass(frozen=True)
class Confusion(_OfClasses):
    @property
    def name(self) -> str:
        return "confusion"

    def measure(self, output: Array, label: Array) -> Array:
        classes = max(2, output.shape[-1])
        pairs = label_classes(output, label).ravel() * classes + predicted(output).ravel()
        return np.bincount(pairs, minlength=classes * classes).reshape(classes, classes)

    def value(self, measured: Array) -> Any:
        return measured


@dataclass(frozen=True)
class Precision(Confusion):
    @property
    def name(self) -> str:
        return "precision"

    def value(self, measured: Array) -> Any:
        return _ratios(np.diagonal(measured), measured.sum(axis=0))


@dataclass(frozen=True)
class Recall(Confusion):
    @property
    def name(self) -> str:
        return "recall"

    def value(self, measured: Array) -> Any:
        return _ratios(np.diagonal(measured), measured.sum(axis=1))


class _OfNumbers(Metric):
    def check(self, kind: str, output_shape: tuple[int, ...]) -> None:
        if kind == "integer":
            raise ModelError(
                f"metrics: {self.name} needs labels of the output's shape, the labels are classes; leave it out, or "
                f"use accuracy"
            )


@dataclass(frozen=True)
class MeanAbsoluteError(_OfNumbers):
    @property
    def name(self) -> str:
        return "mean_absolute_error"

    def measure(self, output: Array, label: Array) -> Array:
        wide = np.asarray(output, dtype=np.float64)
        return np.array([np.abs(wide - label).sum(), wide.size])

    def value(self, measured: Array) -> float:
        return float(measured[0] / measured[1])


@dataclass(frozen=True)
class R2(_OfNumbers):
    """Measured is [count, mean label, squares about that mean, squares of the errors], the last axis one per output.

    Means and squares of two batches are joined as Chan, Golub and LeVeque 1979 do, so that labels far from 0 keep
    their digits.
    """

    @property
    def name(self) -> str:
        return "r2"

    def measure(self, output: Array, label: Array) -> Array:
        width = output.shape[-1] if output.ndim > 1 else 1
        output = np.asarray(output, dtype=np.float64).reshape(-1, width)
        label = np.asarray(label, dtype=np.float64).reshape(-1, width)
        mean = label.mean(axis=0)
        squares = np.square(label - mean).sum(axis=0)
        return np.stack([np.full(width, float(len(label))), mean, squares, np.square(label - output).sum(axis=0)])

    def join(self, first: Array, second: Array) -> Array:
        count = first[0] + second[0]
        apart = second[1] - first[1]
        mean = first[1] + apart * second[0] / count
        squares = first[2] + second[2] + np.square(apart) * first[0] * second[0] / count
        return np.stack([count, mean, squares, first[3] + second[3]])

    def value(self, measured: Array) -> Any:
        with np.errstate(divide="ignore", invalid="ignore"):
            each = 1 - measured[3] / measured[2]
        return float(each[0]) if len(each) == 1 else each


METRICS: Mapping[str, Metric] = {
    metric.name: metric for metric in (Accuracy(), Confusion(), Precision(), Recall(), MeanAbsoluteError(), R2())
}


def find_metrics(wanted: Iterable[str | Metric], kind: str, output_shape: tuple[int, ...]) -> tuple[Metric, ...]:
    """Metrics by name ("top_3" for any number) or as they are, each fit for such labels; ModelError otherwise."""
    if isinstance(wanted, str | Metric) or not isinstance(wanted, Iterable):
        raise ModelError(f"metrics: needs a list, found {wanted!r}; pass metrics=[{wanted!r}]")
    found = []
    for item in wanted:
        if isinstance(item, Metric):
            metric = item
        elif isinstance(item, str) and item in METRICS:
            metric = METRICS[item]
        elif match := re.fullmatch(r"top_([1-9]\d{0,5})", str(item)):
            metric = TopK(int(match[1]))
        else:
            raise ModelError(f"metrics: no metric is called {item!r}; {closest(str(item), [*METRICS, 'top_5'])}")
        metric.check(kind, output_shape)
        found.append(metric)
    return tuple(found)


def plain(value: Any) -> Any:
    """A metric's value for JSON: lists for arrays, None for what is no finite number."""
    if isinstance(value, np.ndarray):
        return [plain(item) for item in value.tolist()]
    if isinstance(value, list):
        return [plain(item) for item in value]
    return value if value is None or isinstance(value, int) or math.isfinite(value) else None


def _ratios(part: Array, whole: Array) -> Array:
    """part/whole, NaN where both are 0."""
    shares: Array = np.divide(part, whole, out=np.full(len(whole), np.nan), where=whole > 0)
    return shares
