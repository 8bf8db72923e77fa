"""Where every tensor of a lowered program lives, and which tensors may share memory.

What has an entry per example and is read by its own micro-batch alone is scratch: every worker has a block for one
micro-batch, and in it tensors that are not alive at the same time lie at the same place.
"""

from __future__ import annotations

__all__ = ["is_wide", "layout", "scratch_places", "unshared"]

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace

import numpy as np

from paperback.engines.aligned import LINE
from paperback.engines.llvm.lowering.buffers import BATCH, ELEMENTS, SHARDS, Buffer
from paperback.engines.llvm.lowering.tasks import Lowered, Task

_WIDE = 4 << 20  # bytes


def layout(
    lowered: Lowered, given: Collection[str], results: Collection[str], dtype: np.dtype[np.floating]
) -> dict[str, Buffer]:
    """Every tensor's place and kind; the status word and the zeros come first in the table."""
    made: dict[str, int] = {}
    readers: dict[str, set[tuple[int, str]]] = {}
    unread: set[str] = set()
    for level, section in enumerate(lowered.sections):
        for part, tasks in (("shard", section.shard), ("join", section.join)):
            for task in tasks:
                made.update(dict.fromkeys(task.order, level))
                unread.update(*(nest.unread for nest in task.nests))
                for name in task.reads:
                    readers.setdefault(name, set()).add((level, part))
    buffers: dict[str, Buffer] = {}
    for name in (*given, *made):
        shape = lowered.shapes[name]
        if name in given:
            kind = "given"
        elif name in results:
            kind = "result"
        elif name in unread:
            kind = "unread"
        elif shape[:1] == (SHARDS,):
            kind = "partial"
        else:
            near = readers.get(name, set()) <= {(made[name], "shard")} and name not in lowered.across
            kind = "scratch" if shape[:1] == (BATCH,) and near else "kept"
        element = ELEMENTS[dtype.name]
        if name in lowered.integers:
            element = "i64" if kind in ("given", "result") else "i32"
        buffers[name] = Buffer(name, 2 + len(buffers), element, shape, kind)
    return buffers


def scratch_places(
    runs: Sequence[Sequence[Sequence[Task]]], buffers: Mapping[str, Buffer]
) -> tuple[dict[str, int], int]:
    """Bytes per example from the start of a worker's block, for every scratch tensor, and the size of the block.

    runs    of every level: tasks of one run are done part by part, so all that they touch is alive at the same time
    """
    places: dict[str, int] = {}
    most = 0
    for level in runs:
        lives: dict[str, list[int]] = {}
        for k, run in enumerate(level):
            for name in (name for task in run for name in (*task.order, *sorted(task.reads))):
                if name in buffers and buffers[name].kind == "scratch":
                    lives.setdefault(name, [k, k])[1] = k
        for name in sorted(lives, key=lambda name: -_bytes(buffers[name])):  # what is large finds its place first
            size, (first, last) = _bytes(buffers[name]), lives[name]
            taken = sorted(
                (places[other], places[other] + _bytes(buffers[other]))
                for other, (begin, end) in lives.items()
                if other in places and end >= first and begin <= last
            )
            at = 0
            for low, high in taken:
                if at + size <= low:
                    break
                at = max(at, high)
            places[name] = at
            most = max(most, at + size)
    return places, most


def unshared(buffers: Mapping[str, Buffer]) -> dict[str, Buffer]:
    """The same tensors without scratch, where memory is debugged: each lies for the whole batch, between guards."""
    return {name: replace(b, kind="kept") if b.kind == "scratch" else b for name, b in buffers.items()}


def _bytes(buffer: Buffer) -> int:
    return -(-buffer.size * buffer.bytes_per_entry // LINE) * LINE


def is_wide(buffers: Mapping[str, Buffer]) -> bool:
    """Is there a tensor for all examples that has to come from memory each time it is read?

    Then the batch is not cut: its kernels are, so that it is read once, by all threads together.
    """
    fixed = [b for b in buffers.values() if b.kind == "given" and not b.per_example]
    return any(b.size * b.bytes_per_entry >= _WIDE for b in fixed)
