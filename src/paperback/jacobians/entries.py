"""Entries: the places of a matrix that are not zero, and what stands there. Products and sums never make the matrix.

    rows      int64, in order; within a row the columns are in order, and no place occurs twice
    columns   int64
    values    what stands there; bool where only the places matter
"""

from __future__ import annotations

__all__ = ["Entries"]

from dataclasses import dataclass
from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]

_PAIRS = 1 << 22  # products that are formed at once


@dataclass(frozen=True)
class Entries:
    """A sparse matrix by coordinates; made by `of`, which sorts and adds up."""

    shape: tuple[int, int]
    rows: Array
    columns: Array
    values: Array

    @staticmethod
    def of(shape: tuple[int, int], rows: Array, columns: Array, values: Array) -> Entries:
        """Entries in any order; those at one place are added (of bools: any)."""
        places = rows.astype(np.int64) * shape[1] + columns
        where, back = np.unique(places, return_inverse=True)
        if values.dtype == bool:
            total = np.zeros(len(where), bool)
            total[back[values]] = True
        else:
            total = np.zeros(len(where), values.dtype)
            np.add.at(total, back, values)
        return Entries(shape, where // max(1, shape[1]), where % max(1, shape[1]), total)

    @staticmethod
    def from_dense(matrix: Array) -> Entries:
        """The entries of a matrix that are not 0."""
        rows, columns = np.nonzero(matrix)
        return Entries((matrix.shape[0], matrix.shape[1]), rows, columns, matrix[rows, columns])

    @staticmethod
    def none(shape: tuple[int, int], dtype: Any = np.float64) -> Entries:
        nowhere = np.zeros(0, np.int64)
        return Entries(shape, nowhere, nowhere, np.zeros(0, dtype))

    @staticmethod
    def identity(size: int, dtype: Any = np.float64) -> Entries:
        places = np.arange(size)
        return Entries((size, size), places, places, np.ones(size, dtype))

    def __len__(self) -> int:
        return len(self.values)

    @property
    def places(self) -> Entries:
        """The same places with True for every value, whatever it is."""
        return Entries(self.shape, self.rows, self.columns, np.ones(len(self), bool))

    @property
    def transposed(self) -> Entries:
        return Entries.of(self.shape[::-1], self.columns, self.rows, self.values)

    def scaled(self, factor: float) -> Entries:
        return Entries(self.shape, self.rows, self.columns, self.values * factor)

    def plus(self, other: Entries) -> Entries:
        return Entries.of(
            self.shape,
            np.concatenate([self.rows, other.rows]),
            np.concatenate([self.columns, other.columns]),
            np.concatenate([self.values, other.values]),
        )

    def times(self, other: Entries) -> Entries:
        """The matrix product: every entry (i, k) meets the entries (k, j) of the other."""
        first = np.searchsorted(other.rows, self.columns, "left")
        counts = np.searchsorted(other.rows, self.columns, "right") - first
        shape = self.shape[0], other.shape[1]
        ends = np.cumsum(counts)
        found = Entries.none(shape, np.result_type(self.values, other.values))
        start = 0
        while start < len(self):
            done = ends[start - 1] if start else 0
            stop = max(start + 1, int(np.searchsorted(ends, done + _PAIRS, "right")))
            many = counts[start:stop]
            mine = np.repeat(np.arange(start, stop), many)
            theirs = np.arange(many.sum()) + np.repeat(first[start:stop] - (ends[start:stop] - many - done), many)
            part = Entries.of(
                shape, self.rows[mine], other.columns[theirs], self.values[mine] * other.values[theirs]
            )
            found = found.plus(part)
            start = stop
        return found

    def dense(self) -> Array:
        matrix = np.zeros(self.shape, self.values.dtype)
        matrix[self.rows, self.columns] = self.values
        return matrix
