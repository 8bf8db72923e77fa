"""The chain rule carried out: the Jacobian of a block as one sum of terms, whatever statements lie in between.

    z[i] = ..., y[o] = f(z)        dy_dx[o,t] = sum(i) df/dz[i] * [i == place] * dz_dx[i,t]

A derivative of an earlier statement is put in where it is read, its letters bound anew and met by deltas, and the
deltas are solved as for people. So each term says by its guards where it is not zero.
"""

from __future__ import annotations

__all__ = ["Jacobian", "Kinks", "jacobian_terms"]

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TypeAlias

from paperback.calculus.adjoint import delta, fresh_letters
from paperback.calculus.conventions import DEFAULT, Conventions
from paperback.calculus.derive import depending, names_in
from paperback.calculus.diff import Differential, LinearTerm
from paperback.calculus.display import eliminate
from paperback.calculus.guards import Box
from paperback.calculus.term import Term
from paperback.notation.block import Block
from paperback.notation.expr import Binder, Statement

Kinks: TypeAlias = Conventions | Mapping[str, Conventions]  # for all statements, or by target

_MOST = 100


@dataclass(frozen=True)
class Jacobian:
    """`d result / d wrt` as a sum of terms, over the letters of the result's statement and those of `columns`.

    The chain rule is carried out: no term reads a derivative of an earlier statement. `selectors` are the argmaxes
    that terms refer to.
    """

    result: Statement
    columns: tuple[Binder, ...]
    terms: tuple[Term, ...]
    selectors: tuple[Statement, ...]


def jacobian_terms(block: Block, wrt: str, conventions: Kinks = DEFAULT) -> Jacobian | None:
    """The Jacobian of the result by one input, its statements put into one another and all deltas solved.

    None where it has more than a hundred terms: who would read them?
    """
    names = names_in(block)
    axes = block.inputs[wrt].axes
    active = depending(block.statements, (wrt,))
    columns = fresh_letters(axes, names.taken)
    selectors: list[Statement] = []
    found: dict[str, tuple[Statement, list[Term]]] = {}
    for statement in block.statements:
        terms: list[Term] = []
        if statement.target in active:
            rules = conventions if isinstance(conventions, Conventions) else conventions.get(statement.target, DEFAULT)
            d = Differential(statement, active.__contains__, rules, names)
            selectors += d.named
            for linear in d.terms:
                if linear.slot.tensor == wrt:
                    terms.append(linear.term.where(*delta(linear.slot, columns)))
                else:
                    inner, theirs = found[linear.slot.tensor]
                    terms += [_chained(linear.renewed(), inner, term) for term in theirs]
        if len(terms) > _MOST:
            return None
        box = Box((*statement.binders, *columns), block.lower)
        solved = (eliminate(term, box) for term in terms)
        found[statement.target] = statement, [term for term in solved if term is not None]
    return Jacobian(block.result, columns, tuple(found[block.result.target][1]), tuple(selectors))


def _chained(outer: LinearTerm, statement: Statement, inner: Term) -> Term:
    """`outer` with the derivative of its slot, one term of that of the statement, in its place."""
    term, letters = inner.over(statement.binders).renewed()
    where = (affine.substitute(letters) for affine in statement.left)
    meets = delta(outer.slot, tuple(where))
    return Term((*outer.term.binders, *term.binders), (*outer.term.guards, *meets, *term.guards), ()).times(
        *outer.term.factors, *term.factors
    )
