"""Extents of indices, by unit propagation with equality.

    bare        x[i]           i has the size of the axis; so has w[P-1-p] for an axis P
    maximal     x[s*i+p]       with one unknown index of positive coefficient: floor((N-1-max(rest))/s)+1
    written     i < n          wins over the bare reading; it never resizes an axis

Two derivations must agree. Padded and guarded reads say nothing. Axes that nobody declared are unknowns too: those of
bare reads get a new size named after their index (`P` for w[p]), others one named after the tensor (`x0`).
"""

from __future__ import annotations

__all__ = ["Extents", "greatest"]

from collections.abc import Callable, Iterable, Mapping, Sequence

from paperback.errors import Problem
from paperback.notation.expr import Affine, Letter, Read, Size, Statement
from paperback.notation.size import floor_div
from paperback.notation.uses import Use, binders_of, uses_of
from paperback.notation.words import RESERVED

Cell = Letter | tuple[str, int]  # the extent of a letter, the size of an axis of a tensor
Spans = Mapping[Letter | Read, tuple[int, int, int]]


def greatest(
    affine: Affine, extents: Callable[[Letter], Size | None], lower: Mapping[str, int], sign: int = 1
) -> Size | None:
    """The largest value (the smallest, for sign -1) over the box; None while an extent or a sign is not known."""
    total = affine.const
    for letter, slope in affine:
        if (slope * sign).is_nonnegative(lower):
            extent = extents(letter)
            if extent is None:
                return None
            total = total + slope * (extent - 1)
        elif not (-slope * sign).is_nonnegative(lower):
            return None
    return total


class Extents:
    """Solves for the extents of all letters and the axes of all tensors of a few statements.

    statements  with holes for extents
    axes        the declared axes of tensors, inputs and targets
    ranks       how many axes every input has
    fixed       extents that were written
    taken       names that a new size cannot have
    """

    def __init__(
        self,
        statements: Sequence[Statement],
        axes: Mapping[str, Sequence[Size]],
        ranks: Mapping[str, int],
        fixed: Mapping[Letter, Size],
        *,
        lower: Mapping[str, int] | None = None,
        taken: Iterable[str] = (),
        spans: Spans | None = None,
    ) -> None:
        self.statements, self.fixed = statements, fixed
        self.lower, self.spans = lower or {}, spans or {}
        self.taken = set(taken)
        self.problems: list[Problem] = []
        self.blamed: set[Letter] = set()
        self.uses = [use for place, s in enumerate(statements) for use in uses_of(s, place)]
        self.letters = [b.letter for s in statements for b in binders_of(s)]
        self.ranks = {**ranks, **{name: len(sizes) for name, sizes in axes.items()}}
        self._parent: dict[Cell, Cell] = {}
        self._value: dict[Cell, Size] = {}
        for name, sizes in axes.items():
            for k, size in enumerate(sizes):
                self._value[(name, k)] = size
        for letter, size in fixed.items():
            self._value[letter] = size
        self.targets = {s.target: s for s in statements}
        self._link()

    # ------------------------------------------------------------------------------------------- unknowns

    def _root(self, cell: Cell) -> Cell:
        while cell in self._parent:
            cell = self._parent[cell]
        return cell

    def value(self, cell: Cell) -> Size | None:
        """What is known of an extent or an axis."""
        return self._value.get(self._root(cell))

    def _set(self, cell: Cell, size: Size) -> bool:
        """Give a cell its value; True where it is news."""
        root = self._root(cell)
        if root in self._value:
            return False
        self._value[root] = size
        return True

    def _join(self, a: Cell, b: Cell) -> bool:
        """Two cells are equal; False where both are known and differ."""
        a, b = self._root(a), self._root(b)
        if a == b:
            return True
        if a in self._value and b in self._value:
            return self._value[a] == self._value[b]
        if a in self._value:
            a, b = b, a
        self._parent[a] = b
        return True

    def extents(self) -> dict[Letter, Size | None]:
        return {letter: self.value(letter) for letter in self.letters}

    def axes(self, name: str) -> tuple[Size | None, ...]:
        return tuple(self.value((name, k)) for k in range(self.ranks.get(name, 0)))

    # ------------------------------------------------------------------------------------------- equations

    def _link(self) -> None:
        """Equalities: bare reads, and left sides that are bare letters."""
        for statement in self.statements:
            self.ranks.setdefault(statement.target, len(statement.left))
            for k, index in enumerate(statement.left):
                letter = index.bare
                if letter is not None and not self._join(letter, (statement.target, k)):
                    self._differ_left(statement, letter, k)
        for use in self.uses:
            letter = use.bare
            if letter is None or use.guarded or letter in self.fixed:
                continue
            if not self._join(letter, (use.read.tensor, use.axis)):
                self._differ(use, letter)

    def _differ(self, use: Use, letter: Letter) -> None:
        tensor, k = use.read.tensor, use.axis
        has, runs = self.value((tensor, k)), self.value(letter)
        message = f"index {letter.name} runs over {runs} elsewhere, but axis {k} of {tensor} has {has}"
        hint = "sizes must be equal; nothing is clipped or broadcast"
        bound = self.bound_above(letter)
        if bound is not None:
            hint = f"a bound holds for its statement only: write `where {letter.name} < {bound}` here"
        self._blame(message, use, letter, hint)

    def bound_above(self, letter: Letter) -> Size | None:
        """What an index of this name was bounded by in a statement above."""
        found = None
        for statement in self.statements:
            letters = [b.letter for b in binders_of(statement)]
            if letter in letters:
                return None if letter in self.fixed else found
            found = next((self.fixed[l] for l in letters if l.name == letter.name and l in self.fixed), found)
        return None

    def _differ_left(self, statement: Statement, letter: Letter, k: int) -> None:
        start, end, _ = self.spans.get(letter, (None, None, None))
        has, runs = self.value((statement.target, k)), self.value(letter)
        message = f"index {letter.name} runs over {runs}, but axis {k} of {statement.target} has {has}"
        self.blamed.add(letter)
        self.problems.append(Problem(message, start, end, "sizes must be equal; nothing is clipped or broadcast"))

    def _blame(self, message: str, use: Use, letter: Letter, hint: str) -> None:
        start, end, _ = self.spans.get(use.read, (None, None, None))
        self.blamed.add(letter)
        problem = Problem(message, start, end, hint)
        if problem not in self.problems:
            self.problems.append(problem)

    def propagate(self) -> None:
        """Everything that follows from what is known."""
        news = True
        while news:
            news = any([self._left_sides(), *(self._reversed(use) for use in self.uses)])
            news = news or any(self._maximal(use) for use in self.uses)

    def _left_sides(self) -> bool:
        """Axes of affine left sides: as large as their largest index."""
        news = False
        for statement in self.statements:
            for k, index in enumerate(statement.left):
                if index.bare is None:
                    top = greatest(index, self.value, self.lower)
                    if top is not None:
                        news = self._set((statement.target, k), top + 1) or news
        return news

    def _reversed(self, use: Use) -> bool:
        """`w[P-1-p]`: p runs over all of w where that axis is P (an axis nobody declared becomes P)."""
        index = use.index
        if not isinstance(index, Affine) or use.padded or use.limited or len(index.terms) != 1:
            return False
        letter, slope = index.terms[0]
        axis = (use.read.tensor, use.axis)
        if slope != Size.of(-1) or letter in self.fixed:
            return False
        whole = index.const + 1
        size = self.value(axis)
        if size is None and use.read.tensor not in self.targets:
            size = whole
            self._set(axis, whole)
        if size != whole:
            return False
        if self.value(letter) is None:
            return self._set(letter, whole)
        if self.value(letter) != whole:
            self._differ(use, letter)
        return False

    def _maximal(self, use: Use) -> bool:
        """A read with one unknown index of positive coefficient fills the axis."""
        index = use.index
        if not isinstance(index, Affine) or use.bare is not None or use.padded or use.guarded:
            return False
        size = self.value((use.read.tensor, use.axis))
        unknown = [letter for letter in index.letters if self.value(letter) is None]
        if size is None or len(unknown) != 1:
            return False
        fitting = self.fitting(index, unknown[0], size)
        return fitting is not None and self._set(unknown[0], fitting)

    def fitting(self, index: Affine, letter: Letter, size: Size) -> Size | None:
        """How far a letter can run so that the index stays below the size; None if it does not limit it."""
        slope = index.coefficient(letter)
        top = greatest(index.without(letter), self.value, self.lower)
        if top is None or not slope.is_nonnegative(self.lower):
            return None
        return floor_div(size - 1 - top, slope) + 1

    # ------------------------------------------------------------------------------- sizes nobody declared

    def solve(self) -> None:
        """Propagate, naming new sizes where nothing else gives one."""
        self.propagate()
        while self._name_one():
            self.propagate()

    def borrow(self, statement: Statement, bounds: Sequence[Size]) -> None:
        """Give the left indices that have no extent those bounds, by position, and solve for what follows."""
        for index, size in zip(statement.left, bounds, strict=False):
            if index.bare is not None:
                self._set(index.bare, size)
        self.solve()

    def _name_one(self) -> bool:
        inputs = [use for use in self.uses if self._open(use)]
        for use in inputs:
            if use.bare is not None and use.bare in self.fixed and not use.guarded:
                return self._set((use.read.tensor, use.axis), self.fixed[use.bare])
        for use in inputs:
            if use.bare is not None and not use.guarded and self.value(use.bare) is None:
                new = self._new_name(use.bare.name.upper(), use)
                return self._set((use.read.tensor, use.axis), new)
        for use in inputs:
            reach = self._reach(use)
            if reach is not None:
                return self._set((use.read.tensor, use.axis), reach)
        for use in inputs:
            return self._set((use.read.tensor, use.axis), self._new_name("", use))
        return False

    def _open(self, use: Use) -> bool:
        return use.read.tensor not in self.targets and self.value((use.read.tensor, use.axis)) is None

    def _reach(self, use: Use) -> Size | None:
        """The size that the only plain read of an axis needs, where its indices are known from elsewhere."""
        here = [u for u in self.uses if (u.read.tensor, u.axis) == (use.read.tensor, use.axis)]
        if len(here) > 1 or use.padded or use.guarded or not isinstance(use.index, Affine) or not use.index.terms:
            return None
        if any(letter in self.fixed for letter in use.index.letters):
            return None
        top = greatest(use.index, self.value, self.lower)
        return None if top is None else top + 1

    def _new_name(self, wish: str, use: Use) -> Size:
        last = use.read.tensor.rpartition(".")[2]
        for name in (wish, f"{last}{use.axis}"):
            if name and name not in self.taken and name not in RESERVED:
                break
        while name in self.taken:
            name += "_"
        self.taken.add(name)
        return Size.of(name)
