"""Convolution: a window slides over the signal, and every position is the same weighted sum.

    y[i,j,k] = sum(p,q,r) x[s*i+p, s*j+q, r] * w[p,q,r,k] + b[k]                cross-correlation, the default
    y[i,j,k] = sum(p,q,r) x[s*i+p, s*j+q, r] * w[P-1-p, Q-1-q, r, k] + b[k]     convolution proper, flip=True

i, j rows and columns of the result, p, q of the window, r the channels that come in and k the filters. With G groups a
filter sees the R = C/G channels of its group g only:

    y[i,j,M*g+k] = sum(p,q,r) x[s*i+p, s*j+q, R*g+r] * w[p,q,r,M*g+k] + b[M*g+k]
"""

from __future__ import annotations

__all__ = ["Conv1d", "Conv2d", "Conv3d", "Convolution", "correlation"]

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

from paperback.errors import ModelError
from paperback.nn.init import HeNormal, Initializer, Zeros
from paperback.nn.layers.layer import Layer, Shape, Text, natural
from paperback.nn.layers.window import NAMES, Padding, Window, check_fit, windows


@dataclass(frozen=True, repr=False)
class Convolution(Layer):
    """What convolutions share, whatever the number of axes that the window slides over (`rank`).

    Settings: `kernel`, `stride` and `dilation` are one number or one per axis; `padding` is "valid" (none), "same"
    (as many outputs as inputs, ceil(H/s) with a stride; the odd one on the right), "same_low" (the odd one on the left,
    as numpy.convolve and numpy.correlate have it), "full", a number, one per axis, or one pair (low, high) per axis;
    outside x is 0. `flip` reads the window backwards. `bias` is True (one number per
    filter), "position" (one per output element) or False. `groups` splits channels and filters; as many groups as
    channels is a depthwise convolution.
    """

    filters: int
    kernel: int | tuple[int, ...]
    stride: int | tuple[int, ...] = 1
    padding: Padding = "valid"
    dilation: int | tuple[int, ...] = 1
    flip: bool = False
    bias: bool | str = True
    init: Initializer = HeNormal()
    groups: int = 1

    rank: ClassVar[int]

    def __post_init__(self) -> None:
        natural(self, "filters", self.filters)
        natural(self, "groups", self.groups)
        if self.filters % self.groups:
            raise ModelError(
                f"{type(self).__name__}: filters must be a multiple of groups, but {self.filters} is none of "
                f"{self.groups}: change one of them"
            )
        if self.bias not in (True, False, "position"):
            raise ModelError(
                f'{type(self).__name__}: bias must be True, False or "position", not {self.bias!r}: write bias=True'
            )
        _ = self.windows

    @property
    def windows(self) -> tuple[Window, ...]:
        return windows(self, self.rank, self.kernel, self.stride, self.dilation, self.padding)

    @property
    def sizes(self) -> Mapping[str, int]:
        kernel = zip(NAMES[self.rank].kernels, self.windows, strict=True)
        groups = {"G": self.groups, "M": self.filters // self.groups} if self.groups > 1 else {}
        return {**{name: window.size for name, window in kernel}, "K": self.filters, **groups}

    @property
    def parameters(self) -> Mapping[str, Initializer]:
        return {"w": self.init, "b": Zeros()}

    @property
    def formula(self) -> str:
        return self.text(()).formula

    @property
    def axes(self) -> Mapping[str, str]:
        names = NAMES[self.rank]
        channels = "R" if self.groups == 1 else "C"
        bias = " ".join([*names.outputs, "K"]) if self.bias == "position" else "K"
        return {"x": " ".join([*names.lengths, channels]), "w": " ".join([*names.kernels, "R K"]), "b": bias}

    def text(self, shape: Shape) -> Text:
        names, complete = NAMES[self.rank], len(shape) == self.rank + 1
        formula = correlation(self.windows, shape, self.flip, self.groups > 1)
        filters = "M*g+k" if self.groups > 1 else "k"
        bias = {True: f" + b[{filters}]", False: "", "position": f" + b[{','.join([*names.letters, filters])}]"}
        sizes: dict[str, int] = {}
        if complete and self.groups > 1:
            if shape[-1] % self.groups:
                raise ModelError(f"{shape[-1]} channels cannot be split into {self.groups} groups: change groups")
            sizes["R"] = shape[-1] // self.groups
        if complete and self.bias == "position":
            self.check({"x": shape})
            counts = (window.count(n) for window, n in zip(self.windows, shape, strict=False))
            sizes.update(zip(names.outputs, counts, strict=True))
        return Text(formula.replace("BIAS", bias[self.bias]), self.axes, sizes=sizes)

    def check(self, shapes: Mapping[str, Shape]) -> None:
        check_fit(self.windows, shapes["x"], "kernel", 'use a smaller kernel, or padding="same"')


class Conv1d(Convolution):
    """y[i,k] = sum(p,r) x[s*i+d*p-t, r] * w[p,r,k] + b[k].

    Use: signals, text and series: the same weights at every position.
    Derivative: dx is the full convolution of dy with the other flip; dw[p,r,k] correlates x with dy over i; db sums dy.
    Shapes: x: L R, w: P R K (R = C/G with groups), b: K, y: floor((L+t+high-d*(P-1)-1)/s)+1, K.
    Settings: as `Convolution` says; `padding=((low, high),)` pads the two sides.
    Source: claims A4.3, A5.
    """

    rank = 1


class Conv2d(Convolution):
    """y[i,j,k] = sum(p,q,r) x[s*i+d*p-t, u*j+e*q-l, r] * w[p,q,r,k] + b[k].

    Use: images: the same weights at every place.
    Derivative: dx is the full convolution of dy with the other flip, its rows s apart; dw[p,q,r,k] correlates x with dy
    over i, j; db sums dy over i, j.
    Shapes: x: H W R, w: P Q R K (R = C/G with groups), b: K or I J K, y: floor((H+t+bottom-d*(P-1)-1)/s)+1, likewise
    for W, K.
    Settings: as `Convolution` says.
    Source: claims E1 to E3, E17, E18, A4, C1.
    """

    rank = 2


class Conv3d(Convolution):
    """y[h,i,j,k] = sum(o,p,q,r) x[s*h+d*o-f, u*i+e*p-t, ..., r] * w[o,p,q,r,k] + b[k].

    Use: volumes and video.
    Derivative: dx is the full convolution of dy with the other flip; dw correlates x with dy over h, i, j; db sums dy.
    Shapes: x: D H W R, w: O P Q R K (R = C/G with groups), b: K or E I J K, y: E I J K, each as in `Conv2d`.
    Settings: as `Convolution` says.
    Source: claim A4, with one more axis.
    """

    rank = 3


def correlation(axes: tuple[Window, ...], shape: Shape, flip: bool, grouped: bool = False) -> str:
    """The formula of a convolution with these windows over x of this shape, with BIAS for the text of the bias.

    Without a shape, pads that depend on it have names.
    """
    names = NAMES[len(axes)]
    reads, extents, padded = [], [], False
    for a, axis in enumerate(axes):
        pads = axis.pads(shape[a]) if len(shape) > a else axis.fixed_pads()
        reads.append(axis.index(names.letters[a], names.taps[a], names.lows[a] if pads is None else pads[0]))
        extents.append(f"{names.letters[a]} < {axis.extent(names.lengths[a], names.kernels[a])}")
        padded = padded or pads != (0, 0)
    channel, filters = ("R*g+r", "M*g+k") if grouped else ("r", "k")
    taps = ",".join(names.taps)
    weights = [f"{size}-1-{tap}" for size, tap in zip(names.kernels, names.taps, strict=True)]
    window = f"{', '.join(weights)}, r, {filters}" if flip else f"{taps},r,{filters}"
    left = ",".join([*names.letters, filters])
    clauses = (["x pads 0", *extents] if padded else []) + (["g < G", "C = G*R", "K = G*M"] if grouped else [])
    where = f" where {', '.join(clauses)}" if clauses else ""
    return f"y[{left}] = sum({taps},r) x[{', '.join([*reads, channel])}] * w[{window}]BIAS{where}"
