"""Every layer of the catalogue as source text, over a batch: values, gradients and JVPs equal the engine's.

One configuration of each layer runs in NumPy, some in the others; all configurations, with random ones, everywhere in
the long suite (JAX compiles every operation for every shape, which takes its time).
"""

from __future__ import annotations

import zlib
from typing import Any

import numpy as np
import pytest

pytest.importorskip("torch")

from tests.engines.emit.running import Arrays, call, load, needs
from tests.nn.case import Case
from tests.nn.cases import CASES

import paperback as pb
from paperback.engines.emit import TARGETS
from paperback.formulas import Formula
from paperback.nn.instance import instantiate
from paperback.nn.layers.layer import Layer
from paperback.notation.size import evaluate


def is_one_layer(layer: Layer) -> bool:
    """Nets and layers with branches are several formulas."""
    return not isinstance(layer, pb.nn.Sequential) and not layer.branches


LAYERS = [case for case in CASES if is_one_layer(case.layer)]
ONE_OF_EACH = list({type(case.layer): case for case in LAYERS}.values())


def made(case: Case) -> tuple[Formula, Arrays]:
    """The layer's formula at the sizes of the case, and arrays for it."""
    rng = np.random.default_rng(zlib.crc32(case.id.encode()))
    instance = instantiate(case.layer, {"x": case.shape})
    formula = Formula(instance.training, case.layer.conventions)
    arrays: dict[str, Any] = {}
    for name, tensor in formula.block.inputs.items():
        shape = tuple(evaluate(axis, {"N": case.batch}) for axis in tensor.axes)
        if tensor.integer:
            arrays[name] = rng.integers(0, min(spec.shape[0] for spec in instance.parameters.values()), shape)
        elif name in case.layer.masks:
            arrays[name] = (rng.random(shape) < 0.5).astype(float)
        else:
            arrays[name] = rng.permutation(np.arange(1, 1 + np.prod(shape, dtype=int))).reshape(shape) / 64 - 0.3
    arrays |= {name: float(value) for name, value in case.layer.constants.items() if name in formula.block.scalars}
    return formula, arrays


def check(case: Case, target: str) -> int:
    needs(target)
    formula, arrays = made(case)
    floats = [name for name, tensor in formula.block.inputs.items() if not tensor.integer]
    rng = np.random.default_rng(1)
    every = {"N": case.batch} if "N" in formula.block.size_names else {}
    right = formula(**arrays)
    pairs = [(*call(target, load(formula.source(target), "forward"), arrays), right)]
    if floats:
        cotangent = rng.standard_normal(right.shape)
        dy = f"d{formula.block.result.target}"
        found = call(target, load(formula.source(target, "vjp"), "vjp"), {**arrays, **every, dy: cotangent})
        pairs += zip(found, formula.gradients({**arrays}, cotangent).values(), strict=True)
        tangents = {f"d{name}": rng.standard_normal(np.shape(arrays[name])) for name in floats}
        moved = call(target, load(formula.source(target, "jvp"), "jvp"), {**arrays, **every, **tangents})
        jvp = formula.jvp()
        known = {*jvp.block.inputs, *jvp.block.scalars}
        pairs.append((*moved, jvp(**{n: v for n, v in {**arrays, **tangents}.items() if n in known})))
    for got, want in pairs:
        assert got.shape == np.shape(want)
        np.testing.assert_allclose(got, want, rtol=1e-8, atol=1e-9)
    return len(pairs)


FEW = {"numpy": ONE_OF_EACH, "torch": ONE_OF_EACH[::2], "jax": ONE_OF_EACH[3::16]}
RUNS = [pytest.param(case, target, id=f"{case.id}-{target}") for target, cases in FEW.items() for case in cases]


@pytest.mark.parametrize(("case", "target"), RUNS)
def test_layers(case: Case, target: str) -> None:
    assert check(case, target) >= 1


@pytest.mark.long
@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize("case", LAYERS, ids=[case.id for case in LAYERS])
def test_all_configurations(case: Case, target: str) -> None:
    assert check(case, target) >= 1


def test_the_catalogue_is_covered() -> None:
    assert len(ONE_OF_EACH) >= 35 and len(LAYERS) >= 200
