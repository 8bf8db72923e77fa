"""Nests: one term of a sum of products, and how its guards are solved.

    target[left] += sum(bound | guards) factors

`settle` drops what is implied and shortens loops; `solve` gets rid of equality and divisibility guards by substitution
and by residue classes (see `kernel`). A nest is a value: every step makes a new one.
"""

from __future__ import annotations

__all__ = ["MAX_PHASES", "Extents", "Nest", "divide_out", "interval", "make_read", "settle", "solve", "truth"]

from collections.abc import Mapping
from dataclasses import dataclass, replace
from fractions import Fraction
from itertools import product
from math import gcd, prod

from paperback.notation.affine import Affine, Letter
from paperback.notation.expr import AffineGuard, Binder, Compare, Divides, Guard, IndexExpr, Node, Quotient, Read, Size
from paperback.notation.walk import map_children, map_guard, nodes, substitute

MAX_PHASES = 64
"""A term that would need more phases keeps its guard as a mask."""

Extents = Mapping[Letter, int]


@dataclass(frozen=True)
class Nest:
    """`target[left] += sum(bound | guards) factors`; `extents` of all letters in scope."""

    extents: Extents
    left: tuple[Affine, ...]
    places: tuple[Letter, ...]  # the letters of the left side
    bound: tuple[Letter, ...]
    guards: tuple[Guard, ...]
    factors: tuple[Node, ...]
    names: dict[tuple[Letter, int, int, int], Letter]  # (letter, step, start, extent) -> the letter of that range

    @property
    def own(self) -> frozenset[Letter]:
        return frozenset(self.places + self.bound)

    def binders(self, letters: tuple[Letter, ...]) -> tuple[Binder, ...]:
        return tuple(Binder(letter, Size.of(self.extents[letter])) for letter in letters)

    def put(self, letters: Mapping[Letter, Affine], extents: Extents) -> Nest:
        """Substitute letters by forms in the letters of `extents`; the new letters take the places of the old."""

        def renew(old: tuple[Letter, ...]) -> tuple[Letter, ...]:
            kept = [n for l in old for n in ((n for n in letters[l].letters if n in extents) if l in letters else (l,))]
            return tuple(dict.fromkeys(kept))

        def move(affine: Affine) -> Affine:
            return affine.substitute(letters)

        return replace(
            self,
            extents={**{l: n for l, n in self.extents.items() if l not in letters}, **extents},
            left=tuple(move(a) for a in self.left),
            places=renew(self.places),
            bound=renew(self.bound),
            guards=tuple(map_guard(g, lambda node: _put(node, letters), move) for g in self.guards),
            factors=tuple(_put(f, letters) for f in self.factors),
        )

    def without(self, guard: Guard, *more: Guard) -> Nest:
        return replace(self, guards=(*(g for g in self.guards if g != guard), *more))


def _put(node: Node, letters: Mapping[Letter, Affine]) -> Node:
    return divide_out(substitute(node, letters))


def divide_out(node: Node) -> Node:
    """Quotients whose divisor divides every coefficient become affine."""
    if not any(isinstance(i, Quotient) for n in nodes(node) if isinstance(n, Read) for i in n.indices):
        return node
    node = map_children(node, divide_out)
    if isinstance(node, Read):
        return make_read(node.tensor, tuple(_exact_quotient(i) for i in node.indices), node.pad)
    return node


def make_read(tensor: str, indices: tuple[IndexExpr, ...], pad: Fraction | float | None) -> Read:
    result: Read = Read(tensor, indices, pad)
    return result


def _exact_quotient(index: IndexExpr) -> IndexExpr:
    if isinstance(index, Quotient):
        divisor = index.divisor.value
        parts = [(l, c.divided_by(divisor)) for l, c in index.affine.terms]
        const = index.affine.const.divided_by(divisor)
        if const is not None and all(c is not None for _, c in parts):
            return Affine(tuple((l, c) for l, c in parts if c is not None), const)
    return index


def interval(affine: Affine, extents: Extents) -> tuple[int, int]:
    """The least and greatest value over the box of the letters."""
    low = high = affine.const.value
    for letter, size in affine.terms:
        reach = size.value * (extents[letter] - 1)
        low, high = (low + reach, high) if reach < 0 else (low, high + reach)
    return low, high


def truth(guard: AffineGuard, extents: Extents) -> bool | None:
    """True or False where the guard is the same for all letters, else None."""
    low, high = interval(guard.affine, extents)
    common = gcd(*(c.value for _, c in guard.affine.terms))
    if guard.relation == ">=":
        return True if low >= 0 else False if high < 0 else None
    never = low > 0 or high < 0 or (common > 1 and guard.affine.const.value % common != 0)
    always = low == high == 0
    if guard.relation == "==":
        return False if never else True if always else None
    return True if never else False if always else None


def settle(nest: Nest) -> Nest | None:
    """Drop implied guards, shorten loops by one-letter guards, drop loops of one turn; None where nothing is left."""
    changed = True
    while changed:
        changed = False
        for guard in dict.fromkeys(nest.guards):
            if isinstance(guard, Compare):
                continue
            if isinstance(guard, Divides):
                m = guard.modulus.value
                if any(c.value % m for _, c in guard.affine.terms):
                    continue
                if guard.affine.const.value % m:
                    return None
                nest, changed = nest.without(guard), True
                break
            holds = truth(guard, nest.extents)
            if holds is False:
                return None
            if holds:
                nest, changed = nest.without(guard), True
                break
            if len(guard.affine.terms) == 1 and guard.relation != "!=" and guard.affine.letters[0] in nest.own:
                shorter = _shorten(nest, guard)
                if shorter is None:
                    return None
                nest, changed = shorter, True
                break
        single = next((l for l in nest.bound if nest.extents[l] == 1), None)
        if single is not None and not changed:
            nest, changed = nest.put({single: Affine()}, {}), True
    return replace(nest, guards=tuple(dict.fromkeys(nest.guards)))


def _shorten(nest: Nest, guard: AffineGuard) -> Nest | None:
    """`c*l + k >= 0` or `== 0`: a shorter range of l."""
    (letter, size), const = guard.affine.terms[0], guard.affine.const.value
    c, low, high = size.value, 0, nest.extents[letter] - 1
    if guard.relation == "==":
        value = Fraction(-const, c)
        if value.denominator != 1 or not low <= value <= high:
            return None
        return nest.without(guard).put({letter: Affine.of(int(value))}, {})
    low, high = (max(low, -(const // c)), high) if c > 0 else (low, min(high, const // -c))
    if low > high:
        return None
    return _stretch(nest.without(guard), {letter: (1, low, high - low + 1)})


def _stretch(nest: Nest, classes: Mapping[Letter, tuple[int, int, int]]) -> Nest:
    """Replace letters l by `step*l' + start` with l' < extent."""
    letters: dict[Letter, Affine] = {}
    extents: dict[Letter, int] = {}
    for letter, (step, start, extent) in classes.items():
        key = (letter, step, start, extent)
        if key not in nest.names:
            nest.names[key] = Letter.fresh(letter.name)
        new = nest.names[key]
        letters[letter], extents[new] = Affine.of(new) * step + start, extent
    return nest.put(letters, extents)


def solve(nest: Nest, budget: int) -> list[Nest]:
    """Solve every congruence for a letter; at most `budget` pieces."""
    done: list[Nest] = []
    work = [(nest, budget)]
    while work:
        settled, budget = (settle(work[-1][0]), work.pop()[1])
        if settled is None:
            continue
        pieces = _step(settled, budget)
        if pieces is None:
            done.append(settled)
        else:
            work.extend((piece, budget // max(1, len(pieces))) for piece in reversed(pieces))
    return done


def _step(nest: Nest, budget: int) -> list[Nest] | None:
    """One congruence solved, in phases where it has to be; None where none is left that can be."""
    found: list[tuple[tuple[bool, int, bool], AffineGuard, Letter]] = []
    for guard in nest.guards:
        if isinstance(guard, AffineGuard) and guard.relation == "==":
            common = gcd(*(c.value for _, c in guard.affine.terms))
            for letter, size in guard.affine.terms:
                if letter in nest.own:
                    weight = abs(size.value) // common
                    found.append(((letter in nest.bound, nest.extents[letter] * weight, weight == 1), guard, letter))
    for _, guard, letter in sorted(found, key=lambda item: item[0], reverse=True):
        pieces = _eliminate(nest, guard, letter, budget)
        if pieces is not None:
            return pieces
    for guard in nest.guards:
        if isinstance(guard, Divides):
            pieces = _phases(nest, guard.affine, guard.modulus.value, budget)
            if pieces is not None:
                return pieces
    return None


def _eliminate(nest: Nest, guard: AffineGuard, pivot: Letter, budget: int) -> list[Nest] | None:
    """Solve `c*pivot + rest == 0` for the pivot, in |c| phases of the other letters; None where that cannot be."""
    common = gcd(*(c.value for _, c in guard.affine.terms))
    c = guard.affine.coefficient(pivot).value // common
    rest = Affine(tuple((l, Size.of(k.value // common)) for l, k in guard.affine.without(pivot).terms),
                  Size.of(guard.affine.const.value // common))  # fmt: skip
    if abs(c) == 1:
        value = rest * -c
        last = nest.extents[pivot] - 1
        inside = (AffineGuard(">=", value), AffineGuard(">=", Affine.of(last) - value))
        if pivot in nest.places and not _is_place(value, inside, nest):
            return None
        solved = nest.without(guard).put({pivot: value}, {})
        return [replace(solved, guards=(*inside, *solved.guards))]
    return _phases(nest, rest, abs(c), budget)


def _is_place(value: Affine, inside: tuple[AffineGuard, AffineGuard], nest: Nest) -> bool:
    """May this form stand on the left side? It must stay in the axis over the whole box that is stored.

    A mask does not help there, so each range guard must be implied or shorten the loop of one letter.
    """
    if not set(value.letters) <= set(nest.places):
        return False
    return all(len(g.affine.terms) <= 1 or truth(g, nest.extents) for g in inside)


def _phases(nest: Nest, affine: Affine, modulus: int, budget: int) -> list[Nest] | None:
    """The residue classes of the letters on which `modulus | affine`; None where there are too many."""
    split = [(l, modulus // gcd(k.value, modulus)) for l, k in affine.terms if k.value % modulus]
    if any(letter not in nest.own for letter, _ in split):
        return None
    if any(nest.extents[letter] == modulus for letter, _ in split) and not _compares(nest):
        whole = _digits(nest, affine, modulus)
        if whole is not None:
            return whole
    if prod(min(m, nest.extents[l]) for l, m in split) > 64 * MAX_PHASES:
        return _digits(nest, affine, modulus)
    found = []
    for starts in product(*(range(min(m, nest.extents[l])) for l, m in split)):
        residues = {l: Affine.of(r) for (l, _), r in zip(split, starts, strict=True)}
        if affine.substitute(residues).const.value % modulus == 0:
            found.append(starts)
    if len(found) > budget:
        return _digits(nest, affine, modulus)
    return [
        _stretch(nest, {l: (m, r, -(-(nest.extents[l] - r) // m)) for (l, m), r in zip(split, starts, strict=True)})
        for starts in found
    ]


def _compares(nest: Nest) -> bool:
    """Are numbers compared? In a phase, a code of an argmax is compared with a constant, which costs less."""
    return any(isinstance(guard, Compare) for guard in nest.guards)


def _digits(nest: Nest, affine: Affine, modulus: int) -> list[Nest] | None:
    """All phases as one nest, `t = m*t' + r` and `p = m*p' + r` with a letter r, where m divides both extents.

    Where p has m values, p' has one: blocks of m side by side (groups of channels, windows that do not overlap), and
    one nest over t' and r is one larger product of matrices than m phases.
    """
    split = [(l, k.value) for l, k in affine.terms if k.value % modulus]
    even = all(nest.extents[l] % modulus == 0 and gcd(k, modulus) == 1 for l, k in split)
    if len(split) != 2 or not even or (split[0][1] + split[1][1]) % modulus or affine.const.value % modulus:
        return None
    digit = Letter.fresh("r")
    letters, extents = {}, {}
    for letter, _ in split:
        new = Letter.fresh(letter.name)
        letters[letter], extents[new] = Affine.of(new) * modulus + digit, nest.extents[letter] // modulus
    moved = nest.put(letters, {**extents, digit: modulus})
    return [replace(moved, bound=tuple(l for l in moved.bound if l not in moved.places))]
