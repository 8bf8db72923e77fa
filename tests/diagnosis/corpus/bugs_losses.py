"""Mistakes in losses: means first of all."""

from __future__ import annotations

from typing import Any

import numpy as np
from tests.diagnosis.corpus.bug import alter, plant, wrong
from tests.diagnosis.corpus.operation import Array
from tests.diagnosis.corpus.operations import OPERATIONS
from tests.diagnosis.corpus.reductions import softmax

Gradients = tuple[Any, ...]
right = {name: operation.backward for name, operation in OPERATIONS.items()}

# --- losses: means ---

for factor, causes, note in (
    (lambda x: len(x), "missing-mean", "1/B is forgotten"),
    (lambda x: 1 / len(x), "doubled-mean", "1/B comes in twice"),
    (lambda x: 1 / x.shape[1], "doubled-mean factor", "it is averaged over classes too"),
):
    plant(
        "cross entropy",
        "x",
        causes,
        note,
        alter(OPERATIONS["cross entropy"], "x", lambda d, g, x, label, f=factor: f(x) * d),
    )
for name, arguments in (("mse", "x y"), ("binary cross entropy", "x y")):
    plant(
        name,
        arguments,
        "missing-mean",
        "the sum in place of the mean",
        lambda g, x, y, n=name: tuple(x.size * d for d in right[n](g, x, y)),
    )
    plant(
        name,
        arguments,
        "missing-mean",
        "the mean over items alone",
        lambda g, x, y, n=name: tuple(x.shape[1] * d for d in right[n](g, x, y)),
    )
plant(
    "mse", "x y", "doubled-mean", "1/B comes in twice", lambda g, x, y: tuple(d / len(x) for d in right["mse"](g, x, y))
)
plant("mean", "x", "missing-mean", "the sum's gradient", lambda g, x: (np.repeat(g[:, None], x.shape[1], 1),))
plant(
    "mean",
    "x",
    "doubled-mean missing-mean factor",
    "divided by the batch",
    lambda g, x: (np.repeat(g[:, None], x.shape[1], 1) / len(x),),
)
plant(
    "two parts",
    "x y",
    "unequal-parts factor missing-mean",
    "each part by its own mean",
    lambda g, x, y: (right["two parts"](g, x, y)[0] * 10 / 3, right["two parts"](g, x, y)[1] * 10 / 7),
)
plant(
    "two parts",
    "x y",
    "unequal-parts factor missing-mean doubled-mean",
    "the mean of the two means",
    lambda g, x, y: (right["two parts"](g, x, y)[0] * 5 / 3, right["two parts"](g, x, y)[1] * 5 / 7),
)


@wrong("masked mean", "x", "unequal-parts")
def each_row_is_averaged_by_itself(g: Array, x: Array, m: Array) -> Gradients:
    return g * (1 - np.tanh(x) ** 2) * m / m.sum(1, keepdims=True) / len(x), None


@wrong("masked mean", "x", "factor missing-mean doubled-mean")
def what_is_masked_counts(g: Array, x: Array, m: Array) -> Gradients:
    return g * (1 - np.tanh(x) ** 2) * m / x.size, None


@wrong("masked mean", "x", "mask-missing")
def the_mask_is_forgotten(g: Array, x: Array, m: Array) -> Gradients:
    return g * (1 - np.tanh(x) ** 2) / m.sum(), None


@wrong("masked mean", "x", "mask-wrong-side")
def what_is_masked_gets_it(g: Array, x: Array, m: Array) -> Gradients:
    return g * (1 - np.tanh(x) ** 2) * (1 - m) / m.sum(), None


# --- losses: the rest ---

plant(
    "cross entropy",
    "x",
    "sign",
    "target minus prediction",
    lambda g, x, label: (-right["cross entropy"](g, x, label)[0], None),
)
plant(
    "cross entropy",
    "x",
    "missing-term wrong-derivative",
    "the target is not subtracted",
    lambda g, x, label: (g * softmax(x) / len(x), None),
)
plant(
    "cross entropy",
    "x",
    "wrong-derivative wrong-saved missing-term",
    "the logits are taken for probabilities",
    lambda g, x, label: (g * (x - np.eye(x.shape[1])[label]) / len(x), None),
)
plant(
    "cross entropy",
    "x",
    "shifted argument-transformed wrong-derivative",
    "labels count from one",
    lambda g, x, label: right["cross entropy"](g, x, (label + 1) % 4),
)
plant(
    "cross entropy",
    "x",
    "diagonal-only missing-term mask-extra branch",
    "only the right class learns",
    lambda g, x, label: (right["cross entropy"](g, x, label)[0] * np.eye(x.shape[1])[label], None),
)
plant(
    "cross entropy", "x", "axes-swapped", "the square batch comes transposed",
    alter(OPERATIONS["cross entropy"], "x", lambda d, *_: d.T),
    sample=lambda rng: (rng.normal(size=(4, 4)), rng.permutation([0, 1, 1, 3])),
)  # fmt: skip
plant("mse", "x y", "factor", "the two is forgotten", lambda g, x, y: (g * (x - y) / x.size, g * (y - x) / x.size))
plant("mse", "y", "sign swapped-arguments", "dy is dx", lambda g, x, y: (right["mse"](g, x, y)[0],) * 2)
plant(
    "mse",
    "x y",
    "wrong-derivative",
    "the sign of the difference",
    lambda g, x, y: (g * np.sign(x - y) / x.size, g * np.sign(y - x) / x.size),
)
plant(
    "binary cross entropy",
    "x",
    "wrong-derivative missing-term",
    "times the slope of the sigmoid again",
    lambda g, x, y: (
        g * (softmax(np.stack([0 * x, x], -1))[..., 1] - y) * 0.25 / np.cosh(x / 2) ** 2 / x.size,
        right["binary cross entropy"](g, x, y)[1],
    ),
)
plant(
    "binary cross entropy",
    "x",
    "wrong-saved wrong-derivative missing-term",
    "the logit in place of its sigmoid",
    lambda g, x, y: (g * (x - y) / x.size, right["binary cross entropy"](g, x, y)[1]),
)
plant(
    "divergence",
    "p",
    "missing-term wrong-derivative",
    "the one of the logarithm is forgotten",
    lambda g, p, x: (g[:, None] * (np.log(p) - x), -g[:, None] * p),
)
plant(
    "divergence",
    "p",
    "missing-term wrong-derivative wrong-saved argument-transformed",
    "x is forgotten",
    lambda g, p, x: (g[:, None] * (np.log(p) + 1), -g[:, None] * p),
)
plant(
    "divergence",
    "x",
    "factor",
    "doubled since its creation",
    lambda g, p, x: (right["divergence"](g, p, x)[0], -2 * g[:, None] * p),
)
