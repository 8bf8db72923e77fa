"""Masks: let through where the forward blocks, blocked where it lets through, the wrong side."""

from __future__ import annotations

__all__ = ["masks", "piecewise"]

from collections.abc import Iterator

import numpy as np

from paperback.diagnosis.arrays import Array
from paperback.diagnosis.evidence import Evidence, Reading


def masks(evidence: Evidence) -> Iterator[Reading]:
    yield from _blocked(evidence)


def piecewise(evidence: Evidence) -> Iterator[Reading]:
    """Activations of two slopes, element by element: one slope everywhere, or the slopes exchanged."""
    d = evidence.diagonal
    if d is None:
        return
    slopes = np.unique(np.round(d, 7))
    if len(slopes) == 1 and abs(slopes[0]) > 0:
        return
    if len(slopes) == 2:
        low, high = slopes
        blocked = np.abs(d - low) < np.abs(d - high)
        yield Reading(
            "mask-missing",
            f"{high:.4g} times the upstream gradient everywhere: the mask is missing",
            high * evidence.g,
            1.0,
            ("local-derivative-missing",),
            scaled=False,
        )
        yield Reading(
            "mask-wrong-side",
            "let through exactly where the forward blocks it",
            evidence.g * np.where(blocked, high, low),
            1.0,
            scaled=False,
        )
        if low:
            yield Reading(
                "mask-extra",
                f"{low:.4g} times the upstream gradient everywhere",
                low * evidence.g,
                1.1,
                ("wrong-derivative",),
                scaled=False,
            )
            yield Reading(
                "mask-extra",
                "zero where the forward has its smaller slope",
                evidence.g * np.where(blocked, 0, high),
                1.1,
                ("wrong-derivative", "branch"),
                scaled=False,
            )
            yield Reading(
                "mask-missing",
                "blocked where the forward has its larger slope",
                evidence.g * np.where(blocked, low, 0),
                1.2,
                ("mask-extra", "wrong-derivative"),
                scaled=False,
            )
            yield Reading(
                "wrong-derivative",
                f"multiplied by {-low:.4g} where the forward has the slope {low:.4g}",
                evidence.g * np.where(blocked, -low, high),
                1.3,
                ("sign", "branch"),
                scaled=False,
            )
            yield Reading(
                "wrong-derivative",
                f"multiplied by {1 / low:.4g} where the forward has the slope {low:.4g}",
                evidence.g * np.where(blocked, 1 / low, high),
                1.4,
                ("branch",),
                scaled=False,
            )
            yield Reading(
                "wrong-derivative",
                f"multiplied by {high + low:.4g} where the forward has the slope {low:.4g}",
                evidence.g * np.where(blocked, high + low, high),
                1.5,
                ("branch", "mask-missing"),
                scaled=False,
            )
    # three slopes, as of a clip: a side of the mask missing
    for sign, side in ((1, "above"), (-1, "below")):
        zero = np.abs(d) < 1e-9
        x = evidence.x.ravel()
        part = zero & (sign * (x - np.median(x)) > 0)
        if zero.any() and part.any() and not (part == zero).all():
            high = d[~zero][0] if (~zero).any() else 1.0
            yield Reading(
                "mask-missing",
                f"let through {side} the range where the forward is flat",
                evidence.g * np.where(part, high, d),
                1.4,
                scaled=False,
            )


def _blocked(evidence: Evidence) -> Iterator[Reading]:
    """By the Jacobian that the backward stands for: other numbers exactly where the true one is 0 only here."""
    B, J = evidence.B, evidence.J
    if B is None:
        return
    size = np.abs(J).max(initial=0.0)
    small = 1e-7 * size + 3 * evidence.allowed.max(initial=0.0) / max(1.0, float(np.abs(evidence.g).max(initial=1.0)))
    zero, differs = np.abs(J) <= small, np.abs(B - J) > np.maximum(small, 1e-5 * np.abs(J))
    if not differs.any() or not zero.any():
        return
    dead = [("output", zero.all(1)[:, None] & np.ones_like(zero)), ("entry", zero.all(0)[None, :] & np.ones_like(zero))]
    for what, where in dead:
        if not where.any() or where.all():
            continue
        told = "outputs that the forward blocks" if what == "output" else "entries that the forward blocks"
        if not (differs & ~where).any() and (differs & where).any():
            yield _reading(evidence, "mask-missing", f"let through at {told}", 1.2)
        elif (np.abs(B[~where]) <= small).all() and (np.abs(B[where]) > small).any():
            yield _reading(evidence, "mask-wrong-side", f"let through at {told}, and nowhere else", 1.2)
    if not zero.all(1).all() and not (differs & ~zero).any() and _data_decides(evidence, zero, differs):
        yield _reading(evidence, "mask-missing", "let through where the forward blocks it at these arguments", 1.6)
    lost = differs & (np.abs(B) <= small)
    if (lost == differs).all() and (differs & ~zero).any():
        x, y = evidence.x.ravel(), evidence.y.ravel()
        for words, mask in _signs(x, y, J.shape, len(evidence.outputs) == 1):
            if (lost == (mask & ~zero)).all():
                yield _reading(evidence, "mask-extra", f"blocked {words}, where the forward lets it through", 1.3)


def _signs(x: Array, y: Array, shape: tuple[int, int], one: bool) -> Iterator[tuple[str, Array]]:
    yes = np.ones(shape, dtype=bool)
    for name, values, axis in (("the argument", x, 0), ("the output", y, 1)):
        if axis == 1 and not one:
            continue
        for word, mask in ((">", values > 0), ("<", values < 0)):
            if mask.any() and not mask.all():
                yield f"where {name} is {word} 0", (mask[None, :] if axis == 0 else mask[:, None]) & yes


def _data_decides(evidence: Evidence, zero: Array, differs: Array) -> bool:
    """Is the Jacobian other than 0 there at other arguments?"""
    if evidence.x.size > 400:
        return False
    alive = np.zeros_like(zero)
    for moved in (
        evidence.x[..., ::-1],
        -evidence.x,
        np.roll(evidence.x, 1),
        np.roll(evidence.x.ravel(), 2).reshape(evidence.shape),
    ):
        there = evidence.jacobian_at({evidence.name: np.ascontiguousarray(moved)})
        if there is not None and there.shape == zero.shape:
            alive |= np.abs(there) > 1e-7 * np.abs(there).max(initial=0.0)
    return bool(alive[differs].mean() > 0.6)


def _reading(evidence: Evidence, slug: str, words: str, cost: float) -> Reading:
    """What was returned is explained by where it differs: the prediction is the backward's own Jacobian."""
    assert evidence.B is not None
    return Reading(slug, words, evidence.g @ evidence.B, cost, scaled=False)
