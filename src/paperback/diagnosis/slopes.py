"""The true derivative of a forward along a direction, with an estimate of its error: the referee.

    central, order 4    D(h) = (4*d(h) - d(2h))/3,   d(h) = (f(x+h*v) - f(x-h*v)) / 2h
    its error           |D(h) - D(2h)|, which overestimates truncation by 16, and the forward's rounding over h
    kink                the bend |f(x+h*v) - 2*f(x) + f(x-h*v)|/h of a smooth forward halves with h; at a kink it stays
    complex step        Im f(x + 1e-30i*v)/1e-30, exact to rounding; believed where it agrees with differences

Steps are swept from large to small until every output is settled: each output takes the step that suits it, so a kink
near the point, or one steep output, costs more calls and no precision.
"""

from __future__ import annotations

__all__ = ["Slope", "Slopes"]

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from paperback.diagnosis.arrays import EPSILON, Array
from paperback.diagnosis.subject import Subject

_TINY = 1e-30  # the complex step: its square is nothing beside 1
_TINY_MOVES = (2.0**-22, 0.62 * 2.0**-22)  # relative moves that show the rounding of a forward
_LARGER_MOVES = (2.0**-19, 2.0**-16, 2.0**-13, 2.0**-10)  # and those that show it where smaller ones change nothing
_MOVES = 12
_NOISY, _COMMON = 100.0, 0.25  # noise beyond the rounding of a type, and the share of outputs that have it
_BEND = 0.7  # of the bend at twice the step; a smooth forward has 0.5, a kink 1
_RUNGS = {  # relative steps, for outputs of 64, 32 and 16 bits
    8: (2.0**-9, 2.0**-13, 2.0**-17, 2.0**-21, 2.0**-25, 2.0**-5),
    4: (2.0**-4, 2.0**-6, 2.0**-8, 2.0**-11),
    2: (2.0**-2, 2.0**-4),
}
_GOALS = {8: 1e-8, 4: 3e-4, 2: 3e-2}  # when an output is settled: error relative to its size and the typical one


@dataclass(frozen=True)
class Slope:
    """The derivative of every output along a direction, its error, and where no derivative exists."""

    value: Array
    error: Array
    kinked: Array


class Slopes:
    """The derivatives of a subject's forward at one point."""

    def __init__(self, subject: Subject, arrays: list[Array | None]) -> None:
        self.subject, self.arrays = subject, arrays
        self.base = subject.values(arrays)
        self.bytes = self._precision()
        self._complex: dict[int, bool] = {}

    def _precision(self) -> int:
        """The bytes of the least precise real argument or output."""
        inputs = [array.dtype.itemsize for i in self.subject.reals if (array := self.arrays[i]) is not None]
        outputs = [kind.itemsize for kind in self.subject.kinds(self.arrays) if kind.kind == "f"]
        return min(8, *inputs, *outputs)

    @cached_property
    def noise(self) -> Array:
        """The rounding of every output: that of its type, or what its third differences at a tiny step show.

        f(x+3d) - 3*f(x+2d) + 3*f(x+d) - f(x) of a smooth forward is nothing; of rounding e it is up to 8*e. An output
        that does not move at all may be rounded to more than the step: steps grow until it moves and rests again. (One
        that crosses a kink moves, and does not rest.)
        """
        least: Array = np.abs(self.base) * (EPSILON if self.bytes == 8 else float(np.finfo(f"f{self.bytes}").eps))
        if self.bytes < 8:
            return least
        shown, still = least, np.ones(self.base.shape, dtype=bool)
        for move in (*_TINY_MOVES, *_LARGER_MOVES):
            row = self._march(move)
            moves = np.diff(row, axis=0) != 0
            rests = (np.logical_or.accumulate(moves) & ~moves).any(0)
            third = np.abs(np.diff(row, 3, axis=0)).max(0) / 4
            seen = np.isfinite(third) & ((still & rests) | (move in _TINY_MOVES))
            shown = np.maximum(shown, np.where(seen, third, 0))
            still &= ~moves[:-1].any(0)
            if move not in _TINY_MOVES[:1] and not still.any():
                break
        noisy = shown > _NOISY * least
        if noisy.mean() > _COMMON:  # then the others are noisy too, and had luck
            shown = np.maximum(shown, 2 * np.median(shown[noisy]))
        return shown

    def _march(self, move: float) -> Array:
        """The outputs in a row of points, in steps of this relative size, [_MOVES, m]."""
        random = np.random.default_rng(0)
        ways = {
            place: move * self.scale(place) * random.uniform(-1, 1, self.size(place))
            for place in self.subject.reals
            if self.size(place)
        }
        row = [self.base]
        for k in range(1, _MOVES):
            arrays = list(self.arrays)
            for place, way in ways.items():
                array = arrays[place]
                assert array is not None
                arrays[place] = array + k * way.reshape(array.shape)
            row.append(self.subject.values(arrays))
        return np.stack(row)

    def natural(self, place: int) -> Array:
        """The slopes that outputs of this size have by an argument of this size."""
        slopes: Array = np.abs(self.base) / self.scale(place)
        return slopes

    @property
    def precise(self) -> bool:
        return self.bytes == 8

    def moved(self, place: int, direction: Array) -> Array:
        """The forward's outputs with one argument moved."""
        arrays = list(self.arrays)
        start = arrays[place]
        assert start is not None
        kind = np.result_type(start.dtype, direction.dtype) if direction.dtype.kind == "c" else start.dtype
        arrays[place] = (start + direction.reshape(start.shape)).astype(kind)
        return self.subject.values(arrays)

    def along(self, place: int, direction: Array) -> Slope:
        """By differences; `direction` has the size of the argument."""
        size = self.base.size
        value, error = np.zeros(size), np.full(size, np.inf)
        kinked = np.zeros(size, dtype=bool)
        scale = self.scale(place)
        magnitude = np.abs(self.base)
        for rung in _RUNGS[self.bytes]:
            step = rung * scale
            new, doubt, bend = self._stencil(place, direction, step)
            better = doubt < error
            value, error, kinked = (
                np.where(better, new, value),
                np.where(better, doubt, error),
                np.where(better, bend, kinked),
            )
            goal = _GOALS[self.bytes] * (np.abs(value) + _typical(value))
            still = 0.1 * _GOALS[self.bytes] * magnitude / scale  # as good as constant
            if np.all(error <= goal + 0.1 * still):
                break
        settled = error <= 1e4 * goal + still
        return Slope(value, error, kinked | ~settled)

    def _stencil(self, place: int, direction: Array, step: float) -> tuple[Array, Array, Array]:
        ahead = {k: self.moved(place, k * step * direction) for k in (1, -1, 2, -2, 4, -4)}
        noise = 4 * np.maximum(self.noise, EPSILON * np.abs(ahead[4])) / step
        d1, d2, d4 = ((ahead[k] - ahead[-k]) / (2 * k * step) for k in (1, 2, 4))
        near, far = (4 * d1 - d2) / 3, (4 * d2 - d4) / 3
        error = np.abs(near - far) + noise
        bend = [np.abs(ahead[k] - 2 * self.base + ahead[-k]) / (k * step) for k in (1, 2)]
        size = np.abs(near) + _typical(near)
        least = max(1e-3, 10 * _GOALS[self.bytes])
        kinked = (bend[0] > _BEND * bend[1]) & (bend[0] > least * size + 20 * noise)
        return near, np.where(np.isfinite(error), error, np.inf), kinked

    def column(self, place: int, index: int) -> Slope:
        """By one entry of an argument: by the complex step where it is believed."""
        direction = np.zeros(self.size(place))
        direction[index] = 1.0
        return self.exactly(place, direction) if self.takes_complex(place) else self.along(place, direction)

    def exactly(self, place: int, direction: Array) -> Slope:
        """By the complex step."""
        value = self.moved(place, 1j * _TINY * direction).imag / _TINY
        error = 1e-12 * (np.abs(value) + _typical(value)) + 1e-13 * self.natural(place)
        return Slope(value, error, ~np.isfinite(value))

    def takes_complex(self, place: int) -> bool:
        """Does the forward compute with complex numbers, and are its derivatives right?"""
        if place not in self._complex:
            self._complex[place] = self._try_complex(place)
        return self._complex[place]

    def _try_complex(self, place: int) -> bool:
        value = self.subject.arguments[place].value
        if not self.precise or not isinstance(value, np.ndarray | float | np.floating):
            return False
        direction = np.random.default_rng(place).standard_normal(self.size(place))
        try:
            found = self.exactly(place, direction)
        except Exception:  # the forward does not take complex numbers
            return False
        if found.value.shape != self.base.shape:
            return False
        known = self.along(place, direction)
        judged = ~known.kinked
        allowed = 100 * known.error + 1e-7 * (np.abs(known.value) + _typical(known.value))
        return bool(judged.any() and np.all(np.abs(found.value - known.value)[judged] <= allowed[judged]))

    def scale(self, place: int) -> float:
        """The size of a typical entry of an argument, the unit of its steps."""
        array = self.arrays[place]
        assert array is not None
        sizes = np.abs(array[np.isfinite(array)].astype(np.float64))
        typical = float(np.median(sizes)) if sizes.size else 0.0
        return max(typical, 1e-2 * float(sizes.max(initial=0.0))) or 1.0

    def size(self, place: int) -> int:
        array = self.arrays[place]
        assert array is not None
        return array.size


def _typical(array: Array) -> float:
    """The root mean square of the finite entries."""
    finite = array[np.isfinite(array)]
    return float(np.sqrt(np.mean(finite**2))) if finite.size else 0.0
