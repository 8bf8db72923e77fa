"""Rules for average pooling: a convolution with constant weights, over all channels or every channel by itself."""

from __future__ import annotations

__all__ = ["RULES"]

from collections.abc import Callable
from fractions import Fraction
from math import prod

import numpy as np

from paperback.identities import IDENTITIES
from paperback.nn.layers.pool import AveragePooling
from paperback.rewrites.numbers import exact_array
from paperback.rewrites.pieces import Chain
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


RULES = tuple(
    Rule(IDENTITIES[name], _as_convolution(name, name.startswith("depthwise")))
    for name in ("convolution_from_avgpool", "depthwise_from_avgpool")
)
