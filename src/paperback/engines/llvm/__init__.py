"""The compiled engine: a program becomes machine code.

    lower      statements -> loop nests, cut into shards of the batch and levels; `arrange` makes copies that lie well
    contract   sums of products, in tiles of registers (`tile`); everything else is a `nest`
    module     nests -> textual LLVM IR: `evaluate`, `reduce` and `values` write it, `ir` is the pen
    objects    IR -> machine code, cached on disk (`target`, `cache`; `stored` is what lies beside the code)
    runner     arrays in, one native call, arrays out; `blocks` for formulas
    plan       the page of what runs; `explain` makes it from the `kernels` that were written
"""

from collections.abc import Callable
from typing import Any

from paperback.engines.llvm.blocks import run
from paperback.engines.llvm.plan import Plan
from paperback.engines.llvm.pool import MOST_THREADS
from paperback.engines.llvm.runner import Runner
from paperback.engines.llvm.target import chosen
from paperback.program.program import Program

__all__ = ["MOST_THREADS", "Plan", "Runner", "check", "compile", "run"]


def check() -> None:
    """Raise EngineError where this engine cannot run: llvmlite is missing, or the machine is unknown."""
    chosen()


def compile(
    program: Program | Callable[[], Program],
    dtype: Any = "float32",
    threads: int | None = None,
    name: str | None = None,
) -> Runner:
    """Make a program callable on arrays: compiled once, for every batch size; by default on all cores.

    With a `name`, a text that no other program has, code of an earlier process is used; then `program` may be what
    makes it, and is called only where there is none.
    """
    return Runner(program, dtype, threads, name)
