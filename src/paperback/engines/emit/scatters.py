"""Scatters: sums that are added into slices of their result, or into rows that a table of integers chooses."""

from __future__ import annotations

__all__ = ["Place", "find_places", "routed", "scattered", "store_places"]

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

from paperback.calculus.guards import simplify
from paperback.calculus.term import Term
from paperback.engines.emit.scope import Scope
from paperback.engines.emit.values import WIDTH, Value
from paperback.notation.affine import Affine, Letter
from paperback.notation.expr import (
    AffineGuard,
    Binder,
    Compare,
    Index,
    Quotient,
    Read,
)  # fmt: skip
from paperback.notation.size import Size
from paperback.notation.walk import free_letters, guard_letters, substitute

Letters = tuple[Letter, ...]
Sum = Callable[[Scope, Term], Value]
_ONE = Size.of(1)


@dataclass(frozen=True)
class Place:
    """A free letter and the form in the letters of the sum that it takes: `t = 2*i + p`."""

    letter: Letter
    form: Affine


def find_places(scope: Scope, term: Term) -> tuple[list[Place], Term]:
    """The free letters that guards tie to summed ones, and the term over the summed letters alone."""
    places: list[Place] = []
    while True:
        for place, rest in _candidates(scope, term):
            busy = {l for p in places for l in p.form.letters}
            if rest is not None and busy.isdisjoint(place.form.letters) and _is_better(term, rest):
                places.append(place)
                term = rest
                break
        else:
            return places, term


def _is_better(before: Term, after: Term) -> bool:
    def tied(term: Term) -> int:
        own = {b.letter for b in term.binders}
        return sum(not isinstance(g, Compare) and not own.isdisjoint(guard_letters(g)) for g in term.guards)

    return tied(after) < tied(before)


def _candidates(scope: Scope, term: Term) -> Iterator[tuple[Place, Term | None]]:
    """Ways to write a free letter through the summed ones."""
    own = {b.letter for b in term.binders}
    inside = scope.box.with_binders(term.binders)
    for guard in term.guards:
        if isinstance(guard, AffineGuard) and guard.relation == "==" and not own.isdisjoint(guard.affine.letters):
            for letter, slope in guard.affine:
                if letter not in own and slope in (_ONE, -_ONE):
                    rest = guard.affine.without(letter)
                    place = Place(letter, rest * -slope.value)
                    if set(place.form.letters) <= own:
                        yield place, _put(scope, term, place, [])
    for form, divisor, extent in _ranges(scope, term):
        free = [l for l in form.letters if l not in own]
        if len(free) != 1 or (len(form.letters) < 2 and divisor == _ONE):
            continue
        slope = form.coefficient(free[0])
        if slope not in (_ONE, -_ONE) or (inside.is_in_range(form, extent) and divisor == _ONE):
            continue
        letter = Letter.fresh(_letter_for(extent, term))
        binder = Binder(letter, extent)
        place = Place(free[0], (Affine.of(letter) * divisor - form.without(free[0])) * slope.value)
        yield place, _put(scope, term, place, [binder])


def _letter_for(extent: Size, term: Term) -> str:
    """A letter for an offset below this extent: the small letter of its name, else the next from p on."""
    used = {b.letter.name for b in term.binders}
    name = str(extent).lower()
    choices = [name if len(name) == 1 and name.isalpha() else "p", *"pqrstuvw"]
    return next((c for c in choices if c not in used), "p")


def _put(scope: Scope, term: Term, place: Place, more: Sequence[Binder]) -> Term | None:
    """The term at the place, without the guards that hold there; None where nothing is left."""
    moved = replace(term, binders=(*term.binders, *more)).substitute({place.letter: place.form})
    return simplify(moved, scope.box)


def _ranges(scope: Scope, term: Term) -> Iterator[tuple[Affine, Size, Size]]:
    """Forms that the guards keep in a range: (form, divisor, extent), 0 <= form/divisor < extent."""
    for factor in term.factors:
        if isinstance(factor, Read) and factor.tensor in scope.box.axes and factor.pad is None:
            for index, extent in zip(factor.indices, scope.box.axes[factor.tensor], strict=True):
                if isinstance(index, Affine):
                    yield index, _ONE, extent
                elif isinstance(index, Quotient):
                    yield index.affine, index.divisor, extent
    lows = [g.affine for g in term.guards if isinstance(g, AffineGuard) and g.relation == ">="]
    for low in lows:
        for high in lows:
            reach = low + high + 1
            if low is not high and reach.is_size and low.terms:
                yield low, _ONE, reach.const


def scattered(scope: Scope, places: Sequence[Place], term: Term, summed: Sum) -> Value:
    """The sum, added into slices of an array that begins as zeros."""
    at = {place.letter: place.form for place in places}
    used = {l for f in term.factors for l in free_letters(f)} | {l for g in term.guards for l in guard_letters(g)}
    own = {b.letter for b in term.binders}
    letters = scope.sorted([l for l in used if l not in own] + list(at))
    forms = [at.get(letter, Affine.of(letter)) for letter in letters]
    extents = [scope.box.extents[letter] for letter in letters]
    return store_places(scope, letters, forms, extents, term, summed, "total", "0", add=True)


def store_places(
    scope: Scope,
    letters: Letters,
    forms: Sequence[Affine],
    extents: Sequence[Size],
    term: Term,
    summed: Sum,
    hint: str,
    fill: str,
    add: bool,
) -> Value:
    """`result[forms] += sum of the term`: loops over offsets, slices along one letter an axis."""
    binders = {b.letter: b for b in term.binders}
    moving = [l for form in forms for l in form.letters if l in binders]
    with scope.within(term.binders, guarded=True):
        walking = {_walker(scope, [l for l in form.letters if l in binders]) for form in forms}
        looped = [l for l in dict.fromkeys(moving) if l not in walking]
        for letter, form in zip(letters, forms, strict=add):  # what walks along an axis takes its place
            scope.rank.update((l, scope.rank[letter]) for l in form.letters if l in walking)
        reversed_ = {
            l: Affine.of(scope.box.extents[l] - 1) - Affine.of(l)
            for form in forms
            for l, c in form
            if l in walking and not c.is_nonnegative(scope.box.lower)
        }
        forms = [form.substitute(reversed_) for form in forms]
        factors = tuple(substitute(f, reversed_) for f in term.factors)
        guards = Term((), term.guards, ()).substitute(reversed_).guards
        lows, widths = [], []
        for form, extent in zip(forms, extents, strict=True):
            low, high = scope.least(form), scope.least(-form)
            assert low is not None and high is not None
            before = scope.positive(-low, "before")
            lows.append(before)
            widths.append(extent + before + scope.positive(-high - extent + 1, "after"))
        forms = [form + before for form, before in zip(forms, lows, strict=True)]
        name = scope.fresh(hint)
        shape = [scope.text(width) for width in widths]
        scope.line(f"{name} = {scope.dialect.full(shape, fill, scope.like)}")
        with scope.loops([binders[l] for l in looped]) as numbers:
            inner = [form.substitute(numbers) for form in forms]
            rest = tuple(b for b in term.binders if b.letter not in moving)
            part = Term(rest, guards, factors).substitute(numbers)
            decided = [g for g in part.guards if isinstance(g, AffineGuard) and g.affine.is_size]
            if decided:
                scope.line(f"if {' and '.join(scope.test(g).text for g in decided)}:")
                scope.indent += "    "
                part = replace(part, guards=tuple(g for g in part.guards if g not in decided))
            value = scope.floats(summed(scope, part) if rest or part.guards else scope.value(part.node()))
            order = tuple(l for form in inner for l in form.letters)
            slices = []
            for form, width in zip(inner, widths, strict=True):
                if form.is_size:
                    slices.append(scope.text(form.const))
                else:
                    ((letter, step),) = form.terms
                    slices.append(scope.slice(form.const, step, scope.box.extents[letter], width))
            while slices and slices[-1] == ":":
                slices.pop()
            index = ", ".join(slices) or "..."
            text = scope.align(scope.short("part", value), order).text
            line = scope.dialect.store(name, index, text, add)
            if len(scope.indent) + len(line) > WIDTH:
                named = scope.assign("part", Value(text, order))
                line = scope.dialect.store(name, index, named.text, add)
            scope.line(line)
    if all(width == extent for width, extent in zip(widths, extents, strict=True)):
        return Value(name, letters)
    crops = [
        scope.slice(before, _ONE, extent, width)
        for before, extent, width in zip(lows, extents, widths, strict=True)
    ]
    while crops[-1] == ":":
        crops.pop()
    return Value(f"{name}[{', '.join(crops)}]", letters)


def _walker(scope: Scope, letters: Sequence[Letter]) -> Letter | None:
    """The letter along which a slice goes: the one whose extent is computed, as positions are; offsets are few."""

    def weight(letter: Letter) -> tuple[int, int]:
        extent = scope.box.extents[letter]
        return (0 if extent.is_int else 1 + (len(extent.terms) > 1), -scope.rank[letter])

    return max(letters, key=weight) if letters else None


def routed(scope: Scope, term: Term, summed: Sum) -> Value | None:
    """`sum(n) [t[n] == v] * g[n, d]` as rows added where the integers say; None where it is not of this kind."""
    own = {b.letter for b in term.binders}
    for guard in term.guards if scope.finite else ():
        if not isinstance(guard, Compare) or guard.relation != "==":
            continue
        for codes, other in ((guard.left, guard.right), (guard.right, guard.left)):
            place = other.affine.bare if isinstance(other, Index) else None
            rest = replace(term, guards=tuple(g for g in term.guards if g is not guard))
            if place is None or place in own or not isinstance(codes, Read) or codes.tensor not in scope.integers:
                continue
            free = {l for f in (*rest.factors, codes) for l in free_letters(f)}
            free |= {l for g in rest.guards for l in guard_letters(g)}
            keys = free_letters(codes)
            if place in free or not keys or not own.issuperset(keys):
                continue
            return _rows(scope, place, codes, rest, keys, summed)
    return None


def _rows(scope: Scope, place: Letter, codes: Read, term: Term, keys: Letters, summed: Sum) -> Value:
    keyed = tuple(b for b in term.binders if b.letter in keys)
    with scope.within(keyed):
        places = scope.assign("rows", scope.value(codes))
        rest = replace(term, binders=tuple(b for b in term.binders if b.letter not in keys))
        value = scope.floats(summed(scope, rest) if rest.binders or rest.guards else scope.value(rest.node()))
        others = scope.sorted(l for l in value.letters if l not in keys)
        full = scope.broadcast(value, (*places.letters, *others))
        letters = (place, *others)
        name = scope.fresh("total")
        scope.line(f"{name} = {scope.dialect.full(scope.shape(letters), '0', scope.like)}")
        rows = scope.short("part", full).text
        scope.line(scope.dialect.scatter(name, places.text, rows, len(places.letters)))
    return Value(name, letters)
