"""Scatters of what maxima leave of a gradient: channels are sorted by where their maximum is.

An input gradient behind a max-pooling adds, for every place of the maxima's gradient F (see `route`),

    dx[u+p, v+q, c] += sum(k) w[p,q,c,k] * F[u,v,k]         F[2*i+a, 2*j+b, k] = [arg[i,j,k] == 2*a+b] * G[i,j,k]

and three quarters of the products are with zeros. The places of a window share its channels; sorted by their codes,
each is multiplied once, at its place, and all (p, q, c) there are sums in registers:

    list[code]  =  the k with arg[i,j,k] == code, and their G
    dx[2*i+a+p, 2*j+b+q, c] += sum(k in list[2*a+b]) w[k,p,q,c] * G[i,j,k]

A maximum that a false bracket drops (a ReLU that is off) is in no list. The weights are copied with k first, and last
the letters that are neighbours in dx. Where products would fall outside dx they fall on a border around it, which is
left away afterwards.
"""

from __future__ import annotations

__all__ = ["LANES", "Scatter", "Sorter", "neighbours"]

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from math import prod

from paperback.engines.llvm.lowering.arrange import affine_indices, product_of_reads, strides_of
from paperback.engines.llvm.lowering.buffers import Linear, interval, is_inside
from paperback.engines.llvm.lowering.nests import Nest, Sort
from paperback.engines.llvm.lowering.parts import filled, split
from paperback.engines.llvm.lowering.tasks import Task
from paperback.notation.affine import Affine, Letter
from paperback.notation.expr import AffineGuard, Binder, Node, Read, Reduce, Statement, mul
from paperback.notation.size import Size
from paperback.notation.walk import free_letters, substitute

LANES = 16  # of a vector
_SORTING = 2.5  # cycles for a channel of a window
_STARTING = 2.0  # to begin and end the sums of a place, beside loading and storing them

Shape = tuple[int, ...]


@dataclass(frozen=True)
class Scatter:
    """What takes the place of a task: the tasks that do its work, and the copy of the weights that they read."""

    tasks: tuple[Task, ...]
    copy: Nest


@dataclass(frozen=True)
class _Spread:
    """`left += weights * F[along]`, for every value of all letters; what falls outside is dropped."""

    left: tuple[Affine, ...]
    binders: Mapping[Letter, Binder]
    weights: Read
    along: tuple[Affine, ...]

    def among(self, weights: bool, along: bool, left: bool) -> list[Binder]:
        """The letters that the weights have, or have not, F has or has not, and the left side has or has not."""
        kind = weights, along, left
        where = [_letters(forms) for forms in (affine_indices(self.weights), self.along, self.left)]
        return [b for l, b in self.binders.items() if kind == tuple(l in letters for letters in where)]


class Sorter:
    """Rewrites scatters of one gradient F.

    first     the places of F for the first code, over letters of their own
    shifts    for every code, how far its places are from those, along each axis of F
    value     G; `codes` the place of a maximum, from 1, and 0 for none; over the letters of `first`
    """

    def __init__(
        self, shapes: dict[str, Shape], first: Statement, shifts: Sequence[tuple[int, ...]], value: Read, codes: Read
    ) -> None:
        self.shapes, self.first, self.shifts, self.value, self.codes = shapes, first, shifts, value, codes

    def scatter(self, task: Task, copies: Mapping[str, Statement]) -> Scatter | None:
        """A task that scatters products of F with weights, rewritten; None for any other, and where it does not pay.

        copies    the statements of tensors that are copies of others
        """
        if task.mode != "example" or len(task.nests) != 2 or task.nests[0].fill != 0 or not task.nests[1].add:
            return None
        if os.name != "posix":
            return None  # lists lie on the stack: elsewhere several pages of it need probes, which the code has not
        spread = self._spread(task.nests[1], copies)
        return self._sorted(task, spread) if spread is not None else None

    # --- what is scattered -------------------------------------------------------------------------------------------

    def _spread(self, nest: Nest, copies: Mapping[str, Statement]) -> _Spread | None:
        statement, node = nest.statement, nest.statement.expr
        factors = product_of_reads(node, guarded=True)
        ours = [f for f in factors or () if f.tensor == self.first.target]
        if factors is None or not isinstance(node, Reduce) or len(ours) != 1 or any(f.pad is not None for f in factors):
            return None
        weights = factors[1] if ours[0] is factors[0] else factors[0]
        rows = list(zip(statement.left, self.shapes[statement.target], strict=True))
        clipped = all((clip.form, clip.extent) in rows for clip in nest.clips)  # what falls outside, and nothing else
        if nest.more or nest.route or not clipped or any(n < 0 for n in self.shapes[weights.tensor]):
            return None
        binders = {b.letter: b for b in (*statement.binders, *node.binders)}
        extents = {l: b.extent.value for l, b in binders.items()}
        left, guards, along = statement.left, set(node.guards), list[Affine]()
        for index, length in zip(affine_indices(ours[0]), self.shapes[self.first.target], strict=True):
            own = [l for l, k in index.terms if k.value == 1 and (Affine.of(l), extents[l]) in rows]
            if index.bare is None and own and own[0] not in free_letters(weights):
                # F[i-p] for all i of an axis, where that is in range: F[m] at i = m+p
                ends = {AffineGuard(">=", index), AffineGuard(">=", -index + (length - 1))}
                if not (ends <= guards or is_inside(index, length, extents)):
                    return None
                guards -= ends
                letter = Letter.fresh(own[0].name)
                at = {own[0]: Affine.of(letter) - index.without(own[0])}
                left = tuple(form.substitute(at) for form in left)
                del binders[own[0]]
                binders[letter] = Binder(letter, Size.of(length))
                index = Affine.of(letter)
            along.append(index)
        if guards or not _letters(along) <= set(binders):
            return None
        copy = copies.get(weights.tensor)
        if copy is not None:
            source = substitute(copy.expr, dict(zip(copy.letters, affine_indices(weights), strict=True)))
            weights = source if isinstance(source, Read) else weights
        return _Spread(left, binders, weights, tuple(along))

    # --- how it is sorted --------------------------------------------------------------------------------------------

    def _sorted(self, task: Task, spread: _Spread) -> Scatter | None:
        axes = list(zip(spread.along, self.first.left, strict=True))
        names = {form.bare: a for a, form in axes if form.bare is not None}
        # places of F -> those of the first code
        moved = {a.bare: form for a, form in axes if form.bare is None and a.bare is not None}
        channels, shared = spread.among(True, True, False), spread.among(True, True, True)
        places, outer = spread.among(True, False, True), spread.among(False, True, True)
        if len(channels) + len(shared) + len(places) + len(outer) < len(spread.binders) or not channels:
            return None
        if len(moved) + len(names) < len(axes) or not set(moved) <= {b.letter for b in outer}:
            return None
        outer = [b for b in outer if b.letter not in moved]
        box = {**spread.binders, **{b.letter: b for b in self.first.binders}}
        windows = [box[l] for form in moved.values() for l in form.letters]
        shifts = [self._shift(spread, code) for code in self.shifts]
        left = tuple(form.substitute(moved) for form in spread.left)
        shape = self.shapes[task.target]
        lows, wide = self._bordered(left, shape, box, shifts)
        left = tuple(form - low for form, low in zip(left, lows, strict=True))
        places, lanes = _in_lanes(places, Linear.of(left, strides_of(wide)))
        if not lanes or not self._pays(channels, places, lanes):
            return None
        block, lane, parts = _in_blocks(lanes)
        left = tuple(form.substitute(parts) for form in left)
        copy, weights = self._copied(task, spread.weights, parts, (*shared, *block, *channels, *places, *lane))
        value, codes = substitute(self.value, names), substitute(self.codes, names)
        assert isinstance(value, Read) and isinstance(codes, Read)
        whole = task.nests[0].statement
        if wide != shape:
            sizes = [old if n < 0 else Size.of(n) for old, n in zip(whole.axes, wide, strict=True)]
            name = self._new(f"{task.target} (with a border)", wide)
            whole = Statement.plain(name, [Binder(Letter.fresh("f"), n) for n in sizes], whole.expr)
        order = (*outer, *shared, *windows, *block, *places, *lane)
        expr: Node = Reduce("sum", tuple(channels), (), mul(weights, value, codes))
        statement = Statement(whole.target, left, order, expr, whole.axes)
        offsets = tuple(sum(a * b for a, b in zip(shift, strides_of(wide), strict=True)) for shift in shifts)
        letters = (tuple(b.letter for b in some) for some in (windows, block, places, lane))
        sort = Sort(weights, value, codes, offsets, *letters)
        nests = (filled(whole), Nest(statement, add=True, split=split(statement), sort=sort))
        new = replace(task, target=whole.target, nests=nests)
        if wide == shape:
            return Scatter((new,), copy)
        inner = [Binder(Letter.fresh("a"), n) for n in task.nests[0].statement.axes]
        source = Read(whole.target, tuple(Affine.of(b.letter) - low for b, low in zip(inner, lows, strict=True)), None)
        within = Statement.plain(task.target, inner, source)
        return Scatter((new, Task(task.target, (Nest(within, split=split(within)),), "example")), copy)

    def _shift(self, spread: _Spread, code: tuple[int, ...]) -> tuple[int, ...]:
        """How far a code's products go from the first one's, along each axis of the target."""
        by = {form.bare: k for form, k in zip(spread.along, code, strict=True)}
        return tuple(sum(k.value * by.get(l, 0) for l, k in form.terms) for form in spread.left)

    def _bordered(
        self, left: Sequence[Affine], shape: Shape, box: Mapping[Letter, Binder], shifts: Sequence[tuple[int, ...]]
    ) -> tuple[tuple[int, ...], Shape]:
        """Along each axis, the first place that a product falls on, or the target's, and how many there are."""
        lows, wide = list[int](), list[int]()
        for axis, (form, n) in enumerate(zip(left, shape, strict=True)):
            reach = interval(form, {l: box[l].extent.value for l in form.letters}) if n >= 0 else None
            low, high = reach if reach is not None else (0, n - 1)
            lows.append(min(0, low + min(shift[axis] for shift in shifts)))
            wide.append(max(n, high + max(shift[axis] for shift in shifts) + 1) - lows[-1])
        return tuple(lows), tuple(wide)

    def _pays(self, channels: Sequence[Binder], places: Sequence[Binder], lanes: Sequence[Binder]) -> bool:
        """Is it less work for a window than to multiply its zeros?"""
        many, vectors = _count(channels), _count(places) * -(-_count(lanes) // LANES)
        codes = len(self.shifts)
        sums = many * vectors / 2 + codes * (_STARTING + vectors)
        return many * _SORTING + sums < codes * many * vectors / 2

    def _copied(
        self, task: Task, weights: Read, parts: Mapping[Letter, Affine], order: Sequence[Binder]
    ) -> tuple[Nest, Read]:
        """The copy of the weights whose axes are these letters, and the read of it."""
        fresh = {b.letter: Letter.fresh("a") for b in order}
        places = [form.substitute(parts) for form in affine_indices(weights)]
        moved = {l: Affine.of(new) for l, new in fresh.items()}
        source = Read(weights.tensor, tuple(form.substitute(moved) for form in places), None)
        name = self._new(f"{weights.tensor} (for {task.target})", tuple(b.extent.value for b in order))
        copy = Statement.plain(name, [Binder(fresh[b.letter], b.extent) for b in order], source)
        # rows of blocks can be copied apart; a row of a channel would be a part of a square that is turned
        apart = split(copy) if parts else None
        return Nest(copy, split=apart), Read(name, tuple(Affine.of(b.letter) for b in order), None)

    def _new(self, name: str, shape: Shape) -> str:
        self.shapes[name] = shape
        return name


def neighbours(places: Sequence[Binder], flat: Linear) -> list[Binder]:
    """The letters whose values together are neighbours, the fastest last."""
    found: list[Binder] = []
    while True:
        wide = _count(found)
        more = next((b for b in reversed(places) if b not in found and flat.step(b.letter) == wide), None)
        if more is None:
            return found
        found.insert(0, more)


def _in_lanes(places: Sequence[Binder], flat: Linear) -> tuple[list[Binder], list[Binder]]:
    """The letters that are written out, and those in the lanes: one, where it fills its vectors."""
    lanes = neighbours(places, flat)
    if lanes and _count(lanes[-1:]) % LANES == 0:
        lanes = lanes[-1:]
    return [b for b in places if b not in lanes], lanes


def _in_blocks(lanes: Sequence[Binder]) -> tuple[list[Binder], list[Binder], dict[Letter, Affine]]:
    """A letter for full vectors and one for the lanes of each, where there are several, and what they stand for."""
    count = _count(lanes)
    if len(lanes) > 1 or count % LANES or count == LANES:
        return [], list(lanes), {}
    block, lane = (Letter.fresh(lanes[0].letter.name) for _ in range(2))
    parts = {lanes[0].letter: Affine.of(block) * LANES + Affine.of(lane)}
    return [Binder(block, Size.of(count // LANES))], [Binder(lane, Size.of(LANES))], parts


def _count(binders: Sequence[Binder]) -> int:
    return prod(b.extent.value for b in binders)


def _letters(forms: Sequence[Affine]) -> frozenset[Letter]:
    return frozenset(l for form in forms for l in form.letters)
