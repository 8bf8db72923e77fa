"""What other checkers let through, measured on jax 0.10.2 and torch 2.13.0: the doctor must not.

    a tangent of zeros, x2 or x0.5, and of the opposite sign, in float32 at 500 and 1,001 outputs, in float64 at 200,000
    a cotangent of strides 0 that is misread; one that is written into; one entry of 1,000 or 10,000 wrong by 2
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from paperback.diagnosis import doctor
from paperback.diagnosis.arrays import Array


def forward(x: Array) -> Array:
    return np.sin(x) * x


def right(g: Array, x: Array) -> Array:
    return g * (np.cos(x) * x + np.sin(x))


def numbers(count: int, dtype: str = "float64", seed: int = 0) -> Array:
    return np.random.default_rng(seed).standard_normal(count).astype(dtype)


@pytest.mark.parametrize(
    ("count", "dtype", "factor", "pattern"),
    [
        (500, "float32", 0.0, "zero"),
        (500, "float32", 2.0, "factor"),
        (500, "float32", 0.5, "factor"),
        (1_001, "float32", -1.0, "sign"),
        (30_000, "float32", 2.0, "factor"),
        (200_000, "float64", 0.0, "zero"),
        (200_000, "float64", -1.0, "sign"),
    ],
)
def test_a_wrong_size_is_seen_at_any_number_of_outputs(count: int, dtype: str, factor: float, pattern: str) -> None:
    assert doctor(forward, right, (numbers(count, dtype),), budget="quick").ok
    report = doctor(forward, lambda g, x: factor * right(g, x), (numbers(count, dtype),), budget="quick")
    assert not report.ok
    assert pattern in report.findings[0].patterns, str(report)


@pytest.mark.parametrize("count", [1_000, 10_000])
def test_one_wrong_entry_is_found_and_named(count: int) -> None:
    checked = 0
    for seed in range(2):
        place = 7 * seed + count // 3

        def wrong(g: Array, x: Array, place: int = place) -> Array:
            dx = right(g, x)
            dx[place] *= 2
            return dx

        report = doctor(forward, wrong, (numbers(count, seed=seed),), seed=seed)
        (found,) = [f for f in report.findings if f.judgement == "wrong"]
        assert found.worst is not None and found.worst.index == (place,), str(report)
        assert found.worst.returned == pytest.approx(2 * found.worst.true)
        checked += 1
    assert checked == 2


def misread(g: Array, x: Array) -> Array:
    """Reads the memory of the cotangent, whatever its strides are."""
    flat = np.lib.stride_tricks.as_strided(g, (1,), (g.itemsize,)) if 0 in g.strides else None
    return right(g, x) if flat is None else right(np.where(np.arange(x.size).reshape(x.shape) == 0, flat[0], np.nan), x)


def written(g: Array, x: Array) -> Array:
    g *= np.cos(x) * x + np.sin(x)
    return g


@pytest.mark.parametrize(("backward", "pattern"), [(misread, "stride0"), (written, "mutates-cotangent")])
def test_what_happens_to_the_upstream_gradient_is_seen(backward: Any, pattern: str) -> None:
    report = doctor(forward, backward, (numbers(30).reshape(5, 6),))
    assert report.pattern == pattern, str(report)


@pytest.mark.parametrize(
    ("part", "told"),
    [
        ((slice(None), 149), "wrong at index 149 of axis 1, and right elsewhere"),
        ((slice(30, 41), slice(2, 9)), "at indices 30 to 40 of axis 0, indices 2 to 8 of axis 1, and right elsewhere"),
    ],
)
def test_a_wrong_part_of_a_large_array_is_told(part: Any, told: str) -> None:
    def wrong(g: Array, x: Array) -> Array:
        dx = right(g, x)
        if x.shape == (211, 150):
            dx[part] *= -0.5
        return dx

    report = doctor(forward, wrong, (numbers(211 * 150).reshape(211, 150),), budget="quick")
    assert report.pattern == "branch" and told in report.findings[0].sentence, str(report)
