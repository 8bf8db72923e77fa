"""Arrays in and out: anyone's array becomes a NumPy array, and goes back to its owner as the kind that came.

taken(value)             a NumPy array of torch, JAX, ... through DLPack or `__array__`
returner(value)          the function that makes such a value of a NumPy array, strides kept where it can be
layouts(array)           the same numbers laid out otherwise: strides of 0, gaps, negative strides, read-only
rounded_anew(arrays)     numbers as near to them as other roundings of the same would be
"""

from __future__ import annotations

__all__ = ["EPSILON", "Array", "epsilon", "is_array", "is_real", "layouts", "returner", "rounded_anew", "taken"]

import sys
from collections.abc import Callable, Iterator, Sequence
from numbers import Number
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]

EPSILON = float(np.finfo(np.float64).eps)
_BFLOAT16 = 2.0**-7


def is_array(value: object) -> bool:
    """Is it an array of some library?"""
    return hasattr(value, "shape") and (hasattr(value, "__array__") or hasattr(value, "__dlpack__"))


def is_real(array: Array) -> bool:
    return bool(np.issubdtype(array.dtype, np.floating))


def taken(value: Any) -> Array:
    """A NumPy array of a number or of anyone's array, sharing memory where it can. TypeError where it is none."""
    if isinstance(value, np.ndarray):
        return value
    if isinstance(value, Number):
        return np.asarray(value)
    if hasattr(value, "detach"):
        value = value.detach().cpu()
        if hasattr(value, "resolve_conj"):
            value = value.resolve_conj().resolve_neg()
        if str(value.dtype) == "torch.bfloat16":
            return np.asarray(value.float().numpy())
    if hasattr(value, "__array__"):
        array = np.asarray(value)
        return array.astype(np.float32) if array.dtype.name == "bfloat16" else array
    if hasattr(value, "__dlpack__"):
        return np.from_dlpack(value)
    if isinstance(value, list | tuple):
        array = np.asarray(value)
        if array.dtype.kind in "fiub":
            return array
    raise TypeError(f"{type(value).__name__} is no array")


def epsilon(value: Any) -> float:
    """The spacing of the numbers beside 1 in the type of an array, its relative rounding."""
    if "bfloat16" in str(getattr(value, "dtype", "")):
        return _BFLOAT16
    array = taken(value)
    return float(np.finfo(array.dtype).eps) if is_real(array) else EPSILON


def returner(value: Any) -> Callable[[Array], Any]:
    """What makes of a NumPy array the kind of thing that `value` is; a precision of its own is kept."""
    if isinstance(value, np.ndarray):
        return lambda array: array
    if isinstance(value, Number) and not hasattr(value, "shape"):
        return lambda array: array.item() if array.ndim == 0 else array
    library = type(value).__module__.partition(".")[0]
    if library == "torch":
        return _torch_returner(value)
    if library in ("jax", "jaxlib"):
        jax = sys.modules["jax"]
        return lambda array: jax.numpy.asarray(array)
    if library == "numpy":
        return lambda array: array[()]
    space = value.__array_namespace__() if hasattr(value, "__array_namespace__") else None
    return space.asarray if space is not None else lambda array: array


def _torch_returner(value: Any) -> Callable[[Array], Any]:
    torch = sys.modules["torch"]
    short = value.dtype == torch.bfloat16

    def back(array: Array) -> Any:
        shape = array.shape
        repeated = 0 in array.strides and array.size > 1  # torch has such arrays too: y.sum().backward() sends them
        if repeated:
            array = array[tuple(slice(0, None if stride else 1) for stride in array.strides)]
        if any(stride < 0 for stride in array.strides) or not array.flags.writeable:
            array = array.copy()
        tensor = torch.from_numpy(array) if array.ndim else torch.tensor(array.item(), dtype=_torch_type(array))
        tensor = tensor.expand(shape) if repeated else tensor
        if short and array.dtype == np.float32:
            tensor = tensor.to(torch.bfloat16)
        return tensor.to(value.device)

    def _torch_type(array: Array) -> Any:
        return torch.from_numpy(np.empty(1, array.dtype)).dtype

    return back


def layouts(array: Array) -> Iterator[tuple[str, str, Array]]:
    """(slug, words, array): the same numbers as `array` in memory of another layout."""
    if not array.size:
        return
    if array.ndim >= 1:
        wide = np.zeros(tuple(2 * size for size in array.shape), array.dtype)
        gaps = wide[tuple(slice(1, None, 2) for _ in array.shape)]
        gaps[...] = array
        yield "noncontiguous", "has gaps (a slice with steps)", gaps
        back = array[tuple(slice(None, None, -1) for _ in array.shape)].copy()
        yield "negative-stride", "is reversed in memory (negative strides)", back[(slice(None, None, -1),) * array.ndim]
    if array.ndim >= 2:
        yield "noncontiguous", "is transposed in memory (column-major)", np.asfortranarray(array)
    frozen = array.copy()
    frozen.flags.writeable = False
    yield "read-only", "is read-only", frozen


def rounded_anew(arrays: Sequence[Array | None], epsilon: float, random: np.random.Generator) -> list[Array | None]:
    """Real arrays with every entry moved by up to twice the relative rounding of a type."""
    return [
        array * (1 + 2 * epsilon * random.uniform(-1, 1, array.shape)).astype(array.dtype)
        if array is not None and array.dtype.kind == "f"
        else array
        for array in arrays
    ]
