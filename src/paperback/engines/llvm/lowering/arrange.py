"""Making statements fit the fast kernel: copies that lie as it needs them, and sums turned into scatters.

    padded copy       P[a] = x[a - low] where x pads 0           so that no read of a window leaves its range
    transposed copy   T[k, v] = B[v, k]                          so that the letter in the lanes has neighbours
    scatter           dx[i] = sum(p,k) w[p,k]*dy[i-p,k]          becomes, with i = m + p and nothing read outside,
                      dx[m+p] += sum(k) w[p,k]*dy[m,k]           for every p in turn
    side by side      dx[i,m+q,c] += sum(p,k) [0 <= i-p < H] w[p,k,q,c]*dy[i-p,m,k]
                      for all (q, c) in the lanes together, where c alone would fill too few of them
A scatter does no work on padding; it is worth it where enough is left of the sum to keep in registers. Copies are made
once and shared: of what is given before the shards start, of what is computed for each example beside it.
"""

from __future__ import annotations

__all__ = [
    "NO_CACHE", "along", "blocked", "guards_of", "joined_letters", "needs_transpose", "padded_copy", "scattered",
    "separated",
    "transposed_copy",
]  # fmt: skip

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from math import prod

from paperback.engines.llvm.lowering.buffers import Linear, interval, is_inside
from paperback.engines.llvm.lowering.nests import Clip
from paperback.notation.affine import Affine, Letter
from paperback.notation.expr import (
    Add,
    AffineGuard,
    Binder,
    Bracket,
    Guard,
    Mul,
    Node,
    Read,
    Reduce,
    Statement,
    add,
)  # fmt: skip
from paperback.notation.size import Size
from paperback.notation.walk import free_letters, map_children, nodes, substitute

_LEAST_INNER = 8
_LEAST_BLOCK = 16  # turns of a sum that are worth loading and storing its accumulators
_FIRST_CACHE = 8192  # entries of weights that it holds beside everything else
_REUSE = 8
NO_CACHE = 1 << 20  # entries of weights that no second-level cache holds
_ROWS = 128  # of them in a block, or fewer
_LONG = 128  # turns of a sum from which adding its lanes at the end costs less than turning the weights round
_LANES = 16  # of a vector

Shape = tuple[int, ...]
Extents = Mapping[Letter, int]


def guards_of(node: Node) -> tuple[tuple[Guard, ...], tuple[Node, ...]]:
    """The guards and the other factors of a product."""
    factors = node.factors if isinstance(node, Mul) else (node,)
    guards = tuple(g for f in factors if isinstance(f, Bracket) for g in f.guards)
    return guards, tuple(f for f in factors if not isinstance(f, Bracket))


def product_of_reads(node: Node, guarded: bool = False) -> tuple[Read, Read] | None:
    """The two factors of a plain sum of products of affine reads; of one that has guards only where asked for."""
    if not isinstance(node, Reduce) or node.op != "sum" or not isinstance(node.body, Mul):
        return None
    if node.guards and not guarded:
        return None
    factors = node.body.factors
    if len(factors) != 2 or not all(isinstance(f, Read) for f in factors):
        return None
    first, second = (f for f in factors if isinstance(f, Read))
    if all(isinstance(i, Affine) for i in (*first.indices, *second.indices)):
        return first, second
    return None


def affine_indices(read: Read) -> tuple[Affine, ...]:
    return tuple(i for i in read.indices if isinstance(i, Affine))


def strides_of(shape: Sequence[int]) -> tuple[int, ...]:
    strides = [1]
    for n in reversed(shape[1:]):
        strides.append(strides[-1] * n)
    return tuple(reversed(strides)) if shape else ()


def flat(read: Read, shapes: Mapping[str, Shape]) -> Linear:
    return Linear.of(affine_indices(read), strides_of(shapes[read.tensor]))


# ---------------------------------------------------------------------------------------------------------------------
# Several sums in one statement


def separated(statement: Statement, padded: bool = False) -> list[Statement]:
    """A statement for every sum of products among the terms, so that each can be accumulated by itself.

    The first stays with the other terms; with `padded`, sums that read padding are all apart.
    """
    terms = statement.expr.terms if isinstance(statement.expr, Add) else ()
    sums = [t for t in terms if any(product_of_reads(n) for n in nodes(t))]
    apart = sums[1:]
    if padded:
        apart = [t for t in sums if any(isinstance(n, Read) and n.pad is not None for n in nodes(t))]
    rest = [t for t in terms if t not in apart]
    if not apart or not rest:
        return [statement]
    return [replace(statement, expr=add(*rest)), *(replace(statement, expr=t) for t in apart)]


# ---------------------------------------------------------------------------------------------------------------------
# Blocks


def blocked(
    statement: Statement, extents: Extents, shapes: Mapping[str, Shape]
) -> tuple[Statement, Statement] | None:
    """`y = b`, then `y += sum(r) x*w` for every (p, q) in turn: the part of w that is at work stays in the first cache.

    None where all of w does anyway, where nothing uses it again soon, or where too little is left of the sum. Weights
    that no cache holds are read in blocks of rows, so that pages are read from their beginning to their end.
    """
    terms = statement.expr.terms if isinstance(statement.expr, Add) else (statement.expr,)
    sums = [t for t in terms if product_of_reads(t)]
    if len(sums) != 1 or not isinstance(sums[0], Reduce) or not statement.is_plain:
        return None
    node, place = sums[0], Linear.of(statement.left, strides_of(shapes[statement.target]))
    lanes = [b.letter for b in statement.binders if place.step(b.letter) == 1]
    factors = product_of_reads(node) or ()
    weights = [f for f in factors if lanes and flat(f, shapes).step(lanes[-1]) == 1 and shapes[f.tensor][0] >= 0]
    if len(weights) != 1:
        return None
    used = set(free_letters(weights[0]))
    again = prod(extents[b.letter] for b in statement.binders if b.letter not in used and extents[b.letter] > 0)
    inner: list[Binder] = []
    for binder in reversed(node.binders):
        if extents[binder.letter] < 0:
            return None
        if prod(extents[b.letter] for b in inner) < _LEAST_BLOCK:
            inner.insert(0, binder)
    if len(node.binders) == 1 and extents[node.binders[0].letter] * extents[lanes[-1]] >= NO_CACHE:
        return _by_rows(statement, node, terms, extents)
    outer = [b for b in node.binders if b not in inner]
    size = prod(extents[b.letter] for b in node.binders) * extents[lanes[-1]]
    if not outer or again < _REUSE or size < _FIRST_CACHE or prod(extents[b.letter] for b in inner) < _LEAST_BLOCK:
        return None
    first = replace(statement, expr=add(*(t for t in terms if t is not node)))
    places = [b for b in statement.binders if extents[b.letter] < 0]
    rest = [b for b in statement.binders if extents[b.letter] >= 0]
    left: Node = Reduce("sum", tuple(inner), (), node.body)
    return first, replace(statement, binders=(*places, *outer, *rest), expr=left)


def _by_rows(
    statement: Statement, node: Reduce, terms: Sequence[Node], extents: Extents
) -> tuple[Statement, Statement] | None:
    """The same, for a few rows of the weights in turn."""
    binder = node.binders[0]
    count = extents[binder.letter]
    rows = next((n for n in range(_ROWS, _LEAST_BLOCK - 1, -1) if count % n == 0), 0)
    if not rows:
        return None
    block, row = Letter.fresh(binder.letter.name), Letter.fresh(binder.letter.name)
    body = substitute(node.body, {binder.letter: Affine.of(block) * rows + Affine.of(row)})
    left: Node = Reduce("sum", (Binder(row, Size.of(rows)),), (), body)
    first = replace(statement, expr=add(*(t for t in terms if t is not node)))
    return first, replace(statement, binders=(Binder(block, Size.of(count // rows)), *statement.binders), expr=left)


# ---------------------------------------------------------------------------------------------------------------------
# Scatter


def scattered(
    statement: Statement, extents: Extents, shapes: Mapping[str, Shape]
) -> tuple[Statement, tuple[Clip, ...]] | None:
    """`target[m + p] += sum(k) ...` for a sum whose one padded factor is read at `place - offset`, else None."""
    factors = product_of_reads(statement.expr)
    if factors is None:
        return None
    padded = [f for f in factors if f.pad is not None]
    if len(padded) != 1 or padded[0].pad != 0:
        return None
    read = padded[0]
    other = factors[1] if read is factors[0] else factors[0]
    assert isinstance(statement.expr, Reduce)
    letters = {b.letter for b in statement.binders}
    bound = {b.letter: b for b in statement.expr.binders}
    moved: dict[Letter, Affine] = {}
    new: dict[Letter, Binder] = {}
    clips: list[Clip] = []
    used: list[Letter] = []
    indices: list[Affine] = []
    beside = _side_by_side(statement, read, other, extents, shapes)
    guards: list[AffineGuard] = []
    for index, length in zip(affine_indices(read), shapes[read.tensor], strict=True):
        if is_inside(index, length, extents):
            indices.append(index)
            continue
        if beside is not None and beside not in index.letters:
            guards += AffineGuard(">=", index), AffineGuard(">=", -index + (length - 1))
            indices.append(index)
            continue
        places = [l for l, k in index.terms if l in letters and k.value == 1]
        rest = [l for l in index.letters if l not in places]
        if len(places) != 1 or places[0] in moved or any(l not in bound for l in rest):
            return None
        letter = places[0]
        inside = Letter.fresh(letter.name)
        moved[letter] = Affine.of(inside) - index.without(letter)
        new[letter] = Binder(inside, Size.of(length))
        reach = interval(moved[letter], {**extents, inside: length})
        if reach is None or reach[0] < 0 or reach[1] >= extents[letter]:
            clips.append(Clip(moved[letter], extents[letter]))
        indices.append(Affine.of(inside))
        used += rest
    if not moved or any(l in moved for l in free_letters(other)) or any(
        l in moved for i, n in zip(affine_indices(read), shapes[read.tensor], strict=True) if is_inside(i, n, extents)
        for l in i.letters
    ):  # fmt: skip
        return None
    place = Linear.of(statement.left, strides_of(shapes[statement.target]))
    if clips and any(place.step(l) == 1 for l in moved):
        return None  # the lanes' own loop cannot be clipped
    inner = [b for b in statement.expr.binders if b.letter not in used]
    if not inner or prod(extents[b.letter] if extents[b.letter] > 0 else 1 for b in inner) < _LEAST_INNER:
        return None
    inner.sort(key=lambda b: not any(b.letter in g.affine.letters for g in guards))  # bounded loops are the outer ones
    body = statement.expr.body
    bare: Node = Read(read.tensor, tuple(indices), None)
    body = map_children(body, lambda f: bare if f is read else f)
    node: Node = Reduce("sum", tuple(inner), tuple(guards), body)
    first = [b for b in statement.binders if b.letter not in moved and not _is_lane(b, statement, shapes)]
    last = [b for b in statement.binders if b.letter not in moved and _is_lane(b, statement, shapes)]
    binders = (*first, *(bound[l] for l in dict.fromkeys(used)), *new.values(), *last)
    left = tuple(a.substitute(moved) for a in statement.left)
    return replace(statement, left=left, binders=binders, expr=node), tuple(clips)


def _side_by_side(
    statement: Statement, read: Read, other: Read, extents: Extents, shapes: Mapping[str, Shape]
) -> Letter | None:
    """The offset q of a scatter whose values can be in the lanes beside those of the letter of neighbours, c.

    One place further in the result is as far as c runs, c alone would leave lanes empty, and all that is read of the
    other factor, for all offsets along the other axes too, fits into the first cache.
    """
    assert isinstance(statement.expr, Reduce)
    place = Linear.of(statement.left, strides_of(shapes[statement.target]))
    lane = next((b.letter for b in statement.binders if place.step(b.letter) == 1), None)
    if lane is None or extents[lane] % _LANES == 0 or shapes[other.tensor][0] < 0:
        return None
    if prod(extents[l] for l in free_letters(other)) > _FIRST_CACHE:
        return None
    bare = [i.bare for i in affine_indices(other)]
    for index, length in zip(affine_indices(read), shapes[read.tensor], strict=True):
        at = [l for l in index.letters if place.step(l) == extents[lane]]
        offsets = [(l, k.value) for l, k in index.terms if l not in at]
        if len(at) != 1 or len(offsets) != 1 or offsets[0][1] != -1 or index.const.value != 0:
            continue
        offset = offsets[0][0]
        whole = extents[at[0]] == length + extents[offset] - 1  # every product belongs somewhere
        wide = extents[lane] * extents[offset]
        fewer = -(-wide // _LANES) < extents[offset] * -(-extents[lane] // _LANES)
        if whole and fewer and lane in bare and offset in bare and len(set(bare)) == len(bare):
            return offset
    return None


def _is_lane(binder: Binder, statement: Statement, shapes: Mapping[str, Shape]) -> bool:
    return Linear.of(statement.left, strides_of(shapes[statement.target])).step(binder.letter) == 1


# ---------------------------------------------------------------------------------------------------------------------
# Copies


def padded_copy(read: Read, extents: Extents, shapes: Mapping[str, Shape]) -> tuple[Statement, Read] | None:
    """A statement that copies the region that is read, with its padding, and the read of the copy."""
    axes, lows, indices = [], [], []
    for index, length in zip(affine_indices(read), shapes[read.tensor], strict=True):
        if is_inside(index, length, extents):
            axes.append(length)
            lows.append(0)
            indices.append(index)
            continue
        reach = interval(index, extents)
        if reach is None:
            return None
        axes.append(reach[1] - reach[0] + 1)
        lows.append(reach[0])
        indices.append(index - reach[0])
    region = " ".join(f"{low}:{low + n}" for low, n in zip(lows, axes, strict=True))
    name = f"{read.tensor} (at {region} with {read.pad})"
    letters = [Letter.fresh("a") for _ in axes]
    source: Node = Read(read.tensor, tuple(Affine.of(l) + low for l, low in zip(letters, lows, strict=True)), read.pad)
    copy = Statement.plain(name, [Binder(l, Size.of(n)) for l, n in zip(letters, axes, strict=True)], source)
    result = Read(name, tuple(indices), None)
    assert isinstance(result, Read)
    return copy, result


def needs_transpose(
    statement: Statement, extents: Extents, shapes: Mapping[str, Shape], width: int
) -> tuple[Read, tuple[int, ...]] | None:
    """The factor whose lane letters have no neighbours, and the axes to put last; None where all lies as it must."""
    found = [n for n in nodes(statement.expr) if isinstance(n, Reduce)]
    factors = product_of_reads(found[0], guarded=True) if len(found) == 1 else None
    if factors is None or any(f.pad is not None for f in factors):
        return None
    place = Linear.of(statement.left, strides_of(shapes[statement.target]))
    assert isinstance(found[0], Reduce)
    inner = [b.letter for b in found[0].binders if extents[b.letter] >= _LONG and not found[0].guards]
    candidate = None
    for lane in (b.letter for b in statement.binders):
        if place.step(lane) != 1:
            continue
        for read, other in (factors, factors[::-1]):
            lanes = (*_joined_by_copy(statement, lane, (read, other), place, extents, shapes, width), lane)
            if prod(extents[l] for l in lanes) < max(2, width // 4):
                continue
            lies, rest = flat(other, shapes), flat(read, shapes).step(lane)
            if not rest and all(lies.step(l) == prod(extents[m] for m in lanes[k + 1 :]) for k, l in enumerate(lanes)):
                return None
            if along(factors, inner, shapes) is not None and shapes[other.tensor][0] >= 0:
                return None
            axes = [k for l in lanes for k, i in enumerate(affine_indices(other)) if l in i.letters]
            bare = [affine_indices(other)[k].bare for k in axes] == list(lanes)
            if lies.step(lane) and not rest and bare and (axes[0] > 0 or shapes[other.tensor][0] >= 0):
                candidate = other, tuple(axes)
    return candidate


def _joined_by_copy(
    statement: Statement, lane: Letter, factors: tuple[Read, Read], place: Linear, extents: Extents,
    shapes: Mapping[str, Shape], width: int,
) -> tuple[Letter, ...]:  # fmt: skip
    """The letters that could join the lanes if the second factor, which is the same for all examples, lay so."""
    read, other = factors
    if isinstance(statement.expr, Add | Mul) or shapes[other.tensor][0] < 0:
        return ()
    letters = [i.bare for i in affine_indices(other) if i.bare is not None and i.bare not in free_letters(read)]
    return joined_letters(lane, [l for l in letters if l in statement.letters], (place,), extents, width)


def joined_letters(
    lane: Letter, letters: Collection[Letter], places: Sequence[Linear], extents: Extents, width: int
) -> tuple[Letter, ...]:
    """The letters that go on where the lanes of `lane` end, in all of these places, if that takes fewer vectors."""
    joined: list[Letter] = []
    wide = extents[lane]
    while True:
        more = next((l for l in letters if l != lane and all(p.step(l) == wide for p in places)), None)
        if more is None or extents[more] < 2:
            break
        joined.insert(0, more)
        wide *= extents[more]
    apart = -(-extents[lane] // width) * (wide // extents[lane])
    return tuple(joined) if -(-wide // width) < apart else ()


def along(factors: Sequence[Read], inner: Sequence[Letter], shapes: Mapping[str, Shape]) -> Letter | None:
    """The letter of a sum that has neighbours in both factors."""
    steps = [flat(f, shapes) for f in factors]
    return next((l for l in inner if all(step.step(l) == 1 for step in steps)), None)


def transposed_copy(read: Read, axes: Sequence[int], shapes: Mapping[str, Shape]) -> tuple[Statement, Read]:
    """A statement that copies a tensor with some axes put last, and the read of the copy."""
    shape = shapes[read.tensor]
    order = [*(k for k in range(len(shape)) if k not in axes), *axes]
    letters = [Letter.fresh("a") for _ in shape]
    source: Node = Read(read.tensor, tuple(map(Affine.of, letters)), None)
    name = f"{read.tensor} ({'axis' if len(axes) == 1 else 'axes'} {', '.join(map(str, axes))} last)"
    copy = Statement.plain(name, [Binder(letters[k], Size.of(shape[k])) for k in order], source)
    result = Read(name, tuple(read.indices[k] for k in order), None)
    assert isinstance(result, Read)
    return copy, result


def with_node(statement: Statement, old: Node, new: Node) -> Statement:
    """The statement with one node in place of another."""

    def image(node: Node) -> Node:
        return new if node is old else map_children(node, image)

    return replace(statement, expr=image(statement.expr))

