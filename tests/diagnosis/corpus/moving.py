"""Operations that move numbers: look-ups, reshapes, running sums, joins and cuts."""

from __future__ import annotations

__all__ = ["OPERATIONS"]

import numpy as np
from numpy.random import Generator
from tests.diagnosis.corpus.operation import Array, Operation, normal


def embedding(table: Array, ids: Array) -> Array:
    return table[ids]


def embedding_backward(g: Array, table: Array, ids: Array) -> tuple[Array | None, ...]:
    d = np.zeros_like(table)
    np.add.at(d, ids, g)
    return d, None


def looked_up(rng: Generator) -> tuple[Array, ...]:
    """Some rows are read several times, some never."""
    return rng.normal(size=(7, 4)), rng.permutation(15).reshape(3, 5) % 6


def gather(x: Array, places: Array) -> Array:
    """From each row, some of its entries."""
    return np.take_along_axis(x, places, 1)


def gather_backward(g: Array, x: Array, places: Array) -> tuple[Array | None, ...]:
    d = np.zeros_like(x)
    np.add.at(d, (np.arange(len(x))[:, None], places), g)
    return d, None


def gathered(rng: Generator) -> tuple[Array, ...]:
    return rng.normal(size=(4, 5)), rng.permutation(24).reshape(4, 6) % 5


def turned(x: Array) -> Array:
    """[a, b, c] as [a, c b]."""
    return x.transpose(0, 2, 1).reshape(x.shape[0], -1)


def turned_backward(g: Array, x: Array) -> tuple[Array, ...]:
    a, b, c = x.shape
    return (g.reshape(a, c, b).transpose(0, 2, 1),)


def running(x: Array) -> Array:
    return np.cumsum(x, 1)


def running_backward(g: Array, x: Array) -> tuple[Array, ...]:
    return (np.cumsum(g[:, ::-1], 1)[:, ::-1],)


def joined(x: Array, y: Array) -> Array:
    return np.concatenate([x, y], 1)


def joined_backward(g: Array, x: Array, y: Array) -> tuple[Array, ...]:
    return g[:, : x.shape[1]], g[:, x.shape[1] :]


def cut(x: Array) -> tuple[Array, Array]:
    """Two outputs: a gated unit's halves."""
    return np.tanh(x[:, :2]), x[:, 2:] ** 2


def cut_backward(g: tuple[Array, Array], x: Array) -> tuple[Array, ...]:
    left, right = g
    return (np.concatenate([left * (1 - np.tanh(x[:, :2]) ** 2), 2 * right * x[:, 2:]], 1),)


def shifted(x: Array) -> Array:
    """One step later, a zero first."""
    return np.concatenate([np.zeros_like(x[:, :1]), x[:, :-1]], 1)


def shifted_backward(g: Array, x: Array) -> tuple[Array, ...]:
    return (np.concatenate([g[:, 1:], np.zeros_like(x[:, :1])], 1),)


OPERATIONS = (
    Operation("embedding", ("table", "ids"), embedding, embedding_backward, looked_up),
    Operation("gather", ("x", "places"), gather, gather_backward, gathered),
    Operation("turn", ("x",), turned, turned_backward, normal((3, 4, 5))),
    Operation("running sum", ("x",), running, running_backward, normal((3, 7))),
    Operation("join", ("x", "y"), joined, joined_backward, normal((3, 4), (3, 2))),
    Operation("cut", ("x",), cut, cut_backward, normal((4, 5))),
    Operation("shift", ("x",), shifted, shifted_backward, normal((3, 5))),
)
