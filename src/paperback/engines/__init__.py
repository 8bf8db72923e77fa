"""Engines run programs and formulas; neither knows them.

    exact    Fractions and intervals, naive loops: proofs and tests
    numpy    strided windows and matrix products: the readable reference, any machine

`use` chooses the engine for everything that does not name one.
"""

from __future__ import annotations

__all__ = ["ENGINES", "choose", "compile_program", "run", "use"]

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from paperback.arguments import closest
from paperback.engines import exact, llvm, numpy
from paperback.errors import EngineError
from paperback.notation.block import Block
from paperback.program.program import Program

_MODULES: Mapping[str, Any] = {"numpy": numpy, "llvm": llvm, "exact": exact}
ENGINES = tuple(_MODULES)
_chosen = {"engine": "numpy"}

Runner = Callable[[Mapping[str, Any]], dict[str, "np.ndarray[Any, Any]"]]


def use(*, engine: str | None = None, threads: int | None = None) -> None:
    """Choose the engine ("numpy" or "exact") for formulas and for models that do not name one.

    `threads` is refused: no engine has threads of its own yet; NumPy's are set by its BLAS. Raises EngineError for it,
    and for a name that is no engine.
    """
    if threads is not None:
        raise EngineError(
            f"use: no engine has threads of its own, found threads={threads!r}; leave it out, and set "
            f"OPENBLAS_NUM_THREADS before the start for those of NumPy's matrix products"
        )
    if engine is not None:
        _chosen["engine"] = choose(engine)


def choose(engine: str | None) -> str:
    """The name of an engine, the chosen one for None."""
    if engine is None:
        return _chosen["engine"]
    if engine not in ENGINES:
        raise EngineError(f"no engine is called {engine!r}; {closest(engine, ENGINES)}")
    return engine


def compile_program(program: Program, dtype: str = "float32", engine: str | None = None) -> Runner:
    """A function from arrays by name to the program's outputs and the new values of what it updates."""
    runner: Runner = _MODULES[choose(engine)].compile(program, dtype=dtype)
    return runner


def run(
    block: Block,
    arrays: Mapping[str, Any],
    sizes: Mapping[str, int] | None = None,
    engine: str | None = None,
    functions: Mapping[str, Callable[..., Any]] | None = None,
) -> dict[str, np.ndarray[Any, Any]]:
    """Every statement's value by name."""
    engine_run = _MODULES[choose(engine)].run
    values: dict[str, np.ndarray[Any, Any]] = engine_run(block, arrays, sizes, functions=functions or {})
    return values
