"""What is known of one wrong gradient, and how well an explanation fits it.

    g          cotangents, one a row                [G, m]      m numbers in all outputs
    J          the true Jacobian                    [m, n]      n numbers in the argument
    true       g @ J                                [G, n]
    returned   what the backward gave               [G, n]

A `Reading` is an explanation with the numbers that a backward with this mistake would return; `Fit` says how far these
are from what was returned, with the factor that suits best.
"""

from __future__ import annotations

__all__ = ["Evidence", "Fit", "Reading"]

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np

from paperback.diagnosis.arrays import Array


@dataclass(frozen=True)
class Reading:
    """One explanation: its pattern, words that follow "the gradient of x is", the numbers it predicts, its cost."""

    slug: str
    words: str
    predicted: Array
    cost: float = 1.0
    also: tuple[str, ...] = ()
    hint: str = ""
    scaled: bool = True  # may a factor be fitted besides?


@dataclass(frozen=True)
class Fit:
    """A reading beside what was returned."""

    reading: Reading
    factor: float
    residual: float
    explained: bool


@dataclass
class Evidence:
    """See the module. Arrays that are judged by entries are flat; `shape` and `shapes` say how to fold them."""

    name: str
    place: int
    x: Array
    arrays: dict[str, Array]  # all arguments that are arrays
    outputs: list[Array]  # the real outputs
    J: Array
    g: Array
    returned: Array
    true: Array
    allowed: Array
    valid: Array
    others: dict[str, Array] = field(default_factory=dict)  # the true gradients of other arguments
    columns_at: Callable[[dict[str, Array], Sequence[int] | None], Array | None] = lambda changed, entries: None
    pulled: Callable[[Array], Array | None] = lambda g: None  # what the backward gives for other cotangents
    returned_again: Array | None = None  # what a backward gives after other work was done
    earlier: dict[str, Array] | None = None  # the arguments of an earlier call

    @property
    def shape(self) -> tuple[int, ...]:
        return self.x.shape

    @property
    def y(self) -> Array:
        return self.outputs[0]

    @cached_property
    def scale(self) -> float:
        """The root mean square of what was returned and what is true."""
        both = np.concatenate([self.returned[self.valid], self.true[self.valid]])
        both = both[np.isfinite(both)]
        return float(np.sqrt(np.mean(both**2))) if both.size else 0.0

    @cached_property
    def before(self) -> float:
        """The relative residual without an explanation."""
        return self.distance(self.true)

    def distance(self, predicted: Array) -> float:
        apart = (self.returned - predicted)[self.valid]
        finite = np.isfinite(apart)
        if not finite.all() or not apart.size:
            return float("inf") if apart.size else 0.0
        return float(np.sqrt(np.mean(apart**2)) / (self.scale or 1.0))

    def matches(self, predicted: Array) -> bool:
        """Are these the numbers that were returned?"""
        with np.errstate(all="ignore"):
            apart = np.abs(self.returned - predicted)
            loose = 3 * self.allowed + 1e-6 * self.scale
        return bool(np.all(apart[self.valid] <= loose[self.valid]))

    def share(self, predicted: Array) -> float:
        """The share of the entries in which these are the numbers that were returned."""
        if predicted.shape != self.returned.shape:
            return 0.0
        same = np.abs(self.returned - predicted) <= 3 * self.allowed + 1e-6 * self.scale
        return float((same | ~self.valid).all(0).mean())

    def fit(self, reading: Reading) -> Fit:
        """With the factor 1 where it does, else the best one."""
        predicted = reading.predicted
        if predicted.shape != self.returned.shape or not np.isfinite(predicted[self.valid]).all():
            return Fit(reading, 1.0, float("inf"), False)
        if self.matches(predicted) or not reading.scaled:
            return Fit(reading, 1.0, self.distance(predicted), self.matches(predicted))
        p, r = predicted[self.valid], self.returned[self.valid]
        norm = float(p @ p)
        if norm <= (1e-12 * self.scale) ** 2 * p.size:
            return Fit(reading, 1.0, self.distance(predicted), False)
        factor = float(r @ p) / norm
        if abs(factor) < 1e-9:
            return Fit(reading, 1.0, self.distance(predicted), False)
        return Fit(reading, factor, self.distance(factor * predicted), self.matches(factor * predicted))

    @cached_property
    def bad(self) -> Array:
        """Which entries are wrong, [n]."""
        wrong: Array = (self.valid & ~(np.abs(self.returned - self.true) <= self.allowed)).any(0)
        return wrong

    def jacobian_at(self, changed: dict[str, Array]) -> Array | None:
        """The true Jacobian with some arguments changed."""
        return self.columns_at(changed, None)

    def may_be(self, changed: dict[str, Array]) -> bool:
        """Do a few entries, wrong ones among them, look like the true gradient at changed arguments, up to a factor?"""
        spread = np.random.default_rng(0).permutation(self.x.size)
        wrong = [int(i) for i in spread if self.bad[i]][:3]
        some = [*wrong, *(int(i) for i in spread if not self.bad[i])][:6]
        J = self.columns_at(changed, some)
        if J is None:
            return False
        there = Evidence(
            self.name,
            self.place,
            self.x,
            self.arrays,
            self.outputs,
            self.J[:, some],
            self.g,
            self.returned[:, some],
            self.true[:, some],
            self.allowed[:, some],
            self.valid[:, some],
        )
        return there.fit(Reading("", "", self.g @ J)).residual < 1e-3

    @cached_property
    def diagonal(self) -> Array | None:
        """The derivative of an operation element by element; None for another one."""
        m, n = self.J.shape
        if m != n or len(self.outputs) != 1 or self.y.size != n:
            return None
        d = np.diagonal(self.J)
        off = np.abs(self.J - np.diag(d)).max(initial=0.0)
        return d.copy() if off <= 1e-7 * (np.abs(d).max(initial=0.0) or 1.0) else None

    @cached_property
    def linear(self) -> bool:
        """Is what was returned linear in the upstream gradient?"""
        if len(self.g) < 2:
            return True
        found = self.pulled(np.stack([self.g[0] + self.g[1], 1e-2 * self.g[0], 30 * self.g[0]]))
        if found is None:
            return True
        expected = np.stack([self.returned[0] + self.returned[1], 1e-2 * self.returned[0], 30 * self.returned[0]])
        sizes = np.abs(expected).max(1, initial=0.0)[:, None]
        return bool(np.all(np.abs(found - expected) <= 1e-4 * sizes + 1e-12 * self.scale))

    @cached_property
    def B(self) -> Array | None:
        """The Jacobian that the backward stands for, [m, n], where it has not too many rows; it must be linear."""
        m = self.J.shape[0]
        if m > 1500:
            return None
        found = self.pulled(np.eye(m))
        if found is None or not np.isfinite(found).all():
            return None
        again = self.g @ found
        fits = np.abs(again - self.returned) <= 3 * self.allowed + 1e-5 * self.scale
        return found if fits[self.valid].all() else None

    def back(self, g: Array) -> Array:
        """The true gradient for other cotangents, [G, n]."""
        return g @ self.J

    def folded(self, flat: Array, shape: Sequence[int] | None = None) -> Array:
        """[G, n] as [G, *shape]."""
        return flat.reshape(len(flat), *(self.shape if shape is None else shape))
