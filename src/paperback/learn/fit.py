"""The training loop: epochs of shuffled batches, each batch one compiled step; many steps are one call.

    order of epoch e        a permutation drawn by a counter-based generator keyed by (seed, e)
    step                    one Program: forward, loss, gradients, updates; its state replaces the old one at once
    after the epoch         the held-out loss and metrics, a record, the callbacks, the checkpoint
    patience                training ends when the held-out loss has not been below its least for so many epochs

Epochs and steps are counted over the model's whole life: training on after a load gives the bits of training through.
Ctrl-C stops between two calls of about 50 ms; the parameters are those of the last whole step, and the history says
`interrupted`.
"""

from __future__ import annotations

__all__ = ["Callback", "fit"]

import math
import os
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from paperback import learn
from paperback.errors import ModelError
from paperback.learn.curve import Curve
from paperback.learn.history import Epoch, History
from paperback.learn.inputs import check_batch_size, check_count, check_values, check_weights
from paperback.learn.metrics import Metric, find_metrics, has_accuracy, plain, right, scores
from paperback.learn.optim import Optimizer
from paperback.learn.predictor import Predictor
from paperback.learn.progress import progress_for
from paperback.learn.schedules import Schedule, find_schedule
from paperback.learn.state import State
from paperback.learn.train_step import TrainStep
from paperback.nn.init import stream
from paperback.nn.losses import Loss

if TYPE_CHECKING:
    from paperback.learn.augment import Augment

Array = NDArray[Any]
Callback = Callable[[Any, Epoch], object]  # the model itself, and the record


@dataclass
class _Best:
    """The state after the epoch with the least held-out loss, the first of equals, and how many came after it."""

    loss: float = math.inf
    state: State | None = None
    since: int = 0

    def see(self, loss: float, state: State) -> None:
        self.since += 1
        if loss < self.loss:
            self.loss, self.state, self.since = loss, state, 0


def fit(
    model: Predictor,
    x: ArrayLike,
    y: ArrayLike,
    loss: Loss,
    optimizer: Optimizer,
    batch_size: int,
    epochs: int,
    validation: tuple[ArrayLike, ArrayLike] | None,
    shuffle: bool,
    callbacks: Sequence[Callback],
    progress: bool | None,
    checkpoint: str | os.PathLike[str] | None,
    schedule: str | Schedule,
    augment: Augment | None,
    patience: int | None,
    keep_best: bool,
    metrics: Iterable[str | Metric],
    weights: ArrayLike | None,
) -> History:
    """See `Model.fit`."""
    batch_size, epochs = check_count("fit", "batch_size", batch_size), check_count("fit", "epochs", epochs)
    if checkpoint is not None:
        learn.checkpoint.check_target("fit, checkpoint", checkpoint)
    factor = find_schedule(schedule)
    if augment is not None and (not callable(augment) or isinstance(augment, type)):
        raise ModelError(
            f"fit: augment is a function (batch, generator) -> batch, found {augment!r}; pass augment=Shift(1)"
        )
    if not isinstance(callbacks, tuple | list) or not all(map(callable, callbacks)):
        raise ModelError(f"fit: callbacks is a list of functions, found {callbacks!r}; pass callbacks=[function]")
    examples, labels, kind = model.check_batch("fit", x, y, loss)
    count = len(examples)
    weight = None if weights is None else check_weights("fit", weights, count, model.dtype)
    for size in {min(batch_size, count), count % batch_size or batch_size}:
        check_batch_size("fit", size, model.network.least_batch)
    if validation is not None:
        if not isinstance(validation, tuple | list) or len(validation) != 2:
            raise ModelError(
                f"fit: validation is a pair of examples and labels, found {_kind(validation)}; pass validation=(xv, yv)"
            )
        _, _, kind_held_out = model.check_batch("fit, validation", *validation, loss)
    judges = find_metrics(metrics, kind, model.network.output_shape)
    if patience is not None:
        check_count("fit", "patience", patience)
    if validation is None:
        for name, asked in (("patience", patience is not None), ("keep_best", keep_best), ("metrics", bool(judges))):
            if asked:
                raise ModelError(f"fit: {name} needs examples that are held out, found none; pass validation=(xv, yv)")
    parts = count if loss.reduction == "mean" else 1  # that the sum over all examples is divided by
    shape = model.network.output_shape
    judged, places = has_accuracy(kind, shape), math.prod(shape[:-1])
    step = TrainStep(model, loss, optimizer)
    if validation is not None:
        model._evaluation(loss, kind_held_out, False)  # compiled while the step is derived, and compiled
    watcher = progress_for(progress)
    steps_in_all = epochs * -(-count // batch_size)
    records: list[Epoch] = []
    curve = Curve()
    best = _Best()
    before = model.steps
    interrupted = False
    try:
        for round_ in range(1, epochs + 1):
            number = model.epochs + 1
            order = stream(model.seed, f"epoch {number}").permutation(count) if shuffle else np.arange(count)
            start, total, hits, seen = time.monotonic(), 0.0, 0, 0
            while seen < count:
                size = min(batch_size, count - seen)
                chosen = order[seen : seen + size * step.at_once(size)]
                chosen = chosen[: len(chosen) - len(chosen) % size]
                batch, label = examples[chosen], labels[chosen]
                taken = range(model.steps, model.steps + len(chosen) // size)
                if augment is not None:
                    batch = _augmented(augment, batch, model.seed, taken)
                scales = [factor((at - before) / steps_in_all) for at in taken]
                part = None if weight is None else weight[chosen]
                values, output = step.run_batches(batch, label, kind, scales, part)
                for value, scale in zip(values, scales, strict=True):
                    curve.step(value, optimizer.lr * scale)
                    total += value * (size if loss.reduction == "mean" else 1)
                seen += len(chosen)
                hits += right(scores(loss, output), label) if judged else 0
                watcher.step(round_, epochs, seen, count, total / seen, hits / (seen * places) if judged else None)
            model._state = replace(model._state, epochs=number)
            seconds = time.monotonic() - start
            held_out = model.evaluate(*validation, loss=loss, metrics=judges) if validation is not None else {}
            record = Epoch(
                number, total / parts, hits / (count * places) if judged else None, held_out.get("loss"),
                held_out.get("accuracy"), seconds, count / max(seconds, 1e-9),
                {judge.name: plain(held_out[judge.name]) for judge in judges},
            )  # fmt: skip
            records.append(record)
            best.see(held_out.get("loss", math.inf), model._state)
            watcher.epoch(record, epochs)
            if checkpoint is not None:
                model.save(checkpoint)
            answers = [callback(model, record) for callback in callbacks]  # all are told
            if True in answers or best.since == patience:
                break
    except KeyboardInterrupt:
        interrupted = True
    finally:
        watcher.close()
    if keep_best and best.state is not None and best.since:
        model._state = replace(best.state, steps=model.steps, epochs=model.epochs)
        if checkpoint is not None:
            model.save(checkpoint)
    return History(tuple(records), model.steps - before, interrupted, curve.points)


def _augmented(augment: Augment, examples: Array, seed: int, steps: range) -> Array:
    """The examples of so many steps, each batch changed by a generator of its own."""
    batches = []
    for batch, at in zip(np.split(examples, len(steps)), steps, strict=True):
        changed = augment(batch, stream(seed, f"augment {at}"))
        if np.shape(changed) != batch.shape:
            raise ModelError(
                f"fit: augment needs to keep the batch's shape {batch.shape}, found {np.shape(changed)}; fix the "
                f"function"
            )
        check_values("fit", "the batch from augment", changed, changed.dtype)
        batches.append(changed)
    return np.concatenate(batches)


def _kind(value: object) -> str:
    return f"{len(value)} of them" if isinstance(value, tuple | list) else type(value).__name__
