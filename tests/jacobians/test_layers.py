"""Every third layer of the test cases, by its input and parameters: entries counted, claims checked one by one."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from tests.calculus.entrywise import wrong
from tests.nn.case import Case
from tests.nn.cases import CASES

import paperback as pb
from paperback.nn import Sequential
from paperback.nn.network import INPUT

# 0 by themselves: weights that are given, cosines, the slope of a softmax by what moves all its scores alike
ZEROS = ("fixed", "dct", "blockdct", "attention", "sobel", "difference")
SMALL = [case for case in CASES if np.prod(case.shape) <= 120 and not isinstance(case.layer, Sequential)]


@pytest.mark.parametrize("case", SMALL[::3], ids=lambda case: case.id)
def test_the_structure_of_a_layer(case: Case) -> None:
    model = pb.Model(case.layer, case.shape, seed=0, dtype="float64")
    random = np.random.default_rng(1)
    model.set_parameters({name: random.standard_normal(a.shape) for name, a in model.parameters.items()})
    ids = model.network.train.tensors[INPUT].integer
    x = np.zeros((2, *case.shape), np.int64) if ids else random.standard_normal((2, *case.shape))
    for wrt in (*([] if ids else [INPUT]), *model.parameters):
        found = model.jacobian(x, wrt)
        matrix = found.matrix()
        there = np.abs(matrix) > 1e-13 * np.abs(matrix).max(initial=0)
        claimed = found.structure
        if any(name in case.id for name in ZEROS):
            claimed = replace(claimed, count=claimed.count.most)
        else:
            assert found.nnz == np.count_nonzero(there), wrt
        assert wrong(claimed, np.where(there, matrix, 0).reshape(found.shape), {}) == [], found


def test_the_layers_were_many() -> None:
    assert len(SMALL) > 60
