"""Global pooling: one number per channel, whatever the number of places."""

from __future__ import annotations

__all__ = ["GlobalAvgPool", "GlobalMaxPool"]

from collections.abc import Mapping
from dataclasses import dataclass

from paperback.calculus.conventions import Conventions
from paperback.errors import ModelError
from paperback.nn.layers.layer import Layer, Shape, Text
from paperback.nn.layers.places import Places
from paperback.nn.layers.pool import check_ties


@dataclass(frozen=True, repr=False)
class GlobalAvgPool(Layer):
    """y[c] = sum(i,j) x[i,j,c] / (H*W).

    Use: from an image of any size to one number per channel, in place of Flatten.
    Derivative: dx[i,j,c] = dy[c]/(H*W).
    Shapes: x: H W C (or L C, D H W C), y: C.
    Source: Lin et al. 2014; claim B2 with one window.
    """

    axes = {"x": "H W C"}
    formula = "y[c] = sum(i,j) x[i,j,c] / (H*W)"

    def text(self, shape: Shape) -> Text:
        places = _some_places(shape)
        read = f"sum({','.join(places.letters)}) x[{places.element()}]"
        return Text(f"y[c] = {read} / ({'*'.join(places.sizes)})", {"x": places.axes})


@dataclass(frozen=True, repr=False)
class GlobalMaxPool(Layer):
    """y[c] = max(i,j) x[i,j,c].

    Use: was a feature seen anywhere? One number per channel, in place of Flatten.
    Derivative: dy[c] goes to the largest element of channel c.
    Shapes: x: H W C (or L C, D H W C), y: C.
    Kinks: of equal maxima the first in row-major order wins; `ties` as in `MaxPool2d`.
    Source: claim E4 with one window.
    """

    ties: str = "first"

    axes = {"x": "H W C"}
    formula = "y[c] = max(i,j) x[i,j,c]"

    def __post_init__(self) -> None:
        check_ties(self, self.ties)

    @property
    def conventions(self) -> Conventions:
        return Conventions(ties=self.ties)

    def text(self, shape: Shape) -> Text:
        places = _some_places(shape)
        axes: Mapping[str, str] = {"x": places.axes}
        return Text(f"y[c] = max({','.join(places.letters)}) x[{places.element()}]", axes)


def _some_places(shape: Shape) -> Places:
    places = Places.of(shape)
    if not places.sizes:
        raise ModelError(
            "it goes over places, and an input of one axis has none: leave it out, or put it before Flatten()"
        )
    return places
