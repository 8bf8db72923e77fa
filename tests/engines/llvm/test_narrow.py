"""Few channels: tiles whose lanes run over columns and channels together, sums that follow maxima along both.

Every number of channels from 1 to 20, odd sizes, both precisions, for three instruction sets, against PyTorch in
float64. Inputs and weights are short binary fractions: sums are exact in float64, and nearly so in float32.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import pytest

pytest.importorskip("torch")
pytest.importorskip("llvmlite")

from tests.engines.llvm.targets import choose_target
from tests.nn.cases import Case
from tests.nn.sample import SEED, Sample

import paperback as pb
from paperback import nn
from paperback.engines.llvm.code.kernels import Kernel, Tiled
from paperback.engines.llvm.machine.target import NAMES, chosen
from paperback.engines.llvm.runner import Runner

TOLERANCE = {"float32": 1e-6, "float64": 1e-15}  # of the largest entry
MOST = 20


def narrow(channels: int) -> Iterable[Case]:
    other = MOST + 1 - channels
    last = [nn.MaxPool2d(2)] if channels % 4 > 1 else []  # what follows maxima, and what is in tiles
    image = nn.Sequential(
        nn.Conv2d(channels, (4, 5)), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(other, (2, 3)), nn.ReLU(), *last,
        nn.Flatten(), nn.Dense(channels),
    )  # fmt: skip
    signal = nn.Sequential(nn.Conv1d(channels, 4), nn.MaxPool1d(3), nn.Conv1d(other, 3), nn.ReLU())
    yield Case(f"image of {channels}", image, (13, 14, 2), 3)
    if channels % 3 == 1:
        yield Case(f"signal of {channels}", signal, (22, 1), 5)
    if channels in (6, 17):
        kinds = {"stride": {"stride": 2}, "padding": {"padding": 1}, "dilation": {"dilation": 2}}
        for name, settings in kinds.items():
            layers = nn.Sequential(nn.Conv2d(channels, 2), nn.MaxPool2d(2), nn.Conv2d(other, (3, 2), **settings))
            yield Case(f"{name} of {channels}", layers, (13, 12, 1), 2)


def check(case: Case, dtype: str) -> tuple[int, tuple[Kernel, ...]]:
    """How many numbers are PyTorch's, and the kernels that computed them."""
    sample = Sample(case)
    given = {**sample.given, SEED: sample.cotangent}
    runner = Runner(sample.program, dtype, 1)
    found = runner({tensor.name: given[tensor.name] for tensor in sample.program.inputs})
    truth = sample.pytorch()
    assert found.keys() == truth.keys()
    for name, right in truth.items():
        off = np.abs(found[name] - right).max() / max(1, np.abs(right).max())
        assert off <= TOLERANCE[dtype], f"{case.id}, {name}, {dtype}: off by {off:.2g}"
    return sum(right.size for right in truth.values()), runner._for(case.batch).kernels


def check_narrow(channels: Iterable[int], dtypes: tuple[str, ...]) -> tuple[int, int, int]:
    """How many numbers were right, how many tiles joined letters, how many sums of several letters followed maxima."""
    numbers = joined = followed = 0
    for number in channels:
        for case in narrow(number):
            for dtype in dtypes:
                right, kernels = check(case, dtype)
                numbers += right
                for kernel in kernels:
                    ways = list(zip(kernel.ways, kernel.task.nests, strict=True))
                    joined += sum(isinstance(way, Tiled) and bool(way.contraction.joined) for way, _ in ways)
                    own = [nest.route or nest.sort for _, nest in ways]
                    followed += sum(one is not None and len(one.lanes) > 1 for one in own)
    return numbers, joined, followed


@pytest.mark.parametrize(("dtype", "first"), [("float32", 1), ("float64", 2)])
def test_every_number_of_channels(dtype: str, first: int) -> None:
    numbers, joined, followed = check_narrow(range(first, MOST + 1, 2), (dtype,))
    assert numbers > 20_000 and joined >= 8 and followed >= 5, (numbers, joined, followed)


def test_between_guards(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing outside a tensor is read or written, and nothing before it is written."""
    monkeypatch.setenv("PAPERBACK_DEBUG", "memory")
    _, joined, followed = check_narrow((3, 6, 10), ("float32",))
    assert joined >= 3 and followed >= 3, (joined, followed)


@pytest.mark.long
@pytest.mark.parametrize("name", NAMES)
def test_every_target(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    choose_target(monkeypatch, name)
    numbers, joined, followed = check_narrow(range(1, MOST + 1), ("float32", "float64"))
    assert numbers > 100_000 and joined >= 16 and followed >= 20, (numbers, joined, followed)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_lanes_are_filled(dtype: str) -> None:
    """LeNet-5's second layer: all of a kernel's columns and channels in the lanes, in both gradients."""
    layers = nn.Sequential(nn.Conv2d(6, 5), nn.MaxPool2d(2), nn.Conv2d(16, 5), nn.MaxPool2d(2))
    _, kernels = check(Case("lenet", layers, (28, 28, 1), 2), dtype)
    found = []
    for way, nest in (pair for k in kernels for pair in zip(k.ways, k.task.nests, strict=True)):
        sizes = {b.letter: b.extent.value for b in nest.statement.binders}
        follows = nest.route or nest.sort
        lanes = way.contraction.lanes if isinstance(way, Tiled) else follows.lanes if follows else ()
        found.append([sizes[letter] for letter in lanes])
    assert found.count([5, 6]) == 2, found


def test_the_plan_says_why() -> None:
    layers = nn.Sequential(nn.Conv2d(6, 5), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(16, 5), nn.Flatten(), nn.Dense(3))
    plan = pb.Model(layers, (28, 28, 1), engine="llvm").explain_plan(4)
    lanes = chosen().lanes("float32")
    together, apart = -(-30 // lanes), 5 * -(-6 // lanes)
    why = f"q,c side by side in the lanes: {together} vectors in place of the {apart} that c alone would take"
    assert [row.targets for row in plan.rows if any(why in step.how for step in row.steps)] == [("maxpool2d_1.dy",)]
