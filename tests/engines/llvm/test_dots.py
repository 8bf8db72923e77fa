"""Dot products in tiles: the sums of NumPy, for any sizes; an entry's bits do not depend on its tile or on a cut."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

pytest.importorskip("llvmlite")

from tests.engines.llvm.targets import choose_target, share_from

import paperback as pb
from paperback import engines, nn
from paperback.engines import compile_program
from paperback.engines.llvm import room
from paperback.engines.llvm.code import dots, drivers, module
from paperback.engines.llvm.code.kernels import Dotted
from paperback.engines.llvm.lowering import arrange
from paperback.engines.llvm.machine.target import NAMES
from paperback.engines.llvm.runner import Runner

Array = np.ndarray
FORMULAS = (
    "y[r,c] = sum(k) a[r,k]*b[c,k]",
    "y[r,c] = relu(sum(k) a[r,k]*b[c,k] + d[c]) - d[c]",
    "y[c,r] = 2*sum(k) b[c,k]*a[r,k]",
    "y[g,r,c] = sum(k) u[g,r,k]*v[g,c,k]",
    "y[r] = sum(k) a[r,k]*e[k]",
    "y[r,c] = sum(m,k) s[m,r,k]*t[c,m,k]",
)
SIZES = ((1, 1, 32), (2, 9, 33), (7, 4, 47), (13, 3, 64), (5, 17, 129), (3, 37, 64), (2, 16, 160))


@pytest.fixture(autouse=True)
def written(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """What is written as dot products; in code that is made anew."""
    seen: list[Any] = []
    monkeypatch.setenv("PAPERBACK_CACHE", "off")
    monkeypatch.setattr(arrange, "_LONG", 1)
    monkeypatch.setattr(module, "emit_dots", lambda *given: seen.append(dots.emit_dots(*given)) or seen[-1])
    return seen


def arrays(sizes: tuple[int, int, int], dtype: str) -> dict[str, Array]:
    r, c, k = sizes
    rng = np.random.default_rng(sizes)
    shapes = {"a": (r, k), "b": (c, k), "d": (c,), "u": (2, r, k), "v": (2, c, k), "e": (k,), "s": (3, r, k),
              "t": (c, 3, k)}  # fmt: skip
    return {name: rng.standard_normal(shape).astype(dtype) for name, shape in shapes.items()}


def check(text: str, sizes: tuple[int, int, int], dtype: str) -> None:
    """As near to the sum in float64 as rounding every product and every addition leaves it."""
    block = pb.formula(text).block
    given = {name: array for name, array in arrays(sizes, dtype).items() if name in block.inputs}
    found = engines.run(block, given, {}, "llvm")[block.result.target]
    wide = {name: array.astype(float) for name, array in given.items()}
    true = engines.run(block, wide, {}, "numpy")[block.result.target]
    size = engines.run(block, {name: abs(array) for name, array in wide.items()}, {}, "numpy")[block.result.target]
    bound = (3 * sizes[2] + 8) * np.finfo(dtype).eps * (abs(size) + 8)
    assert found.shape == true.shape and (abs(found - true) <= bound).all(), (text, sizes)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("memory", ["", "memory"])
def test_any_sizes(name: str, memory: str, written: list[Any], monkeypatch: pytest.MonkeyPatch) -> None:
    choose_target(monkeypatch, name)
    monkeypatch.setenv("PAPERBACK_DEBUG", memory)
    for text in FORMULAS:
        for k, sizes in enumerate(SIZES):
            check(text, sizes, ("float32", "float64")[k % 2])
    assert len(written) >= len(FORMULAS) * len(SIZES) - 6 and all(isinstance(way, Dotted) for way in written)
    assert len({(way.tile.rows, way.tile.vectors) for way in written}) > 4


def test_a_part_has_the_bits_of_the_whole(written: list[Any]) -> None:
    block = pb.formula(FORMULAS[0]).block
    given = arrays((13, 11, 75), "float32")
    whole = engines.run(block, {n: given[n] for n in "ab"}, {}, "llvm")["y"]
    for rows, columns in ((1, 11), (2, 5), (9, 1), (13, 4)):
        part = engines.run(block, {"a": given["a"][:rows].copy(), "b": given["b"][:columns].copy()}, {}, "llvm")["y"]
        assert part.tobytes() == whole[:rows, :columns].tobytes()
    assert len(written) == 5


@pytest.mark.parametrize("count", [1, 3, 20])
def test_the_gradient_of_a_dense_input(count: int, written: list[Any], monkeypatch: pytest.MonkeyPatch) -> None:
    """No copy of the weights is turned round; cut among threads the bits stay."""
    monkeypatch.setattr(drivers, "_WORTH_CUT", 1)
    monkeypatch.setattr(room, "_SHARDS", 1)
    layers = nn.Sequential(nn.Dense(70), nn.Tanh(), nn.Dense(90), nn.Sigmoid(), nn.Dense(35))
    model = pb.Model(layers, (40,), engine="llvm")
    rng = np.random.default_rng(count)
    x = rng.standard_normal((count, 40), np.float32)
    given = {"input": x, "label": rng.integers(0, 35, count), "lr": np.float32(0.1), **model.parameters}
    program = model.program(optimizer=pb.optim.SGD())
    expected = compile_program(program, engine="numpy")(given)
    results: list[dict[str, Array]] = []
    for threads, worth in ((1, float("inf")), (1, 0), (3, 0)):
        share_from(monkeypatch, worth)
        run = Runner(program, "float32", threads)
        results.append({name: array.copy() for name, array in run(given).items()})
    ways = [way for kernel in run._for(count).kernels for way in kernel.ways]
    assert sum(isinstance(way, Dotted) for way in ways) == 2
    assert not any("axis" in kernel.task.target for kernel in run._for(count).kernels)
    for one in results:
        for name, array in one.items():
            assert array.tobytes() == results[0][name].tobytes()
            assert np.allclose(array, expected[name], rtol=2e-4, atol=2e-6), name


MISTAKES = {
    "what does not fill a vector is lost": ("loops", lambda original: lambda self, binders, state, step, body, inner: (
        original(self, binders, state, step, body, inner) if inner[3] == self.width else state)),
    "half of the lanes": ("fold", lambda original: lambda self, value, combine: original(
        self, self._part(value, 0, max(1, value.lanes // 2)), combine)),
    "columns in another order": ("folded", lambda original: lambda self, values, combine: original(
        self, values[::-1], combine)),
}  # fmt: skip


@pytest.fixture(params=MISTAKES)
def mistake(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    name, make = MISTAKES[request.param]
    monkeypatch.setattr(module.Reducer, name, make(getattr(module.Reducer, name)))
    yield request.param


def test_the_check_can_fail(mistake: str, written: list[Any]) -> None:
    with pytest.raises(AssertionError):
        for sizes in SIZES[2], SIZES[5]:
            check(FORMULAS[0], sizes, "float32")
    assert written
