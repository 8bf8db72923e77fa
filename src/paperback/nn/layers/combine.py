"""Layers made of layers: one after the other, and a chain beside the identity."""

from __future__ import annotations

__all__ = ["Residual", "Sequential"]

from collections.abc import Mapping

from paperback.errors import ModelError
from paperback.nn.layers.layer import Layer, Shape


class Sequential(Layer):
    """Layers one after the other: y = f(...(b(a(x)))).

    Derivative: the chain rule; dx goes through the layers from the last to the first.
    A layer is a description: the same object at two places is two layers with parameters of their own.
    """

    def __init__(self, *layers: Layer) -> None:
        self.layers = _layers(self, layers)

    def __repr__(self) -> str:
        return f"Sequential({', '.join(map(repr, self.layers))})"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Sequential) and self.layers == other.layers

    def __hash__(self) -> int:
        return hash(self.layers)

    def describe(self) -> str:
        """Every layer's description, one after the other."""
        return "\n".join(layer.describe() for layer in self.layers)


class Residual(Layer):
    """y = x + f(x), f the given layers one after the other.

    Derivative: dx = dy + J^T dy, J the Jacobian of f: what f loses on the way the identity keeps.
    Shapes: f(x) has the shape of x.
    Source: claim D4; He et al. 2016.
    """

    axes = {"x": "", "f": ""}
    formula = "y = x[] + f[]"
    extra_axes = True

    def __init__(self, *layers: Layer) -> None:
        self.layers = _layers(self, layers)

    @property
    def branches(self) -> Mapping[str, tuple[Layer, ...]]:
        return {"f": self.layers}

    def check(self, shapes: Mapping[str, Shape]) -> None:
        if shapes["x"] != shapes["f"]:
            raise ModelError(
                f"x + f(x) needs equal shapes, but f takes {shapes['x']} to {shapes['f']}: "
                'use padding="same" and stride 1 inside, and as many filters or units as come in'
            )

    def __repr__(self) -> str:
        return f"Residual({', '.join(map(repr, self.layers))})"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Residual) and self.layers == other.layers

    def __hash__(self) -> int:
        return hash(("Residual", self.layers))


def _layers(owner: Layer, layers: tuple[object, ...]) -> tuple[Layer, ...]:
    name = type(owner).__name__
    if not layers:
        raise ModelError(f"{name}: give at least one layer, as in {name}(Dense(10))")
    if len(layers) == 1 and isinstance(layers[0], list | tuple):
        raise ModelError(f"{name} takes layers, not a list of them: write {name}(*layers)")
    for layer in layers:
        if not isinstance(layer, Layer):
            fix = f"write {layer.__name__}(...)" if isinstance(layer, type) else "give a layer"
            raise ModelError(f"{name} takes layers, not {layer!r}: {fix}")
    return layers  # type: ignore[return-value]
