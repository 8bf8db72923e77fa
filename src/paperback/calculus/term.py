"""A term: `sum(binders) [guards] * product(factors)`, the shape in which derivatives are handled.

    Term(binders, guards, factors)      no nested sums at the top, every binder with a letter of its own

A sum of terms is an expression again through `expression`.
"""

from __future__ import annotations

__all__ = ["Term", "expression", "substitute_guard", "terms_of", "tidy_expression"]

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from paperback.notation.affine import Affine, Letter
from paperback.notation.expr import (
    ONE,
    Add,
    Binder,
    Bracket,
    Compare,
    Const,
    Guard,
    Mul,
    Node,
    Reduce,
    add,
    bracket,
    mul,
)
from paperback.notation.walk import free_letters, guard_letters, map_guard, substitute


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

    def renewed(self) -> tuple[Term, dict[Letter, Affine]]:
        """The term with new binders, and what became of the old ones."""
        letters = {b.letter: Affine.of(Letter.fresh(b.letter.name)) for b in self.binders}
        moved = Term((), self.guards, self.factors).substitute(letters)
        binders = tuple(Binder(letters[b.letter].letters[0], b.extent) for b in self.binders)
        return Term(binders, moved.guards, moved.factors), letters

    def hoisted(self, is_safe: Callable[[Node, tuple[Guard, ...]], bool]) -> Hoisted:
        """The term with everything outside its sum that no binder touches: `S[j] * sum(i) dS[i]*S[i]`.

        A factor leaves guards that stay inside only where it is safe under those outside: brackets win over what they
        multiply.
        """
        bound = {b.letter for b in self.binders}
        if not bound:
            return Hoisted(self.guards, self.factors, ONE)
        outer = tuple(g for g in self.guards if bound.isdisjoint(guard_letters(g)))
        if any(bound.intersection(guard_letters(g)) for g in self.guards):  # a comparison of data may need what stays
            outer = tuple(g for g in outer if not isinstance(g, Compare) or is_safe(bracket(g), ()))
        inner = tuple(g for g in self.guards if g not in outer)
        free = [f for f in self.factors if bound.isdisjoint(free_letters(f)) and (not inner or is_safe(f, outer))]
        rest = list(self.factors)
        for factor in free:
            rest.remove(factor)
        return Hoisted(outer, tuple(free), Term(self.binders, inner, tuple(rest)).node())


@dataclass(frozen=True)
class Hoisted:
    """`[guards] * product(factors) * inner`; inner is a sum, or 1."""

    guards: tuple[Guard, ...]
    factors: tuple[Node, ...]
    inner: Node


def substitute_guard(guard: Guard, letters: Mapping[Letter, Affine]) -> Guard:
    return map_guard(guard, lambda node: substitute(node, letters), lambda affine: affine.substitute(letters))


def terms_of(node: Node) -> list[Term]:
    """An expression as a sum of terms: its addends, their outermost sums opened. The inverse of `expression`."""
    found = []
    for addend in node.terms if isinstance(node, Add) else (node,):
        if isinstance(addend, Reduce) and addend.op == "sum":
            found.append(Term(addend.binders, addend.guards, ()).times(addend.body))
        else:
            found.append(Term((), (), ()).times(addend))
    return found


def expression(terms: Iterable[Term]) -> Node:
    """The sum of terms."""
    return add(*(term.node() for term in terms))


def tidy_expression(terms: Iterable[Term], is_total: Callable[[Node], bool]) -> Node:
    """The sum of terms for people: factors leave the sums they do not depend on, common guards and factors come out.

    A factor may leave a bracket where it is total, or where the sum evaluates it anyway: another term has it under no
    more guards than those that stay around it.
    """
    terms = list(terms)
    first = [term.hoisted(lambda factor, outer: is_total(factor)) for term in terms]

    def is_safe(factor: Node, outer: tuple[Guard, ...]) -> bool:
        return is_total(factor) or any(factor in p.factors and set(p.guards) <= set(outer) for p in first)

    parts = [term.hoisted(is_safe) for term in terms]
    if len(parts) < 2:
        return add(*(mul(bracket(*part.guards), *part.factors, part.inner) for part in parts))
    guards = tuple(g for g in parts[0].guards if all(g in part.guards for part in parts))
    common: list[Node] = []
    remaining = [list(part.factors) for part in parts]
    for factor in parts[0].factors:
        everywhere = all(factor in factors for factors in remaining) and not isinstance(factor, Const)
        if everywhere and is_safe(factor, guards):
            common.append(factor)
            for factors in remaining:
                factors.remove(factor)
    if not common:
        guards = ()
    rest = (
        mul(bracket(*(g for g in part.guards if g not in guards)), *factors, part.inner)
        for part, factors in zip(parts, remaining, strict=True)
    )
    return mul(bracket(*guards), *common, add(*rest))
