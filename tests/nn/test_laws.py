"""The laws of layers: gradients, exactness, purity; for every case.

Referees of different nature: PyTorch's autograd, central differences of the forward, and exact rational arithmetic.
"""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest

pytest.importorskip("torch")

from tests.nn.case import Case
from tests.nn.cases import CASES
from tests.nn.sample import Sample


def test_there_are_at_least_200_configurations() -> None:
    assert len(CASES) >= 200
    assert len({case.id for case in CASES}) == len(CASES)


@pytest.mark.parametrize("case", CASES, ids=[case.id for case in CASES])
def test_forward_and_all_gradients_are_pytorchs(case: Case) -> None:
    sample = Sample(case)
    result = sample.run(sample.given)
    for name, theirs in sample.pytorch().items():
        np.testing.assert_allclose(result[name], theirs, rtol=1e-9, atol=1e-10, err_msg=name)


@pytest.mark.parametrize("case", CASES, ids=[case.id for case in CASES])
def test_gradients_are_differences_of_the_forward(case: Case) -> None:
    """<g, (f(x + h v) - f(x - h v)) / 2h> = <gradient, v> for a random direction v in all inputs at once."""
    sample = Sample(case)
    rng = np.random.default_rng(7)
    directions = {name: rng.standard_normal(np.shape(sample.given[name])) for name in sample.wrt}
    h = 1e-6

    def moved(sign: int) -> np.ndarray:
        return sample.forward({**sample.given, **{n: sample.given[n] + sign * h * v for n, v in directions.items()}})

    difference = np.sum(sample.cotangent * (moved(1) - moved(-1)) / (2 * h))
    grads = sample.gradients(sample.given)
    product = sum(np.sum(grads[name] * v) for name, v in directions.items())
    assert abs(difference - product) <= 1e-6 * (1 + abs(difference))


SLOW_EXACTLY = ("norm", "random", "dropout", "same-dil", "overlap")
RATIONAL = [case for case in CASES if not any(word in case.id for word in SLOW_EXACTLY)]


@pytest.mark.parametrize("case", RATIONAL, ids=[case.id for case in RATIONAL])
def test_numpy_is_the_exact_engine_up_to_rounding(case: Case) -> None:
    sample = Sample(case)
    exact, floats = sample.run(sample.given, engine="exact"), sample.run(sample.given)
    checked = 0
    for name, value in floats.items():
        flat = np.asarray(exact[name], dtype=object).ravel()
        for got, true in zip(value.ravel(), flat, strict=True):
            checked += 1
            low, high = (true, true) if isinstance(true, Fraction) else (true.lower, true.upper)
            slack = Fraction(1, 10**12) * (1 + abs(high))
            assert low - slack <= Fraction(float(got)) <= high + slack, name
    assert checked > 0


@pytest.mark.parametrize("case", CASES[:: len(CASES) // 25], ids=[c.id for c in CASES[:: len(CASES) // 25]])
def test_runs_are_pure_and_layout_does_not_matter(case: Case) -> None:
    sample = Sample(case)
    first = sample.run(sample.given)
    for value in sample.given.values():
        np.asarray(value).flags.writeable = False
    again = sample.run(sample.given)
    assert all(np.array_equal(first[name], again[name]) for name in first)
    strided = {
        name: np.repeat(v[..., None], 2, axis=-1)[..., 0] if v.ndim else v for name, v in sample.given.items()
    }
    reversed_ = {name: v[::-1].copy()[::-1] if v.ndim else v for name, v in sample.given.items()}
    for variant in (strided, reversed_):
        other = sample.run(variant)
        assert all(np.allclose(first[name], other[name], rtol=1e-13, atol=1e-13) for name in first)


@pytest.mark.parametrize("case", CASES[:: len(CASES) // 25], ids=[c.id for c in CASES[:: len(CASES) // 25]])
def test_float32_errs_no_more_than_twice_pytorchs_float32(case: Case) -> None:
    sample = Sample(case)
    single, double = (sample.run(sample.given, dtype=dtype) for dtype in ("float32", "float64"))
    theirs = sample.pytorch("float32")
    for name, truth in double.items():
        scale = np.abs(truth).max() if truth.size else 0.0
        error = np.abs(single[name] - truth).max(initial=0.0)
        reference = np.abs(theirs[name] - truth).max(initial=0.0)
        assert error <= 2 * max(reference, 16 * np.finfo(np.float32).eps * scale), name
