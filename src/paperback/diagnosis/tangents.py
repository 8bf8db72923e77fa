"""Judging a JVP: the derivative along a tangent, beside the true one, and beside the backward in the dot test.

    J v                     what a JVP returns for the tangent v of one argument, the others' tangents being zero
    <J v, g> = <v, J^T g>   between a JVP and a backward that are both right

A wrong JVP is explained as a wrong backward of the transposed map, with the tangent as upstream gradient.
"""

from __future__ import annotations

__all__ = ["judge_tangents"]

from typing import TYPE_CHECKING

import numpy as np

from paperback.diagnosis.entries import Outcome, worst_of
from paperback.diagnosis.evidence import Evidence
from paperback.diagnosis.hypotheses import explain
from paperback.diagnosis.report import ArgumentVerdict, Finding
from paperback.diagnosis.subject import Complaint
from paperback.diagnosis.tolerance import Judged, allowed_entries

if TYPE_CHECKING:
    from paperback.diagnosis.examination import Examination


def judge_tangents(examination: Examination) -> Outcome:
    """What is wrong with the JVP of a subject."""
    outcome = Outcome()
    subject, slopes = examination.subject, examination.truth.slopes
    random = np.random.default_rng([examination.seed, 5])
    for place in subject.wrt:
        argument = subject.arguments[place]
        assert argument.array is not None
        v = random.standard_normal((3, argument.array.size))
        try:
            returned = np.stack([subject.push(row, place, examination.main) for row in v])
        except Complaint as complaint:
            outcome.findings.append(Finding("jvp", argument.name, complaint.sentence))
            continue
        along = [slopes.along(place, row) for row in v]
        true, error = np.stack([line.value for line in along]), np.stack([line.error for line in along])
        valid = ~np.stack([line.kinked for line in along])
        none = np.zeros(true.shape[1])
        allowed = 8 * error + np.stack(
            [
                allowed_entries(
                    row[None], 0 * row[None], np.ones(1), none, float(np.abs(row).max(initial=0.0)), examination.epsilon
                )
                for row in true
            ]
        )
        judged = Judged(returned, true, allowed, valid)
        if not judged.bad.any():
            outcome.verdicts[argument.name] = ArgumentVerdict(
                argument.shape, str(argument.array.dtype), "right", 0.0, 1.0
            )
            continue
        outcome.verdicts[argument.name] = ArgumentVerdict(argument.shape, str(argument.array.dtype), "wrong", None, 0.0)
        outcome.findings += _explained(examination, place, v, judged)
    return outcome


def _explained(examination: Examination, place: int, v: np.ndarray, judged: Judged) -> list[Finding]:
    name = examination.subject.arguments[place].name
    outputs = [part for part in examination.subject.outputs(examination.truth.arrays) if part.dtype.kind == "f"]
    worst = worst_of(judged, outputs[0].shape if len(outputs) == 1 else (judged.true.shape[1],))
    if not examination.is_small() or len(outputs) != 1:
        return [Finding("jvp", name, f"the JVP along {name} is not the forward's derivative", worst=worst)]
    x = examination.truth.arrays[place]
    assert x is not None
    evidence = Evidence(
        "output", place, outputs[0].astype(np.float64), {"output": outputs[0]}, [x.astype(np.float64)],
        examination.truth.columns(place).J.T, v, judged.returned, judged.true, judged.allowed, judged.valid,
    )  # fmt: skip
    return [
        Finding(
            "jvp" if e.slug == "unexplained" else e.slug, name,
            f"the JVP along {name} is {e.words or 'wrong'}".replace("upstream gradient", "tangent"),
            evidence.before, e.residual, worst, ("jvp", *e.also), e.words, e.hint,
        )
        for e in explain(evidence)
    ]  # fmt: skip
