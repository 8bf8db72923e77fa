"""Affine indices: `s*i + p - 1`, an integer combination of index letters with sizes as coefficients.

    a(i) = c + sum(l) k_l * l       c, k_l polynomials in the sizes

Every binder owns its letter: two letters with the same name are different unless they are the same object of one
binder. That is why a derivative can never capture a variable by accident.
"""

from __future__ import annotations

__all__ = ["Affine", "Letter"]

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from itertools import count

from paperback.notation.size import Size, SizeLike

_serial = count(1)


@dataclass(frozen=True)
class Letter:
    """An index letter. `name` is what is printed; `uid` is what it is."""

    name: str
    uid: int

    @staticmethod
    def fresh(name: str) -> Letter:
        return Letter(name, next(_serial))

    def __hash__(self) -> int:
        return self.uid

    def __repr__(self) -> str:
        return f"{self.name}#{self.uid}"


@dataclass(frozen=True)
class Affine:
    """`const + sum(coefficient * letter)`; letters in order of first writing, no zero coefficients."""

    terms: tuple[tuple[Letter, Size], ...] = ()
    const: Size = Size()

    @staticmethod
    def of(value: Affine | Letter | SizeLike) -> Affine:
        if isinstance(value, Affine):
            return value
        if isinstance(value, Letter):
            return Affine(((value, Size.of(1)),))
        return Affine((), Size.of(value))

    def __add__(self, other: Affine | Letter | SizeLike) -> Affine:
        other = Affine.of(other)
        total = dict(self.terms)
        for letter, coefficient in other.terms:
            total[letter] = total.get(letter, Size()) + coefficient
        return Affine(tuple((l, c) for l, c in total.items() if c), self.const + other.const)

    def __neg__(self) -> Affine:
        return Affine(tuple((l, -c) for l, c in self.terms), -self.const)

    def __sub__(self, other: Affine | Letter | SizeLike) -> Affine:
        return self + -Affine.of(other)

    def __mul__(self, factor: SizeLike) -> Affine:
        factor = Size.of(factor)
        if not factor:
            return Affine()
        return Affine(tuple((l, c * factor) for l, c in self.terms), self.const * factor)

    __rmul__ = __mul__

    @cached_property
    def _key(self) -> int:
        return hash((frozenset(self.terms), self.const))

    def __hash__(self) -> int:
        return self._key

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Affine):
            return NotImplemented
        return self.const == other.const and dict(self.terms) == dict(other.terms)

    @property
    def letters(self) -> tuple[Letter, ...]:
        return tuple(letter for letter, _ in self.terms)

    @property
    def bare(self) -> Letter | None:
        """The letter, where the index is one letter and nothing else."""
        if len(self.terms) == 1 and not self.const and self.terms[0][1] == Size.of(1):
            return self.terms[0][0]
        return None

    @property
    def is_size(self) -> bool:
        return not self.terms

    def coefficient(self, letter: Letter) -> Size:
        return next((c for l, c in self.terms if l == letter), Size())

    def without(self, letter: Letter) -> Affine:
        return Affine(tuple((l, c) for l, c in self.terms if l != letter), self.const)

    def substitute(self, letters: Mapping[Letter, Affine]) -> Affine:
        """Put affine forms for letters."""
        if not any(letter in letters for letter, _ in self.terms):
            return self
        total, const = dict[Letter, Size](), self.const
        for letter, coefficient in self.terms:
            image = letters.get(letter)
            if image is not None:
                const = const + image.const * coefficient
            for own, factor in ((letter, Size.of(1)),) if image is None else image.terms:
                part = factor * coefficient
                total[own] = total[own] + part if own in total else part
        return Affine(tuple((l, c) for l, c in total.items() if c), const)

    def with_sizes(self, sizes: Mapping[str, SizeLike]) -> Affine:
        """Put sizes for the names in the coefficients."""
        if self.const.is_int and all(c.is_int for _, c in self.terms):
            return self
        terms = ((letter, c.substitute(sizes)) for letter, c in self.terms)
        return Affine(tuple((letter, c) for letter, c in terms if c), self.const.substitute(sizes))

    def __iter__(self) -> Iterator[tuple[Letter, Size]]:
        return iter(self.terms)

    def __repr__(self) -> str:
        parts = [f"{c}*{l!r}" for l, c in self.terms]
        return " + ".join(parts + ([str(self.const)] if self.const or not parts else []))
