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
_WORDS = {
    "integer": "classes", "distribution": "a share of every class", "probability": "numbers in [0, 1]",
    "sign": "1 or -1", "real": "numbers",
}  # fmt: skip


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
        raise ModelError(f"{loss.name}: labels must be numbers, not {array.dtype}; number the classes from 0")
    if array.ndim == 0 or array.shape[0] == 0:
        raise ModelError(f"{loss.name}: no labels; give one per example")
    kind = kind or label_kind(loss, array, output_shape)
    if kind != "integer" and array.ndim == 1 and output_shape == (1,):
        array = array[:, None]
    over = len(output_shape) - len(loss.z_axes.split())
    needed = output_shape[: over + len(loss.label_axes(kind))]
    if array.shape[1:] != needed:
        raise ModelError(f"{loss.name}: {_shapes(loss, array, output_shape, kind)}")
    if kind == "integer":
        return _classes(loss, array, output_shape[-1])
    return _floats(loss, kind, array)


def _shapes(loss: Loss, array: NDArray[Any], output_shape: tuple[int, ...], kind: str) -> str:
    """What shapes labels may have, what came, and what to do."""
    over = len(output_shape) - len(loss.z_axes.split())
    known = {other: output_shape[: over + len(loss.label_axes(other))] for other in loss.labels}
    needed = " or ".join(f"{_show(shape)} ({_WORDS.get(other, other)})" for other, shape in known.items())
    came, classes = array.shape[1:], known.get("integer")
    if classes is not None and came == (*classes, 1):
        fix = "leave the last axis out, as in y[..., 0]"
    elif classes is not None and came[:-1] == classes:
        fix = f"give the network {came[-1]} outputs, or the labels {output_shape[-1]} columns"
    elif came == output_shape[:-1] and kind != "integer":
        fix = 'give the network 1 output; for classes use loss="softmax_cross_entropy"'
    else:
        fix = "reshape y, or change the network's last layer"
    return f"needs labels of shape {needed}, found {_show(came)}; {fix}"


def _show(shape: tuple[int, ...]) -> str:
    return "x".join(map(str, ("N", *shape)))


def _first(wrong: NDArray[Any]) -> str:
    return ", ".join(str(int(i)) for i in np.argwhere(wrong)[0])


def _classes(loss: Loss, array: NDArray[Any], classes: int) -> NDArray[Any]:
    if array.dtype.kind == "f":
        whole = bool(np.all(array == np.floor(array)))
        fix = "pass y.astype(int)" if whole else 'to predict numbers, use loss="mean_squared_error" and one output'
        raise ModelError(f"{loss.name}: labels are classes, whole numbers, found {array.dtype}; {fix}")
    wrong = (array < 0) | (array >= classes)
    if np.any(wrong):
        value = int(array[wrong][0])
        low, high = int(array.min()), int(array.max())
        fix = f"give the network {high + 1} outputs"
        if low != 0 and high - low < classes:
            fix = f"number the classes from 0, as y {'-' if low > 0 else '+'} {abs(low)}"
        elif low < 0:
            fix = "number the classes from 0"
        raise ModelError(
            f"{loss.name}: needs labels 0 to {classes - 1}, one for each output, label[{_first(wrong)}] is {value}; "
            f"{fix}"
        )
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
        fix = "use 2*y - 1" if kind == "sign" and np.isin(array, (0, 1)).all() else "correct the label"
        raise ModelError(f"{loss.name}: needs {needed} as label, label[{_first(wrong)}] is {array[wrong][0]:g}; {fix}")
    if kind == "distribution":
        sums = array.sum(axis=-1)
        off = np.abs(sums - 1) > _SUM_TOLERANCE
        if np.any(off):
            effect = "the gradient is softmax*sum(y) - y"
            warn(f"{loss.name}: label[{_first(off)}] sums to {sums[off][0]:g}, not 1; {effect}")
    return array
