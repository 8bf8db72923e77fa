"""The training loop: epochs of shuffled batches, each batch one compiled step.

    order of epoch e        a permutation drawn by a counter-based generator keyed by (seed, e)
    step                    one Program: forward, loss, gradients, updates; its state replaces the old one at once
    after the epoch         the held-out loss and accuracy, a record, the callbacks, the checkpoint

Epochs and steps are counted over the model's whole life: training on after a load gives the bits of training through.
Ctrl-C stops between two steps; the parameters are those of the last whole step, and the history says `interrupted`.
"""

from __future__ import annotations

__all__ = ["SCHEDULES", "Augment", "Callback", "fit"]

import math
import os
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from paperback.errors import ModelError
from paperback.learn.history import Epoch, History
from paperback.learn.inputs import check_batch_size, check_count, closest
from paperback.learn.metrics import has_accuracy, right
from paperback.learn.optim import Optimizer
from paperback.learn.predictor import Predictor
from paperback.learn.progress import progress_for
from paperback.learn.train_step import TrainStep
from paperback.nn.init import stream
from paperback.nn.losses import Loss

Array = NDArray[Any]
Callback = Callable[[Any, Epoch], object]  # the model itself, and the record
Augment = Callable[[Array, np.random.Generator], Array]

SCHEDULES: dict[str, Callable[[float], float]] = {
    "constant": lambda share: 1.0,
    "cosine": lambda share: (1 + math.cos(math.pi * share)) / 2,
}


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
    schedule: str | Callable[[float], float],
    augment: Augment | None,
) -> History:
    """See `Model.fit`."""
    batch_size, epochs = check_count("fit", "batch_size", batch_size), check_count("fit", "epochs", epochs)
    factor = _schedule(schedule)
    examples, labels, kind = model.check_batch("fit", x, y, loss)
    count = len(examples)
    for size in {min(batch_size, count), count % batch_size or batch_size}:
        check_batch_size("fit", size, model.network.least_batch)
    if validation is not None:
        if not isinstance(validation, tuple | list) or len(validation) != 2:
            raise ModelError("fit: validation is a pair of examples and labels; pass validation=(xv, yv)")
        model.check_batch("fit, validation", *validation, loss)
    shape = model.network.output_shape
    judged, places = has_accuracy(kind, shape), math.prod(shape[:-1])
    step = TrainStep(model, loss, optimizer)
    watcher = progress_for(progress)
    steps_in_all = epochs * -(-count // batch_size)
    records: list[Epoch] = []
    steps = 0
    interrupted = False
    try:
        for round_ in range(1, epochs + 1):
            number = model.epochs + 1
            order = stream(model.seed, f"epoch {number}").permutation(count) if shuffle else np.arange(count)
            start, total, hits, seen = time.monotonic(), 0.0, 0, 0
            for first in range(0, count, batch_size):
                chosen = order[first : first + batch_size]
                batch, label = examples[chosen], labels[chosen]
                if augment is not None:
                    batch = _augmented(augment, batch, stream(model.seed, f"augment {model.steps}"))
                value, output = step.run(batch, label, kind, factor(steps / steps_in_all))
                steps += 1
                seen += len(chosen)
                total += value * len(chosen)
                hits += right(output, label) if judged else 0
                watcher.step(round_, epochs, seen, count, total / seen, hits / (seen * places) if judged else None)
            model._state = replace(model._state, epochs=number)
            seconds = time.monotonic() - start
            held_out = model.evaluate(*validation, loss=loss) if validation is not None else {}
            record = Epoch(
                number, total / count, hits / (count * places) if judged else None, held_out.get("loss"),
                held_out.get("accuracy"), seconds, count / max(seconds, 1e-9),
            )  # fmt: skip
            records.append(record)
            watcher.epoch(record, epochs)
            if checkpoint is not None:
                model.save(checkpoint)
            answers = [callback(model, record) for callback in callbacks]  # all are told
            if True in answers:
                break
    except KeyboardInterrupt:
        interrupted = True
    finally:
        watcher.close()
    return History(tuple(records), steps, interrupted)


def _schedule(schedule: str | Callable[[float], float]) -> Callable[[float], float]:
    """The factor of the learning rate as a function of the share of the training that is done."""
    if callable(schedule):
        return schedule
    if schedule not in SCHEDULES:
        raise ModelError(f"fit: no schedule is called {schedule!r}; {closest(str(schedule), SCHEDULES)}, or a function")
    return SCHEDULES[schedule]


def _augmented(augment: Augment, batch: Array, generator: np.random.Generator) -> Array:
    changed = augment(batch, generator)
    if np.shape(changed) != batch.shape:
        raise ModelError(f"fit: augment must keep the batch's shape {batch.shape}, it gave {np.shape(changed)}")
    return changed
