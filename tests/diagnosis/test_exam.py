"""The doctor is examined: it finds every planted bug, names its cause, and calls no right gradient wrong.

Every thirteenth bug and every sixth right gradient run always; all of them, with more seeds, under `-m long`.
"""

from __future__ import annotations

import numpy as np
import pytest
from tests.diagnosis.corpus.bug import Bug
from tests.diagnosis.corpus.bugs import BUGS
from tests.diagnosis.corpus.bugs_large import LARGE
from tests.diagnosis.corpus.exam import alarms, examined, share
from tests.diagnosis.corpus.operations import OPERATIONS
from tests.diagnosis.corpus.right import Right
from tests.diagnosis.corpus.rights import RIGHT
from tests.diagnosis.corpus.tangents import JVPS, WRONG, Jvp

from paperback.diagnosis import Report, doctor

SAMPLE, RIGHTS = BUGS[::13], RIGHT[::6]


def test_a_sample_of_the_bugs_is_found_and_named() -> None:
    verdicts = [examined(bug, 0) for bug in SAMPLE]
    missed = [verdict.bug.id for verdict in verdicts if not verdict.found]
    assert not missed
    assert share(verdicts, "first") >= 0.8, [(v.bug.id, v.said) for v in verdicts if not v.first]
    assert share(verdicts, "top") >= 0.8, [(v.bug.id, v.said) for v in verdicts if not v.top]


@pytest.mark.parametrize("right", RIGHTS, ids=lambda right: right.id)
def test_a_sample_of_the_right_gradients_is_called_right(right: Right) -> None:
    assert alarms(right, 0) == ((), "")


def judged(name: str, jvp: Jvp) -> Report:
    operation = OPERATIONS[name]
    arguments = operation.sample(np.random.default_rng(0))
    return doctor(operation.forward, operation.backward, arguments, jvp=jvp)


@pytest.mark.parametrize("name", JVPS)
def test_right_tangents_are_called_right(name: str) -> None:
    assert judged(name, JVPS[name]).ok


@pytest.mark.parametrize("note", WRONG)
def test_wrong_tangents_are_found(note: str) -> None:
    name, jvp = WRONG[note]
    assert not judged(name, jvp).ok


@pytest.mark.long
@pytest.mark.parametrize("bug", [*BUGS, *LARGE], ids=lambda bug: bug.id)
def test_every_bug_is_found(bug: Bug) -> None:
    for seed in range(3):
        assert examined(bug, seed).found


@pytest.mark.long
def test_causes_are_named() -> None:
    verdicts = [examined(bug, seed) for bug in BUGS for seed in range(2)]
    assert share(verdicts, "first") >= 0.9, [(v.bug.id, v.said) for v in verdicts if not v.first]
    assert share(verdicts, "top") >= 0.97, [(v.bug.id, v.said) for v in verdicts if not v.top]


@pytest.mark.long
@pytest.mark.parametrize("right", RIGHT, ids=lambda right: right.id)
def test_no_right_gradient_is_called_wrong(right: Right) -> None:
    for seed in range(20):
        assert alarms(right, seed) == ((), ""), seed
