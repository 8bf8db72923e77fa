"""The preset networks are those of the sheet, at both sizes."""

from __future__ import annotations

import numpy as np
import pytest

from paperback.errors import ModelError
from paperback.learn.model import Model
from paperback.learn.optim import SGD
from paperback.learn.presets import PRESETS, lenet, mlp, moments, table
from paperback.nn.network import build

SHAPES = {
    (28, 28, 1): {
        "conv2d_1.w": (5, 5, 1, 32), "conv2d_1.b": (32,), "conv2d_2.w": (5, 5, 32, 64), "conv2d_2.b": (64,),
        "dense_1.w": (1024, 128), "dense_1.b": (128,), "dense_2.w": (128, 10), "dense_2.b": (10,),
    },
    (8, 8, 1): {
        "conv2d_1.w": (3, 3, 1, 16), "conv2d_1.b": (16,), "conv2d_2.w": (3, 3, 16, 32), "conv2d_2.b": (32,),
        "dense_1.w": (128, 64), "dense_1.b": (64,), "dense_2.w": (64, 10), "dense_2.b": (10,),
    },
}  # fmt: skip


@pytest.mark.parametrize("shape", SHAPES)
def test_lenet(shape: tuple[int, ...]) -> None:
    network = build(lenet(shape), shape)
    assert {name: spec.shape for name, spec in network.parameters.items()} == SHAPES[shape]
    assert network.output_shape == (10,)
    assert not any(getattr(layer, "flip", False) for layer in lenet(shape).layers)


@pytest.mark.parametrize("size", range(4, 33))
def test_lenet_fits_every_size(size: int) -> None:
    assert build(lenet((size, size + 1, 3), 7), (size, size + 1, 3)).output_shape == (7,)


def test_lenet_refuses_what_is_no_image() -> None:
    with pytest.raises(ModelError) as error:
        lenet((784,))
    assert str(error.value) == "lenet: needs images (H, W, C) of at least 4x4, found (784,); use mlp for others"


@pytest.mark.parametrize("shape", [(784,), (28, 28, 1), (5, 3)])
def test_mlp(shape: tuple[int, ...]) -> None:
    assert build(mlp(shape, 4), shape).output_shape == (4,)


def test_presets_have_names() -> None:
    assert dict(PRESETS) == {"lenet": lenet, "mlp": mlp, "table": table}


def test_a_table_may_have_columns_of_any_scale() -> None:
    rng = np.random.default_rng(0)
    x = rng.normal(size=(65, 3)) * [1e-3, 1.0, 1e4] + [5.0, 0.0, 1e5]
    y = (x[:, 0] > 5).astype(int)
    model = Model(table((3,), 2), (3,), engine="numpy")
    model.set_parameters(moments(x))
    np.testing.assert_allclose(model.state["batchnorm_1.mean"], x.mean(0), rtol=1e-6)
    np.testing.assert_allclose(model.state["batchnorm_1.var"], x.var(0), rtol=1e-5)
    model.fit(x, y, optimizer=SGD(0.1, momentum=0.9), batch_size=13, epochs=10)
    assert model.evaluate(x, y)["accuracy"] > 0.9


def test_a_column_that_never_changed_in_training_cannot_carry_off_an_answer() -> None:
    rng = np.random.default_rng(0)
    x = np.column_stack([rng.normal(size=80), np.zeros(80)])
    y = (x[:, 0] > 0).astype(int)
    model = Model(table((2,), 2), (2,), seed=0)
    model.set_parameters(moments(x))
    model.fit(x, y, optimizer=SGD(0.02, momentum=0.9), batch_size=16, epochs=20)
    strange, stranger = x + np.array([0.0, 255.0]), x + np.array([0.0, 1e6])
    assert model.evaluate(x, y)["loss"] < 0.2
    assert model.evaluate(strange, y)["loss"] < 50  # not clipped: 668,514
    np.testing.assert_array_equal(model.predict(strange), model.predict(stranger))
