"""Transposed convolution: the adjoint of a convolution as a layer, which makes a signal longer.

    y[t,k] = sum(i,p,r) [t == s*i+d*p-a] * x[i,r] * w[p,r,k] + b[k]

Every x[i] puts a copy of the window at s*i; where copies overlap they add up. It is the derivative with respect to the
input of the convolution with the same stride, dilation and padding.
"""

from __future__ import annotations

__all__ = ["ConvTranspose1d", "ConvTranspose2d", "TransposedConvolution"]

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import ClassVar

from paperback.errors import ModelError
from paperback.nn.init import HeNormal, Initializer, Zeros
from paperback.nn.layers.layer import Layer, Shape, natural
from paperback.nn.layers.window import NAMES, Padding, Window, one_per_axis, windows

_OUT = {1: ("t",), 2: ("t", "u")}


@dataclass(frozen=True, repr=False)
class TransposedConvolution(Layer):
    """What transposed convolutions share, whatever the number of axes that the window slides over (`rank`).

    Settings: `kernel`, `stride` and `dilation` are one number or one per axis. `padding` (a number, one per axis, or
    one pair (low, high) per axis) cuts that much off the ends; `output_padding`, less than the stride or the dilation,
    adds at the high end: of the lengths that a convolution with this stride takes to one length, which one is meant.
    `padding` "same" or "same_low" gives s*L outputs: the adjoint of the convolution of that length with that padding.
    """

    filters: int
    kernel: int | tuple[int, ...]
    stride: int | tuple[int, ...] = 1
    padding: Padding = 0
    output_padding: int | tuple[int, ...] = 0
    dilation: int | tuple[int, ...] = 1
    bias: bool = True
    init: Initializer = HeNormal()

    rank: ClassVar[int]

    def __post_init__(self) -> None:
        natural(self, "filters", self.filters)
        if isinstance(self.padding, str) and self.padding not in ("same", "same_low"):
            raise ModelError(
                f'{type(self).__name__}: padding must be numbers, "same" or "same_low", not {self.padding!r}: write '
                f"padding=0"
            )
        if isinstance(self.padding, str) and self.output_padding != 0:
            raise ModelError(
                f"{type(self).__name__}: output_padding goes with padding in numbers, {self.padding!r} gives s*L "
                f"outputs: leave output_padding out"
            )
        for window, extra in zip(self.windows, self.extra, strict=True):
            if extra >= max(window.stride, window.dilation):
                raise ModelError(
                    f"{type(self).__name__}: output_padding must be less than the stride or the dilation, not "
                    f"{self.output_padding!r}: write output_padding={max(window.stride, window.dilation) - 1}"
                )

    @property
    def windows(self) -> tuple[Window, ...]:
        axes = windows(self, self.rank, self.kernel, self.stride, self.dilation, self.padding)
        return tuple(replace(axis, padding=axis.pads(axis.stride)) for axis in axes)  # the same for every s*L

    @property
    def extra(self) -> tuple[int, ...]:
        if isinstance(self.padding, str):  # a window shorter than the stride leaves a rest
            return tuple(max(window.stride - window.reach, 0) for window in self.windows)
        return one_per_axis(self, "output_padding", self.output_padding, self.rank, least=0)

    @property
    def sizes(self) -> Mapping[str, int]:
        kernel = zip(NAMES[self.rank].kernels, self.windows, strict=True)
        return {**{name: window.size for name, window in kernel}, "K": self.filters}

    @property
    def parameters(self) -> Mapping[str, Initializer]:
        return {"w": self.init, "b": Zeros()}

    @property
    def axes(self) -> Mapping[str, str]:
        names = NAMES[self.rank]
        return {"x": " ".join([*names.lengths, "R"]), "w": " ".join([*names.kernels, "R K"]), "b": "K"}

    @property
    def formula(self) -> str:
        names, out = NAMES[self.rank], _OUT[self.rank]
        places, extents = [], []
        for a, (window, extra) in enumerate(zip(self.windows, self.extra, strict=True)):
            low, high = window.pads(0)
            places.append(f"{out[a]} == {window.index(names.letters[a], names.taps[a], low)}")
            spread, reach = (window.stride, names.lengths[a]), (window.dilation, names.kernels[a])
            extent = "+".join(f"({size}-1)" if n == 1 else f"{n}*({size}-1)" for n, size in (spread, reach))
            extents.append(f"{out[a]} < {extent}{1 + extra - low - high:+d}")
        letters, taps = ",".join(names.letters), ",".join(names.taps)
        body = f"sum({letters},{taps},r) [{' and '.join(places)}] * x[{letters},r] * w[{taps},r,k]"
        bias = " + b[k]" if self.bias else ""
        return f"y[{','.join(out)},k] = {body}{bias} where {', '.join(extents)}"

    def check(self, shapes: Mapping[str, Shape]) -> None:
        for n, window, extra in zip(shapes["x"], self.windows, self.extra, strict=False):
            if window.stride * (n - 1) + window.reach + extra - sum(window.pads(n)) < 1:
                raise ModelError(f"padding {self.padding!r} cuts everything off: use less padding")


class ConvTranspose1d(TransposedConvolution):
    """y[t,k] = sum(i,p,r) [t == s*i+d*p-a] * x[i,r] * w[p,r,k] + b[k].

    Use: making a signal longer, as decoders need it.
    Derivative: dx is the convolution of dy with this stride; dw[p,r,k] sums x[i,r]*dy[s*i+d*p-a,k]; db sums dy.
    Shapes: x: L R, w: P R K, b: K, y: s*(L-1) + d*(P-1) + 1 + output_padding - low - high, K.
    Settings: as `TransposedConvolution` says.
    Source: claims A5.3g, A5.8 (backward of a valid convolution); Zeiler et al. 2010.
    """

    rank = 1


class ConvTranspose2d(TransposedConvolution):
    """y[t,u,k] = sum(i,j,p,q,r) [t == s*i+d*p-a and u == v*j+e*q-l] * x[i,j,r] * w[p,q,r,k] + b[k].

    Use: making an image larger, as decoders and segmentation need it.
    Derivative: dx is the convolution of dy with this stride; dw[p,q,r,k] sums x[i,j,r]*dy[s*i+d*p-a, v*j+e*q-l, k]; db
    sums dy.
    Shapes: x: H W R, w: P Q R K, b: K, y: s*(H-1) + d*(P-1) + 1 + output_padding - low - high, likewise for W, K.
    Settings: as `TransposedConvolution` says.
    Source: claims E2, A5.8; Zeiler et al. 2010.
    """

    rank = 2
