"""Normalisation of one example: mean 0 and variance 1 over some of its axes, then a scale and a shift.

    LayerNorm       over the last axis                  one mean per place
    InstanceNorm    over the places                     one mean per channel
    GroupNorm       over the places and the channels of a group

The variance divides by the number of elements. `BatchNorm`, whose statistics need the batch, is in `batchnorm`.
"""

from __future__ import annotations

__all__ = ["GroupNorm", "InstanceNorm", "LayerNorm"]

from collections.abc import Mapping
from dataclasses import dataclass

from paperback.errors import ModelError
from paperback.nn.init import Initializer, Ones, Zeros
from paperback.nn.layers.layer import Layer, Shape, Text, natural, small
from paperback.nn.layers.places import Places


class Normalisation(Layer):
    """What the layers here share: eps in the formula, and a scale and a shift to learn."""

    eps: float

    @property
    def parameters(self) -> Mapping[str, Initializer]:
        return {"scale": Ones(), "shift": Zeros()}

    @property
    def constants(self) -> Mapping[str, float]:
        return {"eps": self.eps}


@dataclass(frozen=True, repr=False)
class LayerNorm(Normalisation):
    """y[c] = (x[c] - m) * (v + eps)^(-1/2) * scale[c] + shift[c], m and v the mean and variance of x over c.

    Use: in transformers, and wherever the batch is small: statistics of one place of one example.
    Derivative: through m and v too, so that dx sums to 0 over c.
    Shapes: x: C, lifted over the axes before; scale, shift: C.
    Settings: `affine=False` leaves scale and shift out.
    Source: Ba et al. 2016.
    """

    eps: float = 1e-5
    affine: bool = True

    axes = {"x": "C", "scale": "C", "shift": "C"}
    extra_axes = True

    def __post_init__(self) -> None:
        small(self, "eps", self.eps)

    @property
    def formula(self) -> str:
        return f"""m = sum(c) x[c] / C
            v = sum(c) (x[c] - m)^2 / C
            y[c] = (x[c] - m) * (v + eps)^(-1/2){_affine(self.affine, "c")}"""


@dataclass(frozen=True, repr=False)
class InstanceNorm(Normalisation):
    """y[i,j,c] = (x[i,j,c] - m[c]) * (v[c] + eps)^(-1/2), m and v the mean and variance of x over i, j.

    Use: style transfer: every channel of an image forgets its brightness and contrast.
    Derivative: through m and v too, so that dx sums to 0 over every channel.
    Shapes: x: H W C (or L C, D H W C); scale, shift: C.
    Settings: `affine=True` adds * scale[c] + shift[c].
    Source: Ulyanov et al. 2016.
    """

    eps: float = 1e-5
    affine: bool = False

    def __post_init__(self) -> None:
        small(self, "eps", self.eps)

    @property
    def formula(self) -> str:
        return self.text((1, 1, 1)).formula

    @property
    def axes(self) -> Mapping[str, str]:
        return self.text((1, 1, 1)).axes

    def text(self, shape: Shape) -> Text:
        places = Places.of(shape)
        every, element, count = ",".join(places.letters), places.element(), "*".join(places.sizes)
        if not every:
            raise ModelError("it takes the mean over places, and an input of one axis has none: use LayerNorm()")
        formula = f"""m[c] = sum({every}) x[{element}] / ({count})
            v[c] = sum({every}) (x[{element}] - m[c])^2 / ({count})
            y[{element}] = (x[{element}] - m[c]) * (v[c] + eps)^(-1/2){_affine(self.affine, "c")}"""
        return Text(formula, {"x": places.axes, "scale": "C", "shift": "C"})


@dataclass(frozen=True, repr=False)
class GroupNorm(Normalisation):
    """y[i,j,R*g+r] = (x[i,j,R*g+r] - m[g]) * (v[g] + eps)^(-1/2) * scale[R*g+r] + shift[R*g+r].

    m[g] and v[g] are the mean and variance over i, j and the R = C/G channels r of a group g < G.
    Use: in place of BatchNorm where the batch is small.
    Derivative: through m and v too, so that dx sums to 0 over every group.
    Shapes: x: H W C (or C, L C, D H W C); scale, shift: C.
    Settings: `groups` must divide C; `affine=False` leaves scale and shift out.
    Source: Wu and He 2018.
    """

    groups: int
    eps: float = 1e-5
    affine: bool = True

    def __post_init__(self) -> None:
        natural(self, "groups", self.groups)
        small(self, "eps", self.eps)

    @property
    def sizes(self) -> Mapping[str, int]:
        return {"G": self.groups}

    @property
    def formula(self) -> str:
        return self.text(()).formula

    @property
    def axes(self) -> Mapping[str, str]:
        return self.text(()).axes

    def text(self, shape: Shape) -> Text:
        places = Places.of(shape)
        every, element = ",".join([*places.letters, "r"]), places.element("R*g+r")
        count = "*".join([*places.sizes, "R"])
        formula = f"""m[g] = sum({every}) x[{element}] / ({count}) where C = G*R, g < G
            v[g] = sum({every}) (x[{element}] - m[g])^2 / ({count})
            y[{element}] = (x[{element}] - m[g]) * (v[g] + eps)^(-1/2){_affine(self.affine, "R*g+r")}"""
        sizes = {}
        if shape:
            if shape[-1] % self.groups:
                raise ModelError(f"{shape[-1]} channels cannot be split into {self.groups} groups: change groups")
            sizes = {"R": shape[-1] // self.groups}
        return Text(formula, {"x": places.axes, "scale": "C", "shift": "C"}, sizes=sizes)


def _affine(wanted: bool, channel: str) -> str:
    return f" * scale[{channel}] + shift[{channel}]" if wanted else ""
