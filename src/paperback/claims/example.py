"""The network of the CNN sheet with given numbers, and checks that run it.

    Scores(example, numbers)                  the scores z3 of one of the two inputs
    Backward(example, numbers, checksums)     the gradients of <v, z3> by the parameters and the input
    Losses(example, loss, numbers)            the cross-entropy of an example, and its gradients
    Descent(rate, before, after, biases)      the mean loss before and after one step of gradient descent
    Differences(net, input_shape, labels)     the gradients of any network's loss, against central differences

All numbers up to the softmax are dyadic fractions, so float64 has them exactly. They are made by a generator,
v[n] = ((a*n*n + b*n + 1) mod m - c)/den, n the flat index, and the gradients are compared by the sum of (n+1)*g[n].
"""

from __future__ import annotations

__all__ = ["INPUT_SHAPE", "Backward", "Descent", "Differences", "Losses", "Scores", "layers"]

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from functools import cache
from math import prod
from typing import Any

import numpy as np

from paperback.claims.checks import Check, Step
from paperback.claims.numbers import near, text
from paperback.learn.model import Model
from paperback.learn.optim import SGD
from paperback.nn.layers import Conv2d, Dense, Flatten, Layer, MaxPool2d, ReLU, Sequential

Array = np.ndarray[Any, Any]

INPUT_SHAPE = (14, 18, 1)
GENERATED = {  # parameter: (shape, a, b, m, c, den)
    "conv2d_1.w": ((3, 5, 1, 2), 3, 1, 17, 8, 16),
    "conv2d_2.w": ((3, 2, 2, 3), 5, 2, 23, 11, 16),
    "dense_1.w": ((18, 4), 2, 7, 29, 14, 32),
    "dense_2.w": ((4, 3), 3, 4, 11, 5, 4),
}
BIASES = {
    "conv2d_1.b": [1 / 2, -1 / 4],
    "conv2d_2.b": [3, 1 / 4, -1 / 8],
    "dense_1.b": [1, 1 / 2, -1 / 2, 1 / 4],
    "dense_2.b": [0, 1 / 4, -1 / 4],
}
COTANGENT = np.array([[1, -2, 1 / 2]])
LABELS = np.array([1, 0])


def generated(shape: tuple[int, ...], a: int, b: int, m: int, c: int, den: int) -> Array:
    """The numbers of the generator."""
    n = np.arange(prod(shape))
    return (((a * n * n + b * n + 1) % m - c) / den).reshape(shape)


INPUTS = np.stack([generated(INPUT_SHAPE, 3, 5, 257, 128, 64), generated(INPUT_SHAPE, 7, 11, 251, 125, 64)])


def layers(flip: bool = True) -> Sequential:
    """conv -> relu -> pool, twice; flatten; dense -> relu; dense: the sheet's network, without its softmax."""
    return Sequential(
        Conv2d(2, (3, 5), flip=flip), ReLU(), MaxPool2d(2), Conv2d(3, (3, 2), flip=flip), ReLU(), MaxPool2d(2),
        Flatten(), Dense(4), ReLU(), Dense(3),
    )  # fmt: skip


@cache
def network(flip: bool = True) -> Model:
    """The network with its numbers."""
    model = Model(layers(flip), INPUT_SHAPE, dtype="float64", engine="numpy")
    model.set_parameters({**{name: generated(*how) for name, how in GENERATED.items()}, **BIASES})
    return model


def checksum(array: Array) -> Fraction:
    """sum(n) (n+1)*g[n] over the flat index."""
    return sum(((n + 1) * Fraction(float(x)) for n, x in enumerate(array.ravel())), Fraction(0))


@dataclass(frozen=True)
class Scores(Check):
    """The scores z3 of an example, exactly."""

    example: int
    numbers: tuple[str, ...]
    flip: bool = True

    def steps(self) -> Iterator[Step]:
        found = network(self.flip).predict(INPUTS[self.example : self.example + 1])[0]
        what = f"the scores z3 of input {self.example}, {'convolution' if self.flip else 'correlation'}"
        exact = [Fraction(float(x)) for x in found]
        yield Step(what, "exact", exact == [Fraction(own) for own in self.numbers], text(exact))


@dataclass(frozen=True)
class Backward(Check):
    """The gradients of <v, z3>, v = (1, -2, 1/2), by name; those of large arrays as checksums."""

    example: int
    numbers: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    checksums: Mapping[str, str] = field(default_factory=dict)

    def steps(self) -> Iterator[Step]:
        gradients = network().vjp(INPUTS[self.example : self.example + 1], COTANGENT)[1]
        for name, numbers in self.numbers.items():
            found = [Fraction(float(x)) for x in gradients[name].ravel()]
            what = f"the gradient of <v, z3> by {name}, input {self.example}"
            yield Step(what, "exact", found == [Fraction(own) for own in numbers], text(found))
        for name, wanted in self.checksums.items():
            total = checksum(gradients[name])
            what = f"the checksum of the gradient by {name}, input {self.example}"
            yield Step(what, "exact", total == Fraction(wanted), text(total))


@dataclass(frozen=True)
class Losses(Check):
    """The cross-entropy J_b of an example, and its gradients by name, to 12 digits."""

    example: int
    loss: float
    numbers: Mapping[str, tuple[float, ...]]

    def steps(self) -> Iterator[Step]:
        one = slice(self.example, self.example + 1)
        loss, gradients = network().loss_and_gradients(INPUTS[one], LABELS[one])
        yield Step(f"J_{self.example}", "measured", near(loss, self.loss), text(loss))
        for name, wanted in self.numbers.items():
            found = gradients[name].ravel()
            yield Step(f"dJ_{self.example}/d {name}", "measured", near(found, wanted), text(found))


@dataclass(frozen=True)
class Descent(Check):
    """One step of gradient descent on the batch of both inputs: the mean loss before and after, the last biases."""

    rate: float
    before: float
    after: float
    biases: tuple[float, ...]

    def steps(self) -> Iterator[Step]:
        model = Model(layers(), INPUT_SHAPE, dtype="float64", engine="numpy")
        model.set_parameters(dict(network().parameters))
        loss = model.train_step(optimizer=SGD(self.rate))(INPUTS, LABELS)
        later = model.loss_and_gradients(INPUTS, LABELS)[0]
        biases = model.parameters["dense_2.b"]
        good = near(loss, self.before) and near(later, self.after) and near(biases, self.biases)
        yield Step(f"one step of size {self.rate:g}", "measured", good, f"J {loss:.9g}, then {later:.9g}")


@dataclass(frozen=True)
class Differences(Check):
    """The gradients of a network's loss are those of central differences, by every parameter and the input."""

    net: Layer
    input_shape: tuple[int, ...]
    labels: tuple[int, ...]
    within: float = 1e-6

    def steps(self) -> Iterator[Step]:
        model = Model(self.net, self.input_shape, seed=3, dtype="float64", engine="numpy")
        x = generated((len(self.labels), *self.input_shape), 3, 5, 257, 128, 64)
        errors = model.check_gradients(x, np.array(self.labels))
        worst = max(errors, key=lambda name: errors[name])
        what = f"gradients by {len(errors)} arrays of {self.net}, against central differences"
        yield Step(what, "measured", errors[worst] < self.within, f"largest error {errors[worst]:.1e}, by {worst}")
