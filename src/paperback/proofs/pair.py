"""A claim is a pair of formulas; here both sides are read together, so that they speak of the same things.

    inputs      by name; an axis that one side declares is an axis of the other side too
    sizes       by name; two names of one axis are one size
    results     by position: the names of targets and letters do not matter
    extents     a left index that nothing bounds runs as far as the other side's, by position
    an expression is a statement whose left side is that of the other side
"""

from __future__ import annotations

__all__ = ["Pair", "Side", "pair", "rank_of", "target_of"]

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TypeAlias

from paperback.calculus.derive import live
from paperback.calculus.proof.positive import Known
from paperback.errors import FormulaError, Problem
from paperback.formulas import Axes, Formula
from paperback.notation.affine import Affine
from paperback.notation.block import Block, Fact
from paperback.notation.expr import Scalar, Statement, Tensor
from paperback.notation.parse import parse
from paperback.notation.read import read
from paperback.notation.size import Size
from paperback.notation.syntax import (
    AxesClause,
    BracketSyntax,
    Divisibility,
    KindClause,
    NameSyntax,
    ReadSyntax,
    ReductionSyntax,
    StatementSyntax,
    Syntax,
    parts,
)  # fmt: skip
from paperback.notation.tex import is_latex
from paperback.notation.tex.parse import parse_latex
from paperback.notation.tex.scope import Scope
from paperback.notation.walk import nodes, reads

Side: TypeAlias = str | Formula
_STATEMENT = re.compile(r"\s*[^\W\d][\w.']*\s*(\[[^=<>!]*\])?\s*=(?!=)")


@dataclass(frozen=True)
class Pair:
    """Two blocks over the same sizes and inputs, with what the sizes must satisfy on both sides."""

    left: Block
    right: Block

    @property
    def sides(self) -> tuple[Block, Block]:
        return self.left, self.right

    @property
    def facts(self) -> tuple[Fact, ...]:
        return tuple(dict.fromkeys((*self.left.facts, *self.right.facts)))

    @property
    def lower(self) -> dict[str, int]:
        """The least values of sizes; 0 only where both sides that use a size allow it."""
        found: dict[str, int] = {}
        for block in self.sides:
            for name in block.size_names:
                found[name] = max(found.get(name, 0), block.lower.get(name, 1))
        return found

    @property
    def size_names(self) -> tuple[str, ...]:
        return tuple(sorted(self.left.size_names | self.right.size_names))

    @property
    def functions(self) -> dict[str, bool]:
        return {**self.left.functions, **self.right.functions}


@dataclass(frozen=True)
class _Declared:
    """What the caller declared, for both sides."""

    axes: Mapping[str, Axes]
    sizes: Mapping[str, int]
    integers: frozenset[str]
    scalars: frozenset[str]


def pair(
    left: Side,
    right: Side,
    axes: Mapping[str, Axes],
    sizes: Mapping[str, int],
    integers: Iterable[str] = (),
    scalars: Iterable[str] = (),
    context: Block | None = None,
) -> Pair:
    """Both sides of a claim, read together; they may read what the context computes, by its names.

    Raises FormulaError where one of them is no sentence.
    """
    declared = _Declared(axes, sizes, frozenset(integers), frozenset(scalars))
    texts = _statements(left, right, declared)
    blocks = [side.block if isinstance(side, Formula) else None for side in (left, right)]
    order = (0, 1) if blocks[0] is not None or blocks[1] is None else (1, 0)
    for this, other in (order, order[::-1]):
        if blocks[this] is None:
            blocks[other], context = (_renamed(block, texts[this], declared) for block in (blocks[other], context))
            try:
                blocks[this] = _read(texts[this], declared, blocks[other], texts[other], context)
            except FormulaError:
                if blocks[other] is not None:
                    raise
    for this, other in (order, order[::-1]):  # what could not be read before the other side was known
        if blocks[this] is None:
            blocks[this] = _read(texts[this], declared, blocks[other], texts[other], context)
    first, second = blocks
    assert first is not None and second is not None
    return _related(first, second)


# ------------------------------------------------------------------------------------------------------ texts


def _statements(left: Side, right: Side, declared: _Declared) -> list[str]:
    """The texts as statements; an expression gets the left side of the other, or one of its own free indices."""
    for side in (left, right):
        if not isinstance(side, str | Formula):
            raise FormulaError("", Problem(f"a side of a claim is a text or a Formula, not {side!r}"))
    texts = [side if isinstance(side, str) else str(side) for side in (left, right)]
    bare = [isinstance(s, str) and not (is_latex(s) or _STATEMENT.match(s)) for s in (left, right)]
    if bare[0] and bare[1]:
        trees = [parse(f"{name} = {text}") for name, text in zip(("left", "right"), texts, strict=True)]
        found = [name for tree in trees for s in tree.statements for name in _free(s, declared)]
        indices = f"[{','.join(dict.fromkeys(found))}]" if found else ""
        return [f"{name}{indices} = {text}" for name, text in zip(("left", "right"), texts, strict=True)]
    for this, other in ((0, 1), (1, 0)):
        if bare[this]:
            name, indices = _left_side(texts[other], (left, right)[other])
            used = {*re.findall(r"[^\W\d][\w.']*", texts[this])}
            while name in used:
                name += "_"
            texts[this] = f"{name}{indices} = {texts[this]}"
    return texts


def _syntax(text: str) -> tuple[StatementSyntax, ...]:
    """The statements as written; none where the text is no sentence, which reading it will say."""
    return (parse_latex(text, Scope()) if is_latex(text) else parse(text)).statements


def target_of(side: Side) -> str:
    """The name of a side's result, "" for an expression."""
    if isinstance(side, Formula):
        return side.block.result.target
    found = _syntax(side) if is_latex(side) or _STATEMENT.match(side) else ()
    return found[-1].target if found else ""


def rank_of(side: Side) -> int | None:
    """How many indices a side's result has; None for an expression."""
    if isinstance(side, Formula):
        return len(side.block.result.axes)
    found = _syntax(side) if is_latex(side) or _STATEMENT.match(side) else ()
    return len(found[-1].left) if found else None


def _left_side(text: str, side: Side) -> tuple[str, str]:
    """The target of the last statement and its indices, as written."""
    if isinstance(side, Formula):
        result = side.block.result
        names = ",".join(b.letter.name for b in result.binders)
        return result.target, f"[{names}]" if names else ""
    statements = _syntax(text)
    if not statements:
        return "value", ""
    last = statements[-1]
    rest = text[last.name_end :]
    return last.target, rest[: rest.index("=")].strip()


def _free(statement: StatementSyntax, declared: _Declared) -> list[str]:
    """Names in index positions that nothing binds and that are no declared sizes, in order of appearance."""
    known = {*declared.sizes, *declared.scalars} | {word for value in declared.axes.values() for word in _words(value)}
    for clause in statement.clauses:
        if isinstance(clause, AxesClause):
            known |= {name.name for axis in clause.axes for name in _names(axis)}
        elif isinstance(clause, KindClause) and clause.kind in ("size", "scalar"):
            known.add(clause.name)
    return list(dict.fromkeys(_indices(statement.value, frozenset(known))))


def _words(axes: Axes) -> list[str]:
    pieces = axes.replace(",", " ").split() if isinstance(axes, str) else [str(piece) for piece in axes]
    return [word for piece in pieces for word in re.findall(r"[^\W\d]\w*", piece)]


def _names(node: Syntax) -> list[NameSyntax]:
    return [node] if isinstance(node, NameSyntax) else [name for part in parts(node) for name in _names(part)]


def _indices(node: Syntax, known: frozenset[str]) -> list[str]:
    if isinstance(node, ReductionSyntax):
        known = known | {binder.name for binder in node.binders}
    found: list[str] = []
    if isinstance(node, ReadSyntax | BracketSyntax):
        for part in node.indices if isinstance(node, ReadSyntax) else node.condition:
            plain = isinstance(node, BracketSyntax) and not isinstance(part, Divisibility)
            if plain and any(not isinstance(n, NameSyntax) for p in parts(part) for n in _deep(p)):
                found += [name for p in parts(part) for name in _indices(p, known)]
            else:
                found += [name.name for name in _names(part) if name.name not in known]
    found += [name for part in parts(node) for name in _indices(part, known)]
    return found


def _deep(node: Syntax) -> Iterable[Syntax]:
    """Reads and calls in a comparison: then it compares data, and its names need be no indices."""
    if isinstance(node, ReadSyntax):
        yield node
    for part in parts(node):
        yield from _deep(part)


def _renamed(block: Block | None, text: str, declared: _Declared) -> Block | None:
    """The block with other names for its sizes, where the other side uses them for tensors."""
    if block is None:
        return None
    parsed = _syntax(text)
    used = {s.target for s in parsed} | {tensor for s in parsed for tensor in _tensors(s.value)}
    names = sorted(block.size_names & used)
    taken = block.size_names | used | set(declared.axes)
    new = {name: next(f"{name}{n}" for n in range(1, 99) if f"{name}{n}" not in taken) for name in names}
    return block.at(new) if new else block


def _tensors(node: Syntax) -> Iterable[str]:
    if isinstance(node, ReadSyntax):
        yield node.tensor
    for part in parts(node):
        yield from _tensors(part)


def _read(text: str, declared: _Declared, other: Block | None, other_text: str, context: Block | None) -> Block:
    """One side, with what the other side has found out."""
    parsed = _syntax(text)
    computed = {s.target for s in parsed}
    own = {c.name for s in parsed for c in s.clauses if isinstance(c, AxesClause)}
    axes: dict[str, Axes | tuple[Size, ...]] = dict(declared.axes)
    functions: dict[str, bool] = {}
    integers, scalars = set(declared.integers), set(declared.scalars)
    bounds: Sequence[Size] = ()
    clauses = [c for s in _syntax(other_text) for c in s.clauses if isinstance(c, KindClause)]
    for clause in clauses:
        if clause.kind in ("function", "increasing"):
            functions[clause.name] = clause.kind == "increasing" or functions.get(clause.name, False)
        elif clause.kind == "scalar":
            scalars.add(clause.name)
        elif clause.kind == "int":
            integers.add(clause.name)
    if other is not None:
        bounds = other.result.axes
        functions = {**functions, **other.functions}
        scalars |= set(other.scalars)
        known = {**other.inputs, **{s.target: other.tensor(s.target) for s in other.statements[:-1]}}
        if context is not None:
            known = {**context.inputs, **{s.target: context.tensor(s.target) for s in context.statements}, **known}
            scalars |= set(context.scalars)
        for name, tensor in known.items():
            if name not in computed and name not in own and name not in axes:
                axes[name] = tensor.axes
                integers |= {name} if tensor.integer else set()
    scalars -= computed | set(axes)
    block = read(
        text,
        axes=axes,
        sizes=declared.sizes,
        integers=integers,
        scalars=scalars,
        functions=functions,
        bounds=bounds,
    )
    if other is not None:
        block = _shared(block, other.statements[:-1], other.inputs)
    return block if context is None else _shared(block, context.statements, context.inputs)


# ----------------------------------------------------------------------------------------------------- blocks


def _shared(block: Block, statements: Sequence[Statement], known: Mapping[str, Tensor]) -> Block:
    """The block with those statements before its own that compute what it reads."""
    wanted = {s.target for s in statements} & set(block.inputs)
    wanted &= {r.tensor for s in block.statements for r in reads(s.expr)}
    if not wanted:
        return block
    own = {s.target for s in block.statements}
    before = tuple(s for s in live(statements, wanted) if s.target not in own)
    computed = {s.target for s in before}
    inputs = {**known, **block.inputs}
    scalars = (n.name for s in before for n in nodes(s.expr) if isinstance(n, Scalar) and n.name != "pi")
    return replace(
        block,
        statements=(*before, *block.statements),
        scalars=tuple(dict.fromkeys((*block.scalars, *scalars))),
        inputs={name: tensor for name, tensor in inputs.items() if name not in computed},
    )


def _related(left: Block, right: Block) -> Pair:
    """Two names of one axis are one size; axes that can never be equal are an error."""
    facts: list[Fact] = []
    for name in [n for n in left.inputs if n in right.inputs]:
        ranks = len(left.inputs[name].axes), len(right.inputs[name].axes)
        if ranks[0] != ranks[1]:
            message = f"{name} has {ranks[0]} axes on the left and {ranks[1]} on the right"
            raise FormulaError("", Problem(message, hint="the inputs of both sides are the same, by name"))
        for axis in range(ranks[0]):
            a, b = left.inputs[name].axes[axis], right.inputs[name].axes[axis]
            if a == b:
                continue
            if str(b).isidentifier() and str(b) not in a.names:
                right, left = right.at({str(b): a}), left.at({str(b): a})
            elif str(a).isidentifier() and str(a) not in b.names:
                right, left = right.at({str(a): b}), left.at({str(a): b})
            elif (a - b).is_int:
                message = f"axis {axis} of {name} is {a} on the left and {b} on the right"
                raise FormulaError("", Problem(message, hint="the inputs of both sides are the same, by name"))
            else:
                facts.append(Fact("==", a - b, why=f"axis {axis} of {name} on both sides"))
    if len(left.result.axes) != len(right.result.axes):
        ranks = len(left.result.axes), len(right.result.axes)
        message = f"the left side has {ranks[0]} axes and the right side {ranks[1]}"
        raise FormulaError("", Problem(message, hint="results are compared by position, index by index"))
    for axis, (a, b) in enumerate(zip(left.result.axes, right.result.axes, strict=True)):
        if a != b and (a - b).is_int:
            message = f"axis {axis} of the result is {a} on the left and {b} on the right; they are never equal"
            raise FormulaError("", Problem(message, hint="results are compared by position, index by index"))
    left, right = _pruned(left), _pruned(right)
    both = Pair(replace(left, facts=(*left.facts, *facts)), right)
    _check_room(both)
    return both


def _check_room(both: Pair) -> None:
    """Some sizes must meet both sides, and none of them only where another size is as large as it can be.

    `w[P-1+i-t]` may be in range only where P == H, of all the sizes that the other side allows: then it is a slip.
    """
    known = Known(both.lower, both.facts)
    if known.is_impossible:
        told = ", ".join(dict.fromkeys(str(fact) for fact in both.facts))
        raise FormulaError("", Problem(f"no sizes meet both sides: {told}"))
    for name, block, other in (("left", *both.sides), ("right", *both.sides[::-1])):
        for fact in block.facts:
            shared = any(fact.size == f.size for f in other.facts)
            if fact.relation == ">=" and not shared and known.implies(Affine.of(-fact.size)):
                message = f"the {name} side is in range only where {fact.size} is 0"
                raise FormulaError("", Problem(f"{message}; elsewhere it is not so that {fact.why}"))


def _pruned(block: Block) -> Block:
    """Without inputs that are not read, unless their axes give a size that is used."""
    reading = {r.tensor for s in block.statements for r in reads(s.expr)}
    kept = {name: tensor for name, tensor in block.inputs.items() if name in reading}
    needed = replace(block, inputs=kept).size_names
    given = {name for tensor in kept.values() for axis in tensor.axes for name in axis.names}
    for name, tensor in block.inputs.items():
        own = {size for axis in tensor.axes for size in axis.names}
        if name not in kept and own & (needed - given):
            kept[name] = tensor
            given |= own
    scalars = {n.name for s in block.statements for n in nodes(s.expr) if isinstance(n, Scalar)}
    return replace(
        block,
        inputs={name: block.inputs[name] for name in block.inputs if name in kept},
        scalars=tuple(name for name in block.scalars if name in scalars),
        functions={name: kind for name, kind in block.functions.items() if name in block.called},
    )

