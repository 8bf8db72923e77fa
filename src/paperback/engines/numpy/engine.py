"""Programs and blocks on NumPy.

    step = compile(program)                 a Runner; plans are made per batch size, once
    step({"input": x, ...})                 {output or updated tensor: new array}
    run(block, {"x": x, "w": w})            {target: array}

Arrays that come in are never written to, and no array that goes out shares memory with one that came in.
"""

from __future__ import annotations

__all__ = ["MEMORY_LIMIT", "Runner", "compile", "run"]

from collections import OrderedDict
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from paperback.engines.numpy.checks import as_array, batch_of, bound, check_shape, float_dtype, missing_arrays
from paperback.engines.numpy.statements import Setting, StatementPlan
from paperback.engines.numpy.views import Array
from paperback.notation.block import Block
from paperback.notation.expr import Read, Statement
from paperback.notation.size import Size, evaluate
from paperback.notation.walk import map_statement, nodes, with_sizes
from paperback.program.program import Program, ProgramTensor

MEMORY_LIMIT = 256 << 20
"""Bytes that one temporary may have."""

_BATCHES = 8
_BLOCKS = 32


def _numeric(statement: Statement, sizes: Mapping[str, int]) -> Statement:
    return map_statement(statement, lambda n: with_sizes(n, sizes), lambda a: a.with_sizes(sizes))


def _read_by(statement: Statement) -> frozenset[str]:
    return frozenset(n.tensor for n in nodes(statement.expr) if isinstance(n, Read))


class _Plan:
    """A program at one batch size: the statements in order, and what can be forgotten after each."""

    def __init__(self, program: Program, sizes: Mapping[str, int], dtype: np.dtype[Any], limit: int) -> None:
        shapes = {t.name: _shape(t.axes, sizes) for t in program.tensors.values()}
        shapes |= {s.target: _shape(s.axes, sizes) for s in program.statements}
        integers = frozenset(t.name for t in program.tensors.values() if t.integer)
        self.setting = Setting(shapes, integers, {}, dtype, limit)
        self.steps = [StatementPlan(_numeric(s, sizes), self.setting) for s in program.statements]
        self.updates = {name: StatementPlan(_numeric(s, sizes), self.setting) for name, s in program.updates.items()}
        last: dict[str, int] = {}
        for k, statement in enumerate(program.statements):
            last |= dict.fromkeys((statement.target, *_read_by(statement)), k)
        kept = {*program.outputs, *(name for s in program.updates.values() for name in _read_by(s))}
        self.dead: list[list[str]] = [[] for _ in self.steps]
        for name, k in last.items():
            if name not in kept:
                self.dead[k].append(name)


def _shape(axes: tuple[Size, ...], sizes: Mapping[str, int]) -> tuple[int, ...]:
    return tuple(evaluate(axis, sizes) for axis in axes)


class Runner:
    """A compiled program. Call it with its input arrays; it returns the outputs and the new values of updated tensors.

    Float tensors are computed and returned in `dtype`, integer tensors as int64. A scalar may be a plain number.
    """

    def __init__(self, program: Program, dtype: Any = "float32", memory_limit: int = MEMORY_LIMIT) -> None:
        self.program = program
        self.dtype = float_dtype(dtype)
        self.memory_limit = int(memory_limit)
        every = (*program.statements, *program.updates.values())
        used = frozenset(name for s in every for name in _read_by(s)).union(program.outputs)
        scalars = frozenset(n.name for s in every for n in nodes(s.expr) if hasattr(n, "name"))
        needed = [t for t in program.inputs if t.name in used or t.name in scalars]
        if not any(_has_batch(program, t) for t in needed):  # what is not read may still tell how many examples
            needed += [t for t in program.by_role("input") if _has_batch(program, t)][:1]
        self.needed = tuple(needed)
        self._plans: OrderedDict[int | None, _Plan] = OrderedDict()

    def __call__(self, arrays: Mapping[str, Any]) -> dict[str, Array]:
        missing = [t.name for t in self.needed if t.name not in arrays]
        if missing:
            raise missing_arrays(missing, [t.name for t in self.needed], arrays)
        values = {t.name: as_array(arrays[t.name], t.name, t.integer, self.dtype) for t in self.needed}
        batch = batch_of(self.program.batch, self.needed, values)
        sizes = {} if batch is None else {self.program.batch: batch}
        for tensor in self.needed:
            check_shape(tensor.name, tensor.axes, values[tensor.name].shape, sizes)
        plan = self._plan(batch, sizes)
        scalars = {name: value[()] for name, value in values.items() if not value.ndim}
        with np.errstate(all="ignore"):
            for step, dead in zip(plan.steps, plan.dead, strict=True):
                values[step.target] = step.run(values, scalars)
                for name in dead:
                    del values[name]
            new = {name: step.run(values, scalars) for name, step in plan.updates.items()}
        given = {t.name for t in self.needed}
        out = {name: values[name].copy() if name in given else values[name] for name in self.program.outputs}
        return {name: _public(array) for name, array in (out | new).items()}

    def _plan(self, batch: int | None, sizes: Mapping[str, int]) -> _Plan:
        plan = self._plans.get(batch)
        if plan is None:
            plan = self._plans[batch] = _Plan(self.program, sizes, self.dtype, self.memory_limit)
            if len(self._plans) > _BATCHES:
                self._plans.popitem(last=False)
        self._plans.move_to_end(batch)
        return plan


def _has_batch(program: Program, tensor: ProgramTensor) -> bool:
    return any(program.batch in axis.names for axis in tensor.axes)


def _public(array: Array) -> Array:
    return array.astype(np.int64) if array.dtype.kind in "iu" and array.dtype != np.int64 else array


def compile(program: Program, dtype: Any = "float32", memory_limit: int = MEMORY_LIMIT) -> Runner:
    """Make a program callable on arrays; no temporary will have more than `memory_limit` bytes."""
    return Runner(program, dtype, memory_limit)


_blocks: OrderedDict[Any, list[StatementPlan]] = OrderedDict()


def run(
    block: Block,
    arrays: Mapping[str, Any],
    sizes: Mapping[str, int] | None = None,
    dtype: Any = None,
    functions: Mapping[str, Callable[..., Any]] | None = None,
    memory_limit: int = MEMORY_LIMIT,
) -> dict[str, Array]:
    """Evaluate the statements of a block: {target: array}.

    Sizes come from the shapes of the arrays, and from `sizes` where no array shows them. The dtype is float32 where
    all float arrays are float32 or float16, else float64. `functions` gives the functions that the block leaves open.
    """
    values, known, kind = bound(block, arrays, sizes, dtype)
    tensors = {name: block.inputs[name] for name in values if name in block.inputs}
    scalars = {name: values.pop(name) for name in block.scalars}
    given = dict(functions or {})
    key = (
        block.statements,
        tuple(sorted(known.items())),
        kind,
        tuple(sorted(tensors)),
        memory_limit,
        tuple(sorted((name, id(f)) for name, f in given.items())),
    )
    plans = _blocks.get(key)
    if plans is None:
        shapes = {name: value.shape for name, value in values.items()}
        shapes |= {s.target: _shape(s.axes, known) for s in block.statements}
        whole = {name for name, t in tensors.items() if t.integer}
        whole |= {s.target for s in block.statements if block.tensor(s.target).integer}
        setting = Setting(shapes, frozenset(whole), given, kind, memory_limit)
        plans = _blocks[key] = [StatementPlan(_numeric(s, known), setting) for s in block.statements]
        if len(_blocks) > _BLOCKS:
            _blocks.popitem(last=False)
    _blocks.move_to_end(key)
    values |= scalars
    plain = {name: value[()] for name, value in scalars.items()}
    with np.errstate(all="ignore"):
        for plan in plans:
            values[plan.target] = plan.run(values, plain)
    return {plan.target: _public(values[plan.target]) for plan in plans}
