"""A small network, and the same by hand in NumPy."""

from __future__ import annotations

from typing import Any

import numpy as np

import paperback as pb
from paperback import nn

Array = Any


def softmax(z: Array) -> Array:
    e = np.exp(z - z.max(axis=1, keepdims=True))
    return e / e.sum(axis=1, keepdims=True)


def dense_net() -> tuple[pb.Model, Array, Array]:
    """Two hidden layers; three units of the first cannot fire, and the second is driven into its ends."""
    net = nn.Sequential(nn.Dense(7), nn.ReLU(), nn.Dense(4), nn.Sigmoid(), nn.Dense(3))
    model = pb.Model(net, input_shape=(5,), seed=2, dtype="float64")
    bias = np.array([0.0, -50, 0.1, -50, 0.2, -50, 0.3])
    model.set_parameters({"dense_1.b": bias, "dense_2.w": 3 * model.parameters["dense_2.w"]})
    random = np.random.default_rng(1)
    return model, random.normal(size=(300, 5)), random.integers(0, 3, 300)


def by_hand(model: pb.Model, x: Array) -> dict[str, Array]:
    """The same network in NumPy alone."""
    p = model.parameters
    values = {"dense_1": x @ p["dense_1.w"] + p["dense_1.b"]}
    values["relu_1"] = np.maximum(values["dense_1"], 0)
    values["dense_2"] = values["relu_1"] @ p["dense_2.w"] + p["dense_2.b"]
    values["sigmoid_1"] = 1 / (1 + np.exp(-values["dense_2"]))
    values["dense_3"] = values["sigmoid_1"] @ p["dense_3.w"] + p["dense_3.b"]
    return values


def mean_loss(model: pb.Model, x: Array, y: Array) -> float:
    z = by_hand(model, x)["dense_3"]
    return float(-np.log(softmax(z)[np.arange(len(y)), y]).mean())
