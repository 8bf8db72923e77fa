"""Reductions as loops that carry their result.

    sum         acc + body                         max, min    the better of two; NaN wins, the first at a tie
    argmax      (best, its row-major code)         logsumexp   m + log(sum exp(body - m)), m the maximum

Where no letter outside runs in the lanes, one of the reduction's own letters does: the lanes are accumulators, combined
at the end. Lanes that do not fill a vector are a loop nest of their own.
"""

from __future__ import annotations

__all__ = ["Reducer"]

from collections.abc import Callable, Sequence
from math import prod

from paperback.engines.llvm.code.evaluate import Evaluator
from paperback.engines.llvm.code.values import Value
from paperback.engines.llvm.ir import Whole
from paperback.engines.llvm.lowering.buffers import Linear
from paperback.notation.affine import Affine, Letter
from paperback.notation.expr import Binder, Guard, Node, Read, Reduce
from paperback.notation.walk import nodes

_LEAST_LANES = 4
_UNROLLED = 16  # terms that are written one after the other

State = list[Value]
Step = Callable[[State], State]


class Reducer(Evaluator):
    """An evaluator that can reduce."""

    def reduction(self, node: Reduce) -> Value:
        self.declare({b.letter: self.extent_of(b.extent) for b in node.binders})
        match node.op:
            case "sum":
                return self._total(node.binders, node.guards, lambda: self.float_of(node.body), node.body)
            case "max" | "min":
                position = Reduce(f"arg{node.op}", node.binders, node.guards, node.body)
                if position not in self.positions:
                    return self._best(node)
                best, code = self._position(position)
                self.know(position, code)
                return best
            case "argmax" | "argmin":
                return self._position(node)[1]
            case "logsumexp":
                return self._logsumexp(node)
        raise TypeError(f"no code for the reducer {node.op}")

    def _total(
        self, binders: Sequence[Binder], guards: Sequence[Guard], body: Callable[[], Value], node: Node
    ) -> Value:
        zero = self.number(0)

        def step(state: State) -> State:
            holds, value = self._guarded(guards, body)
            return [self.binary("add", state[0], self.select(holds, value, zero))]

        return self._fold(binders, node, guards, zero, step, lambda a, b: self.binary("add", a, b))

    def _best(self, node: Reduce) -> Value:
        sign = ">" if node.op == "max" else "<"
        worst = self.number(float("-inf") if node.op == "max" else float("inf"))

        def step(state: State) -> State:
            holds, value = self._guarded(node.guards, lambda: self.float_of(node.body))
            return [self.extreme(sign, state[0], self.select(holds, value, worst))]

        return self._fold(node.binders, node.body, node.guards, worst, step, lambda a, b: self.extreme(sign, a, b))

    def _position(self, node: Reduce) -> tuple[Value, Value]:
        """The best value, and its place."""
        sign = ">" if node.op == "argmax" else "<"
        worst = self.number(float("-inf") if node.op == "argmax" else float("inf"))
        lanes = self.lanes
        first = self.whole(-1 if node.guards else 0)
        state = [self.spread(worst, lanes), self.spread(first, lanes)]

        def step(state: State) -> State:
            best, code = state
            holds, value = self._guarded(node.guards, lambda: self.float_of(node.body))
            takes = self.better(sign, best, value)
            if holds is not None:
                unset = self.compare("<", code, self.whole(0))
                allowed = self.both(holds, self.either(takes, unset))
                assert allowed is not None
                takes = allowed
            here: Whole = 0
            for binder in node.binders:
                here = self.f.add(self.f.mul(here, binder.extent.value), self.env[binder.letter])
            return [self.select(takes, value, best), self.select(takes, self.whole(here), code)]

        best, code = self.loops(list(node.binders), state, step, node.body)
        if node.guards:
            code = self.select(self.compare("<", code, self.whole(0)), self.whole(0), code)
        return best, code

    def _logsumexp(self, node: Reduce) -> Value:
        top = self._best(Reduce("max", node.binders, node.guards, node.body))
        zero, infinite = self.number(0), self.number(float("inf"))
        finite = self.compare("<", self.magnitude(top), infinite)
        top = self.select(finite, top, zero)

        def body() -> Value:
            return self.function("exp", self.binary("add", self.float_of(node.body), self.negative(top)))

        total = self._total(node.binders, node.guards, body, node.body)
        return self.binary("add", top, self.function("log", total))

    def _guarded(self, guards: Sequence[Guard], body: Callable[[], Value]) -> tuple[Value | None, Value]:
        """Do the guards hold, and the body's value under them."""
        outside = self.mask
        holds = self.guards(guards)
        value = self.as_float(body())
        self.mask = outside
        return holds, value

    # --- loops -------------------------------------------------------------------------------------------------------

    def _fold(
        self,
        binders: Sequence[Binder],
        body: Node,
        guards: Sequence[Guard],
        neutral: Value,
        step: Step,
        combine: Callable[[Value, Value], Value],
    ) -> Value:
        """All steps over the binders; some letter in the lanes where none is yet."""
        inner = self._lane_letter(binders, body) if self.vector is None else None
        if inner is None:
            lanes = self.lanes
            return self.loops(list(binders), [self.spread(neutral, lanes)], step, body)[0]
        extent = self.extent_of(inner.extent)
        full = extent - extent % self.width
        outer = [b for b in binders if b is not inner]
        total: Value | None = None
        for start, stop, lanes in ((0, full, self.width), (full, extent, extent - full)):
            if start == stop:
                continue
            state = [self.spread(neutral, lanes)]
            part = self.loops(outer, state, step, body, (inner, start, stop, lanes))[0]
            folded = self.fold(part, combine)
            total = folded if total is None else combine(total, folded)
        assert total is not None
        return total

    def _lane_letter(self, binders: Sequence[Binder], body: Node) -> Binder | None:
        """The binder whose neighbours lie side by side in most reads."""
        best, most = None, 0
        for binder in binders:
            if self.extent_of(binder.extent) < _LEAST_LANES:
                continue
            count = 0
            for read in (n for n in nodes(body) if isinstance(n, Read)):
                if all(isinstance(i, Affine) for i in read.indices):
                    indices = [i for i in read.indices if isinstance(i, Affine)]
                    step = Linear.of(indices, self.buffers[read.tensor].strides).step(binder.letter)
                    count += 1 if step == 1 else -1 if step else 0
            if count > most:
                best, most = binder, count
        return best

    def loops(
        self,
        binders: list[Binder],
        state: State,
        step: Step,
        body: Node,
        inner: tuple[Binder, int, int, int] | None = None,
    ) -> State:
        """The nest over the binders, and innermost over the vectors of `inner`; what `step` makes of the state."""
        if inner is None and 0 < prod(max(0, self.extent_of(b.extent)) for b in binders) <= _UNROLLED:
            self.prepare(body)
            return self._written_out(binders, state, step)
        return self._nest(binders, state, step, body, inner)

    def _written_out(self, binders: Sequence[Binder], state: State, step: Step) -> State:
        if not binders:
            return step(state)
        extent = self.extent_of(binders[0].extent)
        for k in range(extent):
            with self.bind(binders[0].letter, k, extent):
                state = self._written_out(binders[1:], state, step)
        return state

    def _nest(
        self, binders: list[Binder], state: State, step: Step, body: Node, inner: tuple[Binder, int, int, int] | None
    ) -> State:
        if binders:
            binder, rest = binders[0], binders[1:]
            extent = self.extent_of(binder.extent)
            start, stop = self.range_of(extent)
            self.prepare(body)

            def once(state: State) -> State:
                return self._nest(rest, state, step, body, inner)

            return self._loop(binder.letter, start, stop, 1, extent, 0, state, once)
        if inner is not None:
            binder, first, end, lanes = inner
            self.prepare(body)
            return self._loop(binder.letter, first, end, lanes, self.extent_of(binder.extent), lanes, state, step)
        return step(state)

    def _loop(
        self, letter: Letter, start: Whole, stop: Whole, by: int, extent: int, lanes: int, state: State, once: Step
    ) -> State:
        if isinstance(start, int) and isinstance(stop, int) and stop - start <= by:
            with self.bind(letter, start, extent, lanes):
                return once(state)
        with self.f.loop(start, stop, by, [(self.type_of(v.kind, v.lanes), v.text) for v in state]) as loop:
            carried = [Value(text, v.kind, v.lanes) for text, v in zip(loop.carried, state, strict=True)]
            with self.bind(letter, loop.index, extent, lanes):
                after = once(carried)
            loop.next = [v.text for v in after]
        return [Value(text, v.kind, v.lanes) for text, v in zip(loop.results, state, strict=True)]
