"""Mistakes planted in the generator of code are found by the fast suite. What they are: `mutants`."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("torch")
pytest.importorskip("llvmlite")

from tests.engines.llvm.mutants import MUTANTS

ROOT = Path(__file__).parents[3]


@pytest.mark.long
@pytest.mark.skipif(not hasattr(os, "fork"), reason="a mutant may crash, and is tried in a child")
def test_mutants_are_caught() -> None:
    environment = {**os.environ, "PYTHONPATH": f"{ROOT / 'src'}{os.pathsep}{ROOT}"}
    command = [sys.executable, "-m", "tests.engines.llvm.mutants"]
    ran = subprocess.run(command, env=environment, capture_output=True, text=True, cwd=ROOT, check=False)
    assert ran.stdout.splitlines() == [f"{mutant.id}: lives without, caught with" for mutant in MUTANTS], ran.stderr
    assert len(MUTANTS) >= 20
