"""What a planted bug is, and how one is planted.

A bug belongs to an operation, whose forward and sample it keeps. It says which gradients are wrong and by what causes,
in the slugs of the doctor's table: the first is what its author did, the others name the very same numbers, written
down before any checker was asked. A bug of two causes has a second such set.

Many bugs are one function, registered by `@wrong`; it is named by what its author thought, or forgot. `alter` plants
one where a right backward is. Some show only under a cotangent of special strides, or at other arguments: `shows_at`
makes those from random ones.
"""

from __future__ import annotations

__all__ = ["BUGS", "ROWS", "Bug", "Shown", "alter", "as_drawn", "is_a_size", "plant", "upstream", "wrong"]

from collections.abc import Callable
from dataclasses import dataclass, replace
from itertools import combinations
from math import prod
from typing import Any

import numpy as np
from numpy.random import Generator
from tests.diagnosis.corpus.operation import Array, Backward, Forward, Operation
from tests.diagnosis.corpus.operations import OPERATIONS

Make = Callable[[], tuple[Forward, Backward]]
Shown = Callable[[Any, tuple[Array, ...]], tuple[Any, tuple[Array, ...]]]

# The rows of the table of known mistakes, and the slugs that are at home in each.
ROWS = {
    "constant factor": "factor",
    "sign": "sign",
    "means": "missing-mean doubled-mean unequal-parts overlap-averaged",
    "flips and shifts": "not-flipped shifted",
    "axes swapped": "axes-swapped",
    "upstream": "upstream-ignored upstream-ones upstream-first upstream-averaged upstream-squared not-linear "
    "upstream-mixed upstream-transformed",
    "accumulation": "overwrite accumulates-across-calls",
    "sums over axes": "wrong-axis-sum broadcast-not-summed wrong-shape",
    "strides": "stride0 noncontiguous negative-stride mutates-cotangent mutates-argument read-only",
    "masks": "mask-missing mask-wrong-side mask-extra",
    "branches": "branch one-entry",
    "saved values": "stale-saved not-repeatable wrong-saved argument-transformed",
    "another result": "swapped-arguments forward-returned local-derivative-missing",
    "terms": "missing-term diagonal-only wrong-derivative",
    "rounding": "rounding nan",
    "never computed": "zero none wrong-count raises",
}
_ROW = {slug: row for row, slugs in ROWS.items() for slug in slugs.split()}


def as_drawn(g: Any, arguments: tuple[Array, ...]) -> tuple[Any, tuple[Array, ...]]:
    return g, arguments


@dataclass(frozen=True)
class Bug:
    """A wrong backward, why it is wrong, and where that shows."""

    note: str
    operation: Operation
    make: Make  # fresh functions: some keep what they should not
    arguments: tuple[str, ...]  # whose gradients are wrong; none where it is not about one
    causes: tuple[str, ...]
    second: tuple[str, ...] = ()
    shows_at: Shown = as_drawn
    faithful: bool = False  # right for every plain cotangent: only state, strides or what it writes into is wrong

    @property
    def id(self) -> str:
        return f"{self.operation.name}: {self.note}"

    @property
    def row(self) -> str:
        return "two at once" if self.second else _ROW[self.causes[0]]


BUGS: list[Bug] = []


def plant(
    operation: str | Operation, arguments: str, causes: str, note: str, make: Make | Backward, second: str = "",
    sample: Callable[[Generator], tuple[Array, ...]] | None = None, stateful: bool = False, **more: Any,
) -> None:  # fmt: skip
    """Add a bug: a backward, or with `stateful` what makes a forward and a backward that share something."""
    home = OPERATIONS[operation] if isinstance(operation, str) else operation
    home = home if sample is None else replace(home, sample=sample)
    made: Any = make if stateful else lambda: (home.forward, make)
    BUGS.append(Bug(note, home, made, tuple(arguments.split()), tuple(causes.split()), tuple(second.split()), **more))


def wrong(operation: str, arguments: str, causes: str, **more: Any) -> Callable[[Any], Any]:
    """Plant the decorated function; its name is what its author thought."""

    def planted(function: Any) -> Any:
        plant(operation, arguments, causes, function.__name__.replace("_", " ").strip(), function, **more)
        return function

    return planted


def alter(operation: Operation, argument: str, change: Callable[..., Any]) -> Backward:
    """The right backward, with `change(gradient, cotangent, *arguments)` in place of one gradient."""
    place = operation.position(argument)

    def backward(g: Any, *arguments: Array) -> tuple[Any, ...]:
        gradients = list(operation.backward(g, *arguments))
        gradients[place] = change(gradients[place], g, *arguments)
        return tuple(gradients)

    return backward


def upstream(operation: Operation, change: Callable[[Array], Array]) -> Backward:
    """The right backward, at a changed cotangent."""

    def backward(g: Any, *arguments: Array) -> tuple[Any, ...]:
        changed = tuple(map(change, g)) if isinstance(g, tuple) else change(np.asarray(g))
        return operation.backward(changed, *arguments)

    return backward


def is_a_size(factor: float, arrays: tuple[Array, ...]) -> bool:
    """Is it, or its inverse, a number of elements along some axes of an array? Then a mean explains it as well."""
    counts = {prod(sides) for x in arrays for k in range(1, x.ndim + 1) for sides in combinations(x.shape, k)}
    return any(abs(abs(f) - count) < 1e-9 for count in counts for f in (factor, 1 / factor))
