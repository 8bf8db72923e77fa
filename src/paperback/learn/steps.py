"""From a network to the Programs that learning runs: the training step, evaluation, gradients.

    forward  ->  loss  ->  gradients (the reverse sweep)  ->  running statistics  ->  the optimizer's updates

All of it is one Program, so an engine gets everything and Python does nothing inside a step. Random masks are inputs,
drawn here by a counter-based generator keyed by (seed, step, layer).
"""

from __future__ import annotations

__all__ = [
    "COTANGENT", "DELTAS", "activations_program", "draw_masks", "evaluation_program", "gradient_program",
    "name_of", "prediction_program", "rounded", "training_program", "vjp_program",
]  # fmt: skip

from collections.abc import Iterable, Mapping
from dataclasses import replace
from fractions import Fraction
from typing import Any

import numpy as np
from numpy.typing import NDArray

from paperback.engines import Runner
from paperback.errors import ModelError
from paperback.identities.passes import profitable
from paperback.learn.optim import NORM, SGD, GivenSteps, Optimizer
from paperback.nn.init import stream
from paperback.nn.losses import LOSS, Loss, attach
from paperback.nn.network import INPUT, Network
from paperback.notation.expr import ONE, Const, Scalar, mul
from paperback.program.backward import gradients, prune
from paperback.program.program import Program
from paperback.program.text import exact

COTANGENT = "cotangent"
DELTAS = ("gradient", "step")

Array = NDArray[Any]


def training_program(
    network: Network,
    loss: Loss,
    label: str,
    optimizer: Optimizer,
    trainable: Iterable[str],
    weights: bool = False,
    deltas: str = "gradient",
) -> Program:
    """One step: results "loss", the network's output, and the gradient's norm where it is clipped; updates of state,
    parameters and the optimizer's tensors.

    deltas    what the backward statements hold: "gradient", dJ/d of a tensor; or "step", -lr times that, with which
              gradient descent adds what it is given (the sweep is linear, so the factor is put in at its start)
    """
    program = attach(cheaper(network.train), network.output, one_number(loss), label=label, weights=weights)
    if deltas == "step":
        if optimizer != SGD(optimizer.lr):
            raise ModelError(
                f"program: -lr can be inside the deltas of plain gradient descent only, found {optimizer!r}; pass "
                f"optimizer=SGD(), or leave deltas out"
            )
        optimizer = GivenSteps(optimizer.lr)
    elif deltas not in DELTAS:
        raise ModelError(f'program: deltas is "gradient" or "step", found {deltas!r}; leave it out for "gradient"')
    unit = ONE if deltas == "gradient" else mul(Const(Fraction(-1)), Scalar("lr"))
    program, names = gradients(program, LOSS, list(trainable), unit=unit)
    program = optimizer.attach(program, names)
    outputs = (LOSS, network.output, *(name for name in (NORM,) if name in program.tensors))
    return prune(replace(program, outputs=outputs))


def name_of(
    what: str, phase: Program, loss: Loss | None = None, optimizer: Optimizer | None = None, *settings: object
) -> str | None:
    """All that a program is made of: a phase of a network, its loss, its optimizer, and further settings, as a text.

    An optimizer is its formula. None for a loss or an optimizer of a class that makes statements in its own way: a text
    cannot tell what it does.
    """
    rule: object = None
    if optimizer is not None:
        kind = type(optimizer)
        if kind.attach is not Optimizer.attach or kind._shared is not Optimizer._shared:
            return None
        rule = kind.__name__, optimizer.formula, optimizer.state, optimizer.scalars, optimizer.clip
    return exact(what, phase, loss, rule, settings) if type(loss) in (Loss, type(None)) else None


def one_number(loss: Loss) -> Loss:
    """The loss, if it makes one number of a batch."""
    if loss.reduction == "none":
        raise ModelError(
            f'{loss.name}: a gradient needs one number for a batch, reduction "none" leaves one for each example; pass '
            f'the loss without reduced("none")'
        )
    return loss


def evaluation_program(network: Network, loss: Loss, label: str, weights: bool = False) -> Program:
    """The loss and the output after training: running statistics, no masks, no updates."""
    program = attach(cheaper(network.predict), network.output, loss, label=label, weights=weights)
    return prune(replace(program, outputs=(LOSS, network.output)))


def prediction_program(network: Network) -> tuple[Program, dict[str, str]]:
    """The output after training, and no gradients."""
    return cheaper(network.predict), {}


def cheaper(phase: Program) -> Program:
    """The phase with the identities applied that pay; gradients that somebody asks for are of the phase as written."""
    return profitable(phase)[0]


def activations_program(network: Network) -> tuple[Program, dict[str, str]]:
    """What every layer gives, and what those tensors are called: the last that is computed under the layer's name."""
    targets = [statement.target for statement in reversed(network.predict.statements)]
    names = {
        layer.name: next(target for target in targets if target.startswith(f"{layer.name}."))
        for layer in network.layers
    }
    return prune(replace(network.predict, outputs=tuple(names.values()))), names


def gradient_program(
    network: Network, loss: Loss, label: str, training: bool, weights: bool = False
) -> tuple[Program, dict[str, str]]:
    """The loss and its gradients by every parameter and by the input, and what those tensors are called."""
    phase = network.train if training else network.predict
    program = attach(phase, network.output, one_number(loss), label=label, weights=weights)
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


def rounded(run: Runner, dtype: np.dtype[Any]) -> Runner:
    """A runner whose fractions and intervals are rounded to the nearest floats."""

    def rounding(arrays: Mapping[str, Any]) -> dict[str, Array]:
        found = run(arrays).items()
        return {tensor: array.astype(dtype) if array.dtype == object else array for tensor, array in found}

    return rounding
