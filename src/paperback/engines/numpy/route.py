"""Sums that a table of integers routes: `out[v, d] = sum(n) [t[n] == v] * g[n, d]`, the gradient of a gather.

As written this is V comparisons for every n. Done the other way round every g[n, d] is added once, to the row t[n], in
the order of n. Rows that no v means get nothing, and nothing is multiplied by 0.
"""

from __future__ import annotations

__all__ = ["Route", "RoutedSum", "find_route"]

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import prod
from typing import Any

import numpy as np

from paperback.engines.numpy.nodes import Aligned, Frame, Lengths, Letters, Node
from paperback.engines.numpy.reductions import Steps, blocks, choose_steps
from paperback.notation.affine import Letter
from paperback.notation.expr import Bracket, Compare, Guard, Index
from paperback.notation.expr import Node as Expr
from paperback.notation.walk import free_letters


@dataclass(frozen=True)
class Route:
    """`[codes == place]`: a free letter and the integers, over binders, that choose it."""

    place: Letter
    codes: Node


def find_route(
    guards: Sequence[Guard], factors: Sequence[Expr], own: set[Letter], plan: Callable[[Expr], Node]
) -> tuple[Guard, Route] | None:
    """A guard `[t[n] == v]` over binders n, where the free letter v occurs nowhere else in the sum."""
    for guard in guards:
        if not isinstance(guard, Compare) or guard.relation != "==":
            continue
        for side, other in ((guard.left, guard.right), (guard.right, guard.left)):
            place = other.affine.bare if isinstance(other, Index) else None
            if place is None or place in own:
                continue
            others: list[Expr] = [Bracket((g,)) for g in guards if g is not guard]
            if any(place in free_letters(part) for part in (*factors, *others, side)):
                continue
            codes = plan(side)
            if codes.integer and codes.letters and own.issuperset(codes.letters):
                return guard, Route(place, codes)
    return None


class RoutedSum(Node):
    """`summand` holds what is added: over the letters of the codes, and the free letters but `place`."""

    def __init__(
        self, route: Route, summand: Node, keys: Sequence[tuple[Letter, int]], rank: dict[Letter, int], item: int
    ) -> None:
        self.route, self.summand, self.itemsize = route, summand, item
        self.keys = tuple(keys)
        self.own: Letters = tuple(l for l, _ in keys)
        self.rest = tuple(sorted(set(summand.letters).difference(self.own), key=rank.__getitem__))
        self.letters = (route.place, *self.rest)
        self.adopt(route.codes, summand)
        self.codes = Aligned(route.codes, self.own)
        self.values = Aligned(summand, (*self.own, *self.rest))
        self.steps: Steps = {}

    def block(self, lengths: Lengths) -> int:
        # the summand, its copy as rows, and the codes
        rows = self.itemsize * prod(lengths[l] for l in (*self.own, *self.rest))
        codes = 8 * prod(lengths[l] for l in self.own)
        return max(rows, codes, *(child.space(lengths) for child in self.children))

    def lengths(self, outer: Lengths) -> Lengths:
        return {**outer, **{l: min(n, self.steps.get(l, n)) for l, n in self.keys}}

    def space(self, lengths: Lengths) -> int:
        return max(self.size(lengths), self.block(self.lengths(lengths)))

    def settle(self, lengths: Lengths, limit: int) -> None:
        steps, inner = choose_steps(self.own, self.lengths(lengths), self.block, limit)
        self.steps.update(steps)
        for child in self.children:
            child.settle(inner, limit)

    def run(self, frame: Frame) -> Any:
        frame.ranges.update((l, (0, n)) for l, n in self.keys)
        first, rows = frame.ranges[self.route.place]
        shape = frame.shape(self.rest)
        total: Any = None
        for _ in blocks(frame, self.own, self.steps):
            count = prod(frame.shape(self.own))
            codes = np.broadcast_to(self.codes.value(frame), frame.shape(self.own)).reshape(count)
            values = np.broadcast_to(self.values.value(frame), (*frame.shape(self.own), *shape)).reshape((count, -1))
            if total is None:
                total = np.zeros((rows, values.shape[1]), dtype=values.dtype)
            place = codes.astype(np.int64) - first
            meant = np.logical_and(place >= 0, place < rows)
            if not meant.all():
                place, values = place[meant], values[meant]
            _add_rows(total, place, values)
        return total.reshape((rows, *shape))


def _add_rows(total: Any, place: Any, values: Any) -> None:
    """`total[place] += values` with repeated places, each row's summands in their order."""
    if not place.size:
        return
    order = np.argsort(place, kind="stable")
    place = place[order]
    starts = np.flatnonzero(np.concatenate(([True], place[1:] != place[:-1])))
    total[place[starts]] += np.add.reduceat(values[order], starts, axis=0)
