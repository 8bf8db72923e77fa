"""Rules for softmax: centred scores, one score less, and a sigmoid as a softmax of two."""

from __future__ import annotations

__all__ = ["RULES"]

from dataclasses import replace
from fractions import Fraction
from typing import Any

import numpy as np
from numpy.typing import NDArray

from paperback.identities import IDENTITIES
from paperback.nn.layers.activations import Sigmoid
from paperback.nn.layers.dense import Dense
from paperback.nn.layers.formula import Formula
from paperback.nn.layers.layer import Layer
from paperback.nn.layers.softmax import Softmax
from paperback.rewrites.numbers import like
from paperback.rewrites.pieces import Chain, Piece
from paperback.rewrites.rule import Answer, Found, Refused, Rule

Array = NDArray[Any]

REFERENCE = Formula(
    "z[k] = [k >= 1]*x[k-1] where k < K, K = A+1; y[k] = exp(z[k] - logsumexp(m) z[m])", axes={"x": "A"}
)  # fmt: skip
_SECOND = Formula("y[o] = x[o+1] where o < 1", axes={"x": "K"}, sizes={"K": 2})


def _scores(chain: Chain, at: int, then: type[Layer], name: str) -> tuple[Piece, Piece] | Refused | None:
    if not isinstance(chain[at].layer, then):
        return None
    if not at or not isinstance(chain[at - 1].layer, Dense):
        condition = IDENTITIES[name].conditions[0]
        stands = repr(chain[at - 1].layer) if at else "the input"
        return Refused(at, at + 1, condition, f"before {chain[at].name} stands {stands}")
    return chain[at - 1], chain[at]


def _centre(chain: Chain, at: int) -> Answer:
    pair = _scores(chain, at, Softmax, "centre_softmax")
    if not isinstance(pair, tuple):
        return pair

    if all(_is_centred(array) for array in pair[0].tensors.values()):
        return None

    def replacement(pieces: Chain) -> Chain:
        dense, softmax = pieces
        moved = {name: array - _mean(array) for name, array in dense.tensors.items()}
        return dense.with_layer(dense.layer, **moved), softmax

    (condition,) = IDENTITIES["centre_softmax"].conditions
    return Found(at - 1, at + 1, ((condition, f"{pair[0].name}, then {pair[1].name}"),), replacement)


def _mean(array: Array) -> Array:
    total: Array = array.sum(axis=-1, keepdims=True)
    mean: Array = total * like(array, Fraction(1, array.shape[-1]))
    return mean


def _is_centred(array: Array) -> bool:
    """Do the weights sum to 0 over the classes, up to rounding?"""
    values = np.asarray(array, dtype=np.float64)
    return bool(np.all(np.abs(values.sum(axis=-1)) <= 1e-5 * np.abs(values).sum(axis=-1)))


def _reference(chain: Chain, at: int) -> Answer:
    pair = _scores(chain, at, Softmax, "reference_softmax")
    if not isinstance(pair, tuple):
        return pair
    scores, classes = IDENTITIES["reference_softmax"].conditions
    count = pair[0].output[-1]
    if count < 2:
        return Refused(at - 1, at + 1, classes, f"{pair[0].name} gives one score")

    def replacement(pieces: Chain) -> Chain:
        dense, _ = pieces
        assert isinstance(dense.layer, Dense)
        moved = {name: array[..., 1:] - array[..., :1] for name, array in dense.tensors.items()}
        return dense.with_layer(replace(dense.layer, units=count - 1), **moved), Piece(REFERENCE)

    checks = ((scores, f"{pair[0].name}, then {pair[1].name}"), (classes, f"{count} classes"))
    return Found(at - 1, at + 1, checks, replacement)


def _softmax_from_sigmoid(chain: Chain, at: int) -> Answer:
    name = "softmax_from_sigmoid"
    pair = _scores(chain, at, Sigmoid, name)
    if not isinstance(pair, tuple):
        return pair
    (condition,) = IDENTITIES[name].conditions
    if pair[0].output != (1,):
        return Refused(at - 1, at + 1, condition, f"{pair[0].name} gives {pair[0].output[0]} scores")

    def replacement(pieces: Chain) -> Chain:
        dense, _ = pieces
        assert isinstance(dense.layer, Dense)
        both = {name: np.concatenate([array - array, array], axis=-1) for name, array in dense.tensors.items()}
        return dense.with_layer(replace(dense.layer, units=2), **both), Piece(Softmax()), Piece(_SECOND)

    return Found(at - 1, at + 1, ((condition, f"{pair[0].name}, then {pair[1].name}"),), replacement)


RULES = (
    Rule(IDENTITIES["centre_softmax"], _centre),
    Rule(IDENTITIES["reference_softmax"], _reference),
    Rule(IDENTITIES["softmax_from_sigmoid"], _softmax_from_sigmoid),
)
