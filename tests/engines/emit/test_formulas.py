"""Every formula as source text in three libraries: values, VJPs, JVPs and Jacobians equal those of the engines.

The referees are the exact engine for values and the NumPy engine, which solves the deltas of a gradient another way.
"""

from __future__ import annotations

import numpy as np
import pytest
from tests.calculus.formulas import CASES, Case
from tests.engines.emit.running import Arrays, call, load, needs
from tests.golden.exactly import as_float

from paperback import engines
from paperback.engines.emit import TARGETS

to_floats = np.vectorize(as_float, otypes=[float])
FEW = {"numpy": CASES, "torch": CASES[::3], "jax": CASES[4::40]}  # all of them everywhere in the long suite
RUNS = [pytest.param(case, target, id=f"{case.id}-{target}") for target, cases in FEW.items() for case in cases]


def arrays_of(case: Case, dtype: str = "float64") -> Arrays:
    arrays = case.arrays(1)
    return {n: a if n in case.integers else np.asarray(to_floats(a), dtype=dtype) for n, a in arrays.items()}


def pairs(case: Case, target: str, dtype: str = "float64") -> list[tuple[np.ndarray, np.ndarray]]:
    """What the emitted functions give, and what is right."""
    formula, given = case.formula(), arrays_of(case, dtype)
    rng = np.random.default_rng(0)
    sizes = {n: size for n, size in case.sizes.items() if n in formula.block.size_names}
    every = {**given, **sizes}
    result = formula.block.result.target
    exact = engines.run(formula.block, case.arrays(1), sizes, "exact")[result]
    found = [(*call(target, load(formula.source(target), "forward"), every), np.asarray(to_floats(exact)))]
    cotangent = rng.standard_normal(np.shape(exact)).astype(dtype)
    gradients = call(target, load(formula.source(target, "vjp"), "vjp"), {**every, f"d{result}": cotangent})
    found += zip(gradients, formula.gradients(every, cotangent).values(), strict=True)
    tangents = {f"d{n}": rng.standard_normal(given[n].shape).astype(dtype) for n in case.floats}
    jvp = formula.jvp()
    known = {n: v for n, v in {**every, **tangents}.items() if n in {*jvp.block.inputs, *jvp.block.scalars, *sizes}}
    found += [(*call(target, load(formula.source(target, "jvp"), "jvp"), {**every, **tangents}), jvp(**known))]
    for name in case.floats:
        right = engines.run(formula.derivative(name).block, given, case.sizes)
        emitted = load(formula.source(target, "derivative", name), "derivative")
        found += [(*call(target, emitted, every), list(right.values())[-1])]
    return found


def check(case: Case, target: str) -> None:
    needs(target)
    found = pairs(case, target)
    for got, right in found:
        assert got.shape == np.shape(right)
        np.testing.assert_allclose(got, right, rtol=1e-9, atol=1e-10)
    assert len(found) >= 2 + 2 * len(case.floats)


@pytest.mark.parametrize(("case", "target"), RUNS)
def test_emitted_functions_are_the_engines(case: Case, target: str) -> None:
    check(case, target)


@pytest.mark.long
@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize("case", CASES, ids=[case.id for case in CASES])
def test_emitted_functions_are_the_engines_for_every_formula(case: Case, target: str) -> None:
    check(case, target)
