"""Arithmetic on the numbers of pieces that is the same for floats and for Fractions."""

from __future__ import annotations

__all__ = ["each", "exact_array", "flipped", "inverse_root", "like", "window_sums", "zeros"]

from collections.abc import Callable
from fractions import Fraction
from itertools import product
from typing import Any

import numpy as np
from numpy.typing import NDArray

from paperback.calculus import reals
from paperback.nn.layers.conv import Convolution

Array = NDArray[Any]


def like(array: Array, value: Fraction) -> Any:
    """A rational number in the kind of numbers that an array holds."""
    return value if array.dtype == object else float(value)


def exact_array(values: Array) -> Array:
    """The numbers that an array stores, as Fractions."""
    return each(reals.exact, values)


def each(function: Callable[[Any], Any], array: Array) -> Array:
    """A function of every element, as an array of objects."""
    objects = np.empty(array.size, dtype=object)
    objects[:] = [function(x) for x in array.flat]
    return objects.reshape(array.shape)


def zeros(shape: tuple[int, ...], array: Array) -> Array:
    """Zeros in the kind of numbers that an array holds."""
    return np.full(shape, like(array, Fraction(0)), dtype=array.dtype)


def inverse_root(array: Array) -> Array:
    """x^(-1/2), element by element."""
    if array.dtype != object:
        return np.asarray(1 / np.sqrt(array))
    return each(lambda x: reals.power(x, Fraction(-1, 2)), array)


def flipped(w: Array, rank: int) -> Array:
    """A kernel read backwards along its windows' axes."""
    return np.ascontiguousarray(w[(slice(None, None, -1),) * rank])


def window_sums(layer: Convolution, w: Array, shape: tuple[int, ...]) -> Array:
    """What the convolution gives where every input is 1: sums of the kernel over the taps that lie inside x.

    One number per filter where there is no padding, else one per position and filter.
    """
    rank = layer.rank
    whole: Array = w.sum(axis=tuple(range(rank + 1)))
    pads = [axis.pads(n) for axis, n in zip(layer.windows, shape, strict=False)]
    if not any(any(pad) for pad in pads):
        return whole
    taps = w.sum(axis=rank)
    counts = [axis.count(n) for axis, n in zip(layer.windows, shape, strict=False)]
    sums = zeros((*counts, w.shape[-1]), w)
    for tap in product(*(range(axis.size) for axis in layer.windows)):
        at = tuple(axis.size - 1 - p for axis, p in zip(layer.windows, tap, strict=True)) if layer.flip else tap
        inside = []
        for axis, p, n, count, (low, _) in zip(layer.windows, tap, shape, counts, pads, strict=False):
            places = np.arange(count) * axis.stride + axis.dilation * p - low
            inside.append(np.flatnonzero((places >= 0) & (places < n)))
        sums[np.ix_(*inside)] += taps[at]
    return sums
