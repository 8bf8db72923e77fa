"""Dense layers whose sums are in two halves, each with rows of the weights of its own, and shares that begin by
storing: the numbers are NumPy's, and the bits do not depend on threads.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

pytest.importorskip("llvmlite")

from tests.engines.llvm.targets import share_from

import paperback as pb
from paperback import nn
from paperback.engines import compile_program
from paperback.engines.llvm import room, runner
from paperback.engines.llvm.code import drivers
from paperback.engines.llvm.lowering import halves
from paperback.engines.llvm.runner import Runner

Array = np.ndarray


def dense(rows: int, columns: int, dtype: str = "float32") -> pb.Model:
    layers = nn.Sequential(nn.Dense(columns), nn.ReLU(), nn.Dense(5))
    return pb.Model(layers, (rows,), engine="llvm", dtype=dtype)


def given(model: pb.Model, count: int) -> dict[str, Any]:
    rng = np.random.default_rng(count)
    x = rng.standard_normal((count, *model.input_shape)).astype(model.dtype)
    return {"input": x, "label": rng.integers(0, 5, count), "lr": model.dtype.type(0.1), **model.parameters}


def parts(run: Runner, count: int) -> list[str]:
    """What is computed in halves."""
    return [t for k in run._for(count).kernels for t in k.task.order if t.endswith("(part)")]


def check(model: pb.Model, count: int) -> Runner:
    program, arrays = model.program(optimizer=pb.optim.SGD()), given(model, count)
    expected = compile_program(program, dtype=model.dtype.name, engine="numpy")(arrays)
    run = Runner(program, model.dtype)
    first = run(arrays)
    tolerance = 2e-4 if model.dtype == np.float32 else 1e-11
    for name, array in expected.items():
        assert np.allclose(first[name], array, rtol=tolerance, atol=tolerance / 100), name
    for threads in (1, 2, 3):
        again = Runner(program, model.dtype, threads)
        for _ in range(2):
            got = again(arrays)
            assert all(got[name].tobytes() == first[name].tobytes() for name in expected)
    return run


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("count", [1, 2, 3, 40])
def test_numbers_and_bits(count: int, dtype: str, monkeypatch: pytest.MonkeyPatch) -> None:
    share_from(monkeypatch, 0)
    for columns in (64, 70):
        run = check(dense(300, columns, dtype), count)
        assert parts(run, count) == ["dense_1.y (part)"]
        (kernel,) = [k for k in run._for(count).kernels if "dense_1.y (part)" in k.task.order]
        assert kernel.cut is not None and (kernel.cut.axis, kernel.cut.extent) == (1, 2)


@pytest.mark.parametrize(
    ("rows", "columns", "found"),
    [(256, 64, 1), (254, 64, 0), (1024, 256, 1), (1024, 258, 0), (301, 64, 0)],
    ids=["least", "too few", "most", "too many", "odd"],
)
def test_which_layers(rows: int, columns: int, found: int) -> None:
    model = dense(rows, columns)
    assert (halves._LEAST_ENTRIES, halves._MOST_ENTRIES) == (256 * 64, 1024 * 256)
    assert len(parts(Runner(model.program(optimizer=pb.optim.SGD())), 1)) == found
    assert not parts(Runner(model.network.predict), 1), "weights that stay as they are are anybody's"


def test_what_is_no_dense_layer() -> None:
    """A row for every place: the halves would be as large as the result many times over."""
    layers = nn.Sequential(nn.Conv2d(64, 1), nn.ReLU(), nn.Conv2d(8, 3), nn.Flatten(), nn.Dense(3))
    model = pb.Model(layers, (5, 5, 256), engine="llvm")
    assert not parts(Runner(model.program(optimizer=pb.optim.SGD())), 1)


@pytest.mark.parametrize("shards", [1, 8])
def test_shares_begin_with_what_is_stored(shards: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Not with what the step before left there; and later examples are added."""
    monkeypatch.setattr(room, "_SHARDS", shards)
    monkeypatch.setattr(room, "_LEAST_WORK", 1)
    share_from(monkeypatch, 0)
    layers = nn.Sequential(
        nn.Conv2d(16, 3), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(20, 3, padding=1), nn.Tanh(), nn.Conv2d(18, 3),
        nn.Flatten(), nn.Dense(6), nn.ReLU(), nn.Dense(5),
    )  # fmt: skip
    model = pb.Model(layers, (13, 14, 2), engine="llvm", dtype="float64")
    for count in (1, 3, 40):
        kernels = check(model, count)._for(count).kernels
        stored = {t for k in kernels for t in k.task.order if k.task.mode == "share"}
        filled = {t for k in kernels for t in k.task.order if k.task.mode == "zero"}
        assert len(stored) > 6 and "conv2d_1.dw (shares) (gathered)" in stored - filled, (stored, filled)


def test_small_steps_are_left_to_one_thread() -> None:
    """Where not enough of a step is cut, cores would fetch from each other more than they save."""
    few = dense(784, 128)
    small = pb.Model(nn.Sequential(nn.Conv2d(6, 5), nn.ReLU(), nn.Flatten(), nn.Dense(5)), (20, 20, 1), engine="llvm")
    found = []
    for model in (few, small):
        run = Runner(model.program(optimizer=pb.optim.SGD()), threads=2)
        found.append([run._for(n)._is_shared(n) for n in (1, 200)])
        assert run._for(1)._is_shared(200), "shards are"
        predict = Runner(model.network.predict, threads=2)
        assert predict._for(1)._is_shared(1), "weights that stay are in both caches"
    assert found == [[True, True], [False, True]]
    assert 0 < runner._MOSTLY < 1 < drivers._WORTH_CUT
