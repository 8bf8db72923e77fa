"""Sums: a matrix product, an einsum, a masked sum, or a scatter.

A sum whose guards tie a free letter to the summed ones, `sum(i) [0 <= t-2*i < P] * w[t-2*i] * dy[i]`, is the adjoint
of a window. Solved for the free letter, `t = 2*i + p`, it is what people write:

    for p in range(P):
        dx[p : p + 2 * I : 2] += w[p] * dy

Only what is meant is multiplied, so it is exact for every value. Other guards become a mask of the product.
"""

from __future__ import annotations

__all__ = ["total"]

from collections.abc import Mapping, Sequence
from dataclasses import replace
from fractions import Fraction

from paperback.calculus.term import Term
from paperback.engines.emit.scatters import find_places, routed, scattered
from paperback.engines.emit.scope import Scope
from paperback.engines.emit.values import ATOM, PRODUCT, UNARY, Value
from paperback.notation.affine import Affine, Letter
from paperback.notation.expr import (
    AffineGuard,
    Binder,
    Const,
    Node,
    Pow,
    Reduce,
    bracket,
    mul,
)  # fmt: skip
from paperback.notation.size import Size
from paperback.notation.walk import guard_letters

Letters = tuple[Letter, ...]


def total(scope: Scope, node: Reduce) -> Value:
    """The value of a sum."""
    term = solved(scope, Term(node.binders, node.guards, ()).times(node.body))
    own = {b.letter for b in term.binders}
    outside = tuple(g for g in term.guards if own.isdisjoint(guard_letters(g)))
    inside = tuple(g for g in term.guards if g not in outside)
    if outside:
        with scope.within((), guarded=bool(inside)):  # what they read may be protected by those inside
            mask = scope.mask(outside)
        with scope.within((), guarded=True):
            return scope.select(mask, _open(scope, replace(term, guards=inside)))
    return _open(scope, term)


def solved(scope: Scope, term: Term) -> Term:
    """The term without equalities that only rename a bound letter."""
    for guard in term.guards:
        if isinstance(guard, AffineGuard) and guard.relation == "==":
            for binder in term.binders:
                slope = guard.affine.coefficient(binder.letter)
                if slope not in (Size.of(1), Size.of(-1)):
                    continue
                rest = guard.affine.without(binder.letter)
                value = -rest if slope == Size.of(1) else rest
                inner = [b for b in term.binders if b is not binder]
                if scope.box.with_binders(inner).is_in_range(value, binder.extent):
                    others = tuple(g for g in term.guards if g is not guard)
                    return solved(scope, replace(term, guards=others).substitute({binder.letter: value}))
    return term


def _open(scope: Scope, term: Term) -> Value:
    if not term.binders:
        return scope.value(mul(bracket(*term.guards), *term.factors))
    if term.guards:
        places, rest = find_places(scope, term)
        if places:
            return scattered(scope, places, rest, summed)
        value = routed(scope, term, summed)
        if value is not None:
            return value
    return summed(scope, term)


def summed(scope: Scope, term: Term) -> Value:
    """The sum over the term's letters of its product where its guards hold."""
    with scope.within(term.binders, guarded=bool(term.guards)):
        coefficient, factors = Fraction(1), []
        for factor in term.factors:
            if isinstance(factor, Const):
                coefficient *= factor.value
            else:
                factors.append(factor)
        if not term.guards:
            return _contraction(scope, term.binders, coefficient, factors)
        mask = scope.mask(term.guards)
        if scope.finite:
            masked = _masked(scope, term, factors, mask)
            if masked is not None:
                return _contracted(scope, term.binders, coefficient, masked)
        product = scope.select(mask, scope.value(mul(*factors)))
        return _contracted(scope, term.binders, coefficient, [product])


def _masked(scope: Scope, term: Term, factors: Sequence[Node], mask: Value) -> list[Value] | None:
    """The factors with the mask put into one of them: equal where the others are finite."""
    values = [scope.floats(scope.value(f)) for f in factors]
    hosts = [k for k, v in enumerate(values) if set(mask.letters) <= set(v.letters)]
    partial = [k for k, f in enumerate(factors) if not scope.box.is_total(f)]
    if any(k not in hosts for k in partial) or (not hosts and mask.plain):
        return None
    if not hosts:
        return [*values, Value(scope.dialect.cast(mask.at(ATOM), scope.like), mask.letters)]
    chosen = partial or [min(hosts, key=lambda k: len(values[k].letters))]
    return [scope.select(mask, v) if k in chosen else v for k, v in enumerate(values)]


def _contraction(scope: Scope, binders: Sequence[Binder], coefficient: Fraction, factors: Sequence[Node]) -> Value:
    """A sum of a product; reciprocals of what the sum does not touch divide its result."""
    own = {b.letter for b in binders}
    above: list[Value] = []
    below: list[Value] = []
    for factor in factors:
        if isinstance(factor, Pow) and factor.exponent == -1:
            base = scope.floats(scope.value(factor.base))
            if own.isdisjoint(base.letters):
                below.append(base)
            else:
                above.append(Value(f"1 / {base.at(UNARY)}", base.letters, PRODUCT))
        else:
            above.append(scope.floats(scope.value(factor)))
    result = _contracted(scope, binders, coefficient, above)
    return scope.multiplied(Fraction(1), [result], below) if below else result


def _contracted(scope: Scope, binders: Sequence[Binder], coefficient: Fraction, factors: list[Value]) -> Value:
    own = [b.letter for b in binders]
    arrays = [f for f in factors if f.letters]
    numbers = [f for f in factors if not f.letters]
    used = {l for f in arrays for l in f.letters}
    for letter in own:
        if letter not in used and scope.box.extents[letter] != Size.of(1):
            numbers.append(scope.affine(Affine.of(scope.box.extents[letter])))
    loose = [f for f in arrays if not set(f.letters) & set(own)]
    if len(loose) == len(arrays):
        loose = []
    arrays = [f for f in arrays if f not in loose]
    core = _einsum(scope, arrays, own) if arrays else None
    parts = [*numbers, *loose, *([core] if core is not None else [])]
    return scope.multiplied(coefficient, parts, [])


def _einsum(scope: Scope, arrays: list[Value], own: Sequence[Letter]) -> Value:
    letters = scope.sorted(l for f in arrays for l in f.letters if l not in own)
    if len(arrays) == 1:
        axes = [k for k, l in enumerate(arrays[0].letters) if l in own]
        if not axes:
            return arrays[0]
        kept = tuple(l for l in arrays[0].letters if l not in own)
        return Value(scope.dialect.reduced("sum", arrays[0].at(ATOM), axes), kept)
    bound = [l for l in own if any(l in f.letters for f in arrays)]
    if not bound:
        return scope.multiplied(Fraction(1), arrays, [])
    arrays = [scope.short("factor", f) for f in arrays]
    if len({f.letters for f in arrays}) == 1:
        return _einsum(scope, [scope.multiplied(Fraction(1), arrays, [])], own)
    if len(arrays) == 2 and len(bound) == 1:
        product = _matmul(arrays, bound[0], letters)
        if product is not None:
            return product
    signs = _signs((*(l for f in arrays for l in f.letters), *letters))
    spec = ",".join("".join(signs[l] for l in f.letters) for f in arrays)
    spec += "->" + "".join(signs[l] for l in letters)
    return Value(scope.dialect.einsum(spec, [f.text for f in arrays]), letters)


def _signs(letters: Sequence[Letter]) -> Mapping[Letter, str]:
    """One character a letter: its own where it can be."""
    found: dict[Letter, str] = {}
    for letter in letters:
        if letter not in found:
            names = [letter.name, letter.name[:1], *"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"]
            fits = (n for n in names if len(n) == 1 and n.isascii() and n.isalpha() and n not in found.values())
            found[letter] = next(fits)
    return found


def _matmul(arrays: Sequence[Value], bound: Letter, letters: Letters) -> Value | None:
    """`a @ b` where two factors share the summed letter alone and the axes come out in order."""
    for a, b in (arrays, arrays[::-1]):
        if set(a.letters) & set(b.letters) != {bound} or len(b.letters) > 2:
            continue
        left = a.letters if a.letters[-1] == bound else a.letters[::-1] if len(a.letters) == 2 else ()
        right = b.letters if b.letters[0] == bound else b.letters[::-1]
        if left and left[-1] == bound and (*left[:-1], *right[1:]) == letters:
            first = a.at(PRODUCT) if left == a.letters else f"{a.at(ATOM)}.T"
            second = b.at(UNARY) if right == b.letters else f"{b.at(ATOM)}.T"
            return Value(f"{first} @ {second}", letters, PRODUCT)
    return None
