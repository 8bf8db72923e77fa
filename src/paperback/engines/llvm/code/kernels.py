"""What was written: the kernels of a program in the order in which they run, and how each computes its nests."""

from __future__ import annotations

__all__ = ["Code", "Dotted", "Followed", "Kernel", "Looped", "Sorted", "Tiled", "Turned", "Way"]

from dataclasses import dataclass

from paperback.engines.llvm.code.contract import Contraction, Dots, Tile
from paperback.engines.llvm.code.cut import Cut
from paperback.engines.llvm.lowering.tasks import Task
from paperback.notation.affine import Letter


@dataclass(frozen=True)
class Tiled:
    """In tiles of registers. rows: how many rows there are, None where that is known at run time only.

    notes    what was done because of where the tensors lie, and why
    """

    contraction: Contraction
    tile: Tile
    rows: int | None
    vectors: int
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Dotted:
    """In tiles of dot products; rows and columns: how many there are, None where that is known at run time only."""

    dots: Dots
    tile: Tile
    rows: int | None
    columns: int | None


@dataclass(frozen=True)
class Followed:
    """A sum that follows the positions of maxima."""


@dataclass(frozen=True)
class Sorted:
    """A scatter whose channels are sorted by the places of maxima."""


@dataclass(frozen=True)
class Turned:
    """A matrix turned round in squares: the letter of neighbours in what is written, and that in what is read."""

    written: Letter
    read: Letter


@dataclass(frozen=True)
class Looped:
    """A plain nest; `lane` is the letter in the lanes of vectors, None where it goes entry by entry."""

    lane: Letter | None


Way = Tiled | Dotted | Followed | Sorted | Turned | Looped


@dataclass(frozen=True)
class Kernel:
    """A function of generated code that computes a task.

    level, part   the section, and "shard" or "join"
    round         of the join part: kernels of one round may run at the same time
    ways          how every nest of the task is computed
    cut           what it can be called for a part of; None for all at once
    """

    name: str
    task: Task
    level: int
    part: str
    round: int
    ways: tuple[Way, ...]
    cut: Cut | None = None


@dataclass(frozen=True)
class Code:
    """Textual modules of LLVM IR, and what is in them."""

    modules: tuple[str, ...]
    kernels: tuple[Kernel, ...]
