"""Which extents have to be written: those that a reader would not find from the reads alone.

The question is put to the solver that readers use: take all extents away, solve, and write one that does not come back
as it was, until all do. Bounds of reducers are written before those of left indices: `y[i] = max(p<2) x[2*i+p]`.
"""

from __future__ import annotations

__all__ = ["odd_targets", "written"]

from collections.abc import Iterable, Mapping, Sequence

from paperback.notation.check import clips
from paperback.notation.expr import Letter, Size, Statement
from paperback.notation.infer import Extents, greatest
from paperback.notation.uses import binders_of


def written(
    statements: Sequence[Statement],
    axes: Mapping[str, Sequence[Size]],
    *,
    lower: Mapping[str, int] | None = None,
    first: Iterable[Letter] = (),
) -> set[Letter]:
    """The letters whose extents must be written, `first` among them. `axes`: the inputs' and declared targets' axes."""
    known = dict(axes)
    needed = set(first)
    for statement in statements:
        _write(statement, known, lower or {}, needed)
        known.setdefault(statement.target, statement.axes)
    return needed


def _write(
    statement: Statement, axes: Mapping[str, Sequence[Size]], lower: Mapping[str, int], needed: set[Letter]
) -> None:
    """Add to `needed` what one statement needs, the axes of everything it reads being known."""
    extents = {b.letter: b.extent for b in binders_of(statement)}
    left = statement.letters
    inner = [letter for letter in extents if letter not in left]
    while True:
        solver = Extents(
            [statement], axes, {}, {letter: extents[letter] for letter in needed & extents.keys()}, lower=lower
        )
        solver.propagate()
        found = solver.extents()
        choices = [l for l in (*left, *inner) if found[l] not in (None, extents[l])]
        choices = choices or [l for l in (*inner, *left) if found[l] is None]
        choices = choices or [l for l in (*left, *inner) if l in solver.blamed]
        choices = choices or [clip[0] for use in solver.uses if (clip := clips(solver, use)) is not None]
        choice = next((letter for letter in choices if letter not in needed), None)
        if choice is None:
            return
        needed.add(choice)


def odd_targets(statements: Sequence[Statement], lower: Mapping[str, int]) -> dict[str, tuple[Size, ...]]:
    """The axes of targets that do not end with their largest left index: `y[2*i] = x[i]` of an even length."""
    odd = {}
    for statement in statements:
        extents = {b.letter: b.extent for b in statement.binders}
        for index, axis in zip(statement.left, statement.axes, strict=True):
            if index.bare is None and greatest(index, extents.get, lower) != axis - 1:
                odd[statement.target] = statement.axes
    return odd
