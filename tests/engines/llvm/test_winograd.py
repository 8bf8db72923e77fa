"""Convolutions with fewer multiplications: exact as algebra, as near as plain sums in single precision, and computed as
they are written where a number is not finite.
"""

from __future__ import annotations

import random
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("llvmlite")

from tests.engines.llvm.targets import choose_target, share_from

import paperback as pb
from paperback import nn
from paperback.engines import compile_program
from paperback.engines.llvm.code import drivers
from paperback.engines.llvm.lowering import winograd
from paperback.engines.llvm.runner import Runner
from paperback.errors import EngineError

Array = np.ndarray


KINDS = [(3, 1), (5, 1), (3, 2), (5, 2)]  # side, stride


@pytest.mark.parametrize(("side", "stride"), [*KINDS, (2, 3), (3, 4)])
def test_the_algebra_is_exact(side: int, stride: int) -> None:
    check_algebra(winograd.matrices(2, side, stride), side, 2, stride)


@pytest.mark.parametrize(("side", "width"), [(3, 2), (5, 2), (3, 4), (5, 1), (2, 2)])
def test_any_points_will_do(side: int, width: int) -> None:
    points = [Fraction(p) for p in (0, 1, -1, -2, "1/2", 2, "-1/2")][: width + side - 2]
    check_algebra(winograd._one_phase(width, side, points), side, width, 1)


def check_algebra(matrices: Any, side: int, width: int, stride: int) -> None:
    results, weights, tiles = matrices
    rng, checked = random.Random(side), 0
    for _ in range(20):
        d = [Fraction(rng.randint(-99, 99), rng.randint(1, 9)) for _ in range(stride * (width - 1) + side)]
        g = [Fraction(rng.randint(-99, 99), rng.randint(1, 9)) for _ in range(side)]
        both = [dot(u, g) * dot(b, d) for u, b in zip(weights, tiles, strict=True)]
        for i, row in enumerate(results):
            assert dot(row, both) == dot(g, d[stride * i : stride * i + side])
            checked += 1
    assert checked == 20 * width


def test_how_many_products() -> None:
    """Of 2x2 results, in place of 36 and 100."""
    assert [len(winograd.matrices(2, side, stride)[1]) ** 2 for side, stride in KINDS] == [16, 36, 25, 49]


def dot(a: Any, b: Any) -> Fraction:
    return sum((x * y for x, y in zip(a, b, strict=True)), Fraction(0))


def model(side: int, channels: int = 16, filters: int = 20, size: tuple[int, int] = (12, 14), **more: Any) -> pb.Model:
    dtype = more.pop("dtype", "float32")
    layer = nn.Conv2d(filters, side, **more)
    return pb.Model(nn.Sequential(layer), (*size, channels), engine="llvm", dtype=dtype)


def minimal(run: Runner) -> bool:
    return any("(products)" in name for kernel in run._for(1).kernels for name in kernel.task.order)


def forward(m: pb.Model, x: Array, threads: int | None = None) -> Array:
    run = Runner(m.network.predict, m.dtype, threads)
    assert minimal(run)
    (name,) = m.network.predict.outputs
    return run({"input": x, **m.parameters})[name]


def plain(m: pb.Model, x: Array, dtype: str) -> Array:
    (name,) = m.network.predict.outputs
    given = {"input": x.astype(dtype), **{k: v.astype(dtype) for k, v in m.parameters.items()}}
    return compile_program(m.network.predict, dtype=dtype, engine="numpy")(given)[name]


@pytest.mark.parametrize("target", ["native", "avx2", "generic"])
@pytest.mark.parametrize("padding", [0, "half"])
@pytest.mark.parametrize(("side", "stride"), KINDS)
def test_as_near_as_plain_sums(
    side: int, stride: int, padding: Any, target: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """At most twice the error of sums in single precision, one term after the other, and 2e-6 of the largest result."""
    choose_target(monkeypatch, target)
    for channels, filters in ((16, 16), (32, 24), (40, 17)):
        edge = side // 2 if padding == "half" else 0
        size = (stride * 7 + side - 2 * edge, stride * 10 - 1 + side - 2 * edge)  # 8 x 10 results
        m = model(side, channels, filters, size, padding=edge, stride=stride)
        x = np.maximum(np.random.default_rng(side).standard_normal((5, *size, channels), np.float32), 0)
        true = plain(m, x, "float64")
        error, usual = (abs(found - true).max() for found in (forward(m, x), summed(m, x, side, edge, stride)))
        assert 0 < error < min(2 * usual, 2e-6 * abs(true).max()), (error, usual)


def summed(m: pb.Model, x: Array, side: int, edge: int, stride: int) -> Array:
    """The convolution in single precision, term by term."""
    w, b = (next(v for v in m.parameters.values() if v.ndim == rank) for rank in (4, 1))
    x = np.pad(x, ((0, 0), (edge, edge), (edge, edge), (0, 0)))
    rows, columns = x.shape[1] - side + 1, x.shape[2] - side + 1
    total = np.zeros((len(x), -(-rows // stride), -(-columns // stride), len(b)), np.float32)
    for p, q, r in np.ndindex(side, side, x.shape[3]):
        total += x[:, p : p + rows : stride, q : q + columns : stride, r, None] * w[p, q, r]
    return total + b


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf, 1e38, -3e38])
@pytest.mark.parametrize(("side", "stride"), KINDS)
def test_what_is_not_finite_goes_where_it_goes(side: int, stride: int, value: float) -> None:
    """As NumPy has it: neighbours in a tile are as they are, and other examples have the same bits as ever."""
    m = model(side, padding=side // 2, stride=stride)
    x = np.random.default_rng(1).standard_normal((4, 12, 12 if stride == 2 else 14, 16), np.float32)
    m = m if stride == 1 else model(side, size=(12, 12), padding=side // 2, stride=stride)
    before = forward(m, x)
    x[2, 5, 7, 3] = value
    found, expected = forward(m, x), plain(m, x, "float32")
    kinds = [[np.isnan(a), np.isposinf(a), np.isneginf(a)] for a in (found, expected)]
    assert all((a == b).all() for a, b in zip(*kinds, strict=True))
    finite = np.isfinite(expected)
    assert np.allclose(found[finite], expected[finite], rtol=1e-4, atol=1e-4)
    assert (~finite).any() or abs(value) < np.inf
    assert all(found[k].tobytes() == before[k].tobytes() for k in (0, 1, 3))


@pytest.mark.parametrize(("side", "stride"), KINDS)
@pytest.mark.parametrize("place", [(4, 6), (5, 7), (4, 7), (5, 6), (6, 8), (7, 9)])
def test_a_result_depends_on_its_window_alone(place: tuple[int, int], side: int, stride: int) -> None:
    """Its bits: with the points 0 and infinity, the ends of a tile of two results reach one of them only."""
    size = (12, 14) if stride == 1 else (18 + side, 22 + side)
    m, (row, column) = model(side, size=size, stride=stride), place
    x = np.random.default_rng(1).standard_normal((1, *size, 16), np.float32)
    before = forward(m, x)[0]
    x[0, row, column] = 1e12
    changed = (forward(m, x)[0] != before).any(axis=-1)
    rows, columns = (stride * np.arange(n) for n in changed.shape)
    sees = [(at <= here) & (here < at + side) for at, here in ((rows, row), (columns, column))]
    assert changed.any() and (changed == np.outer(*sees)).all()


def test_weights_that_are_not_finite() -> None:
    m = model(5)
    w = next(name for name, value in m.parameters.items() if value.ndim == 4)
    parameters = {name: value.copy() for name, value in m.parameters.items()}
    parameters[w][1, 2, 3, 4] = np.inf
    x = np.random.default_rng(1).standard_normal((3, 12, 14, 16), np.float32)
    (name,) = m.network.predict.outputs
    found = Runner(m.network.predict)({"input": x, **parameters})[name]
    expected = compile_program(m.network.predict, engine="numpy")({"input": x, **parameters})[name]
    assert (np.isinf(found) == np.isinf(expected)).all() and np.isinf(found).any() and not np.isnan(found).any()
    rest = [k for k in range(found.shape[-1]) if k != 4]
    assert np.allclose(found[..., rest], expected[..., rest], rtol=1e-4, atol=1e-5)


NOT = {
    "few channels": (model(3, 15), "float32"),
    "few filters": (model(3, 16, 15), "float32"),
    "odd rows": (model(3, size=(13, 14)), "float32"),
    "odd columns": (model(5, size=(12, 15)), "float32"),
    "double precision": (model(3, dtype="float64"), "float64"),
    "two strides": (model(3, size=(13, 13), stride=(1, 2)), "float32"),
    "stride 3": (model(3, size=(12, 12), stride=3), "float32"),
    "dilation": (model(3, dilation=2), "float32"),
    "groups": (model(3, groups=2), "float32"),
    "4x4": (model(4), "float32"),
    "5x3": (model((5, 3)), "float32"),  # type: ignore[arg-type]
    "many weights": (model(3, 128, 130), "float32"),
}


@pytest.mark.parametrize("name", NOT)
def test_where_they_are_not_used(name: str) -> None:
    m, dtype = NOT[name]
    assert not minimal(Runner(m.network.predict, dtype))


def test_they_can_be_switched_off(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """By a word in the environment, of which the name of the code in the cache takes notice."""
    monkeypatch.setenv("PAPERBACK_CACHE", str(tmp_path))
    x, seen = np.random.default_rng(2).standard_normal((2, 12, 14, 16), np.float32), []
    for word in ("on", "off", "", "off"):
        monkeypatch.setenv("PAPERBACK_WINOGRAD", word)
        m = model(3)
        seen.append(m.predict(x).tobytes())
        assert ("(products)" in str(m.explain_plan(2))) == (word != "off")
    assert seen[0] == seen[2] != seen[1] == seen[3]
    monkeypatch.setenv("PAPERBACK_WINOGRAD", "yes")
    with pytest.raises(EngineError, match=r"PAPERBACK_WINOGRAD=yes means nothing; set it to off"):
        model(3).predict(x)


@pytest.mark.parametrize("count", [1, 2, 7])
def test_training_steps(count: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """NumPy's numbers, and the same bits on any number of threads, whatever is cut."""
    monkeypatch.setattr(drivers, "_WORTH_CUT", 1)
    share_from(monkeypatch, 0)
    layers = nn.Sequential(
        nn.Conv2d(16, 3, padding=1), nn.ReLU(), nn.Conv2d(20, 3, padding="same"), nn.Tanh(),
        nn.Residual(nn.Conv2d(20, 3, padding=1)), nn.MaxPool2d(2), nn.Conv2d(18, 5, padding=2), nn.ReLU(),
        nn.Conv2d(17, 3, stride=2, padding=1), nn.Flatten(), nn.Dense(5),
    )  # fmt: skip
    m = pb.Model(layers, (24, 16, 3), engine="llvm")
    rng = np.random.default_rng(count)
    x = rng.standard_normal((count, 24, 16, 3), np.float32)
    given = {"input": x, "label": rng.integers(0, 5, count), "lr": np.float32(0.1), **m.parameters}
    program = m.program(optimizer=pb.optim.SGD())
    expected = compile_program(program, engine="numpy")(given)
    runs = [Runner(program, threads=threads) for threads in (1, 2, 3)]
    names = {name for kernel in runs[0]._for(count).kernels for name in kernel.task.order if "(products)" in name}
    assert len(names) == 4, names
    first = runs[0](given)
    for run in runs:
        for _ in range(2):
            assert all(array.tobytes() == first[name].tobytes() for name, array in run(given).items())
    for name, array in expected.items():
        assert np.allclose(first[name], array, rtol=1e-3, atol=1e-5), name


def test_predictions_see_new_parameters() -> None:
    """What is made of the weights is kept from one prediction to the next, as long as they are the same."""
    layers = nn.Sequential(nn.Conv2d(16, 3), nn.ReLU(), nn.Conv2d(16, 5), nn.Flatten(), nn.Dense(5))
    m = pb.Model(layers, (10, 12, 2), engine="llvm")
    rng = np.random.default_rng(3)
    x, y = rng.standard_normal((2, 10, 12, 2), np.float32), np.array([1, 4])
    step = m.train_step(optimizer=pb.optim.SGD(0.1))
    seen = []
    for _ in range(3):
        for _ in range(3):
            got = m.predict(x)
            assert np.allclose(got, plain(m, x, "float32"), rtol=1e-4, atol=1e-5)
            x[0, 0, 0, 0] += 1
        seen.append(got)
        step(x, y)
    assert not np.allclose(seen[0], seen[1], atol=1e-3) and not np.allclose(seen[1], seen[2], atol=1e-3)


def test_the_plan_says_so() -> None:
    text = str(model(5).explain_plan(4))
    assert "is not finite, and no others" in text and "(weights)" in text
