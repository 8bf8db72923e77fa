"""Dense layers that no cache holds: the order of memory changes no bit of a result, and few rows none of its value."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("llvmlite")

from tests.engines.llvm.targets import choose_target

import paperback as pb
from paperback import nn
from paperback.engines import compile_program
from paperback.engines.aligned import LINE
from paperback.engines.llvm.code import drivers, order, tile
from paperback.engines.llvm.code.kernels import Tiled
from paperback.engines.llvm.lowering import arrange, layout
from paperback.engines.llvm.machine.target import NAMES
from paperback.engines.llvm.runner import Runner

Array = np.ndarray
NOTES = ("rows first", "asked for", "fewer than")


def step(count: int) -> tuple[pb.Model, dict[str, Array]]:
    model = pb.Model(nn.Sequential(nn.Dense(150), nn.Tanh(), nn.Dense(203), nn.ReLU(), nn.Dense(7)), (96,))
    rng = np.random.default_rng(count)
    x = rng.standard_normal((count, 96), np.float32)
    return model, {"input": x, "label": rng.integers(0, 7, count), "lr": np.float32(0.1), **model.parameters}


def results(model: pb.Model, given: dict[str, Array], run: Runner | None = None) -> tuple[dict[str, Array], str]:
    """What a step returns, and all notes of its tiles."""
    run = run or Runner(model.program(optimizer=pb.optim.SGD()), "float32", 2)
    found = {name: array.copy() for name, array in run(given).items()}
    ways = [way for kernel in run._for(len(given["input"])).kernels for way in kernel.ways]
    return found, "; ".join(note for way in ways if isinstance(way, Tiled) for note in way.notes)


def everything_is_large(patch: pytest.MonkeyPatch) -> None:
    patch.setenv("PAPERBACK_CACHE", "off")
    for module in (arrange, order, drivers):
        patch.setattr(module, "NO_CACHE", 64)
    patch.setattr(layout, "_WIDE", 64)
    patch.setattr(order, "SECOND_CACHE", 64)
    for module in (order, drivers):
        patch.setattr(module, "_PAGE", 256)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("memory", ["", "memory"])
def test_results_are_those_of_numpy(name: str, memory: str, monkeypatch: pytest.MonkeyPatch) -> None:
    choose_target(monkeypatch, name)
    monkeypatch.setenv("PAPERBACK_DEBUG", memory)
    everything_is_large(monkeypatch)
    compared = 0
    run = Runner(step(1)[0].program(optimizer=pb.optim.SGD()), "float32", 2)
    for count in (1, 3, 4, 21):
        model, given = step(count)
        found, notes = results(model, given, run)
        assert all(note in notes for note in NOTES)
        expected = compile_program(model.program(optimizer=pb.optim.SGD()), engine="numpy")(given)
        for key, array in found.items():
            assert np.allclose(array, expected[key], rtol=2e-4, atol=2e-6), (count, key)
            compared += 1
    assert compared >= 4 * 7


@pytest.mark.parametrize("count", [1, 4, 13])
def test_the_order_of_memory_changes_no_bit(count: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Rows first or columns first, asked for ahead or not: every entry is the same sum."""
    everything_is_large(monkeypatch)
    monkeypatch.setattr(tile, "FEW_ROWS", 0)
    monkeypatch.setattr(tile, "_LOW_ACROSS", 1000)
    model, given = step(count)
    ordered, notes = results(model, given)
    assert "rows first" in notes and "asked for" in notes
    monkeypatch.setattr(order, "_PAGE", 1 << 40)
    plain, notes = results(model, given)
    assert notes == ""
    assert all(array.tobytes() == ordered[name].tobytes() for name, array in plain.items()) and len(plain) >= 7


def test_the_check_can_fail(monkeypatch: pytest.MonkeyPatch) -> None:
    """Few turns at a time, always the first ones."""
    everything_is_large(monkeypatch)
    model, given = step(1)
    right, _ = results(model, given)
    original = tile._Tiles._columns

    def first(self: tile._Tiles, *arguments: object) -> None:
        self.part = None if self.part is None else 0
        original(self, *arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(tile._Tiles, "_columns", first)
    wrong, _ = results(model, given)
    assert not np.allclose(wrong["dense_1.w"], right["dense_1.w"], rtol=2e-4, atol=2e-6)


def test_results_begin_on_a_cache_line() -> None:
    model, given = step(3)
    run = Runner(model.program(optimizer=pb.optim.SGD()))
    held = [run(given) for _ in range(3)]
    addresses = [array.ctypes.data for out in held for array in out.values()]
    assert len(set(addresses)) == len(addresses) >= 21
    assert all(address % LINE == 0 for address in addresses)
