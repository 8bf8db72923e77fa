"""`paperback derive --model`: where the gradients of a network come from, and how far they come."""

from __future__ import annotations

__all__ = ["derive_network", "network_options"]

import functools
import os
from collections.abc import Callable, Mapping
from typing import Any

import click

from paperback.cli.job import Say
from paperback.cli.netspec import network as read_network
from paperback.cli.options import OneOf, Shape, Whole, needs
from paperback.cli.sets import size_for, splits
from paperback.errors import ModelError
from paperback.learn.model import Model
from paperback.learn.presets import PRESETS
from paperback.learn.studies.chain import page
from paperback.nn.losses import LOSSES

_OPTIONS = {
    "model": click.option("--model", metavar="FILE|NET", help="A saved model, or a network as in train --net."),
    "layer": click.option("--layer", help="A layer, for its parameters, or a parameter, or input. Default: all."),
    "norms": click.option("--norms", is_flag=True, help="How far the gradient comes, by layer, in place of formulas."),
    "loss": click.option("--loss", type=OneOf(LOSSES), help="Default: the model's own."),
    "training": click.option("--training", is_flag=True, help="By the rules of training: batch statistics, masks."),
    "input_shape": click.option("--input-shape", type=Shape("28x28x1"), help="Of a NET's example. Default: 8x8x1."),
    "classes": click.option("--classes", type=Whole(1), help="Outputs of a preset. Default: 10."),
    "data": click.option("--data", help="With --norms: as in train. Default: the digits in the package."),
    "examples": click.option("--examples", type=Whole(1), help="With --norms: how many of the data. Default: 4."),
}


def network_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command the options of a network; it takes them together, as `network`, or None without --model."""

    @functools.wraps(command)
    def run(**given: Any) -> Any:
        own = {name: given.pop(name) for name in _OPTIONS}
        for name, value in own.items():
            needs(f"--{name.replace('_', '-')}", value, own["model"] is not None, "of a network", "pass --model too")
        return command(network=own if own["model"] is not None else None, **given)

    return functools.reduce(lambda function, option: option(function), reversed(_OPTIONS.values()), run)


def derive_network(say: Say, form: str, network: Mapping[str, Any]) -> tuple[dict[str, Any], int]:
    """The chain rule of a network from its loss to parameters, or the norms of its gradients."""
    needs(f"--as {form}", form, form in ("text", "latex"), "of a formula, a network's page is text or LaTeX")
    model = _model(network["model"], network["input_shape"], network["classes"])
    settings = {"loss": network["loss"], "training": network["training"]}
    norms = network["norms"]
    needs("--layer", network["layer"], not norms, "for formulas, --norms prints all layers")
    needs("--data", network["data"], norms, "for --norms, formulas need no examples")
    needs("--examples", network["examples"], norms, "for --norms, formulas need no examples")
    report = {"command": "derive", "model": network["model"], "as": form}
    if norms:
        needs("--as latex", form == "latex", False, "for formulas, --norms prints a table")
        test = splits(network["data"], None, model.seed, size=size_for(model, network["data"]))[1]
        count = network["examples"] or 4
        found = model.gradient_norms(test.x[:count], test.y[:count], **settings)
        say(str(found))
        return {**report, "norms": found.plain()}, 0
    chains = [model.chain(name, **settings) for name in _names(model, network["layer"])]
    text = page(chains, form)
    say(text)
    written = {"latex": text} if form == "latex" else {}
    return {**report, "chains": [chain.plain() for chain in chains], **written}, 0


def _model(text: str, input_shape: tuple[int, ...] | None, classes: int | None) -> Model:
    """A file's model; or, where no file is called so, the network that the words are of."""
    if os.path.exists(text) or os.path.basename(text) != text:
        for option, given in (("--input-shape", input_shape), ("--classes", classes)):
            needs(option, given, False, "for a network without a file, the model has its own")
        return Model.load(text)
    preset = text.strip().lower() in PRESETS
    needs("--classes", classes, preset, f"of the presets {', '.join(PRESETS)}, this net says its outputs itself")
    shape = input_shape or (8, 8, 1)
    try:
        return Model(read_network(text, shape, classes or 10, "--model"), shape)
    except ModelError as error:
        if "," in text:
            raise
        raise ModelError(f"no file is called {text}; {error}") from error


def _names(model: Model, layer: str | None) -> list[str]:
    """The parameters of a layer, or of all; a layer without parameters, and any other name, is what is asked for."""
    own = [name for name in model.parameters if layer is None or name.partition(".")[0] == layer]
    return own or [layer or "input"]
