"""Sums that are scattered: the gradient of an embedding adds every row once, in the order of the examples.

The referee is `numpy.add.at`, which adds in that order too: where rows are not cut into shares, bits are equal.
"""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("torch")
pytest.importorskip("llvmlite")

from tests.nn.cases import Case
from tests.nn.sample import SEED, Sample

from paperback.engines import compile_program
from paperback.nn import Embedding

SMALL, LARGE = 7, 1009  # a table that is added share by share, and one that is cut into rows


def gradient(sample: Sample, ids: np.ndarray, seed: np.ndarray, dtype: str, threads: int) -> np.ndarray:
    needed = {tensor.name for tensor in sample.program.inputs}
    given = {"input": ids, SEED: seed, **{n: a for n, a in sample.given.items() if n in needed and n != "input"}}
    result = compile_program(sample.program, dtype, "llvm", threads)(given)
    return result[sample.held[sample.wrt[0]]]


@pytest.mark.parametrize("memory", ["", "memory"])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("rows", [SMALL, LARGE])
def test_rows_are_added_in_order(rows: int, dtype: str, memory: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PAPERBACK_DEBUG", memory)
    rng = np.random.default_rng(rows)
    for batch, features in ((1, 5), (37, 19)):
        sample = Sample(Case("scatter", Embedding(rows, features), (11,), batch))
        ids = rng.integers(0, rows, (batch, 11))
        ids[:, :3] = rows - 1  # rows that are added to many times
        seed = rng.standard_normal((batch, 11, features)).astype(dtype)
        expected = np.zeros((rows, features), dtype)
        np.add.at(expected, ids.reshape(-1), seed.reshape(-1, features))
        found = [gradient(sample, ids, seed, dtype, threads) for threads in (1, 2, 3, 4)]
        assert all(np.array_equal(one, found[0]) for one in found[1:])
        np.testing.assert_allclose(found[0], expected, rtol=1e-9 if dtype == "float64" else 1e-3, atol=1e-5)
        if rows * features >= 2048:
            assert np.array_equal(found[0], expected)
        assert (found[0][rows - 1] != 0).all()


def test_what_is_not_finite_stays_in_its_row() -> None:
    sample = Sample(Case("scatter", Embedding(LARGE, 4), (3,), 2))
    seed = np.ones((2, 3, 4))
    seed[1, 2] = [np.nan, np.inf, -np.inf, 1]
    found = gradient(sample, np.array([[0, 1, 2], [3, 4, 5]]), seed, "float64", 1)
    assert np.isnan(found[5, 0]) and found[5, 1] == np.inf and found[5, 2] == -np.inf
    assert np.isfinite(np.delete(found, 5, axis=0)).all()
