"""Numbers beside arrays: an eps is a setting where no gradient is returned for it, and an argument where one is."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from paperback.diagnosis import doctor
from paperback.diagnosis.arrays import Array

X = np.random.default_rng(0).standard_normal((4, 3))


def unit(x: Array, eps: float) -> Array:
    return x / np.sqrt((x**2).sum(1, keepdims=True) + eps)


def slope(g: Array, x: Array, eps: float) -> tuple[Array, Any]:
    size = np.sqrt((x**2).sum(1, keepdims=True) + eps)
    inner = (g * x).sum(1, keepdims=True)
    return g / size - x * inner / size**3, float(-0.5 * np.sum(g * x / size**3))


@pytest.mark.parametrize(
    "backward",
    [
        lambda g, x, eps: slope(g, x, eps)[0],
        lambda g, x, eps: (slope(g, x, eps)[0], None),
        lambda g, x, eps: {"x": slope(g, x, eps)[0]},
    ],
)
@pytest.mark.parametrize("kind", ["float64", "float32"])
def test_a_number_without_a_gradient_is_a_setting(backward: Any, kind: str) -> None:
    report = doctor(unit, backward, (X.astype(kind), 0.5))
    assert report.ok and [f.pattern for f in report.findings] == ["setting"], str(report)
    assert report.findings[0].sentence == "no gradient is returned for the number eps: it is taken for a setting"


def test_one_with_a_gradient_is_judged() -> None:
    assert list(doctor(unit, slope, (X, 0.5)).arguments) == ["x", "eps"]
    report = doctor(unit, lambda g, x, eps: (slope(g, x, eps)[0], 3 * slope(g, x, eps)[1]), (X, 0.5))
    assert [f.argument for f in report.findings if f.judgement == "wrong"] == ["eps"]


def test_a_number_alone_or_an_array_without_one_is_missing_it() -> None:
    assert doctor(lambda x: x**2, lambda g, x: None, (3.0,)).pattern == "none"
    assert doctor(unit, lambda g, x, eps: (None, slope(g, x, eps)[1]), (X, 0.5)).pattern == "none"
