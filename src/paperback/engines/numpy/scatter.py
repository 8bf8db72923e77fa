"""Sums over a padded window, the other way round: products first, then shifted and added.

    out[t, r] = sum(p,k) x[t - p, k] * w[p, r, k]          x padded by 0
    G[i, p, r] = sum(k) x[i, k] * w[p, r, k]               one product of matrices, no copy of x
    out[i + p, r] += G[i, p, r]                            for every p, in order

The input gradient of a convolution is of this kind: it saves the padding's share of the multiplications and the copy of
all windows. What x holds is multiplied by finite numbers only; where they are not, the sum is taken as it stands.
"""

from __future__ import annotations

__all__ = ["ShiftedSum", "Window", "find_windows"]

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import prod
from typing import Any

import numpy as np

from paperback.engines.numpy.contract import BLOCK
from paperback.engines.numpy.nodes import Aligned, Frame, Lengths, Letters, Node, ReadView
from paperback.engines.numpy.reductions import Contraction, blocks, is_finite
from paperback.notation.affine import Affine, Letter


@dataclass(frozen=True)
class Window:
    """An axis read at `place + step*offset + start`, of a tensor with `extent` entries there."""

    axis: int
    place: Letter
    offset: Letter
    step: int
    start: int
    extent: int
    source: Letter  # a letter for the index itself

    @property
    def index(self) -> Affine:
        return Affine.of(self.source)


def find_windows(read: ReadView, other: Node, own: Sequence[Letter]) -> list[Window]:
    """The padded windows of a read over which a sum can be turned round."""
    forms = read.read.forms
    found = []
    for axis, form in enumerate(forms):
        outer = [(l, k) for l, k in form.terms if l not in own]
        inner = [(l, k) for l, k in form.terms if l in own]
        if len(outer) != 1 or len(inner) != 1 or outer[0][1] != 1:
            continue
        place, (offset, step) = outer[0][0], inner[0]
        elsewhere = [l for a, f in enumerate(forms) if a != axis for l in f.letters]
        if place in other.letters or place in elsewhere or offset in elsewhere:
            continue
        source = Letter.fresh(place.name)
        found.append(Window(axis, place, offset, step, form.const, read.read.shape[axis], source))
    return found


class ShiftedSum(Node):
    """The sum in this form; `plain` is the same sum as it stands, `other` the factor that must be finite."""

    def __init__(
        self,
        plain: Contraction,
        products: Contraction,
        other: Node,
        windows: Sequence[Window],
        extents: Mapping[Letter, int],
        coefficient: Any,
    ) -> None:
        self.plain, self.products, self.other, self.windows = plain, products, other, tuple(windows)
        self.coefficient = coefficient
        self.adopt(products, other)
        self.letters, self.itemsize = plain.letters, plain.itemsize
        self.dtype = plain.dtype
        self.offsets: Letters = tuple(w.offset for w in windows)
        self.extents = {w.offset: extents[w.offset] for w in windows} | {w.source: w.extent for w in windows}
        at = {w.place: w.source for w in windows}
        self.moved = tuple(at.get(l, l) for l in self.letters)
        self.aligned = Aligned(products, (*self.offsets, *self.moved))
        self.leading = next((l for l in self.letters if l in products.letters), None)

    def settle(self, lengths: Lengths, limit: int) -> None:
        self.limit = min(limit, 2 * BLOCK)
        self.products.settle({**lengths, **self.extents}, limit)
        self.plain.settle(lengths, limit)

    def space(self, lengths: Lengths) -> int:
        inner: Lengths = {**lengths, **dict(self.plain.binders), **self.extents}
        whole = self.other.space(inner)
        if self.leading is not None:
            inner = {**inner, self.leading: 1}
        return max(self.size(lengths), self.products.space(inner), whole)

    def run(self, frame: Frame) -> Any:
        frame.ranges.update((l, (0, n)) for l, n in (*self.plain.binders, *self.extents.items()))
        if not is_finite(np.asarray(self.other.value(frame))):
            return self.plain.run(frame)
        total = np.zeros(frame.shape(self.letters), dtype=self.dtype)
        for place in blocks(frame, self.letters, self.steps(frame)):
            offsets = frame.shape(self.offsets)
            # an offset that only the read has is no axis of the products: they are the same for all of its values
            products = np.broadcast_to(self.aligned.value(frame), offsets + frame.shape(self.moved))
            part = total[place]
            for offset in np.ndindex(offsets):
                to, source = self.shift(frame, offset)
                part[to] += products[offset][source]
        return np.multiply(total, self.coefficient, out=total) if self.coefficient != 1 else total

    def steps(self, frame: Frame) -> dict[Letter, int]:
        """Blocks of the leading letter, so that the products of a block stay in the cache."""
        if self.leading is None:
            return {}
        size = self.itemsize * prod(frame.ranges[l][1] for l in self.products.letters)
        length = frame.ranges[self.leading][1]
        return {self.leading: max(1, length * self.limit // size)} if size > self.limit else {}

    def shift(self, frame: Frame, offset: tuple[int, ...]) -> tuple[tuple[slice, ...], tuple[slice, ...]]:
        """Where the products of one offset go, and which of them: `place = source - step*offset - start`."""
        by = dict(zip(self.offsets, offset, strict=True))
        window = {w.place: w for w in self.windows}
        to, source = [], []
        for letter in self.letters:
            if letter not in window:
                to.append(slice(None))
                source.append(slice(None))
                continue
            w = window[letter]
            start, length = frame.ranges[letter]
            shift = -(w.step * by[w.offset] + w.start) - start  # place - source, counted from the block's start
            low, high = max(0, shift), max(0, min(length, w.extent + shift))
            low = min(low, high)
            to.append(slice(low, high))
            source.append(slice(low - shift, high - shift))
        return tuple(to), tuple(source)
