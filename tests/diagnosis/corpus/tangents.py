"""JVPs written by hand, right and wrong: `jvp(tangents, *arguments)`, one tangent alone where there is one argument.

A wrong one has a constant factor, the other sign, no tangent at all, a term that is missing, or an error on a branch.
"""

from __future__ import annotations

__all__ = ["JVPS", "WRONG", "Jvp"]

from collections.abc import Callable
from typing import Any

import numpy as np
from tests.diagnosis.corpus.operation import Array
from tests.diagnosis.corpus.operations import OPERATIONS
from tests.diagnosis.corpus.reductions import softmax

Jvp = Callable[..., Array]


def product(t: tuple[Array, ...], x: Array, y: Array) -> Array:
    return t[0] * y + x * t[1]


def dense(t: tuple[Array, ...], x: Array, w: Array, b: Array) -> Array:
    return t[0] @ w + x @ t[1] + t[2]


def conv2d(t: tuple[Array, ...], x: Array, w: Array, b: Array) -> Array:
    """Linear in x, and in (w, b)."""
    forward = OPERATIONS["conv2d"].forward
    return forward(t[0], w, 0 * b) + forward(x, t[1], t[2])


def soft(t: Array, x: Array) -> Array:
    y = softmax(x)
    return y * (t - (y * t).sum(-1, keepdims=True))


JVPS: dict[str, Jvp] = {
    "tanh": lambda t, x: t * (1 - np.tanh(x) ** 2),
    "relu": lambda t, x: t * (x > 0),
    "softmax": soft,
    "logsumexp": lambda t, x: (softmax(x) * t).sum(-1),
    "mean": lambda t, x: t.mean(1),
    "running sum": lambda t, x: np.cumsum(t, 1),
    "product": product,
    "dense": dense,
    "conv2d": conv2d,
}


def scaled(name: str, factor: float) -> Jvp:
    return lambda t, *arguments: factor * JVPS[name](t, *arguments)


def only_the_first(t: tuple[Any, ...], *arguments: Array) -> tuple[Any, ...]:
    return (t[0], *(0 * part for part in t[1:]))


WRONG: dict[str, tuple[str, Jvp]] = {
    **{
        f"{name}: {note}": (name, scaled(name, factor))
        for name in JVPS
        for note, factor in (("no tangent", 0.0), ("twice", 2.0), ("half", 0.5), ("the other sign", -1.0))
    },
    "product: y does not move": ("product", lambda t, x, y: t[0] * y),
    "dense: w does not move": ("dense", lambda t, x, w, b: t[0] @ w + t[2]),
    "dense: b does not move": ("dense", lambda t, x, w, b: t[0] @ w + x @ t[1]),
    "conv2d: only x moves": ("conv2d", lambda t, *arguments: conv2d(only_the_first(t), *arguments)),
    "softmax: the diagonal alone": ("softmax", lambda t, x: t * softmax(x) * (1 - softmax(x))),
    "softmax: the sum is forgotten": ("softmax", lambda t, x: t * softmax(x)),
    "running sum: it runs backwards": ("running sum", lambda t, x: np.cumsum(t[:, ::-1], 1)[:, ::-1]),
    "mean: the sum": ("mean", lambda t, x: t.sum(1)),
    "relu: no mask": ("relu", lambda t, x: t * 1),
    "tanh: the tangent itself": ("tanh", lambda t, x: t * 1),
    "tanh: the output": ("tanh", lambda t, x: np.tanh(x)),
    "tanh: one entry is doubled": (
        "tanh",
        lambda t, x: JVPS["tanh"](t, x) * np.where(np.arange(x.size) == 7, 2, 1).reshape(x.shape),
    ),
}
