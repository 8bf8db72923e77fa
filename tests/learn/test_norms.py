"""Norms of gradients by layer (claim D4): against NumPy, by hand; what a skip adds, and what it does not promise."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from tests.learn.test_chain import NETS, example

from paperback.errors import ModelError
from paperback.jacobians.linear import LinearMap
from paperback.learn.model import Model
from paperback.learn.studies import norms
from paperback.nn import layers as nn
from paperback.nn.losses import mean_squared_error

Array = np.ndarray[Any, Any]
HALF = mean_squared_error(half=True)


def plain_and_skip(depth: int, scale: float, width: int = 5) -> tuple[Model, Model]:
    """The same layers y = tanh(W x), W random and of that norm, one after the other and each with a skip."""
    rng = np.random.default_rng(3)
    weights = [rng.normal(0, 1, (width, width)) for _ in range(depth)]
    layers = [(nn.Dense(width, bias=False), nn.Tanh()) for _ in range(depth)]
    plain = nn.Sequential(*(layer for pair in layers for layer in pair))
    skip = nn.Sequential(*(nn.Residual(*pair) for pair in layers))
    made = Model(plain, (width,), dtype="float64"), Model(skip, (width,), dtype="float64")
    for model in made:
        model.set_parameters({
            f"dense_{place}.w": scale * w / np.linalg.norm(w, 2) for place, w in enumerate(weights, 1)
        })  # fmt: skip
    return made


def batch(count: int = 3, width: int = 5) -> tuple[Array, Array]:
    rng = np.random.default_rng(8)
    return rng.normal(0, 1, (count, width)), rng.normal(0, 1, (count, width))


def check_by_hand() -> int:
    """A plain network in NumPy: every gradient, every spectral norm, every product of norms. How many were compared."""
    model, _ = plain_and_skip(3, 1.5)
    x, y = batch()
    values, weights = [x], [model.parameters[f"dense_{place}.w"] for place in (1, 2, 3)]
    for w in weights:
        values.append(np.tanh(values[-1] @ w))
    found = model.gradient_norms(x, y, loss=HALF)
    g = (values[-1] - y) / x.size
    bound = np.linalg.norm(g)
    compared = 0

    def compare(tensor: str, factor: float) -> None:
        nonlocal compared
        line = found[tensor]
        (term,) = line.terms
        assert not term.skip
        expected = [np.linalg.norm(g), np.linalg.norm(g), bound, factor]
        measured = [line.gradient, term.gradient, line.bound, term.factor]
        np.testing.assert_allclose(measured, expected, rtol=1e-7, err_msg=tensor)
        compared += 4

    compare("tanh_3", bound)
    for place in (3, 2, 1):
        slopes = 1 - values[place] ** 2
        g, bound = g * slopes, bound * slopes.max()
        compare(f"dense_{place}", slopes.max())
        w = weights[place - 1]
        g, bound = g @ w.T, bound * np.linalg.norm(w, 2)
        compare(f"tanh_{place - 1}" if place > 1 else "input", float(np.linalg.norm(w, 2)))
    return compared


def test_a_plain_network_by_hand() -> None:
    assert check_by_hand() == 28


SMALL = [name for name in NETS if name != "lenet"]


def check_laws() -> tuple[int, int]:
    """A gradient is at most its bound and the sum of its terms; the input's is that of the engine. (lines, skips)."""
    lines = skips = 0
    for name in SMALL:
        model, x, y, settings = example(name)
        found = model.gradient_norms(x, y, **settings)
        for line in found.layers:
            assert line.gradient <= line.bound * (1 + 1e-6) and line.terms
            assert line.gradient <= sum(term.gradient for term in line.terms) * (1 + 1e-9)
            lines, skips = lines + 1, skips + sum(term.skip for term in line.terms)
        _, gradients = model.loss_and_gradients(
            x, y, training=settings.get("training", False), loss=settings.get("loss")
        )
        if "input" in gradients:
            np.testing.assert_allclose(found["input"].gradient, np.linalg.norm(gradients["input"]), rtol=1e-9)
            assert found.layers[-1].tensor == "input"
    return lines, skips


def test_the_laws_of_every_network() -> None:
    assert check_laws() == (110, 6)


def test_the_skip_is_the_extra_term() -> None:
    """D4d: behind a residual the gradient is what the block sends back, as without the skip, plus what came in."""
    _, model = plain_and_skip(2, 0.5)
    x, y = batch()
    found = model.gradient_norms(x, y, loss=HALF)
    after, line = found["residual_2"], found["residual_1"]
    skip, block = line.terms
    assert (skip.reader, skip.skip, skip.factor) == ("residual_2.y", True, 1.0)
    assert (block.reader, block.skip) == ("dense_2.y", False)
    assert skip.gradient == pytest.approx(after.gradient, rel=1e-12)
    h = x + np.tanh(x @ model.parameters["dense_1.w"])
    w = model.parameters["dense_2.w"]
    f = np.tanh(h @ w)
    g = (h + f - y) / x.size
    through = (g * (1 - f**2)) @ w.T
    measured = [after.gradient, block.gradient, line.gradient]
    np.testing.assert_allclose(measured, [np.linalg.norm(v) for v in (g, through, g + through)], rtol=1e-9)
    assert line.bound == pytest.approx((1 + block.factor * found["dense_2"].terms[0].factor) * after.gradient)


def test_a_plain_network_loses_what_one_with_skips_keeps() -> None:
    """Twenty layers of norm 1/2: the bound of the plain network is 2^-20, and the one with skips is above it by far."""
    x, y = batch()
    plain, skip = (model.gradient_norms(x, y, loss=HALF) for model in plain_and_skip(20, 0.5))
    start = plain.layers[0].gradient
    assert plain["input"].bound <= start * 2.0**-20 * (1 + 1e-6)
    assert plain["input"].gradient < 1e-6 * start
    assert skip["input"].gradient > 0.5 * skip.layers[0].gradient


def test_an_added_term_is_no_promise() -> None:
    """D4e: a skip mitigates, and prevents nothing: y + f(y) with f(y) = -y sends back 0, where f alone sends -1."""
    found = []
    for last in (nn.Dense(4, bias=False), nn.Residual(nn.Dense(4, bias=False))):
        model = Model(nn.Sequential(nn.Dense(4), nn.Tanh(), last), (5,), dtype="float64")
        model.set_parameters({"dense_2.w": -np.eye(4)})
        x, y = batch()
        found.append(model.gradient_norms(x, y[:, :4], loss=HALF))
    plain, skip = found
    assert plain["tanh_1"].gradient == pytest.approx(plain["dense_2"].gradient) and plain["input"].gradient > 0
    assert skip["residual_1"].gradient > 0 and skip["tanh_1"].gradient == skip["input"].gradient == 0
    assert [(term.factor, term.skip) for term in skip["tanh_1"].terms] == [(1, True), (pytest.approx(1), False)]
    assert [term.gradient for term in skip["tanh_1"].terms] == pytest.approx([skip["residual_1"].gradient] * 2)


def test_it_prints_as_a_table() -> None:
    model = Model(nn.Sequential(nn.Residual(nn.Dense(2, bias=False)), nn.Dense(1, bias=False)), (2,), dtype="float64")
    model.set_parameters({"dense_1.w": [[0, 2], [0, 0]], "dense_2.w": [[3], [4]]})
    found = model.gradient_norms([[1.0, 1.0]], [[0.0]], loss=HALF)
    assert str(found) == """\
y             |dJ/dy|  at most  read by r             |dr/dy|  sent back
dense_2.y          15       15  loss                       15         15
residual_1.y       75       75  dense_2.y                   5         75
dense_1.y          75       75  residual_1.y                1         75
input             176      225  residual_1.y, a skip        1         75
                                dense_1.y                   2        120

J: mean_squared_error(half=True), 1 example"""
    assert json.loads(json.dumps(found.plain()))["layers"][3]["terms"][0] == {
        "reader": "residual_1.y", "factor": 1.0, "gradient": 75.0, "skip": True,
    }  # fmt: skip
    assert "<td>residual_1.y, a skip</td>" in found._repr_html_()
    with pytest.raises(ModelError) as caught:
        found["dense_9"]
    assert str(caught.value) == "gradient_norms: no layer is called 'dense_9'; did you mean dense_2 or dense_1?"


MUTANTS: dict[str, tuple[Any, str, Callable[..., Any], Callable[[], Any]]] = {
    "the last reader's term alone": (
        norms, "_sum", lambda held, sent: sent, check_laws,
    ),
    "the Frobenius norm": (LinearMap, "norm", lambda self, kind="fro": np.linalg.norm(self.dense()), check_by_hand),
    "the smallest singular value": (
        LinearMap, "norm", lambda self, kind="": np.linalg.svd(self.matrix())[1].min(), check_by_hand,
    ),
    "the last example's": (norms, "max", lambda old, new: new, check_by_hand),
    "no square": (norms, "_square", lambda array: float(np.abs(array).sum()), check_by_hand),
}  # fmt: skip


@pytest.mark.parametrize("mistake", MUTANTS)
def test_a_planted_mistake_is_caught(monkeypatch: pytest.MonkeyPatch, mistake: str) -> None:
    place, name, mutant, law = MUTANTS[mistake]
    monkeypatch.setattr(place, name, mutant, raising=False)
    with pytest.raises(AssertionError):
        law()
