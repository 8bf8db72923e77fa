"""Examples and first-layer weights as pictures, where they are ones.

    example     `[rows, columns, 1 or 3]`: grey or RGB
    filter      the weights of the first layer that has any: a convolution's kernel, or what one unit of a dense layer
                sees of the picture; blue where negative, white at 0, red where positive (in RGB: grey at 0)
"""

from __future__ import annotations

__all__ = ["are_pictures", "as_pixels", "filters"]

from typing import Any

import numpy as np
from numpy.typing import NDArray

from paperback.learn.model import Model
from paperback.markup import diverging, grey

Array = NDArray[Any]


def are_pictures(shape: tuple[int, ...]) -> bool:
    """Can examples of this shape, channels last, be shown?"""
    return len(shape) == 3 and shape[2] in (1, 3) and min(shape[:2]) > 1


def as_pixels(examples: Array) -> NDArray[np.uint8]:
    """Pictures `[N, rows, columns, channels]` in brightness: 0..1 and 0..255 as they are, else least to largest."""
    low, high = (float(examples.min()), float(examples.max())) if examples.size else (0.0, 1.0)
    if low >= 0:
        low, high = 0.0, 1.0 if high <= 1 else max(high, 255.0)
    return grey(examples, low, high)


def filters(model: Model) -> tuple[str, NDArray[np.uint8]] | None:
    """(layer, pictures `[unit, rows, columns, 3]`) of the first layer with parameters; None where they are none."""
    infos = model.network.layers
    place = next((at for at, info in enumerate(infos) if info.parameters), None)
    shape = model.network.input_shape
    if place is None or not are_pictures(shape) or f"{infos[place].name}.w" not in model.parameters:
        return None
    info, weights = infos[place], model.parameters[f"{infos[place].name}.w"]
    if info.kind == "dense" and weights.shape[0] == shape[0] * shape[1] * shape[2]:
        if any(before.kind != "flatten" for before in infos[:place]):
            return None
        weights = weights.reshape(*shape, -1)
    if weights.ndim != 4 or weights.shape[2] not in (1, 3) or min(weights.shape[:2]) < 2:
        return None
    limit = float(np.abs(weights).max())
    units = np.moveaxis(weights, -1, 0)
    return info.name, diverging(units[..., 0], limit) if units.shape[-1] == 1 else grey(units, -limit, limit)
