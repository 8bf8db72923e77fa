"""The referee: values and derivatives of formulas in exact arithmetic, by naive loops and dual numbers.

    evaluate(block, arrays)             every statement's value
    jacobian(block, arrays, "x")        J[o, t] = d y[o] / d x[t], output axes first
    jvp(block, arrays, {"x": dx})       sum(t) J[o, t] * dx[t]
    vjp(block, arrays, dy, "x")         sum(o) dy[o] * J[o, t]
    hessian(block, arrays, "x", "w")    H[o, t, u] = d^2 y[o] / d x[t] d w[u]

Numbers are Fractions where they are rational (a float given is the binary fraction that it stores), enclosing intervals
of 50 digits where exp, tanh, roots or pi enter, and floats for inf, -inf and NaN. Nothing here is derived from a
formula: the tree that was written is run as it is, element by element, on numbers that carry their tangents. So it can
check the calculus and every engine. Where intervals cannot decide a comparison, `ExactError` is raised; a maximum of
numbers that cannot be told apart still has a value, the interval that encloses it, but no derivative.
"""

from __future__ import annotations

__all__ = ["ExactError", "Interval", "agree", "evaluate", "hessian", "jacobian", "jvp", "run_statement", "vjp"]

from collections.abc import Iterator, Mapping, Sequence
from fractions import Fraction
from itertools import product
from math import prod
from typing import Any, TypeAlias

import numpy as np

from paperback.calculus import duals, reals
from paperback.calculus.closures import Array, Closures, Function, Scene, out_of_range
from paperback.calculus.conventions import DEFAULT, Conventions
from paperback.calculus.duals import Dual, Number
from paperback.calculus.interval import ExactError, Interval
from paperback.calculus.reals import ONE, ZERO, agree
from paperback.errors import EngineError
from paperback.notation.bind import bind_sizes
from paperback.notation.block import Block
from paperback.notation.expr import Statement

Source: TypeAlias = Block | Statement | Sequence[Statement]
Objects: TypeAlias = "np.ndarray[Any, np.dtype[np.object_]]"
Kinks: TypeAlias = Conventions | Mapping[str, Conventions]  # for all statements, or by target


def evaluate(
    source: Source,
    arrays: Mapping[str, Any],
    sizes: Mapping[str, int] | None = None,
    *,
    functions: Mapping[str, Function] | None = None,
) -> dict[str, Objects]:
    """The value of every statement, by its target, as arrays of exact numbers.

    `arrays` gives tensors and scalars by name: arrays, nested lists, numbers. Sizes of a block come from their shapes
    and `sizes`; those of bare statements from `sizes`, and from the whole numbers in `arrays`. `functions` gives the
    functions that the formula leaves open.

    Raises EngineError for arrays that do not fit and indices out of range, ExactError for what intervals cannot decide.
    """
    run = _Run(source, arrays, sizes, functions)
    return {name: _objects(array) for name, array in run.targets()}


def jacobian(
    source: Source,
    arrays: Mapping[str, Any],
    wrt: str,
    output: str | None = None,
    sizes: Mapping[str, int] | None = None,
    *,
    functions: Mapping[str, Function] | None = None,
    conventions: Kinks = DEFAULT,
) -> Objects:
    """The derivative of a statement (the last, where none is named) by one tensor: output axes, then those of `wrt`.

    `wrt` is an input, or the target of an earlier statement, which then counts as independent.
    """
    run = _Run(source, arrays, sizes, functions, conventions)
    result = run.output(output, {wrt: _units(1)})
    return _columns(result.data, result.shape, 1, run.shape(wrt))


def hessian(
    source: Source,
    arrays: Mapping[str, Any],
    wrt: str,
    also: str | None = None,
    output: str | None = None,
    sizes: Mapping[str, int] | None = None,
    *,
    functions: Mapping[str, Function] | None = None,
    conventions: Kinks = DEFAULT,
) -> Objects:
    """Second derivatives: output axes, then the axes of `wrt`, then those of `also` (`wrt` again where not named)."""
    other = wrt if also is None else also
    run = _Run(source, arrays, sizes, functions, conventions)
    first, second = _units(1), _units(2)
    both = {wrt: lambda k, x: second(k, first(k, x))}
    result = run.output(output, both if other == wrt else {wrt: first, other: second})
    inner, outer = run.shape(wrt), run.shape(other)
    rows = _columns(result.data, result.shape, 2, outer)
    return np.moveaxis(
        _columns(list(rows.flat), rows.shape, 1, inner),
        range(rows.ndim, rows.ndim + len(inner)),
        range(len(result.shape), len(result.shape) + len(inner)),
    )


def jvp(
    source: Source,
    arrays: Mapping[str, Any],
    tangents: Mapping[str, Any],
    output: str | None = None,
    sizes: Mapping[str, int] | None = None,
    *,
    functions: Mapping[str, Function] | None = None,
    conventions: Kinks = DEFAULT,
) -> Objects:
    """The change of a statement's value along tangents of one or more tensors."""
    run = _Run(source, arrays, sizes, functions, conventions)
    along = {name: _array(name, value) for name, value in tangents.items()}
    result = run.output(output, {name: _direction(tangent.data) for name, tangent in along.items()})
    for name, tangent in along.items():
        if tangent.shape != run.shape(name):
            raise EngineError(f"the tangent of {name} has the shape {tangent.shape}, needed is {run.shape(name)}")
    return _columns(result.data, result.shape, 1, ())


def vjp(
    source: Source,
    arrays: Mapping[str, Any],
    cotangent: Any,
    wrt: str,
    output: str | None = None,
    sizes: Mapping[str, int] | None = None,
    *,
    functions: Mapping[str, Function] | None = None,
    conventions: Kinks = DEFAULT,
) -> Objects:
    """The gradient by `wrt` of `sum(o) cotangent[o] * y[o]`; where the cotangent is 0, so is the contribution."""
    run = _Run(source, arrays, sizes, functions, conventions)
    result = run.output(output, {wrt: _units(1)})
    weights = _array("the cotangent", cotangent)
    if weights.shape != result.shape:
        raise EngineError(f"the cotangent has the shape {weights.shape}, the output has {result.shape}")
    whole = duals.total(duals.times(g, y) for g, y in zip(weights.data, result.data, strict=True) if g != 0)
    return _columns([whole], (), 1, run.shape(wrt))


def run_statement(statement: Statement, scene: Scene, conventions: Conventions = DEFAULT) -> Array:
    """Every element of the statement's target; one met twice, or left out without a pad, is an error."""
    shape = tuple(scene.size(axis) for axis in statement.axes)
    if len(shape) != len(statement.left):
        raise EngineError(f"{statement.target} has {len(statement.left)} indices and {len(shape)} axes")
    closures = Closures(scene, conventions, statement.expr)
    extents = [scene.size(b.extent) for b in statement.binders]
    places = [closures.place(b.letter) for b in statement.binders]
    left = [closures.affine(a) for a in statement.left]
    body = closures.value(statement.expr, frozenset(statement.letters))
    env = closures.env()
    data: list[Number] = [None] * prod(shape)
    for values in product(*map(range, extents)):
        for place, value in zip(places, values, strict=True):
            env[place] = value
        flat = 0
        for axis, (index, extent) in enumerate(zip(left, shape, strict=True)):
            if not 0 <= index(env) < extent:
                raise out_of_range(statement.target, axis, index(env), extent)
            flat = flat * extent + index(env)
        if data[flat] is not None:
            raise EngineError(f"{statement.target}: the left side meets element {flat} (row-major) twice")
        data[flat] = body(env)
    if any(value is None for value in data):
        if statement.pad is None:
            raise EngineError(f"{statement.target}: the left side leaves out elements, and no pad is given for them")
        pad = reals.exact(statement.pad)
        data = [pad if value is None else value for value in data]
    return Array(shape, data)


Seed: TypeAlias = Any  # (place, number) -> the number with its tangent


class _Run:
    """One evaluation: the arrays as exact numbers, the sizes, and the statements in their order.

    A name that a block declares as an input means that input, also after a statement has assigned it (an update reads
    old values); any other name means the statement.
    """

    def __init__(
        self,
        source: Source,
        arrays: Mapping[str, Any],
        sizes: Mapping[str, int] | None = None,
        functions: Mapping[str, Function] | None = None,
        conventions: Kinks = DEFAULT,
    ) -> None:
        block = source if isinstance(source, Block) else None
        self.statements = _statements(source)
        self.fixed = set(block.inputs) if block else set[str]()
        self.known = {name: _array(name, value) for name, value in arrays.items()}
        self.functions = functions or {}
        self.conventions = conventions
        if block:
            _check_integers(block, self.known)
            shapes = {name: self.known[name].shape for name in block.inputs if name in self.known}
            self.sizes = bind_sizes(block, shapes, sizes)
        else:
            self.sizes = {**_whole_numbers(self.known), **(sizes or {})}

    def targets(self, seeds: Mapping[str, Seed] | None = None, last: str | None = None) -> Iterator[tuple[str, Array]]:
        """Run the statements up to `last`; what has a seed carries its tangent from there on."""
        seeds = dict(seeds or {})
        computed = {statement.target for statement in self.statements} - self.fixed
        for name in [n for n in seeds if n in self.known and n not in computed]:
            self.known[name] = _seeded(self.known[name], seeds.pop(name))
        for statement in self.statements:
            name = statement.target
            table = self.conventions
            conventions = table if isinstance(table, Conventions) else table.get(name, DEFAULT)
            value = run_statement(statement, Scene(self.known, self.sizes, self.functions), conventions)
            yield name, value
            if name not in self.fixed:
                self.known[name] = _seeded(value, seeds.pop(name)) if name in seeds else value
            if name == last:
                break
        if seeds:
            raise EngineError(f"{next(iter(seeds))} is neither given nor computed before the output")

    def output(self, name: str | None, seeds: Mapping[str, Seed]) -> Array:
        name = self.statements[-1].target if name is None else name
        found = dict(self.targets(seeds, name))
        if name not in found:
            raise EngineError(f"there is no statement for {name}")
        return found[name]

    def shape(self, name: str) -> tuple[int, ...]:
        return self.known[name].shape


def _statements(source: Source) -> tuple[Statement, ...]:
    if isinstance(source, Block):
        return source.statements
    return (source,) if isinstance(source, Statement) else tuple(source)


def _array(name: str, value: Any) -> Array:
    objects = np.asarray(value, dtype=object)
    data = [reals.exact(x) for x in objects.flat]
    for x in data:
        if not isinstance(x, Fraction | Interval | float | Dual):
            raise EngineError(f"{name} holds {x!r}, which is no number")
    return Array(objects.shape, data)


def _objects(array: Array) -> Objects:
    out = np.empty(len(array.data), dtype=object)
    out[:] = array.data
    return out.reshape(array.shape)


def _check_integers(block: Block, arrays: Mapping[str, Array]) -> None:
    for tensor in block.inputs.values():
        if tensor.integer and tensor.name in arrays:
            for x in arrays[tensor.name].data:
                if not isinstance(x, Fraction) or x.denominator != 1:
                    raise EngineError(f"{tensor.name} is declared int, but holds {x}")


def _whole_numbers(arrays: Mapping[str, Array]) -> dict[str, int]:
    scalars = {name: array.data[0] for name, array in arrays.items() if not array.shape}
    return {name: int(x) for name, x in scalars.items() if isinstance(x, Fraction) and x.denominator == 1}


def _seeded(array: Array, seed: Seed) -> Array:
    return Array(array.shape, [seed(place, x) for place, x in enumerate(array.data)])


def _units(level: int) -> Seed:
    """Element k varies along slot k."""
    return lambda place, x: Dual(level, x, {place: ONE})


def _direction(tangent: Sequence[Number]) -> Seed:
    """All elements vary along slot 0."""
    return lambda place, x: Dual(1, x, {0: tangent[place]}) if place < len(tangent) else x


def _columns(data: Sequence[Number], shape: tuple[int, ...], level: int, by: tuple[int, ...]) -> Objects:
    """The tangents of one level as an array, their slots spread over the axes `by`."""
    out = np.empty((len(data), prod(by)), dtype=object)
    out.fill(ZERO)
    for row, x in enumerate(data):
        if isinstance(x, Dual) and x.level == level:
            for slot, t in x.tangent.items():
                out[row, slot] = t
    return out.reshape((*shape, *by))
