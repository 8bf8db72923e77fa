"""The summary: what is counted is counted by hand here, and what is measured is the network's own work."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from paperback import Model, engines, nn
from paperback.nn.network import INPUT
from paperback.nn.summary import summarize
from paperback.nn.timing import _parts, layer_times
from paperback.program.program import Program


def net() -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(4, 3, padding="same"), nn.BatchNorm(), nn.ReLU(), nn.MaxPool2d(2),
        nn.Residual(nn.Conv2d(4, 3, padding="same"), nn.Tanh()),
        nn.Flatten(), nn.Dropout(0.5), nn.Dense(3), nn.Softmax(),
    )  # fmt: skip


SHAPE = (6, 4, 2)


def test_memory_is_what_a_training_step_holds() -> None:
    lines = {layer.name: layer for layer in summarize(Model(net(), SHAPE).network, batch=5, itemsize=4).layers}
    place = 6 * 4 * 4
    by_hand = {
        "conv2d_1": 4 * 5 * place,
        "batchnorm_1": 4 * (4 + 4 + 5 * place),  # mean, variance, result
        "relu_1": 4 * 5 * place,
        "maxpool2d_1": (4 + 8) * 5 * place // 4,  # maxima, and where they were
        "conv2d_2": 4 * 5 * place // 4,
        "tanh_1": 4 * 5 * place // 4,
        "residual_1": 4 * 5 * place // 4,
        "flatten_1": 4 * 5 * 24,
        "dropout_1": 4 * 5 * (24 + 24),  # with the mask
        "dense_1": 4 * 5 * 3,
        "softmax_1": 4 * 5 * (1 + 3),  # the logarithm of the sum, the result
    }
    assert {name: line.memory for name, line in lines.items()} == by_hand
    assert lines["conv2d_1"].parameter_bytes == 4 * (3 * 3 * 2 * 4 + 4) == lines["conv2d_1"].parameters * 4
    doubled = summarize(Model(net(), SHAPE).network, batch=5, itemsize=8).layers
    assert doubled[0].memory == 2 * by_hand["conv2d_1"] and doubled[3].memory == (8 + 8) * 5 * place // 4


@pytest.mark.parametrize(
    ("layer", "shape", "flops"),
    [
        (nn.Conv2d(4, 3), (7, 6, 2), 5 * 4 * 4 * (2 * 3 * 3 * 2 + 1)),
        (nn.Conv2d(4, 3, stride=2, bias=False, dilation=2), (9, 9, 2), 3 * 3 * 4 * 2 * 3 * 3 * 2),
        (nn.Conv1d(4, 3, groups=2), (7, 2), 5 * 4 * (2 * 3 * 1 + 1)),
        (nn.Dense(5, bias=False), (7,), 2 * 7 * 5),
        (nn.MaxPool2d(3, 1), (5, 4, 2), 3 * 2 * 2 * 9),
        (nn.AvgPool1d(2), (6, 3), 3 * 3 * 2 * (1 + 1)),  # a sum takes the product after it: x/2 is summed
        (nn.Flatten(), (3, 4, 2), 0),
        (nn.Softmax(), (7,), 7 * 2 + 7 * 2),  # exp and + for the sum; a subtraction and exp for every score
        (nn.Residual(nn.Identity()), (3, 2), 6),
        (nn.ConvTranspose1d(2, 3, 2), (4, 5), 2 * 4 * 3 * 5 * 2 + 9 * 2),  # per x, tap and filter; the bias per output
        (nn.ConvTranspose2d(2, 2, 2, bias=False), (4, 3, 5), 2 * 4 * 3 * 2 * 2 * 5 * 2),
        (nn.AvgPool1d(3, 1, padding=1), (4, 1), (2 + 3 + 3 + 2) + 4 * 3 * 2),  # the counts; x/count summed
        (nn.Parallel(nn.Identity(), nn.Identity()), (3,), 6),  # as written: a sum of two
        (nn.MultiHeadAttention(1, causal=True, bias=False), (3, 2),
         3 * 3 * 2 * 2 * 2 + 3 * 3 * 2 * 4 + 6 * 2 + 6 * 2 * 4 + 3 * 2 * 2 * 2),  # 6 of 9 pairs are seen
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, nn.Layer) else "",
)
def test_flops_by_hand(layer: nn.Layer, shape: tuple[int, ...], flops: int) -> None:
    assert summarize(Model(layer, shape).network).layers[-1].flops == flops


def compiled(program: Program) -> engines.Runner:
    return engines.compile_program(program, "float64", "numpy")


def run(program: Program, values: dict[str, Any]) -> dict[str, Any]:
    return compiled(program)({t.name: values[t.name] for t in program.inputs})


def test_the_parts_that_are_timed_are_the_network() -> None:
    """Run one after the other they give the network's output, and the backward parts its gradients."""
    model = Model(net(), SHAPE, dtype="float64", engine="numpy")
    random = np.random.default_rng(0)
    x, cotangent = random.standard_normal((5, *SHAPE)), random.standard_normal((5, 3))
    keep = (random.random((5, 24)) < 0.5).astype(float)
    values = {**model.parameters, **model.state, "dropout_1.mask": keep, INPUT: x}
    parts = list(_parts(model.network))
    for _, forward, _ in parts:
        values.update(run(forward, values))
    whole = run(model.network.train, values)
    np.testing.assert_allclose(values[model.network.output], whole[model.network.output], rtol=1e-12)
    name, _, backward = parts[-2]
    assert name == "dense_1" and backward is not None
    found = run(backward, {**values, "cotangent": cotangent})
    wanted = [values["flatten_1.y"].reshape(5, 24) * keep / 0.5, cotangent, model.parameters["dense_1.w"]]
    by_shape = {array.shape: array for array in found.values()}
    np.testing.assert_allclose(by_shape[24, 3], wanted[0].T @ cotangent, rtol=1e-12)
    np.testing.assert_allclose(by_shape[3,], cotangent.sum(0), rtol=1e-12)
    np.testing.assert_allclose(by_shape[5, 24], cotangent @ wanted[2].T, rtol=1e-12)


def test_every_layer_is_measured_and_the_first_needs_no_gradient_of_the_input() -> None:
    model = Model(nn.Sequential(nn.ReLU(), nn.Dense(3)), (4,), dtype="float64", engine="numpy")
    times = layer_times(model.network, {**model.parameters, INPUT: np.ones((2, 4))}, compiled)
    assert list(times) == ["relu_1", "dense_1"]
    assert [part[2] is None for part in _parts(model.network)] == [True, False]
    for text in (model.summary(time=True, batch=2), model.summary()):
        assert ("backward" in text) == (text.count("us") > 0 or text.count("ms") > 0)


def test_a_network_of_ids_is_measured_too() -> None:
    model = Model(nn.Sequential(nn.Embedding(11, 4), nn.GlobalAvgPool(), nn.Dense(3)), (5,), engine="numpy")
    lines = model.summarize(time=True, batch=3).layers
    assert all(line.time is not None for line in lines)
    assert lines[0].field is not None and lines[0].field.size == (1,)
    assert lines[1].field is not None and lines[1].field.size == (5,)
