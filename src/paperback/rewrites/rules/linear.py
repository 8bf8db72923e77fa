"""Rules for affine maps: merge two, fold a normalisation or a scale into the weights beside it, drop what adds 0."""

from __future__ import annotations

__all__ = ["RULES"]

from dataclasses import replace
from fractions import Fraction
from typing import Any

import numpy as np

from paperback.identities import IDENTITIES
from paperback.nn.instance import instantiate
from paperback.nn.layers.activations import Identity
from paperback.nn.layers.batchnorm import BatchNorm
from paperback.nn.layers.combine import Residual
from paperback.nn.layers.conv import Convolution
from paperback.nn.layers.dense import Dense
from paperback.nn.layers.formula import Formula
from paperback.notation.expr import Add, Const, Mul, Node, Read
from paperback.rewrites.numbers import inverse_root, like
from paperback.rewrites.pieces import Chain, Piece
from paperback.rewrites.rule import Answer, Found, Refused, Rule
from paperback.rewrites.rules.affine import absorb


def _merge_dense(chain: Chain, at: int) -> Answer:
    pair = chain[at : at + 2]
    if len(pair) < 2 or not all(isinstance(piece.layer, Dense) for piece in pair):
        return None

    def replacement(pieces: Chain) -> Chain:
        first, second = pieces
        w, v = first.tensors["w"], second.tensors["w"]
        bias = [] if first.bias is None else [first.bias @ v]
        bias += [] if second.bias is None else [second.bias]
        layer = replace(second.layer, bias=bool(bias), in_features=None)  # type: ignore[type-var]
        tensors = {"w": w @ v, **({"b": sum(bias[1:], bias[0])} if bias else {})}
        return (Piece(layer, tensors, frozen=first.frozen & second.frozen),)

    (condition,) = IDENTITIES["merge_dense"].conditions
    return Found(at, at + 2, ((condition, f"{pair[0].name} is followed by {pair[1].name}"),), replacement)


def _fold_batchnorm(chain: Chain, at: int) -> Answer:
    pair = chain[at : at + 2]
    if len(pair) < 2 or not isinstance(pair[1].layer, BatchNorm):
        return None
    conditions = IDENTITIES["fold_batchnorm"].conditions
    layer = pair[0].layer
    if not isinstance(layer, Dense | Convolution):
        return Refused(at, at + 2, conditions[0], f"before {pair[1].name} stands {layer!r}, which has no weights")

    def replacement(pieces: Chain) -> Chain:
        affine, norm = pieces
        assert isinstance(affine.layer, Dense | Convolution) and isinstance(norm.layer, BatchNorm)
        t = norm.tensors
        eps = like(t["var"], Fraction(repr(float(norm.layer.eps))))
        factor = t["scale"] * inverse_root(t["var"] + eps)
        old = -t["mean"] if affine.bias is None else affine.bias - t["mean"]
        bias: Any = affine.layer.bias or True
        w, b = affine.tensors["w"] * factor, old * factor + t["shift"]
        return (Piece(replace(affine.layer, bias=bias), {"w": w, "b": b}, frozen=affine.frozen),)

    checks = (
        (conditions[0], f"{pair[0].name} is followed by {pair[1].name}"),
        (conditions[1], "the certificate speaks of the model after training"),
    )
    return Found(at, at + 2, checks, replacement)


def _fold_scale(chain: Chain, at: int) -> Answer:
    pair = chain[at : at + 2]
    if len(pair) < 2 or not isinstance(pair[1].layer, Dense | Convolution):
        return None
    change = _affine_element(pair[0])
    if change is None:
        return None
    factor, shift = change
    (condition,) = IDENTITIES["fold_scale"].conditions
    return Found(
        at, at + 2, ((condition, f"{pair[0].name} is followed by {pair[1].name}"),),
        lambda pieces: (absorb(pieces[1], factor, shift),),
    )  # fmt: skip


def _affine_element(piece: Piece) -> tuple[Fraction, Fraction] | None:
    """(a, c) of a layer that is y = a*x[] + c, element by element."""
    layer = piece.layer
    if not isinstance(layer, Formula) or layer.parameters or layer.inference or layer.axes.get("x"):
        return None
    block = instantiate(layer, {"x": piece.shape}).training
    return _line(block.result.expr) if len(block.statements) == 1 else None


def _line(node: Node) -> tuple[Fraction, Fraction] | None:
    """The factor and the shift of an expression that is affine in the one element that it reads."""
    if isinstance(node, Const):
        return Fraction(0), node.value
    if isinstance(node, Read):
        return Fraction(1), Fraction(0)
    parts = node.terms if isinstance(node, Add) else node.factors if isinstance(node, Mul) else ()
    lines = [_line(part) for part in parts]
    if not lines or any(line is None for line in lines):
        return None
    known = [line for line in lines if line is not None]
    if isinstance(node, Add):
        return sum((a for a, _ in known), Fraction(0)), sum((c for _, c in known), Fraction(0))
    total = Fraction(0), Fraction(1)
    for a, c in known:
        if a and total[0]:
            return None  # a square
        total = total[0] * c + total[1] * a, total[1] * c
    return total


def _drop_zero_residual(chain: Chain, at: int) -> Answer:
    piece = chain[at]
    if not isinstance(piece.layer, Residual):
        return None
    (condition,) = IDENTITIES["drop_zero_residual"].conditions
    last = piece.branches[0][-1]
    if not isinstance(last.layer, Dense | Convolution):
        return Refused(at, at + 1, condition, f"the last layer of {piece.name} is {last.layer!r}, which has no weights")
    if any(np.any(np.asarray(array, dtype=object) != 0) for array in last.tensors.values()):
        largest = max(float(np.max(np.abs(np.asarray(a, dtype=np.float64)))) for a in last.tensors.values())
        return Refused(at, at + 1, condition, f"{last.name} holds numbers up to {largest:.3g}")
    return Found(
        at, at + 1, ((condition, f"{last.name} holds zeros only"),), lambda pieces: (Piece(Identity()),)
    )  # fmt: skip


def _with_zeros(chain: Chain) -> Chain:
    """A residual block whose last layer holds zeros."""
    (block,) = chain
    last = block.branches[0][-1]
    zero = {name: array * 0 for name, array in last.tensors.items()}
    return (replace(block, branches=((*block.branches[0][:-1], replace(last, tensors=zero)),)),)


RULES = (
    Rule(IDENTITIES["merge_dense"], _merge_dense, simplifies=True),
    Rule(IDENTITIES["fold_batchnorm"], _fold_batchnorm, simplifies=True, inference=True),
    Rule(IDENTITIES["fold_scale"], _fold_scale, simplifies=True),
    Rule(IDENTITIES["drop_zero_residual"], _drop_zero_residual, simplifies=True, prepare=_with_zeros),
)
