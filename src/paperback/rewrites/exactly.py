"""Does a rewrite keep the function? In exact arithmetic, on a small twin of the pieces that it replaces.

    outputs        f(x; a) = g(x; m(a))                          a old parameters, m(a) the new ones
    by the input   df/dx = dg/dx
    by parameters  <df/da, d> = <dg/dm, m'(a) d>                 along random directions d

Replacing a part of a network by an equal part keeps the whole, so the pieces suffice. The twin has the same layers with
few units and a small input, its numbers are random Fractions, and sums of sigmoids are held in intervals of 50 digits.
m' is a central difference: exact, for no rule multiplies more than two parameters.
"""

from __future__ import annotations

__all__ = ["Exactly", "check_exactly", "filled", "twin"]

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from fractions import Fraction
from itertools import product
from typing import Any

import numpy as np
from numpy.typing import NDArray

from paperback import engines
from paperback.calculus import reals
from paperback.calculus.exact import ExactError, agree
from paperback.errors import ModelError
from paperback.learn import steps as programs
from paperback.nn.init import Values, stream
from paperback.nn.instance import ParameterSpec
from paperback.nn.layers.conv import Convolution
from paperback.nn.layers.dense import Dense
from paperback.nn.layers.layer import Shape
from paperback.nn.network import INPUT, Network, build
from paperback.rewrites.numbers import each, exact_array
from paperback.rewrites.pieces import Chain, Piece, instance, named, numbered, place, rebuilt, wrap
from paperback.rewrites.rule import Found, Refused, Rule

Objects = NDArray[Any]
_EXAMPLES = 3


@dataclass(frozen=True)
class Exactly:
    """What was compared in exact arithmetic.

    twin         the layers, and the input's shape, on which it was compared
    outputs      numbers of the output that are equal
    gradient     entries of the gradient by the input that are equal
    directions   of parameters, along which the slopes are equal
    """

    twin: str
    outputs: int
    gradient: int
    directions: int

    def __str__(self) -> str:
        return (
            f"{self.outputs} outputs, {self.gradient} entries of the gradient by the input, {self.directions} "
            f"directions of parameters, on {self.twin}"
        )


def check_exactly(rule: Rule, chain: Chain, found: Found, at: int, gradients: bool = True, seed: int = 0) -> Exactly:
    """Compare the pieces found.start..stop of a chain with what takes their place; `at` is where the rule found them.

    Raises AssertionError where they differ: then the rule is wrong, not the model.
    """
    for step in (4, 128, 2**20):  # ties of irrational numbers cannot be decided: then numbers that are seldom equal
        old, again = twin(rule, chain, found, at, seed, step)
        try:
            return _compare(rule, old, again, gradients, stream(seed, f"exactly {rule.name}"), step)
        except ExactError:
            continue
    raise ExactError(f"{rule.name} on {_text(old)}: numbers that are equal, or nearly, cannot be compared")


def _compare(
    rule: Rule, old: Chain, again: Found, gradients: bool, random: np.random.Generator, step: int
) -> Exactly:
    shape = old[0].shape
    new = place(again.replacement(old), shape)
    before, after = build(wrap(old), shape), build(wrap(new), shape)
    x = _fractions(random, (_EXAMPLES, *shape), step)
    if step == 4:
        x[1:] = exact_array(random.integers(-1, 2, x[1:].shape))  # and zeros, where kinks are
    v = _fractions(random, (_EXAMPLES, *before.output_shape))
    y, by = _pullback(before, named(before, old), x, v, rule)
    z, of = _pullback(after, named(after, new), x, v, rule)
    where = f"{rule.name} on {_text(old)}"
    assert y.shape == z.shape, f"{where}: the output {y.shape} became {z.shape}"
    assert agree(y, z), f"{where}: the outputs differ"
    summary = f"{_text(old)} over {'x'.join(map(str, shape))}"
    if not gradients:
        return Exactly(summary, y.size, 0, 0)
    assert agree(by[INPUT], of[INPUT]), f"{where}: the gradients by the input differ"
    directions = 0
    for name, piece in numbered(before, old):
        for local in [local for local in piece.layer.parameters if f"{name}.{local}" in by and piece in old]:
            along = _fractions(random, piece.tensors[local].shape)
            moved = (_moved(old, piece, local, h * along) for h in (Fraction(1), Fraction(-1)))
            high, low = (named(after, again.replacement(chain)) for chain in moved)
            slopes = (_dot(of[n], (high[n] - low[n]) * Fraction(1, 2)) for n in of if n in high)
            there = sum(slopes, Fraction(0))
            assert agree(_dot(by[f"{name}.{local}"], along), there), f"{where}: the gradients by {local} differ"
            directions += 1
    return Exactly(summary, y.size, x.size, directions)


def twin(rule: Rule, chain: Chain, found: Found, at: int, seed: int = 0, step: int = 4) -> tuple[Chain, Found]:
    """The pieces with few units and random Fractions for numbers, on the smallest input on which the rule applies."""
    pieces, at = chain[found.start : found.stop], at - found.start
    for channels, shape in _shapes(pieces[0].shape):
        try:
            small = place(tuple(_with_few(piece, channels) for piece in pieces), shape)
        except ModelError:
            continue
        ready = rule.prepare(filled(small, stream(seed, f"twin {rule.name}"), step))
        again = rule.find(ready, at)
        again = again.forward if isinstance(again, Refused) else again
        if again is not None and (again.start, again.stop) == (0, len(pieces)):
            return ready, again
    raise AssertionError(f"{rule.name} was found in the model, but not in a small twin of it")


def _shapes(shape: Shape) -> Iterator[tuple[int, Shape]]:
    """Small inputs, the smallest first, and how many units layers get; last of all the input as it is."""
    places = shape[:-1]
    for n, channels in product(range(2, 16), (2, 3, 4, 6)):
        if not places and n > 2:
            break
        yield channels, (*(min(n + a, extent) for a, extent in enumerate(places)), min(channels, shape[-1]))
    for channels in (2, 3, 10**6):
        yield channels, shape


def _with_few(piece: Piece, few: int) -> Piece:
    """The layer with at most `few` units or filters."""
    layer = piece.layer
    if isinstance(layer, Dense):
        layer = replace(layer, units=min(layer.units, few), in_features=None)
    elif isinstance(layer, Convolution):
        layer = replace(layer, filters=min(layer.filters, few), groups=min(layer.groups, few))
    branches = tuple(tuple(_with_few(inner, few) for inner in branch) for branch in piece.branches)
    return rebuilt(replace(piece, layer=layer, tensors={}), branches) if branches else replace(piece, layer=layer)


def filled(chain: Chain, random: np.random.Generator, step: int = 4) -> Chain:
    """The pieces, in their places, with random multiples of 1/step for all numbers."""
    pieces = []
    for piece in chain:
        specs = {**instance(piece).parameters, **instance(piece).state}
        tensors = {name: _start(name, spec, random, step) for name, spec in specs.items()}
        branches = tuple(filled(branch, random, step) for branch in piece.branches)
        pieces.append(replace(piece, tensors=tensors, branches=branches))
    return tuple(pieces)


def _start(name: str, spec: ParameterSpec, random: np.random.Generator, step: int) -> Objects:
    """Random Fractions; a variance is positive, and values that a layer fixes are what they are."""
    if isinstance(spec.initializer, Values):
        return exact_array(spec.sample(name, 0))
    values = _fractions(random, spec.shape, step)
    return each(lambda x: abs(x) + Fraction(1, 8), values) if name == "var" else values


def _moved(chain: Chain, piece: Piece, local: str, step: Objects) -> Chain:
    """The chain with one tensor of one piece moved."""
    moved = replace(piece, tensors={**piece.tensors, local: piece.tensors[local] + step})
    return tuple(moved if other is piece else other for other in chain)


def _pullback(
    network: Network, tensors: Mapping[str, Objects], x: Objects, v: Objects, rule: Rule
) -> tuple[Objects, dict[str, Objects]]:
    """The output, and the gradients of sum(v*output) by the input and the parameters, on the exact engine."""
    program, names = programs.vjp_program(network, training=not rule.inference)
    given = {**tensors, INPUT: x, programs.COTANGENT: v}
    result = engines.compile_program(program, engine="exact")(given)
    return result[network.output], {name: result[tensor] for name, tensor in names.items()}


def _fractions(random: np.random.Generator, shape: Shape, step: int = 4) -> Objects:
    """Multiples of 1/step between -2 and 2; of 1/4, 0 is among them, and so are ties."""
    return exact_array(random.integers(-2 * step, 2 * step + 1, shape) / step)


def _dot(a: Objects, b: Objects) -> Any:
    return reals.total(reals.times(x, y) for x, y in zip(a.flat, b.flat, strict=True))


def _text(chain: Chain) -> str:
    return ", ".join(repr(piece.layer) for piece in chain)
