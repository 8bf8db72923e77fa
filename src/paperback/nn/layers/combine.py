"""Layers made of layers: one after the other, and side by side.

    Sequential(a, b)   y = b(a(x))
    Residual(a, b)     y = x + b(a(x))
    Add(a, b)          y = a(x) + b(x)
    Multiply(a, b)     y = a(x) * b(x), element by element
    Parallel(a, b)     y = a(x) and b(x) side by side on the last axis

A branch of several layers is a Sequential; `Identity()` is the branch that leaves x as it is.
"""

from __future__ import annotations

__all__ = ["Add", "Composite", "Multiply", "Parallel", "Residual", "Sequential", "layer_hint"]

from collections.abc import Mapping

from paperback.arguments import closest
from paperback.errors import ModelError
from paperback.nn import layers as library
from paperback.nn.layers.layer import Layer, Shape


class Composite(Layer):
    """A layer that is made of layers."""

    def __init__(self, *layers: Layer) -> None:
        self.layers = _layers(self, layers)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({', '.join(map(repr, self.layers))})"

    def __eq__(self, other: object) -> bool:
        return type(other) is type(self) and self.layers == other.layers

    def __hash__(self) -> int:
        return hash((type(self).__name__, self.layers))


class Sequential(Composite):
    """Layers one after the other: y = f(...(b(a(x)))).

    A layer is a description: the same object at two places is two layers with parameters of their own.
    Use: every network that is a chain of layers.
    Derivative: the chain rule; dx goes through the layers from the last to the first.
    """

    def describe(self) -> str:
        """Every layer's description, one after the other."""
        return "\n".join(layer.describe() for layer in self.layers)


class Residual(Composite):
    """y = x + f(x), f the given layers one after the other.

    Use: deep networks: the gradient has a way around every block.
    Derivative: dx = dy + J^T dy, J the Jacobian of f: what f loses on the way the identity keeps.
    Shapes: f(x) has the shape of x.
    Source: claim D4; He et al. 2016.
    """

    axes = {"x": "", "f": ""}
    formula = "y = x[] + f[]"
    extra_axes = True

    @property
    def branches(self) -> Mapping[str, tuple[Layer, ...]]:
        return {"f": self.layers}

    def check(self, shapes: Mapping[str, Shape]) -> None:
        if shapes["x"] != shapes["f"]:
            raise ModelError(
                f"x + f(x) needs equal shapes, but f takes {shapes['x']} to {shapes['f']}: "
                'use padding="same" and stride 1 inside, and as many filters or units as come in'
            )


class _Branches(Composite):
    """Layers side by side on the same x; their results are called f1, f2, ..."""

    @property
    def branches(self) -> Mapping[str, tuple[Layer, ...]]:
        return {f"f{place}": (layer,) for place, layer in enumerate(self.layers, 1)}


class _Elementwise(_Branches):
    """Branches of one shape whose results become one, element by element."""

    extra_axes = True

    @property
    def axes(self) -> Mapping[str, str]:
        return dict.fromkeys(["x", *self.branches], "")

    def check(self, shapes: Mapping[str, Shape]) -> None:
        given = [shapes[name] for name in self.branches]
        if len(set(given)) > 1:
            came = ", ".join(map(str, given))
            raise ModelError(f"its branches must give equal shapes, but they give {came}: change filters or units")


class Add(_Elementwise):
    """y = f1 + f2 + ..., the results of the given layers on the same x; `Add(Identity(), f)` is `Residual(f)`.

    Use: branches whose results are to be summed.
    Derivative: every branch gets dy; dx is the sum of what the branches send back.
    Shapes: all branches give one shape.
    Source: claim D4.
    """

    @property
    def formula(self) -> str:
        return f"y = {' + '.join(f'{name}[]' for name in self.branches)}"


class Multiply(_Elementwise):
    """y = f1 * f2 * ..., the results of the given layers on the same x.

    `Multiply(f, Sequential(g, Sigmoid()))` is a gate.
    Use: gates, and products of features.
    Derivative: every branch gets dy times the product of the others.
    Shapes: all branches give one shape.
    """

    @property
    def formula(self) -> str:
        return f"y = {' * '.join(f'{name}[]' for name in self.branches)}"


class Parallel(_Branches):
    """y[c] = f1[c] for c < A1, f2[c-A1] after that, and so on: the results side by side on the last axis.

    Use: branches whose channels are to stand side by side, as in an Inception block.
    Derivative: every branch gets its part of dy; dx is the sum of what the branches send back.
    Shapes: f1: A1, f2: A2, ..., y: A1 + A2 + ...; the axes before must be equal.
    Source: Szegedy et al. 2015.
    """

    extra_axes = True

    @property
    def axes(self) -> Mapping[str, str]:
        return {"x": "", **{name: f"A{place}" for place, name in enumerate(self.branches, 1)}}

    @property
    def formula(self) -> str:
        sizes = [f"A{place}" for place in range(1, len(self.layers) + 1)]
        terms = []
        for place, name in enumerate(self.branches):
            low, high = "+".join(sizes[:place]), "+".join(sizes[: place + 1])
            place_in = "-".join(["c", *sizes[:place]])
            terms.append(f"[{low or 0} <= c < {high}]*{name}[{place_in}]")
        return f"y[c] = {' + '.join(terms)} where c < {'+'.join(sizes)}"

    def check(self, shapes: Mapping[str, Shape]) -> None:
        given = [shapes[name] for name in self.branches]
        if len({shape[:-1] for shape in given}) > 1:
            came = ", ".join(map(str, given))
            raise ModelError(
                f"its branches must agree in all axes but the last, but they give {came}: "
                'use padding="same" and one stride in all'
            )


def layer_hint(value: object) -> str:
    """What may have been meant with a value that is no layer."""
    if isinstance(value, list | tuple):
        return "write Sequential(*layers)"
    if isinstance(value, type) and issubclass(value, Layer):
        return f"write {value.__name__}(...)"
    name = value if isinstance(value, str) else getattr(value, "__name__", "")
    known = [name for name in library.__all__ if name != "Layer"]
    hint = closest(name, sorted(known)) if name else ""
    if not hint or hint.startswith("there is"):
        return "give a layer, as Dense(10)"
    return hint.replace(" or ", "() or ").replace("?", "()?")


def _layers(owner: Layer, layers: tuple[object, ...]) -> tuple[Layer, ...]:
    name = type(owner).__name__
    if not layers:
        raise ModelError(f"{name}: give at least one layer, as in {name}(Dense(10))")
    if len(layers) == 1 and isinstance(layers[0], list | tuple):
        raise ModelError(f"{name} takes layers, not a list of them: write {name}(*layers)")
    for layer in layers:
        if not isinstance(layer, Layer):
            raise ModelError(f"{name} takes layers, not {layer!r}: {layer_hint(layer)}")
    return layers  # type: ignore[return-value]
