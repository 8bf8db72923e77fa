"""Adjoints: transposing the differential of a statement, in delta form.

    y[o] = e,  de = sum over slots of c * dx[s]        =>        dx[t] += sum(o) dy[o] * c * [s == t]

One statement per input; as mathematics it is a gather with a single writer. The delta form is the master from which
the form for people (`display`) and the form for kernels (`kernel`) are made by eliminating the deltas.
"""

from __future__ import annotations

__all__ = ["differentiated_name", "fresh_letters", "target_binders", "transpose"]

from collections.abc import Iterable, Iterator, Sequence
from itertools import chain, count

from paperback.calculus.diff import LinearTerm
from paperback.calculus.display import solve_bare
from paperback.calculus.guards import Box, simplify
from paperback.calculus.term import Term
from paperback.notation.affine import Affine, Letter
from paperback.notation.expr import AffineGuard, Binder, Compare, Guard, Index, Quotient, Read, Size, Statement

_TARGET_LETTERS = "tuvabcdefg"


def differentiated_name(name: str) -> str:
    """`conv2d_1.w` -> `conv2d_1.dw`, `x` -> `dx`."""
    head, dot, last = name.rpartition(".")
    return f"{head}{dot}d{last}"


def target_binders(axes: Sequence[Size], slots: Iterable[Read]) -> tuple[Binder, ...]:
    """Letters for the axes of a gradient: those by which the tensor is read bare, else t, u, v ..."""
    slots = list(slots)
    names: list[str] = []
    for axis in range(len(axes)):
        bare = {i.bare.name if isinstance(i, Affine) and i.bare else "" for i in (s.indices[axis] for s in slots)}
        only = bare.pop() if len(bare) == 1 else ""
        names.append(only if only not in names else "")
    free = _letters_beside(names)
    return tuple(Binder(Letter.fresh(n or next(free)), axis) for n, axis in zip(names, axes, strict=True))


def fresh_letters(axes: Sequence[Size], taken: Iterable[str]) -> tuple[Binder, ...]:
    """New letters t, u, v ... that avoid the taken names."""
    free = _letters_beside(taken)
    return tuple(Binder(Letter.fresh(next(free)), axis) for axis in axes)


def _letters_beside(taken: Iterable[str]) -> Iterator[str]:
    """t, u, v ... without the taken names, and t1, t2 ... when they are used up."""
    taken = set(taken)
    names = chain(_TARGET_LETTERS, (f"t{number}" for number in count(1)))
    return (name for name in names if name not in taken)


def delta(slot: Read, target: Sequence[Binder | Affine]) -> tuple[Guard, ...]:
    """`[slot indices == target letters]`; a target may be an affine form too."""
    guards: list[Guard] = []
    for index, place in zip(slot.indices, target, strict=True):
        there = Affine.of(place.letter if isinstance(place, Binder) else place)
        if isinstance(index, Read):
            guards.append(Compare("==", index, Index(there)))
        elif isinstance(index, Quotient):
            guards.append(AffineGuard("==", there * index.divisor - index.affine))
        else:
            guards.append(AffineGuard("==", there - index))
    return tuple(guards)


def transpose(
    statement: Statement, linear: LinearTerm, cotangent: str, target: Sequence[Binder], box: Box
) -> Term | None:
    """The contribution of one linear term to the gradient of its slot's tensor; None where it vanishes."""
    dy = Read(cotangent, statement.left, None)
    # a fresh copy of the statement's letters: the same statement may be transposed for several slots of one sum
    renamed = {b.letter: Affine.of(Letter.fresh(b.letter.name)) for b in statement.binders}
    term = linear.term.times(dy).over(statement.binders).where(*delta(linear.slot, target))
    binders = tuple(
        Binder(renamed[b.letter].letters[0], b.extent) if b.letter in renamed else b for b in term.binders
    )
    moved = Term((), term.guards, term.factors).substitute(renamed)
    inside = box.with_binders(target)
    return simplify(solve_bare(Term(binders, moved.guards, moved.factors), inside), inside)
