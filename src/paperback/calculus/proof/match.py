"""Two summands are the same if a bijection of their letters maps one onto the other.

Pairing reads of one tensor gives equations between indices; solved, they say what the letters of one are in those of
the other, `i' = i + p`. That is only a guess. It counts when, under it,

    every factor of one is a factor of the other,
    the letters of the first are affine forms of those of the second too (whole in both ways: a bijection),
    every constraint of one follows from those of the other, in both ways: the domains are equal.
"""

from __future__ import annotations

__all__ = ["Matcher"]

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from fractions import Fraction
from itertools import islice, permutations, product

from paperback.calculus.proof.expand import inside
from paperback.calculus.proof.linear import solve
from paperback.calculus.proof.positive import Known
from paperback.calculus.proof.sums import Atom, Domain, Polynomial, Summand, minus
from paperback.notation.affine import Affine, Letter
from paperback.notation.size import Size

_GUESSES = 200
IsZero = Callable[[Polynomial, Known], bool]
Factors = tuple[tuple[Atom, Fraction], ...]


class Matcher:
    """Compares summands over the axes of some tensors; `is_zero` decides on what is inside atoms."""

    def __init__(self, axes: Mapping[str, tuple[Size, ...]], is_zero: IsZero) -> None:
        self.axes, self.is_zero = axes, is_zero

    def same(self, a: Summand, b: Summand, known: Known) -> bool:
        """Are they equal but for their coefficients?"""
        if a.key != b.key:
            return False
        a, b = a.renewed(), b.renewed()
        return any(self._maps(a, b, guess, known) for guess in islice(self._guesses(a, b, known), _GUESSES))

    def aligned(self, a: Summand, b: Summand, known: Known) -> Summand | None:
        """b over the letters of a, if its domain is that of a under some guess."""
        b = b.renewed()
        for guess in islice(self._guesses(a, b, known), _GUESSES):
            if self._same_domain(a, b, guess, known):
                return replace(b.put(guess), domain=a.domain)
        return None

    def facts(self, one: Summand) -> list[Affine]:
        """Reads are in range."""
        found: list[Affine] = []
        for inner, _ in one.factors:
            if inner.head == "read" and not inner.parts:
                for form, axis in zip(inner.indices, self.axes.get(inner.name, ()), strict=False):
                    found += inside(form, axis)
        return found

    def pairings(self, a: Summand, b: Summand) -> Iterator[list[tuple[Atom, Atom]]]:
        return islice(_pairings(a.factors, b.factors), _GUESSES)

    # ------------------------------------------------------------------------------------------------- guesses

    def _guesses(self, a: Summand, b: Summand, known: Known) -> Iterator[dict[Letter, Affine]]:
        """What the letters of b may be in those of a."""
        unknowns = b.domain.letters
        if not unknowns:
            yield {}
            return
        own = set(unknowns)
        for pairing in _pairings(a.factors, b.factors):
            direct = [x - y for p, q in pairing for x, y in zip(p.indices, q.indices, strict=True)]
            found, _ = solve(direct, unknowns, known.is_positive)
            open_letters = [letter for letter in unknowns if letter not in found]
            if open_letters:
                hints = [form for p, q in pairing for form in _hints(p, q)]
                hints = [form for form in hints if not own.isdisjoint(form.letters)]
                found, _ = solve([*direct, *hints], unknowns, known.is_positive)
                open_letters = [letter for letter in unknowns if letter not in found]
            if open_letters:
                zero = [*b.domain.zero, *a.domain.zero]
                found, _ = solve([*direct, *zero], unknowns, known.is_positive)
                open_letters = [letter for letter in unknowns if letter not in found]
            if not open_letters:
                yield found
                continue
            free = [letter for letter in a.domain.letters if all(v.bare != letter for v in found.values())]
            if len(open_letters) <= 3:
                for choice in permutations(free, len(open_letters)):
                    rest = dict(zip(open_letters, map(Affine.of, choice), strict=True))
                    yield {**{k: v.substitute(rest) for k, v in found.items()}, **rest}

    # -------------------------------------------------------------------------------------------- verification

    def _maps(self, a: Summand, b: Summand, guess: Mapping[Letter, Affine], known: Known) -> bool:
        if not self._same_domain(a, b, guess, known):
            return False
        inner = known.extended((*a.domain.at_least, *self.facts(a)), a.domain.zero)
        return self.factors_equal(a.factors, b.put(guess).factors, inner)

    def _same_domain(self, a: Summand, b: Summand, guess: Mapping[Letter, Affine], known: Known) -> bool:
        """Is the guess a bijection of one domain onto the other?"""
        ours, theirs = set(a.domain.letters), set(b.domain.letters)
        if any(not theirs.isdisjoint(value.letters) for value in guess.values()):
            return False
        moved = b.put(guess)
        ties = [Affine.of(letter) - value for letter, value in guess.items()]
        back, _ = solve([*ties, *a.domain.zero], a.domain.letters, known.is_positive)
        if any(letter not in back for letter in ours):
            return False
        inner = known.extended((*a.domain.at_least, *self.facts(a)), a.domain.zero)
        if not self.covers(inner, moved.domain):
            return False
        outer = known.extended((*b.domain.at_least, *self.facts(b)), b.domain.zero)
        return self.covers(outer, a.domain.substitute(back))

    def covers(self, known: Known, domain: Domain) -> bool:
        return all(known.implies(f) for f in domain.at_least) and all(known.implies_zero(f) for f in domain.zero)

    def factors_equal(self, ours: Factors, theirs: Factors, known: Known) -> bool:
        left = list(theirs)
        for pair in [p for p in ours if p in theirs]:
            left.remove(pair)
        waiting = [p for p in ours if p not in theirs]
        if len(left) != len(waiting):
            return False
        for mine, exponent in waiting:
            for other in left:
                if other[1] == exponent and other[0].key == mine.key and self.equal(mine, other[0], known):
                    left.remove(other)
                    break
            else:
                return False
        return True

    def equal(self, a: Atom, b: Atom, known: Known) -> bool:
        """Have two atoms the same value where everything known holds?"""
        heads = [(x.head, x.name, x.size, len(x.indices), len(x.parts)) for x in (a, b)]
        if heads[0] != heads[1]:
            return False
        if not all(known.implies_zero(x - y) for x, y in zip(a.indices, b.indices, strict=True)):
            return False
        if a.domain.letters or b.domain.letters:
            return self._same_extreme(a, b, known)
        return all(
            self.is_zero(minus(tuple(s.renewed() for s in p), tuple(s.renewed() for s in q)), known)
            for p, q in zip(a.parts, b.parts, strict=True)
        )

    def _same_extreme(self, a: Atom, b: Atom, known: Known) -> bool:
        """Maxima over two domains, and argmaxes: a bijection under which the bodies are equal."""
        a, b = _renewed(a), _renewed(b)
        ours, theirs = a.domain.letters, b.domain.letters
        if len(ours) != len(theirs):
            return False
        orders = [ours] if a.head == "argmax" else list(islice(permutations(ours), 6))
        guesses = [dict(zip(theirs, map(Affine.of, order), strict=True)) for order in orders]
        if a.head != "argmax":
            found, _ = solve(_hints(a, b), theirs, known.is_positive)
            if all(letter in found for letter in theirs):
                guesses.insert(0, found)
        for guess in guesses:
            if any(not set(theirs).isdisjoint(v.letters) for v in guess.values()):
                continue
            ties = [Affine.of(letter) - value for letter, value in guess.items()]
            back, _ = solve(ties, ours, known.is_positive)
            if any(letter not in back for letter in ours):
                continue
            inner = known.extended(a.domain.at_least, a.domain.zero)
            outer = known.extended(b.domain.at_least, b.domain.zero)
            if not self.covers(inner, b.domain.substitute(guess)):
                continue
            if not self.covers(outer, a.domain.substitute(back)):
                continue
            differences = (
                minus(tuple(s.renewed() for s in p), tuple(s.put(guess).renewed() for s in q))
                for p, q in zip(a.parts, b.parts, strict=True)
            )
            if all(self.is_zero(difference, inner) for difference in differences):
                return True
        return False


def _renewed(inner: Atom) -> Atom:
    new = {letter: Letter.fresh("m") for letter in inner.domain.letters}
    put = {old: Affine.of(letter) for old, letter in new.items()}
    domain = replace(inner.domain.substitute(put), letters=tuple(new.values()))
    return replace(inner, domain=domain, parts=tuple(tuple(s.put(put) for s in p) for p in inner.parts))


def _pairings(ours: Factors, theirs: Factors) -> Iterator[list[tuple[Atom, Atom]]]:
    """All ways to pair factors of equal keys and exponents, those with indices or parts."""
    groups: dict[tuple[str, Fraction], tuple[list[Atom], list[Atom]]] = {}
    for side, factors in enumerate((ours, theirs)):
        for inner, exponent in factors:
            if inner.indices or inner.parts:
                groups.setdefault((inner.key, exponent), ([], []))[side].append(inner)
    choices = [
        [list(zip(a, order, strict=False)) for order in islice(permutations(b), _GUESSES)]
        for a, b in groups.values()
    ]
    for choice in product(*choices):
        yield [pair for group in choice for pair in group]


def _hints(a: Atom, b: Atom) -> list[Affine]:
    """Equations that would make two atoms equal, read off their insides in a fixed order; guesses, no more."""
    found = []
    for p, q in zip(a.parts, b.parts, strict=True):
        for s, t in zip(_sorted(p), _sorted(q), strict=False):
            for (x, _), (y, _) in zip(s.factors, t.factors, strict=False):
                if x.key == y.key:
                    found += [m - n for m, n in zip(x.indices, y.indices, strict=True)]
                    found += _hints(x, y)
            bound = {*s.domain.letters, *t.domain.letters}
            found = [form for form in found if bound.isdisjoint(form.letters)]
    return found


def _sorted(polynomial: Polynomial) -> Sequence[Summand]:
    return sorted(polynomial, key=lambda s: s.key)

