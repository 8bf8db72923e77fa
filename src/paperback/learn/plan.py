"""What runs when a model takes a step, or predicts: the plan of the compiled engine; see `engines.llvm.plan`.

What is measured is measured on random examples and labels, of the first kind that the loss takes.
"""

from __future__ import annotations

__all__ = ["PHASES", "explain_plan"]

from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from paperback import engines
from paperback.arguments import closest
from paperback.engines import llvm
from paperback.errors import ModelError
from paperback.identities.passes import profitable
from paperback.learn import steps as programs
from paperback.learn.inputs import vocabulary
from paperback.learn.optim import Optimizer
from paperback.learn.predictor import Predictor
from paperback.learn.train_step import TrainStep
from paperback.nn.losses import Loss
from paperback.nn.network import INPUT

PHASES = ("train", "predict")

Array = NDArray[Any]


def explain_plan(model: Predictor, batch: int, time: bool, loss: Loss, rule: Optimizer, what: str) -> llvm.Plan:
    """The plan for a batch of this size, measured where `time`. ModelError where another engine runs the model."""
    if what not in PHASES:
        raise ModelError(f"explain_plan: what is {' or '.join(PHASES)}, found {what!r}; {closest(what, PHASES)}")
    name = engines.choose(model.engine)
    if name != "llvm":
        raise ModelError(
            f"explain_plan: the plan is that of the compiled engine, and this model runs on {name!r}; pass "
            f'engine="llvm" to the model'
        )
    network = model.network
    count = max(batch, network.least_batch) if what == "train" else batch
    random = np.random.default_rng(model.seed)
    shape, known = (count, *network.input_shape), vocabulary(network)
    x = random.standard_normal(shape).astype(model.dtype) if known is None else random.integers(0, known, shape)
    if what == "predict":
        named = partial(programs.name_of, "predict", network.predict)
        run, _ = model._compiled("predict", partial(programs.prediction_program, network), named)
        given = {**model._state.tensors, INPUT: x}
    else:
        step = TrainStep(model, loss, rule)
        kind = loss.labels[0]
        run = step.compiled(kind)
        labels = _labels(loss, kind, (count, *network.output_shape), random, model.dtype)
        given = step.given(x, labels)[0]
    assert isinstance(run, llvm.Runner)
    applied = profitable(network.predict if what == "predict" else network.train)[1]
    return replace(run.plan(count, given if time else None), identities=tuple(map(str, applied)))


def _labels(loss: Loss, kind: str, shape: tuple[int, ...], random: np.random.Generator, dtype: np.dtype[Any]) -> Array:
    """Random labels of a kind, for an output of this shape."""
    if kind == "integer":
        return random.integers(0, shape[-1], shape[:-1])
    numbers: Array = random.random(shape)
    if kind == "distribution":
        numbers /= numbers.sum(axis=-1, keepdims=True)
    if kind == "sign":
        numbers = np.where(numbers < 0.5, -1.0, 1.0)
    return numbers.astype(dtype)
