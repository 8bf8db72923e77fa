"""Affine equations over polynomials in sizes, solved exactly and without fractions.

    s*i' - s*i == 0   ->   i' = i           (s is never 0)
    2*u + v - t == 0  ->   v = t - 2*u      (a unit coefficient: every whole solution is met)
"""

from __future__ import annotations

__all__ = ["divided", "solve"]

from collections.abc import Callable, Iterable, Sequence

from paperback.notation.affine import Affine, Letter
from paperback.notation.size import Monomial, Size


def divided(size: Size, by: Size) -> Size | None:
    """The exact quotient of two polynomials, or None."""
    if by.is_int:
        return size.divided_by(by.value) if by.value else None
    quotient = Size()
    lead, slope = by.terms[0]
    while size:
        monomial, c = size.terms[0]
        rest = _without(monomial, lead)
        if rest is None or c % slope:
            return None
        part = Size(((rest, c // slope),))
        quotient, size = quotient + part, size - part * by
    return quotient


def _without(monomial: Monomial, part: Monomial) -> Monomial | None:
    rest = list(monomial)
    for atom in part:
        if atom not in rest:
            return None
        rest.remove(atom)
    return tuple(rest)


def _over(affine: Affine, by: Size) -> Affine | None:
    const = divided(affine.const, by)
    terms = [(letter, divided(c, by)) for letter, c in affine]
    if const is None or any(c is None for _, c in terms):
        return None
    return Affine(tuple((letter, c) for letter, c in terms if c is not None), const)


def solve(
    equations: Iterable[Affine],
    unknowns: Sequence[Letter],
    is_nonzero: Callable[[Size], bool],
    in_terms_of_others: bool = False,
) -> tuple[dict[Letter, Affine], list[Affine]]:
    """Unknowns as affine forms of the other letters, where equations determine them, and the equations left over.

    What a pivot that is not a unit determines counts only where the division is exact. What depends on unknowns that
    stay open is given only where `in_terms_of_others`.
    """
    rows = [e for e in equations if e.terms or e.const]
    wanted = dict.fromkeys(unknowns)
    pivots: list[tuple[Letter, Affine]] = []
    while True:
        best = _best(rows, wanted, is_nonzero)
        if best is None:
            break
        row, letter = best
        rows.remove(row)
        del wanted[letter]
        rows = [_eliminated(other, row, letter) for other in rows]
        rows = [other for other in rows if other.terms or other.const]
        pivots = [(l, _eliminated(other, row, letter)) for l, other in pivots]
        pivots.append((letter, row))
    found: dict[Letter, Affine] = {}
    for letter, row in pivots:
        rest = row.without(letter)
        value = _over(-rest, row.coefficient(letter))
        if value is not None and (in_terms_of_others or wanted.keys().isdisjoint(rest.letters)):
            found[letter] = value
        else:
            rows.append(row)
    return found, rows


def _best(
    rows: Sequence[Affine], wanted: Iterable[Letter], is_nonzero: Callable[[Size], bool]
) -> tuple[Affine, Letter] | None:
    """The simplest pivot: units first, then numbers, then sizes that are never 0; of equal ones the first unknown."""
    best: tuple[int, Affine, Letter] | None = None
    for letter in wanted:
        for row in rows:
            c = row.coefficient(letter)
            cost = abs(c.value) if c.is_int else 1 << 20
            if c and (best is None or cost < best[0]) and (c.is_int or is_nonzero(c)):
                best = cost, row, letter
    return None if best is None else (best[1], best[2])


def _eliminated(row: Affine, pivot: Affine, letter: Letter) -> Affine:
    own, by = row.coefficient(letter), pivot.coefficient(letter)
    if not own:
        return row
    factor = divided(own, by)
    return row - pivot * factor if factor is not None else row * by - pivot * own
