"""Programs and blocks in Fractions and enclosing intervals.

It has the call shape of the other engines. There is no dtype: a float given is the binary fraction that it stores, and
arrays of dtype object come back (see `calculus.exact`). Outputs, then the new values of what is updated.
"""

from __future__ import annotations

__all__ = ["block_of", "compile", "run"]

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from paperback.calculus.closures import Function
from paperback.calculus.exact import evaluate
from paperback.notation.block import Block
from paperback.notation.expr import Tensor
from paperback.program.program import Program

Objects = np.ndarray[Any, np.dtype[np.object_]]


def block_of(program: Program) -> Block:
    """A program's statements, then its updates, as a block whose inputs are what must be given.

    An input keeps its old value for every reader, as in a program; so `calculus.exact.jacobian` can referee a program.
    """
    inputs = {t.name: Tensor(t.name, t.axes, t.integer) for t in program.inputs}
    return Block((*program.statements, *program.updates.values()), inputs)


def compile(program: Program, dtype: Any = None) -> Callable[[Mapping[str, Any]], dict[str, Objects]]:
    """A function from arrays by name to the program's outputs and the new values of what it updates.

    Raises EngineError for arrays that do not fit, ExactError for comparisons that intervals cannot decide.
    """
    block = block_of(program)
    wanted = dict.fromkeys((*program.outputs, *program.updates))

    def runner(arrays: Mapping[str, Any]) -> dict[str, Objects]:
        given = {name: value for name, value in arrays.items() if name in block.inputs}
        values = {**{n: np.asarray(v, dtype=object) for n, v in given.items()}, **evaluate(block, given)}
        return {name: values[name] for name in wanted}

    return runner


def run(
    block: Block,
    arrays: Mapping[str, Any],
    sizes: Mapping[str, int] | None = None,
    dtype: Any = None,
    functions: Mapping[str, Function] | None = None,
) -> dict[str, Objects]:
    """Every statement of a block, by its target."""
    return evaluate(block, arrays, sizes, functions=functions)
