"""The code of a contraction: loops over tiles, and the tile that lives in registers."""

from __future__ import annotations

__all__ = ["contraction_loops", "emit_contraction"]

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from math import lcm, prod

from paperback.engines.llvm.code.contract import Contraction, Tile, bounded, choose_tile, combinations, depends, flat
from paperback.engines.llvm.code.cut import Loops
from paperback.engines.llvm.code.evaluate import Evaluator
from paperback.engines.llvm.code.kernels import Tiled
from paperback.engines.llvm.code.nest import finish, in_tiles, is_cut, range_of, turns
from paperback.engines.llvm.code.order import FEW_ROWS, FEW_TURNS, FEW_VECTORS, choose_order
from paperback.engines.llvm.code.values import Value
from paperback.engines.llvm.ir import Whole
from paperback.engines.llvm.lowering.buffers import BATCH, Linear
from paperback.engines.llvm.lowering.nests import Nest
from paperback.notation.affine import Letter
from paperback.notation.expr import AffineGuard, Node, Read
from paperback.notation.walk import children

_UNROLL = 4
_UNROLL_WHOLE = 8
_LOW = 2  # rows of a wide tile
_LOW_ACROSS = 4  # vectors of it, at least
_UNDER_WAY = 8  # multiply-adds that must be under way to keep the machine busy

Row = Mapping[Letter, int]
"""How far the row letters of a row are from those of its tile."""


@dataclass(frozen=True)
class _Column:
    """A vector of a tile: where it starts after the tile's first lane, and how many lanes it has."""

    offset: int
    lanes: int


def emit_contraction(e: Evaluator, nest: Nest, c: Contraction, split: Letter | None, registers: int) -> Tiled:
    """Write the loops over tiles; `split` runs over the range that the function is called with."""
    return _Tiles(e, nest, _unclipped(nest, c), split, registers).emit()


def contraction_loops(e: Evaluator, nest: Nest, c: Contraction, split: Letter | None, registers: int) -> Loops:
    """The loops around its tiles; none where the numbers of rows or vectors left over are another's business."""
    tiles = _Tiles(e, nest, _unclipped(nest, c), split, registers)
    row = tiles.c.rows[0] if tiles.has_row_loop else None
    return Loops(tiles.c.outer, None if tiles.c.joined else tiles.c.lane, tiles.grain, row=row, tall=tiles.tile.rows)


def _unclipped(nest: Nest, c: Contraction) -> Contraction:
    """The contraction with loops over the clipped letters, but for one where there are no other rows."""
    slopes = [(letter, k.value) for clip in nest.clips for letter, k in clip.form.terms]
    clipped = {letter for letter, _ in slopes}
    if clipped.isdisjoint(c.rows):
        return c
    extents = {b.letter: b.extent.value for b in nest.statement.binders}
    rows = tuple(l for l in c.rows if l not in clipped)
    forward = [l for l in c.rows if l in clipped and all(k == 1 for letter, k in slopes if letter == l)]
    if not rows and forward:
        rows = (max(forward, key=lambda l: extents[l]),)
    outer = tuple(b.letter for b in nest.statement.binders if b.letter not in (*c.lanes, *rows))
    return replace(c, rows=rows, outer=outer)


class _Tiles:
    def __init__(self, e: Evaluator, nest: Nest, c: Contraction, split: Letter | None, registers: int) -> None:
        self.e, self.nest, self.c, self.split = e, nest, c, split
        self.targets = {s.target for s in nest.statements}
        self.extents = {b.letter: e.extent_of(b.extent) for b in nest.statement.binders}
        self.sizes = {b.letter: e.extent_of(b.extent) for b in c.node.binders}
        e.declare({**self.extents, **self.sizes})
        self.a, self.b = flat(c.a, e.buffers[c.a.tensor]), flat(c.b, e.buffers[c.b.tensor])
        self.wide = prod(self.extents[letter] for letter in c.lanes)
        self.rows, self.vectors = self._row_count(), -(-self.wide // e.width)
        self.low = self._low_tile(registers)
        self.tile = choose_tile(self.rows, self.vectors, registers, self.low.vectors if self.low is not None else 0)
        self.order = choose_order(nest, c, e.buffers, self.sizes, self.rows, self.tile, self.wide, e.width)
        self.part: Whole | None = None  # where the turns of the sum begin, where a few are done at a time

    def range_of(self, letter: Letter) -> tuple[Whole, Whole]:
        return range_of(self.e, self.nest, letter, self.split)

    def emit(self) -> Tiled:
        self._outer(list(self.c.outer))
        return Tiled(self.c, self.tile, self.rows, self.vectors, tuple(self.order.notes))

    def _outer(self, letters: Sequence[Letter]) -> None:
        if not letters:
            if self.order.few:
                self._few_rows()
            elif self.low is not None and not self.order.panel:
                self._low_or_tall(self.low)
            else:
                self._columns(self.tile)
            return
        start, stop = self.range_of(letters[0])
        turns(self.e, letters[0], start, stop, self.extents[letters[0]], lambda: self._outer(letters[1:]))

    @property
    def grain(self) -> int:
        """Lanes that are whole tiles, whichever tiles there are."""
        low = self.low.vectors if self.low is not None else 1
        return lcm(self.tile.vectors, FEW_VECTORS if self.order.few else 1, low) * self.e.width

    @property
    def has_row_loop(self) -> bool:
        """Are the rows one letter's, known and in tiles of one height?"""
        return self.rows is not None and self.rows > 1 and len(self.c.rows) == 1 and self.rows % self.tile.rows == 0

    def _few_rows(self) -> None:
        """For few rows a few turns of the sum at a time (see `order`), for more all of them."""
        f, extent = self.e.f, self.sizes[self.c.inner[0]]
        start, stop = self.range_of(self.c.rows[0])
        few = f.op(f"icmp slt i64 {f.sub(stop, start)}, {FEW_ROWS}")
        with f.when(few), f.loop(0, extent, FEW_TURNS) as loop:
            self.part = loop.index
            self._columns(Tile(1, FEW_VECTORS))
            self.part = None
        with f.when(f.op(f"xor i1 {few}, true")):
            self._columns(self.tile)

    def _low_tile(self, registers: int) -> Tile | None:
        """For one or two examples: a wide tile, so that weights are read in long pieces."""
        c, b = self.c, self.e.buffers[self.c.b.tensor]
        examples = self.rows is None and len(c.rows) == 1 and self.extents[c.rows[0]] == BATCH
        pieces = max(2, -(-self.vectors // ((registers - 4) // (_LOW + 1))))
        across = -(-self.vectors // pieces)
        return Tile(_LOW, across) if examples and not b.per_example and across >= _LOW_ACROSS else None

    def _low_or_tall(self, low: Tile) -> None:
        f = self.e.f
        start, stop = self.range_of(self.c.rows[0])
        few = f.op(f"icmp sle i64 {f.sub(stop, start)}, {low.rows}")
        with f.when(few):
            self._columns(low)
        with f.when(f.op(f"xor i1 {few}, true")):
            self._columns(self.tile)

    # --- tiles -------------------------------------------------------------------------------------------------------

    def _columns(self, tile: Tile) -> None:
        """Over the vectors of the lane letter, then over the rows."""
        e, width, lane = self.e, self.e.width, self.c.lane
        extent = self.wide
        across = tile.vectors * width
        full = extent - extent % across
        whole = [_Column(k * width, width) for k in range(tile.vectors)]
        if is_cut(e, self.nest, lane):
            first, end = e.part
            with e.f.loop(first, e.f.least(end, full), across) as loop:
                self._rows(loop.index, whole, tile.rows)
            if full < extent:
                with e.f.when(e.f.op(f"icmp eq i64 {end}, {extent}")):
                    self._rows(full, self._rest(full), tile.rows)
            return
        if self.order.panel:
            with e.f.loop(0, full, self.order.panel) as loop:
                end = e.f.least(e.f.add(loop.index, self.order.panel), full)
                self._rows(loop.index, whole, tile.rows, end)
        elif full == across:
            self._rows(0, whole, tile.rows)
        elif full:
            with e.f.loop(0, full, across) as loop:
                self._rows(loop.index, whole, tile.rows)
        if full < extent:
            self._rows(full, self._rest(full), tile.rows)

    def _rest(self, full: int) -> list[_Column]:
        """The vectors after those of whole tiles."""
        extent, width = self.wide, self.e.width
        return [_Column(at - full, min(width, extent - at)) for at in range(full, extent, width)]

    def _row_count(self) -> int | None:
        count = 1
        for letter in self.c.rows:
            if self.extents[letter] < 0 or letter == self.split or self._is_clipped(letter):
                return None
            count *= self.extents[letter]
        return count

    def _is_clipped(self, letter: Letter) -> bool:
        return any(letter in clip.form.letters for clip in self.nest.clips)

    def _rows(self, start: Whole, columns: Sequence[_Column], tall: int, end: Whole | None = None) -> None:
        """Over the rows, in tiles of `tall`, then of what is left; each over all columns, where their end is given."""
        c = self.c
        if len(c.rows) != 1 or (self._row_count() == 1):
            rows = list(combinations(c.rows, self.extents))
            pieces = -(-len(rows) // tall)
            for k in range(pieces):
                part = rows[len(rows) * k // pieces : len(rows) * (k + 1) // pieces]
                self._tile(start, columns, dict.fromkeys(c.rows, 0), part)
            return
        letter = c.rows[0]

        def tile(at: Whole, size: int) -> None:
            rows = [{letter: k} for k in range(size)]
            if end is None:
                self._tile(start, columns, {letter: at}, rows)
            else:
                with self.e.f.loop(start, end, len(columns) * self.e.width) as loop:
                    self._tile(loop.index, columns, {letter: at}, rows)

        if is_cut(self.e, self.nest, letter):  # a range of whole tiles
            with self.e.f.loop(*self.e.part, tall) as loop:
                tile(loop.index, tall)
            return
        in_tiles(self.e.f, *self.range_of(letter), tall, tile)

    def _tile(
        self, start: Whole, columns: Sequence[_Column], at: Mapping[Letter, Whole], rows: Sequence[Row]
    ) -> None:
        e = self.e
        with ExitStack() as scope:
            self._bind(scope, {**at, **dict.fromkeys(self.c.joined, 0)}, {})
            steps = [sum(self.a.step(letter) * k for letter, k in row.items()) for row in rows]
            scope.enter_context(e.bind(self.c.lane, start, self.wide))
            zeros = [e.spread(e.number(0), column.lanes) for _ in rows for column in columns]
            totals = self._sum(list(self.c.inner), columns, steps, zeros)
        self._finish(start, columns, at, rows, totals)

    def _bind(self, scope: ExitStack, at: Mapping[Letter, Whole], row: Row) -> None:
        for letter, value in at.items():
            scope.enter_context(self.e.bind(letter, self.e.f.add(value, row.get(letter, 0)), self.extents[letter]))

    # --- the sum -----------------------------------------------------------------------------------------------------

    def _sum(
        self, letters: Sequence[Letter], columns: Sequence[_Column], a_steps: Sequence[int], totals: list[Value]
    ) -> list[Value]:
        e = self.e
        letter, rest = letters[0], letters[1:]
        extent = self.sizes[letter]
        start, stop = self._sum_range(letter)
        if not rest:
            with e.bind(letter, self.part or 0, extent):
                a, b = self._place(self.c.a, self.a), self._place(self.c.b, self.b)

        def once(index: Whole, totals: list[Value]) -> list[Value]:
            if rest:
                with e.bind(letter, index, extent):
                    return self._sum(rest, columns, a_steps, totals)
            a_at, b_at = e.f.mul(index, self.a.step(letter)), e.f.mul(index, self.b.step(letter))
            return self._step(a, a_at, b, b_at, columns, a_steps, totals)

        if self.part is not None:
            start, stop = 0, FEW_TURNS
        if isinstance(start, int) and isinstance(stop, int) and not rest and stop - start <= _UNROLL_WHOLE:
            for k in range(start, stop):
                totals = once(k, totals)
            return totals
        unroll = 1 if rest else _UNROLL
        if isinstance(start, int) and isinstance(stop, int):
            full: Whole = start + (stop - start) // unroll * unroll
        elif any(bounded(self.c.node, guard) == letter for guard in self.c.node.guards):
            turns = e.f.op(f"sdiv i64 {e.f.sub(stop, start)}, {unroll}")
            full = e.f.add(start, e.f.mul(turns, unroll))
        else:
            full = stop
            unroll = 1
        totals = self._turn(start, full, unroll, totals, once)
        if isinstance(full, int) and isinstance(stop, int):
            for k in range(full, stop):
                totals = once(k, totals)
        elif unroll > 1:
            totals = self._turn(full, stop, 1, totals, once)
        return totals

    def _sum_range(self, letter: Letter) -> tuple[Whole, Whole]:
        """The first value and the end of a letter of the sum; guards are bounds of its loop."""
        e, node = self.e, self.c.node
        start, stop = e.range_of(self.sizes[letter])
        for guard in node.guards:
            if isinstance(guard, AffineGuard) and bounded(node, guard) == letter:
                rest: Whole = guard.affine.const.value
                for other, k in guard.affine.without(letter).terms:
                    rest = e.f.add(rest, e.f.mul(e.env[other], k.value))
                if dict(guard.affine.terms)[letter].value == 1:
                    start = e.f.greatest(start, e.f.sub(0, rest))
                else:
                    stop = e.f.least(stop, e.f.add(rest, 1))
        return start, stop

    def _turn(
        self, start: Whole, stop: Whole, unroll: int, totals: list[Value],
        once: Callable[[Whole, list[Value]], list[Value]],
    ) -> list[Value]:  # fmt: skip
        """A loop; a tile of few accumulators has several of each, one for every unrolled turn, added at the end."""
        f, e = self.e.f, self.e
        if start == stop:
            return totals
        sets = min(unroll, -(-_UNDER_WAY // len(totals)))
        zeros = [e.spread(e.number(0), v.lanes) for v in totals]
        state = [totals, *(zeros for _ in range(sets - 1))]
        flat_state = [v for one in state for v in one]
        with f.loop(start, stop, unroll, [(e.type_of("float", v.lanes), v.text) for v in flat_state]) as loop:
            now = _grouped([Value(t, "float", v.lanes) for t, v in zip(loop.carried, flat_state, strict=True)], sets)
            for k in range(unroll):
                now[k % sets] = once(f.add(loop.index, k), now[k % sets])
            loop.next = [v.text for one in now for v in one]
        done = _grouped([Value(t, "float", v.lanes) for t, v in zip(loop.results, flat_state, strict=True)], sets)
        while len(done) > 1:
            more = done.pop()
            done[0] = [e.binary("add", a, b) for a, b in zip(done[0], more, strict=True)]
        return done[0]

    def _place(self, read: Read, at: Linear) -> str:
        """Where the innermost loop starts to read. Opaque to LLVM, which else looks for the best among all sums of the
        letters of all loops, for most of the time that a program takes to compile.
        """
        return self.e.f.op(f"freeze ptr {self.e.pointer(self.e.buffers[read.tensor], self.e.flat_index(at))}")

    def _step(
        self, a: str, a_at: Whole, b: str, b_at: Whole, columns: Sequence[_Column], a_steps: Sequence[int],
        totals: list[Value],
    ) -> list[Value]:  # fmt: skip
        """One turn of the sum: V loads, U numbers, U*V multiply-adds."""
        e, buffers = self.e, self.e.buffers
        vectors = []
        for column in columns:
            text = e.load_lanes(buffers[self.c.b.tensor], self._after(b, e.f.add(b_at, column.offset)), column.lanes)
            vectors.append(Value(text, "float", column.lanes))
            if self.order.ahead:
                e.prefetch(self._after(b, e.f.add(b_at, column.offset + self.order.ahead)))
        result = []
        for r, step in enumerate(a_steps):
            text = e.load_lanes(buffers[self.c.a.tensor], self._after(a, e.f.add(a_at, step)), 1)
            for k, vector in enumerate(vectors):
                result.append(e.muladd(Value(text, "float"), vector, totals[r * len(columns) + k]))
        return result

    def _after(self, place: str, at: Whole) -> str:
        return self.e.f.op(f"getelementptr {self.e.element}, ptr {place}, i64 {at}")

    # --- what is done with the sum -----------------------------------------------------------------------------------

    def _finish(
        self,
        start: Whole,
        columns: Sequence[_Column],
        at: Mapping[Letter, Whole],
        rows: Sequence[Row],
        totals: Sequence[Value],
    ) -> None:
        e = self.e
        at = {**at, **dict.fromkeys(self.c.joined, 0)}
        for k, some in self._order(len(columns), rows):
            column = columns[k]
            with e.bind(self.c.lane, e.f.add(start, column.offset), self.wide, column.lanes):
                for statement in self.nest.statements:
                    for part in self._same_in_rows(statement.expr):
                        e.value(part)
                for r in some:
                    row = rows[r]
                    with ExitStack() as scope:
                        self._bind(scope, at, row)
                        e.know(self.c.node, totals[r * len(columns) + k])
                        finish(e, self.nest)

    def _order(self, columns: int, rows: Sequence[Row]) -> Iterator[tuple[int, Sequence[int]]]:
        """The vectors and, for each, the rows in the order in which they are stored.

        Rows whose lanes are joined may meet in the result. To read what was stored just now, at another offset, takes
        as long as some twenty multiply-adds, so rows that meet come one long after the other.
        """
        if not self.c.joined:
            yield from ((k, range(len(rows))) for k in range(columns))
            return
        place = Linear.of(self.nest.statement.left, self.e.buffers[self.nest.statement.target].strides)
        ends = [sum(place.step(letter) * k for letter, k in row.items()) + self.wide for row in rows]
        near = 1 + max(sum(other > end - self.wide for other in ends[:r]) for r, end in enumerate(ends))
        for first in range(near):
            yield from ((k, [r]) for r in range(first, len(rows), near) for k in range(columns))

    def _same_in_rows(self, node: Node) -> list[Node]:
        """The greatest parts that depend neither on the row nor on the sum."""
        if node is self.c.node or (isinstance(node, Read) and node.tensor in self.targets):
            return []
        parts = [self._same_in_rows(child) for child in children(node)]
        whole = all(p == [child] for p, child in zip(parts, children(node), strict=True))
        if whole and not depends(node, self.c.rows):
            return [node]
        return [part for found in parts for part in found]


def _grouped(values: list[Value], groups: int) -> list[list[Value]]:
    size = len(values) // groups
    return [values[k * size : (k + 1) * size] for k in range(groups)]
