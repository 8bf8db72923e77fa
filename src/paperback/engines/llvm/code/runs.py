"""Runs: neighbouring kernels of a shard part that are cut alike, and done part by part.

What one kernel writes, the next one reads. Where the part of a core reads only what the same part of the kernels before
wrote, nobody has to wait for the other cores between them, and nothing goes from one core to another:

    y[n,i,j,k] = ..                       rows 2*i, 2*i+1 of y belong to the part that row i of m belongs to
    m[n,i,j,k] = max(p,q) y[n,2*i+p,2*j+q,k]

An axis of extent E has E/P neighbouring entries in each of P parts. Let what a kernel computes have the index m*l + c,
and what it reads there s*l + d, for a letter l, 0 <= c < m and 0 <= d < s: all entries of a part have l in one range
where m divides E/P, and what they read has it in the same where s*E/P = m*E'/P, for E' of what is read.
"""

from __future__ import annotations

__all__ = ["Run", "find_runs"]

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from paperback.engines.llvm.code.cut import Cut
from paperback.engines.llvm.lowering.buffers import interval
from paperback.engines.llvm.lowering.nests import Nest
from paperback.engines.llvm.lowering.tasks import Task
from paperback.notation.affine import Affine, Letter
from paperback.notation.expr import Read
from paperback.notation.walk import nodes

_PARTS = 16
_LEAST_PARTS = 4  # else threads of a bigger machine would have nothing to do

Extents = Callable[[Nest], Mapping[Letter, int]]


@dataclass(frozen=True)
class Run:
    """Tasks that are done part by part, and how each is cut: into as many equal parts where there are several tasks."""

    tasks: tuple[Task, ...]
    cuts: tuple[Cut | None, ...]


def find_runs(tasks: Sequence[Task], cuts_of: Callable[[Task], Sequence[Cut]], extents_of: Extents) -> list[Run]:
    """All tasks, in order: each joins the run before it where it reads of that run, and its own part alone."""
    runs: list[Run] = []
    heads: Sequence[Cut] = ()  # of the last run, while it is a single task
    for task in tasks:
        cuts = cuts_of(task)
        joined = _joined(runs[-1], heads, task, cuts, extents_of) if runs else None
        if joined is not None:
            runs[-1], heads = joined, ()
        else:
            runs.append(Run((task,), (cuts[0] if cuts else None,)))
            heads = cuts
    return runs


def _joined(run: Run, heads: Sequence[Cut], task: Task, cuts: Sequence[Cut], extents_of: Extents) -> Run | None:
    """The run with one more task; None where that has to wait for other parts."""
    written = {name for before in run.tasks for name in before.order}
    again = [name for name in task.order if name not in written]
    if written.isdisjoint(task.reads) or any(name in before.reads for before in run.tasks for name in again):
        return None  # nothing is gained; or another part may still read what it writes
    heads_or_run: Sequence[tuple[Cut | None, ...]] = [(head,) for head in heads] or [run.cuts]
    for before in heads_or_run:
        for cut in cuts:
            whole = [one for one in (*before, cut) if one is not None]
            made = {name: one for other, one in zip(run.tasks, whole, strict=False) for name in other.order}
            for parts in _numbers_of_parts(whole) if len(whole) > len(run.tasks) else ():
                if _keeps_to_its_part(task, cut, made, parts, extents_of):
                    equal = tuple(replace(one, grain=one.extent // parts) for one in whole)
                    return Run((*run.tasks, task), equal)
    return None


def _numbers_of_parts(cuts: Sequence[Cut]) -> list[int]:
    """Into how many equal parts all of them can cut, the most first."""
    return [
        parts for parts in range(_PARTS, _LEAST_PARTS - 1, -1)
        if all(cut.extent % parts == 0 and cut.extent // parts % cut.grain == 0 for cut in cuts)
    ]  # fmt: skip


def _keeps_to_its_part(task: Task, cut: Cut, made: Mapping[str, Cut], parts: int, extents_of: Extents) -> bool:
    """Does every part read only the same part of what was made in the run?"""
    asks = made.get(task.when, cut)  # row by row
    if (asks.axis, asks.extent) != (cut.axis, cut.extent):
        return False
    for nest in task.nests:
        if nest.route is not None or nest.sort is not None:  # reads where numbers say
            return False
        for statement in nest.statements:
            for read in (n for n in nodes(statement.expr) if isinstance(n, Read) and n.tensor in made):
                source = made[read.tensor]
                left, place = statement.left[cut.axis], read.indices[source.axis]
                sizes = cut.extent // parts, source.extent // parts
                if not isinstance(place, Affine) or not any(
                    _go_together(left, place, letter, sizes, extents_of(nest)) for letter in place.letters
                ):
                    return False
    return True


def _go_together(
    left: Affine, place: Affine, letter: Letter, sizes: tuple[int, int], extents: Mapping[Letter, int]
) -> bool:
    """Does a part of what is computed, so many entries, read one of what is read? See the module."""
    if letter not in left.letters:
        return False
    m, s = (dict(form.terms)[letter].value for form in (left, place))
    within = all(
        (reach := interval(form.without(letter), extents)) is not None and reach[0] >= 0 and reach[1] < slope
        for form, slope in ((left, m), (place, s))
    )
    return within and sizes[0] % m == 0 and s * sizes[0] == m * sizes[1]
