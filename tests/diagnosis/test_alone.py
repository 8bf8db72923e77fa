"""The folder needs NumPy and nothing else, of the package or of others."""

from __future__ import annotations

import ast
import os
import subprocess
import sys
from pathlib import Path

SOURCE = Path(__file__).parents[2] / "src"


def test_nothing_of_the_package_is_imported() -> None:
    seen = 0
    for path in (SOURCE / "paperback" / "diagnosis").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("paperback"):
                assert (node.module or "").startswith("paperback.diagnosis"), path
                seen += 1
    assert seen > 20


def test_it_loads_nothing_else() -> None:
    code = "import sys, paperback.diagnosis; print(*[n for n in sys.modules if n.startswith('paperback')])"
    environment = {**os.environ, "PYTHONPATH": str(SOURCE)}
    ran = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
    names = {name for name in ran.stdout.split() if not name.startswith("paperback.diagnosis")}
    assert names == {"paperback", "paperback.arguments", "paperback.errors"}
