"""Turning a matrix round: W rows of W neighbours are loaded, turned in registers, and stored as W columns.

    for s = 1, 2, 4, .. W/2:   rows i and i+s exchange the entries whose place has bit s

A copy whose source has neighbours along one letter and whose target along another would load entry by entry; this loads
and stores whole vectors. What does not fill a square is copied entry by entry.
"""

from __future__ import annotations

__all__ = ["emit_turned", "turned_letters"]

from paperback.engines.llvm.code.contract import flat
from paperback.engines.llvm.code.evaluate import Evaluator
from paperback.engines.llvm.code.nest import finish, range_of, turns
from paperback.engines.llvm.lowering.buffers import Linear
from paperback.engines.llvm.lowering.nests import Nest
from paperback.notation.affine import Affine, Letter
from paperback.notation.expr import Read


def turned_letters(e: Evaluator, nest: Nest, split: Letter | None) -> tuple[Letter, Letter] | None:
    """(the target's letter of neighbours, the source's) of a copy that can be turned; None for anything else."""
    statement = nest.statement
    read = statement.expr
    plain = nest.fill is None and not (nest.add or nest.clips or nest.more)
    if not plain or not isinstance(read, Read) or read.pad is not None:
        return None
    if not statement.is_plain or not all(isinstance(i, Affine) for i in read.indices):
        return None
    target = e.buffers[statement.target]
    source = e.buffers[read.tensor]
    place, origin = Linear.of(statement.left, target.strides), flat(read, source)
    extents = {b.letter: e.extent_of(b.extent) for b in statement.binders}
    lanes = [l for l in extents if place.step(l) == 1 and extents[l] >= e.width]
    rows = [l for l in extents if origin.step(l) == 1 and extents[l] >= e.width]
    if len(lanes) != 1 or len(rows) != 1 or lanes == rows or target.element != source.element != "i64":
        return None
    # the range of a call is a range of rows: it may cut a square
    return None if split in (lanes[0], rows[0]) else (lanes[0], rows[0])


def emit_turned(e: Evaluator, nest: Nest, letters: tuple[Letter, Letter], split: Letter | None) -> None:
    """Write the loops over squares."""
    statement = nest.statement
    read = statement.expr
    assert isinstance(read, Read)
    extents = {b.letter: e.extent_of(b.extent) for b in statement.binders}
    e.declare(extents)
    outer = [b.letter for b in statement.binders if b.letter not in letters]

    def level(rest: list[Letter]) -> None:
        if rest:
            start, stop = range_of(e, nest, rest[0], split)
            turns(e, rest[0], start, stop, extents[rest[0]], lambda: level(rest[1:]))
            return
        lane, row = letters
        place = Linear.of(statement.left, e.buffers[statement.target].strides)
        wide, tall = (extents[l] - extents[l] % e.width for l in letters)
        with (
            e.f.loop(0, tall, e.width) as rows, e.bind(row, rows.index, extents[row]),
            e.f.loop(0, wide, e.width) as lanes, e.bind(lane, lanes.index, extents[lane]),
        ):  # fmt: skip
            _square(e, statement.target, place, read, letters)
        if wide < extents[lane]:
            turns(e, row, 0, tall, extents[row], lambda: _strip(e, nest, lane, wide))
        if tall < extents[row]:
            turns(e, row, tall, extents[row], extents[row], lambda: _strip(e, nest, lane, 0))

    level(outer)


def _strip(e: Evaluator, nest: Nest, lane: Letter, start: int) -> None:
    """What is left of a row, in vectors as long as they may be."""
    extent = e.extents[lane]
    for at in range(start, extent, e.width):
        with e.bind(lane, at, extent, min(e.width, extent - at)):
            finish(e, nest)


def _square(e: Evaluator, target: str, place: Linear, read: Read, letters: tuple[Letter, Letter]) -> None:
    f, width = e.f, e.width
    lane, row = letters
    source, to = e.buffers[read.tensor], e.buffers[target]
    origin = flat(read, source)
    kind = e.type_of("float", width)
    start = e.flat_index(origin)
    values = []
    for k in range(width):
        pointer = e.pointer(source, f.add(start, origin.step(lane) * k))
        values.append(f.op(f"load {kind}, ptr {pointer}, align {source.bytes_per_entry}"))
    step = 1
    while step < width:
        for k in range(width):
            if not k & step:
                values[k], values[k + step] = _exchange(e, kind, values[k], values[k + step], step)
        step *= 2
    first = e.flat_index(place)
    for k in range(width):
        pointer = e.pointer(to, f.add(first, place.step(row) * k))
        f.do(f"store {kind} {values[k]}, ptr {pointer}, align {to.bytes_per_entry}")


def _exchange(e: Evaluator, kind: str, a: str, b: str, step: int) -> tuple[str, str]:
    width = e.width
    low = [j if not j & step else width + j - step for j in range(width)]
    high = [j + step if not j & step else width + j for j in range(width)]
    found = []
    for places in (low, high):
        mask = ", ".join(f"i32 {j}" for j in places)
        found.append(e.f.op(f"shufflevector {kind} {a}, {kind} {b}, <{width} x i32> <{mask}>"))
    return found[0], found[1]

