"""Right but for a factor of each output, or of each entry: the derivative of the last function, or the first, is wrong.

    y = f(z), z = x@w,  dx = (g*r) @ w.T       B[j,i] = c[j]*J[j,i],   c = r/f' at output j
    y = f(x)@w,         dx = (g @ w.T)*r       B[j,i] = J[j,i]*c[i],   c = r/f' at entry i

Where f may be a tanh or a sigmoid, r = c*f' is looked for among what people write for their derivatives.
"""

from __future__ import annotations

__all__ = ["scaled"]

import re
from collections.abc import Iterator

import numpy as np

from paperback.diagnosis.arrays import Array
from paperback.diagnosis.evidence import Evidence, Reading
from paperback.diagnosis.hypotheses.values import derivatives

Function = tuple[str, Array, Array, Array]  # its derivative in words; its argument, its values, its derivative
_LEAST = 2  # numbers beside which a factor is no coincidence


def scaled(evidence: Evidence) -> Iterator[Reading]:
    B, J = evidence.B, evidence.J
    if B is None or len(evidence.outputs) != 1 or min(J.shape) < 2 or evidence.diagonal is not None:
        return
    x, y = evidence.x.ravel().astype(np.float64), evidence.y.ravel().astype(np.float64)
    for which, where, c, functions in (
        ("last", "output", _factors(B, J), _by_result(y)),
        ("first", "entry", _factors(B.T, J.T), _by_argument(x)),
    ):
        if c is None or np.ptp(c[np.isfinite(c)]) <= 1e-6:
            continue
        slug, words, cost = _told(which, where, c, functions)
        weights = np.where(np.isfinite(c), c, 1)
        predicted = evidence.g @ (weights[:, None] * J if which == "last" else J * weights)
        yield Reading(slug, words, predicted, cost, ("wrong-derivative", "mask-missing"), scaled=False)


def _told(which: str, where: str, c: Array, functions: Iterator[Function]) -> tuple[str, str, float]:
    """(pattern, words, cost) of the factors c of every output or entry."""
    known = np.isfinite(c)
    for right, z, values, d in functions:
        r = (c * d)[known]
        if np.allclose(r, 1, rtol=1e-5):
            return "local-derivative-missing", f"without the derivative of the {which} function, {right}", 1.8
        for name, wrong in derivatives(z, values, d):
            if np.allclose(wrong[known], r, rtol=1e-5):
                own = re.sub(r"\bx\b", "z", name) if which == "last" else name
                words = f"computed with {own} for the derivative of the {which} function, {right}"
                return "wrong-derivative", words, 2.6
    told = f"multiplied by another number for each {where}, {c[known].min():.3g} to {c[known].max():.3g}"
    return "wrong-derivative", f"{told}, as with a wrong derivative of the {which} function", 2.6


def _factors(B: Array, J: Array) -> Array | None:
    """The factor of every row; NaN for a row of zeros. None where rows are no multiples, or have single numbers."""
    norm = (J * J).sum(1)
    live = norm > 1e-14 * norm.max(initial=0.0)
    if ((np.abs(J) > 1e-7 * np.abs(J).max(initial=0.0)).sum(1)[live] < _LEAST).all():
        return None
    c = (B * J).sum(1) / np.where(live, norm, 1)
    rest = np.abs(B - c[:, None] * J).max(initial=0.0)
    return np.where(live, c, np.nan) if rest <= 1e-6 * np.abs(B).max(initial=0.0) else None


def _by_result(y: Array) -> Iterator[Function]:
    """Functions that may have given these values."""
    if np.abs(y).max() < 1:
        yield "1 - y^2", np.arctanh(y), y, 1 - y * y
    if y.min() > 0 and y.max() < 1:
        yield "y*(1 - y)", np.log(y / (1 - y)), y, y * (1 - y)


def _by_argument(x: Array) -> Iterator[Function]:
    """Functions that may be taken of these."""
    for values, told in ((np.tanh(x), "1 - tanh(x)^2"), (1 / (1 + np.exp(-np.clip(x, -300, 300))), "sigmoid'(x)")):
        d = 1 - values**2 if told.startswith("1") else values * (1 - values)
        yield told, x, values, d
