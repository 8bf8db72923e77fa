"""Transposed convolutions run as scatters: they agree with NumPy's engine, and multiply nothing by 0."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("torch")
pytest.importorskip("llvmlite")

from tests.nn.cases import Case
from tests.nn.sample import Sample

from paperback.nn import ConvTranspose1d, ConvTranspose2d

CASES = [
    Case("transposed-1d", ConvTranspose1d(17, 5, 3, 1, 1), (7, 11), 2),
    Case("transposed", ConvTranspose2d(17, (3, 2), bias=True), (5, 4, 9), 3),
    Case("transposed-stride", ConvTranspose2d(5, 4, 2, 1), (5, 3, 16), 3),
    Case("transposed-dilation", ConvTranspose2d(8, 2, 2, 0, 0, (1, 3)), (3, 4, 8), 2),
]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.id)
@pytest.mark.parametrize("memory", ["", "memory"])
def test_agrees_with_numpy(case: Case, memory: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PAPERBACK_DEBUG", memory)
    sample = Sample(case)
    weights = next(name for name in sample.network.parameters if name.endswith("w"))
    infinite = sample.given[weights].copy()
    infinite.reshape(-1)[0] = np.inf  # it meets no padding: what it does not reach stays finite
    for given in (sample.given, {**sample.given, weights: infinite}):
        with np.errstate(invalid="ignore"):
            expected = sample.run(given)[sample.network.output]
        found = sample.run(given, "llvm")[sample.network.output]
        np.testing.assert_allclose(found, expected, rtol=1e-9, atol=1e-9)
        assert np.isfinite(found).any()
