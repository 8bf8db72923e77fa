"""Laws of the doctor: no false alarms over many seeds, no traces left, tolerances, hypotheses, mutants of itself."""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from paperback.diagnosis import PATTERNS, doctor, entries, hypotheses
from paperback.diagnosis.arrays import Array
from paperback.diagnosis.hypotheses.change import axis_changes, place_changes, reduced_changes
from paperback.diagnosis.slopes import Slopes
from paperback.diagnosis.subject import make_subject
from paperback.diagnosis.tolerance import allowed_along, allowed_entries


def softmax(x: Array) -> Array:
    e = np.exp(x - x.max(-1, keepdims=True))
    return e / e.sum(-1, keepdims=True)


def softmax_backward(g: Array, x: Array) -> Array:
    y = softmax(x)
    return y * (g - (g * y).sum(-1, keepdims=True))


def norm(x: Array) -> Array:
    return (x - x.mean(-1, keepdims=True)) / np.sqrt(x.var(-1, keepdims=True) + 1e-5)


def norm_backward(g: Array, x: Array) -> Array:
    r = 1 / np.sqrt(x.var(-1, keepdims=True) + 1e-5)
    z = norm(x)
    return r * (g - g.mean(-1, keepdims=True) - z * (g * z).mean(-1, keepdims=True))


ELEMENTWISE: dict[str, tuple[Callable[..., Array], Callable[..., Array]]] = {
    "relu": (lambda x: np.maximum(x, 0), lambda g, x: g * (x > 0)),
    "tanh": (np.tanh, lambda g, x: g * (1 - np.tanh(x) ** 2)),
    "abs": (np.abs, lambda g, x: g * np.sign(x)),
    "square": (np.square, lambda g, x: 2 * g * x),
    "softplus": (lambda x: np.logaddexp(x, 0), lambda g, x: g / (1 + np.exp(-x))),
    "softmax": (softmax, softmax_backward),
    "norm": (norm, norm_backward),
    "cumulative": (lambda x: np.cumsum(x, -1), lambda g, x: np.flip(np.cumsum(np.flip(g, -1), -1), -1)),
    "largest": (lambda x: x.max(-1), lambda g, x: g[..., None] * (x == x.max(-1, keepdims=True))),
}


@settings(max_examples=40, deadline=None, derandomize=True)
@given(
    name=st.sampled_from(sorted(ELEMENTWISE)),
    shape=st.tuples(st.integers(1, 4), st.integers(2, 6)),
    seed=st.integers(0, 10_000),
    scale=st.sampled_from([1e-3, 1.0, 30.0]),
    dtype=st.sampled_from(["float64", "float32"]),
)
def test_right_gradients_are_right(name: str, shape: tuple[int, int], seed: int, scale: float, dtype: str) -> None:
    x = (scale * np.random.default_rng(seed).standard_normal(shape)).astype(dtype)
    report = doctor(*ELEMENTWISE[name], (x,), seed=seed)
    assert report.ok, f"{x!r}\n{report}"


@settings(max_examples=20, deadline=None, derandomize=True)
@given(
    name=st.sampled_from(["tanh", "square", "softmax", "norm"]),
    seed=st.integers(0, 10_000),
    factor=st.floats(1.001, 9),
)
def test_any_factor_is_found_and_fitted(name: str, seed: int, factor: float) -> None:
    forward, backward = ELEMENTWISE[name]
    x = np.random.default_rng(seed).standard_normal((3, 5))
    report = doctor(forward, lambda g, x: factor * backward(g, x), (x,), seed=seed)
    first = report.findings[0]
    assert {"factor", "missing-mean"} & set(first.patterns), str(report)
    assert first.worst is not None and first.worst.returned == pytest.approx(factor * first.worst.true)
    assert first.before is not None and first.after is not None and first.after < 1e-6 < first.before


def test_nothing_is_left_behind() -> None:
    x = np.random.default_rng(0).standard_normal((3, 4))
    kept, states = x.copy(), (random.getstate(), np.random.get_state())  # noqa: NPY002
    x.flags.writeable = False

    def dropout(x: Array) -> Array:
        return x * (np.random.random(x.shape) < 0.5)  # noqa: NPY002

    report = doctor(dropout, lambda g, x: dropout(g), (x,))
    assert report.ok, str(report)
    after = np.random.get_state()  # noqa: NPY002
    assert random.getstate() == states[0] and all(np.array_equal(a, b) for a, b in zip(after, states[1], strict=True))
    assert np.array_equal(x, kept)


def test_the_schema_of_the_report() -> None:
    x = np.random.default_rng(0).standard_normal((3, 4))
    said = json.loads(doctor(np.sin, lambda g, x: np.where(x > 0, np.nan, g), (x,)).json())
    assert set(said) == {
        "version", "subject", "ok", "judged", "score", "grade", "findings", "arguments", "power", "calls",
    }  # fmt: skip
    assert said["findings"][0]["pattern"] == "nan" and said["findings"][0]["worst"]["returned"] == "nan"
    assert set(said["findings"][0]) == {
        "pattern", "also", "judgement", "argument", "sentence", "fix", "before", "after", "worst", "detail",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("backward", "pattern", "sentence"),
    [
        (lambda g, x: None, "none", "None is returned for x"),
        (lambda g, x: (g, g), "wrong-count", "backward returns 2 gradients, needs 1: x"),
        (lambda g, x: "no", "wrong-type", "a str is returned for x, no array"),
        (lambda g, x: 1 / 0, "raises", "backward raises ZeroDivisionError: division by zero"),
        (lambda g, x: g[0], "wrong-shape", "the gradient of x has shape (4,), x has (3, 4)"),
        (lambda g, x: 1j * g, "wrong-type", "the gradient of x is complex128"),
    ],
)
def test_a_broken_contract_is_a_sentence(backward: Any, pattern: str, sentence: str) -> None:
    report = doctor(np.sin, backward, (np.random.default_rng(0).standard_normal((3, 4)),))
    assert not report.ok and report.findings[0].pattern == pattern
    assert report.findings[0].sentence == sentence


@pytest.mark.parametrize(
    ("forward", "args", "pattern"),
    [
        (lambda x: x * np.random.default_rng().random(), (np.ones(3),), "forward-random"),
        (lambda x: x[7], (np.ones(3),), "forward-raises"),
        (np.log, (-np.ones(3),), "forward-nan"),
        (lambda n: n + 1, (3,), "nothing-to-judge"),
        (lambda x: x, (np.zeros((0, 3)),), "empty"),
        (lambda x: x[:0], (np.ones(3),), "empty"),
    ],
)
def test_what_is_not_the_fault_of_a_backward_is_named(forward: Any, args: Any, pattern: str) -> None:
    report = doctor(forward, lambda g, x: g, args)
    assert pattern in [finding.pattern for finding in report.findings], str(report)
    assert not any(finding.judgement == "wrong" for finding in report.findings)


def test_every_slug_that_is_said_is_in_the_table() -> None:
    for shape in ((3, 4), (5,), (2, 3, 4)):
        slugs = [c.slug for c in axis_changes(shape)] + [slug for slug, _, _ in place_changes(shape)]
        assert set(slugs) <= set(PATTERNS)
    assert len(PATTERNS) > 50


@pytest.mark.parametrize("shape", [(3,), (2, 3), (4, 4), (2, 3, 4)])
def test_changes_are_linear_and_keep_the_shape(shape: tuple[int, ...]) -> None:
    a, b = np.random.default_rng(0).standard_normal((2, 3, *shape))
    seen = 0
    for change in (*axis_changes(shape), *reduced_changes(shape)):
        both = change.apply(a + 2 * b)
        assert both.shape == a.shape
        assert np.allclose(both, change.apply(a) + 2 * change.apply(b))
        seen += 1
    assert seen > 5


def test_slopes_agree_with_the_derivative_and_see_kinks() -> None:
    x = np.array([0.3, -0.2, 0.0, 1e-6, 2.0])
    for forward, true in ((np.sin, np.cos(x)), (np.exp, np.exp(x)), (lambda x: np.maximum(x, 0), (x > 0) * 1.0)):
        slopes = Slopes(make_subject(forward, None, (x,)), [x])
        for i in range(len(x)):
            unit = np.eye(len(x))[i]
            slope = slopes.along(0, unit)
            expected = true * unit
            fine = ~slope.kinked
            assert np.all(np.abs(slope.value - expected)[fine] <= 1e-15 + slope.error[fine])
            assert slope.kinked.any() == (forward not in (np.sin, np.exp) and i == 2)


def test_tolerances_do_not_grow_with_the_size_of_an_array() -> None:
    """More outputs that an entry does not touch, and more entries, allow it nothing more."""
    small = allowed_entries(np.eye(3), 1e-12 * np.eye(3), np.ones(3), np.zeros(3), 1.0, 2.2e-16)
    large = allowed_entries(np.eye(3_000), 1e-12 * np.eye(3_000), np.ones(3_000), np.zeros(3_000), 1.0, 2.2e-16)
    assert large[0] == small[0]
    one = allowed_along(np.full(10, 1e-12), np.ones(10), np.ones(10), 0.0, 1.0, 2.2e-16)
    many = allowed_along(np.full(1_000, 1e-12), np.ones(1_000), np.ones(1_000), 0.0, 1.0, 2.2e-16)
    assert many < 11 * one  # as the root of the number of terms, as their sum does too


def test_a_doctor_without_its_tolerance_or_its_truth_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    """Mutants of the doctor: these tests would see a checker that allows anything, nothing, or explains nothing."""
    x = np.random.default_rng(0).standard_normal((3, 4))
    right, wrong = ELEMENTWISE["tanh"], (np.tanh, lambda g, x: 1.01 * ELEMENTWISE["tanh"][1](g, x))
    with monkeypatch.context() as patch:
        patch.setattr(entries, "allowed_entries", lambda J, *rest: np.full(J.shape[1], np.inf))
        assert doctor(*wrong, (x,)).ok
    with monkeypatch.context() as patch:
        patch.setattr(entries, "allowed_entries", lambda J, *rest: np.zeros(J.shape[1]))
        assert not doctor(*right, (x,)).ok
    with monkeypatch.context() as patch:
        nothing = hypotheses.search.Explanation("unexplained", "", 9.0, 1.0, False)
        patch.setattr(entries, "explain", lambda evidence: [nothing])
        assert doctor(*wrong, (x,)).pattern == "unexplained"
    assert doctor(*right, (x,)).ok and doctor(*wrong, (x,)).pattern == "factor"
