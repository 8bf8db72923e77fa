"""What must hold once extents are known; what sizes leave open becomes a constraint of the formula.

    extents     every index has one, and it is >= 1
    reads       every read is in range, padded, or protected by a guard
    clipping    a plain read that is not bare uses up its axis in one of its indices, unless a bound was written
    left sides  an affine one is a bijection (mixed radix), or one-to-one with `y pads 0` for the gaps

What is proved for all sizes is no constraint, and what no sizes meet is an error.
"""

from __future__ import annotations

__all__ = ["check", "clips"]

from collections.abc import Callable, Iterable

from paperback.errors import Problem
from paperback.notation.block import Fact
from paperback.notation.expr import Affine, Divides, Letter, Quotient, Read, Reduce, Size, Statement
from paperback.notation.infer import Extents, greatest
from paperback.notation.ranges import least_values, normal, proved, smaller
from paperback.notation.size import bounds_from_extents
from paperback.notation.spell import affine_text
from paperback.notation.uses import Use, sizes_in
from paperback.notation.walk import free_letters, nodes

Range = tuple[int | None, int | None]


def check(solver: Extents, facts: Iterable[Fact]) -> tuple[tuple[Fact, ...], list[Problem]]:
    """The constraints that are left, and everything that is wrong."""
    checker = _Checker(solver, list(facts))
    checker.run()
    return tuple(checker.facts), checker.problems


def clips(solver: Extents, use: Use) -> tuple[Letter, Size] | None:
    """An index that could run further (and how far) where a read stops before the end of its axis; else None."""
    index = use.index
    if not isinstance(index, Affine) or use.bare is not None or use.padded or use.guarded or not index.terms:
        return None
    size = solver.value((use.read.tensor, use.axis))
    if size is None or any(letter in solver.fixed for letter in index.letters):
        return None
    mirrored = Affine.of(size - 1) - index
    short: list[tuple[Letter, Size]] = []
    for letter in index.letters:
        for form in (index, mirrored):
            fitting = solver.fitting(form, letter, size)
            if fitting is not None and form.coefficient(letter).is_nonnegative(solver.lower):
                if fitting == solver.value(letter):
                    return None
                short.append((letter, fitting))
    return short[0] if short else None


class _Checker:
    def __init__(self, solver: Extents, facts: list[Fact]) -> None:
        self.solver, self.facts = solver, facts
        self.problems = list(solver.problems)
        self.extents = solver.extents()
        known = [size for size in self.extents.values() if size is not None]
        self.lower = bounds_from_extents(known, solver.lower)

    def run(self) -> None:
        if not self.problems:
            self.resolved()
        if not self.problems:
            self.positive()
        if self.problems:
            return
        for statement in self.solver.statements:
            self.left_side(statement)
        for use in self.solver.uses:
            self.in_range(use)
        if not self.problems:
            for use in self.solver.uses:
                self.used_up(use)

    # -------------------------------------------------------------------------------------------- reporting

    def span(self, key: Letter | Read, whole: bool = False) -> Range:
        start, name_end, end = self.solver.spans.get(key, (None, None, None))
        return start, end if whole else name_end

    def complain(self, message: str, span: Range, hint: str = "") -> None:
        problem = Problem(message, *span, hint)
        if problem not in self.problems:
            self.problems.append(problem)

    def require(self, size: Size, why: str, lower: dict[str, int] | None = None) -> bool:
        """Take `size >= 0` as a constraint where it is not proved; False where no sizes meet it.

        `lower` is what the proof may take for granted: that extents are >= 1, where not given. A constraint is dropped
        only for a stronger one, never because of that assumption, which may rest on it.
        """
        size = normal(size)
        granted = self.lower if lower is None else lower
        if size.is_nonnegative(granted):
            return True
        if (-size - 1).is_nonnegative(granted):
            return False
        for fact in self.facts:
            if fact.relation == ">=" and (size - fact.size).is_nonnegative(granted):
                return True
        bare = self.solver.lower
        self.facts = [f for f in self.facts if f.relation != ">=" or not (f.size - size).is_nonnegative(bare)]
        self.facts.append(Fact(">=", size, why=why))
        return True

    # ---------------------------------------------------------------------------------------------- extents

    def resolved(self) -> None:
        open_letters = {letter for letter, size in self.extents.items() if size is None}
        if not open_letters:
            return
        waiting = {
            letter
            for use in self.solver.uses
            if isinstance(use.index, Affine)
            for letter in use.index.letters[:-1]
            if letter in open_letters and use.index.letters[-1] in open_letters
        }
        for statement in self.solver.statements:
            ops = {b.letter: n.op for n in nodes(statement.expr) if isinstance(n, Reduce) for b in n.binders}
            inside = set(free_letters(statement.expr))
            for letter in self.solver.letters:
                if letter not in open_letters or (letter in waiting and letter in statement.letters):
                    continue
                if self.misread(letter):
                    continue
                if letter in statement.letters and letter not in inside:
                    hint = f"nothing is broadcast implicitly: write `where {letter.name} < n` to repeat values"
                    message = f"the left index {letter.name} does not occur on the right"
                    hint = self.bound_above(letter) or _turned(statement, letter) or hint
                    self.complain(message, self.span(letter), hint)
                elif letter in statement.letters or letter in ops:
                    name = letter.name
                    bound = f"where {name} < n" if letter in statement.letters else f"{ops[letter]}({name}<n)"
                    reads = [u for u in self.solver.uses if _mentions(u, letter)]
                    why = "; padded and guarded reads give none" if any(u.padded or u.guarded for u in reads) else ""
                    message = f"nothing gives the extent of index {letter.name}{why}"
                    self.complain(message, self.span(letter), self.bound_above(letter) or f"write `{bound}`")
        if not self.problems:
            letter = next(letter for letter in self.solver.letters if letter in open_letters)
            message, hint = f"nothing gives the extent of index {letter.name}", f"write `where {letter.name} < n`"
            self.complain(message, self.span(letter), hint)

    def bound_above(self, letter: Letter) -> str:
        """A bound of an index of this name in a statement above: it does not hold here."""
        size = self.solver.bound_above(letter)
        if size is None:
            return ""
        return f"a bound holds for its statement only: write `where {letter.name} < {size}` here"

    def misread(self, letter: Letter) -> bool:
        """`w[P-p]` for an axis P: reversed as in 1-based texts; says so. From LaTeX that counts from 1 it is P-2-p."""
        for use in self.solver.uses:
            index, size = use.index, self.solver.value((use.read.tensor, use.axis))
            if size is None or use.padded or not isinstance(index, Affine):
                continue
            if index in (Affine.of(size) - letter, Affine.of(size - 2) - letter):
                above = index.const == size
                self.outside(use, index, size, size if above else Size.of(-1), above)
                return True
        return False

    def positive(self) -> None:
        """Every extent is >= 1, and so is what is divided by: proved without assuming it."""
        bare = dict(self.solver.lower)
        for divisor in sorted({d for size in self.sizes() for d in size.divisors}, key=str):
            if not self.require(divisor - 1, f"{divisor} divides", bare):
                self.complain(f"division by {divisor}, which is never positive", (None, None))
        for letter, extent in self.extents.items():
            why = f"index {letter.name} has at least one value"
            if extent is not None and not self.require(extent - 1, why, bare):
                self.no_values(letter, extent)

    def sizes(self) -> Iterable[Size]:
        """Every size that is known or written."""
        yield from (extent for extent in self.extents.values() if extent is not None)
        yield from (axis for name in self.solver.ranks for axis in self.solver.axes(name) if axis is not None)
        yield from (fact.size for fact in self.facts)
        for statement in self.solver.statements:
            for index in statement.left:
                yield from (index.const, *(slope for _, slope in index))
            for node in nodes(statement.expr):
                yield from sizes_in(node)

    def no_values(self, letter: Letter, extent: Size) -> None:
        for use in self.solver.uses:
            index, size = use.index, self.solver.value((use.read.tensor, use.axis))
            if letter in self.solver.fixed or size is None or not isinstance(index, Affine) or use.bare or use.guarded:
                continue
            top = greatest(index.without(letter), self.solver.value, self.lower)
            if letter in index.letters and not use.padded and top is not None:
                x, k = use.read.tensor, use.axis
                what = f"already at {letter.name} = 0 the index {affine_text(index)} reaches {top}"
                hint = f"make {x} larger or what is read of it smaller, or fill in values outside: where {x} pads 0"
                self.complain(f"axis {k} of {x} has {size}, but {what}", self.span(use.read, whole=True), hint)
                return
        self.complain(f"index {letter.name} has no values: its extent is {extent}", self.span(letter))

    # ----------------------------------------------------------------------------------------------- ranges

    def used_up(self, use: Use) -> None:
        found = clips(self.solver, use)
        if found is not None:
            letter, fitting = found
            runs, (x, k) = self.extents[letter], (use.read.tensor, use.axis)
            assert runs is not None
            message = f"index {letter.name} runs over {runs}, but {fitting} fit into axis {k} of {x}"
            hint = f"nothing is clipped: write `where {letter.name} < {smaller(runs, fitting)}` if that is meant"
            self.complain(message, self.span(use.read, whole=True), self.bound_above(letter) or hint)

    def in_range(self, use: Use) -> None:
        index, size = use.index, self.solver.value((use.read.tensor, use.axis))
        if use.padded or isinstance(index, Read) or size is None:
            return
        if use.bare is not None and self.extents[use.bare] == size:
            return
        if isinstance(index, Quotient):
            self.quotient(use, index, size)
            return
        self.bounded(use, index, size)

    def quotient(self, use: Use, index: Quotient, size: Size) -> None:
        def guards_it(guard: object) -> bool:
            return isinstance(guard, Divides) and guard.modulus == index.divisor and (
                guard.affine == index.affine or guard.affine == -index.affine
            )  # fmt: skip

        if not any(guards_it(guard) for guard in use.guards):
            over = affine_text(index.affine)
            hint = f"multiply by [{index.divisor} | {over}]"
            self.complain(f"({over})/{index.divisor} need not be whole", self.span(use.read, whole=True), hint)
            return
        self.bounded(use, index.affine, index.divisor * size)

    def bounded(self, use: Use, index: Affine, size: Size) -> None:
        """0 <= index < size, for all points that the guards let through."""
        x, k = use.read.tensor, use.axis
        top = Affine.of(size - 1) - index
        text = affine_text(index)
        for form, above in ((index, False), (top, True)):
            if proved(form, self.solver.value, use.guards, self.lower):
                continue
            least = greatest(form, self.solver.value, self.lower, sign=-1)
            why = f"{text} stays inside axis {k} of {x}"
            possible = least_values(form, self.solver.value, use.guards, self.lower)
            if any(self.require(value, why) for value in possible if not value.is_int):
                continue
            if least is None:
                message = f"{text} cannot be shown to stay inside axis {k} of {x}"
                self.complain(message, self.span(use.read, whole=True), self.cure(use, index, size))
            else:
                self.outside(use, index, size, size - 1 - least if above else least, above)

    def outside(self, use: Use, index: Affine, size: Size, reached: Size, above: bool) -> None:
        x, k = use.read.tensor, use.axis
        told = f"{affine_text(index)} reaches {reached}" if index.terms else f"the index is {reached}"
        ends = f"ends at {size - 1}" if above else "starts at 0"
        message = f"{told}, but axis {k} of {x} {ends}"
        self.complain(message, self.span(use.read, whole=True), self.cure(use, index, size))

    def cure(self, use: Use, index: Affine, size: Size) -> str:
        x = use.read.tensor
        if len(index.terms) == 1 and index.terms[0][1] == Size.of(-1) and index.const in (size, size - 2):
            return f"indices start at 0: write {affine_text(index + (size - 1 - index.const))}"
        if use.guards:
            return "the guards do not keep it inside"
        return f"shorten an index by `where`, guard the read by a bracket, or write `where {x} pads 0`"

    # ------------------------------------------------------------------------------------------- left sides

    def left_side(self, statement: Statement) -> None:
        for k, affine in enumerate(statement.left):
            if affine.bare is not None:
                continue
            size = self.solver.value((statement.target, k))
            if size is None:
                message = f"{affine_text(affine)} on the left has no largest value"
                self.complain(message, self.span(affine.letters[0]), "declare its sizes, as axes or as numbers")
                continue
            whole = _code(affine, self.solver.value, self.lower)
            first = self.span(affine.letters[0])
            name, text = statement.target, affine_text(affine)
            if whole is None:
                over = ",".join(letter.name for letter in affine.letters)
                hint = f"write it as a sum: {name}[m] = sum({over}) [m == {text}] * (...) where m < ..."
                hint = _turned(statement, affine.letters[0]) or hint
                self.complain(f"{text} on the left is not one place for each value of its indices", first, hint)
            elif statement.pad is None and (whole != size or affine.const):
                hint = f"fill the others by writing `where {name} pads 0`"
                self.complain(f"{text} leaves places of {name} empty", first, hint)
            else:
                top = greatest(affine, self.solver.value, self.lower)
                least = affine.const
                assert top is not None
                fits = self.require(size - 1 - top, f"{text} stays inside axis {k} of {name}")
                if not fits or not self.require(least, f"{text} stays inside axis {k} of {name}"):
                    self.complain(f"{text} does not stay inside axis {k} of {name}, which has {size}", first)


def _turned(statement: Statement, letter: Letter) -> str:
    """What to write where a left index counts down, as N-1-i does; "" where this letter is in none that does."""
    read = set(free_letters(statement.expr))
    for affine in statement.left:
        own = [l for l in affine.letters if l in read]
        if letter not in affine.letters or len(own) != 1 or affine.coefficient(own[0]) != Size.of(-1):
            continue
        if affine != -Affine.of(own[0]):
            name, text = own[0].name, affine_text(affine)
            return f"left indices count up: write {name} on the left, and {text} for {name} on the right"
    return ""


def _mentions(use: Use, letter: Letter) -> bool:
    affine = use.index.affine if isinstance(use.index, Quotient) else use.index
    return isinstance(affine, Affine) and letter in affine.letters


def _code(affine: Affine, extents: Callable[[Letter], Size | None], lower: dict[str, int]) -> Size | None:
    """One-to-one? Then the number of places it takes if they are dense, or a bound on them; None if it is not."""
    rest = [(letter, slope) for letter, slope in affine.terms if extents(letter) != Size.of(1)]  # the others are 0
    span, dense = Size.of(1), True
    while rest:
        slopes = [slope for _, slope in rest]
        place = next((n for n, s in enumerate(slopes) if all((o - s).is_nonnegative(lower) for o in slopes)), None)
        if place is None:
            place = next((n for n, s in enumerate(slopes) if s == span), 0)
        letter, slope = rest.pop(place)
        extent = extents(letter)
        if extent is None or not (slope - span).is_nonnegative(lower):
            return None
        dense = dense and slope == span
        span = span + slope * (extent - 1)
    return span if dense else Size()
