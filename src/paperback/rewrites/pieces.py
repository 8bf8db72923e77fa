"""A model in pieces: its layers as a tree of values with their own numbers, and a model made of such a tree again.

    Model  ->  (Piece, Piece, ...)  ->  Model

A piece is a layer, the shape that comes into it, and its tensors under their own names ("w", "b", "mean"); a layer that
is made of layers has a chain of pieces for each branch. The numbers may be floats, or Fractions in arrays of objects:
a rewrite is the same function of both.
"""

from __future__ import annotations

__all__ = [
    "Chain", "Path", "Piece", "chains", "instance", "join", "named", "numbered", "place", "rebuilt", "replace_chain",
    "split", "whole", "wrap",
]  # fmt: skip

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from paperback.learn.model import Model
from paperback.learn.state import State, sealed_copy
from paperback.nn.instance import Instance, instantiate
from paperback.nn.layers.combine import Composite, Residual, Sequential
from paperback.nn.layers.layer import Layer, Shape
from paperback.nn.network import Network

Array = NDArray[Any]
Chain = tuple["Piece", ...]
Path = tuple[tuple[int, int], ...]  # to a chain: the piece and the branch of it, from the outermost chain on


@dataclass(frozen=True, eq=False)
class Piece:
    """A layer with its numbers.

    shape      of what comes in, without the batch; () until the piece is in its place
    tensors    its own parameters and state by their local names; one that is missing starts as the layer says
    branches   the chains that the layer is made of
    frozen     the local names that training leaves alone
    name       what the layer is called in the model that it comes from; "" for a new one
    """

    layer: Layer
    tensors: Mapping[str, Array] = field(default_factory=dict)
    branches: tuple[Chain, ...] = ()
    frozen: frozenset[str] = frozenset()
    name: str = ""
    shape: Shape = ()
    output: Shape = ()

    def with_layer(self, layer: Layer, **tensors: Array) -> Piece:
        """Another layer in this place, with these of its tensors changed; it has the name no more."""
        return replace(self, layer=layer, tensors={**self.tensors, **tensors}, name="")

    @property
    def bias(self) -> Array | None:
        return self.tensors.get("b")


def split(model: Model) -> Chain:
    """The pieces of a model, in their places, with the model's numbers."""
    names = iter(info.name for info in model.network.layers)
    tensors = {**model.parameters, **model.state}

    def with_numbers(piece: Piece) -> Piece:
        branches = tuple(tuple(map(with_numbers, branch)) for branch in piece.branches)  # numbered before the layer
        name = next(names)
        own = [*piece.layer.parameters, *piece.layer.state]
        given = {local: tensors[f"{name}.{local}"] for local in own if f"{name}.{local}" in tensors}
        frozen = frozenset(local for local in given if f"{name}.{local}" in model.frozen)
        return Piece(piece.layer, given, branches, frozen, name)

    return place(tuple(map(with_numbers, whole(model.net))), model.network.input_shape)


def whole(*layers: Layer) -> Chain:
    """Layers as pieces without numbers; a chain in a chain is opened."""
    found: list[Piece] = []
    for layer in layers:
        if isinstance(layer, Sequential):
            found += whole(*layer.layers)
        else:
            found.append(Piece(layer, branches=tuple(whole(*inner) for inner in layer.branches.values())))
    return tuple(found)


def place(chain: Chain, shape: Shape) -> Chain:
    """The same pieces with the shapes that come into them and go out of them, for an input of `shape`.

    Raises ModelError where a layer does not fit.
    """
    placed = []
    for piece in chain:
        branches = tuple(place(branch, shape) for branch in piece.branches)
        output = instance(replace(piece, shape=shape, branches=branches)).output_shape
        placed.append(replace(piece, shape=shape, output=output, branches=branches))
        shape = output
    return tuple(placed)


def instance(piece: Piece) -> Instance:
    """The layer at its place, at numeric sizes."""
    results = (branch[-1].output for branch in piece.branches)
    return instantiate(piece.layer, {"x": piece.shape, **dict(zip(piece.layer.branches, results, strict=True))})


def wrap(chain: Chain) -> Layer:
    """The layer that a chain is."""
    return chain[0].layer if len(chain) == 1 else Sequential(*(piece.layer for piece in chain))


def chains(chain: Chain, path: Path = ()) -> Iterator[tuple[Path, Chain]]:
    """This chain and all that its pieces are made of, each with the path to it."""
    yield path, chain
    for at, piece in enumerate(chain):
        for branch, inner in enumerate(piece.branches):
            yield from chains(inner, (*path, (at, branch)))


def replace_chain(chain: Chain, path: Path, new: Chain) -> Chain:
    """The tree with another chain at this path."""
    if not path:
        return new
    (at, branch), *rest = path
    piece = chain[at]
    branches = list(piece.branches)
    branches[branch] = replace_chain(branches[branch], tuple(rest), new)
    return (*chain[:at], rebuilt(piece, tuple(branches)), *chain[at + 1 :])


def rebuilt(piece: Piece, branches: tuple[Chain, ...]) -> Piece:
    """A layer that is made of layers, made of these chains."""
    kind = type(piece.layer)
    assert issubclass(kind, Composite)
    layers = [p.layer for p in branches[0]] if kind is Residual else [wrap(branch) for branch in branches]
    return replace(piece, layer=kind(*layers), branches=branches)


def join(chain: Chain, model: Model) -> Model:
    """A model of these pieces, which is otherwise as `model` is: its type, engine, counts and loss.

    It starts without an optimizer: what one keeps for every parameter does not follow a rewrite.
    """
    net = wrap(chain)
    new = Model(net, model.input_shape, model.seed, model.dtype.name, model.engine, model.threads, model.layout)
    given = {name: sealed_copy(np.asarray(array), model.dtype) for name, array in named(new.network, chain).items()}
    old = model._state
    new._state = State({**new._state.tensors, **given}, steps=old.steps, epochs=old.epochs, loss=old.loss)
    frozen = [f"{name}.{local}" for name, piece in numbered(new.network, chain) for local in piece.frozen]
    if frozen:
        new.freeze(*(name for name in frozen if name in new.network.parameters))
    return new


def named(network: Network, chain: Chain) -> dict[str, Array]:
    """The tensors of all pieces under the names that they have in a network of them."""
    return {
        f"{name}.{local}": array
        for name, piece in numbered(network, chain)
        for local, array in piece.tensors.items()
    }


def numbered(network: Network, chain: Chain) -> Iterator[tuple[str, Piece]]:
    """All pieces with the names that they have in a network of them."""
    return zip((info.name for info in network.layers), _in_order(chain), strict=True)


def _in_order(chain: Chain) -> Iterator[Piece]:
    """The pieces in the order in which a network numbers and runs them."""
    for piece in chain:
        for branch in piece.branches:
            yield from _in_order(branch)
        yield piece
