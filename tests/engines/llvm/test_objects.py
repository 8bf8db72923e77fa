"""Modules of IR become functions that run; the cache saves their compilation and changes nothing else."""

from __future__ import annotations

import ctypes
import math
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from paperback.engines.llvm.machine import cache, objects, target
from paperback.errors import EngineError

SOURCE = Path(__file__).parents[3] / "src"
NATIVE = target.native()

SQUARE = "define double @square(double %x) { %y = fmul double %x, %x\n ret double %y }"
POLYNOMIAL = """
declare double @square(double)
declare double @exp(double)
@numbers = internal constant [3 x double] [double 2.0, double 3.0, double 5.0]
define internal double @hidden(double %x) { ret double %x }
define double @polynomial(i64 %i, double %x) {
  %p = getelementptr double, ptr @numbers, i64 %i
  %c = load double, ptr %p
  %s = call double @square(double %x)
  %e = call double @exp(double %c)
  %h = call double @hidden(double %e)
  %y = fadd double %s, %h
  ret double %y
}"""


class Compilations:
    """Counts the modules for which code is generated."""

    def __init__(self, patch: pytest.MonkeyPatch) -> None:
        self.count = 0
        emit = objects._emit

        def counting(machine: object, module: object) -> bytes:
            self.count += 1
            return emit(machine, module)

        patch.setattr(objects, "_emit", counting)


@pytest.fixture
def compilations(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Compilations]:
    """An empty cache, and the count of what is compiled."""
    monkeypatch.setenv("PAPERBACK_CACHE", str(tmp_path / "cache"))
    yield Compilations(monkeypatch)


def call(library: objects.Library, *arguments: float) -> float:
    function = ctypes.CFUNCTYPE(ctypes.c_double, ctypes.c_int64, ctypes.c_double)(library.address("polynomial"))
    return float(function(*arguments))


def test_functions_call_those_of_other_modules_and_of_the_c_library() -> None:
    for modules in ([SQUARE, POLYNOMIAL], [POLYNOMIAL, SQUARE]):
        library = objects.load(modules, NATIVE, "1")
        assert sorted(library.names) == ["polynomial", "square"]
        for i, c in enumerate((2.0, 3.0, 5.0)):
            assert call(library, i, 1.5) == pytest.approx(1.5**2 + math.exp(c), rel=1e-15)


@pytest.mark.parametrize("name", target.NAMES)
def test_every_target_runs(name: str) -> None:
    try:
        which = target.limited(name)
    except EngineError as error:
        pytest.skip(str(error))
    lanes = 16
    text = f"""define void @twice(ptr %p) {which.attributes} {{
      %x = load <{lanes} x float>, ptr %p, align 4
      %y = fadd <{lanes} x float> %x, %x
      store <{lanes} x float> %y, ptr %p, align 4
      ret void
    }}"""
    library = objects.load([text], which, "1")
    values = (ctypes.c_float * (lanes + 1))(*range(lanes + 1))
    ctypes.CFUNCTYPE(None, ctypes.c_void_p)(library.address("twice"))(ctypes.addressof(values))
    assert list(values) == [*(2.0 * i for i in range(lanes)), float(lanes)]


def test_a_module_is_compiled_once(compilations: Compilations) -> None:
    objects.load([SQUARE, POLYNOMIAL], NATIVE, "1")
    assert compilations.count == 2
    library = objects.load([SQUARE, POLYNOMIAL], NATIVE, "1")
    assert compilations.count == 2
    assert call(library, 0, 2.0) == pytest.approx(4 + math.exp(2))
    objects.load([SQUARE, POLYNOMIAL + "\n"], NATIVE, "1")
    assert compilations.count == 3


def test_all_that_code_depends_on_is_in_the_key(compilations: Compilations, monkeypatch: pytest.MonkeyPatch) -> None:
    generic = target.limited("generic")
    for which, version in [(NATIVE, "1"), (NATIVE, "2"), (generic, "1"), (generic, "2")]:
        objects.load([SQUARE], which, version)
    assert compilations.count == 4
    monkeypatch.setattr(objects, "llvm_version", lambda: "99")
    objects.load([SQUARE], NATIVE, "1")
    assert compilations.count == 5
    objects.load([SQUARE], NATIVE, "1", key=SQUARE)  # a key of one's own is another kind of key
    assert compilations.count == 6


def test_a_library_is_found_by_a_key_of_ones_own(compilations: Compilations) -> None:
    assert objects.find("my program", NATIVE, "1") is None
    objects.load([SQUARE, POLYNOMIAL], NATIVE, "1", key="my program", notes="the plan: λ")
    assert compilations.count == 2
    library = objects.find("my program", NATIVE, "1", ["square"])
    assert library is not None and library.notes == "the plan: λ"
    assert call(library, 1, 2.0) == pytest.approx(4 + math.exp(3))
    for key, which, version, names in [
        ("my program ", NATIVE, "1", ()),
        ("my program", NATIVE, "2", ()),
        ("my program", target.limited("generic"), "1", ()),
        ("my program", NATIVE, "1", ("square", "cube")),
    ]:
        assert objects.find(key, which, version, names) is None
    assert compilations.count == 2


def test_damage_is_seen_and_repaired(compilations: Compilations) -> None:
    objects.load([SQUARE], NATIVE, "1")
    objects.load([SQUARE, POLYNOMIAL], NATIVE, "1", key="mine")
    folder = cache.folder()
    assert folder is not None and compilations.count == 3
    damaged = 0
    for path in folder.iterdir():
        content = bytearray(path.read_bytes())
        content[len(content) // 2] ^= 1
        path.write_bytes(content)
        damaged += 1
    assert damaged == 2
    assert objects.find("mine", NATIVE, "1") is None
    for key, expected in [(None, 4), (None, 4), ("mine", 5)]:
        library = objects.load([SQUARE], NATIVE, "1", key=key)
        assert compilations.count == expected
        assert ctypes.CFUNCTYPE(ctypes.c_double, ctypes.c_double)(library.address("square"))(3.0) == 9.0


def test_a_module_that_says_so_is_compiled_quickly(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PAPERBACK_CACHE", "off")
    asked: list[bool] = []
    machine = target.Target.machine
    monkeypatch.setattr(target.Target, "machine", lambda own, plain=False: asked.append(plain) or machine(own, plain))
    plain = SQUARE.replace(") {", ") optnone noinline {")
    libraries = [objects.load([text], NATIVE, "1") for text in (SQUARE, plain, plain + POLYNOMIAL.split("\n", 2)[2])]
    assert asked == [False, True, False]  # one that is not so, and the module is not
    square = ctypes.CFUNCTYPE(ctypes.c_double, ctypes.c_double)
    assert [square(each.address("square"))(3.0) for each in libraries] == [9.0] * 3


def test_without_a_cache_all_still_works(compilations: Compilations, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PAPERBACK_CACHE", "off")
    for expected in (2, 4):
        assert call(objects.load([SQUARE, POLYNOMIAL], NATIVE, "1", key="mine"), 0, 0.0) == pytest.approx(math.exp(2))
        assert compilations.count == expected
    assert objects.find("mine", NATIVE, "1") is None


def test_threads_and_the_lock_of_llvmlite_make_no_difference(monkeypatch: pytest.MonkeyPatch) -> None:
    texts = [POLYNOMIAL.replace("polynomial", f"polynomial{i}").replace("fadd", "fsub") for i in range(8)]
    monkeypatch.setenv("PAPERBACK_CACHE", "off")
    packed: list[bytes] = []
    monkeypatch.setattr(objects, "_link", lambda bundle: packed.append(bundle.pack()))
    for threads in (1, 4):
        objects.load(texts, NATIVE, "1", threads=threads)
    monkeypatch.setattr(objects, "_unlocked_emit", lambda: None)
    objects.load(texts, NATIVE, "1")
    assert len(packed) == 3 and len(set(packed)) == 1 and len(packed[0]) > 8 * 500


def test_code_is_generated_without_the_lock_of_llvmlite() -> None:
    assert objects._unlocked_emit() is not None, "a new llvmlite: modules compile one after the other"


def test_code_lives_as_long_as_its_library() -> None:
    library = objects.load([SQUARE], NATIVE, "1")
    tracker = library._tracker
    others = [objects.load([SQUARE], NATIVE, "1") for _ in range(3)]
    assert len({each.address("square") for each in [library, *others]}) == 4, "no two share their variables"
    del library
    square = ctypes.CFUNCTYPE(ctypes.c_double, ctypes.c_double)
    assert [square(each.address("square"))(3.0) for each in others] == [9.0] * 3
    assert sys.getrefcount(tracker) == 2, "nothing but this test keeps the code of the first"


@pytest.mark.parametrize(
    ("modules", "message"),
    [
        ([SQUARE, "define i32 @f() { ret i33 0 }"], r"(?s)LLVM refuses module 1 of the generated code: .*i33 0"),
        (["define i32 @f() {\n %x = add i32 %y, 1\n %y = add i32 %x, 1\n ret i32 %x\n}"], "(?s)module 0 .*dominate"),
        ([POLYNOMIAL], "the generated code cannot be linked"),
        ([SQUARE, SQUARE], "cannot be linked: .*duplicate definition of symbol 'square'"),
    ],
)
def test_bad_code_is_refused(modules: list[str], message: str) -> None:
    with pytest.raises(EngineError, match=message):
        objects.load(modules, NATIVE, "1")
    assert objects.load([SQUARE], NATIVE, "1").names == ("square",)


def test_code_is_made_while_its_caller_goes_on(compilations: Compilations, monkeypatch: pytest.MonkeyPatch) -> None:
    emit, may_end = objects._emit, threading.Event()
    monkeypatch.setattr(objects, "_emit", lambda *both: emit(*both) if may_end.wait(60) else b"")
    waiting = objects.start([SQUARE, POLYNOMIAL], NATIVE, "1", key="mine")
    refused = objects.start(["define i32 @f() { ret i33 0 }"], NATIVE, "1")
    assert compilations.count == 0 and len(objects._running) >= 2
    may_end.set()
    assert call(waiting(), 0, 0.0) == pytest.approx(math.exp(2)) and objects.find("mine", NATIVE, "1") is not None
    with pytest.raises(EngineError, match="LLVM refuses module 0"):
        refused()
    assert compilations.count == 2 and not objects._running


@pytest.mark.skipif(not hasattr(os, "fork"), reason="forks")
def test_a_fork_waits_for_what_is_in_the_making(compilations: Compilations, monkeypatch: pytest.MonkeyPatch) -> None:
    emit, forking = objects._emit, threading.Event()
    monkeypatch.setattr(objects, "_emit", lambda *both: emit(*both) if forking.wait(60) else b"")
    waiting = objects.start([SQUARE], NATIVE, "1", key="mine")
    threading.Timer(0.1, forking.set).start()
    child = os.fork()
    if not child:  # it has no thread that could make the code
        os._exit(waiting().names != ("square",))
    assert os.waitpid(child, 0)[1] == 0 and compilations.count == 1


def test_a_name_that_is_not_there() -> None:
    library = objects.load([SQUARE], NATIVE, "1")
    with pytest.raises(EngineError, match="the library defines no 'cube'; it has square"):
        library.address("cube")


TWO = """
import ctypes, sys
from paperback.engines.llvm.machine import objects, target
square = "define double @square(double %x) { %y = fmul double %x, %x\\n ret double %y }"
for turn in range(12):
    key = f"program {turn}"
    library = objects.find(key, target.native(), "1") or objects.load([square], target.native(), "1", key=key)
    assert ctypes.CFUNCTYPE(ctypes.c_double, ctypes.c_double)(library.address("square"))(3.0) == 9.0
    objects.load([square + " " * turn], target.native(), "1")
print("done")
"""


def test_two_processes_share_the_cache(tmp_path: Path) -> None:
    environment = {**os.environ, "PYTHONPATH": str(SOURCE), "PAPERBACK_CACHE": str(tmp_path)}
    run = [sys.executable, "-c", TWO]
    running = [subprocess.Popen(run, env=environment, stdout=subprocess.PIPE, text=True) for _ in range(2)]
    assert [process.communicate(timeout=120)[0] for process in running] == ["done\n"] * 2
    assert len(list((tmp_path / "code").iterdir())) == 24
