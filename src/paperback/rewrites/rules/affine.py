"""What an affine change of a signal becomes in the layers after it, and how a factor is put into the layers before.

    before(chain, at)    the layer whose weights and bias can scale what comes into chain[at]: z -> s*z
    after(chain, at)     the layer whose weights and bias can take up h = a*t + c in what comes out of chain[at]

Between them may stand what passes the change on: other axes (flatten, permute) and, for a factor that is not negative,
maxima; means pass a shift on as it is. A zero-padded convolution takes up a shift with one bias for each place, because
fewer taps see it at a border.
"""

from __future__ import annotations

__all__ = ["absorb", "after", "before", "fixed", "scaled"]

from dataclasses import replace
from fractions import Fraction
from typing import Any

import numpy as np
from numpy.typing import NDArray

from paperback.nn.layers.activations import Identity
from paperback.nn.layers.batchnorm import BatchNorm
from paperback.nn.layers.conv import Convolution
from paperback.nn.layers.dense import Dense
from paperback.nn.layers.fixed import FixedConv
from paperback.nn.layers.flatten import Flatten, Permute, Unflatten
from paperback.nn.layers.layer import Layer
from paperback.nn.layers.pool import AveragePooling, MaximumPooling
from paperback.nn.layers.reduce import GlobalAvgPool, GlobalMaxPool
from paperback.rewrites.numbers import each, like, window_sums
from paperback.rewrites.pieces import Chain, Piece

Array = NDArray[Any]

_PASSING = (Flatten, Permute, Unflatten, Identity, AveragePooling, MaximumPooling, GlobalAvgPool, GlobalMaxPool)


def before(chain: Chain, at: int) -> int | None:
    """The place of the layer before chain[at] that can scale what comes in."""
    for place in range(at - 1, -1, -1):
        layer = chain[place].layer
        if isinstance(layer, Dense | Convolution | BatchNorm):
            return place
        if not isinstance(layer, _PASSING):
            return None
    return None


def after(chain: Chain, at: int) -> int | None:
    """The place of the layer after chain[at] that can take up an affine change."""
    for place in range(at + 1, len(chain)):
        layer = chain[place].layer
        if isinstance(layer, Dense | Convolution):
            return place
        if not isinstance(layer, _PASSING):
            return None
    return None


def scaled(piece: Piece, factor: Fraction) -> Piece:
    """The layer with its result times a factor."""
    names = ("scale", "shift") if isinstance(piece.layer, BatchNorm) else ("w", "b")
    return piece.with_layer(
        piece.layer, **{name: piece.tensors[name] * like(piece.tensors[name], factor) for name in names
                        if name in piece.tensors}
    )  # fmt: skip


def absorb(piece: Piece, factor: Fraction, shift: Fraction) -> Piece:
    """The layer that gives for t what this one gives for factor*t + shift."""
    layer, w = piece.layer, piece.tensors["w"]
    extra = like(w, shift) * (w.sum(axis=0) if isinstance(layer, Dense) else _sums(layer, piece))
    old = piece.bias
    bias = extra if old is None else extra + old
    if isinstance(layer, Dense):
        layer = replace(layer, bias=True)
    elif isinstance(layer, Convolution):
        layer = replace(layer, bias="position" if np.ndim(bias) > 1 else True)
    return piece.with_layer(layer, w=w * like(w, factor), b=bias)


def _sums(layer: Layer, piece: Piece) -> Array:
    assert isinstance(layer, Convolution)
    return window_sums(layer, piece.tensors["w"], piece.shape)


def fixed(kernel: Array, stride: int | tuple[int, ...], padding: int = 0) -> Piece:
    """A convolution with these weights, which are not learned: exact numbers, rounded where they are stored."""
    stored = each(float, kernel).tolist()
    return Piece(FixedConv(stored, stride, padding or "valid"), {"w": kernel})
