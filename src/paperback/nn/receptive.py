"""Receptive fields: which part of the input an element of a tensor depends on, from the index maps of the formulas.

    y[i] = sum(p<3) x[2*i+p-1]          y[i] sees x at 2*i-1 .. 2*i+1:   size 3, jump 2, offset -1

One walk over the statements, last to first, carries a set of positions per axis. A read of S at affine indices turns
the sets of the letters into positions of S; letters on the left get theirs from the target, summed letters run over
their extent, and guards leave out what does not hold:

    y[t] = sum(i,p) [t == s*i+p]*x[i]*w[p]        i = (t-p)/s, where that is whole

So stride, dilation, padding, transposed convolution, branches and layers of one's own need no rules of their own. The
sets are those of each axis by itself: for branches whose fields cross, the field is the box around both.
"""

from __future__ import annotations

__all__ = ["Field", "influence", "receptive_fields"]

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from math import lcm, prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from paperback.nn.network import INPUT, Network
from paperback.notation.expr import (
    Affine,
    AffineGuard,
    Binder,
    Compare,
    Divides,
    Guard,
    IndexExpr,
    Letter,
    Quotient,
    Read,
    Size,
    Statement,
)
from paperback.notation.size import evaluate
from paperback.notation.uses import binders_of, uses_of
from paperback.program.program import Program

Positions = NDArray[np.int64]
Box = tuple[Positions, ...]  # of one tensor, a set of positions per axis
Letters = dict[Letter, Positions]

_LARGEST_GRID = 1 << 22  # a guard over more combinations is taken to hold
_SAMPLES = 32


@dataclass(frozen=True)
class Field:
    """What one place of a layer's result sees of the input, an entry per axis of the input (the batch not counted).

    size      how far its first and last position are apart, plus one; holes that a dilation leaves are counted
    jump      how far the field moves from one place to the next; 0 where all see the same, None where it is irregular
    offset    where the field of the first place begins: below 0 by what padding adds

    A place is an index of all axes but the last, the channels; in a result of one axis it is an element. Place i sees
    jump*i + offset .. jump*i + offset + size - 1; what of that is outside the input is padding. Behind a transposed
    convolution fields differ from place to place within a period: size is the largest, jump the mean.
    """

    size: tuple[int, ...]
    jump: tuple[Fraction | None, ...]
    offset: tuple[int, ...]


def receptive_fields(network: Network) -> dict[str, Field | None]:
    """The field of every layer by name; None for a result that does not depend on the input."""
    targets = [statement.target for statement in reversed(network.predict.statements)]
    outputs = {info.name: next(t for t in targets if t.startswith(f"{info.name}.")) for info in network.layers}
    return {name: _field(network.predict, target) for name, target in outputs.items()}


def influence(program: Program, tensor: str, element: Sequence[int | Iterable[int]]) -> Box | None:
    """The positions of the input, per axis, that an element of a tensor depends on; None where it depends on none.

    `element` has an entry per axis of the tensor, the batch not counted: a position, or several.
    """
    return _trace(program, tensor, [np.atleast_1d(np.array(at, dtype=np.int64)) for at in element], inside=True)


def _field(program: Program, tensor: str) -> Field | None:
    """From a few places, their neighbours and those a period further, what all have in common."""
    shape, whole = (_shape(program, name)[1:] for name in (tensor, INPUT))
    places = shape[:-1] if len(shape) > 1 else shape
    channels = [np.arange(n) for n in shape[len(places) :]]

    def span(place: int) -> NDArray[np.int64] | None:
        """First and last position of the field of the place (i, i, ...), as if the input had no end."""
        box = _trace(program, tensor, [*[np.array([place])] * len(places), *channels], inside=False)
        return None if box is None else np.array([[at[0], at[-1]] for at in box])

    period, last = _period(program, tensor), max(places, default=1) - 1
    samples = {*range(min(last, period, _SAMPLES) + 1), last // 2, last}
    samples |= {place + period for place in samples if place + period <= last}
    spans = {place: at for place in sorted(samples) if (at := span(place)) is not None}
    if not spans:
        return None
    first = min(spans)
    begin, later = spans[first], span(first + period)
    size, jump, offset = [], [], []
    for axis, length in enumerate(whole):
        step = 0 if later is None else int(later[axis, 0] - begin[axis, 0])
        if step == 0:  # then it must be the same for all, within a period too
            regular = all((at[axis] == begin[axis]).all() for at in spans.values())
        else:
            moved = [spans[place + period][axis] - at[axis] for place, at in spans.items() if place + period in spans]
            regular = all((by == step).all() for by in moved) and len(shape) == len(whole)
        low, reach = int(begin[axis, 0]), max(int(at[axis, 1] - at[axis, 0]) for at in spans.values())
        if regular and step == 0:  # all see the same: what is beyond the input is no part of it
            reach = min(low + reach, length - 1) - max(low, 0)
            low = max(low, 0)
        size.append(reach + 1)
        jump.append(Fraction(step, period) if regular else None)
        offset.append(low)
    return Field(tuple(size), tuple(jump), tuple(offset))


def _trace(program: Program, tensor: str, element: Sequence[Positions], inside: bool) -> Box | None:
    """The part of the input that a box of a tensor depends on; with `inside` borders count, else nothing ends."""
    one = np.zeros(1, np.int64)  # one example
    seen: dict[str, Box] = {tensor: (one, *element)}
    sizes = {program.batch: 1}
    for statement in reversed(program.statements):
        box = seen.pop(statement.target, None)
        if box is None:
            continue
        for name, part in _reads(program, statement, box, sizes, inside):
            known = seen.get(name)
            seen[name] = part if known is None else tuple(map(np.union1d, known, part))
    found = seen.get(INPUT)
    return None if found is None else found[1:]


def _reads(
    program: Program, statement: Statement, box: Box, sizes: Mapping[str, int], inside: bool
) -> Iterator[tuple[str, Box]]:
    """What a box of the target reads of the tensors that may depend on the input."""
    start = _letters(statement, box, sizes, inside)
    pairs = dict.fromkeys((use.read, use.guards) for use in uses_of(statement))
    for read, guards in pairs:
        if program.tensors[read.tensor].role not in ("input", "intermediate", "output"):
            continue
        letters = dict(start)
        for guard in guards:
            _restrict(letters, guard, read, statement.binders, sizes, inside)
        axes = program.tensors[read.tensor].axes
        part = tuple(_positions(i, letters, n, sizes, inside) for i, n in zip(read.indices, axes, strict=True))
        if all(at.size for at in (*part, *letters.values())):
            yield read.tensor, part


def _letters(statement: Statement, box: Box, sizes: Mapping[str, int], inside: bool) -> Letters:
    """The sets of all letters; an affine left side, as in y[W*i+j], is taken apart like the digits of a number."""
    letters = {binder.letter: np.arange(_number(binder.extent, sizes)) for binder in binders_of(statement)}
    for left, positions in zip(statement.left, box, strict=True):
        rest = positions - _number(left.const, sizes)
        if left.bare is not None:
            letters[left.bare] = rest
            continue
        count = prod(letters[letter].size for letter in left.letters)
        if rest.size == count and rest[0] == 0 and rest[-1] == count - 1:
            continue  # all of the axis is all of every letter
        digits: Letters = {}
        for letter, factor in sorted(((l, _number(c, sizes)) for l, c in left), key=lambda term: -abs(term[1])):
            digits[letter], rest = rest // factor, rest % factor
        holds = rest == 0
        for letter, digit in digits.items():
            letters[letter] = np.unique(digit[holds])
    return letters


def _restrict(
    letters: Letters, guard: Guard, read: Read, left: Sequence[Binder], sizes: Mapping[str, int], inside: bool
) -> None:
    """Leave out the positions of letters for which a guard does not hold; a comparison of data may always hold."""
    if isinstance(guard, Compare) or prod(letters[letter].size for letter in guard.affine.letters) > _LARGEST_GRID:
        return
    terms = {letter: _number(factor, sizes) for letter, factor in guard.affine}
    solved = _solvable(guard, terms, read, left)
    known = [letter for letter in terms if letter is not solved]
    grid = np.meshgrid(*(letters[letter] for letter in known), indexing="ij")
    columns = dict(zip(known, (axis.ravel() for axis in grid), strict=True))
    value: Any = _number(guard.affine.const, sizes) + sum(terms[letter] * column for letter, column in columns.items())
    value = np.broadcast_to(value, (grid[0].size if grid else 1,))
    if solved is not None:
        columns[solved] = -value // terms[solved]
        holds = value % terms[solved] == 0
        if inside:
            holds &= np.isin(columns[solved], letters[solved])
    elif isinstance(guard, Divides):
        holds = value % _number(guard.modulus, sizes) == 0
    else:
        holds = {">=": value >= 0, "==": value == 0, "!=": value != 0}[guard.relation]
    for letter, column in columns.items():
        letters[letter] = np.unique(column[holds])


def _solvable(guard: Guard, terms: Mapping[Letter, int], read: Read, left: Sequence[Binder]) -> Letter | None:
    """The summed letter of a read for which an equation can be solved."""
    if not isinstance(guard, AffineGuard) or guard.relation != "==":
        return None
    given = {binder.letter for binder in left}
    own = {letter for index in read.indices if isinstance(index, Affine) for letter in index.letters} - given
    return max((letter for letter in terms if letter in own), key=lambda letter: abs(terms[letter]), default=None)


def _positions(index: IndexExpr, letters: Letters, extent: Size, sizes: Mapping[str, int], inside: bool) -> Positions:
    """The positions that an index takes; one that data choose may be any."""
    length = _number(extent, sizes)
    if isinstance(index, Read):
        return np.arange(length)
    affine = index.affine if isinstance(index, Quotient) else index
    at = np.array([_number(affine.const, sizes)])
    for letter, factor in affine:
        moved = np.add.outer(at, _number(factor, sizes) * letters[letter])
        at = moved[0] if at.size == 1 and _number(factor, sizes) > 0 else np.unique(moved)
    if isinstance(index, Quotient):
        divisor = _number(index.divisor, sizes)
        at = at[at % divisor == 0] // divisor
    return at[(at >= 0) & (at < length)] if inside else at


def _period(program: Program, tensor: str) -> int:
    """After how many places fields repeat, moved: 1, but where indices are divided: transposed convolution, flatten."""
    sizes, period = {program.batch: 1}, 1
    for statement in program.statements:
        forms = [left for left in statement.left if left.bare is None]
        divisors = []
        for use in uses_of(statement):
            forms += [guard.affine for guard in use.guards if isinstance(guard, AffineGuard) and guard.relation == "=="]
            if isinstance(use.index, Quotient):
                divisors.append(_number(use.index.divisor, sizes))
        divisors += [abs(_number(factor, sizes)) for form in forms for _, factor in form]
        period *= lcm(*divisors)  # one division behind another
        if statement.target == tensor:
            break
    return period


def _shape(program: Program, tensor: str) -> tuple[int, ...]:
    return tuple(_number(axis, {program.batch: 1}) for axis in program.tensors[tensor].axes)


def _number(size: Size, sizes: Mapping[str, int]) -> int:
    return size.value if size.is_int else evaluate(size, dict(sizes))
