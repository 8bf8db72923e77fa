"""Rules for image operators: differences, grey and the block transform as convolutions with given weights."""

from __future__ import annotations

__all__ = ["RULES"]

from fractions import Fraction
from typing import Any

import numpy as np
from numpy.typing import NDArray

from paperback.calculus.exact import evaluate
from paperback.identities import IDENTITIES
from paperback.nn.layers.dct import BlockDCT
from paperback.nn.layers.fixed import FiniteDifferences, Grey
from paperback.notation.read import read
from paperback.rewrites.numbers import exact_array
from paperback.rewrites.pieces import Chain
from paperback.rewrites.rule import Answer, Found, Refused, Rule
from paperback.rewrites.rules.affine import fixed

Array = NDArray[Any]


def _differences(chain: Chain, at: int) -> Answer:
    if not isinstance(chain[at].layer, FiniteDifferences):
        return None
    channels = chain[at].shape[-1]

    def replacement(pieces: Chain) -> Chain:
        del pieces
        kernel = np.zeros((3, 3, channels, 2 * channels))
        for c in range(channels):
            kernel[1, 1, c, 2 * c : 2 * c + 2] = -1
            kernel[2, 1, c, 2 * c] = kernel[1, 2, c, 2 * c + 1] = 1
        return (fixed(exact_array(kernel), 1, padding=1),)

    return Found(at, at + 1, (), replacement)


def _grey(chain: Chain, at: int) -> Answer:
    piece = chain[at]
    if not isinstance(piece.layer, Grey):
        return None
    rank = len(piece.shape) - 1
    if not 1 <= rank <= 3:
        return Refused(at, at + 1, "the colours are channels of a signal or an image", f"x is {piece.shape}")

    def replacement(pieces: Chain) -> Chain:
        del pieces
        kernel = np.array([Fraction(n, 1000) for n in (299, 587, 114)], dtype=object)
        return (fixed(kernel.reshape(*(1,) * rank, 3, 1), 1),)

    return Found(at, at + 1, (), replacement)


def _matrix(layer: BlockDCT) -> Array:
    """m[p,k] of the layer, from its own formula, in intervals of 50 digits."""
    statement = layer.formula.splitlines()[0]
    return evaluate(read(statement, sizes={"S": layer.block}), {})["m"].T


def _forward(chain: Chain, at: int) -> BlockDCT | Refused | None:
    layer = chain[at].layer
    if not isinstance(layer, BlockDCT):
        return None
    if layer.inverse:
        return Refused(at, at + 1, "the transform, not its inverse", f"{chain[at].name} is {layer!r}")
    return layer


def _every_channel(filters: Array, channels: int) -> Array:
    """A kernel P Q R K that gives every channel these filters P Q K, channel after channel."""
    p, q, k = filters.shape
    kernel = np.full((p, q, channels, channels, k), Fraction(0), dtype=object)
    for c in range(channels):
        kernel[:, :, c, c] = filters
    return kernel.reshape(p, q, channels, channels * k)


def _block_dct(chain: Chain, at: int) -> Answer:
    layer = _forward(chain, at)
    if not isinstance(layer, BlockDCT):
        return layer
    channels, n = chain[at].shape[-1], layer.block

    def replacement(pieces: Chain) -> Chain:
        del pieces
        m = _matrix(layer)
        filters = (m[:, None, :, None] * m[None, :, None, :]).reshape(n, n, n * n)
        return (fixed(_every_channel(filters, channels), n),)

    return Found(at, at + 1, (), replacement)


def _separable(chain: Chain, at: int) -> Answer:
    layer = _forward(chain, at)
    if not isinstance(layer, BlockDCT):
        return layer
    channels, n = chain[at].shape[-1], layer.block

    def replacement(pieces: Chain) -> Chain:
        del pieces
        m = _matrix(layer)
        columns, rows = _every_channel(m[:, None], channels), _every_channel(m[None], n * channels)
        return fixed(columns, (n, 1)), fixed(rows, (1, n))

    return Found(at, at + 1, (), replacement)


RULES = (
    Rule(IDENTITIES["convolution_from_differences"], _differences),
    Rule(IDENTITIES["convolution_from_grey"], _grey),
    Rule(IDENTITIES["convolution_from_blockdct"], _block_dct),
    Rule(IDENTITIES["separable_from_blockdct"], _separable),
)
