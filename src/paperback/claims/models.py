"""Checks that ask a network of layers: its shapes, its parameters, its gradients.

    Shapes(net, input_shape, shapes)     the output shapes of the layers
    Kinds(net, input_shape, kinds)       the kinds of the layers, in order
    Counts(net, input_shape, counts)     how many numbers each parameter has
    Output(net, x, numbers)              the result for one example in float64
    Skips(problems, number)              a document that goes past a number
"""

from __future__ import annotations

__all__ = ["Counts", "Kinds", "Output", "Shapes", "Skips"]

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from math import prod
from typing import Any

import numpy as np

from paperback.claims.checks import Check, Step
from paperback.claims.numbers import near, number, text
from paperback.learn.predictor import Predictor
from paperback.nn.layers import Layer
from paperback.nn.network import build

Sizes = tuple[int, ...]


@dataclass(frozen=True)
class Shapes(Check):
    """The output shapes of a network's layers, in order."""

    net: Layer
    input_shape: Sizes
    shapes: tuple[Sizes, ...]

    def steps(self) -> Iterator[Step]:
        found = tuple(layer.output_shape for layer in build(self.net, self.input_shape).layers)
        shown = ", ".join("x".join(map(str, shape)) for shape in found)
        what = f"the shapes of {self.net} for an input of {'x'.join(map(str, self.input_shape))}"
        yield Step(what, "read", found == self.shapes, shown)


@dataclass(frozen=True)
class Kinds(Check):
    """The kinds of a network's layers, and how many of them have parameters."""

    net: Layer
    input_shape: Sizes
    kinds: str
    learned: int

    def steps(self) -> Iterator[Step]:
        network = build(self.net, self.input_shape)
        kinds = " ".join(layer.kind for layer in network.layers)
        learned = len({name.partition(".")[0] for name in network.parameters})
        good = kinds == self.kinds and learned == self.learned
        yield Step(f"the layers of {self.net}", "read", good, f"{kinds}; {learned} of them learn")


@dataclass(frozen=True)
class Counts(Check):
    """How many numbers the named parameters have."""

    net: Layer
    input_shape: Sizes
    counts: Mapping[str, int]

    def steps(self) -> Iterator[Step]:
        found = {name: prod(spec.shape) for name, spec in build(self.net, self.input_shape).parameters.items()}
        asked = {name: found.get(name, 0) for name in self.counts}
        shown = ", ".join(f"{name} {count}" for name, count in asked.items())
        yield Step(f"the parameters of {self.net}", "read", asked == dict(self.counts), shown)


@dataclass(frozen=True)
class Output(Check):
    """What a network without parameters gives for one example."""

    net: Layer
    x: Any
    numbers: Any
    within: float = 1e-15

    def steps(self) -> Iterator[Step]:
        one = np.asarray(number(self.x), dtype=float)
        found = Predictor(self.net, one.shape, 0, "float64", "numpy").predict(one[None])[0]
        good = near(found, self.numbers, self.within)
        yield Step(f"{self.net} at {text(number(self.x))}", "measured", good, text(found))


@dataclass(frozen=True)
class Skips(Check):
    """The numbers of a document's problems go past one."""

    problems: tuple[int, ...]
    number: int

    def steps(self) -> Iterator[Step]:
        skipped = sorted(set(range(1, max(self.problems) + 1)) - set(self.problems))
        found = f"{', '.join(map(str, skipped)) or 'none'} skipped"
        yield Step(f"problems {', '.join(map(str, self.problems))}", "read", skipped == [self.number], found)
