"""The syntax tree: what was written, with its place in the source, before names mean anything.

One kind of expression serves values, indices and sizes; `elaborate` says which of them an expression can be. Sums and
products are flat, as on paper: `a - b + c` is one sum of three terms. Readers of other spellings make the same tree.
"""

from __future__ import annotations

__all__ = [
    "AxesClause", "BinderSyntax", "BoundClause", "BracketSyntax", "CallSyntax", "Chain", "Clause", "Condition",
    "Divisibility", "EquationClause", "KindClause", "NameSyntax", "NumberSyntax", "PadsClause", "PowerSyntax",
    "ProductSyntax", "ReadSyntax", "ReductionSyntax", "StatementSyntax", "SumSyntax", "Syntax", "map_parts", "mentions",
    "parts",
]  # fmt: skip

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from fractions import Fraction


@dataclass(frozen=True)
class Syntax:
    """Anything written; `start` and `end` are offsets into the source."""

    start: int
    end: int


@dataclass(frozen=True)
class NumberSyntax(Syntax):
    value: Fraction


@dataclass(frozen=True)
class NameSyntax(Syntax):
    name: str


@dataclass(frozen=True)
class ReadSyntax(Syntax):
    """`tensor[indices]`; the name ends at `name_end`."""

    tensor: str
    indices: tuple[Syntax, ...]
    name_end: int


@dataclass(frozen=True)
class CallSyntax(Syntax):
    """`function(arguments)`; the name ends at `name_end`."""

    function: str
    arguments: tuple[Syntax, ...]
    name_end: int


@dataclass(frozen=True)
class SumSyntax(Syntax):
    """Terms with their signs, "+" or "-"."""

    terms: tuple[tuple[str, Syntax], ...]


@dataclass(frozen=True)
class ProductSyntax(Syntax):
    """Factors with what stands before them, "*" or "/"; the first has "*"."""

    factors: tuple[tuple[str, Syntax], ...]


@dataclass(frozen=True)
class PowerSyntax(Syntax):
    base: Syntax
    exponent: Fraction


@dataclass(frozen=True)
class Chain(Syntax):
    """`a < b <= c`."""

    parts: tuple[Syntax, ...]
    relations: tuple[str, ...]


@dataclass(frozen=True)
class Divisibility(Syntax):
    """`modulus | index`."""

    modulus: Syntax
    index: Syntax


Condition = tuple[Chain | Divisibility, ...]


@dataclass(frozen=True)
class BinderSyntax(Syntax):
    """`name < extent`, from `least` on (LaTeX only; `counting` removes it); the name ends at `name_end`."""

    name: str
    extent: Syntax | None
    name_end: int
    least: Syntax | None = None


@dataclass(frozen=True)
class ReductionSyntax(Syntax):
    """`op(binders | condition) body`; the head, up to its `)`, ends at `head_end`."""

    op: str
    binders: tuple[BinderSyntax, ...]
    condition: Condition
    body: Syntax
    head_end: int


@dataclass(frozen=True)
class BracketSyntax(Syntax):
    condition: Condition


@dataclass(frozen=True)
class BoundClause(Syntax):
    """`name < size`."""

    name: str
    extent: Syntax


@dataclass(frozen=True)
class PadsClause(Syntax):
    """`name pads value`; an infinite value is a float."""

    name: str
    value: Fraction | float


@dataclass(frozen=True)
class KindClause(Syntax):
    """`name int`, `name scalar`, `name function`, `name increasing`, `name size`."""

    name: str
    kind: str


@dataclass(frozen=True)
class AxesClause(Syntax):
    """`name: H W R`."""

    name: str
    axes: tuple[Syntax, ...]


@dataclass(frozen=True)
class EquationClause(Syntax):
    """`size = size`."""

    left: Syntax
    right: Syntax


Clause = BoundClause | PadsClause | KindClause | AxesClause | EquationClause


@dataclass(frozen=True)
class StatementSyntax(Syntax):
    """`target[left] = value where clauses`; the target's name ends at `name_end`."""

    target: str
    left: tuple[Syntax, ...]
    value: Syntax
    clauses: tuple[Clause, ...]
    name_end: int

    @property
    def name_span(self) -> tuple[int, int]:
        return self.start, self.name_end


def parts(node: Syntax) -> Iterator[Syntax]:
    """The expressions directly inside."""
    match node:
        case ReadSyntax():
            yield from node.indices
        case CallSyntax():
            yield from node.arguments
        case SumSyntax():
            yield from (term for _, term in node.terms)
        case ProductSyntax():
            yield from (factor for _, factor in node.factors)
        case PowerSyntax():
            yield node.base
        case Chain():
            yield from node.parts
        case Divisibility():
            yield from (node.modulus, node.index)
        case ReductionSyntax():
            yield from (b.extent for b in node.binders if b.extent is not None)
            yield from node.condition
            yield node.body
        case BracketSyntax():
            yield from node.condition


def map_parts(node: Syntax, image: Callable[[Syntax], Syntax]) -> Syntax:
    """The same with another expression for each that is directly inside, but for extents."""

    def atom(part: Chain | Divisibility) -> Chain | Divisibility:
        if isinstance(part, Chain):
            return replace(part, parts=tuple(map(image, part.parts)))
        return replace(part, modulus=image(part.modulus), index=image(part.index))

    match node:
        case ReadSyntax():
            return replace(node, indices=tuple(map(image, node.indices)))
        case CallSyntax():
            return replace(node, arguments=tuple(map(image, node.arguments)))
        case SumSyntax():
            return replace(node, terms=tuple((sign, image(term)) for sign, term in node.terms))
        case ProductSyntax():
            return replace(node, factors=tuple((sign, image(factor)) for sign, factor in node.factors))
        case PowerSyntax():
            return replace(node, base=image(node.base))
        case ReductionSyntax():
            return replace(node, condition=tuple(map(atom, node.condition)), body=image(node.body))
        case BracketSyntax():
            return replace(node, condition=tuple(map(atom, node.condition)))
    return node


def mentions(node: Syntax, names: frozenset[str]) -> bool:
    """Does one of these names occur?"""
    if isinstance(node, NameSyntax) and node.name in names:
        return True
    return any(mentions(part, names) for part in parts(node))
