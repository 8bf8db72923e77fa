"""Max-pooling leaves most of a gradient 0: sums over it follow the maxima, and skip the zeros.

    F[2*i+a, 2*j+b, k] = [arg[i,j,k] == 2*a+b] * g_ab[i,j,k]         one of the phases (a, b) is not 0

With G[i,j,k] = sum(a,b) [arg == 2*a+b] * g_ab, the number at the maximum, and (A, B) its place in the window, sums over
F are sums over G, and there is a quarter of it:

    bias gradient      sum F[u,v,k]                   =  sum G[i,j,k]
    kernel gradient    sum x[u+p, v+q, r] * F[u,v,k]  =  sum x[2*i+A+p, 2*j+B+q, r] * G[i,j,k]

The second gathers: its vectors run along r, and along (q, r) where these are neighbours together, at a place that
depends on k, so its shares have k first and are turned round where they are added (see `turn`). It pays where looking
the positions up costs less than multiplying by the zeros. Input gradients are scatters of F (see `sort`).
"""

from __future__ import annotations

__all__ = ["POSITION", "route"]

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from math import prod

from paperback.engines.llvm.lowering.arrange import affine_indices, flat, guards_of, product_of_reads
from paperback.engines.llvm.lowering.buffers import Linear
from paperback.engines.llvm.lowering.maximum import at_maximum
from paperback.engines.llvm.lowering.nests import Nest, Route
from paperback.engines.llvm.lowering.parts import filled, split
from paperback.engines.llvm.lowering.sort import LANES, Sorter, neighbours
from paperback.engines.llvm.lowering.tasks import Lowered, Section, Task
from paperback.notation.affine import Affine, Letter
from paperback.notation.expr import (
    Binder,
    Bracket,
    Compare,
    Const,
    Mul,
    Node,
    Read,
    Reduce,
    Statement,
    add,
    bracket,
    const,
    mul,
)
from paperback.notation.walk import map_children, substitute

_LEAST_CODES = 2
_MOST_VECTORS = 256  # for a position: they are written out
POSITION = 1.0  # multiply-adds in the time in which a position is looked up
_GATHERED = 1.2  # a multiply-add of a vector that is loaded for it alone
_WAITING = 4.0  # the least for a position: what is added to the same vector waits for it
_STORED = 7.0  # a vector of the dense gradient that is made, stored, and read for the bias


@dataclass(frozen=True)
class _Phases:
    """A task whose phases are chosen by a position.

    first     the statement of the first phase; its letters are those of the codes
    terms     numbers at places, whose sum is the one at the chosen place: for every code, 0 for all but one, or one
              for all
    shifts    for every code, how far its place is from the first one's, along each axis
    """

    first: Statement
    codes: Read
    terms: tuple[Node, ...]
    shifts: tuple[tuple[int, ...], ...]

    def value(self, target: str) -> Statement:
        """The number at the chosen place."""
        return Statement.plain(target, self.first.binders, add(*self.terms))

    def chosen(self, target: str) -> Statement:
        """The code, from 1; 0 where a false bracket drops the number, whatever it is."""
        code = add(self.codes, const(1))
        each = [mul(bracket(*guards_of(term)[0]), code) for term in self.terms]
        return Statement.plain(target, self.first.binders, add(*each))


def route(lowered: Lowered, outputs: Collection[str]) -> None:
    """Rewrite, in place, what reads a gradient that went through a maximum."""
    for level, section in enumerate(lowered.sections):
        for task in list(section.shard):
            phases = _phases(task, lowered.tasks)
            if phases is not None and task.target not in outputs:
                _route(lowered, level, task, phases)
    _drop_copies(lowered, outputs)


def _phases(task: Task, tasks: Iterable[Task]) -> _Phases | None:
    parts = [nest for nest in task.nests if nest.fill is None]
    if len(parts) < _LEAST_CODES or any(n.add or n.clips or n.more or n.fill not in (None, 0) for n in task.nests):
        return None
    first = parts[0].statement
    own = tuple(Affine.of(b.letter) for b in first.binders)
    terms: dict[int, Node] = {}
    shifts: dict[int, tuple[int, ...]] = {}
    codes: Read | None = None
    for nest in parts:
        statement = nest.statement
        if [b.extent for b in statement.binders] != [b.extent for b in first.binders]:
            return None
        letters = dict(zip(statement.letters, own, strict=True))
        expr = substitute(statement.expr, letters)
        gaps = [a.substitute(letters) - b for a, b in zip(statement.left, first.left, strict=True)]
        found = _chosen_by(expr)
        if found is None or any(gap.terms for gap in gaps) or found[0].indices != own:
            return None
        if codes not in (None, found[0]):
            return None
        codes = found[0]
        shifts[found[1]] = tuple(gap.const.value for gap in gaps)
        terms[found[1]] = expr
    if codes is None or sorted(shifts) != list(range(len(parts))):
        return None
    each = tuple(terms[k] for k in range(len(parts)))
    number = at_maximum(each, codes, tasks)
    return _Phases(first, codes, each if number is None else (number,), tuple(shifts[k] for k in range(len(parts))))


def _chosen_by(expr: Node) -> tuple[Read, int] | None:
    """The read and the number of a factor `[read == number]`."""
    for factor in expr.factors if isinstance(expr, Mul) else ():
        for guard in factor.guards if isinstance(factor, Bracket) else ():
            if isinstance(guard, Compare) and guard.relation == "==":
                for read, number in ((guard.left, guard.right), (guard.right, guard.left)):
                    if isinstance(read, Read) and isinstance(number, Const) and number.value.denominator == 1:
                        return read, int(number.value)
    return None


def _route(lowered: Lowered, level: int, task: Task, phases: _Phases) -> None:
    shapes, section = lowered.shapes, lowered.sections[level]
    compact, chosen = f"{task.target} (at the maxima)", f"{task.target} (places of the maxima)"
    own = tuple(Affine.of(b.letter) for b in phases.first.binders)
    value, code = Read(compact, own, None), Read(chosen, own, None)
    assert isinstance(value, Read) and isinstance(code, Read)
    rewriter = _Rewriter(shapes, task.target, phases, value)
    sorter = Sorter(shapes, phases.first, phases.shifts, value, code)
    copies = {s.target: s for s in _copies(lowered)}
    readers = [t for t in section.shard if task.target in t.reads]
    gathered = [t for t in readers if rewriter.gather(t) is not None]
    scatters = [(t, scatter) for t in readers for scatter in [sorter.scatter(t, copies)] if scatter is not None]
    if not gathered and not scatters:
        return
    shapes[compact] = shapes[chosen] = shapes[phases.codes.tensor]
    statement, more = phases.value(compact), (phases.chosen(chosen),) if scatters else ()
    if scatters:
        lowered.integers |= {chosen}
    at = section.shard.index(task) + 1
    section.shard.insert(at, Task(compact, (Nest(statement, split=split(statement), more=more),), "example"))
    for reader, scatter in scatters:
        at = section.shard.index(reader)
        section.shard[at : at + 1] = scatter.tasks
        lowered.sections[level - 1].join.append(Task(scatter.copy.statement.target, (scatter.copy,), "once"))
    for reader in [t for t in section.shard if task.target in t.reads]:
        new = rewriter.gather(reader) or rewriter.plain_sum(reader)
        if new is not None:
            section.shard[section.shard.index(reader)] = new
        if new is not None and new.target != reader.target:
            order = rewriter.orders[new.target]
            shapes[new.target] = tuple(shapes[reader.target][k] for k in order)
            _read_in_order(section, reader.target, new.target, order)
    if not any(task.target in t.reads for s in lowered.sections for t in (*s.shard, *s.join)):
        section.shard.remove(task)
        at = next(k for k, t in enumerate(section.shard) if t.target == compact)
        section.shard[at] = replace(section.shard[at], inside=(*task.inside, task.target))


def _copies(lowered: Lowered) -> Iterator[Statement]:
    """What is made once, and lies in another order than its source."""
    for task in (t for section in lowered.sections for t in section.join):
        nest = task.nests[0]
        read = nest.statement.expr
        plain = len(task.nests) == 1 and nest.fill is None and not (nest.add or nest.more) and nest.statement.is_plain
        if plain and isinstance(read, Read) and read.pad is None and all(isinstance(i, Affine) for i in read.indices):
            yield nest.statement


def _drop_copies(lowered: Lowered, outputs: Collection[str]) -> None:
    """Leave away the copies that nobody reads any more."""
    read = {name for task in lowered.tasks for name in task.reads}
    unread = {s.target for s in _copies(lowered)} - read - set(outputs)
    for section in lowered.sections:
        section.join[:] = [task for task in section.join if task.target not in unread]


def _read_in_order(section: Section, old: str, new: str, order: Sequence[int]) -> None:
    """Read the new shares, whose axes are these of the old ones, where the old are added."""

    def image(node: Node) -> Node:
        if isinstance(node, Read) and node.tensor == old:
            result: Node = Read(new, tuple(node.indices[k] for k in order), None)
            return result
        return map_children(node, image)

    for k, task in enumerate(section.join):
        if old in task.reads:
            nests = tuple(replace(n, statement=replace(n.statement, expr=image(n.statement.expr))) for n in task.nests)
            section.join[k] = replace(task, nests=nests)


class _Rewriter:
    def __init__(self, shapes: Mapping[str, tuple[int, ...]], target: str, phases: _Phases, value: Read) -> None:
        self.shapes, self.target, self.phases, self.value = shapes, target, phases, value
        self.orders: dict[str, tuple[int, ...]] = {}

    def _letters(self, read: Read) -> dict[Letter, Affine] | None:
        """Letters of a bare read of the gradient -> where the first phase's letters put them."""
        bare = [i.bare for i in affine_indices(read)]
        if len(bare) != len(read.indices) or None in bare or len(set(bare)) != len(bare):
            return None
        return {l: a for l, a in zip(bare, self.phases.first.left, strict=True) if l is not None}

    def _share(self, task: Task) -> tuple[Statement, Reduce] | None:
        """The statement of a share that is a sum, and the sum."""
        if task.mode != "share" or len(task.nests) != 1 or task.nests[0].more or task.nests[0].clips:
            return None
        statement = task.nests[0].statement
        node = statement.expr
        return (statement, node) if isinstance(node, Reduce) and node.op == "sum" and not node.guards else None

    def plain_sum(self, task: Task) -> Task | None:
        """A sum of the gradient alone, over the compact one."""
        share = self._share(task)
        if share is None or not isinstance(share[1].body, Read):
            return None
        statement, node = share
        letters = self._letters(node.body) if isinstance(node.body, Read) else None
        if letters is None:
            return None
        binders = {b.letter: b for b in self.phases.first.binders}
        inner = tuple(b for b in self._binders(node, letters, binders))
        kept = {l: Affine.of(a.bare) for l, a in letters.items() if a.bare is not None}
        if any(l not in {b.letter for b in node.binders} and l not in kept for l in letters):
            return None
        free = {a.bare: Affine.of(l) for l, a in letters.items() if l not in {b.letter for b in node.binders}}
        body = substitute(self.value, {k: v for k, v in free.items() if k is not None})
        expr: Node = Reduce("sum", inner, (), body)
        return replace(task, nests=(replace(task.nests[0], statement=replace(statement, expr=expr)),))

    def _binders(
        self, node: Reduce, letters: Mapping[Letter, Affine], binders: Mapping[Letter, Binder]
    ) -> list[Binder]:
        """The compact gradient's own letters for those that the sum runs over."""
        bound = {b.letter for b in node.binders}
        return [binders[own] for l, a in letters.items() if l in bound for own in a.letters]

    def gather(self, task: Task) -> Task | None:
        """A sum of the gradient's products with a tensor that has neighbours along another letter."""
        share = self._share(task)
        if share is None:
            return None
        statement, node = share
        factors = product_of_reads(node)
        ours = [f for f in factors or () if f.tensor == self.target]
        if factors is None or len(ours) != 1 or any(f.pad is not None for f in factors):
            return None
        other = factors[1] if ours[0] is factors[0] else factors[0]
        letters = self._letters(ours[0])
        bound = {b.letter for b in node.binders}
        if letters is None or not bound <= set(letters):
            return None
        free = [l for l in letters if l not in bound]
        places = [b for b in statement.binders[1:] if b.letter not in free]
        lanes = neighbours(places, flat(other, self.shapes))
        shared = [b for b in statement.binders[1:] if b.letter in free]
        if not lanes or any(letters[l].bare is None for l in free) or not self._pays(places, lanes, shared):
            return None
        others = [b for b in places if b not in lanes]
        moved = {l: (Affine.of(l) if l in free else a) for l, a in letters.items()}
        back = {a.bare: Affine.of(l) for l, a in letters.items() if l in free}
        back_to = {k: v for k, v in back.items() if k is not None}
        x = substitute(other, moved)
        assert isinstance(x, Read)
        order = [statement.binders[0], *shared, *others, *lanes]
        inner = self._binders(node, letters, {b.letter: b for b in self.phases.first.binders})
        codes, value = substitute(self.phases.codes, back_to), substitute(self.value, back_to)
        name = f"{task.target} (gathered)"
        expr: Node = Reduce("sum", tuple(inner), (), mul(x, value, codes))
        new = Statement.plain(name, order, expr)
        self.orders[name] = tuple(statement.binders.index(b) for b in order)
        offsets = self._offsets(flat(other, self.shapes), letters)
        assert isinstance(codes, Read) and isinstance(value, Read)
        gather = Route(
            x, value, codes, offsets, tuple(b.letter for b in lanes), tuple(b.letter for b in others)
        )
        zero = Task(name, (filled(new),), "zero")
        return Task(name, (Nest(new, add=True, route=gather),), "share", zero, task.inside)

    def _pays(self, places: Sequence[Binder], lanes: Sequence[Binder], shared: Sequence[Binder]) -> bool:
        """Is it less work, for all positions of a window, than multiplying every place of the window?"""
        count, wide, across = (prod(b.extent.value for b in some) for some in (places, lanes, shared))
        vectors = count // wide * -(-wide // LANES)
        dense = len(self.phases.shifts) * -(-across // LANES) * (count + _STORED)
        return vectors <= _MOST_VECTORS and across * max(_WAITING, POSITION + _GATHERED * vectors) < dense

    def _offsets(self, linear: Linear, letters: Mapping[Letter, Affine]) -> tuple[int, ...]:
        """How far every code's entry is from the first one's."""
        steps = [linear.step(l) for l in letters]
        return tuple(sum(s * k for s, k in zip(steps, shift, strict=True)) for shift in self.phases.shifts)

