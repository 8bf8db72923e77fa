"""A block: elaborated statements together with everything declared or found out about their names.

This is what `read` makes of a text and what `show` prints; the calculus maps blocks to blocks.
"""

from __future__ import annotations

__all__ = ["Block", "Fact"]

from collections.abc import Mapping
from dataclasses import dataclass, field

from paperback.notation.expr import Statement, Tensor
from paperback.notation.size import Size
from paperback.notation.walk import same


@dataclass(frozen=True)
class Fact:
    """What sizes must satisfy: `size >= 0`, `size == 0`, or `modulus | size`."""

    relation: str  # ">=" | "==" | "|"
    size: Size
    modulus: Size = Size.of(1)
    why: str = ""


@dataclass(frozen=True)
class Block:
    """Statements; the last is the result.

    inputs      tensors that are read but not computed, with their axes (in the order of first use)
    scalars     names of scalar inputs
    functions   uninterpreted functions, name -> is it increasing?
    facts       constraints on the sizes, checked before anything runs
    lower       names of sizes whose least value is not 1 (pads: 0)
    """

    statements: tuple[Statement, ...]
    inputs: Mapping[str, Tensor] = field(default_factory=dict)
    scalars: tuple[str, ...] = ()
    functions: Mapping[str, bool] = field(default_factory=dict)
    facts: tuple[Fact, ...] = ()
    lower: Mapping[str, int] = field(default_factory=dict)

    @property
    def result(self) -> Statement:
        return self.statements[-1]

    def tensor(self, name: str) -> Tensor:
        """Axes of an input or of a statement's target; KeyError for a stranger."""
        for statement in self.statements:
            if statement.target == name:
                return Tensor(name, statement.axes, integer=_is_integer(statement))
        return self.inputs[name]

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Block):
            return NotImplemented
        return (
            same(self.statements, other.statements)
            and dict(self.inputs) == dict(other.inputs)
            and set(self.scalars) == set(other.scalars)
            and dict(self.functions) == dict(other.functions)
        )

    def __hash__(self) -> int:
        return hash(tuple(s.target for s in self.statements))


def _is_integer(statement: Statement) -> bool:
    return getattr(statement.expr, "op", "") in ("argmax", "argmin")
