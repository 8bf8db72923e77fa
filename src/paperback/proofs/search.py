"""Search for a counterexample: exact evaluation of both sides at small sizes and simple inputs.

Sizes are tried in order of their total, inputs in a few styles (small whole numbers, positive ones, ties and zeros).
Only values that exact arithmetic tells apart refute: different Fractions, or disjoint enclosing intervals. A point at
which a side has no finite value refutes nothing: a claim is about inputs at which both sides are defined.
"""

from __future__ import annotations

__all__ = [
    "WORK", "Cubic", "Difference", "Point", "differs", "evaluate_both", "points", "shape_of", "sizes_in_order",
    "small_points", "work",
]  # fmt: skip

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from itertools import islice, product
from math import prod
from random import Random
from typing import Any

import numpy as np

from paperback.calculus import exact
from paperback.calculus.closures import Function
from paperback.calculus.interval import Interval
from paperback.notation.bind import holds
from paperback.notation.block import Block
from paperback.notation.expr import Call, Read, Reduce
from paperback.notation.size import evaluate
from paperback.notation.uses import binders_of
from paperback.notation.walk import nodes, reads
from paperback.proofs.degree import SAMPLES
from paperback.proofs.pair import Pair

Objects = np.ndarray[Any, np.dtype[np.object_]]
LARGEST = 7  # of a size in the search
WORK = 20_000  # additions and multiplications, about, of one evaluation


@dataclass(frozen=True)
class Cubic:
    """A function for a name that the claim leaves open: `a*t + b*t^2 + c*t^3 + d`, exactly, and its derivatives."""

    coefficients: tuple[Fraction, ...]

    def __call__(self, x: Any) -> Any:
        total: Any = 0.0 if isinstance(x, np.ndarray) else Fraction(0)
        for coefficient in reversed(self.coefficients):
            total = total * x + (float(coefficient) if isinstance(x, np.ndarray) else coefficient)
        return total

    def derivative(self) -> Cubic:
        return Cubic(tuple(k * c for k, c in enumerate(self.coefficients))[1:] or (Fraction(0),))

    def __str__(self) -> str:
        powers = ("", "t", "t^2", "t^3")
        parts = [(c, power) for c, power in zip(self.coefficients, powers, strict=False) if c]
        return " + ".join(power if c == 1 and power else f"{c}*{power}".rstrip("*") for c, power in parts) or "0"


@dataclass(frozen=True)
class Point:
    """Everything that a formula needs to have a value: sizes, tensors and scalars, functions."""

    sizes: Mapping[str, int]
    inputs: Mapping[str, Any]  # Fractions, and arrays of Fractions
    functions: Mapping[str, Cubic] = field(default_factory=dict)


@dataclass(frozen=True)
class Difference:
    """Where two results differ first, and their values there; without an index it is their shapes that differ."""

    index: tuple[int, ...] | None
    left: Any
    right: Any


# ----------------------------------------------------------------------------------------------------- sizes


def sizes_in_order(pair: Pair, most: int = 400, tries: int = 60_000) -> Iterator[dict[str, int]]:
    """Small sizes that meet the facts of both sides, smallest total first."""
    names, lower = pair.size_names, pair.lower
    least = [lower.get(name, 1) for name in names]
    facts = pair.facts
    seen = found = 0
    for excess in range(LARGEST * max(1, len(names))):
        for more in _shares(excess, len(names)):
            seen += 1
            if seen > tries or found >= most:
                return
            sizes = {name: low + extra for name, low, extra in zip(names, least, more, strict=True)}
            if all(_meets(fact, sizes) for fact in facts):
                found += 1
                yield sizes
        if not names:
            return


def _meets(fact: Any, sizes: Mapping[str, int]) -> bool:
    try:
        return holds(fact, sizes)
    except ZeroDivisionError:
        return False


def _shares(total: int, parts: int) -> Iterator[tuple[int, ...]]:
    """All ways to share `total` among so many parts, none above the largest."""
    if parts == 0:
        if total == 0:
            yield ()
        return
    for first in range(min(total, LARGEST - 1), -1, -1):
        if total - first <= (parts - 1) * (LARGEST - 1):
            for rest in _shares(total - first, parts - 1):
                yield (first, *rest)


def work(block: Block, sizes: Mapping[str, int]) -> int:
    """How many elements a naive evaluation visits, about."""
    total = 0
    for statement in block.statements:
        total += prod(max(1, evaluate(b.extent, sizes)) for b in binders_of(statement)) * 2
    return total


def shape_of(block: Block, sizes: Mapping[str, int]) -> tuple[int, ...]:
    return tuple(evaluate(axis, sizes) for axis in block.result.axes)


# ---------------------------------------------------------------------------------------------------- inputs

_STYLES: tuple[tuple[Fraction, ...], ...] = (
    tuple(Fraction(n) for n in (-3, -2, -1, 1, 2, 3, 5)),
    tuple(map(Fraction, ("1", "2", "3", "1/2", "3/2", "5/2"))),
    tuple(Fraction(n) for n in (-1, 0, 0, 1, 1, 2)),
    tuple(map(Fraction, ("1/3", "1/4", "1/5", "2/3", "2/5"))),
)


def points(pair: Pair, sizes: Mapping[str, int], random: Random, styles: range = range(4)) -> Iterator[Point]:
    """One point of each style at these sizes; style -1 draws from very many whole numbers."""
    for style in styles:
        values = _STYLES[style % len(_STYLES)] if style >= 0 else None
        inputs: dict[str, Any] = {}
        for block in pair.sides:
            for name, tensor in block.inputs.items():
                if name in inputs:
                    continue
                shape = tuple(evaluate(axis, sizes) for axis in tensor.axes)
                if min(shape, default=1) < 0:
                    return
                if tensor.integer:
                    top = _reach(pair, name, sizes)
                    inputs[name] = _filled(shape, [Fraction(random.randrange(top)) for _ in range(prod(shape))])
                else:
                    inputs[name] = _filled(shape, [_number(values, random) for _ in range(prod(shape))])
            for name in block.scalars:
                inputs.setdefault(name, _number(values, random))
        yield Point(sizes, inputs, _functions(pair, random))


def _number(values: Sequence[Fraction] | None, random: Random) -> Fraction:
    return random.choice(values) if values else Fraction(random.randrange(1, SAMPLES + 1))


def _filled(shape: tuple[int, ...], values: list[Fraction]) -> Objects:
    array = np.empty(prod(shape), dtype=object)
    array[:] = values
    return array.reshape(shape)


def _reach(pair: Pair, name: str, sizes: Mapping[str, int]) -> int:
    """How many different whole numbers a tensor of indices may hold: the shortest axis that it selects from."""
    found = []
    for block in pair.sides:
        for read in (r for s in block.statements for r in reads(s.expr)):
            for axis, index in enumerate(read.indices):
                if isinstance(index, Read) and index.tensor == name:
                    found.append(evaluate(block.tensor(read.tensor).axes[axis], sizes))
    return max(1, min(found, default=4))


def _functions(pair: Pair, random: Random) -> dict[str, Cubic]:
    """Functions for the names that the claim leaves open, increasing where it says so, and their derivatives."""
    found: dict[str, Cubic] = {}
    named = {name.rstrip("'"): False for name in pair.functions} | {
        name: kind for name, kind in pair.functions.items() if "'" not in name
    }
    for name, increasing in named.items():
        c = [Fraction(random.choice((-2, -1, 0, 1, 2, 3))) for _ in range(4)]
        if increasing:
            c = [c[0], Fraction(random.choice((1, 2))), Fraction(0), Fraction(random.choice((0, 1)))]
        function = Cubic(tuple(c))
        for primes in range(4):
            found[name + "'" * primes] = function
            function = function.derivative()
    return found


# ------------------------------------------------------------------------------------------------ comparison


def evaluate_both(pair: Pair, point: Point) -> tuple[Objects, Objects]:
    """The results of both sides. Raises what exact evaluation raises."""
    functions: dict[str, Function] = dict(point.functions)
    found = []
    for block in pair.sides:
        given = {n: v for n, v in point.inputs.items() if n in block.inputs or n in block.scalars}
        sizes = {n: v for n, v in point.sizes.items() if n in block.size_names}
        found.append(exact.evaluate(block, given, sizes, functions=functions)[block.result.target])
    return found[0], found[1]


def differs(pair: Pair, point: Point) -> Difference | None:
    """The first element at which both sides have values that exact arithmetic tells apart."""
    shapes = shape_of(pair.left, point.sizes), shape_of(pair.right, point.sizes)
    if shapes[0] != shapes[1]:
        return Difference(None, *shapes)
    left, right = evaluate_both(pair, point)
    infinite = _has_infinities(pair)
    for index in product(*map(range, left.shape)):
        if _apart(left[index], right[index], infinite):
            return Difference(index, left[index], right[index])
    return None


def _apart(a: Any, b: Any, infinite: bool) -> bool:
    if isinstance(a, float) or isinstance(b, float):
        return infinite and a != b and a == a and b == b  # not where one is NaN
    if isinstance(a, Interval):
        return not a.overlaps(b)
    return not b.overlaps(a) if isinstance(b, Interval) else a != b


def _has_infinities(pair: Pair) -> bool:
    """Is -inf a value that the claim speaks of (an empty maximum, a pad), and not that of an undefined expression?"""
    everything = [n for block in pair.sides for s in block.statements for n in nodes(s.expr)]
    fails = any(_may_fail(n) for n in everything)
    empty = any(isinstance(n, Reduce) and n.op != "sum" for n in everything)
    return empty and not fails


def _may_fail(node: Any) -> bool:
    if isinstance(node, Call):
        return node.function in ("log", "log1p", "tan", "exp", "expm1", "sinh", "cosh")
    return getattr(node, "exponent", 1) < 0


def small_points(pair: Pair, random: Random, effort: int = 1) -> Iterator[Point]:
    """Points at the two smallest sizes, in every style, and at less equal ones, as many as `effort` affords."""
    smallest = [sizes for sizes in islice(sizes_in_order(pair), 2) if _is_quick(pair, sizes)]
    for sizes in smallest:
        yield from points(pair, sizes, random)
    found = (_drawn(pair, random) for _ in range(100 if pair.size_names else 0))
    drawn = [sizes for sizes in found if sizes is not None]
    drawn.sort(key=lambda sizes: -_variety(pair, sizes))
    slow = 30 if _is_irrational(pair) else 1
    spent = 0
    for place in range(16):
        for sizes in drawn[place : place + 1] or smallest[-1:]:
            for style in (2, place, place + 1):
                if spent <= effort * WORK:
                    spent += slow * sum(work(block, sizes) for block in pair.sides)
                    yield from points(pair, sizes, random, range(style, style + 1))


def _is_irrational(pair: Pair) -> bool:
    """Has it functions whose values are intervals, which are slow?"""
    everything = (n for block in pair.sides for s in block.statements for n in nodes(s.expr))
    plain = ("relu", "abs", "sign", "step", "max", "min")
    return any(isinstance(n, Call) and n.function not in plain for n in everything)


def _is_quick(pair: Pair, sizes: Mapping[str, int]) -> bool:
    return sum(work(block, sizes) for block in pair.sides) <= WORK


def _drawn(pair: Pair, random: Random) -> dict[str, int] | None:
    """Random sizes, if they meet the facts and are quick to evaluate; where a fact asks for larger ones they grow."""
    lower = pair.lower
    more = random.choice(((0, 0, 1, 1, 2, 3, 4), (0, 0, 0, 0, 1, 1, 2)))
    sizes = {name: lower.get(name, 1) + random.choice(more) for name in pair.size_names}
    for fact in (fact for _ in range(3) for fact in pair.facts if fact.relation == ">="):
        value = evaluate(fact.size, sizes)
        helping = [n for n in sorted(fact.size.names) if evaluate(fact.size, {**sizes, n: sizes[n] + 12}) > value]
        if value < 0 and helping:
            name = random.choice(helping)
            steps = (n for n in range(1, 40) if evaluate(fact.size, {**sizes, name: sizes[name] + n}) >= 0)
            sizes[name] += next(steps, 0) + random.choice((0, 1, 2, 3, 4, 6))
    return sizes if all(_meets(fact, sizes) for fact in pair.facts) and _is_quick(pair, sizes) else None


def _variety(pair: Pair, sizes: Mapping[str, int]) -> int:
    """How many indices run, and how many sizes are different."""
    extents = [evaluate(b.extent, sizes) for block in pair.sides for s in block.statements for b in binders_of(s)]
    return 2 * sum(extent > 1 for extent in extents) + len(set(sizes.values()))
