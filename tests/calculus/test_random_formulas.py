"""Derivatives of random formulas against dual numbers, and the NumPy engine against the exact one."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from tests.calculus.formulas import rationals
from tests.calculus.random_formulas import Drawn, Generator
from tests.calculus.test_derive import contract
from tests.golden.exactly import agrees, as_float, near

import paperback as pb
from paperback import engines
from paperback.calculus import exact
from paperback.calculus.interval import ExactError

to_floats = np.vectorize(as_float, otypes=[float])


def run(block: Any, arrays: dict[str, Any]) -> Any:
    given = {name: arrays[name] for name in block.inputs}
    return engines.run(block, given, {}, engine="exact")[block.result.target]


def is_finite(values: Any) -> bool:
    return not any(isinstance(value, float) for value in np.ravel(values))


def check(drawn: Drawn, seed: int) -> bool:
    """Every derivative of one formula; False where the referee cannot say (a tie of irrationals, an infinite value)."""
    formula = pb.formula(drawn.text)
    rng = np.random.default_rng(seed)
    arrays: dict[str, Any] = {}
    for name, axes in drawn.axes.items():
        whole = name in drawn.integers
        arrays[name] = rng.integers(0, 2, axes) if whole else rationals(rng, tuple(axes), ties=seed % 4 == 0)
    floats = [name for name in formula.block.inputs if name not in drawn.integers]
    try:
        value = run(formula.block, arrays)
        jacobians = {name: exact.jacobian(formula.block.statements, arrays, name) for name in floats}
    except (ExactError, ZeroDivisionError):
        return False
    if not is_finite(value) or not all(is_finite(jacobian) for jacobian in jacobians.values()):
        return False
    given = {n: a if n in drawn.integers else np.asarray(a, dtype=float) for n, a in arrays.items()}
    assert near(formula(**given), to_floats(value), 1e-10), f"forward: {drawn.text}"
    g = rationals(rng, np.shape(value))
    grads = formula.gradients(given, np.asarray(g, dtype=float))
    tangents = {name: rationals(rng, np.shape(arrays[name])) for name in floats}
    change: Any = np.zeros(np.shape(value), dtype=object) + Fraction(0)
    for name in floats:
        gradient = contract(g, jacobians[name])
        assert near(grads[name], to_floats(gradient), 1e-9), f"gradient by {name}: {drawn.text}"
        vjp, derivative = formula.vjp(name).block, formula.derivative(name).block
        assert agrees(run(vjp, {**arrays, "dy": g}), gradient), f"vjp by {name}: {drawn.text}"
        assert agrees(run(derivative, arrays), jacobians[name]), f"derivative by {name}: {drawn.text}"
        change = change + np.tensordot(jacobians[name], tangents[name], axes=np.ndim(arrays[name]))
    if floats:
        moved = {**arrays, **{"d" + name: tangent for name, tangent in tangents.items()}}
        assert agrees(run(formula.jvp().block, moved), change), f"jvp: {drawn.text}"
    return True


def run_seeds(first: int, number: int) -> int:
    return sum(check(Generator(seed).draw(), seed) for seed in range(first, first + number))


def test_random_formulas() -> None:
    assert run_seeds(0, 250) > 180


@pytest.mark.long
def test_many_random_formulas() -> None:
    assert run_seeds(10_000, 10_000) > 7_500
