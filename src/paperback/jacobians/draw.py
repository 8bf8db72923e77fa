"""A small Jacobian as it stands on paper: rows and columns with labels, symbols for entries, dots for zeros.

          x[0]  x[1]  x[2]  x[3]
    y[0]  w[0]  w[1]  ·     ·
    y[1]  ·     w[0]  w[1]  ·
    y[2]  ·     ·     w[0]  w[1]

An entry is the sum of the derivative's terms with numbers for their letters, without those whose guards do not hold; a
dot is an entry without terms, zero by the structure.
"""

from __future__ import annotations

__all__ = ["matrix_picture", "matrix_text"]

from collections.abc import Sequence
from itertools import product
from math import prod

import numpy as np
from numpy.typing import NDArray

from paperback.calculus.chain import Jacobian, Kinks, jacobian_terms
from paperback.calculus.conventions import DEFAULT
from paperback.calculus.guards import Box, simplify
from paperback.calculus.naming import known_values
from paperback.calculus.support import support
from paperback.calculus.term import Term
from paperback.errors import FormulaError, Problem
from paperback.jacobians.linear import LinearMap
from paperback.markup.pixels import diverging
from paperback.notation.affine import Affine
from paperback.notation.block import Block
from paperback.notation.expr import ZERO, Binder, Node, Statement, add
from paperback.notation.show import show_expr

_MOST = 1024  # entries
_ZERO = "·"
_CELL = 16  # pixels


def matrix_text(block: Block, wrt: str, conventions: Kinks = DEFAULT) -> str:
    """The Jacobian of a block whose sizes are numbers, one line for each row."""
    jacobian = _small_enough(block, wrt, conventions)
    result = jacobian.result
    known = (*block.statements, *jacobian.selectors)
    named = known_values(known)
    axes = {t.name: t.axes for t in block.inputs.values()} | {s.target: s.axes for s in known}
    box = Box((), block.lower, axes)
    plain = [name for name, own in axes.items() if not own]

    def entry(row: Sequence[int], column: Sequence[int]) -> str:
        letters = {
            b.letter: Affine.of(place)
            for b, place in zip((*result.binders, *jacobian.columns), (*row, *column), strict=True)
        }
        node = add(*(named(_at(term.substitute(letters), box), box) for term in jacobian.terms))
        return _ZERO if node == ZERO else show_expr(node, plain=plain)

    rows, columns = _places(result.binders), _places(jacobian.columns)
    table = [["", *(_label(wrt, place) for place in columns)]]
    for row, label in sorted(zip(rows, _row_labels(result, rows), strict=True), key=lambda pair: pair[1]):
        table.append([_label(result.target, label), *(entry(row, column) for column in columns)])
    widths = [max(map(len, column)) for column in zip(*table, strict=True)]
    return "\n".join("  ".join(map(str.ljust, line, widths)).rstrip() for line in table)


def _small_enough(block: Block, wrt: str, conventions: Kinks) -> Jacobian:
    """The terms, if there are not too many of them and not too many entries."""
    if unknown := sorted(block.size_names):
        hint = f"write them, for example {unknown[0]}=4"
        needed = f"the matrix is drawn for sizes that are numbers: {', '.join(unknown)}"
        raise FormulaError("", Problem(needed, hint=hint))
    entries = prod(axis.value for axis in (*block.result.axes, *block.inputs[wrt].axes))
    jacobian = jacobian_terms(block, wrt, conventions)
    if entries > _MOST or jacobian is None:
        what = f"it has {entries:,} entries" if jacobian else "it has too many terms"
        hint = f"draw up to {_MOST:,} entries"
        raise FormulaError("", Problem(f"the matrix by {wrt} is not drawn: {what}", hint=hint))
    return jacobian


def matrix_picture(found: LinearMap) -> NDArray[np.uint8]:
    """The matrix as pixels, a square for each entry: blue below zero, white at zero, red above."""
    matrix = np.nan_to_num(found.matrix())
    colours = diverging(matrix, float(np.abs(matrix).max(initial=0.0)))
    return np.repeat(np.repeat(colours, _CELL, axis=0), _CELL, axis=1)


def _at(term: Term, box: Box) -> Node:
    """The term, or 0 where its guards do not hold."""
    inside = box.with_binders(term.binders)
    if any(inside.excludes(guard) for guard in support(term, box)):
        return ZERO
    left = simplify(term, box)
    return ZERO if left is None else left.node()


def _places(binders: Sequence[Binder]) -> list[tuple[int, ...]]:
    return list(product(*(range(b.extent.value) for b in binders)))


def _row_labels(result: Statement, rows: Sequence[tuple[int, ...]]) -> list[tuple[int, ...]]:
    """Where the values of the statement's letters stand in the result."""
    letters = [[(b.letter, Affine.of(place)) for b, place in zip(result.binders, row, strict=True)] for row in rows]
    return [tuple(index.substitute(dict(own)).const.value for index in result.left) for own in letters]


def _label(name: str, place: Sequence[int]) -> str:
    return f"{name}[{','.join(map(str, place))}]" if place else name

