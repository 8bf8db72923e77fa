"""Convolution: a window slides over the signal, and every position is the same weighted sum.

    y[i,j,k] = sum(p,q,r) x[s*i+p, s*j+q, r] * w[p,q,r,k] + b[k]                cross-correlation, the default
    y[i,j,k] = sum(p,q,r) x[s*i+p, s*j+q, r] * w[P-1-p, Q-1-q, r, k] + b[k]     convolution proper, flip=True

i, j rows and columns of the result, p, q of the window, r the channels that come in and k the filters.
"""

from __future__ import annotations

__all__ = ["Conv1d", "Conv2d", "Convolution"]

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

from paperback.errors import ModelError
from paperback.nn.init import HeNormal, Initializer, Zeros
from paperback.nn.layers.layer import Layer, Shape, Text, natural
from paperback.nn.layers.window import Padding, Window, windows

_LENGTHS = {1: ("L",), 2: ("H", "W")}
_KERNELS = ("P", "Q")
_LETTERS = ("i", "j")
_TAPS = ("p", "q")
_LOWS = ("t", "l")  # top, left: what `same` padding with a stride adds, known when the input's shape is


@dataclass(frozen=True, repr=False)
class Convolution(Layer):
    """What convolutions share, whatever the number of axes that the window slides over (`rank`).

    Settings: `kernel`, `stride` and `dilation` are one number or one per axis; `padding` is "valid" (none), "same"
    (as many outputs as inputs, ceil(H/s) with a stride; the odd one on the right), "full", a number, one per axis, or
    one pair (low, high) per axis; outside x is 0. `flip` reads the window backwards; `bias=False` leaves b out.
    """

    filters: int
    kernel: int | tuple[int, ...]
    stride: int | tuple[int, ...] = 1
    padding: Padding = "valid"
    dilation: int | tuple[int, ...] = 1
    flip: bool = False
    bias: bool = True
    init: Initializer = HeNormal()

    rank: ClassVar[int]

    def __post_init__(self) -> None:
        natural(self, "filters", self.filters)
        _ = self.windows

    @property
    def windows(self) -> tuple[Window, ...]:
        return windows(self, self.rank, self.kernel, self.stride, self.dilation, self.padding)

    @property
    def sizes(self) -> Mapping[str, int]:
        kernel = zip(_KERNELS, self.windows, strict=False)
        return {**{name: window.size for name, window in kernel}, "K": self.filters}

    @property
    def parameters(self) -> Mapping[str, Initializer]:
        return {"w": self.init, "b": Zeros()}

    @property
    def formula(self) -> str:
        return convolution(self.windows, self.flip, self.bias)

    def text(self, shape: Shape) -> Text:
        return Text(convolution(self.windows, self.flip, self.bias, shape), self.axes)

    def check(self, shapes: Mapping[str, Shape]) -> None:
        check_fit(self.windows, shapes["x"], "kernel", 'use a smaller kernel, or padding="same"')


class Conv1d(Convolution):
    """y[i,k] = sum(p,r) x[s*i+d*p-t, r] * w[p,r,k] + b[k].

    Derivative: dx is the full convolution of dy with the other flip; dw[p,r,k] correlates x with dy over i; db sums dy.
    Shapes: x: L R, w: P R K, b: K, y: floor((L+t+high-d*(P-1)-1)/s)+1, K.
    Settings: as `Convolution` says; `padding=((low, high),)` pads the two sides.
    Source: claims A4.3, A5.
    """

    rank = 1
    axes = {"x": "L R", "w": "P R K", "b": "K"}


class Conv2d(Convolution):
    """y[i,j,k] = sum(p,q,r) x[s*i+d*p-t, u*j+e*q-l, r] * w[p,q,r,k] + b[k].

    Derivative: dx is the full convolution of dy with the other flip, its rows s apart; dw[p,q,r,k] correlates x with dy
    over i, j; db sums dy over i, j.
    Shapes: x: H W R, w: P Q R K, b: K, y: floor((H+t+bottom-d*(P-1)-1)/s)+1, likewise for W, K.
    Settings: as `Convolution` says.
    Source: claims E1 to E3, A4, C1.
    """

    rank = 2
    axes = {"x": "H W R", "w": "P Q R K", "b": "K"}


def convolution(axes: tuple[Window, ...], flip: bool, bias: bool, shape: Shape = ()) -> str:
    """The formula of a convolution with these windows, over x of this shape; without it unknown pads have names."""
    lengths = _LENGTHS[len(axes)]
    letters, taps, kernels = _LETTERS[: len(axes)], _TAPS[: len(axes)], _KERNELS[: len(axes)]
    reads, extents, padded = [], [], False
    for a, axis in enumerate(axes):
        pads = axis.pads(shape[a]) if len(shape) > a else axis.fixed_pads()
        reads.append(axis.index(letters[a], taps[a], _LOWS[a] if pads is None else pads[0]))
        extents.append(f"{letters[a]} < {axis.extent(lengths[a], kernels[a])}")
        padded = padded or pads != (0, 0)
    weights = [f"{size}-1-{tap}" for size, tap in zip(kernels, taps, strict=True)]
    window = f"{', '.join(weights)}, r, k" if flip else f"{','.join(taps)},r,k"
    formula = f"y[{','.join(letters)},k] = sum({','.join(taps)},r) x[{', '.join(reads)}, r] * w[{window}]"
    formula += " + b[k]" if bias else ""
    return f"{formula} where x pads 0, {', '.join(extents)}" if padded else formula


def check_fit(axes: tuple[Window, ...], shape: Shape, what: str, fix: str) -> None:
    """Does every window fit into x at least once?"""
    if all(window.fits(n) for window, n in zip(axes, shape, strict=False)):
        return
    size = "x".join(str(window.reach) for window in axes)
    given = "x".join(str(n + sum(window.pads(n))) for window, n in zip(axes, shape, strict=False))
    padded = " with its padding" if any(sum(w.pads(n)) for w, n in zip(axes, shape, strict=False)) else ""
    raise ModelError(f"a {what} that covers {size} does not fit into {given}{padded}: {fix}")
