"""Operations over windows: convolutions and poolings with strides, padding and overlap.

Letters: n item, c channel in, o channel out, i j place in the output, k l place in the window.
"""

from __future__ import annotations

__all__ = ["OPERATIONS", "avg_pool", "conv2d", "crop", "max_pool", "pad", "patches", "spread"]

from collections.abc import Callable

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.random import Generator
from tests.diagnosis.corpus.operation import Array, Backward, Forward, Operation, apart, normal


def pad(x: Array, p: int) -> Array:
    return np.pad(x, ((0, 0), (0, 0), (p, p), (p, p)))


def crop(x: Array, p: int) -> Array:
    return x[:, :, p : x.shape[2] - p, p : x.shape[3] - p]


def patches(x: Array, window: tuple[int, int], stride: int) -> Array:
    """[n, c, i, j, k, l]: the window under every place of the output."""
    return sliding_window_view(x, window, (2, 3))[:, :, ::stride, ::stride]


def spread(parts: Array, shape: tuple[int, ...], stride: int) -> Array:
    """The adjoint of `patches`: every window is added to where it was read."""
    *_, height, width, rows, columns = parts.shape
    x = np.zeros(shape, parts.dtype)
    for k in range(rows):
        for l in range(columns):
            x[:, :, k : k + stride * height : stride, l : l + stride * width : stride] += parts[..., k, l]
    return x


def conv2d(stride: int, p: int, flip: bool = False) -> tuple[Forward, Backward]:
    """Cross-correlation of the kernels with the image, or, flipped, convolution."""

    def turned(w: Array) -> Array:
        return w[:, :, ::-1, ::-1] if flip else w

    def forward(x: Array, w: Array, b: Array) -> Array:
        seen = patches(pad(x, p), w.shape[2:], stride)
        return np.einsum("ncijkl,ockl->noij", seen, turned(w), optimize=True) + b[:, None, None]

    def backward(g: Array, x: Array, w: Array, b: Array) -> tuple[Array, ...]:
        padded = pad(x, p)
        parts = np.einsum("noij,ockl->ncijkl", g, turned(w), optimize=True)
        dx = crop(spread(parts, padded.shape, stride), p)
        dw = np.einsum("noij,ncijkl->ockl", g, patches(padded, w.shape[2:], stride), optimize=True)
        return dx, turned(dw), g.sum((0, 2, 3))

    return forward, backward


def conv1d(stride: int) -> tuple[Forward, Backward]:
    """Of signals [n, c, t]: the two-dimensional one with a single row."""
    forward2, backward2 = conv2d(stride, 0)

    def forward(x: Array, w: Array, b: Array) -> Array:
        return forward2(x[:, :, :, None], w[:, :, :, None], b)[..., 0]

    def backward(g: Array, x: Array, w: Array, b: Array) -> tuple[Array, ...]:
        dx, dw, db = backward2(g[..., None], x[:, :, :, None], w[:, :, :, None], b)
        return dx[..., 0], dw[..., 0], db

    return forward, backward


def depthwise(x: Array, w: Array) -> Array:
    return np.einsum("ncijkl,ckl->ncij", patches(x, w.shape[1:], 1), w)


def depthwise_backward(g: Array, x: Array, w: Array) -> tuple[Array, ...]:
    dx = spread(np.einsum("ncij,ckl->ncijkl", g, w), x.shape, 1)
    return dx, np.einsum("ncij,ncijkl->ckl", g, patches(x, w.shape[1:], 1))


def max_pool(size: int, stride: int) -> tuple[Forward, Backward]:
    """The largest of each window; the first of equals takes the gradient."""

    def forward(x: Array) -> Array:
        return patches(x, (size, size), stride).max((4, 5))

    def backward(g: Array, x: Array) -> tuple[Array, ...]:
        seen = patches(x, (size, size), stride)
        best = seen.reshape(*seen.shape[:4], -1).argmax(-1)
        chosen = (best[..., None] == np.arange(size * size)).reshape(seen.shape)
        return (spread(g[..., None, None] * chosen, x.shape, stride),)

    return forward, backward


def avg_pool(size: int, stride: int, p: int) -> tuple[Forward, Backward]:
    """The mean of each window of the padded image; padding counts."""

    def forward(x: Array) -> Array:
        return patches(pad(x, p), (size, size), stride).mean((4, 5))

    def backward(g: Array, x: Array) -> tuple[Array, ...]:
        padded = pad(x, p)
        parts = np.broadcast_to(g[..., None, None] / size**2, (*g.shape, size, size))
        return (crop(spread(parts, padded.shape, stride), p),)

    return forward, backward


def upsample(x: Array) -> Array:
    """Each pixel twice as high and three times as wide."""
    return x.repeat(2, 2).repeat(3, 3)


def upsample_backward(g: Array, x: Array) -> tuple[Array, ...]:
    n, c, h, w = x.shape
    return (g.reshape(n, c, h, 2, w, 3).sum((3, 5)),)


def pixels(*shape: int) -> Callable[[Generator], tuple[Array, ...]]:
    return lambda rng: (apart(shape, rng),)


CONV = ("x", "w", "b")
OPERATIONS = (
    Operation("conv1d", CONV, *conv1d(2), normal((3, 2, 11), (4, 2, 3), (4,))),
    Operation("conv2d", CONV, *conv2d(1, 0), normal((3, 2, 6, 5), (4, 2, 3, 2), (4,))),
    Operation("conv2d strided", CONV, *conv2d(2, 1), normal((2, 2, 7, 5), (3, 2, 3, 3), (3,))),
    Operation("conv2d flipped", CONV, *conv2d(1, 1, True), normal((2, 3, 5, 4), (2, 3, 3, 3), (2,))),
    Operation("depthwise", ("x", "w"), depthwise, depthwise_backward, normal((3, 2, 6, 5), (2, 3, 2))),
    Operation("max pool", ("x",), *max_pool(3, 2), pixels(2, 3, 7, 5)),
    Operation("average pool", ("x",), *avg_pool(3, 2, 1), pixels(3, 2, 7, 5)),
    Operation("upsample", ("x",), upsample, upsample_backward, normal((2, 3, 4, 2))),
)
