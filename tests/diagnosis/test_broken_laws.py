"""Mistakes without a formula are named by the law of the forward that they break; the corpus has other forwards."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from paperback.diagnosis import doctor
from paperback.diagnosis.arrays import Array

RANDOM = np.random.default_rng(7)
Map = Callable[..., Array]
MIX, X, W = RANDOM.standard_normal((5, 5)), RANDOM.standard_normal((5, 3)), RANDOM.standard_normal((3, 4))
SIGNAL, KERNEL = RANDOM.standard_normal(13), RANDOM.standard_normal(3)
PAST = np.tri(5) * np.exp(RANDOM.standard_normal((5, 5)))
ALL = np.exp(RANDOM.standard_normal((5, 5)))


def cubes(x: Array) -> Array:
    """Each of the three columns of an item with both others."""
    return np.stack([x[:, 0] * x[:, 1] ** 2, x[:, 1] * np.sin(x[:, 2])], 1)


def cubes_backward(g: Array, x: Array) -> Array:
    a, b, c = x.T
    return np.stack([g[:, 0] * b**2, 2 * g[:, 0] * a * b + g[:, 1] * np.sin(c), g[:, 1] * b * np.cos(c)], 1)


def shares(x: Array) -> Array:
    """The same number may be added to a row."""
    y = x - x.mean(1, keepdims=True)
    return np.stack([np.sin(y).sum(1), (y**3).sum(1)], 1)


def shares_without_the_mean(g: Array, x: Array) -> Array:
    y = x - x.mean(1, keepdims=True)
    return g[:, :1] * np.cos(y) + g[:, 1:] * 3 * y**2


def twice(x: Array, w: Array) -> Array:
    return np.tanh(np.tanh(x @ w) @ w.T) @ w


def twice_once(g: Array, x: Array, w: Array) -> tuple[Array, Array]:
    """The last use of w alone counts for it."""
    inner = np.tanh(x @ w)
    outer = np.tanh(inner @ w.T)
    d_outer = g @ w.T * (1 - outer**2)
    d_inner = d_outer @ w * (1 - inner**2)
    return d_inner @ w.T, outer.T @ g


def strided(x: Array, k: Array) -> Array:
    return np.array([np.tanh(x[3 * i : 3 * i + 3] @ k) for i in range(4)])


def strided_backward(step: int) -> Callable[[Array, Array, Array], tuple[Array, Array]]:
    def backward(g: Array, x: Array, k: Array) -> tuple[Array, Array]:
        dx, dk = np.zeros_like(x), np.zeros_like(k)
        for i in range(4):
            inner = g[i] * (1 - np.tanh(x[3 * i : 3 * i + 3] @ k) ** 2)
            dx[step * i : step * i + 3] += inner * k
            dk += inner * x[3 * i : 3 * i + 3]
        return dx, dk

    return backward


CASES = {
    "items": (
        cubes, lambda g, x: cubes_backward(MIX @ g, x), (X,), "x", "items-mixed", "other items' upstream gradients",
    ),
    "past": (
        lambda x: PAST @ np.sin(x), lambda g, x: np.cos(x) * (ALL.T @ g), (X,), "x", "mask-missing",
        "let through to later entries along axis 0, from outputs that do not read them",
    ),
    "added": (
        shares, shares_without_the_mean, (X,), "x", "missing-term",
        "makes its sum along axis 1 0: the forward does not change when a number is added",
    ),
    "uses": (twice, twice_once, (X, W), "w", "overwrite", "for one item of the output its rank is 1, the true one's 3"),
    "stride": (
        strided, strided_backward(2), (SIGNAL, KERNEL), "x", "upstream-transformed",
        "spread with stride 2 along axis 0, where the forward reads with stride 3",
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", CASES)
def test_a_broken_law_is_named(case: str) -> None:
    forward, backward, args, argument, pattern, words = CASES[case]
    found = next(f for f in doctor(forward, backward, args).findings if f.judgement == "wrong")
    assert (found.pattern, found.argument) == (pattern, argument)
    assert words in found.sentence


def test_right_ones_keep_the_laws() -> None:
    assert doctor(cubes, cubes_backward, (X,)).ok
    assert doctor(strided, strided_backward(3), (SIGNAL, KERNEL)).ok


def sigmoid(z: Array) -> Array:
    return 1 / (1 + np.exp(-z))


@pytest.mark.parametrize(
    ("function", "slope", "pattern", "words"),
    [
        (np.tanh, lambda z: 1 - z**2, "wrong-derivative", "computed with 1 - z^2 for the derivative of the last"),
        (np.tanh, np.ones_like, "local-derivative-missing", "without the derivative of the last function, 1 - y^2"),
        (sigmoid, sigmoid, "wrong-derivative", "computed with the forward's output y for the derivative of the last"),
        (
            sigmoid, lambda z: sigmoid(sigmoid(z)) * (1 - sigmoid(sigmoid(z))), "wrong-derivative",
            "computed with sigmoid'(y) for the derivative of the last function, y*(1 - y)",
        ),
        (lambda z: np.log1p(np.exp(z)), np.tanh, "wrong-derivative", "multiplied by another number for each output"),
    ],
)  # fmt: skip
def test_the_derivative_of_the_last_function(function: Map, slope: Map, pattern: str, words: str) -> None:
    def backward(g: Array, x: Array, w: Array) -> tuple[Array, Array]:
        inner = g * slope(x @ w)
        return inner @ w.T, x.T @ inner

    report = doctor(lambda x, w: function(x @ w), backward, (X, W))
    assert {f.argument for f in report.findings} == {"x", "w"}
    for found in report.findings:
        assert found.pattern == pattern and words in found.sentence, found.sentence
        assert found.after is not None and found.after < 1e-9


def test_the_derivative_of_the_first_function() -> None:
    report = doctor(
        lambda x, w: np.tanh(x) @ w, lambda g, x, w: ((g @ w.T) * (1 - np.tanh(x)), np.tanh(x).T @ g), (X, W)
    )
    assert report.pattern == "wrong-derivative"
    assert report.findings[0].sentence == (
        "the gradient of x is computed with 1 - y for the derivative of the first function, 1 - tanh(x)^2"
    )


def of_the_first(g: Array, x: Array) -> Array:
    """Right as long as the first item begins with a positive number."""
    return cubes_backward(g if x[0, 0] > 0 else -g, x)


def test_items_in_another_order_are_the_same_items() -> None:
    x = np.abs(X)
    x[-1] = -x[-1]
    report = doctor(cubes, of_the_first, (x,))
    assert report.pattern == "items-mixed", str(report)
    assert report.findings[0].sentence == (
        "another gradient of x for the same items in another order, though the outputs follow the order"
    )


@pytest.mark.parametrize(
    ("forward", "backward"),
    [
        (lambda x: np.cumsum(x, 0), lambda g, x: np.cumsum(g[::-1], 0)[::-1]),  # the outputs do not follow
        (lambda x: x / x.max(0), None),
        (lambda x: np.broadcast_to(x.max(0), x.shape) * 1, lambda g, x: np.eye(5)[x.argmax(0)].T * g.sum(0)),  # a tie
    ],
)
def test_an_order_that_matters_is_no_mistake(forward: Map, backward: Map | None) -> None:
    def of_the_largest(g: Array, x: Array) -> Array:
        top, at = x.max(0), x.argmax(0)
        return g / top - np.eye(5)[at].T * (g * x).sum(0) / top**2

    x = np.round(np.abs(X), 1) + 0.1
    x[[0, 4]] = 3.0
    assert doctor(forward, backward or of_the_largest, (x,)).ok
