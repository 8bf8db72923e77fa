"""What a model may be given: examples, labels, cotangents, parameters; all checked before anything is computed.

Every refusal says where, what was needed and why, what came, and the change that fixes it. Examples are `[N, *shape]`
with the channels last; `layout="NCHW"` moves them there at the edge, and nothing inside knows.
"""

from __future__ import annotations

__all__ = [
    "LAYOUTS", "all_finite", "channels_first", "channels_last", "check_batch_size", "check_count", "check_examples",
    "check_ids", "check_values", "check_weights", "example_array", "labels_for", "squashed_twice", "vocabulary",
    "weight_hint",
]  # fmt: skip

import functools
import math
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from paperback.errors import ModelError
from paperback.nn.labels import check_labels, label_kind
from paperback.nn.losses import Loss
from paperback.nn.network import INPUT, Network
from paperback.notation.expr import Read
from paperback.notation.walk import reads

LAYOUTS = ("NHWC", "NCHW")
_CHUNK = 1 << 20  # elements looked at together, so that a check needs no memory to speak of

Array = NDArray[Any]


def channels_last(x: Array, layout: str) -> Array:
    """From the edge's layout to the inside's, a view; an array without spatial axes stays as it is."""
    return np.moveaxis(x, 1, -1) if layout == "NCHW" and x.ndim > 2 else x


def channels_first(x: Array, layout: str) -> Array:
    """From the inside's layout to the edge's, a view."""
    return np.moveaxis(x, -1, 1) if layout == "NCHW" and x.ndim > 2 else x


def example_array(where: str, name: str, value: ArrayLike) -> Array:
    """The numbers as an array: floats, integers or booleans, no copy of an array."""
    try:
        array = np.asarray(value)
    except ValueError:
        raise ModelError(
            f"{where}: {name} needs rows of one length, found a list of different ones; fill up the short rows"
        ) from None
    if array.dtype.kind not in "fiub":
        found = f"an array of {array.dtype}" if array.ndim else repr(value)
        raise ModelError(f"{where}: {name} needs numbers, found {found}; pass an array of numbers")
    return array


def check_examples(
    where: str, value: ArrayLike, shape: tuple[int, ...], dtype: np.dtype[Any], *, name: str = "x"
) -> Array:
    """Examples of the shape that the network was built for, at least one, every number finite in `dtype`."""
    array = example_array(where, name, value)
    if array.shape[1:] != shape or array.ndim == 0:
        raise ModelError(
            f"{where}: {name} needs shape (N, {', '.join(map(str, shape))}), what the network was built for, found "
            f"{array.shape}; {_reshape_hint(name, array.shape, shape)}"
        )
    if len(array) == 0:
        raise ModelError(f"{where}: {name} needs at least one example, found none; pass a batch that is not empty")
    check_values(where, name, array, dtype)
    return array


def vocabulary(network: Network) -> int | None:
    """The number of ids that a network for ids knows; None for one that takes real numbers."""
    if not network.train.tensors[INPUT].integer:
        return None
    extents = [
        axis.value
        for statement in network.predict.statements
        for read in reads(statement.expr)
        for axis, index in zip(network.predict.tensors[read.tensor].axes, read.indices, strict=True)
        if isinstance(index, Read) and index.tensor == INPUT
    ]
    return min(extents, default=None)


def check_ids(where: str, x: Array, known: int) -> None:
    """Whole numbers 0 <= x < known."""
    if x.dtype.kind not in "iu":
        raise ModelError(f"{where}: x holds ids, whole numbers, found {x.dtype}; pass x.astype(int)")
    bad = (x < 0) | (x >= known)
    if bad.any():
        place = [int(i) for i in np.argwhere(bad)[0]]
        raise ModelError(
            f"{where}: needs ids 0 to {known - 1}, x{place} is {x[tuple(place)]}; build the model with a larger "
            f"vocabulary, or correct the id"
        )


def weight_hint(found: tuple[int, ...], needed: tuple[int, ...]) -> str:
    """What to do with a parameter of another shape."""
    if found[::-1] == needed and len(needed) > 1:
        return "transpose it: weights are [in, out], kernels [rows, columns, in, out]"
    return "pass an array of that shape"


def _reshape_hint(name: str, found: tuple[int, ...], shape: tuple[int, ...]) -> str:
    if found == shape:
        return f"for one example pass {name}[None]"
    if found and math.prod(found[1:]) == math.prod(shape) and len(found) != len(shape) + 1:
        return f"the numbers fit: pass {name}.reshape(-1, {', '.join(map(str, shape))})"
    if len(found) == len(shape) + 1 and sorted(found[1:]) == sorted(shape):
        return f'the axes fit in another order: transpose {name}, or build the model with layout="NCHW"'
    return f"reshape {name}, or build the model with input_shape={found[1:]}"


def all_finite(array: Array, dtype: np.dtype[Any]) -> bool:
    """Surely finite, every one, in `dtype` too: the sum of their squares is a number. Else one has to look."""
    return array.flags.c_contiguous and float(np.vdot(array, array)) <= _largest(dtype)


@functools.cache
def _largest(dtype: np.dtype[Any]) -> float:
    return float(np.finfo(dtype).max)


def check_values(where: str, name: str, array: Array, dtype: np.dtype[Any]) -> None:
    """Every number is finite, and stays so in `dtype`."""
    if array.dtype.kind != "f":
        return
    largest = _largest(dtype)
    rows = max(1, _CHUNK // max(1, math.prod(array.shape[1:])))
    for start in range(0, len(array), rows):
        part = array[start : start + rows]
        if all_finite(part, dtype):
            continue
        bad = ~(np.abs(part) <= largest)
        if bad.any():
            place = [int(i) for i in np.argwhere(bad)[0]]
            number = part[tuple(place)]
            place[0] += start
            raise ModelError(
                f"{where}: {name} needs finite numbers in {dtype}, {name}{place} is {number}; remove or replace it"
            )


def labels_for(
    where: str,
    value: ArrayLike,
    count: int,
    loss: Loss,
    output_shape: tuple[int, ...],
    dtype: np.dtype[Any],
    layout: str,
) -> tuple[Array, str]:
    """(labels, their kind) for `count` examples: as many, of what `nn.labels` accepts, in the layout of the inside."""
    y = example_array(where, "y", value)
    kind = label_kind(loss, y, output_shape)
    if kind != "integer":
        y = channels_last(y, layout)
    if y.ndim and len(y) != count:
        raise ModelError(
            f"{where}: needs one label for each example, found {count} examples and {len(y)} labels; "
            f"check that x and y belong together"
        )
    try:
        labels = check_labels(loss, y, output_shape, kind)
    except ModelError as error:
        raise ModelError(f"{where}: {error}") from None
    check_values(where, "y", labels, dtype)
    return labels, kind


def check_weights(where: str, value: ArrayLike, count: int, dtype: np.dtype[Any]) -> Array:
    """One weight for each of `count` examples: finite, at least 0, and not all 0."""
    weights = example_array(where, "weights", value)
    if weights.shape != (count,):
        raise ModelError(
            f"{where}: weights needs one number for each of {count} examples, found shape {weights.shape}; pass an "
            f"array of shape ({count},)"
        )
    check_values(where, "weights", weights, dtype)
    if (weights < 0).any():
        at = int(np.argmax(weights < 0))
        raise ModelError(f"{where}: weights are at least 0, weights[{at}] is {weights[at]}; replace it, by 0 perhaps")
    if not weights.any():
        raise ModelError(f"{where}: weights are all 0, so no example counts; give some example a weight")
    return weights.astype(dtype)


_TAKES_SCORES = {  # losses that hold a softmax or a sigmoid themselves: the layer, what to use with it
    "softmax_cross_entropy": ("softmax", "leave the layer out, and take the softmax of predict's scores"),
    "kl_divergence": ("softmax", "leave the layer out, and take the softmax of predict's scores"),
    "binary_cross_entropy": ("sigmoid", 'leave the layer out, or use loss="probability_cross_entropy"'),
}


def squashed_twice(network: Network, loss: Loss) -> str | None:
    """What is to say where the last layer gives probabilities, and the loss takes scores; None if nothing."""
    kind, fix = _TAKES_SCORES.get(loss.name.split("(")[0], ("", ""))
    last = network.layers[-1] if network.layers else None
    if last is None or last.kind != kind or not network.output.startswith(f"{last.name}."):
        return None
    return f"{loss.name} takes scores, {last.name} gives probabilities, so the {kind} is taken twice; {fix}"


def check_batch_size(where: str, count: int, least: int) -> None:
    """A training batch may not be smaller than what the batch's statistics need."""
    if count < least:
        raise ModelError(
            f"{where}: a batch statistic needs at least {least} examples in a batch, found a batch of {count}; "
            f"choose a batch size that leaves no smaller last batch"
        )


def check_count(where: str, name: str, value: object, least: int = 1) -> int:
    """A whole number from `least` on: a batch size, a number of epochs, a seed."""
    if isinstance(value, bool) or not isinstance(value, int | np.integer) or value < least:
        raise ModelError(f"{where}: {name} is a whole number from {least} on, found {value!r}; pass {name}={least}")
    return int(value)
