"""The compiled engine: a program becomes machine code.

    lower      statements -> loop nests, cut into shards of the batch and levels; `arrange` makes copies that lie well
    contract   sums of products, in tiles of registers (`tile`); everything else is a `nest`
    module     nests -> textual LLVM IR: `evaluate`, `reduce` and `values` write it, `ir` is the pen
    objects    IR -> machine code, cached on disk (`target`, `cache`)
    runner     arrays in, one native call, arrays out; `blocks` for formulas
"""

from typing import Any

from paperback.engines.llvm.blocks import run
from paperback.engines.llvm.runner import Runner
from paperback.program.program import Program

__all__ = ["Runner", "compile", "run"]


def compile(program: Program, dtype: Any = "float32") -> Runner:
    """Make a program callable on arrays: compiled once, for every batch size."""
    return Runner(program, dtype)
