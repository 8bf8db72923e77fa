"""Accumulation: contributions written over each other, averaged over overlaps, summed elsewhere, only the diagonal."""

from __future__ import annotations

__all__ = ["sums"]

from collections.abc import Iterator

import numpy as np

from paperback.diagnosis.evidence import Evidence, Reading
from paperback.diagnosis.hypotheses.change import named_axes, subsets


def sums(evidence: Evidence) -> Iterator[Reading]:
    if len(evidence.outputs) == 1:
        yield from _overwritten(evidence)
        yield from _summed_elsewhere(evidence)
    if evidence.diagonal is None and evidence.J.shape[0] == evidence.J.shape[1]:
        yield Reading(
            "diagonal-only",
            "the diagonal of the Jacobian only: what an entry does to the other outputs is left out",
            evidence.g * np.diagonal(evidence.J),
            1.4,
            ("missing-term",),
        )


def _overwritten(evidence: Evidence) -> Iterator[Reading]:
    """Of the outputs that read an entry, grouped by their index along some axes, only one group counts."""
    shape = evidence.y.shape
    J = evidence.J.reshape(*shape, -1)
    reads = np.abs(J) > 1e-9 * np.abs(J).max(initial=0.0)
    n, G = evidence.x.size, len(evidence.g)
    seen = set()
    for axes in subsets(len(shape)):
        rest = tuple(a for a in range(len(shape)) if a not in axes)
        windows = int(np.prod([shape[a] for a in axes]))
        if windows < 2:
            continue
        order = (*axes, *rest, len(shape))
        parts = np.einsum(
            "gwrn->gwn",
            (evidence.g.reshape(G, *shape, 1) * J[None])
            .transpose(0, *(a + 1 for a in order))
            .reshape(G, windows, -1, n),
        )
        touched = reads.transpose(order).reshape(windows, -1, n).any(1)
        count = touched.sum(0)
        if (count <= 1).all():
            continue
        key = parts.tobytes() if parts.size < 10_000 else axes
        if key in seen:
            continue
        seen.add(key)
        told = (
            ""
            if len(axes) == len(shape)
            else f" along {'axis' if len(axes) == 1 else 'axes'} {', '.join(map(str, axes))} of the output"
        )
        for word, at in (("last", windows - 1 - np.argmax(touched[::-1], 0)), ("first", np.argmax(touched, 0))):
            one = np.take_along_axis(parts, np.broadcast_to(at[None, None], (G, 1, n)), 1)[:, 0] * (count > 0)
            yield Reading("overwrite", f"the {word} contribution to each entry{told}, not the sum of them", one, 1.3)
        whole = parts.sum(1)
        if count.min() != count.max():
            yield Reading(
                "overlap-averaged",
                f"divided by how many outputs read each entry{told}",
                whole / np.maximum(count, 1),
                1.5,
                ("overwrite",),
            )
            yield Reading(
                "overlap-averaged", f"multiplied by how many outputs read each entry{told}", whole * count, 1.7
            )
        largest = np.take_along_axis(parts, np.abs(parts).argmax(1)[:, None], 1)[:, 0]
        yield Reading("overwrite", f"the largest contribution to each entry{told}, not the sum of them", largest, 1.9)


def _summed_elsewhere(evidence: Evidence) -> Iterator[Reading]:
    """Where every output reads one entry, as of a scale: the products of each output, summed over other axes."""
    y = evidence.y
    if ((np.abs(evidence.J) > 0).sum(1) > 1).any():
        return
    parts = (evidence.g * evidence.J.sum(1)).reshape(len(evidence.g), *y.shape)
    sums = {
        axes: parts.sum(tuple(a + 1 for a in axes)).reshape(evidence.true.shape)
        for axes in subsets(y.ndim)
        if y.size == evidence.x.size * np.prod([y.shape[a] for a in axes])
    }
    right = [axes for axes, total in sums.items() if np.allclose(total, evidence.true, atol=1e-9 * evidence.scale)]
    for axes, total in sums.items():
        if right and axes not in right:
            words = f"summed over {named_axes(axes)} of the output, where it is {named_axes(right[0])}"
            yield Reading("wrong-axis-sum", words, total, 1.2)
