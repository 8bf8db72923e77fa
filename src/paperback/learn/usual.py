"""What is found out about arrays once, and not asked again of others of their form: only the numbers are looked at."""

from __future__ import annotations

__all__ = ["UsualBatch", "UsualExamples"]

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from paperback.learn.inputs import all_finite
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
    """Examples that were good, and how to predict what lies in memory like them.

    about    what the prediction depends on beside them: it is of the very same parameters, on the very same engine
    """

    def __init__(self, x: Array, about: tuple[object, ...], predict: Callable[[Array], Array]) -> None:
        self.shape, self.dtype, self.about, self._predict = x.shape, x.dtype, about, predict

    def predict(self, x: object, batch_size: object, *about: object) -> Array | None:
        """The output; None for examples that are not surely good, or not like those."""
        if type(x) is not np.ndarray or x.shape != self.shape or x.dtype != self.dtype or not all_finite(x, x.dtype):
            return None
        if type(batch_size) is not int or batch_size < len(x):
            return None
        same = all(one is other for one, other in zip(self.about, about, strict=True))
        return self._predict(x) if same else None
