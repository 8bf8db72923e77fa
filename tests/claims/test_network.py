"""The network of the sheet, trained and checked (c8)."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction as Q
from typing import Any

import numpy as np
import pytest
from tests.claims.scene import Array, model_of, slope

import paperback as pb
from paperback import engines, learn, nn

RNG = np.random.default_rng(21)


@pytest.fixture
def exact(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Formulas and models run on the exact engine."""
    monkeypatch.setattr(engines._chosen, "engine", None)  # put back afterwards
    pb.use(engine="exact")
    yield


# --- c8: the network of the sheet -------------------------------------------------------------------------------------


def test_c8_central_differences_of_the_sheets_network() -> None:
    """conv, relu, pool twice, dense twice, cross-entropy: every entry of all 8 parameter arrays and of x."""
    net = nn.Sequential(
        nn.Conv2d(2, 3, flip=True), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(2, 2, flip=True), nn.ReLU(), nn.MaxPool2d(2),
        nn.Flatten(), nn.Dense(4), nn.ReLU(), nn.Dense(3),
    )  # fmt: skip
    model = model_of(net, (8, 8, 1), seed=3)
    x, y = RNG.normal(size=(3, 8, 8, 1)), np.array([0, 2, 1])
    value, gradients = model.loss_and_gradients(x, y)

    def loss_with(name: str, values: Array) -> float:
        model.set_parameters({name: values})
        return model.evaluate(x, y)["loss"]

    ran = 0
    for name, array in dict(model.parameters).items():
        found = slope(lambda values, own=name: loss_with(own, values), np.array(array))
        assert gradients[name] == pytest.approx(found, rel=1e-6, abs=1e-6)
        model.set_parameters({name: array})
        ran += array.size
    by_input = slope(lambda values: model.evaluate(values, y)["loss"], x)
    assert gradients["input"] == pytest.approx(by_input, rel=1e-6, abs=1e-6)
    assert value == model.evaluate(x, y)["loss"]
    assert (ran, len(model.parameters)) == (18 + 2 + 16 + 2 + 8 + 4 + 12 + 3, 8)


def test_c8_a_gradient_checker(monkeypatch: pytest.MonkeyPatch) -> None:
    """It tells right gradients from each that is scaled, dropped or shifted; against differences and exactly."""
    net = nn.Sequential(
        nn.Conv2d(2, (3, 2), flip=True), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(), nn.Dropout(0.25), nn.Dense(3)
    )
    model = model_of(net, (6, 5, 1), dtype="float32")
    x, y = RNG.normal(size=(3, 6, 5, 1)).astype("float32"), np.array([0, 2, 1])
    before = model._state
    for against, limit in (("differences", 1e-7), ("exact", 1e-13)):
        errors = model.check_gradients(x, y, against=against)
        assert errors.keys() == {*model.parameters, "input"}
        assert all(error < limit for error in errors.values()), errors
    assert model._state is before
    right = pb.Model.__mro__[1].loss_and_gradients
    for name in ("conv2d_1.w", "conv2d_1.b", "dense_1.w", "input"):
        for wrong in (lambda g: 1.01 * g, np.zeros_like, lambda g: np.roll(g, 1), lambda g: -g):

            def planted(self: pb.Model, *args: Any, own: str = name, change: Any = wrong) -> tuple:
                value, gradients = right(self, *args)
                exact = self.engine == "exact"
                return value, {**gradients, own: gradients[own] if exact else change(gradients[own])}

            monkeypatch.setattr(pb.Model.__mro__[1], "loss_and_gradients", planted)
            errors = model.check_gradients(x, y)
            assert errors.pop(name) > 1e-5
            assert all(error < 1e-6 for error in errors.values())
    exact = model.check_gradients(x, y, against="exact")  # with the last of them
    assert [name for name, error in exact.items() if error > 1e-12] == ["input"]
    with pytest.raises(pb.ModelError, match='against is "differences" or "exact", found \'torch\''):
        model.check_gradients(x, y, against="torch")


def test_c8_a_step_of_plain_gradient_descent() -> None:
    """theta - eta/B * sum of gradients, all from the parameters before (E31): J falls by about eta*|gradient|^2."""
    net = learn.presets.lenet((8, 8, 1), 10)
    model, data = model_of(net, (8, 8, 1)), pb.data.load()
    x, y, eta = data.x[:32], data.y[:32], 1e-5
    before, start = model.loss_and_gradients(x, y), dict(model.parameters)
    each = [model.loss_and_gradients(x[i : i + 1], y[i : i + 1])[1] for i in range(32)]
    model.train_step(optimizer=pb.optim.SGD(eta))(x, y)
    for name, array in model.parameters.items():
        mean = sum(own[name] for own in each) / 32
        assert array == pytest.approx(start[name] - eta * mean, rel=1e-12, abs=1e-15)
    fall = before[0] - model.evaluate(x, y)["loss"]
    norm = sum(np.square(before[1][name]).sum() for name in start)
    assert fall == pytest.approx(eta * norm, rel=0.01)


def test_c8_exact_fractions(exact: None) -> None:
    """Rational in, rational out, up to the softmax: forward, Jacobian and gradients."""
    net = pb.formula("h[n] = relu(sum(j) x[n+j]*w[j]); p[i] = max(q<2) h[2*i+q]; y = sum(i) p[i]*v[i]")
    given = {"x": [Q(1, 3), 2, Q(-1, 2), 1, Q(5, 7)], "w": [Q(1, 2), 3], "v": [Q(1, 5), 2]}
    a = [given["x"][n] * Q(1, 2) + given["x"][n + 1] * 3 for n in range(4)]
    h = [max(value, Q(0)) for value in a]
    p = [max(h[0], h[1]), max(h[2], h[3])]
    assert net(**given) == p[0] * Q(1, 5) + p[1] * 2
    found = net.gradients(given, 1)
    assert found["v"].tolist() == p
    where = [0 if h[0] >= h[1] else 1, 2 if h[2] >= h[3] else 3]
    by_w = [sum(v * given["x"][n + j] for v, n in zip(given["v"], where, strict=True) if a[n] > 0) for j in (0, 1)]
    assert found["w"].tolist() == by_w
    assert all(isinstance(value, Q) for value in found["x"])
    S = pb.formula("S[i] = exp(z[i] - logsumexp(k) z[k])")(z=[0, 0])
    assert all(entry.contains(Q(1, 2)) and entry.width < Q(1, 10**45) for entry in S)
