"""Layouts: the same numbers with their axes in another order, named by letters.

    relayout(images, "NCHW -> NHWC")     channels first as channels last
    relayout(kernel, "OIHW -> HWIO")     of a convolution: filters, channels, rows, columns as it is here
    relayout(weights, "OI -> IO")        of a dense layer: y = W x as y[o] = sum(i) x[i]*w[i,o]

One letter for each axis; every letter stands once on both sides.
"""

from __future__ import annotations

__all__ = ["relayout"]

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from paperback.errors import ModelError


def relayout(array: ArrayLike, change: str) -> NDArray[Any]:
    """A view of the array with its axes in the other order; ModelError for a change that is none of this array."""
    values = np.asarray(array)
    before, arrow, after = (part.strip() for part in str(change).partition("->"))
    if not arrow or len(set(before)) != len(before) or sorted(before) != sorted(after):
        raise ModelError(
            f'relayout: needs the same letters on both sides of an arrow, each once, found {change!r}; write for '
            f'example "NCHW -> NHWC"'
        )
    if len(before) != values.ndim:
        raise ModelError(
            f"relayout: {before} names {len(before)} axes, the array has {values.ndim}, its shape is {values.shape}; "
            f"name each axis once"
        )
    return values.transpose([before.index(letter) for letter in after])
