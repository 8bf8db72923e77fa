"""A term: `sum(binders) [guards] * product(factors)`, the shape in which derivatives are handled.

    Term(binders, guards, factors)      no nested sums at the top, every binder with a letter of its own

A sum of terms is an expression again through `expression`.
"""

from __future__ import annotations

__all__ = ["Term", "expression", "guard_letters", "terms_of"]

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from paperback.notation.affine import Affine, Letter
from paperback.notation.expr import Add, Binder, Bracket, Compare, Const, Guard, Mul, Node, Reduce, add, bracket, mul
from paperback.notation.walk import free_letters, map_guard, substitute


@dataclass(frozen=True)
class Term:
    """`sum(binders) [guards] * product(factors)`."""

    binders: tuple[Binder, ...]
    guards: tuple[Guard, ...]
    factors: tuple[Node, ...]

    def times(self, *factors: Node) -> Term:
        """The term with more factors; brackets become guards, products are opened."""
        guards, plain = list(self.guards), list(self.factors)
        for factor in factors:
            for part in factor.factors if isinstance(factor, Mul) else (factor,):
                if isinstance(part, Bracket):
                    guards.extend(part.guards)
                else:
                    plain.append(part)
        return Term(self.binders, tuple(dict.fromkeys(guards)), tuple(plain))

    def where(self, *guards: Guard) -> Term:
        return Term(self.binders, tuple(dict.fromkeys((*self.guards, *guards))), self.factors)

    def over(self, binders: Iterable[Binder]) -> Term:
        """The sum of the term over more binders, written outside its own."""
        return Term((*binders, *self.binders), self.guards, self.factors)

    def substitute(self, letters: Mapping[Letter, Affine]) -> Term:
        """Put affine forms for letters; binders that are replaced are dropped."""
        return Term(
            tuple(b for b in self.binders if b.letter not in letters),
            tuple(dict.fromkeys(substitute_guard(g, letters) for g in self.guards)),
            tuple(substitute(f, letters) for f in self.factors),
        )

    def node(self) -> Node:
        """The term as an expression: one sum, its guards in one bracket before its factors."""
        body = mul(bracket(*self.guards), *self.factors)
        return Reduce("sum", self.binders, (), body) if self.binders else body

    def hoisted(self) -> tuple[tuple[Node, ...], Node]:
        """(factors that no binder touches, the rest as a node): `S[j] * sum(i) dS[i]*S[i]`."""
        bound = {b.letter for b in self.binders}
        outside = tuple(f for f in self.factors if bound.isdisjoint(free_letters(f)))
        if not bound:
            return ((bracket(*self.guards),) if self.guards else ()) + outside, mul()
        outer = tuple(g for g in self.guards if bound.isdisjoint(guard_letters(g)))
        inner = Term(
            self.binders,
            tuple(g for g in self.guards if g not in outer),
            tuple(f for f in self.factors if f not in outside),
        )
        return ((bracket(*outer),) if outer else ()) + outside, inner.node()


def substitute_guard(guard: Guard, letters: Mapping[Letter, Affine]) -> Guard:
    return map_guard(guard, lambda node: substitute(node, letters), lambda affine: affine.substitute(letters))


def guard_letters(guard: Guard) -> tuple[Letter, ...]:
    """The free letters of a guard."""
    if isinstance(guard, Compare):
        return tuple(dict.fromkeys((*free_letters(guard.left), *free_letters(guard.right))))
    return guard.affine.letters


def terms_of(node: Node) -> list[Term]:
    """An expression as a sum of terms: its addends, their outermost sums opened. The inverse of `expression`."""
    found = []
    for addend in node.terms if isinstance(node, Add) else (node,):
        if isinstance(addend, Reduce) and addend.op == "sum":
            found.append(Term(addend.binders, addend.guards, ()).times(addend.body))
        else:
            found.append(Term((), (), ()).times(addend))
    return found


def expression(terms: Iterable[Term], *, tidy: bool = False) -> Node:
    """The sum of terms. `tidy` is for people: factors leave the sums they do not depend on, common factors come out."""
    terms = list(terms)
    if not tidy:
        return add(*(term.node() for term in terms))
    parts = [term.hoisted() for term in terms]
    common: list[Node] = []
    if len(parts) > 1:
        for factor in parts[0][0]:
            if not isinstance(factor, Const) and all(factor in outside for outside, _ in parts):
                common.append(factor)
    rest = []
    for outside, inner in parts:
        own = list(outside)
        for factor in common:
            own.remove(factor)
        rest.append(mul(*own, inner))
    return mul(*common, add(*rest))
