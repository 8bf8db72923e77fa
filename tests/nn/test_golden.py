"""Golden numbers of the claims, forward: convolution arithmetic (A4, A5, E1) and the whole network of file E (N1).

All values are dyadic rationals: float64 must give them bit for bit.
"""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction

import numpy as np
import pytest

from paperback.engines import numpy as engine
from paperback.nn.layers import Conv1d, Conv2d, Dense, Flatten, Layer, MaxPool2d, ReLU, Sequential
from paperback.nn.losses import attach
from paperback.nn.network import Network, build


def run(network: Network, x: object, parameters: Mapping[str, object]) -> np.ndarray:
    given = {name: np.asarray(value, dtype=float) for name, value in {"input": x, **parameters}.items()}
    return np.asarray(engine.compile(network.train, dtype="float64")(given)[network.output])


@pytest.mark.parametrize(
    ("padding", "flip", "expected"),
    [
        ("valid", True, [5, 8]), ("full", True, [1, 2, 5, 8, 6, 8]), ("same", True, [2, 5, 8, 6]),
        ("valid", False, [7, 10]), ("full", False, [2, 4, 7, 10, 3, 4]), ("same", False, [4, 7, 10, 3]),
    ],
)  # fmt: skip
def test_convolution_in_one_dimension(padding: str, flip: bool, expected: list[int]) -> None:
    """G6, claim A4.3."""
    network = build(Conv1d(1, 3, padding=padding, flip=flip, bias=False), (4, 1))
    y = run(network, np.reshape([1, 2, 3, 4], (1, 4, 1)), {"conv1d_1.w": np.reshape([1, 0, 2], (3, 1, 1))})
    assert y.ravel().tolist() == expected


def test_even_same_padding_puts_the_odd_one_on_the_right() -> None:
    network = build(Conv1d(1, 2, padding="same", bias=False), (5, 1))
    y = run(network, np.reshape([1, 2, 3, 4, 5], (1, 5, 1)), {"conv1d_1.w": np.reshape([1, 10], (2, 1, 1))})
    assert y.ravel().tolist() == [21, 32, 43, 54, 5]


@pytest.mark.parametrize(
    ("padding", "expected"),
    [("valid", [5, 13, -1, 25]), ("full", [6, -2, 14, 5, 13, -1, 25, 5, 3, 4])],
)
def test_two_stacked_convolutions(padding: str, expected: list[int]) -> None:
    """G7 and G8, claim A5."""
    net = Sequential(Conv1d(1, 2, padding=padding, bias=False), ReLU(), Conv1d(1, 3, padding=padding, bias=False))
    weights = {"conv1d_1.w": np.reshape([1, 2], (2, 1, 1)), "conv1d_2.w": np.reshape([1, -1, 3], (3, 1, 1))}
    y = run(build(net, (7, 1)), np.reshape([1, -2, 3, 0, 2, -1, 4], (1, 7, 1)), weights)
    assert y.ravel().tolist() == expected


@pytest.mark.parametrize(
    ("flip", "expected"), [(True, [[27, 38, 49], [71, 82, 93]]), (False, [[50, 61, 72], [94, 105, 116]])]
)
def test_convolution_in_two_dimensions(flip: bool, expected: list[list[int]]) -> None:
    """G16, claim E1."""
    network = build(Conv2d(1, 2, flip=flip, bias=False), (3, 4, 1))
    weights = {"conv2d_1.w": np.reshape([1, 2, 3, 5], (2, 2, 1, 1))}
    assert run(network, np.arange(1, 13).reshape(1, 3, 4, 1), weights)[0, :, :, 0].tolist() == expected


# --- N1: the network of file E ----------------------------------------------------------------------------------------


def gen(a: int, b: int, m: int, c: int, den: int, *shape: int) -> np.ndarray:
    n = np.arange(np.prod(shape))
    return ((((a * n * n + b * n + 1) % m) - c) / den).reshape(shape)


X = np.stack([gen(3, 5, 257, 128, 64, 14, 18, 1), gen(7, 11, 251, 125, 64, 14, 18, 1)])
PARAMETERS = {
    "conv2d_1.w": gen(3, 1, 17, 8, 16, 3, 5, 1, 2), "conv2d_1.b": [1 / 2, -1 / 4],
    "conv2d_2.w": gen(5, 2, 23, 11, 16, 3, 2, 2, 3), "conv2d_2.b": [3, 1 / 4, -1 / 8],
    "dense_1.w": gen(2, 7, 29, 14, 32, 18, 4), "dense_1.b": [1, 1 / 2, -1 / 2, 1 / 4],
    "dense_2.w": gen(3, 4, 11, 5, 4, 4, 3), "dense_2.b": [0, 1 / 4, -1 / 4],
}  # fmt: skip


def golden(flip: bool = True) -> Layer:
    return Sequential(
        Conv2d(2, (3, 5), flip=flip), ReLU(), MaxPool2d(2), Conv2d(3, (3, 2), flip=flip), ReLU(), MaxPool2d(2),
        Flatten(), Dense(4), ReLU(), Dense(3),
    )  # fmt: skip


def numbers(*texts: str) -> list[float]:
    return [float(Fraction(text)) for text in texts]


def test_the_golden_network_with_convolution() -> None:
    z = run(build(golden(), (14, 18, 1)), X, PARAMETERS)
    assert z[0].tolist() == numbers("-1043261/524288", "-4555891/1048576", "-2012047/1048576")
    assert z[1].tolist() == numbers("-196871/262144", "8589/65536", "384709/524288")


def test_the_golden_network_with_correlation() -> None:
    z = run(build(golden(flip=False), (14, 18, 1)), X, PARAMETERS)
    assert z[0].tolist() == numbers("-939223/524288", "-7274033/2097152", "-3193265/2097152")
    assert z[1].tolist() == numbers("-484437/524288", "880077/2097152", "131265/131072")


@pytest.mark.parametrize(
    ("reduction", "expected"),
    [("mean", 2.5934777514684524), ("none", [3.1290112970758512, 2.0579442058610535]), ("sum", 5.186955502936905)],
)
@pytest.mark.parametrize(("label", "y"), [("integer", [1, 0]), ("distribution", [[0.0, 1.0, 0.0], [1.0, 0.0, 0.0]])])
def test_the_golden_loss(reduction: str, expected: object, label: str, y: list[object]) -> None:
    network = build(golden(), (14, 18, 1))
    program = attach(network.train, network.output, "softmax_cross_entropy", reduction, label)
    given = {"input": X, **{name: np.asarray(value) for name, value in PARAMETERS.items()}, "label": np.asarray(y)}
    loss = engine.compile(program, dtype="float64")(given)["loss"]
    np.testing.assert_allclose(loss, expected, rtol=1e-12)
