"""The NumPy engine: the readable reference, on any machine.

Reads are strided views (`views`), sums of products are matrix products (`contract`), short windows are slices
(`reductions`), everything else is elementwise (`nodes`, `guards`). `planner` decides all of that once from an
expression, `statements` from a statement, `engine` runs programs and blocks.
"""

from paperback.engines.numpy.engine import MEMORY_LIMIT, Runner, compile, run

__all__ = ["MEMORY_LIMIT", "Runner", "compile", "run"]
