"""Labels: which kind they are, and whether a loss can take them. Checked before anything runs.

    integer         whole numbers 0 <= y < K, one per entry: shape (N, ...) without the output's last axis
    distribution    numbers >= 0 that should sum to 1 over the last axis, in the shape of the output
    probability     numbers in [0, 1], in the shape of the output
    sign            1 or -1, in the shape of the output
    real            finite numbers, in the shape of the output
"""

from __future__ import annotations

__all__ = ["check_labels", "label_kind"]

from typing import Any

import numpy as np
from numpy.typing import NDArray

from paperback.errors import ModelError, warn
from paperback.nn.losses import Loss, find

_SUM_TOLERANCE = 1e-3


def label_kind(loss: str | Loss, labels: object, output_shape: tuple[int, ...]) -> str:
    """Which of the loss' kinds of label these are: classes have one axis less than the output with its batch."""
    loss = find(loss)
    if len(loss.labels) == 1:
        return loss.labels[0]
    whole = np.ndim(labels) == len(output_shape)  # type: ignore[arg-type]
    return "integer" if whole and "integer" in loss.labels else next(k for k in loss.labels if k != "integer")


def check_labels(
    loss: str | Loss, labels: object, output_shape: tuple[int, ...], kind: str | None = None
) -> NDArray[Any]:
    """The labels as an array that fits the program: int64 for "integer", else floats.

    labels: (N, ...), `output_shape` without the batch. One number per example is taken for an output of one number.
    Raises ModelError: empty, not numbers, wrong shape, NaN or infinite, a class or probability out of range. Warns
    where a distribution does not sum to 1.
    """
    loss = find(loss)
    array = np.asarray(labels)
    if array.dtype.kind not in "biuf":
        raise ModelError(f"{loss.name}: labels must be numbers, not {array.dtype}")
    if array.ndim == 0 or array.shape[0] == 0:
        raise ModelError(f"{loss.name}: no labels; give one per example")
    kind = kind or label_kind(loss, array, output_shape)
    if kind != "integer" and array.ndim == 1 and output_shape == (1,):
        array = array[:, None]
    over = len(output_shape) - len(loss.z_axes.split())
    needed = output_shape[: over + len(loss.label_axes(kind))]
    if array.shape[1:] != needed:
        came, fit = ("x".join(map(str, ("N", *shape))) for shape in (array.shape[1:], needed))
        raise ModelError(f"{loss.name}: labels of kind {kind} have the shape {fit}, but {came} came{_hint(loss, kind)}")
    if kind == "integer":
        return _classes(loss, array, output_shape[-1])
    return _floats(loss, kind, array)


def _hint(loss: Loss, kind: str) -> str:
    others = [other for other in loss.labels if other != kind]
    return f" (or labels of kind {', '.join(others)})" if others else ""


def _first(wrong: NDArray[Any]) -> str:
    return ", ".join(str(int(i)) for i in np.argwhere(wrong)[0])


def _classes(loss: Loss, array: NDArray[Any], classes: int) -> NDArray[Any]:
    if array.dtype.kind == "f":
        raise ModelError(f"{loss.name}: labels of kind integer are classes: give whole numbers, as in y.astype(int)")
    wrong = (array < 0) | (array >= classes)
    if np.any(wrong):
        value = int(array[wrong][0])
        known = f"the output has the classes 0 to {classes - 1}"
        raise ModelError(f"{loss.name}: label[{_first(wrong)}] is {value}, but {known}")
    return array.astype(np.int64)


def _floats(loss: Loss, kind: str, array: NDArray[Any]) -> NDArray[Any]:
    if array.dtype.kind != "f":
        array = array.astype(np.float64)
    wrong = ~np.isfinite(array)
    low, high = {"distribution": (0.0, np.inf), "probability": (0.0, 1.0)}.get(kind, (-np.inf, np.inf))
    wrong |= (array < low) | (array > high)
    if kind == "sign":
        wrong |= abs(array) != 1
    if np.any(wrong):
        words = {"distribution": "a number >= 0", "probability": "a number in [0, 1]", "sign": "1 or -1"}
        needed = words.get(kind, "a finite number")
        raise ModelError(f"{loss.name}: label[{_first(wrong)}] is {array[wrong][0]:g}, needed is {needed}")
    if kind == "distribution":
        sums = array.sum(axis=-1)
        off = np.abs(sums - 1) > _SUM_TOLERANCE
        if np.any(off):
            effect = "the gradient is softmax*sum(y) - y"
            warn(f"{loss.name}: label[{_first(off)}] sums to {sums[off][0]:g}, not 1; {effect}")
    return array
