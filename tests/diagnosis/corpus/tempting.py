"""Right gradients at kinks and ties, beside jumps, of odd forwards, and in odd forms.

At a kink every value between the two one-sided slopes is right, and conventions differ: all of them are here.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.random import Generator
from tests.diagnosis.corpus.operation import Array, apart, away, normal
from tests.diagnosis.corpus.operations import OPERATIONS
from tests.diagnosis.corpus.right import accept
from tests.diagnosis.corpus.windows import patches, spread

KINK = "kink not-differentiable"


def some_at(value: float) -> Callable[[Generator], tuple[Array, ...]]:
    """Half of the entries exactly there."""
    return lambda rng: (np.where(rng.random((4, 7)) < 0.5, value, away((4, 7))(rng)[0] + value),)


def relu(x: Array) -> Array:
    return np.maximum(x, 0)


# --- at kinks ---

zeros = lambda rng: (np.zeros((3, 4)),)  # noqa: E731
accept("relu at 0, slope 0", relu, lambda g, x: g * (x > 0), some_at(0))
accept("relu at 0, slope 1", relu, lambda g, x: g * (x >= 0), some_at(0))
accept("relu at 0, slope 1/2", relu, lambda g, x: g * np.heaviside(x, 0.5), some_at(0))
accept("relu of zeros alone", relu, lambda g, x: g * (x > 0), zeros, KINK)
accept(
    "relu at -0.0",
    relu,
    lambda g, x: g * (x > 0),
    lambda rng: (np.where(rng.random((4, 5)) < 0.3, -0.0, away((4, 5))(rng)[0]),),
)
accept("relu close to 0", relu, lambda g, x: g * (x > 0), lambda rng: (rng.choice([-1e-9, 1e-9, -1.0, 2.0], (4, 7)),))
accept("relu in float32 at 0", relu, lambda g, x: g * (x > 0), lambda rng: (some_at(0)(rng)[0].astype(np.float32),))
accept(
    "leaky relu at 0, left slope",
    lambda x: np.where(x > 0, x, 0.1 * x),
    lambda g, x: g * np.where(x > 0, 1, 0.1),
    some_at(0),
)
accept(
    "leaky relu at 0, right slope",
    lambda x: np.where(x > 0, x, 0.1 * x),
    lambda g, x: g * np.where(x >= 0, 1, 0.1),
    some_at(0),
)
accept("abs at 0, slope 0", lambda x: np.abs(x), lambda g, x: g * np.sign(x), some_at(0))
accept("abs at 0, slope 1", lambda x: np.abs(x), lambda g, x: g * np.where(x >= 0, 1, -1), some_at(0))
accept("clip at the bounds, open", lambda x: np.clip(x, -1, 1), lambda g, x: g * (np.abs(x) < 1), some_at(1))
accept("clip at the bounds, closed", lambda x: np.clip(x, -1, 1), lambda g, x: g * (np.abs(x) <= 1), some_at(-1))
accept("hinge at 1", lambda x: np.maximum(0, 1 - x).sum(), lambda g, x: -g * (x < 1), some_at(1))
accept(
    "absolute error at equality",
    lambda x, y: np.abs(x - y).mean(),
    lambda g, x, y: (g * np.sign(x - y) / x.size, -g * np.sign(x - y) / x.size),
    lambda rng: (lambda x: (x, np.where(rng.random((4, 5)) < 0.4, x, x + 1)))(rng.normal(size=(4, 5))),
)
accept(
    "huber at its threshold",
    lambda x: np.where(np.abs(x) <= 1, x**2 / 2, np.abs(x) - 0.5),
    lambda g, x: g * np.clip(x, -1, 1),
    some_at(1),
)
accept("relu six at six", lambda x: np.minimum(np.maximum(x, 0), 6), lambda g, x: g * ((x > 0) & (x < 6)), some_at(6))
accept(
    "hard sigmoid at its corners",
    lambda x: np.clip(x / 6 + 0.5, 0, 1),
    lambda g, x: g * (np.abs(x) < 3) / 6,
    some_at(3),
)
accept(
    "interpolation at its nodes",
    lambda x: np.interp(x, [-2, 0, 1, 3], [0, 1, -1, 2]),
    lambda g, x: g * np.select([x < -2, x < 0, x < 1, x < 3], [0, 0.5, -2, 1.5], 0),
    some_at(0),
)
accept(
    "relu after a dense layer of zeros",
    lambda x, w: relu(x @ w),
    lambda g, x, w: ((g * (x @ w > 0)) @ w.T, x.T @ (g * (x @ w > 0))),
    lambda rng: (np.where(np.arange(5)[:, None] == 2, 0, rng.normal(size=(5, 3))), rng.normal(size=(3, 4))),
)

# --- ties ---


def pool(x: Array) -> Array:
    return patches(x, (2, 2), 2).max((4, 5))


def pooled(share: Callable[[Array], Array]) -> Callable[[Array, Array], Array]:
    """The gradient of a maximum over windows, shared among the equal."""

    def backward(g: Array, x: Array) -> Array:
        seen = patches(x, (2, 2), 2)
        flat = (seen == seen.max((4, 5), keepdims=True)).reshape(*seen.shape[:4], 4)
        return spread(g[..., None, None] * share(flat).reshape(seen.shape), x.shape, 2)

    return backward


def ties(rng: Generator) -> tuple[Array, ...]:
    return (rng.integers(0, 3, (2, 3, 4, 6)).astype(float),)


def first(equal: Array) -> Array:
    return equal & (np.cumsum(equal, -1) == 1)


def last(equal: Array) -> Array:
    return first(equal[..., ::-1])[..., ::-1]


accept("max pool with ties, to the first", pool, pooled(first), ties, KINK)
accept("max pool with ties, to the last", pool, pooled(last), ties, KINK)
accept("max pool with ties, in equal parts", pool, pooled(lambda e: e / e.sum(-1, keepdims=True)), ties, KINK)
accept(
    "max pool of a rectified image",
    lambda x: pool(relu(x)),
    lambda g, x: pooled(first)(g, relu(x)) * (x > 0),
    lambda rng: (apart((2, 2, 4, 6), rng) - 1,),
    KINK,
)
accept(
    "maximum of equal arrays, halves",
    np.maximum,
    lambda g, x1, x2: (g * 0.5, g * 0.5),
    lambda rng: (lambda x: (x, x.copy()))(rng.normal(size=(3, 4))),
    KINK,
)
accept(
    "maximum with some equal, to the first",
    lambda x, y: np.maximum(x, y),
    lambda g, x, y: (g * (x >= y), g * (x < y)),
    lambda rng: (lambda x: (x, np.where(rng.random((3, 4)) < 0.3, x, x + rng.choice([-1, 1], (3, 4)))))(
        rng.normal(size=(3, 4))
    ),
)
accept(
    "sorted, with ties",
    lambda x: np.sort(x),
    lambda g, x: g[np.argsort(np.argsort(x, kind="stable"), kind="stable")],
    lambda rng: (rng.permutation([0.0, 1.0, 1.0, 2.0, 5.0]),),
    KINK,
)
accept(
    "logsumexp with ties",
    OPERATIONS["logsumexp"].forward,
    OPERATIONS["logsumexp"].backward,
    lambda rng: (rng.integers(0, 2, (3, 2, 5)).astype(float),),
)
accept(
    "median",
    lambda x: np.median(x, 1),
    lambda g, x: g[:, None] * (x == np.median(x, 1, keepdims=True)),
    lambda rng: (apart((4, 5), rng),),
)

# --- jumps, and beside them ---

accept("floor", np.floor, lambda g, x: 0 * g, lambda rng: (rng.integers(-3, 3, (3, 4)) + 0.5,))
accept(
    "sign, and the step",
    lambda x: np.sign(x) + (x > 0.5),
    lambda g, x: 0 * g,
    lambda rng: (rng.choice([-2.0, 0.2, 3.0], (3, 4)),),
)
accept(
    "one-hot of the largest",
    lambda x: np.eye(x.shape[1])[x.argmax(1)],
    lambda g, x: 0 * x,
    lambda rng: (apart((4, 3), rng),),
)
accept(
    "close to a jump",
    lambda x: np.where(x > 1, 5.0, 0.0) + x**2,
    lambda g, x: g * 2 * x,
    lambda rng: (1 + rng.choice([-1e-4, 1e-4], (3, 4)),),
)
accept(
    "a sawtooth",
    lambda x: x - np.floor(x),
    lambda g, x: g * 1,
    lambda rng: (rng.integers(-3, 3, (3, 4)) + rng.uniform(0.2, 0.8, (3, 4)),),
)

# --- what complex numbers would break ---

accept("x times its conjugate", lambda x: np.real(x * np.conj(x)), lambda g, x: g * 2 * x, normal((3, 4)))
accept(
    "the length of rows",
    lambda x: np.linalg.norm(x, axis=1),
    lambda g, x: (g / np.linalg.norm(x, axis=1))[:, None] * x,
    normal((4, 3)),
)
accept(
    "hypotenuse",
    lambda x, y: np.hypot(x, y),
    lambda g, x, y: (g * x / np.hypot(x, y), g * y / np.hypot(x, y)),
    normal((3, 4), (3, 4)),
)
accept("a forward that takes real parts", lambda x: np.real(x) ** 3, lambda g, x: g * 3 * x**2, normal((3, 4)))
accept(
    "a forward that converts",
    lambda x: np.sin(np.array([[float(v.real) for v in row] for row in x])),
    lambda g, x: g * np.cos(x),
    normal((3, 4)),
)
accept("a product with its absolute value", lambda x: x * np.abs(x), lambda g, x: g * 2 * np.abs(x), normal((3, 4)))
accept(
    "the sorted row",
    lambda x: np.sort(x, 1),
    lambda g, x: np.take_along_axis(g, np.argsort(np.argsort(x, 1), 1), 1),
    lambda rng: (apart((3, 5), rng),),
)

# --- odd forms ---

accept("a Python number out", lambda x: float((x.real**2).sum()), lambda g, x: g * 2 * x, normal((3, 4)))
accept("no axes at all", lambda x, y: x * np.sin(y), lambda g, x, y: (g * np.sin(y), g * x * np.cos(y)), normal((), ()))
accept("one entry", lambda x: np.exp(x), lambda g, x: g * np.exp(x), normal((1,)))
accept("the argument itself", lambda x: x, lambda g, x: g, normal((3, 4)))
accept("a view of the argument", lambda x: x.T, lambda g, x: g.T, normal((3, 4)))
accept("a gradient of stride 0", lambda x: x.sum(1), lambda g, x: np.broadcast_to(g[:, None], x.shape), normal((3, 4)))
accept("a list of gradients", lambda x, y: x * y, lambda g, x, y: [g * y, g * x], normal((3, 4), (3, 4)))
accept(
    "three outputs",
    lambda x: (x**2, x.sum(), np.tanh(x[0])),
    lambda g, x: 2 * g[0] * x + g[1] + np.concatenate([(g[2] * (1 - np.tanh(x[0]) ** 2))[None], 0 * x[1:]]),
    normal((3, 4)),
)
accept("an output that is a flag", lambda x: (x**2, x > 0), lambda g, x: g[0] * 2 * x, away((3, 4)))
accept("a constant", lambda x: np.ones(3), lambda g, x: np.zeros_like(x), normal((3, 4)))
accept(
    "an argument that is not used",
    lambda x, y: np.sin(x),
    lambda g, x, y: (g * np.cos(x), np.zeros_like(y)),
    normal((3, 4), (2,)),
)
accept(
    "an output of no entries", lambda x: x[:0], lambda g, x: np.zeros_like(x), normal((3, 4)), "empty nothing-to-judge"
)
accept("twice and minus", lambda x, y: 2 * x - y, lambda g, x, y: (2 * g, -g), normal((3, 4), (3, 4)))
accept("its own derivative", lambda x: np.exp(x), lambda g, x: g * np.exp(x), normal((3, 4)))
accept("symmetric arguments", lambda x, y: x + y, lambda g, x, y: (g, g), normal((3, 4), (3, 4)))
accept(
    "the same array twice",
    lambda x, y: x * y,
    lambda g, x, y: (g * y, g * x),
    lambda rng: (lambda x: (x, x))(rng.normal(size=(3, 4))),
)
accept(
    "flags for a mask",
    lambda x, m: np.where(m, x, 0) ** 2,
    lambda g, x, m: (2 * g * np.where(m, x, 0), None),
    lambda rng: (rng.normal(size=(3, 4)), rng.random((3, 4)) < 0.5),
)
for kind in ("int32", "uint8"):
    accept(
        f"ids of {kind}",
        OPERATIONS["embedding"].forward,
        OPERATIONS["embedding"].backward,
        lambda rng, kind=kind: (rng.normal(size=(7, 4)), rng.integers(0, 7, (3, 5)).astype(kind)),
    )
accept(
    "gradients of real arguments alone",
    OPERATIONS["embedding"].forward,
    lambda g, table, ids: OPERATIONS["embedding"].backward(g, table, ids)[0],
    OPERATIONS["embedding"].sample,
)


# --- forwards that are no functions ---


def noisy(x: Array) -> Array:
    return x * (np.random.default_rng().random(x.shape) < 0.5)


def seeded(x: Array) -> Array:
    return x * (np.random.default_rng(0).random(x.shape) < 0.5)


def counter() -> Callable[..., Any]:
    calls = [0]

    def forward(x: Array) -> Array:
        calls[0] += 1
        return x**2 + calls[0]

    return forward


accept("dropout without a seed", noisy, lambda g, x: g * 0.5, normal((5, 7)), "forward-random")
accept("dropout with a seed", seeded, lambda g, x: g * seeded(np.ones_like(x)), normal((5, 7)))
accept("a forward that counts its calls", counter(), lambda g, x: 2 * g * x, normal((3, 4)), "forward-random")
accept(
    "a forward that is nowhere finite", lambda x: np.log(-np.abs(x)), lambda g, x: g / x, normal((3, 4)), "forward-nan"
)
