"""The checkers beside the doctor are asked fairly: each passes what is right and finds what is plainly wrong."""

from __future__ import annotations

import numpy as np
import pytest
from benchmarks.checkers import CHECKERS, Checker
from tests.diagnosis.corpus.bugs import BUGS
from tests.diagnosis.corpus.operations import OPERATIONS

ASKED = [
    pytest.param(checker, id=name, marks=pytest.mark.skipif(not checker.installed, reason="it is not installed"))
    for name, checker in CHECKERS.items()
]


@pytest.mark.parametrize("checker", ASKED)
def test_right_gradients_pass(checker: Checker) -> None:
    names = ("dense", "conv2d flipped", "embedding", "cut", "cross entropy", "running sum")
    for operation in map(OPERATIONS.__getitem__, names):
        answer = checker((operation.forward, operation.backward), operation.sample(np.random.default_rng(0)))
        assert answer.right and answer.seconds > 0, answer.said


@pytest.mark.parametrize("checker", ASKED)
def test_plain_mistakes_are_found(checker: Checker) -> None:
    names = {
        "dense: db times 10",
        "conv2d: dw is flipped",
        "cut: the upstream gradients are exchanged",
        "abs: dx of the other sign",
    }
    asked = [bug for bug in BUGS if bug.id in names]
    assert len(asked) == len(names)
    for bug in asked:
        answer = checker(bug.make(), bug.operation.sample(np.random.default_rng(0)))
        assert not answer.right and answer.said, bug.id
