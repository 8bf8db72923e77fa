"""NaN and infinities in inputs: the NumPy engine gives what plain loops over the tree that was written give.

Random formulas, and products that an engine would like to distribute over sums: (2 - 1)*inf is inf, 2*inf - inf is NaN.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from tests.calculus.random_formulas import Drawn, Generator
from tests.engines.loops import evaluate

import paperback as pb
from paperback import engines
from paperback.calculus import kernel
from paperback.engines.numpy import engine

UNUSUAL = (np.nan, np.inf, -np.inf, 0.0)
SEEDS = (*range(240), 302, 450, 1002, 1367)
Arrays = dict[str, Any]


def spoiled(drawn: Drawn, seed: int, rate: float) -> Arrays:
    """Quarters of whole numbers, with an unusual number at each place with this chance."""
    rng = np.random.default_rng(seed)
    found: Arrays = {}
    for name, axes in drawn.axes.items():
        if name in drawn.integers:
            found[name] = rng.integers(0, 2, axes)
        else:
            plain = rng.integers(-8, 9, axes) / 4
            found[name] = np.where(rng.random(axes) < rate, rng.choice(UNUSUAL, axes), plain)
    return found


def agrees(text: str, given: Arrays) -> tuple[bool, bool]:
    """Does the engine agree with the loops, and is the result finite?"""
    block = pb.formula(text).block
    given = {name: array for name, array in given.items() if name in block.inputs}
    want = evaluate(block, given)[block.result.target]
    got = engines.run(block, given, {}, engine="numpy")[block.result.target]
    return np.allclose(got, want, rtol=1e-9, atol=1e-9, equal_nan=True), bool(np.isfinite(want).all())


def disagreeing(seeds: tuple[int, ...]) -> tuple[list[int], int]:
    """The seeds at which the engine is wrong, and how many results were not finite."""
    wrong, unusual = [], 0
    for seed in seeds:
        drawn = Generator(seed).draw()
        for rate in (0.15, 0.4):
            right, finite = agrees(drawn.text, spoiled(drawn, seed, rate))
            wrong += [] if right else [seed]
            unusual += not finite
    return wrong, unusual


def test_random_formulas() -> None:
    wrong, unusual = disagreeing(SEEDS)
    assert not wrong
    assert unusual > 120


@pytest.mark.long
def test_many_random_formulas() -> None:
    wrong, unusual = disagreeing(tuple(range(20_000, 24_000)))
    assert not wrong
    assert unusual > 1500


PRODUCTS = {
    "a phase": "y[t] = c[]*([2 | t]*x[t/2] - z[t]) where t < 4",
    "a delta": "y[t] = c[]*(sum(i) [t == 2*i]*x[i] - z[t]) where t < 4",
    "a delta among others": "y[t] = c[]*(sum(i,j) [t == i]*x[i]*v[j]) where t < 2",
    "two sums": "y[t] = (sum(i) [t == 2*i]*x[i] - 1)*(sum(j) [t >= j]*v[j]) where t < 4",
    "a sum": "y[t] = c[]*(sum(j) v[j]) + 0*z[t]",
    "three factors": "y = sum(i,j) v[i]*x[j]*c[]",
    "a large box": "y[i] = sum(j,k) (z[j]*v[k] - v[k])*x[i]*c[]",
}


@pytest.mark.parametrize("text", PRODUCTS.values(), ids=PRODUCTS)
def test_products_of_sums(text: str) -> None:
    """Every factor infinite while another is a difference that does not vanish."""
    numbers = {"c": 2, "x": [2, 3], "z": [1, 5, 1, 7], "v": [2, -1]}
    given = {name: np.array(value, dtype=float) for name, value in numbers.items()}
    for name, array in given.items():
        for place in range(array.size):
            for value in (np.inf, -np.inf, np.nan):
                changed = array.copy()
                changed.reshape(-1)[place] = value
                assert agrees(text, {**given, name: changed})[0], (text, name, place, value)


@pytest.mark.parametrize(
    ("name", "wrong", "seen"),
    [("_is_product", lambda node: False, 450), ("_as_factor", lambda old, new: new, 1002)],
    ids=["products are distributed over sums", "a bracket leaves its sum"],
)
def test_a_mistake_is_caught(name: str, wrong: Any, seen: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kernel, name, wrong)
    engine._blocks.clear()
    try:
        assert disagreeing((seen,))[0]
    finally:
        engine._blocks.clear()
