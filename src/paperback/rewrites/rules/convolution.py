"""Rules for convolutions: both flips, dense layers at every place and of full size, Toeplitz matrices, two in a row."""

from __future__ import annotations

__all__ = ["RULES"]

from collections.abc import Callable
from dataclasses import replace
from itertools import product
from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from paperback.identities import IDENTITIES
from paperback.nn.layers import Conv1d, Conv2d, Conv3d
from paperback.nn.layers.conv import Convolution
from paperback.nn.layers.dense import Dense
from paperback.nn.layers.flatten import Flatten, Unflatten
from paperback.nn.layers.formula import Formula
from paperback.rewrites.numbers import flipped, zeros
from paperback.rewrites.pieces import Chain, Piece
from paperback.rewrites.rule import Answer, Found, Refused, Rule

Array = NDArray[Any]
_KINDS: dict[int, type[Convolution]] = {1: Conv1d, 2: Conv2d, 3: Conv3d}


def _turned(flip: bool) -> Callable[[Chain, int], Answer]:
    """A convolution with this flip becomes one with the other."""

    def find(chain: Chain, at: int) -> Answer:
        layer = chain[at].layer
        if not isinstance(layer, Convolution) or layer.flip is not flip:
            return None

        def replacement(pieces: Chain) -> Chain:
            (piece,) = pieces
            assert isinstance(piece.layer, Convolution)
            w = flipped(piece.tensors["w"], piece.layer.rank)
            return (piece.with_layer(replace(piece.layer, flip=not flip), w=w),)

        return Found(at, at + 1, (), replacement)

    return find


def _dense_from_convolution(chain: Chain, at: int) -> Answer:
    layer = chain[at].layer
    if not isinstance(layer, Convolution) or any(axis.size != 1 for axis in layer.windows):
        return None
    one, group = IDENTITIES["dense_from_convolution"].conditions
    shape = chain[at].shape
    if any(axis.stride != 1 or any(axis.pads(n)) for axis, n in zip(layer.windows, shape, strict=False)):
        return Refused(at, at + 1, one, f"{chain[at].name} is {layer!r}")
    if layer.groups != 1 or layer.bias == "position":
        return Refused(at, at + 1, group, f"{chain[at].name} is {layer!r}")

    def replacement(pieces: Chain) -> Chain:
        (piece,) = pieces
        bias = " + b[k]" if piece.bias is not None else ""
        parameters = {name: layer.parameters[name] for name in piece.tensors}
        dense = Formula(
            f"y[k] = sum(r) x[r]*w[r,k]{bias}", parameters, {"K": layer.filters}, extra_axes=True
        )
        w = piece.tensors["w"]
        return (piece.with_layer(dense, w=w.reshape(w.shape[-2:])),)

    checks = ((one, f"{chain[at].name} is {layer!r}"), (group, "groups = 1"))
    return Found(at, at + 1, checks, replacement)


def _convolution_from_dense(chain: Chain, at: int) -> Answer:
    pair = chain[at : at + 2]
    if not isinstance(chain[at].layer, Dense) and not (
        len(pair) == 2 and isinstance(pair[0].layer, Flatten) and isinstance(pair[1].layer, Dense)
    ):
        return None
    (condition,) = IDENTITIES["convolution_from_dense"].conditions
    if isinstance(chain[at].layer, Dense):
        if at and isinstance(chain[at - 1].layer, Flatten):
            return None  # found at the Flatten
        return Refused(at, at + 1, condition, f"{chain[at].name} reads a signal that has one axis already")
    rank = len(pair[0].shape) - 1
    if rank not in _KINDS:
        return Refused(at, at + 2, condition, f"{pair[0].name} takes {pair[0].shape}, which has no place and channel")

    def replacement(pieces: Chain) -> Chain:
        flatten, dense = pieces
        layer = dense.layer
        assert isinstance(layer, Dense)
        conv = _KINDS[rank](layer.units, flatten.shape[:-1], bias=layer.bias, init=layer.init)
        w = dense.tensors["w"].reshape(*flatten.shape, layer.units)
        return dense.with_layer(conv, w=w), Piece(Flatten())

    return Found(at, at + 2, ((condition, f"{pair[0].name} takes {pair[0].shape}"),), replacement)


def _dense_from_full_convolution(chain: Chain, at: int) -> Answer:
    layer, shape = chain[at].layer, chain[at].shape
    if not isinstance(layer, Convolution) or any(n != 1 for n in chain[at].output[:-1]):
        return None
    whole, group = IDENTITIES["dense_from_full_convolution"].conditions
    if any(any(axis.pads(n)) or axis.size != n for axis, n in zip(layer.windows, shape, strict=False)):
        return Refused(at, at + 1, whole, f"{chain[at].name} is {layer!r} over {'x'.join(map(str, shape))}")
    if layer.groups != 1:
        return Refused(at, at + 1, group, f"{chain[at].name} is {layer!r}")

    def replacement(pieces: Chain) -> Chain:
        (piece,) = pieces
        assert isinstance(piece.layer, Convolution)
        w = flipped(piece.tensors["w"], piece.layer.rank) if piece.layer.flip else piece.tensors["w"]
        tensors: dict[str, Array] = {"w": w.reshape(-1, piece.layer.filters)}
        if piece.bias is not None:
            tensors["b"] = piece.bias.reshape(-1)
        dense = Dense(piece.layer.filters, bias=piece.bias is not None, init=piece.layer.init)
        return Piece(Flatten()), Piece(dense, tensors, frozen=piece.frozen), Piece(Unflatten(piece.output))

    checks = ((whole, f"{chain[at].name} is {layer!r} over {'x'.join(map(str, shape))}"), (group, "groups = 1"))
    return Found(at, at + 1, checks, replacement)


def _matrix_from_convolution(chain: Chain, at: int) -> Answer:
    layer = chain[at].layer
    if not isinstance(layer, Convolution):
        return None

    def replacement(pieces: Chain) -> Chain:
        (piece,) = pieces
        assert isinstance(piece.layer, Convolution)
        matrix = toeplitz(piece.layer, piece.tensors["w"], piece.shape, piece.output)
        tensors = {"w": matrix}
        if piece.bias is not None:
            tensors["b"] = np.broadcast_to(piece.bias, piece.output).reshape(-1)
        dense = Dense(prod(piece.output), bias=piece.bias is not None)
        frozen = frozenset(tensors)  # training the matrix entry by entry would leave the convolution
        return Piece(Flatten()), Piece(dense, tensors, frozen=frozen), Piece(Unflatten(piece.output))

    return Found(at, at + 1, (), replacement)


def toeplitz(layer: Convolution, w: Array, shape: tuple[int, ...], output: tuple[int, ...]) -> Array:
    """The matrix M with flatten(conv(x)) = flatten(x) @ M, without the bias: a (block) Toeplitz matrix."""
    matrix = zeros((*shape, *output), w)
    wide, many = w.shape[-2], layer.filters // layer.groups  # channels and filters of a group
    for tap in product(*(range(axis.size) for axis in layer.windows)):
        read = tuple(axis.size - 1 - p for axis, p in zip(layer.windows, tap, strict=True)) if layer.flip else tap
        rows, columns = [], []
        for axis, p, n, count in zip(layer.windows, tap, shape, output, strict=False):
            column = np.arange(count)
            row = column * axis.stride + axis.dilation * p - axis.pads(n)[0]
            inside = (row >= 0) & (row < n)
            rows.append(row[inside])
            columns.append(column[inside])
        at = (*(grid.ravel() for grid in np.meshgrid(*rows, indexing="ij")),)
        to = (*(grid.ravel() for grid in np.meshgrid(*columns, indexing="ij")),)
        for r, k in product(range(wide), range(layer.filters)):
            matrix[(*at, k // many * wide + r, *to, k)] += w[(*read, r, k)]
    return matrix.reshape(prod(shape), prod(output))


def _merge_convolutions(chain: Chain, at: int) -> Answer:
    pair = chain[at : at + 2]
    if len(pair) < 2 or not all(isinstance(piece.layer, Convolution) for piece in pair):
        return None
    first, second = (piece.layer for piece in pair)
    assert isinstance(first, Convolution) and isinstance(second, Convolution)
    if first.rank != second.rank:
        return None
    strides, padding, bias = IDENTITIES["merge_convolutions"].conditions
    grouped = any(layer.groups > 1 or any(a.dilation > 1 for a in layer.windows) for layer in (first, second))
    if grouped or any(axis.stride > 1 for axis in first.windows):
        return Refused(at, at + 2, strides, f"{pair[0].name} is {first!r}, {pair[1].name} is {second!r}")
    if any(any(a.pads(n)) for a, n in zip(second.windows, pair[1].shape, strict=False)):
        return Refused(at, at + 2, padding, f"{pair[1].name} is {second!r}")
    if first.bias == "position":
        return Refused(at, at + 2, bias, f"{pair[0].name} is {first!r}")
    pads = tuple(a.pads(n) for a, n in zip(first.windows, pair[0].shape, strict=False))

    def replacement(pieces: Chain) -> Chain:
        w, v = (
            flipped(p.tensors["w"], p.layer.rank) if p.layer.flip else p.tensors["w"]  # type: ignore[attr-defined]
            for p in pieces
        )
        kernel = tuple(a + b - 1 for a, b in zip(w.shape[: first.rank], v.shape[: first.rank], strict=True))
        u = zeros((*kernel, w.shape[-2], v.shape[-1]), w)
        for tap in product(*map(range, v.shape[: first.rank])):
            at_tap = tuple(slice(q, q + n) for q, n in zip(tap, w.shape, strict=False))
            u[at_tap] += w @ v[tap]
        taps = v.sum(axis=tuple(range(first.rank)))
        bias_parts = [p for p in (pieces[1].bias, None if pieces[0].bias is None else pieces[0].bias @ taps)
                      if p is not None]  # fmt: skip
        layer = _KINDS[first.rank](
            second.filters, kernel, second.stride, pads, bias=second.bias or bool(bias_parts), init=second.init
        )
        tensors = {"w": u, **({"b": sum(bias_parts[1:], bias_parts[0])} if bias_parts else {})}
        return (Piece(layer, tensors, frozen=pieces[0].frozen & pieces[1].frozen),)

    checks = (
        (strides, f"{pair[0].name} is {first!r}, {pair[1].name} is {second!r}"),
        (padding, f"{pair[1].name} has no padding"),
        (bias, f"bias of {pair[0].name}: {first.bias}"),
    )
    return Found(at, at + 2, checks, replacement)


RULES = (
    Rule(IDENTITIES["correlation_from_convolution"], _turned(flip=True)),
    Rule(IDENTITIES["convolution_from_correlation"], _turned(flip=False)),
    Rule(IDENTITIES["dense_from_convolution"], _dense_from_convolution),
    Rule(IDENTITIES["convolution_from_dense"], _convolution_from_dense),
    Rule(IDENTITIES["dense_from_full_convolution"], _dense_from_full_convolution),
    Rule(IDENTITIES["matrix_from_convolution"], _matrix_from_convolution),
    Rule(IDENTITIES["merge_convolutions"], _merge_convolutions),
)
