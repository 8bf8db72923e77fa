"""The normal form of a proof: sums over lattice domains of products of atoms.

    Summand = coefficient * sum(letters | at_least >= 0, zero == 0) prod(atom ^ exponent)

    Atom    a read x[a, b], a scalar, a size, the value of a letter, a function of a polynomial, an inner sum to a
            power, a maximum, a selector [p > 0] or [p == 0]; its affine forms may hold letters of the summand

A Polynomial is a tuple of Summands. Bound letters of an atom are numbered, so that equal atoms are equal objects
whatever their letters were called; letters of a summand are its own.
"""

from __future__ import annotations

__all__ = [
    "EVERYWHERE", "NOTHING", "POSITIVE", "Atom", "Domain", "Polynomial", "Summand", "atom", "collected", "constant",
    "minus", "of_size", "plus", "scaled", "single", "summand", "times",
]  # fmt: skip

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import cached_property
from typing import TypeAlias

from paperback.notation.affine import Affine, Letter
from paperback.notation.size import Atom as SizeAtom
from paperback.notation.size import Size

Polynomial: TypeAlias = "tuple[Summand, ...]"
NOTHING: Polynomial = ()
POSITIVE = "> 0"  # the name of a size that is never 0


@dataclass(frozen=True)
class Domain:
    """The whole points at which `at_least` are >= 0 and `zero` are 0, over the letters."""

    letters: tuple[Letter, ...] = ()
    at_least: tuple[Affine, ...] = ()
    zero: tuple[Affine, ...] = ()

    def and_(self, other: Domain) -> Domain:
        if not (other.letters or other.at_least or other.zero):
            return self
        return Domain(
            self.letters + other.letters,
            tuple(dict.fromkeys(self.at_least + other.at_least)),
            tuple(dict.fromkeys(self.zero + other.zero)),
        )

    def substitute(self, letters: Mapping[Letter, Affine]) -> Domain:
        """Affine forms for letters; letters that are replaced are no longer bound."""
        return Domain(
            tuple(letter for letter in self.letters if letter not in letters),
            tuple(dict.fromkeys(a.substitute(letters) for a in self.at_least)),
            tuple(dict.fromkeys(a.substitute(letters) for a in self.zero)),
        )

    @property
    def constraints(self) -> tuple[Affine, ...]:
        return self.at_least + self.zero


EVERYWHERE = Domain()


@dataclass(frozen=True)
class Atom:
    """`head name[indices](parts)`, over `domain` where it binds letters of its own.

    head    scalar  size  index  read  call  exp  log  sum  max  argmax  positive  zero
    """

    head: str
    name: str = ""
    indices: tuple[Affine, ...] = ()
    parts: tuple[Polynomial, ...] = ()
    domain: Domain = EVERYWHERE
    size: SizeAtom | None = None

    @cached_property
    def key(self) -> str:
        """What does not depend on letters: atoms that are equal up to a change of letters have equal keys."""
        inside = ";".join("+".join(sorted(s.key for s in part)) for part in self.parts)
        return f"{self.head} {self.name}{self.size or ''}[{len(self.indices)}]({inside}|{len(self.domain.letters)})"

    @cached_property
    def _hash(self) -> int:
        return hash((self.head, self.name, self.indices, self.parts, self.domain, self.size))

    def __hash__(self) -> int:
        return self._hash

    @cached_property
    def letters(self) -> frozenset[Letter]:
        """The free letters."""
        found = {letter for form in (*self.indices, *self.domain.constraints) for letter in form.letters}
        for part in self.parts:
            for summand in part:
                found |= summand.free
        return frozenset(found - set(self.domain.letters))

    def substitute(self, letters: Mapping[Letter, Affine]) -> Atom:
        if self.letters.isdisjoint(letters):
            return self
        return replace(
            self,
            indices=tuple(a.substitute(letters) for a in self.indices),
            parts=tuple(tuple(s.put(letters) for s in part) for part in self.parts),
            domain=self.domain.substitute(letters),
        )

    @cached_property
    def deepest(self) -> int:
        """The greatest number of a bound letter inside."""
        inside = [-letter.uid for letter in self.domain.letters]
        for part in self.parts:
            inside += [s.deepest for s in part]
        return max(inside, default=0)


@dataclass(frozen=True)
class Summand:
    """`coefficient * sum(domain) prod(atom ^ exponent)`; the factors are sorted by key."""

    coefficient: Fraction
    factors: tuple[tuple[Atom, Fraction], ...] = ()
    domain: Domain = EVERYWHERE

    @cached_property
    def key(self) -> str:
        inside = "*".join(f"{atom.key}^{exponent}" for atom, exponent in self.factors)
        return f"{inside}|{len(self.domain.letters)}"

    @cached_property
    def _hash(self) -> int:
        return hash((self.coefficient, self.factors, self.domain))

    def __hash__(self) -> int:
        return self._hash

    @cached_property
    def free(self) -> frozenset[Letter]:
        found = {letter for form in self.domain.constraints for letter in form.letters}
        for inner, _ in self.factors:
            found |= inner.letters
        return frozenset(found - set(self.domain.letters))

    @cached_property
    def deepest(self) -> int:
        inside = [-letter.uid for letter in self.domain.letters if letter.uid < 0]
        return max([*inside, *(inner.deepest for inner, _ in self.factors)], default=0)

    def put(self, letters: Mapping[Letter, Affine]) -> Summand:
        """Affine forms for letters; those of its own that are replaced are no longer bound."""
        factors = ((inner.substitute(letters), exponent) for inner, exponent in self.factors)
        return summand(self.coefficient, factors, self.domain.substitute(letters))

    def renewed(self) -> Summand:
        """The same with new letters."""
        if not self.domain.letters:
            return self
        new = {letter: Letter.fresh(letter.name) for letter in self.domain.letters}
        moved = self.put({old: Affine.of(letter) for old, letter in new.items()})
        return replace(moved, domain=replace(moved.domain, letters=tuple(new.values())))

    def renewed_but(self, kept: Letter) -> Summand:
        """The same with new letters for all of its own but one."""
        new = {letter: Letter.fresh(letter.name) for letter in self.domain.letters if letter != kept}
        moved = self.put({old: Affine.of(letter) for old, letter in new.items()})
        return replace(moved, domain=replace(moved.domain, letters=(kept, *new.values())))

    def numbered(self) -> Summand:
        """The same with its letters numbered above those inside: the form in which it is a part of an atom."""
        if not self.domain.letters:
            return self
        start = max([0, *(inner.deepest for inner, _ in self.factors)])
        order = self._order()
        new = {letter: Letter("", -(start + 1 + place)) for place, letter in enumerate(order)}
        moved = self.put({old: Affine.of(letter) for old, letter in new.items()})
        domain = Domain(
            tuple(new.values()),
            tuple(sorted(moved.domain.at_least, key=_form_key)),
            tuple(sorted(moved.domain.zero, key=_form_key)),
        )
        return replace(moved, domain=domain)

    def _order(self) -> list[Letter]:
        """Its letters in the order of the factors they occur in."""
        met = [letter for inner, _ in self.factors for form in inner.indices for letter in form.letters]
        met += [letter for inner, _ in self.factors for letter in sorted(inner.letters, key=lambda l: l.uid)]
        own = [letter for letter in dict.fromkeys(met) if letter in self.domain.letters]
        return own + [letter for letter in self.domain.letters if letter not in own]

    def where(self, domain: Domain) -> Summand:
        return replace(self, domain=self.domain.and_(domain))


def _form_key(form: Affine) -> tuple[list[tuple[int, str]], str]:
    return sorted((letter.uid, str(c)) for letter, c in form), str(form.const)


def summand(
    coefficient: Fraction, factors: Iterable[tuple[Atom, Fraction]], domain: Domain = EVERYWHERE
) -> Summand:
    """A summand with equal atoms put together; selectors are 1 or 0, so that their powers are they themselves."""
    powers: dict[Atom, Fraction] = {}
    for inner, exponent in factors:
        powers[inner] = powers.get(inner, Fraction(0)) + exponent
    for inner in powers:
        if inner.head in ("positive", "zero") and powers[inner] > 1:
            powers[inner] = Fraction(1)
    kept = [(inner, exponent) for inner, exponent in powers.items() if exponent]
    kept.sort(key=lambda pair: (pair[0].key, pair[1]))
    return Summand(coefficient, tuple(kept), domain)


# -------------------------------------------------------------------------------------------------- polynomials


def constant(value: int | Fraction) -> Polynomial:
    return (Summand(Fraction(value)),) if value else NOTHING


def atom(inner: Atom, exponent: int | Fraction = 1) -> Polynomial:
    return (Summand(Fraction(1), ((inner, Fraction(exponent)),)),)


def of_size(size: Size, lower: Mapping[str, int]) -> Polynomial:
    """A size as a polynomial whose atoms are its names and quotients; names are positive but for those `lower` says."""
    found = []
    for monomial, coefficient in size.terms:
        names = (POSITIVE if isinstance(a, str) and lower.get(a, 1) > 0 else "" for a in monomial)
        factors = ((Atom("size", name, size=a), Fraction(1)) for a, name in zip(monomial, names, strict=True))
        found.append(summand(Fraction(coefficient), factors))
    return tuple(found)


def single(polynomial: Polynomial) -> Summand | None:
    """The summand, where there is one and it sums over nothing."""
    if len(polynomial) == 1 and polynomial[0].domain == EVERYWHERE:
        return polynomial[0]
    return None


def plus(*polynomials: Polynomial) -> Polynomial:
    return collected(summand for polynomial in polynomials for summand in polynomial)


def scaled(polynomial: Polynomial, factor: int | Fraction) -> Polynomial:
    return tuple(replace(s, coefficient=s.coefficient * factor) for s in polynomial) if factor else NOTHING


def minus(left: Polynomial, right: Polynomial) -> Polynomial:
    return plus(left, scaled(right, -1))


def times(left: Polynomial, right: Polynomial) -> Polynomial:
    """The product, distributed. Letters that both factors bind are renewed."""
    found = []
    for a in left:
        for b in right:
            own = b.renewed() if set(a.domain.letters) & set(b.domain.letters) else b
            domain = a.domain.and_(own.domain)
            if _vanishes(a, own):
                continue
            found.append(summand(a.coefficient * own.coefficient, a.factors + own.factors, domain))
    return collected(found)


def _vanishes(a: Summand, b: Summand) -> bool:
    """[p > 0] * [p == 0] is 0."""
    selectors: dict[tuple[Polynomial, ...], str] = {}
    for inner, _ in a.factors + b.factors:
        if inner.head in ("positive", "zero") and selectors.setdefault(inner.parts, inner.head) != inner.head:
            return True
    return False


def collected(summands: Iterable[Summand]) -> Polynomial:
    """Equal summands put together; zeros dropped."""
    found: dict[tuple[object, ...], Summand] = {}
    for one in summands:
        key = (one.factors, one.domain)
        known = found.get(key)
        found[key] = one if known is None else replace(known, coefficient=known.coefficient + one.coefficient)
    return tuple(one for one in found.values() if one.coefficient)

