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

__all__ = ["write"]

from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from paperback.engines.llvm.code.answer import write_answer
from paperback.engines.llvm.code.contract import Contraction, find_contraction
from paperback.engines.llvm.code.cut import Loops, find_cut
from paperback.engines.llvm.code.dots import dot_loops, emit_dots, find_dots
from paperback.engines.llvm.code.drivers import apart, call, either, loads, work_of
from paperback.engines.llvm.code.kernels import Code, Followed, Kernel, Looped, Sorted, Turned, Way
from paperback.engines.llvm.code.nest import emit_nest, own_lane
from paperback.engines.llvm.code.reduce import Reducer
from paperback.engines.llvm.code.routed import emit_routed
from paperback.engines.llvm.code.sorted import emit_sorted, sorted_loops
from paperback.engines.llvm.code.steps import write_steps
from paperback.engines.llvm.code.tile import contraction_loops, emit_contraction
from paperback.engines.llvm.code.turn import emit_turned, find_turn
from paperback.engines.llvm.ir import Function
from paperback.engines.llvm.lowering.addressed import find_address
from paperback.engines.llvm.lowering.buffers import BATCH, ELEMENTS, SHARDS, Buffer
from paperback.engines.llvm.lowering.lower import RUNTIME
from paperback.engines.llvm.lowering.nests import Nest
from paperback.engines.llvm.lowering.tasks import Lowered, Task
from paperback.engines.llvm.machine.target import Target
from paperback.notation.affine import Letter
from paperback.notation.expr import Affine, Read, Reduce
from paperback.notation.walk import nodes

_NUMBERS = ("lo", "hi", "origin", "slot", "from", "to", "N", "S")
_ARGUMENTS = (("ptr", "table"), ("ptr", "scratch"), *(("i64", name) for name in _NUMBERS))
_SIGNATURE = ", ".join(kind for kind, _ in _ARGUMENTS)
_WORK = 1 << 16  # operations of the join part that are worth a task of their own
_CHUNKS = 16
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


class _Writer:
    def __init__(
        self, lowered: Lowered, buffers: Mapping[str, Buffer], watched: Collection[str], places: Mapping[str, int],
        dtype: np.dtype[Any], micro: int, target: Target,
    ) -> None:  # fmt: skip
        self.watched = watched
        self.lowered, self.buffers, self.micro = lowered, buffers, micro
        self.scratch = {name: place * micro for name, place in places.items()}
        self.element = ELEMENTS[dtype.name]
        self.width, self.registers, self.attributes = target.lanes(dtype.name), target.registers, target.attributes
        self.masks = target.masks
        self.plain = f"{self.attributes} optnone noinline"  # of what calls kernels: it runs as fast
        self.kernels: list[Function] = []
        self.running: list[Kernel] = []

    def kernel(self, task: Task, level: int, part: str) -> Kernel:
        function = Function(f"kernel{len(self.kernels)}", _ARGUMENTS, self.attributes)
        examples = ("%lo", "%hi") if task.mode == "share" else (0, "%N")
        shards = ("%slot", function.at_entry("add i64 %slot, 1")) if task.mode in ("share", "zero") else (0, "%S")
        e = Reducer(
            function, self.element, self.buffers, self.scratch, RUNTIME if self.lowered.batched else {},
            {BATCH: examples, SHARDS: shards}, self.width, self.masks,
        )  # fmt: skip
        e.watched = self.watched
        if self._stores_first(task):
            before = function.at_entry("mul i64 %slot, %N")
            e.first = function.at_entry(f"sdiv i64 {before}, %S")
        ranged = task.mode == "example" or (task.mode == "once" and task.rows > 1)
        splits = {nest: nest.split if ranged else None for nest in task.nests}
        apart = part == "shard" or (task.mode == "once" and task.rows == 1)
        if apart and not task.when:
            shape = self.buffers[task.nests[0].statement.target].shape
            e.cut = find_cut(task, shape, lambda nest: self._loops(e, nest, splits[nest]))
        with self._examples(e, task.when):
            ways = tuple(self._nest(e, nest, splits[nest]) for nest in task.nests)
        function.finish()
        self.kernels.append(function)
        return Kernel(function.name, task, level, part, 0, ways, e.cut)

    @contextmanager
    def _examples(self, e: Reducer, when: str) -> Iterator[None]:
        """Around the nests of a kernel: for all examples at once, or for those of which a number is not finite."""
        if not when:
            yield
            return
        example = Letter.fresh("n")
        with e.f.loop("%lo", "%hi") as loop, e.bind(example, loop.index, BATCH):
            number = e.value(Read(when, (Affine.of(example),), None))
            with e.f.when(e.is_nan(e.binary("sub", number, number)).text):
                e.rows = loop.index, e.f.add(loop.index, 1)
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
        found = self._contraction(e, nest, split)
        if found is not None:
            return emit_contraction(e, nest, found, split, self.registers)
        dots = find_dots(nest, self.buffers, self._extents(e, nest), self.width)
        if dots is not None:
            return emit_dots(e, nest, dots, split, self.registers)
        return Looped(emit_nest(e, nest, split))

    def _contraction(self, e: Reducer, nest: Nest, split: Letter | None) -> Contraction | None:
        extents = self._extents(e, nest)
        fixed = {split, *(letter for clip in nest.clips for letter in clip.form.letters)}
        if nest.fill is not None:
            return None
        return find_contraction(nest.statement, self.buffers, extents, fixed, self.width, not nest.more)

    def _extents(self, e: Reducer, nest: Nest) -> dict[Letter, int]:
        sums = (b for n in nodes(nest.statement.expr) if isinstance(n, Reduce) for b in n.binders)
        return {b.letter: e.extent_of(b.extent) for b in (*nest.statement.binders, *sums)}

    def _loops(self, e: Reducer, nest: Nest, split: Letter | None) -> Loops | None:
        """The loops that `_nest` will write."""
        letters = nest.statement.letters
        turned = find_turn(e, nest, split)
        found = self._contraction(e, nest, split)
        dots = find_dots(nest, self.buffers, self._extents(e, nest), self.width)
        if nest.route is not None:
            inside: tuple[Letter | None, ...] = (*nest.route.places, *nest.route.lanes)
        elif nest.sort is not None:
            return sorted_loops(nest, nest.sort)
        elif turned is not None:
            inside = (turned.lane, turned.row)
        elif found is not None:
            return contraction_loops(e, nest, found, split, self.registers)
        elif dots is not None:
            return dot_loops(dots)
        elif find_address(nest.statement.expr, self.lowered.integers) is not None:
            return None
        else:
            lane = own_lane(e, nest, split)
            return Loops(tuple(letter for letter in letters if letter != lane), lane, self.width)
        return Loops(tuple(letter for letter in letters if letter not in inside))

    def write(self) -> Code:
        drivers: list[str] = []
        steps: list[str] = []
        for level, section in enumerate(self.lowered.sections):
            if section.shard:
                filled = [t for t in section.shard if t.before is not None and not self._stores_first(t)]
                zeros = [self.kernel(t.before, level, "shard") for t in filled if t.before is not None]
                work = [self.kernel(t, level, "shard") for t in section.shard]
                self.running += (*zeros, *work)
                drivers.append(self._shard(f"shard{level}", zeros, work))
                drivers += apart(f"apart{level}", zeros, work, self.buffers, self.micro, self.plain)
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
            kernel = self.kernel(task, level, "join")
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


def write(
    lowered: Lowered, buffers: Mapping[str, Buffer], watched: Collection[str], places: Mapping[str, int],
    dtype: np.dtype[Any], micro: int, target: Target,
) -> Code:  # fmt: skip
    """The code of a program, in micro-batches of `micro` examples; `step` is in the last module.

    `places` gives the bytes per example before a tensor of scratch memory; the second word of the status is set where
    a `watched` tensor gets a NaN or an infinity.
    """
    return _Writer(lowered, buffers, watched, places, dtype, micro, target).write()


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
