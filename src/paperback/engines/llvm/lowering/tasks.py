"""Work that can be cut: tasks, in sections."""

from __future__ import annotations

__all__ = ["Lowered", "Section", "Task"]

from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property

from paperback.engines.llvm.lowering.nests import Nest
from paperback.notation.expr import Read
from paperback.notation.walk import nodes


@dataclass(frozen=True)
class Task:
    """What computes one tensor: nests that store, and then add.

    mode      "example": for a range of examples; "share": this shard's share of a sum over the batch; "zero": before
              it; "once"
    before    what a shard does first of all
    inside    tensors that are computed where they are read: their statements are part of these nests
    when      a tensor with a number for each example and row: it is computed for those where that is not finite; all if
              there is none
    """

    target: str
    nests: tuple[Nest, ...]
    mode: str
    before: Task | None = None
    inside: tuple[str, ...] = ()
    when: str = ""

    @property
    def rows(self) -> int:
        """How many rows there are that can be computed apart; 1 for all at once."""
        split = [nest.split for nest in self.nests]
        return self.nests[0].statement.axes[0].value if all(split) else 1

    @property
    def order(self) -> tuple[str, ...]:
        """What it computes, in order."""
        return tuple(dict.fromkeys(s.target for nest in self.nests for s in nest.statements))

    @cached_property
    def targets(self) -> frozenset[str]:
        return frozenset(s.target for nest in self.nests for s in nest.statements)

    @cached_property
    def reads(self) -> frozenset[str]:
        """The tensors that it reads; those that it computes itself are at hand."""
        found = {n.tensor for nest in self.nests for s in nest.statements for n in nodes(s.expr) if isinstance(n, Read)}
        return frozenset(found - self.targets) | ({self.when} if self.when else frozenset())


@dataclass
class Section:
    """One level: its shard part and its join part."""

    shard: list[Task] = field(default_factory=list)
    join: list[Task] = field(default_factory=list)


@dataclass
class Lowered:
    """Sections, and the shape of every tensor: BATCH and SHARDS where an axis is known at run time only."""

    sections: list[Section]
    shapes: dict[str, tuple[int, ...]]
    integers: frozenset[str]
    batched: bool
    across: frozenset[str]  # read by examples other than their own

    @property
    def tasks(self) -> Iterator[Task]:
        return (task for section in self.sections for task in (*section.shard, *section.join))
