"""The Jacobian of a model: against finite differences of predict, and against the model's own sweep."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import paperback as pb
from paperback.errors import ModelError

NETS = {
    "image": (
        pb.nn.Sequential(
            pb.nn.Conv2d(3, 3, padding="same"), pb.nn.ReLU(), pb.nn.MaxPool2d(2), pb.nn.Flatten(), pb.nn.Dense(4)
        ),
        (6, 4, 1),
    ),
    "norms": (pb.nn.Sequential(pb.nn.Dense(5), pb.nn.BatchNorm(), pb.nn.LayerNorm(), pb.nn.Softmax()), (3,)),
    "residual": (
        pb.nn.Sequential(pb.nn.Residual(pb.nn.Sequential(pb.nn.Dense(4), pb.nn.Tanh())), pb.nn.Dense(2)), (4,)
    ),
}


def model_of(name: str) -> tuple[pb.Model, Any]:
    net, shape = NETS[name]
    return pb.Model(net, shape, seed=1, dtype="float64"), np.random.default_rng(2).standard_normal((2, *shape))


@pytest.mark.parametrize("name", NETS)
def test_it_is_the_slope_of_predict(name: str) -> None:
    model, x = model_of(name)
    found = model.jacobian(x)
    random, step = np.random.default_rng(3), 1e-6
    for _ in range(3):
        v = random.standard_normal(x.shape)
        slope = (model.predict(x + step * v) - model.predict(x - step * v)) / (2 * step)
        assert np.allclose(found.apply(v), slope, atol=1e-6)
    assert np.allclose(found.entries().dense(), found.matrix(), atol=1e-12)
    assert found.structure.nnz == found.nnz or "at most" in str(found.structure)


@pytest.mark.parametrize("name", NETS)
def test_its_adjoint_is_the_sweep(name: str) -> None:
    model, x = model_of(name)
    g = np.random.default_rng(4).standard_normal(model.predict(x).shape)
    _, gradients = model.vjp(x, g)
    for wrt, gradient in gradients.items():
        assert np.allclose(model.jacobian(x, wrt).adjoint(g), gradient), wrt
    assert len(gradients) > 2


def test_the_chain_rule_from_layer_to_layer() -> None:
    model, x = model_of("image")
    whole = model.jacobian(x).matrix()
    for name in ("conv2d_1", "relu_1", "maxpool2d_1", "flatten_1"):
        after, before = model.jacobian(x, name), model.jacobian(x, "input", name)
        assert np.allclose((after @ before).matrix(), whole), name
    assert model.jacobian(x, "relu_1", "relu_1").structure.words == "identity"
    assert model.jacobian(x, "dense_1.w", "relu_1").structure.words == "zero"


def test_words() -> None:
    model, x = model_of("image")
    assert model.jacobian(x, "conv2d_1", "relu_1").structure.words == "diagonal of 0 and 1"
    assert model.jacobian(x, "relu_1", "maxpool2d_1").structure.words == "selection (one 1 per row)"
    assert model.jacobian(x).structure.words == "block diagonal of dense 4 x 24 blocks"
    assert model.jacobian(x, "dense_1.b").structure.words == (
        "Kronecker product of constant column over n and identity over o,t"
    )


@pytest.mark.parametrize(
    ("given", "words"),
    [
        (("relu1",), "jacobian: wrt is 'relu1', which the model does not have; did you mean relu_1?"),
        (("input", "dense"), "jacobian: output is 'dense', which the model does not have; did you mean dense_1?"),
    ],
)
def test_names_that_there_are_not(given: Any, words: str) -> None:
    model, x = model_of("image")
    with pytest.raises(ModelError) as error:
        model.jacobian(x, *given)
    assert str(error.value) == words


def test_ids_have_no_derivative() -> None:
    model = pb.Model(pb.nn.Sequential(pb.nn.Embedding(5, 3), pb.nn.Flatten(), pb.nn.Dense(2)), (4,), dtype="float64")
    ids = np.array([[0, 1, 4, 1]])
    with pytest.raises(ModelError, match="the input holds ids"):
        model.jacobian(ids)
    assert model.jacobian(ids, "embedding_1.w", "embedding_1").structure.nnz == 12
