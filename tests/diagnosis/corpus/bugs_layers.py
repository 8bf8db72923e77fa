"""Mistakes in broadcasts, dense and recurrent layers, and in what moves numbers."""

from __future__ import annotations

from typing import Any

import numpy as np
from tests.diagnosis.corpus.bug import alter, plant, wrong
from tests.diagnosis.corpus.operation import Array, normal
from tests.diagnosis.corpus.operations import OPERATIONS
from tests.diagnosis.corpus.pointwise import unrolled

Gradients = tuple[Any, ...]
dense, residual, recurrent = (OPERATIONS[name].backward for name in ("dense", "residual", "recurrent"))


# --- sums over axes ---

square = normal((3, 4, 4), (4, 1))
plant(
    "dense",
    "b",
    "broadcast-not-summed wrong-shape",
    "db is not summed",
    lambda g, x, w, b: (*dense(g, x, w, b)[:2], g * 1),
)
plant(
    "dense",
    "b",
    "broadcast-not-summed overwrite",
    "db of one item",
    lambda g, x, w, b: (*dense(g, x, w, b)[:2], g[0] * 1),
)
plant("dense", "b", "doubled-mean", "db is averaged", lambda g, x, w, b: (*dense(g, x, w, b)[:2], g.mean(0)))
plant("dense", "w", "doubled-mean", "dw is averaged", lambda g, x, w, b: (g @ w.T, x.T @ g / len(x), g.sum(0)))
plant(
    "dense",
    "w b",
    "doubled-mean",
    "all parameters are averaged",
    lambda g, x, w, b: (g @ w.T, x.T @ g / len(x), g.mean(0)),
)
plant(
    "dense",
    "b",
    "wrong-axis-sum",
    "db sums over features",
    lambda g, x, w, b: (*dense(g, x, w, b)[:2], g.sum(1)),
    sample=normal((4, 3), (3, 4), (4,)),
)
plant(
    "dense",
    "b",
    "wrong-shape",
    "db keeps its axes",
    lambda g, x, w, b: (*dense(g, x, w, b)[:2], g.sum(0, keepdims=True)),
)
plant(
    "add column",
    "b",
    "wrong-axis-sum",
    "the sum is over rows",
    lambda g, x, b: (g, g.sum((0, 1))[:, None]),
    sample=square,
)
plant("add column", "b", "broadcast-not-summed wrong-shape", "db is the upstream gradient", lambda g, x, b: (g, g * 1))
plant(
    "add column",
    "b",
    "broadcast-not-summed wrong-shape",
    "db is summed over items alone",
    lambda g, x, b: (g, g.sum(0)),
)
plant("add column", "b", "wrong-shape", "db has lost its axis", lambda g, x, b: (g, g.sum((0, 2))))
plant(
    "add column", "b", "broadcast-not-summed overwrite", "db of the first column", lambda g, x, b: (g, g.sum(0)[:, :1])
)
plant(
    "scale",
    "s",
    "broadcast-not-summed overwrite",
    "ds of the last item",
    lambda g, x, s: (g * s, (g * x)[-1].sum(-1)[:, None]),
)
plant(
    "scale",
    "s",
    "wrong-axis-sum",
    "ds sums over rows",
    lambda g, x, s: (g * s, (g * x).sum((0, 1))[:, None]),
    sample=square,
)
plant(
    "scale",
    "x",
    "local-derivative-missing",
    "the scale is forgotten",
    lambda g, x, s: (g * 1, (g * x).sum((0, 2))[:, None]),
)
plant(
    "scale",
    "s",
    "missing-term wrong-derivative wrong-saved argument-transformed",
    "ds as for a shift",
    lambda g, x, s: (g * s, g.sum((0, 2))[:, None]),
)

# --- axes ---

plant(
    "dense",
    "w",
    "axes-swapped",
    "dw is reshaped where it should be transposed",
    lambda g, x, w, b: (g @ w.T, (g.T @ x).reshape(w.shape), g.sum(0)),
)
plant(
    "matmul",
    "a",
    "axes-swapped argument-transformed",
    "b is not transposed",
    lambda g, a, b: (g @ b, a.T @ g),
    sample=normal((5, 4), (4, 4)),
)
plant(
    "matmul",
    "b",
    "axes-swapped argument-transformed",
    "a is not transposed",
    lambda g, a, b: (g @ b.T, a @ g),
    sample=normal((4, 4), (4, 3)),
)
plant(
    "matmul",
    "b",
    "axes-swapped",
    "db comes transposed",
    lambda g, a, b: (g @ b.T, (a.T @ g).T),
    sample=normal((5, 4), (4, 4)),
)
plant(
    "matmul",
    "a b",
    "swapped-arguments",
    "da and db are exchanged",
    lambda g, a, b: (a.T @ g, g @ b.T),
    sample=normal((4, 4), (4, 4)),
)
plant(
    "residual",
    "w",
    "axes-swapped",
    "dw comes transposed",
    lambda g, x, w: (residual(g, x, w)[0], residual(g, x, w)[1].T),
)
plant(
    "residual",
    "x",
    "axes-swapped argument-transformed",
    "w is not transposed",
    lambda g, x, w: (g + (g * (1 - np.tanh(x @ w) ** 2)) @ w, residual(g, x, w)[1]),
)
plant(
    "bilinear",
    "w",
    "axes-swapped",
    "the two sides are exchanged",
    alter(OPERATIONS["bilinear"], "w", lambda d, *_: d.transpose(0, 2, 1)),
    sample=normal((5, 3), (2, 3, 3), (5, 3)),
)
plant(
    "bilinear",
    "x y",
    "swapped-arguments",
    "dx and dy are exchanged",
    lambda g, x, w, y: OPERATIONS["bilinear"].backward(g, x, w, y)[::-1],
    sample=normal((5, 3), (5, 3, 3), (5, 3)),
)
plant("turn", "x", "axes-swapped", "it is only reshaped", lambda g, x: (g.reshape(x.shape) * 1,))
plant(
    "turn",
    "x",
    "axes-swapped",
    "the square is turned once more",
    alter(OPERATIONS["turn"], "x", lambda d, *_: d.transpose(0, 2, 1)),
    sample=normal((3, 4, 4)),
)
plant(
    "upsample",
    "x",
    "axes-swapped",
    "blocks are read as rows by columns",
    lambda g, x: (g.reshape(*x.shape[:2], 3, x.shape[3], 2, x.shape[2]).sum((2, 4)).transpose(0, 1, 3, 2),),
)

# --- flips and shifts ---

plant(
    "running sum",
    "x",
    "not-flipped upstream-transformed axes-swapped",
    "the sum runs forwards again",
    lambda g, x: (np.cumsum(g, 1),),
)
plant(
    "running sum",
    "x",
    "not-flipped upstream-transformed",
    "it is reversed once",
    lambda g, x: (np.cumsum(g, 1)[:, ::-1],),
)
plant(
    "running sum",
    "x",
    "shifted branch missing-term",
    "each leaves itself out",
    lambda g, x: (np.cumsum(g[:, ::-1], 1)[:, ::-1] - g,),
)
plant("shift", "x", "shifted local-derivative-missing", "it is not shifted back", lambda g, x: (g * 1,))
plant(
    "shift",
    "x",
    "shifted not-flipped",
    "it is shifted on",
    lambda g, x: (np.concatenate([0 * g[:, :1], g[:, :-1]], 1),),
)
plant("shift", "x", "shifted branch mask-missing", "it comes around", lambda g, x: (np.roll(g, -1, 1),))
plant("join", "y", "shifted upstream-transformed", "the cut is one too early", lambda g, x, y: (g[:, :4], g[:, 3:5]))
plant(
    "join",
    "x y",
    "swapped-arguments",
    "the halves are exchanged",
    lambda g, x, y: (g[:, 3:], g[:, :3]),
    sample=normal((3, 3), (3, 3)),
)
plant(
    "embedding",
    "table",
    "shifted argument-transformed",
    "ids count from one",
    lambda g, table, ids: OPERATIONS["embedding"].backward(g, table, (ids + 1) % len(table)),
)

# --- accumulation ---


@wrong("embedding", "table", "overwrite")
def a_repeated_id_keeps_its_last(g: Array, table: Array, ids: Array) -> Gradients:
    d = np.zeros_like(table)
    d[ids] += g  # buffered: each row gets one of its contributions
    return d, None


@wrong("embedding", "table", "overlap-averaged")
def a_repeated_id_is_averaged(g: Array, table: Array, ids: Array) -> Gradients:
    counts = np.bincount(ids.ravel(), minlength=len(table))
    return OPERATIONS["embedding"].backward(g, table, ids)[0] / np.maximum(counts, 1)[:, None], None


@wrong("gather", "x", "overwrite")
def a_repeated_place_keeps_its_last(g: Array, x: Array, places: Array) -> Gradients:
    d = np.zeros_like(x)
    np.put_along_axis(d, places, g, 1)
    return d, None


plant(
    "residual",
    "x",
    "missing-term overwrite",
    "the way through is forgotten",
    lambda g, x, w: (residual(g, x, w)[0] - g, residual(g, x, w)[1]),
)
plant(
    "residual",
    "x",
    "missing-term overwrite local-derivative-missing",
    "the layer is forgotten",
    lambda g, x, w: (g * 1, residual(g, x, w)[1]),
)
plant(
    "residual",
    "x",
    "factor",
    "both ways are averaged",
    lambda g, x, w: (residual(g, x, w)[0] / 2, residual(g, x, w)[1]),
)


def last_step(g: Array, x: Array, w: Array, u: Array) -> tuple[Array, Array]:
    states = unrolled(x, w, u)
    inner = g * (1 - states[-1] ** 2)
    return states[-2].T @ inner, x[-1].T @ inner


plant(
    "recurrent",
    "w",
    "overwrite missing-term",
    "dw of the last step",
    lambda g, x, w, u: (recurrent(g, x, w, u)[0], last_step(g, x, w, u)[0], recurrent(g, x, w, u)[2]),
)
plant(
    "recurrent",
    "u",
    "overwrite missing-term",
    "du of the last step",
    lambda g, x, w, u: (*recurrent(g, x, w, u)[:2], last_step(g, x, w, u)[1]),
)
plant("recurrent", "w", "axes-swapped", "dw comes transposed", alter(OPERATIONS["recurrent"], "w", lambda d, *_: d.T))
plant(
    "recurrent",
    "w",
    "doubled-mean",
    "dw is averaged over time",
    alter(OPERATIONS["recurrent"], "w", lambda d, g, x, *_: d / len(x)),
)
plant(
    "recurrent",
    "x",
    "not-flipped",
    "time runs forwards in dx",
    alter(OPERATIONS["recurrent"], "x", lambda d, *_: d[::-1]),
)
plant(
    "recurrent",
    "x",
    "branch",
    "one step is left out",
    alter(OPERATIONS["recurrent"], "x", lambda d, *_: d * (np.arange(len(d)) > 0)[:, None, None]),
)

# --- several outputs ---

cut = OPERATIONS["cut"].backward
plant(
    "cut",
    "x",
    "upstream-mixed",
    "both halves get the first upstream gradient",
    lambda g, x: cut((g[0], g[0]), x),
    sample=normal((5, 4)),
)
plant(
    "cut",
    "x",
    "upstream-mixed swapped-arguments",
    "the upstream gradients are exchanged",
    lambda g, x: cut((g[1], g[0]), x),
    sample=normal((5, 4)),
)
plant(
    "cut",
    "x",
    "branch zero missing-term mask-extra",
    "the second output is forgotten",
    lambda g, x: cut((g[0], 0 * g[1]), x),
)
plant("cut", "x", "branch factor", "the second half is halved", lambda g, x: cut((g[0], g[1] / 2), x))

# --- contract ---

plant("dense", "", "wrong-count", "db is not returned", lambda g, x, w, b: dense(g, x, w, b)[:2])
plant(
    "product",
    "x",
    "nan",
    "the product is divided by x",
    lambda g, x, y: (g * x * y / np.where(x == 0, np.nan, x), g * x),
    sample=lambda rng: (rng.integers(-1, 2, (4, 3)) * 1.0, rng.normal(size=(4, 3))),
)
