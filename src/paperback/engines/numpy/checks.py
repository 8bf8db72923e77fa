"""What is checked of arrays before anything runs: that they are there, their kind, their shape, the sizes they show."""

from __future__ import annotations

__all__ = ["as_array", "batch_of", "bound", "check_shape", "float_dtype", "missing_arrays"]

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from paperback.engines.numpy.views import Array
from paperback.errors import EngineError
from paperback.notation.bind import bind_sizes
from paperback.notation.block import Block
from paperback.notation.expr import Read
from paperback.notation.size import Size, evaluate
from paperback.notation.walk import nodes
from paperback.program.program import ProgramTensor

SMALL_FLOATS = {np.dtype(np.float16), np.dtype(np.float32)}


def float_dtype(dtype: Any) -> np.dtype[Any]:
    """float32 or float64."""
    kind: np.dtype[Any] = np.dtype(dtype)
    if kind not in (np.dtype(np.float32), np.dtype(np.float64)):
        raise EngineError(f"the NumPy engine computes in float32 or float64, not in {kind}")
    return kind


def default_dtype(arrays: Mapping[str, Any]) -> np.dtype[Any]:
    """float32 where all arrays are float32 or float16 (plain numbers do not count), else float64."""
    typed = [_given(array, name) for name, array in arrays.items() if not isinstance(array, int | float)]
    kinds = {array.dtype for array in typed if array.dtype.kind == "f"}
    return np.dtype(np.float32) if kinds and kinds <= SMALL_FLOATS else np.dtype(np.float64)


def _given(array: Any, name: str) -> Array:
    try:
        return np.asarray(array)
    except ValueError as error:
        raise EngineError(f"{name} is no array: {error}") from None


def as_array(array: Any, name: str, integer: bool, dtype: np.dtype[Any]) -> Array:
    """The array, C-contiguous and of the engine's kind; copied only where it has to be."""
    value = _given(array, name)
    if value.dtype.kind not in "fiub":
        raise EngineError(f"{name} holds {value.dtype}\n  needed: {'integers' if integer else 'real numbers'}")
    if not integer:
        return np.asarray(value, dtype=dtype, order="C")
    if value.dtype.kind == "f":
        raise EngineError(
            f"{name} holds {value.dtype}\n  needed: integers, as it is used as an index or a label\n"
            f"  give {name}.astype(int) if its values are whole"
        )
    return np.asarray(value, dtype=np.int64, order="C")


def _show(axes: Sequence[Size]) -> str:
    return f"({', '.join(map(str, axes))}{',' if len(axes) == 1 else ''})"


def check_shape(name: str, axes: Sequence[Size], shape: Sequence[int], sizes: Mapping[str, int]) -> None:
    needed = tuple(evaluate(axis, sizes) for axis in axes)
    if needed != tuple(shape):
        symbols = f" = {_show(axes)}" if any(not axis.is_int for axis in axes) else ""
        raise EngineError(f"{name} has the wrong shape\n  needed: {needed}{symbols}\n  given: {tuple(shape)}")


def batch_of(batch: str, tensors: Sequence[ProgramTensor], arrays: Mapping[str, Array]) -> int | None:
    """The batch size that the arrays show; None for a program without a batch."""
    name = Size.of(batch)
    found: dict[str, int] = {}
    for tensor in tensors:
        shape = arrays[tensor.name].shape
        if any(batch in axis.names for axis in tensor.axes) and len(shape) != len(tensor.axes):
            raise EngineError(
                f"{tensor.name} has {len(shape)} axes\n  needed: {len(tensor.axes)}, {_show(tensor.axes)}\n"
                f"  given: {shape}"
            )
        for axis, length in zip(tensor.axes, shape, strict=False):
            if axis == name:
                found.setdefault(tensor.name, length)
    sizes = sorted(set(found.values()))
    if len(sizes) > 1:
        counts = ", ".join(f"{size} in {n}" for n, size in found.items())
        raise EngineError(f"the batch has different sizes: {counts}\n  needed: the same number of examples in each")
    if sizes and sizes[0] < 1:
        raise EngineError(f"the batch is empty\n  needed: at least one example in {', '.join(found)}")
    return sizes[0] if sizes else None


def bound(
    block: Block, arrays: Mapping[str, Any], sizes: Mapping[str, int] | None, dtype: Any
) -> tuple[dict[str, Array], dict[str, int], np.dtype[Any]]:
    """What a block is run with: arrays and scalars by name, checked; all sizes; the dtype.

    Sizes come from the shapes of the arrays, and from `sizes` where no array shows them. The dtype is float32 where all
    float arrays are float32 or float16, else float64.
    """
    used = {n.tensor for s in block.statements for n in nodes(s.expr) if isinstance(n, Read)}
    tensors = {name: t for name, t in block.inputs.items() if name in arrays or name in used}
    missing = [name for name in (*tensors, *block.scalars) if name not in arrays]
    if missing:
        raise missing_arrays(missing, [*tensors, *block.scalars], arrays)
    given = {name: arrays[name] for name in (*tensors, *block.scalars)}
    kind = float_dtype(dtype) if dtype is not None else default_dtype(given)
    values = {name: as_array(arrays[name], name, t.integer, kind) for name, t in tensors.items()}
    for name in block.scalars:
        values[name] = as_array(arrays[name], name, False, kind)
        check_shape(name, (), values[name].shape, {})
    known = bind_sizes(block, {name: values[name].shape for name in tensors}, sizes)
    return values, dict(known), kind


def missing_arrays(missing: Sequence[str], needed: Sequence[str], given: Iterable[str]) -> EngineError:
    return EngineError(
        f"no array for {', '.join(missing)}\n  needed: {', '.join(needed)}\n  given: {', '.join(given) or 'nothing'}"
    )
