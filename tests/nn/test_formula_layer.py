"""Layers of your own: from a formula alone, with what they imply, and what is refused."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from paperback import Model, load, optim
from paperback.engines import numpy as engine
from paperback.errors import ModelError
from paperback.nn import (
    Dense,
    Embedding,
    Formula,
    GlobalAvgPool,
    HeNormal,
    Layer,
    Parallel,
    Sequential,
    Tanh,
    Zeros,
    build,
)
from paperback.nn.config import from_config, to_config


def test_a_formula_is_the_layer_that_it_writes() -> None:
    own = Formula("y[o] = sum(i) x[i]*w[i,o] + b[o]", {"w": HeNormal(), "b": Zeros()}, {"O": 3})
    mine, theirs = build(own, (5,)), build(Dense(3), (5,))
    shapes = [[(spec.shape, spec.fan_in, spec.fan_out) for spec in net.parameters.values()] for net in (mine, theirs)]
    assert shapes[0] == shapes[1] == [((5, 3), 5, 3), ((3,), 1, 3)]
    rng = np.random.default_rng(0)
    x, w, b = rng.standard_normal((2, 5)), rng.standard_normal((5, 3)), rng.standard_normal(3)
    one = engine.compile(mine.train, dtype="float64")({"input": x, "formula_1.w": w, "formula_1.b": b})
    two = engine.compile(theirs.train, dtype="float64")({"input": x, "dense_1.w": w, "dense_1.b": b})
    assert np.array_equal(one["formula_1.y"], two["dense_1.y"])


def test_a_formula_may_name_the_batch() -> None:
    centre = Formula("m[c] = sum(n) x[n,c]/N where x: N C\ny[n,c] = x[n,c] - m[c]", axes={"x": "N C"})
    x = np.arange(6.0).reshape(3, 2)
    network = build(centre, (2,))
    y = engine.compile(network.train, dtype="float64")({"input": x})[network.output]
    assert np.array_equal(y, x - x.mean(axis=0))


def test_a_formula_is_a_value() -> None:
    layer = Formula("y = x[]*a[]", {"a": Zeros()})
    assert layer == Formula("y = x[]*a[]", {"a": Zeros()}) != Formula("y = x[]*a[]", {"a": HeNormal()})
    assert repr(layer) == "Formula('y = x[]*a[]', parameters={'a': Zeros()})"
    assert from_config(to_config(layer)) == layer


def test_a_model_with_a_formula_is_saved_and_loaded(tmp_path: Path) -> None:
    swish = Formula("y[c] = x[c]*sigmoid(beta[c]*x[c])", {"beta": HeNormal()}, extra_axes=True)
    model = Model(Sequential(swish, GlobalAvgPool()), (3, 4), engine="numpy")
    model.save(tmp_path / "model")
    again = load(tmp_path / "model", engine="numpy")
    x = np.arange(24.0).reshape(2, 3, 4)
    assert again.predict(x).tobytes() == model.predict(x).tobytes()


@pytest.mark.parametrize(
    ("net", "message"),
    [
        (Sequential(Tanh(), Embedding(5, 2)), "embedding_1 takes ids, but tanh_1 gives real numbers: put it first"),
        (
            Parallel(Sequential(Embedding(5, 2), GlobalAvgPool()), Dense(2)),
            "embedding_1 takes ids, and dense_1 real numbers, of one input: give ids to all, or to none",
        ),
    ],
)
def test_ids_come_from_the_input(net: Layer, message: str) -> None:
    with pytest.raises(ModelError) as caught:
        build(net, (3,))
    assert str(caught.value) == message


def test_two_layers_may_read_the_same_ids() -> None:
    network = build(Parallel(Embedding(5, 2), Embedding(5, 3)), (4,))
    assert network.train.tensors["input"].integer and network.output_shape == (4, 5)


def test_a_model_of_ids_learns() -> None:
    """A word that decides the class: the ids go in as they are, and have no gradient."""
    x = np.array([[0, 1, 2], [3, 1, 2], [0, 2, 2], [3, 4, 1]])
    y = np.array([0, 1, 0, 1])
    net = Sequential(Embedding(5, 3), GlobalAvgPool(), Dense(2))
    model = Model(net, input_shape=(3,), seed=1, engine="numpy")
    history = model.fit(x, y, loss="softmax_cross_entropy", optimizer=optim.SGD(1.0), batch_size=4, epochs=20)
    assert history.epochs[-1].loss < history.epochs[0].loss / 2
    assert set(model.loss_and_gradients(x, y)[1]) == {"embedding_1.w", "dense_1.w", "dense_1.b"}
    with pytest.raises(ModelError, match="x holds ids, whole numbers, found float64"):
        model.predict(x.astype(float))
    with pytest.raises(ModelError, match=r"needs ids 0 to 4, x\[3, 0\] is 8"):
        model.predict(np.where(x == 3, [[8], [0], [0], [8]], x))
