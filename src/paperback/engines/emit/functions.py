"""The function around the statements: its arguments, sizes from shapes, checks, one paragraph a statement, its results.

    def conv(x, w, b):
        H, R = x.shape                                  sizes
        P, _, K = w.shape
        assert w.shape == (P, R, K)                     what must agree
        I = H - P + 1                                   extents that have no name
        # C[i,k] = sum(p,r) x[i+p,r]*w[p,r,k] + b[k]    a statement
        ...
        return C
"""

from __future__ import annotations

__all__ = ["TARGETS", "Function", "Part", "emit", "module"]

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from textwrap import wrap

from paperback.calculus.guards import Box
from paperback.calculus.term import Term
from paperback.engines.emit.arrays import Arrays
from paperback.engines.emit.dialects import DIALECTS, Dialect
from paperback.engines.emit.reads import mixed_radix, pad_text, share_paddings
from paperback.engines.emit.repeats import named
from paperback.engines.emit.scatters import store_places
from paperback.engines.emit.scope import Scope, relation_text
from paperback.engines.emit.sums import summed
from paperback.engines.emit.values import (
    ATOM,
    UNARY,
    WIDTH,
    Value,
    call_arguments,
    plain_name,
    size_name,
    size_text,
    wrapped,
)  # fmt: skip
from paperback.notation.affine import Affine, Letter
from paperback.notation.block import Block, Fact
from paperback.notation.expr import Statement, Tensor
from paperback.notation.show import show_statement
from paperback.notation.size import Size
from paperback.notation.uses import binders_of
from paperback.notation.walk import reads

TARGETS = tuple(DIALECTS)


@dataclass(frozen=True)
class Part:
    """One function: what it is called, what it computes, what it takes and gives back.

    block     the statements
    inputs    its array arguments, in order; some may only give sizes
    results   the statements that it returns
    finite    may it assume that its arrays hold finite numbers? (masks then go into one factor of a product)
    title     the first line of its docstring
    of        the formula in its docstring, where that is not its own statements
    of_inputs the arguments whose gradients the results are
    """

    name: str
    block: Block
    inputs: Mapping[str, Tensor]
    results: tuple[str, ...]
    title: str
    finite: bool = False
    of: Block | None = None
    of_inputs: tuple[str, ...] = ()


def emit(parts: Sequence[Part], target: str) -> str:
    """The source of one function or several, with imports and helper functions above."""
    dialect = DIALECTS[target]
    functions = [Function(part, dialect).text for part in parts]
    return module(dialect, functions)


def module(dialect: Dialect, functions: Sequence[str]) -> str:
    body = "\n\n\n".join(functions)
    helpers = [text for name, text in dialect.helpers.items() if re.search(rf"(?<![\w.]){name}\(", body)]
    whole = "\n\n\n".join([*helpers, *functions])
    imports = [line for sign, line in dialect.imports.items() if re.search(rf"(?<![\w.]){re.escape(sign)}", whole)]
    return "\n".join(imports) + ("\n\n\n" if imports else "") + whole + "\n"


class Function:
    """One function: its text, and what it takes (`keywords` by name: sizes that no array gives, open functions)."""

    def __init__(self, part: Part, dialect: Dialect) -> None:
        self.part, self.dialect = part, dialect
        block = part.block
        computed = [s.target for s in block.statements]
        names = {name: plain_name(name) for name in (*part.inputs, *computed)}
        arrays = [t for t in part.inputs.values() if not t.integer]
        best = next((t for t in arrays if t.axes), arrays[0] if arrays else None)
        self.like = names[best.name] if best else "like"
        integers = {t.name for t in part.inputs.values() if t.integer}
        integers |= {s.target for s in block.statements if s.is_position}
        self.scope = Arrays(dialect, self.like, names, frozenset(integers), part.finite)
        self.scope.ids = frozenset(t.name for t in part.inputs.values() if t.integer)
        axes = {t.name: t.axes for t in part.inputs.values()} | {s.target: s.axes for s in block.statements}
        self.scope.box = Box((), block.lower, axes)
        self.sizes = {n for t in part.inputs.values() for axis in t.axes for n in axis.names} | block.size_names
        self.scope.taken |= {size_name(n) for n in self.sizes} | {"like"}
        self.scope.taken |= {plain_name(n) for n in (*block.scalars, *block.functions)}
        self.arguments = [names[name] for name in part.inputs] + [plain_name(s) for s in block.scalars]
        self.keywords: list[str] = []
        self.text = self._text()

    def _text(self) -> str:
        scope, part = self.scope, self.part
        for statement in part.block.statements:
            scope.name_extents(binders_of(statement))
        for statement in part.block.statements:
            _statement(scope, statement, said=len(part.block.statements) > 1 or part.of is not None)
        body = named(scope.lines, scope.fresh)
        returned = ", ".join(scope.tensors[name] for name in part.results)
        body.append(f"    return {returned}")
        head, free = self._head(body)
        self.keywords = [*free, *(plain_name(f) for f in part.block.functions)]
        arguments = [*self.arguments, *(["*", *self.keywords] if self.keywords else [])]
        define = wrapped(f"def {part.name}({', '.join(arguments)}):", "")
        if len(define) == 1 and len(define[0]) > WIDTH:
            inside = wrapped(f"def {part.name}({', '.join(arguments)})", "")
            define = [*inside[:-1], inside[-1] + ":"]
        lines = [part for line in body for part in _broken(line)]
        return "\n".join([*define, *self._docstring(), *head, *([""] if head else []), *lines])

    def _docstring(self) -> Iterator[str]:
        part = self.part
        shapes = [f"{self.scope.tensors[n]} {_shape(t.axes)}" for n, t in part.inputs.items()]
        results = {s.target: s.axes for s in part.block.statements}
        given = [f"{self.scope.tensors[n]} {_shape(results[n])}" for n in part.results]
        said = [part.title, "", *_folded(equations(part.of or part.block), "    "), ""]
        said += _signature(shapes, given)
        quoted = [line.replace("\\", "\\\\").replace('"""', "'''") for line in said]
        yield f'    """{quoted[0]}'
        yield from (f"    {line}" if line else "" for line in quoted[1:])
        yield '    """'

    def _head(self, body: Sequence[str]) -> tuple[list[str], list[str]]:
        """What stands before the statements, and the sizes that no array gives."""
        scope = self.scope
        lines: list[str] = []
        used = _words(body)
        grids = [line for line in scope.grid_lines() if line.split(" ", 1)[0] in used]
        used |= _words(grids)
        amounts = [f"{name} = {text}" for name, text in scope.amounts.items() if name in used]
        used |= _words(amounts)
        locals_ = [(size, name) for size, name in scope.locals.items()]
        checks = [f"assert {check}" for check in scope.checks]
        checks += self._shape_checks()
        checks += [f"assert {_fact(fact)}" for fact in self.part.block.facts]
        used |= _words(checks)
        shorts = [f"{name} = {size_text(size)}" for size, name in locals_ if name in used]
        used |= _words(shorts)
        unpacked, free = self._sizes(used)
        like = [f"like = {scope.dialect.np}.zeros(())"] if self.like == "like" and "like" in used else []
        for line in (*like, *unpacked, *shorts, *checks, *amounts, *grids):
            lines.extend(wrapped(line, "    "))
        return lines, free

    def _sizes(self, used: set[str]) -> tuple[list[str], list[str]]:
        """Lines that take sizes from shapes, and the names that stay open."""
        known: set[str] = set()
        lines = []
        odd: list[tuple[str, int, Size]] = []
        for name, tensor in self.part.inputs.items():
            own: list[str] = []
            for place, axis in enumerate(tensor.axes):
                label = str(axis)
                if label.isidentifier() and size_name(label) in used and label not in known:
                    known.add(label)
                    own.append(size_name(label))
                else:
                    own.append("_")
                    odd.append((self.scope.tensors[name], place, axis))
            if any(label != "_" for label in own):
                names = ", ".join(own) if len(own) > 1 else f"({own[0]},)"
                lines.append(f"{names} = {self.scope.tensors[name]}.shape")
        for name, place, axis in odd:
            unknown = [n for n in axis.names if n not in known and size_name(n) in used]
            if len(unknown) == 1 and axis.atoms == axis.names:
                slope = axis.substitute({unknown[0]: 1}) - axis.substitute({unknown[0]: 0})
                rest = axis.substitute({unknown[0]: 0})
                if axis == slope * Size.of(unknown[0]) + rest and slope.names <= known and rest.names <= known:
                    text = f"{name}.shape[{place}]" + (f" - {size_text(rest, UNARY)}" if rest else "")
                    if slope != Size.of(1):
                        text = f"{f'({text})' if rest else text} // {size_text(slope, ATOM)}"
                    lines.append(f"{size_name(unknown[0])} = {text}")
                    known.add(unknown[0])
        return lines, sorted(size_name(n) for n in self.sizes if size_name(n) in used and n not in known)

    def _shape_checks(self) -> Iterator[str]:
        """Axes that must agree with what other arrays say."""
        seen: set[str] = set()
        read = {r.tensor for s in self.part.block.statements for r in reads(s.expr)}
        for name, tensor in self.part.inputs.items():
            if name not in read:
                continue
            labels = [str(axis) for axis in tensor.axes]
            new = all(axis == Size.of(l) and l.isidentifier() for axis, l in zip(tensor.axes, labels, strict=True))
            if not (new and seen.isdisjoint(labels) and len(set(labels)) == len(labels)) and labels:
                shape = call_arguments([self.scope.text(axis) for axis in tensor.axes])
                yield f"assert {self.scope.tensors[name]}.shape == {shape}"
            seen.update(labels)


def equations(block: Block) -> str:
    """The statements, with their paddings."""
    return "\n".join(show_statement(statement, extents=False) for statement in block.statements)


def _statement(scope: Scope, statement: Statement, said: bool) -> None:
    """The lines of one statement; `said`: with itself as a comment."""
    assert isinstance(scope, Arrays)
    if scope.lines:
        scope.line("")
    if said:
        scope.lines += _folded(show_statement(statement, extents=False), "    # ")
    name = scope.tensors[statement.target]
    start = len(scope.lines)
    with scope.within(statement.binders):
        scope.count(statement.expr)
        share_paddings(scope, statement)
        value = _placed(scope, statement)
    if any(line.startswith(f"    {value.text} = ") for line in scope.lines[start:]):
        _rename(scope, start, value.text, name)  # what was made for this statement is its target
    else:
        given = value.text in scope.tensors.values()
        scope.line(f"{name} = {scope.dialect.copy(value.text) if given else value.text}")


def _placed(scope: Arrays, statement: Statement) -> Value:
    """The value of a statement with the axes of its left side."""
    if statement.is_plain:
        value = scope.value(statement.expr)
        if not statement.is_position:
            value = scope.floats(value)
        if value.plain and not statement.letters:
            return Value(scope.dialect.number(value.text, scope.like))
        return scope.broadcast(value, statement.letters)
    if statement.pad is None:
        digits = [_digits(scope, index, axis) for index, axis in zip(statement.left, statement.axes, strict=True)]
        if all(d is not None for d in digits):
            letters = tuple(l for d in digits for l in d or ())
            value = scope.broadcast(scope.floats(scope.value(statement.expr)), letters)
            return scope.reshaped(value, [scope.text(axis) for axis in statement.axes], letters)
    fill = "0" if statement.pad is None else pad_text(scope, statement.pad)
    letters = statement.letters
    term = Term(statement.binders, (), (statement.expr,))
    return store_places(scope, letters, statement.left, statement.axes, term, summed, "total", fill, add=False)


def _digits(scope: Scope, index: Affine, axis: Size) -> tuple[Letter, ...] | None:
    return mixed_radix(scope, index, axis) if index.bare is None else (index.bare,)


def _rename(scope: Scope, start: int, old: str, new: str) -> None:
    """Call a temporary by another name, from this line on."""
    for k, line in enumerate(scope.lines[start:], start):
        if not line.lstrip().startswith("#"):
            scope.lines[k] = re.sub(rf"\b{old}\b", new, line)
    scope.taken.discard(old)
    scope.known = {k: v for k, v in scope.known.items() if not re.search(rf"\b{old}\b", v.text)}


def _broken(line: str) -> list[str]:
    """A line of code within the width."""
    text = line.lstrip()
    return [line] if not text or text.startswith("#") else wrapped(text, line[: len(line) - len(text)])


def _words(lines: Iterable[str]) -> set[str]:
    """The names that lines of code use."""
    code = (line for line in lines if not line.lstrip().startswith("#"))
    return {word for line in code for word in re.findall(r"(?<![\w.])[^\W\d]\w*", line)}


def _fact(fact: Fact) -> str:
    if fact.relation == "|":
        return f"{size_text(fact.size, UNARY)} % {size_text(fact.modulus, ATOM)} == 0"
    return relation_text(fact.relation, fact.size)


def _signature(given: Sequence[str], results: Sequence[str]) -> list[str]:
    """What comes in and what goes out, on one line or on several."""
    line = f"{', '.join(given) or 'nothing'} -> {', '.join(results)}"
    if len(line) <= WIDTH - 4:
        return [line]
    found: list[str] = []
    for words, last in ((given, " ->"), (results, "")):
        found.append("")
        for word in [*(f"{word}," for word in words[:-1]), f"{words[-1]}{last}"]:
            if len(found[-1]) + len(word) + 1 > WIDTH - 4:
                found.append("")
            found[-1] = f"{found[-1]} {word}".strip()
    return found


def _shape(axes: Sequence[Size]) -> str:
    return call_arguments([size_text(axis) for axis in axes])


def _folded(text: str, indent: str) -> list[str]:
    """Lines of a formula within the width."""
    found = []
    for line in text.splitlines():
        pieces = wrap(line, WIDTH - len(indent) - 4, break_long_words=False, break_on_hyphens=False)
        found += [indent + ("    " if k else "") + piece for k, piece in enumerate(pieces)]
    return found
