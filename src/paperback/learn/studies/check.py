"""Are a model's gradients right? A check against differences of the loss, or against exact arithmetic.

    differences    along a random direction d:  (J(p + h*d) - J(p - h*d)) / 2h  against  <dJ/dp, d>,  h = 1e-6
    exact          every entry against the exact engine's: fractions, and intervals of 50 digits

Both look at a copy of the model in float64, with the masks and batch statistics of the coming training step, one tensor
at a time. An error is relative to 1 + |value|. Differences cannot judge at a kink (relu at 0, equal maxima).
"""

from __future__ import annotations

__all__ = ["check_gradients"]

from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from paperback.errors import ModelError
from paperback.learn.predictor import Predictor
from paperback.nn.init import stream
from paperback.nn.losses import Loss
from paperback.nn.network import INPUT

Array = NDArray[Any]

_STEP = 1e-6


def check_gradients(model: Predictor, x: ArrayLike, y: ArrayLike, loss: Loss, against: str) -> dict[str, float]:
    """See `Model.check_gradients`."""
    if against not in ("differences", "exact"):
        raise ModelError(
            f'check_gradients: against is "differences" or "exact", found {against!r}; leave it out for "differences"'
        )
    model.check_batch("check_gradients", x, y, loss)
    twin = _copy(model, model.engine)
    _, gradients = twin.loss_and_gradients(x, y, loss)
    if against == "exact":
        _, expected = _copy(model, "exact").loss_and_gradients(x, y, loss)
        errors = {name: np.abs(gradients[name] - expected[name]) / (1 + np.abs(expected[name])) for name in gradients}
        return {name: float(error.max(initial=0)) for name, error in errors.items()}
    return {name: _error_along(twin, name, gradient, x, y, loss) for name, gradient in gradients.items()}


def _error_along(twin: Predictor, name: str, gradient: Array, x: ArrayLike, y: ArrayLike, loss: Loss) -> float:
    direction = stream(twin.seed, f"check {name}").standard_normal(gradient.shape)
    start = np.asarray(x, dtype=np.float64) if name == INPUT else twin.parameters[name]
    values = []
    for h in (_STEP, -_STEP):
        moved = start + h * direction
        if name == INPUT:
            values.append(twin.loss_and_gradients(moved, y, loss)[0])
        else:
            twin.set_parameters({name: moved})
            values.append(twin.loss_and_gradients(x, y, loss)[0])
    if name != INPUT:
        twin.set_parameters({name: start})
    slope = (values[0] - values[1]) / (2 * _STEP)
    return float(abs(slope - (gradient * direction).sum()) / (1 + abs(slope)))


def _copy(model: Predictor, engine: str | None) -> Predictor:
    """The same model in float64."""
    twin = Predictor(model.net, model.input_shape, model.seed, "float64", engine, layout=model.layout)
    twin.set_parameters({**model.parameters, **model.state})
    twin._state = replace(twin._state, steps=model.steps)
    return twin
