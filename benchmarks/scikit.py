"""scikit-learn's MLPClassifier, plain gradient descent; only for networks of dense layers with ReLU between.

The number of threads is a variant.
"""

from __future__ import annotations

import os
from collections.abc import Callable

import sklearn
from sklearn.neural_network import MLPClassifier
from threadpoolctl import threadpool_limits

from benchmarks import networks as n

VARIANTS = [{"threads": threads} for threads in dict.fromkeys((len(os.sched_getaffinity(0)), 1))]
VERSION = f"scikit-learn {sklearn.__version__}"


def model(network: n.Network, batch: int, lr: float) -> MLPClassifier:
    """The network with the numbers that all frameworks start from."""
    if any(not isinstance(layer, n.Dense | n.ReLU) for layer in network.layers):
        raise NotImplementedError("dense layers only")
    hidden = [layer.units for layer in network.layers if isinstance(layer, n.Dense)][:-1]
    made = MLPClassifier(hidden, solver="sgd", alpha=0, batch_size=batch, learning_rate_init=lr, momentum=0)
    x, y = n.examples(network, batch, 1)[0]
    made.partial_fit(x, y, classes=range(network.classes))
    for place, (w, b) in enumerate(n.weights(network)):
        made.coefs_[place][...], made.intercepts_[place][...] = w, b
    return made


def train(network: n.Network, batch: int, lr: float, threads: int) -> Callable[[int], float]:
    """A function that takes so many steps and returns the last loss."""
    made, batches, taken = model(network, batch, lr), n.examples(network, batch), 0

    def run(steps: int) -> float:
        nonlocal taken
        with threadpool_limits(threads):
            for _ in range(steps):
                made.partial_fit(*batches[taken % len(batches)])
                taken += 1
        return float(made.loss_)

    return run
