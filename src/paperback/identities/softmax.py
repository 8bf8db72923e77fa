"""Identities of softmax: it does not see a shift, so one score is too many."""

from __future__ import annotations

__all__ = ["IDENTITIES"]

from paperback.identities.identity import Identity

_SOFTMAX = "S[k] = exp({0} - logsumexp(m) {1})"
_SCORES = "z[k] = sum(i) x[i]*w[i,k] + b[k]; "

IDENTITIES = (
    Identity(
        name="centre_softmax",
        title="softmax does not change when a number is added to all scores",
        claims=("A2.1",),
        left=_SCORES + _SOFTMAX.format("z[k]", "z[m]"),
        right=(
            "u[i,k] = w[i,k] - sum(m) w[i,m]/K where w: I K, k < K; d[k] = b[k] - sum(m) b[m]/K where k < K; "
            "z[k] = sum(i) x[i]*u[i,k] + d[k]; " + _SOFTMAX.format("z[k]", "z[m]")
        ),
        declared={"w": "I K", "b": "K"},
        conditions=("a dense layer gives the scores, and softmax alone reads them",),
        wrong={
            "scores scaled in place of shifted": (
                "z[k] = sum(i) 2*x[i]*w[i,k] + 2*b[k]; " + _SOFTMAX.format("z[k]", "z[m]")
            ),
        },
        replaces=("Dense, Softmax", "Dense whose weights sum to 0 over the classes, Softmax"),
    ),
    Identity(
        name="reference_softmax",
        title="softmax over K classes needs K-1 scores; over two classes it is a sigmoid",
        claims=("A2.2", "A2.3a"),
        left=_SCORES + _SOFTMAX.format("z[k]", "z[m]"),
        right=(
            "u[i,k] = w[i,k] - w[i,0] where w: I K, k < K; d[k] = b[k] - b[0] where b: K, k < K; "
            "z[k] = sum(i) x[i]*u[i,k] + d[k]; " + _SOFTMAX.format("z[k]", "z[m]")
        ),
        declared={"w": "I K", "b": "K"},
        conditions=("a dense layer gives the scores, and softmax alone reads them", "there are at least two classes"),
        wrong={
            "the reference added, not subtracted": (
                "u[i,k] = w[i,k] + w[i,0]*[k > 0] where w: I K, k < K; d[k] = b[k] + b[0]*[k > 0] where b: K, k < K; "
                "z[k] = sum(i) x[i]*u[i,k] + d[k]; " + _SOFTMAX.format("z[k]", "z[m]")
            ),
        },
        replaces=("Dense(K), Softmax", "Dense(K-1), softmax of 0 and its scores"),
    ),
    Identity(
        name="softmax_from_sigmoid",
        title="a sigmoid of one score is the second of two probabilities of a softmax",
        claims=("A2.2",),
        left="z = sum(i) x[i]*w[i] + b[]; y = sigmoid(z)",
        right="z = sum(i) x[i]*w[i] + b[]; l = log(1 + exp(z)); y = exp(z - l)",
        conditions=("a dense layer with one unit gives the score",),
        wrong={"the first in place of the second": "z = sum(i) x[i]*w[i] + b[]; l = log(1 + exp(z)); y = exp(-l)"},
        replaces=("Dense(1), Sigmoid", "Dense(2) with 0 for the first class, Softmax, its second output"),
    ),
)
