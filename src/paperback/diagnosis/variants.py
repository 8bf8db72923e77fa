"""The same backward at other sizes: an axis of size 1, a batch of one. Branches for such cases have their own bugs."""

from __future__ import annotations

__all__ = ["sizes_of_one"]

from typing import TYPE_CHECKING

import numpy as np

from paperback.diagnosis.arrays import Array
from paperback.diagnosis.entries import Entries
from paperback.diagnosis.patterns import WRONG
from paperback.diagnosis.report import Finding
from paperback.diagnosis.shrink import cut, sizes_of

if TYPE_CHECKING:
    from paperback.diagnosis.examination import Examination

_NOTHING = 1e-9
_GROSS = 1e-2  # what is wrong in such a case is wrong by more than rounding may be


def sizes_of_one(examination: Examination) -> list[Finding]:
    """What is wrong with one axis cut to size 1, and right as it is."""
    wrong = {finding.argument for finding in examination.findings if finding.judgement == WRONG}
    right = {i: argument.name for i, argument in enumerate(examination.subject.arguments) if argument.name not in wrong}
    found: dict[str, Finding] = {}
    for told, arrays in _cuts(examination)[: examination.budget.variants]:
        open_ = tuple(i for i in examination.subject.wrt if i in right and right[i] not in found)
        other = examination.at(arrays) if open_ else None
        if other is None:
            continue
        other.subject.wrt = open_
        if not other.is_small():
            continue
        outcome = Entries(other).judge()
        for finding in outcome.findings:
            name = finding.argument
            if finding.judgement != WRONG or name is None:
                continue
            gross = (finding.before is None or finding.before > _GROSS) and not _is_nothing(examination, finding)
            if gross and name not in found:
                words = f"right as given, but with {told}: {finding.sentence}"
                found[name] = Finding(
                    "branch", name, words, finding.before, finding.after, finding.worst, (finding.pattern,)
                )
        examination.subject.forward_calls += other.subject.forward_calls
        examination.subject.backward_calls += other.subject.backward_calls
    return list(found.values())


def _is_nothing(examination: Examination, finding: Finding) -> bool:
    """Is the error nothing beside the slopes at the arguments as given? Cut off from them, rounding is all there is."""
    worst = finding.worst
    place = next(i for i in examination.subject.wrt if examination.subject.arguments[i].name == finding.argument)
    slopes = float(examination.truth.slopes.natural(place).max(initial=0.0))
    return worst is not None and abs(worst.returned - worst.true) <= _NOTHING * slopes


def _cuts(examination: Examination) -> list[tuple[str, list[Array | None]]]:
    arrays = examination.subject.arrays
    outputs = examination.subject.like(arrays)
    found: list[tuple[str, list[Array | None]]] = []
    batch = {array.shape[0] for array in arrays if array is not None and array.ndim} & {
        np.shape(output)[0] for output in outputs if np.ndim(output)
    }
    for size in sorted(batch - {1}):
        one = [
            array[:1].copy() if array is not None and array.ndim and array.shape[0] == size else array
            for array in arrays
        ]
        found.append((f"a batch of 1 (axis 0 of size {size})", one))
    found += [(f"1 in place of the size {size}", cut(arrays, size, 1)) for size in sizes_of(arrays)]
    return found
