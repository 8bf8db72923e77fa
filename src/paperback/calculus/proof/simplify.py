"""A summand in fewer letters: what equations determine goes, what nothing reads is counted.

    sum(p | t-2*i-p == 0) w[p]              ->   [0 <= t-2*i < P] w[t-2*i]
    sum(i<N) 1                              ->   N
    sum(q, r | 0 <= r < 2) w[2*q+r]         ->   sum(v) w[v]           with v = 2*q+r, q = floor(v/2)
"""

from __future__ import annotations

__all__ = ["simplified"]

from collections.abc import Iterable
from dataclasses import replace
from math import gcd

from paperback.calculus.proof.expand import value_of
from paperback.calculus.proof.laws import product
from paperback.calculus.proof.linear import divided, solve
from paperback.calculus.proof.positive import Known
from paperback.calculus.proof.sums import NOTHING, Atom, Domain, Polynomial, Summand, plus, summand, times
from paperback.notation.affine import Affine, Letter
from paperback.notation.size import Size

_ONE = Size.of(1)


def simplified(polynomial: Iterable[Summand], known: Known) -> Polynomial:
    """Every summand in as few letters as the rules below reach; summands that vanish are dropped."""
    return plus(*(_simplified(one, known) for one in polynomial))


def _simplified(one: Summand, known: Known) -> Polynomial:
    for rule in (_constant_forms, _digits, _determined, _paired, _values, _slots, _floors, _counted, _picked):
        found = rule(one, known)
        if found is not None:
            return simplified(found, known)
    return (one,)


def _put(one: Summand, letter: Letter, value: Affine) -> Summand:
    return one.put({letter: value})


def _constant_forms(one: Summand, known: Known) -> Polynomial | None:
    """Constraints that are always met, or never."""
    kept: list[tuple[Affine, ...]] = []
    for forms, is_equation in ((one.domain.at_least, False), (one.domain.zero, True)):
        left = []
        for form in forms:
            reduced = _reduced(form, is_equation)
            if reduced is None:
                return NOTHING
            reduced = _without_factor(reduced, known) if is_equation else reduced
            if reduced.is_size:
                size = reduced.const
                if is_equation and not size:
                    continue
                if not is_equation and size.is_nonnegative(known.lower):
                    continue
                if (-size - 1).is_nonnegative(known.lower) or (is_equation and (size - 1).is_nonnegative(known.lower)):
                    return NOTHING
            left.append(reduced)
        kept.append(tuple(dict.fromkeys(left)))
    above = set(kept[0])
    fixed = tuple(form for form in kept[0] if form.terms and -form in above)  # f >= 0 and -f >= 0
    kept = [tuple(form for form in kept[0] if form not in fixed), tuple(dict.fromkeys((*kept[1], *fixed)))]
    domain = Domain(one.domain.letters, kept[0], kept[1])
    return None if domain == one.domain else (replace(one, domain=domain),)


def _reduced(form: Affine, is_equation: bool) -> Affine | None:
    """Without the common divisor of its slopes; None where no whole numbers meet it."""
    if not form.terms:
        return form
    rest = form.const - form.const.constant
    divisor = gcd(*(n for _, c in form for _, n in c.terms), *(n for _, n in rest.terms))
    if divisor <= 1:
        return form
    if is_equation and form.const.constant % divisor:
        return None
    terms = tuple((letter, c.divided_by(divisor) or c) for letter, c in form)
    return Affine(terms, (rest.divided_by(divisor) or Size()) + form.const.constant // divisor)


def _without_factor(form: Affine, known: Known) -> Affine:
    """An equation without a size that all its terms have: s*i - s*j == 0 says i == j."""
    for c in (c for _, c in form.terms[:1] if not c.is_int):
        terms = [(letter, divided(slope, c)) for letter, slope in form]
        const = divided(form.const, c)
        if const is not None and all(slope is not None for _, slope in terms) and known.is_positive(c):
            return Affine(tuple((letter, slope) for letter, slope in terms if slope is not None), const)
    return form


def _paired(one: Summand, known: Known) -> Polynomial | None:
    """2*q == e and 2*r == e say that q == r."""
    own = one.domain.letters
    for place, f in enumerate(one.domain.zero):
        for g in one.domain.zero[:place]:
            for difference in (f - g, f + g):
                if len(difference.terms) != 2 or not set(difference.letters) <= set(own):
                    continue
                reduced = _reduced(difference, True)
                if reduced is not None:
                    reduced = _without_factor(reduced, known)
                    if all(c in (_ONE, -_ONE) for _, c in reduced):
                        zero = tuple(z for z in one.domain.zero if z is not f)
                        return (replace(one, domain=replace(one.domain, zero=(*zero, reduced))),)
    return None


def _determined(one: Summand, known: Known) -> Polynomial | None:
    """A letter that an equation determines, with a unit coefficient; one that is read bare is kept if possible."""
    bare = {form.bare for inner, _ in one.factors for form in inner.indices}
    best: tuple[int, Affine, Letter] | None = None
    for form in one.domain.zero:
        for place, letter in enumerate(one.domain.letters):
            if form.coefficient(letter) in (_ONE, -_ONE):
                cost = 1000 * (letter in bare) - place
                if best is None or cost < best[0]:
                    best = cost, form, letter
    if best is None:
        return _tied(one, known)
    _, form, letter = best
    value = form.without(letter) * (-1 if form.coefficient(letter) == _ONE else 1)
    rest = replace(one.domain, zero=tuple(z for z in one.domain.zero if z is not form))
    return (_put(replace(one, domain=rest), letter, value),)


def _tied(one: Summand, known: Known) -> Polynomial | None:
    """Free letters that equations tie: in factors and inequalities the later ones are put in terms of the earlier."""
    own = set(one.domain.letters)
    ties = [form for form in one.domain.zero if own.isdisjoint(form.letters)]
    letters = sorted({letter for form in ties for letter in form.letters}, key=lambda letter: -letter.uid)
    put, _ = solve(ties, letters, known.is_positive, in_terms_of_others=True)
    moved = one.put(put)
    found = replace(moved, domain=Domain(one.domain.letters, moved.domain.at_least, one.domain.zero))
    return None if found == one else (found,)


def _digits(one: Summand, known: Known) -> Polynomial | None:
    """`c*a + b == 0` with |b| < c says that a == 0 and b == 0: positions of a mixed radix are equal digit by digit."""
    for form in one.domain.zero:
        for c in dict.fromkeys(c for _, c in form if c not in (_ONE, -_ONE)):
            parts = [(letter, divided(slope, c)) for letter, slope in form]
            multiple = Affine(tuple((letter, slope) for letter, slope in parts if slope is not None))
            rest = form - multiple * c
            if not rest.terms or not multiple.terms or not known.is_positive(c):
                continue
            inside = known.extended(one.domain.at_least)
            if inside.implies(Affine.of(c - 1) - rest) and inside.implies(rest + (c - 1)):
                others = tuple(z for z in one.domain.zero if z is not form)
                return (replace(one, domain=replace(one.domain, zero=(*others, multiple, rest))),)
    return None


def _values(one: Summand, known: Known) -> Polynomial | None:
    """The value of a letter for which a form was put is a sum."""
    for inner, exponent in one.factors:
        if inner.head == "index" and inner.indices[0].bare is None:
            if exponent.denominator != 1 or exponent < 0:
                return None
            rest = summand(one.coefficient, [(a, e) for a, e in one.factors if a != inner])
            found = product((rest,), *[value_of(inner.indices[0], known.lower)] * int(exponent))
            return tuple(s.where(one.domain) for s in found)
    return None


def _slots(one: Summand, known: Known) -> Polynomial | None:
    """A new letter for an index such as 2*q+r, whose letters are read nowhere bare."""
    forms = [form for inner, _ in one.factors for form in inner.indices]
    bare = {form.bare for form in forms}
    own = one.domain.letters
    for form in forms:
        if form.bare is not None:
            continue
        mine = [letter for letter in form.letters if letter in own]
        units = [letter for letter in mine if form.coefficient(letter) in (_ONE, -_ONE)]
        if len(mine) < 2 or not units or not bare.isdisjoint(mine):
            continue
        letter, new = units[-1], Letter.fresh("v")
        sign = 1 if form.coefficient(letter) == _ONE else -1
        value = (Affine.of(new) - form.without(letter)) * sign
        moved = one.put({letter: value})
        return (replace(moved, domain=replace(moved.domain, letters=(*moved.domain.letters, new))),)
    return None


def _read_letters(one: Summand) -> set[Letter]:
    found = {letter for form in one.domain.zero for letter in form.letters}
    for inner, _ in one.factors:
        found |= inner.letters
    return found


def _floors(one: Summand, known: Known) -> Polynomial | None:
    """q with 0 <= f - s*q < s is floor(f/s): exactly one, and bounds of it are bounds of f."""
    read = _read_letters(one)
    for letter in one.domain.letters:
        if letter in read:
            continue
        having = [form for form in one.domain.at_least if form.coefficient(letter)]
        steep = [f for f in having if f.coefficient(letter) not in (_ONE, -_ONE)]
        low = next((f for f in steep if known.is_positive(-f.coefficient(letter))), None)
        if low is None:
            continue
        s = -low.coefficient(letter)
        high = Affine.of(s - 1) - low
        if high not in having:
            continue
        f = low.without(letter)
        bounds = []
        for form in having:
            if form in (low, high):
                continue
            rest = form.without(letter)
            if form.coefficient(letter) == _ONE:  # q >= -rest
                bounds.append(f + rest * s)
            elif form.coefficient(letter) == -_ONE:  # q <= rest
                bounds.append(rest * s + (s - 1) - f)
            else:
                break
        else:
            kept = [form for form in one.domain.at_least if form not in having]
            letters = tuple(l for l in one.domain.letters if l != letter)
            domain = Domain(letters, tuple(dict.fromkeys((*kept, *bounds))), one.domain.zero)
            return (replace(one, domain=domain),)
    return None


def _counted(one: Summand, known: Known) -> Polynomial | None:
    """A letter that nothing reads, between one lower and one upper bound: as many as there are."""
    read = _read_letters(one)
    for letter in one.domain.letters:
        if letter in read:
            continue
        having = [form for form in one.domain.at_least if form.coefficient(letter)]
        kept = tuple(form for form in one.domain.at_least if form not in having)
        if any(form.coefficient(letter) not in (_ONE, -_ONE) for form in having):
            continue
        around = known.extended(kept, one.domain.zero)
        low = _tightest([-form.without(letter) for form in having if form.coefficient(letter) == _ONE], 1, around)
        high = _tightest([form.without(letter) for form in having if form.coefficient(letter) == -_ONE], -1, around)
        if low is None or high is None:
            continue
        count = high - low + 1
        if not around.implies(count):
            kept = (*kept, count - 1)
        letters = tuple(l for l in one.domain.letters if l != letter)
        rest = replace(one, domain=Domain(letters, kept, one.domain.zero))
        return times((rest,), value_of(count, known.lower))
    return None


def _picked(one: Summand, known: Known) -> Polynomial | None:
    """sum(v) [id[t] == v] is 1 where id selects from an axis that v runs over."""
    for inner, exponent in one.factors:
        if inner.head != "zero" or exponent != 1:
            continue
        others = [a for a, _ in one.factors if a != inner]
        for letter in one.domain.letters:
            forms = [form for form in one.domain.constraints if form.coefficient(letter)]
            if any(letter in a.letters for a in others) or not (tensor := _selects(inner, letter)):
                continue
            for axis in known.picks.get(tensor, ()):
                if set(forms) == {Affine.of(letter), Affine.of(axis - 1) - letter}:
                    domain = Domain(
                        tuple(l for l in one.domain.letters if l != letter),
                        tuple(f for f in one.domain.at_least if f not in forms),
                        one.domain.zero,
                    )
                    return (summand(one.coefficient, [(a, e) for a, e in one.factors if a != inner], domain),)
    return None


def _selects(selector: Atom, letter: Letter) -> str:
    """The tensor id of a selector [id[t] == letter], "" for another selector."""
    terms = selector.parts[0]
    if len(terms) != 2 or terms[0].coefficient != -terms[1].coefficient:
        return ""
    plain = [one for one in terms if len(one.factors) == 1 and one.factors[0][1] == 1 and one.domain == Domain()]
    atoms = [one.factors[0][0] for one in plain]
    index = [a for a in atoms if a.head == "index" and a.indices[0] == Affine.of(letter)]
    read = [a for a in atoms if a.head == "read" and letter not in a.letters]
    return read[0].name if index and read else ""


def _tightest(bounds: list[Affine], sign: int, known: Known) -> Affine | None:
    """The greatest of lower bounds (the least of upper ones, for sign -1), where that can be told."""
    bounds = list(dict.fromkeys(bounds))
    for best in bounds:
        if all(other is best or known.implies((best - other) * sign) for other in bounds):
            return best
    return None

