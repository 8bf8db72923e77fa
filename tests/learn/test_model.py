"""Models: gradients against finite differences and PyTorch, parameters that are all replaced or none, layouts."""

from __future__ import annotations

import re
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from paperback import nn
from paperback.engines import use
from paperback.errors import EngineError, ModelError
from paperback.learn.model import Model, load
from paperback.learn.optim import SGD, Adam
from paperback.rewrites.apply import rewrite

CONV = nn.Sequential(nn.Conv2d(3, (2, 3)), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(), nn.Dense(4))
SHAPE = (5, 7, 2)


def conv_model(**settings: Any) -> Model:
    return Model(CONV, SHAPE, seed=1, dtype="float64", **settings)


def images(count: int = 3) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
    random = np.random.default_rng(0)
    return random.normal(size=(count, *SHAPE)).round(2), random.integers(0, 4, count)


def differences(function: Callable[[], float], array: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """Central differences of a function of the numbers in `array`."""
    found = np.zeros_like(array)
    for place in np.ndindex(array.shape):
        old = array[place]
        array[place] = old + 1e-5
        high = function()
        array[place] = old - 1e-5
        found[place] = (high - function()) / 2e-5
        array[place] = old
    return found


def test_gradients_are_finite_differences_of_the_loss() -> None:
    model = conv_model()
    x, y = images()
    value, gradients = model.loss_and_gradients(x, y)
    assert value == pytest.approx(model.evaluate(x, y)["loss"], rel=1e-12)
    assert set(gradients) == {*model.parameters, "input"}
    found = differences(lambda: model.evaluate(x, y)["loss"], x)
    np.testing.assert_allclose(gradients["input"], found, atol=1e-8)
    for name in model.parameters:
        array = np.array(model.parameters[name])

        def loss(name: str = name, array: np.ndarray[Any, Any] = array) -> float:
            model.set_parameters({name: array})
            return model.evaluate(x, y)["loss"]

        np.testing.assert_allclose(gradients[name], differences(loss, array), atol=1e-8, err_msg=name)
        model.set_parameters({name: array})


def test_vjp_is_the_gradient_of_the_weighted_output() -> None:
    model = conv_model()
    x, _ = images()
    v = np.random.default_rng(5).normal(size=(3, 4)).round(2)
    output, gradients = model.vjp(x, v)
    np.testing.assert_array_equal(output, model.predict(x))
    np.testing.assert_allclose(
        gradients["input"], differences(lambda: float(np.sum(v * model.predict(x))), x), atol=1e-8
    )
    assert set(gradients) == {*model.parameters, "input"}


def test_the_same_network_in_torch() -> None:
    torch = pytest.importorskip("torch")
    model = conv_model()
    x, y = images()
    leaves = {name: torch.tensor(np.array(a), requires_grad=True) for name, a in model.parameters.items()}
    given = torch.tensor(x, requires_grad=True)
    kernel = leaves["conv2d_1.w"].permute(3, 2, 0, 1)
    hidden = torch.nn.functional.conv2d(given.permute(0, 3, 1, 2), kernel, leaves["conv2d_1.b"]).relu()
    flat = torch.nn.functional.max_pool2d(hidden, 2).permute(0, 2, 3, 1).flatten(1)
    loss = torch.nn.functional.cross_entropy(flat @ leaves["dense_1.w"] + leaves["dense_1.b"], torch.tensor(y))
    loss.backward()
    value, gradients = model.loss_and_gradients(x, y)
    assert value == pytest.approx(loss.item(), rel=1e-12)
    for name, leaf in {**leaves, "input": given}.items():
        np.testing.assert_allclose(gradients[name], leaf.grad.numpy(), atol=1e-12, err_msg=name)


def test_channels_first_at_the_edges_only() -> None:
    x, y = images()
    last, first = conv_model(), Model(CONV, (2, 5, 7), seed=1, dtype="float64", layout="NCHW")
    moved = np.moveaxis(x, -1, 1)
    np.testing.assert_array_equal(first.predict(moved), last.predict(x))
    ours, theirs = first.loss_and_gradients(moved, y), last.loss_and_gradients(x, y)
    assert ours[0] == theirs[0]
    np.testing.assert_array_equal(ours[1]["input"], np.moveaxis(theirs[1]["input"], -1, 1))
    for name in last.parameters:
        np.testing.assert_array_equal(ours[1][name], theirs[1][name])
    image_to_image = Model(nn.Sequential(nn.Conv2d(3, 3, padding="same")), (2, 5, 7), layout="NCHW")
    output = image_to_image.predict(moved)
    assert output.shape == (3, 3, 5, 7)
    assert image_to_image.loss_and_gradients(moved, output, "mean_squared_error")[0] == 0
    assert image_to_image.vjp(moved, output)[1]["input"].shape == moved.shape


def test_parameters_start_by_seed_and_name_and_are_read_only() -> None:
    a, b, c = conv_model(), conv_model(), Model(CONV, SHAPE, seed=2, dtype="float64")
    assert list(a.parameters) == ["conv2d_1.w", "conv2d_1.b", "dense_1.w", "dense_1.b"]
    for name in a.parameters:
        np.testing.assert_array_equal(a.parameters[name], b.parameters[name])
    assert not np.array_equal(a.parameters["dense_1.w"], c.parameters["dense_1.w"])
    with pytest.raises(TypeError):
        a.parameters["dense_1.w"] = np.zeros(3)  # type: ignore[index]
    with pytest.raises(ValueError, match="read-only"):
        a.parameters["dense_1.w"][0] = 1
    single = Model(CONV, SHAPE, seed=1)
    np.testing.assert_array_equal(single.parameters["dense_1.w"], a.parameters["dense_1.w"].astype("float32"))


def test_set_parameters_copies_and_takes_running_statistics() -> None:
    model = Model(nn.Sequential(nn.BatchNorm()), (3,))
    own = np.ones(3)
    model.set_parameters({"batchnorm_1.scale": own, "batchnorm_1.mean": [1, 2, 3]})
    own[0] = 7
    assert model.parameters["batchnorm_1.scale"].tolist() == [1, 1, 1]
    assert model.state["batchnorm_1.mean"].tolist() == [1, 2, 3]
    assert own.flags.writeable


def test_frozen_parameters_stay_and_the_others_move() -> None:
    x, y = images(6)
    model = conv_model()
    step = model.train_step(optimizer=Adam(0.01))
    model.freeze("conv2d_1", "dense_1.b")
    assert model.frozen == {"conv2d_1.w", "conv2d_1.b", "dense_1.b"}
    before = dict(model.parameters)
    step(x, y)
    moved = {name for name in before if not np.array_equal(before[name], model.parameters[name])}
    assert moved == {"dense_1.w"}
    model.unfreeze("dense_1.b")
    step(x, y)
    assert not np.array_equal(before["dense_1.b"], model.parameters["dense_1.b"])
    np.testing.assert_array_equal(before["conv2d_1.w"], model.parameters["conv2d_1.w"])
    model.unfreeze()
    step(x, y)
    assert not np.array_equal(before["conv2d_1.w"], model.parameters["conv2d_1.w"])
    with pytest.raises(ModelError) as error:
        model.freeze("conv1")
    assert str(error.value) == (
        "freeze: no parameter or layer is called 'conv1'; did you mean conv2d_1?"
    )


def test_a_step_lowers_the_loss_and_returns_the_one_before() -> None:
    x, y = images(8)
    model = conv_model()
    step = model.train_step(optimizer=SGD(0.05))
    losses = [step(x, y) for _ in range(10)]
    assert all(later < earlier for earlier, later in pairwise(losses))
    assert model.evaluate(x, y)["loss"] < losses[-1]
    assert model.steps == 10


def test_one_small_step_lowers_the_loss_by_the_squared_gradient() -> None:
    x, y = images(8)
    model = conv_model()
    before, gradients = model.loss_and_gradients(x, y)
    squared = sum(float(np.sum(gradients[name] ** 2)) for name in model.parameters)
    model.train_step(optimizer=SGD(1e-6))(x, y)
    assert (before - model.evaluate(x, y)["loss"]) / 1e-6 == pytest.approx(squared, rel=1e-3)


def test_masks_are_those_of_seed_step_and_layer() -> None:
    net = nn.Sequential(nn.Dropout(0.5), nn.Dense(2), nn.Dropout(0.25))
    x, y = np.ones((40, 6)), np.zeros(40, dtype=int)
    a, b, c = Model(net, (6,), seed=1), Model(net, (6,), seed=1), Model(net, (6,), seed=2)
    first = a.loss_and_gradients(x, y)[0]
    assert first == a.loss_and_gradients(x, y)[0] == b.loss_and_gradients(x, y)[0]
    assert first != a.loss_and_gradients(x, y, training=False)[0] == a.evaluate(x, y)["loss"]
    assert first != c.loss_and_gradients(x, y)[0]
    still = a.train_step(optimizer=SGD(0.0))
    assert first == still(x, y) != still(x, y)


def test_batch_statistics_train_and_running_statistics_predict() -> None:
    model = Model(nn.Sequential(nn.BatchNorm(momentum=0.25)), (3,), dtype="float64")
    x = np.random.default_rng(0).normal(size=(8, 3)) + 5
    model.train_step("mean_squared_error", SGD(0.0))(x, np.zeros((8, 3)))
    np.testing.assert_allclose(model.state["batchnorm_1.mean"], 0.25 * x.mean(0))
    np.testing.assert_allclose(model.state["batchnorm_1.var"], 0.75 + 0.25 * x.var(0, ddof=1))
    expected = (x - 0.25 * x.mean(0)) / np.sqrt(0.75 + 0.25 * x.var(0, ddof=1) + 1e-5)
    np.testing.assert_allclose(model.predict(x), expected)
    with pytest.raises(ModelError) as error:
        model.train_step("mean_squared_error")(x[:1], np.zeros((1, 3)))
    assert str(error.value) == (
        "train_step: a batch statistic needs at least 2 examples in a batch, found a batch of 1; choose a batch size "
        "that leaves no smaller last batch"
    )


def test_predictions_do_not_depend_on_how_they_are_cut() -> None:
    model = conv_model()
    x, y = images(7)
    np.testing.assert_allclose(model.predict(x, batch_size=2), model.predict(x), rtol=1e-12)
    whole, parts = model.evaluate(x, y), model.evaluate(x, y, batch_size=3)
    assert parts["loss"] == pytest.approx(whole["loss"], rel=1e-12)
    assert parts["accuracy"] == whole["accuracy"] == np.mean(model.predict(x).argmax(1) == y)


def test_losses_without_classes_have_no_accuracy() -> None:
    model = Model(nn.Sequential(nn.Dense(2)), (3,))
    assert set(model.evaluate(np.ones((4, 3)), np.ones((4, 2)), "mean_squared_error")) == {"loss"}
    single = Model(nn.Sequential(nn.Dense(1)), (3,))
    assert set(single.evaluate(np.ones((4, 3)), [0, 1, 1, 0], "binary_cross_entropy")) == {"loss", "accuracy"}
    soft = np.array([[0.9, 0.1], [0.2, 0.8]])
    hard = model.evaluate(np.ones((2, 3)), [0, 1])
    assert model.evaluate(np.ones((2, 3)), soft)["accuracy"] == hard["accuracy"] == 0.5


def test_the_program_is_the_whole_step() -> None:
    program = conv_model().program(optimizer=SGD(0.1, momentum=0.9))
    names = {"conv2d_1.w", "conv2d_1.b", "dense_1.w", "dense_1.b"}
    assert set(program.updates) == names | {f"{name}.v" for name in names}
    assert {t.name for t in program.by_role("optimizer")} == {f"{name}.v" for name in names}
    assert {t.name for t in program.by_role("scalar")} == {"lr"}
    assert "dinput" not in program.tensors  # nobody asked for it


def test_the_summary_names_layers_shapes_and_counts() -> None:
    text = conv_model().summary()
    for part in ("conv2d_1", "4x5x3", "39", "dense_1", "y[o] = sum(i) x[i] * w[i,o] + b[o]", "91 parameters"):
        assert part in text, part


def test_the_exact_engine_trains_to_what_numpy_does() -> None:
    net = nn.Sequential(nn.Dense(2), nn.ReLU(), nn.Dense(2))
    exact, floats = (Model(net, (3,), dtype="float64", engine=engine) for engine in ("exact", "numpy"))
    x, y = np.arange(12.0).reshape(4, 3) / 8, [0, 1, 0, 1]
    for model in (exact, floats):
        model.fit(x, y, optimizer=SGD(0.1, momentum=0.5), batch_size=2, epochs=2, validation=(x, y))
    assert exact.steps == floats.steps == 4
    for name in floats.parameters:
        assert exact.parameters[name].dtype == np.float64
        np.testing.assert_allclose(exact.parameters[name], floats.parameters[name], rtol=1e-12, err_msg=name)
    np.testing.assert_allclose(exact.predict(x), floats.predict(x), rtol=1e-12)
    assert exact.evaluate(x, y)["loss"] == pytest.approx(floats.evaluate(x, y)["loss"], rel=1e-14)


X, Y = images()


def test_float32_refuses_what_it_cannot_hold() -> None:
    model = Model(nn.Sequential(nn.Dense(2)), (3,))
    with pytest.raises(ModelError) as error:
        model.predict([[1, 2, 1e39]])
    assert str(error.value) == "predict: x needs finite numbers in float32, x[0, 2] is 1e+39; remove or replace it"


def test_threads_are_the_compiled_engines(tmp_path: Path) -> None:
    conv_model().save(tmp_path / "model")
    for make in (conv_model, lambda **options: load(tmp_path / "model", **options)):
        assert make(threads=2, engine="llvm").threads == 2
        with pytest.raises(ModelError) as error:
            make(threads=2, engine="numpy")
        assert str(error.value) == (
            "Model: threads=2 is for the compiled engine, and this model runs on 'numpy'; leave it out, or pass "
            'engine="llvm"'
        )


@pytest.mark.parametrize("threads", [0, -1, 257, 2.0, True, "2"])
def test_what_is_no_number_of_threads_is_refused(threads: Any) -> None:
    for where, make in (("use", lambda: use(threads=threads)), ("Model", lambda: conv_model(threads=threads))):
        with pytest.raises(EngineError) as error:
            make()
        assert str(error.value) == f"{where}: threads is a number from 1 to 256, found {threads!r}"


def test_the_parts_of_learning_import_one_way() -> None:
    """Even for type checkers only: model -> fit -> train_step -> predictor."""
    order = ["predictor", "train_step", "fit", "model"]
    seen = 0
    for place, name in enumerate(order):
        source = (Path(__file__).parents[2] / "src" / "paperback" / "learn" / f"{name}.py").read_text(encoding="utf-8")
        for later in order[place:]:
            found = re.search(rf"^\s*(from|import) .*paperback\.learn(\.| import ){later}\b", source, re.M)
            assert not found, (name, later)
            seen += 1
    assert seen == 10


def test_parameters_begin_on_a_cache_line(tmp_path: Path) -> None:
    """Wherever they come from; and they are copies, in the model's type."""
    net = nn.Sequential(nn.Dense(5), nn.BatchNorm(), nn.Sigmoid(), nn.Dense(3))
    model = Model(net, (7,))
    weights = np.arange(35.0).reshape(5, 7).T
    looked_at = 0
    for turn in range(4):
        model.set_parameters({"dense_1.w": weights + turn})
        model.save(tmp_path / "model.safetensors")
        loaded = load(tmp_path / "model.safetensors")
        twin, _ = rewrite(model, "tanh_from_sigmoid")
        np.testing.assert_array_equal(model.parameters["dense_1.w"], (weights + turn).astype(np.float32))
        np.testing.assert_array_equal(loaded.parameters["dense_1.w"], model.parameters["dense_1.w"])
        for array in [a for m in (model, loaded, twin) for a in (*m.parameters.values(), *m.state.values())]:
            assert array.ctypes.data % 64 == 0 and not array.flags.writeable and array.flags.c_contiguous
            looked_at += 1
    assert looked_at == 4 * 3 * 8
