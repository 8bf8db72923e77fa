"""Reducers: sum as a contraction, max, argmax and logsumexp block by block.

A sum of a product is contracted (see `contract`). A guard inside the sum is put into the factor that has its letters,
or becomes a factor of zeros and ones; that is the select only where the other factors are finite, so where the
result is not finite the whole product is formed and selected instead, in blocks.

max and its relatives combine blocks of their binders from left to right: a short window is taken one offset at a time,
as strided slices. NaN wins; the first maximum and the first NaN win.
"""

from __future__ import annotations

__all__ = ["ArgExtreme", "Contraction", "Extreme", "FullSum", "LogSumExp", "blocks", "choose_steps", "is_finite"]

from collections.abc import Callable, Iterator, Sequence
from itertools import product
from math import prod
from typing import Any

import numpy as np

from paperback.engines.numpy.contract import BLOCK, Labelled, contract, pair_order
from paperback.engines.numpy.functions import select
from paperback.engines.numpy.nodes import Aligned, Frame, Lengths, Letters, Node
from paperback.engines.numpy.views import Array
from paperback.notation.affine import Letter

Steps = dict[Letter, int]


def choose_steps(
    letters: Sequence[Letter], lengths: Lengths, space: Callable[[Lengths], int], limit: int
) -> tuple[Steps, Lengths]:
    """Lengths of blocks, letter by letter from the left, until `space` fits the limit or nothing helps any more."""
    steps: Steps = {}
    for letter in letters:
        if space(lengths) <= limit:
            break
        full = lengths[letter]
        if full == 1 or space({**lengths, letter: 1}) >= space(lengths):
            continue
        low, high = 1, full
        while low < high:
            middle = (low + high + 1) // 2
            if space({**lengths, letter: middle}) <= limit:
                low = middle
            else:
                high = middle - 1
        steps[letter] = low
        lengths = {**lengths, letter: low}
    return steps, lengths


def blocks(frame: Frame, letters: Sequence[Letter], steps: Steps) -> Iterator[tuple[slice, ...]]:
    """Set `frame.ranges` to one block of the letters after the other; yields where in the whole it lies."""
    whole = [frame.ranges[l] for l in letters]
    starts = [range(0, n, steps.get(l, n)) for l, (_, n) in zip(letters, whole, strict=True)]
    for place in product(*starts):
        pieces = []
        for letter, (first, n), start in zip(letters, whole, place, strict=True):
            length = min(steps.get(letter, n), n - start)
            frame.ranges[letter] = (first + start, length)
            pieces.append(slice(start, start + length))
        yield tuple(pieces)
    for letter, span in zip(letters, whole, strict=True):
        frame.ranges[letter] = span


class _Reduction(Node):
    """`op(binders | mask) body`, in blocks of its binders."""

    def __init__(
        self,
        binders: Sequence[tuple[Letter, int]],
        body: Node,
        mask: Node | None,
        rank: dict[Letter, int],
        itemsize: int,
    ) -> None:
        self.binders = tuple(binders)
        self.own: Letters = tuple(l for l, _ in binders)
        inner = {*body.letters, *(mask.letters if mask is not None else ())}
        self.letters = tuple(sorted(inner.difference(self.own), key=rank.__getitem__))
        self.inner = (*self.letters, *self.own)
        self.body = Aligned(body, self.inner)
        self.mask = None if mask is None else Aligned(mask, self.inner)
        self.adopt(*((body,) if mask is None else (body, mask)))
        self.itemsize = itemsize
        self.steps: Steps = {}

    def lengths(self, outer: Lengths) -> Lengths:
        return {**outer, **{l: min(n, self.steps.get(l, n)) for l, n in self.binders}}

    def block(self, lengths: Lengths) -> int:
        """Bytes of the greatest temporary of one block."""
        own = self.itemsize * prod(lengths[l] for l in self.inner)
        return max(own, *(child.space(lengths) for child in self.children), 0)

    def space(self, lengths: Lengths) -> int:
        return max(self.size(lengths), self.block(self.lengths(lengths)))

    def settle(self, lengths: Lengths, limit: int) -> None:
        inner = self.lengths(lengths)
        steps, inner = choose_steps(self.own, inner, self.block, limit)
        self.steps.update(steps)
        for child in self.children:
            child.settle(inner, limit)

    def each(self, frame: Frame) -> Iterator[tuple[tuple[slice, ...], Array, Array | None]]:
        """Block after block: where it lies, the body and the mask, with free axes first and the binders' last."""
        frame.ranges.update((l, (0, n)) for l, n in self.binders)
        for place in blocks(frame, self.own, self.steps):
            shape = frame.shape(self.inner)
            mask = None
            if self.mask is not None:
                plain = self.mask.node.value(frame)
                frame.under(self.mask.node.letters, plain)
                mask = np.broadcast_to(self.mask.of(plain), shape)
            body = np.broadcast_to(self.body.value(frame), shape)
            if mask is not None:
                frame.masks.pop()
            yield place, body, mask

    def select(self, body: Array, mask: Array | None, identity: float) -> Array:
        """The block, with `identity` where the guards are false."""
        if mask is None:
            return body
        return np.where(mask, body, body.dtype.type(identity)) if identity else select(mask, body)


class FullSum(_Reduction):
    """A sum whose body is formed in full: one factor, or the select of a product; blocks of free letters too."""

    def __init__(self, *rest: Any) -> None:
        super().__init__(*rest)
        self.free: Steps = {}

    def settle(self, lengths: Lengths, limit: int) -> None:
        inner = self.lengths(lengths)
        self.free, inner = choose_steps(self.letters, inner, self.block, limit)
        steps, inner = choose_steps(self.own, inner, self.block, limit)
        self.steps.update(steps)
        for child in self.children:
            child.settle(inner, limit)

    def run(self, frame: Frame) -> Any:
        if not self.free:
            return self.part(frame)
        result = None
        shape = frame.shape(self.letters)
        for place in blocks(frame, self.letters, self.free):
            part = np.asarray(self.part(frame))
            if result is None:
                result = np.empty(shape, dtype=part.dtype)
            result[place] = part
        return result

    def part(self, frame: Frame) -> Any:
        total: Any = None
        axes = tuple(range(len(self.letters), len(self.inner)))
        for _, body, mask in self.each(frame):
            value = np.sum(self.select(body, mask, 0), axis=axes, dtype=body.dtype)
            total = value if total is None else total + value
        return total


class Extreme(_Reduction):
    """max and min; without any element -inf and inf."""

    def __init__(self, sign: int, *rest: Any) -> None:
        super().__init__(*rest)
        self.sign = sign
        self.better: Any = np.maximum if sign > 0 else np.minimum

    def run(self, frame: Frame) -> Any:
        best: Any = None
        for _, body, mask in self.each(frame):
            value = self.select(body, mask, -self.sign * np.inf)
            free = len(self.letters)
            if prod(value.shape[free:]) == 1:
                value = value.reshape(value.shape[:free])
            else:
                value = self.better.reduce(value, axis=tuple(range(free, value.ndim)))
            if best is None:
                best = np.array(value)
            elif best.ndim:
                self.better(best, value, out=best)
            else:
                best = self.better(best, value)
        return best


class ArgExtreme(_Reduction):
    """argmax and argmin: the row-major code of the first best element that takes part; 0 where none does."""

    integer = True

    def __init__(self, sign: int, *rest: Any) -> None:
        super().__init__(*rest)
        self.sign = sign
        codes = prod(n for _, n in self.binders)
        self.dtype = next(np.dtype(t) for t in ("int8", "int16", "int32", "int64") if codes - 1 <= np.iinfo(t).max)

    def run(self, frame: Frame) -> Any:
        if self.mask is None and all(self.steps.get(l, n) == 1 for l, n in self.binders):
            return self.offsets(frame)
        best: Any = None
        code: Any = None
        extents = [n for _, n in self.binders]
        for place, body, mask in self.each(frame):
            lengths = [s.stop - s.start for s in place]
            value = _flat(body if self.sign > 0 else -body, len(self.letters))
            at, value = self.first(value, None if mask is None else _flat(mask, len(self.letters)))
            if lengths != extents:
                inner = np.unravel_index(np.maximum(at, 0), lengths)
                code_at = np.ravel_multi_index([i + s.start for i, s in zip(inner, place, strict=True)], extents)
                at = np.where(at < 0, -1, code_at)
            if best is None:
                best, code = np.array(value), np.array(at, dtype=self.dtype)
                continue
            # strictly better, or the first NaN; and anything against a best that is none yet (code -1)
            wins = np.greater(value, best) | (np.isnan(value) & ~np.isnan(best))
            if mask is not None:
                wins = (wins | (code < 0)) & (at >= 0)
            best = np.where(wins, value, best)
            code = np.where(wins, np.asarray(at, dtype=self.dtype), code)
        return np.maximum(code, 0) if self.mask is not None else code

    def offsets(self, frame: Frame) -> Any:
        """One element of the window at a time; the codes of winners only grow."""
        best: Any = None
        code: Any = None
        nans: Any = None
        for k, (_, body, _) in enumerate(self.each(frame)):
            value = body.reshape(body.shape[: len(self.letters)])
            value = value if self.sign > 0 else -value
            if best is None:
                best, code = np.array(value), np.zeros(value.shape, dtype=self.dtype)
                nans = np.isnan(best) if np.isnan(np.sum(best)) else None
                continue
            wins = np.greater(value, best)
            if nans is not None or np.isnan(np.sum(value)):
                late = np.isnan(value)
                nans = np.zeros_like(late) if nans is None else nans
                wins = (wins | late) & ~nans
                nans = nans | late
            best = np.maximum(best, value)
            code = np.maximum(code, wins * self.dtype.type(k))
        return code

    def first(self, value: Array, mask: Array | None) -> tuple[Array, Array]:
        """The place of the best element along the last axis (-1: none takes part), and the element."""
        if mask is None:
            at = np.argmax(value, axis=-1)
            return at, np.take_along_axis(value, at[..., None], axis=-1)[..., 0]
        value = np.where(mask, value, value.dtype.type(-np.inf))
        best = np.max(value, axis=-1)
        hits = mask & ((value == best[..., None]) | np.isnan(value))
        return np.where(hits.any(axis=-1), np.argmax(hits, axis=-1), -1), best


class LogSumExp(_Reduction):
    """`m + log(sum exp(e - m))` with m the maximum; -inf where every element is, inf where one is."""

    def run(self, frame: Frame) -> Any:
        total: Any = None
        for _, body, mask in self.each(frame):
            value = _flat(self.select(body, mask, -np.inf), len(self.letters))
            top = np.max(value, axis=-1, keepdims=True)
            top = np.where(np.isfinite(top), top, value.dtype.type(0))
            part = np.log(np.sum(np.exp(value - top), axis=-1)) + top[..., 0]
            total = part if total is None else np.logaddexp(total, part)
        return total


def _flat(array: Array, free: int) -> Array:
    return array.reshape((*array.shape[:free], -1))


class Contraction(Node):
    """`c * sum(binders | masks) of a product`, by matrix products."""

    def __init__(
        self,
        coefficient: Any,
        binders: Sequence[tuple[Letter, int]],
        factors: Sequence[Node],
        masks: Sequence[Node],
        general: FullSum,
        rank: dict[Letter, int],
        extents: Lengths,
        dtype: np.dtype[Any],
        limit: int,
        checked: bool,
    ) -> None:
        self.checked = checked
        self.coefficient, self.binders, self.general, self.dtype = coefficient, tuple(binders), general, dtype
        self.own: Letters = tuple(l for l, _ in binders)
        self.itemsize = dtype.itemsize
        self.block_bytes = max(1, min(BLOCK, limit))
        self.adopt(*factors, *masks)
        self.factors, self.masks = tuple(factors), tuple(masks)
        inner = {l for f in self.children for l in f.letters}
        self.letters = tuple(sorted(inner.difference(self.own), key=rank.__getitem__))
        self.absent = tuple(l for l in self.own if l not in inner)
        # a mask goes into the smallest factor that has its letters; else it is a factor itself
        self.covered: dict[int, list[Aligned]] = {}
        self.loose: list[Node] = []
        for mask in masks:
            hosts = [k for k, f in enumerate(factors) if set(mask.letters) <= set(f.letters)]
            if hosts:
                host = min(hosts, key=lambda k: prod(extents[l] for l in factors[k].letters))
                self.covered.setdefault(host, []).append(Aligned(mask, factors[host].letters))
            else:
                self.loose.append(mask)
        sets = [f.letters for f in (*factors, *self.loose)]
        self.order = pair_order(sets, self.letters, extents)
        self.steps: Steps = {}

    def space(self, lengths: Lengths) -> int:
        return max(self.size(lengths), self.block({**lengths, **{l: self.steps.get(l, n) for l, n in self.binders}}))

    def block(self, lengths: Lengths) -> int:
        """Masked factors, factors of zeros and ones, and the results in between; copies are bounded in `contract`."""
        sizes = [child.space(lengths) for child in self.children]
        sizes += [self.itemsize * prod(lengths[l] for l in self.factors[k].letters) for k in self.covered]
        sizes += [self.itemsize * prod(lengths[l] for l in mask.letters) for mask in self.loose]
        work = [frozenset(f.letters) for f in (*self.factors, *self.loose)]
        for i, j in self.order:
            union = work[i] | work[j]
            work = [w for k, w in enumerate(work) if k not in (i, j)]
            work.append(frozenset(l for l in union if l in self.letters or any(l in w for w in work)))
            if len(work) > 1:
                sizes.append(self.itemsize * prod(lengths[l] for l in work[-1]))
        return max(sizes, default=0)

    def settle(self, lengths: Lengths, limit: int) -> None:
        inner: Lengths = {**lengths, **{l: min(n, self.steps.get(l, n)) for l, n in self.binders}}
        steps, inner = choose_steps(self.own, inner, self.block, limit)
        self.steps.update(steps)
        for child in self.children:
            child.settle(inner, limit)
        self.general.settle(lengths, limit)

    def run(self, frame: Frame) -> Any:
        frame.ranges.update((l, (0, n)) for l, n in self.binders)
        total: Any = None
        for _ in blocks(frame, self.own, self.steps):
            part = self.part(frame)
            if total is None:
                total = part
            else:
                total += part
        if self.checked and not is_finite(total):
            total = self.general.run(frame)
            total = np.asarray(total)
        if self.coefficient != 1:
            total = np.multiply(total, self.coefficient, out=total) if total.ndim else total * self.coefficient
        return total

    def part(self, frame: Frame) -> Array:
        masks: dict[Node, Any] = {}
        for mask in self.masks:
            masks[mask] = mask.value(frame)
            frame.under(mask.letters, masks[mask])
        work: list[Labelled] = []
        fresh = len(self.order) > 0
        for k, factor in enumerate(self.factors):
            value = np.asarray(factor.value(frame))
            for mask_in in self.covered.get(k, ()):
                value = select(mask_in.of(masks[mask_in.node]), value)
                fresh = True
            work.append((value, factor.letters))
        work += [(np.asarray(masks[mask]).astype(self.dtype), mask.letters) for mask in self.loose]
        for _ in self.masks:
            frame.masks.pop()
        result, letters = contract(work, self.order, self.letters, self.block_bytes)
        result = np.asarray(result.transpose([letters.index(l) for l in self.letters]))
        count = prod(frame.ranges[l][1] for l in self.absent)
        if count != 1:
            return np.asarray(result * result.dtype.type(count))
        summed = any(l in self.own for f in (*self.factors, *self.loose) for l in f.letters)
        return result if fresh or summed else result.copy()


def is_finite(array: Array) -> bool:
    """Is every entry finite? (A finite sum says so at once.)"""
    return bool(np.isfinite(np.sum(array))) or bool(np.isfinite(array).all())
