"""Tangents: the differential of an expression as a sum of terms, each linear in one read.

    d Read(x, e)  = dx[e]                         the slot; [e == t] where the derivative by x[t] is wanted
    d (f*g)       = df*g + f*dg
    d f^n         = n*f^(n-1) * df
    d phi(f)      = phi'(f) * df                  table in `functions`
    d sum f       = sum df
    d max f       = sum [argmax f == here] * df   the argmax becomes a named statement
    d logsumexp f = sum exp(f - logsumexp f) * df

This one pass serves all: a JVP puts tangents into the slots, a derivative puts deltas there, a VJP transposes (see
`adjoint`). A sum that is opened gets fresh binders, so nothing is ever captured.
"""

from __future__ import annotations

__all__ = ["Differential", "LinearTerm", "Names"]

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from fractions import Fraction

from paperback.calculus.conventions import Conventions
from paperback.calculus.functions import partial_derivatives
from paperback.calculus.term import Term, substitute_guard
from paperback.notation.affine import Affine, Letter
from paperback.notation.expr import (
    Add,
    Binder,
    Bracket,
    Call,
    Compare,
    Guard,
    Index,
    Mul,
    Node,
    Pow,
    Read,
    Reduce,
    Statement,
    add,
    bracket,
    const,
    mul,
    power,
    scale,
)  # fmt: skip
from paperback.notation.walk import free_letters, fresh, guard_letters, reads, substitute


class Names:
    """Names that are not taken yet."""

    def __init__(self, taken: Iterable[str]) -> None:
        self.taken = set(taken)

    def fresh(self, wanted: str) -> str:
        name, number = wanted, 1
        while name in self.taken:
            number += 1
            name = f"{wanted}{number}"
        self.taken.add(name)
        return name


@dataclass(frozen=True)
class LinearTerm:
    """`term * d(slot)`: the coefficient of one read in the differential."""

    term: Term
    slot: Read

    def times(self, *factors: Node) -> LinearTerm:
        return LinearTerm(self.term.times(*factors), self.slot)

    def renewed(self) -> LinearTerm:
        """The same with new binders."""
        term, letters = self.term.renewed()
        slot = substitute(self.slot, letters)
        assert isinstance(slot, Read)
        return LinearTerm(term, slot)


_NOTHING = Term((), (), ())


class Differential:
    """The differential of one statement.

    `active` says of a tensor whether its reads are differentiated. `terms` is the result; `named` are the statements
    (argmaxes) that it refers to and that must be computed before it.
    """

    def __init__(
        self, statement: Statement, active: Callable[[str], bool], conventions: Conventions, names: Names
    ) -> None:
        self.statement, self.active, self.conventions, self.names = statement, active, conventions, names
        self.named: list[Statement] = []
        self._selectors: dict[tuple[Node, tuple[Guard, ...]], Statement] = {}
        self.terms = tuple(self._of(statement.expr, _Scope({b.letter: b for b in statement.binders}, ())))

    def _of(self, node: Node, scope: _Scope) -> list[LinearTerm]:
        if not any(self.active(read.tensor) for read in reads(node)):
            return []
        match node:
            case Read():
                return [LinearTerm(_NOTHING, node)] if self.active(node.tensor) else []
            case Add():
                return [d for term in node.terms for d in self._of(term, scope)]
            case Mul():
                return self._product(node, scope)
            case Pow():
                base, exponent = _rooted(node)
                factor = scale(exponent, power(base, exponent - 1))
                return [d.times(factor) for d in self._of(base, scope)]
            case Call():
                partials = partial_derivatives(node, self.conventions)
                pairs = zip(node.arguments, partials, strict=True)
                return [d.times(p) for argument, p in pairs if p != const(0) for d in self._of(argument, scope)]
            case Reduce():
                return self._reduction(node, scope)
        return []  # a bracket is piecewise constant

    def _product(self, node: Mul, scope: _Scope) -> list[LinearTerm]:
        found: list[LinearTerm] = []
        scope = scope.inside((), tuple(g for f in node.factors if isinstance(f, Bracket) for g in f.guards))
        for place, factor in enumerate(node.factors):
            others = node.factors[:place] + node.factors[place + 1 :]
            found += [d.times(*others) for d in self._of(factor, scope)]
        return found

    def _reduction(self, node: Reduce, scope: _Scope) -> list[LinearTerm]:
        if node.is_position:
            return []
        opened = fresh(node)
        assert isinstance(opened, Reduce)
        inner = self._of(opened.body, scope.inside(opened.binders, opened.guards))
        weight = self._weight(node, opened, scope)
        found: list[LinearTerm] = []
        for d in inner:
            term = Term(d.term.binders, tuple(dict.fromkeys((*opened.guards, *d.term.guards))), d.term.factors)
            linear = LinearTerm(term.over(opened.binders).times(weight), d.slot)
            found.append(linear.renewed() if found else linear)  # a letter is bound once: every term has its own
        return found

    def _weight(self, node: Reduce, opened: Reduce, scope: _Scope) -> Node:
        """What an element's differential is multiplied by in the differential of the reduction."""
        if node.op == "sum":
            return const(1)
        if node.op == "logsumexp":
            exponential: Node = Call("exp", (add(opened.body, scale(-1, node)),))
            return exponential
        if self.conventions.ties == "first":
            selector = self._selector(node, scope)
            letters = tuple(Affine.of(b.letter) for b in selector.binders)
            return bracket(Compare("==", Read(selector.target, letters, None), Index(_code(opened.binders))))
        chosen = bracket(Compare("==", opened.body, node))
        if self.conventions.ties == "all":
            return chosen
        again = fresh(node)
        assert isinstance(again, Reduce)
        count = Reduce("sum", again.binders, again.guards, bracket(Compare("==", again.body, node)))
        return mul(chosen, power(count, Fraction(-1)))

    def _selector(self, node: Reduce, scope: _Scope) -> Statement:
        """The statement `A[free letters] = argmax ...` that says which element a max took.

        The index guards under which the max stands go with it: where they are false its reads may be out of range.
        """
        key = (node, scope.guards)
        if key not in self._selectors:
            letters = dict.fromkeys((*free_letters(node), *(l for g in scope.guards for l in guard_letters(g))))
            own = [scope.binders[letter] for letter in letters]
            renamed = {b.letter: Affine.of(Letter.fresh(b.letter.name)) for b in own}
            copy = fresh(substitute(node, renamed))
            assert isinstance(copy, Reduce)
            binders = [Binder(renamed[b.letter].letters[0], b.extent) for b in own]
            name = self.names.fresh(f"{self.statement.target}_arg")
            guards = tuple(dict.fromkeys((*(substitute_guard(g, renamed) for g in scope.guards), *copy.guards)))
            code = Reduce("arg" + node.op, copy.binders, guards, copy.body)
            self.named.append(Statement.plain(name, binders, code))
            # the statement's own letters stand in the read, whatever the selector's letters are
            self._selectors[key] = Statement.plain(name, own, code)
        return self._selectors[key]


@dataclass(frozen=True)
class _Scope:
    """The binders around a node, and the index guards that hold there."""

    binders: dict[Letter, Binder]
    guards: tuple[Guard, ...]

    def inside(self, binders: Iterable[Binder], guards: tuple[Guard, ...]) -> _Scope:
        affine = (g for g in guards if not isinstance(g, Compare))
        held = tuple(dict.fromkeys((*self.guards, *affine)))
        return _Scope({**self.binders, **{b.letter: b for b in binders}}, held)


def _code(binders: tuple[Binder, ...]) -> Affine:
    """The row-major code of a position, in the order in which the letters are written."""
    code = Affine()
    for binder in binders:
        code = code * binder.extent + binder.letter
    return code


def _rooted(node: Pow) -> tuple[Node, Fraction]:
    """Base and exponent: 1/sqrt(x) is x^(-1/2), which has the shorter derivative."""
    inner = node.base
    if isinstance(inner, Pow) and (inner.exponent * node.exponent).denominator > 1:
        return inner.base, inner.exponent * node.exponent
    return inner, node.exponent
