"""Where the work on one example can be cut: a range of one axis of what a kernel computes.

A batch is cut into shards. One that is too small for shards leaves cores without work, so its kernels are cut
themselves: each part writes the entries of its own range of an axis, with the same operations in the same order as the
whole kernel would, and so the bits of a result do not depend on where, or whether, it is cut.

    an outer loop      any range of its letter
    a scatter          y[i+p] += ..: for every p those i that lie in the range
    lanes of a tile    whole tiles of vectors
    blocks of lanes    whole blocks
"""

from __future__ import annotations

__all__ = ["Cut", "find_cut"]

from collections.abc import Callable
from dataclasses import dataclass

from paperback.engines.llvm.lowering.nests import Nest
from paperback.engines.llvm.lowering.tasks import Task
from paperback.notation.affine import Affine, Letter


@dataclass(frozen=True)
class Cut:
    """A range of an axis of the target, with `grain` entries at least: its ends are multiples of it."""

    axis: int
    extent: int
    grain: int = 1

    @property
    def most(self) -> int:
        """How many parts there can be."""
        return -(-self.extent // self.grain)


@dataclass(frozen=True)
class Loops:
    """The loops of a nest: letters of their own, from the outermost; the letter in lanes, in steps of whole tiles.

    block    the letter of blocks, of `step` lanes each, that its code does for a range of them
    """

    outer: tuple[Letter, ...]
    lane: Letter | None = None
    step: int = 0
    block: Letter | None = None


def find_cut(task: Task, shape: tuple[int, ...], loops: Callable[[Nest], Loops | None]) -> Cut | None:
    """The first axis along which every nest can be cut; None where there is none."""
    if any(nest.statement.target != task.nests[0].statement.target for nest in task.nests):
        return None
    known = [(nest, loops(nest)) for nest in task.nests]
    for axis in range(1, len(shape)):
        grains = [_grain(nest, own, axis, shape[axis]) for nest, own in known]
        if all(grains) and shape[axis] > max(grains) and all(max(grains) % grain == 0 for grain in grains):
            return Cut(axis, shape[axis], max(grains))
    return None


def _grain(nest: Nest, loops: Loops | None, axis: int, extent: int) -> int:
    """In what steps a nest can be cut along an axis; 0 where it cannot."""
    form = nest.statement.left[axis]
    if loops is None or any(s.left[axis] != form for s in nest.more):
        return 0
    spans = {b.letter: b.extent.value for b in nest.statement.binders}
    if form.bare is not None and form.bare == loops.lane:
        return loops.step if spans[form.bare] == extent else 0
    if loops.block is not None and set(form.letters) == {loops.block, loops.lane}:
        return loops.step  # an axis of blocks
    return 1 if _has_loops(form, loops) else 0


def _has_loops(form: Affine, loops: Loops) -> bool:
    """Is it a sum of letters with loops of their own, of which the innermost can be bounded?"""
    inside = [letter for letter in loops.outer if letter in form.letters]
    slopes = dict(form.terms)
    return bool(inside) and len(inside) == len(form.letters) and slopes[inside[-1]].value == 1
