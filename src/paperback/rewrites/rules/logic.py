"""The rule for logic: a gate of bits, written as a formula, as a perceptron (claim D1)."""

from __future__ import annotations

__all__ = ["RULES"]

from collections.abc import Mapping
from fractions import Fraction
from itertools import product

import numpy as np

from paperback.calculus.exact import evaluate
from paperback.identities import IDENTITIES
from paperback.nn.instance import instantiate
from paperback.nn.layers.activations import Step
from paperback.nn.layers.dense import Dense
from paperback.nn.layers.formula import Formula
from paperback.rewrites.pieces import Chain, Piece
from paperback.rewrites.rule import Answer, Found, Refused, Rule

_MOST = 3  # bits; and the largest weight, which is enough for three
Corner = tuple[int, ...]


def _find(chain: Chain, at: int) -> Answer:
    pair = chain[at : at + 2]
    if len(pair) < 2 or not isinstance(pair[0].layer, Step) or not isinstance(pair[1].layer, Formula):
        return None
    gate = pair[1]
    if gate.layer.parameters or len(gate.shape) != 1 or gate.shape[0] > _MOST or gate.output != (1,):
        return None
    bits, line = IDENTITIES["perceptron_from_gate"].conditions
    table = _truth_table(gate)
    if not set(table.values()) <= {0, 1}:
        return Refused(at, at + 2, bits, f"{gate.name} gives {sorted(set(table.values()))}")
    weights = _separating(table)
    if weights is None:
        ones = [corner for corner, value in table.items() if value]
        return Refused(at, at + 2, line, f"no line separates {ones}, where {gate.name} is 1, from the other corners")

    def replacement(pieces: Chain) -> Chain:
        *w, b = (Fraction(n) for n in weights)
        numbers = {"w": np.array(w, dtype=object)[:, None], "b": np.array([b], dtype=object)}
        return pieces[0], Piece(Dense(1), numbers), Piece(Step())

    checks = (
        (bits, f"{pair[0].name} gives bits, and {gate.name} gives {', '.join(map(str, table.values()))}"),
        (line, f"weights {', '.join(map(str, weights[:-1]))} and bias {weights[-1]}"),
    )
    return Found(at, at + 2, checks, replacement)


def _truth_table(gate: Piece) -> dict[Corner, int | float]:
    """What the gate gives at every corner."""
    corners = list(product((0, 1), repeat=gate.shape[0]))
    block = instantiate(gate.layer, {"x": gate.shape}).inference
    values = evaluate(block, {"x": np.array(corners)})[block.result.target][:, 0]
    return {corner: int(v) if v in (0, 1) else float(v) for corner, v in zip(corners, values, strict=True)}


def _separating(table: Mapping[Corner, float]) -> Corner | None:
    """Whole weights and a bias with w.x + b >= 0 just where the gate is 1: far from 0 at all corners, then small."""
    found: list[tuple[int, int, Corner]] = []
    whole = range(-_MOST, _MOST + 1)
    for weights in product(whole, repeat=len(next(iter(table)))):
        sums = {corner: sum(w * x for w, x in zip(weights, corner, strict=True)) for corner in table}
        for bias in range(-_MOST * _MOST, _MOST * _MOST + 1):
            if all((total + bias >= 0) == bool(table[corner]) for corner, total in sums.items()):
                margin = min(abs(total + bias) for total in sums.values())
                found.append((-margin, sum(map(abs, weights)) + abs(bias), (*weights, bias)))
    return min(found)[2] if found else None


RULES = (Rule(IDENTITIES["perceptron_from_gate"], _find),)
