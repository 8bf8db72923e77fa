"""Elaboration: one statement of syntax -> a statement of the tree, with holes for extents.

Names on the left that are no sizes become letters, in order of appearance; expressions are read by `values`.
"""

from __future__ import annotations

__all__ = ["Draft", "Elaborator"]

from collections.abc import Sequence
from dataclasses import dataclass
from difflib import get_close_matches

from paperback.notation.expr import (
    ONE,
    Affine,
    Binder,
    Letter,
    Node,
    Read,
    Size,
    Statement,
)
from paperback.notation.expressions import UnreadableError
from paperback.notation.syntax import (
    BoundClause,
    NameSyntax,
    PadsClause,
    ProductSyntax,
    StatementSyntax,
    SumSyntax,
    Syntax,
)
from paperback.notation.values import Span, ValueReader, hole


@dataclass
class Draft:
    """A statement whose extents are holes, with the extents that were written and where things stand."""

    statement: Statement
    fixed: dict[Letter, Size]
    spans: dict[Letter | Read, Span]
    syntax: StatementSyntax


class Elaborator(ValueReader):
    """Elaborates the statements of one formula in order."""

    def statement(self, syntax: StatementSyntax) -> Draft | None:
        """The draft of a statement, or None where it has problems (which are collected)."""
        before = len(self.problems)
        self.open(syntax)
        self.check_target(syntax)
        left = self.left_side(syntax)
        if len(self.problems) > before:
            self.fails(syntax.target, ONE)
            return None
        letters = tuple(self.scope.letters.values())
        value = self.value(syntax.value)
        self.check_clauses(syntax)
        if len(self.problems) > before:
            self.fails(syntax.target, value)
            return None
        self.computed[syntax.target] = value
        binders = tuple(Binder(letter, hole(letter)) for letter in letters)
        statement = Statement(syntax.target, left, binders, value, (), self.pads.get(syntax.target))
        return Draft(statement, self.fixed, self.spans, syntax)

    def fails(self, target: str, value: Node) -> None:
        """A statement that has problems still computes its target: what reads it is not blamed for that."""
        self.computed.setdefault(target, value)
        self.failed.add(target)

    def check_target(self, syntax: StatementSyntax) -> None:
        start, end = syntax.name_span
        kind = self.names.kind(syntax.target)
        if syntax.target in self.computed:
            self.complain(f"{syntax.target} is computed twice", start, end, "a name is assigned once; use another name")
        elif syntax.target in self.ranks and not self.updates:
            message = f"{syntax.target} is read above, and computed only here"
            self.complain(message, start, end, "put this statement first")
        elif kind in ("size", "scalar", "function"):
            self.complain(f"{syntax.target} is a {kind} and cannot be computed", start, end, "choose another name")

    def left_side(self, syntax: StatementSyntax) -> tuple[Affine, ...]:
        """The left indices; names on the left that are no sizes become letters, in order of appearance."""
        left = []
        for index in syntax.left:
            try:
                left.append(self.left_index(index))
            except UnreadableError as error:
                self.fail(error)
        return tuple(left)

    def left_index(self, index: Syntax) -> Affine:
        for name in _names(index):
            if name.name in self.scope.letters:
                message = f"the left index {name.name} appears twice"
                hint = "use two indices and a bracket: D[i,j] = [i == j] * x[i]"
                raise UnreadableError(message, name.start, name.end, hint)
            if name.name not in self.names.sizes:
                self.bind(name.name, name.start, name.end)
        affine = self.scope.affine(index)
        if affine.is_size:
            what = f"{affine.const} is a size" if affine.const.names else f"{affine.const} is a number"
            hint = f"a left index runs over an axis: {self.target}[i]"
            raise UnreadableError(f"{what}, not a left index", index.start, index.end, hint)
        return affine

    def check_clauses(self, syntax: StatementSyntax) -> None:
        for clause in syntax.clauses:
            if isinstance(clause, BoundClause) and clause.name not in self.bound_names:
                near = get_close_matches(clause.name, self.bound_names, 1)
                hint = f"did you mean {near[0]}?" if near else ""
                self.complain(f"this statement has no index {clause.name}", clause.start, clause.end, hint)
            if isinstance(clause, PadsClause) and clause.name not in (*self.ranks, *self.targets):
                near = get_close_matches(clause.name, [*self.ranks, *self.targets], 1)
                hint = f"did you mean {near[0]}?" if near else ""
                self.complain(f"this formula reads no tensor {clause.name}", clause.start, clause.end, hint)


def _names(syntax: Syntax) -> Sequence[NameSyntax]:
    """The names in an affine left index, in order."""
    match syntax:
        case NameSyntax():
            return [syntax]
        case SumSyntax():
            return [name for _, term in syntax.terms for name in _names(term)]
        case ProductSyntax():
            return [name for _, factor in syntax.factors for name in _names(factor)]
    return []
