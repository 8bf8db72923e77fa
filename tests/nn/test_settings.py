"""Settings and shapes that the layers refuse, what they do at kinks, and what they say of themselves."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from paperback import nn
from paperback.engines import compile_program
from paperback.errors import ModelError
from paperback.nn import build
from paperback.program.backward import gradients, prune

REFUSED: list[tuple[Callable[[], object], str]] = [
    (lambda: nn.LeakyReLU("steep"), "LeakyReLU: slope must be a finite number, not 'steep'"),
    (lambda: nn.ELU(float("inf")), "ELU: alpha must be a finite number, not inf"),
    (lambda: nn.HardTanh(1, -1), "HardTanh: low must be less than high, not 1 and -1"),
    (lambda: nn.Conv2d(4, 3, groups=3), "Conv2d: filters must be a multiple of groups, but 4 is none of 3"),
    (lambda: nn.Conv2d(4, 3, bias="pixel"), 'Conv2d: bias must be True, False or "position", not \'pixel\''),
    (lambda: build(nn.Conv2d(4, 3, groups=2), (5, 5, 3)), "3 channels cannot be split into 2 groups: change groups"),
    (lambda: build(nn.Conv2d(4, 9, bias="position"), (5, 5, 3)), "a kernel that covers 9x9 does not fit into 5x5"),
    (lambda: build(nn.GroupNorm(2), (4, 4, 3)), "3 channels cannot be split into 2 groups: change groups"),
    (lambda: build(nn.InstanceNorm(), (4,)), "an input of one axis has none: use LayerNorm()"),
    (lambda: nn.LayerNorm(0), "LayerNorm: eps must be a number > 0, not 0"),
    (lambda: nn.MaxPool2d(2, output=3), "MaxPool2d: give output=, or window, stride and padding, not both"),
    (lambda: build(nn.MaxPool2d(output=3), (6, 7, 1)), "an output of 3x3 does not divide the input's 6x7"),
    (lambda: build(nn.AvgPool1d(2, padding=2), (5, 1)), "padding 2 is not less than the window 2"),
    (lambda: build(nn.GlobalAvgPool(), (5,)), "it goes over places, and an input of one axis has none"),
    (lambda: nn.ConvTranspose1d(2, 3, output_padding=1), "output_padding must be less than the stride or the dilation"),
    (lambda: nn.ConvTranspose1d(2, 3, padding="same"), "ConvTranspose1d: padding must be numbers, not 'same'"),
    (lambda: build(nn.ConvTranspose1d(2, 3, padding=3), (4, 1)), "padding 3 cuts everything off"),
    (lambda: nn.Unflatten(6), "Unflatten: shape must be one to six whole numbers, not 6"),
    (lambda: build(nn.Unflatten((2, 3)), (5,)), "the last axis is 5, needed is 6 = 2*3: change the shape"),
    (lambda: nn.Permute((0, 2)), "Permute: order must name every axis once, as (1, 0), not (0, 2)"),
    (lambda: build(nn.Permute((1, 0)), (2, 3, 4)), "the input has 3 axes, (2, 3, 4); needed are 2 axes"),
    (lambda: build(nn.Add(nn.Dense(2), nn.Dense(3)), (4,)), "must give equal shapes, but they give (2,), (3,)"),
    (lambda: build(nn.Parallel(nn.Conv1d(2, 2), nn.Conv1d(2, 3)), (4, 1)), "its branches must agree in all axes but"),
    (lambda: build(nn.MultiHeadAttention(2), (4, 3)), "3 features cannot be split over 2 heads: give head_features"),
    (lambda: build(nn.PositionalEncoding(), (4, 3)), "sine and cosine come in pairs, but the input has 3 features"),
]  # fmt: skip


@pytest.mark.parametrize(("make", "message"), REFUSED)
def test_what_is_refused(make: Callable[[], object], message: str) -> None:
    with pytest.raises(ModelError) as caught:
        make()
    assert message in str(caught.value)


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
