"""A gradient of the wrong shape, explained: not summed, transposed, another argument's, or right but for the shape."""

from __future__ import annotations

__all__ = ["explain_shape"]

from itertools import permutations
from typing import TYPE_CHECKING

import numpy as np

from paperback.diagnosis.arrays import Array
from paperback.diagnosis.hypotheses.change import named_axes, subsets
from paperback.diagnosis.report import Finding
from paperback.diagnosis.subject import Complaint

if TYPE_CHECKING:
    from paperback.diagnosis.examination import Examination


def explain_shape(examination: Examination, complaint: Complaint, place: int, g: Array) -> Finding:
    """The complaint as a finding; with the pattern that explains it where one does."""
    name, came = complaint.argument, complaint.came
    plain = Finding(complaint.slug, name, complaint.sentence)
    if came is None or came.dtype.kind not in "fiu" or not examination.is_small():
        return plain
    true = _true(examination, place, g)
    came = came.astype(np.float64)
    if complaint.argument is None or not np.isfinite(came).all():
        return plain
    if _equal(came, true) and tuple(n for n in came.shape if n > 1) == tuple(n for n in true.shape if n > 1):
        fix = f"reshape it to {true.shape}"
        return Finding("wrong-shape", name, f"{complaint.sentence}; its numbers are right", hint=fix)
    for axes in subsets(came.ndim):
        if _equal(came.sum(axes), true):
            return Finding(
                "broadcast-not-summed",
                name,
                f"{complaint.sentence}: it is not summed over {named_axes(axes)}",
                also=("wrong-shape",),
            )
    for order in permutations(range(came.ndim)) if came.ndim <= 5 else ():
        if order != tuple(range(came.ndim)) and _equal(came.transpose(order), true, same_shape=True):
            return Finding("axes-swapped", name, f"{complaint.sentence}: it is transposed", also=("wrong-shape",))
    parts = _parts(examination, place, g)
    for axes in subsets(parts.ndim):
        if came.size > 1 and _equal(came, parts.sum(axes), same_shape=True):
            told = f"it is summed over {named_axes(axes)} of the output"
            return Finding("wrong-axis-sum", name, f"{complaint.sentence}: {told}", also=("wrong-shape",))
    for axes in subsets(true.ndim):
        if came.size > 1 and _equal(came, true.sum(axes)):
            return Finding(
                "wrong-axis-sum",
                name,
                f"{complaint.sentence}: it is summed over {named_axes(axes)}, where the forward broadcasts nothing",
                also=("wrong-shape",),
            )
    if _equal(came, true):
        return Finding(
            "wrong-shape", name, f"{complaint.sentence}; its numbers are right", hint=f"reshape it to {true.shape}"
        )
    for other in examination.subject.reals:
        if other != place and examination.subject.arguments[other].array is not None:
            theirs = _true(examination, other, g)
            if _equal(came, theirs, same_shape=True):
                other_name = examination.subject.arguments[other].name
                return Finding(
                    "swapped-arguments",
                    name,
                    f"{complaint.sentence}: it is the gradient of {other_name}",
                    also=("wrong-shape",),
                    detail=f"the gradient of {other_name}",
                )
    return plain


def _true(examination: Examination, place: int, g: Array) -> Array:
    flat: Array = g @ examination.truth.columns(place).J
    return flat.reshape(examination.subject.arguments[place].shape)


def _parts(examination: Examination, place: int, g: Array) -> Array:
    """What every output adds, where each reads one entry, as of a bias; a number where one reads more."""
    J = examination.truth.columns(place).J
    outputs = [part for part in examination.subject.outputs(examination.main) if part.dtype.kind == "f"]
    if len(outputs) != 1 or ((np.abs(J) > 0).sum(1) > 1).any():
        return np.zeros(())
    parts: Array = (g * J.sum(1)).reshape(outputs[0].shape)
    return parts


def _equal(one: Array, other: Array, same_shape: bool = False) -> bool:
    if one.size != other.size or (same_shape and one.shape != other.shape):
        return False
    size = float(np.abs(other).max(initial=0.0))
    return bool(np.abs(one.ravel() - other.ravel()).max(initial=0.0) <= 1e-5 * size)
