"""Formulas on the compiled engine: values, vjps and jvps against the exact engine, for three instruction sets."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

pytest.importorskip("llvmlite")

from tests.calculus.formulas import CASES, Case, rationals
from tests.calculus.random_formulas import Generator
from tests.calculus.test_derive import sizes_of
from tests.engines.llvm.targets import choose_target
from tests.golden.exactly import as_float, near

import paperback as pb
from paperback import engines
from paperback.calculus.interval import ExactError
from paperback.engines.llvm import blocks
from paperback.engines.llvm.machine.target import NAMES
from paperback.notation.block import Block

to_floats = np.vectorize(as_float, otypes=[float])
Arrays = dict[str, Any]
FEW, MANY = 60, 200
TOLERANCE = {"float32": 2e-5, "float64": 1e-10}


def of_kind(arrays: Arrays, integers: Any, dtype: str) -> Arrays:
    return {n: a if n in integers else np.asarray(a, dtype=dtype) for n, a in arrays.items()}


def agree(block: Block, arrays: Arrays, sizes: dict[str, int], integers: Any, dtype: str = "float64") -> int:
    """How many numbers of the compiled result are near the exact ones; 0 where the exact engine cannot decide."""
    known = {*block.inputs, *block.scalars}
    given = {name: value for name, value in arrays.items() if name in known}
    try:
        exact = engines.run(block, given, sizes, "exact")[block.result.target]
    except (ExactError, ZeroDivisionError):
        return 0
    true = np.asarray(to_floats(exact))
    if not np.isfinite(true).all():
        return 0
    found = engines.run(block, of_kind(given, integers, dtype), sizes, "llvm")[block.result.target]
    largest = float(np.abs(true).max(initial=1.0))
    assert np.shape(found) == true.shape and near(found / largest, true / largest, TOLERANCE[dtype]), block
    return max(1, true.size)


def check(formula: pb.Formula, arrays: Arrays, sizes: dict[str, int], integers: Any, seed: int) -> int:
    """The value, a vjp and the jvp; how many of them were compared."""
    rng = np.random.default_rng(seed)
    block = formula.block
    dtype = ("float64", "float64", "float32")[seed % 3]
    compared = int(agree(block, arrays, sizes, integers, dtype) > 0)
    floats = [name for name in block.inputs if name not in integers]
    if not compared or not floats:
        return compared
    given = {name: value for name, value in arrays.items() if name in {*block.inputs, *block.scalars}}
    result = engines.run(block, given, sizes, "exact")[block.result.target]
    name = floats[seed % len(floats)]
    cotangent = {"d" + block.result.target: rationals(rng, np.shape(result))}
    compared += agree(formula.vjp(name).block, {**arrays, **cotangent}, sizes, integers) > 0
    tangents = {"d" + n: rationals(rng, np.shape(arrays[n])) for n in floats}
    compared += agree(formula.jvp().block, {**arrays, **tangents}, sizes, integers) > 0
    return compared


def check_case(case: Case, seed: int) -> int:
    formula = case.formula()
    arrays = case.arrays(seed)
    return check(formula, arrays, dict(sizes_of(formula, arrays, case)), case.integers, seed)


def check_random(seed: int) -> int:
    drawn = Generator(seed).draw()
    rng = np.random.default_rng(seed)
    arrays: Arrays = {}
    for name, axes in drawn.axes.items():
        whole = name in drawn.integers
        arrays[name] = rng.integers(0, 2, axes) if whole else rationals(rng, tuple(axes), ties=seed % 4 == 0)
    try:
        return check(pb.formula(drawn.text), arrays, {}, drawn.integers, seed)
    except Exception as error:
        raise AssertionError(f"check_random({seed}): {drawn.text}: {error}") from error


def on_target(patch: pytest.MonkeyPatch, name: str) -> None:
    choose_target(patch, name)
    patch.setattr(blocks, "_compiled", type(blocks._compiled)())  # code is kept for one target


@pytest.mark.parametrize("name", NAMES)
def test_formulas(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every eighth formula, others on each target."""
    on_target(monkeypatch, name)
    cases = CASES[NAMES.index(name) ::8]
    assert sum(check_case(case, k) > 0 for k, case in enumerate(cases)) == len(cases) >= 7


@pytest.mark.parametrize("name", NAMES)
def test_random_formulas(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    on_target(monkeypatch, name)
    seeds = range(NAMES.index(name), FEW, len(NAMES))
    assert sum(check_random(seed) > 0 for seed in seeds) >= 0.75 * len(seeds)


@pytest.mark.long
@pytest.mark.parametrize("name", NAMES)
def test_every_formula(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    on_target(monkeypatch, name)
    assert sum(check_case(case, k) > 0 for k, case in enumerate(CASES)) == len(CASES) > 60


@pytest.mark.long
@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("first", range(0, MANY, 50))
def test_many_random_formulas(name: str, first: int, monkeypatch: pytest.MonkeyPatch) -> None:
    on_target(monkeypatch, name)
    assert sum(check_random(seed) > 0 for seed in range(1000 + first, 1050 + first)) >= 35
