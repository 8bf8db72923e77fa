"""The page of formulas that a program is: as text, and as a table for notebooks."""

from __future__ import annotations

__all__ = ["given", "sections", "table", "text"]

from collections.abc import Iterator, Sequence

from paperback.calculus.display import display
from paperback.calculus.naming import known_values
from paperback.notation.expr import Statement
from paperback.notation.mathml import mathml_statement
from paperback.notation.show import show_statement
from paperback.notation.size import Size
from paperback.program.program import Program, ProgramTensor

_TITLES = {
    "input": "inputs", "label": "labels", "mask": "masks", "parameter": "parameters", "state": "state",
    "optimizer": "optimizer", "scalar": "scalars",
}  # fmt: skip


def given(program: Program) -> dict[str, list[ProgramTensor]]:
    """What must be given, by the title under which it is printed."""
    found = {title: list(program.by_role(role)) for role, title in _TITLES.items()}
    return {title: tensors for title, tensors in found.items() if tensors}


def sections(program: Program) -> dict[str, list[Statement]]:
    """The statements as they are printed: forward, backward (deltas solved), and the update with all it needs."""
    named = known_values([s for s in program.statements if s.target not in program.adjoints])
    axes = {tensor.name: tensor.axes for tensor in program.tensors.values()}
    adjoint = [s.target in program.adjoints for s in program.statements]
    first = adjoint.index(True) if True in adjoint else len(adjoint)
    found = {
        "forward": list(program.statements[:first]),
        "backward": [display(s, named, None, axes) for s in program.statements if s.target in program.adjoints],
        "update": [s for s in program.statements[first:] if s.target not in program.adjoints],
    }
    found["update"] += program.updates.values()
    return {title: statements for title, statements in found.items() if statements}


def text(program: Program) -> str:
    """The page: what is given, forward, backward (deltas solved), updates."""
    return "\n".join(_lines(program))


def _lines(program: Program) -> Iterator[str]:
    for title, tensors in program.given.items():
        yield f"{title}: {'; '.join(map(str, tensors))}"
    plain = _plain(program)
    for title, statements in program.sections.items():
        yield from ("", f"{title}:", *(f"  {_line(statement, plain)}" for statement in statements))


def _plain(program: Program) -> list[str]:
    """Tensors that are written without `[]`."""
    return [s.target for s in program.statements if not s.axes]


def _shape(axes: Sequence[Size]) -> str:
    return " ".join(map(str, axes))


def _line(statement: Statement, plain: Sequence[str]) -> str:
    text = show_statement(statement, extents=False, plain=plain)
    return text + (f"   # {_shape(statement.axes)}" if statement.axes else "")


def table(program: Program) -> str:
    """The same page as a table, its formulas as MathML."""
    return f"<table>{''.join(_rows(program))}</table>"


def _rows(program: Program) -> Iterator[str]:
    for title, tensors in program.given.items():
        yield from (_HEAD.format(title), _ROW.format("; ".join(map(str, tensors)), ""))
    plain = _plain(program)
    for title, statements in program.sections.items():
        yield _HEAD.format(title)
        yield from (_ROW.format(mathml_statement(s, plain), _shape(s.axes)) for s in statements)


_HEAD = "<tr><th colspan='2' style='text-align:left'>{}</th></tr>"
_ROW = "<tr><td style='text-align:left'>{}</td><td style='text-align:right'>{}</td></tr>"
