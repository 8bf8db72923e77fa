"""The parser: plain text -> syntax tree.

    program    = statement { sep statement }
    statement  = target "=" expr [ "where" clause { "," clause } ]
    clause     = NAME "<" size | NAME "pads" number | NAME "int" | NAME "scalar" | NAME ":" axes | size "=" size
               | NAME "function" | NAME "increasing" | NAME "size"

Expressions are in `expressions`. After an error the parser goes on with the next statement, so that all errors are
reported at once. `NAME size` declares a size that no axis names.
"""

from __future__ import annotations

__all__ = ["Parsed", "Parser", "parse", "parse_expression"]

from dataclasses import dataclass
from difflib import get_close_matches
from fractions import Fraction

from paperback.errors import Problem
from paperback.notation.expressions import KINDS, ExpressionParser, UnreadableError
from paperback.notation.syntax import (
    AxesClause,
    BoundClause,
    Clause,
    EquationClause,
    KindClause,
    NameSyntax,
    PadsClause,
    StatementSyntax,
    Syntax,
)  # fmt: skip
from paperback.notation.tokens import Token, tokenize
from paperback.notation.words import KEYWORDS, RESERVED, ROUNDINGS


@dataclass(frozen=True)
class Parsed:
    """Statements, what is wrong, and what deserves a warning."""

    statements: tuple[StatementSyntax, ...]
    problems: tuple[Problem, ...]
    warnings: tuple[str, ...]


def parse(source: str) -> Parsed:
    """The statements of a text."""
    tokens, problems = tokenize(source)
    if problems:
        return Parsed((), tuple(problems), ())
    parser = Parser(source, tokens)
    statements = parser.program()
    return Parsed(tuple(statements), tuple(parser.problems), tuple(parser.warnings))


def parse_expression(source: str) -> Syntax:
    """One expression (a size, say) and nothing else; UnreadableError otherwise."""
    tokens, problems = tokenize(source)
    if problems:
        raise UnreadableError(problems[0].message, problems[0].start, problems[0].end, problems[0].hint)
    parser = Parser(source, tokens)
    found = parser.expr()
    if parser.here.kind != "end":
        raise parser.wrong(f"{source.strip()!r} is no size")
    return found


_CLAUSES = "clauses are: i < n, x: H W, x pads 0, x int, t scalar, phi function, H = 2*P"


class Parser(ExpressionParser):
    """Statements and clauses; the tokens may come from any spelling of the notation."""

    def program(self) -> list[StatementSyntax]:
        statements = []
        while self.here.kind != "end":
            if self.here.kind == "sep":
                self.take()
                continue
            try:
                statements.append(self.statement())
                if self.here.kind not in ("sep", "end"):
                    raise self.unexpected()
            except UnreadableError as error:
                self.problems.append(error.problem)
                self.depth = 0
                while self.here.kind not in ("sep", "end"):
                    self.take()
        if not statements and not self.problems:
            self.problems.append(Problem("the formula is empty", hint='write for example "y[i] = x[i]^2"'))
        return statements

    def statement(self) -> StatementSyntax:
        first = self.here
        if first.kind == "op":
            raise self.wrong(
                f"a statement begins with the name of what it computes, found {first.text}",
                "to go on over the end of a line, end the line with the operator" if first.text in "+-*/" else "",
            )
        target = self.name("the name of what is computed")
        left = self.indices("a left index") if self.at("[") else ()
        if self.here.text in ("+", "-", "*", "/") and self.next.text == "=":
            raise self.wrong(f"{self.here.text}= is not an assignment here", "write every tensor once, with =")
        if self.at("=="):
            raise self.wrong("== compares; a statement has =", "write =")
        self.expect("=", f"after {self.source[target.start : self.last_end]}")
        value = self.expr()
        clauses: list[Clause] = []
        if self.at("where"):
            self.take()
            clauses.append(self.clause())
            while self.at(","):
                self.take()
                clauses.append(self.clause())
        return StatementSyntax(target.start, self.last_end, target.text, tuple(left), value, tuple(clauses), target.end)

    def clause(self) -> Clause:
        start, following = self.here, self.next
        if start.kind == "name" and start.text not in RESERVED:
            if following.text == "<":
                self.place += 2
                extent = self.expr()
                return BoundClause(start.start, self.last_end, start.text, extent)
            if following.text == "pads":
                self.place += 2
                value = self.pad_value()
                return PadsClause(start.start, self.last_end, start.text, value)
            if following.kind == "name" and following.text in KINDS:
                self.place += 2
                return KindClause(start.start, self.last_end, start.text, following.text)
            if following.kind == "name":
                raise self.unknown_clause(following)
            if following.text == ":":
                self.place += 2
                axes = tuple(self.axes(start))
                return AxesClause(start.start, self.last_end, start.text, axes)
        left = self.expr()
        if self.at("<=", ">", ">=", "<"):
            index = next((t.text for t in self.tokens[self.place + 1 :] if t.kind == "name"), "i")
            raise self.wrong("a where clause bounds an index by one <", f"write `{index} < n`: extents start at 0")
        if not self.at("="):
            raise self.unknown_clause(self.here)
        self.take()
        right = self.expr()
        return EquationClause(start.start, self.last_end, left, right)

    def unknown_clause(self, token: Token) -> UnreadableError:
        near = get_close_matches(token.text, [*KINDS, "pads"], 1) if token.kind == "name" else []
        hint = f"did you mean {near[0]}?" if near else _CLAUSES
        kind = next((t.text for t in self.tokens[self.place :] if t.text in KINDS), "")
        if token.text == "," and kind:
            hint = f"each name has a clause of its own: {self.tokens[self.place - 1].text} {kind}, ..."
        found = "the text ends" if token.kind == "end" else f"found {token.text.strip() or 'a new statement'}"
        return self.wrong(f"this where clause is not complete: {found}", hint, token)

    def axes(self, start: Token) -> list[Syntax]:
        found: list[Syntax] = []
        if self.at("(") and self.next.text == ")":
            self.place += 2
            return found
        while self.here.kind in ("name", "number") or self.at("("):
            if self.here.text in KEYWORDS:
                break
            if self.here.kind == "name" and self.here.text not in ROUNDINGS:
                axis = self.name("an axis")  # `H (2*M)` is two axes, not a call
                found.append(NameSyntax(axis.start, axis.end, axis.text))
            else:
                found.append(self.primary())
        if not found:
            raise self.wrong(f"the axes of {start.text} are missing, {self.found}", f"write `{start.text}: H W`")
        if self.at("+", "-", "*"):
            raise self.wrong(f"the axes of {start.text} are sizes side by side, {self.found}", "write (2*H), (H+1)")
        return found

    def pad_value(self) -> Fraction | float:
        sign = -1 if self.at("-") else 1
        if sign < 0:
            self.take()
        if self.at("inf"):
            self.take()
            return sign * float("inf")
        if self.here.kind != "number":
            raise self.wrong(f"pads needs a number or inf, {self.found}")
        value = Fraction(self.take().text)
        if self.at("/"):
            self.take()
            value /= self.integer("a pad's denominator") or 1
        return sign * value
