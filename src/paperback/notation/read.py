"""Reading: text -> a block of elaborated statements, or a FormulaError with everything that is wrong.

    parse        text -> syntax                                        tokens, expressions, parse; LaTeX: tex
    declare      where clauses and arguments -> names
    elaborate    syntax and names -> the tree, with holes for extents  indices, values, elaborate
    infer        the extents                                           uses, infer
    check        every read in range; what sizes leave open            ranges, check

Problems are collected in each step, and the first step that has any is the last.
"""

from __future__ import annotations

__all__ = ["read"]

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from paperback.errors import FormulaError, FormulaWarning, Problem, warn
from paperback.notation import tex
from paperback.notation.block import Block
from paperback.notation.check import check
from paperback.notation.counting import counted_from_zero
from paperback.notation.declare import AxesLike, Names, declare
from paperback.notation.elaborate import Draft, Elaborator
from paperback.notation.expr import Affine, Read, Size, Statement, Tensor
from paperback.notation.infer import Extents
from paperback.notation.parse import parse
from paperback.notation.size import SizeLike
from paperback.notation.uses import uses_of
from paperback.notation.walk import map_statement, with_sizes


def read(
    text: str,
    *,
    axes: Mapping[str, AxesLike] | None = None,
    sizes: Mapping[str, int] | None = None,
    integers: Iterable[str] = (),
    scalars: Iterable[str] = (),
    functions: Mapping[str, bool] | None = None,
    bounds: Sequence[Size] = (),
    updates: bool = False,
    base: int | None = None,
) -> Block:
    """The block that a text, plain or in LaTeX, means.

    axes       tensor -> its axes, as "H W R" or ("H", "W", 3); "" or () for a tensor without axes. What is not
               declared here or by a where clause gets sizes of its own
    sizes      numbers for names of sizes, put everywhere
    integers   tensors that hold whole numbers (labels, ids); scalars: names of scalar inputs
    functions  uninterpreted functions, name -> is it increasing?
    bounds     what the left indices of the last statement run over, by position, where nothing in the text says so
    base       where the indices of a formula in LaTeX begin, 0 or 1; None is 0, and warns of sums that begin at 1
    updates    a target that is declared in `axes`, or read where it is computed, means its old value when read

    Tensors that are declared but not read are inputs of the block too: their axes give sizes.

    Raises FormulaError with every problem found; warns with FormulaWarning of `x^1/2`.
    """
    axes, sizes, integers, scalars = axes or {}, sizes or {}, tuple(integers), tuple(scalars)
    latex = tex.is_latex(text)
    if base not in (None, 0, 1):
        raise FormulaError("", Problem(f"indices count from 0 or from 1, not from {base}", hint="write base=1"))
    if base and not latex:
        raise FormulaError("", Problem("indices count from 0 in plain text", hint="base=1 is for formulas in LaTeX"))

    def tell(problems: Iterable[Problem]) -> None:
        """Raise what is wrong, in the order of the text and in its language."""
        ordered = sorted(dict.fromkeys(problems), key=lambda problem: -1 if problem.start is None else problem.start)
        if ordered:
            raise FormulaError(text, [tex.hints.in_latex(p, text, base or 0) for p in ordered] if latex else ordered)

    if latex:
        given = tex.scope.Scope({*axes, *sizes, *integers, *scalars}, _size_names(axes, sizes), set(functions or ()))
        parsed = tex.parse.parse_latex(text, given, base)
    else:
        parsed = parse(text)
    tell(parsed.problems)
    for message in parsed.warnings:
        warn(message, FormulaWarning)
    names = declare(parsed.statements, axes, sizes, integers, scalars)
    names.functions = {**(functions or {}), **names.functions}
    statements = counted_from_zero(parsed.statements, base or 0, names.sizes, names.integers)
    elaborator = Elaborator(names, {s.target: len(s.left) for s in statements}, updates)
    drafts = [draft for s in statements if (draft := elaborator.statement(s)) is not None]
    tell([*names.problems, *elaborator.problems])
    block, problems = _solved(drafts, names, elaborator, bounds)
    tell(problems)
    return block


def _size_names(axes: Mapping[str, AxesLike], sizes: Mapping[str, int]) -> set[str]:
    """The names in axes that the caller gave, roughly: what LaTeX cannot take for letters."""
    pieces = [piece for value in axes.values() for piece in ([value] if isinstance(value, str) else value)]
    return {*sizes, *(name for piece in pieces for name in re.findall(r"[^\W\d]\w*", str(piece)))}


def _solved(
    drafts: list[Draft], names: Names, elaborator: Elaborator, bounds: Sequence[Size]
) -> tuple[Block, list[Problem]]:
    spans = {key: span for draft in drafts for key, span in draft.spans.items()}
    fixed = {letter: size for draft in drafts for letter, size in draft.fixed.items()}
    statements = [draft.statement for draft in drafts]
    lower = {**names.lower, **_pads_in(statements, names)}
    letters = {letter.name for letter in spans if not isinstance(letter, Read)}
    taken = {*names.sizes, *names.axes, *elaborator.targets, *elaborator.ranks, *letters}
    taken |= {*names.scalars, *names.offered, *names.functions}
    solver = Extents(
        statements, names.axes, elaborator.ranks, fixed, lower=lower, taken=taken, spans=spans
    )  # fmt: skip
    solver.solve()
    solver.borrow(statements[-1], bounds)
    facts, problems = check(solver, names.facts)
    filled: dict[str, SizeLike] = {
        f"?{letter.uid}": size for letter, size in solver.extents().items() if size is not None
    }

    def axes_of(name: str) -> tuple[Size, ...]:
        return tuple(size or Size() for size in solver.axes(name))

    done = tuple(replace(_filled(s, filled), axes=axes_of(s.target)) for s in statements)
    order = [*elaborator.ranks, *(n for n in names.axes if n not in elaborator.ranks and n not in elaborator.targets)]
    inputs = {name: Tensor(name, axes_of(name), name in names.integers) for name in order}
    scalars = [*names.scalars, *(n for n in elaborator.used_scalars if n not in names.scalars)]
    return Block(done, inputs, tuple(scalars), names.functions, facts, lower), problems


def _filled(statement: Statement, filled: Mapping[str, SizeLike]) -> Statement:
    return map_statement(statement, lambda node: with_sizes(node, filled), lambda affine: affine.with_sizes(filled))


def _pads_in(statements: Iterable[Statement], names: Names) -> dict[str, int]:
    """Sizes that may be 0: `rest`, and pads: what is subtracted in the index of a padded read, and is no axis."""
    found: set[str] = set()
    used = {name for axes in names.axes.values() for axis in axes for name in axis.names}
    for statement in statements:
        for use in uses_of(statement):
            if isinstance(use.index, Affine):
                used |= {name for _, slope in use.index for name in slope.names}
                if use.padded:
                    found |= {str(m[0]) for m, c in use.index.const.terms if len(m) == 1 and c < 0}
    rests = {name for name in names.sizes if name.startswith("rest")}
    return dict.fromkeys(sorted(rests | (found & set(names.sizes)) - used), 0)
