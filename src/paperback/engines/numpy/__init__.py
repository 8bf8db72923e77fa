"""The NumPy engine: the readable reference, on any machine.

Reads are strided views (`views`), sums of products are matrix products (`contract`), short windows are slices
(`reductions`), everything else is elementwise (`nodes`, `guards`). `planner` decides all of that once from an
expression, `statements` from a statement, `engine` runs programs and blocks.
"""

from typing import TYPE_CHECKING

from paperback.later import offer

if TYPE_CHECKING:
    from paperback.engines.numpy.engine import MEMORY_LIMIT, Runner, compile, run

__all__ = ["MEMORY_LIMIT", "Runner", "compile", "run"]

__getattr__, __dir__ = offer(__name__, dict.fromkeys(__all__, "engine"))
