"""How far a right gradient may be from the true one: an error model, not a constant, and never a matter of array size.

An entry of the gradient is a sum  dx[i] = sum(j) J[j,i]*g[j].  It may be off by

    differences   8 * sum(j) |g[j]|*E[j,i]      E is the error of the true derivative, as its differences estimate it
    rounding      r * sum(j) |J[j,i]*g[j]|  +  u * the largest such sum of the argument, or of |y[j]*g[j]| / size of x
    conditioning  16 times what the gradient changes by when the arguments are rounded anew

with r and u from the type in which the backward computes: an entry that is tiny beside the others may be as wrong as
those that cancel to it, and a slope that is tiny beside y/x, as where a forward saturates, is what differences leave.
"""

from __future__ import annotations

__all__ = ["Judged", "allowed_along", "allowed_entries", "rounding"]

from dataclasses import dataclass

import numpy as np

from paperback.diagnosis.arrays import Array

_ROUNDING = {8: 1e-9, 4: 6e-6, 2: 1e-2}  # r by the bytes of the type: many operations, each rounded
_FLOOR = {8: 1e-12, 4: 1e-6, 2: 2e-3}  # u


@dataclass(frozen=True)
class Judged:
    """Entries beside each other: returned and true, how far apart they may be, and which can be judged."""

    returned: Array
    true: Array
    allowed: Array
    valid: Array

    @property
    def bad(self) -> Array:
        wrong: Array = self.valid & ~(np.abs(self.returned - self.true) <= self.allowed)
        return wrong


def rounding(epsilon: float) -> int:
    """The bytes of the type with this relative rounding."""
    return 8 if epsilon < 1e-12 else 4 if epsilon < 1e-5 else 2


def allowed_entries(J: Array, E: Array, g: Array, changed: Array, natural: float, epsilon: float) -> Array:
    """For every entry of an argument and one cotangent.

    changed    what rounding the arguments anew changes
    natural    the largest |y[j]*g[j]| over the size of x
    """
    size = rounding(epsilon)
    weight = np.abs(g)
    sums = weight @ np.abs(J)
    largest = max(float(sums.max(initial=0.0)), natural)
    allowed: Array = 8 * (weight @ E) + _ROUNDING[size] * sums + _FLOOR[size] * largest + 16 * changed
    return allowed


def allowed_along(error: Array, g: Array, parts: Array, changed: float, natural: float, epsilon: float) -> float:
    """For the sum <v, dx> along one direction; `parts` are v[i]*dx[i]. Independent errors add in squares."""
    size = rounding(epsilon)
    spread = float(np.sqrt(np.sum((error * g) ** 2)) + np.sqrt(np.sum(parts**2)) * _ROUNDING[size])
    return 8 * (spread + _FLOOR[size] * natural) + 16 * changed
