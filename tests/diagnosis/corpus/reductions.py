"""Operations that sum: softmaxes, normalisations, attention, losses."""

from __future__ import annotations

__all__ = ["EPSILON", "OPERATIONS", "attention", "normalised", "softmax"]

import math

import numpy as np
from numpy.random import Generator
from tests.diagnosis.corpus.operation import Array, Backward, Forward, Operation, away, normal
from tests.diagnosis.corpus.pointwise import sigmoid

EPSILON = 1e-5


def softmax(x: Array) -> Array:
    e = np.exp(x - x.max(-1, keepdims=True))
    return e / e.sum(-1, keepdims=True)


def softmax_backward(g: Array, x: Array) -> tuple[Array, ...]:
    y = softmax(x)
    return (y * (g - (g * y).sum(-1, keepdims=True)),)


def log_softmax(x: Array) -> Array:
    return x - logsumexp(x)[..., None]


def log_softmax_backward(g: Array, x: Array) -> tuple[Array, ...]:
    return (g - softmax(x) * g.sum(-1, keepdims=True),)


def logsumexp(x: Array) -> Array:
    top = x.max(-1)
    return top + np.log(np.exp(x - top[..., None]).sum(-1))


def logsumexp_backward(g: Array, x: Array) -> tuple[Array, ...]:
    return (g[..., None] * softmax(x),)


def cross_entropy(x: Array, label: Array) -> Array:
    """The mean over the batch."""
    return -log_softmax(x)[np.arange(len(x)), label].mean()


def cross_entropy_backward(g: Array, x: Array, label: Array) -> tuple[Array | None, ...]:
    return g * (softmax(x) - np.eye(x.shape[1])[label]) / len(x), None


def labelled(rng: Generator) -> tuple[Array, ...]:
    return rng.normal(size=(5, 4)), rng.permutation(5) % 4


def mse(x: Array, y: Array) -> Array:
    return ((x - y) ** 2).mean()


def mse_backward(g: Array, x: Array, y: Array) -> tuple[Array, ...]:
    d = g * 2 * (x - y) / x.size
    return d, -d


def binary(x: Array, y: Array) -> Array:
    """Cross-entropy of logits with probabilities, the mean over all."""
    return (np.logaddexp(x, 0) - x * y).mean()


def binary_backward(g: Array, x: Array, y: Array) -> tuple[Array, ...]:
    return g * (sigmoid(x) - y) / x.size, -g * x / x.size


def divergence(p: Array, x: Array) -> Array:
    """Kullback-Leibler of probabilities from log probabilities, per item."""
    return (p * (np.log(p) - x)).sum(-1)


def divergence_backward(g: Array, p: Array, x: Array) -> tuple[Array, ...]:
    return g[:, None] * (np.log(p) - x + 1), -g[:, None] * p


def distributions(rng: Generator) -> tuple[Array, ...]:
    return softmax(0.5 * rng.normal(size=(5, 3))), log_softmax(rng.normal(size=(5, 3)))


def two_parts(x: Array, y: Array) -> Array:
    """The mean over the entries of two parts of unlike size: not the mean of their means."""
    return (np.tanh(x).sum() + np.tanh(y).sum()) / (len(x) + len(y))


def two_parts_backward(g: Array, x: Array, y: Array) -> tuple[Array, ...]:
    count = len(x) + len(y)
    return g * (1 - np.tanh(x) ** 2) / count, g * (1 - np.tanh(y) ** 2) / count


def masked_mean(x: Array, m: Array) -> Array:
    """The mean over what is not masked, of all rows together."""
    return np.asarray((np.tanh(x) * m).sum() / m.sum())


def masked_mean_backward(g: Array, x: Array, m: Array) -> tuple[Array | None, ...]:
    return g * (1 - np.tanh(x) ** 2) * m / m.sum(), None


def ragged(rng: Generator) -> tuple[Array, ...]:
    """Rows of 1 to 4 entries."""
    return rng.normal(size=(4, 5)), (np.arange(5) < np.array([[4], [1], [2], [3]])).astype(np.int64)


def mean(x: Array) -> Array:
    return x.mean(1)


def mean_backward(g: Array, x: Array) -> tuple[Array, ...]:
    return (np.repeat(g[:, None], x.shape[1], 1) / x.shape[1],)


def unit(x: Array) -> Array:
    """Each row at length one."""
    return x / np.sqrt((x**2).sum(-1, keepdims=True))


def unit_backward(g: Array, x: Array) -> tuple[Array, ...]:
    y = unit(x)
    return ((g - y * (g * y).sum(-1, keepdims=True)) / np.sqrt((x**2).sum(-1, keepdims=True)),)


def normalised(x: Array, axes: tuple[int, ...]) -> tuple[Array, Array]:
    """(x - mean) / deviation over some axes, and the deviation."""
    away_from_mean = x - x.mean(axes, keepdims=True)
    deviation = np.sqrt((away_from_mean**2).mean(axes, keepdims=True) + EPSILON)
    return away_from_mean / deviation, deviation


def normalise(axes: tuple[int, ...], per: tuple[int, ...]) -> tuple[Forward, Backward]:
    """Normalised over some axes, then scaled and shifted by parameters that are shared along the axes `per`."""

    def forward(x: Array, scale: Array, shift: Array) -> Array:
        return normalised(x, axes)[0] * scale + shift

    def backward(g: Array, x: Array, scale: Array, shift: Array) -> tuple[Array, ...]:
        y, deviation = normalised(x, axes)
        h = g * scale
        dx = (h - h.mean(axes, keepdims=True) - y * (h * y).mean(axes, keepdims=True)) / deviation
        return dx, (g * y).sum(per).reshape(scale.shape), g.sum(per).reshape(shift.shape)

    return forward, backward


def rms(x: Array, scale: Array) -> Array:
    return x / np.sqrt((x**2).mean(-1, keepdims=True) + EPSILON) * scale


def rms_backward(g: Array, x: Array, scale: Array) -> tuple[Array, ...]:
    size = np.sqrt((x**2).mean(-1, keepdims=True) + EPSILON)
    y, h = x / size, g * scale
    return (h - y * (h * y).mean(-1, keepdims=True)) / size, (g * y).sum(0)


def attention(causal: bool) -> tuple[Forward, Backward]:
    """softmax(q k' / sqrt d) v; with `causal`, a query sees no later key."""

    def weights(q: Array, k: Array) -> Array:
        scores = np.einsum("hqd,hkd->hqk", q, k) / math.sqrt(q.shape[-1])
        seen = np.tri(q.shape[1], k.shape[1]) if causal else 1
        return softmax(np.where(seen, scores, -np.inf))

    def forward(q: Array, k: Array, v: Array) -> Array:
        return np.einsum("hqk,hkd->hqd", weights(q, k), v)

    def backward(g: Array, q: Array, k: Array, v: Array) -> tuple[Array, ...]:
        p = weights(q, k)
        dp = np.einsum("hqd,hkd->hqk", g, v)
        ds = p * (dp - (dp * p).sum(-1, keepdims=True)) / math.sqrt(q.shape[-1])
        dq, dk = np.einsum("hqk,hkd->hqd", ds, k), np.einsum("hqk,hqd->hkd", ds, q)
        return dq, dk, np.einsum("hqk,hqd->hkd", p, g)

    return forward, backward


NORM = ("x", "scale", "shift")
OPERATIONS = (
    Operation("softmax", ("x",), softmax, softmax_backward, normal((5, 4))),
    Operation("log softmax", ("x",), log_softmax, log_softmax_backward, normal((5, 4))),
    Operation("logsumexp", ("x",), logsumexp, logsumexp_backward, normal((3, 2, 5))),
    Operation("cross entropy", ("x", "label"), cross_entropy, cross_entropy_backward, labelled),
    Operation("mse", ("x", "y"), mse, mse_backward, normal((5, 3), (5, 3))),
    Operation(
        "binary cross entropy",
        ("x", "y"),
        binary,
        binary_backward,
        lambda rng: (rng.normal(size=(7, 3)), rng.random((7, 3))),
    ),
    Operation("divergence", ("p", "x"), divergence, divergence_backward, distributions),
    Operation("two parts", ("x", "y"), two_parts, two_parts_backward, normal((3,), (7,))),
    Operation("masked mean", ("x", "m"), masked_mean, masked_mean_backward, ragged),
    Operation("mean", ("x",), mean, mean_backward, normal((3, 5, 2))),
    Operation("unit", ("x",), unit, unit_backward, away((4, 3))),
    Operation("batch norm", NORM, *normalise((0,), (0,)), normal((7, 3), (3,), (3,))),
    Operation("batch norm 2d", NORM, *normalise((0, 2, 3), (0, 2, 3)), normal((4, 3, 2, 5), (3, 1, 1), (3, 1, 1))),
    Operation("layer norm", NORM, *normalise((-1,), (0, 1)), normal((3, 4, 5), (5,), (5,))),
    Operation("rms norm", ("x", "scale"), rms, rms_backward, normal((4, 5), (5,))),
    Operation("attention", ("q", "k", "v"), *attention(False), normal((2, 3, 4), (2, 5, 4), (2, 5, 3))),
    Operation("causal attention", ("q", "k", "v"), *attention(True), normal((2, 5, 3), (2, 5, 3), (2, 5, 4))),
)
