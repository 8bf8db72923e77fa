"""Activations: one function, element by element.

Each formula is written for one element, `x[]`, and is lifted over every axis of the input.
"""

from __future__ import annotations

__all__ = [
    "ELU", "GELU", "HardTanh", "Identity", "LeakyReLU", "ReLU", "SiLU", "Sigmoid", "Softplus", "Step", "Tanh",
]  # fmt: skip

from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction

from paperback.calculus.conventions import Conventions
from paperback.errors import ModelError
from paperback.nn.layers.layer import Layer, real


@dataclass(frozen=True, repr=False)
class ReLU(Layer):
    """y = max(x, 0).

    Use: the usual activation between layers: cheap, and its slope does not shrink for large x.
    Derivative: dx = dy where x > 0, 0 where x < 0.
    Kinks: at x = 0 the slope is `at_zero`: 0 (the default), 1/2 or 1.
    Source: claims E9, E10.
    """

    at_zero: float | Fraction = 0

    formula = "y = relu(x[])"

    def __post_init__(self) -> None:
        if self.at_zero not in (0, 0.5, 1):
            raise ModelError(f"ReLU: at_zero must be 0, 1/2 or 1, not {self.at_zero!r}: write at_zero=0")

    @property
    def conventions(self) -> Conventions:
        return Conventions(relu_at_zero=Fraction(self.at_zero))


@dataclass(frozen=True, repr=False)
class Sigmoid(Layer):
    """y = 1/(1 + exp(-x)).

    Use: a probability of yes or no from one score, and gates; as a hidden activation it saturates.
    Derivative: dx = dy*y*(1 - y).
    Source: claims A1.1, D3.
    """

    formula = "y = sigmoid(x[])"


@dataclass(frozen=True, repr=False)
class Tanh(Layer):
    """y = tanh(x).

    Use: an activation between -1 and 1 with mean near 0; it saturates for large |x|.
    Derivative: dx = dy*(1 - y^2).
    Source: claim A3.1 (tanh(x) = 2*sigmoid(2*x) - 1).
    """

    formula = "y = tanh(x[])"


@dataclass(frozen=True, repr=False)
class Step(Layer):
    """y = [x >= 0]; with at_zero=0 it is [x > 0].

    Use: the perceptron's decision; it has no slope to learn by, so it is for networks whose weights are given.
    Derivative: 0.
    Kinks: y at x = 0 is `at_zero`, 1 or 0; the derivative there is 0 too.
    Source: claim D1 (the perceptron).
    """

    at_zero: int = 1

    def __post_init__(self) -> None:
        if self.at_zero not in (0, 1):
            raise ModelError(f"Step: at_zero must be 0 or 1, not {self.at_zero!r}: write at_zero=1")

    @property
    def formula(self) -> str:
        return "y = step(x[])" if self.at_zero else "y = 1 - step(-x[])"


@dataclass(frozen=True, repr=False)
class LeakyReLU(Layer):
    """y = x where x > 0, else slope*x: max(slope*x, x) for a slope up to 1, min(slope*x, x) for a larger one.

    Use: in place of ReLU where units die: what is negative keeps a small slope.
    Derivative: dx = dy where x > 0, slope*dy where x < 0.
    Kinks: at x = 0 the slope is the left one, `slope`.
    Source: Maas et al. 2013.
    """

    slope: float = 0.01

    def __post_init__(self) -> None:
        real(self, "slope", self.slope, usual=0.01)

    @property
    def formula(self) -> str:
        return "y = max(slope*x[], x[])" if self.slope <= 1 else "y = min(slope*x[], x[])"

    @property
    def constants(self) -> Mapping[str, float]:
        return {"slope": self.slope}


@dataclass(frozen=True, repr=False)
class ELU(Layer):
    """y = x where x > 0, else alpha*(exp(x) - 1).

    Use: in place of ReLU where a smooth curve and outputs with mean near 0 help.
    Derivative: dx = dy where x > 0, alpha*exp(x)*dy where x < 0.
    Kinks: at x = 0 the slope is the left one, alpha; with alpha = 1 there is no kink.
    Source: Clevert et al. 2016.
    """

    alpha: float = 1.0

    formula = "y = relu(x[]) + alpha*expm1(min(x[], 0))"

    def __post_init__(self) -> None:
        real(self, "alpha", self.alpha, usual=1)

    @property
    def constants(self) -> Mapping[str, float]:
        return {"alpha": self.alpha}


@dataclass(frozen=True, repr=False)
class GELU(Layer):
    """y = x*F(x), F the distribution function of the normal distribution: the exact form, not the one with tanh.

    Use: the usual activation inside transformers: a smooth ReLU.
    Derivative: dx = dy*(F(x) + x*exp(-x^2/2)/sqrt(2*pi)).
    Source: Hendrycks and Gimpel 2016.
    """

    formula = "y = x[]*(1 + erf(x[]/sqrt(2)))/2"


@dataclass(frozen=True, repr=False)
class SiLU(Layer):
    """y = x*sigmoid(x), also called swish.

    Use: a smooth ReLU, which dips below 0 before it rises.
    Derivative: dx = dy*(s + x*s*(1 - s)), s = sigmoid(x).
    Source: Elfwing et al. 2018.
    """

    formula = "y = x[]*sigmoid(x[])"


@dataclass(frozen=True, repr=False)
class Softplus(Layer):
    """y = log(1 + exp(x)), finite for every finite x.

    Use: a smooth ReLU that is always positive: for scales and variances.
    Derivative: dx = dy*sigmoid(x).
    Source: Dugas et al. 2001.
    """

    formula = "y = softplus(x[])"


@dataclass(frozen=True, repr=False)
class HardTanh(Layer):
    """y = x, cut off below at `low` and above at `high`.

    Use: keeping values within limits, with no exponential to compute.
    Derivative: dx = dy where low < x < high, else 0.
    Kinks: at x = low and x = high the slope is 0.
    Source: Collobert 2004.
    """

    low: float = -1.0
    high: float = 1.0

    formula = "y = min(high, max(low, x[]))"

    def __post_init__(self) -> None:
        if not real(self, "low", self.low, usual=-1) < real(self, "high", self.high, usual=1):
            raise ModelError(f"HardTanh: low must be less than high, not {self.low!r} and {self.high!r}: exchange them")

    @property
    def constants(self) -> Mapping[str, float]:
        return {"low": self.low, "high": self.high}


@dataclass(frozen=True, repr=False)
class Identity(Layer):
    """y = x: a branch that changes nothing.

    Use: the branch of an Add or Parallel that leaves x as it is.
    Derivative: dx = dy.
    """

    formula = "y = x[]"
