"""The compiled engine: a program becomes machine code. Each folder imports from those above it:

    machine/     what code is generated for, object code and its cache, threads, memory
    functions/   exp, log, tanh ... as vector code (`ir` is the pen that writes textual LLVM IR)
    lowering/    statements -> nests, cut into shards of the batch and levels (`lower`), copies that lie well
                 (`arrange`), fewer passes over memory (`fuse`), where tensors live (`layout`)
    code/        nests -> IR: sums of products in tiles of registers (`contract`, `tile`), everything else as loops
                 (`nest`, `reduce`, `evaluate`), a function for each task (`module`), what calls
                 them (`drivers`), how they can be cut (`cut`), and done part by part (`runs`)

`runner` takes arrays in and gives arrays out, with one native call between, in the memory that `room` keeps, for one
step, a `series`, or as a function of one array (`bound`); `pace` finds out whether threads help; `stored` is what lies
in the cache beside the code; `blocks` runs formulas; `plan` is the page of what runs (`explain` makes it).
"""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from paperback.engines.llvm.machine.pool import MOST_THREADS
from paperback.engines.llvm.machine.target import chosen
from paperback.engines.llvm.runner import Runner
from paperback.later import offer
from paperback.program.program import Program

if TYPE_CHECKING:
    from paperback.engines.llvm import explain
    from paperback.engines.llvm.blocks import run
    from paperback.engines.llvm.plan import Plan

__all__ = ["MOST_THREADS", "Plan", "Runner", "check", "compile", "explain", "run"]

__getattr__, __dir__ = offer(__name__, {"Plan": "plan", "run": "blocks"}, modules=("explain",))


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
