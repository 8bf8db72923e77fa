"""Sums over the rows of weights that a step changes, in two halves.

    y[n,o] = sum(i) x[n,i] w[i,o]    =    y[n,0,o] + y[n,1,o]
    y[n,p,o] = sum(i) x[n,p*I/2+i] w[p*I/2+i,o]

The update of w and the gradient of x go row by row, and so does this: with few examples each of two cores has half of
the rows to itself. A core that writes what another has in its cache takes it away from there first, line by line, which
takes several times as long as to write it; and cores fetch ahead, so only long pieces of memory are one's own.
"""

from __future__ import annotations

__all__ = ["halved"]

from collections.abc import Callable, Mapping, Sequence
from math import prod

from paperback.engines.llvm.lowering.arrange import affine_indices, product_of_reads, with_node
from paperback.notation.affine import Affine, Letter
from paperback.notation.expr import Binder, Node, Read, Reduce, Statement, add
from paperback.notation.size import Size
from paperback.notation.walk import nodes, substitute

_LEAST_ENTRIES = 1 << 14  # of weights that are worth it
_MOST_ENTRIES = 1 << 18  # that the caches of two cores hold, before a step and after it

Make = Callable[[Node, Sequence[Letter], Mapping[Letter, int]], "Read | None"]
"""The read of a tensor that holds a value for all values of some letters; None where it cannot be had."""


def halved(statement: Statement, changing: Mapping[str, Sequence[int]], make: Make) -> Statement:
    """The statement of a layer, whose first letter is the example, with its sum in two halves; any other as it is.

    changing    weights that the step changes, and their shapes
    """
    sums = [n for n in nodes(statement.expr) if isinstance(n, Reduce)]
    factors = product_of_reads(sums[0]) if len(sums) == 1 else None
    rows = [row for read in factors or () if (row := _row(statement, sums[0], read, changing)) is not None]
    if len(rows) != 1:
        return statement
    whole, row = sums[0], rows[0]
    half, first = Letter.fresh("half"), Letter.fresh(row.letter.name)
    count = row.extent.value // 2
    binders = [Binder(first, Size.of(count)) if b == row else b for b in whole.binders]
    body = substitute(whole.body, {row.letter: Affine.of(half) * count + first})
    letters = (statement.letters[0], half, *statement.letters[1:])
    extents = {b.letter: b.extent.value for b in (*statement.binders, *binders)} | {half: 2}
    part = make(Reduce("sum", tuple(binders), (), body), letters, extents)
    if part is None:
        return statement
    both = add(*(substitute(part, {half: Affine.of(k)}) for k in range(2)))
    return with_node(statement, whole, both)


def _row(statement: Statement, node: Reduce, read: Read, changing: Mapping[str, Sequence[int]]) -> Binder | None:
    """The letter of the rows of a dense layer's weights, where they are worth it."""
    shape = changing.get(read.tensor, ())
    indices = affine_indices(read)
    if read.pad is not None or not _LEAST_ENTRIES <= prod(shape) <= _MOST_ENTRIES:
        return None
    others = set(statement.letters[1:])
    found = [b for b in node.binders if indices[0].bare == b.letter and not b.extent.value % 2]
    return found[0] if found and others == {i.bare for i in indices[1:]} else None
