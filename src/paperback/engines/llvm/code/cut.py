"""Where the work on one example can be cut: a range of one axis of what a kernel computes.

A batch is cut into shards. One that is too small for shards leaves cores without work, so its kernels are cut
themselves: each part writes the entries of its own range of an axis, with the same operations in the same order as the
whole kernel would, and so the bits of a result do not depend on where, or whether, it is cut.

    an outer loop      any range of its letter; of y[2*i] and y[2*i+1] together, pairs
    no loop            y[4], y[5] where the range has them: all that a nest writes, or nothing
    a scatter          y[i+p] += ..: for every p those i that lie in the range
    lanes of a tile    whole tiles of vectors
    rows of a tile     whole tiles of rows, where they fill all of them
    blocks of lanes    whole blocks
"""

from __future__ import annotations

__all__ = ["Cut", "Loops", "find_cuts"]

from collections.abc import Callable
from dataclasses import dataclass

from paperback.engines.llvm.lowering.buffers import interval
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
    row      the letter of rows of tiles, all of them `tall`
    """

    outer: tuple[Letter, ...]
    lane: Letter | None = None
    step: int = 0
    block: Letter | None = None
    row: Letter | None = None
    tall: int = 0


def find_cuts(task: Task, shape: tuple[int, ...], loops: Callable[[Nest], Loops | None]) -> list[Cut]:
    """A cut for every axis but the examples' along which all nests can be cut, from the first."""
    if any(nest.statement.target != task.nests[0].statement.target for nest in task.nests):
        return []
    known = [(nest, loops(nest)) for nest in task.nests]
    found = []
    for axis in range(0 if task.mode == "once" else 1, len(shape)):
        extent = min(shape[axis], max(_end(nest, axis) for nest in task.nests))
        grains = [_grain(nest, own, axis, extent) for nest, own in known]
        if all(grains) and extent > max(grains) and all(max(grains) % grain == 0 for grain in grains):
            found.append(Cut(axis, extent, max(grains)))
    return found


def _end(nest: Nest, axis: int) -> int:
    """The entries of an axis that are written lie before it."""
    spans = {b.letter: b.extent.value for b in nest.statement.binders}
    reaches = [interval(s.left[axis], spans) for s in nest.statements]
    return 1 + max((reach[1] for reach in reaches if reach is not None), default=0)


def _grain(nest: Nest, loops: Loops | None, axis: int, extent: int) -> int:
    """In what steps a nest can be cut along an axis; 0 where it cannot."""
    forms = [s.left[axis] for s in nest.statements]
    form = forms[0]
    if loops is not None and all(f.is_size for f in forms):
        places = sorted({f.const.value for f in forms})
        block = places == list(range(places[0], places[0] + len(places))) and places[0] % len(places) == 0
        return len(places) if block else 0
    if loops is None or any(f.terms != form.terms for f in forms):
        return 0
    spans = {b.letter: b.extent.value for b in nest.statement.binders}
    if len(form.terms) == 1 and (slope := form.terms[0][1].value) > 1:  # y[2*i], y[2*i+1]
        letter, consts = form.terms[0][0], {f.const.value for f in forms}
        whole = all(0 <= c < slope and spans[letter] == -(-(extent - c) // slope) for c in consts)
        return slope if whole and letter in loops.outer and (len(consts) == 1 or extent % slope == 0) else 0
    if any(f != form for f in forms):
        return 0
    if form.bare is not None and form.bare == loops.lane:
        return loops.step if spans[form.bare] == extent else 0
    if form.bare is not None and form.bare == loops.row:
        return loops.tall if spans[form.bare] == extent and extent % loops.tall == 0 else 0
    if loops.block is not None and set(form.letters) == {loops.block, loops.lane}:
        return loops.step  # an axis of blocks
    return 1 if _has_loops(form, loops) else 0


def _has_loops(form: Affine, loops: Loops) -> bool:
    """Is it a sum of letters with loops of their own, of which the innermost can be bounded?"""
    inside = [letter for letter in loops.outer if letter in form.letters]
    slopes = dict(form.terms)
    return bool(inside) and len(inside) == len(form.letters) and slopes[inside[-1]].value == 1
