"""From a network to the Programs that learning runs: the training step, evaluation, gradients.

    forward  ->  loss  ->  gradients (the reverse sweep)  ->  running statistics  ->  the optimizer's updates

All of it is one Program, so an engine gets everything and Python does nothing inside a step. Random masks are inputs,
drawn here by a counter-based generator keyed by (seed, step, layer).
"""

from __future__ import annotations

__all__ = [
    "COTANGENT", "activations_program", "draw_masks", "evaluation_program", "gradient_program", "training_program",
    "vjp_program",
]  # fmt: skip

from collections.abc import Iterable
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from paperback.learn.optim import NORM, Optimizer
from paperback.nn.init import stream
from paperback.nn.losses import LOSS, Loss, attach
from paperback.nn.network import INPUT, Network
from paperback.program.backward import gradients, prune
from paperback.program.program import Program

COTANGENT = "cotangent"

Array = NDArray[Any]


def training_program(
    network: Network, loss: Loss, label: str, optimizer: Optimizer, trainable: Iterable[str]
) -> Program:
    """One step: results "loss", the network's output, and the gradient's norm where it is clipped; updates of state,
    parameters and the optimizer's tensors."""
    program = attach(network.train, network.output, loss, label=label)
    program, names = gradients(program, LOSS, list(trainable))
    program = optimizer.attach(program, names)
    outputs = (LOSS, network.output, *(name for name in (NORM,) if name in program.tensors))
    return prune(replace(program, outputs=outputs))


def evaluation_program(network: Network, loss: Loss, label: str) -> Program:
    """The loss and the output after training: running statistics, no masks, no updates."""
    return prune(replace(attach(network.predict, network.output, loss, label=label), outputs=(LOSS, network.output)))


def activations_program(network: Network) -> tuple[Program, dict[str, str]]:
    """What every layer gives, and what those tensors are called: the last that is computed under the layer's name."""
    targets = [statement.target for statement in reversed(network.predict.statements)]
    names = {
        layer.name: next(target for target in targets if target.startswith(f"{layer.name}."))
        for layer in network.layers
    }
    return prune(replace(network.predict, outputs=tuple(names.values()))), names


def gradient_program(network: Network, loss: Loss, label: str, training: bool) -> tuple[Program, dict[str, str]]:
    """The loss and its gradients by every parameter and by the input, and what those tensors are called."""
    program = attach(network.train if training else network.predict, network.output, loss, label=label)
    program, names = gradients(program, LOSS, differentiable(network))
    return prune(replace(program, outputs=(LOSS, *names.values()), updates={})), names


def vjp_program(network: Network, training: bool) -> tuple[Program, dict[str, str]]:
    """The output, and the pullback of a cotangent on it by every parameter and by the input."""
    program = network.train if training else network.predict
    program, names = gradients(program, network.output, differentiable(network), cotangent=COTANGENT)
    return prune(replace(program, outputs=(network.output, *names.values()), updates={})), names


def differentiable(network: Network) -> list[str]:
    """What has a gradient: every parameter, and the input where it holds no ids."""
    return [*network.parameters, *(() if network.train.tensors[INPUT].integer else (INPUT,))]


def draw_masks(network: Network, count: int, seed: int, step: int, dtype: np.dtype[Any]) -> dict[str, Array]:
    """The masks of one step for a batch of `count`: they depend on the seed, the step and the layer only."""
    return {
        name: (stream(seed, f"step {step}: {name}").random((count, *spec.shape)) < spec.keep).astype(dtype)
        for name, spec in network.masks.items()
    }
