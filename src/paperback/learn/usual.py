"""What is found out about arrays once, and not asked again of others of their form: only the numbers are looked at."""

from __future__ import annotations

__all__ = ["UsualBatch", "UsualExamples", "nothing"]

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from paperback.learn.inputs import all_finite
from paperback.learn.state import State
from paperback.nn.losses import Loss

Array = NDArray[Any]


class UsualBatch:
    """A batch that was good, with labels that are classes: of one of its form only the numbers are looked at."""

    def __init__(self, x: Array, y: Array, loss: Loss, classes: int) -> None:
        self.form, self.loss, self.classes = (x.shape, x.dtype, y.shape, y.dtype), loss, classes

    def is_like(self, x: Array, y: Array, loss: Loss) -> bool:
        """Is this one surely good?"""
        if self.loss is not loss or (x.shape, x.dtype, y.shape, y.dtype) != self.form:
            return False
        return all_finite(x, x.dtype) and int(y.view(np.uint64).max()) < self.classes  # what is below 0 is large


class UsualExamples(NamedTuple):
    """How to predict so many examples with the same parameters on the same engine.

    predict    of anything: None for what is not surely good, or not like those
    """

    examples: int
    state: State | None
    engine: str
    predict: Callable[[object], Array | None]


def nothing(x: object) -> None:
    """How to predict where one has to look: examples of parameters that were not asked for before."""
