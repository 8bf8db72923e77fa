"""Rewriting a model by an exact identity, with a certificate.

    new, certificate = rewrite(model, "tanh_from_sigmoid")       wherever it applies
    new, certificate = rewrite(model, "all")                     every rule that makes the model smaller or faster

The model that is given stays as it is.
"""

from __future__ import annotations

__all__ = ["Place", "applied", "everywhere", "places", "places_in", "rewrite"]

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from numpy.typing import ArrayLike

from paperback.arguments import closest, strict
from paperback.errors import ModelError
from paperback.learn.model import Model
from paperback.rewrites.certificate import Certificate, Step, certify
from paperback.rewrites.exactly import check_exactly
from paperback.rewrites.pieces import Chain, Path, Piece, chains, join, place, replace_chain, split
from paperback.rewrites.rule import Found, Refused, Rule
from paperback.rewrites.rules import RULES

ALL = "all"


@dataclass(frozen=True)
class Place:
    """Where a rule's pattern stands in a model: the layers, and whether it applies."""

    rule: Rule
    path: Path
    at: int
    layers: tuple[str, ...]
    answer: Found | Refused

    @property
    def refusal(self) -> str:
        """Why it does not apply; "" where it does."""
        if isinstance(self.answer, Found):
            return ""
        return f"needed is that {self.answer.condition}; {self.answer.why}"

    def plain(self) -> dict[str, Any]:
        return {"name": self.rule.name, "layers": list(self.layers), "applies": not self.refusal, "why": self.refusal}


def places(model: Model, name: str | None = None) -> list[Place]:
    """Everywhere in a model that the pattern of a rule (of all rules, where none is named) stands."""
    return places_in(split(model), *(RULES.values() if name is None else [_find(name)]))


def places_in(tree: Chain, *rules: Rule) -> list[Place]:
    """The same on pieces: for these rules, all unless given."""
    return [found for rule in rules or RULES.values() for found in _places(tree, rule)]


def _places(tree: Chain, rule: Rule) -> list[Place]:
    found = []
    for path, chain in chains(tree):
        for at in range(len(chain)):
            answer = rule.find(chain, at)
            if answer is not None:
                layers = tuple(_title(piece) for piece in chain[answer.start : answer.stop])
                found.append(Place(rule, path, at, layers, answer))
    return found


@strict
def rewrite(
    model: Model, name: str = ALL, at: str | None = None, x: ArrayLike | None = None, gradients: bool = True
) -> tuple[Model, Certificate]:
    """A model that computes the same by another network, and the certificate of it.

    name        an identity; `paperback rewrite MODEL --list` shows which apply. "all": every one that makes the model
                smaller or faster, until none does
    at          the layer at which it is to be applied, as "conv2d_2"; everywhere unless given
    x           examples on which both models are compared; random ones unless given
    gradients   must gradients be kept too? False allows what changes them at ties and kinks only

    Raises ModelError where it applies nowhere, and says which condition fails.
    """
    if not isinstance(model, Model):
        raise ModelError(f"rewrite: it takes a model, found {model!r}; pass what pb.load or pb.Model gives")
    steps: list[Step] = []
    if name == ALL:
        new = model
        for rule in [rule for rule in RULES.values() if rule.simplifies]:
            new, more = everywhere(new, rule, gradients=gradients)
            steps += more
    else:
        _check_place(model, _find(name), at, gradients)
        new, steps = everywhere(model, _find(name), at, gradients)
    return new, certify(model, new, steps, x)


def _find(name: str) -> Rule:
    if name not in RULES:
        raise ModelError(f"rewrite: no identity is called {name!r}; {closest(name, [*RULES, ALL])}")
    return RULES[name]


def everywhere(
    model: Model, rule: Rule, layer: str | None = None, gradients: bool = True
) -> tuple[Model, list[Step]]:
    """Apply a rule from front to back until it applies no more; what it leaves never has its own pattern.

    The model itself, and no steps, where it applies nowhere.
    """
    tree, steps = applied(split(model), rule, layer, gradients)
    return (join(tree, model) if steps else model), steps


def applied(tree: Chain, rule: Rule, layer: str | None = None, gradients: bool = True) -> tuple[Chain, list[Step]]:
    """The same on pieces, whose numbers may be Fractions."""
    shape, steps = tree[0].shape, list[Step]()
    while spot := next(_applicable(tree, rule, layer, gradients), None):
        found, answer = spot
        chain = _chain(tree, found.path)
        new = answer.replacement(chain[answer.start : answer.stop])
        exactly = check_exactly(rule, chain, answer, found.at, gradients=isinstance(found.answer, Found))
        steps.append(Step(rule, found.layers, tuple(_title(piece) for piece in new), answer.checks, exactly))
        tree = replace_chain(tree, found.path, (*chain[: answer.start], *new, *chain[answer.stop :]))
        tree = place(tree, shape)
    return tree, steps


def _applicable(tree: Chain, rule: Rule, layer: str | None, gradients: bool) -> Iterator[tuple[Place, Found]]:
    for found in _places(tree, rule):
        answer = _allowed(found.answer, gradients)
        if answer is not None and (layer is None or layer in found.layers):
            yield found, answer


def _chain(tree: Chain, path: Path) -> Chain:
    for at, branch in path:
        tree = tree[at].branches[branch]
    return tree


def _allowed(answer: Found | Refused, gradients: bool) -> Found | None:
    if isinstance(answer, Found):
        return answer
    return None if gradients else answer.forward


def _check_place(model: Model, rule: Rule, layer: str | None, gradients: bool) -> None:
    """ModelError unless the rule applies somewhere (at `layer`, where it is named)."""
    known = [info.name for info in model.network.layers]
    if layer is not None and layer not in known:
        raise ModelError(f"rewrite: no layer is called {layer!r}; {closest(layer, known)}")
    found = [place for place in _places(split(model), rule) if layer is None or layer in place.layers]
    if any(_allowed(place.answer, gradients) for place in found):
        return
    where = f" at {layer}" if layer else ""
    if not found:
        pattern = rule.identity.replaces[0]
        raise ModelError(f"rewrite: {rule.name} does not apply{where}: there is no {pattern} in the model")
    reasons = "; ".join(f"{', '.join(place.layers)}: {place.refusal}" for place in found)
    forward = any(isinstance(p.answer, Refused) and p.answer.forward for p in found)
    fix = "; gradients=False keeps the outputs only" if forward else ""
    raise ModelError(f"rewrite: {rule.name} does not apply{where}: {reasons}{fix}")


def _title(piece: Piece) -> str:
    return piece.name or repr(piece.layer)
