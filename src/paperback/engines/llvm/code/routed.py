"""The code of sums that follow positions (see `route`).

    for k:  for some places p, and all (q, r) in the lanes, in registers:
        for examples, positions:  + number * dense[position + (p, q), r]
"""

from __future__ import annotations

__all__ = ["emit_routed"]

from collections.abc import Callable, Sequence
from math import prod

from paperback.engines.llvm.code.contract import combinations, flat
from paperback.engines.llvm.code.nest import range_of, turns
from paperback.engines.llvm.code.reduce import Reducer
from paperback.engines.llvm.code.values import Value
from paperback.engines.llvm.ir import Whole
from paperback.engines.llvm.lowering.buffers import BATCH, Linear
from paperback.engines.llvm.lowering.nests import Nest, Route
from paperback.notation.affine import Letter
from paperback.notation.expr import Reduce

_SPARE_REGISTERS = 4
_FEW_EXAMPLES = 8 << 10  # bytes of an example of which the first cache holds few: then one is done after the other


def emit_routed(e: Reducer, nest: Nest, split: Letter | None, registers: int) -> None:
    """Write the loops."""
    assert nest.route is not None
    _Routed(e, nest, nest.route, split, registers).emit()


class _Routed:
    def __init__(self, e: Reducer, nest: Nest, route: Route, split: Letter | None, registers: int) -> None:
        self.e, self.nest, self.route, self.split, self.registers = e, nest, route, split, registers
        statement = nest.statement
        self.target = e.buffers[statement.target]
        self.place = Linear.of(statement.left, self.target.strides)
        self.dense = flat(route.dense, e.buffers[route.dense.tensor])
        self.extents = {b.letter: e.extent_of(b.extent) for b in statement.binders}
        if isinstance(statement.expr, Reduce):
            self.extents |= {b.letter: e.extent_of(b.extent) for b in statement.expr.binders}
        e.declare(self.extents)
        extent, width = prod(self.extents[letter] for letter in route.lanes), e.width
        self.columns = [(k, min(width, extent - k)) for k in range(0, extent, width)]
        self.choices = list(combinations(route.places, self.extents))
        dense = e.buffers[route.dense.tensor]
        large = dense.per_example and dense.size * dense.bytes_per_entry >= _FEW_EXAMPLES
        self.example = next((l for l, n in self.extents.items() if n == BATCH), None) if large else None

    def emit(self) -> None:
        own = {*self.route.places, *self.route.lanes}
        outer = [b.letter for b in self.nest.statement.binders if b.letter not in own]
        if self.example is None:
            self._loops(outer, self._gather)
            return
        start, stop = self.e.range_of(BATCH)
        turns(self.e, self.example, start, stop, BATCH, lambda: self._loops(outer, self._gather))

    def _loops(self, letters: Sequence[Letter], body: Callable[[], None]) -> None:
        if not letters:
            body()
            return
        start, stop = range_of(self.e, self.nest, letters[0], self.split)
        turns(self.e, letters[0], start, stop, self.extents[letters[0]], lambda: self._loops(letters[1:], body))

    def _at_position(self) -> tuple[Value, Whole]:
        """The number at the current position, and what the position adds to a flat index."""
        e = self.e
        name = f"offsets.{e.f.name}"
        numbers = ", ".join(f"i64 {n}" for n in self.route.offsets)
        count = len(self.route.offsets)
        e.f.definitions[name] = f"@{name} = private constant [{count} x i64] [{numbers}]"
        code = e.value(self.route.codes)
        pointer = e.f.op(f"getelementptr i64, ptr @{name}, i64 {code.text}")
        return e.value(self.route.value), e.f.op(f"load i64, ptr {pointer}, align 8")

    def _start(self, linear: Linear) -> Whole:
        """A flat index at the letters that are bound; the places and the lane are 0."""
        at: Whole = linear.const
        for letter, step in linear.steps:
            if letter in self.e.env:
                at = self.e.f.add(at, self.e.f.mul(self.e.env[letter], step))
        return at

    def _shift(self, linear: Linear, choice: dict[Letter, int], column: int) -> int:
        return sum(linear.step(letter) * k for letter, k in choice.items()) + column

    def _gather(self) -> None:
        e, expr = self.e, self.nest.statement.expr
        assert isinstance(expr, Reduce)
        at_once = max(1, (self.registers - _SPARE_REGISTERS) // len(self.columns))
        pieces = -(-len(self.choices) // at_once)
        for k in range(pieces):
            choices = self.choices[len(self.choices) * k // pieces : len(self.choices) * (k + 1) // pieces]
            spots = [(choice, column, lanes) for choice in choices for column, lanes in self.columns]
            zeros = [e.spread(e.number(0), lanes) for _, _, lanes in spots]

            def step(totals: list[Value], spots: list[tuple[dict[Letter, int], int, int]] = spots) -> list[Value]:
                number, offset = self._at_position()
                source = e.f.add(self._start(self.dense), offset)
                result = []
                for (choice, column, lanes), total in zip(spots, totals, strict=True):
                    at = e.f.add(source, self._shift(self.dense, choice, column))
                    dense = e.buffers[self.route.dense.tensor]
                    vector = Value(e.load_lanes(dense, e.pointer(dense, at), lanes), "float", lanes)
                    result.append(e.muladd(number, vector, total))
                return result

            totals = e.loops([b for b in expr.binders if b.letter not in e.env], zeros, step, expr.body)
            to = self._start(self.place)
            for (choice, column, lanes), total in zip(spots, totals, strict=True):
                at = e.f.add(to, self._shift(self.place, choice, column))
                pointer = e.pointer(self.target, at)
                old = Value(e.load_lanes(self.target, pointer, lanes), "float", lanes)
                new = e.binary("add", old, total)
                e.f.do(f"store {e.typed(new)}, ptr {pointer}, align {self.target.bytes_per_entry}")
