"""Dropout: in training every element is left out with a given probability."""

from __future__ import annotations

__all__ = ["Dropout"]

from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction

from paperback.nn.layers.layer import Layer, real


@dataclass(frozen=True, repr=False)
class Dropout(Layer):
    """y = x*mask/keep, keep = 1 - rate; after training y = x, which is the mean of that.

    Use: against overfitting, between dense layers.
    Derivative: dx = dy*mask/keep.
    Shapes: x, mask, y: the same. The mask of 0s and 1s is an input: a formula draws no random numbers.
    Source: Srivastava et al. 2014.
    """

    rate: float = 0.5

    axes = {"x": "", "mask": ""}
    formula = "y = x[] * mask[] / keep"
    inference = "y = x[]"

    def __post_init__(self) -> None:
        real(self, "rate", self.rate, usual=0.5, low=0, high=1)

    @property
    def keep(self) -> float:
        return float(1 - Fraction(str(self.rate)))

    @property
    def masks(self) -> Mapping[str, float]:
        return {"mask": self.keep}

    @property
    def constants(self) -> Mapping[str, float]:
        return {"keep": self.keep}
