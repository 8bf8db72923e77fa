"""The dense layer: every output is a weighted sum of all inputs."""

from __future__ import annotations

__all__ = ["Dense"]

from collections.abc import Mapping
from dataclasses import dataclass

from paperback.errors import ModelError
from paperback.nn.init import HeNormal, Initializer, Zeros
from paperback.nn.layers.layer import Layer, natural


@dataclass(frozen=True, repr=False)
class Dense(Layer):
    """y[o] = sum(i) x[i] * w[i,o] + b[o].

    Use: the last layers of a classifier, and every layer of a multilayer perceptron.
    Derivative: dx[i] = sum(o) dy[o]*w[i,o]; dw[i,o] = x[i]*dy[o], summed over the batch; db = dy, summed.
    Shapes: x: I, w: I O (in, out), b: O, y: O.
    Settings: `bias=False` leaves b out; `in_features` states I, where a mistake before this layer should be noticed.
    Source: claims E6 to E8.
    """

    units: int
    bias: bool = True
    in_features: int | None = None
    init: Initializer = HeNormal()

    axes = {"x": "I", "w": "I O", "b": "O"}

    def __post_init__(self) -> None:
        natural(self, "units", self.units)
        if isinstance(self.bias, int) and not isinstance(self.bias, bool):
            raise ModelError(
                f"Dense: bias must be True or False, not {self.bias!r}: the inputs are counted by themselves, write "
                f"Dense({self.bias})"
            )
        if self.in_features is not None:
            natural(self, "in_features", self.in_features)

    @property
    def sizes(self) -> Mapping[str, int | None]:
        return {"O": self.units, "I": self.in_features}

    @property
    def parameters(self) -> Mapping[str, Initializer]:
        return {"w": self.init, "b": Zeros()}

    @property
    def formula(self) -> str:
        return "y[o] = sum(i) x[i] * w[i,o]" + (" + b[o]" if self.bias else "")
