"""Printing: block -> text that reads back to an equal block.

    C[i,j,k] = sum(p,q,r) x[2*i+p,2*j+q,r]*w[P-1-p,Q-1-q,r,k] + b[k] where x: H W R, w: P Q R K, b: K

Axes, kinds and functions are written where a name is used first; extents only where reading would not find them
(`bounds`). `bounded=True` writes the extents of all left indices: that is how derivatives are printed.
"""

from __future__ import annotations

__all__ = ["show", "show_expr", "show_statement"]

from collections.abc import Iterable, Iterator, Mapping
from fractions import Fraction

from paperback.notation.block import Block, Fact
from paperback.notation.bounds import odd_targets, written
from paperback.notation.expr import Call, Letter, Node, Read, Reduce, Scalar, Size, Statement
from paperback.notation.spell import Speller, number_text, size_text
from paperback.notation.uses import binders_of, sizes_in
from paperback.notation.walk import nodes, reads
from paperback.notation.words import RESERVED


def show_expr(node: Node, names: Mapping[Letter, str] | None = None, plain: Iterable[str] = ()) -> str:
    """The text of an expression. `names` of free letters; `plain` tensors without axes are written without `[]`."""
    return Speller(names, _taken([node]), plain=plain).expr(node)


def show_statement(statement: Statement, clauses: bool = True, plain: Iterable[str] = ()) -> str:
    """One statement by itself; with `clauses`, all extents and pads are written."""
    letters = {b.letter for b in binders_of(statement)} if clauses else set()
    speller = Speller(taken=_taken([statement.expr], statement), bounded=letters, plain=plain)
    text = _equation(statement, speller)
    wheres = [*_pads(statement), *_bounds(statement, speller, letters)] if clauses else []
    return text + (f" where {', '.join(wheres)}" if wheres else "")


def show(block: Block, *, bounded: bool = False) -> str:
    """The text of a block, one statement a line: `read(show(block)) == block`."""
    first = [letter for s in block.statements for letter in s.letters] if bounded else []
    axes = {name: tensor.axes for name, tensor in block.inputs.items()} | odd_targets(block.statements, block.lower)
    needed = written(block.statements, axes, lower=block.lower, first=first)
    taken = _taken((s.expr for s in block.statements), *block.statements)
    taken |= {*block.inputs, *block.scalars, *block.functions}
    taken |= {name for tensor in block.inputs.values() for axis in tensor.axes for name in axis.names}
    declarations = _Declarations(block, axes)
    lines: list[str] = []
    plain: set[str] = set()
    for statement in block.statements:
        speller = Speller(taken=taken, bounded=needed, plain=plain)
        text = _equation(statement, speller)
        clauses = [*declarations.of(statement), *_pads(statement), *_bounds(statement, speller, needed)]
        lines.append(text + (f" where {', '.join(clauses)}" if clauses else ""))
        if not statement.axes and statement.target not in block.inputs:
            plain.add(statement.target)
    rest = declarations.rest()
    if rest:
        lines[-1] += (", " if " where " in lines[-1] else " where ") + ", ".join(rest)
    return "\n".join(lines)


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


def _equation(statement: Statement, speller: Speller) -> str:
    for letter in statement.letters:
        speller.bind(letter)
    left = ",".join(speller.affine(index) for index in statement.left)
    return f"{statement.target}{f'[{left}]' if left else ''} = {speller.expr(statement.expr)}"


def _value_text(value: Fraction | float) -> str:
    if isinstance(value, float):
        return "inf" if value > 0 else "-inf"
    return ("-" if value < 0 else "") + number_text(abs(value))


def _pads(statement: Statement) -> Iterator[str]:
    pads = {read.tensor: read.pad for read in reads(statement.expr) if read.pad is not None}
    if statement.pad is not None:
        pads[statement.target] = statement.pad
    yield from (f"{tensor} pads {_value_text(value)}" for tensor, value in pads.items())


def _bounds(statement: Statement, speller: Speller, needed: set[Letter]) -> Iterator[str]:
    yield from (f"{speller.name(b.letter)} < {b.extent}" for b in statement.binders if b.letter in needed)


class _Declarations:
    """The clauses that hold for the whole formula, each given out once."""

    def __init__(self, block: Block, axes: Mapping[str, tuple[Size, ...]]) -> None:
        self.block, self.axes = block, axes
        self.tensors = dict.fromkeys([*block.inputs, *axes])
        self.scalars = dict.fromkeys(block.scalars)
        self.functions = dict(block.functions)

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
                yield f"{node.name} scalar"
            elif isinstance(node, Call) and node.function in self.functions:
                yield self.function(node.function)

    def tensor(self, name: str) -> Iterator[str]:
        if self.axes[name]:
            yield f"{name}: {' '.join(size_text(axis) for axis in self.axes[name])}"
        if name in self.block.inputs and self.block.inputs[name].integer:
            yield f"{name} int"

    def function(self, name: str) -> str:
        return f"{name} {'increasing' if self.functions.pop(name) else 'function'}"

    def rest(self) -> list[str]:
        """What no statement used: tensors and sizes that are only declared, and facts."""
        found = []
        for name in self.tensors:
            found += [f"{name}: ()"] if not self.axes[name] else []
            found += self.tensor(name)
        found += [f"{name} scalar" for name in self.scalars]
        found += [self.function(name) for name in list(self.functions)]
        declared = {name for axes in self.axes.values() for axis in axes for name in axis.names}
        facts = [fact for fact in self.block.facts if fact.relation == "=="]
        used = {name for s in self.block.statements for size in _sizes_of(s) for name in size.names}
        used |= {name for fact in facts for name in fact.size.names}
        found += [f"{name} size" for name in sorted(used - declared)]
        return found + [_fact_text(fact) for fact in facts]


def _sizes_of(statement: Statement) -> Iterator[Size]:
    yield from statement.axes
    yield from (b.extent for b in binders_of(statement))
    for index in statement.left:
        yield from (slope for _, slope in index)
        yield index.const
    for node in nodes(statement.expr):
        yield from sizes_in(node)


def _fact_text(fact: Fact) -> str:
    above = Size(tuple((m, c) for m, c in fact.size.terms if c > 0))
    return f"{above} = {above - fact.size}"
