"""Random configurations of every layer against PyTorch: the forward and all gradients, in both precisions.

How far two right answers may be apart depends on the configuration (a variance of nearly 0 enlarges every rounding
error), and PyTorch measures it: let e be the error of its float32 against its float64, at least some roundings of the
largest number, or of 1. Ours in float32 may err SLACK times e, and ours in float64 SLACK times e shrunk by the ratio of
the two precisions, which is about 2e-9. A failure prints the call that repeats it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from tests.nn.case import Case  # noqa: E402
from tests.nn.random_cases import KINDS, draw  # noqa: E402
from tests.nn.random_losses import NAMES, draw_loss  # noqa: E402
from tests.nn.sample import Sample  # noqa: E402
from tests.nn.test_losses import scores  # noqa: E402

from paperback import nn  # noqa: E402
from paperback.engines import compile_program  # noqa: E402
from paperback.nn.losses import LOSSES, attach  # noqa: E402
from paperback.program.backward import gradients, prune  # noqa: E402

Found = Mapping[str, Any]

ROUNDINGS = 8
SLACK = 16
EPS = {"float32": float(np.finfo(np.float32).eps), "float64": float(np.finfo(np.float64).eps)}


def compare(found: Found, truth: Found, rounded: Found, dtype: str) -> None:
    for name, right in truth.items():
        assert found[name].dtype == dtype and found[name].shape == right.shape, name
        error = np.abs(rounded[name] - right).max(initial=0.0)
        least = ROUNDINGS * EPS["float32"] * np.abs(right).max(initial=1.0)
        allowed = SLACK * max(error, least) * EPS[dtype] / EPS["float32"]
        off = np.abs(found[name] - right).max(initial=0.0)
        assert off <= allowed, f"{name}, {dtype}: off by {off:.3g}, allowed {allowed:.3g}"


def check(kind: str, seed: int, engine: str = "numpy") -> None:
    check_case(draw(kind, seed), engine)


def check_case(case: Case, engine: str = "numpy") -> None:
    sample = Sample(case)
    truth, rounded = sample.pytorch(), sample.pytorch("float32")
    for dtype in EPS:
        compare(sample.run(sample.given, engine, dtype), truth, rounded, dtype)


def check_loss(name: str, seed: int, engine: str = "numpy") -> None:
    case = draw_loss(name, seed)
    program = attach(scores(*case.z.shape[1:]), "z", case.loss, case.reduction, case.kind, case.weight is not None)
    seeded = {"seed": np.ones(len(case.z))} if case.reduction == "none" else {}
    program, held = gradients(program, "loss", ["z"], **({"cotangent": "seed"} if seeded else {}))
    program = prune(replace(program, outputs=("loss", held["z"])))
    given = {"z": case.z, "label": case.y, **({} if case.weight is None else {"weight": case.weight}), **seeded}
    truth, rounded = case.pytorch("float64"), case.pytorch("float32")
    for dtype in EPS:
        found = compile_program(program, dtype, engine)(given)
        compare({"loss": np.asarray(found["loss"]), "z": found[held["z"]]}, truth, rounded, dtype)


def described(kind: str, seed: int, engine: str) -> str:
    if kind in KINDS:
        case = draw(kind, seed)
        return f'check("{kind}", {seed}, "{engine}"): {case.layer} on {case.shape}'
    loss = draw_loss(kind, seed)
    settings = f"{loss.loss.name}, {loss.kind} labels, {loss.reduction}, z {loss.z.shape}"
    return f'check_loss("{kind}", {seed}, "{engine}"): {settings}'


def run(kind: str, seeds: range, engine: str = "numpy") -> None:
    """All these configurations of one kind; a failure says how that one is repeated."""
    for seed in seeds:
        try:
            (check if kind in KINDS else check_loss)(kind, seed, engine)
        except Exception as error:
            call = described(kind, seed, engine)
            raise AssertionError(f"repeat with tests.nn.test_random_layers.{call}: {error}") from error


EVERY = (*KINDS, *NAMES)
FEW, MANY = 3, 30


def test_every_layer_and_loss_has_random_configurations() -> None:
    assert {*KINDS} == {*nn.layers.__all__} - {"Layer"}
    assert {*LOSSES} < {*NAMES}
    assert len(EVERY) * FEW >= 150 and len(EVERY) * MANY >= 1000


@pytest.mark.parametrize("kind", EVERY)
def test_random_configurations(kind: str) -> None:
    run(kind, range(FEW))


@pytest.mark.long
@pytest.mark.parametrize("engine", ["numpy", "llvm"])
@pytest.mark.parametrize("kind", EVERY)
def test_many_random_configurations(kind: str, engine: str) -> None:
    if engine == "llvm":
        pytest.importorskip("llvmlite")
    run(kind, range(MANY), engine)
