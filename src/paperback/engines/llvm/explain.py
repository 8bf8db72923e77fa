"""From what was written to the page of it: every kernel's formulas, the reason of its schedule, and its costs.

Kernels are measured as they run: the parts of a step one after the other on one thread, for every shard and every
micro-batch, each call between two looks at the clock; the medians over a few steps.
"""

from __future__ import annotations

__all__ = ["Explained", "Times", "explain", "measure"]

import ctypes
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from math import prod
from statistics import median

from paperback.engines.llvm.code.contract import limits, rows_or_usual, turn_cycles
from paperback.engines.llvm.code.drivers import CONTEXT
from paperback.engines.llvm.code.kernels import Dotted, Followed, Kernel, Looped, Sorted, Tiled, Turned, Way
from paperback.engines.llvm.lowering.addressed import Address, find_address
from paperback.engines.llvm.lowering.arrange import product_of_reads
from paperback.engines.llvm.lowering.buffers import BATCH, SHARDS, Buffer
from paperback.engines.llvm.lowering.lower import RUNTIME
from paperback.engines.llvm.lowering.nests import Nest
from paperback.engines.llvm.lowering.route import POSITION
from paperback.engines.llvm.machine.objects import Library
from paperback.engines.llvm.machine.target import Target
from paperback.engines.llvm.plan import BYTES_PER_SECOND, CYCLES_PER_SECOND, Plan, Row, Step
from paperback.engines.llvm.room import Room
from paperback.notation.affine import Letter
from paperback.notation.count import operations
from paperback.notation.expr import AffineGuard, Binder, Call, Node, Read, Reduce, Statement, mul
from paperback.notation.show import statement_line
from paperback.notation.size import Size
from paperback.notation.spell import Speller
from paperback.notation.walk import free_letters, nodes
from paperback.program.program import Program

_CALL = 16  # operations that a function such as exp takes
_STEPS = 15
_CALLS = 200
_KINDS = {"given": "given", "results": "result", "kept": "kept", "shares": "partial"}
_SIGNATURE = (ctypes.c_void_p, ctypes.c_void_p, *(ctypes.c_int64 for _ in range(8)))


@dataclass(frozen=True)
class Explained:
    """What the explanation of a kernel needs to know: sizes, tensors, the machine, and who reads what."""

    kernels: Sequence[Kernel]
    buffers: Mapping[str, Buffer]
    target: Target
    lanes: int
    count: int
    shards: int

    def number(self, mode: str) -> dict[int, int]:
        """What stands for the batch and the shards; 1 for the shards that together sum over the batch once."""
        sizes = {BATCH: self.count, SHARDS: 1 if mode == "share" else self.shards}
        return {stands_for: sizes[n] for stands_for, n in RUNTIME.items()}

    def bytes_of(self, name: str) -> int:
        buffer = self.buffers[name]
        many = {BATCH: self.count, SHARDS: self.shards}.get(buffer.shape[0] if buffer.shape else 0, 1)
        return buffer.size * many * buffer.bytes_per_entry


@dataclass(frozen=True)
class Times:
    """Seconds of every kernel on one thread, and of a step as it runs."""

    kernels: Sequence[float]
    step: float


def explain(
    known: Explained,
    program: Program,
    micro: int,
    memory: Mapping[str, int],
    machine: Mapping[str, str],
    times: Times | None = None,
) -> Plan:
    """The page: a row for every kernel, in running order, and what they share."""
    measured = times.kernels if times is not None else [None] * len(known.kernels)
    rows = tuple(_Kernel(known, k).row(seconds) for k, seconds in zip(known.kernels, measured, strict=True))
    there = {name for row in rows for name in (*row.targets, *row.inside)}
    unread = tuple(s.target for s in program.statements if s.target not in there)
    held = {
        title: sum(known.bytes_of(name) for name, buffer in known.buffers.items() if buffer.kind == kind)
        for title, kind in _KINDS.items()
    }
    target = known.target
    about = (
        f"{target.cpu}, {target.vector_bytes}-byte vectors, {target.registers} registers, "
        f"{'fused multiply-add' if target.fma else 'no fused multiply-add'}; {known.lanes} numbers in a vector"
    )
    seconds = times.step if times is not None else None
    return Plan(
        known.count, known.shards, micro, rows, unread, {"target": about, **machine}, {**held, **memory}, seconds
    )


class _Kernel:
    def __init__(self, known: Explained, kernel: Kernel) -> None:
        self.known, self.kernel, self.task = known, kernel, kernel.task
        self.sizes = known.number(self.task.mode)

    def row(self, measured: float | None) -> Row:
        kernel, task = self.kernel, self.task
        pairs = list(zip(task.nests, kernel.ways, strict=True))
        read, written = self._traffic()
        flops = sum((self._flops(nest, s) for nest in task.nests for s in nest.statements), Fraction(0))
        cycles = sum(self._cycles(nest, way) for nest, way in pairs)
        if task.when:  # hardly ever
            flops, cycles, read, written = Fraction(0), 0, self.known.bytes_of(task.when), 0
        modelled = max(cycles / CYCLES_PER_SECOND, (read + written) / BYTES_PER_SECOND)
        steps = tuple(step for nest, way in pairs for step in self._steps(nest, way))
        inside = tuple(dict.fromkeys(task.inside))
        return Row(
            kernel.name, kernel.level, kernel.part, kernel.round, task.order, inside, steps, int(flops), read, written,
            modelled, measured,
        )  # fmt: skip

    def number(self, size: Size) -> int:
        return self.sizes.get(size.value, size.value)

    # --- costs -------------------------------------------------------------------------------------------------------

    def _flops(self, nest: Nest, statement: Statement) -> Fraction:
        if nest.fill is not None:
            return Fraction(0)
        address = self._address(nest)
        if address is not None:  # every term goes to one place
            statement = replace(statement, binders=tuple(b for b in statement.binders if b.letter != address.place))
        return operations(_without_codes(nest, statement), self.number, list(_clips(nest)))

    def _address(self, nest: Nest) -> Address | None:
        integers = {b.name for b in self.known.buffers.values() if b.element in ("i32", "i64")}
        return find_address(nest.statement.expr, integers) if nest.add and not nest.more else None

    def _traffic(self) -> tuple[int, int]:
        """Bytes of the tensors that are read, and of those that are written."""
        known, task = self.known, self.task
        read: dict[str, int] = {}
        for nest in task.nests:
            for statement in nest.statements:
                extents = {b.letter: self.number(b.extent) for b in _binders(statement)}
                for one in (n for n in nodes(statement.expr) if isinstance(n, Read)):
                    if one.tensor in task.reads:
                        touched = prod(extents[letter] for letter in free_letters(one))
                        whole = known.bytes_of(one.tensor)
                        size = min(whole, touched * known.buffers[one.tensor].bytes_per_entry)
                        read[one.tensor] = min(whole, max(read.get(one.tensor, 0), size))
        unread = frozenset().union(*(nest.unread for nest in task.nests))
        return sum(read.values()), sum(known.bytes_of(name) for name in task.order if name not in unread)

    def _cycles(self, nest: Nest, way: Way) -> float:
        known = self.known
        lanes = known.lanes
        if nest.fill is not None:
            return self._points(nest.statement) / lanes
        follows = nest.route or nest.sort
        if follows is not None:
            extents = {b.letter: self.number(b.extent) for b in nest.statement.binders}
            wide = prod(extents[l] for l in follows.lanes)
            places = prod(extents[l] for l in (*follows.places, *(nest.sort.block if nest.sort else ())))
            adds = float(self._flops(nest, nest.statement)) / 2
            return adds / (places * wide) * (POSITION + places * -(-wide // lanes) / 2)
        rest = list(nest.statements)
        cycles = 0.0
        if isinstance(way, Tiled):
            node = way.contraction.node
            adds = float(self._flops(nest, replace(nest.statement, expr=node))) / 2
            lanes_of = way.contraction.lanes
            extent = prod(self.number(b.extent) for b in nest.statement.binders if b.letter in lanes_of)
            turn = turn_cycles(way.tile, way.rows, way.vectors) / rows_or_usual(way.rows)
            cycles += adds / extent * turn
            rest = rest[1:]
        if isinstance(way, Dotted):
            flops = float(self._flops(nest, replace(nest.statement, expr=way.dots.node)))
            cycles += flops / 4 / lanes + self._points(nest.statement) * lanes.bit_length()
            rest = rest[1:]
        for statement in rest:
            vectorised = not isinstance(way, Looped) or way.lane is not None or _sums(statement)
            calls = sum(_CALL for n in nodes(statement.expr) if isinstance(n, Call) and n.function != "relu")
            work = max(float(self._flops(nest, statement)), self._points(statement))
            cycles += (work + calls * self._points(statement)) / (lanes if vectorised else 1)
        return cycles

    def _points(self, statement: Statement) -> int:
        return prod(self.number(b.extent) for b in statement.binders)

    # --- words -------------------------------------------------------------------------------------------------------

    def _steps(self, nest: Nest, way: Way) -> Iterator[Step]:
        if nest.fill is not None:
            yield Step(f"{nest.statement.target} = {nest.fill}", "filled first: the rest adds to it, or leaves gaps")
            return
        how = ""
        for k, statement in enumerate(nest.statements):
            kept: list[Speller] = []

            def speller(kept: list[Speller] = kept, **settings: object) -> Speller:
                kept.append(Speller(**settings))  # type: ignore[arg-type]
                return kept[0]

            line = statement_line(_without_codes(nest, statement), False, writing=speller)
            text = f"{line.left} {'+=' if nest.add else '='} {line.right}"
            if k == 0:
                how = self._how(nest, way, kept[0])
            yield Step(text, how if k == 0 else "at the same points, from registers")

    def _how(self, nest: Nest, way: Way, names: Speller) -> str:
        def spelled(letters: Sequence[Letter]) -> str:
            return ",".join(map(names.name, letters)) or "none"

        words = []
        statement, lanes = nest.statement, self.known.lanes
        if isinstance(statement.expr, Read) and not self._of_program(statement.target):
            readers = [k.task.order[0] for k in self.known.kernels if statement.target in k.task.reads]
            padded = f", padded with {statement.expr.pad}" if statement.expr.pad is not None else ""
            words.append(f"a copy that lies as it is read{padded}, for {', '.join(readers)}")
        match way:
            case Tiled():
                tile, c = way.tile, way.contraction
                bounds = limits(tile)
                slowest = max(bounds, key=lambda what: bounds[what])
                rows = f"{way.rows} rows" if way.rows is not None else "as many rows as there are"
                words.append(
                    f"register tile of {tile.rows} rows ({spelled(c.rows)}) x {tile.vectors} vectors of {lanes} "
                    f"({spelled(c.lanes)}), of {rows} x {way.vectors}: {max(bounds.values()):g} cycles a turn of the "
                    f"sum over {spelled(c.inner)}, bound by {slowest}; {turn_cycles(tile, way.rows, way.vectors):g} "
                    f"for all, the least of the tiles that {self.known.target.registers} registers hold"
                )
                if c.joined:
                    sizes = {b.letter: self.number(b.extent) for b in statement.binders}
                    apart = -(-sizes[c.lane] // lanes) * prod(sizes[letter] for letter in c.joined)
                    words.append(
                        f"{spelled(c.lanes)} side by side in the lanes: {way.vectors} vectors in place of the {apart} "
                        f"that {spelled([c.lane])} alone would take"
                    )
                words += way.notes
            case Dotted():
                d = way.dots
                places = [l for l in (d.rows, d.columns) if l is not None]
                size = f"{way.tile.rows} x {way.tile.vectors} at a time ({spelled(places)})"
                both = f"both factors lie along {spelled([d.lanes])}, which is in the lanes"
                words.append(f"dot products, {size}: {both}, and no copy is turned round")
            case Followed():
                assert nest.route is not None
                extents = {b.letter: self.number(b.extent) for b in statement.binders}
                wide = min(lanes, prod(extents[l] for l in nest.route.lanes))
                words.append(
                    f"follows the maxima: for each, {nest.route.dense.tensor} is read at its place in the window, in "
                    f"vectors of {wide} along {spelled(nest.route.lanes)}; the zeros are skipped"
                )
            case Sorted():
                assert nest.sort is not None
                extents = {b.letter: self.number(b.extent) for b in statement.binders}
                wide = min(lanes, prod(extents[l] for l in nest.sort.lanes))
                channels = [b.letter for b in statement.expr.binders] if isinstance(statement.expr, Reduce) else []
                words.append(
                    f"follows the maxima: for each {spelled(nest.sort.windows)}, the {spelled(channels)} of a place "
                    f"are added there together, in vectors of {wide} along {spelled(nest.sort.lanes)}; the zeros are "
                    "skipped"
                )
            case Turned():
                words.append(f"squares of {lanes} x {lanes} are turned in registers")
            case _ if self._address(nest) is not None:
                words.append("every term is added to the row that it names, in the order of the terms")
            case _ if way.lane is None and _sums(statement):
                words.append("plain nest, one entry after the other, the sum in vectors")
            case _ if way.lane is None:
                why = "no letter is long enough and has neighbours in the result"
                if len(statement.left) == 1 and nest.split is not None:
                    why = "its only letter is cut into ranges, for threads"
                words.append(f"plain nest, entry by entry: {why}")
            case _:
                wide = min(lanes, next(self.number(b.extent) for b in statement.binders if b.letter == way.lane))
                words.append(f"plain nest, vectors of {wide} along {spelled([way.lane])}: {self._reason(statement)}")
        on_the_left = {letter for form in statement.left for letter in form.letters}
        blocks = [b.letter for b in statement.binders if b.letter not in on_the_left]
        if blocks:
            words.append(f"in blocks, one {spelled(blocks)} at a time: the factor at work stays in the first cache")
        if nest.add and any(form.bare is None and form.letters for form in statement.left):
            words.append("scattered: products are added where they belong, nothing outside is read")
        if nest.clips:
            words.append(f"loops end where a product would fall outside ({len(nest.clips)} clipped)")
        if self.task.when:
            words.append(f"for rows of which {self.task.when} is not finite, and no others")
        if self.task.mode == "share":
            words.append("a shard's share, added up in the join part")
        return "; ".join(words)

    def _reason(self, statement: Statement) -> str:
        sums = _sums(statement)
        if not sums:
            return "every entry by itself"
        if any(product_of_reads(n) for n in sums):
            return "a sum of products whose factors do not lie as a tile needs them, or that is too short"
        return "no sum of products of two tensors"

    def _of_program(self, name: str) -> bool:
        return " (" not in name


def _sums(statement: Statement) -> list[Reduce]:
    return [n for n in nodes(statement.expr) if isinstance(n, Reduce)]


def _without_codes(nest: Nest, statement: Statement) -> Statement:
    """A sum that follows positions as a sum of products: the positions are where the other factor is read."""
    way = nest.route or nest.sort
    if way is None or not isinstance(statement.expr, Reduce):
        return statement
    body: Node = mul(way.dense, way.value)
    node = statement.expr
    return replace(statement, expr=Reduce(node.op, node.binders, node.guards, body))


def _clips(nest: Nest) -> Iterator[AffineGuard]:
    for clip in nest.clips:
        yield AffineGuard(">=", clip.form)
        yield AffineGuard(">=", -clip.form + (clip.extent - 1))


def _binders(statement: Statement) -> Iterator[Binder]:
    yield from statement.binders
    for node in nodes(statement.expr):
        if isinstance(node, Reduce):
            yield from node.binders


# ---------------------------------------------------------------------------------------------------------------------
# The clock


def measure(
    kernels: Sequence[Kernel], library: Library, room: Room, micro: int, step: Callable[[], object]
) -> Times:
    """Seconds of every kernel of a step in a room that is open, and of `step`, which takes one."""
    calls = {k.name: ctypes.CFUNCTYPE(None, *_SIGNATURE)(library.address(k.name)) for k in kernels}
    places = {name: room.fields[k] for k, name in enumerate(CONTEXT)}
    whole = []
    for _ in range(_STEPS + 1):
        start = time.perf_counter()
        step()
        whole.append(time.perf_counter() - start)
    clock = _Clock(kernels, calls, places, micro)
    steps = [clock.step() for _ in range(_STEPS)]
    return Times([median(one[k.name] for one in steps) for k in kernels], median(whole[1:]))


class _Clock:
    """Takes steps, call by call, and adds up what every kernel takes."""

    def __init__(
        self, kernels: Sequence[Kernel], calls: Mapping[str, Callable[..., None]], places: Mapping[str, int], micro: int
    ) -> None:
        self.kernels, self.calls, self.places, self.micro = kernels, calls, places, micro
        self.spent: dict[str, float] = {}
        self.empty = 0.0
        idle = next((k for k in kernels if k.task.mode == "example"), None)  # it does nothing for no examples
        if idle is not None:
            self.empty = median(self._seconds(idle, 0, 0, 0, 0) for _ in range(_CALLS))

    def step(self) -> dict[str, float]:
        """Seconds by kernel."""
        self.spent = dict.fromkeys((k.name for k in self.kernels), 0.0)
        count, shards = self.places["N"], self.places["S"]
        for level in sorted({k.level for k in self.kernels}):
            own = [k for k in self.kernels if k.level == level and k.part == "shard"]
            for shard in range(shards if own else 0):
                self._shard(own, shard, shard * count // shards, (shard + 1) * count // shards)
            for kernel in self.kernels:
                if kernel.level == level and kernel.part == "join":
                    self._call(kernel, 0, kernel.task.rows, 0, 0)
        return self.spent

    def _shard(self, kernels: Sequence[Kernel], shard: int, first: int, last: int) -> None:
        zeros = [k for k in kernels if k.task.mode == "zero"]
        for kernel in zeros:
            self._call(kernel, first, last, first, shard)
        for low in range(first, last, self.micro):
            for kernel in kernels:
                if kernel not in zeros:
                    self._call(kernel, low, min(low + self.micro, last), low, shard)

    def _call(self, kernel: Kernel, low: int, high: int, origin: int, slot: int) -> None:
        self.spent[kernel.name] += max(0.0, self._seconds(kernel, low, high, origin, slot) - self.empty)

    def _seconds(self, kernel: Kernel, low: int, high: int, origin: int, slot: int) -> float:
        function, places = self.calls[kernel.name], self.places
        start = time.perf_counter()
        end = kernel.cut.extent if kernel.cut is not None else 0
        function(places["table"], places["scratch"], low, high, origin, slot, 0, end, places["N"], places["S"])
        return time.perf_counter() - start
