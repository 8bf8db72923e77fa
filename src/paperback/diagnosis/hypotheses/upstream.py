"""Changes of the upstream gradient: averaged, its first element, another order, squared, multiplied by the output."""

from __future__ import annotations

__all__ = ["upstream_changes"]

from collections.abc import Callable, Iterator
from functools import partial
from itertools import pairwise, permutations

import numpy as np

from paperback.diagnosis.arrays import Array
from paperback.diagnosis.evidence import Evidence
from paperback.diagnosis.hypotheses.change import Change, axis_changes, reduced_changes, reordered

Map = Callable[[Array], Array]
_SLUGS = {"averaged": "upstream-averaged", "first": "upstream-first", "last": "upstream-first"}


def upstream_changes(evidence: Evidence) -> Iterator[Change]:
    """Functions [G, m] -> [G, m] of the upstream gradient."""
    start = 0
    for output, y in enumerate(evidence.outputs):
        part = slice(start, start + y.size)
        of = "" if len(evidence.outputs) == 1 else f" of output {output}"
        for change in _of_one(y):
            words = f"computed from the upstream gradient{of} {change.words}"
            yield Change(change.slug, words, _inside(change.apply, part, y.shape), change.cost, change.also)
        if of:
            words = f"computed with the upstream gradient{of} negated"
            yield Change("sign", words, _inside(np.negative, part, y.shape), 1.0, ("upstream-transformed",))
            yield Change(
                "missing-term",
                f"without the upstream gradient{of}",
                _inside(np.zeros_like, part, y.shape),
                1.0,
                ("upstream-ignored", "upstream-mixed"),
            )
        start += y.size
    yield from _mixed(evidence)


def _of_one(y: Array) -> Iterator[Change]:
    for change in reduced_changes(y.shape):
        yield Change(_SLUGS[change.slug], change.words, change.apply, change.cost)
    for change in axis_changes(y.shape):
        yield Change(change.slug, change.words, change.apply, change.cost + 0.05)
    yield from _split_twice(y.shape)
    yield Change("upstream-squared", "squared", lambda g: g * g, 1.2)
    yield Change("not-linear", "taken without its sign", np.abs, 1.4, ("upstream-transformed",))
    yield Change("not-linear", "of which only the sign is used", np.sign, 1.4, ("upstream-transformed",))
    yield Change(
        "not-linear", "cut off below 0", lambda g: np.maximum(g, 0), 1.4, ("mask-extra", "upstream-transformed")
    )
    yield Change(
        "forward-returned",
        "replaced by the forward's output",
        lambda g: np.broadcast_to(y, g.shape),
        1.5,
        ("upstream-ignored", "upstream-transformed"),
    )
    yield Change("upstream-transformed", "multiplied by the forward's output", lambda g: g * y, 1.5)


def _split_twice(shape: tuple[int, ...]) -> Iterator[Change]:
    """Two neighbouring axes made of blocks, the blocks read in the other order."""
    for axis in range(len(shape) - 1):
        for rows in _divisors(shape[axis]):
            for columns in _divisors(shape[axis + 1]):
                split = (
                    *shape[:axis],
                    rows,
                    shape[axis] // rows,
                    columns,
                    shape[axis + 1] // columns,
                    *shape[axis + 2 :],
                )
                for swap in ((1, 0, 3, 2), (0, 2, 1, 3), (2, 1, 0, 3), (0, 3, 2, 1), (1, 0, 2, 3), (0, 1, 3, 2)):
                    order = (*range(axis), *(axis + k for k in swap), *range(axis + 4, len(split)))
                    told = f"with axes {axis} and {axis + 1} read as blocks in another order"
                    yield Change("axes-swapped", told, partial(reordered, before=split, order=order), 1.7)
                for mixed in permutations(range(4)):
                    before = (*split[:axis], *(split[axis + k] for k in mixed), *split[axis + 4 :])
                    back = (*range(axis), *(axis + mixed.index(k) for k in range(4)), *range(axis + 4, len(split)))
                    told = f"with axes {axis} and {axis + 1} read as blocks of another shape"
                    if mixed != tuple(range(4)):
                        changed = partial(reordered, before=before, order=back)
                        yield Change("axes-swapped", told, changed, 1.9, ("wrong-axis-sum",))


def _divisors(size: int) -> list[int]:
    return [d for d in range(2, size) if size % d == 0]


def _inside(apply: Map, part: slice, shape: tuple[int, ...]) -> Map:
    def changed(g: Array) -> Array:
        new = g.copy()
        new[:, part] = apply(g[:, part].reshape(len(g), *shape)).reshape(len(g), -1)
        return new

    return changed


def _mixed(evidence: Evidence) -> Iterator[Change]:
    """Upstream gradients of several outputs that are taken for each other."""
    outputs = evidence.outputs
    ends = np.cumsum([0, *(y.size for y in outputs)])
    parts = [slice(a, b) for a, b in pairwise(ends)]
    for i, one in enumerate(parts):
        for k, other in enumerate(parts):
            if i == k or outputs[i].size != outputs[k].size:
                continue

            def taken(g: Array, one: slice = one, other: slice = other) -> Array:
                new = g.copy()
                new[:, one] = g[:, other]
                return new

            yield Change(
                "upstream-mixed",
                f"computed from the upstream gradient of output {k} where it is that of output {i}",
                taken,
                1.1,
            )
            if i < k:

                def exchanged(g: Array, one: slice = one, other: slice = other) -> Array:
                    new = g.copy()
                    new[:, one], new[:, other] = g[:, other], g[:, one]
                    return new

                yield Change(
                    "upstream-mixed",
                    f"computed with the upstream gradients of outputs {i} and {k} exchanged",
                    exchanged,
                    1.0,
                )
