"""Whose memory is whose: inputs are never written to, results are nobody else's, and no kernel leaves its tensors.

Results are written into arrays that everybody has dropped. So whoever holds one in any way must find in it what was
there; and what was done to an array before it was dropped must not show in the next.
"""

from __future__ import annotations

import ctypes
import os
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("torch")
pytest.importorskip("llvmlite")

import torch
from tests.engines.llvm.random_steps import draw_step

import paperback as pb
from paperback import engines
from paperback.engines import compile_program
from paperback.engines.llvm import blocks
from paperback.engines.llvm.runner import Runner

SOURCE = Path(__file__).parents[3]
Array = np.ndarray


class Own(np.ndarray):
    """A subclass."""


class Behind:
    """Shows an array through the array interface."""

    def __init__(self, array: Array) -> None:
        self._array = array

    @property
    def __array_interface__(self) -> Any:
        return self._array.__array_interface__


def waiting(array: Array) -> Iterator[float]:
    """A generator that holds the array, and the place it has reached."""
    yield -1.0
    yield from array.ravel()


def started(array: Array) -> Iterator[float]:
    generator = waiting(array)
    next(generator)
    return generator


def in_an_exception(array: Array) -> BaseException:
    try:
        raise ValueError(array)
    except ValueError as error:
        return error


def in_a_cycle(array: Array) -> list[Any]:
    cycle: list[Any] = [array]
    cycle.append(cycle)
    return cycle


HOLDERS: dict[str, tuple[Callable[[Array], Any], Callable[[Any], Any]]] = {
    "itself": (lambda a: a, lambda h: h),
    "view": (lambda a: a[...], lambda h: h),
    "slice": (lambda a: a[0:], lambda h: h),
    "reshaped": (lambda a: a.reshape(-1), lambda h: h),
    "transposed twice": (lambda a: a.T, lambda h: h.T),
    "view of a view": (lambda a: a[None][0].reshape(-1)[:], lambda h: h),
    "other type": (lambda a: a.view(np.uint8), lambda h: h.view(np.float64)),
    "subclass": (lambda a: a.view(Own), np.asarray),
    "masked": (lambda a: np.ma.masked_array(a), lambda h: h.data),
    "broadcast": (lambda a: np.broadcast_to(a, (2, *a.shape)), lambda h: h[1]),
    "strided": (lambda a: np.lib.stride_tricks.as_strided(a), lambda h: h),
    "window": (lambda a: np.lib.stride_tricks.sliding_window_view(a, 1, 0), lambda h: h[..., 0]),
    "memoryview": (memoryview, np.asarray),
    "cast memoryview": (lambda a: memoryview(a).cast("B").cast("d"), np.asarray),
    "buffer": (lambda a: np.frombuffer(a, np.float64), lambda h: h),
    "buffer of a buffer": (lambda a: np.frombuffer(memoryview(a)), lambda h: h),
    "array interface": (lambda a: np.asarray(Behind(a)), lambda h: h),
    "torch": (torch.from_numpy, lambda h: h.numpy()),
    "torch as_tensor": (lambda a: torch.as_tensor(a)[None], lambda h: h.numpy()[0]),
    "dlpack to torch": (torch.from_dlpack, lambda h: h.numpy()),
    "dlpack to numpy": (np.from_dlpack, lambda h: h),
    "dlpack capsule": (lambda a: torch.utils.dlpack.to_dlpack(torch.from_numpy(a)), lambda h: torch.from_dlpack(h)),
    "ctypes": (lambda a: a.ctypes, lambda h: np.ctypeslib.as_array(h.data_as(ctypes.POINTER(ctypes.c_double)), (12,))),
    "ctypes buffer": (lambda a: (ctypes.c_double * a.size).from_buffer(a), np.asarray),
    "flat": (lambda a: a.flat, lambda h: np.array(h)),
    "nditer": (lambda a: np.nditer(a), lambda h: h.operands[0]),
    "list": (lambda a: [a], lambda h: h[0]),
    "nested": (lambda a: {"k": ({1: (a,)},)}, lambda h: h["k"][0][1][0]),
    "object array": (lambda a: np.array([a, None], dtype=object), lambda h: h[0]),
    "closure": (lambda a: lambda: a, lambda h: h()),
    "default": (lambda a: (lambda held=a: held), lambda h: h()),
    "partial": (lambda a: partial(np.copy, a), lambda h: h()),
    "method": (lambda a: a.copy, lambda h: h()),
    "generator": (started, lambda h: np.array(list(h))),
    "iterator": (iter, lambda h: np.array(list(h))),
    "exception": (in_an_exception, lambda h: h.args[0]),
    "cycle": (in_a_cycle, lambda h: h[0]),
    "attribute": (lambda a: type("Held", (), {"a": a})(), lambda h: h.a),
    "record": (lambda a: a.view([("x", "f8")]), lambda h: h["x"]),
    "real part": (lambda a: a.real, lambda h: h),
}  # fmt: skip

FORMULA = "y[n,i] = 2*x[n,i] + 1\nz[n,i] = x[n,i]^2\nr[n] = sum(i) z[n,i]*y[n,i]"


def runner(text: str = FORMULA, **shapes: int) -> Callable[[Mapping[str, Any]], dict[str, Array]]:
    block = pb.formula(text).block
    return partial(_run, block)


def _run(block: Any, arrays: Mapping[str, Any]) -> dict[str, Array]:
    return engines.run(block, arrays, {}, "llvm")


def inputs(seed: int) -> dict[str, Array]:
    return {"x": np.random.default_rng(seed).standard_normal((3, 4))}


@pytest.mark.parametrize("how", HOLDERS)
def test_a_result_that_is_held_is_not_written_to(how: str) -> None:
    hold, read = HOLDERS[how]
    run = runner()
    held, expected = [], []
    for seed in range(12):
        x = inputs(seed)
        held.append(hold(run(x)["y"]))
        expected.append(2 * x["x"] + 1)
    for seed in range(100, 112):
        run(inputs(seed))
    for holder, right in zip(held, expected, strict=True):
        assert np.array_equal(np.asarray(read(holder)).ravel(), right.ravel())


def test_how_many_ways_there_are_to_hold() -> None:
    assert len(HOLDERS) >= 38


def test_a_result_that_is_dropped_is_used_again() -> None:
    """Else the tests above say nothing."""
    run = runner()
    first = run(inputs(0))
    places = {first["y"].ctypes.data, first["z"].ctypes.data}
    del first
    again = run(inputs(1))
    assert {again["y"].ctypes.data, again["z"].ctypes.data} == places
    kept = again["y"]
    later = [run(inputs(k))["y"] for k in range(9)]
    assert len({a.ctypes.data for a in (kept, *later)}) == 10


CHANGES: dict[str, Callable[[Array], Any]] = {
    "sealed": lambda a: a.setflags(write=False),
    "shape": lambda a: setattr(a, "shape", (4, 3)),
    "flat shape": lambda a: setattr(a, "shape", (12,)),
    "type": lambda a: setattr(a, "dtype", np.int64),
    "half type": lambda a: setattr(a, "dtype", np.float32),
    "strides": lambda a: setattr(a, "strides", (0, 8)),
    "numbers": lambda a: a.fill(np.nan),
}


@pytest.mark.parametrize("what", CHANGES)
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_what_was_done_to_a_result_does_not_show_in_the_next(what: str) -> None:
    run = runner()
    for seed in range(6):
        x = inputs(seed)
        y = run(x)["y"]
        assert y.shape == (3, 4) and y.dtype == np.float64 and y.flags.c_contiguous and y.flags.writeable
        assert np.array_equal(y, 2 * x["x"] + 1)
        CHANGES[what](y)
        with pytest.raises(ValueError, match="resize"):
            y.resize((5, 5), refcheck=False)
        del y


def test_results_of_one_call_and_of_several_are_apart() -> None:
    run = runner("y[i] = x[i]\nz[i] = x[i]\nw[i] = z[i]")
    x = np.arange(5.0)
    results = [run({"x": x}) for _ in range(3)]
    arrays = [x, *(a for result in results for a in result.values())]
    assert len(arrays) == 10
    for k, one in enumerate(arrays):
        assert all(not np.may_share_memory(one, other) for other in arrays[:k])
    for k, one in enumerate(arrays):
        one[:] = k
    assert [a.tolist() for a in arrays] == [[k] * 5 for k in range(10)]


def test_results_may_be_the_next_inputs() -> None:
    run = runner("y[i] = 2*x[i]\nz[i] = x[9-i] where x: 10, i < 10")
    x = np.arange(10.0)
    for _ in range(20):
        result = run({"x": x})
        assert np.array_equal(result["y"], 2 * x) and np.array_equal(result["z"], x[::-1])
        x = result["z"] if x[0] else result["y"] / 2 + 1
    assert x.shape == (10,)


def test_parameters_may_come_from_any_step() -> None:
    """From the last one, an older one, the caller, in turns: as on NumPy."""
    step = next(s for s in map(draw_step, range(20)) if len(s.train.updates) > 2)
    run, reference = (compile_program(step.train, "float64", engine) for engine in ("llvm", "numpy"))
    given = step.needed(step.train)
    mine, theirs = [given], [given]
    for k in (0, 1, 1, 2, 0, 3, 3, 5, 6, 2, 8):
        for every, runner in ((mine, run), (theirs, reference)):
            out = runner(every[k])
            every.append({**every[k], **{name: out[name] for name in step.train.updates}})
        for name in step.train.updates:
            assert np.allclose(mine[-1][name], theirs[-1][name], rtol=1e-9, atol=1e-12)
    assert len(mine) == 12 and not np.allclose(mine[-1][name], mine[0][name], rtol=1e-9)


class Lazy(Mapping[str, Any]):
    """Arrays made when they are asked for, and held by nobody."""

    def __init__(self, number: float) -> None:
        self.number = number

    def __getitem__(self, name: str) -> Array:
        if name != "x":
            raise KeyError(name)
        return np.full((1000,), self.number)

    def __iter__(self) -> Iterator[str]:
        return iter("x")

    def __len__(self) -> int:
        return 1


def program_runner(text: str, **shapes: tuple[int, ...]) -> Runner:
    """The runner of a program that is one formula: it takes arrays as they come."""
    block = pb.formula(text).block
    return Runner(blocks._program(block, {}, {name: np.zeros(shape) for name, shape in shapes.items()}), "float64")


def test_arrays_that_nobody_holds_live_while_they_are_read() -> None:
    run = program_runner("y[i] = x[i] + 1 where x: 1000", x=(1000,))
    for k in range(50):
        assert np.array_equal(run(Lazy(k))["y"], np.full(1000, k + 1.0))


def test_inputs_lie_as_they_like() -> None:
    run = program_runner("y[n,i] = 2*x[n,i] + 1 where x: 3 4", x=(3, 4))
    rng = np.random.default_rng(0)
    x = rng.standard_normal((3, 4))
    spread = np.zeros((3, 4, 2))
    spread[..., 0] = x
    unaligned = np.frombuffer(b"." + x.tobytes(), np.float64, offset=1).reshape(3, 4)
    forms = (x, np.asfortranarray(x), x[::-1].copy()[::-1], spread[..., 0], x.astype(">f8"), unaligned, x.tolist(),
             x.view(Own), np.ma.masked_array(x))  # fmt: skip
    for form in forms * 2:
        result = run({"x": form})
        assert type(result["y"]) is np.ndarray and np.array_equal(result["y"], 2 * x + 1)
    for wide in (x.astype(np.float32), np.arange(12).reshape(3, 4), np.arange(12).reshape(3, 4) % 2 == 0):
        assert np.allclose(run({"x": wide})["y"], 2 * np.asarray(wide, float) + 1)
    same = np.broadcast_to(np.array([1.0, 2.0, 3.0, 4.0]), (3, 4))
    assert np.array_equal(run({"x": same})["y"], 2 * same + 1)


def test_inputs_are_never_written_to() -> None:
    ran = 0
    for seed in range(4):
        step = draw_step(seed, tiny=True)
        for program in (step.train, step.network.predict):
            run = compile_program(program, "float64", "llvm")
            given = {n: np.array(a, order="C") for n, a in step.needed(program).items()}
            before = {name: array.tobytes() for name, array in given.items()}
            for array in given.values():
                array.flags.writeable = False
            for _ in range(2):
                result = run(given)
                assert {name: array.tobytes() for name, array in given.items()} == before
                for out in result.values():
                    assert not any(np.may_share_memory(out, array) for array in given.values())
                    assert out.flags.writeable
                ran += len(result)
    assert ran > 40


DEBUG = """
import numpy as np
from tests.engines.llvm.random_steps import check_step, draw_step
from tests.engines.llvm.test_programs import ONCE_WRONG, WIDE, check_case
from tests.nn.cases import CASES
ran = 0
for case in (*CASES[{first}::{step}], *WIDE[:3]):
    print(case.id, flush=True)
    check_case(case, "float32" if ran % 2 else "float64")
    ran += 1
for seed, tiny in (*ONCE_WRONG[:{wrong}], *((seed, seed % 2 == 0) for seed in range({low}, {high}))):
    print("step", seed, flush=True)
    ran += check_step(draw_step(seed, tiny), "float32" if seed % 3 else "float64") > 0
print("ran", ran)
"""


def guarded(name: str = "native", **numbers: int) -> int:
    """Layers and random steps in a process whose tensors lie between guard pages; how many ran."""
    environment = {**os.environ, "PAPERBACK_DEBUG": "memory", "PAPERBACK_TARGET": name,
                   "PYTHONPATH": f"{SOURCE / 'src'}{os.pathsep}{SOURCE}"}  # fmt: skip
    command = [sys.executable, "-X", "faulthandler", "-c", DEBUG.format(**numbers)]
    ran = subprocess.run(command, env=environment, capture_output=True, text=True, cwd=SOURCE, check=False)
    assert ran.returncode == 0, f"{ran.stdout[-200:]}\n{ran.stderr[-2000:]}"
    return int(ran.stdout.split()[-1])


def test_no_kernel_leaves_its_tensors() -> None:
    assert guarded(first=3, step=48, wrong=2, low=30, high=31) >= 8


@pytest.mark.long
@pytest.mark.parametrize("name", ["native", "avx2", "generic"])
@pytest.mark.parametrize("first", range(4))
def test_no_kernel_leaves_its_tensors_anywhere(name: str, first: int) -> None:
    assert guarded(name, first=first, step=4, wrong=4, low=2000 + 25 * first, high=2025 + 25 * first) >= 60
