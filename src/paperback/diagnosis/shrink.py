"""Smaller arguments on which a gradient is wrong still: whole Jacobians fit there, and they are a case to debug with.

Axes of equal size belong together, as far as one can see from outside: they are cut to the same size. A cut counts if
the forward takes it and the gradient is still wrong.
"""

from __future__ import annotations

__all__ = ["cut", "explain_smaller", "sizes_of"]

from typing import TYPE_CHECKING

import numpy as np

from paperback.diagnosis.arrays import Array
from paperback.diagnosis.entries import Entries
from paperback.diagnosis.report import Finding

if TYPE_CHECKING:
    from paperback.diagnosis.examination import Examination

_LEAST = range(2, 20)


def sizes_of(arrays: list[Array | None]) -> list[int]:
    """The sizes of axes, large ones first."""
    return sorted({size for array in arrays if array is not None for size in array.shape if size > 1}, reverse=True)


def cut(arrays: list[Array | None], size: int, to: int) -> list[Array | None]:
    """Every axis of a size cut to another."""
    return [
        array
        if array is None
        else np.ascontiguousarray(
            array[tuple(slice(0, to) if n == size else slice(None) for n in array.shape)]
        ).reshape(tuple(to if n == size else n for n in array.shape))
        for array in arrays
    ]


def explain_smaller(examination: Examination, place: int) -> list[Finding]:
    """What is wrong, told from smaller arguments; nothing where it is right there, or where none are taken."""
    arrays = examination.subject.arrays
    small = None
    first = [array.shape[0] for array in arrays if array is not None and array.ndim > 1]
    for size in dict.fromkeys([*first[:1], *sizes_of(arrays)]):
        taken = sizes_of(arrays)
        for to in _LEAST:
            if to >= size:
                break
            if to in taken and (size != first[0] or to < 2):
                continue
            smaller = cut(arrays, size, to)
            found = examination.at(smaller)
            if found is not None:
                arrays, small = smaller, found
                break
    if small is None or not small.is_small():
        return []
    name = examination.subject.arguments[place].name
    outcome = Entries(small).judge()
    examination.subject.forward_calls += small.subject.forward_calls
    examination.subject.backward_calls += small.subject.backward_calls
    shapes = ", ".join(
        f"{argument.name} {'x'.join(map(str, argument.shape))}"
        for argument in small.subject.arguments
        if argument.shape
    )
    return [
        Finding(
            f.pattern,
            f.argument,
            f"{f.sentence} (seen on smaller arguments: {shapes})",
            f.before,
            f.after,
            f.worst,
            f.also,
            f.detail,
            f.hint,
        )
        for f in outcome.findings
        if f.argument == name and f.judgement == "wrong"
    ]
