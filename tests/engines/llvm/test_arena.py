"""The arena: tensors do not overlap, and in debug mode nothing outside of one is touched without being noticed."""

from __future__ import annotations

import ctypes
import mmap
import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from paperback.engines.aligned import LINE
from paperback.engines.llvm.machine.arena import Arena
from paperback.errors import EngineError

SOURCE = Path(__file__).parents[3] / "src"
SIZES = {"x": 40, "y": 4096, "empty": 0, "z": 1, "w": 100_003, "v": 64, "u": 8 * 2**20}


@pytest.mark.parametrize("debug", [False, True])
def test_tensors_keep_what_is_written_to_them(debug: bool) -> None:
    arena = Arena(SIZES, debug=debug)
    assert arena.names == tuple(SIZES) and arena.debug == debug
    for value, (name, size) in enumerate(SIZES.items()):
        ctypes.memset(arena.address(name), value, size)
    for value, (name, size) in enumerate(SIZES.items()):
        assert (arena.array(name, np.uint8, (size,)) == value).all()
        if not debug:
            assert arena.address(name) % LINE == 0 and arena.alignment == LINE
    arena.check()


@pytest.mark.parametrize("debug", [False, True])
def test_an_array_is_a_view(debug: bool) -> None:
    arena = Arena({"x": 48}, debug=debug)
    array = arena.array("x", "float32", (2, 5))
    assert array.ctypes.data == arena.address("x") and array.shape == (2, 5) and array.flags.aligned
    array[:] = np.arange(10).reshape(2, 5)
    assert list((ctypes.c_float * 10).from_address(arena.address("x"))) == list(range(10))
    assert arena.array("x", "float64", (6,)).size == 6
    del arena
    assert array[1, 4] == 9, "the memory lives as long as the view"


def test_what_does_not_fit_is_refused() -> None:
    arena = Arena({"x": 48}, debug=False)
    with pytest.raises(EngineError, match=r"'x' has 48 bytes, and float32 of shape \(13,\) needs 52"):
        arena.array("x", "float32", (13,))
    with pytest.raises(EngineError, match="there is no 'y'; it has x"):
        arena.address("y")
    with pytest.raises(EngineError, match="the size of 'x' must not be negative, found -1"):
        Arena({"x": -1})
    with pytest.raises(EngineError, match="has no 953674316 MB of memory left"):
        Arena({"x": 10**15}, debug=False)


def test_the_environment_turns_it_on(monkeypatch: pytest.MonkeyPatch) -> None:
    for value, expected in [("", False), ("memory", True), ("other,memory", True), ("memoryless", False)]:
        monkeypatch.setenv("PAPERBACK_DEBUG", value)
        assert Arena({"x": 4}).debug == expected
        assert Arena({"x": 4}, debug=False).debug is False


def test_poison_is_not_a_number() -> None:
    arena = Arena(SIZES, debug=True)
    for name in ("x", "y", "v", "u"):
        assert np.isnan(arena.array(name, "float32", (SIZES[name] // 4,))).all()
        assert np.isnan(arena.array(name, "float64", (SIZES[name] // 8,))).all()
    front = np.frombuffer((ctypes.c_char * 4000).from_address(arena.address("x") - 4000), "float32")
    assert np.isnan(front).all()


@pytest.mark.parametrize("size", [4, 40, 41, 42, 43, 2048])
def test_a_byte_written_in_front_is_found_wherever_it_is(size: int) -> None:
    arena = Arena({"first": 100, "x": size, "last": 100}, debug=True)
    gap = -size % mmap.PAGESIZE
    arena.check()
    found = 0
    for distance in [*range(1, 70), gap - 1, gap]:
        byte = ctypes.c_uint8.from_address(arena.address("x") - distance)
        before, byte.value = byte.value, 0
        with pytest.raises(EngineError, match=f"'x' was overwritten: 1 bytes, the nearest {distance} before"):
            arena.check()
        byte.value = before
        found += 1
    arena.check()
    assert found == 71


CRASH = """
import ctypes, sys
from paperback.engines.llvm.machine.arena import Arena
arena = Arena({"x": 100, "y": 2 * 16384, "z": 60}, debug=True)
address = arena.address(sys.argv[1]) + int(sys.argv[2])
print("alive", flush=True)
value = (ctypes.c_uint8 * int(sys.argv[3])).from_address(address)
value[0] = value[0] if sys.argv[4] == "write" else value[0] + 0 * value[len(value) - 1]
print("well", flush=True)
"""


@pytest.mark.skipif(os.name != "posix", reason="guard pages of POSIX")
@pytest.mark.parametrize(
    ("name", "offset", "size", "how", "crashes"),
    [
        ("x", 99, 1, "write", False),
        ("x", 100, 1, "write", True),
        ("x", 100, 1, "read", True),
        ("x", 92, 8, "read", False),
        ("x", 97, 4, "read", True),
        ("y", 0, 1, "write", False),
        ("y", -1, 1, "read", True),
        ("y", 2 * 16384, 1, "read", True),
        ("z", -1, 1, "write", False),
        ("z", 60 + mmap.PAGESIZE - 1, 1, "read", True),
    ],
)
def test_an_access_beyond_a_tensor_crashes(name: str, offset: int, size: int, how: str, crashes: bool) -> None:
    command = [sys.executable, "-c", CRASH, name, str(offset), str(size), how]
    ran = subprocess.run(command, env={**os.environ, "PYTHONPATH": str(SOURCE)}, capture_output=True, text=True)
    if crashes:
        assert (ran.stdout, ran.returncode) in [("alive\n", -signal.SIGSEGV), ("alive\n", -signal.SIGBUS)]
        if sys.platform == "linux":
            size_of = {"x": 100, "y": 2 * 16384, "z": 60}[name]
            at = max(offset, min(offset + size - 1, size_of))  # the first byte that is not the tensor's
            told = re.search(r"access to 0x[0-9a-f]+, (-?\d+) bytes from the beginning of '(\w+)' of (\d+)", ran.stderr)
            assert told and told.groups() == (str(at), name, str(size_of)), ran.stderr
    else:
        assert (ran.stdout, ran.returncode) == ("alive\nwell\n", 0)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="forks")
def test_a_forked_process_has_its_own_memory() -> None:
    code = """
import os
from paperback.engines.llvm.machine.arena import Arena
x = Arena({"x": 4}, debug=False).array("x", "float32", (1,))
child = os.fork()
if not child:
    x[0] = 7
    os._exit(0)
os.waitpid(child, 0)
print(x[0])
"""
    environment = {**os.environ, "PYTHONPATH": str(SOURCE)}
    ran = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True)
    assert ran.stdout == "0.0\n", ran.stderr
