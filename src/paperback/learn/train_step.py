"""One training step, compiled: everything from the batch to the new parameters is one Program.

    arrays in     examples, labels, parameters, running statistics, the optimizer's tensors, masks, lr (and t)
    arrays out    the loss, the output, and the new value of all that is updated
"""

from __future__ import annotations

__all__ = ["DivergedError", "TrainStep"]

import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from math import isfinite, prod
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from paperback import engines
from paperback.arguments import strict
from paperback.engines.outcome import Outcome
from paperback.errors import ModelError
from paperback.learn import steps as programs
from paperback.learn.inputs import check_batch_size, check_count, check_weights
from paperback.learn.optim import NORM, Optimizer
from paperback.learn.predictor import Predictor
from paperback.learn.state import State, sealed
from paperback.nn.losses import LABEL, LOSS, WEIGHT, Loss
from paperback.nn.network import INPUT

Array = NDArray[Any]
Arrays = dict[str, Array]
_AT_ONCE_BYTES = 4 << 20  # of what differs from step to step: it should stay in the third-level cache
_AT_ONCE_SECONDS = 0.05  # in which Ctrl-C is not heard
_QUIET = np.errstate(over="ignore", invalid="ignore")  # what is no number any more is refused by name


class DivergedError(ModelError):
    """The loss or what a step would leave is no finite number; nothing was changed."""


@dataclass
class TrainStep:
    """One training step, compiled once: `step(x, y)` takes it and returns the loss before it.

    `step(x, y, weights)` multiplies the loss of every example by its weight; the mean is over the number of examples.
    In a batch one weight must be above 0.

    The optimizer's tensors belong to the model: another step with the same kind of optimizer goes on where this one
    stopped, another kind starts afresh.
    """

    model: Predictor
    loss: Loss
    optimizer: Optimizer
    _rule: Optimizer = field(init=False, repr=False)  # whatever the learning rate is: programs are kept by it
    _last: tuple[object, engines.Runner | None] = field(init=False, repr=False, compare=False)
    _seconds: float = field(init=False, repr=False, compare=False, default=1.0)  # of an example, in the last steps

    def __post_init__(self) -> None:
        self._rule = replace(self.optimizer, lr=0.0)
        self._last = None, None

    def __call__(self, x: ArrayLike, y: ArrayLike, weights: ArrayLike | None = None) -> float:
        model = self.model
        examples, labels, kind = model.check_batch("train_step", x, y, self.loss)
        check_batch_size("train_step", len(examples), model.network.least_batch)
        checked = None if weights is None else check_weights("train_step", weights, len(examples), model.dtype)
        return self.run(examples, labels, kind, weights=checked)[0]

    @strict
    def epoch(
        self, x: ArrayLike, y: ArrayLike, batch_size: int = 32, weights: ArrayLike | None = None
    ) -> NDArray[np.float64]:
        """A step on every batch of the examples, in their order; returns the loss before each step.

        Faster than as many calls: where the engine is compiled, there is no Python between the steps. The results are
        the same, bit for bit. Where a step fails, those before it are taken.
        """
        model = self.model
        examples, labels, kind = model.check_batch("epoch", x, y, self.loss)
        count, size = len(examples), min(check_count("epoch", "batch_size", batch_size), len(examples))
        for length in {size, count % size or size}:
            check_batch_size("epoch", length, model.network.least_batch)
        checked = None if weights is None else check_weights("epoch", weights, count, model.dtype)
        losses: list[float] = []
        first = 0
        while first < count:
            length = min(size, count - first)
            steps = min(self.at_once(length), (count - first) // length)
            at = slice(first, first + steps * length)
            part = None if checked is None else checked[at]
            losses += self.run_batches(examples[at], labels[at], kind, [1.0] * steps, part)[0]
            first = at.stop
        return np.array(losses)

    def at_once(self, size: int) -> int:
        """How many steps on batches of this size `run_batches` should be given: those of about 50 ms and 4 MiB."""
        model = self.model
        if engines.choose(model.engine) != "llvm":
            return 1
        shapes = [model.input_shape, model.network.output_shape, *(mask.shape for mask in model.network.masks.values())]
        room = _AT_ONCE_BYTES // (size * sum(map(prod, shapes)) * model.dtype.itemsize)
        return max(1, min(room, int(_AT_ONCE_SECONDS / (size * self._seconds))))

    def run_batches(
        self, examples: Array, labels: Array, kind: str, factors: Sequence[float], weights: Array | None = None
    ) -> tuple[list[float], Array]:
        """(the losses, the outputs of all) of steps on checked batches of one size that lie one after another.

        factors    as many as there are batches; each scales the learning rate of its step
        """
        count = len(factors)
        size, start = len(examples) // count, time.monotonic()
        losses, outputs = self._repeated(examples, labels, kind, factors, weights) if count > 1 else ([], [])
        for k in range(len(losses), count):  # those that are left: one that fails says why
            at = slice(k * size, (k + 1) * size)
            part = None if weights is None else weights[at]
            loss, output = self.run(examples[at], labels[at], kind, factors[k], part)
            losses.append(loss)
            outputs.append(output)
        self._seconds = max(time.monotonic() - start, 1e-9) / len(examples)
        return losses, np.concatenate(outputs)

    def _repeated(
        self, examples: Array, labels: Array, kind: str, factors: Sequence[float], weights: Array | None
    ) -> tuple[list[float], list[Array]]:
        """As many of the steps of `run_batches` as go well in one call of the engine, none where it takes no more."""
        model, state, count = self.model, self.model._state, len(factors)
        kept, taken = self._kept(state)
        size = len(examples) // count
        masks = [
            programs.draw_masks(model.network, size, model.seed, state.steps + k, model.dtype) for k in range(count)
        ]
        scalars = [self._scaled(factor).values(taken + 1 + k) for k, factor in enumerate(factors)]
        batches = {INPUT: model._input(examples), LABEL: model._label(labels)}
        if weights is not None:
            batches[WEIGHT] = weights
        each = {name: array.reshape(count, size, *array.shape[1:]) for name, array in batches.items()}
        each |= {name: np.stack([mask[name] for mask in masks]) for name in masks[0]}
        each |= {name: np.array([values[name] for values in scalars], model.dtype) for name in scalars[0]}
        run = self.compiled(kind, weights is not None)
        result, done = engines.repeat(run, {**state.tensors, **kept}, each, count) or (None, 0)
        if result is None or not done:
            return [], []
        model._state = self._after(result, kept, taken, done)
        return result[LOSS].tolist(), [result[model.network.output].reshape(-1, *model.network.output_shape)]

    def run(
        self, examples: Array, labels: Array, kind: str, factor: float = 1.0, weights: Array | None = None
    ) -> tuple[float, Array]:
        """(loss, output) of a step on a checked batch; `factor` scales the learning rate."""
        model, state = self.model, self.model._state
        run = self.compiled(kind, weights is not None)
        given, kept, taken = self.given(examples, labels, factor, weights)
        result = run(given)
        loss = float(result[LOSS])
        whole = isinstance(result, Outcome) and result.finite and NORM not in result
        lost = None if whole else _lost(result, (*state.tensors, *kept))
        if lost or not isfinite(loss):
            what = f"{lost} would hold NaN or infinity after" if isfinite(loss) else f"the loss is {loss} at"
            raise DivergedError(
                f"training: {what} step {state.steps + 1}; use a smaller learning rate (it is "
                f"{self.optimizer.lr * factor:g}); the parameters are those before this step"
            )
        model._state = self._after(result, kept, taken, 1)
        return loss, result[model.network.output]

    def _after(self, result: Mapping[str, Array], kept: Arrays, taken: int, steps: int) -> State:
        """The state with the new values of so many steps; `kept` and `taken` are the optimizer's before them."""
        state = self.model._state
        tensors = {name: sealed(result[name]) if name in result else old for name, old in state.tensors.items()}
        held = {**(state.optimizer if taken else {}), **{name: sealed(result[name]) for name in kept}}
        return State(tensors, self.optimizer, held, taken + steps, state.steps + steps, state.epochs, self.loss)

    def _scaled(self, factor: float) -> Optimizer:
        return self.optimizer if factor == 1 else replace(self.optimizer, lr=self.optimizer.lr * factor)

    def compiled(self, kind: str, weighted: bool = False) -> engines.Runner:
        """What takes a step for labels of a kind: from arrays by name to the new ones."""
        model, rule = self.model, self._rule
        place = kind, weighted, model.frozen, engines.choose(model.engine)
        last, run = self._last
        if run is not None and last == place:
            return run
        run, _ = model._compiled(
            ("train", self.loss, kind, rule, model.frozen, not weighted),
            lambda: (
                programs.training_program(model.network, self.loss, kind, rule, self._trainable, weighted), {}
            ),
            lambda: programs.name_of("train", model.network.train, self.loss, rule, kind, self._trainable, weighted),
        )
        run = run if place[-1] == "llvm" else _QUIET(run)
        self._last = place, run
        return run

    def given(
        self, examples: Array, labels: Array, factor: float = 1.0, weights: Array | None = None
    ) -> tuple[Arrays, Arrays, int]:
        """(the arrays of the next step by name, the optimizer's tensors among them, its steps so far)."""
        model, state = self.model, self.model._state
        kept, taken = self._kept(state)
        given: dict[str, Any] = {
            **state.tensors,
            **kept,
            **self._scaled(factor).values(taken + 1),
            **programs.draw_masks(model.network, len(examples), model.seed, state.steps, model.dtype),
            INPUT: model._input(examples),
            LABEL: model._label(labels),
            **({} if weights is None else {WEIGHT: weights}),
        }
        return given, kept, taken

    @property
    def _trainable(self) -> list[str]:
        return [name for name in self.model.network.parameters if name not in self.model.frozen]

    def _kept(self, state: State) -> tuple[Arrays, int]:
        """The optimizer's tensors for these parameters, zeros where there are none yet, and its steps so far."""
        same = type(state.rule) is type(self.optimizer) and state.rule.state == self.optimizer.state
        old = state.optimizer if same else {}
        kept = {}
        names = self.optimizer.state
        for parameter in self._trainable if names else ():
            for name in (f"{parameter}.{s}" for s in names):
                kept[name] = old[name] if name in old else sealed(np.zeros_like(state.tensors[parameter]))
        return kept, state.taken if same else 0


@_QUIET
def _lost(result: Mapping[str, Array], names: Iterable[str]) -> str | None:
    """What is no number any more: the first of these new tensors that is not finite, or the gradient's norm."""
    whole = isinstance(result, Outcome) and result.finite
    lost = None if whole else next((name for name in names if name in result and not _is_finite(result[name])), None)
    return lost or ("the gradient's norm" if NORM in result and not np.isfinite(result[NORM]) else None)


def _is_finite(array: Array) -> bool:
    """No NaN or infinity: the sum tells, unless it overflows by itself."""
    return bool(np.isfinite(array.sum()) or np.isfinite(array).all())
