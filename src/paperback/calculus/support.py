"""How many entries of a term's matrix are not zero: its guards as a set of index tuples, counted.

    [0 <= t-2*i < P]        for every i there are P values of t                       I*P
    [v == c]                c is known by v                                          one factor less
    [t <= q], both < T      a triangle                                               T*(T+1)/2
    sum(q) [0 <= t-i-q < P] q is projected out (Fourier and Motzkin)                  0 <= t-i < P+Q-1

Guards that share no letter are counted apart, and their numbers multiplied. Conditions on data are known to be open: a
count that meets one, or that no rule gives, is the most that there can be. Where all sizes are numbers and no data
enter, what no rule gives is counted out.
"""

from __future__ import annotations

__all__ = ["bounds", "chosen", "counted", "grouped", "projected", "support"]

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, TypeVar

import numpy as np

from paperback.calculus.display import range_guards
from paperback.calculus.guards import Box
from paperback.calculus.structure import Count
from paperback.calculus.term import Term, substitute_guard
from paperback.notation.affine import Affine, Letter
from paperback.notation.expr import AffineGuard, Binder, Compare, Divides, Guard, Index, Node, Read, Reduce
from paperback.notation.size import Size
from paperback.notation.walk import free_letters, guard_letters, reads

Guards = tuple[Guard, ...]
Choices = Mapping[str, Node | None]  # tensors of whole numbers: what computes them, None for inputs
Summed = tuple[Sequence[Binder], Guards]  # binders, and guards under which they are summed
Item = TypeVar("Item")

_MOST = 1 << 22  # cells that are counted out
_ONE = Size.of(1)


def support(term: Term, box: Box) -> Guards:
    """The guards of a term, with those that reads padded by 0 imply."""
    inside = box.with_binders(term.binders)
    found = list(term.guards)
    for factor in term.factors:
        if isinstance(factor, Read) and factor.pad == 0 and factor.tensor in box.axes:
            for index, axis in zip(factor.indices, box.axes[factor.tensor], strict=True):
                if isinstance(index, Affine):
                    found += [g for g in range_guards(index, axis) if not inside.implies(g)]
    return tuple(dict.fromkeys(found))


def grouped(
    letters: Iterable[Letter], items: Iterable[tuple[Item, Iterable[Letter]]]
) -> list[tuple[set[Letter], list[Item]]]:
    """The letters in groups that no item joins, each with its items; items of no letter are left out."""
    groups: list[tuple[set[Letter], list[Item]]] = [({letter}, []) for letter in letters]
    for item, own in items:
        wanted = set(own)
        touched = [g for g in groups if not g[0].isdisjoint(wanted)]
        if touched:
            merged = set().union(*(g[0] for g in touched)), [i for g in touched for i in g[1]] + [item]
            groups = [g for g in groups if g not in touched] + [merged]
    return groups


def chosen(guard: Compare, choices: Choices) -> tuple[Read, Affine] | None:
    """Of `id[...] == index`, a whole number among the data that names one place, the read and the index."""
    for read, index in ((guard.left, guard.right), (guard.right, guard.left)):
        if guard.relation == "==" and isinstance(read, Read) and read.tensor in choices and isinstance(index, Index):
            return read, index.affine
    return None


def bounds(guards: Iterable[Guard], letter: Letter, box: Box) -> tuple[Size | None, Size | None] | None:
    """The least and the greatest value that guards on this letter alone leave; None where a guard says more."""
    ends: dict[Size, list[Size]] = {_ONE: [], -_ONE: []}
    for guard in guards:
        if not isinstance(guard, AffineGuard) or guard.relation != ">=" or guard.affine.letters != (letter,):
            return None
        coefficient, rest = guard.affine.coefficient(letter), guard.affine.const
        if coefficient not in ends:
            return None
        ends[coefficient].append(-rest if coefficient == _ONE else rest)
    low, high = (_extreme(ends[sign], sign == _ONE, box) for sign in (_ONE, -_ONE))
    return None if (ends[_ONE] and low is None) or (ends[-_ONE] and high is None) else (low, high)


def _extreme(sizes: Sequence[Size], greatest: bool, box: Box) -> Size | None:
    """The greatest (least) of the sizes, where there is one for all values of their names."""
    for size in sizes:
        if all(((size - other) if greatest else (other - size)).is_nonnegative(box.lower) for other in sizes):
            return size
    return None


def projected(guards: Guards, binder: Binder, box: Box, free: Letter | None = None) -> tuple[Guards, bool]:
    """The guards that say "there is a value of the binder's letter", and whether they say no less.

    What the box implies is left out, but for guards on the letter `free`, which has no range.
    """
    lows, highs, rest = [Affine()], [Affine.of(binder.extent - 1)], []
    exact = True
    for guard in guards:
        if binder.letter not in guard_letters(guard):
            rest.append(guard)
            continue
        coefficient = guard.affine.coefficient(binder.letter) if isinstance(guard, AffineGuard) else Size()
        if not isinstance(guard, AffineGuard) or guard.relation != ">=" or coefficient not in (_ONE, -_ONE):
            exact = False
            continue
        own = guard.affine.without(binder.letter)
        (lows if coefficient == _ONE else highs).append(-own if coefficient == _ONE else own)
    new: list[Guard] = [AffineGuard(">=", high - low) for low in lows for high in highs]
    kept = [g for g in dict.fromkeys(new) if free in guard_letters(g) or not box.implies(g)]
    return (*rest, *kept), exact


def counted(letters: Sequence[Binder], terms: Sequence[Summed], box: Box, choices: Choices) -> Count:
    """How many values of the letters have a term whose guards hold for some value of its binders."""
    common = tuple(g for g in terms[0][1] if all(g in guards for _, guards in terms[1:]))
    count = _of_one(letters, terms[0][0], common, box, choices).most
    for binders, guards in terms:  # one that is not zero wherever any of them is not
        if all(set(guards) <= set(others) for _, others in terms):
            count = _of_one(letters, binders, guards, box, choices)
            break
    if count.exact:
        return count
    numbers = _counted_out(letters, terms, box)
    return count if numbers is None else Count((Size.of(numbers),))


def _of_one(
    letters: Sequence[Binder], binders: Sequence[Binder], guards: Guards, box: Box, choices: Choices
) -> Count:
    exact = True
    for binder in binders:
        guards, sure = projected(guards, binder, box.with_binders(binders))
        exact = exact and sure
    items = [(g, guard_letters(g)) for g in guards]
    exact = exact and all(own for _, own in items)
    count = Count.of()
    for own, inside in grouped([b.letter for b in letters], items):
        group = [b for b in letters if b.letter in own]
        count = count * _of_group(group, tuple(inside), box, choices)
    return count if exact else count.most


def _of_group(letters: Sequence[Binder], guards: Guards, box: Box, choices: Choices) -> Count:
    """The count of letters that guards join."""
    if not guards:
        return Count.of(*(b.extent for b in letters))
    for guard in guards:
        if isinstance(guard, AffineGuard) and guard.relation == "==":
            for binder in reversed(letters):
                if guard.affine.coefficient(binder.letter) in (_ONE, -_ONE):
                    return _without(letters, binder, guard, guards, box, choices)
        if isinstance(guard, Compare) and (choice := chosen(guard, choices)) is not None:
            return _of_choice(letters, choice, guard, guards, box, choices)
    if any(isinstance(g, Compare) for g in guards):
        affine = tuple(g for g in guards if not isinstance(g, Compare))
        return _of_one(letters, (), affine, box, choices).most
    if len(letters) == 1:
        return _of_letter(letters[0], guards, box)
    if len(letters) == 2:
        return _of_pair(letters[0], letters[1], guards, box)
    return Count.of(*(b.extent for b in letters)).most


def _without(
    letters: Sequence[Binder], binder: Binder, guard: AffineGuard, guards: Guards, box: Box, choices: Choices
) -> Count:
    """One letter is known by an equality: what remains is that it is in range."""
    coefficient = guard.affine.coefficient(binder.letter)
    rest = guard.affine.without(binder.letter)
    value = rest if coefficient == -_ONE else -rest
    left = [substitute_guard(g, {binder.letter: value}) for g in guards if g is not guard]
    left += range_guards(value, binder.extent)
    kept = tuple(g for g in dict.fromkeys(left) if not box.implies(g))
    return _of_one([b for b in letters if b is not binder], (), kept, box, choices)


def _of_choice(
    letters: Sequence[Binder], choice: tuple[Read, Affine], guard: Guard, guards: Guards, box: Box, choices: Choices
) -> Count:
    """Whole numbers name one place each: the letters of the read, and at most one value of the others for each."""
    read, index = choice
    rows = set(free_letters(read))
    named = [b for b in letters if b.letter in index.letters and b.letter not in rows]
    rest = [b for b in letters if b not in named]
    gone = {b.letter for b in named}
    kept = tuple(g for g in guards if g is not guard and gone.isdisjoint(guard_letters(g)))
    windows = [g for g in guards if g is not guard and not gone.isdisjoint(guard_letters(g))]
    source = choices[read.tensor]
    sure = index.bare is not None if source is None else _always_inside(source)
    count = _of_one(rest, (), kept, box, choices)
    unique = len(named) == 1 or all(isinstance(g, AffineGuard) for g in windows)
    if not unique:
        return Count.of(*(b.extent for b in letters)).most
    return count if sure else count.most


def _always_inside(source: Node) -> bool:
    """Does an argmax always name an element that is there?"""
    return isinstance(source, Reduce) and not source.guards and all(r.pad is None for r in reads(source.body))


def _of_letter(binder: Binder, guards: Guards, box: Box) -> Count:
    found = bounds(guards, binder.letter, box)
    full = Count.of(binder.extent)
    if found is None:
        return full.most
    low = _extreme([size for size in (found[0], Size()) if size is not None], True, box)
    high = _extreme([size for size in (found[1], binder.extent - 1) if size is not None], False, box)
    if low is None or high is None or not (high - low + 1).is_nonnegative(box.lower):
        return full.most
    return Count((high - low + 1,))


def _of_pair(one: Binder, other: Binder, guards: Guards, box: Box) -> Count:
    """Two letters between which lies a band, or a triangle."""
    full = Count.of(one.extent, other.extent).most
    for row, column in ((one, other), (other, one)):
        strides = {-g.affine.coefficient(row.letter) for g in guards if isinstance(g, AffineGuard)
                   and g.affine.coefficient(column.letter) == _ONE}  # fmt: skip
        strides |= {g.affine.coefficient(row.letter) for g in guards if isinstance(g, AffineGuard)
                    and g.affine.coefficient(column.letter) == -_ONE}  # fmt: skip
        if len(strides) != 1:
            continue
        stride = strides.pop()
        apart = {column.letter: Affine.of(column.letter) + Affine.of(row.letter) * stride}
        found = bounds([substitute_guard(g, apart) for g in guards], column.letter, box)
        if found is None:
            continue
        low, high = found
        if low is not None and high is not None:
            first, _ = range_guards(Affine.of(row.letter) * stride + low, column.extent)
            _, last = range_guards(Affine.of(row.letter) * stride + high, column.extent)
            if box.implies(first) and box.implies(last) and (high - low + 1).is_nonnegative(box.lower):
                return Count.of(row.extent, high - low + 1)
            full = Count.of(row.extent, high - low + 1).most
        if stride == _ONE and row.extent == column.extent:
            return _of_square(row.extent, low, high, box) or full
    return full


def _of_square(extent: Size, low: Size | None, high: Size | None, box: Box) -> Count | None:
    """A band of a square: all of it without two triangles, each of side n-1 below its end or without end."""
    sides = [extent - 1 + low if low is not None else Size(), extent - 1 - high if high is not None else Size()]
    if not all((s + 1).is_nonnegative(box.lower) and (extent - s).is_nonnegative(box.lower) for s in sides):
        return None
    if (low is None) != (high is None):
        gap = extent - sides[low is None]
        if gap in (_ONE, Size()):  # a triangle with its diagonal, or without
            return Count((extent, extent + 1 if gap else extent - 1), 2)
    whole = extent * extent * 2 - sides[0] * (sides[0] + 1) - sides[1] * (sides[1] + 1)
    half = whole.divided_by(2)
    return Count((whole,), 2) if half is None else Count((half,))


def _counted_out(
    letters: Sequence[Binder], terms: Sequence[Summed], box: Box
) -> int | None:
    """The number, found by trying all values; None where sizes are names, data decide, or there are too many."""
    total: Any = None
    for binders, guards in terms:
        every = [*letters, *binders]
        if any(isinstance(g, Compare) for g in guards) or not all(b.extent.is_int for b in every):
            return None
        shape = [b.extent.value for b in every]
        if np.prod(shape, dtype=float) > _MOST:
            return None
        grid = np.ogrid[tuple(slice(0, n) for n in shape)] if shape else []
        places = {b.letter: axis for b, axis in zip(every, grid, strict=True)}
        held: Any = np.ones(shape, bool)
        for guard in guards:
            held = held & _truth(guard, places)
        held = held.reshape([b.extent.value for b in letters] + [-1]).any(axis=-1)
        total = held if total is None else total | held
    return int(np.count_nonzero(total))


def _truth(guard: Guard, places: Mapping[Letter, Any]) -> Any:
    assert not isinstance(guard, Compare)
    value: Any = guard.affine.const.value
    for letter, coefficient in guard.affine:
        value = value + coefficient.value * places[letter]
    if isinstance(guard, Divides):
        return value % guard.modulus.value == 0
    return value >= 0 if guard.relation == ">=" else value == 0 if guard.relation == "==" else value != 0
