"""The kernel form: a statement as dense loop nests without tests.

An adjoint in delta form sums over everything and lets equality guards pick what is meant:

    dx[t] = sum(i,p) dy[i] * w[p] * [t == s*i + p]

Every guard `c*b + e == 0` is solved for one bound letter b, the one that leaves the fewest iterations (largest
extent * |c|). With |c| = 1 that is a substitution. With |c| = s > 1 the other letters are split into residue classes,
`t = s*t' + r`, `p = s*p' + q`, and the congruent combinations are kept: s *phases*, each a dense nest of stride 1

    dx[s*t' + r] = sum(p') dy[t' - p'] * w[s*p' + r]            (0 <= t' - p' < I)

stored at an affine left side. Blocks side by side (p < s, and s divides the length of t) stay one nest, whose place in
a block is a letter: dx[s*t' + p] = dy[t'] * w[p].

A range guard on one letter shortens its loop; a range guard that says what a read's own range says becomes that read's
padding by 0 (only where `shapes` tells the ranges, and equal only where the other factors are finite). What is left
stays a guard. The statement is the sum of the returned ones.
"""

from __future__ import annotations

__all__ = ["MAX_PHASES", "interval", "kernel_form"]

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from fractions import Fraction
from itertools import product

from paperback.calculus.nests import MAX_PHASES, Extents, Nest, divide_out, interval, make_read, solve, truth
from paperback.notation.affine import Affine, Letter
from paperback.notation.expr import (
    ZERO,
    Add,
    AffineGuard,
    Binder,
    Bracket,
    Compare,
    Const,
    Divides,
    Guard,
    Mul,
    Node,
    Pow,
    Read,
    Reduce,
    Size,
    Statement,
    add,
    bracket,
    mul,
)  # fmt: skip
from paperback.notation.walk import children, fresh, guard_letters, map_children, map_guard, nodes

Shapes = Mapping[str, Sequence[int]]


def kernel_form(statement: Statement, shapes: Shapes | None = None) -> tuple[Statement, ...]:
    """Partial statements whose sum is the statement; its sizes are numbers.

    A partial statement holds 0 wherever its left side does not reach, also where its letters end before the axes do.
    With `shapes` (tensor -> shape) range guards may become padded reads; without, the result is equal for non-finite
    values too.
    """
    extents = {b.letter: b.extent.value for b in statement.binders}
    terms = statement.expr.terms if isinstance(statement.expr, Add) else (statement.expr,)
    if statement.pad or not any(_is_split(term) for term in terms):
        expr = _inside(statement.expr, extents, shapes)
        return (statement if expr is statement.expr else replace(statement, expr=expr),)
    names: dict[tuple[Letter, int, int, int], Letter] = {}
    sums: dict[tuple[tuple[Affine, ...], tuple[Binder, ...]], list[Node]] = {}
    for term in terms:
        if not _is_split(term):
            sums.setdefault((statement.left, statement.binders), []).append(_inside(term, extents, shapes))
            continue
        for bound, guards, factors in _open(term):
            inner = {b.letter: b.extent.value for b in bound}
            nest = Nest({**extents, **inner}, statement.left, statement.letters, tuple(inner), guards, factors, names)
            for piece in solve(nest, MAX_PHASES):
                piece = _absorb(piece, shapes) if shapes is not None else piece
                sums.setdefault((piece.left, piece.binders(piece.places)), []).append(fresh(_close(piece, shapes)))
    if not sums:
        return (replace(statement, expr=ZERO),)
    return tuple(_partial(statement, left, binders, add(*parts)) for (left, binders), parts in sums.items())


def _partial(whole: Statement, left: tuple[Affine, ...], binders: tuple[Binder, ...], expr: Node) -> Statement:
    pad = whole.pad if (left, binders) == (whole.left, whole.binders) else Fraction(0)
    return Statement(whole.target, left, binders, expr, whole.axes, pad)


# ---------------------------------------------------------------------------------------------------------------------
# Terms


def _is_congruence(guard: Guard) -> bool:
    return isinstance(guard, Divides) or (isinstance(guard, AffineGuard) and guard.relation == "==")


def _has_congruence(node: Node) -> bool:
    """Is there an equality or divisibility guard that can be reached without distributing a product over a sum?"""
    match node:
        case Bracket():
            return any(_is_congruence(g) for g in node.guards)
        case Mul() if _is_product(node):
            return any(_is_congruence(g) for g in _brackets(node))
        case Mul() | Add():
            return any(_has_congruence(child) for child in children(node))
        case Reduce(op="sum"):
            return any(_is_congruence(g) for g in node.guards) or _has_congruence(node.body)
    return False


def _is_split(term: Node) -> bool:
    """Is this a term whose guards bear on the left side, so that it may become several statements?"""
    return _has_congruence(term) or any(not isinstance(g, Compare) for g in _brackets(term))


def _is_product(node: Mul) -> bool:
    """Has it more than one factor besides numbers and brackets? Those are not distributed over sums in the others.

    Infinities can tell: (2 - 1)*inf is inf and 2*inf - inf is NaN; an empty sum times inf is NaN, a sum of nothing 0.
    """
    return sum(not isinstance(factor, Bracket | Const) for factor in node.factors) > 1


def _factors(term: Node) -> tuple[Node, ...]:
    return term.factors if isinstance(term, Mul) else (term,)


def _brackets(term: Node) -> tuple[Guard, ...]:
    return tuple(g for f in _factors(term) if isinstance(f, Bracket) for g in f.guards)


_Opened = tuple[tuple[Binder, ...], tuple[Guard, ...], tuple[Node, ...]]


def _open(node: Node) -> list[_Opened]:
    """A term as sums of (binders, guards, factors): sums and brackets with congruences in them are opened."""
    match node:
        case Bracket():
            return [((), node.guards, ())]
        case Mul() if _is_product(node):
            return [((), _brackets(node), tuple(f for f in node.factors if not isinstance(f, Bracket)))]
        case Mul():
            parts = [_open(factor) for factor in node.factors]
            return [_join(choice) for choice in product(*parts)]
        case Add() if _has_congruence(node):
            return [opened for term in node.terms for opened in _open(term)]
        case Reduce(op="sum") if _has_congruence(node):
            new = fresh(node)
            assert isinstance(new, Reduce)
            return [((*new.binders, *b), (*new.guards, *g), f) for b, g, f in _open(new.body)]
    return [((), (), (node,))]


def _join(parts: Sequence[_Opened]) -> _Opened:
    binders = tuple(b for part in parts for b in part[0])
    guards = tuple(g for part in parts for g in part[1])
    return binders, guards, tuple(f for part in parts for f in part[2])


def _close(nest: Nest, shapes: Shapes | None) -> Node:
    """The term of a nest; guards without bound letters stand outside its sum."""
    inside = tuple(g for g in nest.guards if not set(nest.bound).isdisjoint(guard_letters(g)))
    outside = tuple(g for g in nest.guards if g not in inside)
    factors = _inside(mul(*map(divide_out, nest.factors)), nest.extents, shapes)
    if not nest.bound:
        return mul(factors, bracket(*nest.guards))
    body: Node = Reduce("sum", nest.binders(nest.bound), inside, factors)
    return mul(bracket(*outside), body)


def _inside(node: Node, extents: Extents, shapes: Shapes | None) -> Node:
    """Sums further in: their equality guards are solved where a substitution does it; implied guards are dropped."""
    if not any(isinstance(n, Reduce) and (n.guards or _brackets(n.body)) for n in nodes(node)):
        return node
    if isinstance(node, Reduce):
        inner = {**extents, **{b.letter: b.extent.value for b in node.binders}}
        if node.op == "sum":
            bound = tuple(b.letter for b in node.binders)
            rest = tuple(f for f in _factors(node.body) if not isinstance(f, Bracket))
            nest = Nest(inner, (), (), bound, (*node.guards, *_brackets(node.body)), rest, {})
            pieces = solve(nest, 1)
            return add(*(_close(_absorb(p, shapes) if shapes is not None else p, shapes) for p in pieces))
        guards = tuple(g for g in node.guards if not (isinstance(g, AffineGuard) and truth(g, inner)))
        result: Node = Reduce(node.op, node.binders, guards, _inside(node.body, inner, None))
        return result
    if isinstance(node, Mul):
        return mul(*(_as_factor(f, _inside(f, extents, shapes)) for f in node.factors))
    if not isinstance(node, Add | Pow):
        shapes = None  # a function, a maximum or a comparison can hide a NaN: the guards stay exact in it
    return map_children(node, lambda child: _inside(child, extents, shapes))


def _as_factor(old: Node, new: Node) -> Node:
    """What a sum became, as a factor: 0 times inf is NaN where the sum is empty, which a bracket would win over."""
    if isinstance(old, Reduce) and (new is ZERO or _brackets(new)):
        kept: Node = Reduce("sum", (Binder(Letter.fresh("u"), Size.of(1)),), (), new)
        return kept
    return new


# ---------------------------------------------------------------------------------------------------------------------
# Range guards that are a read's own range


def _absorb(nest: Nest, shapes: Shapes | None) -> Nest:
    """Guards that say "this index of this factor is in range" become that factor's padding by 0.

    Every other read that may now leave its range must be a factor or the side of a data guard: it is padded too.
    """
    assert shapes is not None
    extents = dict(nest.extents)
    for part in (*nest.factors, Bracket(nest.guards)):
        extents.update((b.letter, b.extent.value) for n in nodes(part) if isinstance(n, Reduce) for b in n.binders)
    ranges = {r for f in nest.factors if isinstance(f, Read) for r in _range_guards(f, shapes)}
    taken = [g for g in nest.guards if g in ranges]
    if not taken:
        return nest
    direct = {f for f in nest.factors if isinstance(f, Read)}
    sides = {s for g in nest.guards if isinstance(g, Compare) for s in (g.left, g.right) if isinstance(s, Read)}
    pads: dict[Node, Node] = {}
    for part in (*nest.factors, Bracket(nest.guards)):
        for read in nodes(part):
            if isinstance(read, Read) and read.pad is None and _may_leave(read, shapes, extents):
                if read not in direct | sides or not all(isinstance(i, Affine) for i in read.indices):
                    return nest
                pads[read] = make_read(read.tensor, read.indices, Fraction(0))
    factors = tuple(pads.get(f, f) for f in nest.factors)
    guards = tuple(map_guard(g, lambda side: pads.get(side, side)) for g in nest.guards if g not in taken)
    return replace(nest, factors=factors, guards=guards)


def _range_guards(read: Read, shapes: Shapes) -> Iterator[AffineGuard]:
    if read.tensor in shapes and read.pad in (None, 0) and all(isinstance(i, Affine) for i in read.indices):
        for index, extent in zip(read.indices, shapes[read.tensor], strict=True):
            if isinstance(index, Affine) and index.terms:
                yield AffineGuard(">=", index)
                yield AffineGuard(">=", Affine.of(extent - 1) - index)


def _may_leave(read: Read, shapes: Shapes, extents: Extents) -> bool:
    if read.tensor not in shapes:
        return True
    for index, extent in zip(read.indices, shapes[read.tensor], strict=True):
        if isinstance(index, Affine):
            low, high = interval(index, extents)
            if low < 0 or high >= extent:
                return True
    return False
