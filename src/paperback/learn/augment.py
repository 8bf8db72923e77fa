"""Random changes of training images that keep their label, drawn anew for every batch.

    Shift     y[i,j,c] = x[i+a, j+b, c], 0 outside x      a, b from -pixels..pixels, for a share of the images
"""

from __future__ import annotations

__all__ = ["Shift"]

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from paperback.errors import ModelError

Array = NDArray[Any]


@dataclass(frozen=True)
class Shift:
    """Move images `[N, H, W, C]` by up to `pixels` along both axes; `share` of them move, the others stay."""

    pixels: int = 1
    share: float = 0.5

    def __post_init__(self) -> None:
        if self.pixels < 0 or not 0 <= self.share <= 1:
            raise ModelError(f"Shift: pixels is at least 0 and share is from 0 to 1, found {self.pixels}, {self.share}")

    def __call__(self, images: Array, generator: np.random.Generator) -> Array:
        if images.ndim != 4:
            raise ModelError(f"Shift: images have axes N H W C, found shape {images.shape}; leave the shift out")
        count, height, width, _ = images.shape
        reach = self.pixels
        padded = np.pad(images, ((0, 0), (reach, reach), (reach, reach), (0, 0)))
        moves = generator.integers(0, 2 * reach + 1, (count, 2))
        moves[generator.random(count) >= self.share] = reach
        rows = moves[:, 0, None] + np.arange(height)
        columns = moves[:, 1, None] + np.arange(width)
        moved: Array = padded[np.arange(count)[:, None, None], rows[:, :, None], columns[:, None, :]]
        return moved
