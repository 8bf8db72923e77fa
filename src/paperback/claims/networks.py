"""A3: a network of sigmoid units is a network of tanh units.

    y[k] = sum(j) W2[k,j]*phi(sum(i) W1[j,i]*x[i] + b1[j]) + b2[k]     W1: M D, b1: M, W2: K M, b2: K
"""

from __future__ import annotations

__all__ = ["ENTRIES"]

from paperback.claims.checks import Exact, Prove, Refute
from paperback.claims.record import Entry

SIGMOID_NET = "y[k] = sum(j) W2[k,j]*sigmoid(sum(i) W1[j,i]*x[i] + b1[j]) + b2[k]"
TANH_NET = "y[k] = sum(j) W2[k,j]*tanh(sum(i) W1[j,i]*x[i] + b1[j]) + b2[k]"
HALVED = "sum(j) W2[k,j]/2*tanh(sum(i) W1[j,i]/2*x[i] + b1[j]/2)"
SMALL = {"W1": [[2]], "b1": [1], "W2": [[3]], "b2": [-1], "x": [0]}  # G4

ENTRIES = (
    Entry(
        "A3.1", "RIGHT", "tanh(a) = 2*sigmoid(2a) - 1, by every link of the chain",
        checks=(
            Prove(
                "t = tanh(a[])",
                (
                    "t = (exp(a[]) - exp(-a[]))/(exp(a[]) + exp(-a[]))",
                    "t = 1 - 2/(exp(2*a[]) + 1)",
                    "t = 1 - 2*sigmoid(-2*a[])",
                    "t = 1 - 2*(1 - sigmoid(2*a[]))",
                    "t = 2*sigmoid(2*a[]) - 1",
                ),
            ),
        ),
    ),
    Entry(
        "A3.2", "RIGHT", "The sigmoid from the tanh",
        checks=(
            Prove("s = sigmoid(2*a[])", "s = (tanh(a[]) + 1)/2"),
            Prove("s = sigmoid(a[])", "s = (tanh(a[]/2) + 1)/2"),
        ),
    ),
    Entry(
        "A3.3", "RIGHT", "A sigmoid network equals the tanh network with W1, b1, W2 halved and another output bias",
        checks=(
            Prove(SIGMOID_NET, f"y[k] = {HALVED} + b2[k] + 1/2*sum(j) W2[k,j]"),
            Exact(TANH_NET, {"W1": [[1]], "b1": ["1/2"], "W2": [["3/2"]], "b2": ["1/2"], "x": [-1]},
                  ["3*sigmoid(-1) - 1"]),
        ),
    ),
    Entry(
        "A3.4", "WRONG", "The output bias is not halved",
        says="Halve W1, b1 and W2 only.",
        has="(w1/2, w2/2) with the biases in column 0 of w1 and w2, which halves the output bias too.",
        checks=(
            Prove(SIGMOID_NET, f"y[k] = {HALVED} + b2[k] + 1/2*sum(j) W2[k,j]"),
            Refute(
                f"y[k] = {HALVED} + b2[k]/2", SIGMOID_NET,
                SMALL, ("3/2*tanh(1/2) - 1/2", "3*sigmoid(1) - 1"), (0,),
            ),
        ),
    ),
    Entry(
        "A3.5", "RIGHT", "The output bias of the tanh network is b2[k] + 1/2*sum(j) W2[k,j]",
        checks=(
            Prove(f"c[k] = sum(j) W2[k,j]*sigmoid(sum(i) W1[j,i]*x[i] + b1[j]) + b2[k] - {HALVED}",
                  "c[k] = b2[k] + 1/2*sum(j) W2[k,j]"),
            Exact("c[k] = b2[k] + 1/2*sum(j) W2[k,j]", {"b2": [-1], "W2": [[3]]}, ["1/2"]),
        ),
    ),
    Entry(
        "A3.6", "IMPLIED", "A tanh network equals the sigmoid network (2*W1, 2*b1, 2*W2, b2 - sum(j) W2)",
        checks=(
            Prove(
                TANH_NET,
                "y[k] = sum(j) 2*W2[k,j]*sigmoid(sum(i) 2*W1[j,i]*x[i] + 2*b1[j]) + b2[k] - sum(j) W2[k,j]",
            ),
        ),
    ),
)  # fmt: skip
