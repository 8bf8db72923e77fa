"""Worker threads for generated code: `fn(context, task, worker)` for all tasks, on several cores, without Python.

`Pool(threads).address` is the address of

    void pb_parallel(void (*fn)(void *context, int64 task, int64 worker), void *context, int64 tasks)

which returns when all tasks are done. The caller is worker 0 and takes part. Which worker runs a task is left to
chance: a task's result must depend on its number alone, and `worker` serves to choose scratch memory. A region inside a
task, or one called while the pool is busy with another thread's, runs in order on its caller as worker 0. All tasks run
in the floating-point mode of IEEE 754, whatever the caller has set for its own thread.

The threads are started when the address is asked for first, spin for a while after a region, and then sleep. How they
work together: `parallel`. They end at the exit of the interpreter; a forked child gets threads of its own.
"""

from __future__ import annotations

__all__ = ["MOST_THREADS", "Pool", "available_cores", "pool"]

import atexit
import contextlib
import ctypes
import functools
import os
import threading
from pathlib import Path

from paperback.engines.llvm.machine import objects
from paperback.engines.llvm.machine.parallel import parallel, sequential
from paperback.engines.llvm.machine.target import native
from paperback.errors import EngineError

MOST_THREADS = 256
_PATIENCE = 1_000_000
"""How often a waiting thread reads its word before it sleeps: some 300 microseconds."""

_IMPATIENCE = 100
"""The same where there are more threads than cores, and a spinning thread keeps a working one from its core."""

_Region = ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_int64)
_Number = ctypes.CFUNCTYPE(None, ctypes.c_int64)
_Plain = ctypes.CFUNCTYPE(None)

_open: list[Pool] = []  # the pools whose threads run, kept alive because their code does
_shared: dict[int, Pool] = {}
_lock = threading.Lock()


class Pool:
    """`threads` workers, the caller among them; one means a plain loop. See the module for what a task may do.

    Raises EngineError for a number of threads below 1 or above 256.
    """

    def __init__(self, threads: int) -> None:
        if not 1 <= threads <= MOST_THREADS:
            raise EngineError(f"threads must be from 1 to {MOST_THREADS}, found {threads}")
        alone = threads == 1 or os.name != "posix"
        self.threads = 1 if alone else threads
        machine = native()
        module = (sequential if alone else parallel)(machine.architecture)
        self._code = objects.start([module], machine, "pool 3")
        self._library: objects.Library | None = None
        self._workers: list[threading.Thread] = []

    @property
    def address(self) -> int:
        """Of the function that runs all tasks; the threads are there from then on."""
        return self._address("pb_parallel")

    @property
    def awake(self) -> int:
        """The same for regions so short that nobody is woken for one: those who are awake help."""
        return self._address("pb_awake")

    def _address(self, function: str) -> int:
        with _lock:
            if self._library is None:
                self._library = self._code()
                if self.threads > 1:
                    _open.append(self)
                    self._start(self._library)
            return self._library.address("pb_sequential" if self.threads == 1 else function)

    def run(self, function: int, context: int, tasks: int) -> None:
        """Call the function at an address for all tasks; returns when they are done."""
        _Region(self.address)(function, context, tasks)

    def close(self) -> None:
        """End the threads. Regions still run, on their caller alone."""
        with _lock:
            if self not in _open:
                return
            _open.remove(self)
        assert self._library is not None, "it was opened"
        _Plain(self._library.address("pb_stop"))()
        for worker in self._workers:
            worker.join()
        self._workers = []

    def _start(self, library: objects.Library) -> None:
        patience = _PATIENCE if self.threads <= available_cores() else _IMPATIENCE
        _Number(library.address("pb_setup"))(patience)
        work = _Number(library.address("pb_work"))
        self._workers = []
        with contextlib.suppress(RuntimeError):  # the system gives no more threads: those there are do it all
            for number in range(1, self.threads):
                worker = threading.Thread(target=work, args=(number,), name=f"paperback-{number}", daemon=True)
                worker.start()
                self._workers.append(worker)


def pool(threads: int | None = None) -> Pool:
    """The pool of this number of threads that all share; by default, one for each available core."""
    count = available_cores() if threads is None else threads
    with _lock:
        found = _shared.get(count)
    if found is None:
        made = Pool(count)
        with _lock:
            found = _shared.setdefault(count, made)
        if found is not made:
            made.close()
    return found


@functools.cache
def available_cores() -> int:
    """The physical cores this process may use: those it is bound to, and no more than its share of processor time."""
    if not hasattr(os, "sched_getaffinity"):
        return min(MOST_THREADS, os.cpu_count() or 1)
    allowed = os.sched_getaffinity(0)
    cores = {_read(f"/sys/devices/system/cpu/cpu{cpu}/topology/thread_siblings_list") or str(cpu) for cpu in allowed}
    return max(1, min(len(cores), MOST_THREADS, int(_share() or MOST_THREADS)))


def _share() -> float | None:
    """How many cores' worth of time a container may use; None where it is not limited."""
    words = _read("/sys/fs/cgroup/cpu.max").split()
    if not words:
        words = [_read(f"/sys/fs/cgroup/cpu/cpu.cfs_{name}_us").strip() for name in ("quota", "period")]
    if len(words) == 2 and all(word.isdigit() for word in words) and int(words[1]) > 0:
        return int(words[0]) / int(words[1])
    return None


def _read(path: str) -> str:
    try:
        return Path(path).read_text(encoding="ascii")
    except (OSError, UnicodeDecodeError):
        return ""


def _close_all() -> None:
    for each in list(_open):
        each.close()


def _after_fork() -> None:
    """In a forked child: the threads are gone, and a lock may be held by one of them."""
    global _lock
    _lock = threading.Lock()
    for each in _open:
        if each._library is not None:
            each._start(each._library)


atexit.register(_close_all)
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
