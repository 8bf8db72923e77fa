"""Where tensors live: a place in the table of pointers, an element type, an extent for every axis.

Arrays are dense and row-major. The batch is the first axis, known only when a step runs; every other extent is a
number, so every stride is one. `Linear` is the flat index of a read: a number for each letter.
"""

from __future__ import annotations

__all__ = ["BATCH", "ELEMENTS", "EXAMPLES", "SHARDS", "Buffer", "Linear", "interval", "is_inside"]

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import prod

from paperback.notation.affine import Affine, Letter

BATCH = -1
"""The extent of an axis, or of a letter, that runs over the batch: known only at run time."""

SHARDS = -2
"""The same for the shards of a batch."""

EXAMPLES = "number of examples"
"""The scalar that is the size of the batch."""

ELEMENTS = {"float32": "float", "float64": "double"}
"""NumPy's name of a type -> LLVM's."""

Extents = Mapping[Letter, int]


@dataclass(frozen=True)
class Buffer:
    """A tensor in memory.

    place     its number in the table of pointers
    element   "float", "double", "i32" or "i64"
    shape     extents, BATCH for the first axis of what has an entry per example
    kind      "given" and "result": arrays of the caller; "kept": for the whole batch; "scratch": for the examples of
              one micro-batch, counted from its first; "partial": a copy per shard
    """

    name: str
    place: int
    element: str
    shape: tuple[int, ...]
    kind: str

    @property
    def per_example(self) -> bool:
        return bool(self.shape) and self.shape[0] == BATCH

    @property
    def size(self) -> int:
        """Entries, of one example or shard where there are many."""
        return prod(n for n in self.shape if n >= 0)

    @property
    def strides(self) -> tuple[int, ...]:
        stride, strides = 1, []
        for n in reversed(self.shape):
            strides.append(stride)
            stride *= n
        return tuple(reversed(strides))

    @property
    def bytes_per_entry(self) -> int:
        return 8 if self.element in ("double", "i64") else 4


@dataclass(frozen=True)
class Linear:
    """`const + sum(step * letter)`: a flat index."""

    const: int
    steps: tuple[tuple[Letter, int], ...]

    @staticmethod
    def of(indices: Sequence[Affine], strides: Sequence[int]) -> Linear:
        const, steps = 0, dict[Letter, int]()
        for index, stride in zip(indices, strides, strict=True):
            const += index.const.value * stride
            for letter, coefficient in index.terms:
                steps[letter] = steps.get(letter, 0) + coefficient.value * stride
        return Linear(const, tuple((l, s) for l, s in steps.items() if s))

    def step(self, letter: Letter) -> int:
        return next((s for l, s in self.steps if l == letter), 0)


def interval(affine: Affine, extents: Extents) -> tuple[int, int] | None:
    """The least and greatest value over the box; None where a letter runs over the batch."""
    low = high = affine.const.value
    for letter, coefficient in affine.terms:
        extent = extents[letter]
        if extent < 0:
            return None
        reach = coefficient.value * (extent - 1)
        low, high = (low + reach, high) if reach < 0 else (low, high + reach)
    return low, high


def is_inside(index: Affine, length: int, extents: Extents) -> bool:
    """Is this index in range for all letters of the box? A bare letter of the batch, or the shards, always is."""
    if length < 0:
        return index.bare is not None and extents[index.bare] == length
    reach = interval(index, extents)
    return reach is not None and reach[0] >= 0 and reach[1] < length
