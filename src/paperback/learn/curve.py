"""The course of training, step by step, in few numbers: how the loss and the learning rate went.

    points                 one for each stretch of steps: its last step, mean loss and mean rate
    a stretch              one step at first; whenever there are `_MOST` points, two neighbours become one

So a training of any length has at most `_MOST` points, all of the same number of steps but the last, and the mean of
its losses, weighted by steps, is that of all steps.
"""

from __future__ import annotations

__all__ = ["Curve", "Point"]

from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

_MOST = 512  # points; even


class Point(NamedTuple):
    """A stretch of steps: the number of the last one, counted from 1 within one `fit`, and their means."""

    step: int
    loss: float
    rate: float


@dataclass
class _Stretch:
    steps: int = 0
    loss: float = 0.0
    rate: float = 0.0

    def add(self, other: _Stretch) -> None:
        self.steps += other.steps
        self.loss += other.loss
        self.rate += other.rate


class Curve:
    """Takes the loss and the rate of every step; `points` tells them."""

    def __init__(self) -> None:
        self._stretches: list[_Stretch] = []  # sums
        self._size = 1  # steps in a stretch

    def step(self, loss: float, rate: float) -> None:
        if not self._stretches or self._stretches[-1].steps == self._size:
            if len(self._stretches) == _MOST:
                self._halve()
            self._stretches.append(_Stretch())
        self._stretches[-1].add(_Stretch(1, loss, rate))

    def _halve(self) -> None:
        for first, second in zip(self._stretches[::2], self._stretches[1::2], strict=True):
            first.add(second)
        self._stretches = self._stretches[::2]
        self._size *= 2

    @property
    def points(self) -> tuple[Point, ...]:
        return tuple(self._told())

    def _told(self) -> Iterator[Point]:
        last = 0
        for stretch in self._stretches:
            last += stretch.steps
            yield Point(last, stretch.loss / stretch.steps, stretch.rate / stretch.steps)
