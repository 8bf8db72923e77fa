"""The learning-rate range test: a few steps at rates that grow from hardly moving to diverging.

    rate of step k      lowest * (highest/lowest)^(k/(steps-1))
    smoothed loss       m_k / (1 - b^(k+1)),  m_k = b*m_(k-1) + (1-b)*loss_k,  b = 0.9
    suggestion          a tenth of the rate at which the smoothed loss is least

Source: Smith 2017. The model is afterwards as it was before: its state is put back.
"""

from __future__ import annotations

__all__ = ["LearningRates", "find_learning_rate"]

from dataclasses import dataclass, replace
from numbers import Real
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from paperback.errors import ModelError
from paperback.learn.inputs import check_batch_size, check_count
from paperback.learn.optim import Optimizer
from paperback.learn.predictor import Predictor
from paperback.learn.train_step import DivergedError, TrainStep
from paperback.nn.init import stream
from paperback.nn.losses import Loss

_SMOOTH = 0.9
_RISE = 4.0  # the test ends where the smoothed loss is so many times its least
_LEAST = 10  # steps, below which a slope says nothing

Array = NDArray[Any]


@dataclass(frozen=True)
class LearningRates:
    """The curve: rates, the loss of each step, the smoothed losses; and the rate to start from."""

    rates: tuple[float, ...]
    losses: tuple[float, ...]
    smoothed: tuple[float, ...]
    suggestion: float

    def __repr__(self) -> str:
        first, last = self.rates[0], self.rates[-1]
        return f"LearningRates({len(self.rates)} steps, {first:.3g} to {last:.3g}; suggestion {self.suggestion:.3g})"


def find_learning_rate(
    model: Predictor,
    x: ArrayLike,
    y: ArrayLike,
    loss: Loss,
    optimizer: Optimizer,
    batch_size: int,
    lowest: float,
    highest: float,
    steps: int,
) -> LearningRates:
    """See `Model.find_learning_rate`."""
    where = "find_learning_rate"
    batch_size, steps = check_count(where, "batch_size", batch_size), check_count(where, "steps", steps, _LEAST)
    if not isinstance(lowest, Real) or not isinstance(highest, Real) or not 0 < lowest < highest < float("inf"):
        raise ModelError(f"{where}: needs 0 < lowest < highest, found {lowest!r} and {highest!r}; pass lowest=1e-6")
    examples, labels, kind = model.check_batch(where, x, y, loss)
    size = min(batch_size, len(examples))
    check_batch_size(where, size, model.network.least_batch)
    step = TrainStep(model, loss, replace(optimizer, lr=1.0))
    rates = [lowest * (highest / lowest) ** (k / (steps - 1)) for k in range(steps)]
    losses: list[float] = []
    smoothed: list[float] = []
    before, mean = model._state, 0.0
    try:
        for k, rate in enumerate(rates):
            chosen = stream(model.seed, f"learning rate {k}").choice(len(examples), size, replace=False)
            try:
                value, _ = step.run(examples[chosen], labels[chosen], kind, rate)
            except DivergedError:
                break
            mean = _SMOOTH * mean + (1 - _SMOOTH) * value
            losses.append(value)
            smoothed.append(mean / (1 - _SMOOTH ** (k + 1)))
            if smoothed[-1] > _RISE * min(smoothed):
                break
    finally:
        model._state = before
    if not losses:
        raise ModelError(
            f"{where}: the loss is no number in the first step, at the rate {lowest:g}; "
            f"pass a smaller lowest, or scale x"
        )
    suggestion = rates[int(np.argmin(smoothed))] / 10
    return LearningRates(tuple(rates[: len(losses)]), tuple(losses), tuple(smoothed), suggestion)
