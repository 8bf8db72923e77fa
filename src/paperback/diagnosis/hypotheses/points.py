"""The right formula at the wrong values: another argument flipped, transposed or left out, y in place of x, an old x.

A backward that reads a kernel without reversing it computes the true gradient of a forward with another kernel. So the
true Jacobian is asked for with one argument changed.
"""

from __future__ import annotations

__all__ = ["points"]

from collections.abc import Iterator

import numpy as np

from paperback.diagnosis.arrays import Array
from paperback.diagnosis.evidence import Evidence, Reading
from paperback.diagnosis.hypotheses.change import axis_changes

_MOST = 60  # changed points that are tried


def points(evidence: Evidence) -> Iterator[Reading]:
    if not evidence.linear:
        return
    for count, (slug, words, changed, cost, also) in enumerate(_changed(evidence)):
        if count >= _MOST:
            return
        J = evidence.jacobian_at(changed) if evidence.may_be(changed) else None
        if J is not None and J.shape == evidence.J.shape and np.isfinite(J).all():
            yield Reading(slug, words, evidence.g @ J, cost, also)


def _changed(evidence: Evidence) -> Iterator[tuple[str, str, dict[str, Array], float, tuple[str, ...]]]:
    own = evidence.name
    if evidence.earlier is not None:
        yield "stale-saved", "that of the arguments of an earlier call", evidence.earlier, 1.2, ("wrong-saved",)
        for name, old in evidence.earlier.items():
            if len(evidence.earlier) > 1:
                yield "stale-saved", f"computed with {name} of an earlier call", {name: old}, 1.4, ("wrong-saved",)
    reals = {name: a for name, a in evidence.arrays.items() if a.dtype.kind == "f"}
    if len(evidence.outputs) == 1:
        y = evidence.y.astype(np.float64)
        for name, array in reals.items():
            if y.shape == array.shape and array.size > 1:
                words = "the output in place of " + name
                yield "wrong-saved", f"computed with {words}", {name: y}, 1.5, ("wrong-derivative", "stale-saved")
    for name, array in reals.items():
        for other, values in reals.items():
            if other != name and values.shape == array.shape and array.size > 1:
                yield (
                    "wrong-saved",
                    f"computed with {other} in place of {name}",
                    {name: values.copy()},
                    1.6,
                    ("swapped-arguments",),
                )
    for name, array in reals.items():
        if name == own and len(reals) > 1 and array.ndim < 2:
            continue
        for change in axis_changes(array.shape):
            if change.slug == "shifted" or "reshaped" in change.words or " read as " in change.words:
                continue
            moved = np.ascontiguousarray(change.apply(array[None])[0])
            if not np.array_equal(moved, array):
                yield (
                    change.slug,
                    f"computed with {name} {change.words}",
                    {name: moved},
                    1.5 + change.cost / 10,
                    ("argument-transformed",),
                )
    for name, array in reals.items():
        for words, moved in (
            ("ones", np.ones_like(array)),
            ("zeros", np.zeros_like(array)),
            ("negated", -array),
            ("squared", array * array),
            ("taken without its sign", np.abs(array)),
        ):
            if np.isfinite(moved).all():
                verb = "replaced by" if words in ("ones", "zeros") else ""
                yield (
                    "missing-term" if verb else "argument-transformed",
                    f"computed with {name} {verb} {words}".replace("  ", " "),
                    {name: moved},
                    1.9,
                    ("missing-term", "wrong-saved"),
                )
    for name, array in evidence.arrays.items():
        if array.dtype.kind in "iu" and array.size:
            for axis in range(array.ndim):
                moved = np.flip(array, axis).copy()
                yield "argument-transformed", f"computed with {name} reversed along axis {axis}", {name: moved}, 1.9, ()
            for by in (1, -1):
                yield (
                    "shifted",
                    f"computed with {name} shifted by {by:+d}",
                    {name: (array + by) % (int(array.max()) + 1)},
                    1.8,
                    ("argument-transformed",),
                )
