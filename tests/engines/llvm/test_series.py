"""Steps in one call of native code: the bits of as many calls, and they end before a step that fails."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

pytest.importorskip("llvmlite")

from tests.engines.llvm.random_steps import draw_step

from paperback import engines, nn
from paperback.engines import compile_program
from paperback.engines.llvm.code import steps
from paperback.learn import optim
from paperback.learn.steps import training_program
from paperback.nn.losses import softmax_cross_entropy
from paperback.nn.network import build
from paperback.program.program import Program

pytestmark = pytest.mark.usefixtures("ordinary_memory")

Arrays = dict[str, np.ndarray]
SEEDS = range(14)
RULES = [optim.SGD(0.125), optim.SGD(0.125, momentum=0.5), optim.Adam(0.0625, clip=0.5), optim.RMSProp(0.0625)]


def several(program: Program, given: Arrays, count: int) -> Arrays:
    """What differs from step to step: the batches, each in another order, and the scalars."""
    each = {}
    for tensor in program.inputs:
        first = given.get(tensor.name)
        if first is None or tensor.name in program.updates:
            continue
        if tensor.role == "scalar":
            each[tensor.name] = np.array([first * (1 + k / 8) for k in range(count)], np.float32)
        elif tensor.axes and tensor.axes[0] == program.tensors["input"].axes[0]:
            each[tensor.name] = np.stack([np.roll(first, k, 0) for k in range(count)])
    return each


def one_by_one(run: Any, given: Arrays, each: Arrays, count: int) -> tuple[list[Arrays], int]:
    """What every step gives, up to the first that gives NaN or infinity."""
    found: list[Arrays] = []
    for k in range(count):
        out = run({**given, **{name: array[k] for name, array in each.items()}})
        numbers = [array for array in out.values() if array.ndim == 0]
        if not out.finite or not all(map(np.isfinite, numbers)):
            break
        found.append({name: array.copy() for name, array in out.items()})
        given = {**given, **{name: out[name] for name in out if name in given}}
    return found, len(found)


def check_series(program: Program, given: Arrays, count: int, threads: int = 2) -> int:
    """How many steps went well; AssertionError where a bit differs from steps one by one."""
    each = several(program, given, count)
    rest = {name: array for name, array in given.items() if name not in each}
    found, done = one_by_one(compile_program(program, engine="llvm", threads=threads), rest, each, count)
    run = compile_program(program, engine="llvm", threads=threads)
    result = engines.repeat(run, rest, each, count)
    assert result is not None
    assert result[1] == done
    for name, array in result[0].items() if done else ():
        expected = found[-1][name] if name in program.updates else np.stack([out[name] for out in found])
        assert array.tobytes() == expected.tobytes(), name
    assert done or all(len(array) == 0 for array in result[0].values())
    if done:  # and both ways of running go on after one another
        after = {**rest, **{name: result[0][name] for name in program.updates}}
        again = run({**after, **{name: array[0] for name, array in each.items()}})
        twice = engines.repeat(run, after, {name: array[:1] for name, array in each.items()}, 1)
        assert twice is not None
        assert not twice[1] or all(np.array_equal(twice[0][name], again[name]) for name in program.updates)
    return done


def dense_step(rule: optim.Optimizer, dtype: str = "float32") -> tuple[Program, Arrays]:
    """A step of a small dense network, and a batch for it."""
    network = build(nn.Sequential(nn.Dense(9), nn.Tanh(), nn.Dense(4)), (5,))
    program = training_program(network, softmax_cross_entropy(), "integer", rule, network.parameters)
    rng = np.random.default_rng(7)
    given: Arrays = {"input": rng.standard_normal((6, 5)), "label": rng.integers(0, 4, 6)}
    for tensor in program.inputs:
        if tensor.name not in given:
            shape = tuple(axis.value for axis in tensor.axes)
            given[tensor.name] = np.array(rng.random(shape) if "." in tensor.name else rule.values(3)[tensor.name])
    return program, {n: a if a.dtype.kind == "i" else a.astype(dtype) for n, a in given.items()}


@pytest.mark.parametrize("seed", SEEDS)
def test_random_steps_have_the_bits_of_steps_one_by_one(seed: int) -> None:
    step = draw_step(seed, False)
    given = {n: a.astype(np.float32) if a.dtype.kind == "f" else a for n, a in step.needed(step.train).items()}
    check_series(step.train, given, 1 + seed % 5)


@pytest.mark.parametrize("rule", RULES, ids=str)
@pytest.mark.parametrize("count", [1, 2, 7])
def test_optimizers(rule: optim.Optimizer, count: int) -> None:
    assert check_series(*dense_step(rule), count) == count


def test_float64() -> None:
    for rule in RULES:
        program, given = dense_step(rule, "float64")
        each = {name: array.astype(np.float64) if array.dtype == np.float32 else array
                for name, array in several(program, given, 3).items()}  # fmt: skip
        rest = {name: array for name, array in given.items() if name not in each}
        run = compile_program(program, "float64", "llvm")
        found, done = one_by_one(run, rest, each, 3)
        result = engines.repeat(run, rest, each, 3)
        assert done == 3 and result is not None and result[1] == 3
        assert all(result[0][name].tobytes() == found[-1][name].tobytes() for name in program.updates)


BAD = {"input": np.inf, "label": 99, "lr": np.nan}


@pytest.mark.parametrize("name", BAD)
@pytest.mark.parametrize("at", [0, 1, 4])
def test_it_ends_before_a_step_that_fails(name: str, at: int) -> None:
    program, given = dense_step(optim.SGD(0.125))
    each = several(program, given, 5)
    each[name][at] = BAD[name]
    rest = {n: array for n, array in given.items() if n not in each}
    run = compile_program(program, engine="llvm")
    result = engines.repeat(run, rest, each, 5)
    assert result is not None
    new, done = result
    assert done == at and len(new["loss"]) == at
    found, _ = one_by_one(run, rest, {n: array[:at] for n, array in each.items()}, at)
    assert all(new[n].tobytes() == found[-1][n].tobytes() for n in program.updates if at)
    assert at or not any(n in new for n in program.updates)


def test_what_is_not_read_where_it_is() -> None:
    """Then nothing is computed, and the caller goes step by step; the given arrays are as they were."""
    program, given = dense_step(optim.SGD(0.125))
    each = several(program, given, 3)
    rest = {n: array for n, array in given.items() if n not in each}
    run = compile_program(program, engine="llvm")
    wide = {**each, "input": each["input"].astype(np.float64)}
    apart = {**each, "input": np.repeat(each["input"], 2, 0)[::2]}
    for other in (wide, apart):
        assert engines.repeat(run, rest, other, 3) is None
    assert engines.repeat(compile_program(program, engine="numpy"), rest, each, 3) is None
    before = {n: array.copy() for n, array in (rest | each).items()}
    assert engines.repeat(run, rest, each, 3) is not None
    assert all(np.array_equal(before[n], array) for n, array in (rest | each).items())
    with pytest.raises(engines.EngineError, match=r"no array for dense_1\.w"):
        engines.repeat(run, {}, each, 3)


def test_where_memory_is_debugged(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PAPERBACK_DEBUG", "memory")
    program, given = dense_step(optim.SGD(0.125))
    each = several(program, given, 3)
    rest = {n: array for n, array in given.items() if n not in each}
    run = compile_program(program, engine="llvm")
    assert engines.repeat(run, rest, each, 3) is None
    assert one_by_one(run, rest, each, 3)[1] == 3


MUTANTS = {
    "every step has the addresses of the first": ("%first = mul i64 %s, %n", "%first = mul i64 0, %n"),
    "the status is not looked at": ("%well = icmp eq i64 %bad, 0", "%well = icmp eq i64 0, 0"),
    "a word of the status is forgotten": ("%bad = or i64 %wrong, %infinite", "%bad = add i64 %infinite, 0"),
    "a loss may be infinite": ("%finite = fcmp oeq ELEMENT %zero, 0.0", "%finite = icmp eq i1 true, true"),
    "one step less": ("%more = icmp slt i64 %s, %count", "%more = icmp slt i64 %s.one, %count"),
}  # fmt: skip


def test_mutants(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each mistake is planted in the loop, and seen by one of the laws above."""

    def laws() -> None:
        assert check_series(*dense_step(optim.Adam(0.0625)), 3) == 3
        for name in BAD:
            test_it_ends_before_a_step_that_fails(name, 1)
        program, given = dense_step(optim.SGD(0.125))
        given["dense_2.b"][:2], given["label"][:] = (3e38, -3e38), 1  # the loss is infinite, its gradient is not
        assert check_series(program, given, 3) == 0

    laws()
    right = steps._STEPS
    for words, (old, new) in MUTANTS.items():
        assert right.count(old) == 1, words
        text = right.replace(old, new)
        if "%s.one" in new:
            text = text.replace("  " + new, "  %s.one = add i64 %s, 1\n  " + new)
        monkeypatch.setattr(steps, "_STEPS", text)
        with pytest.raises(AssertionError):
            laws()
    monkeypatch.undo()
    assert len(MUTANTS) == 5
