"""Whole training steps and predictions of random networks on the compiled engine, for three instruction sets.

Tiny networks are refereed by the exact engine, others by NumPy in float64. How far two right answers may be apart
depends on the network; NumPy measures it by the error e of its float32. The compiled engine may err 8 times e in
float32, and 8 times e shrunk by the ratio of the precisions in float64 (`random_steps.compare`).
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import pytest

pytest.importorskip("torch")
pytest.importorskip("llvmlite")

from tests.engines.llvm.random_steps import check_step, draw_step
from tests.engines.llvm.targets import choose_target
from tests.nn.cases import CASES, Case
from tests.nn.sample import Sample

from paperback import nn
from paperback.engines.llvm import runner
from paperback.engines.llvm.machine.target import NAMES
from paperback.learn import optim
from paperback.nn.losses import LOSSES

FEW_TINY, FEW = 12, 6
ONCE_WRONG = ((1005, False), (1025, True), (1096, False), (1149, False))
MANY_TINY, MANY = 200, 200


def check_seeds(seeds: Iterable[int], tiny: bool) -> int:
    """How many of these steps agreed; a failure says how one is repeated."""
    ran = 0
    for seed in seeds:
        step = draw_step(seed, tiny)
        try:
            ran += check_step(step, ("float32", "float64")[seed // len(NAMES) % 2]) > 0
        except Exception as error:
            raise AssertionError(f"{step}: {error}") from error
    return ran


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("tiny", [True, False])
def test_random_steps(name: str, tiny: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each target has seeds of its own."""
    choose_target(monkeypatch, name)
    seeds = range(NAMES.index(name), FEW_TINY if tiny else FEW, len(NAMES))
    assert check_seeds(seeds, tiny) >= len(seeds) - 1


@pytest.mark.parametrize(("seed", "tiny"), ONCE_WRONG)
def test_steps_that_were_wrong_once(seed: int, tiny: bool) -> None:
    assert check_seeds([seed], tiny) == 1


@pytest.mark.long
@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("first", range(0, MANY, 25))
@pytest.mark.parametrize("tiny", [True, False])
def test_many_random_steps(name: str, first: int, tiny: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    choose_target(monkeypatch, name)
    assert check_seeds(range(1000 + first, 1000 + first + 25), tiny) >= 20


@pytest.mark.long
def test_what_random_steps_are_made_of() -> None:
    """Every loss and optimizer, and every kind of layer that the generator knows, are in the long run."""
    steps = [draw_step(seed, tiny) for tiny in (True, False) for seed in range(1000, 1000 + MANY)]
    kinds = {info.kind for step in steps for info in step.network.layers}
    assert {f"{kind}{rank}d" for kind in ("conv", "maxpool", "avgpool") for rank in (1, 2, 3)} <= kinds
    assert {"batchnorm", "layernorm", "groupnorm", "instancenorm", "dropout", "embedding", "dense"} <= kinds
    assert {"residual", "add", "multiply", "parallel", "multiheadattention", "globalmaxpool"} <= kinds
    assert {step.loss.name for step in steps} >= set(LOSSES)
    assert {type(step.optimizer) for step in steps} == {optim.SGD, optim.RMSProp, optim.Adam, optim.AdamW}
    assert {step.optimizer.clip for step in steps} == {None, 0.5}
    assert {step.batch for step in steps} >= {1, 2, 3, 5, 7} and max(step.batch for step in steps) > 60
    assert len(steps) >= 400


def check_case(case: Case, dtype: str) -> None:
    """Output and all gradients of one layer: NumPy's, which are PyTorch's (tests/nn/test_laws)."""
    sample = Sample(case)
    truth = sample.run(sample.given, "numpy", "float64")
    found = sample.run(sample.given, "llvm", dtype)
    tolerance = 1e-12 if dtype == "float64" else 1e-4
    for name, right in truth.items():
        assert found[name].dtype == dtype and found[name].shape == right.shape, name
        np.testing.assert_allclose(found[name], right, rtol=0, atol=tolerance * max(1, np.abs(right).max(initial=0)))


WIDE = [  # many channels: what is fast for them is not used for few
    Case("conv2d-same-dilation", nn.Conv2d(3, (2, 3), padding="same", dilation=2), (4, 3, 11)),
    Case("conv2d-pad", nn.Conv2d(17, 3, padding=1), (5, 6, 9), 2),
    Case("conv2d-stride", nn.Conv2d(12, 3, 2, 1), (6, 5, 16), 2),
    Case("conv2d-groups", nn.Conv2d(20, 2, padding="same", groups=2), (3, 5, 18)),
    Case("conv1d-full", nn.Conv1d(8, 3, 2, "full"), (7, 8), 5),
    Case("conv3d-same", nn.Conv3d(9, 2, padding="same"), (2, 3, 2, 8), 2),
    Case("convtranspose2d", nn.ConvTranspose2d(8, 3, 2, 1, 1), (3, 4, 9), 2),
    Case("maxpool2d-overlap", nn.MaxPool2d(3, 2, "same"), (7, 6, 20), 2),
    Case("avgpool2d", nn.AvgPool2d(2), (4, 7, 33), 2),
    Case("dense", nn.Dense(37), (65,), 19),
    Case("layernorm", nn.LayerNorm(), (3, 35)),
    Case("attention", nn.MultiHeadAttention(2, causal=True), (19, 24), 2, "real"),
    Case("net", nn.Sequential(nn.Conv2d(18, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(9, 3, padding=1),
                              nn.BatchNorm(), nn.Flatten(), nn.Dense(11)), (6, 7, 10), 9),
]  # fmt: skip


@pytest.mark.parametrize("case", [pytest.param(case, id=case.id) for case in WIDE])
def test_wide_layers(case: Case) -> None:
    check_case(case, "float64")


MICRO_BATCHES = (0, 6)


def test_shards_of_several_micro_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runner, "_MICRO", 2)
    assert min(draw_step(seed, False).batch for seed in MICRO_BATCHES) > 20
    assert check_seeds(MICRO_BATCHES, False) == len(MICRO_BATCHES)


@pytest.mark.parametrize("case", [pytest.param(case, id=case.id) for case in CASES[::12]])
def test_layers(case: Case) -> None:
    check_case(case, "float64")


@pytest.mark.long
@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_every_layer(name: str, dtype: str, monkeypatch: pytest.MonkeyPatch) -> None:
    choose_target(monkeypatch, name)
    for case in CASES:
        try:
            check_case(case, dtype)
        except Exception as error:
            raise AssertionError(f"{case.id}: {error}") from error
    assert len(CASES) > 150
