"""Numbers to judge a network by.

    accuracy    the share of examples whose largest output is the label; the first maximum wins
"""

from __future__ import annotations

__all__ = ["accuracy", "has_accuracy", "predicted", "right"]

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]


def predicted(output: Array) -> NDArray[np.int64]:
    """The class of every example: the place of the largest output, or for a single output whether it is above 0."""
    if output.shape[-1] == 1:
        return (output[..., 0] > 0).astype(np.int64)
    best: NDArray[np.int64] = np.argmax(output, axis=-1)
    return best


def right(output: Array, label: Array) -> int:
    """How many are right. Labels are classes `[N, ...]`, or a distribution `[N, ..., K]` whose largest entry counts."""
    if label.ndim == output.ndim and label.shape[-1] == output.shape[-1]:
        label = np.argmax(label, axis=-1) if label.shape[-1] > 1 else label[..., 0] > 0.5
    return int(np.count_nonzero(predicted(output) == label))


def has_accuracy(kind: str, output_shape: tuple[int, ...]) -> bool:
    """Do labels of this kind say which answer is right? Classes and distributions, and one probability."""
    return kind in ("integer", "distribution") or (kind == "probability" and output_shape[-1:] == (1,))


def accuracy(output: Array, label: Array) -> float:
    """The share of right answers, outputs `[N, ..., K]` against labels (see `right`)."""
    return right(output, label) / max(1, math.prod(output.shape[:-1]))
