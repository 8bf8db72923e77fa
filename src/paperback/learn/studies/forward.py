"""A model's forward statements with its loss, as derivatives are taken of them, and what they give for a batch.

They are those of one example; the loss of a batch is the mean of the examples' (claim E31), or the sum where the loss
says so. Where examples meet, as in a mean over the batch, they are those of the whole batch.
"""

from __future__ import annotations

__all__ = ["Forward"]

from collections.abc import Collection, Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from paperback import engines
from paperback.errors import ModelError
from paperback.learn.predictor import Predictor
from paperback.learn.steps import draw_masks, one_number
from paperback.learn.studies.links import layers_of
from paperback.nn.losses import LABEL, LOSS, Loss, attach
from paperback.nn.network import INPUT
from paperback.program.backward import prune
from paperback.program.lift import unlift
from paperback.program.program import Program

Array = NDArray[Any]


@dataclass(frozen=True)
class Forward:
    """The statements from the input to the loss.

    label      the kind of label that the loss is for
    training   by the rules of a training step (batch statistics, masks), else by those of `evaluate`
    batch      for a batch, with a loss of every example, or, where examples meet, of the batch
    example    for one example; None where examples meet
    """

    model: Predictor
    loss: Loss
    label: str
    training: bool
    batch: Program
    example: Program | None

    @staticmethod
    def of(model: Predictor, loss: Loss, label: str | None, training: bool) -> Forward:
        phase = model.network.train if training else model.network.predict
        kind = label or loss.labels[0]
        reduction = one_number(loss).reduction
        each = attach(phase, model.network.output, loss, "none", kind)
        example = unlift(each)
        batch = each if example else attach(phase, model.network.output, loss, reduction, kind)
        return Forward(model, loss, kind, training, batch, example)

    @property
    def program(self) -> Program:
        """The statements that are differentiated."""
        return self.example or self.batch

    @property
    def share(self) -> str:
        """Whose derivatives they are, in words."""
        if self.example:
            return f"of one example; of a batch, the {self.loss.reduction} over its examples"
        mixing = (
            target.partition(".")[0]
            for target, layer in layers_of(self.batch).items()
            if unlift(replace(self.batch, statements=layer.block.statements)) is None
        )
        return f"of a batch of N examples, which meet in {next(mixing)}"

    @property
    def own(self) -> frozenset[str]:
        """The tensors of which every example has its own; none where examples meet."""
        one = self.program.tensors
        return frozenset(name for name, tensor in self.batch.tensors.items() if tensor.axes != one[name].axes)

    def scale(self, count: int) -> float:
        """What the loss of one of `count` examples is multiplied with in that of the batch."""
        return 1 / count if self.example and self.loss.reduction == "mean" else 1.0

    def values(self, where: str, x: ArrayLike, y: ArrayLike, needed: Collection[str]) -> Iterator[dict[str, Array]]:
        """The tensors that are needed, by name: for every example in turn, or, where examples meet, for the batch."""
        model = self.model
        examples, labels, kind = model.check_batch(where, x, y, self.loss)
        if kind != self.label:
            raise ModelError(
                f"{where}: needs labels of kind {self.label}, found labels of kind {kind}; pass label={kind!r}"
            )
        given = {**model.parameters, **model.state, INPUT: examples, LABEL: labels}
        if self.training:
            given |= draw_masks(model.network, len(examples), model.seed, model.steps, model.dtype)
        given = {name: array for name, array in given.items() if name in self.batch.tensors}
        floats = [name for name in given if not self.batch.tensors[name].integer]
        given |= {name: np.ascontiguousarray(given[name], dtype=model.dtype) for name in floats}
        computed = tuple(s.target for s in self.batch.statements if s.target in needed and s.target != LOSS)
        run = engines.compile_program(prune(replace(self.batch, outputs=computed)), model.dtype.name, "numpy")
        values = {name: array for name, array in {**given, **run(given)}.items() if name in needed}
        if self.example is None:
            yield values
            return
        for place in range(len(examples)):
            yield {name: array[place] if name in self.own else array for name, array in values.items()}
