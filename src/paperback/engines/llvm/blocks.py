"""Formulas on the compiled engine: a block with its sizes bound is a program without a batch.

A block is compiled once for each choice of sizes and dtype.
"""

from __future__ import annotations

__all__ = ["run"]

import threading
from collections import OrderedDict
from collections.abc import Callable, Mapping
from typing import Any

from paperback.engines import numpy as reference
from paperback.engines.llvm.runner import Runner
from paperback.engines.numpy.checks import bound
from paperback.engines.numpy.views import Array
from paperback.notation.block import Block
from paperback.notation.size import Size
from paperback.notation.walk import map_statement, with_sizes
from paperback.program.program import Program, ProgramTensor

_BLOCKS = 32
_NO_BATCH = "no batch"

_compiled: OrderedDict[Any, Runner] = OrderedDict()
_lock = threading.Lock()


def run(
    block: Block,
    arrays: Mapping[str, Any],
    sizes: Mapping[str, int] | None = None,
    dtype: Any = None,
    functions: Mapping[str, Callable[..., Any]] | None = None,
) -> dict[str, Array]:
    """Every statement's value by name. Functions of the caller are no machine code: with them, NumPy runs the block."""
    if functions:
        return reference.run(block, arrays, sizes, dtype, functions)
    values, known, kind = bound(block, arrays, sizes, dtype)
    key = (block.statements, tuple(sorted(known.items())), kind, tuple(sorted(values)))
    with _lock:
        runner = _compiled.get(key)
        if runner is None:
            runner = _compiled[key] = Runner(_program(block, known, values), kind)
            if len(_compiled) > _BLOCKS:
                _compiled.popitem(last=False)
        _compiled.move_to_end(key)
    return runner(values)


def _program(block: Block, sizes: Mapping[str, int], values: Mapping[str, Array]) -> Program:
    def numbers(axes: tuple[Size, ...]) -> tuple[Size, ...]:
        return tuple(Size.of(axis.substitute(sizes).value) for axis in axes)

    statements = tuple(
        map_statement(s, lambda n: with_sizes(n, sizes), lambda a: a.with_sizes(sizes)) for s in block.statements
    )
    tensors = {
        name: ProgramTensor(name, numbers(t.axes), "input", t.integer)
        for name, t in block.inputs.items()
        if name in values
    }
    tensors |= {name: ProgramTensor(name, (), "scalar") for name in block.scalars}
    for statement in statements:
        integer = block.tensor(statement.target).integer
        tensors[statement.target] = ProgramTensor(statement.target, numbers(statement.axes), "intermediate", integer)
    return Program(tensors, statements, tuple(s.target for s in statements), batch=_NO_BATCH)
