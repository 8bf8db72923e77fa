"""What goes on in every layer, over all examples: activations forward, gradients of the mean loss backward.

    mean, deviation    of all that the layer gives
    unit               an entry of the last axis: a channel of a convolution, an output of a dense layer
    dead               a unit of a rectifier whose activation is positive for no example and at no place
    saturated          an activation of a sigmoid or tanh within 1% of its range from an end, where the slope is gone
    norms              Euclidean, of a layer's parameters, and of the mean loss' gradient by them

Examples pass in batches: means and squares of two batches are joined as Chan, Golub and LeVeque 1979 do.
"""

from __future__ import annotations

__all__ = ["LayerState", "look_inside"]

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from paperback.learn.model import Model
from paperback.nn.losses import Loss

_BATCH = 256
_RECTIFIERS = {"relu", "leakyrelu", "elu", "gelu", "silu"}
_ENDS: Mapping[str, tuple[float, float]] = {"sigmoid": (0.0, 1.0), "tanh": (-1.0, 1.0)}
_NEAR = 0.01

Array = NDArray[Any]


@dataclass(frozen=True)
class LayerState:
    """One layer. `dead` are units, None but for rectifiers; `saturated` is a share, None but for sigmoid and tanh.

    Norms are None for a layer without parameters.
    """

    name: str
    kind: str
    shape: tuple[int, ...]
    mean: float
    deviation: float
    dead: tuple[int, ...] | None
    saturated: float | None
    parameter_norm: float | None
    gradient_norm: float | None

    @property
    def units(self) -> int:
        return self.shape[-1] if self.shape else 1


def look_inside(model: Model, x: ArrayLike, y: ArrayLike, loss: Loss) -> tuple[LayerState, ...]:
    """The state of every layer, in the order in which they run, after training's rules."""
    examples, labels = np.asarray(x), np.asarray(y)
    infos = model.network.layers
    seen = {info.name: _Seen(info.kind) for info in infos}
    sums = {name: np.zeros(array.shape) for name, array in model.parameters.items()}
    for first in range(0, len(examples), _BATCH):
        batch, label = examples[first : first + _BATCH], labels[first : first + _BATCH]
        for name, values in model.activations(batch).items():
            seen[name].add(values)
        _, gradients = model.loss_and_gradients(batch, label, loss, training=False)
        for name, total in sums.items():
            total += gradients[name].astype(np.float64) * (len(batch) / len(examples))
    return tuple(
        LayerState(
            info.name, info.kind, info.output_shape, seen[info.name].mean, seen[info.name].deviation,
            seen[info.name].dead, seen[info.name].saturated,
            _norm({name: model.parameters[name] for name in info.parameters}),
            _norm({name: sums[name] for name in info.parameters}),
        )
        for info in infos
    )  # fmt: skip


@dataclass
class _Seen:
    """What a layer gave so far."""

    kind: str
    count: int = 0
    mean: float = 0.0
    squares: float = 0.0  # about the mean
    near: int = 0
    largest: Array = field(default_factory=lambda: np.array(-np.inf))

    def add(self, values: Array) -> None:
        wide = values.astype(np.float64)
        mean, squares = float(wide.mean()), float(np.square(wide - wide.mean()).sum())
        count = self.count + wide.size
        apart = mean - self.mean
        self.squares += squares + apart**2 * self.count * wide.size / count
        self.mean += apart * wide.size / count
        self.count = count
        units = wide.reshape(-1, wide.shape[-1] if wide.ndim > 1 else 1)
        self.largest = np.maximum(self.largest, units.max(axis=0))
        if self.kind in _ENDS:
            low, high = _ENDS[self.kind]
            room = _NEAR * (high - low)
            self.near += int(np.count_nonzero((wide < low + room) | (wide > high - room)))

    @property
    def deviation(self) -> float:
        return float(np.sqrt(self.squares / self.count))

    @property
    def dead(self) -> tuple[int, ...] | None:
        return tuple(np.flatnonzero(self.largest <= 0).tolist()) if self.kind in _RECTIFIERS else None

    @property
    def saturated(self) -> float | None:
        return self.near / self.count if self.kind in _ENDS else None


def _norm(arrays: Mapping[str, Array]) -> float | None:
    """The Euclidean norm of all of them together; None where there are none."""
    if not arrays:
        return None
    return float(np.sqrt(sum(float(np.square(array.astype(np.float64)).sum()) for array in arrays.values())))
