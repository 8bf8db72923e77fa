"""Every derivation against mechanical differentiation: dual numbers on the unsimplified tree, in exact arithmetic.

For each formula and each input: the Jacobian formula, the JVP, the VJP, the sweep that engines run (delta form), and
the second derivative; printed derivatives read back to themselves.
"""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from tests.calculus.formulas import CASES, Case, rationals
from tests.golden.exactly import agrees

import paperback as pb
from paperback import engines
from paperback.calculus import derive, exact
from paperback.notation.bind import bind_sizes

BY_ID = [pytest.param(case, id=case.id) for case in CASES]
DISTINCT = [pytest.param(case, False, id=case.id) for case in CASES]
TIED = [pytest.param(case, True, id=f"{case.id} with ties") for case in CASES if case.rational]  # intervals cannot tie


def run(block: Any, arrays: dict[str, Any], sizes: dict[str, int], target: str | None = None) -> Any:
    known = set(block.inputs) | set(block.scalars)
    given = {name: value for name, value in arrays.items() if name in known}
    return engines.run(block, given, sizes, engine="exact")[target or block.result.target]


def sizes_of(formula: pb.Formula, arrays: dict[str, Any], case: Case) -> dict[str, int]:
    shapes = {name: np.shape(arrays[name]) for name in formula.block.inputs}
    known = {n: v for n, v in case.sizes.items() if n in _size_names(formula)}
    return bind_sizes(formula.block, shapes, known)


def _size_names(formula: pb.Formula) -> set[str]:
    axes = [axis for t in formula.block.inputs.values() for axis in t.axes]
    return {name for axis in [*axes, *(a for s in formula.block.statements for a in s.axes)] for name in axis.names}


def contract(cotangent: Any, jacobian: Any) -> Any:
    """sum(o) g[o] * J[o, t]."""
    g = np.asarray(cotangent, dtype=object)
    return np.tensordot(g, np.asarray(jacobian, dtype=object), axes=g.ndim)


@pytest.mark.parametrize(("case", "ties"), [*DISTINCT, *TIED])
def test_derivatives_equal_dual_numbers(case: Case, ties: bool) -> None:
    formula = case.formula()
    arrays = case.arrays(1, ties=ties)
    sizes = sizes_of(formula, arrays, case)
    block = formula.block
    rng = np.random.default_rng(2)
    g = rationals(rng, np.shape(run(block, arrays, sizes)))
    cotangent = "d" + block.result.target
    swept = derive.backward(block.at(sizes), case.floats)
    tangents = {name: rationals(rng, np.shape(arrays[name])) for name in case.floats}
    total: Any = 0
    for name in case.floats:
        jacobian = exact.jacobian(block.statements, {**arrays, **sizes}, name)
        assert agrees(run(formula.derivative(name).block, arrays, sizes), jacobian), f"derivative by {name}"
        gradient = contract(g, jacobian)
        vjp = formula.vjp(name)
        assert agrees(run(vjp.block, {**arrays, cotangent: g}, sizes), gradient), f"vjp by {name}"
        found = run(swept.block, {**arrays, swept.cotangent: g}, {}, swept.gradients[name])
        assert agrees(found, gradient), f"sweep by {name}"
        axes = np.ndim(arrays[name])
        total = total + np.tensordot(np.asarray(jacobian, dtype=object), tangents[name], axes=axes)
    jvp = formula.jvp(*case.floats)
    given = {**arrays, **{"d" + name: t for name, t in tangents.items()}}
    assert agrees(run(jvp.block, given, sizes), total), "jvp"


@pytest.mark.parametrize("case", BY_ID)
def test_second_derivatives_equal_dual_numbers_of_the_gradient(case: Case) -> None:
    formula = case.formula()
    arrays = case.arrays(3)
    sizes = sizes_of(formula, arrays, case)
    cotangent = "d" + formula.block.result.target
    g = rationals(np.random.default_rng(4), np.shape(run(formula.block, arrays, sizes)))
    for name in case.floats[:2]:
        vjp = formula.vjp(name)
        given = {**arrays, cotangent: g}
        for other in case.floats[:2]:
            jacobian = exact.jacobian(vjp.block.statements, {**given, **sizes}, other)
            second = vjp.derivative(other)
            assert agrees(run(second.block, given, sizes), jacobian), f"second derivative by {name}, {other}"


@pytest.mark.parametrize("case", BY_ID)
def test_printed_derivatives_read_back(case: Case) -> None:
    formula = case.formula()
    derived = [formula, formula.jvp()]
    for name in case.floats:
        derived += [formula.derivative(name), formula.vjp(name)]
    for one in derived:
        assert pb.formula(str(one)) == one, str(one)


def test_all_cases_ran() -> None:
    """A suite that collects nothing is green too."""
    assert len(CASES) >= 70
    assert len({case.id for case in CASES}) == len(CASES)


def test_a_wrong_derivative_is_seen() -> None:
    formula = pb.formula("y[i] = sum(p) x[2*i+p]*w[p]", x="H")
    arrays = {"x": rationals(np.random.default_rng(0), (7,)), "w": rationals(np.random.default_rng(1), (3,))}
    jacobian = exact.jacobian(formula.block.statements, {**arrays, "H": 7, "P": 3}, "x")
    wrong = pb.formula("d[i,t] = [0 <= t-2*i < P]*w[P-1-t+2*i] where w: P, i < 3, t < 7")
    assert not agrees(run(wrong.block, arrays, {}), jacobian)
    assert agrees(Fraction(1, 2), Fraction(1, 2))


def test_roots_are_known_by_their_names() -> None:
    """1/sqrt(x) is a power of x, and of the root of x where that has a name."""
    layer = pb.formula("r = sqrt(sum(i) x[i]^2 + 1) where x: N; y[i] = x[i]/r")
    assert str(layer.vjp("x")).splitlines()[-2:] == [
        "dr = -1/r^2*sum(i) x[i]*dy[i] where dy: N", "dx[i] = 1/r*dy[i] + dr*y[i] where i < N",
    ]  # fmt: skip
    assert str(pb.formula("y[i] = 1/sqrt(x[i])").vjp("x")).startswith("dx[i] = -x[i]^(-3/2)*dy[i]/2")
    square = pb.formula("r[i] = sqrt(x[i]); y[i] = r[i] + x[i]^2*z[i]")  # x^2 is where r is not
    assert "x[i]^2*dy[i]" in str(square.vjp("z"))
