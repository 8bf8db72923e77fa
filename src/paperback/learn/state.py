"""What training changes, as one immutable value: replaced as a whole, so that there is never half a step."""

from __future__ import annotations

__all__ = ["State", "sealed", "sealed_copy"]

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from paperback.engines.aligned import aligned_copy
from paperback.learn.optim import Optimizer
from paperback.nn.losses import Loss

Array = NDArray[Any]


@dataclass(frozen=True)
class State:
    """Everything that training changes.

    tensors           parameters and running statistics
    optimizer         what the optimizer keeps for every parameter, and `taken`, its own steps so far
    steps, epochs     counted over the model's life: they key the random masks and the order of the examples
    loss              of the last step; None where there was none
    """

    tensors: Mapping[str, Array]
    rule: Optimizer | None = None
    optimizer: Mapping[str, Array] = field(default_factory=dict)
    taken: int = 0
    steps: int = 0
    epochs: int = 0
    loss: Loss | None = None


def sealed(array: Array) -> Array:
    """The array, read-only."""
    array.flags.writeable = False
    return array


def sealed_copy(array: Array, dtype: np.dtype[Any]) -> Array:
    """A copy of an array in this type, read-only, as native code reads it fastest."""
    return sealed(aligned_copy(array, dtype))
