"""`paperback rewrite | diff`: a model as another network with the same function, and whether two are one function."""

from __future__ import annotations

__all__ = ["diff", "rewrite"]

from pathlib import Path
from typing import Any

import click

from paperback.cli.job import CHECK_FAILED, Say, job
from paperback.cli.options import Command, needs, refuse
from paperback.data.examples import load_examples
from paperback.learn.checkpoint import check_target
from paperback.learn.model import Model
from paperback.rewrites.apply import places
from paperback.rewrites.apply import rewrite as rewritten
from paperback.rewrites.equivalent import equivalent
from paperback.rewrites.rules import RULES


@click.command(cls=Command)
@click.argument("model_path", metavar="[MODEL]", required=False)
@click.option("--list", "listed", is_flag=True, help="What applies to MODEL, or all there is.")
@click.option("--apply", "name", metavar="NAME", help='An identity, or "all": those that make the model smaller.')
@click.option("--at", metavar="LAYER", help="The one layer at which it is applied. Default: everywhere.")
@click.option("--out", "target", metavar="MODEL2", help="The file for the new model.")
@click.option("--forward-only", is_flag=True, help="Allow what keeps outputs and changes gradients at ties.")
@job
def rewrite(
    say: Say,
    model_path: str | None,
    listed: bool,
    name: str | None,
    at: str | None,
    target: str | None,
    forward_only: bool,
) -> tuple[dict[str, Any], int]:
    """Write a saved MODEL as another network that computes the same, with a certificate.

    Examples: paperback rewrite model.safetensors --list
              paperback rewrite model.safetensors --apply all --out smaller.safetensors
    """
    if listed == (name is not None):
        refuse("--list", "or --apply NAME, one of them, says what to do; write paperback rewrite MODEL --list")
    needs("--at", at, name is not None, "for --apply, --list shows all layers")
    needs("--out", target, name is not None, "for --apply, --list writes nothing")
    needs("--forward-only", forward_only, name is not None, "for --apply, --list asks for nothing")
    if name is None:
        return _list(say, model_path)
    if model_path is None:
        refuse("MODEL", f"is missing; write paperback rewrite MODEL --apply {name} --out MODEL2")
    if target is not None:
        check_target("rewrite", target)
    new, certificate = rewritten(Model.load(model_path), name, at, gradients=not forward_only)
    if target is not None:
        new.save(target)
    say(str(certificate))
    if target is not None:
        say(f"saved in {target}")
    found = {"command": "rewrite", "model": model_path, "out": target, **certificate.plain()}
    if certificate.holds:
        return found, 0
    found["check_failed"] = "an identity is not proved, or outputs differ by more than rounding allows"
    return found, CHECK_FAILED


def _list(say: Say, model_path: str | None) -> tuple[dict[str, Any], int]:
    if model_path is None:
        for rule in RULES.values():
            say(f"{rule.name:30} {rule.identity.replaces[0]}  ->  {rule.identity.replaces[1]}")
        known = [{"name": rule.name, "title": rule.identity.title, "claims": list(rule.identity.claims)}
                 for rule in RULES.values()]  # fmt: skip
        return {"command": "rewrite", "identities": known}, 0
    found = places(Model.load(model_path))
    for place in found:
        why = f"  no: {place.refusal}" if place.refusal else ""
        say(f"{place.rule.name:30} {', '.join(place.layers)}{why}")
    if not found:
        say("no identity applies")
    return {"command": "rewrite", "model": model_path, "places": [place.plain() for place in found]}, 0


@click.command(cls=Command)
@click.argument("first", metavar="A")
@click.argument("second", metavar="B")
@click.option("--data", help="Inputs to compare on besides random ones, as in train.")
@job
def diff(say: Say, first: str, second: str, data: str | None) -> tuple[dict[str, Any], int]:
    """Are two saved models one function? Proved, refuted by an input, or measured; exit code 1 where refuted."""
    a, b = Model.load(first), Model.load(second)
    x = load_examples(data, a.input_shape) if data is not None else None
    answer = equivalent(a, b, x)
    say(str(answer))
    found = {"command": "diff", "models": [str(Path(first)), str(Path(second))], **answer.plain()}
    return found, CHECK_FAILED if answer.holds is False else 0
