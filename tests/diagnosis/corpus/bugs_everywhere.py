"""Mistakes that can be made anywhere, each planted where it makes sense."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
from tests.diagnosis.corpus.bug import BUGS, alter, as_drawn, is_a_size, plant, upstream
from tests.diagnosis.corpus.operation import Array, Operation
from tests.diagnosis.corpus.operations import OPERATIONS


def _factors() -> None:
    """A number is a number of elements too where a size of the arguments equals it."""
    table = """
        dense w 2, softmax x 2, layer norm x 2, conv2d w 2, gelu x 0.5, mse x 0.5, sigmoid x 4,
        attention q 2, recurrent u 3, rms norm x 0.5, embedding table 4, logsumexp x 0.25, mse y -0.5, max pool x 1.001,
        batch norm scale 0.1, attention v -2, conv1d x 1.1, unit x 0.999, dense b 10, running sum x 1e-3
    """
    for entry in table.split(","):
        *words, argument, factor = entry.split()
        operation, k = OPERATIONS[" ".join(words)], float(factor)
        causes = "factor" + " sign" * (k < 0)
        if is_a_size(k, operation.sample(np.random.default_rng(0))):
            causes += " missing-mean doubled-mean"
        plant(
            operation,
            argument,
            causes,
            f"d{argument} times {factor}",
            alter(operation, argument, lambda d, *_, k=k: k * d),
        )


def _signs() -> None:
    for entry in (
        "dense b",
        "scale s",
        "softmax x",
        "ratio y",
        "abs x",
        "layer norm shift",
        "attention v",
        "conv2d x",
        "turn x",
    ):
        *words, argument = entry.split()
        operation = OPERATIONS[" ".join(words)]
        plant(
            operation, argument, "sign", f"d{argument} of the other sign", alter(operation, argument, lambda d, *_: -d)
        )


def _missing() -> None:
    for entry in ("dense b", "embedding table", "attention k", "conv1d x", "batch norm scale"):
        *words, argument = entry.split()
        operation = OPERATIONS[" ".join(words)]
        plant(operation, argument, "zero", f"d{argument} stays zero", alter(operation, argument, lambda d, *_: 0 * d))
    for entry in ("dense b", "layer norm scale"):
        *words, argument = entry.split()
        operation = OPERATIONS[" ".join(words)]
        plant(operation, argument, "none", f"d{argument} is None", alter(operation, argument, lambda d, *_: None))


UPSTREAM: tuple[tuple[str, str, Callable[[Array], Array], str], ...] = (
    ("the upstream gradient is taken for ones", "upstream-ones upstream-ignored", np.ones_like,
     "relu dense sigmoid product conv2d max_pool mean running_sum cut embedding cross_entropy mse"),
    ("the first of the upstream gradient is taken for all", "upstream-first", lambda g: np.full_like(g, g.flat[0]),
     "relu dense embedding conv1d mean logsumexp log_softmax attention"),
    ("the mean of the upstream gradient is taken for all", "upstream-averaged", lambda g: np.full_like(g, g.mean()),
     "dense gelu mean"),
    ("the upstream gradient comes in twice", "upstream-squared", lambda g: g * g, "tanh mse running_sum"),
    ("the upstream gradient is clipped", "not-linear upstream-transformed", lambda g: np.clip(g, -0.5, 0.5),
     "dense max_pool"),
    ("the upstream gradient is normalised", "not-linear", lambda g: g / np.sqrt((g**2).sum()), "softmax conv1d"),
)  # fmt: skip


def real_arguments(operation: Operation) -> str:
    sample = operation.sample(np.random.default_rng(0))
    return " ".join(name for name, x in zip(operation.arguments, sample, strict=True) if x.dtype.kind == "f")


def _upstream() -> None:
    for note, causes, change, names in UPSTREAM:
        for name in names.split():
            operation = OPERATIONS[name.replace("_", " ")]
            plant(operation, real_arguments(operation), causes, note, upstream(operation, change))


def _another_result() -> None:
    for name, argument in (
        ("softmax", "x"),
        ("tanh", "x"),
        ("running sum", "x"),
        ("unit", "x"),
        ("gelu", "x"),
        ("residual", "x"),
    ):
        operation = OPERATIONS[name]
        plant(
            operation, argument, "forward-returned", "the output is returned",
            alter(operation, argument, lambda d, g, *arguments, f=operation.forward: f(*arguments)),
        )  # fmt: skip
    for name, causes in (("product", ""), ("ratio", ""), ("mse", "sign"), ("divergence", "")):
        operation = OPERATIONS[name]
        plant(
            operation, " ".join(operation.arguments), f"swapped-arguments {causes}", "the two gradients are exchanged",
            lambda g, *arguments, right=operation.backward: right(g, *arguments)[::-1],
        )  # fmt: skip
    for name in ("gelu", "sigmoid", "tanh", "softplus", "silu"):
        plant(name, "x", "local-derivative-missing", "the upstream gradient is returned", lambda g, x: (g * 1,))


def _numbers() -> None:
    def kept(bits: int) -> Callable[..., Array]:
        def cut(d: Array, *_: Any) -> Array:
            mantissa, exponent = np.frexp(d)
            return np.ldexp(np.round(mantissa * 2**bits) / 2**bits, exponent)

        return cut

    rounded: dict[str, Callable[..., Array]] = {
        "float16": lambda d, *_: d.astype(np.float16).astype(d.dtype),
        "float32": lambda d, *_: d.astype(np.float32).astype(d.dtype),
        "8 bits": kept(8),
    }
    for name, argument, precision in (
        ("dense", "w", "float16"), ("softmax", "x", "float16"), ("attention", "k", "float16"),
        ("layer norm", "x", "float32"), ("conv2d", "w", "8 bits"),
    ):  # fmt: skip
        operation = OPERATIONS[name]
        plant(
            operation,
            argument,
            "rounding",
            f"d{argument} is kept in {precision}",
            alter(operation, argument, rounded[precision]),
        )


def _places() -> None:
    """Wrong in some places, or in single entries."""

    def times(k: float, *place: Any) -> Callable[..., Array]:
        def change(d: Array, *_: Any) -> Array:
            d = d.copy()
            d[place] *= k
            return d

        return change

    every = slice(None)
    table: tuple[tuple[str, str, str, str, Callable[..., Array]], ...] = (
        ("dense", "w", "one-entry branch", "one entry is doubled", times(2, 1, 3)),
        ("conv2d", "x", "one-entry branch", "the last pixel is lost", times(0, 2, 1, 5, 4)),
        ("layer norm", "x", "one-entry branch", "one entry has the other sign", times(-1, 1, 2, 3)),
        ("max pool", "x", "branch", "the last item is left out", times(0, 1)),
        ("softmax", "x", "branch", "the first item is doubled", times(2, 0)),
        ("conv2d", "w", "branch", "the last filter is left out", times(0, 3)),
        ("average pool", "x", "branch", "the last row is doubled", times(2, every, every, 6)),
        ("depthwise", "x", "branch", "the borders are halved", times(0.5, every, every, slice(0, None, 5))),
        ("conv2d strided", "x", "branch", "odd columns are left out", times(0, ..., slice(1, None, 2))),
        ("gelu", "x", "branch", "columns beyond a multiple of two are left out", times(0, every, 2)),
        ("embedding", "table", "branch", "id 0 is taken for padding", times(0, 0)),
        ("batch norm", "x", "branch", "the last feature has the other sign", times(-1, every, 2)),
    )
    for name, argument, causes, note, change in table:
        plant(name, argument, causes, note, alter(OPERATIONS[name], argument, change))
    for name, least, most in (("gelu", 0.5, 9), ("tanh", -9, -0.5), ("softplus", 0.2, 99)):
        operation = OPERATIONS[name]
        plant(
            operation, "x", "branch wrong-derivative", f"another slope between {least} and {most}",
            alter(operation, "x", lambda d, g, x, a=least, b=most: np.where((x > a) & (x < b), 0.7 * d, d)),
        )  # fmt: skip


def _at_one() -> None:
    """Right for every batch but one of a single item."""
    for name, argument in (("dense", "w"), ("layer norm", "scale"), ("conv2d", "x")):
        operation = OPERATIONS[name]
        plant(
            operation, argument, "branch", "a batch of one is doubled",
            alter(operation, argument, lambda d, g, x, *_: d * (1 + (len(x) == 1))),
            shows_at=lambda g, arguments: (g[:1], (arguments[0][:1], *arguments[1:])),
        )  # fmt: skip


def _two_at_once() -> None:
    """A second mistake on the same gradient."""
    halved: Callable[..., Array] = lambda d, *_: 0.5 * d  # noqa: E731
    negated: Callable[..., Array] = lambda d, *_: -d  # noqa: E731
    seconds = {"factor": halved, "sign": negated}
    wanted = (
        ("axes-swapped", "factor"), ("axes-swapped", "sign"), ("not-flipped", "sign"), ("not-flipped", "factor"),
        ("mask-missing", "sign"), ("mask-wrong-side", "factor"), ("missing-mean", "sign"), ("overwrite", "factor"),
        ("missing-term", "sign"), ("shifted", "sign"), ("swapped-arguments", "factor"), ("upstream-ones", "sign"),
        ("upstream-first", "factor"), ("forward-returned", "sign"), ("branch", "sign"), ("diagonal-only", "factor"),
        ("wrong-axis-sum", "sign"), ("doubled-mean", "sign"), ("broadcast-not-summed", "factor"),
    )  # fmt: skip
    for cause, second in wanted:
        fitting = [
            bug for bug in BUGS
            if bug.causes[0] == cause and not {"sign", "wrong-shape"} & {*bug.causes} and not bug.faithful
            and not bug.second and bug.shows_at is as_drawn
        ]  # fmt: skip
        for bug in fitting[:2]:
            argument = bug.arguments[0]
            operation = replace(bug.operation, backward=bug.make()[1])
            changed = alter(operation, argument, seconds[second])
            names = second
            if second == "factor" and is_a_size(0.5, operation.sample(np.random.default_rng(0))):
                names += " missing-mean doubled-mean"
            plant(
                bug.operation, " ".join(bug.arguments), " ".join(bug.causes), f"{bug.note}, and {second}", changed,
                second=names,
            )  # fmt: skip


def plant_single() -> None:
    for planted in (_factors, _signs, _missing, _upstream, _another_result, _numbers, _places, _at_one):
        planted()


plant_pairs = _two_at_once
