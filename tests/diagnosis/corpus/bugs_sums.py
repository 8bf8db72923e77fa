"""Mistakes in softmaxes, normalisations and attention."""

from __future__ import annotations

from typing import Any

import numpy as np
from tests.diagnosis.corpus.bug import alter, plant, wrong
from tests.diagnosis.corpus.operation import Array, normal
from tests.diagnosis.corpus.operations import OPERATIONS
from tests.diagnosis.corpus.reductions import EPSILON, normalised, softmax

Gradients = tuple[Any, ...]
right = {name: operation.backward for name, operation in OPERATIONS.items()}

# --- softmaxes ---

plant("softmax", "x", "diagonal-only", "y (1 - y), entry by entry", lambda g, x: (g * softmax(x) * (1 - softmax(x)),))
plant(
    "softmax",
    "x",
    "missing-term wrong-derivative diagonal-only",
    "the sum is forgotten",
    lambda g, x: (g * softmax(x),),
)
plant(
    "softmax",
    "x",
    "wrong-derivative missing-term",
    "the sum is of the upstream gradient alone",
    lambda g, x: (softmax(x) * (g - g.sum(-1, keepdims=True)),),
)
plant(
    "softmax",
    "x",
    "wrong-axis-sum wrong-derivative missing-term",
    "the sum is over items",
    lambda g, x: (softmax(x) * (g - (g * softmax(x)).sum(0)),),
    sample=normal((4, 4)),
)
plant(
    "softmax",
    "x",
    "wrong-derivative upstream-transformed",
    "the mean for the sum",
    lambda g, x: (softmax(x) * (g - (g * softmax(x)).mean(-1, keepdims=True)),),
)
plant(
    "log softmax",
    "x",
    "missing-term wrong-derivative local-derivative-missing",
    "the normalisation is forgotten",
    lambda g, x: (g * 1,),
)
plant("log softmax", "x", "diagonal-only missing-term", "1 - y, entry by entry", lambda g, x: (g * (1 - softmax(x)),))
plant(
    "log softmax",
    "x",
    "wrong-derivative missing-term wrong-saved",
    "the output for its exponential",
    lambda g, x: (g - (x - x.max(-1, keepdims=True)) * g.sum(-1, keepdims=True),),
)
plant(
    "logsumexp",
    "x",
    "wrong-derivative unequal-parts",
    "the exponentials are not normalised",
    lambda g, x: (g[..., None] * np.exp(x),),
)
plant(
    "logsumexp",
    "x",
    "wrong-axis-sum wrong-derivative",
    "normalised over another axis",
    lambda g, x: (g[..., None] * np.exp(x) / np.exp(x).sum(1, keepdims=True),),
)
plant(
    "logsumexp",
    "x",
    "mask-extra wrong-derivative",
    "the maximum gets it all",
    lambda g, x: (g[..., None] * (x == x.max(-1, keepdims=True)),),
)
plant(
    "unit",
    "x",
    "missing-term",
    "the length is taken for constant",
    lambda g, x: (g / np.sqrt((x**2).sum(-1, keepdims=True)),),
)
plant(
    "unit",
    "x",
    "wrong-derivative unequal-parts",
    "divided by the square of the length",
    lambda g, x: (right["unit"](g, x)[0] / np.sqrt((x**2).sum(-1, keepdims=True)),),
)
plant(
    "unit",
    "x",
    "wrong-derivative missing-term",
    "the projection is added",
    lambda g, x: (2 * g / np.sqrt((x**2).sum(-1, keepdims=True)) - right["unit"](g, x)[0],),
)
plant(
    "unit",
    "x",
    "wrong-axis-sum wrong-derivative missing-term",
    "the projection sums over items",
    lambda g, x: (
        (g - x / np.sqrt((x**2).sum(-1, keepdims=True)) * (g * x / np.sqrt((x**2).sum(-1, keepdims=True))).sum(0))
        / np.sqrt((x**2).sum(-1, keepdims=True)),
    ),
)

# --- normalisations ---


def frozen(name: str, axes: tuple[int, ...], centred: bool) -> None:
    """dx of a normalisation whose statistics, or only the second, are taken for constants."""

    def backward(g: Array, x: Array, scale: Array, shift: Array) -> Gradients:
        h = g * scale
        h = h - h.mean(axes, keepdims=True) if centred else h
        return h / normalised(x, axes)[1], *right[name](g, x, scale, shift)[1:]

    note = "the deviation is taken for constant" if centred else "mean and deviation are taken for constants"
    plant(name, "x", "missing-term", note, backward)


frozen("batch norm", (0,), False)
frozen("batch norm", (0,), True)
frozen("batch norm 2d", (0, 2, 3), False)
frozen("layer norm", (-1,), False)
frozen("layer norm", (-1,), True)


@wrong("layer norm", "x", "missing-term local-derivative-missing wrong-derivative wrong-saved argument-transformed")
def the_scale_is_forgotten(g: Array, x: Array, scale: Array, shift: Array) -> Gradients:
    return right["layer norm"](g, x, np.ones_like(scale), shift)[0], *right["layer norm"](g, x, scale, shift)[1:]


@wrong("layer norm", "scale", "wrong-saved wrong-derivative missing-term")
def the_scale_sees_the_raw_input(g: Array, x: Array, scale: Array, shift: Array) -> Gradients:
    dx, _, dshift = right["layer norm"](g, x, scale, shift)
    return dx, (g * x).sum((0, 1)), dshift


@wrong("layer norm", "scale", "wrong-axis-sum", sample=normal((4, 4, 4), (4,), (4,)))
def the_scale_sums_over_its_own_axis(g: Array, x: Array, scale: Array, shift: Array) -> Gradients:
    dx, _, dshift = right["layer norm"](g, x, scale, shift)
    return dx, (g * normalised(x, (-1,))[0]).sum((0, 2)), dshift


@wrong("layer norm", "shift", "broadcast-not-summed wrong-shape")
def the_shift_sums_over_items_alone(g: Array, x: Array, scale: Array, shift: Array) -> Gradients:
    return *right["layer norm"](g, x, scale, shift)[:2], g.sum(0)


@wrong("layer norm", "scale shift", "swapped-arguments")
def scale_and_shift_are_exchanged(g: Array, x: Array, scale: Array, shift: Array) -> Gradients:
    dx, dscale, dshift = right["layer norm"](g, x, scale, shift)
    return dx, dshift, dscale


@wrong("batch norm", "scale shift", "doubled-mean")
def parameters_are_averaged(g: Array, x: Array, scale: Array, shift: Array) -> Gradients:
    dx, dscale, dshift = right["batch norm"](g, x, scale, shift)
    return dx, dscale / len(x), dshift / len(x)


@wrong("batch norm", "x", "wrong-derivative missing-term factor unequal-parts")
def the_deviation_divides_by_one_less(g: Array, x: Array, scale: Array, shift: Array) -> Gradients:
    y, deviation = normalised(x, (0,))
    h, n = g * scale, len(x)
    dx = (h - h.mean(0) - y * (h * y).sum(0) / (n - 1)) / deviation
    return dx, *right["batch norm"](g, x, scale, shift)[1:]


@wrong("rms norm", "x", "missing-term")
def the_size_is_taken_for_constant(g: Array, x: Array, scale: Array) -> Gradients:
    return g * scale / np.sqrt((x**2).mean(-1, keepdims=True) + EPSILON), right["rms norm"](g, x, scale)[1]


@wrong("rms norm", "x", "wrong-derivative missing-term")
def the_correction_is_not_divided_by_the_width(g: Array, x: Array, scale: Array) -> Gradients:
    size = np.sqrt((x**2).mean(-1, keepdims=True) + EPSILON)
    y, h = x / size, g * scale
    return (h - y * (h * y).sum(-1, keepdims=True)) / size, right["rms norm"](g, x, scale)[1]


# --- attention ---

plant(
    "attention",
    "k",
    "factor missing-mean",
    "dk lacks the scale",
    alter(OPERATIONS["attention"], "k", lambda d, g, q, *_: d * np.sqrt(q.shape[-1])),
)
plant(
    "causal attention",
    "q k",
    "factor",
    "dq and dk lack the scale",
    lambda g, q, k, v: (
        *(d * np.sqrt(3) for d in right["causal attention"](g, q, k, v)[:2]),
        right["causal attention"](g, q, k, v)[2],
    ),
)
plant(
    "causal attention",
    "q k v",
    "mask-missing branch wrong-derivative",
    "the mask is off in the backward",
    lambda g, q, k, v: right["attention"](g, q, k, v),
)
plant(
    "causal attention",
    "q k",
    "swapped-arguments",
    "dq and dk are exchanged",
    lambda g, q, k, v: (
        right["causal attention"](g, q, k, v)[1],
        right["causal attention"](g, q, k, v)[0],
        right["causal attention"](g, q, k, v)[2],
    ),
)


def scored(g: Array, q: Array, k: Array, v: Array, sums: bool = True, turned: bool = False) -> Gradients:
    p = softmax(np.einsum("hqd,hkd->hqk", q, k) / np.sqrt(q.shape[-1]))
    dp = np.einsum("hqd,hkd->hqk", g, v)
    ds = p * (dp - (dp * p).sum(-1, keepdims=True) * sums) / np.sqrt(q.shape[-1])
    dv = np.einsum("hqk,hqd->hkd", np.swapaxes(p, 1, 2) if turned else p, g)
    return np.einsum("hqk,hkd->hqd", ds, k), np.einsum("hqk,hqd->hkd", ds, q), dv


plant(
    "attention",
    "q k",
    "missing-term diagonal-only wrong-derivative",
    "the softmax's sum is forgotten",
    lambda g, q, k, v: scored(g, q, k, v, sums=False),
)
plant(
    "attention",
    "v",
    "axes-swapped argument-transformed",
    "the weights are not transposed",
    lambda g, q, k, v: scored(g, q, k, v, turned=True),
    sample=normal((2, 4, 3), (2, 4, 3), (2, 4, 5)),
)
plant(
    "attention",
    "q",
    "branch",
    "the last query is left out",
    alter(OPERATIONS["attention"], "q", lambda d, *_: d * (np.arange(3) < 2)[:, None]),
)
plant(
    "attention",
    "v",
    "axes-swapped",
    "heads and places are mixed by a reshape",
    alter(OPERATIONS["attention"], "v", lambda d, *_: d.transpose(1, 0, 2).reshape(d.shape)),
)
