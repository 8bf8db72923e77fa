"""Second derivatives: of a scalar the Hessian matrix, of a vector one for each component; two inputs; source text."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import paperback as pb
from paperback.errors import FormulaError

CASES = {
    "a quadratic form": ("y = sum(i,j) x[i]*A[i,j]*x[j]", {"x": (3,), "A": (3, 3)}),
    "a logsumexp": ("l = logsumexp(k) z[k]", {"z": (4,)}),
    "a softmax": ("S[i] = exp(z[i] - logsumexp(k) z[k])", {"z": (3,)}),
    "logistic loss": ("J = sum(n) softplus(-t[n]*(sum(i) x[n,i]*w[i]))/N where x: N I, t: N",
                      {"w": (3,), "x": (4, 3), "t": (4,)}),
    "a small network": ("h[j] = tanh(sum(i) x[i]*w[i,j]); y = sum(j) h[j]^2*v[j]", {"w": (2, 3), "x": (2,), "v": (3,)}),
    "a layer that is linear": ("y[o] = sum(i) x[i]*w[i,o]", {"x": (3,), "w": (3, 2)}),
}  # fmt: skip


def arrays(shapes: dict[str, tuple[int, ...]]) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(0)
    return {name: rng.standard_normal(shape) for name, shape in shapes.items()}


def differences(formula: pb.Formula, given: dict[str, np.ndarray], wrt: str, wrt2: str) -> np.ndarray:
    """The second derivative by differences of the formula's own values, from nothing but values."""
    h = 1e-3
    shape = formula(**given).shape
    found = np.empty((*shape, *given[wrt].shape, *given[wrt2].shape))
    for a in np.ndindex(given[wrt].shape):
        for b in np.ndindex(given[wrt2].shape):
            total = np.zeros(shape)
            for s in (1, -1):
                for t in (1, -1):
                    moved = {name: array.copy() for name, array in given.items()}
                    moved[wrt][a] += s * h
                    moved[wrt2][b] += t * h
                    total += s * t * formula(**moved)
            found[(..., *a, *b)] = total / (4 * h * h)
    return found


@pytest.mark.parametrize("name", CASES)
def test_second_derivatives_are_differences_of_values(name: str) -> None:
    text, shapes = CASES[name]
    formula, given = pb.formula(text), arrays(shapes)
    first, second = next(iter(shapes)), list(shapes)[-1]
    pairs = {(first, first), (first, second), (second, first)}
    for wrt, wrt2 in pairs:
        hessian = formula.hessian(wrt, wrt2)
        found = hessian(**{n: given[n] for n in hessian.block.inputs})
        np.testing.assert_allclose(found, differences(formula, given, wrt, wrt2), atol=1e-5)
        space: dict[str, Any] = {}
        exec(compile(hessian.source(name="hessian"), name, "exec"), space)
        emitted = space["hessian"](*(given[n] for n in hessian.block.inputs))
        np.testing.assert_allclose(emitted, found, atol=1e-12)
    assert len(pairs) >= 1


def test_a_hessian_prints_without_copies() -> None:
    hessian = pb.formula("S[i] = exp(z[i] - logsumexp(k) z[k])").hessian("z")
    assert str(hessian).splitlines()[-1] == (
        "ddS_dz_dz[i,t,u] = ([t == i] - S[t])*dS_dz[i,u] - S[i]*dS_dz[t,u] where i < I, t < I, u < I"
    )
    assert pb.formula(str(hessian)) == hessian


def test_a_hessian_by_a_stranger() -> None:
    with pytest.raises(FormulaError, match="z is no tensor of this formula"):
        pb.formula("y = sum(i) x[i]^2").hessian("x", "z")
