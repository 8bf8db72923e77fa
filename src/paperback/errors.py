"""The errors of the package: each says where, what was needed and why, what came, and the change that fixes it."""

from __future__ import annotations

__all__ = [
    "ArgumentError", "DataError", "EngineError", "FormulaError", "FormulaWarning", "ModelError", "ModelWarning",
    "PaperbackError", "Problem", "warn",
]  # fmt: skip

import sys
import warnings
from dataclasses import dataclass
from pathlib import Path

_PACKAGE = str(Path(__file__).parent / "_")[:-1]  # with the separator


class PaperbackError(Exception):
    """The root of all errors raised on purpose by this package."""


@dataclass(frozen=True)
class Problem:
    """One thing wrong with a formula: a sentence, the place in the source it points at, and how to fix it.

    `start` and `end` are offsets into the source text; `start is None` means that no single place is to blame.
    """

    message: str
    start: int | None = None
    end: int | None = None
    hint: str = ""


class FormulaWarning(UserWarning):
    """A formula that is read as the grammar says, but hardly as it was meant."""


class ModelWarning(UserWarning):
    """A model that computes what was said, but hardly what was meant."""


class FormulaError(PaperbackError, ValueError):
    """A formula that is no sentence of the notation; shows every problem found, each with its line and caret."""

    def __init__(self, source: str, problems: Problem | list[Problem] | tuple[Problem, ...]) -> None:
        self.source = source
        self.problems: tuple[Problem, ...] = (problems,) if isinstance(problems, Problem) else tuple(problems)
        super().__init__("\n".join(_render(source, problem) for problem in self.problems))

    @property
    def message(self) -> str:
        return self.problems[0].message

    @property
    def hint(self) -> str:
        return self.problems[0].hint


def _render(source: str, problem: Problem) -> str:
    lines = [problem.message]
    if problem.start is not None and source:
        start = min(problem.start, len(source))
        first = source.rfind("\n", 0, start) + 1
        last = source.find("\n", first)
        line = source[first : last if last >= 0 else len(source)]
        indent = len(line) - len(line.lstrip())
        width = max(1, min((problem.end or start + 1), first + len(line)) - start)
        lines += ["  " + line.strip(), "  " + " " * (start - first - indent) + "^" * width]
    if problem.hint:
        lines.append("  " + problem.hint)
    return "\n".join(lines)


class ModelError(PaperbackError, ValueError):
    """A network, layer, loss, optimizer or checkpoint that does not fit, or input that a model cannot take."""


class ArgumentError(ModelError, TypeError):
    """A layer, optimizer or method that is called with what it does not take, or without what it needs."""


class EngineError(PaperbackError, ValueError):
    """Arrays that do not fit the program they are given to: missing, of the wrong shape, or with bad indices."""


class DataError(PaperbackError, ValueError):
    """A data file that is malformed, or data that does not fit together."""


def warn(message: str, category: type[Warning] = UserWarning) -> None:
    """Warn at the line outside this package that led here."""
    level, frame = 2, sys._getframe(1)
    while frame.f_back is not None and frame.f_code.co_filename.startswith(_PACKAGE):
        level, frame = level + 1, frame.f_back
    warnings.warn(message, category, stacklevel=level)
