"""Input gradients behind a max-pooling: channels are sorted by where their maximum is, and the zeros are skipped.

Against PyTorch in float64, for windows, kernels, paddings and numbers of channels of all kinds. Inputs and weights are
short binary fractions: sums are exact in float64, and nearly so in float32.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest

pytest.importorskip("torch")
pytest.importorskip("llvmlite")

from tests.engines.llvm.targets import choose_target
from tests.engines.llvm.test_narrow import TOLERANCE, check
from tests.nn.cases import Case
from tests.nn.sample import SEED, Sample

import paperback as pb
from paperback import nn
from paperback.engines.llvm.code import sorted as emission
from paperback.engines.llvm.code.kernels import Kernel, Sorted
from paperback.engines.llvm.machine.target import NAMES
from paperback.engines.llvm.runner import Runner


def behind(conv: nn.Layer, pool: nn.Layer, shape: tuple[int, ...], batch: int = 3, first: int = 8) -> Case:
    """Two layers of convolution: the second's input gradient is what is meant."""
    kind, before = (nn.Conv1d, nn.MaxPool1d) if len(shape) == 2 else (nn.Conv3d, nn.MaxPool3d)
    if len(shape) == 3:
        kind, before = nn.Conv2d, nn.MaxPool2d
    layers = nn.Sequential(kind(first, 2), nn.ReLU(), before(2), conv, pool)
    return Case(f"{conv} {pool} {shape} {first}", layers, shape, batch)


def scatters() -> Iterator[Case]:
    for channels, first in ((8, 16), (16, 32), (5, 48), (24, 6), (40, 3), (70, 8)):
        yield behind(nn.Conv2d(channels, 3), nn.MaxPool2d(2), (16, 17, 2), first=first)
        yield behind(nn.Conv2d(channels, (2, 3), padding=1), nn.MaxPool2d(2), (13, 14, 1), first=first)
    yield behind(nn.Conv2d(9, 5), nn.MaxPool2d(3), (25, 24, 1), first=17)
    yield behind(nn.Conv2d(16, 5, padding="same"), nn.MaxPool2d((3, 2)), (17, 20, 1), first=32)
    yield behind(nn.Conv2d(16, 3, dilation=2), nn.MaxPool2d(2), (20, 19, 1))
    yield behind(nn.Conv2d(16, 3, groups=2), nn.MaxPool2d(2), (16, 16, 1), first=16)
    yield behind(nn.Conv2d(12, (1, 3)), nn.MaxPool2d((1, 4)), (8, 40, 1))
    yield behind(nn.Conv1d(16, 5), nn.MaxPool1d(4), (90, 1), first=16)
    yield behind(nn.Conv1d(20, 3, padding=1), nn.MaxPool1d(3), (91, 2), 5, first=24)
    yield behind(nn.Conv3d(8, 2), nn.MaxPool3d(2), (13, 14, 13, 1), 2)


def ways(kernels: tuple[Kernel, ...]) -> int:
    return sum(isinstance(way, Sorted) for kernel in kernels for way in kernel.ways)


def check_all(dtype: str, cases: list[Case]) -> tuple[int, int]:
    """How many numbers were right, and in how many networks a scatter was sorted."""
    numbers = found = 0
    for case in cases:
        right, kernels = check(case, dtype)
        numbers += right
        found += ways(kernels) > 0
    return numbers, found


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_against_pytorch(dtype: str) -> None:
    cases = list(scatters())[:: 1 if dtype == "float32" else 3]
    numbers, found = check_all(dtype, cases)
    assert numbers > 20_000 and found >= len(cases) * 4 // 5, (numbers, found, len(cases))


@pytest.mark.long
@pytest.mark.parametrize("name", NAMES)
def test_every_target(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    choose_target(monkeypatch, name)
    for dtype in ("float32", "float64"):
        numbers, found = check_all(dtype, list(scatters()))
        assert numbers > 50_000 and found >= 16, (numbers, found)


def test_between_guards(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing outside a tensor is read or written."""
    monkeypatch.setenv("PAPERBACK_DEBUG", "memory")
    _, found = check_all("float32", list(scatters())[::4])
    assert found >= 4


def test_more_windows_than_the_stack_holds(monkeypatch: pytest.MonkeyPatch) -> None:
    """They are sorted some at a time: by rows, or one by one."""
    for room in (6000, 1000, 1):
        monkeypatch.setattr(emission, "_STACK", room)
        _, found = check_all("float64", [*scatters()][1:3])
        assert found == 2


def test_nothing_is_left_of_what_is_off() -> None:
    """Channels that a ReLU turns off everywhere, and windows in which all are: neither adds anything."""
    layers = nn.Sequential(nn.Conv2d(8, 2), nn.MaxPool2d(2), nn.Conv2d(16, 3), nn.ReLU(), nn.MaxPool2d(2))
    sample = Sample(Case("off", layers, (14, 14, 1), 3))
    bias = next(name for name in sample.given if name.endswith("conv2d_2.b"))
    for off in (slice(0, 5), slice(None)):
        sample.given[bias] = sample.given[bias].copy()
        sample.given[bias][off] = -1000
        runner = Runner(sample.program, "float64", 1)
        given = {**sample.given, SEED: sample.cotangent}
        found = runner({tensor.name: given[tensor.name] for tensor in sample.program.inputs})
        assert ways(runner._for(3).kernels) == 1
        for name, right in sample.pytorch().items():
            assert np.abs(found[name] - right).max() <= TOLERANCE["float64"] * max(1, np.abs(right).max()), name
        assert bool(found[sample.held["input"]].any()) == (off != slice(None))


def test_a_number_that_is_no_number_goes_where_it_belongs() -> None:
    """NaN in one example's cotangent: in what its maximum reaches, and nowhere else; as NumPy's engine has it."""
    layers = nn.Sequential(nn.Conv2d(4, 2), nn.MaxPool2d(2), nn.Conv2d(16, 3), nn.MaxPool2d(2))
    sample = Sample(Case("not a number", layers, (14, 14, 1), 3))
    sample.cotangent = sample.cotangent.copy()
    sample.cotangent[1, 0, 0, 3] = np.nan
    found, expected = (sample.run(sample.given, engine)[sample.held["input"]] for engine in ("llvm", "numpy"))
    assert 0 < np.isnan(found).sum() <= np.isnan(expected).sum()
    assert not (np.isnan(found) & ~np.isnan(expected)).any() and not np.isnan(found[[0, 2]]).any()
    finite = ~np.isnan(expected)
    np.testing.assert_allclose(found[finite], expected[finite], atol=1e-12)


def test_one_example_is_cut_into_blocks_of_lanes(monkeypatch: pytest.MonkeyPatch) -> None:
    layers = nn.Sequential(nn.Conv2d(64, 2), nn.MaxPool2d(2), nn.Conv2d(40, 3), nn.MaxPool2d(2))
    _, kernels = check(Case("blocks", layers, (20, 20, 1), 1), "float64")
    cuts = [kernel.cut for kernel in kernels if any(isinstance(way, Sorted) for way in kernel.ways)]
    assert [(cut.extent, cut.grain) for cut in cuts if cut is not None] == [(64, 16)]


@pytest.mark.parametrize("rule", [pb.optim.SGD(momentum=0.9), pb.optim.Adam()], ids=str)
def test_shares_are_added_and_turned_where_weights_are_updated(rule: pb.optim.Optimizer) -> None:
    """Whole squares and what is left of them, for one shard and for several: what NumPy's engine computes."""
    layers = nn.Sequential(
        nn.Conv2d(20, 3), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(37, 3), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(),
        nn.Dense(5),
    )  # fmt: skip
    rng, squares, compared = np.random.default_rng(5), 0, 0
    for count in (1, 40):
        x, labels = rng.standard_normal((count, 18, 17, 1)), rng.integers(0, 5, count)
        steps = {}
        for engine in ("llvm", "numpy"):
            model = pb.Model(layers, (18, 17, 1), engine=engine, dtype="float64", seed=3)
            step = model.train_step(optimizer=rule)
            for _ in range(3):
                step(x, labels)
            steps[engine] = model.parameters
            if engine == "llvm":
                plan = model.explain_plan(count, optimizer=rule)
                updates = [row for row in plan.rows if row.targets[-1].endswith("w (new)")]
                squares += sum("turned in registers" in s.how for row in updates for s in row.steps)
        for name, array in steps["numpy"].items():
            np.testing.assert_allclose(steps["llvm"][name], array, rtol=1e-9, atol=1e-11, err_msg=name)
            compared += array.size
    assert compared > 10_000 and squares >= 2


def test_the_plan_says_so() -> None:
    layers = nn.Sequential(
        nn.Conv2d(32, 3), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(16, 3), nn.MaxPool2d(2), nn.Flatten(), nn.Dense(3)
    )  # fmt: skip
    plan = pb.Model(layers, (20, 20, 1), engine="llvm").explain_plan(4)
    row = next(row for row in plan.rows if "maxpool2d_1.dy" in row.targets)
    assert "the k of a place are added there together" in row.steps[-1].how
    assert row.flops == 4 * (7 // 2) ** 2 * 16 * 9 * 32 * 2  # a quarter of what the scatter of all places has
    assert not any("axis 2 last" in target for r in plan.rows for target in r.targets), "an unread copy is not made"
