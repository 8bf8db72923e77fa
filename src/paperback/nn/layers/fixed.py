"""Convolutions whose weights are given and not learned: any kernel, finite differences, RGB to grey."""

from __future__ import annotations

__all__ = ["FiniteDifferences", "FixedConv", "Grey"]

from collections.abc import Mapping
from dataclasses import dataclass

from paperback.errors import ModelError
from paperback.nn.init import Initializer, Nested, Values
from paperback.nn.layers.conv import correlation
from paperback.nn.layers.layer import Layer, Shape, Text
from paperback.nn.layers.window import NAMES, Padding, Window, check_fit, windows


@dataclass(frozen=True, repr=False)
class FixedConv(Layer):
    """y[i,j,c] = sum(p,q) x[s*i+d*p-t, u*j+e*q-l, c] * w[p,q]: a kernel of yours, kept as it is.

    Use: filters that are known: blur, edges, wavelets.
    Derivative: dx as in `Conv2d`; w is no parameter and gets none.
    Shapes: x: L C or H W C. A kernel of one or two axes, P or P Q, goes over every channel by itself; one of three to
    five axes mixes them as in `Conv1d`, `Conv2d`, `Conv3d`: P R K, P Q R K, O P Q R K.
    Settings: stride, padding, dilation and flip as `Convolution` says.
    Source: claims B1, B2, D2i.
    """

    kernel: Nested
    stride: int | tuple[int, ...] = 1
    padding: Padding = "valid"
    dilation: int | tuple[int, ...] = 1
    flip: bool = False

    def __post_init__(self) -> None:
        try:
            values = Values(self.kernel)
        except ModelError:
            raise ModelError(
                f"FixedConv: kernel must be an array of numbers, its rows of one length, not {self.kernel!r}: write "
                f"for example FixedConv([[1, 0, -1]])"
            ) from None
        object.__setattr__(self, "kernel", values.value)
        if not 1 <= len(values.shape) <= 5 or 0 in values.shape:
            raise ModelError(
                f"FixedConv: kernel must have one to five axes and a number in it, its shape is {values.shape}: write "
                f"for example FixedConv([[1, 0, -1]])"
            )
        _ = self.windows

    @property
    def shape(self) -> Shape:
        return Values(self.kernel).shape

    @property
    def rank(self) -> int:
        return len(self.shape) if len(self.shape) <= 2 else len(self.shape) - 2

    @property
    def windows(self) -> tuple[Window, ...]:
        return windows(self, self.rank, self.shape[: self.rank], self.stride, self.dilation, self.padding)

    @property
    def sizes(self) -> Mapping[str, int]:
        return dict(zip(self.axes["w"].split(), self.shape, strict=True))

    @property
    def state(self) -> Mapping[str, Initializer]:
        return {"w": Values(self.kernel)}

    @property
    def axes(self) -> Mapping[str, str]:
        names = NAMES[self.rank]
        own = len(self.shape) > 2
        kernel = [*names.kernels, "R K"] if own else names.kernels
        return {"x": " ".join([*names.lengths, "R" if own else "C"]), "w": " ".join(kernel)}

    @property
    def formula(self) -> str:
        return self.text(()).formula

    def text(self, shape: Shape) -> Text:
        formula = correlation(self.windows, shape, self.flip).replace("BIAS", "")
        if len(self.shape) <= 2:  # every channel by itself
            formula = formula.replace(",k] =", ",c] =").replace(",r) x", ") x").replace(", r] *", ", c] *")
            formula = formula.replace(",r,k]", "]").replace(", r, k]", "]")
        return Text(formula, self.axes)

    def check(self, shapes: Mapping[str, Shape]) -> None:
        check_fit(self.windows, shapes["x"], "kernel", 'use padding="same"')


@dataclass(frozen=True, repr=False)
class FiniteDifferences(Layer):
    """y[i,j,2*c] = x[i+1,j,c] - x[i,j,c], y[i,j,2*c+1] = x[i,j+1,c] - x[i,j,c]; x is 0 outside.

    Use: edges: how fast an image changes downwards and to the right.
    Derivative: dx[i,j,c] = dy[i-1,j,2*c] + dy[i,j-1,2*c+1] - dy[i,j,2*c] - dy[i,j,2*c+1].
    Shapes: x: H W C, y: H W 2*C.
    Source: claim B1 (a 3x3 convolution with padding 1).
    """

    axes = {"x": "H W C"}
    formula = (
        "y[i,j,2*c+k] = [k == 0]*x[i+1,j,c] + [k == 1]*x[i,j+1,c] - x[i,j,c] where x pads 0, i < H, j < W, k < 2"
    )


@dataclass(frozen=True, repr=False)
class Grey(Layer):
    """y[0] = 0.299*x[0] + 0.587*x[1] + 0.114*x[2]: red, green and blue become one brightness.

    Use: colour images, where colour does not matter.
    Derivative: dx[r] = weight[r]*dy[0].
    Shapes: x: 3, y: 1; the last axis, lifted over the others. The weights sum to 1.
    Source: claims B3, C3 (a 1x1 convolution).
    """

    axes = {"x": "R"}
    sizes = {"R": 3}
    formula = "y[k] = 0.299*x[0] + 0.587*x[1] + 0.114*x[2] where k < 1"
    extra_axes = True
