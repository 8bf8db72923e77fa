"""Networks by name.

    lenet    conv -> ReLU -> max-pool 2, twice; flatten; dense -> ReLU; dense: the network of claims E1 to E31
             28x28 and larger: conv 5x5 to 32 and to 64, dense 128;  8x8 digits: conv 3x3 to 16 and to 32 with the
             outputs of the size of the inputs, dense 64
    mlp      dense 128 -> ReLU -> dense
    table    batch norm -> clipped to 5 deviations -> dense 128 -> ReLU -> dense: columns may have any scale

All end in scores, one for each class: the softmax is the loss's.
"""

from __future__ import annotations

__all__ = ["PRESETS", "lenet", "mlp", "moments", "table"]

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from paperback.errors import ModelError
from paperback.nn.layers import BatchNorm, Conv2d, Dense, Flatten, HardTanh, MaxPool2d, ReLU, Sequential

_LARGE = 16  # the least side for which two unpadded 5x5 convolutions, each pooled, leave something


def lenet(input_shape: tuple[int, ...], classes: int = 10) -> Sequential:
    """The convolutional network for images (H, W, C) of 4 pixels and more."""
    if len(input_shape) != 3 or min(input_shape[:2]) < 4:
        raise ModelError(f"lenet: needs images (H, W, C) of at least 4x4, found {input_shape}; use mlp for others")
    large = min(input_shape[:2]) >= _LARGE
    size, padding = (5, "valid") if large else (3, "same")
    first, second, hidden = (32, 64, 128) if large else (16, 32, 64)
    return Sequential(
        Conv2d(first, size, padding=padding), ReLU(), MaxPool2d(2),
        Conv2d(second, size, padding=padding), ReLU(), MaxPool2d(2),
        Flatten(), Dense(hidden), ReLU(), Dense(classes),
    )  # fmt: skip


def mlp(input_shape: tuple[int, ...], classes: int = 10) -> Sequential:
    """Two dense layers for examples of any shape."""
    return Sequential(Flatten(), Dense(128), ReLU(), Dense(classes))


def table(input_shape: tuple[int, ...], classes: int = 10) -> Sequential:
    """As `mlp`, after every number is brought to mean 0 and variance 1; see `moments`.

    A column that is the same in (almost) all training examples has a variance of about 0, so another number in it
    would come out as thousands of deviations, with which no weight was ever trained. It counts as 5, which is further
    than any number of a training batch of up to 26 examples can be from the batch's mean.
    """
    return Sequential(Flatten(), BatchNorm(), HardTanh(-5.0, 5.0), Dense(128), ReLU(), Dense(classes))


def moments(x: NDArray[Any]) -> dict[str, NDArray[Any]]:
    """The running statistics for `table` to start from: mean and variance over these examples, for `set_parameters`.

    Training moves them from there as it does from 0 and 1, where a few steps would not bring them here.
    """
    flat = x.reshape(len(x), -1).astype(np.float64)
    return {"batchnorm_1.mean": flat.mean(axis=0), "batchnorm_1.var": flat.var(axis=0)}


PRESETS: Mapping[str, Callable[[tuple[int, ...], int], Sequential]] = {"lenet": lenet, "mlp": mlp, "table": table}
