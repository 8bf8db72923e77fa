"""Sizes: integer polynomials in the names of extents, strides and pads.

A shape on paper is `(H - P)/s + 1` before anybody knows H. So a size is a polynomial with integer coefficients whose
atoms are names (`H`) and rounded quotients (`floor((H-P)/s)`). Two sizes are equal when their polynomials are.

The one question asked of sizes is "can this be negative?". It is answered by

    floor: n = d*F + rest, rest >= 0 where d > 0   (the atom H of n is replaced by d*F + rest + ...)
    bound: H = 1 + H', H' >= 0             (a pad: its bound is 0)

and then by looking at the coefficients: all >= 0 proves it. The test is sufficient and never wrong.
"""

from __future__ import annotations

__all__ = ["Rounded", "Size", "SizeLike", "bounds_from_extents", "ceil_div", "evaluate", "floor_div"]

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property, lru_cache
from typing import TypeAlias


@dataclass(frozen=True)
class Rounded:
    """`floor(numerator/denominator)` or `ceil(...)`, kept as an atom because its sizes are not known yet."""

    kind: str  # "floor" | "ceil"
    numerator: Size
    denominator: Size

    def __str__(self) -> str:
        low = str(self.denominator)
        low = low if low.isidentifier() or low.isdigit() else f"({low})"
        high = str(self.numerator)
        high = high if high.isidentifier() or high.isdigit() else f"({high})"
        return f"{self.kind}({high}/{low})"


Atom = str | Rounded
Monomial = tuple[Atom, ...]  # a sorted multiset of atoms; () is the constant


SizeLike: TypeAlias = "Size | int | str"


def _rank(atom: Atom) -> tuple[int, str]:
    return (1, str(atom)) if isinstance(atom, Rounded) else (0, atom)


@dataclass(frozen=True)
class Size:
    """A polynomial: pairs (monomial, coefficient), sorted, no zero coefficients."""

    terms: tuple[tuple[Monomial, int], ...] = ()

    @staticmethod
    def of(value: SizeLike) -> Size:
        if isinstance(value, Size):
            return value
        if isinstance(value, str):
            return Size((((value,), 1),))
        return _number(int(value))

    @staticmethod
    def atom(atom: Atom) -> Size:
        return Size((((atom,), 1),))

    @staticmethod
    def _collect(terms: Mapping[Monomial, int]) -> Size:
        kept = [(monomial, coefficient) for monomial, coefficient in terms.items() if coefficient]
        kept.sort(key=lambda term: (not term[0], -len(term[0]), [_rank(a) for a in term[0]]))
        return Size(tuple(kept))

    def __add__(self, other: SizeLike) -> Size:
        other = Size.of(other)
        if not other.terms:
            return self
        if self.is_int and other.is_int:
            return _number(self.value + other.value)
        total = dict(self.terms)
        for monomial, coefficient in other.terms:
            total[monomial] = total.get(monomial, 0) + coefficient
        return Size._collect(total)

    __radd__ = __add__

    def __neg__(self) -> Size:
        return Size(tuple((monomial, -coefficient) for monomial, coefficient in self.terms))

    def __sub__(self, other: SizeLike) -> Size:
        return self + -Size.of(other)

    def __rsub__(self, other: SizeLike) -> Size:
        return Size.of(other) - self

    def __mul__(self, other: SizeLike) -> Size:
        other = Size.of(other)
        if other.is_int and self.is_int:
            return _number(self.value * other.value)
        total: dict[Monomial, int] = {}
        for left, a in self.terms:
            for right, b in other.terms:
                monomial = tuple(sorted(left + right, key=_rank))
                total[monomial] = total.get(monomial, 0) + a * b
        return Size._collect(total)

    __rmul__ = __mul__

    @property
    def is_int(self) -> bool:
        """Is it a plain number?"""
        return not self.terms or (len(self.terms) == 1 and not self.terms[0][0])

    @property
    def value(self) -> int:
        """The number, for a size that is one."""
        terms = self.terms  # asked for very often: so few steps as can be
        if len(terms) == 1 and not terms[0][0]:
            return terms[0][1]
        if terms:
            raise TypeError(f"the size {self} is not a number yet")
        return 0

    @cached_property
    def _key(self) -> int:
        return hash(self.terms)

    def __hash__(self) -> int:
        return self._key

    def __bool__(self) -> bool:
        return bool(self.terms)

    @property
    def constant(self) -> int:
        """The coefficient without any name."""
        return next((c for monomial, c in self.terms if not monomial), 0)

    @cached_property
    def names(self) -> frozenset[str]:
        """Every name that occurs, inside rounded quotients too."""
        found: set[str] = set()
        for atom in self.atoms:
            found |= {atom} if isinstance(atom, str) else atom.numerator.names | atom.denominator.names
        return frozenset(found)

    @cached_property
    def divisors(self) -> frozenset[Size]:
        """The denominators of all rounded quotients, those inside others too."""
        found: set[Size] = set()
        for atom in self.atoms:
            if isinstance(atom, Rounded):
                found |= {atom.denominator} | atom.numerator.divisors | atom.denominator.divisors
        return frozenset(found)

    @cached_property
    def atoms(self) -> frozenset[Atom]:
        return frozenset(atom for monomial, _ in self.terms for atom in monomial)

    def map_atoms(self, image: Callable[[Atom], Size | None]) -> Size:
        """Replace atoms by sizes; `None` keeps an atom (a kept rounded quotient has its inside mapped)."""
        if self.is_int:
            return self
        total = Size()
        for monomial, coefficient in self.terms:
            product = Size.of(coefficient)
            for atom in monomial:
                new = image(atom)
                if new is None:
                    new = Size.atom(atom)
                    if isinstance(atom, Rounded):
                        divide = floor_div if atom.kind == "floor" else ceil_div
                        new = divide(atom.numerator.map_atoms(image), atom.denominator.map_atoms(image))
                product = product * new
            total = total + product
        return total

    def substitute(self, sizes: Mapping[str, SizeLike]) -> Size:
        """Put sizes for names."""
        if self.is_int or not sizes:
            return self
        return self.map_atoms(lambda atom: Size.of(sizes[atom]) if isinstance(atom, str) and atom in sizes else None)

    def divided_by(self, divisor: int) -> Size | None:
        """The exact quotient by a non-zero number, or None."""
        if any(coefficient % divisor for _, coefficient in self.terms):
            return None
        return Size(tuple((monomial, coefficient // divisor) for monomial, coefficient in self.terms))

    def is_nonnegative(self, lower: Mapping[str, int] | None = None) -> bool:
        """Proved >= 0 for all sizes with name >= lower[name] (1 where not given)? False means "not proved"."""
        if self.is_int:
            return self.value >= 0
        return _nonnegative(self, tuple(sorted((lower or {}).items())))

    def is_positive(self, lower: Mapping[str, int] | None = None) -> bool:
        return (self - 1).is_nonnegative(lower)

    @property
    def in_order(self) -> tuple[tuple[Monomial, int], ...]:
        """The terms as they are written: `W-Q+1`, not `-Q+W+1`; `1-P`, not `-P+1`."""
        if not self.terms or self.terms[0][1] > 0:
            return self.terms
        last = any(c > 0 for monomial, c in self.terms if monomial)
        return tuple(sorted(self.terms, key=lambda term: (last and not term[0], term[1] < 0)))

    def __str__(self) -> str:
        text = ""
        for monomial, coefficient in self.in_order:
            factors = [str(atom) for atom in monomial]
            if abs(coefficient) != 1 or not factors:
                factors.insert(0, str(abs(coefficient)))
            sign = "-" if coefficient < 0 else "+" if text else ""
            text += sign + "*".join(factors)
        return text or "0"

    __repr__ = __str__


def floor_div(numerator: SizeLike, denominator: SizeLike) -> Size:
    """`floor(n/d)`, as a number where both are, exactly where d divides every coefficient, else as an atom."""
    return _divide("floor", Size.of(numerator), Size.of(denominator))


def ceil_div(numerator: SizeLike, denominator: SizeLike) -> Size:
    """`ceil(n/d)`; see `floor_div`."""
    return _divide("ceil", Size.of(numerator), Size.of(denominator))


def _divide(kind: str, numerator: Size, denominator: Size) -> Size:
    if denominator.is_int and denominator.value < 0:
        numerator, denominator = -numerator, -denominator
    if denominator.is_int and denominator.value != 0:
        d = denominator.value
        if numerator.is_int:
            n = numerator.value
            return Size.of(n // d if kind == "floor" else -(-n // d))
        # whole multiples of d come out of the quotient: floor((d*A + B)/d) = A + floor(B/d)
        whole = Size(tuple((m, c // d) for m, c in numerator.terms if c % d == 0))
        rest = numerator - whole * d
        if not rest:
            return whole
        if rest.is_int:
            return whole + (rest.value // d if kind == "floor" else -(-rest.value // d))
        return whole + Size.atom(Rounded(kind, rest, denominator))
    if numerator == denominator:
        return Size.of(1)
    if not numerator:
        return Size()
    return Size.atom(Rounded(kind, numerator, denominator))


def evaluate(size: Size, sizes: Mapping[str, int]) -> int:
    """The number that a size is at given sizes; a missing name raises KeyError."""
    total = Fraction(0)
    for monomial, coefficient in size.terms:
        product = coefficient
        for atom in monomial:
            if isinstance(atom, str):
                product *= sizes[atom]
            else:
                n, d = evaluate(atom.numerator, sizes), evaluate(atom.denominator, sizes)
                product *= n // d if atom.kind == "floor" else -(-n // d)
        total += product
    return int(total)


@lru_cache(maxsize=4096)
def _number(value: int) -> Size:
    return Size((((), value),)) if value else Size()


Bounds: TypeAlias = "tuple[tuple[str, int | None], ...]"  # name, least value; None: of either sign


@lru_cache(maxsize=65536)
def _nonnegative(size: Size, lower: Bounds) -> bool:
    bounds = dict(lower)
    rounded = sorted((a for a in size.atoms if isinstance(a, Rounded)), key=lambda a: -len(str(a)))
    if rounded:
        return any(_nonnegative(_open(size, r, h, s), _extend(lower, r)) for r in rounded for h, s in _handles(r))
    unsigned = {name for name, bound in lower if bound is None}
    shift = {a: Size.of(a) + (bounds.get(a, 1) or 0) for a in size.atoms if isinstance(a, str)}
    shifted = size.substitute(shift)
    return all(c >= 0 and unsigned.isdisjoint(monomial) for monomial, c in shifted.terms)


def _fresh_names(rounded: Rounded) -> tuple[str, str]:
    return f"<{rounded}>", f"<rest of {rounded}>"


def _extend(lower: Bounds, rounded: Rounded) -> Bounds:
    """Bounds of the names that open a quotient. Where d > 0 is proved, the rest is >= 0, and the quotient where n is.

    What is known of the quotient (see `bounds_from_extents`) holds for every d.
    """
    quotient, rest = _fresh_names(rounded)
    known = dict(lower)
    divides = _nonnegative(rounded.denominator - 1, lower)
    if quotient not in known:
        known[quotient] = 0 if divides and _nonnegative(rounded.numerator, lower) else None
    known[rest] = 0 if divides else None
    return tuple(sorted(known.items(), key=lambda bound: bound[0]))


def bounds_from_extents(extents: Iterable[Size], lower: Mapping[str, int] | None = None) -> dict[str, int]:
    """Add to `lower` what "extents are >= 1" says of quotients: `floor(n/d) + 1 >= 1` gives `floor(n/d) >= 0`."""
    known = dict(lower or {})
    for extent in extents:
        rounded = [(m[0], c) for m, c in extent.terms if len(m) == 1 and isinstance(m[0], Rounded)]
        if len(rounded) == 1 and rounded[0][1] == 1 and (extent - Size.atom(rounded[0][0])).is_int:
            name = _fresh_names(rounded[0][0])[0]
            least = 1 - extent.constant
            known[name] = max(known.get(name, least), least)
    return known


def _handles(rounded: Rounded) -> list[tuple[str, int]]:
    """Names H of the numerator by which `n = d*F + rest` can be solved: linear, coefficient +-1, nowhere in d."""
    found = []
    for monomial, coefficient in rounded.numerator.terms:
        if len(monomial) == 1 and isinstance(monomial[0], str) and abs(coefficient) == 1:
            name = monomial[0]
            uses = sum(name in Size(((m, 1),)).names for m, _ in rounded.numerator.terms)
            if uses == 1 and name not in rounded.denominator.names:
                found.append((name, coefficient))
    return found


def _open(size: Size, rounded: Rounded, name: str, sign: int) -> Size:
    """Replace floor(n/d) by F and the name H in n by its value from `n = d*F + rest` (ceil: `n = d*F - rest`)."""
    quotient, rest = _fresh_names(rounded)
    remainder = Size.of(rest) if rounded.kind == "floor" else -Size.of(rest)
    others = rounded.numerator - Size.of(name) * sign
    solved = (rounded.denominator * quotient + remainder - others) * sign
    return size.map_atoms(lambda a: Size.of(quotient) if a == rounded else None).substitute({name: solved})
