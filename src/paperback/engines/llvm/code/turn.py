"""Turning a matrix round: W rows of W neighbours are loaded, turned in registers, and used as W columns.

    for s = 1, 2, 4, .. W/2:   rows i and i+s exchange the entries whose place has bit s

A statement whose target has neighbours along one letter, and which reads a tensor that has them along another, would
load it entry by entry; this loads whole vectors. Copies do, and updates by a gradient whose shares lie in another order
than the weights: they are added first, and turned as they are. What does not fill a square goes entry by entry.
"""

from __future__ import annotations

__all__ = ["Turn", "emit_turned", "find_turn"]

from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass

from paperback.engines.llvm.code.contract import flat
from paperback.engines.llvm.code.evaluate import Evaluator
from paperback.engines.llvm.code.nest import finish, range_of, turns
from paperback.engines.llvm.code.values import Value
from paperback.engines.llvm.lowering.buffers import SHARDS, Linear
from paperback.engines.llvm.lowering.nests import Nest
from paperback.notation.affine import Affine, Letter
from paperback.notation.expr import Node, Read, Reduce
from paperback.notation.walk import nodes


@dataclass(frozen=True)
class Turn:
    """What is turned: a read, or its sum over the shards; `lane` has neighbours in the target, `row` in the read."""

    node: Node
    read: Read
    lane: Letter
    row: Letter


def find_turn(e: Evaluator, nest: Nest, split: Letter | None) -> Turn | None:
    """What a nest reads that can be turned; None where there is nothing, or something else to do."""
    statement = nest.statement
    if nest.fill is not None or nest.add or nest.clips or nest.route or nest.sort or not statement.is_plain:
        return None
    sums = [n for n in nodes(statement.expr) if isinstance(n, Reduce)]
    if len(sums) > 1 or any(isinstance(n, Reduce) for s in nest.more for n in nodes(s.expr)):
        return None
    node: Node = sums[0] if sums else statement.expr
    read = node.body if isinstance(node, Reduce) else node
    over = [e.extent_of(b.extent) for b in node.binders] if isinstance(node, Reduce) else [SHARDS]
    if over != [SHARDS] or (isinstance(node, Reduce) and (node.op != "sum" or node.guards)):
        return None
    if not isinstance(read, Read) or read.pad is not None or not all(isinstance(i, Affine) for i in read.indices):
        return None
    target, source = e.buffers[statement.target], e.buffers[read.tensor]
    place, origin = Linear.of(statement.left, target.strides), flat(read, source)
    extents = {b.letter: e.extent_of(b.extent) for b in statement.binders}
    lanes = [l for l in extents if place.step(l) == 1 and extents[l] >= e.width]
    rows = [l for l in extents if origin.step(l) == 1 and extents[l] >= e.width]
    if len(lanes) != 1 or len(rows) != 1 or lanes == rows or target.element != source.element != "i64":
        return None
    # the range of a call is a range of rows: it may cut a square
    return None if split in (lanes[0], rows[0]) else Turn(node, read, lanes[0], rows[0])


def emit_turned(e: Evaluator, nest: Nest, turn: Turn, split: Letter | None) -> None:
    """Write the loops over squares."""
    statement = nest.statement
    extents = {b.letter: e.extent_of(b.extent) for b in statement.binders}
    e.declare(extents)
    outer = [b.letter for b in statement.binders if b.letter not in (turn.lane, turn.row)]

    def level(rest: list[Letter]) -> None:
        if rest:
            start, stop = range_of(e, nest, rest[0], split)
            turns(e, rest[0], start, stop, extents[rest[0]], lambda: level(rest[1:]))
            return
        lane, row = turn.lane, turn.row
        wide, tall = (extents[l] - extents[l] % e.width for l in (lane, row))
        with e.f.loop(0, tall, e.width) as rows, e.f.loop(0, wide, e.width) as lanes:
            _square(e, nest, turn, rows.index, lanes.index)
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


def _square(e: Evaluator, nest: Nest, turn: Turn, row: str, lane: str) -> None:
    values = [v.text for v in _rows(e, turn, row, lane)]
    kind = e.type_of("float", e.width)
    step = 1
    while step < e.width:
        for k in range(e.width):
            if not k & step:
                values[k], values[k + step] = _exchange(e, kind, values[k], values[k + step], step)
        step *= 2
    for k, text in enumerate(values):
        with ExitStack() as scope:
            scope.enter_context(e.bind(turn.row, e.f.add(row, k), e.extents[turn.row]))
            scope.enter_context(e.bind(turn.lane, lane, e.extents[turn.lane], e.width))
            e.know(turn.node, Value(text, "float", e.width))
            finish(e, nest)


def _rows(e: Evaluator, turn: Turn, row: str, lane: str) -> Sequence[Value]:
    """The rows of a square as they lie, added over the shards."""
    buffer = e.buffers[turn.read.tensor]
    origin = flat(turn.read, buffer)
    with ExitStack() as scope:
        for letter, at in ((turn.row, row), (turn.lane, lane)):
            scope.enter_context(e.bind(letter, at, e.extents[letter]))

        def loaded() -> list[Value]:
            start = e.flat_index(origin)
            apart = origin.step(turn.lane)
            return [e.load_vector(buffer, e.f.add(start, apart * k), e.width) for k in range(e.width)]

        if not isinstance(turn.node, Reduce):
            return loaded()
        kind = e.type_of("float", e.width)
        zero = e.spread(e.number(0), e.width)
        start, stop = e.range_of(SHARDS)
        with e.f.loop(start, stop, 1, [(kind, zero.text)] * e.width) as loop:
            with e.bind(turn.node.binders[0].letter, loop.index, SHARDS):
                new = loaded()
            totals = [Value(text, "float", e.width) for text in loop.carried]
            loop.next = [e.binary("add", a, b).text for a, b in zip(totals, new, strict=True)]
        return [Value(text, "float", e.width) for text in loop.results]


def _exchange(e: Evaluator, kind: str, a: str, b: str, step: int) -> tuple[str, str]:
    width = e.width
    low = [j if not j & step else width + j - step for j in range(width)]
    high = [j + step if not j & step else width + j for j in range(width)]
    found = []
    for places in (low, high):
        mask = ", ".join(f"i32 {j}" for j in places)
        found.append(e.f.op(f"shufflevector {kind} {a}, {kind} {b}, <{width} x i32> <{mask}>"))
    return found[0], found[1]

