"""Losses: a loss is a formula of the network's output z and the label y, for one example.

    softmax_cross_entropy    J = logsumexp(k) z[k] - z[y]                     y a class             claims E13 to E15
                             J = sum(k) y[k] * (logsumexp(j) z[j] - z[k])     y a distribution
    binary_cross_entropy     J = softplus(z) - z*y                            z a logit, 0 <= y <= 1    claim A1.3
    mean_squared_error       J = (z - y)^2                                    no factor 1/2             claim A1.5
    probability_cross_entropy  J = -y*log(z) - (1 - y)*log(1 - z)             z a probability           claim A1.3
    kl_divergence            J = sum(k) y[k] * (log(y[k]) - z[k] + logsumexp(j) z[j])     z scores, y a distribution
    hinge                    J = relu(1 - z*y)                                y is 1 or -1
    huber                    J = m*(d - m/2), d = |z - y|, m = min(d, 1)      d^2/2 up to 1, d - 1/2 from there

`softmax_cross_entropy(smoothing, class_weights)`, `mean_squared_error(half)` and `huber(delta)` make the ones with
settings.

Softmax cross-entropy takes scores, not probabilities, and is (sum y)*logsumexp z - z.y, so that its derivative is
softmax(z)*(sum y) - y: exact for labels that do not sum to 1 too.

A formula for one entry is lifted over all axes of the output. An example with several entries (three outputs of a
regression, every pixel of a segmentation) has as loss their mean, or with `entries="sum"` their sum. Over the batch
the reduction is "mean" (1/N, the default), "sum", or "none", which leaves one loss per example: `loss.reduced("sum")`.
(PyTorch's "sum" for several outputs is `entries="sum"` with reduction "sum".) With `weights=True` the loss of example n
is multiplied by weight[n], a further input; the mean still divides by N, as PyTorch's binary cross-entropy with weights
does: a batch with small weights makes a small step, and one whose weights are all 0 has loss 0 and gradients 0.
"""

from __future__ import annotations

__all__ = [
    "BINARY_CROSS_ENTROPY", "HINGE", "HUBER", "KL_DIVERGENCE", "LABEL", "LOSS", "LOSSES", "MEAN_SQUARED_ERROR",
    "PROBABILITY_CROSS_ENTROPY", "REDUCTIONS", "SOFTMAX_CROSS_ENTROPY", "WEIGHT", "Loss", "attach", "find", "huber",
    "mean_squared_error", "softmax_cross_entropy",
]  # fmt: skip

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from decimal import Decimal
from numbers import Real
from typing import Any

import numpy as np
from numpy.typing import NDArray

from paperback.arguments import closest
from paperback.errors import FormulaError, ModelError
from paperback.notation.block import Block
from paperback.notation.read import read
from paperback.notation.size import Size
from paperback.notation.walk import map_statement, reads, rename_tensors
from paperback.program.lift import lift
from paperback.program.program import Program, ProgramTensor

REDUCTIONS = ("mean", "sum", "none")
LABEL = "label"
LOSS = "loss"
WEIGHT = "weight"
_LETTERS = ("i", "j", "k", "l", "m")


@dataclass(frozen=True)
class Loss:
    """A loss: one formula of z (the output) and y (the label) per kind of label; the last statement is the loss.

    formulas    kind of label -> formula. "integer": y is a whole number, a class; any other kind: y is a float
    axes        what z and y have as axes in the formula; the output may have more, and the formula is lifted over them
    entries     "mean" or "sum": what becomes of the losses of several entries of one example
    reduction   "mean", "sum" or "none": what becomes of the losses of a batch; training needs one number

    `Loss.of("J = abs(z[] - y[])")` makes one from a formula for one entry, `Loss.named("hinge")` is one of the
    library's.
    """

    name: str
    formulas: Mapping[str, str]
    z_axes: str = ""
    y_axes: Mapping[str, str] | None = None
    entries: str = "mean"
    reduction: str = "mean"

    def __post_init__(self) -> None:
        if self.entries not in ("mean", "sum"):
            needed = f'must be "mean" or "sum", not {self.entries!r}'
            raise ModelError(f'loss {self.name}: entries {needed}: write entries="mean"')
        if self.reduction not in REDUCTIONS:
            needed = f'must be "mean", "sum" or "none", not {self.reduction!r}'
            raise ModelError(f'loss {self.name}: reduction {needed}: write reduced("mean")')

    @staticmethod
    def named(name: str) -> Loss:
        """The loss of the library that is called so; ModelError for another name."""
        return find(name)

    def reduced(self, reduction: str) -> Loss:
        """The same loss with another reduction over the batch: "mean", "sum" or "none"."""
        return replace(self, reduction=reduction)

    def total(self, batches: Sequence[NDArray[Any]], count: int) -> float | NDArray[Any]:
        """The loss of `count` examples from those of batches; of a mean, from each batch's sum."""
        if self.reduction == "none":
            return np.concatenate(batches)
        return float(np.sum(batches)) / (count if self.reduction == "mean" else 1)

    @staticmethod
    def of(
        formula: str, z: str = "", y: str = "", name: str = "loss", label: str = "real", entries: str = "mean"
    ) -> Loss:
        """A loss of your own: its formula, the axes of z and y in it, and the kind of its label."""
        return Loss(name, {label: formula}, z, {label: y}, entries)

    def config(self) -> dict[str, Any]:
        """What makes this loss again, for JSON; `Loss.from_config` reads it back."""
        own = {field.name: getattr(self, field.name) for field in fields(self)}
        return {name: dict(value) if isinstance(value, Mapping) else value for name, value in own.items()}

    @staticmethod
    def from_config(config: object) -> Loss:
        """The loss that `config()` described; ModelError for anything else."""
        given = config if isinstance(config, Mapping) else {}
        formulas, y_axes = given.get("formulas"), given.get("y_axes") or {}
        tables = [table for table in (formulas, y_axes) if isinstance(table, Mapping)]
        words = [given.get("name"), given.get("z_axes"), *(word for table in tables for word in table.values())]
        if set(given) != {field.name for field in fields(Loss)} or len(tables) != 2 or not formulas:
            raise ModelError("a loss is described by its name, formulas, axes, entries and reduction")
        if not all(isinstance(word, str) for word in words):
            raise ModelError("a loss is described by texts")
        return Loss(**given)

    @property
    def labels(self) -> tuple[str, ...]:
        """The kinds of label it takes; the first is the default."""
        return tuple(self.formulas)

    def label_axes(self, label: str) -> tuple[str, ...]:
        return tuple(((self.y_axes or {}).get(label) or "").split())

    def __hash__(self) -> int:
        return hash((self.name, tuple(self.formulas.items()), self.entries, self.reduction))


SOFTMAX_CROSS_ENTROPY = Loss(
    "softmax_cross_entropy",
    {
        "integer": "l = logsumexp(k) z[k]\nJ = l - z[y[]]",
        "distribution": "l = logsumexp(k) z[k]\nJ = sum(k) y[k] * (l - z[k])",
    },
    "K",
    {"integer": "", "distribution": "K"},
)
BINARY_CROSS_ENTROPY = Loss("binary_cross_entropy", {"probability": "J = softplus(z[]) - z[]*y[]"})
MEAN_SQUARED_ERROR = Loss("mean_squared_error", {"real": "J = (z[] - y[])^2"})
PROBABILITY_CROSS_ENTROPY = Loss(  # a bracket wins: 0*log(0) is 0
    "probability_cross_entropy",
    {"probability": "J = -([y[] > 0]*y[]*log(z[])) - [y[] < 1]*(1 - y[])*log1p(-z[])"},
)
KL_DIVERGENCE = Loss(
    "kl_divergence",
    {"distribution": "l = logsumexp(k) z[k]\nJ = sum(k) [y[k] > 0]*y[k]*(log(y[k]) - z[k] + l)"},
    "K",
    {"distribution": "K"},
)
HINGE = Loss("hinge", {"sign": "J = relu(1 - z[]*y[])"})


def huber(delta: float = 1.0) -> Loss:
    """d^2/2 for d = |z - y| up to delta, delta*(d - delta/2) from there: large errors count linearly."""
    if not isinstance(delta, Real) or not 0 < delta < float("inf"):
        raise ModelError(f"huber: delta must be a number > 0, not {delta!r}: write huber(1)")
    limit = _decimal(delta)
    formula = f"d = abs(z[] - y[])\nm = min(d, {limit})\nJ = m*(d - m/2)"
    return Loss("huber" if delta == 1 else f"huber({delta:g})", {"real": formula})


def mean_squared_error(half: bool = False) -> Loss:
    """J = (z - y)^2, or with `half` (z - y)^2/2, whose derivative is z - y."""
    if not isinstance(half, bool):
        raise ModelError(f"mean_squared_error: half must be True or False, not {half!r}: write half=True")
    if not half:
        return MEAN_SQUARED_ERROR
    return Loss("mean_squared_error(half=True)", {"real": "J = (z[] - y[])^2/2"})


def softmax_cross_entropy(smoothing: float = 0.0, class_weights: Sequence[float] | None = None) -> Loss:
    """Cross-entropy of scores with smoothed labels and a weight for every class.

    smoothing       s: the label y becomes (1-s)*y + s/K, a little of every class
    class_weights   u: one number >= 0 per class, J = sum(k) u[k]*y[k]*(logsumexp(j) z[j] - z[k]). A mean over the
                    batch divides by N, not by the sum of the weights
    """
    if not isinstance(smoothing, Real) or not 0 <= smoothing < 1:
        needed = "a number with 0 <= smoothing < 1"
        raise ModelError(f"softmax_cross_entropy: smoothing must be {needed}, not {smoothing!r}: write smoothing=0.1")
    if not smoothing and class_weights is None:
        return SOFTMAX_CROSS_ENTROPY
    lines, weight = ["l = logsumexp(k) z[k]"], ""
    settings = [f"smoothing={smoothing:g}"] if smoothing else []
    if class_weights is not None:
        given = list(class_weights) if isinstance(class_weights, Iterable) else []
        if len(given) < 2 or not all(isinstance(u, Real) and 0 <= u < float("inf") for u in given):
            raise ModelError(
                f"softmax_cross_entropy: class_weights must be numbers >= 0, one per class, not {class_weights!r}: "
                f"write for example class_weights=[1, 2]"
            )
        weights = [float(u) for u in given]
        terms = " + ".join(f"{_decimal(u)}*[k == {k}]" for k, u in enumerate(weights))
        lines, weight = [f"u[k] = {terms} where k < {len(weights)}", *lines], "u[k]*"
        settings.append(f"class_weights={weights}")
    keep, rest = _decimal(1 - smoothing), _decimal(smoothing)
    whole = f"({keep}*[k == y[]] + {rest}/K)" if smoothing else "[k == y[]]"
    share = f"({keep}*y[k] + {rest}/K)" if smoothing else "y[k]"
    formulas = {
        kind: "\n".join([*lines, f"J = sum(k) {weight}{part}*(l - z[k])"])
        for kind, part in (("integer", whole), ("distribution", share))
    }
    name = f"softmax_cross_entropy({', '.join(settings)})"
    return Loss(name, formulas, "K", {"integer": "", "distribution": "K"})


def _decimal(number: float) -> str:
    """A number of a formula, exactly that float64, without an exponent."""
    return format(Decimal(repr(float(number))), "f")


HUBER = huber()

LOSSES: Mapping[str, Loss] = {
    loss.name: loss
    for loss in (
        SOFTMAX_CROSS_ENTROPY, BINARY_CROSS_ENTROPY, MEAN_SQUARED_ERROR, PROBABILITY_CROSS_ENTROPY, KL_DIVERGENCE,
        HINGE, HUBER,
    )
}  # fmt: skip


def find(loss: str | Loss) -> Loss:
    """The loss of that name; a Loss is itself."""
    if isinstance(loss, Loss):
        return loss
    if not isinstance(loss, str) or loss not in LOSSES:
        raise ModelError(f"no loss is called {loss!r}; {closest(loss, LOSSES)}")
    return LOSSES[loss]


def attach(
    program: Program,
    output: str,
    loss: str | Loss,
    reduction: str | None = None,
    label: str | None = None,
    weights: bool = False,
) -> Program:
    """The program with a loss on one of its tensors.

    Adds the tensor "label" (role label; axes (N, ...) as the formula says: for an integer label the output's axes but
    the last, else the output's axes) and the statements up to "loss": no axes, or (N,) for the reduction "none". "loss"
    becomes an output too. `reduction` is the loss' own unless given, `label` the kind of label, the loss' first one.
    `weights` adds the tensor "weight" (role label, axes (N,)), which multiplies the loss of every example.
    """
    loss = find(loss)
    kind = loss.labels[0] if label is None else label
    reduction = loss.reduction if reduction is None else reduction
    if kind not in loss.formulas:
        raise ModelError(f"{loss.name} takes labels of kind {', '.join(loss.labels)}, not {kind!r}")
    if reduction not in REDUCTIONS:
        raise ModelError(f'reduction must be "mean", "sum" or "none", not {reduction!r}')
    if output not in program.tensors:
        raise ModelError(f"the program has no tensor {output!r} to put a loss on")
    if LABEL in program.tensors or LOSS in program.tensors:
        raise ModelError("the program has a loss already")
    block = _per_entry(program, output, loss, kind)
    names = {"z": output, "y": LABEL, **{s.target: f"{LOSS}.{s.target}" for s in block.statements}}
    blocks = _reductions(names[block.result.target], block.result.axes, loss.entries, reduction, weights)
    if not blocks:
        names[block.result.target] = LOSS
    tensors = dict(program.tensors)
    tensors[LABEL] = ProgramTensor(LABEL, block.inputs["y"].axes, "label", block.inputs["y"].integer)
    if weights:
        tensors[WEIGHT] = ProgramTensor(WEIGHT, (Size.of(program.batch),), "label")
    statements = [
        replace(map_statement(s, lambda node: rename_tensors(node, names)), target=names[s.target])
        for s in block.statements
    ]
    statements += [statement for each in blocks for statement in each.statements]
    for statement in statements:
        role = "output" if statement.target == LOSS else "intermediate"
        tensors[statement.target] = ProgramTensor(statement.target, statement.axes, role)
    return replace(
        program,
        tensors=tensors,
        statements=program.statements + tuple(statements),
        outputs=(*program.outputs, LOSS),
    )


def _per_entry(program: Program, output: str, loss: Loss, kind: str) -> Block:
    """The loss of every entry, lifted over the batch and the axes that the formula does not name."""
    shape = [axis.value for axis in program.tensors[output].axes[1:]]
    z_axes, y_axes = tuple(loss.z_axes.split()), loss.label_axes(kind)
    if len(shape) < len(z_axes):
        needed = f"an output with axes {' '.join(z_axes)}"
        raise ModelError(f"{loss.name} needs {needed}, {output} gives one number per example")
    over = len(shape) - len(z_axes)
    sizes = dict(zip(z_axes, shape[over:], strict=True))
    if loss.formulas == SOFTMAX_CROSS_ENTROPY.formulas and sizes["K"] == 1:
        raise ModelError(f"{loss.name} over one class is always 0: use binary_cross_entropy, or two outputs")
    integers = ("y",) if kind == "integer" else ()
    try:
        block = read(loss.formulas[kind], axes={"z": loss.z_axes, "y": y_axes}, sizes=sizes, integers=integers)
    except FormulaError as error:
        raise ModelError(f"the loss {loss.name} cannot be read for {output}, {shape} per example\n{error}") from error
    read_ones = {r.tensor for s in block.statements for r in reads(s.expr)}
    if not {"z", "y"} <= read_ones or set(block.inputs) != {"z", "y"} or block.scalars:
        strangers = sorted({*block.inputs, *block.scalars} - {"z", "y"})
        wrong = f"reads {', '.join(strangers)}" if strangers else "must read both"
        raise ModelError(
            f"a loss is a formula of z, the output, and y, the label; {loss.name} {wrong}: call them z and y"
        )
    axes = [("n", Size.of(program.batch))]
    axes += [(letter, Size.of(n)) for letter, n in zip(_LETTERS, shape[:over], strict=False)]
    if block.result.axes:
        raise ModelError(f"the loss {loss.name} must be one number per entry, it has axes {block.result.axes}")
    return lift(block, {"z", "y"}, axes)


def _reductions(
    entry: str, axes: tuple[Size, ...], entries: str, reduction: str, weights: bool
) -> list[Block]:
    """From the loss of every entry to "loss": first over the entries of an example, then over the batch."""
    batch, places = str(axes[0]), [str(axis) for axis in axes[1:]]
    letters = ["n", *_LETTERS[: len(places)]]
    inner, element = ",".join(letters[1:]), ",".join(letters)
    texts: list[tuple[str, str]] = []
    count = "*".join(places)
    divided = f" / ({count})" if entries == "mean" and places else ""
    weighted = f"{WEIGHT}[n]*{entry}[{element}]" if weights else f"{entry}[{element}]"
    if reduction == "none":
        if places:
            texts.append((f"{LOSS}[n] = sum({inner}) {weighted}{divided}", entry))
        elif weights:
            texts.append((f"{LOSS}[n] = {weighted}", entry))
    else:
        divisors = ([batch] if reduction == "mean" else []) + (places if divided else [])
        scale = f" / ({'*'.join(divisors)})" if divisors else ""
        texts.append((f"{LOSS} = sum({element}) {weighted}{scale}", entry))
    own: dict[str, tuple[Size, ...]] = {WEIGHT: axes[:1]} if weights else {}
    return [read(text, axes={name: axes, **own}) for text, name in texts]
