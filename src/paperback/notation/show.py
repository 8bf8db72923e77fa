"""Printing: block -> text that reads back to an equal block.

    C[i,j,k] = sum(p,q,r) x[2*i+p,2*j+q,r]*w[P-1-p,Q-1-q,r,k] + b[k] where x: H W R, w: P Q R K, b: K

Axes, kinds and functions are written where a name is used first; extents only where reading would not find them
(`bounds`). `bounded=True` writes the extents of all left indices: that is how derivatives are printed.
"""

from __future__ import annotations

__all__ = ["Line", "block_lines", "show", "show_expr", "show_statement", "statement_line"]

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass

from paperback.notation.block import Block
from paperback.notation.bounds import odd_targets, written
from paperback.notation.expr import Call, Letter, Node, Read, Reduce, Scalar, Size, Statement
from paperback.notation.spell import Speller
from paperback.notation.uses import binders_of, sizes_in
from paperback.notation.walk import nodes, reads
from paperback.notation.words import RESERVED, is_derivative


@dataclass(frozen=True)
class Line:
    """A statement, written: `left = right where clauses`."""

    left: str
    right: str
    clauses: list[str]


Writing = Callable[..., Speller]  # takes what a Speller takes


def show_expr(node: Node, names: Mapping[Letter, str] | None = None, plain: Iterable[str] = ()) -> str:
    """The text of an expression. `names` of free letters; `plain` tensors without axes are written without `[]`."""
    return Speller(names, _taken([node]), plain=plain).expr(node)


def show_statement(statement: Statement, extents: bool = True, plain: Iterable[str] = ()) -> str:
    """One statement by itself, with its pads and, where `extents`, the extents of all its letters."""
    return _text(statement_line(statement, extents, plain))


def show(block: Block, *, bounded: bool = False) -> str:
    """The text of a block, one statement a line: `read(show(block)) == block`."""
    return "\n".join(map(_text, block_lines(block, bounded)))


def _text(line: Line) -> str:
    return f"{line.left} = {line.right}" + (f" where {', '.join(line.clauses)}" if line.clauses else "")


def statement_line(
    statement: Statement, extents: bool = True, plain: Iterable[str] = (), writing: Writing = Speller
) -> Line:
    """One statement by itself; see `show_statement`."""
    letters = {b.letter for b in binders_of(statement)} if extents else set()
    speller = writing(taken=_taken([statement.expr], statement), bounded=letters, plain=plain)
    left, right = _equation(statement, speller)
    return Line(left, right, [*_pads(statement, speller), *_bounds(statement, speller)])


def block_lines(block: Block, bounded: bool = False, writing: Writing = Speller) -> list[Line]:
    """The statements of a block, with the clauses from which the block can be found again; see `show`."""
    first = [letter for s in block.statements for letter in s.letters] if bounded else []
    axes = {name: tensor.axes for name, tensor in block.inputs.items()} | odd_targets(block.statements, block.lower)
    needed = written(block.statements, axes, lower=block.lower, first=first)
    taken = _taken((s.expr for s in block.statements), *block.statements)
    taken |= {*block.inputs, *block.scalars, *block.functions}
    taken |= {name for tensor in block.inputs.values() for axis in tensor.axes for name in axis.names}
    declarations = _Declarations(block, axes, writing())
    lines: list[Line] = []
    plain: set[str] = set()
    for statement in block.statements:
        speller = writing(taken=taken, bounded=needed, plain=plain)
        left, right = _equation(statement, speller)
        clauses = [*declarations.of(statement), *_pads(statement, speller), *_bounds(statement, speller)]
        lines.append(Line(left, right, clauses))
        if not statement.axes and statement.target not in block.inputs:
            plain.add(statement.target)
    lines[-1].clauses.extend(declarations.rest())
    return lines


def _taken(expressions: Iterable[Node], *statements: Statement) -> set[str]:
    """Names that no letter may have."""
    taken = set(RESERVED) | {"pi"} | {s.target for s in statements}
    sizes = [size for statement in statements for size in _sizes_of(statement)]
    for expression in expressions:
        for node in nodes(expression):
            if isinstance(node, Read):
                taken.add(node.tensor)
            elif isinstance(node, Scalar):
                taken.add(node.name)
            elif isinstance(node, Call):
                taken.add(node.function)
            elif isinstance(node, Reduce):
                sizes += [b.extent for b in node.binders]
            sizes += sizes_in(node)
    return taken | {name for size in sizes for name in size.names}


def _equation(statement: Statement, speller: Speller) -> tuple[str, str]:
    for letter in statement.letters:
        speller.bind(letter)
    left = speller.indexed(statement.target, statement.left) if statement.left else speller.named(statement.target)
    return left, speller.expr(statement.expr)


def _pads(statement: Statement, speller: Speller) -> Iterator[str]:
    pads = {read.tensor: read.pad for read in reads(statement.expr) if read.pad is not None}
    if statement.pad is not None:
        pads[statement.target] = statement.pad
    yield from (speller.pads(tensor, value) for tensor, value in pads.items())


def _bounds(statement: Statement, speller: Speller) -> Iterator[str]:
    yield from (speller.extent(binder) for binder in statement.binders if binder.letter in speller.bounded)


class _Declarations:
    """The clauses that hold for the whole formula, each given out once."""

    def __init__(self, block: Block, axes: Mapping[str, tuple[Size, ...]], speller: Speller) -> None:
        self.block, self.axes, self.speller = block, axes, speller
        self.tensors = dict.fromkeys([*block.inputs, *axes])
        self.scalars = dict.fromkeys(block.scalars)
        called = block.called
        self.functions = {
            name: kind
            for name, kind in block.functions.items()
            if kind or name not in called or not is_derivative(name, block.functions)
        }

    def of(self, statement: Statement) -> Iterator[str]:
        """What the names of a statement need that are used here first."""
        inside = list(nodes(statement.expr))
        tensors = [statement.target, *(node.tensor for node in inside if isinstance(node, Read))]
        for name in dict.fromkeys(tensors):
            if name in self.tensors:
                del self.tensors[name]
                yield from self.tensor(name)
        for node in inside:
            if isinstance(node, Scalar) and node.name in self.scalars:
                del self.scalars[node.name]
                yield self.speller.scalar(node.name)
            elif isinstance(node, Call) and node.function in self.functions:
                yield self.function(node.function)

    def tensor(self, name: str, unused: bool = False) -> Iterator[str]:
        integer = name in self.block.inputs and self.block.inputs[name].integer
        return self.speller.declared(name, self.axes[name], integer, unused)

    def function(self, name: str) -> str:
        return self.speller.function(name, self.functions.pop(name))

    def rest(self) -> list[str]:
        """What no statement used: tensors and sizes that are only declared, and facts."""
        found = [clause for name in self.tensors for clause in self.tensor(name, unused=True)]
        found += [self.speller.scalar(name) for name in self.scalars]
        found += [self.function(name) for name in list(self.functions)]
        declared = {name for axes in self.axes.values() for axis in axes for name in axis.names}
        facts = [fact for fact in self.block.facts if fact.relation == "=="]
        used = {name for s in self.block.statements for size in _sizes_of(s) for name in size.names}
        used |= {name for fact in facts for name in fact.size.names}
        found += [self.speller.free_size(name) for name in sorted(used - declared)]
        return found + [self.fact(fact.size) for fact in facts]

    def fact(self, zero: Size) -> str:
        """`zero == 0`, with what is positive on the left."""
        above = Size(tuple((m, c) for m, c in zero.terms if c > 0))
        return self.speller.equal_sizes(above, above - zero)


def _sizes_of(statement: Statement) -> Iterator[Size]:
    yield from statement.axes
    yield from (b.extent for b in binders_of(statement))
    for index in statement.left:
        yield from (slope for _, slope in index)
        yield index.const
    for node in nodes(statement.expr):
        yield from sizes_in(node)
