"""Activations: one function, element by element.

Each formula is written for one element, `x[]`, and is lifted over every axis of the input.
"""

from __future__ import annotations

__all__ = ["ReLU", "Sigmoid", "Step", "Tanh"]

from dataclasses import dataclass
from fractions import Fraction

from paperback.calculus.conventions import Conventions
from paperback.errors import ModelError
from paperback.nn.layers.layer import Layer


@dataclass(frozen=True, repr=False)
class ReLU(Layer):
    """y = max(x, 0).

    Derivative: dx = dy where x > 0, 0 where x < 0.
    Kinks: at x = 0 the slope is `at_zero`: 0 (the default), 1/2 or 1.
    Source: claims E9, E10.
    """

    at_zero: float | Fraction = 0

    formula = "y = relu(x[])"

    def __post_init__(self) -> None:
        if self.at_zero not in (0, 0.5, 1):
            raise ModelError(f"ReLU: at_zero must be 0, 1/2 or 1, not {self.at_zero!r}")

    @property
    def conventions(self) -> Conventions:
        return Conventions(relu_at_zero=Fraction(self.at_zero))


@dataclass(frozen=True, repr=False)
class Sigmoid(Layer):
    """y = 1/(1 + exp(-x)).

    Derivative: dx = dy*y*(1 - y).
    Source: claims A1.1, D3.
    """

    formula = "y = sigmoid(x[])"


@dataclass(frozen=True, repr=False)
class Tanh(Layer):
    """y = tanh(x).

    Derivative: dx = dy*(1 - y^2).
    Source: claim A3.1 (tanh(x) = 2*sigmoid(2*x) - 1).
    """

    formula = "y = tanh(x[])"


@dataclass(frozen=True, repr=False)
class Step(Layer):
    """y = [x >= 0]; with at_zero=0 it is [x > 0].

    Derivative: 0.
    Kinks: y at x = 0 is `at_zero`, 1 or 0; the derivative there is 0 too.
    Source: claim D1 (the perceptron).
    """

    at_zero: int = 1


    def __post_init__(self) -> None:
        if self.at_zero not in (0, 1):
            raise ModelError(f"Step: at_zero must be 0 or 1, not {self.at_zero!r}")

    @property
    def formula(self) -> str:
        return "y = step(x[])" if self.at_zero else "y = 1 - step(-x[])"
