"""A second process starts from the cache: the same numbers, nothing derived; and no program runs as another's code."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("llvmlite")

from paperback import nn
from paperback.calculus.conventions import Conventions
from paperback.engines.llvm import runner, stored
from paperback.engines.llvm.machine import objects
from paperback.engines.llvm.machine.arena import Arena
from paperback.learn import steps
from paperback.learn.model import Model
from paperback.learn.optim import SGD, Adam, AdamW, Optimizer, RMSProp
from paperback.nn.losses import Loss, find
from paperback.program.program import Program

SOURCE = Path(__file__).parents[2] / "src"


class Counted:
    """How many programs were lowered, and how many modules compiled."""

    def __init__(self, patch: pytest.MonkeyPatch) -> None:
        self.lowered = self.compiled = 0
        lower, emit = runner.lower, objects._emit

        def lowering(*given: Any) -> Any:
            self.lowered += 1
            return lower(*given)

        def emitting(*given: Any) -> bytes:
            self.compiled += 1
            return emit(*given)

        patch.setattr(runner, "lower", lowering)
        patch.setattr(objects, "_emit", emitting)


@pytest.fixture
def counted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Counted]:
    monkeypatch.setenv("PAPERBACK_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(stored, "sources", lambda: "these sources")
    monkeypatch.setattr(runner, "sources", lambda: "these sources")
    yield Counted(monkeypatch)


def net(act: nn.Layer | None = None, **conv: Any) -> nn.Sequential:
    layers = nn.Conv2d(2, 3, **conv), act or nn.ReLU(), nn.MaxPool2d(2, stride=1), nn.Flatten(), nn.Dense(4)
    return nn.Sequential(*layers)


def data() -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
    random = np.random.default_rng(5)
    return random.standard_normal((6, 5, 5, 2)), random.integers(0, 4, 6)


def numbers(
    layers: nn.Sequential, engine: str = "llvm", answers: bool = True, loss: Any = "softmax_cross_entropy",
    rule: Optimizer | None = None, frozen: tuple[str, ...] = (), dtype: str = "float64", weights: Any = None,
    y: Any = None,
) -> list[np.ndarray[Any, Any]]:  # fmt: skip
    """The parameters after two steps and the losses; and, with answers, the loss and predictions after them."""
    x, classes = data()
    labels = classes if y is None else y
    model = Model(layers, (5, 5, 2), engine=engine, dtype=dtype)
    model.freeze(*frozen)
    step = model.train_step(loss, rule or SGD(0.1))
    losses = [step(x, labels, weights) for _ in range(2)]
    if answers:
        losses.append(model.evaluate(x, labels, loss, weights=weights)["loss"])
        losses.extend(model.predict(x).flat)
    return [*model.parameters.values(), np.array(losses)]


def test_a_second_start_derives_lowers_and_compiles_nothing(
    counted: Counted, monkeypatch: pytest.MonkeyPatch
) -> None:
    cold = numbers(net())
    assert counted.lowered == 3  # the step, evaluate, predict
    assert counted.compiled >= 3

    def derived(*_: Any) -> Program:
        raise AssertionError("derived again")

    monkeypatch.setattr(steps, "training_program", derived)
    monkeypatch.setattr(steps, "evaluation_program", derived)
    counted.lowered = counted.compiled = 0
    warm = numbers(net())
    assert (counted.lowered, counted.compiled) == (0, 0)
    assert all(a.tobytes() == b.tobytes() for a, b in zip(cold, warm, strict=True))


@dataclass(frozen=True, repr=False)
class Bent(nn.Layer):
    """A layer of the user's; `slope` is in its formula."""

    formula = "y = max(x[], x[]/10)"


def bent_again() -> nn.Layer:
    @dataclass(frozen=True, repr=False)
    class Bent(nn.Layer):  # the same name, another formula
        """A layer of the user's."""

        formula = "y = max(x[], x[]/20)"

    return Bent()


def rule_of(sign: str) -> Optimizer:
    @dataclass(frozen=True)
    class Own(Optimizer):
        lr: float = 0.1
        formula = f"w = w[] - lr*g[]*{sign}"

    return Own(0.1)


@dataclass(frozen=True, repr=False)
class Tied(nn.ReLU):
    @property
    def conventions(self) -> Conventions:
        return Conventions(relu_at_zero=Fraction(1))


Make = Callable[[], dict[str, Any]]
NEAR: dict[str, Make] = {
    "the first": dict,
    "activation": lambda: {"layers": net(nn.Tanh())},
    "own layer": lambda: {"layers": net(Bent())},
    "own layer of that name": lambda: {"layers": net(bent_again())},
    "relu'(0) = 1": lambda: {"layers": net(Tied())},
    "padding": lambda: {"layers": net(padding=1)},
    "stride": lambda: {"layers": net(stride=2)},
    "no bias": lambda: {"layers": net(bias=False)},
    "momentum": lambda: {"rule": SGD(0.1, momentum=0.9)},
    "another momentum": lambda: {"rule": SGD(0.1, momentum=0.8)},
    "Nesterov": lambda: {"rule": SGD(0.1, momentum=0.9, nesterov=True)},
    "decay": lambda: {"rule": SGD(0.1, weight_decay=0.01)},
    "clip": lambda: {"rule": SGD(0.1, clip=0.1)},
    "another clip": lambda: {"rule": SGD(0.1, clip=0.2)},
    "Adam": lambda: {"rule": Adam(0.1)},
    "Adam's beta": lambda: {"rule": Adam(0.1, beta1=0.8)},
    "Adam's eps": lambda: {"rule": Adam(0.1, eps=1e-4)},
    "AdamW": lambda: {"rule": AdamW(0.1)},
    "RMSProp": lambda: {"rule": RMSProp(0.1)},
    "own rule": lambda: {"rule": rule_of("2")},
    "own rule of that name": lambda: {"rule": rule_of("3")},
    "frozen": lambda: {"frozen": ("conv2d_1.w",)},
    "frozen layer": lambda: {"frozen": ("conv2d_1",)},
    "float32": lambda: {"dtype": "float32"},
    "smoothing": lambda: {"loss": nn.softmax_cross_entropy(0.1)},
    "sum": lambda: {"loss": find("softmax_cross_entropy").reduced("sum")},
    "weights": lambda: {"weights": np.linspace(0.5, 1.5, 6)},
    "own loss": lambda: {"loss": Loss.of("J = (z[] - y[])^2", name="own"), "y": np.eye(4)[data()[1]]},
    "own loss of that name": lambda: {"loss": Loss.of("J = (z[] - y[])^4", name="own"), "y": np.eye(4)[data()[1]]},
    "own loss, entries added": lambda: {
        "loss": Loss.of("J = (z[] - y[])^2", name="own", entries="sum"), "y": np.eye(4)[data()[1]],
    },
}  # fmt: skip


def test_programs_that_nearly_agree_never_share_code(counted: Counted) -> None:
    """In one cache, each twice, in turns: the second time from the cache, and always NumPy's numbers."""
    right = {name: numbers(**{"layers": net(), **make()}, engine="numpy", answers=False) for name, make in NEAR.items()}
    for again in (False, True):
        for name, make in NEAR.items():
            given = {"layers": net(), **make()}
            counted.lowered = 0
            found = numbers(**given, answers=False)
            assert counted.lowered == (0 if again else counted.lowered), name
            tolerance = 1e-4 if given.get("dtype") == "float32" else 1e-10
            for one, other in zip(found, right[name], strict=True):
                np.testing.assert_allclose(one, other, tolerance, tolerance, err_msg=name)
    assert len(NEAR) == 30


def test_their_steps_have_names_of_their_own() -> None:
    names = set()
    for make in NEAR.values():
        given = {"layers": net(), "loss": "softmax_cross_entropy", "rule": SGD(0.1), "frozen": (), **make()}
        network = nn.build(given["layers"], (5, 5, 2))
        loss = find(given["loss"])
        trainable = [n for n in network.parameters if not n.startswith(given["frozen"] or "none")]
        more = loss.labels[0], trainable, "weights" in given
        names.add(steps.name_of("train", network.train, loss, given["rule"], *more))
    assert None not in names
    assert len(names) == len(NEAR) - 1  # float32 is no part of a program


def test_a_rule_or_loss_that_works_in_its_own_way_has_no_name(counted: Counted) -> None:
    @dataclass(frozen=True)
    class Backwards(SGD):
        def attach(self, program: Program, gradients: Any) -> Program:
            program = super().attach(program, gradients)
            return replace(program, updates=dict(reversed(program.updates.items())))

    class Odd(Loss):
        pass

    network = nn.build(net(), (5, 5, 2))
    usual = find("softmax_cross_entropy")
    odd = Odd(usual.name, usual.formulas, usual.z_axes, usual.y_axes)
    assert steps.name_of("train", network.train, usual, SGD(0.1)) is not None
    assert steps.name_of("train", network.train, usual, Backwards(0.1)) is None
    assert steps.name_of("train", network.train, odd, SGD(0.1)) is None
    for _ in range(2):
        counted.lowered = 0
        numbers(net(), rule=Backwards(0.1))
        assert counted.lowered >= 1  # the step is derived again


@pytest.mark.parametrize("harm", ["cut", "changed", "emptied", "removed"])
def test_entries_that_are_no_longer_right_are_made_again(counted: Counted, harm: str, tmp_path: Path) -> None:
    cold = numbers(net())
    files = list((tmp_path / "cache").rglob("*.code"))
    assert len(files) >= 3
    for file in files:
        content = file.read_bytes()
        if harm == "removed":
            file.unlink()
        else:
            middle = len(content) // 2
            changed = content[:middle] + bytes([content[middle] ^ 1]) + content[middle + 1 :]
            file.write_bytes({"cut": content[:middle], "changed": changed, "emptied": b""}[harm])
    counted.lowered = 0
    assert all(a.tobytes() == b.tobytes() for a, b in zip(cold, numbers(net()), strict=True))
    assert counted.lowered == 3


@pytest.mark.parametrize("change", ["sources", "debug", "target", "generator"])
def test_code_of_another_world_is_not_used(counted: Counted, change: str, monkeypatch: pytest.MonkeyPatch) -> None:
    numbers(net())
    if change == "sources":
        monkeypatch.setattr(runner, "sources", lambda: "other sources")
    elif change == "debug":
        monkeypatch.setenv("PAPERBACK_DEBUG", "" if Arena({}).debug else "memory")
    elif change == "target":
        monkeypatch.setenv("PAPERBACK_TARGET", "generic")
    else:
        monkeypatch.setattr(runner, "VERSION", "another")
    counted.lowered = 0
    numbers(net())
    assert counted.lowered == 3


def test_sources_that_cannot_be_named_name_nothing(counted: Counted, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runner, "sources", lambda: None)
    for _ in range(2):
        counted.lowered = 0
        numbers(net())
        assert counted.lowered == 3


def test_the_name_of_the_sources_is_that_of_every_byte(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "inner").mkdir()
    one, other = tmp_path / "one.py", tmp_path / "inner" / "other.py"
    monkeypatch.setattr(stored, "_PACKAGE", tmp_path)
    monkeypatch.setattr(stored, "_LOADED", 2e9)
    name = stored.sources.__wrapped__
    assert name() is None  # no sources, no name
    found = set()
    for texts in (("a", "b"), ("ab", ""), ("a", "c"), ("", "ab"), ("a", "b\n")):
        one.write_text(texts[0])
        other.write_text(texts[1])
        found.add(name())
    other.rename(tmp_path / "inner" / "another.py")
    found.add(name())
    assert None not in found
    assert len(found) == 6
    monkeypatch.setattr(stored, "_LOADED", one.stat().st_mtime - 1)
    assert name() is None  # changed after this process had loaded them


def test_an_explanation_of_code_from_the_cache_writes_it_again(counted: Counted) -> None:
    pages = []
    for lowered in (1, 2):
        run = Model(net(), (5, 5, 2)).train_step().compiled("integer")
        assert isinstance(run, runner.Runner)
        pages.append(str(run.plan(6)))
        assert counted.lowered == lowered
    assert pages[0] == pages[1]
    assert "conv2d_1.w" in pages[0]


PROCESS = """
import numpy as np, sys
from paperback import nn
from paperback.engines.llvm import runner
from paperback.learn.model import Model
lower = runner.lower
calls = []
runner.lower = lambda *given: calls.append(1) or lower(*given)
model = Model(nn.Sequential(nn.Dense(5), nn.ReLU(), nn.Dense(3)), (4,))
model.train_step()(np.ones((6, 4)), np.arange(6) % 3)
print(len(calls), model.parameters["dense_1.w"].tobytes().hex())
"""


def test_another_process_starts_warm_with_the_same_bits(tmp_path: Path) -> None:
    environment = os.environ | {"PYTHONPATH": str(SOURCE), "PAPERBACK_CACHE": str(tmp_path / "cache")}
    outputs = [
        subprocess.run([sys.executable, "-c", PROCESS], env=environment, capture_output=True, text=True, check=True)
        for _ in range(2)
    ]
    (first, bits), (second, same) = (done.stdout.split() for done in outputs)
    assert (first, second) == ("1", "0")
    assert bits == same
