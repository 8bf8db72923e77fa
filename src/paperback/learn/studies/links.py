"""The chain rule on a program: the factors between two of its tensors, one for each layer on the way.

    y -> f -> g          dg/dy = dg/df · df/dy            one way: a product
    r = x + f(x)         dr/dx = dr/dx + dr/df · df/dx    ways that part and meet again: the sum of their products

A factor is the Jacobian of one layer's formula by one tensor that the layer reads. A tensor belongs to a layer by its
name: all statements in front of whose dot the same word stands are one layer, whose last statement is its result.
"""

from __future__ import annotations

__all__ = ["Factor", "Link", "Ways", "factors", "factors_of", "layers_of", "linear", "links_between"]

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, reduce
from operator import add, matmul
from typing import Any

import numpy as np

from paperback.calculus.conventions import DEFAULT
from paperback.formulas import Formula
from paperback.jacobians.linear import LinearMap
from paperback.notation.block import Block
from paperback.notation.expr import Statement, Tensor
from paperback.notation.walk import reads
from paperback.program.lift import depends_on
from paperback.program.program import Program

Array = np.ndarray[Any, Any]


@dataclass(frozen=True)
class Factor:
    """`d of / d by`: the Jacobian of a layer's result by one tensor that it reads."""

    of: str
    by: str
    layer: Formula

    def __str__(self) -> str:
        return f"d {self.of}/d {self.by}"

    @cached_property
    def jacobian(self) -> Formula:
        """In index notation: the axes of the result first, then those of `by`."""
        return self.layer.derivative(self.by)

    @property
    def shape(self) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """The axes of the result, and those of `by`."""
        return self.layer.shape, self.layer.inputs[self.by]

    @cached_property
    def structure(self) -> str:
        """How the Jacobian's entries lie, in words."""
        return str(self.layer.structure(self.by))

    @property
    def about(self) -> str:
        """Its shape and structure: `24x24x32 by 5x5x1x32, ...`."""
        rows, columns = ("x".join(axes) or "1" for axes in self.shape)
        return f"{rows} by {columns}, {self.structure}"

    def plain(self) -> dict[str, Any]:
        """As JSON can hold it; the formula reads back. An axis that is no number is the batch's."""
        shape = [[int(axis) if axis.isdecimal() else axis for axis in axes] for axes in self.shape]
        formula = str(self.jacobian)
        return {"of": self.of, "by": self.by, "shape": shape, "structure": self.structure, "formula": formula}

    def linear(self, values: Mapping[str, Array]) -> LinearMap:
        """The Jacobian where the network's tensors have these values."""
        given: dict[str, Any] = {name: values[name] for name in self.layer.inputs}
        return self.layer.jacobian(self.by, **given)


@dataclass(frozen=True)
class Ways:
    """Ways from one tensor to another, of which each is a product; the products add up."""

    of: str
    by: str
    each: tuple[tuple[Link, ...], ...]

    def __str__(self) -> str:
        return f"from {self.of} to {self.by} by {self.count}"

    @property
    def count(self) -> str:
        return f"{len(self.each)} ways, whose products add up"

    def linear(self, values: Mapping[str, Array]) -> LinearMap:
        return reduce(add, (linear(way, values) for way in self.each))


Link = Factor | Ways


def linear(links: Sequence[Link], values: Mapping[str, Array]) -> LinearMap:
    """The product of the links, where the network's tensors have these values."""
    return reduce(matmul, (link.linear(values) for link in links))


def factors(links: Sequence[Link]) -> Iterator[Factor]:
    """The factors in order, those of every way included."""
    for link in links:
        if isinstance(link, Factor):
            yield link
        else:
            for way in link.each:
                yield from factors(way)


def links_between(program: Program, top: str, bottom: str) -> tuple[Link, ...]:
    """The factors of `d top / d bottom`; none where `top` does not depend on `bottom`."""
    layers = layers_of(program)
    active = depends_on(program.statements, (bottom,))
    below = {
        target: [name for name in layer.inputs if name in active and not layer.block.inputs[name].integer]
        for target, layer in layers.items()
        if target in active and target != bottom
    }
    common: dict[str, list[str]] = {bottom: [bottom]}  # tensor -> what all its ways pass, the nearest first
    for target, names in below.items():
        first, *rest = (common[name] for name in names)
        common[target] = [target, *(name for name in first if all(name in others for others in rest))]

    def links(start: str, end: str) -> tuple[Link, ...]:
        found: list[Link] = []
        while start != end:
            each = [Factor(start, name, layers[start]) for name in below[start]]
            meet = common[start][1]
            ways = tuple((factor, *links(factor.by, meet)) for factor in each)
            found += ways[0] if len(ways) == 1 else (Ways(start, meet, ways),)
            start = meet
        return tuple(found)

    return links(top, bottom) if top in active else ()


def factors_of(program: Program) -> list[Factor]:
    """The Jacobians of all layers by what other layers give, and by the input: from the last layer to the first."""
    layers = layers_of(program)
    given = {*layers, *(tensor.name for tensor in program.by_role("input") if not tensor.integer)}
    return [
        Factor(target, name, layer)
        for target, layer in reversed(layers.items())
        for name in layer.inputs
        if name in given
    ]


def layers_of(program: Program) -> dict[str, Formula]:
    """Result -> the formula of its layer, in the order in which they run."""
    grouped: dict[str, list[Statement]] = {}
    for statement in program.statements:
        grouped.setdefault(statement.target.partition(".")[0], []).append(statement)
    return {statements[-1].target: _formula(program, statements) for statements in grouped.values()}


def _formula(program: Program, statements: Sequence[Statement]) -> Formula:
    own = {statement.target for statement in statements}
    names = dict.fromkeys(r.tensor for s in statements for r in reads(s.expr) if r.tensor not in own)
    given = (program.tensors[name] for name in names)
    inputs = {tensor.name: Tensor(tensor.name, tensor.axes, integer=tensor.integer) for tensor in given}
    rules = program.conventions.get(statements[-1].target, DEFAULT)
    return Formula(Block(tuple(statements), inputs), rules)
