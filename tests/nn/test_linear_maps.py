"""The derivative of a layer is a linear map: JVP, VJP, dense Jacobian and second order belong together.

    <J dx, g> = <dx, J^T g>        JVP = difference quotient        J = stacked JVPs = stacked VJPs
    gradient of the gradient = difference quotient of the gradient

The layer's program is read as a formula here, so that what differentiates layers and what differentiates formulas is
the same thing tested twice.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

pytest.importorskip("torch")

from tests.nn.case import Case
from tests.nn.cases import CASES
from tests.nn.sample import SEED, Sample

from paperback import engines
from paperback.calculus import derive
from paperback.calculus.adjoint import differentiated_name
from paperback.engines.exact import block_of
from paperback.program.backward import gradients, prune

FIXED = [case for case in CASES if "random" not in case.id]
SMOOTH = [case for case in FIXED if "step" not in case.id]
IDS = [case.id for case in FIXED]


def tangents_of(sample: Sample, rng: np.random.Generator) -> dict[str, np.ndarray]:
    return {name: rng.integers(-8, 9, np.shape(sample.given[name])) / 8 for name in sample.wrt}


def jvp(sample: Sample, tangents: dict[str, np.ndarray]) -> np.ndarray:
    block = block_of(prune(replace(sample.network.train, updates={})))
    derived = derive.jvp(block, sample.wrt)
    names = {name: differentiated_name(name) for name in sample.wrt}
    given = {**sample.given, **{names[name]: value for name, value in tangents.items()}}
    known = {name: value for name, value in given.items() if name in derived.inputs}
    sizes = {"N": len(sample.given["input"])}
    result: np.ndarray = engines.run(derived, known, sizes, engine="numpy")[derived.result.target]
    return result


@pytest.mark.parametrize("case", FIXED, ids=IDS)
def test_jvp_and_vjp_are_adjoint(case: Case) -> None:
    sample = Sample(case)
    tangents = tangents_of(sample, np.random.default_rng(3))
    grads = sample.gradients(sample.given)
    forward = np.sum(jvp(sample, tangents) * sample.cotangent)
    backward = sum(np.sum(grads[name] * value) for name, value in tangents.items())
    assert abs(forward - backward) <= 1e-9 * (1 + abs(forward))


@pytest.mark.parametrize("case", FIXED, ids=IDS)
def test_jvp_is_the_difference_quotient(case: Case) -> None:
    sample, h = Sample(case), 1e-6
    tangents = tangents_of(sample, np.random.default_rng(4))

    def moved(sign: int) -> np.ndarray:
        return sample.forward({**sample.given, **{n: sample.given[n] + sign * h * v for n, v in tangents.items()}})

    np.testing.assert_allclose(jvp(sample, tangents), (moved(1) - moved(-1)) / (2 * h), rtol=2e-6, atol=2e-6)


SMALL = [case for case in FIXED if case.id in ("dense", "softmax", "sigmoid", "relu", "flatten-2", "batchnorm-1")]


@pytest.mark.parametrize("case", SMALL, ids=[case.id for case in SMALL])
def test_stacked_jvps_are_stacked_vjps(case: Case) -> None:
    sample = Sample(case)
    size, shape = sample.given["input"].size, sample.given["input"].shape
    zeros = {name: np.zeros(np.shape(sample.given[name])) for name in sample.wrt}
    columns = [jvp(sample, {**zeros, "input": np.eye(size)[k].reshape(shape)}).ravel() for k in range(size)]
    rows = []
    for k in range(sample.cotangent.size):
        sample.cotangent = np.eye(sample.cotangent.size)[k].reshape(sample.cotangent.shape)
        rows.append(sample.gradients(sample.given)["input"].ravel())
    assert len(rows) > 1
    np.testing.assert_allclose(np.stack(columns, axis=1), np.stack(rows), rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("case", SMOOTH, ids=[case.id for case in SMOOTH])
def test_gradient_of_the_gradient(case: Case) -> None:
    """d/dtheta <v, dx(theta)> against the difference quotient of dx, for the gradient by the input (or a parameter)."""
    sample, h = Sample(case), 1e-6
    by = sample.wrt[0]
    first = replace(sample.program, outputs=(sample.held[by],))
    wrt = [name for name in sample.wrt if name in first.tensors]
    program, held = gradients(first, sample.held[by], wrt, cotangent="second")
    program = prune(replace(program, outputs=tuple(dict.fromkeys(held.values()))))
    rng = np.random.default_rng(5)
    v = rng.integers(-8, 9, sample.given[by].shape) / 8
    given: dict[str, Any] = {**sample.given, SEED: sample.cotangent, "second": v}
    needed = {tensor.name for tensor in program.inputs}
    found = engines.compile_program(program, "float64", "numpy")({k: x for k, x in given.items() if k in needed})
    directions = {name: rng.integers(-8, 9, np.shape(sample.given[name])) / 8 for name in wrt}

    def product(sign: int) -> float:
        moved = {**sample.given, **{n: sample.given[n] + sign * h * d for n, d in directions.items()}}
        return float(np.sum(sample.gradients(moved)[by] * v))

    difference = (product(1) - product(-1)) / (2 * h)
    exact = sum(float(np.sum(found[held[name]] * d)) for name, d in directions.items())
    assert abs(difference - exact) <= 5e-6 * (1 + abs(difference))
