"""Identities of activations: sigmoid and tanh are one curve, and a maximum commutes with what does not decrease.

    sigmoid(z) = 1/2 + 1/2*tanh(z/2)          tanh(z) = 2*sigmoid(2*z) - 1
    phi(max(x)) = max(phi(x))                  phi increasing
"""

from __future__ import annotations

__all__ = ["IDENTITIES"]

from paperback.identities.identity import Identity

_NET = "h[j] = {0}(sum(i) x[i]*w[i,j] + b[j]); y[k] = sum(j) h[j]*v[j,k] + c[k]"
_AFFINE = (
    "before the activation stands a layer with weights and a bias to scale, between them only layers that pass a "
    "factor on",
    "after the activation comes a layer with weights that takes up an affine change, between them only layers that "
    "pass one on",
)

IDENTITIES = (
    Identity(
        name="tanh_from_sigmoid",
        title="a sigmoid network is a tanh network with other weights",
        claims=("A3.2", "A3.3", "A3.4", "A3.5"),
        left=_NET.format("sigmoid"),
        right="h[j] = tanh(sum(i) x[i]*(w[i,j]/2) + b[j]/2); y[k] = sum(j) h[j]*(v[j,k]/2) + c[k] + sum(j) v[j,k]/2",
        conditions=_AFFINE,
        wrong={
            "the output bias halved too": (
                "h[j] = tanh(sum(i) x[i]*(w[i,j]/2) + b[j]/2); "
                "y[k] = sum(j) h[j]*(v[j,k]/2) + c[k]/2 + sum(j) v[j,k]/2"
            ),
            "the first bias not halved": (
                "h[j] = tanh(sum(i) x[i]*(w[i,j]/2) + b[j]); y[k] = sum(j) h[j]*(v[j,k]/2) + c[k] + sum(j) v[j,k]/2"
            ),
            "half of the weights' sum forgotten": (
                "h[j] = tanh(sum(i) x[i]*(w[i,j]/2) + b[j]/2); y[k] = sum(j) h[j]*(v[j,k]/2) + c[k]"
            ),
        },
        replaces=("affine, Sigmoid, affine", "affine/2, Tanh, affine/2 with half of its weights' sum in the bias"),
    ),
    Identity(
        name="sigmoid_from_tanh",
        title="a tanh network is a sigmoid network with other weights",
        claims=("A3.1", "A3.6"),
        left=_NET.format("tanh"),
        right="h[j] = sigmoid(sum(i) x[i]*(2*w[i,j]) + 2*b[j]); y[k] = sum(j) h[j]*(2*v[j,k]) + c[k] - sum(j) v[j,k]",
        conditions=_AFFINE,
        wrong={
            "the first bias not doubled": (
                "h[j] = sigmoid(sum(i) x[i]*(2*w[i,j]) + b[j]); y[k] = sum(j) h[j]*(2*v[j,k]) + c[k] - sum(j) v[j,k]"
            ),
            "the weights' sum added": (
                "h[j] = sigmoid(sum(i) x[i]*(2*w[i,j]) + 2*b[j]); "
                "y[k] = sum(j) h[j]*(2*v[j,k]) + c[k] + sum(j) v[j,k]"
            ),
        },
        replaces=("affine, Tanh, affine", "2*affine, Sigmoid, 2*affine less its weights' sum in the bias"),
    ),
    Identity(
        name="pool_before_activation",
        title="a maximum can be taken before an activation that does not decrease",
        claims=("B4", "C4"),
        left="y[i,j] = max(p<P,q<Q) phi(x[s*i+p,t*j+q]) where phi increasing, window: P Q, stride: s t",
        right="y[i,j] = phi(max(p<P,q<Q) x[s*i+p,t*j+q]) where phi increasing, window: P Q, stride: s t",
        conditions=(
            "the activation does not decrease",
            "the pooling continues x with -inf, so that nothing outside it can win",
            "the slope at the activation's kink does not depend on who won a tie",
        ),
        wrong={
            "a decreasing activation": (
                "y[i,j] = -phi(max(p<P,q<Q) x[s*i+p,t*j+q]) "
                "where phi increasing, window: P Q, stride: s t"
            ),
        },
        replaces=("activation, MaxPool", "MaxPool, activation"),
    ),
    Identity(
        name="activation_before_pool",
        title="an activation that does not decrease can be taken before a maximum",
        claims=("B4", "C4"),
        left="y[i,j] = phi(max(p<P,q<Q) x[s*i+p,t*j+q]) where phi increasing, window: P Q, stride: s t",
        right="y[i,j] = max(p<P,q<Q) phi(x[s*i+p,t*j+q]) where phi increasing, window: P Q, stride: s t",
        conditions=(
            "the activation does not decrease",
            "the pooling continues x with -inf, so that nothing outside it can win",
            "the slope at the activation's kink does not depend on who won a tie",
        ),
        wrong={
            "the smallest in place of the largest": (
                "y[i,j] = min(p<P,q<Q) phi(x[s*i+p,t*j+q]) where phi increasing, window: P Q, stride: s t"
            ),
        },
        replaces=("MaxPool, activation", "activation, MaxPool"),
    ),
)
