"""At kinks any value between the slopes of both sides is right, NaN and others are not; infinite slopes are no case."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from paperback.diagnosis import doctor
from paperback.diagnosis.arrays import Array

X = np.array([[-1.0, 0.0, 2.0], [3.0, 0.0, 0.5]])
TIED = np.array([[1.0, 1.0, 0.0], [2.0, 3.0, 3.0]])
Map = Callable[..., Array]


def relu_with(slope: float) -> tuple[Map, Map]:
    return lambda x: np.maximum(x, 0), lambda g, x: g * np.where(x == 0, slope, x > 0)


def largest_with(factor: float) -> tuple[Map, Map]:
    return lambda x: x.max(1), lambda g, x: factor * g[:, None] * (x == x.max(1, keepdims=True))


def length(x: Array) -> Array:
    return np.sqrt((x**2).sum(1))


RIGHT = [
    *((*relu_with(slope), X) for slope in (0.0, 0.3, 1.0)),
    *((*largest_with(1.0), x) for x in (X, TIED)),
    (np.abs, lambda g, x: g * np.sign(x), X),
    (np.sqrt, lambda g, x: g * 0.5 / np.sqrt(x), np.array([0.0, 1.0, 2.0])),  # the slope at 0 is infinite
    (np.floor, lambda g, x: 0 * g, np.array([1.0, 2.5, 3.0])),  # a jump has none
    (length, lambda g, x: g[:, None] * x / np.maximum(length(x), 1e-30)[:, None], np.array([[0.0, 0, 0], [1, 2, 3]])),
]


@pytest.mark.parametrize(("forward", "backward", "x"), RIGHT)
def test_what_lies_between_the_slopes_is_right(forward: Map, backward: Map, x: Array) -> None:
    for seed in range(3):
        report = doctor(forward, backward, (x,), seed=seed)
        assert report.ok, str(report)


@pytest.mark.parametrize(
    ("forward", "backward", "x"),
    [
        *((*relu_with(slope), X) for slope in (-0.1, 1.1, np.nan, np.inf)),
        (lambda x: np.where(x > 0, x, 0.1 * x), lambda g, x: g * np.where(x > 0, 1, 0.1 * (x < 0)), X),
        (length, lambda g, x: g[:, None] * x / length(x)[:, None], np.array([[0.0, 0, 0], [1, 2, 3]])),
    ],
)
def test_what_lies_beyond_is_wrong_there_alone(forward: Map, backward: Map, x: Array) -> None:
    for seed in range(3):
        report = doctor(forward, backward, (x,), seed=seed)
        assert [f.pattern for f in report.findings] == ["wrong-at-kink", "kink"], str(report)
        assert report.findings[0].worst is not None and x[report.findings[0].worst.index] == 0
        assert 0.4 < report.score < 0.7


def test_the_sentence() -> None:
    report = doctor(*relu_with(-1.0), (X,))
    assert report.findings[0].sentence == (
        "at x[0,1], a kink or a tie, the gradient of x is 0.8494, where the slopes of both sides give -0.8494 to 0"
    )
    assert report.findings[1].sentence == (
        "2 of 6 entries of x are at a kink or a tie, x[0,1] for one: any value between the slopes of both sides is "
        "right there"
    )
