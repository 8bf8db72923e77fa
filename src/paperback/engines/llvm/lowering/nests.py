"""Nests: the parts of a statement, each of which will be one loop nest.

This is data: `parts` makes it, `fuse`, `route` and `factor` rewrite it, and the code is written from it.
"""

from __future__ import annotations

__all__ = ["Clip", "Nest", "Route", "Sort"]

from dataclasses import dataclass
from fractions import Fraction

from paperback.notation.affine import Affine, Letter
from paperback.notation.expr import Read, Statement


@dataclass(frozen=True)
class Clip:
    """`0 <= form < extent`: where a scatter's letters stay in range."""

    form: Affine
    extent: int


@dataclass(frozen=True)
class Route:
    """A sum of products that follows positions (see `route`).

    dense     the factor that is read in vectors
    value     the number at the position, `codes` the position, `offsets` what it adds to the dense factor's flat index
    lanes     the letters in the lanes: all their values together are neighbours, those of the last side by side
    places    the other letters of the dense factor alone: their vectors are written out
    """

    dense: Read
    value: Read
    codes: Read
    offsets: tuple[int, ...]
    lanes: tuple[Letter, ...]
    places: tuple[Letter, ...]


@dataclass(frozen=True)
class Sort:
    """A scatter whose channels are sorted by the places of their maxima (see `sort`).

    dense     the weights, which are read in vectors: an axis for each of their letters, in this order: those that F
              and the target have too, the block, the channels, the places, the lanes
    value     the number at the maximum of a window and channel, `codes` its place, from 1, and 0 for none
    offsets   for each place, what it adds to the target's flat index
    windows   the letters of a window
    block     the letter of whole vectors; none where there is one, or where several letters are in the lanes
    places    the other letters of a vector's place: they are written out
    lanes     the letters in the lanes: all their values together are neighbours, those of the last side by side
    """

    dense: Read
    value: Read
    codes: Read
    offsets: tuple[int, ...]
    windows: tuple[Letter, ...]
    block: tuple[Letter, ...]
    places: tuple[Letter, ...]
    lanes: tuple[Letter, ...]


@dataclass(frozen=True)
class Nest:
    """A part of a statement: store, or add to what is there.

    split     the letter of the first axis, where it stands there alone: rows can be computed apart
    fill      the number to store, in place of the statement's expression
    route     how the statement is computed, where it follows positions
    sort      how it is, where it is a scatter that is sorted by them
    more      statements over the same letters, computed at the same points; they may read the ones before them there
    unread    targets that are not stored, as nobody else reads them
    clips     where the letters of a scatter stay in range; they are tested by its loops
    """

    statement: Statement
    add: bool = False
    split: Letter | None = None
    fill: Fraction | float | None = None
    clips: tuple[Clip, ...] = ()
    route: Route | None = None
    sort: Sort | None = None
    more: tuple[Statement, ...] = ()
    unread: frozenset[str] = frozenset()

    @property
    def statements(self) -> tuple[Statement, ...]:
        return (self.statement, *self.more)
