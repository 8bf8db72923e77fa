"""Softmax: scores become probabilities."""

from __future__ import annotations

__all__ = ["LogSoftmax", "Softmax"]

from dataclasses import dataclass

from paperback.nn.layers.layer import Layer


@dataclass(frozen=True, repr=False)
class Softmax(Layer):
    """y[i] = exp(x[i] - l), l = log(sum(k) exp(x[k])): exp(x[i])/sum(k) exp(x[k]), finite for every finite x.

    Use: probabilities of classes at the end of a network, where they are wanted as its output.
    Derivative: dx[i] = y[i]*(dy[i] - sum(k) y[k]*dy[k]).
    Shapes: x: K, y: K; the last axis, lifted over the others. The loss "softmax_cross_entropy" takes scores, not this.
    Source: claims A2, E11, E12.
    """

    axes = {"x": "K"}
    formula = "l = logsumexp(k) x[k]\ny[i] = exp(x[i] - l)"
    extra_axes = True


@dataclass(frozen=True, repr=False)
class LogSoftmax(Layer):
    """y[i] = x[i] - l, l = log(sum(k) exp(x[k])): the logarithm of softmax, finite for every finite x.

    Use: log-probabilities of classes, where the loss is made of these.
    Derivative: dx[i] = dy[i] - exp(y[i])*sum(k) dy[k].
    Shapes: x: K, y: K; the last axis, lifted over the others.
    Source: claims A2, E14.
    """

    axes = {"x": "K"}
    formula = "l = logsumexp(k) x[k]\ny[i] = x[i] - l"
    extra_axes = True
