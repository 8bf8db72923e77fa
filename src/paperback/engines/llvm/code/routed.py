"""The code of sums that follow positions (see `route`).

    for k:  for some places p, and all (q, r) in the lanes, in registers:
        for examples, positions:  + number * dense[position + (p, q), r]
"""

from __future__ import annotations

__all__ = ["emit_routed"]

from math import prod

from paperback.engines.llvm.code.contract import combinations, flat
from paperback.engines.llvm.code.follow import Follower, Spot
from paperback.engines.llvm.code.nest import added, turns
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


class _Routed(Follower):
    def __init__(self, e: Reducer, nest: Nest, route: Route, split: Letter | None, registers: int) -> None:
        super().__init__(e, nest, split)
        self.route, self.registers = route, registers
        statement = nest.statement
        self.target = e.buffers[statement.target]
        self.place = Linear.of(statement.left, self.target.strides)
        self.dense = flat(route.dense, e.buffers[route.dense.tensor])
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
            self.loops(outer, self._gather)
            return
        start, stop = self.e.range_of(BATCH)
        turns(self.e, self.example, start, stop, BATCH, lambda: self.loops(outer, self._gather))

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

    def _gather(self) -> None:
        e, expr = self.e, self.nest.statement.expr
        assert isinstance(expr, Reduce)
        at_once = max(1, (self.registers - _SPARE_REGISTERS) // len(self.columns))
        pieces = -(-len(self.choices) // at_once)
        for k in range(pieces):
            choices = self.choices[len(self.choices) * k // pieces : len(self.choices) * (k + 1) // pieces]
            spots: list[Spot] = [(choice, *column) for choice in choices for column in self.columns]
            zeros = [e.spread(e.number(0), lanes) for _, _, lanes in spots]

            def step(totals: list[Value], spots: list[Spot] = spots) -> list[Value]:
                number, offset = self._at_position()
                source = e.f.add(self.start(self.dense), offset)
                result = []
                for spot, total in zip(spots, totals, strict=True):
                    at = e.f.add(source, self.shift(self.dense, spot))
                    vector = e.load_vector(e.buffers[self.route.dense.tensor], at, spot[2])
                    result.append(e.muladd(number, vector, total))
                return result

            totals = e.loops([b for b in expr.binders if b.letter not in e.env], zeros, step, expr.body)
            to = self.start(self.place)
            for spot, total in zip(spots, totals, strict=True):
                pointer = e.pointer(self.target, e.f.add(to, self.shift(self.place, spot)))
                old = Value(e.load_lanes(self.target, pointer, spot[2]), "float", spot[2])
                new = added(e, old, total, "%lo" if self.example is None else e.env[self.example])
                e.f.do(f"store {e.typed(new)}, ptr {pointer}, align {self.target.bytes_per_entry}")
