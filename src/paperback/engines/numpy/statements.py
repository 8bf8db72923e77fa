"""One statement with numeric sizes, planned: its kernel form, where each part is stored, in what blocks it is made."""

from __future__ import annotations

__all__ = ["Setting", "StatementPlan"]

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from math import gcd
from typing import Any

import numpy as np

from paperback.calculus.kernel import kernel_form
from paperback.engines.numpy.functions import number_of
from paperback.engines.numpy.nodes import Aligned, Frame
from paperback.engines.numpy.planner import Planner
from paperback.engines.numpy.reductions import blocks, choose_steps, is_finite
from paperback.engines.numpy.views import Array, Form, check_places, placed_view
from paperback.errors import EngineError
from paperback.notation.expr import AffineGuard, Bracket, Reduce, Statement
from paperback.notation.walk import nodes


@dataclass(frozen=True)
class Setting:
    """What the statements of one run have in common."""

    shapes: Mapping[str, Sequence[int]]
    integers: frozenset[str]
    functions: Mapping[str, Callable[..., Any]]
    dtype: np.dtype[Any]
    limit: int


class _Part:
    """A partial statement."""

    def __init__(self, statement: Statement, setting: Setting, integer: bool) -> None:
        self.letters = statement.letters
        self.extents = {b.letter: b.extent.value for b in statement.binders}
        self.left = tuple(Form(a) for a in statement.left)
        check_places(self.left, [axis.value for axis in statement.axes], self.extents)
        self.plain = statement.is_plain and all(
            b.extent == axis for b, axis in zip(statement.binders, statement.axes, strict=True)
        )
        planner = Planner(
            self.extents, setting.shapes, setting.integers, setting.functions, setting.dtype, setting.limit
        )
        self.root = planner.plan(statement.expr, integer)
        self.steps, lengths = choose_steps(self.letters, self.extents, self.root.space, setting.limit)
        self.root.settle(lengths, setting.limit)
        self.aligned = Aligned(self.root, self.letters)

    def frame(self, arrays: Mapping[str, Array], scalars: Mapping[str, Any]) -> Frame:
        return Frame(arrays, scalars, {l: (0, n) for l, n in self.extents.items()})

    def whole(self, arrays: Mapping[str, Array], scalars: Mapping[str, Any], dtype: np.dtype[Any] | None) -> Array:
        """The values over all letters, as an array that nobody else holds."""
        frame = self.frame(arrays, scalars)
        shape = tuple(self.extents.values())
        if self.steps:
            result: Array | None = None
            for place in blocks(frame, self.letters, self.steps):
                value = np.asarray(self.aligned.value(frame))
                if result is None:
                    result = np.empty(shape, dtype=dtype or value.dtype)
                result[place] = value
            assert result is not None
            return result
        value = np.asarray(self.aligned.value(frame))
        dtype = dtype or value.dtype
        if self.root.fresh and value.shape == shape and value.dtype == dtype and value.flags.c_contiguous:
            return value
        return np.array(np.broadcast_to(value, shape), dtype=dtype, order="C")

    def into(self, target: Array, arrays: Mapping[str, Array], scalars: Mapping[str, Any], add: bool) -> None:
        """Store at the left side, or add to what is there."""
        view = placed_view(target, self.left, self.letters, self.extents)
        frame = self.frame(arrays, scalars)
        for place in blocks(frame, self.letters, self.steps):
            value = self.aligned.value(frame)
            if add:
                view[place] += value
            else:
                view[place] = value

    def meets(self, other: _Part) -> bool:
        """May both store at one place?"""
        for a, b in zip(self.left, other.left, strict=True):
            common = gcd(*(k for _, k in (*a.terms, *b.terms)))
            gap = a.const - b.const
            if (gap % common if common else gap) != 0:
                return False
            _, low, high = a.bounds({l: (0, n) for l, n in self.extents.items()})
            _, other_low, other_high = b.bounds({l: (0, n) for l, n in other.extents.items()})
            if high < other_low or other_high < low:
                return False
        return True


class StatementPlan:
    """A statement, ready to run on arrays."""

    def __init__(self, statement: Statement, setting: Setting, padded: bool = True) -> None:
        self.statement, self.setting = statement, setting
        self.target = statement.target
        self.integer = statement.target in setting.integers
        self.shape = tuple(axis.value for axis in statement.axes)
        _check_extents(statement)
        forms = kernel_form(statement, setting.shapes if padded else None)
        self.parts = [_Part(form, setting, self.integer) for form in forms]
        self.adds = [any(p.meets(q) for q in self.parts[:k]) for k, p in enumerate(self.parts)]
        self.may_differ = padded and any(isinstance(n, Bracket | Reduce) and n.guards for n in nodes(statement.expr))
        self._exact: StatementPlan | None = None
        self._guards = sum(_affine_guards(form) for form in forms)

    def run(self, arrays: Mapping[str, Array], scalars: Mapping[str, Any]) -> Array:
        result = self._run(arrays, scalars)
        if self.may_differ and not self.integer and not is_finite(result):
            # padding by 0 is the select only where the other factors are finite
            if self._exact is None:
                self._exact = StatementPlan(self.statement, self.setting, padded=False)
            self.may_differ = self._exact._guards != self._guards
            if self.may_differ:
                result = self._exact._run(arrays, scalars)
        return result

    def _run(self, arrays: Mapping[str, Array], scalars: Mapping[str, Any]) -> Array:
        first = self.parts[0]
        dtype = None if self.integer else self.setting.dtype
        if first.plain:
            target, rest = first.whole(arrays, scalars, dtype), self.parts[1:]
        else:
            pad = number_of(self.statement.pad or 0, dtype or np.dtype(np.float64))
            target, rest = np.full(self.shape, pad, dtype=dtype or np.int64), self.parts
        for part, add in zip(rest, self.adds[len(self.parts) - len(rest) :], strict=True):
            part.into(target, arrays, scalars, add)
        return target


def _check_extents(statement: Statement) -> None:
    """Every loop turns at least once: what an empty box holds is left to nobody's guess."""
    loops = [n for n in nodes(statement.expr) if isinstance(n, Reduce)]
    for binder in (*statement.binders, *(b for loop in loops for b in loop.binders)):
        if binder.extent.value < 1:
            raise EngineError(
                f"index {binder.letter.name} of {statement.target} has {binder.extent} values\n  needed: at least one"
            )
    if any(axis.value < 1 for axis in statement.axes):
        shape = tuple(axis.value for axis in statement.axes)
        raise EngineError(f"{statement.target} would have the shape {shape}\n  needed: at least 1 entry in every axis")


def _affine_guards(statement: Statement) -> int:
    """How many guards on letters are left."""
    guards = (g for n in nodes(statement.expr) if isinstance(n, Bracket | Reduce) for g in n.guards)
    return sum(isinstance(g, AffineGuard) for g in guards)
