"""The corpus before it examines anybody: its right gradients are right, and its wrong ones are wrong."""

from __future__ import annotations

import importlib.util

import numpy as np
import pytest

from tests.diagnosis.corpus.operation import difference, draw, numeric
from tests.diagnosis.corpus.operations import OPERATIONS


@pytest.mark.parametrize("name", OPERATIONS)
def test_the_right_gradients_are_right(name: str) -> None:
    operation = OPERATIONS[name]
    rng = np.random.default_rng(0)
    arguments = operation.sample(rng)
    g = draw(operation.forward(*arguments), rng)
    returned, true = operation.backward(g, *arguments), numeric(operation.forward, g, arguments)
    for one, other in zip(returned, true, strict=True):
        assert (one is None) == (other is None)
        assert other is None or difference(one, other) < 1e-8
