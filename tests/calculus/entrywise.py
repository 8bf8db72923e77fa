"""What a structure claims, checked on the numbers of a Jacobian, entry by entry, by loops that know no formulas."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from paperback.calculus.structure import Pair, Part, Structure
from paperback.notation.size import Size, evaluate

Array = np.ndarray[Any, Any]


def wrong(structure: Structure, dense: Array, sizes: Mapping[str, int]) -> list[str]:
    """Every claim of the structure that the array does not keep. Rows that do not lie in order are not looked at."""
    return list(_Check(structure, dense, sizes).all())


class _Check:
    def __init__(self, structure: Structure, dense: Array, sizes: Mapping[str, int]) -> None:
        self.structure, self.sizes = structure, sizes
        self.rows, self.columns = ([self.number(extent) for _, extent in side] for side in structure.letters)
        self.nonzero = int(np.count_nonzero(dense))
        self.in_order = " rows at " not in structure.words and dense.size == np.prod([*self.rows, *self.columns])
        self.array = dense.reshape((*self.rows, *self.columns)) if self.in_order else dense
        self.places = [tuple(map(int, place)) for place in np.argwhere(self.array)]
        self.scale = float(np.abs(dense).max(initial=0.0))

    def number(self, size: Size) -> int:
        return evaluate(size, self.sizes)

    def all(self) -> Iterator[str]:
        count = self.number(self.structure.count.size) // self.structure.count.over
        if self.nonzero != count if self.structure.count.exact else self.nonzero > count:
            yield f"{self.nonzero} entries, claimed are {self.structure.count} = {count}"
        if self.structure.words == "zero" and self.nonzero:
            yield "it is not zero"
        if not self.in_order:
            return
        for part in self.structure.parts:
            for pair in part.pairs:
                yield from self.pair(pair)
            yield from self.part(part)
        if len(self.structure.parts) > 1:
            for part in self.structure.parts:
                if self.rank(*self.axes(part)) > 1:
                    yield f"{part.kind} is no factor of a Kronecker product"

    def axes(self, part: Part) -> tuple[list[int], list[int]]:
        """The axes of the array that are the part's, and the others."""
        own = [*part.rows, *(len(self.rows) + place for place in part.columns)]
        return own, [axis for axis in range(self.array.ndim) if axis not in own]

    def rank(self, own: list[int], rest: list[int]) -> int:
        turned = np.transpose(self.array, (*own, *rest))
        return self.rank_of(turned.reshape(int(np.prod(turned.shape[: len(own)], dtype=int)), -1))

    def rank_of(self, matrix: Array) -> int:
        values = np.linalg.svd(matrix, compute_uv=False) if matrix.size else np.zeros(0)
        return int(np.sum(values > 1e-9 * max(self.scale, 1e-300) * max(matrix.shape, default=1)))

    def pair(self, pair: Pair) -> Iterator[str]:
        n = len(self.rows)
        if pair.kind == "identity":
            for place in self.places:
                row, column = 0, 0
                for k in sorted(pair.rows):
                    row = row * self.rows[k] + place[k]
                for k in sorted(pair.columns):
                    column = column * self.columns[k] + place[n + k]
                if row != column:
                    yield f"{place} is not on the diagonal of {pair}"
                    return
        if pair.kind in ("Toeplitz", "banded"):
            one, other = pair.rows[0], n + pair.columns[0]
            one, other = (other, one) if not pair.turned else (one, other)
            stride = self.number(pair.stride)
            for place in self.places:
                offset = place[one] - stride * place[other]
                low, high = (None if end is None else self.number(end) for end in (pair.low, pair.high))
                if (low is not None and offset < low) or (high is not None and offset > high):
                    yield f"{place} is outside the band of {pair}"
                    return
            if pair.kind == "Toeplitz":
                for place in np.ndindex(self.array.shape):
                    moved = list(place)
                    moved[one] += stride
                    moved[other] += 1
                    inside = all(0 <= k < extent for k, extent in zip(moved, self.array.shape, strict=True))
                    if inside and abs(self.array[tuple(moved)] - self.array[place]) > 1e-9 * self.scale:
                        yield f"{place} and {tuple(moved)} differ in {pair}"
                        return

    def part(self, part: Part) -> Iterator[str]:
        alone = len(self.structure.parts) == 1
        if alone and part.values in ("ones", "zero or one") and not np.all((self.array == 0) | (self.array == 1)):
            yield f"{part.kind} is not made of zeros and ones"
        own, rest = self.axes(part)
        moved = np.transpose(self.array, (*rest, *own))
        rows = int(np.prod([self.rows[k] for k in part.rows], dtype=int))
        columns = int(np.prod([self.columns[k] for k in part.columns], dtype=int))
        for matrix in moved.reshape(-1, rows, columns) if moved.size else ():
            if part.kind == "selection":
                there = matrix != 0
                if there.sum(axis=1).max(initial=0) > 1 and there.sum(axis=0).max(initial=0) > 1:
                    yield "a selection has two entries in a row and in a column"
            if part.kind == "rank one" and self.rank_of(matrix) > 1:
                yield "it is not of rank one"
            if part.kind == "diagonal plus rank" and not part.pairs:
                half = rows // 2
                if rows == columns and self.rank_of(matrix[:half, half:]) > part.rank:
                    yield f"beside the diagonal it is not of rank {part.rank}"
