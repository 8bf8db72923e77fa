"""Layers of courses: the gradients of their parameters are found where `backward` leaves them, and judged."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from paperback.diagnosis import doctor
from paperback.diagnosis.arrays import Array

X = np.random.default_rng(0).standard_normal((5, 3))
W, B = np.random.default_rng(1).standard_normal((3, 4)), np.random.default_rng(2).standard_normal(4)


class Dense:
    """Gradients in attributes."""

    factor = 1.0

    def __init__(self) -> None:
        self.w, self.b = W.copy(), B.copy()

    def forward(self, x: Array) -> Array:
        self.x = x
        return x @ self.w + self.b

    def gradients(self, g: Array) -> tuple[Array, Array, Array]:
        return g @ self.w.T, self.factor * self.x.T @ g, g.sum(0)

    def backward(self, g: Array) -> Any:
        dx, self.dw, self.db = self.gradients(g)
        return dx


class Called:
    """No `forward`: it is called; capitals; gradients are added up, from zero."""

    def __init__(self) -> None:
        self.W, self.b, self.dW, self.db = W.copy(), B.copy(), np.zeros_like(W), np.zeros_like(B)

    def __call__(self, x: Array) -> Array:
        self.x = x
        return x @ self.W + self.b

    def backward(self, g: Array) -> Array:
        self.dW += Dense.factor * self.x.T @ g
        self.db += g.sum(0)
        return g @ self.W.T


class Held(Dense):
    """Dicts of parameters and of gradients."""

    def __init__(self) -> None:
        self.params: dict[str, Array] = {"w": W.copy(), "b": B.copy()}
        self.grads: dict[str, Array] = {}

    def forward(self, x: Array) -> Array:
        self.w, self.b = self.params.values()
        return super().forward(x)

    def backward(self, g: Array) -> Array:
        dx, self.grads["w"], self.grads["b"] = self.gradients(g)
        return dx


class Listed(Dense):
    """Lists of both, written in place."""

    def __init__(self) -> None:
        self.params, self.grads = [W.copy(), B.copy()], [np.zeros_like(W), np.zeros_like(B)]

    def forward(self, x: Array) -> Array:
        w, b = self.params
        self.x = x
        return x @ w + b

    def backward(self, g: Array) -> Array:
        self.grads[0][...], self.grads[1][...] = self.factor * self.x.T @ g, g.sum(0)
        return g @ self.params[0].T


class Returned(Dense):
    """All gradients are returned."""

    def backward(self, g: Array) -> tuple[Array, Array, Array]:
        return self.gradients(g)


class Stepped(Dense):
    """Backward takes a step."""

    def backward(self, g: Array, learning_rate: float) -> Any:
        dx, dw, db = self.gradients(g)
        self.w -= learning_rate * dw
        self.b = self.b - learning_rate * db
        return dx


LAYERS = {Dense: "w", Called: "W", Held: "w", Listed: "0", Returned: "w", Stepped: "w"}


@pytest.mark.parametrize("kind", LAYERS)
def test_the_parameters_are_judged(kind: type[Any]) -> None:
    layer = kind()
    before = {name: np.array(value) for name, value in vars(layer).items() if isinstance(value, np.ndarray)}
    report = doctor(layer, X)
    assert report.ok and len(report.arguments) == 3, str(report)
    assert LAYERS[kind] in report.arguments
    assert set(vars(layer)) == set(vars(kind())), "something is left behind"
    assert all(np.array_equal(getattr(layer, name), value) for name, value in before.items())


@pytest.mark.parametrize("kind", LAYERS)
def test_a_wrong_one_is_named(kind: type[Any], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Dense, "factor", 3.0)
    report = doctor(kind(), X)
    (found,) = [f for f in report.findings if f.judgement == "wrong"]
    assert (found.pattern, found.argument) == ("missing-mean", LAYERS[kind]) and "factor" in found.also


def test_an_activation_may_be_given_a_learning_rate() -> None:
    class Tanh:
        def forward(self, x: Array) -> Array:
            self.x = x
            return np.tanh(x)

        def backward(self, g: Array, learning_rate: float) -> Array:
            return g * (1 - np.tanh(self.x) ** 2)

    assert doctor(Tanh(), X).ok


def test_a_layer_that_goes_by_an_old_input_is_found() -> None:
    class Stale(Dense):
        def forward(self, x: Array) -> Array:
            self.x = getattr(self, "x", x)
            return x @ self.w + self.b

    report = doctor(Stale(), X)
    assert report.pattern == "stale-saved" and report.findings[0].argument == "w", str(report)


def test_a_gradient_taken_after_the_step_is_found() -> None:
    class Late(Dense):
        def backward(self, g: Array, lr: float) -> Any:
            self.w = self.w - lr * self.x.T @ g
            self.b = self.b - lr * g.sum(0)
            return g @ self.w.T

    report = doctor(Late(), X)
    assert [f.argument for f in report.findings if f.judgement == "wrong"] == ["x"], str(report)
    assert report.arguments["w"].verdict == report.arguments["b"].verdict == "right"
