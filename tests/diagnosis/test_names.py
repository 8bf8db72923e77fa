"""The names in the table of patterns are those that the source gives: none is misspelt, none is never given."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import paperback.diagnosis
from paperback.diagnosis import PATTERNS

FOLDER = Path(paperback.diagnosis.__file__).parent
SOURCES = [path for path in sorted(FOLDER.rglob("*.py")) if path.name != "patterns.py"]
NAMED_FIRST = {"Reading", "Change", "Finding", "Explanation", "Complaint", "Named"}
RENAMED = {"averaged", "first", "last"}  # changes that get the name of a pattern where they are used


def given(tree: ast.AST) -> Iterator[str]:
    """The names in calls that take one first."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in NAMED_FIRST:
            first = node.args[0] if node.args else None
            if isinstance(first, ast.Constant) and isinstance(first.value, str):
                yield first.value


def test_every_name_that_is_given_is_in_the_table() -> None:
    names = [name for path in SOURCES for name in given(ast.parse(path.read_text()))]
    assert len(names) > 60
    assert {name for name in names if name} - RENAMED <= set(PATTERNS)
    assert list(given(ast.parse('Reading("misspelt", words, predicted)'))) == ["misspelt"]


def test_every_name_in_the_table_is_given() -> None:
    trees = [ast.parse(path.read_text()) for path in SOURCES]
    texts = {node.value for tree in trees for node in ast.walk(tree) if isinstance(node, ast.Constant)}
    assert set(PATTERNS) - texts == set()
