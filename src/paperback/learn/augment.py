"""Random changes of training examples that keep their label, drawn anew for every batch.

    Shift     y[i,j,c] = x[i+a, j+b, c], 0 outside x      a, b from -pixels..pixels
    Flip      y[i,j,c] = x[i, W-1-j, c]                   left and right; or top and bottom
    Rotate    y[i,j,c] = x at (i,j) turned about the middle, bilinear between pixels, 0 outside x
    Noise     y = x + scale * a standard normal number for every entry
    Compose   one after the other

Each changes a share of the examples, drawn by the generator that it is given: `fit` gives one keyed by (seed, step),
so the same seed trains on the same changes, after a resume too.
"""

from __future__ import annotations

__all__ = ["Augment", "Compose", "Flip", "Noise", "Rotate", "Shift", "rotated"]

from collections.abc import Callable
from dataclasses import dataclass
from numbers import Real
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from paperback.errors import ModelError
from paperback.learn.inputs import check_count

Array = NDArray[Any]
Augment = Callable[[Array, np.random.Generator], Array]


def _check(where: str, share: float, **least: float) -> None:
    for name, value in least.items():
        if isinstance(value, bool) or not isinstance(value, Real) or not 0 <= value < float("inf"):
            raise ModelError(f"{where}: {name} is a number from 0 on, found {value!r}; pass {name}=1")
    if not isinstance(share, Real) or not 0 <= share <= 1:
        raise ModelError(f"{where}: share is from 0 to 1, found {share!r}; pass share=0.5")


def _images(where: str, images: Array) -> tuple[int, ...]:
    if images.ndim != 4:
        word = where.lower()
        raise ModelError(f"{where}: images have axes N H W C, found shape {images.shape}; leave the {word} out")
    return images.shape


@dataclass(frozen=True)
class Shift:
    """Move images `[N, H, W, C]` by up to `pixels` along both axes; `share` of them move, the others stay."""

    pixels: int = 1
    share: float = 0.5

    def __post_init__(self) -> None:
        check_count("Shift", "pixels", self.pixels, 0)
        _check("Shift", self.share)

    def __call__(self, images: Array, generator: np.random.Generator) -> Array:
        count, height, width, _ = _images("Shift", images)
        reach = self.pixels
        padded = np.pad(images, ((0, 0), (reach, reach), (reach, reach), (0, 0)))
        moves = generator.integers(0, 2 * reach + 1, (count, 2))
        moves[generator.random(count) >= self.share] = reach
        rows = moves[:, 0, None] + np.arange(height)
        columns = moves[:, 1, None] + np.arange(width)
        moved: Array = padded[np.arange(count)[:, None, None], rows[:, :, None], columns[:, None, :]]
        return moved


@dataclass(frozen=True)
class Flip:
    """Mirror a `share` of the images `[N, H, W, C]`: left and right, or with `vertical` top and bottom."""

    vertical: bool = False
    share: float = 0.5

    def __post_init__(self) -> None:
        _check("Flip", self.share)

    def __call__(self, images: Array, generator: np.random.Generator) -> Array:
        count = _images("Flip", images)[0]
        chosen = generator.random(count) < self.share
        mirrored = images[:, ::-1] if self.vertical else images[:, :, ::-1]
        flipped: Array = np.where(chosen[:, None, None, None], mirrored, images)
        return flipped


@dataclass(frozen=True)
class Rotate:
    """Turn a `share` of the images `[N, H, W, C]` about their middle, by an angle from -degrees..degrees."""

    degrees: float = 10.0
    share: float = 0.5

    def __post_init__(self) -> None:
        _check("Rotate", self.share, degrees=self.degrees)

    def __call__(self, images: Array, generator: np.random.Generator) -> Array:
        count = _images("Rotate", images)[0]
        angles = generator.uniform(-self.degrees, self.degrees, count)
        angles[generator.random(count) >= self.share] = 0
        return rotated(images, angles)


@dataclass(frozen=True)
class Noise:
    """Add normal noise of standard deviation `scale` to a `share` of the examples, of any shape."""

    scale: float = 0.1
    share: float = 1.0

    def __post_init__(self) -> None:
        _check("Noise", self.share, scale=self.scale)

    def __call__(self, examples: Array, generator: np.random.Generator) -> Array:
        noise = self.scale * generator.standard_normal(examples.shape)
        noise[generator.random(len(examples)) >= self.share] = 0
        return examples + noise


@dataclass(frozen=True, init=False)
class Compose:
    """`Compose(Shift(2), Flip(), Noise(0.05))`: each in turn, on what the one before it gave."""

    parts: tuple[Augment, ...]

    def __init__(self, *parts: Augment) -> None:
        odd = [part for part in parts if not callable(part) or isinstance(part, type)]
        if odd:
            raise ModelError(f"Compose: takes functions (batch, generator) -> batch, found {odd[0]!r}; pass Shift(1)")
        object.__setattr__(self, "parts", parts)

    def __call__(self, examples: Array, generator: np.random.Generator) -> Array:
        for part in self.parts:
            examples = part(examples, generator)
        return examples


def rotated(images: Array, degrees: ArrayLike) -> Array:
    """Images `[N, H, W, C]`, each turned by its own angle, counter-clockwise as they are looked at; floats.

    The pixel (i, j) is taken from the place that the turn brings there, weighted between its four neighbours; pixels
    outside count as 0. A right angle is exact where H and W are equal.
    """
    count, height, width, _ = images.shape
    angles = np.radians(np.broadcast_to(np.asarray(degrees, dtype=np.float64), (count,)))[:, None, None]
    i = np.arange(height)[None, :, None] - (height - 1) / 2
    j = np.arange(width)[None, None, :] - (width - 1) / 2
    # The last bits of cos and sin would move whole pixels over the edge.
    rows = (i * np.cos(angles) + j * np.sin(angles) + (height - 1) / 2).round(9)
    columns = (j * np.cos(angles) - i * np.sin(angles) + (width - 1) / 2).round(9)
    padded = np.pad(images, ((0, 0), (1, 1), (1, 1), (0, 0)))
    dtype = images.dtype if images.dtype.kind == "f" else np.dtype(np.float32)
    turned = np.zeros(images.shape, dtype)
    top, left = np.floor(rows), np.floor(columns)
    each = np.arange(count)[:, None, None]
    for down in (0, 1):
        for right in (0, 1):
            weight = np.abs(1 - down - (rows - top)) * np.abs(1 - right - (columns - left))
            row = np.clip(top + down + 1, 0, height + 1).astype(np.int64)
            column = np.clip(left + right + 1, 0, width + 1).astype(np.int64)
            turned += (weight[..., None] * padded[each, row, column]).astype(dtype, copy=False)
    return turned
