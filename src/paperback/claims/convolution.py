"""A4: sizes, parameters and numbers of convolutions.

    x: d, w: k     y = conv or corr, valid, full or same; convolution reads the kernel backwards
"""

from __future__ import annotations

__all__ = ["ENTRIES"]

from paperback.claims.checks import Check, Exact, Prove, Shape
from paperback.claims.models import Counts, Shapes
from paperback.claims.record import Entry
from paperback.nn.layers import Conv2d, MaxPool2d, Sequential

DATA = {"x": [1, 2, 3, 4], "w": [1, 0, 2]}
NET = Sequential(Conv2d(32, 8, stride=2, padding=3), MaxPool2d(2), Conv2d(64, 3, padding=1))
FIRST, SECOND = Conv2d(32, 8, stride=2, padding=3, bias=False), Conv2d(64, 3, padding=1, bias=False)
PLACED = {"valid": ("n+j", "n < d-k+1"), "full": ("n+j-(k-1)", "n < d+k-1"), "same": ("n+j-1", "n < d")}


def both(padding: str, convolved: list[int], correlated: list[int]) -> tuple[Check, ...]:
    """The numbers of a padding under both conventions."""
    index, extent = PLACED[padding]
    where = f"where x: d, w: k, x pads 0, {extent}"
    return (
        Exact(f"y[n] = sum(j) x[{index}]*w[k-1-j] {where}", DATA, convolved),
        Exact(f"y[n] = sum(j) x[{index}]*w[j] {where}", DATA, correlated),
    )


def laid(stride: int) -> Check:
    """All windows that fit, counted one by one, for n up to 8, pads up to 2, kernels up to 4: the size rule."""
    windows = f"c[n,p,k] = sum(i<13) [{stride}*i + k + 1 <= n + 2*p] where n < 9, p < 3, k < 4"
    rule = [[[max((n + 2 * p - k - 1) // stride + 1, 0) for k in range(4)] for p in range(3)] for n in range(9)]
    return Exact(windows, {}, rule)


ENTRIES = (
    Entry(
        "A4.1", "RIGHT", "Shapes: 128x128x3, conv 8x8 (32, pad 3, stride 2), max-pool 2x2, conv 3x3 (64, pad 1)",
        says="out = floor((n + 2p - k)/s) + 1: 64x64x32, 32x32x32, 32x32x64, in all 65536 numbers.",
        checks=(
            Shapes(NET, (128, 128, 3), ((64, 64, 32), (32, 32, 32), (32, 32, 64))),
            Exact("n = 32*32*64", {}, 65536),
            Shape("y[i] = max(q<k) x[s*i+q] where x: n, k = 8, s = 2", "floor(n/2)-3"),
            *(laid(stride) for stride in (1, 2, 3)),
        ),
    ),
    Entry(
        "A4.2", "RIGHT", "The last convolution has 3*3*32*64 = 18432 weights",
        says="With one bias for each filter 18496; the first has 6144, with biases 6176.",
        checks=(
            Counts(NET, (128, 128, 3), {"conv2d_1.w": 6144, "conv2d_1.b": 32, "conv2d_2.w": 18432, "conv2d_2.b": 64}),
            Counts(Sequential(FIRST, MaxPool2d(2), SECOND), (128, 128, 3), {"conv2d_1.w": 6144, "conv2d_2.w": 18432}),
            Exact("n[i] = a[i] + b[i]", {"a": [18432, 6144], "b": [64, 32]}, [18496, 6176]),
        ),
    ),
    Entry(
        "A4.3a", "RIGHT", "Convolution here is the true one: the kernel [1,0,2] slides as [2,0,1]",
        says="Question A5 calls the cross-correlation a convolution; corr(x, flipped w) = conv(x, w).",
        checks=(
            Prove("y[n] = sum(j) x[n+j]*w[k-1-j] where x: d, w: k", "y[n] = sum(j) x[n+k-1-j]*w[j] where x: d, w: k"),
            Exact("f[j] = w[2-j]", DATA, [2, 0, 1]),
        ),
    ),
    Entry("A4.3b", "RIGHT", "The valid convolution is [5, 8]", both("valid", [5, 8], [7, 10])),
    Entry("A4.3c", "RIGHT", "The full convolution is [1, 2, 5, 8, 6, 8]",
          both("full", [1, 2, 5, 8, 6, 8], [2, 4, 7, 10, 3, 4])),
    Entry("A4.3d", "RIGHT", "The convolution of the same length is [2, 5, 8, 6]",
          both("same", [2, 5, 8, 6], [4, 7, 10, 3])),
)  # fmt: skip
