"""Mistakes in arrays of sizes that people train with: one wrong entry hides among ten thousands, and sums grow.

They are kept apart, for differences entry by entry take too long here: that they are wrong is seen beside the right
gradient, which the small sizes have checked.
"""

from __future__ import annotations

__all__ = ["LARGE"]

from dataclasses import replace
from typing import Any

import numpy as np
from numpy.random import Generator
from tests.diagnosis.corpus.bug import Bug, alter, upstream
from tests.diagnosis.corpus.operation import Array, Operation, apart, away, normal
from tests.diagnosis.corpus.operations import OPERATIONS

LARGE: list[Bug] = []


def looked_up(rng: Generator) -> tuple[Array, ...]:
    return rng.normal(size=(3000, 16)), rng.integers(0, 3000, (64, 50))


def half_let_through(rng: Generator) -> tuple[Array, ...]:
    """The entries that are planted below are among those that a relu lets through, whatever the seed is."""
    (x,) = away((211, 150))(rng)
    x[[100, 3], [77, 149]] = np.abs(x[[100, 3], [77, 149]])
    return (x,)


SIZES = {
    "relu": half_let_through,
    "dense": normal((128, 60), (60, 97), (97,)),
    "conv2d": normal((8, 3, 23, 19), (10, 3, 5, 3), (10,)),
    "max pool": lambda rng: (apart((8, 5, 27, 31), rng),),
    "softmax": normal((1000, 13)),
    "layer norm": normal((16, 20, 48), (48,), (48,)),
    "embedding": looked_up,
    "attention": normal((4, 31, 8), (4, 37, 8), (4, 37, 11)),
    "batch norm 2d": normal((16, 5, 11, 13), (5, 1, 1), (5, 1, 1)),
}
LARGER: dict[str, Operation] = {name: replace(OPERATIONS[name], sample=sample) for name, sample in SIZES.items()}


def times(k: float, *place: Any) -> Any:
    def change(d: Array, *_: Any) -> Array:
        d = d.copy()
        d[place] *= k
        return d

    return change


every = slice(None)
TABLE: tuple[tuple[str, str, str, str, Any], ...] = (
    ("relu", "x", "one-entry branch", "one entry of thirty thousand doubled", times(2, 100, 77)),
    ("relu", "x", "one-entry branch", "one entry a tenth too large", times(1.1, 3, 149)),
    ("relu", "x", "branch", "the last column left out", times(0, every, 149)),
    ("dense", "w", "one-entry branch", "one weight of six thousand doubled", times(2, 41, 3)),
    ("dense", "w", "factor", "a thousandth too large", lambda d, *_: 1.001 * d),
    ("dense", "b", "missing-mean doubled-mean factor", "averaged", lambda d, *_: d / 128),
    ("dense", "w", "branch", "the last input left out", times(0, 59)),
    ("dense", "x", "sign", "of the other sign", lambda d, *_: -d),
    ("conv2d", "w", "not-flipped", "not flipped", lambda d, *_: d[:, :, ::-1, ::-1]),
    ("conv2d", "w", "branch", "the last filter of another sign", times(-1, 9)),
    ("conv2d", "x", "branch", "the last row left out", times(0, every, every, 22)),
    ("conv2d", "x", "one-entry branch", "one pixel of ten thousand lost", times(0, 5, 1, 10, 10)),
    ("conv2d", "b", "one-entry branch", "one bias doubled", times(2, 4)),
    ("max pool", "x", "factor", "halved", lambda d, *_: 0.5 * d),
    ("max pool", "x", "branch", "the last item left out", times(0, 7)),
    ("softmax", "x", "branch", "the last item of a thousand left out", times(0, 999)),
    ("softmax", "x", "sign", "of the other sign", lambda d, *_: -d),
    ("layer norm", "scale", "one-entry branch", "one scale doubled", times(2, 17)),
    ("layer norm", "x", "factor missing-mean doubled-mean", "twice", lambda d, *_: 2 * d),
    ("embedding", "table", "zero", "never added", lambda d, *_: 0 * d),
    ("attention", "k", "branch", "the last key left out", times(0, every, 36)),
    ("attention", "v", "rounding", "kept in float16", lambda d, *_: d.astype(np.float16).astype(float)),
    ("batch norm 2d", "x", "branch", "one channel of the other sign", times(-1, every, 2)),
    ("batch norm 2d", "shift", "factor missing-mean doubled-mean", "averaged over pixels", lambda d, *_: d / 143),
)  # fmt: skip
for name, argument, causes, note, change in TABLE:
    home = LARGER[name]
    LARGE.append(
        Bug(
            f"{note}, d{argument}",
            home,
            lambda home=home, argument=argument, change=change: (home.forward, alter(home, argument, change)),
            (argument,),
            tuple(causes.split()),
        )
    )


def overwritten(g: Array, table: Array, ids: Array) -> tuple[Array | None, ...]:
    d = np.zeros_like(table)
    d[ids] = g
    return d, None


LARGE.append(
    Bug(
        "repeated ids overwrite",
        LARGER["embedding"],
        lambda: (OPERATIONS["embedding"].forward, overwritten),
        ("table",),
        ("overwrite",),
    )
)
for name, arguments in (("dense", ("x", "w", "b")), ("softmax", ("x",))):
    home = LARGER[name]
    LARGE.append(
        Bug(
            "one upstream gradient is not read",
            home,
            lambda home=home: (home.forward, upstream(home, times(0, 70, 5))),
            arguments,
            ("branch", "upstream-transformed", "one-entry"),
        )
    )
