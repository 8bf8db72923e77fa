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
from paperback.notation.show import show_statement
from paperback.notation.size import Size
from paperback.notation.walk import reads

ROLES = ("input", "label", "mask", "parameter", "state", "optimizer", "scalar", "intermediate", "output")
GIVEN = ("input", "label", "mask", "parameter", "state", "optimizer", "scalar")


@dataclass(frozen=True)
class ProgramTensor:
    """One tensor of a program. `integer` tensors hold labels, ids or an argmax; the others are floats."""

    name: str
    axes: tuple[Size, ...]
    role: str
    integer: bool = False


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

    @property
    def inputs(self) -> tuple[ProgramTensor, ...]:
        """Everything that must be given: what is neither computed nor a result."""
        return tuple(self.by_role(*GIVEN))


_TITLES = {
    "input": "inputs", "label": "labels", "mask": "masks", "parameter": "parameters", "state": "state",
    "optimizer": "optimizer", "scalar": "scalars",
}  # fmt: skip


def _page(program: Program) -> Iterator[str]:
    for role, title in _TITLES.items():
        given = [_declaration(tensor) for tensor in program.by_role(role)]
        if given:
            yield f"{title}: {'; '.join(given)}"
    plain = [s.target for s in program.statements if not s.axes]
    named = known_values([s for s in program.statements if s.target not in program.adjoints])
    axes = {tensor.name: tensor.axes for tensor in program.tensors.values()}
    shown = [display(s, named, None, axes) if s.target in program.adjoints else s for s in program.statements]
    for title, lines in (
        ("forward", [s for s in shown if s.target not in program.adjoints]),
        ("backward", [s for s in shown if s.target in program.adjoints]),
        ("update", list(program.updates.values())),
    ):
        if lines:
            yield from ("", f"{title}:", *(f"  {_line(statement, plain)}" for statement in lines))


def _declaration(tensor: ProgramTensor) -> str:
    axes = " ".join(map(str, tensor.axes))
    kind = " int" if tensor.integer else ""
    return f"{tensor.name}: {axes}{kind}" if axes else f"{tensor.name}{kind}"


def _line(statement: Statement, plain: Sequence[str]) -> str:
    axes = " ".join(map(str, statement.axes))
    pads = dict.fromkeys(f"{r.tensor} pads {r.pad}" for r in reads(statement.expr) if r.pad is not None)
    text = show_statement(statement, clauses=False, plain=plain)
    return text + (f" where {', '.join(pads)}" if pads else "") + (f"   # {axes}" if axes else "")
