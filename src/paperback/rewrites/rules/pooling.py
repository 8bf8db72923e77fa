"""Rules for average pooling: a convolution with constant weights, over all channels or every channel by itself."""

from __future__ import annotations

__all__ = ["RULES"]

from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction
from math import prod
from textwrap import shorten

import numpy as np

from paperback.identities import IDENTITIES
from paperback.nn.layers.fixed import FixedConv
from paperback.nn.layers.pool import AveragePooling, AvgPool1d, AvgPool2d
from paperback.rewrites.numbers import exact_array
from paperback.rewrites.pieces import Chain, Piece
from paperback.rewrites.rule import Answer, Found, Refused, Rule
from paperback.rewrites.rules.affine import fixed


def _as_convolution(name: str, depthwise: bool) -> Callable[[Chain, int], Answer]:
    def find(chain: Chain, at: int) -> Answer:
        piece = chain[at]
        if not isinstance(piece.layer, AveragePooling):
            return None
        layer, shape = piece.layer, piece.shape
        (condition,) = IDENTITIES[name].conditions
        axes = layer.windows(shape)
        partial = any(any(axis.pads(n)) or layer.count(axis, n) != axis.count(n) for axis, n in
                      zip(axes, shape, strict=False))  # fmt: skip
        if partial:
            return Refused(at, at + 1, condition, f"{piece.name} is {layer!r} over {'x'.join(map(str, shape))}")
        if depthwise and layer.rank > 2:
            return Refused(at, at + 1, "the window has at most two axes", f"{piece.name} is {layer!r}")
        taps, stride = tuple(axis.size for axis in axes), tuple(axis.stride for axis in axes)

        def replacement(pieces: Chain) -> Chain:
            del pieces
            kernel = np.full(taps, Fraction(1, prod(taps)))
            if not depthwise:
                kernel = kernel.reshape(*taps, 1, 1) * exact_array(np.eye(shape[-1]))
            return (fixed(kernel, stride),)

        return Found(at, at + 1, ((condition, f"{piece.name} is {layer!r} over {shape}"),), replacement)

    return find


def _mean(chain: Chain, at: int) -> Answer:
    layer, shape = chain[at].layer, chain[at].shape
    if not isinstance(layer, FixedConv) or len(layer.shape) > 2:
        return None
    (condition,) = IDENTITIES["avgpool_from_depthwise"].conditions
    weights = np.asarray(layer.kernel, dtype=np.float64)
    padded = any(any(axis.pads(n)) or axis.dilation > 1 for axis, n in zip(layer.windows, shape, strict=False))
    if padded or np.any(np.abs(weights * weights.size - 1) > 1e-12):
        return Refused(at, at + 1, condition, f"{chain[at].name} is {shorten(repr(layer), 100)}")
    taps, stride = layer.shape, tuple(axis.stride for axis in layer.windows)
    pool = (AvgPool1d if layer.rank == 1 else AvgPool2d)(taps, stride)
    return Found(at, at + 1, ((condition, f"{weights.size} weights of {weights.flat[0]:g}"),), lambda _: (Piece(pool),))


def _with_means(chain: Chain) -> Chain:
    """The weights as the fractions that floats can only come near to."""
    (piece,) = chain
    w = piece.tensors["w"]
    return (replace(piece, tensors={"w": np.full(w.shape, Fraction(1, w.size))}),)


RULES = (
    Rule(IDENTITIES["convolution_from_avgpool"], _as_convolution("convolution_from_avgpool", depthwise=False)),
    Rule(IDENTITIES["depthwise_from_avgpool"], _as_convolution("depthwise_from_avgpool", depthwise=True)),
    Rule(IDENTITIES["avgpool_from_depthwise"], _mean, prepare=_with_means),
)
