"""Mistakes about memory: strides, writing into what others own, values kept from another call."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from tests.diagnosis.corpus.bug import Shown, plant
from tests.diagnosis.corpus.operation import Array, Backward, Forward, Operation
from tests.diagnosis.corpus.operations import OPERATIONS


def stride0(g: Any, arguments: tuple[Array, ...]) -> tuple[Any, tuple[Array, ...]]:
    """What y.sum().backward() sends."""
    return np.broadcast_to(np.float64(1.5), g.shape), arguments


def columns_first(g: Any, arguments: tuple[Array, ...]) -> tuple[Any, tuple[Array, ...]]:
    return np.asfortranarray(g), arguments


def backwards(g: Any, arguments: tuple[Array, ...]) -> tuple[Any, tuple[Array, ...]]:
    return np.flip(np.flip(g).copy()), arguments


def from_memory(g: Array) -> Array:
    """What a kernel sees that reads the memory from the first element on as if it were contiguous."""
    if g.flags.c_contiguous or g.size < 2:
        return g
    seen = np.full(g.size, np.nan)
    there = 1 + sum((n - 1) * stride for n, stride in zip(g.shape, g.strides, strict=True) if stride > 0) // g.itemsize
    held = np.lib.stride_tricks.as_strided(g, (min(there, g.size),), (g.itemsize,))
    seen[: len(held)] = held
    return seen.reshape(g.shape)


def repeated_from_memory(g: Array) -> Array:
    """The same, that knows strides but for those of 0: there it reads on."""
    return from_memory(g) if 0 in g.strides and g.size > 1 else g


def turned_from_memory(g: Array) -> Array:
    """The same, that goes wrong only where the axes lie in memory in another order."""
    return g.ravel("K").reshape(g.shape) if 0 not in g.strides and not g.flags.c_contiguous else g


def absolute_strides(g: Array) -> Array:
    """The same, with strides taken for positive."""
    return np.flip(g, [k for k, s in enumerate(g.strides) if s < 0])


def misread(operation: Operation, read: Callable[[Array], Array]) -> Backward:
    return lambda g, *arguments: operation.backward(read(g), *arguments)


READINGS: tuple[tuple[str, str, Callable[[Array], Array], Shown, str], ...] = (
    ("strides are ignored", "noncontiguous stride0 negative-stride", from_memory, columns_first, "relu dense softmax"),
    ("a stride of 0 is read on", "stride0", repeated_from_memory, stride0, "tanh conv2d layer_norm logsumexp"),
    (
        "axes are read in the order of memory",
        "noncontiguous",
        turned_from_memory,
        columns_first,
        "gelu max_pool attention",
    ),
    ("strides are taken for positive", "negative-stride", absolute_strides, backwards, "running_sum dense"),
)
for note, causes, read, shown, names in READINGS:
    for name in names.split():
        home = OPERATIONS[name.replace("_", " ")]
        plant(home, " ".join(home.arguments), causes, note, misread(home, read), shows_at=shown, faithful=True)


def refused(g: Array, x: Array, w: Array, b: Array) -> tuple[Array, ...]:
    if not g.flags.c_contiguous:
        raise ValueError("the gradient must be contiguous")
    return OPERATIONS["dense"].backward(g, x, w, b)


plant(
    "dense",
    "x w b",
    "noncontiguous stride0 raises negative-stride",
    "it refuses what is not contiguous",
    refused,
    shows_at=columns_first,
    faithful=True,
)


# --- writing into what others own ---


def masks_in_place(g: Array, x: Array) -> tuple[Array, ...]:
    g[x <= 0] = 0
    return (g * 1,)


def slopes_in_place(g: Array, x: Array) -> tuple[Array, ...]:
    g *= 1 - np.tanh(x) ** 2
    return (g,)


def adds_in_place(g: Array, x: Array, w: Array) -> tuple[Array, ...]:
    dx, dw = OPERATIONS["residual"].backward(g, x, w)
    g += dx - g
    return g, dw


def rectifies_the_input(g: Array, x: Array) -> tuple[Array, ...]:
    np.maximum(x, 0, out=x)
    return (g * (x > 0),)


def centres_the_input(g: Array, x: Array) -> tuple[Array, ...]:
    x -= x.max(-1, keepdims=True)
    return OPERATIONS["softmax"].backward(g, x)


def steps_the_weights(g: Array, x: Array, w: Array, b: Array) -> tuple[Array, ...]:
    made = OPERATIONS["dense"].backward(g, x, w, b)
    w -= 0.1 * made[1]
    return made


for name, function, causes in (
    ("relu", masks_in_place, "mutates-cotangent read-only"), ("tanh", slopes_in_place, "mutates-cotangent read-only"),
    ("residual", adds_in_place, "mutates-cotangent read-only"), ("relu", rectifies_the_input, "mutates-argument"),
    ("softmax", centres_the_input, "mutates-argument"), ("dense", steps_the_weights, "mutates-argument"),
):  # fmt: skip
    plant(name, "", causes, function.__name__.replace("_", " "), function, faithful=True)


# --- what is kept ---


def kept_from_the_first(name: str) -> Callable[[], tuple[Forward, Backward]]:
    """The forward saves its arguments once."""
    operation = OPERATIONS[name]

    def make() -> tuple[Forward, Backward]:
        saved: list[tuple[Array, ...]] = []

        def forward(*arguments: Array) -> Any:
            if not saved:
                saved.append(tuple(np.array(x) for x in arguments))
            return operation.forward(*arguments)

        def backward(g: Any, *arguments: Array) -> tuple[Any, ...]:
            return operation.backward(g, *(saved[0] if saved else arguments))

        return named(forward, operation), backward

    return make


def grown(name: str, argument: str) -> Callable[[], tuple[Forward, Backward]]:
    """One gradient is added to a buffer that nobody clears."""
    operation = OPERATIONS[name]
    place = operation.position(argument)

    def make() -> tuple[Forward, Backward]:
        buffer: dict[tuple[int, ...], Array] = {}

        def backward(g: Any, *arguments: Array) -> tuple[Any, ...]:
            made = list(operation.backward(g, *arguments))
            buffer[made[place].shape] = buffer.get(made[place].shape, 0) + made[place]
            made[place] = buffer[made[place].shape].copy()
            return tuple(made)

        return operation.forward, backward

    return make


def worn_out() -> tuple[Forward, Backward]:
    """The mask that the backward keeps is scaled on every use."""
    operation = OPERATIONS["relu"]
    masks: dict[bytes, Array] = {}

    def backward(g: Array, x: Array) -> tuple[Array, ...]:
        mask = masks.setdefault(x.tobytes(), (x > 0).astype(x.dtype))
        mask *= 0.9
        return (g * mask / 0.9,)

    return operation.forward, backward


def named(forward: Forward, operation: Operation) -> Forward:
    """With the operation's signature, by which a checker finds the names of the arguments."""
    forward.__wrapped__ = operation.forward  # type: ignore[attr-defined]
    return forward


STALE = "stale-saved not-repeatable"
for name, arguments in (("tanh", "x"), ("product", "x y"), ("softmax", "x")):
    plant(
        name, arguments, STALE, "saved at the first call only", kept_from_the_first(name), stateful=True, faithful=True
    )
for name, argument in (("dense", "w"), ("embedding", "table"), ("conv1d", "b")):
    plant(
        name,
        argument,
        "accumulates-across-calls not-repeatable",
        f"d{argument} grows from call to call",
        grown(name, argument),
        stateful=True,
        faithful=True,
    )
plant(
    "relu",
    "x",
    "not-repeatable stale-saved accumulates-across-calls",
    "the mask wears out",
    worn_out,
    stateful=True,
    faithful=True,
)


# The output is saved, and then added to in place: the backward reads the sum.


def relu_of_the_sum(g: Array, x: Array, y: Array) -> tuple[Array, ...]:
    return g * (np.maximum(x, 0) + y > 0), g


relu_and_add = Operation(
    "relu and add",
    ("x", "y"),
    lambda x, y: np.maximum(x, 0) + y,
    lambda g, x, y: (g * (x > 0), g),
    OPERATIONS["product"].sample,
)
plant(
    relu_and_add, "x", "stale-saved wrong-saved mask-missing mask-wrong-side mask-extra branch",
    "the saved output was added to in place", relu_of_the_sum,
)  # fmt: skip
