"""Right gradients of hard numbers: huge and tiny, saturated, ill-conditioned, at the edge of a domain, steep, noisy."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.random import Generator
from tests.diagnosis.corpus.operation import Array, normal
from tests.diagnosis.corpus.operations import OPERATIONS
from tests.diagnosis.corpus.right import accept
from tests.diagnosis.corpus.windows import conv2d

Sample = Callable[[Generator], tuple[Array, ...]]


def times(sample: Sample, *scales: float) -> Sample:
    return lambda rng: tuple(scale * x for scale, x in zip(scales, sample(rng), strict=True))


def positive(shape: tuple[int, ...], scale: float) -> Sample:
    return lambda rng: (scale * rng.uniform(0.5, 2, shape),)


def known(name: str, note: str, sample: Sample, why: str = "", declined: str = "") -> None:
    accept(f"{name}, {note}", OPERATIONS[name].forward, OPERATIONS[name].backward, sample, declined, why)


# --- scales ---

for scale in (1e-20, 1e20, 1e-100, 1e100):
    known("dense", f"all times {scale:g}", times(OPERATIONS["dense"].sample, scale, scale, scale**2))
known("dense", "x times 1e20, w times 1e-20", times(OPERATIONS["dense"].sample, 1e20, 1e-20, 1))
known("relu", "times 1e-20", times(OPERATIONS["relu"].sample, 1e-20))
known("relu", "times 1e20", times(OPERATIONS["relu"].sample, 1e20))
known("product", "times 1e-150 and 1e150", times(OPERATIONS["product"].sample, 1e-150, 1e150))
known("mse", "times 1e20", times(OPERATIONS["mse"].sample, 1e20, 1e20))
known("mse", "times 1e-20", times(OPERATIONS["mse"].sample, 1e-20, 1e-20))
known("layer norm", "x times 1e6", times(OPERATIONS["layer norm"].sample, 1e6, 1, 1))
known("layer norm", "x times 1e-4", times(OPERATIONS["layer norm"].sample, 1e-4, 1, 1))
known(
    "batch norm", "a mean of 1000", lambda rng: (1000 + rng.normal(size=(7, 3)), rng.normal(size=3), rng.normal(size=3))
)
known("unit", "times 1e-12", times(OPERATIONS["unit"].sample, 1e-12))
known("conv2d", "w times 1e-15", times(OPERATIONS["conv2d"].sample, 1, 1e-15, 1))
accept(
    "squares of 1e-8 beside 1e8",
    lambda x: x**2,
    lambda g, x: g * 2 * x,
    lambda rng: (10.0 ** rng.integers(-8, 9, (3, 4)),),
)
accept("a loss times 1e12", lambda x: 1e12 * np.tanh(x), lambda g, x: 1e12 * g * (1 - np.tanh(x) ** 2), normal((3, 4)))
accept(
    "outputs of unlike size",
    lambda x: x * np.array([1e-9, 1.0, 1e9]),
    lambda g, x: g * np.array([1e-9, 1.0, 1e9]),
    normal((4, 3)),
)
accept(
    "a small term on a large one", lambda x, y: 1e6 * x + y, lambda g, x, y: (1e6 * g, g * 1), normal((3, 4), (3, 4))
)

# --- saturated ---

known("softmax", "logits of 1000", times(OPERATIONS["softmax"].sample, 1000), "nearly all of the gradient underflows")
known("softmax", "logits of 30", times(OPERATIONS["softmax"].sample, 30))
known("log softmax", "logits of 300", times(OPERATIONS["log softmax"].sample, 300))
known("cross entropy", "logits of 1000", lambda rng: (1000 * rng.normal(size=(5, 4)), rng.integers(0, 4, 5)))
known(
    "sigmoid",
    "at 40",
    lambda rng: (rng.choice([-40.0, 40.0], (3, 4)),),
    "1e-18, and then 0 by cancellation",
)
known("tanh", "at 25", lambda rng: (rng.choice([-25.0, 25.0], (3, 4)),), "0 in the forward and the backward")
known("softplus", "at 100", lambda rng: (rng.choice([-100.0, 100.0, 1.0], (3, 4)),))
known("gelu", "at 30", lambda rng: (rng.choice([-30.0, 30.0, 1.0], (3, 4)),))
known("attention", "sharp", times(OPERATIONS["attention"].sample, 30, 30, 1))
accept(
    "exp at -40 and 40",
    lambda x: np.exp(x),
    lambda g, x: g * np.exp(x),
    lambda rng: (rng.choice([-40.0, 40.0], (3, 4)),),
)
accept(
    "a mask of -inf as an argument",
    lambda x, m: OPERATIONS["softmax"].forward(x + m),
    lambda g, x, m: OPERATIONS["softmax"].backward(g, x + m) * 2,
    lambda rng: (rng.normal(size=(4, 4)), np.where(np.tri(4), 0, -np.inf)),
)

# --- one, and narrow ---

known("softmax", "of one class", normal((5, 1)), "the gradient is zero")
known("layer norm", "of width one", normal((3, 4, 1), (1,), (1,)), "the gradient of x is zero")
known("dense", "1 by 1", normal((1, 1), (1, 1), (1,)))
known("dense", "a row of 97", normal((1, 97), (97, 1), (1,)))
known("dense", "a column of 211", normal((211, 1), (1, 2), (2,)))
known("layer norm", "three hundred wide", normal((2, 1, 300), (300,), (300,)))
known("running sum", "three hundred long", normal((1, 300)))
accept("conv2d, one pixel", *conv2d(1, 0), normal((1, 1, 1, 1), (1, 1, 1, 1), (1,)))
accept("conv2d, one filter", *conv2d(2, 2), normal((1, 1, 3, 17), (1, 1, 2, 5), (1,)))
accept("conv2d, padding wider than the image", *conv2d(1, 3), normal((2, 1, 2, 1), (3, 1, 3, 2), (3,)))
known("embedding", "one id a hundred times", lambda rng: (rng.normal(size=(3, 2)), np.zeros(100, np.int64)))

# --- edges of domains ---

accept("sqrt close to 0", lambda x: np.sqrt(x), lambda g, x: g * 0.5 / np.sqrt(x), positive((3, 4), 1e-12))
accept("log close to 0", lambda x: np.log(x), lambda g, x: g / x, positive((3, 4), 1e-20))
accept(
    "arcsine close to 1",
    lambda x: np.arcsin(x),
    lambda g, x: g / np.sqrt((1 - x) * (1 + x)),
    lambda rng: (1 - rng.uniform(1e-9, 1e-8, (3, 4)),),
)
accept("1/x close to 0", lambda x: 1 / x, lambda g, x: -g / x**2, positive((3, 4), 1e-9))
accept("x log x close to 0", lambda x: x * np.log(x), lambda g, x: g * (np.log(x) + 1), positive((3, 4), 1e-10))
accept("logit close to 0", lambda x: np.log(x) - np.log1p(-x), lambda g, x: g / (x * (1 - x)), positive((3, 4), 1e-7))
accept("a power of 1.5 close to 0", lambda x: x**1.5, lambda g, x: g * 1.5 * np.sqrt(x), positive((3, 4), 1e-9))
known(
    "divergence",
    "probabilities of 1e-9",
    lambda rng: (np.stack([1 - 1e-9 * (u := rng.uniform(1, 2, 5)), 1e-9 * u], -1), np.log(np.full((5, 2), 0.5))),
)

# --- steep, ill-conditioned, noisy ---

accept("sin of 300 x", lambda x: np.sin(300 * x), lambda g, x: g * 300 * np.cos(300 * x), normal((3, 4)))
accept(
    "tanh of 1000 x",
    lambda x: np.tanh(1000 * x),
    lambda g, x: g * 1000 * (1 - np.tanh(1000 * x) ** 2),
    lambda rng: (rng.uniform(-1e-3, 1e-3, (3, 4)),),
)
accept("the tenth power", lambda x: x**10, lambda g, x: g * 10 * x**9, normal((3, 4)))
accept(
    "softmax at a temperature of 1/200",
    lambda x: OPERATIONS["softmax"].forward(200 * x),
    lambda g, x: 200 * OPERATIONS["softmax"].backward(g, 200 * x)[0],
    lambda rng: (0.01 * rng.normal(size=(4, 3)),),
)
accept(
    "a difference of large numbers",
    lambda x: (x + 1e8) - 1e8,
    lambda g, x: g * 1,
    normal((3, 4)),
    "not-differentiable",
    "eight digits of the forward are lost",
)


def coarse(x: Array) -> Array:
    """The same with larger numbers, for real arguments alone."""
    if np.iscomplexobj(x):
        raise TypeError("real numbers are needed")
    return (x + 1e10) - 1e10


accept(
    "a number rounded to 2e-6",
    coarse,
    lambda g, x: g * 1,
    normal((1,)),
    "not-differentiable",
    "the rounding is larger than small steps, which show a slope of 0",
)


def nearly_singular(rng: Generator) -> tuple[Array, ...]:
    """A matrix of condition 1e6."""
    q, _ = np.linalg.qr(rng.normal(size=(4, 4)))
    return q @ np.diag([1, 1e-2, 1e-4, 1e-6]) @ q.T, rng.normal(size=4)


def solved_backward(g: Array, a: Array, b: Array) -> tuple[Array, ...]:
    y = np.linalg.solve(a.T, g)
    return -np.outer(y, np.linalg.solve(a, b)), y


accept(
    "a solution with a nearly singular matrix",
    lambda a, b: np.linalg.solve(a, b),
    solved_backward,
    nearly_singular,
    "not-differentiable",
)
accept(
    "a determinant", lambda a: np.linalg.det(a), lambda g, a: g * np.linalg.det(a) * np.linalg.inv(a).T, normal((4, 4))
)
accept(
    "an inverse",
    lambda a: np.linalg.inv(a),
    lambda g, a: -np.linalg.inv(a).T @ g @ np.linalg.inv(a).T,
    lambda rng: (rng.normal(size=(3, 3)) + 4 * np.eye(3),),
)
accept(
    "the sum in float32 of a float64 array",
    lambda x: np.tanh(x.astype(np.float32)).astype(np.float64),
    lambda g, x: g * (1 - np.tanh(x) ** 2),
    normal((3, 4)),
    "not-differentiable",
    "the forward is exact to 1e-7 alone",
)


def fixed_point(x: Array) -> Array:
    """y = tanh(y / 2 + x), iterated until nothing changes by more than 1e-12."""
    y = np.zeros_like(x)
    for _ in range(200):
        y, before = np.tanh(0.5 * y + x), y
        if np.abs(y - before).max(initial=0) < 1e-12:
            break
    return y


def fixed_point_backward(g: Array, x: Array) -> Array:
    slope = 1 - fixed_point(x) ** 2
    return g * slope / (1 - 0.5 * slope)


accept("a fixed point by iteration", fixed_point, fixed_point_backward, normal((3, 4)))
