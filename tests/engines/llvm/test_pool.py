"""Worker threads: every task runs once, a region ends when all are done, and a process ends whatever it does."""

from __future__ import annotations

import ctypes
import os
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pytest

from paperback.engines.llvm.machine import objects, parallel, pool, target
from paperback.errors import EngineError

SOURCE = Path(__file__).parents[3] / "src"
SELF = Path(__file__)

TASKS = """
define void @sum(ptr %c, i64 %task, i64 %worker) {
  %p = getelementptr i64, ptr %c, i64 %task
  %v = load i64, ptr %p
  %t = add i64 %task, 1
  %n = add i64 %v, %t
  store i64 %n, ptr %p
  ret void
}

define void @who(ptr %c, i64 %task, i64 %worker) {
  %p = getelementptr i64, ptr %c, i64 %task
  store i64 %worker, ptr %p
  ret void
}

; Says that it is there, and waits for a while until c[0] are; the worker's number goes to c[2 + task].
define void @meet(ptr %c, i64 %task, i64 %worker) {
entry:
  %there = atomicrmw add ptr %c, i64 1 seq_cst
  %p1 = getelementptr i64, ptr %c, i64 1
  %all = load i64, ptr %p1
  br label %wait
wait:
  %i = phi i64 [ 0, %entry ], [ %next, %turn ]
  %n = load atomic i64, ptr %c seq_cst, align 8
  %met = icmp sge i64 %n, %all
  br i1 %met, label %end, label %turn
turn:
  %next = add i64 %i, 1
  %patient = icmp slt i64 %next, 20000000000
  br i1 %patient, label %wait, label %end
end:
  %place = add i64 %task, 2
  %p = getelementptr i64, ptr %c, i64 %place
  store i64 %worker, ptr %p
  ret void
}

define void @halve(ptr %c, i64 %task, i64 %worker) {
  %p = getelementptr double, ptr %c, i64 %task
  %x = load double, ptr %p
  %y = fmul double %x, 0.5
  store double %y, ptr %p
  ret void
}

; A region in a region: c[0] is pb_parallel, c[1] is sum, what follows is for each task 4 numbers.
define void @nest(ptr %c, i64 %task, i64 %worker) {
  %parallel = load ptr, ptr %c
  %p1 = getelementptr i64, ptr %c, i64 1
  %sum = load ptr, ptr %p1
  %n = mul i64 %task, 4
  %place = add i64 %n, 2
  %p = getelementptr i64, ptr %c, i64 %place
  call void %parallel(ptr %sum, ptr %p, i64 4)
  ret void
}

define void @repeat(ptr %parallel, ptr %fn, ptr %c, i64 %tasks, i64 %times) {
entry:
  br label %loop
loop:
  %i = phi i64 [ 0, %entry ], [ %j, %loop ]
  call void %parallel(ptr %fn, ptr %c, i64 %tasks)
  %j = add i64 %i, 1
  %more = icmp slt i64 %j, %times
  br i1 %more, label %loop, label %end
end:
  ret void
}
"""

LIBRARY = objects.load([TASKS], target.native(), "test")
Numbers = np.ndarray[tuple[int], np.dtype[np.int64]]


def region(which: pool.Pool, name: str, context: Numbers, tasks: int, times: int = 1, short: bool = False) -> None:
    """Regions one after the other, called from native code."""
    kinds = [ctypes.c_void_p] * 3 + [ctypes.c_int64] * 2
    repeat = ctypes.CFUNCTYPE(None, *kinds)(LIBRARY.address("repeat"))
    repeat(which.awake if short else which.address, LIBRARY.address(name), context.ctypes.data, tasks, times)


def sums(which: pool.Pool, tasks: int, times: int, short: bool = False) -> bool:
    """Whether every task ran exactly once in each region."""
    context = np.zeros(tasks, np.int64)
    region(which, "sum", context, tasks, times, short)
    return bool((context == times * np.arange(1, tasks + 1)).all())


def meet(which: pool.Pool, count: int, short: bool = False) -> set[int]:
    """The workers of as many tasks that wait for each other: they run at the same time, so on different threads."""
    context = np.zeros(2 + count, np.int64)
    context[1] = count
    region(which, "meet", context, count, short=short)
    assert context[0] == count
    return set(context[2:].tolist())


@pytest.mark.parametrize("threads", [1, 2, 3, 4, 8])
def test_every_task_of_a_hundred_thousand_regions_runs_once(threads: int) -> None:
    """Of long regions and short ones."""
    which = pool.Pool(threads)
    for tasks, times in [(2, 20_000), (3, 15_000), (8, 10_000), (33, 4_500), (1000, 500)]:
        assert sums(which, tasks, times) and sums(which, tasks, times, short=True), tasks
    which.close()


@pytest.mark.parametrize("threads", [2, 3, 8])
def test_the_threads_work_at_the_same_time(threads: int) -> None:
    which = pool.Pool(threads)
    for _ in range(20):
        assert meet(which, threads) == set(range(threads))
    which.close()


def test_threads_that_sleep_are_woken() -> None:
    which = pool.Pool(3)
    for _ in range(5):
        threading.Event().wait(0.02)  # longer than a worker spins
        assert meet(which, 3) == {0, 1, 2}
    which.close()


def test_those_who_sleep_are_woken_for_one_short_region_of_many() -> None:
    """Tasks that wait for each other end only where somebody was woken."""
    which = pool.Pool(2)
    assert sums(which, 2, 1)  # the thread is there
    for _ in range(3):
        threading.Event().wait(0.05)  # longer than a worker spins
        alone = np.full(2, -1, np.int64)
        for _ in range(parallel.MISSED - 1):
            region(which, "who", alone, 2, short=True)
            assert set(alone.tolist()) == {0}
        assert meet(which, 2, short=True) == {0, 1}
    which.close()


@pytest.mark.parametrize("threads", [1, 2, 3])
def test_any_number_of_tasks(threads: int) -> None:
    which = pool.pool(threads)
    assert which is pool.pool(threads) and which.threads == threads
    for tasks in (0, -1, 1, 2, 5, 100_000):
        context = np.full(max(tasks, 1), -1, np.int64)
        which.run(LIBRARY.address("who"), context.ctypes.data, tasks)
        region(which, "who", context, tasks, short=True)
        if tasks > 0:
            assert set(context.tolist()) <= set(range(threads))
        else:
            assert context[0] == -1


def test_several_threads_may_use_one_pool() -> None:
    which = pool.pool(2)
    results: list[bool] = []
    callers = [threading.Thread(target=lambda: results.append(sums(which, 7, 20_000))) for _ in range(4)]
    for caller in callers:
        caller.start()
    for caller in callers:
        caller.join(60)
    assert results == [True] * 4
    assert meet(which, 2) == {0, 1}


def test_a_region_in_a_task_runs_in_order() -> None:
    which = pool.pool(2)
    context = np.zeros(2 + 4 * 50, np.int64)
    context[:2] = which.address, LIBRARY.address("sum")
    region(which, "nest", context, 50, 100)
    assert (context[2:].reshape(50, 4) == 100 * np.arange(1, 5)).all()


FLUSH = """
declare void @llvm.x86.sse.stmxcsr(ptr)
declare void @llvm.x86.sse.ldmxcsr(ptr)
define i32 @set(i32 %mode) {
  %p = alloca i32
  call void @llvm.x86.sse.stmxcsr(ptr %p)
  %before = load i32, ptr %p
  store i32 %mode, ptr %p
  call void @llvm.x86.sse.ldmxcsr(ptr %p)
  ret i32 %before
}"""


@pytest.mark.skipif(target.native().architecture != "x86", reason="sets the mode of an x86 thread")
@pytest.mark.parametrize("threads", [1, 2])
def test_the_mode_of_the_callers_thread_changes_nothing(threads: int) -> None:
    library = objects.load([FLUSH], target.native(), "test")
    mode = ctypes.CFUNCTYPE(ctypes.c_int32, ctypes.c_int32)(library.address("set"))
    which = pool.pool(threads)
    for tasks in (1, 2, 40):
        tiny = np.full(tasks, 2.0**-1060)
        before = mode(0xFF80)  # flush denormals, take them for zeros, round towards zero
        which.run(LIBRARY.address("halve"), tiny.ctypes.data, tasks)
        after = mode(before)
        assert after == 0xFF80 != before
        assert (tiny == 2.0**-1061).all()


def test_a_closed_pool_still_computes() -> None:
    which = pool.Pool(3)
    assert not which._workers and sums(which, 9, 1000)  # they are there from the first region on
    workers = list(which._workers)
    assert sum(thread in workers for thread in threading.enumerate()) == 2
    which.close()
    which.close()
    assert len(workers) == 2 and not any(worker.is_alive() for worker in workers)
    assert sums(which, 9, 1000)


def test_a_system_without_threads_to_give(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(threading.Thread, "start", refuse)
    which = pool.Pool(4)
    assert not which._workers and sums(which, 9, 1000)
    which.close()


@pytest.mark.parametrize("threads", [0, -1, 257])
def test_a_number_of_threads_that_makes_no_sense(threads: int) -> None:
    with pytest.raises(EngineError, match=f"threads must be from 1 to 256, found {threads}"):
        pool.Pool(threads)


def test_the_checks_see_a_pool_that_loses_or_repeats_tasks(monkeypatch: pytest.MonkeyPatch) -> None:
    for right, wrong in [
        ("%task = select i1 %caller, i64 %first, i64 %last", "%task = sub i64 %last, 1"),
        ("%task = select i1 %caller, i64 %first, i64 %last", "%task = and i64 %left, 1"),
        ("%next = add nuw i64 %task, 1", "%next = add nuw i64 %task, 2"),
    ]:
        module = parallel.parallel(target.native().architecture)
        assert module.count(right) == 1
        mutant = module.replace(right, wrong)
        monkeypatch.setattr(pool, "parallel", lambda _, text=mutant: text)
        monkeypatch.setattr(pool, "sequential", lambda _, text=mutant: text)
        which = pool.Pool(1 if "nuw" in right else 2)
        context = np.zeros(12, np.int64)
        region(which, "sum", context[2:], 9, 100)
        assert not (context[2:11] == 100 * np.arange(1, 10)).all()
        which.close()
        monkeypatch.undo()


def ran_with_a_late_worker(monkeypatch: pytest.MonkeyPatch, module: str) -> list[tuple[int, int]]:
    """The tasks (region, task) that ran, where the worker pauses between its look at region 1's ticket and its claim.

    It goes on when region 2 has come as far as region 1 had, and region 2 ends after the worker has tried to claim.
    """
    ran: list[tuple[int, int]] = []
    begun, looked, released, tried = [threading.Event() for _ in range(4)]

    @ctypes.CFUNCTYPE(None, ctypes.c_int64, ctypes.c_int64)
    def pause(worker: int, ticket: int) -> None:
        if worker and ticket & 65535 == 0:
            begun.wait(60)  # until the caller has taken task 0: this claim fails, and the worker looks again
        elif worker and not looked.is_set():
            looked.set()
            released.wait(60)
        elif worker:
            tried.set()

    @ctypes.CFUNCTYPE(None, ctypes.c_int64, ctypes.c_int64, ctypes.c_int64)
    def task(region: int, number: int, worker: int) -> None:
        ran.append((region, number))
        if worker:
            tried.set()
        elif region == 1:
            begun.set()
            looked.wait(60)
        else:
            released.set()
            tried.wait(60)

    claim = "  %taken = add i64 %ticket, %change\n"
    assert module.count(claim) == 1
    address = ctypes.cast(pause, ctypes.c_void_p).value
    late = module.replace(claim, f"  call void inttoptr (i64 {address} to ptr)(i64 %worker, i64 %ticket)\n{claim}")
    monkeypatch.setattr(pool, "parallel", lambda _: late)
    which = pool.Pool(2)
    for number in (1, 2):
        which.run(ctypes.cast(task, ctypes.c_void_p).value or 0, number, 2)
    which.close()
    assert looked.is_set() and tried.is_set()
    return sorted(ran)


def test_a_worker_that_is_late_takes_nothing_of_another_region(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a region's number its ticket looks like one of the next region, and a task of the old one runs again."""
    module = parallel.parallel(target.native().architecture)
    unnumbered = module.replace("%region = add i64 %before, 4294967296", "%region = add i64 0, 0")
    assert unnumbered != module
    assert ran_with_a_late_worker(monkeypatch, module) == [(1, 0), (1, 1), (2, 0), (2, 1)]
    assert ran_with_a_late_worker(monkeypatch, unnumbered) == [(1, 0), (1, 1), (1, 1), (2, 0)]


def test_cores_are_those_the_process_may_use(monkeypatch: pytest.MonkeyPatch) -> None:
    files: dict[str, str] = {}
    monkeypatch.setattr(pool, "_read", lambda path: files.get(path, ""))
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {0, 1, 2, 5}, raising=False)
    count = pool.available_cores.__wrapped__
    assert count() == 4
    siblings = "/sys/devices/system/cpu/cpu{}/topology/thread_siblings_list"
    files.update({siblings.format(cpu): "0,1\n" if cpu < 2 else "2,5\n" for cpu in (0, 1, 2, 5)})
    assert count() == 2, "two threads of one core are one core"
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(16)))
    for limit, expected in [("max 100000", 15), ("350000 100000", 3), ("50000 100000", 1), ("", 15), ("200 0", 15)]:
        files["/sys/fs/cgroup/cpu.max"] = limit
        files[siblings.format(2)] = files[siblings.format(5)] = "2,5"
        files[siblings.format(0)] = files[siblings.format(1)] = ""
        assert count() == expected, limit
    files["/sys/fs/cgroup/cpu.max"] = ""
    older = "/sys/fs/cgroup/cpu/cpu.cfs_{}_us"
    files.update({older.format("quota"): "400\n", older.format("period"): "100\n"})
    assert count() == 4
    monkeypatch.delattr(os, "sched_getaffinity")
    monkeypatch.setattr(os, "cpu_count", lambda: 6)
    assert count() == 6


# What a process may do while the threads run: each script must end, soon and with the right words.

PRELUDE = f"""
import atexit, importlib.util, os, signal, sys, threading, time
ours = lambda: [thread for thread in threading.enumerate() if thread.name.startswith("paperback-")]
atexit.register(lambda: print("left:", len(ours()), flush=True))  # the first one in is the last one out
spec = importlib.util.spec_from_file_location("tests_pool", {str(SELF)!r})
t = importlib.util.module_from_spec(spec)
spec.loader.exec_module(t)
which = t.pool.pool(3)
assert t.meet(which, 3) == {{0, 1, 2}}
def busy():
    while True:
        t.sums(which, 7, 1000)
def fork():
    child = os.fork()
    if child:
        return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    try:
        signal.alarm(50)
        good = t.meet(which, 3) == {{0, 1, 2}} and t.sums(which, 5, 1000) and which is t.pool.pool(3)
        t.pool.Pool(2)
    finally:
        os._exit(7 if good else 1)
"""

SCRIPTS = {
    "end": ("print('end')", "end", 0),
    "error": ("raise ValueError('oops')", "ValueError: oops", 1),
    "exit": ("sys.exit(5)", "", 5),
    "exit in a thread": ("threading.Thread(target=sys.exit).start()\nprint('end')", "end", 0),
    "end while busy": ("threading.Thread(target=busy, daemon=True).start()\ntime.sleep(0.1)\nprint('end')", "end", 0),
    "end while spinning": (
        "t.pool._PATIENCE = 10**9\nlong = (t.pool.Pool(2), 7, 10**12)\n"
        "threading.Thread(target=t.sums, args=long, daemon=True).start()\ntime.sleep(0.1)\nprint('end')",
        "end", 0,
    ),
    "interrupt": (  # again later: the interpreter loses one that comes inside a callback of its own
        "signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's job in the background ignores it\n"
        "for wait in (0.2, 15, 30):\n"
        "    key = threading.Timer(wait, os.kill, (os.getpid(), signal.SIGINT))\n"
        "    key.daemon = True\n"
        "    key.start()\n"
        "busy()",
        "KeyboardInterrupt", 130,
    ),
    "fork": ("print([fork() for _ in range(5)], t.meet(which, 3))", "[7, 7, 7, 7, 7] {0, 1, 2}", 0),
    "fork while busy": (
        "threading.Thread(target=busy, daemon=True).start()\nprint([fork() for _ in range(20)] == [7] * 20)", "True", 0
    ),
    "fork and end": (
        "child = os.fork()\nif child: print(os.waitpid(child, 0)[1], 'parent', flush=True)\nelse: print('child')",
        "0 parent", 0,
    ),
    "many pools": ("for n in range(2, 12): assert t.sums(t.pool.Pool(n), 9, 100)\nprint('end')", "end", 0),
}  # fmt: skip


@pytest.mark.skipif(not hasattr(os, "fork"), reason="forks and signals")
@pytest.mark.parametrize("name", list(SCRIPTS))
def test_a_process_ends_as_it_should(name: str) -> None:
    script, words, code = SCRIPTS[name]
    environment = {**os.environ, "PYTHONPATH": str(SOURCE), "PYTHONWARNINGS": "ignore::DeprecationWarning"}
    command = [sys.executable, "-X", "faulthandler", "-c", PRELUDE + script]
    ran = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=100)
    assert words in ran.stdout + ran.stderr
    assert ran.returncode in ({130, -2} if code == 130 else {code}), ran.stderr
    assert ran.stdout.count("left: 0\n") == ran.stdout.count("left:") == (2 if name == "fork and end" else 1)
    assert "Fatal" not in ran.stderr and (code or not ran.stderr), ran.stderr
