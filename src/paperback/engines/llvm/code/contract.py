"""Sums of products of two tensors, in registers.

    out[.., u, .., v] = sum(k) A[.., u, .., k] * B[.., k, .., v]

Every contraction is this one: convolution and its gradients, dense layers and theirs, attention; they differ by strides
alone. `v` runs in the lanes: its entries are neighbours in the result and in B. Where it is short and another letter
goes on where it ends, as w does in out[.., w, v] and B[k, w, v], both run in the lanes together. `u`, the rows, occurs
in A and the result. A tile of U rows and V vectors is accumulated in registers over all of k; a step of k loads V
vectors of B and U numbers of A for U*V multiply-adds. Then what the statement does with the sum (a bias, a residual) is
done in registers.
"""

from __future__ import annotations

__all__ = [
    "Contraction", "Dots", "Tile", "bounded", "choose_tile", "find_contraction", "flat", "halves", "is_within",
    "limits", "rows_or_usual", "the_sum", "turn_cycles",
]  # fmt: skip

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from math import inf, prod

from paperback.engines.llvm.lowering.arrange import joined_letters, product_of_reads
from paperback.engines.llvm.lowering.buffers import BATCH, SHARDS, Buffer, Linear, is_inside
from paperback.notation.affine import Affine, Letter
from paperback.notation.expr import AffineGuard, Guard, Node, Read, Reduce, Statement
from paperback.notation.walk import free_letters, guard_letters, nodes

_LEAST_WORK = 2  # turns of the sum from which a tile is worth its code
_ROWS_AT_ONCE = 12
_RUNTIME_EXTENT = 32


@dataclass(frozen=True)
class Contraction:
    """A statement's sum of products, and the part that every letter plays.

    node      the sum; the rest of the statement is done with its value
    a, b      the factor that is spread over the lanes, and the one that is loaded in vectors
    lane      the letter in the lanes
    joined    letters that run in the lanes too, the slowest first: with `lane`, all their values are neighbours
    rows      letters of the tile's rows, the fastest last; empty for one row
    outer     the other letters of the result
    inner     the letters of the sum
    """

    node: Reduce
    a: Read
    b: Read
    lane: Letter
    rows: tuple[Letter, ...]
    outer: tuple[Letter, ...]
    inner: tuple[Letter, ...]
    joined: tuple[Letter, ...] = ()

    @property
    def lanes(self) -> tuple[Letter, ...]:
        return (*self.joined, self.lane)


@dataclass(frozen=True)
class Dots:
    """A sum of products in which both factors run along the letter in the lanes (see `dots`).

    rows, columns    the letters of the tile that only `a` and only `b` has; None where there is none
    """

    node: Reduce
    a: Read
    b: Read
    lanes: Letter
    rows: Letter | None
    columns: Letter | None
    outer: tuple[Letter, ...]


@dataclass(frozen=True)
class Tile:
    """U rows and V vectors."""

    rows: int
    vectors: int


def flat(read: Read, buffer: Buffer) -> Linear:
    return Linear.of([i for i in read.indices if isinstance(i, Affine)], buffer.strides)


def the_sum(statement: Statement) -> Reduce | None:
    """The only reduction of a statement."""
    found = [n for n in nodes(statement.expr) if isinstance(n, Reduce)]
    return found[0] if len(found) == 1 else None


def find_contraction(
    statement: Statement,
    buffers: Mapping[str, Buffer],
    extents: Mapping[Letter, int],
    fixed: Collection[Letter | None],
    width: int,
    alone: bool = True,
) -> Contraction | None:
    """How the statement is a contraction whose vectors lie as they must; None where it is none.

    The letters of `fixed` have loops of their own: they cannot run in the lanes. Statements that are not `alone` in
    their nest, or do more than sum, have a single letter in the lanes.
    """
    node = the_sum(statement)
    factors = product_of_reads(node, guarded=True) if node is not None else None
    if node is None or factors is None or any(f.pad is not None for f in factors):
        return None
    if not all(bounded(node, guard) for guard in node.guards):
        return None
    guarded = {l for guard in node.guards for l in guard_letters(guard)}
    if not all(is_within(f, buffers[f.tensor], extents, node.guards) for f in factors):
        return None  # what a guard around the sum keeps from being read
    place = Linear.of(statement.left, buffers[statement.target].strides)
    steps = [flat(f, buffers[f.tensor]) for f in factors]
    inner = tuple(b.letter for b in node.binders)
    if prod(_turns(extents[l]) for l in inner) < _LEAST_WORK:
        return None
    letters = tuple(b.letter for b in statement.binders)
    for lane in letters:
        if place.step(lane) != 1 or lane in fixed or lane in guarded:
            continue
        for k, (read, other) in enumerate((factors, factors[::-1])):
            if steps[1 - k].step(lane) == 1 and not steps[k].step(lane):
                free = [l for l in letters if l not in fixed and l not in guarded and not steps[k].step(l)]
                single = not alone or statement.expr is not node
                joined = () if single else joined_letters(lane, free, (place, steps[1 - k]), extents, width)
                if prod(extents[l] for l in (lane, *joined)) < max(2, width // 4):
                    continue
                rows = [l for l in letters if l != lane and steps[k].step(l) and not steps[1 - k].step(l)]
                rows = [l for l in rows if l not in guarded]
                chosen = _row_letters(rows, extents)
                outer = tuple(l for l in letters if l not in (lane, *joined, *chosen))
                return Contraction(node, read, other, lane, chosen, outer, inner, joined)
    return None


def bounded(node: Reduce, guard: Guard) -> Letter | None:
    """The letter of a sum that a range guard bounds, once the other letters have their values."""
    if not isinstance(guard, AffineGuard) or guard.relation != ">=":
        return None
    inner = [b.letter for b in node.binders if b.letter in guard.affine.letters]
    slopes = dict(guard.affine.terms)
    return inner[-1] if inner and abs(slopes[inner[-1]].value) == 1 else None


def is_within(read: Read, buffer: Buffer, extents: Mapping[Letter, int], guards: Sequence[Guard] = ()) -> bool:
    """Is it in range for all values of the letters that the guards let through?"""
    indices = [i for i in read.indices if isinstance(i, Affine)]
    known = [g.affine for g in guards if isinstance(g, AffineGuard) and g.relation == ">="]
    return all(
        is_inside(i, n, extents) or (n >= 0 and i in known and -i + (n - 1) in known)
        for i, n in zip(indices, buffer.shape, strict=True)
    )


def _row_letters(rows: Sequence[Letter], extents: Mapping[Letter, int]) -> tuple[Letter, ...]:
    """The letters of the tile's rows: one with many values, or a few short ones together."""
    static = [l for l in rows if extents[l] >= 0]
    long = [l for l in static if extents[l] >= _ROWS_AT_ONCE // 2]
    if long:
        return (max(long, key=lambda l: (_evenness(extents[l]), static.index(l))),)
    batch = [l for l in rows if extents[l] == BATCH]
    size = prod(extents[l] for l in static)
    if batch and size < 4:
        return (batch[0],)
    chosen: list[Letter] = []
    count = 1
    for letter in reversed(static):
        if count * extents[letter] <= 4 * _ROWS_AT_ONCE and extents[letter] > 1:
            chosen.insert(0, letter)
            count *= extents[letter]
    return tuple(chosen) if chosen else tuple(batch[:1])


def _evenness(extent: int) -> float:
    """How well tiles of 6 to 12 rows fill an extent."""
    return max(extent / (-(-extent // u) * u) for u in (8, 6, 7, 12))


def _turns(extent: int) -> int:
    return _RUNTIME_EXTENT if extent in (BATCH, SHARDS) else extent


def choose_tile(rows: int | None, vectors: int, registers: int, across: int = 0) -> Tile:
    """The tile with the fewest cycles for a turn of the sum, and of those the one with the fewest loads.

    rows is None where they are known at run time only: then heights are powers of two, whose halves take what is left.
    A load of a vector counts as two of numbers: vectors come from further away, and are loaded by every tile of rows.
    Its vectors divide `across`.
    """
    best, least = Tile(1, 1), (inf, True, inf, 0)
    budget = registers - 4
    for v in range(1, min(vectors, 4) + 1):
        for u in range(1, min(rows_or_usual(rows), 14) + 1):
            if u * v + v > budget or (rows is None and u & (u - 1)) or across % v:
                continue
            # of equals, the one that leaves no rows and the lowest, as rows are cut in whole tiles
            cut = (rows % u > 0, u) if rows is not None else (False, 0)
            cost = turn_cycles(Tile(u, v), rows, vectors), cut[0], (u + 2 * v) / (u * v), cut[1]
            if cost < least:
                best, least = Tile(u, v), cost
    return best


def rows_or_usual(rows: int | None) -> int:
    """How many rows a choice is made for."""
    return rows if rows is not None else _RUNTIME_EXTENT


def turn_cycles(tile: Tile, rows: int | None, vectors: int) -> float:
    """Cycles for a turn of the sum of all rows and vectors, cut into tiles and what is left of them."""
    columns, left = divmod(vectors, tile.vectors)
    cycles = 0.0
    rest = rows_or_usual(rows)
    for tall in (tile.rows, rest % tile.rows) if rows is not None else halves(tile.rows):
        many, rest = divmod(rest, tall) if tall else (0, rest)
        for wide, across in ((tile.vectors, columns), (left, 1 if left else 0)):
            cycles += many * across * max(limits(Tile(tall, wide)).values())
    return cycles


def halves(size: int) -> list[int]:
    """The heights of tiles for rows that are counted at run time: what one leaves, the next takes."""
    sizes = [size]
    while sizes[-1] > 1:
        sizes.append(sizes[-1] // 2)
    return sizes


def limits(tile: Tile) -> dict[str, float]:
    """Cycles that a turn of one tile takes at least, and for what: two loads and two multiply-adds fit into one.

    Eight multiply-adds must be under way at any time.
    """
    multiply_adds, loads = tile.rows * tile.vectors, tile.rows + tile.vectors
    return {"multiply-adds": multiply_adds / 2, "loads": loads / 2, "waiting for results": 4.0}


def combinations(letters: Sequence[Letter], extents: Mapping[Letter, int]) -> Iterator[dict[Letter, int]]:
    """Every choice of values of some letters, the last fastest."""
    for values in product(*(range(extents[l]) for l in letters)):
        yield dict(zip(letters, values, strict=True))


def depends(node: Node, letters: Sequence[Letter]) -> bool:
    return any(l in letters for l in free_letters(node))

