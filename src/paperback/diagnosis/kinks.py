"""At a kink any value between the slopes of both sides is right; one outside of them, or NaN, is wrong.

    sum(j) min(g[j]*left[j,i], g[j]*right[j,i])  <=  dx[i]  <=  sum(j) max(...)

The slopes are one-sided differences of order 2. They are believed where two steps agree: where they do not, the forward
jumps or is infinitely steep, and nothing is said.
"""

from __future__ import annotations

__all__ = ["outside_slopes"]

import numpy as np

from paperback.diagnosis.arrays import Array
from paperback.diagnosis.report import Finding, Worst
from paperback.diagnosis.slopes import Slopes
from paperback.diagnosis.tolerance import Judged

_MOST = 40  # entries that are looked at
_STEPS = (2.0**-14, 2.0**-17)
_SAME, _BEYOND = 1e-3, 1e-2  # how near two steps must come; how far beyond the slopes a value is wrong


def outside_slopes(slopes: Slopes, place: int, g: Array, judged: Judged) -> Finding | None:
    """What is wrong at the entries of an argument that could not be judged, because they are at kinks."""
    if not slopes.precise:
        return None
    argument = slopes.subject.arguments[place]
    worst: list[tuple[Worst, float, float]] = []
    for entry in np.flatnonzero(~judged.valid.all(0))[:_MOST]:
        sides = _sides(slopes, place, int(entry))
        if sides is None:
            continue
        ends = g[:, :, None] * np.stack(sides, 1)
        low, high = ends.min(2).sum(1), ends.max(2).sum(1)
        loose = judged.allowed[:, entry] + _BEYOND * np.abs(ends).sum(1).max(1)
        value = judged.returned[:, entry]
        beyond = np.where(np.isfinite(value), np.maximum(low - value, value - high), np.inf)
        row = int((beyond - loose).argmax())
        if beyond[row] > loose[row]:
            index = tuple(int(i) for i in np.unravel_index(int(entry), argument.shape)) if argument.shape else ()
            nearest = low[row] if value[row] < low[row] else high[row]
            worst.append((Worst(index, float(value[row]), float(nearest)), float(low[row]), float(high[row])))
    if not worst:
        return None
    first, low_end, high_end = worst[0]
    at = f"{argument.name}[{','.join(map(str, first.index))}]" if first.index else argument.name
    told = (
        f"at {at}, a kink or a tie, the gradient of {argument.name} is {first.returned:.4g}, where the slopes of both "
        f"sides give {low_end:.4g} to {high_end:.4g}"
    )
    also = ("nan",) if np.isnan(first.returned) else ("branch",)
    return Finding("wrong-at-kink", argument.name, told, worst=first, also=also)


def _sides(slopes: Slopes, place: int, entry: int) -> tuple[Array, Array] | None:
    """The slopes of all outputs to the left and to the right; None where there are none."""
    unit = np.zeros(slopes.size(place))
    unit[entry] = 1.0
    found = []
    for sign in (-1.0, 1.0):
        coarse, fine = (_one_sided(slopes, place, sign * step * slopes.scale(place) * unit) for step in _STEPS)
        size = max(float(np.abs(fine).max(initial=0.0)), float(slopes.natural(place).max(initial=0.0)) * _SAME)
        if not (np.isfinite(fine).all() and np.abs(fine - coarse).max(initial=0.0) <= _SAME * size):
            return None
        found.append(sign * fine)
    return found[0], found[1]


def _one_sided(slopes: Slopes, place: int, step: Array) -> Array:
    """(-3*f(x) + 4*f(x + h) - f(x + 2h)) / 2|h|."""
    near, far = slopes.moved(place, step), slopes.moved(place, 2 * step)
    slope: Array = (4 * near - far - 3 * slopes.base) / (2 * float(np.abs(step).max()))
    return slope
