"""Linear inequalities over letters and sizes: does `e >= 0` follow from others, for all sizes?

    e = sum(k) l_k * g_k + sum(m) u_m * z_m + l_0        with all l >= 0 proves it

where every g_k >= 0 and every z_m = 0 is known (ranges of letters, guards, sizes >= 1, roundings) or is such a form
multiplied by a product of sizes. Monomials in letters and sizes count as independent unknowns, so this is a linear
program; it is solved exactly. Sufficient, and never wrong (Handelman's theorem says how nearly it is necessary).
"""

from __future__ import annotations

__all__ = ["EFFORT", "Known", "Monomials", "combination", "monomials_of"]

from collections.abc import Iterable, Mapping, Sequence
from fractions import Fraction
from functools import cached_property
from typing import TypeAlias

from paperback.notation.affine import Affine
from paperback.notation.block import Fact
from paperback.notation.size import Rounded, Size

Monomials: TypeAlias = dict[tuple[object, ...], Fraction]  # a form as coefficients of monomials in letters and atoms
EFFORT = 15_000  # generators, over all linear programs of one question; then the answer is "not proved"
_MOST = 400  # generators of one linear program


def monomials_of(affine: Affine) -> Monomials:
    found: Monomials = {monomial: Fraction(c) for monomial, c in affine.const.terms}
    for letter, slope in affine:
        for monomial, c in slope.terms:
            found[(letter, *monomial)] = Fraction(c)
    return found


class Known:
    """What is known to be >= 0 or == 0, and questions about what follows.

    lower     least values of names of sizes (1 where not given)
    facts     of the sizes
    picks     tensors of whole numbers -> the axes that they select from: they are in range
    """

    def __init__(
        self,
        lower: Mapping[str, int] | None = None,
        facts: Iterable[Fact] = (),
        at_least: Iterable[Affine] = (),
        zero: Iterable[Affine] = (),
        picks: Mapping[str, frozenset[Size]] | None = None,
        effort: list[int] | None = None,
    ) -> None:
        self.lower = dict(lower or {})
        self.facts = tuple(facts)
        self.picks = picks or {}
        self.effort = [EFFORT] if effort is None else effort  # shared by all that is derived from one question
        self.at_least = tuple(dict.fromkeys(at_least))
        self.zero = tuple(dict.fromkeys(zero))
        self._answers: dict[Affine, bool] = {}

    def extended(self, at_least: Iterable[Affine], zero: Iterable[Affine] = ()) -> Known:
        at_least, zero = tuple(at_least), tuple(zero)
        if not at_least and not zero:
            return self
        return Known(self.lower, self.facts, (*self.at_least, *at_least), (*self.zero, *zero), self.picks, self.effort)

    @cached_property
    def _sizes(self) -> tuple[list[Affine], list[Affine]]:
        """Facts of sizes: those >= 0, those == 0."""
        positive = [Affine.of(f.size) for f in self.facts if f.relation == ">="]
        zero = [Affine.of(f.size) for f in self.facts if f.relation == "=="]
        return positive, zero

    def is_positive(self, size: Size) -> bool:
        return size.is_positive(self.lower) or self.implies(Affine.of(size - 1))

    def implies(self, affine: Affine) -> bool:
        """Does `affine >= 0` follow?"""
        if affine not in self._answers:
            self._answers[affine] = self._implies(affine)
        return self._answers[affine]

    def implies_zero(self, affine: Affine) -> bool:
        if not affine.terms and not affine.const:
            return True
        if any(affine in (z, -z) for z in self.zero):
            return True
        return self.implies(affine) and self.implies(-affine)

    @property
    def is_impossible(self) -> bool:
        """Can nothing meet all that is known?"""
        return self.implies(Affine.of(-1))

    def _implies(self, affine: Affine) -> bool:
        if affine.is_size and affine.const.is_int and affine.const.value >= 0:
            return True
        for known in self.at_least:
            rest = affine - known
            if rest.is_size and rest.const.is_nonnegative(self.lower):
                return True
        if affine.is_size and affine.const.is_nonnegative(self.lower):
            return True
        return self._program(affine)

    def _program(self, target: Affine) -> bool:
        positive, zero = self._sizes
        positive, zero = [*self.at_least, *positive], [*self.zero, *zero]
        positive, zero = _relevant(target, positive, zero)
        forms = [target, *positive, *zero]
        multipliers = _multipliers(target, forms)
        atoms = {a for form in forms for size in (form.const, *(c for _, c in form)) for a in size.atoms}
        waiting = list(atoms)
        for atom in waiting:
            if isinstance(atom, Rounded):
                n, d, quotient = atom.numerator, atom.denominator, Size.atom(atom)
                if self.is_positive(d):
                    rest = n - d * quotient
                    sign = 1 if atom.kind == "floor" else -1
                    positive += [Affine.of(rest * sign), Affine.of(d - 1 - rest * sign)]
                    waiting += (n.atoms | d.atoms) - atoms
                    atoms |= n.atoms | d.atoms
        names = sorted(atom for atom in atoms if isinstance(atom, str))
        positive += [Affine.of(Size.of(name) - self.lower.get(name, 1)) for name in names]
        products = [form * m for form in positive for m in multipliers]
        zeros = [form * m for form in zero for m in multipliers]
        products += [Affine.of(m) for m in multipliers]
        if len(products) + len(zeros) > _MOST:
            products, zeros = positive, zero
        self.effort[0] -= len(products) + 2 * len(zeros)
        if self.effort[0] < 0:
            return False
        goal = monomials_of(target)
        return combination(goal, [monomials_of(p) for p in products], [monomials_of(z) for z in zeros])


def _relevant(
    target: Affine, positive: Sequence[Affine], zero: Sequence[Affine]
) -> tuple[list[Affine], list[Affine]]:
    """The forms whose letters hang together with those of the target."""
    letters = set(target.letters)
    size = -1
    while len(letters) != size:
        size = len(letters)
        for form in (*positive, *zero):
            if not letters.isdisjoint(form.letters):
                letters |= set(form.letters)
    return (
        [form for form in positive if set(form.letters) <= letters],
        [form for form in zero if set(form.letters) <= letters],
    )


def _multipliers(target: Affine, forms: Iterable[Affine]) -> list[Size]:
    """1, and the size monomials that stand before letters, and one less each: all of them are >= 0."""
    found = {Size.of(1): None}
    for form in forms:
        for _, slope in form:
            for monomial, _ in slope.terms:
                if monomial and all(isinstance(atom, str) for atom in monomial):
                    product = Size(((monomial, 1),))
                    found[product] = None
    for monomial, _ in target.const.terms:
        for atom in monomial if len(monomial) > 1 else ():
            if isinstance(atom, str):
                found[Size.of(atom)] = None
    return list(found)[:6]


def combination(goal: Monomials, positive: Sequence[Monomials], zero: Sequence[Monomials]) -> bool:
    """Is the goal a sum of non-negative multiples of the positive forms and of 1, and of any multiples of zeros?

    The first phase of the simplex method in Fractions, with Bland's rule.
    """
    one: Monomials = {(): Fraction(1)}
    columns = [one, *positive, *zero, *({m: -c for m, c in z.items()} for z in zero)]
    rows = sorted({m for column in (goal, *columns) for m in column}, key=repr)
    place = {m: k for k, m in enumerate(rows)}
    table: list[dict[int, Fraction]] = [{} for _ in rows]  # sparse: column -> coefficient
    right = [goal.get(m, Fraction(0)) for m in rows]
    for k, column in enumerate(columns):
        for m, c in column.items():
            if c:
                table[place[m]][k] = c
    for r in range(len(rows)):
        if right[r] < 0:
            right[r] = -right[r]
            table[r] = {k: -c for k, c in table[r].items()}
    basis = [-1 - r for r in range(len(rows))]  # artificial
    cost: dict[int, Fraction] = {}
    for row in table:
        for k, c in row.items():
            cost[k] = cost.get(k, Fraction(0)) + c
    for _ in range(300):
        entering = min((k for k, c in cost.items() if c > 0), default=None)
        if entering is None:
            break
        ratios = [(right[r] / row[entering], basis[r], r) for r, row in enumerate(table) if row.get(entering, 0) > 0]
        if not ratios:
            break
        leaving = min(ratios)[2]
        _pivot(table, right, cost, leaving, entering)
        basis[leaving] = entering
    return all(b >= 0 or not right[r] for r, b in enumerate(basis))


def _pivot(
    table: list[dict[int, Fraction]], right: list[Fraction], cost: dict[int, Fraction], leaving: int, entering: int
) -> None:
    by = table[leaving][entering]
    row = {k: c / by for k, c in table[leaving].items()}
    table[leaving], right[leaving] = row, right[leaving] / by
    for r, other in enumerate(table):
        factor = other.get(entering)
        if r != leaving and factor:
            _subtract(other, row, factor)
            right[r] -= factor * right[leaving]
    factor = cost.get(entering)
    if factor:
        _subtract(cost, row, factor)


def _subtract(row: dict[int, Fraction], by: Mapping[int, Fraction], factor: Fraction) -> None:
    for k, c in by.items():
        new = row.get(k, Fraction(0)) - factor * c
        if new:
            row[k] = new
        else:
            row.pop(k, None)
