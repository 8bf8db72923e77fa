"""The same bits on any number of threads, in any run, after a load, in another process; models used by many threads."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("llvmlite")

from tests.engines.llvm.targets import share_from

import paperback as pb
from paperback import engines, nn
from paperback.engines import compile_program
from paperback.engines.llvm import room, runner
from paperback.nn.losses import LABEL
from paperback.nn.network import INPUT

THREADS = (1, 3, 8)
SOURCE = Path(__file__).parents[3]


@pytest.fixture(autouse=True)
def _small_work_is_worth_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    prepare(monkeypatch)


def prepare(patch: pytest.MonkeyPatch) -> None:
    """Cut small batches into shards, and give them to threads."""
    share_from(patch, 0)
    patch.setattr(room, "_LEAST_WORK", 1)


@pytest.fixture
def switching() -> Iterator[None]:
    """Threads of Python that take turns as often as they can."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(before)


def made(threads: int, dtype: str = "float32", seed: int = 0) -> pb.Model:
    net = nn.Sequential(
        nn.Conv2d(5, 3, padding="same"), nn.BatchNorm(), nn.ReLU(), nn.MaxPool2d(3, 2), nn.Conv2d(9, 2, 2),
        nn.Sigmoid(), nn.Flatten(), nn.Dropout(0.25), nn.Dense(33), nn.Tanh(), nn.Dense(7),
    )  # fmt: skip
    return pb.Model(net, (9, 8, 2), seed=seed, dtype=dtype, engine="llvm", threads=threads)


def examples(count: int, seed: int = 1) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    return rng.standard_normal((count, 9, 8, 2)).astype(np.float32), rng.integers(0, 7, count)


def train(model: pb.Model, epochs: int = 2, batch_size: int = 13) -> pb.Model:
    x, y = examples(60)
    model.fit(x, y, optimizer=pb.optim.Adam(0.01, clip=1.0), epochs=epochs, batch_size=batch_size)
    return model


def bits(model: pb.Model) -> str:
    """All that a model holds after training, and what it answers."""
    x, y = examples(23, seed=2)
    digest = hashlib.sha256()
    for values in (model.parameters, model.state, model._state.optimizer):
        for name, array in sorted(values.items()):
            digest.update(name.encode() + array.tobytes())
    loss, gradients = model.loss_and_gradients(x, y)
    digest.update(np.float64(loss).tobytes() + model.predict(x).tobytes())
    for name, array in sorted(gradients.items()):
        digest.update(name.encode() + array.tobytes())
    return digest.hexdigest()


def test_threads_change_nothing() -> None:
    expected = bits(train(made(1)))
    assert [bits(train(made(threads))) for threads in (*THREADS[1:], 1)] == [expected] * len(THREADS)
    assert bits(train(made(1, seed=1))) != expected, "another seed is another training"


def test_threads_change_nothing_in_double_precision() -> None:
    expected = bits(train(made(1, "float64")))
    assert bits(train(made(3, "float64"))) == expected != bits(train(made(1, "float64"), batch_size=12))


def test_threads_change_nothing_for_any_batch() -> None:
    model = made(1)
    program = model.program(optimizer=pb.optim.SGD(0.1, momentum=0.9))
    runners: list[Any] = [compile_program(program, "float32", "llvm", threads) for threads in THREADS]
    x, y = examples(70)
    rng = np.random.default_rng(5)
    fixed = {**model.parameters, **model.state, "lr": 0.1}
    fixed |= {t.name: np.zeros([a.value for a in t.axes], np.float32) for t in program.by_role("optimizer")}
    masks = {t.name: t.axes[1:] for t in program.by_role("mask")}
    shards: set[int] = set()
    for count in (*range(1, 9), *range(9, 71, 5)):
        drawn = {n: rng.integers(0, 2, (count, *(a.value for a in axes))) for n, axes in masks.items()}
        given = {**fixed, INPUT: x[:count], LABEL: y[:count], **{n: a.astype(np.float32) for n, a in drawn.items()}}
        results = [{n: a.tobytes() for n, a in run(given).items()} for run in runners]
        assert all(result == results[0] for result in results), f"batch {count}"
        assert {n: a.tobytes() for n, a in runners[1](given).items()} == results[0], "and again"
        shards |= {int(run._last[1].fields[1]) for run in runners}
        assert all(run._last[1].fields[2] for run in runners), "no threads were asked"
    assert len(masks) == 1 and len(shards) > 3, "shards of one kind say nothing"


def test_guard_pages_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is debugged is what runs: where memory is not shared, a shard has as many micro-batches as where it is."""
    monkeypatch.setattr(room, "_LEAST_EXAMPLES", 8)
    monkeypatch.setenv("PAPERBACK_CACHE", "off")
    found = []
    for memory, most in (("", runner._MICRO_BYTES), ("", 512), ("memory", 512)):
        monkeypatch.setattr(runner, "_MICRO_BYTES", most)
        monkeypatch.setenv("PAPERBACK_DEBUG", memory)
        found.append([array.tobytes() for array in train(made(2), epochs=1).parameters.values()])
    whole, one_by_one, guarded = found
    assert one_by_one == guarded != whole, "another order of sums would be seen"


def test_another_number_of_threads_in_between_changes_nothing() -> None:
    x, y = examples(40)
    alone, first, second = made(2), made(2), made(5)
    step = alone.train_step()
    losses = [step(x[k:], y[k:]) for k in range(9)]
    one, other = first.train_step(), second.train_step()
    for k, loss in enumerate(losses):
        assert one(x[k:], y[k:]) == other(x[k:], y[k:]) == loss
    assert bits(alone) == bits(first) == bits(second)


def test_training_on_after_a_load_changes_nothing(tmp_path: Path) -> None:
    expected = bits(train(made(1), epochs=4))
    train(made(4), epochs=2).save(tmp_path / "half.safetensors")
    loaded = pb.load(tmp_path / "half.safetensors", engine="llvm", threads=3)
    assert bits(train(loaded, epochs=2)) == expected


def test_another_process_gets_the_same_bits() -> None:
    code = (
        "from tests.engines.llvm.test_determinism import *\n"
        "prepare(pytest.MonkeyPatch())\n"
        "print(bits(train(made(3))))"
    )
    environment = {**os.environ, "PYTHONPATH": f"{SOURCE / 'src'}{os.pathsep}{SOURCE}"}
    command = [sys.executable, "-c", code]
    ran = subprocess.run(command, env=environment, capture_output=True, text=True, cwd=SOURCE, check=False)
    assert ran.stdout.strip() == bits(train(made(1))), ran.stderr


def together(*works: Callable[[], Any]) -> list[Any]:
    """What these give when they run at the same time; what one raises is raised."""
    results: list[Any] = [None] * len(works)

    def run(k: int) -> None:
        try:
            results[k] = works[k]()
        except BaseException as error:
            results[k] = error

    threads = [threading.Thread(target=run, args=(k,)) for k in range(len(works))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for result in results:
        if isinstance(result, BaseException):
            raise result
    return results


@pytest.mark.usefixtures("switching")
def test_one_model_answers_several_threads() -> None:
    """Of sizes that do not all fit into what is kept for each size."""
    model = made(2)
    x, _ = examples(70)
    answers = {count: model.predict(x[:count]) for count in range(1, 71)}

    def ask(seed: int) -> Callable[[], int]:
        def work() -> int:
            right = 0
            for count in np.random.default_rng(seed).integers(1, 71, 120):
                right += np.array_equal(model.predict(x[:count]), answers[count])
            return right

        return work

    assert together(*map(ask, range(4))) == [120] * 4


@pytest.mark.usefixtures("switching")
def test_models_train_side_by_side() -> None:
    expected = [bits(train(made(2, seed=seed))) for seed in (0, 1)]
    assert together(*(lambda s=seed: bits(train(made(2, seed=s))) for seed in (0, 1, 0))) == [*expected, expected[0]]


@pytest.mark.usefixtures("switching")
def test_formulas_are_called_by_several_threads() -> None:
    """More formulas than are kept compiled, by turns."""
    f = pb.formula("y[i] = sum(p<2) x[i+p]*x[i] where x: H, i < H-1")

    def work() -> bool:
        return all(
            np.array_equal(engines.run(f.block, {"x": np.arange(float(n))}, {}, "llvm")["y"],
                           [2 * i * i + i for i in range(n - 1)])
            for n in (*range(2, 42), *range(2, 42))
        )  # fmt: skip

    assert together(work, work, work) == [True] * 3
