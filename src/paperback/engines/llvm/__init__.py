"""The compiled engine: a program becomes machine code.

    lower      statements -> loop nests, cut into shards of the batch and levels
    module     nests -> textual LLVM IR (`nest`, `evaluate`, `reduce`, `values` write it; `ir` is the pen)
    objects    IR -> machine code, cached on disk (`target`, `cache`)
    runner     arrays in, one native call, arrays out
"""

from paperback.engines.llvm.runner import Runner

__all__ = ["Runner"]
