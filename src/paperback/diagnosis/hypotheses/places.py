"""Right but for a place: a mask of entries, of outputs or of upstream entries within which another factor holds."""

from __future__ import annotations

__all__ = ["few", "places", "where_wrong"]

from collections.abc import Iterator

import numpy as np

from paperback.diagnosis.arrays import Array
from paperback.diagnosis.evidence import Evidence, Reading
from paperback.diagnosis.hypotheses.change import place_changes


def places(evidence: Evidence) -> Iterator[Reading]:
    """returned = true outside a place and c times it inside; the place is in the argument or in the output."""
    for slug, words, mask in _places_of_argument(evidence):
        inside = mask.ravel()
        part = np.where(inside, evidence.true, 0)
        yield from _partial(evidence, slug, f"{words} of {evidence.name}", part)
    start = 0
    for k, y in enumerate(evidence.outputs):
        of = "the output" if len(evidence.outputs) == 1 else f"output {k}"
        for slug, words, mask in _places_of_output(evidence, y):
            whole = np.zeros(evidence.g.shape[1], dtype=bool)
            whole[start : start + y.size] = mask.ravel()
            part = evidence.back(np.where(whole, evidence.g, 0))
            yield from _partial(evidence, slug, f"{words} of {of}", part)
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
    """true + (c-1)*part: the c that suits best, one fit."""
    p = part[evidence.valid]
    apart = (evidence.returned - evidence.true)[evidence.valid]
    norm = float(p @ p)
    if norm <= 1e-24 * evidence.scale**2 or not np.isfinite(apart).all():
        return
    c = 1 + float(apart @ p) / norm
    if abs(c - 1) < 1e-6:
        return
    if abs(c) < 1e-6:
        c = 0.0
    told = "zero" if c == 0 else "of the opposite sign" if abs(c + 1) < 1e-6 else f"{c:.4g} times the true one"
    also = ("mask-extra", "zero") if c == 0 else ("sign",) if abs(c + 1) < 1e-6 else ("factor",)
    simple = 0.0 if min(abs(c - v) for v in (0, -1, 2, 0.5)) < 1e-6 else 0.2
    if c == 0 and slug == "values":
        slug = "mask-extra"
    elif slug == "values":
        slug = "branch"
    yield Reading(
        slug, f"{told} {words}, and right elsewhere", evidence.true + (c - 1) * part, 1.6 + simple, also, scaled=False
    )


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
