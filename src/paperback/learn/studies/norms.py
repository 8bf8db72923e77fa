"""How far the gradient comes: its norm at every layer, and the norms of the factors on the way (claim D4).

    |dJ/dy_l| <= sum over the layers r that read y_l of |dr/dy_l| * |dJ/dr|

The norm of a factor is its largest singular value, of a batch the largest of its examples'. The bound of a layer is
the right side with bounds for |dJ/dr|: along a plain network the product of the norms. Where a skip reads a tensor
besides the layers of its block, what each of them sends back is a term of its own: the skip adds one to what a plain
network has. An added term is no promise: y + f(y) with f(y) = -y sends back nothing at all.
"""

from __future__ import annotations

__all__ = ["GradientNorms", "LayerNorms", "Term", "gradient_norms"]

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from math import sqrt
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from paperback.arguments import closest
from paperback.errors import ModelError
from paperback.learn.studies.forward import Forward
from paperback.learn.studies.links import Factor, factors_of
from paperback.markup import fragment, table
from paperback.nn.losses import LOSS
from paperback.program.lift import depends_on
from paperback.program.program import Program

Array = NDArray[Any]


@dataclass(frozen=True)
class Term:
    """What one layer sends back to a tensor that it reads.

    factor, gradient    the norm of its Jacobian by the tensor, and of what it sends back
    skip                does the layer read the tensor past other layers, as x + f(x) reads x?
    """

    reader: str
    factor: float
    gradient: float
    skip: bool


@dataclass(frozen=True)
class LayerNorms:
    """A tensor: the norm of the loss' gradient by it, the most that the factors allow, and the terms of the sum."""

    tensor: str
    gradient: float
    bound: float
    terms: tuple[Term, ...]


@dataclass(frozen=True)
class GradientNorms:
    """The layers of a network from the loss down to the input; printed, a table."""

    loss: str
    examples: int
    layers: tuple[LayerNorms, ...]

    def __getitem__(self, tensor: str) -> LayerNorms:
        """The line of a tensor, or of what the layer of that name gives."""
        lines = {line.tensor: line for line in self.layers}
        lines |= {line.tensor.partition(".")[0]: line for line in self.layers}
        if tensor not in lines:
            raise ModelError(f"gradient_norms: no layer is called {tensor!r}; {closest(tensor, lines)}")
        return lines[tensor]

    def __str__(self) -> str:
        rows = [_HEAD, *self._rows()]
        widths = [max(len(row[column]) for row in rows) for column in range(len(_HEAD))]
        lines = (
            "  ".join(
                cell.rjust(width) if title in _NUMBERS else cell.ljust(width)
                for cell, width, title in zip(row, widths, _HEAD, strict=True)
            ).rstrip()
            for row in rows
        )
        return "\n".join([*lines, "", self._note])

    def _repr_html_(self) -> str:
        return fragment(table(_HEAD, self._rows(), numbers=_NUMBERS, caption=self._note))

    def plain(self) -> dict[str, Any]:
        """As JSON can hold it."""
        return asdict(self)

    @property
    def _note(self) -> str:
        return f"J: {self.loss}, {self.examples} example{'' if self.examples == 1 else 's'}"

    def _rows(self) -> list[Sequence[str]]:
        rows: list[Sequence[str]] = []
        for line in self.layers:
            head = [line.tensor, f"{line.gradient:.3g}", f"{line.bound:.3g}"]
            for term in line.terms:
                reader = f"{term.reader}, a skip" if term.skip else term.reader
                rows.append([*head, reader, f"{term.factor:.3g}", f"{term.gradient:.3g}"])
                head = ["", "", ""]
        return rows


_HEAD = ("y", "|dJ/dy|", "at most", "read by r", "|dr/dy|", "sent back")
_NUMBERS = ("|dJ/dy|", "at most", "|dr/dy|", "sent back")


def gradient_norms(forward: Forward, x: ArrayLike, y: ArrayLike) -> GradientNorms:
    """See `Model.gradient_norms`."""
    edges = factors_of(forward.program)
    needed = {name for factor in edges for name in factor.layer.inputs}
    examples = list(forward.values("gradient_norms", x, y, needed))
    sums: dict[str, float] = {}  # tensor -> the square of its gradient's norm
    sent = [0.0] * len(edges)
    spectral = [0.0] * len(edges)
    alike = [forward.own.isdisjoint(factor.jacobian.inputs) for factor in edges]  # the same for every example?
    for values in examples:
        held = {LOSS: np.array(forward.scale(len(examples)))}  # tensor -> its gradient
        for place, factor in enumerate(edges):
            jacobian = factor.linear(values)
            back = np.asarray(jacobian.adjoint(held[factor.of]), dtype=np.float64)
            held[factor.by] = _sum(held.get(factor.by), back)
            sent[place] += _square(back)
            if factor.of == LOSS:
                spectral[place] = sqrt(sent[place])
            elif values is examples[0] or not alike[place]:
                spectral[place] = max(spectral[place], jacobian.norm())
        for tensor, gradient in held.items():
            sums[tensor] = sums.get(tensor, 0.0) + _square(gradient)
    terms = [
        Term(factor.of, norm, sqrt(square), _skips(forward.program, edges, factor))
        for factor, norm, square in zip(edges, spectral, sent, strict=True)
    ]
    norms = {tensor: sqrt(square) for tensor, square in sums.items()}
    return GradientNorms(forward.loss.name, len(np.asarray(y)), tuple(_lines(edges, terms, norms)))


def _lines(edges: Sequence[Factor], terms: Sequence[Term], norms: Mapping[str, float]) -> Iterator[LayerNorms]:
    """From the last layer to the input: a bound is made of those of the layers that read the tensor."""
    bounds = {LOSS: 1.0}
    for tensor in dict.fromkeys((*(edge.of for edge in edges), *norms)):
        if tensor != LOSS:
            own = tuple(term for term, edge in zip(terms, edges, strict=True) if edge.by == tensor)
            bounds[tensor] = sum(term.factor * bounds[term.reader] for term in own)
            yield LayerNorms(tensor, norms[tensor], bounds[tensor], own)


def _sum(held: Array | None, sent: Array) -> Array:
    return sent if held is None else held + sent


def _square(array: Array) -> float:
    return float(np.sum(np.square(array)))


def _skips(program: Program, edges: Sequence[Factor], factor: Factor) -> bool:
    """Does a layer read a tensor past others that read it too, and that it needs itself?"""
    others = {edge.of for edge in edges if edge.by == factor.by and edge.of != factor.of}
    return any(factor.of in depends_on(program.statements, (other,)) for other in others)
