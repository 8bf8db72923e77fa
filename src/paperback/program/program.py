"""A Program: a whole network, or a whole training step, as statements.

    Tensor      name, axes, dtype and role
    statements  in the order in which they run; each computes one tensor
    updates     tensor -> the statement that replaces it (a parameter, a running mean, a velocity); an update reads old
                values only, and takes effect after the last statement has run

Formulas do not know engines, and engines do not know layers: this is all that passes between them.
"""

from __future__ import annotations

__all__ = ["ROLES", "Program", "ProgramTensor"]

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from paperback import program as own
from paperback.calculus.conventions import Conventions
from paperback.notation.expr import Statement
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
        return f"{self.name}: {' '.join(map(str, self.axes))}{kind}" if self.axes else f"{self.name}{kind}"


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
        return own.page.text(self)

    def _repr_html_(self) -> str:
        """The same page as a table, its formulas as MathML."""
        return own.page.table(self)

    @property
    def given(self) -> dict[str, list[ProgramTensor]]:
        """What must be given, by the title under which it is printed."""
        return own.page.given(self)

    @property
    def sections(self) -> dict[str, list[Statement]]:
        """The statements as they are printed: forward, backward (deltas solved), and the update with all it needs."""
        return own.page.sections(self)

    @property
    def inputs(self) -> tuple[ProgramTensor, ...]:
        """Everything that must be given: what is neither computed nor a result."""
        return tuple(self.by_role(*GIVEN))
