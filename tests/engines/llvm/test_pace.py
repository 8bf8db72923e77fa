"""Short work is shared by threads where that is faster, as far as a clock can tell, and the bits are the same."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("llvmlite")

import paperback as pb
from paperback import nn
from paperback.engines.llvm import pace, runner
from paperback.engines.llvm.code.drivers import CONTEXT
from paperback.engines.llvm.pace import Pace
from paperback.engines.llvm.runner import Runner

AWAKE, WAKING = 7, 8


class Clock:
    """Calls that take so many seconds, by what shares their work; the calls that were made."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now, self.seconds, self.way, self.calls = 0.0, {0: 20.0, AWAKE: 15.0, WAKING: 90.0}, AWAKE, list[int]()
        monkeypatch.setattr(pace, "perf_counter", lambda: self.now)
        self.pace = Pace(self.choose, AWAKE, WAKING)

    def choose(self, way: int) -> None:
        self.way = way

    def call(self) -> int:
        self.calls.append(self.way)
        self.now += self.seconds[self.way]
        return len(self.calls)


def test_the_faster_way_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    clock, turns = Clock(monkeypatch), pace._PERIOD
    tried = [*[WAKING] * pace._WAKING, *[AWAKE] * pace._TRIES, *[0] * pace._TRIES]
    for k, (alone, kept) in enumerate([(20.0, AWAKE), (14.0, 0), (14.9, AWAKE), (20.0, AWAKE), (1.0, 0)]):
        clock.seconds[0] = alone
        clock.calls.clear()
        for n in range(turns):
            assert clock.pace.run(clock.call) == n + 1
        assert clock.calls == [*tried, *[kept] * (turns - len(tried))], k


def test_the_fastest_of_a_few_counts_for_each_step(monkeypatch: pytest.MonkeyPatch) -> None:
    """A call that was held up says nothing; one of many steps is as good as one of one."""
    clock = Clock(monkeypatch)
    for late in range(1, pace._TRIES):  # all but one of them
        clock.seconds[AWAKE] = 900.0
        clock.calls.clear()
        for turn in range(pace._PERIOD):
            clock.seconds[AWAKE] = 900.0 if 0 <= turn - pace._WAKING < late else 15.0
            clock.pace.run(clock.call)
        assert clock.calls[-1] == AWAKE
    clock = Clock(monkeypatch)
    clock.seconds = {0: 20.0, AWAKE: 15.0 * 64, WAKING: 0.0}
    for turn in range(pace._PERIOD):
        clock.pace.run(clock.call, steps=64 if turn < pace._WAKING + pace._TRIES else 1)
    assert clock.calls[-1] == AWAKE


def test_what_changes_nothing_is_called_in_both_ways_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = Clock(monkeypatch)
    clock.seconds[0] = 3.0
    assert clock.pace.compare(clock.call) == pace._CALLS
    assert len(clock.calls) == pace._WAKING + 2 * pace._TRIES and clock.way == 0


def test_the_same_bits_in_either_way(monkeypatch: pytest.MonkeyPatch) -> None:
    """Predictions and steps, through all turns of a period."""
    monkeypatch.setattr(runner, "_WORTH_THREADS", 0)
    monkeypatch.setattr(runner, "_MOSTLY", 0)
    for name, count in (("_WAKING", 1), ("_TRIES", 3), ("_PERIOD", 9)):
        monkeypatch.setattr(pace, name, count)
    monkeypatch.setattr(pace, "_CALLS", 5)
    rng = np.random.default_rng(0)
    x, y = rng.standard_normal((30, 12, 12, 1), np.float32), rng.integers(0, 4, 30)
    found = []
    for threads in (1, 2):
        layers = nn.Sequential(nn.Conv2d(16, 3), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(), nn.Dense(64), nn.Dense(4))
        model = pb.Model(layers, (12, 12, 1), engine="llvm", threads=threads)
        step = model.train_step(optimizer=pb.optim.SGD(0.05))
        losses = [step(x[k : k + 1], y[k : k + 1]) for k in range(30)] + [list(step.epoch(x, y, 1)) for _ in range(12)]
        answers = [model.predict(x[k % 30][None]).tobytes() for k in range(150)]
        found.append((losses, answers, [array.tobytes() for array in model.parameters.values()]))
    assert found[0] == found[1]


def test_long_work_and_one_thread_have_no_pace(monkeypatch: pytest.MonkeyPatch) -> None:
    model = pb.Model(nn.Sequential(nn.Dense(400), nn.ReLU(), nn.Dense(10)), (300,), engine="llvm")
    place = CONTEXT.index("parallel")
    for threads, count, paced in ((2, 1, True), (2, 256, False), (1, 1, False)):
        room = Runner(model.network.predict, threads=threads)._for(count).room(count)
        assert (room.pace is not None) == paced and room.fields[place] == room.parallel
