"""Settings and shapes that the layers refuse, what they do at kinks, and what they say of themselves."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from paperback import nn
from paperback.engines import compile_program
from paperback.nn import build
from paperback.program.backward import gradients, prune


def slope(layer: nn.Layer, x: list[float]) -> list[float]:
    """dy/dx at every element."""
    network = build(layer, (len(x),))
    program, held = gradients(network.train, network.output, ["input"], cotangent="seed")
    program = prune(replace(program, outputs=(held["input"],)))
    given = {"input": np.array([x]), "seed": np.ones((1, *network.output_shape))}
    needed = {tensor.name for tensor in program.inputs}
    run = compile_program(program, "float64", "numpy")
    return [float(v) for v in run({n: v for n, v in given.items() if n in needed})[held["input"]][0]]


def test_slopes_at_kinks() -> None:
    """The left slope for LeakyReLU and ELU; none at the limits of HardTanh."""
    assert slope(nn.LeakyReLU(0.25), [-1, 0, 1]) == [0.25, 0.25, 1]
    assert slope(nn.LeakyReLU(2), [-1, 0, 1]) == [2, 2, 1]
    assert slope(nn.ELU(0.5), [0, 1]) == [0.5, 1]
    assert slope(nn.HardTanh(), [-1, 0, 1]) == [0, 1, 0]


@pytest.mark.parametrize(
    ("ties", "expected"), [("first", [1, 0, 0, 0]), ("split", [1 / 3, 1 / 3, 0, 1 / 3]), ("all", [1, 1, 0, 1])]
)
def test_ties(ties: str, expected: list[float]) -> None:
    places = nn.Unflatten((4, 1))
    for pool in (nn.MaxPool1d(4, ties=ties), nn.GlobalMaxPool(ties)):
        net = nn.Sequential(places, pool)
        assert slope(net, [1, 1, 0, 1]) == pytest.approx(expected)


def test_nan_is_not_hidden() -> None:
    for layer in (nn.LeakyReLU(), nn.ELU(), nn.HardTanh(), nn.GELU(), nn.SiLU(), nn.Softplus()):
        network = build(layer, (2,))
        y = compile_program(network.predict, "float64", "numpy")({"input": np.array([[np.nan, 1.0]])})[network.output]
        assert np.isnan(y[0, 0]) and np.isfinite(y[0, 1]), layer


@pytest.mark.parametrize(
    ("layer", "formula"),
    [
        (nn.MaxPool2d(3, 2, (1, 0)), "y[i,j,c] = max(p<3,q<3) x[2*i+p-1, 2*j+q, c] where x pads -inf, i < I, j < J"),
        (nn.AvgPool1d(output=2), "y[i,c] = sum(p<P) x[P*i+p, c] / P where i < 2"),
        (nn.ConvTranspose1d(3, 4, 2, 1), "y[t,k] = sum(i,p,r) [t == 2*i+p-1] * x[i,r] * w[p,r,k] + b[k] "
         "where t < 2*(L-1)+(P-1)-1"),
        (nn.Parallel(nn.ReLU(), nn.Tanh(), nn.Step()), "y[c] = [0 <= c < A1]*f1[c] + [A1 <= c < A1+A2]*f2[c-A1] + "
         "[A1+A2 <= c < A1+A2+A3]*f3[c-A1-A2] where c < A1+A2+A3"),
        (nn.Conv2d(4, 3, bias="position"), "y[i,j,k] = sum(p,q,r) x[i+p, j+q, r] * w[p,q,r,k] + b[i,j,k]"),
    ],
)  # fmt: skip
def test_a_layer_shows_its_formula(layer: nn.Layer, formula: str) -> None:
    assert layer.formula == formula
    assert formula in layer.describe()


def test_fans_of_groups_and_attention() -> None:
    network = build(nn.Conv2d(6, (2, 3), groups=2), (4, 5, 4))
    assert (network.parameters["conv2d_1.w"].shape, network.parameters["conv2d_1.w"].fan_in) == ((2, 3, 2, 6), 12)
    network = build(nn.MultiHeadAttention(2, head_features=5), (3, 4))
    wq, wo = (network.parameters[f"multiheadattention_1.{name}"] for name in ("wq", "wo"))
    assert (wq.fan_in, wq.fan_out, wo.fan_in, wo.fan_out) == (4, 10, 10, 4)
