"""A block: elaborated statements together with everything declared or found out about their names.

This is what `read` makes of a text and what `show` prints; the calculus maps blocks to blocks.
"""

from __future__ import annotations

__all__ = ["Block", "Fact"]

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property

from paperback.notation.affine import Affine
from paperback.notation.expr import Call, Statement, Tensor
from paperback.notation.size import Size, SizeLike
from paperback.notation.uses import binders_of, sizes_in
from paperback.notation.walk import map_statement, nodes, same, with_sizes


@dataclass(frozen=True)
class Fact:
    """What sizes must satisfy: `size >= 0`, `size == 0`, or `modulus | size`."""

    relation: str  # ">=" | "==" | "|"
    size: Size
    modulus: Size = Size.of(1)
    why: str = ""

    def __str__(self) -> str:
        return f"{self.modulus} | {self.size}" if self.relation == "|" else f"{self.size} {self.relation} 0"

    @property
    def holds(self) -> bool:
        """Is it true, now that its sizes are numbers? (False while they are not.)"""
        if not (self.size.is_int and self.modulus.is_int):
            return False
        value = self.size.value
        if self.relation == "|":
            return self.modulus.value != 0 and value % self.modulus.value == 0
        return value >= 0 if self.relation == ">=" else value == 0


@dataclass(frozen=True)
class Block:
    """Statements; the last is the result.

    inputs      tensors that are read but not computed, with their axes (in the order of first use)
    scalars     names of scalar inputs
    functions   uninterpreted functions, name -> is it increasing? A derivative that is called is one: phi, phi'
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
                return Tensor(name, statement.axes, integer=statement.is_position)
        return self.inputs[name]

    @cached_property
    def called(self) -> frozenset[str]:
        """The functions that it calls, those that are not known included."""
        calls = (node for s in self.statements for node in nodes(s.expr) if isinstance(node, Call))
        return frozenset(node.function for node in calls)

    @cached_property
    def size_names(self) -> frozenset[str]:
        """Every name of a size that occurs: in axes, extents, indices, guards, values and facts."""
        sizes = [axis for tensor in self.inputs.values() for axis in tensor.axes]
        sizes += [size for fact in self.facts for size in (fact.size, fact.modulus)]
        for statement in self.statements:
            sizes += [*statement.axes, *(b.extent for b in binders_of(statement))]
            sizes += [size for index in statement.left for size in (index.const, *(slope for _, slope in index))]
            sizes += [size for node in nodes(statement.expr) for size in sizes_in(node)]
        return frozenset(name for size in sizes for name in size.names)

    def at(self, sizes: Mapping[str, SizeLike]) -> Block:
        """The block with sizes put for names, everywhere; facts that became true are dropped."""

        def put(affine: Affine) -> Affine:
            return affine.with_sizes(sizes)

        def sized(axes: tuple[Size, ...]) -> tuple[Size, ...]:
            return tuple(axis.substitute(sizes) for axis in axes)

        facts = (
            replace(fact, size=fact.size.substitute(sizes), modulus=fact.modulus.substitute(sizes))
            for fact in self.facts
        )
        return Block(
            tuple(map_statement(s, lambda node: with_sizes(node, sizes), put) for s in self.statements),
            {name: replace(tensor, axes=sized(tensor.axes)) for name, tensor in self.inputs.items()},
            self.scalars,
            self.functions,
            tuple(fact for fact in facts if not fact.holds),
            {name: bound for name, bound in self.lower.items() if name not in sizes},
        )

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

