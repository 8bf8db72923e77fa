"""Code for other processors than the one at hand, and more threads than the work is worth, in tests."""

from __future__ import annotations

import pytest

from paperback.engines.llvm import runner
from paperback.engines.llvm.machine.target import limited
from paperback.errors import EngineError


def choose_target(patch: pytest.MonkeyPatch, name: str) -> None:
    """Generate code for this target; skip where the machine cannot run it."""
    try:
        limited(name)
    except EngineError as error:
        pytest.skip(str(error))
    patch.setenv("PAPERBACK_TARGET", name)


def share_from(patch: pytest.MonkeyPatch, operations: float) -> None:
    """Threads help with work of so many operations, and are woken for it."""
    for name in ("_WORTH_THREADS", "_WORTH_WAKING"):
        patch.setattr(runner, name, operations)
    patch.setattr(runner, "_MOSTLY", 0)
