"""Functions that a formula leaves open: derivatives call f', f'' ..., known where f is; they read back, and run."""

from __future__ import annotations

import itertools
from random import Random

import numpy as np

import paperback as pb

PRIMES = range(3)
WHERE = "where f function, g increasing"


def drawn(random: Random, depth: int = 2) -> str:
    """A sum, product or composition of f, g and their derivatives."""
    called = f"{random.choice('fg')}{chr(39) * random.choice(PRIMES)}"
    if depth == 0:
        return f"{called}(x[i])"
    left, right = drawn(random, depth - 1), drawn(random, depth - 1)
    return random.choice([f"({left} + {right})", f"{left}*{right}", f"{called}({left} - x[i])"])


def test_derivatives_read_back() -> None:
    """From text and from LaTeX, and so do the derivatives of derivatives."""
    seen = 0
    for seed in range(25):
        formula = pb.formula(f"y[i] = {drawn(Random(seed))} {WHERE}")
        first = formula.vjp("x")
        for derived in (formula, first, formula.derivative("x"), formula.jvp(), first.derivative("x")):
            assert pb.formula(str(derived)) == derived, derived
            assert pb.formula(derived.latex()) == derived, derived
            assert "' function" not in str(derived)
            seen += 1
    assert seen == 125


def test_they_are_derivatives() -> None:
    """f is sin, g is 2t + sin: the vjp against differences of the forward."""
    waves = [np.sin, np.cos, lambda t: -np.sin(t), lambda t: -np.cos(t)]
    lines = [lambda t: 2 * t, lambda t: 2 + 0 * t, lambda t: 0 * t, lambda t: 0 * t]
    given = {"f" + "'" * k: waves[k % 4] for k in range(8)}
    given |= {"g" + "'" * k: lambda t, k=k: lines[min(k, 3)](t) + waves[k % 4](t) for k in range(8)}
    x, h, compared = np.array([0.3, -1.25]), 1e-6, 0
    for seed in range(25):
        formula = pb.formula(f"y[i] = {drawn(Random(seed))} {WHERE}").with_functions(given)
        slope = (formula(x=x + h) - formula(x=x - h)) / (2 * h)
        found = formula.gradients({"x": x}, np.ones(2))["x"]
        np.testing.assert_allclose(found, slope, rtol=1e-6, atol=1e-6)
        compared += 1
    assert compared == 25


def test_a_primed_name_alone_is_declared() -> None:
    """Without f there is no derivative of f: its name is one like any other."""
    for primes, derived in itertools.product(PRIMES, (True, False)):
        formula = pb.formula(f"y[i] = h{chr(39) * primes}(x[i]) where h{chr(39) * primes} function")
        formula = formula.vjp("x") if derived else formula
        assert pb.formula(str(formula)) == formula
