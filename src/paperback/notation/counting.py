r"""Where indices begin: syntax whose indices count from 1, or from any number, as the syntax that counts from 0.

    base 1:    y_i = sum(p) x_{i+p} w_p      y[i] = sum(p) x[(i+1)+(p+1)-1]*w[p]
    any base:  \sum_{k=2}^{K} f(k)           sum(k < K+1-2) f(k+2)

A letter that begins at a stands for itself plus a; every index of a tensor is lowered by the base. Tensors of positions
(labels, ids, an argmax) count from 0 whatever the base, as all that is handed over does: as a value it is one more.
"""

from __future__ import annotations

__all__ = ["counted_from_zero"]

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, replace
from fractions import Fraction

from paperback.notation.syntax import (
    BinderSyntax,
    BoundClause,
    BracketSyntax,
    Chain,
    Clause,
    Condition,
    Divisibility,
    NameSyntax,
    NumberSyntax,
    ReadSyntax,
    ReductionSyntax,
    StatementSyntax,
    SumSyntax,
    Syntax,
    map_parts,
    parts,
)


def counted_from_zero(
    statements: Collection[StatementSyntax], base: int, sizes: Collection[str], integers: Collection[str]
) -> tuple[StatementSyntax, ...]:
    """The statements with all indices from 0 on. `sizes` are names that are no letters; `integers` hold positions."""
    if not base and not any(binder.least for s in statements for binder in _binders(s.value)):
        return tuple(statements)
    positions = {*integers, *(s.target for s in statements if _is_position(s.value))}
    return tuple(_Counting(base, sizes, positions).statement(statement) for statement in statements)


def _binders(node: Syntax) -> Iterator[BinderSyntax]:
    if isinstance(node, ReductionSyntax):
        yield from node.binders
    for part in parts(node):
        yield from _binders(part)


def _is_position(node: Syntax) -> bool:
    return isinstance(node, ReductionSyntax) and node.op in ("argmax", "argmin")


def _moved(node: Syntax, by: Syntax | int, sign: str = "+") -> Syntax:
    """`node + by`, at the place of node."""
    if by == 0:
        return node
    step = NumberSyntax(node.start, node.end, Fraction(by)) if isinstance(by, int) else by
    return SumSyntax(node.start, node.end, (("+", node), (sign, step)))


@dataclass(frozen=True)
class _Counting:
    base: int
    sizes: Collection[str]
    positions: Collection[str]

    def statement(self, statement: StatementSyntax) -> StatementSyntax:
        letters = {name: self.base for index in statement.left for name in _names(index) if name not in self.sizes}
        left = tuple(self.index(index, letters) for index in statement.left)
        clauses = tuple(self.clause(clause) for clause in statement.clauses)
        value = self.value(statement.value, letters)
        if self.base and _is_position(statement.value):
            assert isinstance(value, SumSyntax)
            value = value.terms[0][1]
        return replace(statement, left=left, value=value, clauses=clauses)

    def clause(self, clause: Clause) -> Clause:
        if not isinstance(clause, BoundClause):
            return clause
        return replace(clause, extent=_moved(clause.extent, self.base, "-"))

    def index(self, index: Syntax, letters: Mapping[str, Syntax | int]) -> Syntax:
        """An index of a tensor; a position is one as it is."""
        if isinstance(index, ReadSyntax):
            return self.read(index, letters)
        if isinstance(index, NameSyntax) and index.name in self.positions:
            return index
        return _moved(self.value(index, letters), self.base, "-")

    def read(self, node: ReadSyntax, letters: Mapping[str, Syntax | int]) -> Syntax:
        return replace(node, indices=tuple(self.index(index, letters) for index in node.indices))

    def value(self, node: Syntax, letters: Mapping[str, Syntax | int]) -> Syntax:
        match node:
            case NameSyntax() if node.name in letters:
                return _moved(node, letters[node.name])
            case NameSyntax() if node.name in self.positions:
                return _moved(node, self.base)
            case ReadSyntax():
                return _moved(self.read(node, letters), self.base if node.tensor in self.positions else 0)
            case ReductionSyntax():
                return _moved(self.reduction(node, letters), self.base if _is_position(node) else 0)
            case BracketSyntax():
                return replace(node, condition=self.condition(node.condition, letters))
        return map_parts(node, lambda part: self.value(part, letters))

    def reduction(self, node: ReductionSyntax, letters: Mapping[str, Syntax | int]) -> ReductionSyntax:
        inner = dict(letters)
        binders = []
        for binder in node.binders:
            least = self.base if binder.least is None else binder.least
            inner[binder.name] = least
            extent = None if binder.extent is None else _moved(binder.extent, least, "-")
            binders.append(replace(binder, extent=extent, least=None))
        condition = self.condition(node.condition, inner)
        return replace(node, binders=tuple(binders), condition=condition, body=self.value(node.body, inner))

    def condition(self, condition: Condition, letters: Mapping[str, Syntax | int]) -> Condition:
        return tuple(self.atom(atom, letters) for atom in condition)

    def atom(self, atom: Chain | Divisibility, letters: Mapping[str, Syntax | int]) -> Chain | Divisibility:
        """Beside a position the others are lowered, rather than the position raised."""
        if isinstance(atom, Divisibility):
            return replace(atom, index=self.value(atom.index, letters))
        lowered = self.base and any(self.reads_position(part) for part in atom.parts)
        image = self.index if lowered else self.value
        return replace(atom, parts=tuple(image(part, letters) for part in atom.parts))

    def reads_position(self, node: Syntax) -> bool:
        name = node.tensor if isinstance(node, ReadSyntax) else node.name if isinstance(node, NameSyntax) else ""
        return name in self.positions


def _names(node: Syntax) -> Iterator[str]:
    if isinstance(node, NameSyntax):
        yield node.name
    for part in parts(node):
        yield from _names(part)
