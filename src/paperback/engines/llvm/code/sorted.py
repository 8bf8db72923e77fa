"""The code of scatters that are sorted by places (see `sort`).

    for windows, channels k:           segment[window, code] gets k's place in the weights, and its number
    for blocks, a few vectors each:    the part of the weights that is at work stays in the first cache
        for windows, codes:  for k in the segment, in registers:  + number * weights[k, ..]

Segments lie on the stack. An entry is written whatever its code, and counted after that: nothing depends on a branch.
"""

from __future__ import annotations

__all__ = ["emit_sorted", "sorted_loops"]

from collections.abc import Sequence
from math import prod

from paperback.engines.llvm.code.contract import combinations, flat
from paperback.engines.llvm.code.cut import Loops
from paperback.engines.llvm.code.follow import Follower, Spot
from paperback.engines.llvm.code.nest import turns
from paperback.engines.llvm.code.reduce import Reducer
from paperback.engines.llvm.code.values import Value
from paperback.engines.llvm.ir import Whole
from paperback.engines.llvm.lowering.buffers import Linear
from paperback.engines.llvm.lowering.nests import Nest, Sort
from paperback.engines.llvm.lowering.sort import LANES
from paperback.notation.affine import Letter
from paperback.notation.expr import Reduce

_SPARE_REGISTERS = 4
_FIRST_CACHE = 32 << 10  # bytes of weights, for all channels, that the sums of a place take at once
_LEAST_VECTORS = 6  # and of how many, so that multiply-adds do not wait for each other
_STACK = 64 << 10  # bytes


def sorted_loops(nest: Nest, sort: Sort) -> Loops:
    """Blocks of lanes can be cut; windows cannot, as what they add to overlaps."""
    outer = (l for l in nest.statement.letters if l not in (*sort.windows, *sort.block, *sort.places, *sort.lanes))
    lane, block = (sort.lanes[0], sort.block[0]) if sort.block else (None, None)
    return Loops(tuple(outer), lane, LANES, block)


def emit_sorted(e: Reducer, nest: Nest, split: Letter | None, registers: int) -> None:
    """Write the loops."""
    assert nest.sort is not None
    _Sorted(e, nest, nest.sort, split, registers).emit()


class _Sorted(Follower):
    def __init__(self, e: Reducer, nest: Nest, sort: Sort, split: Letter | None, registers: int) -> None:
        super().__init__(e, nest, split)
        self.sort, statement = sort, nest.statement
        assert isinstance(statement.expr, Reduce)
        self.channels = [b.letter for b in statement.expr.binders]
        self.target, self.dense = e.buffers[statement.target], e.buffers[sort.dense.tensor]
        self.place, self.origin = Linear.of(statement.left, self.target.strides), flat(sort.dense, self.dense)
        self.many, self.codes = self._count(self.channels), len(sort.offsets) + 1
        extent, width = self._count(sort.lanes), e.width
        columns = [(k, min(width, extent - k)) for k in range(0, extent, width)]
        self.spots: list[Spot] = [(choice, *c) for choice in combinations(sort.places, self.extents) for c in columns]
        size = self.dense.bytes_per_entry
        most = max(_LEAST_VECTORS, min(registers - _SPARE_REGISTERS, _FIRST_CACHE // (self.many * width * size)))
        self.pieces = -(-len(self.spots) // most)
        # windows whose segments are on the stack together: those of the last letters
        room, self.inside = _STACK // (self.many * self.codes * (size + 4)), list[Letter]()
        for letter in reversed(sort.windows):
            if self._count([letter, *self.inside]) > room:
                break
            self.inside.insert(0, letter)
        self.segments = self._count(self.inside) * self.codes

    def _count(self, letters: Sequence[Letter]) -> int:
        return prod(self.extents[letter] for letter in letters)

    def emit(self) -> None:
        f, sort = self.e.f, self.sort
        entries = self.segments * self.many
        self.numbers = f.at_entry(f"alloca [{entries} x {self.e.element}], align 64")
        self.steps = f.at_entry(f"alloca [{entries} x i32], align 64")
        self.counts = f.at_entry(f"alloca [{self.segments} x i64], align 64")
        own = {*self.inside, *sort.block, *sort.places, *sort.lanes}
        outer = [b.letter for b in self.nest.statement.binders if b.letter not in own]
        self.loops(outer, self._some_windows)

    def _some_windows(self) -> None:
        self.loops(self.inside, self._sort)
        if self.sort.block:
            self._blocks(self.sort.block[0])
        else:
            self._add()

    def _blocks(self, block: Letter) -> None:
        e, extent = self.e, self.extents[block]
        start, stop = e.range_of(extent)
        if e.cut is not None:  # a range of whole blocks
            grain = e.cut.extent // extent
            start, stop = (e.f.op(f"sdiv i64 {end}, {grain}") for end in e.part)
        turns(e, block, start, stop, extent, self._add)

    def _segment(self) -> Whole:
        """The first segment of the current window."""
        window: Whole = 0
        for letter in self.inside:
            window = self.e.f.add(self.e.f.mul(window, self.extents[letter]), self.e.env[letter])
        return self.e.f.mul(window, self.codes)

    # --- sorting -----------------------------------------------------------------------------------------------------

    def _sort(self) -> None:
        f = self.e.f
        first = self._segment()
        for code in range(self.codes):
            f.do(f"store i64 0, ptr {self._at(self.counts, 'i64', f.add(first, code))}")
        self.loops(self.channels, lambda: self._put(first))

    def _put(self, first: Whole) -> None:
        e, f = self.e, self.e.f
        segment = f.add(first, e.value(self.sort.codes).text)
        counter = self._at(self.counts, "i64", segment)
        count = f.op(f"load i64, ptr {counter}")
        at = f.add(f.mul(segment, self.many), count)
        number = e.value(self.sort.value)
        f.do(f"store {e.typed(number)}, ptr {self._at(self.numbers, e.element, at)}")
        step: Whole = 0
        for letter in self.channels:
            step = f.add(step, f.mul(e.env[letter], self.origin.step(letter)))
        short = f.op(f"trunc i64 {step} to i32")
        f.do(f"store i32 {short}, ptr {self._at(self.steps, 'i32', at)}")
        f.do(f"store i64 {f.add(count, 1)}, ptr {counter}")

    def _at(self, memory: str, element: str, index: Whole) -> str:
        return self.e.f.op(f"getelementptr {element}, ptr {memory}, i64 {index}")

    # --- adding ------------------------------------------------------------------------------------------------------

    def _add(self) -> None:
        for k in range(self.pieces):
            spots = self.spots[len(self.spots) * k // self.pieces : len(self.spots) * (k + 1) // self.pieces]

            def window(spots: Sequence[Spot] = spots) -> None:
                first = self._segment()
                with self.e.f.loop(1, self.codes) as codes:
                    self._place_of(codes.index, first, spots)

            self.loops(self.inside, window)

    def _place_of(self, code: str, first: Whole, spots: Sequence[Spot]) -> None:
        """Add the products of a segment to the vectors that these spots are around its place."""
        e, f = self.e, self.e.f
        segment = f.add(first, code)
        count = f.op(f"load i64, ptr {self._at(self.counts, 'i64', segment)}")
        with f.when(f.op(f"icmp sgt i64 {count}, 0")):
            to = f.add(self.start(self.place), self._offset(code))
            pointers = [e.pointer(self.target, f.add(to, self.shift(self.place, spot))) for spot in spots]
            kinds = [e.type_of("float", spot[2]) for spot in spots]
            align = self.target.bytes_per_entry
            old = [f.op(f"load {kind}, ptr {p}, align {align}") for kind, p in zip(kinds, pointers, strict=True)]
            begin = f.mul(segment, self.many)
            start = self.start(self.origin)
            with f.loop(begin, f.add(begin, count), 1, list(zip(kinds, old, strict=True))) as loop:
                number = Value(f.op(f"load {e.element}, ptr {self._at(self.numbers, e.element, loop.index)}"), "float")
                short = f.op(f"load i32, ptr {self._at(self.steps, 'i32', loop.index)}")
                source = f.add(start, f.op(f"sext i32 {short} to i64"))
                for spot, total in zip(spots, loop.carried, strict=True):
                    vector = e.load_vector(self.dense, f.add(source, self.shift(self.origin, spot)), spot[2])
                    loop.next.append(e.muladd(number, vector, Value(total, "float", spot[2])).text)
            for kind, pointer, total in zip(kinds, pointers, loop.results, strict=True):
                f.do(f"store {kind} {total}, ptr {pointer}, align {align}")

    def _offset(self, code: str) -> str:
        """What a code, from 1, adds to the target's flat index."""
        f = self.e.f
        name = f"places.{f.name}"
        numbers = ", ".join(f"i64 {n}" for n in (0, *self.sort.offsets))
        f.definitions[name] = f"@{name} = private constant [{self.codes} x i64] [{numbers}]"
        return f.op(f"load i64, ptr {self._at(f'@{name}', 'i64', code)}, align 8")
