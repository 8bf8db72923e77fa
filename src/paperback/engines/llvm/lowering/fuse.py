"""Fewer passes over memory: cheap values computed where they are read, statements over one box in one nest.

    inline   y = relu(x), z = max(p) y[..p..]        ->  z = max(p) relu(x[..p..])     where y is cheap
    push     d[2*i+r] = e_r for phases r, f = g(d)    ->  f[2*i+r] = g(e_r)             where only f reads d
    merge    y[b,o] = sum.., z[b,o] = tanh(y[b,o])    ->  one nest that stores both     (y only where others read it)

A maximum and its position are found in one pass. What a contraction reads stays in memory, where its loads find it.
"""

from __future__ import annotations

__all__ = ["fuse"]

from collections.abc import Collection, Iterator, Sequence
from dataclasses import replace
from fractions import Fraction

from paperback.engines.llvm.lowering.arrange import product_of_reads
from paperback.engines.llvm.lowering.nests import Nest
from paperback.engines.llvm.lowering.tasks import Section, Task
from paperback.notation.affine import Affine
from paperback.notation.expr import ZERO, Call, Node, Read, Reduce, Statement, const
from paperback.notation.walk import fresh, map_children, nodes, substitute

_CHEAP_NODES = 6
_CHEAP_CALLS = ("relu", "abs", "sign", "step", "max", "min")
_KEEP_ZERO = ("relu", "abs", "sign")


def fuse(sections: Sequence[Section], outputs: Collection[str]) -> None:
    """Fuse the tasks of every section in place; outputs stay computed and stored."""
    for section in sections:
        for tasks in (section.shard, section.join):
            others = (part for s in sections for part in (s.shard, s.join) if part is not tasks)
            kept = {*outputs, *(name for part in others for task in part for name in task.reads)}
            _inline(tasks, kept)
            _push(tasks, kept)
            _merge(tasks, kept)


def _single(task: Task) -> Statement | None:
    """The statement of a task that is one: plain, stored once."""
    if len(task.nests) != 1 or task.mode not in ("example", "once") or task.when:
        return None
    nest = task.nests[0]
    plain = nest.statement.is_plain and nest.fill is None and not nest.add and not nest.clips
    return nest.statement if plain and not nest.more else None


def _reads(task: Task) -> Iterator[Read]:
    for nest in task.nests:
        for statement in nest.statements:
            yield from (n for n in nodes(statement.expr) if isinstance(n, Read))


def _own(statement: Statement) -> tuple[Affine, ...]:
    return tuple(Affine.of(b.letter) for b in statement.binders)


def _factors(tasks: Sequence[Task]) -> set[str]:
    """The tensors that contractions read."""
    found: set[str] = set()
    for task in tasks:
        for nest in task.nests:
            for node in nodes(nest.statement.expr):
                found |= {read.tensor for read in product_of_reads(node) or ()}
    return found


# ---------------------------------------------------------------------------------------------------------------------
# Inline


def _inline(tasks: list[Task], kept: Collection[str]) -> None:
    """Compute cheap values where they are read."""
    held = _factors(tasks)
    for target in [task.target for task in tasks]:
        task = next(t for t in tasks if t.target == target)  # with what was inlined into it before
        statement = _single(task)
        if statement is None or task.target in kept or task.target in held or not _is_cheap(statement.expr):
            continue
        readers = [t for t in tasks if task.target in t.reads]
        if all(_can_inline(statement, reader) for reader in readers):
            for reader in readers:
                tasks[tasks.index(reader)] = _with_inlined(reader, statement, (*task.inside, target))
            tasks.remove(task)


def _is_cheap(expr: Node) -> bool:
    found = list(nodes(expr))
    if len(found) > _CHEAP_NODES or sum(isinstance(n, Read) for n in found) != 1:
        return False
    calls = [n for n in found if isinstance(n, Call)]
    return not any(isinstance(n, Reduce) for n in found) and all(c.function in _CHEAP_CALLS for c in calls)


def _can_inline(producer: Statement, reader: Task) -> bool:
    reads = [r for r in _reads(reader) if r.tensor == producer.target]
    inside = {i for r in _reads(reader) for i in r.indices if isinstance(i, Read)}
    return all(
        (r.pad is None or _keeps(producer, r.pad)) and r not in inside and all(isinstance(i, Affine) for i in r.indices)
        for r in reads
    )


def _keeps(producer: Statement, pad: Fraction | float) -> bool:
    """Is what lies outside the same, whether it is padded before or after?"""
    expr = producer.expr
    if pad != 0 or not isinstance(expr, Call) or expr.function not in _KEEP_ZERO:
        return False
    (value,) = expr.arguments
    return isinstance(value, Read) and value.pad is None and value.indices == _own(producer)


def _with_inlined(task: Task, producer: Statement, inside: Sequence[str]) -> Task:
    def image(node: Node) -> Node:
        if isinstance(node, Read) and node.tensor == producer.target:
            value = _at(producer, [i for i in node.indices if isinstance(i, Affine)])
            return value if node.pad is None else map_children(value, lambda read: _padded(read, node.pad))
        return map_children(node, image)

    nests = (replace(nest, statement=replace(nest.statement, expr=image(nest.statement.expr))) for nest in task.nests)
    return replace(task, nests=tuple(nests), inside=(*task.inside, *inside))


def _padded(read: Node, pad: Fraction | float | None) -> Node:
    assert isinstance(read, Read)
    return Read(read.tensor, read.indices, pad)


def _at(statement: Statement, indices: Sequence[Affine]) -> Node:
    """The value of a plain statement at some place."""
    return substitute(fresh(statement.expr), dict(zip(statement.letters, indices, strict=True)))


# ---------------------------------------------------------------------------------------------------------------------
# Push


def _push(tasks: list[Task], kept: Collection[str]) -> None:
    """Apply a pointwise statement to the phases of what it reads."""
    for target in [task.target for task in tasks]:
        task = next((t for t in tasks if t.target == target), None)
        statement = _single(task) if task is not None else None
        if task is None or statement is None or any(isinstance(n, Reduce) for n in nodes(statement.expr)):
            continue
        for producer in tasks:
            if producer.target in task.reads and producer.target not in kept and _in_phases(producer, tasks):
                pushed = _pushed(statement, producer)
                if pushed is not None:
                    inside = (*task.inside, *producer.inside, producer.target)
                    tasks[tasks.index(task)] = replace(task, nests=pushed, inside=inside)
                    tasks.remove(producer)
                    break


def _in_phases(producer: Task, tasks: Sequence[Task]) -> bool:
    readers = [t for t in tasks if producer.target in t.reads]
    parts = [n for n in producer.nests if n.fill is None]
    return len(readers) == 1 and len(parts) > 1 and not any(n.add or n.clips or n.more for n in producer.nests)


def _pushed(statement: Statement, producer: Task) -> tuple[Nest, ...] | None:
    own = _own(statement)
    if statement.axes != producer.nests[0].statement.axes:
        return None  # a copy with padding around
    if any(r.tensor == producer.target and r.indices != own for r in nodes(statement.expr) if isinstance(r, Read)):
        return None
    result = []
    for nest in producer.nests:
        value = nest.statement.expr if nest.fill is None else const(0)
        if nest.fill is not None and (nest.fill != 0 or _with(statement.expr, producer.target, ZERO) != ZERO):
            return None
        left = dict(zip(statement.letters, nest.statement.left, strict=True))
        expr = _with(substitute(fresh(statement.expr), left), producer.target, value)
        result.append(replace(nest, statement=replace(nest.statement, target=statement.target, expr=expr)))
    return tuple(result)


def _with(node: Node, tensor: str, value: Node) -> Node:
    if isinstance(node, Read) and node.tensor == tensor:
        return value
    return map_children(node, lambda child: _with(child, tensor, value))


# ---------------------------------------------------------------------------------------------------------------------
# Merge


def _merge(tasks: list[Task], kept: Collection[str]) -> None:
    """Put statements over one box into one nest."""
    done: list[Task] = []
    for task in tasks:
        place = _host(task, done)
        if place is None:
            done.append(task)
        else:
            done[place] = _merged(done[place], task)
    tasks[:] = [_trimmed(task, done, kept) for task in done]


def _host(task: Task, done: Sequence[Task]) -> int | None:
    """Where the last task is that this one can join; None where none is, or it would have to move before its inputs."""
    statement = _single(task)
    if statement is None or not statement.binders:
        return None
    for k in range(len(done) - 1, -1, -1):
        host = done[k]
        if host.mode == task.mode and _fits(statement, host):
            return k
        if host.targets & task.reads:
            return None
    return None


def _fits(statement: Statement, host: Task) -> bool:
    if len(host.nests) != 1 or host.when:
        return False
    nest = host.nests[0]
    first = nest.statement
    if not first.is_plain or nest.fill is not None or nest.add or nest.clips or first.axes != statement.axes:
        return False
    moved = _moved(statement, first)
    if any(r.tensor in host.targets and r.indices != _own(first) for r in nodes(moved.expr) if isinstance(r, Read)):
        return False
    found = {n for n in nodes(moved.expr) if isinstance(n, Reduce)}
    known = {n for s in nest.statements for n in nodes(s.expr) if isinstance(n, Reduce)}
    return all(_twin(node, known) is not None for node in found)


def _twin(node: Reduce, known: Collection[Reduce]) -> Reduce | None:
    """A maximum whose position this is, with other letters."""
    for other in known:
        if node.op == f"arg{other.op}" and [b.extent for b in node.binders] == [b.extent for b in other.binders]:
            letters = {b.letter: Affine.of(o.letter) for b, o in zip(node.binders, other.binders, strict=True)}
            if node.guards == other.guards == () and substitute(node.body, letters) == other.body:
                return other
    return None


def _moved(statement: Statement, first: Statement) -> Statement:
    """The statement with the letters of another over the same box."""
    letters = dict(zip(statement.letters, _own(first), strict=True))
    expr = substitute(statement.expr, letters)
    return replace(statement, left=first.left, binders=first.binders, expr=expr)


def _merged(host: Task, task: Task) -> Task:
    nest = host.nests[0]
    moved = _moved(task.nests[0].statement, nest.statement)
    known = {n for s in nest.statements for n in nodes(s.expr) if isinstance(n, Reduce)}

    def image(node: Node) -> Node:
        if isinstance(node, Read) and node.tensor in host.targets:
            return Read(node.tensor, node.indices, None)  # at the point itself nothing is padded
        twin = _twin(node, known) if isinstance(node, Reduce) else None
        if twin is not None:
            position: Node = Reduce(f"arg{twin.op}", twin.binders, (), twin.body)
            return position
        return map_children(node, image)

    moved = replace(moved, expr=image(moved.expr))
    nests = (replace(nest, more=(*nest.more, moved)),)
    return replace(host, nests=nests, inside=(*host.inside, *task.inside))


def _trimmed(task: Task, tasks: Sequence[Task], kept: Collection[str]) -> Task:
    """The task without stores that nobody reads."""
    if len(task.nests) != 1 or not task.nests[0].more:
        return task
    others = {name for t in tasks if t is not task for name in t.reads}
    nest = task.nests[0]
    unread = frozenset(s.target for s in nest.statements if s.target not in kept and s.target not in others)
    return replace(task, nests=(replace(nest, unread=unread),))

