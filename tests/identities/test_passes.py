"""The identities that are applied before a program runs: same outputs, same training, fewer calls; and where not."""

from __future__ import annotations

import numpy as np
import pytest

import paperback as pb
from paperback import nn
from paperback.identities.passes import profitable
from paperback.nn.network import build

S = nn.Sequential


def swapped(*layers: nn.Layer, shape: tuple[int, ...] = (8, 8, 2)) -> list[str]:
    return [str(one) for one in profitable(build(S(*layers, nn.Flatten()), shape).train)[1]]


def test_where_it_pays() -> None:
    text = "pool_before_activation: {0}_1.y, maxpool2d_1.y -> maxpool2d_1.max, maxpool2d_1.y, 4 times fewer calls"
    for layer in (nn.Tanh(), nn.Sigmoid(), nn.Softplus()):
        assert swapped(nn.Conv2d(3, 3), layer, nn.MaxPool2d(2)) == [text.format(layer.kind)]
    twice = swapped(nn.Conv2d(3, 3), nn.Tanh(), nn.MaxPool2d(2), nn.Tanh(), nn.MaxPool2d(3, 2))
    assert len(twice) == 3 and len(swapped(nn.Tanh(), nn.GlobalMaxPool(), shape=(4, 4, 1))) == 1


@pytest.mark.parametrize(
    "layers",
    [
        (nn.ReLU(), nn.MaxPool2d(2)),  # computed inside the maximum
        (nn.GELU(), nn.MaxPool2d(2)),  # not increasing
        (nn.Tanh(), nn.AvgPool2d(2)),
        (nn.Tanh(), nn.MaxPool2d(2, 1, padding="same")),  # as many elements after as before
        (nn.Tanh(), nn.Add(nn.MaxPool2d(3, 1, padding=1), nn.Identity())),  # read twice
        (nn.Tanh(),),
    ],
)
def test_where_it_does_not(layers: tuple[nn.Layer, ...]) -> None:
    assert swapped(*layers) == []


@pytest.mark.parametrize("engine", ["numpy", "llvm", "exact"])
def test_a_step_and_a_prediction_are_the_same(engine: str) -> None:
    """The step of the page that was rewritten, beside the gradients of the network as it was written."""
    net = S(nn.Conv2d(2, 2), nn.Tanh(), nn.MaxPool2d(2), nn.Flatten(), nn.Dense(3))
    model = pb.Model(net, (5, 5, 1), seed=2, dtype="float64", engine=engine)
    random = np.random.default_rng(0)
    x, y = random.standard_normal((3, 5, 5, 1)), np.array([0, 2, 1])
    before = {name: array.copy() for name, array in model.parameters.items()}
    loss, gradients = model.loss_and_gradients(x, y)
    assert model.train_step(optimizer=pb.optim.SGD(0.5))(x, y) == pytest.approx(loss, rel=1e-12)
    for name, old in before.items():
        np.testing.assert_allclose(model.parameters[name], old - 0.5 * gradients[name], rtol=1e-11, atol=1e-13)
    output, _ = model.vjp(x, np.zeros((3, 3)))
    np.testing.assert_allclose(model.predict(x), output, rtol=1e-12, atol=1e-14)
    assert model.evaluate(x, y)["loss"] == pytest.approx(model.loss_and_gradients(x, y)[0], rel=1e-12)


def test_the_page_and_the_plan_say_it() -> None:
    net = S(nn.Conv2d(2, 2), nn.Tanh(), nn.MaxPool2d(2), nn.Flatten(), nn.Dense(3))
    model = pb.Model(net, (5, 5, 1), engine="llvm")
    page = str(model.program())
    assert "maxpool2d_1.max[n,i,j,c] = max(p,q) conv2d_1.y[n,2*i+p,2*j+q,c]" in page
    assert "maxpool2d_1.y[n,i,j,c] = tanh(maxpool2d_1.max[n,i,j,c])" in page
    for what in ("train", "predict"):
        plan = model.explain_plan(2, what=what)
        assert "identity pool_before_activation: tanh_1.y, maxpool2d_1.y -> " in str(plan)
        assert len(plan.plain()["identities"]) == 1
    assert set(model.activations(np.zeros((1, 5, 5, 1)))) >= {"tanh_1", "maxpool2d_1"}  # every layer still has its own


def test_ties_go_where_they_went() -> None:
    """Split ties are the maximum's own convention, and stay with it."""
    net = S(nn.Tanh(), nn.MaxPool1d(4, ties="split"), nn.Flatten())
    model = pb.Model(net, (4, 1), dtype="float64")
    x = np.array([[[1.0], [1.0], [0.0], [-1.0]]])
    loss = "mean_squared_error"
    _, gradients = model.loss_and_gradients(x, np.zeros((1, 1)), loss)
    program = model.program(loss)
    assert "maxpool1d_1.max" in program.conventions
    slope = 2 * np.tanh(1.0) * (1 - np.tanh(1.0) ** 2)
    np.testing.assert_allclose(gradients["input"].ravel(), [slope / 2, slope / 2, 0, 0], rtol=1e-12)
