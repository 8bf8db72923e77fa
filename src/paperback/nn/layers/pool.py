"""Pooling: a window slides over every channel and keeps one number.

    y[i,j,c] = max(p<P,q<Q) x[s*i+p, u*j+q, c]
    y[i,j,c] = sum(p<P,q<Q) x[s*i+p, u*j+q, c] / (P*Q)
"""

from __future__ import annotations

__all__ = ["AvgPool2d", "MaxPool2d"]

from collections.abc import Mapping
from dataclasses import dataclass

from paperback.calculus.conventions import Conventions
from paperback.errors import ModelError
from paperback.nn.layers.conv import check_fit
from paperback.nn.layers.layer import Layer, Shape
from paperback.nn.layers.window import Window, windows

_SMALLER = "use a smaller window, or fewer pooling layers before"


@dataclass(frozen=True, repr=False)
class MaxPool2d(Layer):
    """y[i,j,c] = max(p<P,q<Q) x[s*i+p, u*j+q, c].

    Derivative: dy[i,j,c] goes to the element that won its window.
    Shapes: x: H W C, y: floor((H-P)/s)+1, floor((W-Q)/u)+1, C; rows and columns that fill no window are dropped.
    Settings: `window` and `stride` are one number or one per axis; the stride is the window unless given.
    Kinks: of equal maxima the first in row-major order wins (`ties="first"`); "split" shares dy equally among them,
    "all" gives it to each.
    Source: claim E4.
    """

    window: int | tuple[int, int] = 2
    stride: int | tuple[int, int] | None = None
    ties: str = "first"

    axes = {"x": "H W C"}

    def __post_init__(self) -> None:
        _ = self.windows
        if self.ties not in ("first", "split", "all"):
            raise ModelError(f'MaxPool2d: ties must be "first", "split" or "all", not {self.ties!r}')

    @property
    def windows(self) -> tuple[Window, ...]:
        return windows(self, 2, self.window, self.window if self.stride is None else self.stride)

    @property
    def formula(self) -> str:
        rows, columns = self.windows
        return f"y[i,j,c] = max(p<{rows.size},q<{columns.size}) {_read(rows, columns)}"

    @property
    def conventions(self) -> Conventions:
        return Conventions(ties=self.ties)

    def check(self, shapes: Mapping[str, Shape]) -> None:
        check_fit(self.windows, shapes["x"], "window", _SMALLER)


@dataclass(frozen=True, repr=False)
class AvgPool2d(Layer):
    """y[i,j,c] = sum(p<P,q<Q) x[s*i+p, u*j+q, c] / (P*Q).

    Derivative: every element of a window gets dy/(P*Q); windows that overlap add up.
    Shapes and settings: as `MaxPool2d`.
    Source: claims B2, C2 (average pooling is a fixed diagonal convolution).
    """

    window: int | tuple[int, int] = 2
    stride: int | tuple[int, int] | None = None

    axes = {"x": "H W C"}

    def __post_init__(self) -> None:
        _ = self.windows

    @property
    def windows(self) -> tuple[Window, ...]:
        return windows(self, 2, self.window, self.window if self.stride is None else self.stride)

    @property
    def formula(self) -> str:
        rows, columns = self.windows
        return f"y[i,j,c] = sum(p<{rows.size},q<{columns.size}) {_read(rows, columns)} / {rows.size * columns.size}"

    def check(self, shapes: Mapping[str, Shape]) -> None:
        check_fit(self.windows, shapes["x"], "window", _SMALLER)


def _read(rows: Window, columns: Window) -> str:
    return f"x[{rows.index('i', 'p', 0)}, {columns.index('j', 'q', 0)}, c]"
