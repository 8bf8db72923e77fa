"""The doctor is examined: it finds every planted bug, names its cause, and calls no right gradient wrong.

Every nineteenth bug and every sixth right gradient, of one seed or another, run always; all of them under `-m long`,
the right gradients with 20 seeds.
"""

from __future__ import annotations

from collections.abc import Iterable

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

SAMPLE, SEEDS = BUGS[::19], 20


def test_a_sample_of_the_bugs_is_found_and_named() -> None:
    verdicts = [examined(bug, 0) for bug in SAMPLE]
    missed = [verdict.bug.id for verdict in verdicts if not verdict.found]
    assert not missed
    assert share(verdicts, "first") >= 0.8, [(v.bug.id, v.said) for v in verdicts if not v.first]
    assert share(verdicts, "top") >= 0.8, [(v.bug.id, v.said) for v in verdicts if not v.top]


def alarmed(rights: Iterable[tuple[Right, int]]) -> tuple[dict[str, object], int]:
    """What is said of right gradients that are called wrong, or not judged though they may be; how many were asked."""
    asked = [(right.id, seed, alarms(right, seed)) for right, seed in rights]
    return {f"{id}, seed {seed}": said for id, seed, said in asked if said != ((), "")}, len(asked)


def test_a_sample_of_the_right_gradients_is_called_right() -> None:
    told, count = alarmed((right, k % SEEDS) for k, right in enumerate(RIGHT) if k % 6 == 0)
    assert not told and count > 40, told


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
@pytest.mark.parametrize("seed", range(SEEDS))
def test_no_right_gradient_is_called_wrong(seed: int) -> None:
    told, count = alarmed((right, seed) for right in RIGHT)
    assert not told and count == len(RIGHT) > 250, told
