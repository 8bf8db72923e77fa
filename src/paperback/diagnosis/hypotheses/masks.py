"""Masks: let through where the forward blocks, blocked where it lets through, the wrong side."""

from __future__ import annotations

__all__ = ["masks", "piecewise"]

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from paperback.diagnosis.arrays import Array
from paperback.diagnosis.evidence import Evidence, Reading
from paperback.diagnosis.hypotheses.sizes import name_factor

_COLUMNS, _ORDERS = 24, 20  # entries and rearrangements by which it is seen what the numbers decide


def masks(evidence: Evidence) -> Iterator[Reading]:
    yield from _turned_round(evidence)
    yield from _blocked(evidence)


def _turned_round(evidence: Evidence) -> Iterator[Reading]:
    """The true gradient with a mask that is an argument, of zeros and ones, turned round: cheap, as it foretells."""
    for name, array in evidence.arrays.items():
        if name != evidence.name and set(np.unique(array)) == {0, 1}:
            changed = {name: 1 - array.astype(np.int8)}
            J = evidence.jacobian_at(changed) if evidence.may_be(changed) else None
            if J is not None:
                yield Reading("mask-wrong-side", f"let through exactly where {name} blocks it", evidence.g @ J, 0.15)


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
        )
        yield Reading(
            "mask-wrong-side",
            "let through exactly where the forward blocks it",
            evidence.g * np.where(blocked, high, low),
            1.0,
        )
        for name, values in (*evidence.arrays.items(), ("the output", evidence.y)):
            mask = values.ravel() > 0
            if mask.size == d.size and (mask == blocked).any() and (mask != blocked).any():
                yield Reading(
                    "wrong-saved",
                    f"blocked where {name} is not above 0, which is not where the forward blocks it",
                    evidence.g * np.where(mask, high, low),
                    1.3,
                    ("stale-saved", "mask-missing"),
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
    """By the Jacobian that the backward stands for: other numbers exactly where the true one is 0 here."""
    B, J = evidence.B, evidence.J
    if B is None:
        return
    size = np.abs(J).max(initial=0.0)
    small = 1e-7 * size + 3 * evidence.allowed.max(initial=0.0) / max(1.0, float(np.abs(evidence.g).max(initial=1.0)))
    zero = np.abs(J) <= small
    c = _common_factor(B, J, zero)
    differs = np.abs(B - c * J) > np.maximum(small, 1e-5 * np.abs(J))
    if not differs.any() or not zero.any():
        return
    tell = _Teller(evidence, c)
    rows, columns = zero.all(1)[:, None] & np.ones_like(zero), zero.all(0)[None, :] & np.ones_like(zero)
    for told, where in (("outputs", rows), ("entries", columns)):
        if where.any() and not where.all():
            if not (differs & ~where).any():
                yield tell.that("mask-missing", f"let through at {told} that the forward blocks", 1.2)
            elif (np.abs(B[~where]) <= small).all() and (np.abs(B[where]) > small).any():
                yield tell.that(
                    "mask-wrong-side", f"let through at {told} that the forward blocks, and nowhere else", 1.2
                )
    if not rows.all() and not (differs & ~zero).any() and _data_decides(evidence, zero, differs):
        yield tell.that("mask-missing", "let through where the forward blocks it at these arguments", 1.6)
    lost = differs & (np.abs(B) <= small)
    if (lost == differs).all() and (differs & ~zero).any():
        x, y = evidence.x.ravel(), evidence.y.ravel()
        for words, mask in _signs(x, y, J.shape, len(evidence.outputs) == 1):
            if (lost == (mask & ~zero)).all():
                yield tell.that("mask-extra", f"blocked {words}, where the forward lets it through", 1.3)


def _common_factor(B: Array, J: Array, zero: Array) -> float:
    """The factor of nearly all entries that are not 0; 1 where there is none."""
    with np.errstate(all="ignore"):
        ratio = (B / J)[~zero]
    if not ratio.size:
        return 1.0
    c = float(np.median(ratio))
    same = np.abs(ratio - c) <= 1e-5 * abs(c)
    return c if abs(c) > 1e-6 and same.mean() > 0.9 else 1.0


@dataclass(frozen=True)
class _Teller:
    """What was returned is explained by where it differs: the prediction is the backward's own Jacobian."""

    evidence: Evidence
    factor: float

    def that(self, slug: str, words: str, cost: float) -> Reading:
        assert self.evidence.B is not None
        also: tuple[str, ...] = ()
        if abs(self.factor - 1) > 1e-5:
            named = name_factor(self.factor, self.evidence)
            words, cost, also = f"{words}, and {named.words}", cost + named.cost, (named.slug,)
        return Reading(slug, words, self.evidence.g @ self.evidence.B, cost, also, scaled=False)


def _signs(x: Array, y: Array, shape: tuple[int, int], one: bool) -> Iterator[tuple[str, Array]]:
    yes = np.ones(shape, dtype=bool)
    for name, values, axis in (("the argument", x, 0), ("the output", y, 1)):
        if axis == 1 and not one:
            continue
        for word, mask in ((">", values > 0), ("<", values < 0)):
            if mask.any() and not mask.all():
                yield f"where {name} is {word} 0", (mask[None, :] if axis == 0 else mask[:, None]) & yes


def _data_decides(evidence: Evidence, zero: Array, differs: Array) -> bool:
    """Is the Jacobian other than 0 there at other arguments, the same numbers in another order?"""
    random = np.random.default_rng(0)
    columns = random.permutation(np.flatnonzero(differs.any(0)))[:_COLUMNS]
    alive = np.zeros((len(zero), len(columns)), dtype=bool)
    for _ in range(_ORDERS):
        moved = random.permutation(evidence.x.ravel()).reshape(evidence.shape)
        there = evidence.columns_at({evidence.name: moved}, [int(i) for i in columns])
        if there is not None and there.shape == alive.shape:
            alive |= np.abs(there) > 1e-7 * np.abs(there).max(initial=0.0)
    return bool(alive[differs[:, columns]].mean() > 0.6)
