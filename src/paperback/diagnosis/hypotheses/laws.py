"""Laws that the forward keeps and a wrong backward breaks: what is left to say where no formula fits.

    what is read      J[j,i] = 0 where item j of the output does not read item i: other items, later ones
    what cancels      sum(i) J[j,i] = 0 where the same number may be added to all x[i], sum(i) J[j,i]*x[i] = 0 where all
                      may be multiplied: a softmax does the one, a normalisation both; the gradient sums to 0 with them
    how many add up   a matrix's gradient for one item of the output is a sum of outer products; its rank counts them
    how far it moves  output j reads x[s*j + k]; a gradient that comes back with another stride lands elsewhere

B, the Jacobian that the backward stands for, is held against each.
"""

from __future__ import annotations

__all__ = ["broken_law"]

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from paperback.diagnosis.arrays import Array
from paperback.diagnosis.evidence import Evidence
from paperback.diagnosis.hypotheses.change import named_axes, subsets


@dataclass(frozen=True)
class Law:
    """A pattern, words that follow "the gradient of x is", patterns beside it, a fix of its own."""

    slug: str
    words: str
    also: tuple[str, ...]
    hint: str = ""


_NOTHING, _SOMETHING = 1e-7, 1e-4  # shares of the largest number that count as zero, and as another number


def broken_law(evidence: Evidence) -> Law | None:
    """The first law that the true Jacobian keeps and the returned one does not."""
    if evidence.B is None or len(evidence.outputs) != 1 or not np.abs(evidence.J).max(initial=0.0):
        return None
    return next((law for laws in (_read, _moved, _cancelled, _added_up) for law in laws(evidence, evidence.B)), None)


def _read(evidence: Evidence, B: Array) -> Iterator[Law]:
    """Items that do not read each other, or only earlier ones."""
    for out, axis in _equal_axes(evidence):
        true, returned = _between(evidence.J, evidence, out, axis), _between(B, evidence, out, axis)
        side = f"along axis {axis}, from outputs that do not read them"
        alone, earlier = np.eye(len(true), dtype=bool), np.tri(len(true), dtype=bool)
        for reads, word in ((alone, ""), (earlier, "later"), (earlier.T, "earlier")):
            if (true[~reads] > _NOTHING * true.max()).any():
                continue
            if (returned[~reads] > _SOMETHING * returned.max()).any():
                if not word:
                    yield Law("items-mixed", f"made of other items' upstream gradients {side}", ("upstream-mixed",))
                elif len(true) > 2:
                    words = f"let through to {word} entries {side}: the mask is missing"
                    yield Law("mask-missing", words, ("branch", "items-mixed"))
            break


def _equal_axes(evidence: Evidence) -> Iterator[tuple[int, int]]:
    """(axis of the output, axis of the argument) of one size."""
    for out, size in enumerate(evidence.y.shape):
        yield from ((out, axis) for axis, other in enumerate(evidence.shape) if size == other > 1)


def _between(J: Array, evidence: Evidence, out: int, axis: int) -> Array:
    """The largest number between each index of an axis of the output and each of the argument."""
    sizes = np.abs(J).reshape(*evidence.y.shape, *evidence.shape)
    rank, kept = evidence.y.ndim, (out, evidence.y.ndim + axis)
    between: Array = sizes.max(tuple(a for a in range(rank + len(evidence.shape)) if a not in kept), initial=0.0)
    return between


def _cancelled(evidence: Evidence, B: Array) -> Iterator[Law]:
    """Directions in which the forward does not change."""
    x = evidence.x.astype(np.float64)
    for axes in subsets(len(evidence.shape)):
        told, inner = named_axes(axes), tuple(a + 1 for a in axes)
        for word, law, weight in (("added", "sum", np.ones_like(x)), ("multiplied", f"sum with {evidence.name}", x)):
            true, returned = (M.reshape(-1, *evidence.shape) * weight for M in (evidence.J, B))
            if _vanishes(true, inner, _NOTHING) and not _vanishes(returned, inner, _SOMETHING):
                words = (
                    f"without the term that makes its {law} along {told} 0: the forward does not change when a number "
                    f"is {word} there"
                )
                yield Law("missing-term", words, ("diagonal-only", "wrong-derivative"))


def _vanishes(parts: Array, axes: tuple[int, ...], share: float) -> bool:
    """Do they sum to nothing beside their sizes?"""
    sizes = np.abs(parts).sum(axes)
    return bool(
        (np.abs(parts.sum(axes)) <= share * sizes.max(initial=0.0)).all()
        and np.prod([parts.shape[a] for a in axes]) > 1
    )


def _added_up(evidence: Evidence, B: Array) -> Iterator[Law]:
    """Ranks of a matrix's gradient, for one item of the output at a time."""
    if len(evidence.shape) != 2 or not evidence.y.ndim:
        return
    items = np.random.default_rng(0).standard_normal(evidence.y.shape)
    ranks = []
    for k in range(len(items)):
        g = np.where(np.arange(len(items)).reshape(-1, *(1,) * (items.ndim - 1)) == k, items, 0).ravel()
        ranks.append([_rank((g @ M).reshape(evidence.shape)) for M in (B, evidence.J)])
    returned, true = np.array(ranks).T
    if (returned < true).all() and (returned == returned[0]).all() and returned[0] > 0:
        words = (
            f"a sum of fewer contributions than there are, as of one step or one use alone: for one item of the output "
            f"its rank is {returned[0]}, the true one's {true[0]}"
        )
        yield Law("overwrite", words, ("missing-term",))


def _rank(matrix: Array) -> int:
    sizes = np.linalg.svd(matrix, compute_uv=False)
    return int((sizes > 1e-6 * sizes.max(initial=0.0)).sum())


def _moved(evidence: Evidence, B: Array) -> Iterator[Law]:
    """Strides: by how many entries the first that is read moves on from one output to the next."""
    for out in range(evidence.y.ndim):
        for axis in range(len(evidence.shape)):
            true, returned = (_stride(_between(M, evidence, out, axis)) for M in (evidence.J, B))
            if true and returned and true != returned:
                words = f"spread with stride {returned} along axis {axis}, where the forward reads with stride {true}"
                yield Law("upstream-transformed", words, ("branch", "argument-transformed"), f"step by {true}")


def _stride(reads: Array) -> int:
    """How many entries further the next output reads; 0 where that is not always the same."""
    touched = reads > _NOTHING * reads.max(initial=0.0)
    last = touched.shape[1] - 1 - np.argmax(touched[:, ::-1], 1)
    steps = np.unique(np.diff(last[last < touched.shape[1] - 1]))
    return int(steps[0]) if len(steps) == 1 and touched.any(1).all() else 0
