"""Other axes, same numbers: flatten, unflatten, permute."""

from __future__ import annotations

__all__ = ["Flatten", "Permute", "Unflatten"]

from collections.abc import Mapping
from dataclasses import dataclass
from math import prod

from paperback.errors import ModelError
from paperback.nn.layers.layer import Layer, Shape, Text, natural
from paperback.nn.layers.places import Places

_LETTERS = ("h", "i", "j", "k", "l", "m")


@dataclass(frozen=True, repr=False)
class Flatten(Layer):
    """y[W*C*i + C*j + c] = x[i,j,c].

    Use: from images to a vector, in front of the first dense layer.
    Derivative: dx[i,j,c] = dy[W*C*i + C*j + c], a reshape back.
    Shapes: x: H W C (one to four axes), y: H*W*C; the channel runs fastest, whatever layout came in at the edge.
    Source: claim E5.
    """

    axes = {"x": "H W C"}
    formula = "y[W*C*i + C*j + c] = x[i,j,c]"

    def text(self, shape: Shape) -> Text:
        places = Places.of(shape)
        sizes, letters = (*places.sizes, "C"), (*places.letters, "c")
        terms = ["*".join([*sizes[a + 1 :], letter]) for a, letter in enumerate(letters)]
        return Text(f"y[{' + '.join(terms)}] = x[{','.join(letters)}]", {"x": places.axes})


@dataclass(frozen=True, repr=False)
class Unflatten(Layer):
    """y[i,j,c] = x[W*C*i + C*j + c]: the last axis becomes several, the last of which runs fastest.

    Use: from a vector to an image, as decoders and generators need it.
    Derivative: dx[W*C*i + C*j + c] = dy[i,j,c], a reshape back.
    Shapes: x: H*W*C, lifted over the axes before; y: `shape`, here H W C.
    Source: claim E5, read from right to left.
    """

    shape: tuple[int, ...]

    axes = {"x": "I"}
    extra_axes = True

    def __post_init__(self) -> None:
        if not isinstance(self.shape, tuple | list) or not 1 <= len(self.shape) <= len(_LETTERS):
            raise ModelError(
                f"Unflatten: shape must be one to six whole numbers, not {self.shape!r}: write shape=(4, 4, 2)"
            )
        object.__setattr__(self, "shape", tuple(natural(self, "shape", n) for n in self.shape))

    @property
    def formula(self) -> str:
        letters = _LETTERS[: len(self.shape)]
        terms = [letter if (step := prod(self.shape[a + 1 :])) == 1 else f"{step}*{letter}"
                 for a, letter in enumerate(letters)]  # fmt: skip
        extents = ", ".join(f"{letter} < {n}" for letter, n in zip(letters, self.shape, strict=True))
        return f"y[{','.join(letters)}] = x[{' + '.join(terms)}] where {extents}"

    def check(self, shapes: Mapping[str, Shape]) -> None:
        if shapes["x"][-1] != prod(self.shape):
            product = f"{prod(self.shape)} = {'*'.join(map(str, self.shape))}"
            raise ModelError(
                f"the last axis is {shapes['x'][-1]}, needed is {product}: change the shape, or the layer before it"
            )


@dataclass(frozen=True, repr=False)
class Permute(Layer):
    """y[j,c,i] = x[i,j,c] for order (1, 2, 0): axis a of y is axis order[a] of x, the batch not counted.

    Use: another order of axes, as channels first for data that come so.
    Derivative: dx[i,j,c] = dy[j,c,i].
    Shapes: x: as many axes as `order`, two to six.
    """

    order: tuple[int, ...]

    def __post_init__(self) -> None:
        order = self.order
        if not isinstance(order, tuple | list) or len(order) > len(_LETTERS) or {*order} != {*range(len(order))}:
            raise ModelError(f"Permute: order must name every axis once, not {order!r}: write order=(1, 0)")
        object.__setattr__(self, "order", tuple(order))

    @property
    def axes(self) -> Mapping[str, str]:
        return {"x": " ".join(f"A{a}" for a in range(len(self.order)))}

    @property
    def formula(self) -> str:
        letters = _LETTERS[: len(self.order)]
        return f"y[{','.join(letters[a] for a in self.order)}] = x[{','.join(letters)}]"
