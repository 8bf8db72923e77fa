"""Changes of an array, [G, *shape] -> [G, *shape], that a wrong backward makes of an upstream gradient or a result.

The same list of changes serves both ends of a backward:  returned = S(J^T T(g))  with T a change of the upstream
gradient, S one of the result.
"""

from __future__ import annotations

__all__ = ["Change", "axis_changes", "named_axes", "place_changes", "reduced_changes", "reordered"]

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from itertools import combinations, permutations

import numpy as np

from paperback.diagnosis.arrays import Array


@dataclass(frozen=True)
class Change:
    """A linear change: its pattern, words that follow "with it" or "is", the function, what it costs."""

    slug: str
    words: str
    apply: Callable[[Array], Array]
    cost: float = 1.0
    also: tuple[str, ...] = ()


def named_axes(axes: tuple[int, ...]) -> str:
    """axis 0; axes 0 and 1."""
    if len(axes) == 1:
        return f"axis {axes[0]}"
    return f"axes {', '.join(map(str, axes[:-1]))} and {axes[-1]}"


def subsets(count: int, most: int = 4) -> Iterator[tuple[int, ...]]:
    """The nonempty subsets of count axes, small ones first."""
    for size in range(1, min(count, most) + 1):
        yield from combinations(range(count), size)


def axis_changes(shape: tuple[int, ...]) -> Iterator[Change]:
    """Another order of the axes, axes reversed, one place further."""
    yield from _permuted(shape)
    long = [axes for axes in subsets(len(shape)) if all(shape[a] > 1 for a in axes)]
    for axes in long:
        inner = tuple(a + 1 for a in axes)
        yield Change("not-flipped", f"reversed along {named_axes(axes)}", partial(np.flip, axis=inner), 1.0)
    for axes in (axes for axes in long if len(axes) < 3):
        inner, told = tuple(a + 1 for a in axes), named_axes(axes)
        for by in (1, -1):
            yield Change("shifted", f"shifted by {by:+d} along {told}", partial(_shifted, axes=inner, by=by), 1.2)
            rolled = partial(np.roll, shift=(by,) * len(axes), axis=inner)
            yield Change("shifted", f"rolled by {by:+d} along {told}", rolled, 1.3)


def _permuted(shape: tuple[int, ...]) -> Iterator[Change]:
    rank = len(shape)
    for order in permutations(range(rank)) if rank <= 5 else ():
        moved = tuple(a for a in range(rank) if order[a] != a and shape[a] * shape[order[a]] > 1)
        if not moved:
            continue
        told = f"with {named_axes(moved)} {'swapped' if len(moved) == 2 else 'in another order'}"
        cost = 0.8 + 0.1 * len(moved)
        new = tuple(shape[a] for a in order)
        if new == shape:
            yield Change("axes-swapped", told, partial(reordered, before=shape, order=order), cost)
        else:
            yield Change("axes-swapped", f"{told}, reshaped", partial(reordered, before=shape, order=order), cost + 0.2)
            back = tuple(int(a) for a in np.argsort(order))
            yield Change("axes-swapped", f"{told}, reshaped", partial(reordered, before=new, order=back), cost + 0.2)
    for axis, size in enumerate(shape):
        for rows in (rows for rows in range(2, size // 2 + 1) if size % rows == 0):
            split = (*shape[:axis], rows, size // rows, *shape[axis + 1 :])
            turned = [*range(axis), axis + 1, axis, *range(axis + 2, rank + 1)]
            told = f"with axis {axis} read as {rows}x{size // rows} in the other order"
            yield Change("axes-swapped", told, partial(reordered, before=split, order=tuple(turned)), 1.4)


def reordered(t: Array, before: tuple[int, ...], order: tuple[int, ...]) -> Array:
    """Folded as `before`, its axes put in an order, folded as it was."""
    return t.reshape(len(t), *before).transpose(0, *(a + 1 for a in order)).reshape(t.shape)


def _shifted(t: Array, axes: tuple[int, ...], by: int) -> Array:
    """Moved along the axes, zeros where nothing comes in."""
    moved = t
    for axis in axes:
        moved = np.roll(moved, by, axis).copy()
        edge = [slice(None)] * moved.ndim
        edge[axis] = slice(0, 1) if by > 0 else slice(-1, None)
        moved[tuple(edge)] = 0
    return moved


def reduced_changes(shape: tuple[int, ...]) -> Iterator[Change]:
    """Some axes averaged, and spread again; only their first or last element."""
    for axes in subsets(len(shape)):
        if any(shape[a] < 2 for a in axes):
            continue
        inner, every = tuple(a + 1 for a in axes), len(axes) == len(shape)
        told = "all its elements" if every else named_axes(axes)
        yield Change("averaged", f"averaged over {told}", partial(_averaged, axes=inner), 1.2)
        for end, word in ((0, "first"), (-1, "last")):
            told = f"its {word} element alone" if every else f"its {word} element along {named_axes(axes)} alone"
            yield Change(word, told, partial(_taken, axes=inner, end=end), 1.1)


def _averaged(t: Array, axes: tuple[int, ...]) -> Array:
    return np.broadcast_to(t.mean(axes, keepdims=True), t.shape)


def _taken(t: Array, axes: tuple[int, ...], end: int) -> Array:
    part = t
    for axis in axes:
        part = np.take(part, [end], axis)
    return np.broadcast_to(part, t.shape)


def place_changes(shape: tuple[int, ...]) -> Iterator[tuple[str, str, Array]]:
    """(slug, words, mask [*shape]): where a gradient may be wrong."""
    rank = len(shape)
    grid = np.indices(shape) if rank else np.zeros((0,))
    for axis, size in enumerate(shape):
        if size < 2:
            continue
        at = grid[axis]
        kind = "item" if axis == 0 and rank > 1 else "index"
        yield "branch", f"at {kind} 0 of axis {axis}", at == 0
        yield "branch", f"at the last {kind} of axis {axis}", at == size - 1
        if size > 2:
            yield "branch", f"beyond {kind} 0 of axis {axis}", at > 0
            yield "branch", f"before the last {kind} of axis {axis}", at < size - 1
            yield "branch", f"at both ends of axis {axis}", (at == 0) | (at == size - 1)
        if size > 3:
            for step in (2, 3):
                for phase in range(step):
                    yield "branch", f"where the index of axis {axis} is {phase} modulo {step}", at % step == phase
            yield "branch", f"inside axis {axis}, away from its ends", (at > 0) & (at < size - 1)
        for index in range(1, min(size - 1, 12)):
            yield "branch", f"at {kind} {index} of axis {axis}", at == index
            if index > 1:
                yield "branch", f"from {kind} {index} of axis {axis} on", at >= index
    for axes in subsets(rank, 3):
        if len(axes) > 1 and all(shape[a] > 2 for a in axes):
            edge = np.zeros(shape, dtype=bool)
            for a in axes:
                edge |= (grid[a] == 0) | (grid[a] == shape[a] - 1)
            yield "branch", f"at the borders of {named_axes(axes)}", edge
            yield "branch", f"away from the borders of {named_axes(axes)}", ~edge
    for one, other in combinations(range(rank), 2):
        if shape[one] > 1 and shape[other] > 1:
            a, b = grid[one], grid[other]
            if shape[one] == shape[other]:
                yield "branch", f"on the diagonal of axes {one} and {other}", a == b
                yield "branch", f"below the diagonal of axes {one} and {other}", a > b
                yield "branch", f"above the diagonal of axes {one} and {other}", a < b
            yield (
                "branch",
                f"at the corners of axes {one} and {other}",
                (((a == 0) | (a == shape[one] - 1)) & ((b == 0) | (b == shape[other] - 1))),
            )
