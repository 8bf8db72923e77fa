"""Elimination of deltas for people: `sum(p) [t == s*i + p] * f(p)` becomes `[0 <= t-s*i < P] * f(t-s*i)`.

An equality guard that contains a bound letter with coefficient +-1 is solved for that letter (the pivot) and leaves
the guard that the letter was in range. No divisibility enters, and strides may be symbols. The pivot is chosen

    1. where the range guard is implied, so that nothing is left of the delta;
    2. else among the letters that the statement itself summed over (the kernel offset p before the position i).

Where no coefficient is +-1 the letter with the only, or the smallest, coefficient a leaves `[a | e]` and the index e/a,
provided that it is read bare. What cannot be solved stays as a delta, which is as true.
"""

from __future__ import annotations

__all__ = ["display", "eliminate", "range_guards", "solve_bare"]

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace

from paperback.calculus.guards import Box, simplify
from paperback.calculus.term import Term, terms_of, tidy_expression
from paperback.notation.affine import Affine, Letter
from paperback.notation.expr import (
    AffineGuard,
    Binder,
    Divides,
    Guard,
    Node,
    Quotient,
    Read,
    Reduce,
    Statement,
    bracket,
    mul,
)
from paperback.notation.size import Size
from paperback.notation.walk import children, free_letters, guard_letters, map_children

_ONE = Size.of(1)


def range_guards(affine: Affine, extent: Size) -> tuple[AffineGuard, AffineGuard]:
    """`0 <= affine < extent`."""
    return AffineGuard(">=", affine), AffineGuard(">=", Affine.of(extent - 1) - affine)


def solve_bare(term: Term, box: Box) -> Term:
    """Solve the deltas between two letters of equal extent, `[t == o]`: nothing is left of them."""
    for guard in term.guards:
        if not isinstance(guard, AffineGuard) or guard.relation != "==":
            continue
        for binder in term.binders:
            rest = _solve(guard.affine, binder.letter)
            if rest is not None and rest.bare is not None:
                extents = box.with_binders(term.binders).extents
                if extents.get(rest.bare) == binder.extent:
                    return solve_bare(_substitute(term, guard, binder, rest), box)
    return term


def eliminate(term: Term, box: Box) -> Term | None:
    """Solve every delta that can be solved and simplify the guards; None where the term vanishes."""
    current: Term | None = simplify(term, box)
    while current is not None:
        step = _best_pivot(current, box) or _quotient(current)
        if step is None:
            return current
        current = simplify(step, box)
    return None


def display(
    statement: Statement,
    named: Callable[[Node, Box], Node],
    lower: Mapping[str, int] | None = None,
    axes: Mapping[str, tuple[Size, ...]] | None = None,
) -> Statement:
    """A statement in delta form as people write it: deltas solved, guards simplified, common factors out.

    `named` rewrites sub-expressions into the names of known values (see `naming`); `axes` are those of the tensors.
    """
    box = Box(statement.binders, lower, axes)
    terms = []
    for term in terms_of(statement.expr):
        solved = eliminate(term, box)
        if solved is not None:
            product = named(mul(*solved.factors), box.with_binders(solved.binders))
            terms.append(Term(solved.binders, solved.guards, ()).times(product))
    return replace(statement, expr=named(tidy_expression(terms, box.is_total), box))


def _solve(affine: Affine, letter: Letter) -> Affine | None:
    """`affine == 0` solved for a letter of coefficient +-1."""
    coefficient = affine.coefficient(letter)
    if coefficient == _ONE:
        return -affine.without(letter)
    if coefficient == -_ONE:
        return affine.without(letter)
    return None


def _substitute(term: Term, guard: Guard, binder: Binder, value: Affine) -> Term:
    rest = replace(term, guards=tuple(g for g in term.guards if g is not guard))
    rest = rest.substitute({binder.letter: value})
    return replace(rest, guards=tuple(dict.fromkeys((*range_guards(value, binder.extent), *rest.guards))))


def _deltas(term: Term) -> Iterator[AffineGuard]:
    return (g for g in term.guards if isinstance(g, AffineGuard) and g.relation == "==")


def _best_pivot(term: Term, box: Box) -> Term | None:
    best: tuple[tuple[int, int], Term] | None = None
    inside = box.with_binders(term.binders)
    for guard in _deltas(term):
        for place, binder in enumerate(term.binders):
            value = _solve(guard.affine, binder.letter)
            if value is None:
                continue
            left = sum(not inside.implies(g) for g in range_guards(value, binder.extent))
            cost = (left, -place)  # the innermost binder is the statement's own
            if best is None or cost < best[0]:
                solved = _substitute(term, guard, binder, value)
                if all(_is_expressible(node, inside) for node in (bracket(*solved.guards), *solved.factors)):
                    best = cost, solved
    return best[1] if best else None


def _is_expressible(node: Node, box: Box) -> bool:
    """No padded read has become bare over another range than its axis: a bare read says that the ranges are equal."""
    if isinstance(node, Read) and node.pad is not None:
        bare = all(isinstance(index, Affine) and index.bare is not None for index in node.indices)
        if bare and not box.reads_whole(node):
            return False
    inside = box.with_binders(node.binders) if isinstance(node, Reduce) else box
    return all(_is_expressible(child, inside) for child in children(node))


def _quotient(term: Term) -> Term | None:
    """`[e == a*l]` with |a| > 1, l read bare: `[a | e]`, and e/a for l."""
    for guard in _deltas(term):
        candidates = [b for b in term.binders if guard.affine.coefficient(b.letter)]
        candidates.sort(key=lambda b: _magnitude(guard.affine.coefficient(b.letter)))
        for binder in candidates:
            a = guard.affine.coefficient(binder.letter)
            e = -guard.affine.without(binder.letter)
            if a.is_int and a.value < 0:
                a, e = -a, -e
            others = tuple(g for g in term.guards if g is not guard)
            if not a.is_positive() or any(binder.letter in guard_letters(g) for g in others):
                continue
            factors = [_read_quotient(f, binder.letter, Quotient(e, a)) for f in term.factors]
            if any(f is None for f in factors):
                continue
            guards = (Divides(a, e), *range_guards(e, a * (binder.extent - 1) + 1), *others)
            binders = tuple(b for b in term.binders if b is not binder)
            return Term(binders, guards, tuple(f for f in factors if f is not None))
    return None


def _magnitude(size: Size) -> int:
    return abs(size.value) if size.is_int else 1 << 30


def _read_quotient(node: Node, letter: Letter, value: Quotient) -> Node | None:
    """The node with bare reads at the letter replaced by reads at the quotient; None where it occurs otherwise."""

    def replaced(inner: Node) -> Node:
        inner = map_children(inner, replaced)
        if isinstance(inner, Read):
            indices = tuple(value if isinstance(i, Affine) and i.bare == letter else i for i in inner.indices)
            return Read(inner.tensor, indices, inner.pad)
        return inner

    if letter not in free_letters(node):
        return node
    result = replaced(node)
    return None if letter in free_letters(result) else result
