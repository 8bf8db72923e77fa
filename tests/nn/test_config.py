"""Layers as plain data: there and back through JSON, and nothing that runs code."""

from __future__ import annotations

import json

import pytest
from tests.nn.cases import CASES

from paperback.errors import ModelError
from paperback.nn.config import from_config, to_config
from paperback.nn.init import HeUniform, Uniform
from paperback.nn.layers import Conv2d, Dense, Layer, ReLU, Residual, Sequential

LAYERS = [case.layer for case in CASES] + [
    Dense(3, init=Uniform(-1.0, 1.0)),
    Conv2d(3, 2, init=HeUniform()),
    Sequential(Residual(Sequential(Dense(3)), ReLU())),
]


@pytest.mark.parametrize("layer", LAYERS, ids=lambda layer: repr(layer)[:50])
def test_there_and_back(layer: Layer) -> None:
    assert from_config(json.loads(json.dumps(to_config(layer)))) == layer


def test_only_what_differs_is_written() -> None:
    assert to_config(Dense(10, bias=False)) == {"kind": "Dense", "units": 10, "bias": False}


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ({"kind": "Popen"}, "no layer is called 'Popen'; if the class is your own, pass kinds=[Popen]"),
        ({"units": 3}, "a layer is described by a dictionary with a kind, not by {'units': 3}"),
        ({"kind": "HeNormal"}, "'HeNormal' is no layer"),
        ({"kind": "Dense", "units": -3}, "Dense: units must be a whole number >= 1, not -3: write units=1"),
        ({"kind": "Sequential", "layers": ["Dense"]}, "Sequential takes layers, not 'Dense': did you mean Dense()?"),
    ],
)
def test_a_hostile_config_is_refused(config: dict[str, object], message: str) -> None:
    with pytest.raises(ModelError) as caught:
        from_config(config)
    assert str(caught.value) == message


def test_an_unknown_setting_is_refused() -> None:
    with pytest.raises(ModelError, match="Dense cannot be made of"):
        from_config({"kind": "Dense", "units": 3, "color": "red"})
    with pytest.raises(ModelError, match="Sequential cannot be made of"):
        from_config({"kind": "Sequential", "layers": [], "color": "red"})


class Own(Layer):
    formula = "y = x[]*x[]"
    extra_axes = True


def test_a_layer_of_your_own_is_named_when_reading() -> None:
    assert isinstance(from_config(to_config(Own()), kinds=[Own]), Own)
    with pytest.raises(ModelError):
        from_config(to_config(Own()))
