"""Pooling: a window slides over every channel and keeps one number.

    y[i,j,c] = max(p<P,q<Q) x[s*i+p, u*j+q, c]
    y[i,j,c] = sum(p<P,q<Q) x[s*i+p, u*j+q, c] / (P*Q)

What lies outside x takes no part: it is -inf for a maximum, and a mean divides by the number of elements in range.
"""

from __future__ import annotations

__all__ = [
    "AveragePooling",
    "AvgPool1d",
    "AvgPool2d",
    "AvgPool3d",
    "MaxPool1d",
    "MaxPool2d",
    "MaxPool3d",
    "MaximumPooling",
    "Pooling",
    "check_ties",
]  # fmt: skip

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

from paperback.calculus.conventions import TIES, Conventions
from paperback.errors import ModelError
from paperback.nn.layers.layer import Layer, Shape, Text, word
from paperback.nn.layers.window import NAMES, Padding, Window, check_fit, one_per_axis, windows

_SMALLER = "use a smaller window, or fewer pooling layers before"


@dataclass(frozen=True, repr=False)
class Pooling(Layer):
    """What pooling layers share, whatever the number of axes that the window slides over (`rank`).

    Settings: `window` (2 unless given) and `stride` are one number or one per axis; the stride is the window unless
    given. `padding` as for convolutions, less than the window. What fills no window is dropped, with `ceil=True` it
    gets a window of its own (none that would begin beyond x). `output=` in place of a window states how many outputs
    there are per axis: it must divide the input, and window and stride are their quotient.
    """

    window: int | tuple[int, ...] | None = None
    stride: int | tuple[int, ...] | None = None
    padding: Padding = "valid"
    ceil: bool = False
    output: int | tuple[int, ...] | None = None

    rank: ClassVar[int]

    def __post_init__(self) -> None:
        if self.output is not None and (self.window, self.stride, self.padding) != (None, None, "valid"):
            raise ModelError(
                f"{type(self).__name__}: give output=, or window, stride and padding, not both: leave output out"
            )
        if self.output is not None:
            _ = self._counts()
        _ = self.windows(())

    @property
    def axes(self) -> Mapping[str, str]:
        return {"x": " ".join([*NAMES[self.rank].lengths, "C"])}

    def windows(self, shape: Shape) -> tuple[Window, ...]:
        """The windows over x of this shape."""
        window = 2 if self.window is None else self.window
        if self.output is not None and shape:
            counts = self._counts()
            if any(n % count for n, count in zip(shape, counts, strict=False)):
                came, wanted = ("x".join(map(str, numbers)) for numbers in (shape[: self.rank], counts))
                raise ModelError(
                    f"an output of {wanted} does not divide the input's {came}: change output, or give window= in "
                    "its place"
                )
            window = tuple(n // count for n, count in zip(shape, counts, strict=False))
        stride = window if self.stride is None else self.stride
        return windows(self, self.rank, window, stride, 1, self.padding, name="window")

    @property
    def formula(self) -> str:
        return self.text(()).formula

    def text(self, shape: Shape) -> Text:
        if len(shape) != self.rank + 1:
            shape = ()
        names, axes = NAMES[self.rank], self.windows(shape)
        lows: list[int | str] = [axis.pads(n)[0] for axis, n in zip(axes, shape, strict=False)]
        known = [axis.fixed_pads() for axis in axes]
        lows = lows or [low if pads is None else pads[0] for pads, low in zip(known, names.lows, strict=True)]
        outputs = [str(self.count(axis, n)) for axis, n in zip(axes, shape, strict=False)] or names.outputs
        indices = [w.index(*at) for w, at in zip(axes, zip(names.letters, names.taps, lows, strict=True), strict=True)]
        partial = self.ceil or any(pads != (0, 0) for pads in known)
        extents = [f"{letter} < {count}" for letter, count in zip(names.letters, outputs, strict=True)]
        taps = ",".join(f"{tap}<{axis.size}" for tap, axis in zip(names.taps, axes, strict=True))
        if self.output is not None and not shape:
            indices = [f"{k}*{i}+{p}" for k, i, p in zip(names.kernels, names.letters, names.taps, strict=True)]
            taps = ",".join(f"{tap}<{kernel}" for tap, kernel in zip(names.taps, names.kernels, strict=True))
            extents = [f"{i} < {n}" for i, n in zip(names.letters, self._counts(), strict=True)]
            return Text(f"{self.pooled(taps, indices, [])} where {', '.join(extents)}", self.axes)
        return Text(self.pooled(taps, indices, extents if partial else []), self.axes)

    def _counts(self) -> tuple[int, ...]:
        return one_per_axis(self, "output", self.output, self.rank)

    def count(self, window: Window, n: int) -> int:
        return window.count_with_rest(n) if self.ceil else window.count(n)

    def pooled(self, taps: str, indices: list[str], extents: list[str]) -> str:
        """The formula; extents are given where a window may leave x."""
        raise NotImplementedError

    def check(self, shapes: Mapping[str, Shape]) -> None:
        shape = shapes["x"]
        axes = self.windows(shape)
        check_fit(axes, shape, "window", _SMALLER)
        for window, n in zip(axes, shape, strict=False):
            if max(window.pads(n)) >= window.size:
                raise ModelError(
                    f"padding {max(window.pads(n))} is not less than the window {window.size}: a window would see "
                    "nothing of x: use less padding"
                )


@dataclass(frozen=True, repr=False)
class MaximumPooling(Pooling):
    """Pooling that keeps the largest; of equal maxima `ties` says which ones get the gradient."""

    ties: str = "first"

    def __post_init__(self) -> None:
        super().__post_init__()
        check_ties(self, self.ties)

    @property
    def conventions(self) -> Conventions:
        return Conventions(ties=self.ties)

    def pooled(self, taps: str, indices: list[str], extents: list[str]) -> str:
        names = NAMES[self.rank]
        where = f" where {', '.join(['x pads -inf', *extents])}" if extents else ""
        return f"y[{','.join(names.letters)},c] = max({taps}) x[{', '.join(indices)}, c]{where}"


class AveragePooling(Pooling):
    """Pooling that keeps the mean."""

    def pooled(self, taps: str, indices: list[str], extents: list[str]) -> str:
        names = NAMES[self.rank]
        place, read = ",".join(names.letters), f"x[{', '.join(indices)}, c]"
        if not extents:
            count = "*".join(tap.split("<")[1] for tap in taps.split(","))
            return f"y[{place},c] = sum({taps}) {read} / {f'({count})' if '*' in count else count}"
        inside = " and ".join(f"0 <= {index} < {n}" for index, n in zip(indices, names.lengths, strict=True))
        return (
            f"count[{place}] = sum({taps}) [{inside}] where {', '.join(extents)}\n"
            f"y[{place},c] = sum({taps}) {read} / count[{place}] where x pads 0"
        )


class MaxPool1d(MaximumPooling):
    """y[i,c] = max(p<P) x[s*i+p-t, c].

    Use: halving a signal, keeping the strongest response of each window.
    Derivative, settings and kinks: as `MaxPool2d`.
    Shapes: x: L C, y: floor((L+t+high-P)/s)+1, C.
    """

    rank = 1


class MaxPool2d(MaximumPooling):
    """y[i,j,c] = max(p<P,q<Q) x[s*i+p-t, u*j+q-l, c].

    Use: halving an image, keeping the strongest response of each window.
    Derivative: dy[i,j,c] goes to the element that won its window.
    Shapes: x: H W C, y: floor((H+t+bottom-P)/s)+1, likewise for W, C; x is -inf outside.
    Settings: as `Pooling` says.
    Kinks: of equal maxima the first in row-major order wins (`ties="first"`); "split" shares dy equally among them,
    "all" gives it to each.
    Source: claims E4, B4 (padding with -inf), C4 (window or output size).
    """

    rank = 2


class MaxPool3d(MaximumPooling):
    """y[h,i,j,c] = max(o<O,p<P,q<Q) x[s*h+o-f, u*i+p-t, v*j+q-l, c].

    Use: halving a volume, keeping the strongest response of each window.
    Derivative, settings and kinks: as `MaxPool2d`.
    Shapes: x: D H W C, y: floor((D+f+back-O)/s)+1, likewise for H and W, C.
    """

    rank = 3


class AvgPool1d(AveragePooling):
    """y[i,c] = sum(p<P) x[s*i+p-t, c] / P.

    Use: halving a signal, keeping the mean of each window.
    Derivative, shapes and settings: as `AvgPool2d`, with one axis.
    """

    rank = 1


class AvgPool2d(AveragePooling):
    """y[i,j,c] = sum(p<P,q<Q) x[s*i+p-t, u*j+q-l, c] / (P*Q); at a border by the number of elements in range.

    Use: halving an image, keeping the mean of each window.
    Derivative: every element of a window gets dy over that number; windows that overlap add up.
    Shapes and settings: as `MaxPool2d`; outside x is left out of the mean.
    Source: claims B2, C2 (average pooling is a fixed diagonal convolution), C4.
    """

    rank = 2


class AvgPool3d(AveragePooling):
    """y[h,i,j,c] = sum(o<O,p<P,q<Q) x[s*h+o-f, u*i+p-t, v*j+q-l, c] / (O*P*Q).

    Use: halving a volume, keeping the mean of each window.
    Derivative, shapes and settings: as `AvgPool2d`, with three axes.
    """

    rank = 3


def check_ties(layer: Layer, ties: str) -> None:
    """ModelError unless `ties` says who gets the gradient of equal maxima."""
    word(layer, "ties", ties, TIES)
