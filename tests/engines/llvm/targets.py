"""Code for other processors than the one at hand, in tests."""

from __future__ import annotations

import pytest

from paperback.engines.llvm.machine.target import limited
from paperback.errors import EngineError


def choose_target(patch: pytest.MonkeyPatch, name: str) -> None:
    """Generate code for this target; skip where the machine cannot run it."""
    try:
        limited(name)
    except EngineError as error:
        pytest.skip(str(error))
    patch.setenv("PAPERBACK_TARGET", name)
