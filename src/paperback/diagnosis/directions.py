"""Judging along random directions, where whole Jacobians are too large.

    <J v, g> = <v, returned(g)>      v[i] = +-u[i], u between 1/2 and 3/2

The direction has an entry of random sign and size for every entry of the argument. If the worst error is e, the sum is
within t of the true one with a probability of at most t/|e|, whatever the other errors are: given these, the sum is
spread evenly over at least |e| on both sides. With k directions and |e| = 10*t, a mistake is missed once in 10^k cases;
|e| > 2*t alone is never missed. Outputs at kinks get an upstream gradient of zero.

What is wrong is looked for on smaller arguments, where whole Jacobians can be computed; where it is right there, by
halves: half of the entries, a quarter, ... one; or, where more than a few are wrong, for that part of every axis.
"""

from __future__ import annotations

__all__ = ["Directions", "judge"]

from typing import TYPE_CHECKING

import numpy as np

from paperback.diagnosis import shrink
from paperback.diagnosis.arrays import Array, rounded_anew
from paperback.diagnosis.entries import Outcome, sentence_of
from paperback.diagnosis.report import ArgumentVerdict, Finding, Worst
from paperback.diagnosis.subject import Complaint
from paperback.diagnosis.tolerance import allowed_along

if TYPE_CHECKING:
    from paperback.diagnosis.examination import Examination
    from paperback.diagnosis.slopes import Slope

_SINGLE = 4  # wrong entries that are looked for one by one
_KINKED = 0.5  # the share of outputs at kinks from which nothing is judged


def judge(examination: Examination) -> Outcome:
    return Directions(examination).judge()


class Directions:
    """The sums <J v, g> and <v, returned> for random v and g."""

    def __init__(self, examination: Examination) -> None:
        self.examination, self.subject = examination, examination.subject
        self.slopes, self.main = examination.truth.slopes, examination.main
        self.random = np.random.default_rng([examination.seed, 4])
        self.kinked = np.zeros(self.slopes.base.size, dtype=bool)
        self.g = examination.cotangents(2)
        self.returned: list[list[Array]] = []
        self.changed: list[list[Array]] = []

    def judge(self) -> Outcome:
        outcome, count = Outcome(), self.examination.budget.directions
        lines = {place: [self._line(place) for _ in range(count)] for place in self.subject.wrt}
        if self.kinked.mean() > _KINKED:
            outcome.findings.append(
                Finding("not-differentiable", None, f"{self.kinked.mean():.0%} of the outputs are at kinks or jumps")
            )
            return outcome
        if self.kinked.any():
            told = f"{self.kinked.sum():,} of {self.kinked.size:,} outputs are at a kink or a tie: they were left out"
            outcome.findings.append(Finding("kink", None, told))
        self.g = np.where(self.kinked, 0, self.g)
        self._pull_all()
        least = 0.0
        for k, place in enumerate(self.subject.wrt):
            wrong, seen = self._compare(place, k, lines[place])
            least = max(least, seen)
            argument = self.subject.arguments[place]
            assert argument.array is not None
            verdict = "wrong" if wrong else "right"
            outcome.verdicts[argument.name] = ArgumentVerdict(
                argument.shape, str(argument.array.dtype), verdict, None, 0.0 if wrong else 1.0
            )
            if wrong:
                outcome.findings += self._explained(place, k, lines[place])
        outcome.power = (
            f"power: {count} random directions in every argument, 2 upstream gradients: one wrong entry is seen from "
            f"{least:.1g} of a typical entry on; {5 * least:.1g} among other errors is missed once in {10**count:,}"
        )
        return outcome

    def direction(self, place: int) -> Array:
        size = self.slopes.size(place)
        v: Array = self.random.uniform(0.5, 1.5, size) * self.random.choice([-1.0, 1.0], size)
        return v

    def slope(self, place: int, v: Array) -> Slope:
        return self.slopes.exactly(place, v) if self.slopes.takes_complex(place) else self.slopes.along(place, v)

    def _line(self, place: int) -> tuple[Array, Slope]:
        v = self.direction(place)
        slope = self.slopes.along(place, v)
        self.kinked |= slope.kinked
        return v, slope

    def _pull_all(self) -> None:
        random = np.random.default_rng([self.examination.seed, 3])
        moved = rounded_anew(self.main, self.examination.epsilon, random)
        for g in self.g:
            first = self.subject.pull(g, self.main)
            self.returned.append([part.ravel().astype(np.float64) for part in first])
            try:
                again = self.subject.pull(g, moved)
                self.changed.append(
                    [
                        np.nan_to_num(np.abs(a.ravel() - b.ravel()).astype(np.float64))
                        for a, b in zip(again, first, strict=True)
                    ]
                )
            except Complaint:
                self.changed.append([np.zeros(part.size) for part in first])

    def residual(self, k: int, row: int, v: Array, slope: Slope) -> tuple[float, float]:
        """(how far the two sums are apart, how far they may be)."""
        g, returned = self.g[row], self.returned[row][k]
        live = np.abs(g) > 0
        true = float(slope.value[live] @ g[live])
        changed = float(np.sqrt(np.sum((v * self.changed[row][k]) ** 2)))
        natural = float((np.abs(g) * self.slopes.natural(self.subject.wrt[k])).max(initial=0.0))
        allowed = allowed_along(slope.error[live], g[live], v * returned, changed, natural, self.examination.epsilon)
        return true - float(v @ returned), allowed

    def _compare(self, place: int, k: int, lines: list[tuple[Array, Slope]]) -> tuple[bool, float]:
        wrong, seen = False, 0.0
        for row in range(len(self.g)):
            typical = float(np.sqrt(np.mean(self.returned[row][k] ** 2))) or 1.0
            for v, slope in lines:
                apart, allowed = self.residual(k, row, v, slope)
                wrong |= not abs(apart) <= allowed
                seen = max(seen, 2 * allowed / typical)
        return wrong, seen

    # --- what is wrong -----------------------------------------------------------------------------------------------

    def _explained(self, place: int, k: int, lines: list[tuple[Array, Slope]]) -> list[Finding]:
        name = self.subject.arguments[place].name
        finite = all(np.isfinite(rows[k]).all() for rows in self.returned)
        if not finite:
            return [Finding("nan", name, f"the gradient of {name} is NaN or infinite in places")]
        if not any(np.abs(rows[k]).max(initial=0.0) for rows in self.returned):
            return [Finding("zero", name, sentence_of(name, "zero", "zero everywhere"))]
        smaller = shrink.explain_smaller(self.examination, place)
        if smaller:
            return smaller
        return self._single(place, k)

    def _single(self, place: int, k: int) -> list[Finding]:
        """Single wrong entries, found by halving."""
        name, shape = self.subject.arguments[place].name, self.subject.arguments[place].shape
        worst: list[Worst] = []
        cleared = np.ones(self.slopes.size(place), dtype=bool)
        for _ in range(_SINGLE + 1):
            v = np.where(cleared, self.direction(place), 0)
            apart, allowed = self.residual(k, 0, v, self.slope(place, v))
            if abs(apart) <= allowed:
                break
            index = self._halve(place, k, v, apart)
            unit = np.zeros_like(v)
            unit[index] = 1.0
            difference, allowed = self.residual(k, 0, unit, self.slope(place, unit))
            if abs(difference) <= allowed:
                return [self._where(place, k)]
            returned = float(self.returned[0][k][index])
            worst.append(Worst(tuple(int(i) for i in np.unravel_index(index, shape)), returned, returned + difference))
            cleared[index] = False
        else:
            return [self._where(place, k, worst[0])]
        listed = ", ".join(f"{name}[{','.join(map(str, w.index))}]" for w in worst)
        told = "one entry" if len(worst) == 1 else f"{len(worst)} entries"
        also = ("branch",)
        return [
            Finding(
                "one-entry",
                name,
                f"the gradient of {name} is wrong in {told} of {cleared.size:,}: {listed}",
                worst=worst[0],
                also=also,
            )
        ]

    def _where(self, place: int, k: int, worst: Worst | None = None) -> Finding:
        """Which part of the argument is wrong, axis by axis; "unexplained" where that is all of it."""
        argument = self.subject.arguments[place]
        grid, told = np.indices(argument.shape), []
        for axis, size in enumerate(argument.shape):
            index = grid[axis].ravel()
            first = self._least(place, k, index, size) - 1
            last = size - self._least(place, k, size - 1 - index, size)
            if 2 * (last - first + 1) <= size:
                told.append(f"{'index' if first == last else f'indices {first} to'} {last} of axis {axis}")
        if not told:
            words = sentence_of(argument.name, "unexplained", "it is right on smaller arguments")
            return Finding("unexplained", argument.name, words, worst=worst)
        words = f"the gradient of {argument.name} is wrong at {', '.join(told)}, and right elsewhere"
        return Finding("branch", argument.name, words, worst=worst)

    def _least(self, place: int, k: int, index: Array, size: int) -> int:
        """How many indices of an axis it takes until something is wrong."""
        low, high = 0, size  # right with low of them, wrong with high
        while high - low > 1:
            middle = (low + high) // 2
            v = np.where(index < middle, self.direction(place), 0)
            apart, allowed = self.residual(k, 0, v, self.slope(place, v))
            low, high = (middle, high) if abs(apart) <= allowed else (low, middle)
        return high

    def _halve(self, place: int, k: int, v: Array, apart: float) -> int:
        """The entry on which most of the difference lies."""
        entries = np.flatnonzero(v)
        while len(entries) > 1:
            half = entries[: len(entries) // 2]
            part = np.zeros_like(v)
            part[half] = v[half]
            left, _ = self.residual(k, 0, part, self.slope(place, part))
            if abs(left) >= abs(apart - left):
                entries, apart = half, left
            else:
                entries, apart = entries[len(entries) // 2 :], apart - left
        return int(entries[0])
