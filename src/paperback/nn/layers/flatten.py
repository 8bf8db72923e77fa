"""Flatten: all axes as one, in row-major order."""

from __future__ import annotations

__all__ = ["Flatten"]

from dataclasses import dataclass

from paperback.nn.layers.layer import Layer, Shape, Text

_AXES = {1: ("C",), 2: ("L", "C"), 3: ("H", "W", "C"), 4: ("D", "H", "W", "C")}


@dataclass(frozen=True, repr=False)
class Flatten(Layer):
    """y[W*C*i + C*j + c] = x[i,j,c].

    Derivative: dx[i,j,c] = dy[W*C*i + C*j + c], a reshape back.
    Shapes: x: H W C (one to four axes), y: H*W*C; the channel runs fastest, whatever layout came in at the edge.
    Source: claim E5.
    """

    axes = {"x": "H W C"}
    formula = "y[W*C*i + C*j + c] = x[i,j,c]"

    def text(self, shape: Shape) -> Text:
        axes = _AXES.get(len(shape), _AXES[3])
        letters = ("h", "i", "j", "c")[-len(axes) :]
        terms = ["*".join([*axes[a + 1 :], letter]) for a, letter in enumerate(letters)]
        return Text(f"y[{' + '.join(terms)}] = x[{','.join(letters)}]", {"x": " ".join(axes)})
