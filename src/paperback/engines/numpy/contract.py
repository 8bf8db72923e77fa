"""Contraction: the sum of a product of labelled arrays, as matrix products.

    C[batch, m, n] = sum(k) A[batch, m, k] * B[batch, k, n]

Several factors are contracted in pairs, in the order with the fewest multiplications; a letter of one factor alone is
summed first. A factor is a view wherever its strides allow; a window (`x[i+p]`) has to be copied into a matrix, and
that is done block by block so that a copy stays small.
"""

from __future__ import annotations

__all__ = ["BLOCK", "Labelled", "contract", "pair_order", "sum_out"]

from collections.abc import Iterable, Mapping, Sequence
from itertools import combinations
from math import prod

import numpy as np

from paperback.engines.numpy.views import Array
from paperback.notation.affine import Letter

BLOCK = 8 << 20
"""Bytes of one copied block of a factor."""

_TAPS = 64
_EXHAUSTIVE = 5

Labelled = tuple[Array, tuple[Letter, ...]]
Letters = tuple[Letter, ...]


def pair_order(
    factors: Sequence[Iterable[Letter]], keep: Iterable[Letter], extents: Mapping[Letter, int]
) -> list[tuple[int, int]]:
    """Which two factors to contract next, again and again; the result of a pair goes to the end of the list."""
    keep = frozenset(keep)
    sets = tuple(frozenset(f) for f in factors)

    def merged(sets: tuple[frozenset[Letter], ...], i: int, j: int) -> tuple[int, tuple[frozenset[Letter], ...]]:
        rest = tuple(s for k, s in enumerate(sets) if k not in (i, j))
        union = sets[i] | sets[j]
        left = frozenset(l for l in union if l in keep or any(l in s for s in rest))
        return prod(extents[l] for l in union) + prod(extents[l] for l in left), (*rest, left)

    def best(sets: tuple[frozenset[Letter], ...]) -> tuple[int, list[tuple[int, int]]]:
        if len(sets) < 2:
            return 0, []
        choices = [(merged(sets, i, j), (i, j)) for i, j in combinations(range(len(sets)), 2)]
        if len(sets) > _EXHAUSTIVE:
            choices = [min(choices, key=lambda c: c[0][0])]
        found = []
        for (cost, rest), pair in choices:
            more, order = best(rest)
            found.append((cost + more, [pair, *order]))
        return min(found, key=lambda f: f[0])

    return best(sets)[1]


def contract(factors: Sequence[Labelled], order: Sequence[tuple[int, int]], keep: Letters, block: int) -> Labelled:
    """The sum over all letters but `keep` of the product of the factors; `block` bounds the bytes of a copy."""
    work = list(factors)
    wanted = frozenset(keep)
    for k, (array, letters) in enumerate(work):
        others = frozenset(l for j, (_, ls) in enumerate(work) if j != k for l in ls)
        work[k] = sum_out(array, letters, [l for l in letters if l not in keep and l not in others])
    for i, j in order:
        a, b = work[i], work[j]
        del work[j], work[i]
        first = next((l for l in keep if (l in a[1]) != (l in b[1])), None)
        if first is not None and first in b[1]:
            a, b = b, a
        work.append(_pair(a, b, wanted.union(*(letters for _, letters in work)), block))
    return work[0]


def sum_out(array: Array, letters: Letters, gone: Sequence[Letter]) -> Labelled:
    """Sum over some axes; few of them, inside windows, as slices."""
    if not gone:
        return array, letters
    axes = tuple(letters.index(l) for l in gone)
    rest = tuple(l for l in letters if l not in gone)
    turns = prod(array.shape[a] for a in axes)
    kept = [s for a, s in enumerate(array.strides) if a not in axes and array.shape[a] > 1]
    inner = min((abs(s) for s in kept), default=0)
    if turns <= _TAPS and kept and inner <= min(abs(array.strides[a]) for a in axes):
        moved = np.moveaxis(array, axes, range(len(axes)))
        places = list(np.ndindex(*moved.shape[: len(axes)]))
        total = moved[places[0]].copy()
        for place in places[1:]:
            total += moved[place]
        return total, rest
    return np.asarray(np.sum(array, axis=axes, dtype=array.dtype)), rest


def _pair(left: Labelled, right: Labelled, stay: frozenset[Letter], block: int, out: Array | None = None) -> Labelled:
    (a, la), (b, lb) = left, right
    k = [l for l in la if l in lb and l not in stay]
    if not k:
        return _outer(a, la, b, lb)
    batch = [l for l in la if l in lb and l in stay]
    m, n = [l for l in la if l not in lb], [l for l in lb if l not in la]
    sizes = dict(zip((*la, *lb), (*a.shape, *b.shape), strict=True))
    if batch and (prod(sizes[l] for l in m) == 1 or prod(sizes[l] for l in n) == 1):
        return _dot(a, la, b, lb, (*batch, *m, *n), k, sizes)
    k = min(
        (_by_stride(a, la, k), _by_stride(b, lb, k)),
        key=lambda o: _copies(a, la, batch, m, o) + _copies(b, lb, batch, o, n),
    )
    for array, letters, mine in ((a, la, m), (b, lb, n)):
        groups = (batch, m, k) if letters is la else (batch, k, n)
        size = _copies(array, letters, *groups)
        if size > block:
            letter = next((l for l in (*batch, *mine, *k) if sizes[l] > 1), None)
            if letter is not None:
                return _in_blocks(left, right, stay, block, letter, size, (*batch, *m, *n), sizes)
    x = _matrix(a, la, batch, m, k)
    y = _matrix(b, lb, batch, k, n)
    shape = tuple(sizes[l] for l in (*batch, *m, *n))
    if out is not None and _merges(out, (len(batch), len(m), len(n))):
        np.matmul(
            x,
            y,
            out=out.reshape(x.shape[0], x.shape[1], y.shape[2]) if x.ndim == 3 else out.reshape(x.shape[0], y.shape[1]),
        )
        return out, (*batch, *m, *n)
    return np.matmul(x, y).reshape(shape), (*batch, *m, *n)


def _in_blocks(
    left: Labelled,
    right: Labelled,
    stay: frozenset[Letter],
    block: int,
    letter: Letter,
    size: int,
    order: Letters,
    sizes: Mapping[Letter, int],
) -> Labelled:
    """The same product over slices of one letter, so that no copy is greater than `block`."""
    extent = sizes[letter]
    step = max(1, extent * block // size)
    total: Array | None = None
    if letter in stay:
        total = np.empty(tuple(sizes[l] for l in order), dtype=left[0].dtype)
    for start in range(0, extent, step):
        piece = slice(start, min(start + step, extent))
        parts = [(_slice(x, lx, letter, piece), lx) for x, lx in (left, right)]
        if letter in stay:
            assert total is not None
            place = _slice(total, order, letter, piece)
            value, letters = _pair(parts[0], parts[1], stay, block, place)
            if value is not place:
                place[...] = value.transpose([letters.index(l) for l in order])
        else:
            value, letters = _pair(parts[0], parts[1], stay, block)
            value = value.transpose([letters.index(l) for l in order])
            if total is None:
                total = value
            else:
                total += value
    assert total is not None
    return total, order


def _slice(array: Array, letters: Letters, letter: Letter, piece: slice) -> Array:
    if letter not in letters:
        return array
    return array[(slice(None),) * letters.index(letter) + (piece,)]


def _outer(a: Array, la: Letters, b: Array, lb: Letters) -> Labelled:
    letters = (*la, *(l for l in lb if l not in la))
    a = a.reshape((*a.shape, *(1,) * (len(letters) - len(la)))) if la else a
    order = [lb.index(l) for l in letters if l in lb]
    shape = iter(b.transpose(order).shape)
    b = b.transpose(order).reshape(tuple(next(shape) if l in lb else 1 for l in letters)) if lb else b
    return np.asarray(a * b), letters


def _dot(
    a: Array, la: Letters, b: Array, lb: Letters, out: Letters, k: Sequence[Letter], sizes: Mapping[Letter, int]
) -> Labelled:
    """A product with a batch and no matrix in it: slices added up where the sum is short, else einsum."""
    turns = prod(sizes[l] for l in k)
    if turns <= _TAPS and prod(sizes[l] for l in out) > 4 * turns:
        total: Array | None = None
        for place in np.ndindex(*(sizes[l] for l in k)):
            at = dict(zip(k, place, strict=True))
            x = a[tuple(at.get(l, slice(None)) for l in la)]
            y = b[tuple(at.get(l, slice(None)) for l in lb)]
            value, letters = _outer(x, tuple(l for l in la if l not in at), y, tuple(l for l in lb if l not in at))
            if total is None:
                total, order = value, letters
            else:
                total += value
        assert total is not None
        return total, order
    number = {l: i for i, l in enumerate(dict.fromkeys((*la, *lb)))}
    value = np.einsum(a, [number[l] for l in la], b, [number[l] for l in lb], [number[l] for l in out])
    return np.asarray(value), out


# ---------------------------------------------------------------------------------------------------------------------
# Labelled arrays as matrices


def _by_stride(array: Array, letters: Letters, group: Sequence[Letter]) -> list[Letter]:
    return sorted(group, key=lambda l: -abs(array.strides[letters.index(l)]))


def _copies(array: Array, letters: Letters, *groups: Sequence[Letter]) -> int:
    """The bytes of the copy that makes a matrix of the array; 0 where a view will do."""
    moved = array.transpose([letters.index(l) for group in groups for l in group])
    return 0 if _merges(moved, tuple(len(g) for g in groups)) else array.nbytes


def _merges(array: Array, groups: tuple[int, ...]) -> bool:
    """Can the axes be merged group by group into a matrix that needs no copy for BLAS?"""
    ends, axis = [], 0
    for count in groups:
        stride, length, expected = 0, 1, None
        for size, step in zip(array.shape[axis : axis + count], array.strides[axis : axis + count], strict=True):
            if size == 1:
                continue
            if expected is not None and step * size != expected:
                return False
            expected = stride = step
            length *= size
        ends.append((length, stride))
        axis += count
    (rows, down), (columns, across) = ends[-2:]
    item = array.itemsize
    if any(stride < 0 or (length > 1 and stride == 0) for length, stride in ends):
        return False
    by_rows = (columns == 1 or across == item) and (rows == 1 or down >= columns * item)
    by_columns = (rows == 1 or down == item) and (columns == 1 or across >= rows * item)
    return by_rows or by_columns


def _run(array: Array, letters: Letters, group: Sequence[Letter]) -> int:
    """How many elements lie side by side at the end of a group."""
    run = 1
    for letter in reversed(group):
        axis = letters.index(letter)
        if array.shape[axis] > 1:
            if array.strides[axis] != run * array.itemsize:
                break
            run *= array.shape[axis]
    return run


def _matrix(
    array: Array, letters: Letters, batch: Sequence[Letter], rows: Sequence[Letter], columns: Sequence[Letter]
) -> Array:
    """The array as (batch,) rows, columns; a copy is laid out along the longer runs of the source."""
    height, width = (prod(array.shape[letters.index(l)] for l in group) for group in (rows, columns))
    depth = (prod(array.shape[letters.index(l)] for l in batch),) if batch else ()
    moved = array.transpose([letters.index(l) for l in (*batch, *rows, *columns)])
    if _merges(moved, (len(batch), len(rows), len(columns))):
        return moved.reshape((*depth, height, width))
    if _run(array, letters, rows) > _run(array, letters, columns):
        moved = array.transpose([letters.index(l) for l in (*batch, *columns, *rows)])
        return np.ascontiguousarray(moved).reshape((*depth, width, height)).swapaxes(-1, -2)
    return np.ascontiguousarray(moved).reshape((*depth, height, width))
