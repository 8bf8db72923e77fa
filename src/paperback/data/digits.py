"""The 1,797 handwritten 8x8 digits that ship inside the package, so that the first network needs no download.

Optical Recognition of Handwritten Digits, E. Alpaydin and C. Kaynak, CC BY 4.0; see `embedded/ATTRIBUTION.md`.
"""

from __future__ import annotations

import gzip
from importlib.resources import files
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["COUNT", "load_digits"]

COUNT = 1797
INK = 16  # a pixel counts the inked cells of a 4x4 block


def load_digits() -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """The images, `[1797, 8, 8, 1]` in 0..1, and their labels 0..9."""
    packed = files("paperback.data").joinpath("embedded", "digits.csv.gz").read_bytes()
    lines = gzip.decompress(packed).decode("ascii").splitlines()
    table: NDArray[Any] = np.loadtxt(lines, delimiter=",", dtype=np.int64, ndmin=2)
    images = table[:, :-1].reshape(COUNT, 8, 8, 1).astype(np.float32) / np.float32(INK)
    return images, np.ascontiguousarray(table[:, -1])
