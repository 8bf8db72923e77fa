"""What the codes that follow maxima share: loops, and flat indices around a place that is looked up."""

from __future__ import annotations

__all__ = ["Follower", "Spot"]

from collections.abc import Callable, Sequence

from paperback.engines.llvm.code.nest import range_of, turns
from paperback.engines.llvm.code.reduce import Reducer
from paperback.engines.llvm.ir import Whole
from paperback.engines.llvm.lowering.buffers import Linear
from paperback.engines.llvm.lowering.nests import Nest
from paperback.notation.affine import Letter
from paperback.notation.expr import Reduce

Spot = tuple[dict[Letter, int], int, int]
"""A vector around a place: the values of the letters that are written out, its first lane, and how many it has."""


class Follower:
    """Writes one nest; `split` runs over the range that the function is called with."""

    def __init__(self, e: Reducer, nest: Nest, split: Letter | None) -> None:
        self.e, self.nest, self.split = e, nest, split
        statement = nest.statement
        sums = statement.expr.binders if isinstance(statement.expr, Reduce) else ()
        self.extents = {b.letter: e.extent_of(b.extent) for b in (*statement.binders, *sums)}
        e.declare(self.extents)

    def loops(self, letters: Sequence[Letter], body: Callable[[], None]) -> None:
        if not letters:
            body()
            return
        start, stop = range_of(self.e, self.nest, letters[0], self.split)
        turns(self.e, letters[0], start, stop, self.extents[letters[0]], lambda: self.loops(letters[1:], body))

    def start(self, linear: Linear) -> Whole:
        """A flat index at the letters that are bound; the others are 0."""
        at: Whole = linear.const
        for letter, step in linear.steps:
            if letter in self.e.env:
                at = self.e.f.add(at, self.e.f.mul(self.e.env[letter], step))
        return at

    def shift(self, linear: Linear, spot: Spot) -> int:
        """How far a vector is from there."""
        choice, column, _ = spot
        return sum(linear.step(letter) * k for letter, k in choice.items()) + column
