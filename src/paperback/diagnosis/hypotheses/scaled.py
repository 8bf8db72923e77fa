"""Right but for a factor of each output, or of each entry: the derivative of the last function, or the first, is wrong.

    y = f(z), z = x@w,  dx = (g*r) @ w.T       B[j,i] = c[j]*J[j,i],   c = r/f' at output j
    y = f(x)@w,         dx = (g @ w.T)*r       B[j,i] = J[j,i]*c[i],   c = r/f' at entry i

Where f may be a tanh or a sigmoid, r = c*f' is looked for among what people write for their derivatives.
"""

from __future__ import annotations

__all__ = ["other_scales", "scaled"]

import re
from collections.abc import Iterator

import numpy as np

from paperback.diagnosis.arrays import Array
from paperback.diagnosis.evidence import Evidence, Reading
from paperback.diagnosis.hypotheses.values import derivatives

Function = tuple[str, Array, Array, Array]  # its derivative in words; its argument, its values, its derivative
_ALSO = ("wrong-derivative", "mask-missing")
_LEAST = 2  # numbers beside which a factor is no coincidence


def scaled(evidence: Evidence) -> Iterator[Reading]:
    """With a name for what stands in the place of the derivative."""
    for which, c, functions in _both(evidence):
        told = _named(which, c, functions)
        if told is not None:
            slug, words, cost = told
            yield _reading(evidence, which, c, slug, words, cost)


def other_scales(evidence: Evidence) -> Iterator[Reading]:
    """Without one. Factors that are the same for every item go by the place alone: counts, not a derivative."""
    for which, c, _ in _both(evidence):
        known = c[np.isfinite(c)]
        where, shape = ("output", evidence.y.shape) if which == "last" else ("entry", evidence.shape)
        told = f"multiplied by another number for each {where}, {known.min():.3g} to {known.max():.3g}"
        if len(c.reshape(shape)) > 1 and np.nanmax(np.ptp(c.reshape(shape), 0)) <= 1e-6:
            words = f"{told}, the same for every item, as where counts differ at borders"
            yield _reading(evidence, which, c, "unequal-parts", words, 2.6, ("branch", "overlap-averaged"))
        else:
            words = f"{told}, as with a wrong derivative of the {which} function"
            yield _reading(evidence, which, c, "wrong-derivative", words, 2.6)


def _both(evidence: Evidence) -> Iterator[tuple[str, Array, Iterator[Function]]]:
    """("last" or "first", the factors where they are not all equal, functions that may be there)."""
    B, J = evidence.B, evidence.J
    if B is None or len(evidence.outputs) != 1 or min(J.shape) < 2 or evidence.diagonal is not None:
        return
    x, y = evidence.x.ravel().astype(np.float64), evidence.y.ravel().astype(np.float64)
    for which, c, functions in (
        ("last", _factors(B, J), _by_result(y)),
        ("first", _factors(B.T, J.T), _by_argument(x)),
    ):
        if c is not None and np.ptp(c[np.isfinite(c)]) > 1e-6:
            yield which, c, functions


def _reading(
    evidence: Evidence, which: str, c: Array, slug: str, words: str, cost: float, also: tuple[str, ...] = _ALSO
) -> Reading:
    weights = np.where(np.isfinite(c), c, 1)
    predicted = evidence.g @ (weights[:, None] * evidence.J if which == "last" else evidence.J * weights)
    return Reading(slug, words, predicted, cost, also, scaled=False)


def _named(which: str, c: Array, functions: Iterator[Function]) -> tuple[str, str, float] | None:
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
    return None


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
