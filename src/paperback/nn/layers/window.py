"""Windows: the geometry that convolution and pooling share, one axis at a time.

    x[s*i + d*p - low],   0 <= p < P,   0 <= i < out
    out = floor((n + low + high - d*(P-1) - 1)/s) + 1            claim A4

    valid    low = high = 0
    full     low = high = d*(P-1): every overlap of at least one tap
    same     out = ceil(n/s); total = max((out-1)*s + d*(P-1) + 1 - n, 0), low = floor(total/2), the extra one high
    same_low as same, the extra one low: what numpy.convolve and numpy.correlate call "same", for even kernels too
"""

from __future__ import annotations

__all__ = ["NAMES", "PADDINGS", "Names", "Padding", "Pair", "Window", "check_fit", "one_per_axis", "windows"]

from dataclasses import dataclass
from typing import NamedTuple

from paperback.arguments import closest
from paperback.errors import ModelError
from paperback.nn.layers.layer import Layer, Shape, natural

Pair = tuple[int, int]
Padding = int | str | tuple[int | Pair, ...]
PADDINGS = ("valid", "same", "same_low", "full")


class Names(NamedTuple):
    """What the axes are called that a window slides over."""

    lengths: tuple[str, ...]  # of the input
    kernels: tuple[str, ...]  # of the window
    outputs: tuple[str, ...]  # of the output
    letters: tuple[str, ...]  # of the output
    taps: tuple[str, ...]  # of the window
    lows: tuple[str, ...]  # front, top, left: what is added before, where the input's shape decides


NAMES = {
    1: Names(("L",), ("P",), ("I",), ("i",), ("p",), ("t",)),
    2: Names(("H", "W"), ("P", "Q"), ("I", "J"), ("i", "j"), ("p", "q"), ("t", "l")),
    3: Names(("D", "H", "W"), ("O", "P", "Q"), ("E", "I", "J"), ("h", "i", "j"), ("o", "p", "q"), ("f", "t", "l")),
}


@dataclass(frozen=True)
class Window:
    """One axis of a window; `padding` is one of `PADDINGS`, or (low, high)."""

    size: int
    stride: int = 1
    dilation: int = 1
    padding: str | Pair = "valid"

    @property
    def reach(self) -> int:
        """How much of the axis one window covers: d*(P-1) + 1."""
        return self.dilation * (self.size - 1) + 1

    def pads(self, n: int) -> Pair:
        """(low, high): how far x is continued on both sides."""
        if isinstance(self.padding, tuple):
            return self.padding
        if self.padding == "full":
            return self.reach - 1, self.reach - 1
        if self.is_same:
            total = max((-(-n // self.stride) - 1) * self.stride + self.reach - n, 0)
            less, more = total // 2, total - total // 2
            return (less, more) if self.padding == "same" else (more, less)
        return 0, 0

    @property
    def is_same(self) -> bool:
        """Are there as many outputs as inputs, with stride 1?"""
        return self.padding in ("same", "same_low")

    def fits(self, n: int) -> bool:
        return n + sum(self.pads(n)) >= self.reach

    def count(self, n: int) -> int:
        """How many windows there are over an axis of length n."""
        if self.is_same:
            return -(-n // self.stride)
        return (n + sum(self.pads(n)) - self.reach) // self.stride + 1

    def count_with_rest(self, n: int) -> int:
        """As `count`, and one more for what fills no window, unless that one would begin beyond x and its low pads."""
        low, high = self.pads(n)
        outputs = -(-(n + low + high - self.reach) // self.stride) + 1
        return outputs - 1 if (outputs - 1) * self.stride >= n + low else outputs

    def fixed_pads(self) -> Pair | None:
        """The pads, where they do not depend on the length of x."""
        return None if self.is_same and self.stride > 1 else self.pads(self.reach)

    def index(self, letter: str, tap: str, low: int | str) -> str:
        """The index into x as text: `2*i+3*p-1`."""
        outer = letter if self.stride == 1 else f"{self.stride}*{letter}"
        inner = tap if self.dilation == 1 else f"{self.dilation}*{tap}"
        return f"{outer}+{inner}" + (f"-{low}" if low else "")

    def extent(self, length: str, size: str) -> str:
        """The extent of the output as text, in the names of the input's length and the kernel's size."""
        if self.is_same:
            return length if self.stride == 1 else f"ceil({length}/{self.stride})"
        low, high = self.pads(0)
        reach = size if self.dilation == 1 else f"{self.dilation}*{size}"
        rest = low + high + self.dilation - 1
        if self.stride == 1:
            return f"{length}-{reach}{rest + 1:+d}"
        return f"floor(({length}-{reach}" + (f"{rest:+d}" if rest else "") + f")/{self.stride})+1"


def one_per_axis(layer: Layer, name: str, value: object, rank: int, least: int = 1) -> tuple[int, ...]:
    """`3` or `(3, 5)` as one whole number per axis."""
    values = tuple(value) if isinstance(value, tuple | list) else (value,) * rank
    if len(values) != rank:
        raise ModelError(
            f"{type(layer).__name__}: {name} must be one number, or {rank} of them, not {value!r}: write "
            f"{name}={values[0] if values else least}"
        )
    return tuple(natural(layer, name, number, least) for number in values)


def windows(
    layer: Layer, rank: int, kernel: object, stride: object = 1, dilation: object = 1, padding: Padding = "valid",
    name: str = "kernel",
) -> tuple[Window, ...]:
    """The windows of a layer, its settings checked; `name` is what the layer calls the size of a window."""
    return tuple(
        Window(*settings)
        for settings in zip(
            one_per_axis(layer, name, kernel, rank),
            one_per_axis(layer, "stride", stride, rank),
            one_per_axis(layer, "dilation", dilation, rank),
            _paddings(layer, padding, rank),
            strict=True,
        )
    )


def check_fit(axes: tuple[Window, ...], shape: Shape, what: str, fix: str) -> None:
    """Does every window fit into x at least once?"""
    if all(window.fits(n) for window, n in zip(axes, shape, strict=False)):
        return
    size = "x".join(str(window.reach) for window in axes)
    given = "x".join(str(n + sum(window.pads(n))) for window, n in zip(axes, shape, strict=False))
    padded = " with its padding" if any(sum(w.pads(n)) for w, n in zip(axes, shape, strict=False)) else ""
    raise ModelError(f"a {what} that covers {size} does not fit into {given}{padded}: {fix}")


def _paddings(layer: Layer, padding: Padding, rank: int) -> tuple[str | Pair, ...]:
    if isinstance(padding, str):
        if padding not in PADDINGS:
            words, hint = ", ".join(f'"{word}"' for word in PADDINGS) + " or numbers", closest(padding, PADDINGS)
            raise ModelError(f"{type(layer).__name__}: padding must be {words}, not {padding!r}: {hint}")
        return (padding,) * rank
    sides = padding if isinstance(padding, tuple | list) else (padding,) * rank
    if rank == 1 and len(sides) == 2 and not any(isinstance(side, tuple | list) for side in sides):
        sides = (tuple(sides),)  # type: ignore[assignment]  # one axis: its two sides
    pairs = [tuple(side) if isinstance(side, tuple | list) else (side, side) for side in sides]
    if len(pairs) != rank or any(len(pair) != 2 for pair in pairs):
        needed = f"one number, {rank} numbers or {rank} pairs (low, high)"
        raise ModelError(f"{type(layer).__name__}: padding must be {needed}, not {padding!r}: write padding=0")
    return tuple((natural(layer, "padding", low, 0), natural(layer, "padding", high, 0)) for low, high in pairs)
