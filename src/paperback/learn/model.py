"""A Model: a network with numbers in it, which learns, predicts, and is saved.

    model = Model(net, input_shape=(28, 28, 1))
    model.fit(x, y, epochs=3)          forward, loss, gradients and updates as one compiled Program per step
    model.predict(x)                   the network's output (scores, where the loss is a softmax cross-entropy)

It is a Predictor, which answers, and what learning adds to it.
"""

from __future__ import annotations

__all__ = ["Model", "load"]

import os
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from numpy.typing import ArrayLike

from paperback import learn, markup, nn
from paperback.arguments import strict
from paperback.learn import fit as loop
from paperback.learn import steps as programs
from paperback.learn import studies
from paperback.learn.history import History
from paperback.learn.inputs import check_count
from paperback.learn.metrics import Metric
from paperback.learn.optim import Optimizer, find_optimizer
from paperback.learn.predictor import SOFTMAX, Predictor
from paperback.learn.schedules import Schedule
from paperback.learn.train_step import TrainStep
from paperback.nn.losses import Loss, find
from paperback.nn.network import INPUT
from paperback.program.program import Program

if TYPE_CHECKING:
    from paperback.engines.llvm import Plan
    from paperback.jacobians import LinearMap
    from paperback.learn.augment import Augment
    from paperback.learn.rates import LearningRates
    from paperback.learn.studies.chain import Chain
    from paperback.learn.studies.norms import GradientNorms
    from paperback.nn.summary import Summary


class Model(Predictor):
    """A network of layers for examples of one shape, with seeded parameters. See `Predictor` for what it is made of."""

    @strict
    def fit(
        self,
        x: ArrayLike,
        y: ArrayLike,
        loss: str | Loss = SOFTMAX,
        optimizer: Optimizer | None = None,
        batch_size: int = 64,
        epochs: int = 1,
        validation: tuple[ArrayLike, ArrayLike] | None = None,
        shuffle: bool = True,
        callbacks: Sequence[loop.Callback] = (),
        progress: bool | None = None,
        checkpoint: str | os.PathLike[str] | None = None,
        schedule: str | Schedule = "constant",
        augment: Augment | None = None,
        patience: int | None = None,
        keep_best: bool = False,
        metrics: Iterable[str | Metric] = (),
        weights: ArrayLike | None = None,
    ) -> History:
        """Train on all examples, `epochs` times. Returns what happened; see `history`.

        y            whole numbers 0..K-1 for classes, or what the loss takes otherwise
        validation   (x, y) to evaluate after every epoch
        callbacks    called as callback(model, record) after every epoch; one that returns True ends the training
        progress     the live line on standard error: None shows it on a terminal
        checkpoint   a file to save the model in after every epoch
        schedule     "constant", "step", "cosine", "warmup", "onecycle", or one of `learn.schedules` with settings of
                     its own, or a function: share of this call -> factor of lr
        augment      a function (batch, random generator) -> batch of the same shape, applied to every training batch
        patience     end when the held-out loss has not been below its least for so many epochs
        keep_best    at the end, go back to the parameters, running statistics and optimizer of the epoch with the
                     least held-out loss; epochs and steps stay counted, and `checkpoint` holds the best ones then
        metrics      what to measure on the held-out examples besides, as in `evaluate`
        weights      of the examples, one number >= 0 each, by which their losses are multiplied; the mean of a batch
                     divides by the number of its examples. Held-out examples count alike
        The last batch may be smaller, its mean is over its own size. ModelError for anything that does not fit, before
        anything is computed, and for a loss that stops being a number; the parameters are those before that step.
        """
        return loop.fit(
            self, x, y, find(loss), find_optimizer("fit", optimizer), batch_size, epochs, validation, shuffle,
            callbacks, progress, checkpoint, schedule, augment, patience, keep_best, metrics, weights,
        )  # fmt: skip

    @strict
    def train_step(self, loss: str | Loss = SOFTMAX, optimizer: Optimizer | None = None) -> TrainStep:
        """One compiled step: `step(x, y)`, or `step(x, y, weights)`, takes it and returns the loss before it."""
        return TrainStep(self, find(loss), find_optimizer("train_step", optimizer))

    @strict
    def jacobian(self, x: ArrayLike, wrt: str = "input", output: str | None = None) -> LinearMap:
        """The Jacobian of what the model gives for the batch `x`, after training's rules, as a linear map.

        wrt       "input", a parameter, or a layer for what it gives: then the Jacobian of all that follows it
        output    a layer, for what it gives; None is the model's output
        The batch is an axis of what signals hold. Channels come last, whatever the layout of the model.
        """
        given = self._input(self._examples("jacobian", x))
        return studies.jacobian.jacobian(self.network, {**self._state.tensors, INPUT: given}, wrt, output)

    @strict
    def find_learning_rate(
        self,
        x: ArrayLike,
        y: ArrayLike,
        loss: str | Loss = SOFTMAX,
        optimizer: Optimizer | None = None,
        batch_size: int = 64,
        lowest: float = 1e-6,
        highest: float = 10.0,
        steps: int = 100,
    ) -> LearningRates:
        """The range test: one step at each of `steps` growing rates, until the loss diverges. See `learn.rates`.

        Returns the curve and a suggestion; the optimizer's own rate does not count. The model is left as it was.
        """
        rule = find_optimizer("find_learning_rate", optimizer)
        return learn.rates.find_learning_rate(self, x, y, find(loss), rule, batch_size, lowest, highest, steps)

    @strict
    def check_gradients(
        self, x: ArrayLike, y: ArrayLike, loss: str | Loss | None = None, against: str = "differences"
    ) -> dict[str, float]:
        """How far the gradients of a batch are off, by parameter and "input", relative to 1 + |value|; in float64.

        loss      as in `evaluate`
        against   "differences": central ones of the loss, along one random direction in every tensor, right to about
                  1e-8; "exact": every entry against exact arithmetic, for small models. See `learn.studies.check`
        """
        return studies.check.check_gradients(self, x, y, self._asked(loss), against)

    @strict
    def chain(
        self, name: str, loss: str | Loss | None = None, training: bool = False, label: str | None = None
    ) -> Chain:
        """The derivative of the loss by one tensor, written out as a product of Jacobians; see `learn.studies.chain`.

        name       a parameter, "input", or a layer, for what it gives
        loss       as in `evaluate`
        training   by the rules of a training step (batch statistics, masks), else those of `evaluate`
        label      the kind of label; the loss' first one unless given
        Printed, it is the page; `gradient(x, y)` multiplies the factors; `latex()` and `plain()` write it out.
        """
        return studies.chain.chain(studies.forward.Forward.of(self, self._asked(loss), label, training), name)

    @strict
    def gradient_norms(
        self,
        x: ArrayLike,
        y: ArrayLike,
        loss: str | Loss | None = None,
        training: bool = False,
        label: str | None = None,
    ) -> GradientNorms:
        """How far the gradient comes: its norm at every layer, the norms of the layers' Jacobians, and their product.

        x, y    a few examples: every factor's norm is computed for each of them. The rest is as in `chain`
        Printed, it is a table; see `learn.studies.norms`.
        """
        return studies.norms.gradient_norms(studies.forward.Forward.of(self, self._asked(loss), label, training), x, y)

    @strict
    def program(
        self,
        loss: str | Loss = SOFTMAX,
        optimizer: Optimizer | None = None,
        label: str | None = None,
        weights: bool = False,
        deltas: str = "gradient",
    ) -> Program:
        """The whole training step as a Program; printed, it is the page of formulas that runs.

        label     the kind of label; the loss' first one unless given
        weights   with a weight for every example
        deltas    "gradient": the backward lines hold dJ/d of a tensor. "step": they hold -lr times that, as texts have
                  it that write delta = -eta*dJ/dz (claim E26); then a parameter's update adds its line as it is
        """
        loss = find(loss)
        rule = find_optimizer("program", optimizer)
        trainable = [name for name in self.network.parameters if name not in self._frozen]
        kind = label or loss.labels[0]
        return programs.training_program(self.network, loss, kind, rule, trainable, weights, deltas)

    @strict
    def explain_plan(
        self,
        batch: int = 32,
        time: bool = False,
        loss: str | Loss = SOFTMAX,
        optimizer: Optimizer | None = None,
        what: str = "train",
    ) -> Plan:
        """The page of what the compiled engine runs: every kernel in order, its formulas, its schedule and the reason.

        time    measure every kernel on random examples; the model is left as it was
        what    "train", a step with this loss and optimizer, or "predict"
        Printed, it is text; `rows` and `plain()` are data. See docs/engines.md. ModelError for another engine.
        """
        rule = find_optimizer("explain_plan", optimizer)
        return learn.plan.explain_plan(self, check_count("explain_plan", "batch", batch), time, find(loss), rule, what)

    def summary(self, time: bool = False, batch: int = 64) -> str:
        """A table: layer, output shape, parameters, FLOPs, memory, receptive field, formula; see `nn.summary`.

        time     measure too: seconds forward and backward of every layer, the median of a few rounds
        batch    the examples that memory and time are for; a time is for two where a layer's statistics need them
        """
        return str(self.summarize(time, batch))

    def _repr_html_(self) -> str:
        return markup.fragment(self.summarize().table())

    @strict
    def summarize(self, time: bool = False, batch: int = 64) -> Summary:
        """The same as data: `summarize().layers` has a line per layer, `plain()` of it is for JSON."""
        count = check_count("summary", "batch", batch)
        times = learn.measure.measure(self, max(count, self.network.least_batch)) if time else None
        return nn.summary.summarize(self.network, count, self.dtype.itemsize, times)


def load(
    path: str | os.PathLike[str],
    engine: str | None = None,
    threads: int | None = None,
    kinds: Iterable[type] = (),
) -> Model:
    """See `Model.load`."""
    return Model.load(path, engine, threads, kinds)
