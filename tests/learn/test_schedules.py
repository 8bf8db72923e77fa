"""Schedules: their values are those of PyTorch's schedulers, step by step."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from paperback.learn.schedules import (
    SCHEDULES,
    Constant,
    Cosine,
    OneCycle,
    Schedule,
    Step,
    Warmup,
    find_schedule,
)

STEPS = 40

CASES: list[tuple[Schedule, Callable[[Any, Any], Any]]] = [
    (Constant(), lambda lrs, o: lrs.ConstantLR(o, factor=1.0)),
    (Step(), lambda lrs, o: lrs.MultiStepLR(o, [20, 30])),
    (Step(at=(0.1, 0.3, 0.7), factor=0.5), lambda lrs, o: lrs.MultiStepLR(o, [4, 12, 28], gamma=0.5)),
    (Step(at=tuple(n / 5 for n in range(1, 5)), factor=0.3), lambda lrs, o: lrs.StepLR(o, 8, gamma=0.3)),
    (Cosine(), lambda lrs, o: lrs.CosineAnnealingLR(o, STEPS)),
    (Cosine(end=0.2), lambda lrs, o: lrs.CosineAnnealingLR(o, STEPS, eta_min=0.02)),
    (
        Warmup(),
        lambda lrs, o: lrs.SequentialLR(
            o, [lrs.LinearLR(o, 0.1, 1.0, 4), lrs.CosineAnnealingLR(o, STEPS - 4)], [4]
        ),
    ),
    (
        Warmup(0.25, Step(at=(0.5,), factor=0.2), start=0.05),
        lambda lrs, o: lrs.SequentialLR(o, [lrs.LinearLR(o, 0.05, 1.0, 10), lrs.MultiStepLR(o, [15], 0.2)], [10]),
    ),
    (Warmup(0.5, Constant()), lambda lrs, o: lrs.LinearLR(o, 0.1, 1.0, 20)),
    # PyTorch's cycle takes its last value in the last step: STEPS + 1 steps, the peak after pct*(STEPS + 1) - 1
    (OneCycle(), lambda lrs, o: lrs.OneCycleLR(o, 0.1, STEPS + 1, pct_start=13 / 41)),
    (
        OneCycle(peak=0.5, start=0.1, end=0.001),
        lambda lrs, o: lrs.OneCycleLR(o, 0.1, STEPS + 1, pct_start=21 / 41, div_factor=10, final_div_factor=100),
    ),
]


@pytest.mark.parametrize(("schedule", "reference"), CASES, ids=lambda v: repr(v) if not callable(v) else "")
@pytest.mark.filterwarnings("ignore:The epoch parameter")  # SequentialLR warns about itself
def test_the_values_are_those_of_torch(schedule: Schedule, reference: Callable[[Any, Any], Any]) -> None:
    torch = pytest.importorskip("torch")
    rule = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=0.1)
    scheduler = reference(torch.optim.lr_scheduler, rule)
    seen = 0
    for step in range(STEPS):
        assert 0.1 * schedule(step / STEPS) == pytest.approx(rule.param_groups[0]["lr"], rel=1e-9, abs=1e-12), step
        rule.step()
        scheduler.step()
        seen += 1
    assert seen == STEPS


def test_every_schedule_has_a_case_and_a_name() -> None:
    kinds = {Constant, Step, Cosine, Warmup, OneCycle}
    assert {type(schedule) for schedule, _ in CASES} == kinds == {type(schedule) for schedule in SCHEDULES.values()}
    for name, schedule in SCHEDULES.items():
        assert find_schedule(name) is schedule
        assert hash(schedule) == hash(type(schedule)()) and schedule == type(schedule)()
