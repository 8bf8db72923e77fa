"""What is found out about arrays once, and not asked again of others of their form: only the numbers are looked at."""

from __future__ import annotations

__all__ = ["UsualBatch", "UsualExamples"]

from collections.abc import Callable
from typing import Any

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


class UsualExamples:
    """Examples that were good, and how to predict what is like them, with the same parameters on the same engine.

    predict    what looks at the numbers, and returns None where one of them is none
    """

    def __init__(self, x: Array, state: State, engine: str, predict: Callable[[Array], Array | None]) -> None:
        self.shape, self.dtype, self.state, self.engine, self._predict = x.shape, x.dtype, state, engine, predict

    def predict(self, x: object, batch_size: object, state: State, engine: str) -> Array | None:
        """The output; None for examples that are not surely good, or not like those."""
        if state is not self.state or engine != self.engine or type(batch_size) is not int:
            return None
        if type(x) is not np.ndarray or x.shape != self.shape or x.dtype != self.dtype or batch_size < len(x):
            return None
        return self._predict(x)
