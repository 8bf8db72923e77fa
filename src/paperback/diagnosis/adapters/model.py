"""A model of this package, parameter by parameter, by what it offers: net, parameters, loss_and_gradients.

    forward(input, conv2d_1.w, ...)    the loss of a batch, with these parameters
    backward(g, ...)                   g times the gradients that the model computes

A twin of the model in 64 bits is judged, with the masks and batch statistics of the coming training step.
"""

from __future__ import annotations

__all__ = ["model_pair"]

from typing import Any

import numpy as np

from paperback.diagnosis.pairs import Pair

_INPUT = "input"


def model_pair(model: Any, x: Any, y: Any, loss: Any = None) -> Pair:
    """The pair of a model's loss."""
    twin = type(model)(
        model.net, model.input_shape, seed=model.seed, dtype="float64", engine=model.engine, layout=model.layout
    )
    twin.set_parameters(
        {name: np.asarray(value, np.float64) for name, value in {**model.parameters, **model.state}.items()}
    )
    loss = model.loss if loss is None else loss
    examples = np.asarray(x)
    named = {name: np.asarray(value, np.float64) for name, value in twin.parameters.items()}
    real = examples.dtype.kind == "f"
    if real:
        named[_INPUT] = examples.astype(np.float64)

    def at(arrays: dict[str, Any]) -> tuple[float, dict[str, Any]]:
        twin.set_parameters({name: array for name, array in arrays.items() if name != _INPUT})
        value, gradients = twin.loss_and_gradients(arrays.get(_INPUT, examples), y, loss)
        return value, gradients

    return Pair(
        lambda **arrays: np.float64(at(arrays)[0]),
        lambda g, /, **arrays: {name: g * np.asarray(d) for name, d in at(arrays)[1].items()},
        named, True, "model",
    )  # fmt: skip
