"""JAX: the whole step, update included, under one jit, its parameters donated; or many steps, by `lax.scan`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from benchmarks import networks as n

VARIANTS = [{"scan": False}, {"scan": True}]
VERSION = f"JAX {jax.__version__}"

Parameters = list[tuple[Any, Any]]
_LETTERS = {1: ("NWC", "WIO", "NWC"), 2: ("NHWC", "HWIO", "NHWC")}


def forward(layers: Sequence[n.Layer], parameters: Any, x: jax.Array) -> jax.Array:
    """The output; `parameters` is an iterator over (w, b)."""
    for layer in layers:
        rank = x.ndim - 2
        match layer:
            case n.Conv(_, _, stride, padding):
                w, b = next(parameters)
                pads = [(padding, padding)] * rank
                x = jax.lax.conv_general_dilated(x, w, (stride,) * rank, pads, dimension_numbers=_LETTERS[rank]) + b
            case n.Dense():
                w, b = next(parameters)
                x = x @ w + b
            case n.MaxPool(window):
                box = (1, *(window,) * rank, 1)
                x = jax.lax.reduce_window(x, -jnp.inf, jax.lax.max, box, box, "VALID")
            case n.ReLU():
                x = jax.nn.relu(x)
            case n.Flatten():
                x = x.reshape(len(x), -1)
            case n.MeanOverPlaces():
                x = x.mean(axis=tuple(range(1, x.ndim - 1)))
            case n.Residual(inner):
                x = x + forward(inner, parameters, x)
    return x


def train(network: n.Network, batch: int, lr: float, scan: bool = False) -> Callable[[int], float]:
    """A function that takes so many steps and returns the last loss."""

    def loss_of(parameters: Parameters, x: jax.Array, y: jax.Array) -> jax.Array:
        scores = jax.nn.log_softmax(forward(network.layers, iter(parameters), x))
        return -jnp.take_along_axis(scores, y[:, None], 1).mean()

    def update(parameters: Parameters, x: jax.Array, y: jax.Array) -> tuple[Parameters, jax.Array]:
        loss, gradient = jax.value_and_grad(loss_of)(parameters, x, y)
        return jax.tree.map(lambda p, g: p - lr * g, parameters, gradient), loss

    def updates(parameters: Parameters, x: jax.Array, y: jax.Array) -> tuple[Parameters, jax.Array]:
        parameters, losses = jax.lax.scan(lambda p, xy: update(p, *xy), parameters, (x, y))
        return parameters, losses[-1]

    step, many = jax.jit(update, donate_argnums=0), jax.jit(updates, donate_argnums=0)
    parameters = jax.tree.map(jnp.array, n.weights(network))
    batches = [(jnp.array(x), jnp.array(y)) for x, y in n.epoch(network, batch)]
    stacked = tuple(map(jnp.stack, zip(*batches, strict=True))) if scan else ()
    taken = 0

    def run(steps: int) -> float:
        nonlocal parameters, taken
        while steps:
            first = taken % len(batches)
            whole = scan and first == 0 and steps >= len(batches)
            parameters, loss = many(parameters, *stacked) if whole else step(parameters, *batches[first])
            count = len(batches) if whole else 1
            taken, steps = taken + count, steps - count
        jax.block_until_ready(parameters)
        return float(loss)

    return run


def infer(network: n.Network, batch: int, scan: bool = False) -> Callable[[int], float]:
    """A function that predicts so often and returns the sum of the last output's magnitudes."""
    predict = jax.jit(lambda parameters, x: forward(network.layers, iter(parameters), x))
    parameters = jax.tree.map(jnp.array, n.weights(network))
    x = jnp.array(n.examples(network, batch, 1)[0][0])

    def run(times: int) -> float:
        for _ in range(times):
            y = jax.block_until_ready(predict(parameters, x))
        return float(np.abs(y).sum())

    return run
