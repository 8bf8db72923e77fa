"""Batch normalisation: every channel gets mean 0 and variance 1 over the batch, then a scale and a shift."""

from __future__ import annotations

__all__ = ["BatchNorm"]

from collections.abc import Mapping
from dataclasses import dataclass

from paperback.errors import ModelError
from paperback.nn.init import Initializer, Ones, Zeros
from paperback.nn.layers.layer import Layer, Shape, Text, small
from paperback.nn.layers.places import Places


@dataclass(frozen=True, repr=False)
class BatchNorm(Layer):
    """y[n,i,j,c] = (x[n,i,j,c] - m[c]) * (v[c] + eps)^(-1/2) * scale[c] + shift[c], m and v the mean and variance of x.

    Use: after a convolution or a dense layer, to train deep networks faster and with larger learning rates.
    Derivative: through m and v too, so dx sums to 0 over every channel, and so does x*dx as eps goes to 0.
    After training: the running mean and variance take the place of m and v.
    Every step: mean = (1-momentum)*mean + momentum*m; var likewise, from the unbiased variance v*M/(M-1), M = N*H*W; so
    a batch must have M > 1.
    Shapes: x: N H W C (or N C, N L C, N D H W C), scale, shift, mean, var: C.
    Source: Ioffe and Szegedy 2015.
    """

    momentum: float = 0.1
    eps: float = 1e-5

    def __post_init__(self) -> None:
        momentum = self.momentum
        if isinstance(momentum, bool) or not isinstance(momentum, int | float) or not 0 <= momentum <= 1:
            fix = "write momentum=0.1"
            if isinstance(momentum, int) and momentum > 1:
                fix = f"the channels are counted by themselves, leave {momentum} out"
            raise ModelError(f"BatchNorm: momentum must be a number with 0 <= momentum <= 1, not {momentum!r}: {fix}")
        small(self, "eps", self.eps)

    @property
    def parameters(self) -> Mapping[str, Initializer]:
        return {"scale": Ones(), "shift": Zeros()}

    @property
    def state(self) -> Mapping[str, Initializer]:
        return {"mean": Zeros(), "var": Ones()}

    @property
    def constants(self) -> Mapping[str, float]:
        return {"momentum": self.momentum, "eps": self.eps}

    @property
    def formula(self) -> str:
        return self.text((1, 1, 1)).formula

    @property
    def inference(self) -> str | None:
        return self.text((1, 1, 1)).inference

    @property
    def update(self) -> str | None:
        return self.text((1, 1, 1)).update

    @property
    def axes(self) -> Mapping[str, str]:
        return self.text((1, 1, 1)).axes

    def text(self, shape: Shape) -> Text:
        places = Places.of(shape)
        every, element = ",".join(["n", *places.letters]), f"n,{places.element()}"
        count = "*".join(["N", *places.sizes])
        formula = f"""m[c] = sum({every}) x[{element}] / ({count})
            v[c] = sum({every}) (x[{element}] - m[c])^2 / ({count})
            y[{element}] = (x[{element}] - m[c]) * (v[c] + eps)^(-1/2) * scale[c] + shift[c]"""
        inference = f"y[{element}] = (x[{element}] - mean[c]) * (var[c] + eps)^(-1/2) * scale[c] + shift[c]"
        update = f"""mean[c] = (1 - momentum)*mean[c] + momentum*m[c]
            var[c] = (1 - momentum)*var[c] + momentum*v[c]*{count}/({count} - 1)"""
        axes = {"x": f"N {places.axes}", "scale": "C", "shift": "C", "mean": "C", "var": "C"}
        return Text(formula, axes, inference, update)
