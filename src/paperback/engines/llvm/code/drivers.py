"""What calls kernels: the context of a step, how much work a kernel is, and the shard part of a batch of one shard.

    apart(context, run)           kernel after kernel, each cut among the threads where that pays
    part(context, task, worker)   one part of a kernel
"""

from __future__ import annotations

__all__ = [
    "CONTEXT", "apart", "call", "cost_where_cut", "either", "is_worth_cutting", "loads", "reads_by_rows",
    "work_of", "work_per_example",
]  # fmt: skip

from collections.abc import Collection, Mapping, Sequence
from math import prod

from paperback.engines.llvm.code.cut import Cut
from paperback.engines.llvm.code.kernels import Followed, Kernel, Looped, Sorted
from paperback.engines.llvm.code.order import SECOND_CACHE
from paperback.engines.llvm.lowering.arrange import NO_CACHE
from paperback.engines.llvm.lowering.buffers import SHARDS, Buffer
from paperback.engines.llvm.lowering.lower import RUNTIME, updated
from paperback.engines.llvm.lowering.tasks import Task
from paperback.notation.affine import Affine
from paperback.notation.expr import Read, Reduce, Statement
from paperback.notation.walk import nodes

CONTEXT = ("N", "S", "parallel", "table", "scratch", "block", "lo", "hi", "ready")
_EXAMPLES = 32  # a batch, where work is estimated
_WORTH_CUT = 100_000  # operations that two threads finish sooner than one
_SLOWER = 3  # operations of a tile in the time of one that follows positions, or of a plain nest
_READING = 4  # operations in the time in which a number is read
_PARTS = 16
_PAGE = 4096


def apart(
    name: str, zeros: Sequence[Kernel], runs: Sequence[Sequence[Kernel]], buffers: Mapping[str, Buffer], micro: int,
    attributes: str,
) -> list[str]:  # fmt: skip
    """The driver of a shard part whose batch is one shard: run after run of kernels, each cut where that pays; and a
    driver for each that can be.
    """
    parts: list[str] = []

    def lines(run: Sequence[Kernel], lo: str, hi: str) -> list[str]:
        whole = [call(kernel, lo, hi, lo, 0) for kernel in run]
        cost = sum(cost_where_cut(kernel, buffers) for kernel in run)
        pieces = _pieces(run[0], buffers) if is_worth_cutting(cost * _EXAMPLES) else 1
        if pieces < 2:
            return whole
        part, k = f"part.{run[0].name}", len(parts)
        parts.append(_part(part, run, pieces, attributes))
        return [
            f"  %many{k} = sub i64 {hi}, {lo}", f"  %worth{k} = icmp sge i64 %many{k}, {-(-_WORTH_CUT // cost)}",
            f"  br i1 %worth{k}, label %cut{k}, label %whole{k}", f"cut{k}:",
            f"  store i64 {lo}, ptr %at.lo", f"  store i64 {hi}, ptr %at.hi",
            f"  call void %run(ptr @{part}, ptr %context, i64 {pieces})", f"  br label %done{k}",
            f"whole{k}:", *whole, f"  br label %done{k}", f"done{k}:",
        ]  # fmt: skip

    zeroing = [line for kernel in zeros for line in lines([kernel], "0", "%N")]
    body = [
        *zeroing, "  br label %start", "start:", "  br label %head", "head:",
        "  %lo = phi i64 [ 0, %start ], [ %hi, %last ]",
        "  %more = icmp slt i64 %lo, %N", "  br i1 %more, label %body, label %end", "body:",
        f"  %ahead = add i64 %lo, {micro}", "  %hi = call i64 @llvm.smin.i64(i64 %ahead, i64 %N)",
        *(line for run in runs for line in lines(run, "%lo", "%hi")),
        "  br label %last", "last:", "  br label %head", "end:", "  ret void",
    ]  # fmt: skip
    head = [
        f"define internal void @{name}(ptr %context, ptr %run) {attributes} {{", "entry:",
        *loads(("N", "S", "table", "scratch", "lo", "hi"), skip=("lo", "hi")),
        "  %tensors = inttoptr i64 %table to ptr", "  %memory = inttoptr i64 %scratch to ptr",
    ]  # fmt: skip
    return [*parts, "\n".join((*head, *body, "}\n"))]


def _part(name: str, run: Sequence[Kernel], pieces: int, attributes: str) -> str:
    """The driver of a part of a run: all of them work in the memory of the first worker."""
    calls: list[str] = []
    for k, kernel in enumerate(run):
        assert kernel.cut is not None
        cut = kernel.cut
        calls += [
            f"  %first{k} = mul i64 %task, {cut.most}", f"  %first.part{k} = sdiv i64 %first{k}, {pieces}",
            f"  %from{k} = mul i64 %first.part{k}, {cut.grain}",
            f"  %last{k} = mul i64 %next, {cut.most}", f"  %last.part{k} = sdiv i64 %last{k}, {pieces}",
            f"  %end{k} = mul i64 %last.part{k}, {cut.grain}",
            f"  %to{k} = call i64 @llvm.smin.i64(i64 %end{k}, i64 {cut.extent})",
            call(kernel, "%lo", "%hi", "%lo", 0, f"%from{k}", f"%to{k}"),
        ]  # fmt: skip
    return "\n".join((
        f"define internal void @{name}(ptr %context, i64 %task, i64 %worker) {attributes} {{", "entry:",
        *loads(("N", "S", "table", "scratch", "lo", "hi")), "  %tensors = inttoptr i64 %table to ptr",
        "  %memory = inttoptr i64 %scratch to ptr", "  %next = add i64 %task, 1", *calls, "  ret void", "}\n",
    ))  # fmt: skip


def loads(names: Sequence[str], skip: Collection[str] = ()) -> list[str]:
    """Fields of the context, and where they are; of those to skip the place alone."""
    lines = []
    for name in names:
        lines.append(f"  %at.{name} = getelementptr i64, ptr %context, i64 {CONTEXT.index(name)}")
        if name not in skip:
            lines.append(f"  %{name} = load i64, ptr %at.{name}")
    return lines


def call(
    kernel: Kernel, lo: int | str, hi: int | str, origin: int | str, slot: int | str, start: int | str = 0,
    end: int | str | None = None,
) -> str:  # fmt: skip
    """The call of a kernel for a range of examples or rows; from `start` to `end` of what it can be cut along."""
    end = end if end is not None else kernel.cut.extent if kernel.cut is not None else 0
    numbers = ", ".join(f"i64 {n}" for n in (lo, hi, origin, slot, start, end, "%N", "%S"))
    return f"  call void @{kernel.name}(ptr %tensors, ptr %memory, {numbers})"


def either(level: int) -> list[str]:
    """The shard part of a level: shard by shard, or kernel by kernel where there is one shard for several threads."""
    return [
        f"  br i1 %apart, label %apart{level}, label %shards{level}", f"apart{level}:",
        f"  call void @apart{level}(ptr %context, ptr %run)", f"  br label %after{level}", f"shards{level}:",
        f"  call void %run(ptr @shard{level}, ptr %context, i64 %S)", f"  br label %after{level}", f"after{level}:",
    ]  # fmt: skip


def _pieces(kernel: Kernel, buffers: Mapping[str, Buffer]) -> int:
    """In how many parts a kernel is cut where it is."""
    if kernel.cut is None:
        return 1
    most = _PARTS
    if kernel.cut.grain > 1 and any(_comes_from_memory(buffers[name]) for name in kernel.task.reads):
        size = buffers[kernel.task.nests[0].statement.target].bytes_per_entry
        most = max(2, min(most, kernel.cut.extent * size // _PAGE))  # a part reads whole pages of the weights
    return min(kernel.cut.most, most)


def _comes_from_memory(buffer: Buffer) -> bool:
    return not buffer.per_example and buffer.size >= NO_CACHE


def is_worth_cutting(cost: float) -> bool:
    """Do two threads finish so many operations sooner than one?"""
    return cost >= _WORTH_CUT


def cost_where_cut(kernel: Kernel, buffers: Mapping[str, Buffer]) -> int:
    """Operations of an example, about, and as many for every number that is read for all examples; 0 if it is not cut.

    Weights that the step before changed lie in the cache of the core that did, if it is theirs: to share the reading
    of them gains nothing, unless each part reads rows of its own, as the update does.
    """
    if kernel.cut is None or kernel.task.when:
        return 0
    shared = {name: buffers[name] for name in kernel.task.reads if not buffers[name].per_example}
    own = reads_by_rows(kernel.task, kernel.cut)
    fixed = [b for name, b in shared.items() if name in own or updated(name) not in buffers or not _is_held(b)]
    slow = _SLOWER if any(isinstance(way, Followed | Sorted | Looped) for way in kernel.ways) else 1
    return slow * int(work_per_example(kernel.task)) + _READING * sum(b.size for b in fixed)


def _is_held(buffer: Buffer) -> bool:
    return buffer.size * buffer.bytes_per_entry <= SECOND_CACHE


def reads_by_rows(task: Task, cut: Cut) -> set[str]:
    """What every part of a kernel reads rows of its own of."""
    found = set()
    for nest in task.nests:
        letters = set(nest.statement.left[cut.axis].letters)
        for read in (n for n in nodes(nest.statement.expr) if isinstance(n, Read) and n.indices):
            first = read.indices[0]
            if isinstance(first, Affine) and not letters.isdisjoint(first.letters):
                found.add(read.tensor)
    return found


def work_of(task: Task) -> int:
    """Operations, about, for a batch of 32; none for what is hardly ever done."""
    total = 0
    if task.when:
        return total
    for nest in task.nests:
        inner = [prod(_size(b.extent.value) for b in n.binders) for n in nodes(nest.statement.expr)
                 if isinstance(n, Reduce)]  # fmt: skip
        shard = {b.letter for b in nest.statement.binders if RUNTIME.get(b.extent.value) == SHARDS}
        outer = prod(_size(b.extent.value) for b in nest.statement.binders if b.letter not in shard)
        total += 2 * outer * max(inner, default=1)
        if not inner:  # what is computed once takes less time than moving it
            total += _READING * outer * sum(1 + _reads(statement) for statement in nest.statements)
    return total


def _reads(statement: Statement) -> int:
    return sum(isinstance(n, Read) for n in nodes(statement.expr))


def work_per_example(task: Task) -> float:
    """Operations of one example, about."""
    return work_of(task) / _EXAMPLES


def _size(extent: int) -> int:
    return _EXAMPLES if extent in RUNTIME else extent
