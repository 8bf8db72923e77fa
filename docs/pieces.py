"""Pieces of generated pages: blocks of code, and sessions with what they print."""

from __future__ import annotations

__all__ = ["fenced", "pycon"]

from collections.abc import Iterable
from contextlib import redirect_stdout
from io import StringIO
from typing import Any


def fenced(text: str, language: str = "text") -> str:
    return f"```{language}\n{text}\n```"


def pycon(lines: Iterable[str]) -> str:
    """An interactive session: the lines, and what they print."""
    names: dict[str, Any] = {}
    out = []
    for line in lines:
        printed = StringIO()
        with redirect_stdout(printed):
            exec(compile(line, "example", "single"), names)
        out += [f">>> {line}", *printed.getvalue().splitlines()]
    return fenced("\n".join(out), "pycon")
