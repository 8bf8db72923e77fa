"""The network of the sheet, trained and checked (c8), and claims by their ids, with what the documents have (c9)."""

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


# --- c9: claims by name -----------------------------------------------------------------------------------------------

CLAIMS: dict[str, tuple[str, str, str, dict]] = {  # id: left side; the right version; the document's; where they part
    "A1.5": ("L = y[]^2 - 2*y[]*g[] + g[]^2", "L = (y[] - g[])^2", "L = -(y[] - g[])^2", {"y": 1, "g": Q(1, 2)}),
    "A2.3b": ("S = 1/(1 + exp(a[1] - a[0]))", "S = exp(a[0])/sum(k) exp(a[k])", "S = exp(a[0])/exp(sum(k) a[k])",
              {"a": [0, 0]}),
    "A5.3b": ("vjp h: a[n] = sum(j) h[n+j]*w[j]", "dh[n] = sum(j) da[n-j]*w[j] where da: A, da pads 0, n < A+k-1, w: k",
              "dh[n] = sum(j) da[n+j]*w[j] where da: A, da pads 0, n < A+k-1, w: k", {"w": [2, 3], "da": [1, 5, 7]}),
    "B3a": ("Y = 1*c[]", "Y = (0.299 + 0.587 + 0.114)*c[]", "Y = (0.299 + 0.581 + 0.114)*c[]", {"c": 1}),
    "D3g": ("derivative x: f[k] = sigmoid(sum(i) W[k,i]*x[i])",
            "J[k,i] = W[k,i]*sigmoid(t[k])*(1 - sigmoid(t[k])); t[k] = sum(i) W[k,i]*x[i]",
            "J[k,i] = W[i,k]*sigmoid(t[k])*(1 - sigmoid(t[k])); t[k] = sum(i) W[k,i]*x[i]",
            {"W": [[0, 1], [2, 0]], "x": [0, 0]}),
    "E13": ("J = sum(b) c[b]/B where c: B", "J = sum(b<B) c[b]/B where c: B", "J = (sum(b) c[b] + c[0])/B where c: B",
            {"c": [1, 1, 1, 1]}),
    "E15b": ("derivative z: J = (sum(k) y[k])*logsumexp(k) z[k] - sum(k) y[k]*z[k]",
             "g[j] = exp(z[j] - logsumexp(k) z[k])*sum(k) y[k] - y[j]",
             "g[j] = exp(z[j] - logsumexp(k) z[k])*(sum(k) y[k] - y[j]) - y[j]", {"z": [0, 0], "y": [1, 0]}),
}  # fmt: skip


def _side(text: str) -> pb.Formula:
    what, colon, rest = text.partition(": ")
    if not colon or len(what.split()) != 2:
        first, semicolon, second = text.partition("; ")  # an intermediate may be written after what reads it
        return pb.formula(f"{second}; {first}" if semicolon else text, **_free(text))
    kind, by = what.split()
    return getattr(pb.formula(rest), kind)(by)


def _free(text: str) -> dict[str, str]:
    return {name: "" for name in "ygc" if f"{name}[]" in text}


@pytest.mark.parametrize("claim", CLAIMS)
def test_c9_claims_and_what_the_documents_have(claim: str, exact: None) -> None:
    """The right version equals in exact numbers, also at random ones; the document's differs at its counterexample."""
    left, right, wrong, given = CLAIMS[claim]

    def value(text: str, numbers: dict) -> list:
        formula = _side(text)
        return np.ravel(formula(**{name: numbers[name] for name in formula.inputs if name in numbers})).tolist()

    def equal(one: list, other: list) -> bool:
        differences = [a - b for a, b in zip(one, other, strict=True)]
        return all(d.contains(Q(0)) if hasattr(d, "contains") else d == 0 for d in differences)

    assert equal(value(left, given), value(right, given))
    assert not equal(value(left, given), value(wrong, given))
    for _ in range(5):
        drawn = {name: np.vectorize(lambda _: Q(int(RNG.integers(-9, 10)), 7), otypes=[object])(old).tolist()
                 for name, old in given.items()}  # fmt: skip
        assert equal(value(left, drawn), value(right, drawn))
