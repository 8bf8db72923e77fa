"""Planted mutants of learning: each is a plausible mistake, and the laws of its module catch it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from typing import Any

import numpy as np
import pytest

pytest.importorskip("torch")

from tests.learn import test_augment, test_fit, test_metrics, test_optim, test_rates, test_schedules

from paperback import engines
from paperback.learn.optim import SGD, RMSProp
from paperback.learn.schedules import Cosine, OneCycle, Step, Warmup

Law = Callable[[], object]


def steps(kind: type, clipped: bool = False) -> Law:
    cases = [case for case in test_optim.CLIPPED if clipped] or test_optim.CASES
    return lambda: [test_optim.test_every_step_is_that_of_torch(*case) for case in cases if isinstance(case[0], kind)]


def values(kind: type) -> Law:
    cases = [case for case in test_schedules.CASES if isinstance(case[0], kind)]
    return lambda: [test_schedules.test_the_values_are_those_of_torch(*case) for case in cases]


def formula(old: str, new: str) -> Callable[[Any], Any]:
    def make(original: Any) -> Any:
        assert any(old in original.fget(optimizer) for optimizer, _ in test_optim.CASES if hasattr(optimizer, "alpha"))
        return property(lambda self: original.fget(self).replace(old, new))

    return make


@dataclass(frozen=True)
class Mutant:
    """`place` is "module:name" or "module:Class.name" below paperback.learn; `make` gives what is planted there."""

    id: str
    place: str
    make: Callable[[Any], Any]
    law: Law


MUTANTS = [
    Mutant("no decay", "optim:_decay", lambda f: lambda w: ([], "g[]"), steps(SGD)),
    Mutant("no clip", "optim:_clipped", lambda f: lambda p, g, limit: (p, dict(g)), steps(SGD, True)),
    Mutant("a clip for each parameter", "optim:_clipped", lambda f: lambda p, g, limit: _each(f, p, g, limit),
           steps(SGD, True)),
    Mutant("eps under the root", "optim:RMSProp.formula", formula("sqrt(b) + 0.001", "sqrt(b + 0.001)"),
           steps(RMSProp)),
    Mutant("momentum of the gradient", "optim:RMSProp.formula", formula("w = w[] - lr*u", "w = w[] - lr*m[]"),
           steps(RMSProp)),
    Mutant("a drop one step late", "schedules:Step.__call__", lambda f: lambda self, s: f(self, s - 1e-9),
           values(Step)),
    Mutant("a quarter of a cosine", "schedules:Cosine.__call__", lambda f: lambda self, s: f(self, s / 2),
           values(Cosine)),
    Mutant("no fresh start after the warm-up", "schedules:Warmup.__call__",
           lambda f: lambda self, s: f(self, s) if s < self.share else self.then(s), values(Warmup)),
    Mutant("up along a line", "schedules:OneCycle.__call__",
           lambda f: lambda self, s: self.start + (1 - self.start) * s / self.peak if s < self.peak else f(self, s),
           values(OneCycle)),
    Mutant("rows for columns", "metrics:Confusion.measure", lambda f: lambda self, o, y: f(self, o, y).T,
           test_metrics.test_accuracy_and_confusion_count_examples),
    Mutant("precision for recall", "metrics:Precision.value",
           lambda f: lambda self, m: f(self, m.T),
           test_metrics.test_precision_and_recall_are_shares_of_columns_and_rows),
    Mutant("the last of equals first", "metrics:TopK.measure",
           lambda f: lambda self, o, y: f(self, o[..., ::-1], o.shape[-1] - 1 - y),
           lambda: test_metrics.test_top_k_counts_labels_among_the_k_largest_of_which_the_first_comes_first(2)),
    Mutant("squares about two means", "metrics:R2.join",
           lambda f: lambda self, a, b: np.stack([a[0] + b[0], f(self, a, b)[1], a[2] + b[2], a[3] + b[3]]),
           lambda: test_metrics.test_batches_of_any_size_tell_the_same(test_metrics.R2())),
    Mutant("turned the other way", "augment:rotated", lambda f: lambda x, d: f(x, -np.asarray(d)),
           lambda: _with(test_augment, "rotated", test_augment.test_rotations_are_those_of_torch)),
    Mutant("the same noise in every step", "fit:stream",
           lambda f: lambda seed, name: f(seed, "augment" if name.startswith("augment") else name),
           lambda: _batches_differ()),
    Mutant("one epoch too patient", "fit:_Best.see",
           lambda f: lambda self, loss, state: (f(self, loss, state), setattr(self, "since", self.since - 1)),
           test_fit.test_patience_counts_epochs_since_the_least_held_out_loss),
    Mutant("the worst kept", "fit:_Best.see", lambda f: lambda self, loss, state: f(self, -loss, state),
           lambda: test_fit.test_a_best_epoch_is_kept_through_control_c(pytest.MonkeyPatch())),
    Mutant("examples in order", "rates:stream", lambda f: lambda seed, name: f(seed, "learning rate"),
           test_rates.test_the_curve_is_that_of_steps_at_growing_rates),
]  # fmt: skip


def _each(clipped: Any, program: Any, gradients: Any, limit: float) -> Any:
    """The mutant that knows only the first parameter's norm."""
    first = dict(list(gradients.items())[:1])
    program, names = clipped(program, first, limit)
    return program, {**gradients, **names}


def _with(module: Any, name: str, law: Law) -> None:
    """The law with the module's own import of `name` looked up anew."""
    patch = pytest.MonkeyPatch()
    patch.setattr(module, name, getattr(import_module("paperback.learn.augment"), name))
    try:
        law()
    finally:
        patch.undo()


def _batches_differ() -> None:
    """Two steps on the same examples draw different changes."""
    seen: list[Any] = []

    def look(batch: Any, generator: np.random.Generator) -> Any:
        seen.append(generator.random(3).tolist())
        return batch

    x, y = test_fit.problem(8)
    test_fit.Model(test_fit.NET, (6,)).fit(x, y, batch_size=4, epochs=2, augment=look)
    assert len({tuple(numbers) for numbers in seen}) == len(seen) == 4


@pytest.mark.parametrize("mutant", MUTANTS, ids=[mutant.id for mutant in MUTANTS])
@pytest.mark.filterwarnings("ignore:The epoch parameter")
def test_mutants_are_caught(mutant: Mutant, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engines._chosen, "engine", "numpy")  # which compiles nothing, and keeps no code of the original
    mutant.law()
    module, _, path = mutant.place.partition(":")
    owner: Any = import_module(f"paperback.learn.{module}")
    *outer, name = path.split(".")
    for part in outer:
        owner = getattr(owner, part)
    original = vars(owner).get(name, getattr(owner, name))
    monkeypatch.setattr(owner, name, mutant.make(original))
    with pytest.raises(AssertionError):
        mutant.law()


def test_there_are_mutants() -> None:
    assert len(MUTANTS) == 18 and len({mutant.id for mutant in MUTANTS}) == 18
