"""One example on several threads: kernels cut along an axis give the bits of whole ones, whatever the cut."""

from __future__ import annotations

import re
from collections.abc import Iterator

import numpy as np
import pytest

pytest.importorskip("llvmlite")

from tests.engines.llvm.random_steps import draw_step
from tests.engines.llvm.targets import share_from

import paperback as pb
from paperback import nn
from paperback.engines import compile_program
from paperback.engines.llvm import room
from paperback.engines.llvm.code import cut, drivers, module
from paperback.engines.llvm.code.kernels import Followed, Looped, Sorted, Tiled
from paperback.engines.llvm.lowering import arrange, halves, layout
from paperback.engines.llvm.runner import Runner
from paperback.program.program import Program

Array = np.ndarray


@pytest.fixture(autouse=True)
def _everything_is_cut(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(drivers, "_WORTH_CUT", 1)
    monkeypatch.setattr(room, "_SHARDS", 1)
    share_from(monkeypatch, 0)


def both(program: Program, arrays: dict[str, Array], dtype: str, patch: pytest.MonkeyPatch) -> tuple[Runner, int]:
    """Whole and cut, on one thread and on three: the same bits. How many results there were."""
    with patch.context() as whole:
        share_from(whole, float("inf"))
        expected = Runner(program, dtype, 1)(arrays)
    for threads in (1, 3):
        run = Runner(program, dtype, threads)
        for _ in range(2):
            got = run(arrays)
            assert got.keys() == expected.keys()
            for name, array in got.items():
                assert array.tobytes() == expected[name].tobytes(), name
    return run, len(expected)


@pytest.mark.parametrize("seeds", [range(3, 5), pytest.param(range(5, 20), marks=pytest.mark.long)])
def test_random_steps(seeds: range, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(halves, "_LEAST_ENTRIES", 1)
    cuts: list[tuple[type, bool, bool]] = []
    results = 0
    for seed in seeds:
        step = draw_step(seed, tiny=seed % 3 == 0)
        dtype = "float64" if seed % 2 else "float32"
        for program in (step.train, step.network.predict):
            run, count = both(program, step.needed(program), dtype, monkeypatch)
            results += count
            for kernel in run._for(len(step.needed(program)["input"])).kernels:
                if kernel.cut is not None:
                    form = kernel.task.nests[-1].statement.left[kernel.cut.axis]
                    cuts.append((type(kernel.ways[-1]), form.bare is None, kernel.cut.grain > 1))
    assert results > 6 * len(seeds) and len(cuts) > 6 * len(seeds)
    assert {kind for kind, *_ in cuts} >= {Tiled, Looped}


def net(channels: int) -> pb.Model:
    layers = nn.Sequential(
        nn.Conv2d(channels, 3), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(40, 3), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(),
        nn.Dense(150), nn.ReLU(), nn.Dense(10),
    )  # fmt: skip
    return pb.Model(layers, (24, 24, 3), engine="llvm")


def inputs(model: pb.Model, count: int) -> dict[str, Array]:
    rng = np.random.default_rng(count)
    x = rng.standard_normal((count, 24, 24, 3), np.float32)
    return {"input": x, "label": rng.integers(0, 10, count), "lr": np.float32(0.1), **model.parameters}  # type: ignore[dict-item]


@pytest.mark.parametrize("channels", [20, 32])
@pytest.mark.parametrize("count", [1, 2, 5])
def test_every_way_to_compute(count: int, channels: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Tiles cut by rows and by whole tiles of lanes, scatters by blocks, sums that follow maxima, loops."""
    model = net(channels)
    run, _ = both(model.program(optimizer=pb.optim.SGD()), inputs(model, count), "float32", monkeypatch)
    found = [k for k in run._for(count).kernels if k.cut is not None]
    assert {type(k.ways[-1]) for k in found} >= {Tiled, Followed, Looped}
    assert any(k.cut and k.cut.grain > 1 for k in found), "dense layers are cut along their lanes"
    grains = [k.cut.grain for k in found if k.cut and isinstance(k.ways[-1], Sorted)]
    assert grains == ([16] if channels == 32 else []), "and scatters by blocks of lanes"


@pytest.mark.parametrize("count", [1, 3, 20])
def test_weights_that_no_cache_holds(count: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """They are read in blocks of rows: by all threads the same, and what NumPy computes."""
    monkeypatch.setattr(arrange, "NO_CACHE", 64)
    monkeypatch.setattr(layout, "_WIDE", 64)
    layers = nn.Sequential(nn.Dense(64), nn.Tanh(), nn.Dense(100), nn.ReLU(), nn.Dense(35), nn.Sigmoid(), nn.Dense(7))
    rng, blocks = np.random.default_rng(count), 0
    model = pb.Model(layers, (96,), engine="llvm")
    x = rng.standard_normal((count, 96), np.float32)
    given = {"input": x, "label": rng.integers(0, 7, count), "lr": np.float32(0.1), **model.parameters}
    for program in (model.program(optimizer=pb.optim.SGD()), model.network.predict):
        run, _ = both(program, given, "float32", monkeypatch)
        nests = [nest for kernel in run._for(count).kernels for nest in kernel.task.nests]
        blocks += sum(nest.add and len(nest.statement.binders) == 3 for nest in nests)
        expected = compile_program(program, engine="numpy")(given)
        for name, array in run(given).items():
            assert np.allclose(array, expected[name], rtol=2e-4, atol=2e-6), name
    assert blocks >= 4


@pytest.mark.parametrize("count", [1, 4])
def test_what_is_joined(count: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each branch writes a part of the axis, along its lanes."""
    layers = nn.Sequential(nn.Parallel(nn.Dense(20), nn.Dense(6)), nn.Tanh(), nn.Dense(3))
    rng, model = np.random.default_rng(count), pb.Model(layers, (4,), engine="llvm")
    x = rng.standard_normal((count, 4), np.float32)
    given = {"input": x, "label": rng.integers(0, 3, count), "lr": np.float32(0.1), **model.parameters}
    program = model.program(optimizer=pb.optim.SGD())
    run, _ = both(program, given, "float32", monkeypatch)
    expected = compile_program(program, engine="numpy")(given)
    assert all(np.allclose(array, expected[name], rtol=1e-4, atol=1e-6) for name, array in run(given).items())


@pytest.mark.parametrize("count", [1, 3])
@pytest.mark.parametrize(("channels", "kernel", "groups"), [(64, 3, 2), (64, 3, 4), (24, (3, 1), 1)])
def test_parts_of_channels(
    channels: int, kernel: int | tuple[int, int], groups: int, count: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Lanes beside a loop over groups, blocks of lanes in each group, lanes that do not fill their vectors."""
    layers = nn.Sequential(
        nn.Conv2d(channels, 3), nn.MaxPool2d(2), nn.Conv2d(32, kernel, groups=groups), nn.MaxPool2d(2), nn.ReLU(),
        nn.Flatten(), nn.Dense(3),
    )  # fmt: skip
    rng, model = np.random.default_rng(count), pb.Model(layers, (14, 15, 1), engine="llvm")
    x = rng.standard_normal((count, 14, 15, 1), np.float32)
    given = {"input": x, "label": rng.integers(0, 3, count), "lr": np.float32(0.1), **model.parameters}
    program = model.program(optimizer=pb.optim.SGD())
    run, _ = both(program, given, "float32", monkeypatch)
    expected = compile_program(program, engine="numpy")(given)
    assert all(np.allclose(array, expected[name], rtol=1e-4, atol=1e-5) for name, array in run(given).items())


MISTAKES = {
    "parts overlap": (drivers, "_part", r"(%from\d+ = mul i64) %first.part\d+, 1\b", r"\1 0, 1"),
    "a part is lost": (drivers, "_part", r"@llvm.smin.i64\(i64 %end(\d+)", r"@llvm.smin.i64(i64 %from\1"),
}


@pytest.fixture(params=MISTAKES)
def mistake(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    where, name, right, wrong = MISTAKES[request.param]
    original = getattr(where, name)
    seen: list[bool] = []

    def mutant(*arguments: object) -> str:
        text: str = original(*arguments)
        text, found = re.subn(right, wrong, text)
        seen.append(found > 0)
        return text

    monkeypatch.setattr(where, name, mutant)
    yield request.param
    assert any(seen)


@pytest.mark.usefixtures("ordinary_memory")
def test_the_check_can_fail(mistake: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """In two micro-batches: what the first stores may be stored twice, what the second adds may not be added so."""
    model = net(20)
    with pytest.raises(AssertionError):
        both(model.program(optimizer=pb.optim.SGD()), inputs(model, 20), "float32", monkeypatch)


def test_an_axis_of_rows_in_registers_is_not_cut(monkeypatch: pytest.MonkeyPatch) -> None:
    """Rows of two letters are counted in full; a letter's tiles can be cut where all of them are whole."""
    monkeypatch.setattr(module, "find_cuts", lambda *arguments: seen.append(cut.find_cuts(*arguments)) or seen[-1])
    seen: list[list[cut.Cut]] = []
    rows: list[int] = []
    for size in (6, 12, 14):
        layers = nn.Sequential(nn.Conv2d(16, 5), nn.ReLU(), nn.Flatten(), nn.Dense(3))
        model = pb.Model(layers, (size, size, 1), engine="llvm")
        for kernel in Runner(model.program(optimizer=pb.optim.SGD()))._for(1).kernels:
            for nest, way in zip(kernel.task.nests, kernel.ways, strict=True):
                if isinstance(way, Tiled) and kernel.cut is not None:
                    letters = nest.statement.left[kernel.cut.axis].letters
                    if set(letters) & set(way.contraction.rows):
                        assert len(way.contraction.rows) == 1 and kernel.cut.grain % way.tile.rows == 0
                        assert kernel.cut.extent % way.tile.rows == 0
                        rows.append(size)
    assert [] in seen and any(seen) and 6 not in rows
