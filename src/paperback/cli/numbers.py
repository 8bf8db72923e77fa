"""Tables of numbers to predict: an output in the scale of the table, and what the answers are worth."""

from __future__ import annotations

__all__ = ["METRICS", "check_goal", "gives_classes", "in_scale", "worth"]

from collections.abc import Mapping

import numpy as np

from paperback.cli.options import needs, refuse
from paperback.data.dataset import Dataset
from paperback.learn.metrics import has_accuracy
from paperback.learn.model import Model
from paperback.nn.init import Values
from paperback.nn.layers import Formula, Sequential

METRICS = ("mean_absolute_error", "r2")


def in_scale(net: Sequential, training: Dataset, seed: int, dtype: str, engine: str | None) -> Model:
    """A model whose network gives numbers of mean 0 and deviation 1, and whose last layer brings them to the table's.

    Mean and deviation are those of the training examples, parameters that training leaves as they are.
    """
    y = np.asarray(training.y, dtype=np.float64)
    deviation = y.std(axis=0)
    deviation[deviation == 0] = 1.0  # all are alike: then any scale will do
    moments = {"mean": Values(y.mean(axis=0).tolist()), "deviation": Values(deviation.tolist())}
    last = Formula("y[i] = x[i]*deviation[i] + mean[i]", moments)
    model = Model(Sequential(*net.layers, last), training.x.shape[1:], seed=seed, dtype=dtype, engine=engine)
    model.freeze(model.network.layers[-1].name)
    return model


def gives_classes(model: Model) -> bool:
    """Was the model trained for classes? Otherwise it gives numbers."""
    return has_accuracy(model.loss.labels[0], model.network.output_shape)


def check_goal(model: Model, target: str | None) -> None:
    """A model for numbers needs the column that holds them, one for classes has none."""
    needs("--target", target, not gives_classes(model), "for models that give numbers, this one gives classes")
    if target is None and not gives_classes(model):
        refuse("--target", "is missing, and the model gives numbers; say which column holds them")


def worth(reached: Mapping[str, float]) -> str:
    """What was reached, for people."""
    error, r2 = (reached[name] for name in METRICS)
    return f"mean absolute error {error:.4g}, R2 {r2:.4f}, loss {reached['loss']:.4g}"
