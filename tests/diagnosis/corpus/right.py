"""Right gradients. Most tempt a checker to a false alarm; `tempting.py` and `extremes.py` are made for that.

Here: every operation of the corpus as it is, in float32 and, where that makes sense, float16, in other layouts of
memory, with no items, with one. A gradient in a narrow type is right to the precision of that type.
"""

from __future__ import annotations

__all__ = ["RIGHT", "Right", "accept"]

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.random import Generator
from tests.diagnosis.corpus.operation import Array, Backward, Forward, Operation
from tests.diagnosis.corpus.operations import OPERATIONS


@dataclass(frozen=True)
class Right:
    """A right gradient, and the slugs with which a checker may decline to judge it; none: it has to be called right."""

    id: str
    forward: Forward
    backward: Callable[..., Any]
    sample: Callable[[Generator], tuple[Any, ...]]
    declined: tuple[str, ...] = ()
    why: str = ""

    @property
    def plain(self) -> bool:
        """An operation of the corpus as it is."""
        return self.id in OPERATIONS

    @property
    def narrow(self) -> bool:
        return "float32" in self.id or "float16" in self.id


RIGHT: list[Right] = []


def accept(
    id: str, forward: Forward, backward: Callable[..., Any], sample: Callable[[Generator], tuple[Any, ...]],
    declined: str = "", why: str = "",
) -> None:  # fmt: skip
    RIGHT.append(Right(id, forward, backward, sample, tuple(declined.split()), why))


def converted(operation: Operation, change: Callable[[Array], Array]) -> Callable[[Generator], tuple[Array, ...]]:
    """The sample with every real argument changed."""
    return lambda rng: tuple(change(x) if x.dtype.kind == "f" else x for x in operation.sample(rng))


def narrow(operation: Operation, dtype: str) -> Backward:
    """Gradients in the type of the arguments."""

    def backward(g: Any, *arguments: Array) -> tuple[Array | None, ...]:
        given = operation.backward(g, *arguments)
        return tuple(None if d is None else d.astype(dtype) for d in given)

    return backward


def sliced(x: Array) -> Array:
    """Every second entry of a larger array."""
    held = np.full([2 * side for side in x.shape], np.nan)
    held[tuple(slice(None, None, 2) for _ in x.shape)] = x
    return held[tuple(slice(None, None, 2) for _ in x.shape)]


def locked(x: Array) -> Array:
    x = x.copy()
    x.flags.writeable = False
    return x


LAYOUTS: dict[str, tuple[Callable[[Array], Array], str]] = {
    "columns first": (np.asfortranarray, "dense conv2d softmax max_pool"),
    "sliced": (sliced, "dense layer_norm attention"),
    "backwards": (lambda x: np.flip(np.flip(x).copy()), "dense running_sum conv1d"),
    "read-only": (locked, "dense batch_norm embedding"),
}
WHOLE = ("relu", "dense", "softmax", "mse", "conv2d", "layer norm", "average pool", "add column")

for operation in OPERATIONS.values():
    accept(operation.name, operation.forward, operation.backward, operation.sample)
    accept(
        f"{operation.name}, float32", operation.forward, narrow(operation, "float32"),
        converted(operation, lambda x: x.astype(np.float32)),
    )  # fmt: skip
for name in WHOLE:
    operation = OPERATIONS[name]
    accept(
        f"{name}, float16", operation.forward, narrow(operation, "float16"),
        converted(operation, lambda x: x.astype(np.float16)),
    )  # fmt: skip
for layout, (change, names) in LAYOUTS.items():
    for name in names.split():
        operation = OPERATIONS[name.replace("_", " ")]
        accept(f"{operation.name}, {layout}", operation.forward, operation.backward, converted(operation, change))


def first(count: int, operation: Operation) -> Callable[[Generator], tuple[Array, ...]]:
    """Only so many items of the first argument."""
    return lambda rng: (lambda x, *others: (x[:count], *others))(*operation.sample(rng))


for name in ("relu", "dense", "softmax", "conv2d", "layer norm", "average pool", "residual"):
    operation = OPERATIONS[name]
    accept(f"{name}, one item", operation.forward, operation.backward, first(1, operation))
    accept(f"{name}, no items", operation.forward, operation.backward, first(0, operation), "empty nothing-to-judge")
accept(
    "batch norm, one item",
    OPERATIONS["batch norm"].forward,
    OPERATIONS["batch norm"].backward,
    first(1, OPERATIONS["batch norm"]),
    why="the gradient is zero",
)
