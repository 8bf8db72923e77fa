"""Reads as strided views, and the range checks of gathers.

A tensor read at affine indices is a view: letter l walks with the stride sum(axes a) k_al * stride_a. Diagonals,
strides, flips and windows cost nothing. Only where an index leaves its range is the needed region copied, with its
padding around it. Every array read is C-contiguous, so that a view is an offset and strides into its buffer.
"""

from __future__ import annotations

__all__ = ["Array", "Form", "Ranges", "StridedRead", "check_places", "placed_view", "values_of"]

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from paperback.errors import EngineError
from paperback.notation.affine import Affine, Letter

Array = np.ndarray[Any, Any]
Ranges = dict[Letter, tuple[int, int]]
"""letter -> (first value, how many): the block of the box that is being computed."""

_CACHED = 64


class Form:
    """An affine index with numbers for coefficients."""

    __slots__ = ("const", "terms")

    def __init__(self, affine: Affine) -> None:
        self.const = affine.const.value
        self.terms = tuple((letter, size.value) for letter, size in affine.terms)

    @property
    def letters(self) -> tuple[Letter, ...]:
        return tuple(letter for letter, _ in self.terms)

    def bounds(self, ranges: Ranges) -> tuple[int, int, int]:
        """The value at the start of the block, the least and the greatest."""
        first = low = high = self.const
        for letter, k in self.terms:
            start, length = ranges[letter]
            reach = k * (length - 1)
            first += k * start
            low += k * start + min(reach, 0)
            high += k * start + max(reach, 0)
        return first, low, high


def values_of(form: Form, letters: Sequence[Letter], ranges: Ranges) -> Array:
    """The values of an affine form, an axis for each of the letters (of length 1 where it does not occur)."""
    total = np.full((1,) * len(letters), form.const, dtype=np.int64)
    for letter, k in form.terms:
        start, length = ranges[letter]
        shape = tuple(length if l == letter else 1 for l in letters)
        total = total + np.arange(start * k, (start + length) * k, k, dtype=np.int64).reshape(shape)
    return total


class StridedRead:
    """`tensor[affine, ...]` as a view with one axis per letter; out of range it gives `pad`."""

    __slots__ = ("_recipes", "forms", "letters", "pad", "shape")

    def __init__(self, forms: Sequence[Form], shape: Sequence[int], pad: float) -> None:
        self.forms = tuple(forms)
        self.shape = tuple(shape)
        self.pad = pad
        self.letters = tuple(dict.fromkeys(letter for form in forms for letter in form.letters))
        self._recipes: dict[tuple[tuple[int, int], ...], Any] = {}

    def region(self, ranges: Ranges) -> tuple[tuple[int, int], ...] | None:
        """The least box of places that holds all reads, where it is not inside the tensor."""
        boxes = []
        leaves = False
        for form, extent in zip(self.forms, self.shape, strict=True):
            _, low, high = form.bounds(ranges)
            leaves = leaves or low < 0 or high >= extent
            boxes.append((low, high + 1))
        return tuple(boxes) if leaves else None

    def __call__(self, array: Array, ranges: Ranges) -> Array:
        key = tuple(ranges[letter] for letter in self.letters)
        recipe = self._recipes.get(key)
        if recipe is None:
            if len(self._recipes) >= _CACHED:
                self._recipes.clear()
            recipe = self._recipes[key] = self._recipe(ranges)
        padded, shape, offset, strides = recipe
        if padded is not None:
            full, to, source = padded
            region = np.full(full, self.pad, dtype=array.dtype)
            region[to] = array[source]
            array = region
        item = array.itemsize
        return np.ndarray(shape, array.dtype, array, offset * item, tuple(s * item for s in strides))

    def _recipe(self, ranges: Ranges) -> Any:
        region = self.region(ranges)
        box = region if region is not None else tuple((0, n) for n in self.shape)
        stride, strides = 1, []
        for low, high in reversed(box):
            strides.append(stride)
            stride *= high - low
        strides.reverse()
        offset = 0
        walk = dict.fromkeys(self.letters, 0)
        for form, axis_stride, (low, _) in zip(self.forms, strides, box, strict=True):
            offset += (form.bounds(ranges)[0] - low) * axis_stride
            for letter, k in form.terms:
                walk[letter] += k * axis_stride
        shape = tuple(ranges[letter][1] for letter in self.letters)
        return self._padding(region), shape, offset, tuple(walk.values())

    def _padding(self, region: tuple[tuple[int, int], ...] | None) -> Any:
        """The shape of the padded region, where in it the tensor goes, and what of the tensor."""
        if region is None:
            return None
        to, source = [], []
        for (low, high), extent in zip(region, self.shape, strict=True):
            first, last = min(max(low, 0), extent), max(min(high, extent), 0)
            last = max(first, last)
            source.append(slice(first, last))
            to.append(slice(first - low, last - low))
        if any(s.stop <= s.start for s in source):
            to, source = [slice(0, 0)] * len(to), [slice(0, 0)] * len(to)
        return tuple(high - low for low, high in region), tuple(to), tuple(source)


def check_places(left: Sequence[Form], shape: Sequence[int], extents: Mapping[Letter, int]) -> None:
    """Is every place of a left side inside the tensor? A view would not notice: it would reach into the next row."""
    whole = {letter: (0, n) for letter, n in extents.items()}
    for axis, (form, extent) in enumerate(zip(left, shape, strict=True)):
        _, low, high = form.bounds(whole)
        if low < 0 or high >= extent:
            raise EngineError(f"axis {axis} of the target has {extent} entries, but {low} to {high} would be stored")


def placed_view(target: Array, left: Sequence[Form], letters: Sequence[Letter], extents: Mapping[Letter, int]) -> Array:
    """A writable view of the target with one axis per letter of its left side."""
    offset = 0
    walk = dict.fromkeys(letters, 0)
    for form, stride in zip(left, target.strides, strict=True):
        offset += form.const * stride
        for letter, k in form.terms:
            walk[letter] += k * stride
    shape = tuple(extents[letter] for letter in letters)
    return np.ndarray(shape, target.dtype, target, offset, tuple(walk.values()))
