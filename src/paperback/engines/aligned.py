"""Arrays that begin on a cache line, so that no vector of theirs lies in two: NumPy's begin at multiples of 16 bytes.

A product with a matrix in the second-level cache takes one and a half times as long where every vector lies in two
lines.
"""

from __future__ import annotations

__all__ = ["LINE", "aligned_copy", "aligned_empty"]

import math
from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]

LINE = 64
"""Bytes of a cache line, and of the widest vector."""


def aligned_empty(shape: tuple[int, ...], dtype: np.dtype[Any]) -> Array:
    """An array whose numbers are not set yet. It is a view of the block of bytes that is its `base`."""
    size = math.prod(shape) * dtype.itemsize
    block = np.empty(size + LINE, np.uint8)
    start = -block.ctypes.data % LINE
    array: Array = block[start : start + size].view(dtype).reshape(shape)
    return array


def aligned_copy(array: Array, dtype: np.dtype[Any]) -> Array:
    """The numbers of an array in this type."""
    copy = aligned_empty(array.shape, dtype)
    copy[...] = array
    return copy
