"""Random choices for configurations of layers."""

from __future__ import annotations

from typing import Any

import numpy as np


class Dice:
    """Choices from one seed."""

    def __init__(self, rng: np.random.Generator) -> None:
        self.rng = rng

    def whole(self, low: int, high: int) -> int:
        """A whole number, both ends included."""
        return int(self.rng.integers(low, high + 1))

    def real(self, low: float, high: float) -> float:
        """A number with two decimals."""
        return round(float(self.rng.uniform(low, high)), 2)

    def pick(self, *values: Any) -> Any:
        return values[self.rng.integers(len(values))]

    def flag(self) -> bool:
        return bool(self.rng.integers(2))

    def shape(self, least: int, most: int, high: int = 6) -> tuple[int, ...]:
        """So many axes."""
        return tuple(self.whole(1, high) for _ in range(self.whole(least, most)))

    def axes(self, rank: int, low: int, high: int) -> int | tuple[int, ...]:
        """A setting of a window: one number, or one per axis."""
        return self.whole(low, high) if self.flag() else tuple(self.whole(low, high) for _ in range(rank))
