"""A Program: a whole network, or a whole training step, as statements.

    Tensor      name, axes, dtype and role
    statements  in the order in which they run; each computes one tensor
    updates     tensor -> the statement that replaces it (a parameter, a running mean, a velocity); an update reads old
                values only, and takes effect after the last statement has run

Formulas do not know engines, and engines do not know layers: this is all that passes between them.
"""

from __future__ import annotations

__all__ = ["ROLES", "Program", "ProgramTensor"]

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from paperback.calculus.conventions import Conventions
from paperback.calculus.display import display
from paperback.calculus.naming import known_values
from paperback.notation.expr import Statement
from paperback.notation.mathml import mathml_statement
from paperback.notation.show import show_statement
from paperback.notation.size import Size

ROLES = ("input", "label", "mask", "parameter", "state", "optimizer", "scalar", "intermediate", "output")
GIVEN = ("input", "label", "mask", "parameter", "state", "optimizer", "scalar")


@dataclass(frozen=True)
class ProgramTensor:
    """One tensor of a program. `integer` tensors hold labels, ids or an argmax; the others are floats."""

    name: str
    axes: tuple[Size, ...]
    role: str
    integer: bool = False

    def __str__(self) -> str:
        """Name, axes and kind, as they are declared."""
        kind = " int" if self.integer else ""
        return f"{self.name}: {_shape(self.axes)}{kind}" if self.axes else f"{self.name}{kind}"


@dataclass(frozen=True)
class Program:
    """Statements over named tensors. Sizes are numbers, but for the batch, which is the name `batch`.

    `adjoints` are the targets of the statements that the backward sweep added, in delta form. `conventions` holds, by
    target, what a statement's derivative is at its kinks, where that is not the default.
    """

    tensors: Mapping[str, ProgramTensor]
    statements: tuple[Statement, ...]
    outputs: tuple[str, ...]
    updates: Mapping[str, Statement] = field(default_factory=dict)
    batch: str = "N"
    adjoints: tuple[str, ...] = ()
    conventions: Mapping[str, Conventions] = field(default_factory=dict)

    def by_role(self, *roles: str) -> Iterator[ProgramTensor]:
        return (tensor for tensor in self.tensors.values() if tensor.role in roles)

    def __str__(self) -> str:
        """The page of formulas that this program is: what is given, forward, backward (deltas solved), updates."""
        return "\n".join(_page(self))

    def _repr_html_(self) -> str:
        """The same page as a table, its formulas as MathML."""
        return f"<table>{''.join(_table(self))}</table>"

    @property
    def given(self) -> dict[str, list[ProgramTensor]]:
        """What must be given, by the title under which it is printed."""
        found = {title: list(self.by_role(role)) for role, title in _TITLES.items()}
        return {title: tensors for title, tensors in found.items() if tensors}

    @property
    def sections(self) -> dict[str, list[Statement]]:
        """The statements as they are printed: forward, backward (deltas solved), and the update with all it needs."""
        named = known_values([s for s in self.statements if s.target not in self.adjoints])
        axes = {tensor.name: tensor.axes for tensor in self.tensors.values()}
        adjoint = [s.target in self.adjoints for s in self.statements]
        first = adjoint.index(True) if True in adjoint else len(adjoint)
        found = {
            "forward": list(self.statements[:first]),
            "backward": [display(s, named, None, axes) for s in self.statements if s.target in self.adjoints],
            "update": [s for s in self.statements[first:] if s.target not in self.adjoints],
        }
        found["update"] += self.updates.values()
        return {title: statements for title, statements in found.items() if statements}

    @property
    def inputs(self) -> tuple[ProgramTensor, ...]:
        """Everything that must be given: what is neither computed nor a result."""
        return tuple(self.by_role(*GIVEN))


_TITLES = {
    "input": "inputs", "label": "labels", "mask": "masks", "parameter": "parameters", "state": "state",
    "optimizer": "optimizer", "scalar": "scalars",
}  # fmt: skip


def _page(program: Program) -> Iterator[str]:
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


def _table(program: Program) -> Iterator[str]:
    for title, tensors in program.given.items():
        yield from (_HEAD.format(title), _ROW.format("; ".join(map(str, tensors)), ""))
    plain = _plain(program)
    for title, statements in program.sections.items():
        yield _HEAD.format(title)
        yield from (_ROW.format(mathml_statement(s, plain), _shape(s.axes)) for s in statements)


_HEAD = "<tr><th colspan='2' style='text-align:left'>{}</th></tr>"
_ROW = "<tr><td style='text-align:left'>{}</td><td style='text-align:right'>{}</td></tr>"
