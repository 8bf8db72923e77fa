"""One training step, compiled: everything from the batch to the new parameters is one Program.

    arrays in     examples, labels, parameters, running statistics, the optimizer's tensors, masks, lr (and t)
    arrays out    the loss, the output, and the new value of all that is updated
"""

from __future__ import annotations

__all__ = ["DivergedError", "TrainStep"]

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from math import isfinite
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from paperback import engines
from paperback.engines.outcome import Outcome
from paperback.errors import ModelError
from paperback.learn import steps as programs
from paperback.learn.inputs import check_batch_size, check_weights
from paperback.learn.optim import NORM, Optimizer
from paperback.learn.predictor import Predictor
from paperback.learn.state import State, sealed
from paperback.nn.losses import LABEL, LOSS, WEIGHT, Loss
from paperback.nn.network import INPUT

Array = NDArray[Any]
Arrays = dict[str, Array]
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

    def __post_init__(self) -> None:
        self._rule = replace(self.optimizer, lr=0.0)
        self._last = None, None

    def __call__(self, x: ArrayLike, y: ArrayLike, weights: ArrayLike | None = None) -> float:
        model = self.model
        examples, labels, kind = model.check_batch("train_step", x, y, self.loss)
        check_batch_size("train_step", len(examples), model.network.least_batch)
        checked = None if weights is None else check_weights("train_step", weights, len(examples), model.dtype)
        return self.run(examples, labels, kind, weights=checked)[0]

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
        tensors = {name: sealed(result[name]) if name in result else old for name, old in state.tensors.items()}
        old = state.optimizer if taken else {}
        held = {**old, **{name: sealed(result[name]) for name in kept}}
        model._state = State(tensors, self.optimizer, held, taken + 1, state.steps + 1, state.epochs, self.loss)
        return loss, result[model.network.output]

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
        optimizer = self.optimizer if factor == 1 else replace(self.optimizer, lr=self.optimizer.lr * factor)
        given: dict[str, Any] = {
            **state.tensors,
            **kept,
            **optimizer.values(taken + 1),
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
