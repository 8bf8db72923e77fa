"""The code of a lowered program: a function per task, a driver per part, and `step`, which runs everything.

    step(context)                        every part, one after the other; no Python inside
    steps(...), answer(context)          many, and one with a look at its inputs: see `steps` and `answer`
    part(context, task, worker)          what one worker does: a shard, or rows of the join part
    kernel(table, scratch, lo, hi, origin, slot, from, to, N, S)

    context   i64 [N, S, parallel, table, scratch, block, lo, hi, ready]: N examples in S shards, `parallel(function,
              context, tasks)`, the table of pointers to tensors, scratch memory, and how much of it each worker has;
              `lo` and `hi` are the micro-batch at hand, where a batch is one shard and its kernels are cut; `ready` is
              not 0 where all that depends on no example is there from the call before
    table     status, zeros, tensors ...: see `buffers`
"""

from __future__ import annotations

__all__ = ["Writer"]

from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from paperback.engines.llvm.code.answer import write_answer
from paperback.engines.llvm.code.cut import Cut, find_cuts
from paperback.engines.llvm.code.dots import emit_dots
from paperback.engines.llvm.code.drivers import apart, call, either, loads, reads_by_rows, work_of
from paperback.engines.llvm.code.kernels import Code, Followed, Kernel, Looped, Sorted, Turned, Way
from paperback.engines.llvm.code.nest import emit_nest
from paperback.engines.llvm.code.order import SECOND_CACHE
from paperback.engines.llvm.code.reduce import Reducer
from paperback.engines.llvm.code.routed import emit_routed
from paperback.engines.llvm.code.runs import find_runs
from paperback.engines.llvm.code.sorted import emit_sorted
from paperback.engines.llvm.code.steps import write_steps
from paperback.engines.llvm.code.tile import emit_contraction
from paperback.engines.llvm.code.turn import emit_turned, find_turn
from paperback.engines.llvm.code.ways import contraction_of, dots_of, extents_of, loops_of
from paperback.engines.llvm.ir import Function
from paperback.engines.llvm.lowering.addressed import find_address
from paperback.engines.llvm.lowering.buffers import BATCH, ELEMENTS, SHARDS, Buffer
from paperback.engines.llvm.lowering.lower import RUNTIME, updated
from paperback.engines.llvm.lowering.nests import Nest
from paperback.engines.llvm.lowering.tasks import Lowered, Task
from paperback.engines.llvm.machine.target import Target
from paperback.notation.affine import Letter
from paperback.notation.expr import Affine, Binder, Read, Reduce
from paperback.notation.size import Size
from paperback.notation.walk import nodes

_NUMBERS = ("lo", "hi", "origin", "slot", "from", "to", "N", "S")
_ARGUMENTS = (("ptr", "table"), ("ptr", "scratch"), *(("i64", name) for name in _NUMBERS))
_SIGNATURE = ", ".join(kind for kind, _ in _ARGUMENTS)
_WORK = 1 << 16  # operations of the join part that are worth a task of their own
_CHUNKS = 16
_MANY = 16 << 10  # bytes of weights that go from one core to another in a time that counts
_LINES = 2000  # of a module: many small ones keep all cores busy to the end


_SEQUENTIAL = """
define internal void @sequential(ptr %part, ptr %context, i64 %tasks) optnone noinline {
entry:
  br label %head
head:
  %task = phi i64 [ 0, %entry ], [ %next, %body ]
  %more = icmp slt i64 %task, %tasks
  br i1 %more, label %body, label %end
body:
  call void %part(ptr %context, i64 %task, i64 0)
  %next = add i64 %task, 1
  br label %head
end:
  ret void
}
"""


@dataclass
class _Chain:
    """Tasks of the join part that go row by row together; or one that is cut along another axis."""

    kernels: list[Kernel]
    rows: int
    work: int

    def calls(self, part: int, parts: int) -> list[str]:
        """What one of so many parts does."""
        low, high = (self.rows * k // parts for k in (part, part + 1))
        cut = self.kernels[0].cut
        if cut is not None:
            return [call(self.kernels[0], 0, 0, 0, 0, low * cut.grain, min(high * cut.grain, cut.extent))]
        return [call(kernel, low, high, 0, 0) for kernel in self.kernels]


class Writer:
    """Writes the code of a program. A tensor of `watched` sets the second word of the status where it gets a NaN or an
    infinity.

    runs    of the shard part of every level: which tasks are done part by part together
    """

    def __init__(
        self, lowered: Lowered, buffers: Mapping[str, Buffer], watched: Collection[str], dtype: np.dtype[Any],
        target: Target,
    ) -> None:  # fmt: skip
        self.watched = watched
        self.lowered, self.buffers = lowered, buffers
        self.element = ELEMENTS[dtype.name]
        self.width, self.registers, self.attributes = target.lanes(dtype.name), target.registers, target.attributes
        self.masks = target.masks
        self.plain = f"{self.attributes} optnone noinline"  # of what calls kernels: it runs as fast
        self.kernels: list[Function] = []
        self.running: list[Kernel] = []
        self.micro, self.scratch = 1, dict[str, int]()
        self.changed = self._changed()
        sketch = self._reducer(Function("sketch", _ARGUMENTS, self.attributes))
        self.runs = [
            find_runs(section.shard, lambda task: self._cuts(sketch, task), lambda nest: extents_of(sketch, nest))
            for section in lowered.sections
        ]

    def _changed(self) -> set[str]:
        """What every step changes, and what is made of it, that stays in the caches: of many weights a core should read
        those that it wrote.
        """
        found = {name for name in self.buffers if updated(name) in self.buffers}
        for task in (task for section in self.lowered.sections for task in section.join):
            found |= {n for n in task.order if not found.isdisjoint(task.reads) and not self.buffers[n].per_example}
        size = {name: self.buffers[name].size * self.buffers[name].bytes_per_entry for name in found}
        return {name for name in found if _MANY <= size[name] <= SECOND_CACHE}

    def _reducer(self, function: Function, mode: str = "example") -> Reducer:
        examples = ("%lo", "%hi") if mode == "share" else (0, "%N")
        shards = ("%slot", function.at_entry("add i64 %slot, 1")) if mode in ("share", "zero") else (0, "%S")
        runtime = RUNTIME if self.lowered.batched else {}
        ranges = {BATCH: examples, SHARDS: shards}
        return Reducer(
            function, self.element, self.buffers, self.scratch, runtime, ranges, self.width, self.masks
        )  # fmt: skip

    def _cuts(self, e: Reducer, task: Task) -> list[Cut]:
        shape = self.buffers[task.nests[0].statement.target].shape
        splits = _splits(task)
        cuts = find_cuts(task, shape, lambda nest: loops_of(e, nest, splits[nest], self.registers))
        if task.when:
            return [cut for cut in cuts if cut.axis == 1]
        return [cut for cut in cuts if not self.changed.isdisjoint(reads_by_rows(task, cut))] or cuts

    def kernel(self, task: Task, level: int, part: str, cut: Cut | None = None) -> Kernel:
        function = Function(f"kernel{len(self.kernels)}", _ARGUMENTS, self.attributes)
        e = self._reducer(function, task.mode)
        e.watched = self.watched
        if self._stores_first(task):
            before = function.at_entry("mul i64 %slot, %N")
            e.first = function.at_entry(f"sdiv i64 {before}, %S")
        e.cut = cut
        splits = _splits(task)
        with self._rows(e, task):
            ways = tuple(self._in_part(e, nest, splits[nest]) for nest in task.nests)
        function.finish()
        self.kernels.append(function)
        return Kernel(function.name, task, level, part, 0, ways, e.cut)

    def _alone(self, task: Task, level: int, part: str) -> Kernel:
        """The kernel of a task that is cut, if it is, by itself."""
        cuts: list[Cut] = []
        if part == "shard" or (task.mode == "once" and task.rows == 1):
            cuts = self._cuts(self._reducer(Function("sketch", _ARGUMENTS, self.attributes), task.mode), task)
        return self.kernel(task, level, part, cuts[0] if cuts else None)

    @contextmanager
    def _rows(self, e: Reducer, task: Task) -> Iterator[None]:
        """Around the nests of a kernel: for all that it is called for at once, or for those rows of examples of which a
        number is not finite, as many at a time as can be cut apart.
        """
        if not task.when:
            yield
            return
        extent = self.buffers[task.when].shape[1]
        example, first, row = (Letter.fresh(name) for name in ("n", "i", "i"))
        many = e.cut.grain if e.cut is not None else extent
        read = Read(task.when, (Affine.of(example), Affine.of(first) + row), None)
        total = Reduce("sum", (Binder(row, Size.of(many)),), (), read)
        rows = e.part if e.cut is not None else (0, extent)
        e.declare({row: many})
        with (
            e.f.loop("%lo", "%hi") as examples, e.bind(example, examples.index, BATCH),
            e.f.loop(*rows, many) as loop, e.bind(first, loop.index, extent),
        ):  # fmt: skip
            number = e.value(total)
            with e.f.when(e.is_nan(e.binary("sub", number, number)).text):
                e.rows = examples.index, e.f.add(examples.index, 1)
                e.part = loop.index, e.f.add(loop.index, many)
                yield

    def _stores_first(self, task: Task) -> bool:
        """Does a share begin with what the first examples add to it? It does where every entry is added to once."""
        nest = task.nests[0]
        if task.mode != "share" or len(task.nests) > 1 or nest.more or nest.clips or nest.fill is not None:
            return False
        statement = nest.statement
        whole = [form.bare for form in statement.left[1:]] == [b.letter for b in statement.binders[1:]]
        plain = find_address(statement.expr, self.lowered.integers) is None
        return whole and plain and all(self.buffers[name].per_example for name in task.reads)

    def _in_part(self, e: Reducer, nest: Nest, split: Letter | None) -> Way:
        """Write a nest; what it writes at one place of the axis that is cut, where the part has that place."""
        place = nest.statement.left[e.cut.axis] if e.cut is not None else None
        if place is None or not place.is_size:
            return self._nest(e, nest, split)
        at = e.whole(place.const.value)
        here = e.both(*(e.compare(sign, at, e.whole(end)) for sign, end in zip((">=", "<"), e.part, strict=True)))
        assert here is not None
        with e.f.when(here.text):
            return self._nest(e, nest, split)

    def _nest(self, e: Reducer, nest: Nest, split: Letter | None) -> Way:
        """Write a nest in the fastest way there is for it."""
        if nest.route is not None:
            emit_routed(e, nest, split, self.registers)
            return Followed()
        if nest.sort is not None:
            emit_sorted(e, nest, split, self.registers)
            return Sorted()
        turned = find_turn(e, nest, split)
        if turned is not None:
            emit_turned(e, nest, turned, split)
            return Turned(turned.lane, turned.row)
        found = contraction_of(e, nest, split)
        if found is not None:
            return emit_contraction(e, nest, found, split, self.registers)
        dots = dots_of(e, nest)
        if dots is not None:
            return emit_dots(e, nest, dots, split, self.registers)
        return Looped(emit_nest(e, nest, split))

    def write(self, places: Mapping[str, int], micro: int) -> Code:
        """The code, in micro-batches of `micro` examples; `step` is in the last module.

        `places` gives the bytes per example before a tensor of scratch memory.
        """
        self.micro, self.scratch = micro, {name: place * micro for name, place in places.items()}
        drivers: list[str] = []
        steps: list[str] = []
        for level, section in enumerate(self.lowered.sections):
            if section.shard:
                filled = [t for t in section.shard if t.before is not None and not self._stores_first(t)]
                zeros = [self._alone(t.before, level, "shard") for t in filled if t.before is not None]
                runs = [
                    [self.kernel(task, level, "shard", cut) for task, cut in zip(run.tasks, run.cuts, strict=True)]
                    for run in self.runs[level]
                ]
                work = [kernel for run in runs for kernel in run]
                self.running += (*zeros, *work)
                drivers.append(self._shard(f"shard{level}", zeros, work))
                drivers += apart(f"apart{level}", zeros, runs, self.buffers, self.micro, self.plain)
                steps += either(level)
            rounds = self._rounds(section.join, level)
            kept = rounds and level == 0 and not section.shard
            kept = kept and not any(self.buffers[name].per_example for task in section.join for name in task.reads)
            steps += ["  br i1 %done, label %begin, label %prepare", "prepare:"] if kept else []
            for number, chains in enumerate(rounds):
                self.running += (replace(kernel, round=number) for chain in chains for kernel in chain.kernels)
                name = f"join{level}_{number}"
                text, count = self._join(name, chains)
                drivers.append(text)
                steps.append(f"  call void %run(ptr @{name}, ptr %context, i64 {count})")
            steps += ["  br label %begin", "begin:"] if kept else []
        return Code((*self._modules(), self._answer(), self._main(drivers, steps)), tuple(self.running))

    # --- the join part -----------------------------------------------------------------------------------------------

    def _rounds(self, tasks: Sequence[Task], level: int) -> list[list[_Chain]]:
        """Chains that may run at the same time; a task joins a chain where it reads it row by row."""
        rounds: list[list[_Chain]] = []
        holder: dict[str, _Chain] = {}
        for task in tasks:
            kernel = self._alone(task, level, "join")
            before = [holder[name] for name in task.reads if name in holder]
            chain = before[0] if before else None
            if chain is not None and all(c is chain for c in before) and self._aligned(kernel, chain, holder):
                chain.kernels.append(kernel)
                chain.work += work_of(task)
            else:
                if before or not rounds:
                    rounds.append([])
                    holder = {}
                chain = _Chain([kernel], kernel.cut.most if kernel.cut is not None else task.rows, work_of(task))
                rounds[-1].append(chain)
            holder |= dict.fromkeys(task.order, chain)
        return rounds

    def _aligned(self, kernel: Kernel, chain: _Chain, holder: Mapping[str, _Chain]) -> bool:
        if kernel.task.rows != chain.rows or kernel.cut is not None or chain.kernels[0].cut is not None:
            return False
        for nest in kernel.task.nests:
            for read in (n for s in nest.statements for n in nodes(s.expr) if isinstance(n, Read)):
                if holder.get(read.tensor) is chain and chain.rows > 1:
                    first = read.indices[0] if read.indices else None
                    if not (isinstance(first, Affine) and first.bare is not None and first.bare == nest.split):
                        return False
        return True

    def _join(self, name: str, chains: Sequence[_Chain]) -> tuple[str, int]:
        """The driver of one round: every task calls the kernels of a chain on a range of rows."""
        lines: list[str] = []
        cases: list[str] = []
        counts = [max(1, min(chain.rows, _CHUNKS, chain.work // _WORK)) for chain in chains]
        every = [(chain, k, count) for chain, count in zip(chains, counts, strict=True) for k in range(count)]
        for chain, k, count in sorted(every, key=lambda piece: (2 * piece[1] + 1) / piece[2]):  # first rows first
            label = f"task{len(cases)}"
            cases.append(f"i64 {len(cases)}, label %{label}")
            lines.append(f"{label}:")
            lines += chain.calls(k, count)
            lines.append("  br label %end")
        body = [f"  switch i64 %task, label %end [ {' '.join(cases)} ]", *lines, "end:", "  ret void"]
        return self._driver(name, body), len(cases)

    # --- drivers -----------------------------------------------------------------------------------------------------

    def _shard(self, name: str, zeros: Sequence[Kernel], work: Sequence[Kernel]) -> str:
        body = [
            "  %from = mul i64 %task, %N", "  %first = sdiv i64 %from, %S", "  %next = add i64 %task, 1",
            "  %to = mul i64 %next, %N", "  %last = sdiv i64 %to, %S",
            *(call(kernel, "%first", "%last", "%first", "%task") for kernel in zeros),
            "  br label %head", "head:", "  %lo = phi i64 [ %first, %entry ], [ %hi, %body ]",
            "  %more = icmp slt i64 %lo, %last", "  br i1 %more, label %body, label %end", "body:",
            f"  %ahead = add i64 %lo, {self.micro}", "  %hi = call i64 @llvm.smin.i64(i64 %ahead, i64 %last)",
            *(call(kernel, "%lo", "%hi", "%lo", "%task") for kernel in work),
            "  br label %head", "end:", "  ret void",
        ]  # fmt: skip
        return self._driver(name, body)

    def _driver(self, name: str, body: Sequence[str]) -> str:
        head = [
            f"define internal void @{name}(ptr %context, i64 %task, i64 %worker) {self.plain} {{", "entry:",
            *loads(("N", "S", "table", "scratch", "block")), "  %tensors = inttoptr i64 %table to ptr",
            "  %own = mul i64 %worker, %block", "  %start = add i64 %scratch, %own",
            "  %memory = inttoptr i64 %start to ptr",
        ]  # fmt: skip
        return "\n".join((*head, *body, "}\n"))

    def _answer(self) -> str:
        given = [b for b in self.buffers.values() if b.kind == "given" and b.per_example]
        inputs = [b for b in given if b.element == self.element]
        return "declare void @step(ptr)\n" + write_answer(inputs, self.element, self.width, self.attributes)

    def _main(self, drivers: Sequence[str], steps: Sequence[str]) -> str:
        declared = [f"declare void @{kernel.name}({_SIGNATURE})" for kernel in self.kernels]
        head = [
            "declare i64 @llvm.smin.i64(i64, i64)", *declared, *drivers,
            _SEQUENTIAL,
            f"define void @step(ptr %context) {self.plain} {{", "entry:", *loads(("S", "parallel", "ready")),
            "  %alone = icmp eq i64 %parallel, 0", "  %given = inttoptr i64 %parallel to ptr",
            "  %run = select i1 %alone, ptr @sequential, ptr %given",
            "  %one = icmp eq i64 %S, 1", "  %others = xor i1 %alone, true", "  %apart = and i1 %one, %others",
            "  %done = icmp ne i64 %ready, 0",
            *steps, "  ret void", "}\n", write_steps(self.element, self.plain),
        ]  # fmt: skip
        return "\n".join(head)

    def _modules(self) -> list[str]:
        """The kernels, in modules of about the same length, to be compiled side by side."""
        texts = []
        for group in _groups(self.kernels, _LINES):
            declarations = sorted(set().union(*(f.declarations for f in group)))
            definitions = {symbol: text for f in group for symbol, text in f.definitions.items()}
            texts.append("\n".join((*declarations, *definitions.values(), *map(str, group))))
        return texts


def _splits(task: Task) -> dict[Nest, Letter | None]:
    """The letters that run over the range of examples or rows that a kernel is called with."""
    ranged = task.mode == "example" or (task.mode == "once" and task.rows > 1)
    return {nest: nest.split if ranged else None for nest in task.nests}


def _groups(functions: Sequence[Function], lines: int) -> list[list[Function]]:
    groups: list[list[Function]] = []
    room = 0
    for function in functions:
        if not groups or room < len(function.lines):
            groups.append([])
            room = lines
        groups[-1].append(function)
        room -= len(function.lines)
    return groups
