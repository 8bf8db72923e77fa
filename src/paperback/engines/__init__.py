"""Engines run programs and formulas; neither knows them.

    exact    Fractions and intervals, naive loops: proofs and tests
    numpy    strided windows and matrix products: the readable reference, any machine
    llvm     machine code for the processor at hand, on all its cores: the fast one

Models train on `llvm` where it can be had, else on `numpy` (with a warning, once). Formulas that are called run on
`numpy`: a call is over before code for it would be compiled. `use` chooses one engine for everything that does not name
one.
"""

from __future__ import annotations

__all__ = ["ENGINES", "bind", "check_threads", "choose", "compile_program", "repeat", "run", "use"]

import functools
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from paperback.arguments import closest
from paperback.engines import exact, llvm, numpy
from paperback.engines.outcome import Outcome
from paperback.errors import EngineError, warn
from paperback.notation.block import Block
from paperback.program.program import Program

_MODULES: Mapping[str, Any] = {"numpy": numpy, "llvm": llvm, "exact": exact}
ENGINES = tuple(_MODULES)


@dataclass
class _Chosen:
    """What `use` chose; None where it did not."""

    engine: str | None = None
    threads: int | None = None


_chosen = _Chosen()

Runner = Callable[[Mapping[str, Any]], dict[str, "np.ndarray[Any, Any]"]]


def use(*, engine: str | None = None, threads: int | None = None) -> None:
    """Choose the engine ("llvm", "numpy" or "exact") for formulas and for models that do not name one, and how many
    threads the compiled engine runs on (by default one for each core).

    The number of threads changes no bit of any result. Raises EngineError for a name that is no engine, and for a
    number that is none of threads.
    """
    if threads is not None:
        check_threads("use", threads)
    if engine is not None:
        _chosen.engine = choose(engine)
    if threads is not None:
        _chosen.threads = threads


def check_threads(where: str, threads: int) -> None:
    """Raise EngineError for what is no number of threads."""
    if not isinstance(threads, int) or isinstance(threads, bool) or not 1 <= threads <= llvm.MOST_THREADS:
        raise EngineError(f"{where}: threads is a number from 1 to {llvm.MOST_THREADS}, found {threads!r}")


def choose(engine: str | None) -> str:
    """The name of an engine: for None the one that `use` chose, else the fastest that this machine has."""
    if engine is None:
        return _chosen.engine or _fastest()
    if engine not in ENGINES:
        raise EngineError(f"no engine is called {engine!r}; {closest(engine, ENGINES)}")
    return engine


@functools.cache
def _fastest() -> str:
    try:
        llvm.check()
    except EngineError as error:
        warn(f"models run on NumPy, which is slower: {error}", RuntimeWarning)
        return "numpy"
    return "llvm"


def compile_program(
    program: Program | Callable[[], Program],
    dtype: str = "float32",
    engine: str | None = None,
    threads: int | None = None,
    name: str | None = None,
) -> Runner:
    """A function from arrays by name to the program's outputs and the new values of what it updates.

    program   or what makes it; the compiled engine calls that only where its cache has no code for the `name`
    threads   of the compiled engine; the others have none
    name      all that the program is made of, as a text that no other program has; None for one without a name
    """
    chosen = choose(engine)
    if chosen == "llvm":
        return llvm.compile(program, dtype=dtype, threads=threads or _chosen.threads, name=name)
    made = program if isinstance(program, Program) else program()
    runner: Runner = _MODULES[chosen].compile(made, dtype=dtype)
    return runner


def repeat(
    run: Runner, arrays: Mapping[str, Any], each: Mapping[str, np.ndarray[Any, Any]], count: int
) -> tuple[Outcome, int] | None:
    """So many runs of a program in one call of native code, each given the new values of the one before.

    each    what differs from run to run, with an axis for the runs in front; `arrays` the rest, of the first run
    Returns every run's outputs with the last new values, and how many runs there were: it ends before one that makes
    NaN or infinity. None where the engine runs step by step only.
    """
    return run.repeat(arrays, each, count) if isinstance(run, llvm.Runner) else None


def bind(
    run: Runner, arrays: Mapping[str, Any], name: str, output: str
) -> Callable[[object], np.ndarray[Any, Any] | None] | None:
    """An output as a function of one of the arrays, the others as they are: a call of it is the quickest there is.

    It takes anything, and returns None for what is no array of the same shape and type or holds NaN or infinity, and
    where the run would fail. None in its place where the engine has none.
    """
    return run.bind(arrays, name, output) if isinstance(run, llvm.Runner) else None


def run(
    block: Block,
    arrays: Mapping[str, Any],
    sizes: Mapping[str, int] | None = None,
    engine: str | None = None,
    functions: Mapping[str, Callable[..., Any]] | None = None,
) -> dict[str, np.ndarray[Any, Any]]:
    """Every statement's value by name; on NumPy where no engine is chosen."""
    name = choose(engine) if engine is not None else _chosen.engine or "numpy"
    values: dict[str, np.ndarray[Any, Any]] = _MODULES[name].run(block, arrays, sizes, functions=functions or {})
    return values
