"""From a Program to work that can be cut: what runs per shard of the batch, what runs once, and in what order.

    shard part   for each shard, for each micro-batch of it: what has an entry per example, and this shard's share of
                 the sums over the batch
    join part    shares added in the order of the shards, then everything without a batch: optimizers, statistics

Parts alternate in levels: what reads a sum over the batch (batch norm) runs in the next level. How the batch is cut
depends on the program and the batch, never on threads, and so the bits of a result do not either.

Sizes are numbers but for the batch. A program that does more with its batch than run over it (a guard on n, the example
before this one) is lowered for one batch size at a time (`lower(..., batch=n)`), as a program without a batch.
"""

from __future__ import annotations

__all__ = ["RUNTIME", "NotPerExampleError", "lower", "updated"]

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace

from paperback.calculus.kernel import kernel_form
from paperback.engines.llvm.lowering.addressed import find_address
from paperback.engines.llvm.lowering.arrange import (
    needs_transpose,
    padded_copy,
    product_of_reads,
    scattered,
    separated,
    transposed_copy,
    with_node,
)
from paperback.engines.llvm.lowering.buffers import BATCH, EXAMPLES, SHARDS, is_inside
from paperback.engines.llvm.lowering.factor import factored
from paperback.engines.llvm.lowering.fuse import fuse
from paperback.engines.llvm.lowering.halves import halved
from paperback.engines.llvm.lowering.nests import Nest
from paperback.engines.llvm.lowering.parts import filled, parts, split
from paperback.engines.llvm.lowering.route import route
from paperback.engines.llvm.lowering.tasks import Lowered, Section, Task
from paperback.engines.llvm.lowering.winograd import minimal
from paperback.notation.affine import Affine, Letter
from paperback.notation.expr import (
    Binder,
    Index,
    Node,
    Read,
    Reduce,
    Scalar,
    Statement,
    add,
    const,
    index_value,
    mul,
)  # fmt: skip
from paperback.notation.size import Size
from paperback.notation.walk import (
    canonical,
    free_letters,
    fresh,
    guard_letters,
    map_children,
    map_statement,
    nodes,
    substitute,
)
from paperback.program.program import Program

_BATCH_SIZE = 1_000_003  # stands for the batch while its size is unknown
_SHARD_SIZE = 1_000_033
_ROWS = 2048  # entries from which a sum over the batch that can be cut by rows is

RUNTIME: Mapping[int, int] = {_BATCH_SIZE: BATCH, _SHARD_SIZE: SHARDS}


class NotPerExampleError(Exception):
    """The program does more with its batch than run over it."""


def updated(name: str) -> str:
    """The tensor that holds the new value of one that is updated."""
    return f"{name} (new)"


def lower(program: Program, batch: int | None = None, single: bool = False) -> Lowered:
    """Cut a program into sections; with `batch`, for this batch size alone. Raises NotPerExampleError else.

    single    may convolutions be minimal, as they may in single precision (see `winograd`)?
    """
    lowered = _Lowering(program, batch, single).result
    outputs = {*program.outputs, *map(updated, program.updates)}
    fuse(lowered.sections, outputs)
    route(lowered, outputs)
    return lowered


class _Lowering:
    def __init__(self, program: Program, batch: int | None, single: bool) -> None:
        self.single = single
        has_batch = any(program.batch in axis.names for t in program.tensors.values() for axis in t.axes)
        self.batched = batch is None and has_batch
        self.sizes = {program.batch: _BATCH_SIZE if batch is None else batch}
        self.program = program
        self.shapes: dict[str, tuple[int, ...]] = {}
        for tensor in program.tensors.values():
            self._shape(tensor.name, tensor.axes)
        self.integers = {t.name for t in program.tensors.values() if t.integer}
        self.sections: list[Section] = []
        self.across: set[str] = set()
        self.made: dict[Statement, str] = {}  # parts of statements -> the tensors that hold them
        self.places: dict[str, tuple[int, str]] = {}  # tensor -> (level, mode of what computes it)
        numbers = {name: tuple(self._number(n) for n in shape) for name, shape in self.shapes.items()}
        for statement in program.statements:
            padded = statement.target in program.adjoints
            self._statement(self._numeric(statement), numbers if padded else None, statement.target)
        for name, statement in program.updates.items():
            self._shape(updated(name), statement.axes)
            self._statement(self._numeric(statement), None, updated(name))
        integers, across = frozenset(self.integers), frozenset(self.across)
        self.result = Lowered(self.sections, self.shapes, integers, self.batched, across)

    # --- sizes -------------------------------------------------------------------------------------------------------

    def _shape(self, name: str, axes: Sequence[Size]) -> None:
        numbers = [axis.substitute(self.sizes).value for axis in axes]
        shape = tuple(RUNTIME.get(n, n) for n in numbers)
        if BATCH in shape[1:] or any(n > _BATCH_SIZE // 2 and n not in RUNTIME and self.batched for n in numbers):
            raise NotPerExampleError(f"{name} has its batch in another axis than the first")
        self.shapes[name] = shape

    def _number(self, extent: int) -> int:
        return _BATCH_SIZE if extent == BATCH else extent

    def _numeric(self, statement: Statement) -> Statement:
        def image(node: Node) -> Node:
            if self.batched and isinstance(node, Index) and _names(node.affine):
                return self._value_of(node.affine)
            return map_children(node, image, lambda a: a.with_sizes(self.sizes))

        return map_statement(statement, image, lambda a: a.with_sizes(self.sizes))

    def _value_of(self, affine: Affine) -> Node:
        """An affine form in which the batch occurs, as a value."""
        terms = [mul(self._polynomial(k), index_value(Affine.of(letter))) for letter, k in affine.terms]
        return add(*terms, self._polynomial(affine.const))

    def _polynomial(self, size: Size) -> Node:
        terms = []
        for monomial, coefficient in size.terms:
            if any(atom != self.program.batch for atom in monomial):
                raise NotPerExampleError(f"{size} rounds the size of the batch")
            terms.append(mul(const(coefficient), *(Scalar(EXAMPLES) for _ in monomial)))
        return add(*terms)

    # --- statements --------------------------------------------------------------------------------------------------

    def _statement(self, statement: Statement, shapes: Mapping[str, Sequence[int]] | None, target: str) -> None:
        statement = replace(statement, target=target)
        statement = self._factored(statement, shapes)
        if self.batched:
            statement = self._without_batch_sums(statement)
            statement = self._halved(statement) if shapes is None and self._mode(target) == "example" else statement
        forms = [self._factored(form, shapes) for form in kernel_form(statement, shapes)]
        forms = [part for form in forms for part in separated(form)]
        if shapes is None and any(isinstance(n, Reduce) and n.guards for form in forms for n in nodes(form.expr)):
            forms = self._scatters(statement) or forms
        if self.batched:
            for form in forms:
                self._check(form)
        when = self._minimal(forms[0]) if self.single and shapes is None and len(forms) == 1 else ""
        extents = {letter: n for form in forms for letter, n in self._extents(form).items()}
        nests = tuple(self._arranged(nest) for nest in parts(forms, statement, extents, self.shapes, self.integers))
        self._place(Task(target, nests, self._mode(target), when=when))

    def _minimal(self, form: Statement) -> str:
        """A convolution's minimal forms are placed; the tensor that says for which examples it is computed as it is."""
        if self._mode(form.target) != "example":
            return ""
        found = minimal(self._arranged(Nest(form)).statement)
        if found is None:
            return ""
        for forms in (found.weights, (found.tiles,), (found.products,), (found.results,), (found.squares,)):
            target = forms[0][0].target
            if target != form.target:
                self._shape(target, forms[0][0].axes)
            mode = self._mode(target)
            nests = (Nest(first, split=split(first) if mode == "example" else None, more=tuple(more))
                     for first, *more in forms)  # fmt: skip
            self._place(Task(target, tuple(nests), mode))
        return found.squares[0].target

    def _halved(self, statement: Statement) -> Statement:
        def part(value: Node, letters: Sequence[Letter], numbers: Mapping[Letter, int]) -> Read | None:
            return self._part(statement.target, value, letters, numbers, None)

        return halved(statement, {name: self.shapes[name] for name in self.program.updates}, part)

    def _factored(self, statement: Statement, shapes: Mapping[str, Sequence[int]] | None) -> Statement:
        numbers = {b.letter: b.extent.value for b in _binders(statement)}

        def part(value: Node, letters: Sequence[Letter]) -> Read | None:
            return self._part(statement.target, value, letters, numbers, shapes)

        return factored(statement, numbers, _BATCH_SIZE, part)

    def _part(
        self, target: str, value: Node, letters: Sequence[Letter], numbers: Mapping[Letter, int],
        shapes: Mapping[str, Sequence[int]] | None,
    ) -> Read | None:  # fmt: skip
        """The read of a tensor that holds a part of a statement, which is made where no other statement has it."""
        for read in (n for n in nodes(value) if isinstance(n, Read)):
            for index, n in zip(read.indices, self.shapes[read.tensor], strict=True):
                if not (isinstance(index, Affine) and is_inside(index, self._number(n), numbers)):
                    return None
        moved = {l: Letter.fresh(l.name) for l in letters}
        binders = [Binder(moved[l], Size.of(numbers[l])) for l in letters]
        expr = substitute(fresh(value), {l: Affine.of(m) for l, m in moved.items()})
        key = canonical(Statement.plain("", binders, expr))
        if key not in self.made:
            name = self.made[key] = _unused(f"{target} (part)", self.shapes)
            self._shape(name, [b.extent for b in binders])
            self._statement(Statement.plain(name, binders, expr), shapes, name)
        result = Read(self.made[key], tuple(map(Affine.of, letters)), None)
        assert isinstance(result, Read)
        return result

    def _scatters(self, statement: Statement) -> list[Statement] | None:
        """The forms in which range guards are a read's padding, where that can be: only scatters, which skip it."""
        numbers = {n: tuple(map(self._number, s)) for n, s in self.shapes.items()}
        forms = [part for form in kernel_form(statement, numbers) for part in separated(form, padded=True)]
        padded = [f for f in forms if any(isinstance(n, Read) and n.pad is not None for n in nodes(f.expr))]
        exact = padded and not statement.pad and all(scattered(f, self._extents(f), self.shapes) for f in padded)
        return forms if exact else None

    def _mode(self, target: str) -> str:
        return "example" if self.shapes[target][:1] == (BATCH,) else "once"

    def _extents(self, statement: Statement) -> dict[Letter, int]:
        """Of all letters, as they are known now."""
        runtime = RUNTIME if self.batched else {}
        return {b.letter: runtime.get(b.extent.value, b.extent.value) for b in _binders(statement)}

    def _arranged(self, nest: Nest) -> Nest:
        """The nest with its factors read from copies that lie as a contraction needs them."""
        statement = nest.statement
        extents = self._extents(statement)
        found = [n for n in nodes(statement.expr) if isinstance(n, Reduce)]
        factors = product_of_reads(found[0], guarded=True) if len(found) == 1 and nest.fill is None else None
        if factors is None:
            return nest
        for read in factors:
            copied = padded_copy(read, extents, self.shapes) if read.pad is not None else None
            if copied is not None:
                statement = with_node(statement, read, self._copied(*copied))
        wanted = needs_transpose(statement, extents, self.shapes, 16)
        if wanted is not None:
            read, axes = wanted
            statement = with_node(statement, read, self._copied(*transposed_copy(read, axes, self.shapes)))
        return replace(nest, statement=statement)

    def _copied(self, copy: Statement, read: Read) -> Read:
        """Make sure that a copy is computed; the read of it."""
        if copy.target not in self.shapes:
            binders = tuple(Binder(b.letter, Size.of(self._number(b.extent.value))) for b in copy.binders)
            copy = Statement.plain(copy.target, binders, copy.expr)
            self._shape(copy.target, copy.axes)
            mode = self._mode(copy.target)
            nest = Nest(copy, split=split(copy) if mode == "example" else None)
            self._place(Task(copy.target, (nest,), mode))
        return read

    def _without_batch_sums(self, statement: Statement) -> Statement:
        """A sum over the batch becomes shares, one per shard, and their total; short ones stay where they are."""
        if any(self._is_batch(b.extent) for b in statement.binders):
            return statement
        extents = {b.letter: b.extent for b in statement.binders}
        for node in nodes(statement.expr):
            if isinstance(node, Reduce):
                extents.update((b.letter, b.extent) for b in node.binders)
        whole = statement.expr

        def image(node: Node) -> Node:
            if not isinstance(node, Reduce) or not any(self._is_batch(b.extent) for b in node.binders):
                return map_children(node, image)
            letters = free_letters(node)
            rows = 1
            for letter in letters:
                rows *= extents[letter].value
            by_rows = len(node.binders) == 1 or (node is whole and find_address(node, self.integers))
            if node.op != "sum" or (by_rows and rows >= _ROWS):
                return node
            return self._shares(statement.target, node, letters, extents, node is whole)

        return replace(statement, expr=image(whole))

    def _shares(
        self, target: str, node: Reduce, letters: Sequence[Letter], extents: Mapping[Letter, Size], whole: bool
    ) -> Node:
        shares, total = (_unused(f"{target} ({what})", self.shapes) for what in ("shares", "total"))
        shard = Letter.fresh("shard")
        binders = (Binder(shard, Size.of(_SHARD_SIZE)), *(Binder(l, extents[l]) for l in letters))
        self._shape(shares, [b.extent for b in binders])
        share = Statement.plain(shares, binders, fresh(node))
        forms = kernel_form(share, {n: tuple(map(self._number, s)) for n, s in self.shapes.items()})
        for form in forms:
            self._check(form)
        zero = Task(shares, (filled(share),), "zero")
        nests = tuple(self._arranged(Nest(form, add=True)) for form in forms)
        self._place(Task(shares, nests, "share", zero))
        each = Letter.fresh("shard")
        read: Node = Read(shares, (Affine.of(each), *(Affine.of(l) for l in letters)), None)
        summed: Node = Reduce("sum", (Binder(each, Size.of(_SHARD_SIZE)),), (), read)
        if whole:
            return summed
        new = {l: Letter.fresh(l.name) for l in letters}
        self._shape(total, [extents[l] for l in letters])
        moved = substitute(summed, {old: Affine.of(letter) for old, letter in new.items()})
        statement = Statement.plain(total, [Binder(new[l], extents[l]) for l in letters], moved)
        self._place(Task(total, (Nest(statement),), "once"))
        result: Node = Read(total, tuple(Affine.of(l) for l in letters), None)
        return result

    def _is_batch(self, extent: Size) -> bool:
        return extent.value == _BATCH_SIZE

    def _check(self, statement: Statement) -> None:
        """Letters of the batch are bare wherever they occur."""
        batch = {b.letter for b in statement.binders if self._is_batch(b.extent)}
        for node in nodes(statement.expr):
            if isinstance(node, Reduce):
                batch |= {b.letter for b in node.binders if self._is_batch(b.extent)}
        for affine in _affines(statement):
            numbers = [affine.const.value, *(k.value for _, k in affine.terms)]
            mixed = affine.bare is None and any(l in batch for l in affine.letters)
            if mixed or any(abs(n) > _BATCH_SIZE // 2 for n in numbers):
                raise NotPerExampleError(f"{statement.target} does more with the batch than run over it")
        for b in statement.binders:
            if b.extent.value > _BATCH_SIZE // 2 and b.extent.value not in RUNTIME:
                raise NotPerExampleError(f"{statement.target} runs over more than the batch")

    # --- levels ------------------------------------------------------------------------------------------------------

    def _place(self, task: Task) -> None:
        level = 0 if task.mode == "once" else 1
        for nest in task.nests:
            own = self._example_letters(task, nest)
            for read in (n for n in nodes(nest.statement.expr) if isinstance(n, Read)):
                if read.tensor not in self.places:
                    continue
                at, mode = self.places[read.tensor]
                if task.mode == "once":
                    level = max(level, at)
                else:
                    same = mode == "example" and isinstance(read.indices[0], Affine) and read.indices[0].bare in own
                    level = max(level, at if same else at + 1)
                    if mode == "example" and not same:
                        self.across.add(read.tensor)
        while len(self.sections) <= level:
            self.sections.append(Section())
        section = self.sections[level]
        (section.join if task.mode == "once" else section.shard).append(task)
        self.places[task.target] = level, task.mode

    def _example_letters(self, task: Task, nest: Nest) -> frozenset[Letter]:
        """The letters that stand for the example at hand."""
        if task.mode == "example":
            return frozenset(b.letter for b in nest.statement.binders if self._is_batch(b.extent))
        found = set()
        for node in nodes(nest.statement.expr):
            if isinstance(node, Reduce):
                found |= {b.letter for b in node.binders if self._is_batch(b.extent)}
        return frozenset(found)


def _binders(statement: Statement) -> list[Binder]:
    return [*statement.binders, *(b for n in nodes(statement.expr) if isinstance(n, Reduce) for b in n.binders)]


def _names(affine: Affine) -> bool:
    return bool(affine.const.names) or any(k.names for _, k in affine.terms)


def _unused(name: str, taken: Iterable[str]) -> str:
    new, serial = name, 1
    while new in taken:
        serial += 1
        new = f"{name} {serial}"
    return new


def _affines(statement: Statement) -> Iterator[Affine]:
    yield from statement.left
    for node in nodes(statement.expr):
        if isinstance(node, Read):
            yield from (i for i in node.indices if isinstance(i, Affine))
        elif isinstance(node, Index):
            yield node.affine
        guards = getattr(node, "guards", ())
        for guard in guards:
            if guard_letters(guard) and hasattr(guard, "affine"):
                yield guard.affine
