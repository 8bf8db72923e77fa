"""Right but for a place: a mask of entries, of outputs or of upstream entries within which another factor holds."""

from __future__ import annotations

__all__ = ["few", "places", "where_wrong"]

from collections.abc import Iterator

import numpy as np

from paperback.diagnosis.arrays import Array
from paperback.diagnosis.evidence import Evidence, Reading
from paperback.diagnosis.hypotheses.change import place_changes

_AT_ONCE = 16  # masks that are multiplied by the Jacobian together


def places(evidence: Evidence) -> Iterator[Reading]:
    """returned = true outside a place and c times it inside; the place is in the argument or in the output."""
    for slug, words, mask in _places_of_argument(evidence):
        part = np.where(mask.ravel(), evidence.true, 0)
        yield from _partial(evidence, slug, f"{words} of {evidence.name}", part)
    inside = list(_masked_upstream(evidence))
    rows = len(evidence.g)
    for first in range(0, len(inside), _AT_ONCE):
        some = inside[first : first + _AT_ONCE]
        parts = evidence.back(np.concatenate([np.where(mask, evidence.g, 0) for _, _, mask in some]))
        for k, (slug, words, _) in enumerate(some):
            yield from _partial(evidence, slug, words, parts[k * rows : (k + 1) * rows])


def _masked_upstream(evidence: Evidence) -> Iterator[tuple[str, str, Array]]:
    """Places in the outputs, as masks of all that is upstream."""
    start = 0
    for k, y in enumerate(evidence.outputs):
        of = "the output" if len(evidence.outputs) == 1 else f"output {k}"
        for slug, words, mask in _places_of_output(evidence, y):
            whole = np.zeros(evidence.g.shape[1], dtype=bool)
            whole[start : start + y.size] = mask.ravel()
            yield slug, f"{words} of {of}", whole
        start += y.size


def few(evidence: Evidence) -> Iterator[Reading]:
    """A few wrong entries, without a rule."""
    bad = np.flatnonzero(evidence.bad)
    if 0 < len(bad) <= 4 and evidence.x.size >= 6 * len(bad):
        listed = ", ".join(
            f"[{','.join(str(int(i)) for i in np.unravel_index(place, evidence.shape))}]" for place in bad
        )
        what = "one entry" if len(bad) == 1 else f"{len(bad)} entries"
        yield Reading(
            "one-entry",
            f"wrong in {what} of {evidence.x.size:,}: {listed}",
            np.where(evidence.bad, evidence.returned, evidence.true),
            2.4 + 0.1 * len(bad),
            ("branch",),
            scaled=False,
        )


def _partial(evidence: Evidence, slug: str, words: str, part: Array) -> Iterator[Reading]:
    """a*(true - part) + b*part: the factors outside and inside that suit best."""
    p, rest = part[evidence.valid], (evidence.true - part)[evidence.valid]
    r = evidence.returned[evidence.valid]
    least = 1e-24 * evidence.scale**2
    if p @ p <= least or rest @ rest <= least or not np.isfinite(r).all():
        return
    cross = float(p @ rest)
    det = float(p @ p) * float(rest @ rest) - cross**2
    if det <= 1e-9 * float(p @ p) * float(rest @ rest):
        return
    inside = (float(r @ p) * float(rest @ rest) - float(r @ rest) * cross) / det
    outside = (float(r @ rest) * float(p @ p) - float(r @ p) * cross) / det
    if abs(inside - outside) < 1e-6:
        return
    if abs(outside - 1) < 1e-6:
        inside, outside = 1 + float((r - rest - p) @ p) / float(p @ p), 1.0
    inside, outside = (0.0 if abs(c) < 1e-6 else c for c in (inside, outside))
    if slug == "values":
        slug = "mask-extra" if inside == 0 else "branch"
    also = _named(inside) if outside == 1 else (*_named(outside), *_named(inside))
    simple = sum(0.0 if min(abs(c - v) for v in (0, 1, -1, 2, 0.5)) < 1e-6 else 0.2 for c in (inside, outside))
    cost = 1.6 + simple + (outside != 1) * (1.5 if outside == 0 else 0.8)
    told = f"{_told(inside)} {words}, and {'right' if outside == 1 else _told(outside)} elsewhere"
    yield Reading(slug, told, outside * (evidence.true - part) + inside * part, cost, also, scaled=False)


def _told(c: float) -> str:
    return "zero" if c == 0 else "of the opposite sign" if abs(c + 1) < 1e-6 else f"{c:.4g} times the true one"


def _named(c: float) -> tuple[str, ...]:
    return ("mask-extra", "zero") if c == 0 else ("sign",) if abs(c + 1) < 1e-6 else ("factor",)


def _places_of_argument(evidence: Evidence) -> Iterator[tuple[str, str, Array]]:
    yield from place_changes(evidence.shape)
    yield from _by_value(evidence, evidence.shape)


def _places_of_output(evidence: Evidence, y: Array) -> Iterator[tuple[str, str, Array]]:
    yield from place_changes(y.shape)
    yield from _by_value(evidence, y.shape)


def _by_value(evidence: Evidence, shape: tuple[int, ...]) -> Iterator[tuple[str, str, Array]]:
    """Where an array of this shape is above or below 0, or far from it."""
    named = [(name, array) for name, array in evidence.arrays.items()]
    named += [("output" if len(evidence.outputs) == 1 else f"output {k}", y) for k, y in enumerate(evidence.outputs)]
    for name, array in named:
        if array.shape != shape or array.dtype.kind not in "fiu" or not array.size:
            continue
        for word, mask in (
            ("> 0", array > 0),
            ("< 0", array < 0),
            ("== 0", array == 0),
            ("above 1", array > 1),
            ("below -1", array < -1),
            ("beyond 1 in size", np.abs(array) > 1),
            ("within 1 in size", np.abs(array) <= 1),
            ("largest", array == array.max()),
            ("smallest", array == array.min()),
        ):
            if mask.any() and not mask.all():
                yield "values", f"where {name} is {word}, entries", mask
        if array.dtype.kind in "iu":
            for value in np.unique(array)[:12]:
                yield "values", f"where {name} is {value}, entries", array == value
    for name, array in named:
        if array.dtype.kind in "iu":
            for axis, size in enumerate(shape):
                if array.shape == (*shape[:axis], *shape[axis + 1 :]):
                    index = np.arange(size).reshape([-1 if a == axis else 1 for a in range(len(shape))])
                    yield (
                        "values",
                        f"where the index of axis {axis} is not {name}, entries",
                        np.expand_dims(array, axis) != index,
                    )
        if array.shape != shape and array.dtype.kind == "b" and array.shape == shape[: array.ndim]:
            yield (
                "values",
                f"where {name} holds, entries",
                np.broadcast_to(array.reshape(array.shape + (1,) * (len(shape) - array.ndim)), shape),
            )


def where_wrong(evidence: Evidence) -> str:
    """In words: which entries are wrong."""
    bad = evidence.bad
    count, size = int(bad.sum()), bad.size
    told = f"{count:,} of {size:,} entries are wrong"
    if count == size:
        return "all entries are wrong" if size > 1 else ""
    folded = bad.reshape(evidence.shape)
    for _, words, mask in _places_of_argument(evidence):
        if (folded == mask).all():
            return f"{told}: those {words}"
    for _, words, mask in _places_of_argument(evidence):
        if not (folded & ~mask).any() and count:
            return f"{told}, all of them {words}"
    places = np.argwhere(folded)[:3]
    listed = ", ".join(f"[{','.join(map(str, place))}]" for place in places)
    return f"{told}: {listed}{', ...' if count > 3 else ''}"
