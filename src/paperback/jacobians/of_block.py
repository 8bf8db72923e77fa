"""The Jacobian of a block at given arrays, as a linear map: statement by statement, and nothing is derived twice.

    y = f(h), h = g(x)        dh = Dg dx, dy = Df dh        dx = Dg^T (Df^T dy)

The values of all statements, and the argmaxes that derivatives read, are computed once. Then the JVP of each statement,
linear in its tangents, runs forward, and its VJP backward; entries are products of the entries of the statements.
Those of one statement are read off its differential, a sum over slots of `c * dx[s]`:

    c over all letters of the statement and of the slot's index s, the place (o, s) beside it

so no entry is computed but where a guard may hold, and those where none does are left out.
"""

from __future__ import annotations

__all__ = ["jacobian"]

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import cache, cached_property
from math import prod
from typing import Any

import numpy as np

from paperback import engines
from paperback.calculus import derive
from paperback.calculus.chain import Kinks
from paperback.calculus.conventions import DEFAULT, Conventions
from paperback.calculus.diff import Differential, LinearTerm
from paperback.calculus.guards import Box
from paperback.calculus.pattern import structure
from paperback.calculus.structure import Structure
from paperback.calculus.support import support
from paperback.jacobians.entries import Entries
from paperback.jacobians.linear import LinearMap
from paperback.notation.affine import Letter
from paperback.notation.bind import bind_sizes
from paperback.notation.block import Block
from paperback.notation.expr import IndexExpr, Node, Quotient, Read, Reduce, Statement, Tensor, bracket, mul
from paperback.notation.size import Size
from paperback.notation.walk import free_letters, reads

Array = np.ndarray[Any, Any]
Functions = Mapping[str, Callable[..., Any]]


def jacobian(
    block: Block,
    wrt: str,
    arrays: Mapping[str, Any],
    sizes: Mapping[str, int] | None = None,
    conventions: Kinks = DEFAULT,
    functions: Functions | None = None,
    title: str = "",
) -> LinearMap:
    """The Jacobian of the block's result by one input, at these arrays."""
    known = bind_sizes(block, {n: np.shape(arrays[n]) for n in block.inputs if n in arrays}, sizes)
    chain = _Chain(block.at(known), wrt, arrays, conventions, functions or {})
    result = block.result.target
    return LinearMap(
        chain.shape(result),
        chain.shape(wrt),
        chain.push,
        chain.pull,
        entries=cache(chain.entries),
        structure=chain.structure,
        dtype=chain.dtype,
        title=title or f"Jacobian d{result}/d{wrt}",
        sides=(result, wrt),
    )


class _Chain:
    """The statements between an input and the result, linearised."""

    def __init__(
        self, block: Block, wrt: str, arrays: Mapping[str, Any], conventions: Kinks, functions: Functions
    ) -> None:
        self.block, self.wrt, self.conventions, self.functions = block, wrt, conventions, functions
        self.values = {**arrays, **engines.run(block, arrays, functions=functions)}
        self.dtype = self.values[block.result.target].dtype
        active = derive.depending(block.statements, (wrt,))
        needed = derive.live(block.statements, [block.result.target])
        self.links = [link for s in needed if s.target in active for link in self._links(s, active)]

    def _links(self, statement: Statement, active: set[str]) -> list[_Link]:
        table = self.conventions
        rules = table if isinstance(table, Conventions) else table.get(statement.target, DEFAULT)
        names = dict.fromkeys(read.tensor for read in reads(statement.expr))
        inputs = {name: self._tensor(name) for name in names}
        alone = replace(self.block, statements=(statement,), inputs=inputs, facts=())
        return [_Link(alone, n, rules, self.values, self.functions, self.dtype) for n in names if n in active]

    def _tensor(self, name: str) -> Tensor:
        return self.block.tensor(name)

    def shape(self, name: str) -> tuple[int, ...]:
        return tuple(axis.value for axis in self._tensor(name).axes)

    def structure(self) -> Structure:
        found = structure(self.block, self.wrt, self.conventions)
        return found if found.count.exact else found.counted(len(self.entries()))

    def push(self, v: Array) -> Array:
        tangents = _Sums({self.wrt: v})
        for link in self.links:
            tangents.add(link.target, link.push(tangents[link.source]))
        return tangents.get(self.block.result.target, np.zeros(self.shape(self.block.result.target), self.dtype))

    def pull(self, g: Array) -> Array:
        held = _Sums({self.block.result.target: g})
        for link in reversed(self.links):
            held.add(link.source, link.pull(held[link.target]))
        return held.get(self.wrt, np.zeros(self.shape(self.wrt), self.dtype))

    def entries(self) -> Entries:
        size = prod(self.shape(self.wrt))
        found = {self.wrt: Entries.identity(size, self.dtype)}
        for link in self.links:
            own = link.entries()
            part = own if link.source == self.wrt else own.times(found[link.source])
            found[link.target] = found[link.target].plus(part) if link.target in found else part
        shape = prod(self.shape(self.block.result.target)), size
        return found.get(self.block.result.target, Entries.none(shape, self.dtype))


class _Sums(dict[str, Array]):
    """Arrays by name, to which more are added."""

    def add(self, name: str, part: Array) -> None:
        self[name] = self[name] + part if name in self else part


class _Link:
    """One statement, linearised by one of the tensors that it reads."""

    def __init__(
        self,
        block: Block,
        source: str,
        conventions: Conventions,
        values: Mapping[str, Any],
        functions: Functions,
        dtype: np.dtype[Any],
    ) -> None:
        self.block, self.source, self.target = block, source, block.result.target
        self.conventions, self.values, self.functions, self.dtype = conventions, values, functions, dtype

    @cached_property
    def push(self) -> Callable[[Array], Array]:
        """The JVP."""
        block = derive.jvp(self.block, (self.source,), self.conventions)
        tangent = next(name for name in block.inputs if name not in self.block.inputs)
        return self._linear(block, tangent, block.result.target)

    @cached_property
    def pull(self) -> Callable[[Array], Array]:
        """The VJP."""
        backward = derive.backward(self.block, (self.source,), self.conventions)
        return self._linear(backward.block, backward.cotangent, backward.gradients[self.source])

    def _linear(self, block: Block, given: str, wanted: str) -> Callable[[Array], Array]:
        """What a block does to one input: what does not depend on it is computed now."""
        moving = derive.depending(block.statements, (given,))
        fixed = [s for s in block.statements if s.target not in moving]
        values = {**self.values, **self._run(fixed, self.values, block)}
        rest = [s for s in block.statements if s.target in moving or s.target == wanted]

        def run(v: Array) -> Array:
            return self._run(rest, {**values, given: v}, block)[wanted]

        return run

    def _run(self, statements: Sequence[Statement], values: Mapping[str, Any], like: Block) -> dict[str, Array]:
        """Some statements of a block, with the values of all others at hand."""
        if not statements:
            return {}
        computed = {s.target for s in statements}
        names = {read.tensor for s in statements for read in reads(s.expr)} - computed
        inputs = {name: like.tensor(name) for name in sorted(names)}
        part = replace(like, statements=tuple(statements), inputs=inputs, facts=())
        given = {name: values[name] for name in (*inputs, *part.scalars)}
        return engines.run(part, given, functions=self.functions)

    def entries(self) -> Entries:
        """The entries of the statement's Jacobian by the source."""
        statement = self.block.result
        names = derive.names_in(self.block)
        d = Differential(statement, lambda name: name == self.source, self.conventions, names)
        like = replace(self.block, statements=(statement, *d.named))
        values = {**self.values, **self._run(d.named, self.values, like)}
        sides = tuple(prod(axis.value for axis in self.block.tensor(n).axes) for n in (self.target, self.source))
        total = Entries.none((sides[0], sides[1]), self.dtype)
        for linear in d.terms:
            total = total.plus(self._entries_of(linear, like, values, total.shape))
        return total

    def _entries_of(
        self, linear: LinearTerm, like: Block, values: Mapping[str, Any], shape: tuple[int, int]
    ) -> Entries:
        """The entries of one term: over the letters of the statement, and those that the column depends on."""
        statement, term, slot = like.statements[0], linear.term, linear.slot
        axes = {name: t.axes for name, t in like.inputs.items()} | {s.target: s.axes for s in like.statements}
        ours = [b for b in term.binders if b.letter in free_letters(slot)]
        summed = tuple(b for b in term.binders if b not in ours)
        grid = (*statement.binders, *ours)
        guards = support(term, Box(grid, like.lower, axes))

        def over(body: Node) -> Node:
            return Reduce("sum", summed, (), body) if summed else body

        names = derive.names_in(like)
        value = Statement.plain(names.fresh("value"), grid, over(mul(bracket(*term.guards), *term.factors)))
        held = Statement.plain(names.fresh("held"), grid, over(bracket(*guards)))
        found = self._run([value, held], values, replace(like, statements=(*like.statements, value, held)))
        places = dict(zip((b.letter for b in grid), np.indices([b.extent.value for b in grid]), strict=True))
        rows, _ = _flat(statement.left, statement.axes, places, values)
        columns, inside = _flat(slot.indices, axes[slot.tensor], places, values)
        there = np.broadcast_to((found[held.target] != 0) & inside, [b.extent.value for b in grid])
        picked = (np.broadcast_to(a, there.shape)[there] for a in (rows, columns, found[value.target]))
        return Entries.of(shape, *picked)


def _flat(
    indices: Sequence[IndexExpr], axes: Sequence[Size], places: Mapping[Letter, Array], values: Mapping[str, Any]
) -> tuple[Array, Array]:
    """The place in row-major order that indices name, and whether it is in range."""
    flat: Any = np.zeros((), np.int64)
    inside: Any = np.ones((), bool)
    for index, axis in zip(indices, axes, strict=True):
        at = _place(index, places, values)
        flat = flat * axis.value + at
        inside = inside & (at >= 0) & (at < axis.value)
    return flat, inside


def _place(index: IndexExpr, places: Mapping[Letter, Array], values: Mapping[str, Any]) -> Any:
    """The value of an index everywhere on the grid; where its guards do not hold it may be anything."""
    if isinstance(index, Read):
        array = np.asarray(values[index.tensor])
        inner = (np.clip(_place(i, places, values), 0, n - 1) for i, n in zip(index.indices, array.shape, strict=True))
        return array[tuple(np.broadcast_arrays(*inner))] if array.ndim else array
    affine = index.affine if isinstance(index, Quotient) else index
    total: Any = np.int64(affine.const.value)
    for letter, coefficient in affine:
        total = total + coefficient.value * places[letter]
    return total // index.divisor.value if isinstance(index, Quotient) else total
