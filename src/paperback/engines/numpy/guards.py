"""Guards as arrays of booleans, and gathers with their range checks.

A gather reads through an integer tensor. Its indices are checked before anything is read: one out of range is an error
unless a guard around it is false there, or the read has padding. Nothing is clipped or wrapped around in a result.
"""

from __future__ import annotations

__all__ = ["AffineTest", "Comparison", "DividesTest", "Gather", "Masked"]

import operator
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from paperback.engines.numpy.nodes import Aligned, Frame, Letters, Node, aligned
from paperback.engines.numpy.views import Array, Form, values_of
from paperback.errors import EngineError
from paperback.notation.affine import Letter

_RELATIONS: dict[str, Any] = {
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
    "==": operator.eq,
    "!=": operator.ne,
}
_CACHED = 16
_CACHED_BYTES = 1 << 20


class _OfLetters(Node):
    """A condition on letters alone: kept from run to run, as it only depends on the block."""

    itemsize = 1
    fresh = False

    def __init__(self, form: Form, letters: Letters) -> None:
        self.form, self.letters = form, letters
        self._known: dict[Any, Array] = {}

    def run(self, frame: Frame) -> Any:
        key = tuple([frame.ranges[l] for l in self.letters])
        result = self._known.get(key)
        if result is None:
            result = self.test(values_of(self.form, self.letters, frame.ranges))
            if result.nbytes <= _CACHED_BYTES:
                if len(self._known) >= _CACHED:
                    self._known.clear()
                self._known[key] = result
        return result

    def space(self, lengths: Any) -> int:
        return 8 * self.size(lengths)

    def test(self, values: Array) -> Array:
        raise NotImplementedError


class AffineTest(_OfLetters):
    """`form >= 0`, `== 0` or `!= 0`."""

    def __init__(self, form: Form, relation: str, letters: Letters) -> None:
        super().__init__(form, letters)
        self.relation = _RELATIONS[relation]

    def test(self, values: Array) -> Array:
        return np.asarray(self.relation(values, 0))


class DividesTest(_OfLetters):
    """`modulus | form`."""

    def __init__(self, form: Form, modulus: int, letters: Letters) -> None:
        super().__init__(form, letters)
        self.modulus = modulus

    def test(self, values: Array) -> Array:
        return np.asarray(values % self.modulus == 0)


class Comparison(Node):
    """A comparison of data; false where a side is NaN (`!=` is true)."""

    itemsize = 1

    def __init__(self, relation: str, left: Node, right: Node, letters: Letters) -> None:
        self.adopt(left, right)
        self.relation, self.letters = _RELATIONS[relation], letters
        self.left, self.right = Aligned(left, letters), Aligned(right, letters)

    def run(self, frame: Frame) -> Any:
        return self.relation(self.left.value(frame), self.right.value(frame))


class Masked(Node):
    """Guards as an array of booleans; later guards are tested where the earlier ones hold."""

    itemsize = 1
    fresh = False

    def __init__(self, guards: Sequence[Node], letters: Letters) -> None:
        self.adopt(*guards)
        self.letters = letters
        self.guards = aligned(guards, letters)

    def run(self, frame: Frame) -> Any:
        result: Any = None
        for guard in self.guards:
            if result is not None:
                frame.under(self.letters, np.broadcast_to(result, frame.shape(self.letters)))
            value = guard.value(frame)
            if result is not None:
                frame.masks.pop()
            result = value if result is None else np.logical_and(result, value)
        return np.broadcast_to(result, frame.shape(self.letters))


class Gather(Node):
    """A read with an index that is not affine. An index is a Form, a (Form, divisor), or an integer node."""

    def __init__(
        self,
        tensor: str,
        indices: Sequence[Form | tuple[Form, int] | Node],
        shape: Sequence[int],
        pad: float | None,
        letters: Letters,
        extents: Mapping[Letter, int],
        integer: bool,
        itemsize: int,
    ) -> None:
        self.tensor, self.indices, self.shape, self.pad = tensor, tuple(indices), tuple(shape), pad
        self.integer, self.itemsize = integer, itemsize
        self.guarded = True
        self.children = tuple(i for i in indices if isinstance(i, Node))
        self.extents = extents
        # axes read along a letter of their own stay slices; the others are picked by arrays of indices
        self.sliced = tuple(a for a in range(len(shape)) if self._is_slice(a))
        self.picked = tuple(a for a in range(len(shape)) if a not in self.sliced)
        own = tuple(self._letter(a) for a in self.sliced)
        self.over = tuple(l for l in letters if l not in own)
        self.letters = (*self.over, *own)
        self.parts = {a: Aligned(i, self.over) for a in self.picked if isinstance(i := self.indices[a], Node)}

    def _letter(self, axis: int) -> Letter:
        index = self.indices[axis]
        assert isinstance(index, Form)
        return index.letters[0]

    def _is_slice(self, axis: int) -> bool:
        index = self.indices[axis]
        if not isinstance(index, Form) or len(index.terms) != 1 or index.terms[0][1] != 1 or index.const:
            return False
        letter = index.letters[0]
        if self.extents[letter] > self.shape[axis]:
            return False
        for other in (i for a, i in enumerate(self.indices) if a != axis):
            used = other.letters if isinstance(other, Form | Node) else other[0].letters
            if letter in used:
                return False
        return True

    def space(self, lengths: Any) -> int:
        over = 8
        for letter in self.over:
            over *= lengths[letter]
        return max(self.size(lengths), over, *(child.space(lengths) for child in self.children), 0)

    def run(self, frame: Frame) -> Any:
        array = frame.arrays[self.tensor].transpose((*self.picked, *self.sliced))
        for position, axis in enumerate(self.sliced):
            start, length = frame.ranges[self._letter(axis)]
            array = array[(slice(None),) * (len(self.picked) + position) + (slice(start, start + length),)]
        places, inside = [], None
        for axis in self.picked:
            place, fits = self._places(axis, frame)
            places.append(place)
            if fits is not None:
                inside = fits if inside is None else np.logical_and(inside, fits)
        result = array[tuple(places)] if places else array
        if inside is not None and self.pad is not None:
            tail = (None,) * len(self.sliced)
            inside = np.broadcast_to(inside, frame.shape(self.over))
            result = np.where(inside[(..., *tail)], result, result.dtype.type(self.pad))
        shape = (*frame.shape(self.over), *frame.shape(self.letters[len(self.over) :]))
        return np.broadcast_to(result, shape) if result.shape != shape else result

    def _places(self, axis: int, frame: Frame) -> tuple[Any, Any]:
        """The places along one axis, all in range, and where they were before (None: everywhere)."""
        index = self.indices[axis]
        if isinstance(index, Node):
            place = np.asarray(self.parts[axis].value(frame))
        elif isinstance(index, Form):
            place = values_of(index, self.over, frame.ranges)
        else:
            place = values_of(index[0], self.over, frame.ranges) // index[1]
        extent = self.shape[axis]
        if place.size == 0 or (place.min() >= 0 and place.max() < extent):
            return place, None
        inside = np.logical_and(place >= 0, place < extent)
        if self.pad is None and isinstance(index, Node):
            self._check(place, inside, axis, frame)
        return np.where(inside, place, 0), inside

    def _check(self, place: Array, inside: Array, axis: int, frame: Frame) -> None:
        """An index out of range is an error where every guard around holds."""
        letters = tuple(dict.fromkeys((*self.over, *(l for ls, _, _ in frame.masks for l in ls))))
        wrong = np.broadcast_to(~inside, frame.shape(self.over)).reshape(
            (*frame.shape(self.over), *(1,) * (len(letters) - len(self.over)))
        )
        for own, mask, starts in frame.masks:
            now = [(frame.ranges[l][0] - start, frame.ranges[l][1]) for l, start in zip(own, starts, strict=True)]
            mask = mask[tuple(slice(first, first + length) for first, length in now)]
            order = [own.index(l) for l in letters if l in own]
            index = tuple(slice(None) if l in own else None for l in letters)
            wrong = np.logical_and(wrong, mask.transpose(order)[index])
        if wrong.any():
            first = np.argwhere(wrong)[0][: len(self.over)]
            value = np.broadcast_to(place, frame.shape(self.over))[tuple(first)]
            where = ", ".join(f"{l.name} = {frame.ranges[l][0] + i}" for l, i in zip(self.over, first, strict=True))
            raise EngineError(
                f"index {value} at {where or 'its only place'} is out of range for axis {axis} of {self.tensor}\n"
                f"  needed: 0 <= index < {self.shape[axis]}\n"
                "  nothing is clipped or wrapped around: correct the index, or guard the read with a bracket"
            )
