"""How a nest will be computed, known before it is written: as a contraction, and with which loops of its own."""

from __future__ import annotations

__all__ = ["contraction_of", "dots_of", "extents_of", "loops_of"]

from paperback.engines.llvm.code.contract import Contraction, Dots, find_contraction
from paperback.engines.llvm.code.cut import Loops
from paperback.engines.llvm.code.dots import dot_loops, find_dots
from paperback.engines.llvm.code.evaluate import Evaluator
from paperback.engines.llvm.code.nest import own_lane
from paperback.engines.llvm.code.sorted import sorted_loops
from paperback.engines.llvm.code.tile import contraction_loops
from paperback.engines.llvm.code.turn import find_turn
from paperback.engines.llvm.lowering.addressed import find_address
from paperback.engines.llvm.lowering.nests import Nest
from paperback.notation.affine import Letter
from paperback.notation.expr import Reduce
from paperback.notation.walk import nodes


def contraction_of(e: Evaluator, nest: Nest, split: Letter | None) -> Contraction | None:
    """How it is a contraction; None where it is none."""
    if nest.fill is not None:
        return None
    fixed = {split, *(letter for clip in nest.clips for letter in clip.form.letters)}
    return find_contraction(nest.statement, e.buffers, extents_of(e, nest), fixed, e.width, not nest.more)


def dots_of(e: Evaluator, nest: Nest) -> Dots | None:
    """How it is a tile of dot products; None where it is none."""
    return find_dots(nest, e.buffers, extents_of(e, nest), e.width)


def loops_of(e: Evaluator, nest: Nest, split: Letter | None, registers: int) -> Loops | None:
    """The loops that will be written for it; None where none of them can be cut."""
    letters = nest.statement.letters
    turned = find_turn(e, nest, split)
    found = contraction_of(e, nest, split)
    dots = dots_of(e, nest)
    if nest.route is not None:
        inside: tuple[Letter | None, ...] = (*nest.route.places, *nest.route.lanes)
    elif nest.sort is not None:
        return sorted_loops(nest, nest.sort)
    elif turned is not None:
        inside = (turned.lane, turned.row)
    elif found is not None:
        return contraction_loops(e, nest, found, split, registers)
    elif dots is not None:
        return dot_loops(dots)
    elif find_address(nest.statement.expr, {b.name for b in e.buffers.values() if b.element in ("i32", "i64")}):
        return None
    else:
        lane = own_lane(e, nest, split)
        return Loops(tuple(letter for letter in letters if letter != lane), lane, e.width)
    return Loops(tuple(letter for letter in letters if letter not in inside))


def extents_of(e: Evaluator, nest: Nest) -> dict[Letter, int]:
    """Of its letters and those of its sums."""
    sums = (b for n in nodes(nest.statement.expr) if isinstance(n, Reduce) for b in n.binders)
    return {b.letter: e.extent_of(b.extent) for b in (*nest.statement.binders, *sums)}
