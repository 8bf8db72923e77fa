"""Engines agree: every formula, its gradients and its second derivative in NumPy against the exact engine.

Random formulas too: shapes, strides, dilations and pads drawn by a seed, with the number of cases that ran.
"""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from tests.calculus.formulas import CASES, Case, conv1d
from tests.calculus.test_derive import run, sizes_of
from tests.golden.exactly import as_float, near

import paperback as pb
from paperback import engines

to_floats = np.vectorize(as_float, otypes=[float])
to_fractions = np.vectorize(Fraction, otypes=[object])
BY_ID = [pytest.param(case, id=case.id) for case in CASES]


def floats(arrays: dict[str, Any], case: Case) -> dict[str, Any]:
    return {name: value if name in case.integers else np.asarray(value, dtype=float) for name, value in arrays.items()}


def check(case: Case, seed: int) -> int:
    """How many numbers were compared."""
    formula = case.formula()
    arrays = case.arrays(seed)
    sizes = sizes_of(formula, arrays, case)
    given = floats(arrays, case)
    exact = run(formula.block, arrays, sizes)
    own = {name: n for name, n in sizes.items() if name in case.sizes}
    value = formula(**{**own, **given})
    assert near(value, to_floats(exact), 1e-11), "forward"
    g = np.random.default_rng(seed).integers(-8, 9, np.shape(exact)) / 8
    cotangent = "d" + formula.block.result.target
    grads = formula.gradients(given, g)
    compared = value.size
    for name in case.floats:
        vjp = formula.vjp(name)
        true = to_floats(run(vjp.block, {**arrays, cotangent: to_fractions(g)}, sizes))
        assert near(grads[name], true, 1e-10), f"gradient by {name}"
        assert near(vjp(**{**own, **given, cotangent: g}), true, 1e-10), f"vjp by {name}"
        compared += true.size
    name = case.floats[0]
    second = formula.vjp(name).derivative(name)
    arrays2 = {**arrays, cotangent: to_fractions(g)}
    true = to_floats(run(second.block, arrays2, sizes))
    assert near(second(**{**own, **given, cotangent: g}), true, 1e-9), f"second derivative by {name}"
    return compared + true.size


@pytest.mark.parametrize("case", BY_ID)
def test_numpy_agrees_with_the_exact_engine(case: Case) -> None:
    assert check(case, 5) > 0


def test_random_convolutions() -> None:
    rng = np.random.default_rng(11)
    ran = 0
    while ran < 25:
        s, d, h, p, pad = (int(rng.integers(a, b)) for a, b in ((1, 4), (1, 4), (1, 12), (1, 4), (0, 3)))
        if h + 2 * pad >= d * (p - 1) + 1:
            check(conv1d(s, d, h, p, bool(rng.integers(2)), pad), ran)
            ran += 1
    assert ran == 25


@pytest.mark.parametrize("engine", ["numpy", "llvm", "exact"])
def test_the_chosen_engine_runs(engine: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engines._chosen, "engine", None)  # put back afterwards
    f = pb.formula("y[i] = sum(p) x[i+p]*w[p]", x="H")
    pb.use(engine=engine)
    value = f(x=np.arange(5.0), w=np.array([1.0, 2.0]))
    assert value.tolist() == [2, 5, 8, 11]
    assert (value.dtype == object) == (engine == "exact")
