"""Operations on each entry alone, and products of tensors: activations, broadcasts, dense layers, recurrences."""

from __future__ import annotations

__all__ = ["OPERATIONS", "dense", "gelu", "gelu_slope", "recurrent", "sigmoid", "unrolled"]

import math
from collections.abc import Callable

import numpy as np
from numpy.random import Generator
from tests.diagnosis.corpus.operation import Array, Backward, Forward, Operation, away, normal

ROOT = math.sqrt(2 / math.pi)
KEEP = 0.8


def sigmoid(x: Array) -> Array:
    return 0.5 * (1 + np.tanh(0.5 * x))


def gelu(x: Array) -> Array:
    return 0.5 * x * (1 + np.tanh(ROOT * (x + 0.044715 * x**3)))


def gelu_slope(x: Array) -> Array:
    t = np.tanh(ROOT * (x + 0.044715 * x**3))
    return 0.5 * (1 + t) + 0.5 * x * (1 - t**2) * ROOT * (1 + 3 * 0.044715 * x**2)


def softplus(x: Array) -> Array:
    return np.logaddexp(x, 0)


def pointwise(function: Forward, slope: Callable[[Array], Array]) -> tuple[Forward, Backward]:
    return function, lambda g, x: (g * slope(x),)


def relu(x: Array) -> Array:
    return np.maximum(x, 0)


def leaky(x: Array) -> Array:
    return np.where(x > 0, x, 0.1 * x)


def silu_slope(x: Array) -> Array:
    s = sigmoid(x)
    return s + x * s * (1 - s)


def clipped(x: Array) -> Array:
    return np.clip(x, -1, 1)


def either_side_of_one(rng: Generator) -> tuple[Array, ...]:
    return (rng.choice([-2, -0.5, 0.3, 3], (4, 5)) + 0.1 * rng.random((4, 5)),)


def dropout(x: Array, kept: Array) -> Array:
    """The mask is an argument; what is kept grows, so that the mean stays."""
    return x * kept / KEEP


def dropout_backward(g: Array, x: Array, kept: Array) -> tuple[Array | None, ...]:
    return g * kept / KEEP, None


def dropped(rng: Generator) -> tuple[Array, ...]:
    return rng.normal(size=(4, 7)), (rng.random((4, 7)) < KEEP).astype(np.int64)


def add_column(x: Array, b: Array) -> Array:
    """[n, i, j] + [i, 1]."""
    return x + b


def add_column_backward(g: Array, x: Array, b: Array) -> tuple[Array, ...]:
    return g, g.sum((0, 2))[:, None]


def scaled(x: Array, s: Array) -> Array:
    """Each channel of [n, c, t] times its own scale [c, 1]."""
    return x * s


def scaled_backward(g: Array, x: Array, s: Array) -> tuple[Array, ...]:
    return g * s, (g * x).sum((0, 2))[:, None]


def product(x: Array, y: Array) -> Array:
    return x * y


def ratio(x: Array, y: Array) -> Array:
    return x / y


def ratio_backward(g: Array, x: Array, y: Array) -> tuple[Array, ...]:
    return g / y, -g * x / y**2


def matmul(a: Array, b: Array) -> Array:
    return a @ b


def dense(x: Array, w: Array, b: Array) -> Array:
    return x @ w + b


def dense_backward(g: Array, x: Array, w: Array, b: Array) -> tuple[Array, ...]:
    return g @ w.T, x.T @ g, g.sum(0)


def matmul_backward(g: Array, a: Array, b: Array) -> tuple[Array, ...]:
    return g @ np.swapaxes(b, -1, -2), np.swapaxes(a, -1, -2) @ g


def bilinear(x: Array, w: Array, y: Array) -> Array:
    """x_ni w_kij y_nj."""
    return np.einsum("ni,kij,nj->nk", x, w, y)


def bilinear_backward(g: Array, x: Array, w: Array, y: Array) -> tuple[Array, ...]:
    dx = np.einsum("nk,kij,nj->ni", g, w, y)
    return dx, np.einsum("nk,ni,nj->kij", g, x, y), np.einsum("nk,kij,ni->nj", g, w, x)


def residual(x: Array, w: Array) -> Array:
    """x goes two ways: straight through, and through a layer."""
    return x + np.tanh(x @ w)


def residual_backward(g: Array, x: Array, w: Array) -> tuple[Array, ...]:
    inner = g * (1 - np.tanh(x @ w) ** 2)
    return g + inner @ w.T, x.T @ inner


def unrolled(x: Array, w: Array, u: Array) -> list[Array]:
    """The states of h = tanh(h w + x_t u), from zero."""
    states = [np.zeros((x.shape[1], w.shape[0]), x.dtype)]
    for x_t in x:
        states.append(np.tanh(states[-1] @ w + x_t @ u))
    return states


def recurrent(x: Array, w: Array, u: Array) -> Array:
    """The last state."""
    return unrolled(x, w, u)[-1]


def recurrent_backward(g: Array, x: Array, w: Array, u: Array) -> tuple[Array, ...]:
    states = unrolled(x, w, u)
    dx, dw, du = np.zeros_like(x), np.zeros_like(w), np.zeros_like(u)
    for t in reversed(range(len(x))):
        inner = g * (1 - states[t + 1] ** 2)
        dx[t], g = inner @ u.T, inner @ w.T
        dw += states[t].T @ inner
        du += x[t].T @ inner
    return dx, dw, du


ONE = ("x",)
OPERATIONS = (
    Operation("relu", ONE, *pointwise(relu, lambda x: x > 0), away((4, 7))),
    Operation("leaky relu", ONE, *pointwise(leaky, lambda x: np.where(x > 0, 1, 0.1)), away((3, 5))),
    Operation("abs", ONE, *pointwise(lambda x: np.abs(x), np.sign), away((3, 5))),
    Operation("clip", ONE, *pointwise(clipped, lambda x: np.abs(x) < 1), either_side_of_one),
    Operation("gelu", ONE, *pointwise(gelu, gelu_slope), normal((5, 3))),
    Operation("silu", ONE, *pointwise(lambda x: x * sigmoid(x), silu_slope), normal((5, 3))),
    Operation("sigmoid", ONE, *pointwise(sigmoid, lambda x: sigmoid(x) * (1 - sigmoid(x))), normal((2, 3, 5))),
    Operation("tanh", ONE, *pointwise(lambda x: np.tanh(x), lambda x: 1 - np.tanh(x) ** 2), normal((3, 5))),
    Operation("softplus", ONE, *pointwise(softplus, sigmoid), normal((3, 5))),
    Operation("dropout", ("x", "kept"), dropout, dropout_backward, dropped),
    Operation("add column", ("x", "b"), add_column, add_column_backward, normal((3, 4, 5), (4, 1))),
    Operation("scale", ("x", "s"), scaled, scaled_backward, normal((3, 4, 5), (4, 1))),
    Operation("product", ("x", "y"), product, lambda g, x, y: (g * y, g * x), normal((4, 3), (4, 3))),
    Operation("ratio", ("x", "y"), ratio, ratio_backward, away((4, 3), (4, 3), least=0.5)),
    Operation("dense", ("x", "w", "b"), dense, dense_backward, normal((5, 3), (3, 7), (7,))),
    Operation("matmul", ("a", "b"), matmul, matmul_backward, normal((4, 5), (5, 3))),
    Operation("bilinear", ("x", "w", "y"), bilinear, bilinear_backward, normal((5, 3), (2, 3, 4), (5, 4))),
    Operation("residual", ("x", "w"), residual, residual_backward, normal((5, 3), (3, 3))),
    Operation(
        "recurrent",
        ("x", "w", "u"),
        recurrent,
        recurrent_backward,
        lambda rng: tuple(0.5 * x for x in normal((5, 3, 2), (4, 4), (2, 4))(rng)),
    ),
)
