"""The tree as NumPy runs it: every node knows the letters of its axes and gives an array over the current block.

    frame.ranges    letter -> (first value, how many): what part of the box is computed now
    node.value      the array, one axis per letter of `node.letters`, in that order
    node.space      bytes of the greatest temporary it makes on a block of given lengths

Brackets are selects: the product is computed and replaced by 0 where a guard is false, whatever it was.
"""

from __future__ import annotations

__all__ = [
    "Aligned",
    "Call",
    "Cast",
    "Constant",
    "Frame",
    "Index",
    "Lengths",
    "Letters",
    "Node",
    "Power",
    "Product",
    "ReadView",
    "Scalar",
    "Sum",
    "aligned",
]

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from math import prod
from typing import Any

import numpy as np

from paperback.engines.numpy.functions import raise_to, select
from paperback.engines.numpy.views import Array, Form, Ranges, StridedRead, values_of
from paperback.notation.affine import Letter

Lengths = Mapping[Letter, int]
Letters = tuple[Letter, ...]


@dataclass
class Frame:
    """What one statement is evaluated in."""

    arrays: Mapping[str, Array]
    scalars: Mapping[str, Any]
    ranges: Ranges
    masks: list[tuple[Letters, Array, tuple[int, ...]]] = field(default_factory=list)  # the guards around (see `under`)
    memo: dict[Node, tuple[Any, Any]] = field(default_factory=dict)

    def shape(self, letters: Letters) -> tuple[int, ...]:
        return tuple([self.ranges[l][1] for l in letters])

    def under(self, letters: Letters, mask: Array) -> None:
        """What is evaluated from here to `masks.pop()` counts only where this mask holds; gathers ask."""
        self.masks.append((letters, mask, tuple([self.ranges[l][0] for l in letters])))


class Node:
    """One node; `fresh` says that nobody else holds its result, so that it may be overwritten."""

    letters: Letters = ()
    children: tuple[Node, ...] = ()
    integer = False
    fresh = True
    shared = False  # occurs more than once: its last value is kept
    guarded = False  # may raise, depending on the guards around
    itemsize = 8

    def adopt(self, *children: Node) -> None:
        """Take the children; what may raise in them may raise here."""
        self.children = children
        self.guarded = any(child.guarded for child in children)

    def run(self, frame: Frame) -> Any:
        raise NotImplementedError

    def value(self, frame: Frame) -> Any:
        if not self.shared:
            return self.run(frame)
        key = tuple([frame.ranges[l] for l in self.letters])
        known = frame.memo.get(self)
        if known is None or known[0] != key:
            known = frame.memo[self] = (key, self.run(frame))
        return known[1]

    def size(self, lengths: Lengths) -> int:
        """Bytes of the result."""
        return self.itemsize * prod(lengths[l] for l in self.letters)

    def space(self, lengths: Lengths) -> int:
        return max(self.size(lengths), *(child.space(lengths) for child in self.children), 0)

    def settle(self, lengths: Lengths, limit: int) -> None:
        """Choose the blocks of the loops inside, once the lengths outside are known."""
        for child in self.children:
            child.settle(lengths, limit)


class Aligned:
    """A node's value with its axes in the order of `letters`, broadcast over the missing ones."""

    __slots__ = ("index", "node", "order")

    def __init__(self, node: Node, letters: Letters) -> None:
        self.node = node
        own = [l for l in letters if l in node.letters]
        assert len(own) == len(node.letters), "a letter got lost"
        order = [node.letters.index(l) for l in own]
        self.order = order if order != sorted(order) else None
        missing = bool(own) and len(own) < len(letters)
        index = tuple(slice(None) if l in own else None for l in letters)
        while index and index[0] is None:
            index = index[1:]
        self.index = index if missing and None in index else None

    def value(self, frame: Frame) -> Any:
        return self.of(self.node.value(frame))

    def of(self, value: Any) -> Any:
        if self.order is not None:
            value = value.transpose(self.order)
        return value if self.index is None else value[self.index]

    def fits(self, value: Any, shape: tuple[int, ...]) -> bool:
        """May this value be overwritten by a result of that shape?"""
        return self.node.fresh and bool(shape) and isinstance(value, np.ndarray) and value.shape == shape


def aligned(nodes: Sequence[Node], letters: Letters) -> tuple[Aligned, ...]:
    return tuple(Aligned(node, letters) for node in nodes)


def _combine(ufunc: Any, a: Any, mine: bool, b: Any, yours: bool) -> Any:
    """A binary ufunc, written over an operand where that is allowed."""
    if mine:
        return ufunc(a, b, out=a)
    return ufunc(a, b, out=b) if yours else ufunc(a, b)


class Constant(Node):
    def __init__(self, number: Any, integer: bool = False) -> None:
        self.number = number
        self.integer = integer
        self.fresh = False

    def run(self, frame: Frame) -> Any:
        return self.number


class Scalar(Node):
    fresh = False

    def __init__(self, name: str) -> None:
        self.name = name

    def run(self, frame: Frame) -> Any:
        return frame.scalars[self.name]


class Index(Node):
    """An affine form of letters, as integers."""

    integer = True

    def __init__(self, form: Form, letters: Letters) -> None:
        self.form, self.letters = form, letters

    def run(self, frame: Frame) -> Any:
        return values_of(self.form, self.letters, frame.ranges)


class Cast(Node):
    """Integers as floats."""

    def __init__(self, child: Node, dtype: np.dtype[Any]) -> None:
        self.adopt(child)
        self.letters, self.dtype = child.letters, dtype
        self.itemsize = dtype.itemsize

    def run(self, frame: Frame) -> Any:
        return np.asarray(self.children[0].value(frame)).astype(self.dtype)


class ReadView(Node):
    """`tensor[affine, ...]`."""

    fresh = False

    def __init__(self, tensor: str, read: StridedRead, integer: bool, itemsize: int) -> None:
        self.tensor, self.read, self.letters = tensor, read, read.letters
        self.integer, self.itemsize = integer, itemsize

    def run(self, frame: Frame) -> Any:
        return self.read(frame.arrays[self.tensor], frame.ranges)

    def space(self, lengths: Lengths) -> int:
        region = self.read.region({l: (0, lengths[l]) for l in self.letters})
        return 0 if region is None else self.itemsize * prod(high - low for low, high in region)


class Sum(Node):
    """`sum c_k * e_k` of terms, elementwise."""

    def __init__(self, terms: Sequence[tuple[Any, Node]], letters: Letters, itemsize: int, integer: bool) -> None:
        # a term that may be overwritten and has every axis goes first: the others are added into it
        terms = sorted(terms, key=lambda t: (not t[1].fresh, -len(t[1].letters)))
        self.coefficients = tuple(c for c, _ in terms)
        self.adopt(*(node for _, node in terms))
        self.terms = aligned(self.children, letters)
        self.letters, self.itemsize, self.integer = letters, itemsize, integer

    def run(self, frame: Frame) -> Any:
        shape = frame.shape(self.letters)
        total: Any = None
        mine = False
        for c, term in zip(self.coefficients, self.terms, strict=True):
            value = term.value(frame)
            yours = term.fits(value, shape)
            if total is None:
                if c != 1:
                    value, yours = (
                        _combine(np.multiply, value, yours, c, False),
                        bool(shape) and np.shape(value) == shape,
                    )
                total, mine = value, yours
                continue
            if c == -1:
                total = _combine(np.subtract, total, mine, value, yours)
            else:
                if c != 1:
                    value = value * c
                total = _combine(np.add, total, mine, value, yours)
            mine = bool(shape) and total.shape == shape
        return total


class Product(Node):
    """`c * a * b / d * [guards]`: small factors first, then the select."""

    def __init__(
        self,
        coefficient: Any,
        above: Sequence[Node],
        below: Sequence[Node],
        mask: Node | None,
        letters: Letters,
        itemsize: int,
        integer: bool,
    ) -> None:
        self.coefficient, self.letters, self.itemsize, self.integer = coefficient, letters, itemsize, integer
        above = sorted(above, key=lambda node: len(node.letters))
        self.above, self.below = aligned(above, letters), aligned(below, letters)
        self.mask = None if mask is None else Aligned(mask, letters)
        self.adopt(*above, *below, *(() if mask is None else (mask,)))

    def run(self, frame: Frame) -> Any:
        mask = None
        if self.mask is not None:
            plain = self.mask.node.value(frame)
            frame.under(self.mask.node.letters, plain)
            mask = self.mask.of(plain)
        shape = frame.shape(self.letters)
        result: Any = self.coefficient if self.coefficient != 1 or not self.above else None
        mine = False
        for ufunc, factors in ((np.multiply, self.above), (np.divide, self.below)):
            for factor in factors:
                value = factor.value(frame)
                yours = factor.fits(value, shape)
                if result is None:
                    result, mine = value, yours
                else:
                    result = _combine(ufunc, result, mine, value, yours)
                    mine = bool(shape) and np.shape(result) == shape
        if mask is not None:
            frame.masks.pop()
            result = select(mask, result)
        return result


class Power(Node):
    def __init__(self, base: Node, exponent: Fraction, itemsize: int) -> None:
        self.adopt(base)
        self.letters, self.exponent, self.itemsize = base.letters, exponent, itemsize

    def run(self, frame: Frame) -> Any:
        return raise_to(self.children[0].value(frame), self.exponent)


class Call(Node):
    """A function of the table, or one that the caller brought."""

    def __init__(
        self,
        function: Callable[..., Any],
        arguments: Sequence[Node],
        letters: Letters,
        itemsize: int,
        known: bool = True,
    ) -> None:
        self.function, self.letters, self.itemsize, self.fresh = function, letters, itemsize, known
        self.adopt(*arguments)
        self.arguments = aligned(arguments, letters)

    def run(self, frame: Frame) -> Any:
        values = [argument.value(frame) for argument in self.arguments]
        result = self.function(*values)
        if self.fresh:
            return result
        dtype = np.result_type(*values)
        return np.broadcast_to(np.asarray(result, dtype=dtype), frame.shape(self.letters))
