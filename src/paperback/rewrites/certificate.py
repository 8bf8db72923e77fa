"""The certificate of a rewrite: what was claimed, why it holds, and what it changes.

    steps      each identity that was applied: its formulas, its conditions and how each was seen to hold on this model,
               the verdict of `prove`, and what was compared in exact arithmetic
    rounding   a bound on how far the two models' outputs can be apart in floating point, and how far they were
    changes    parameters, operations and bytes of a prediction, and its measured time
"""

from __future__ import annotations

__all__ = ["Certificate", "Change", "Step", "certify", "output_bound"]

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from statistics import median
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from paperback import engines
from paperback.errors import ModelError
from paperback.identities import IDENTITIES
from paperback.learn.inputs import channels_first, vocabulary
from paperback.learn.model import Model
from paperback.nn.init import stream
from paperback.nn.network import INPUT
from paperback.program.rounding import error_name, rounding_program
from paperback.proofs.prove import prove
from paperback.proofs.verdict import Verdict
from paperback.rewrites.exactly import Exactly
from paperback.rewrites.rule import Check, Rule

Array = NDArray[Any]
_EXAMPLES = 16
_ROUNDS = 7
_AT_ONCE = 256  # examples of which bounds are computed together
_MANY = 2048  # examples, from which on compiling the bounds pays


@dataclass(frozen=True)
class Step:
    """An identity at one place of a model."""

    rule: Rule
    before: tuple[str, ...]
    after: tuple[str, ...]
    checks: tuple[Check, ...]
    exactly: Exactly

    @property
    def verdict(self) -> Verdict:
        """What `prove` says of the identity's formulas."""
        return decided(self.rule.name)

    def plain(self) -> dict[str, Any]:
        identity = self.rule.identity
        return {
            "identity": identity.name, "claims": list(identity.claims), "left": identity.left, "right": identity.right,
            "before": list(self.before), "after": list(self.after), "verdict": self.verdict.status,
            "conditions": [{"needed": needed, "found": found} for needed, found in self.checks],
            "exactly": {"outputs": self.exactly.outputs, "gradient": self.exactly.gradient,
                        "directions": self.exactly.directions, "on": self.exactly.twin},
            "inference_only": self.rule.inference,
        }  # fmt: skip


@cache
def decided(name: str) -> Verdict:
    """The verdict on an identity, found once."""
    identity = IDENTITIES[name]
    return prove(identity.left, identity.right, **identity.declared)


@dataclass(frozen=True)
class Change:
    """A number before and after."""

    before: float
    after: float

    @property
    def ratio(self) -> float:
        return self.after / self.before if self.before else 1.0


@dataclass(frozen=True)
class Certificate:
    """What is known of a rewritten model; see the module.

    bound       no output can differ by more than this on the examples that were compared: worst case of the rounding
                of both models, whatever the engine and the order of its sums; None where a formula has no such bound
    difference  the largest difference that was measured on them
    examples    how many those are
    changes     "parameters", "operations" and "bytes" of one prediction, "seconds" of one for all the examples
    """

    steps: tuple[Step, ...]
    bound: float | None
    difference: float
    examples: int
    changes: Mapping[str, Change] = field(default_factory=dict)

    @property
    def holds(self) -> bool:
        """Is every identity proved or verified, and the measured difference within the bound?"""
        within = self.bound is None or self.difference <= self.bound
        return within and all(step.verdict.holds is True for step in self.steps)

    @property
    def inference(self) -> bool:
        """Are the models equal after training only?"""
        return any(step.rule.inference for step in self.steps)

    def plain(self) -> dict[str, Any]:
        """As data for JSON."""
        return {
            "holds": self.holds, "steps": [step.plain() for step in self.steps], "bound": self.bound,
            "difference": self.difference, "examples": self.examples,
            "changes": {name: [change.before, change.after] for name, change in self.changes.items()},
        }  # fmt: skip

    def __str__(self) -> str:
        lines = []
        for step in self.steps:
            identity = step.rule.identity
            claims = f" (claims {', '.join(identity.claims)})" if identity.claims else ""
            lines += [f"{identity.name}: {identity.title}{claims}"]
            lines += [f"  {', '.join(step.before)}  ->  {', '.join(step.after)}"]
            lines += [f"  {'formula' if not place else '      ='}  {text}"
                      for place, text in enumerate((identity.left, identity.right))]  # fmt: skip
            lines += [f"  needed   {needed}: {found}" for needed, found in step.checks]
            lines += [f"  verdict  {step.verdict.status}", f"  equal    {step.exactly}"]
        if self.inference:
            lines.append("equal after training: while it trains, a batch norm uses the batch's own statistics")
        if not self.steps:
            lines.append("nothing to rewrite")
        bound = "no bound is known" if self.bound is None else f"at most {self.bound:.2g} by rounding"
        lines.append(f"outputs    differ by {self.difference:.2g} on {self.examples} examples; {bound}")
        for name, change in self.changes.items():
            lines.append(f"{name:10} {_short(name, change.before)} -> {_short(name, change.after)}")
        return "\n".join(lines)


def _short(name: str, value: float) -> str:
    return f"{value * 1e6:.0f} us" if name == "seconds" else f"{value:,.0f}"


def certify(old: Model, new: Model, steps: Sequence[Step], x: ArrayLike | None) -> Certificate:
    """Compare two models on examples: outputs, rounding bounds, costs."""
    examples = random_examples(old) if x is None else np.asarray(x)
    before, after = (np.asarray(model.predict(examples), dtype=np.float64) for model in (old, new))
    difference = float(np.max(np.abs(before - after), initial=0))
    bounds = [output_bound(model, examples, rounded_parameters=old is not new) for model in (old, new)]
    bound = None if bounds[0] is None or bounds[1] is None else float(np.max(bounds[0] + bounds[1], initial=0))
    changes = {
        "parameters": Change(*(_parameters(model) for model in (old, new))),
        "operations": Change(*(sum(info.flops for info in model.network.layers) for model in (old, new))),
        "bytes": Change(*(_bytes(model) for model in (old, new))),
        "seconds": Change(*_seconds(old, new, examples)),
    }
    return Certificate(tuple(steps), bound, difference, len(examples), changes)


def random_examples(model: Model, count: int = _EXAMPLES) -> Array:
    """Examples for a model: normal numbers, or ids."""
    random, shape, known = stream(model.seed, "rewrite"), (count, *model.input_shape), vocabulary(model.network)
    return random.standard_normal(shape).astype(model.dtype) if known is None else random.integers(0, known, shape)


def output_bound(model: Model, x: Array, rounded_parameters: bool = False) -> Array | None:
    """How far every output can be from its exact value, by rounding alone; None where that is not known.

    With `rounded_parameters` the parameters themselves are counted as rounded.
    """
    names = [*model.network.parameters, *model.network.state]
    try:
        program = rounding_program(model.network.predict, model.dtype.name, names if rounded_parameters else ())
    except ModelError:
        return None
    run = engines.compile_program(program, "float64", "numpy" if len(x) < _MANY else None)
    every = {name: np.asarray(a, dtype=np.float64) for name, a in {**model.parameters, **model.state}.items()}
    tensors = {name: array for name, array in every.items() if name in program.tensors}
    examples, output = model._input(model._examples("rewrite", x)), model.network.output
    if not model.network.train.tensors[INPUT].integer:
        examples = examples.astype(np.float64)
    parts = []
    for start in range(0, len(examples), _AT_ONCE):
        result = run({**tensors, INPUT: examples[start : start + _AT_ONCE]})
        parts.append(result.get(error_name(output), np.zeros_like(result[output])))
    error = np.concatenate(parts)
    return channels_first(np.where(np.isnan(error), np.inf, error), model.layout)


def _parameters(model: Model) -> int:
    return sum(info.parameter_count for info in model.network.layers)


def _bytes(model: Model) -> int:
    """What a prediction of one example reads and writes: parameters, and every layer's result."""
    numbers = sum(array.size for array in (*model.parameters.values(), *model.state.values()))
    signals = sum(int(np.prod(info.output_shape)) for info in model.network.layers)
    return (numbers + signals) * model.dtype.itemsize


def _seconds(old: Model, new: Model, examples: Array) -> tuple[float, float]:
    """The median time of a prediction, measured in turns."""
    times: tuple[list[float], list[float]] = [], []
    for _ in range(_ROUNDS):
        for model, found in zip((old, new), times, strict=True):
            start = time.perf_counter()
            model.predict(examples)
            found.append(time.perf_counter() - start)
    return median(times[0]), median(times[1])
