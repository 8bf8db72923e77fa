"""How parameters start: seeded initialisers.

    HeNormal          w ~ Normal(0, 2/fan_in)                               He et al. 2015
    HeUniform         w ~ Uniform(-a, a), a = sqrt(6/fan_in)                 He et al. 2015
    GlorotUniform     w ~ Uniform(-a, a), a = sqrt(6/(fan_in + fan_out))     Glorot and Bengio 2010

fan_in    how many products are summed into one output: the product of the weight's reduced extents
fan_out   how many outputs one input element reaches: the product of the weight's extents that do not index the input
          bare; both are read off the formula

Every parameter draws from a stream of its own, a counter-based generator keyed by (seed, name of the parameter):
adding a layer, or drawing in another order, changes no other parameter.
"""

from __future__ import annotations

__all__ = [
    "Constant", "GlorotUniform", "HeNormal", "HeUniform", "Initializer", "Nested", "Normal", "Ones", "Uniform",
    "Values", "Zeros", "fans", "stream",
]  # fmt: skip

import hashlib
import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Protocol, TypeAlias

import numpy as np
from numpy.typing import NDArray

from paperback.errors import ModelError
from paperback.notation.affine import Letter
from paperback.notation.block import Block
from paperback.notation.expr import Affine, Node, Read, Reduce
from paperback.notation.walk import children, reads
from paperback.program.lift import depends_on

Array = NDArray[np.float64]


class Initializer(Protocol):
    """Draws the first value of a parameter, in float64; a float32 model rounds it."""

    def sample(self, shape: tuple[int, ...], fan_in: int, fan_out: int, stream: np.random.Generator) -> Array: ...


@dataclass(frozen=True)
class Constant:
    """Every entry is `value`."""

    value: float

    def sample(self, shape: tuple[int, ...], fan_in: int, fan_out: int, stream: np.random.Generator) -> Array:
        return np.full(shape, self.value)


Nested: TypeAlias = "float | tuple[Nested, ...]"


@dataclass(frozen=True)
class Values:
    """Exactly these numbers: an array, or numbers nested in tuples or lists."""

    value: Nested

    def __post_init__(self) -> None:
        try:
            array = np.asarray(self.value, dtype=np.float64)
        except (TypeError, ValueError) as error:
            raise ModelError(
                f"Values: an array of numbers is needed, its rows of one length, not {self.value!r}"
            ) from error
        object.__setattr__(self, "value", _nested(array.tolist()))

    @property
    def shape(self) -> tuple[int, ...]:
        return np.shape(self.value)

    def sample(self, shape: tuple[int, ...], fan_in: int, fan_out: int, stream: np.random.Generator) -> Array:
        if shape != self.shape:
            raise ModelError(f"the values have the shape {self.shape}, needed is {shape}")
        return np.array(self.value, dtype=np.float64)


def _nested(value: Any) -> Nested:
    return tuple(_nested(item) for item in value) if isinstance(value, list) else float(value)


@dataclass(frozen=True)
class Zeros:
    """All zero: biases, shifts, running means. (For weights it would keep all units equal.)"""

    def sample(self, shape: tuple[int, ...], fan_in: int, fan_out: int, stream: np.random.Generator) -> Array:
        return np.zeros(shape)


@dataclass(frozen=True)
class Ones:
    """All one: scales, running variances."""

    def sample(self, shape: tuple[int, ...], fan_in: int, fan_out: int, stream: np.random.Generator) -> Array:
        return np.ones(shape)


@dataclass(frozen=True)
class Uniform:
    """Uniform on [low, high)."""

    low: float
    high: float

    def sample(self, shape: tuple[int, ...], fan_in: int, fan_out: int, stream: np.random.Generator) -> Array:
        return stream.uniform(self.low, self.high, shape)


@dataclass(frozen=True)
class Normal:
    """Normal with this standard deviation."""

    deviation: float = 1.0

    def sample(self, shape: tuple[int, ...], fan_in: int, fan_out: int, stream: np.random.Generator) -> Array:
        return stream.standard_normal(shape) * self.deviation


@dataclass(frozen=True)
class HeNormal:
    """Normal with variance 2/fan_in, which keeps the second moment of a signal through a layer and its ReLU."""

    def sample(self, shape: tuple[int, ...], fan_in: int, fan_out: int, stream: np.random.Generator) -> Array:
        return stream.standard_normal(shape) * math.sqrt(2 / fan_in)


@dataclass(frozen=True)
class HeUniform:
    """Uniform on [-a, a), a = sqrt(6/fan_in): the variance of `HeNormal`."""

    def sample(self, shape: tuple[int, ...], fan_in: int, fan_out: int, stream: np.random.Generator) -> Array:
        bound = math.sqrt(6 / fan_in)
        return stream.uniform(-bound, bound, shape)


@dataclass(frozen=True)
class GlorotUniform:
    """Uniform on [-a, a), a = sqrt(6/(fan_in + fan_out)): a compromise between the signal and its gradient."""

    def sample(self, shape: tuple[int, ...], fan_in: int, fan_out: int, stream: np.random.Generator) -> Array:
        bound = math.sqrt(6 / (fan_in + fan_out))
        return stream.uniform(-bound, bound, shape)


def stream(seed: int, name: str) -> np.random.Generator:
    """The random stream of one parameter: Philox, keyed by 128 bits of SHA-256(seed, name)."""
    digest = hashlib.sha256(f"{int(seed)}:{name}".encode()).digest()
    return np.random.Generator(np.random.Philox(key=int.from_bytes(digest[:16], "little")))


def fans(block: Block, parameter: str, signal: str = "x") -> tuple[int, int]:
    """(fan_in, fan_out) of a parameter in a formula at numeric sizes; where it is read twice, the larger of each.

    A bias is in no sum, so its fan_in is 1. With a stride fan_out counts as if there were none.
    """
    axes = block.inputs[parameter].axes
    fan_in = fan_out = 1
    signals = depends_on(block.statements, {signal})
    for statement in block.statements:
        inputs = [read for read in reads(statement.expr) if read.tensor in signals]
        bare = {i.bare for read in inputs for i in read.indices if isinstance(i, Affine)}
        for read, summed in _reads_with_sums(statement.expr, parameter, frozenset()):
            inward = outward = 1
            for index, axis in zip(read.indices, axes, strict=True):
                letters = set(index.letters) if isinstance(index, Affine) else set()
                inward *= axis.value if letters & summed else 1
                outward *= axis.value if not letters & bare else 1
            fan_in, fan_out = max(fan_in, inward), max(fan_out, outward)
    return fan_in, fan_out


def _reads_with_sums(node: Node, tensor: str, summed: frozenset[Letter]) -> Iterator[tuple[Read, frozenset[Letter]]]:
    """Every read of a tensor, with the letters of the sums around it."""
    if isinstance(node, Reduce):
        summed = summed | {binder.letter for binder in node.binders}
    if isinstance(node, Read) and node.tensor == tensor:
        yield node, summed
    for child in children(node):
        yield from _reads_with_sums(child, tensor, summed)
