"""Are two models the same function? Proved by a path of identities, refuted by an input, or measured.

    proved      the rules take both to the same layers with the same numbers
    refuted     an input on which their outputs are further apart than rounding can put them
    measured    neither: how far they were apart, on how many inputs, and what rounding allows

The paths end in a normal form: one flip, one curve for sigmoid and tanh, maxima before activations, neighbouring affine
layers merged; a path may begin with one identity more on either side. Numbers count as the same where they agree to the
rounding with which the models store them.
"""

from __future__ import annotations

__all__ = ["Equivalence", "equivalent"]

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import product
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from paperback.arguments import strict
from paperback.errors import ModelError
from paperback.learn.model import Model
from paperback.notation.walk import same
from paperback.rewrites.apply import everywhere
from paperback.rewrites.certificate import Step, output_bound, random_examples
from paperback.rewrites.rules import RULES

Array = NDArray[Any]
NORMAL = (
    "fold_batchnorm", "fold_scale", "correlation_from_convolution", "merge_convolutions", "merge_dense",
    "drop_zero_residual", "sigmoid_from_tanh", "pool_before_activation", "centre_softmax",
)  # fmt: skip
_ULPS = 64  # of the largest number of a tensor: the paths take a few roundings


@dataclass(frozen=True)
class Equivalence:
    """The answer; see the module.

    status       "proved", "refuted" or "measured"
    why          one sentence
    paths        the identities that take each model to the common form
    input        an input that tells the two apart, and their outputs; None unless refuted
    difference   the largest one that was measured, on `examples` inputs; `bound` is what rounding allows there
    table        what differs, line by line: (what, first model, second model)
    """

    status: str
    why: str
    paths: tuple[tuple[Step, ...], tuple[Step, ...]] = ((), ())
    input: Array | None = None
    outputs: tuple[Array, Array] | None = None
    difference: float = 0.0
    bound: float | None = None
    examples: int = 0
    table: tuple[tuple[str, str, str], ...] = ()

    @property
    def holds(self) -> bool | None:
        """True where proved, False where refuted, None where only measured."""
        return {"proved": True, "refuted": False}.get(self.status)

    def plain(self) -> dict[str, Any]:
        """As data for JSON."""
        return {
            "status": self.status, "why": self.why, "difference": self.difference, "bound": self.bound,
            "examples": self.examples, "table": [list(row) for row in self.table],
            "paths": [[step.rule.name for step in path] for path in self.paths],
            "input": None if self.input is None else self.input.tolist(),
            "outputs": None if self.outputs is None else [output.tolist() for output in self.outputs],
        }  # fmt: skip

    def __str__(self) -> str:
        lines = [f"{self.status}: {self.why}"]
        for which, path in zip(("first", "second"), self.paths, strict=True):
            lines += [f"  {which}: {step.rule.name} at {', '.join(step.before)}" for step in path]
        if self.examples:
            allowed = "" if self.bound is None else f"; rounding allows {self.bound:.2g}"
            lines.append(f"  outputs differ by at most {self.difference:.2g} on {self.examples} inputs{allowed}")
        if self.table:
            widths = [max(len(row[column]) for row in self.table) for column in range(3)]
            lines += ["  " + "  ".join(c.ljust(w) for c, w in zip(row, widths, strict=True)).rstrip()
                      for row in self.table]  # fmt: skip
        return "\n".join(lines)


@strict
def equivalent(a: Model, b: Model, x: ArrayLike | None = None) -> Equivalence:
    """Do two models give the same for every input, after training? `x` are further inputs to try; see the module.

    Raises ModelError for models that do not take the same input: the question has no answer then.
    """
    for model in (a, b):
        if not isinstance(model, Model):
            raise ModelError(f"equivalent: it takes two models, found {model!r}; pass what pb.load or pb.Model gives")
    if a.input_shape != b.input_shape or a.layout != b.layout:
        raise ModelError(
            f"equivalent: the models take {_edge(a)} and {_edge(b)}; build both with one input_shape and layout"
        )
    table = tuple(_differences(a, b))
    if a.network.output_shape != b.network.output_shape:
        shapes = " and ".join(str(model.network.output_shape) for model in (a, b))
        return Equivalence("refuted", f"their outputs have the shapes {shapes}", table=table)
    measured = _measure(a, b, x)
    if measured.status == "refuted":
        return replace(measured, table=table)
    found = _meeting(a, b)
    if isinstance(found, str):
        return replace(measured, why=f"{measured.why}, and no path of identities: {found}", table=table)
    count = sum(map(len, found))
    how = f"{count} {'identity takes' if count == 1 else 'identities take'} both to" if count else "they are"
    why = f"{how} the same layers with the same numbers, to the rounding with which they are stored"
    return replace(measured, status="proved", why=why, paths=found, table=table)


def _edge(model: Model) -> str:
    return f"{model.input_shape} {model.layout}"


Form = tuple[Model, tuple[Step, ...]]  # a model, and the path to it


def _meeting(a: Model, b: Model) -> tuple[tuple[Step, ...], tuple[Step, ...]] | str:
    """The paths that take two models to one form, or what is different about their normal forms."""
    forms = [list(_forms(_exact_twin(model))) for model in (a, b)]
    unit = max(float(np.finfo(model.dtype).eps) for model in (a, b))
    for left, right in sorted(product(*forms), key=lambda pair: len(pair[0][1]) + len(pair[1][1])):
        if not _apart(left[0], right[0], unit):
            return left[1], right[1]
    return _apart(forms[0][0][0], forms[1][0][0], unit)


def _exact_twin(model: Model) -> Model:
    """The model in float64."""
    twin = Model(model.net, model.input_shape, model.seed, "float64", layout=model.layout)
    twin.set_parameters({**model.parameters, **model.state})
    return twin


def _forms(model: Model) -> Iterator[Form]:
    """The normal form, and those of the models that one identity more makes of it."""
    normal = _normal((model, ()))
    yield normal
    for rule in RULES.values():
        if rule.name not in NORMAL:
            changed, steps = everywhere(normal[0], rule, gradients=False)
            if steps:
                yield _normal((changed, (*normal[1], *steps)))


def _normal(form: Form) -> Form:
    model, path = form
    for name in NORMAL:
        model, steps = everywhere(model, RULES[name], gradients=False)
        path = (*path, *steps)
    return model, path


def _apart(a: Model, b: Model, unit: float) -> str:
    """What is different about two models, numbers to this unit of rounding; "" where nothing is."""
    if not same(a.network.predict.statements, b.network.predict.statements):
        return f"{_list(a)} is not {_list(b)}"
    tensors = [{**model.parameters, **model.state} for model in (a, b)]
    for name, array in tensors[0].items():
        own = [other for key, other in tensors[0].items() if key.split(".")[0] == name.split(".")[0]]
        scale = max(float(np.abs(tensor).sum() / tensor.shape[-1]) for tensor in own if tensor.size)
        off = float(np.max(np.abs(array - tensors[1][name]), initial=0))
        if off > _ULPS * unit * scale:
            return f"{name} differs by {off:.2g}"
    return ""


def _list(model: Model) -> str:
    return ", ".join(info.kind for info in model.network.layers)


def _measure(a: Model, b: Model, x: ArrayLike | None) -> Equivalence:
    """Compare on random inputs of several sizes, and on those given."""
    tries = [scale * random_examples(a) for scale in _scales(a)]
    tries += [] if x is None else [np.asarray(x)]
    worst, allowed, count = 0.0, 0.0, 0
    for examples in tries:
        outputs = [np.asarray(model.predict(examples), dtype=np.float64) for model in (a, b)]
        apart = np.abs(outputs[0] - outputs[1])
        bounds = [output_bound(model, examples) for model in (a, b)]
        known = bounds[0] is not None and bounds[1] is not None
        limit = bounds[0] + bounds[1] if known else np.full(apart.shape, np.inf)  # type: ignore[operator]
        beyond = np.argwhere(apart > limit)
        count += len(examples)
        worst, allowed = max(worst, float(apart.max(initial=0))), max(allowed, float(limit.max(initial=0)))
        if len(beyond):
            row = int(beyond[0][0])
            pair = outputs[0][row], outputs[1][row]
            far, near = apart[row].max(), limit[row].max()
            why = f"an input on which they differ by {far:.3g}, where rounding allows {near:.2g}"
            return Equivalence("refuted", why, input=examples[row], outputs=pair, difference=worst, bound=allowed,
                               examples=count)  # fmt: skip
    bound = allowed if np.isfinite(allowed) else None
    return Equivalence("measured", "no input was found that tells them apart", difference=worst, bound=bound,
                       examples=count)  # fmt: skip


def _scales(model: Model) -> Sequence[float]:
    return (1,) if model.network.train.tensors["input"].integer else (1.0, 1 / 64, 64.0)


def _differences(a: Model, b: Model) -> list[tuple[str, str, str]]:
    """The layers side by side where they are not the same, then counts."""
    layers = [[repr(layer) for layer in _layers(model)] for model in (a, b)]
    rows = []
    for place in range(max(map(len, layers))):
        one, other = (own[place] if place < len(own) else "-" for own in layers)
        if one != other:
            rows.append((f"layer {place + 1}", one, other))
    counts = [sum(info.parameter_count for info in model.network.layers) for model in (a, b)]
    if counts[0] != counts[1]:
        rows.append(("parameters", f"{counts[0]:,}", f"{counts[1]:,}"))
    if a.dtype != b.dtype:
        rows.append(("dtype", a.dtype.name, b.dtype.name))
    for name, array in a.parameters.items():
        twin = b.parameters.get(name)
        if twin is not None and twin.shape == array.shape and np.any(twin != array):
            off = np.max(np.abs(array.astype(np.float64) - twin))
            rows.append((name, f"differs by up to {off:.2g}", ""))
    return rows


def _layers(model: Model) -> Sequence[object]:
    return getattr(model.net, "layers", (model.net,))
