"""The notebooks in `examples/` run from top to bottom, and are stored without outputs.

Their code is executed plainly, as Python in one namespace: the notebooks use nothing of IPython, and a kernel would
bring some fifty packages and open sockets in every test run. What ends a cell is shown as a notebook would show it.
"""

from __future__ import annotations

import ast
import json
import re
from pathlib import Path
from typing import Any

import pytest

EXAMPLES = sorted((Path(__file__).resolve().parent.parent / "examples").glob("*.ipynb"))


def cells(path: Path, kind: str) -> list[dict[str, Any]]:
    notebook = json.loads(path.read_text(encoding="utf-8"))
    return [cell for cell in notebook["cells"] if cell["cell_type"] == kind]


def shown(value: Any) -> str:
    """What a notebook would show of a value: its HTML, or its repr."""
    return str(value._repr_html_()) if hasattr(value, "_repr_html_") else repr(value)


def run(path: Path) -> list[str]:
    """Execute all code of a notebook; what its cells end with, as it is shown."""
    names: dict[str, Any] = {"__name__": "__main__"}
    found = []
    for number, cell in enumerate(cells(path, "code")):
        tree = ast.parse("".join(cell["source"]))
        last = tree.body.pop() if isinstance(tree.body[-1], ast.Expr) else None
        place = f"{path.name}, code cell {number}"
        exec(compile(tree, place, "exec"), names)
        if isinstance(last, ast.Expr):
            value = eval(compile(ast.Expression(last.value), place, "eval"), names)
            if value is not None:
                found.append(shown(value))
    return found


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_a_notebook_runs(path: Path) -> None:
    results = run(path)
    assert len(results) >= 8
    assert sum("<math" in result for result in results) >= 2, "formulas show themselves"
    assert all("Error" not in result for result in results)


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_a_notebook_is_stored_without_outputs(path: Path) -> None:
    notebook = json.loads(path.read_text(encoding="utf-8"))
    assert (notebook["nbformat"], notebook["nbformat_minor"]) == (4, 5)
    names = [cell["id"] for cell in notebook["cells"]]
    assert len(set(names)) == len(names) and all(re.fullmatch(r"[\w-]{1,64}", name) for name in names)
    for cell in cells(path, "code"):
        assert cell["outputs"] == [] and cell["execution_count"] is None
    assert len(cells(path, "markdown")) >= len(cells(path, "code")) // 2, "a notebook explains"


def test_there_are_notebooks() -> None:
    assert len(EXAMPLES) >= 2


def test_a_broken_cell_is_seen(tmp_path: Path) -> None:
    path = tmp_path / "broken.ipynb"
    broken = {"cells": [{"cell_type": "code", "source": ["x = 1\n", "assert x == 2"]}]}
    path.write_text(json.dumps(broken), encoding="utf-8")
    with pytest.raises(AssertionError):
        run(path)
