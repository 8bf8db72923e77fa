"""Sums of three factors, and of factors that are computed: brought to products of two tensors, with equal results."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("torch")
pytest.importorskip("llvmlite")

from tests.nn.cases import Case
from tests.nn.sample import SEED, Sample

from paperback.engines import compile_program
from paperback.engines.llvm.lowering.lower import lower
from paperback.nn import Formula, HeNormal, MultiHeadAttention

CASES = [
    Case("attention-19", MultiHeadAttention(2, causal=True), (19, 32), 3),
    Case("attention-33", MultiHeadAttention(3), (33, 24), 2),
    Case("bilinear", Formula("y[a,o] = sum(i,k) x[i,a]*w[i,k,o]*x[k,a]", {"w": HeNormal()}, {"O": 17}), (9, 12), 3),
    Case("guarded", Formula("y[t,o] = sum(i,u) [u <= t]*exp(x[u,i])*w[i,o] where t < 9", {"w": HeNormal()}, {"O": 17}),
         (9, 12), 3),
]  # fmt: skip


def parts(case: Case) -> list[str]:
    return [task.target for task in lower(Sample(case).program).tasks if "(part" in task.target]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.id)
@pytest.mark.parametrize("memory", ["", "memory"])
def test_agrees_with_numpy_on_any_threads(case: Case, memory: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PAPERBACK_DEBUG", memory)
    sample = Sample(case)
    given = {name: array / 16 for name, array in sample.given.items()}
    expected = sample.run(given)
    needed = {tensor.name for tensor in sample.program.inputs}
    seeded = {name: array for name, array in {**given, SEED: sample.cotangent}.items() if name in needed}
    found = [compile_program(sample.program, "float64", "llvm", threads)(seeded) for threads in (1, 2, 3, 4)]
    for name, right in expected.items():
        np.testing.assert_allclose(found[0][name], right, rtol=1e-9, atol=1e-9 * max(1, np.abs(right).max()))
        assert all(np.array_equal(one[name], found[0][name]) for one in found[1:])
    assert parts(case), "nothing was factored"


def test_equal_parts_are_one_tensor() -> None:
    """The weights of attention are in its output and in three gradients: exp(s - l) and v*do, and one times d."""
    assert len(parts(CASES[0])) <= 4


def test_the_future_is_not_read() -> None:
    """What a causal guard excludes may be NaN: a mask of zeros would let it through."""
    sample = Sample(CASES[0])
    given = {name: array / 16 for name, array in sample.given.items()}
    given["input"] = given["input"].copy()
    given["input"][:, 11:] = np.nan
    output = sample.run(given, "llvm")[sample.network.output]
    assert np.isfinite(output[:, :11]).all() and np.isnan(output[:, 11:]).all()
