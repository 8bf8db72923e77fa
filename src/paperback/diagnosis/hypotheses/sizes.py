"""Constant factors, and what they are called: 2, -1, B, 1/B, H*W, N/(N-1) ..."""

from __future__ import annotations

__all__ = ["Named", "name_factor", "unequal_parts"]

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from paperback.diagnosis.evidence import Evidence, Reading
from paperback.diagnosis.hypotheses.change import named_axes, subsets


@dataclass(frozen=True)
class Named:
    """A factor with its pattern and its name."""

    slug: str
    words: str
    cost: float
    also: tuple[str, ...] = ()


def name_factor(factor: float, evidence: Evidence, tolerance: float = 1e-4) -> Named:
    """What a factor is: a sign, the size of axes, or a simple number."""

    def close(value: float) -> bool:
        return abs(factor - value) <= tolerance * abs(value)

    if close(-1.0):
        return Named("sign", "multiplied by -1", 0.9)
    counts = dict(_counts(evidence))
    also = ("missing-mean",) if 2 in counts and close(2) else ("doubled-mean",) if 2 in counts and close(0.5) else ()
    for simple, told in ((2.0, "2"), (0.5, "1/2"), (-2.0, "-2"), (-0.5, "-1/2")):
        if close(simple):
            return Named(
                "factor", f"{told} times the true one", 1.0 + 0.1 * (simple < 0), also if simple > 0 else ("sign",)
            )
    for size, what in counts.items():
        also = ("factor",)
        if size == 2:
            continue
        if close(size):
            return Named("missing-mean", f"{size} times too large: {what}", 1.0, also)
        if close(1 / size):
            return Named("doubled-mean", f"divided by {size}: {what}", 1.0, also)
        if close(-size) or close(-1 / size):
            told = f"-{size} times" if close(-size) else f"-1/{size} times"
            return Named(
                "missing-mean" if close(-size) else "doubled-mean", f"{told} the true one: {what}", 1.4, ("sign", *also)
            )
        if close(1 / size**2):
            return Named("doubled-mean", f"divided by {size}^2: {what}", 1.2, also)
        if close(math.sqrt(size)) or close(1 / math.sqrt(size)):
            told = "sqrt" if factor > 1 else "1/sqrt"
            return Named("factor", f"{told}({size}) times the true one: {what}", 1.2)
        if close((size - 1) / size) or close(size / (size - 1)):
            told = f"{size - 1}/{size}" if factor < 1 else f"{size}/{size - 1}"
            return Named(
                "factor",
                f"{told} times the true one, as with Bessel's correction: {what}",
                1.3,
                ("missing-mean", "doubled-mean"),
            )
    for one in counts:
        for other in counts:
            if one != other and close(one / other):
                return Named(
                    "doubled-mean" if factor < 1 else "missing-mean",
                    f"{one}/{other} times the true one: {counts[other]}, in place of {counts[one]}",
                    1.3,
                    ("factor", "missing-mean", "doubled-mean"),
                )
    for top in range(1, 13):
        for bottom in range(1, 13):
            for sign in (1, -1):
                if close(sign * top / bottom):
                    told = f"{sign * top}" if bottom == 1 else f"{sign * top}/{bottom}"
                    more = () if sign > 0 else ("sign",)
                    return Named("factor", f"{told} times the true one", 1.0 + 0.02 * (top + bottom), more)
    return Named("factor", f"{factor:.6g} times the true one", 1.6, () if factor > 0 else ("sign",))


def _counts(evidence: Evidence) -> Iterator[tuple[int, str]]:
    """Numbers of elements that a mean may be over: of axes and products of axes of outputs and arguments."""
    seen = set()
    sources = [("the output", evidence.y.shape), (evidence.name, evidence.shape)]
    sources += [(name, array.shape) for name, array in evidence.arrays.items() if name != evidence.name]
    for most in (1, 2, 3, 4):
        for name, shape in sources:
            for axes in subsets(len(shape)):
                size = math.prod(shape[a] for a in axes)
                if len(axes) == most and size > 1 and size not in seen:
                    seen.add(size)
                    whole = len(axes) == len(shape) and len(axes) > 1
                    batch = len(shape) > 1 and axes == (0,)
                    words = "the size of" if whole else "the batch," if batch else "the extent of"
                    yield size, f"{words} {name}" if whole else f"{words} {named_axes(axes)} of {name}"


def unequal_parts(evidence: Evidence) -> Iterator[Reading]:
    """Another factor at each index of an axis: of the result, or of the upstream gradient."""
    for axis, size in enumerate(evidence.shape):
        if 1 < size < evidence.x.size or (len(evidence.shape) == 1 and len(evidence.g) > 1 and size > 1):
            ratio = _ratios(evidence, axis)
            if ratio is not None and _few(ratio):
                t = evidence.folded(evidence.true)
                shape = [1] * t.ndim
                shape[axis + 1] = size
                told = ", ".join(f"{r:.4g}" for r in ratio[:6]) + (", ..." if size > 6 else "")
                yield Reading(
                    "unequal-parts",
                    f"multiplied by another factor at each index of axis {axis}: {told}",
                    (t * ratio.reshape(shape)).reshape(evidence.true.shape),
                    2.0 + 0.1 * min(size, 8),
                    scaled=False,
                )


def _ratios(evidence: Evidence, axis: int) -> np.ndarray | None:
    size = evidence.shape[axis]
    r = np.moveaxis(np.where(evidence.valid, evidence.returned, 0).reshape(-1, *evidence.shape), axis + 1, 0)
    t = np.moveaxis(np.where(evidence.valid, evidence.true, 0).reshape(-1, *evidence.shape), axis + 1, 0)
    r, t = r.reshape(size, -1), t.reshape(size, -1)
    norm = (t * t).sum(1)
    if r.shape[1] < 2 or (norm <= 0).all():
        return None
    return np.where(norm > 0, (r * t).sum(1) / np.where(norm > 0, norm, 1), 1.0)


def _few(ratio: np.ndarray) -> bool:
    return bool(np.isfinite(ratio).all() and np.ptp(ratio) > 1e-6)
