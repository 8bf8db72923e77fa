"""A statement as a loop nest: the general way, for everything that no faster kernel covers.

    for outer letters:  for vectors of the innermost letter:  target[left] = expr

The letter in the lanes is one along which the target's entries are neighbours; entries that do not fill a vector are
written by a shorter one. Without such a letter the statement is scalar, and its reductions use the lanes.
"""

from __future__ import annotations

__all__ = ["added", "emit_nest", "finish", "in_tiles", "own_lane", "range_of", "store", "turns"]

from collections.abc import Callable

from paperback.engines.llvm.code.contract import halves
from paperback.engines.llvm.code.evaluate import Evaluator
from paperback.engines.llvm.code.values import Value
from paperback.engines.llvm.ir import Function, Whole, vector_type
from paperback.engines.llvm.lowering.addressed import Address, find_address
from paperback.engines.llvm.lowering.buffers import SHARDS, Buffer, Linear
from paperback.engines.llvm.lowering.nests import Nest
from paperback.notation.affine import Affine, Letter
from paperback.notation.expr import Call, Node, Read, Reduce, Statement
from paperback.notation.walk import nodes

_LEAST_LANES = 2
_TOGETHER = 4


def emit_nest(e: Evaluator, nest: Nest, split: Letter | None) -> Letter | None:
    """Write the loops; `split` runs over the range that the function is called with. The letter in the lanes."""
    address = find_address(nest.statement.expr, {b.name for b in e.buffers.values() if b.element in ("i32", "i64")})
    if address is not None and nest.add and not nest.more:
        return _emit_addressed(e, nest, address, split)
    statement = nest.statement
    target = e.buffers[statement.target]
    place = Linear.of(statement.left, target.strides)
    extents = {b.letter: e.extent_of(b.extent) for b in statement.binders}
    e.declare(extents)
    lane = own_lane(e, nest, split)
    outer = [b.letter for b in statement.binders if b.letter != lane]

    def at_point() -> None:
        if nest.fill is not None:
            store(e, target, place, e.number(nest.fill), nest.add)
        else:
            finish(e, nest)

    def level(letters: list[Letter]) -> None:
        if letters:
            letter = letters[0]
            start, stop = range_of(e, nest, letter, split)
            prepare(e, nest)
            turns(e, letter, start, stop, extents[letter], lambda: level(letters[1:]))
        elif lane is not None and (lane == split or is_cut(e, nest, lane)):
            prepare(e, nest)
            start, stop = range_of(e, nest, lane, split)
            single = lane == split or extents[lane] % e.width != 0  # parts else are of whole vectors
            part_of_vectors(e, lane, start, stop, extents[lane], at_point, _together(statement), single)
        elif lane is not None:
            prepare(e, nest)
            vectors(e, lane, extents[lane], at_point, _together(statement))
        else:
            at_point()

    level(outer)
    return lane


def own_lane(e: Evaluator, nest: Nest, split: Letter | None) -> Letter | None:
    """The letter in the lanes of a nest."""
    statement = nest.statement
    place = Linear.of(statement.left, e.buffers[statement.target].strides)
    extents = {b.letter: e.extent_of(b.extent) for b in statement.binders}
    clipped = {letter for clip in nest.clips for letter in clip.form.letters}
    lane = lane_letter(e, statement, place, {l: n for l, n in extents.items() if l not in {split, *clipped}})
    if lane is None and split in extents and extents[split] >= 0 and split not in clipped:
        lane = lane_letter(e, statement, place, {split: extents[split]})
    return lane


def _emit_addressed(e: Evaluator, nest: Nest, address: Address, split: Letter | None) -> Letter | None:
    """For every term in its order: where it goes, and there, in vectors, what is added."""
    statement = nest.statement
    assert isinstance(statement.expr, Reduce)
    target = e.buffers[statement.target]
    place = Linear.of(statement.left, target.strides)
    sums = [b.letter for b in statement.expr.binders]
    extents = {b.letter: e.extent_of(b.extent) for b in (*statement.binders, *statement.expr.binders)}
    e.declare(extents)
    own = {b.letter: extents[b.letter] for b in statement.binders if b.letter != address.place}
    lane = lane_letter(e, statement, place, {l: n for l, n in own.items() if l != split})
    parts = [l for l in own if own[l] == SHARDS or l == split]
    inner = [l for l in own if l not in (*parts, lane)]

    def at_point() -> None:
        store(e, target, place, e.float_of(address.body), add=True)

    def at_place() -> None:
        code = e.value(address.codes)
        first, end = range_of(e, nest, address.place, split)
        above = e.compare(">=", code, e.whole(first))
        meant = e.both(above, e.compare("<", code, e.whole(end)))
        assert meant is not None
        with e.f.when(meant.text), e.bind(address.place, code.text, extents[address.place]):
            level(inner, lambda: at_point() if lane is None else vectors(e, lane, extents[lane], at_point))

    def level(letters: list[Letter], body: Callable[[], None]) -> None:
        if not letters:
            body()
            return
        start, stop = range_of(e, nest, letters[0], split)
        turns(e, letters[0], start, stop, extents[letters[0]], lambda: level(letters[1:], body))

    level([*parts, *sums], at_place)
    return lane


def prepare(e: Evaluator, nest: Nest) -> None:
    for statement in nest.statements:
        e.prepare(statement.expr)


def finish(e: Evaluator, nest: Nest) -> None:
    """The values of all statements at the current point, stored."""
    e.positions = {n for s in nest.more for n in nodes(s.expr) if isinstance(n, Reduce)}
    for statement in nest.statements:
        value = e.value(statement.expr)
        read: Node = Read(statement.target, statement.left, None)
        e.know(read, value)
        if statement.target not in nest.unread:
            target = e.buffers[statement.target]
            store(e, target, Linear.of(statement.left, target.strides), value, nest.add)


def range_of(e: Evaluator, nest: Nest, letter: Letter, split: Letter | None) -> tuple[Whole, Whole]:
    """The first value and the end of a letter's loop, inside loops over the letters bound so far."""
    extent = e.extents[letter]
    start, stop = e.range_of(extent)
    if letter == split:
        whole = e.buffers[nest.statement.target].shape[0]
        start, stop = e.rows[0], e.rows[1] if extent == whole else e.f.least(e.rows[1], extent)
    bounds: list[tuple[Affine, Whole, Whole]] = [(clip.form, 0, clip.extent) for clip in nest.clips]
    if e.cut is not None:
        form = nest.statement.left[e.cut.axis]
        if form.bare == letter and extent == e.cut.extent:
            return e.part
        if form.letters == (letter,) and (slope := form.terms[0][1].value) > 1:  # y[2*i], y[2*i+1]: pairs of entries
            up = slope - 1 - form.const.value
            first, end = (e.f.op(f"sdiv i64 {e.f.add(at, up)}, {slope}") for at in e.part)
            start, stop = e.f.greatest(start, first), e.f.least(stop, end)
        else:
            bounds.append((form, *e.part))
    for form, low, high in bounds:
        if letter in form.letters and all(l == letter or l in e.env for l in form.letters):
            rest: Whole = form.const.value
            for other, k in form.without(letter).terms:
                rest = e.f.add(rest, e.f.mul(e.env[other], k.value))
            start = e.f.greatest(start, e.f.sub(low, rest))
            stop = e.f.least(stop, e.f.sub(high, rest))
    return start, stop


def is_cut(e: Evaluator, nest: Nest, letter: Letter) -> bool:
    """Does the function's range of an axis run over this letter?"""
    return e.cut is not None and nest.statement.left[e.cut.axis].bare == letter


def turns(e: Evaluator, letter: Letter, start: Whole, stop: Whole, extent: int, body: Callable[[], None]) -> None:
    """The loop over a letter, one value at a time."""
    if stop == 1 and start == 0:
        with e.bind(letter, 0, extent):
            body()
        return
    with e.f.loop(start, stop) as loop, e.bind(letter, loop.index, extent):
        body()


def in_tiles(f: Function, start: Whole, stop: Whole, size: int, body: Callable[[Whole, int], None]) -> None:
    """The range in tiles of a size, then what is left: in one where it is known, else in smaller and smaller ones."""
    for tall in (size, (stop - start) % size) if isinstance(start, int) and isinstance(stop, int) else halves(size):
        if not tall:
            continue
        if isinstance(start, int) and isinstance(stop, int):
            end: Whole = start + (stop - start) // tall * tall
        elif tall == 1:
            end = stop
        else:
            end = f.add(start, f.mul(f.op(f"sdiv i64 {f.sub(stop, start)}, {tall}"), tall))
        if isinstance(start, int) and isinstance(end, int) and end - start <= tall:
            if end > start:
                body(start, tall)
        else:
            with f.loop(start, end, tall) as loop:
                body(loop.index, tall)
        start = end


def vectors(e: Evaluator, letter: Letter, extent: int, body: Callable[[], None], together: int = 1) -> None:
    """The loop over a letter, some vectors together, then what is left in single ones and in a shorter one."""
    start = 0
    for lanes in dict.fromkeys((together * e.width, e.width, extent % e.width)):
        if lanes == 0:
            return
        stop = extent - (extent - start) % lanes
        if stop - start == lanes:
            with e.bind(letter, start, extent, lanes):
                body()
        elif start < stop:
            with e.f.loop(start, stop, lanes) as loop, e.bind(letter, loop.index, extent, lanes):
                body()
        start = stop


def part_of_vectors(
    e: Evaluator, letter: Letter, start: Whole, stop: Whole, extent: int, body: Callable[[], None], together: int,
    single: bool,
) -> None:  # fmt: skip
    """The loop over a range that is known at run time: some vectors together, single ones, then single entries."""
    stop = e.f.greatest(start, stop)
    for lanes in dict.fromkeys((together * e.width, e.width, *([1] if single else []))):
        end = stop
        if lanes > 1:
            end = e.f.add(start, e.f.mul(e.f.op(f"sdiv i64 {e.f.sub(stop, start)}, {lanes}"), lanes))
        with e.f.loop(start, end, lanes) as loop, e.bind(letter, loop.index, extent, lanes if lanes > 1 else 0):
            body()
        start = end


def _together(statement: Statement) -> int:
    """How many vectors go together: sums along another letter than the lanes' walk through memory in wider steps."""
    found = list(nodes(statement.expr))
    sums = [n for n in found if isinstance(n, Reduce)]
    plain = all(n.op == "sum" and not n.guards for n in sums) and not any(isinstance(n, Call) for n in found)
    return _TOGETHER if sums and plain else 1


def lane_letter(e: Evaluator, statement: Statement, place: Linear, extents: dict[Letter, int]) -> Letter | None:
    """The one of these letters along which the target's entries are neighbours, where its loop is long enough."""
    best, most = None, _LEAST_LANES - 1
    for letter, step in place.steps:
        if step == 1 and extents.get(letter, 0) > most:
            best, most = letter, extents[letter]
    return best if best is not None and not _gathers_more(e, statement.expr, best, most) else None


def _gathers_more(e: Evaluator, expr: Node, letter: Letter, extent: int) -> bool:
    """Would the lanes of a short letter be filled entry by entry?"""
    if extent >= e.width // 2:
        return False
    steps = []
    for read in (n for n in nodes(expr) if isinstance(n, Read)):
        if all(isinstance(i, Affine) for i in read.indices):
            indices = [i for i in read.indices if isinstance(i, Affine)]
            steps.append(Linear.of(indices, e.buffers[read.tensor].strides).step(letter))
    return sum(s > 1 for s in steps) > sum(s == 1 for s in steps)


def store(e: Evaluator, target: Buffer, place: Linear, value: Value, add: bool) -> None:
    """Store, or add, at the flat index of the current point."""
    start = e.flat_index(place)
    lanes = e.lanes if e.vector is not None and place.step(e.vector) else 1
    value = e.spread(value, lanes)
    pointer = e.pointer(target, start)
    if target.element in ("i32", "i64"):
        assert value.kind == "int", "a tensor of whole numbers was given others"
        text, kind = value.text, vector_type("i64", lanes)
        if target.element == "i32":
            text, kind = e.f.op(f"trunc {kind} {text} to {vector_type('i32', lanes)}"), vector_type("i32", lanes)
    else:
        value = e.as_float(value)
        kind = e.type_of("float", lanes)
        if add:
            old = Value(e.f.op(f"load {kind}, ptr {pointer}, align {target.bytes_per_entry}"), "float", lanes)
            value = added(e, old, value)
        text = value.text
        if target.name in e.watched:
            report(e, value)
    e.f.do(f"store {kind} {text}, ptr {pointer}, align {target.bytes_per_entry}")


def added(e: Evaluator, old: Value, value: Value, example: Whole = "%lo") -> Value:
    """The sum; without the old value where there is none, from the first example of a shard on."""
    if e.first is not None:
        fresh = Value(e.f.op(f"icmp eq i64 {example}, {e.first}"), "bool")
        old = e.select(fresh, e.spread(e.number(0), old.lanes), old)
    return e.binary("add", old, value)


def report(e: Evaluator, value: Value) -> None:
    """Set the second word of the status where a lane holds NaN or infinity: v - v is NaN there, and 0 elsewhere."""
    wrong = e.any(e.is_nan(e.binary("sub", value, value)))
    with e.f.when(wrong.text):
        status = e.f.op("load ptr, ptr %table, align 8")
        word = e.f.op(f"getelementptr i64, ptr {status}, i64 1")
        e.f.do(f"store i64 1, ptr {word}")
