"""The Jacobian of a formula as a linear map, against the exact evaluator, which derives no formulas.

Every case of the calculus' tests, by every input: the array, the entries, the number of entries, both directions.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from tests.calculus.formulas import CASES, Case

import paperback as pb
from paperback.calculus import exact

Array = np.ndarray[Any, Any]


def floats(values: Any) -> Array:
    return np.vectorize(float, otypes=[float])(values)


def jacobian_of(case: Case, wrt: str, seed: int = 0) -> tuple[pb.LinearMap, Array]:
    """The map, and the exact Jacobian as floats."""
    given = case.arrays(seed)
    formula = case.formula()
    arrays = {name: np.asarray(a) if name in case.integers else floats(a) for name, a in given.items()}
    sizes = {name: size for name, size in case.sizes.items() if name in formula.block.size_names}
    referee = exact.jacobian(formula.block, given, wrt, sizes=case.sizes)
    return formula.jacobian(wrt, **arrays, **sizes), floats(referee)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.id)
def test_the_map_is_the_jacobian(case: Case) -> None:
    random = np.random.default_rng(1)
    for wrt in case.floats:
        found, referee = jacobian_of(case, wrt)
        matrix = referee.reshape(found.matrix().shape)
        scale = 1 + np.abs(matrix).max(initial=0)
        assert np.allclose(found.dense(), referee, rtol=1e-9, atol=1e-9 * scale), wrt
        assert np.allclose(found.entries().dense(), matrix, rtol=1e-9, atol=1e-9 * scale), wrt
        assert np.all(found.entries().places.dense() | (matrix == 0)), wrt
        v, g = random.standard_normal(found.shape_in), random.standard_normal(found.shape_out)
        assert np.allclose(found.apply(v).ravel(), matrix @ v.ravel(), atol=1e-8 * scale), wrt
        assert np.allclose(found.adjoint(g).ravel(), g.ravel() @ matrix, atol=1e-8 * scale), wrt


def test_the_cases_were_many() -> None:
    assert len(CASES) > 60
