"""Layers with given weights: the golden numbers of the claims, and that training leaves them alone."""

from __future__ import annotations

from math import sqrt

import numpy as np
import pytest

from paperback.engines import numpy as engine
from paperback.nn import BlockDCT, DCT2d, Dense, FiniteDifferences, FixedConv, Flatten, Grey, Layer, Sequential, build


def run(layer: Layer, x: np.ndarray) -> np.ndarray:
    """The layer on one example, its state as it starts."""
    network = build(layer, x.shape)
    given = {name: spec.sample(name, 0) for name, spec in {**network.parameters, **network.state}.items()}
    return np.asarray(engine.compile(network.predict, dtype="float64")({"input": x[None], **given})[network.output][0])


X = np.array([[1.0, 2.0], [3.0, 4.0]])[..., None]
DOWN = [[0, 0, 0], [0, -1, 0], [0, 1, 0]]
RIGHT = [[0, 0, 0], [0, -1, 1], [0, 0, 0]]
FILTERS = np.stack([DOWN, RIGHT], -1)[:, :, None, :]


def test_finite_differences() -> None:
    """G9, claim B1: the layer, and the convolution that it is."""
    for layer in (FiniteDifferences(), FixedConv(FILTERS, padding=1), FixedConv(FILTERS[::-1, ::-1], 1, 1, flip=True)):
        y = run(layer, X)
        assert y[..., 0].tolist() == [[2, 2], [-3, -4]]
        assert y[..., 1].tolist() == [[1, -2], [1, -4]]


def test_true_convolution_with_these_filters_is_another_layer() -> None:
    """Claim B1a: the same numbers under true convolution are backward differences of opposite sign."""
    assert run(FixedConv(FILTERS, padding=1, flip=True), X)[..., 0].tolist() == [[-1, -2], [-2, -2]]


def test_white_is_white() -> None:
    """G10, claim B3."""
    assert run(Grey(), np.ones((2, 3, 3))) == pytest.approx(np.ones((2, 3, 1)), abs=1e-15)
    assert run(Grey(), np.array([0.0, 1.0, 0.0])).tolist() == [0.587]


DCT = {
    "raw": (10, -sqrt(20 + 14 * sqrt(2)) / 2, 0, -sqrt(20 - 14 * sqrt(2)) / 2),
    "double": (20, -6.30864405979790, 0, -0.448341529167967),
    "root": (5, -3.15432202989895 / 2, 0, -0.224170764583984 / 2),
    "orthonormal": (5, -2.23044249738766, 0, -0.158512667781108),
}


@pytest.mark.parametrize("scaling", DCT)
def test_the_transform_of_1_2_3_4(scaling: str) -> None:
    """G13, claim D2: along rows; a column of one element is scaled by the k = 0 factor of N = 1, which is 1 or 2."""
    y = run(DCT2d(scaling), np.array([1.0, 2, 3, 4]).reshape(1, 4, 1))
    alone = 2 if scaling == "double" else 1
    np.testing.assert_allclose(y.ravel(), np.multiply(DCT[scaling], alone), rtol=0, atol=2e-13)


@pytest.mark.parametrize("scaling", DCT)
def test_the_inverse_brings_the_image_back(scaling: str) -> None:
    rng = np.random.default_rng(0)
    x = rng.integers(-8, 9, (6, 9, 2)) / 8
    there_and_back = Sequential(DCT2d(scaling), DCT2d(scaling, inverse=True))
    np.testing.assert_allclose(run(there_and_back, x), x, atol=1e-13)
    blocks = Sequential(BlockDCT(3, scaling), BlockDCT(3, scaling, inverse=True))
    np.testing.assert_allclose(run(blocks, x), x, atol=1e-13)


def test_a_block_transform_is_a_convolution() -> None:
    """Claim D2i: N*N filters of N x N with stride N."""
    p, k = np.meshgrid(np.arange(4), np.arange(4))
    m = np.cos(np.pi * (p + 0.5) * k / 4)
    kernel = np.einsum("kp,lq->pqkl", m, m).reshape(4, 4, 1, 16)
    x = np.random.default_rng(1).integers(-8, 9, (8, 4, 1)) / 8
    np.testing.assert_allclose(run(BlockDCT(4, "raw"), x), run(FixedConv(kernel, stride=4), x), atol=1e-13)


def test_a_fixed_kernel_is_state_and_no_parameter() -> None:
    network = build(Sequential(FixedConv([[1, 2], [3, 5]]), Flatten(), Dense(2)), (3, 4, 1))
    assert set(network.parameters) == {"dense_1.w", "dense_1.b"}
    assert network.state["fixedconv_1.w"].sample("", 0).tolist() == [[1, 2], [3, 5]]
    assert not network.train.updates
