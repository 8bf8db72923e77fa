"""Sums of products whose factors both run along the sum: dot products, in registers.

    out[r, c] = sum(k) A[r, k] * B[c, k]

Where k has neighbours in both factors and no letter of the result has them in either, k runs in the lanes. A tile of U
rows and V columns has U*V vectors of partial sums; a turn loads U + V vectors for as many multiply-adds. The lanes are
added at the end. Weights that are read backwards, as in the gradient of a dense layer's input, need no copy that is
turned round: they are read once, from their beginning to their end.

Where columns are neighbours in the result, and a vector's worth of them fits into the first cache, they are a tile, for
one row after the other, and all their lanes are added together: pairs of vectors become one whose halves are the sums
of theirs, and so on, until one vector holds the results.

Each entry has one vector of partial sums whatever its tile, whose lanes are added halves first, so its bits do not
depend on where rows or columns are cut.
"""

from __future__ import annotations

__all__ = ["dot_loops", "emit_dots", "find_dots"]

from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from itertools import product
from math import prod

from paperback.engines.llvm.code.contract import Dots, Tile, choose_tile, flat, is_within, the_sum
from paperback.engines.llvm.code.cut import Loops
from paperback.engines.llvm.code.kernels import Dotted
from paperback.engines.llvm.code.nest import finish, in_tiles, range_of, turns
from paperback.engines.llvm.code.reduce import Reducer, State
from paperback.engines.llvm.code.values import Value
from paperback.engines.llvm.ir import Whole
from paperback.engines.llvm.lowering.arrange import along, product_of_reads
from paperback.engines.llvm.lowering.buffers import BATCH, Buffer, Linear
from paperback.engines.llvm.lowering.nests import Nest
from paperback.notation.affine import Letter

_LEAST_VECTORS = 2  # of a sum in the lanes
_USUAL_BATCH = 32
_FIRST_CACHE = 16 << 10  # bytes of the columns of a tile that are read again for the next row


def find_dots(
    nest: Nest, buffers: Mapping[str, Buffer], extents: Mapping[Letter, int], width: int
) -> Dots | None:
    """How a nest is dot products; None where it is not."""
    statement = nest.statement
    node = the_sum(statement)
    factors = product_of_reads(node) if node is not None else None
    if node is None or factors is None or nest.fill is not None or nest.clips:
        return None
    if any(f.pad is not None or not is_within(f, buffers[f.tensor], extents) for f in factors):
        return None
    shapes = {f.tensor: buffers[f.tensor].shape for f in factors}
    inner = [b.letter for b in node.binders]
    lanes = along(factors, inner, shapes)
    if lanes is None or extents[lanes] < _LEAST_VECTORS * width:
        return None
    a, b = sorted(factors, key=lambda f: not buffers[f.tensor].per_example)
    letters = statement.letters

    def own(read: int) -> Letter | None:
        """The longest letter that one factor has and the other has not."""
        one, other = (flat(f, buffers[f.tensor]) for f in ((a, b), (b, a))[read])
        found = [l for l in letters if one.step(l) and not other.step(l)]
        return max(found, key=lambda l: _USUAL_BATCH if extents[l] == BATCH else extents[l], default=None)

    rows, columns = own(0), own(1)
    outer = tuple(l for l in letters if l not in (rows, columns))
    return Dots(node, a, b, lanes, rows, columns, outer)


def dot_loops(d: Dots) -> Loops:
    """All of its loops can be cut."""
    return Loops((*d.outer, *(l for l in (d.columns, d.rows) if l is not None)))


def emit_dots(e: Reducer, nest: Nest, d: Dots, split: Letter | None, registers: int) -> Dotted:
    """Write the loops over tiles; `split` runs over the range that the function is called with."""
    extents = {b.letter: e.extent_of(b.extent) for b in nest.statement.binders}
    e.declare({**extents, **{b.letter: e.extent_of(b.extent) for b in d.node.binders}})
    counts = [1 if l is None else None if extents[l] < 0 or l == split else extents[l] for l in (d.rows, d.columns)]
    tile = choose_tile(counts[0], counts[1] if counts[1] is not None else _USUAL_BATCH, registers)
    if _are_neighbours(e, nest, d):
        tile = Tile(1, e.width)

    def level(letters: Sequence[Letter]) -> None:
        if letters:
            start, stop = range_of(e, nest, letters[0], split)
            turns(e, letters[0], start, stop, extents[letters[0]], lambda: level(letters[1:]))
        else:
            over(d.columns, tile.vectors, columns)

    def over(letter: Letter | None, size: int, body: Callable[[Whole, int], None]) -> None:
        start, stop = (0, 1) if letter is None else range_of(e, nest, letter, split)
        in_tiles(e.f, start, stop, size, body)

    def columns(column: Whole, wide: int) -> None:
        over(d.rows, tile.rows, lambda row, tall: _tile(e, nest, d, (row, tall), (column, wide)))

    level(d.outer)
    return Dotted(d, tile, *counts)


def _are_neighbours(e: Reducer, nest: Nest, d: Dots) -> bool:
    """Are the columns neighbours in the result, so that a tile of them can be finished as a vector?"""
    target = e.buffers[nest.statement.target]
    along = Linear.of(nest.statement.left, target.strides).step(d.columns) if d.columns is not None else 0
    size = prod(e.extents[b.letter] for b in d.node.binders) * e.width * target.bytes_per_entry
    return along == 1 and not nest.more and e.extents[d.lanes] % e.width == 0 and size <= _FIRST_CACHE


def _tile(e: Reducer, nest: Nest, d: Dots, rows: tuple[Whole, int], columns: tuple[Whole, int]) -> None:
    """One tile: its sums in vectors, then what the statement does with each."""
    (row, tall), (column, wide) = rows, columns
    if tall == 1 and wide == e.width and _are_neighbours(e, nest, d):
        with ExitStack() as scope:
            _bind(e, scope, {d.rows: row, d.columns: column})
            totals = _sums(e, d, [(0, c) for c in range(wide)], together=True)
        assert d.columns is not None
        with ExitStack() as scope:
            _bind(e, scope, {d.rows: row})
            scope.enter_context(e.bind(d.columns, column, e.extents[d.columns], wide))
            e.know(d.node, totals[0])
            finish(e, nest)
        return
    points = list(product(range(tall), range(wide)))
    with ExitStack() as scope:
        _bind(e, scope, {d.rows: row, d.columns: column})
        totals = _sums(e, d, points)
    for (r, c), total in zip(points, totals, strict=True):
        with ExitStack() as scope:
            _bind(e, scope, {d.rows: e.f.add(row, r), d.columns: e.f.add(column, c)})
            e.know(d.node, total)
            finish(e, nest)


def _bind(e: Reducer, scope: ExitStack, values: Mapping[Letter | None, Whole]) -> None:
    for letter, value in values.items():
        if letter is not None:
            scope.enter_context(e.bind(letter, value, e.extents[letter]))


def _sums(e: Reducer, d: Dots, points: Sequence[tuple[int, int]], together: bool = False) -> list[Value]:
    """The sums of these points; with `together`, as the lanes of one vector."""
    a, b = (flat(f, e.buffers[f.tensor]) for f in (d.a, d.b))
    lane = next(binder for binder in d.node.binders if binder.letter == d.lanes)
    outer = [binder for binder in d.node.binders if binder is not lane]

    def step(state: State) -> State:
        found: list[list[Value]] = []
        for read, place, letter, count in ((d.a, a, d.rows, points[-1][0] + 1), (d.b, b, d.columns, points[-1][1] + 1)):
            start = e.flat_index(place)
            apart = place.step(letter) if letter is not None else 0
            buffer = e.buffers[read.tensor]
            found.append([e.load_vector(buffer, e.f.add(start, k * apart), e.lanes) for k in range(count)])
        left, right = found
        return [e.muladd(left[r], right[c], total) for (r, c), total in zip(points, state, strict=True)]

    def combine(x: Value, y: Value) -> Value:
        return e.binary("add", x, y)

    extent = e.extents[d.lanes]
    full = extent - extent % e.width
    totals: list[Value] = []
    for start, stop, lanes in ((0, full, e.width), (full, extent, extent - full)):
        if start < stop:
            zeros = [e.spread(e.number(0), lanes) for _ in points]
            found = e.loops(outer, zeros, step, d.node.body, (lane, start, stop, lanes))
            parts = [e.folded(found, combine)] if together else [e.fold(v, combine) for v in found]
            totals = [combine(x, y) for x, y in zip(totals, parts, strict=True)] if totals else parts
    return totals
