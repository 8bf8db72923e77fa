"""Domains in parts: sums that agree only when one of them is cut.

    sum(i) x[i] = x[0] + sum(i | i >= 1) x[i]             cut along the constraints of the other
    sum(i) x[i] = sum(q) x[2*q] + sum(q) x[2*q+1]         split by remainders
"""

from __future__ import annotations

__all__ = ["by_place", "by_remainder", "cut", "moduli"]

from collections.abc import Iterator
from dataclasses import replace

from paperback.calculus.proof.linear import solve
from paperback.calculus.proof.match import Matcher
from paperback.calculus.proof.positive import Known
from paperback.calculus.proof.sums import Domain, Polynomial, Summand
from paperback.notation.affine import Affine, Letter

_LARGEST_MODULUS = 4


def moduli(polynomial: Polynomial) -> list[int]:
    """Numbers that letters come multiplied by."""
    found: dict[int, None] = {}
    for one in polynomial:
        own = set(one.domain.letters)
        forms = [form for inner, _ in one.factors for form in inner.indices]
        for form in (*forms, *one.domain.zero):
            for letter, c in form:
                if letter in own and c.is_int and 1 < abs(c.value) <= _LARGEST_MODULUS:
                    found[abs(c.value)] = None
    return list(found)


def by_remainder(polynomial: Polynomial, modulus: int) -> Polynomial | None:
    """Every letter that is read bare, in summands that read another letter times the modulus nowhere, is split."""
    found: list[Summand] = []
    changed = False
    for one in polynomial:
        letter = _splittable(one, modulus)
        if letter is None:
            found.append(one)
            continue
        changed = True
        for r in range(modulus):
            new = Letter.fresh(letter.name)
            moved = one.renewed() if r else one
            place = one.domain.letters.index(letter)
            old = moved.domain.letters[place]
            moved = moved.put({old: Affine.of(new) * modulus + r})
            found.append(replace(moved, domain=replace(moved.domain, letters=(*moved.domain.letters, new))))
    return tuple(found) if changed else None


def _splittable(one: Summand, modulus: int) -> Letter | None:
    """The last letter that is read bare where the summand reads nothing at a multiple."""
    forms = [form for inner, _ in one.factors for form in inner.indices]
    own = one.domain.letters
    steep = [c for form in forms for l, c in form if l in own and c.is_int and abs(c.value) == modulus]
    if steep:
        return None
    tied = {l for form in one.domain.zero for l, c in form if c.is_int and abs(c.value) % modulus == 0}
    bare = [letter for letter in own if any(form.bare == letter for form in forms) and letter not in tied]
    return bare[-1] if bare else None


def by_place(polynomial: Polynomial) -> Polynomial | None:
    """Letters that have only a few places, as in sum(j | 0 <= j and j <= 1), are written out."""
    found: list[Summand] = []
    for one in polynomial:
        places = _places(one)
        if places is None:
            found.append(one)
        else:
            letter, values = places
            found += [one.renewed_but(letter).put({letter: Affine.of(value)}) for value in values]
    return tuple(found) if len(found) != len(polynomial) else None


def _places(one: Summand) -> tuple[Letter, range] | None:
    """A letter between two numbers, and the whole numbers between them."""
    for letter in one.domain.letters:
        bare = Affine.of(letter)
        low = [(-rest.const).value for f in one.domain.at_least if (rest := f - bare).is_size and rest.const.is_int]
        high = [rest.const.value for f in one.domain.at_least if (rest := f + bare).is_size and rest.const.is_int]
        if low and high and min(high) - max(low) < _LARGEST_MODULUS:
            return letter, range(max(low), min(high) + 1)
    return None


def cut(polynomial: Polynomial, matcher: Matcher, known: Known) -> Polynomial | None:
    """One summand cut along another's domain; None where no two overlap in a way that helps."""
    for place, a in enumerate(polynomial):
        for other, b in enumerate(polynomial):
            if place == other or not a.domain.letters or len(a.domain.letters) < len(b.domain.letters):
                continue
            if a.coefficient * b.coefficient > 0 or [f.key for f, _ in a.factors] != [f.key for f, _ in b.factors]:
                continue
            moved = _carried(a.renewed(), b.renewed(), matcher, known)
            if moved is None:
                continue
            whole, part = moved
            rest = [s for k, s in enumerate(polynomial) if k not in (place, other)]
            both = replace(whole, coefficient=a.coefficient + b.coefficient, domain=part.domain)
            pieces = list(_outside(whole, part.domain, known, matcher))
            return tuple(rest) + ((both,) if both.coefficient else ()) + tuple(pieces)
    return None


def _carried(a: Summand, b: Summand, matcher: Matcher, known: Known) -> tuple[Summand, Summand] | None:
    """b over the letters of a, where its domain lies inside that of a."""
    for pairing in matcher.pairings(a, b):
        equations = [x - y for p, q in pairing for x, y in zip(p.indices, q.indices, strict=True)]
        found, left = solve(equations, b.domain.letters, known.is_positive)
        if any(letter not in found for letter in b.domain.letters):
            continue
        own = set(a.domain.letters)
        if any(own.isdisjoint(form.letters) for form in left):
            continue
        moved = b.put(found)
        zero = (*moved.domain.zero, *left)
        domain = Domain(a.domain.letters, tuple(dict.fromkeys((*a.domain.at_least, *moved.domain.at_least))), zero)
        back, _ = solve(equations, a.domain.letters, known.is_positive)
        if any(letter not in back for letter in own):
            continue
        inner = known.extended((*b.domain.at_least, *matcher.facts(b)), b.domain.zero)
        if not matcher.covers(inner, a.domain.substitute(back)):
            continue
        there = known.extended((*domain.at_least, *matcher.facts(a)), domain.zero)
        if matcher.factors_equal(a.factors, moved.factors, there):
            return a, replace(a, domain=domain)
    return None


def _outside(whole: Summand, part: Domain, known: Known, matcher: Matcher) -> Iterator[Summand]:
    """The pieces of the whole where one constraint of the part fails and those before it hold."""
    inner = known.extended((*whole.domain.at_least, *matcher.facts(whole)), whole.domain.zero)
    before = whole.domain
    for form in part.at_least:
        if inner.implies(form):
            continue
        yield replace(whole, domain=before.and_(Domain((), (-form - 1,))))
        before = before.and_(Domain((), (form,)))
    for form in part.zero:
        if inner.implies_zero(form):
            continue
        for sign in (1, -1):
            yield replace(whole, domain=before.and_(Domain((), (form * sign - 1,))))
        before = before.and_(Domain((), (), (form,)))

