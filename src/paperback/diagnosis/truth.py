"""The true Jacobian of every argument, column by column, at a subject's arguments or at others.

    J[j,i] = d y[j] / d x[i],  with an estimate of its error E[j,i], and where there is a kink

Arguments of 32 and 16 bits are taken in 64 where the forward computes in 64 bits then.
"""

from __future__ import annotations

__all__ = ["Columns", "Truth", "close_to", "widened"]

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from paperback.diagnosis.arrays import Array
from paperback.diagnosis.slopes import Slope, Slopes
from paperback.diagnosis.subject import Subject


@dataclass(frozen=True)
class Columns:
    """The Jacobian of one argument, [m, n]."""

    J: Array
    E: Array
    kinked: Array


class Truth:
    """True derivatives at one point."""

    def __init__(self, subject: Subject, arrays: list[Array | None]) -> None:
        self.subject, self.arrays = subject, arrays
        self.slopes = Slopes(subject, arrays)
        self._columns: dict[int, Columns] = {}

    @property
    def m(self) -> int:
        return self.slopes.base.size

    def columns(self, place: int) -> Columns:
        """All of one argument's Jacobian."""
        if place not in self._columns:
            slopes = [self.slopes.column(place, i) for i in range(self.slopes.size(place))]
            self._columns[place] = _stacked(slopes, self.m)
        return self._columns[place]

    def by_differences(self, place: int, entries: Array) -> None:
        """Look again at some columns that the complex step gave: differences see kinks."""
        if not self.slopes.takes_complex(place):
            return
        columns = self.columns(place)
        for i in entries:
            direction = np.zeros(self.slopes.size(place))
            direction[i] = 1.0
            slope = self.slopes.along(place, direction)
            columns.kinked[:, i] |= slope.kinked

    def jacobian_at(self, place: int, changed: dict[str, Array], entries: Sequence[int] | None = None) -> Array | None:
        """The Jacobian, or some columns, with some arguments changed; None where the forward does not take them."""
        arrays = list(self.arrays)
        for i, argument in enumerate(self.subject.arguments):
            if argument.name in changed and (array := arrays[i]) is not None:
                arrays[i] = changed[argument.name].astype(array.dtype).reshape(array.shape)
        try:
            there = Slopes(self.subject, arrays)
            there._complex[place] = self.slopes.takes_complex(place)
            if there.base.size != self.m or not np.isfinite(there.base).all():
                return None
            chosen = range(there.size(place)) if entries is None else entries
            return _stacked([there.column(place, i) for i in chosen], self.m).J
        except Exception:  # not a point of the forward's domain
            return None


def _stacked(slopes: Sequence[Slope], m: int) -> Columns:
    if not slopes:
        return Columns(np.zeros((m, 0)), np.zeros((m, 0)), np.zeros((m, 0), dtype=bool))
    J = np.stack([slope.value for slope in slopes], 1)
    E = np.stack([slope.error for slope in slopes], 1)
    kinked = np.stack([slope.kinked for slope in slopes], 1)
    bad = ~np.isfinite(J) | ~np.isfinite(E)
    return Columns(np.where(bad, 0, J), np.where(bad, 0, E), kinked | bad)


def widened(subject: Subject) -> list[Array | None]:
    """The arguments in 64 bits where the forward computes in 64 bits then and gives the same, else as they are."""
    native = subject.arrays
    if all(array is None or array.dtype.kind != "f" or array.dtype.itemsize >= 8 for array in native):
        return native
    wide = [array.astype(np.float64) if array is not None and array.dtype.kind == "f" else array for array in native]
    try:
        fine, coarse = subject.values(wide), subject.values(native)
    except Exception:  # the forward takes its own type only
        return native
    if any(kind.kind == "f" and kind.itemsize < 8 for kind in subject.kinds(wide)):
        return native
    return wide if close_to(fine, coarse, subject.epsilon) else native


def close_to(one: Array, other: Array, epsilon: float) -> bool:
    """Equal but for rounding."""
    if one.shape != other.shape:
        return False
    size = float(np.abs(other[np.isfinite(other)]).max(initial=0.0))
    return bool(np.allclose(one, other, rtol=1e3 * epsilon, atol=1e2 * epsilon * size, equal_nan=True))
