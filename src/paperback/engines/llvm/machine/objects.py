"""From LLVM IR as text to machine code in this process, by way of a cache on disk.

    modules of IR  ->  verified  ->  object code (level 2, no IR optimiser)  ->  linked into one `Library`

The generator emits code that is scheduled already, so LLVM's IR optimiser would cost time and gain nothing. Modules are
compiled in parallel threads, while the caller does what it has to do: `start` gives the library as something to wait
for, `load` waits at once. Functions may call those of other modules of the same library, and the C library's. A module
whose functions are all `optnone` is compiled in a fifth of the time.

Object code is cached (see `cache`). By default each module has an entry of its own under its text; a caller that can
name its program by a `key` gets one entry for the whole library, and `find` links it without building the IR:

    library = find(key, target, version) or load(build_modules(), target, version, key=key)

A process that forks waits for its compilers first: the child has none of these threads, and llvmlite's lock would stay
with one of them.
"""

from __future__ import annotations

__all__ = ["Library", "find", "load", "start"]

import ctypes
import functools
import itertools
import json
import os
import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import closing
from dataclasses import dataclass
from typing import Any

from paperback.engines.llvm.machine import cache
from paperback.engines.llvm.machine.target import Target, binding, llvm_version, native
from paperback.errors import EngineError

_counter = itertools.count()
_lock = threading.Lock()
_running: set[Future[_Bundle]] = set()


class Library:
    """Machine code in memory, for as long as this object lives: the caller keeps it while it uses the addresses.

    `names` are the functions it defines; `notes` is the text its maker stored with it; `size` is in bytes.
    """

    def __init__(self, tracker: Any, addresses: Mapping[str, int], notes: str, size: int) -> None:
        self._tracker = tracker  # LLVM frees the code with it
        self._addresses = addresses
        self.notes = notes
        self.size = size

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(self._addresses)

    def address(self, name: str) -> int:
        """The address of a function. Raises EngineError for a name that is not defined here."""
        try:
            return self._addresses[name]
        except KeyError:
            raise EngineError(f"the library defines no {name!r}; it has {', '.join(self._addresses)}") from None


@dataclass(frozen=True)
class _Bundle:
    """Object files, the functions they define, and notes: what an entry of the cache holds."""

    objects: tuple[bytes, ...]
    names: tuple[str, ...]
    notes: str = ""

    def pack(self) -> bytes:
        sizes = [len(code) for code in self.objects]
        head = json.dumps({"sizes": sizes, "names": self.names, "notes": self.notes}).encode()
        return b"".join((len(head).to_bytes(8, "little"), head, *self.objects))

    @staticmethod
    def unpack(content: bytes) -> _Bundle:
        start = 8 + int.from_bytes(content[:8], "little")
        head = json.loads(content[8:start])
        ends = list(itertools.accumulate(head["sizes"], initial=start))
        objects = tuple(content[begin:end] for begin, end in itertools.pairwise(ends))
        return _Bundle(objects, tuple(head["names"]), head["notes"])


def load(
    modules: Sequence[str],
    target: Target,
    generator_version: str,
    *,
    key: str | None = None,
    notes: str = "",
    threads: int | None = None,
) -> Library:
    """Compile modules of LLVM IR, or take them from the cache, and link them into one library.

    `generator_version` names the program that wrote the IR; it is part of every key. With a `key` the library is stored
    as one entry for `find`, with the `notes`; without one, each module is stored under its text. `threads` is the
    number of threads that compile, by default one per module and core.

    Raises EngineError for IR that LLVM refuses, with LLVM's words and the module's place; for names defined twice; and
    for calls of functions that nobody defines.
    """
    return start(modules, target, generator_version, key=key, notes=notes, threads=threads)()


def start(
    modules: Sequence[str],
    target: Target,
    generator_version: str,
    *,
    key: str | None = None,
    notes: str = "",
    threads: int | None = None,
) -> Callable[[], Library]:
    """Begin what `load` does, in other threads. What is returned waits for them, and returns or raises as `load`."""
    compile_one: Callable[[tuple[int, str]], _Bundle]
    if key is None:
        compile_one = functools.partial(_cached, target=target, version=generator_version)
    else:
        compile_one = functools.partial(_compiled, target=target)
    executor = ThreadPoolExecutor(min(len(modules), threads or os.cpu_count() or 1), "paperback-compile")
    waiting: list[Callable[[], _Bundle]]
    try:
        futures = [executor.submit(compile_one, item) for item in enumerate(modules)]
        waiting = [future.result for future in futures]
    except RuntimeError:  # the system gives no more threads: who waits does it
        futures, waiting = [], [functools.partial(compile_one, item) for item in enumerate(modules)]
    executor.shutdown(wait=False)  # its threads end with their last module
    for future in futures:
        _running.add(future)
        future.add_done_callback(_running.discard)

    def library() -> Library:
        parts = [wait_for() for wait_for in waiting]
        objects = tuple(code for part in parts for code in part.objects)
        names = tuple(name for part in parts for name in part.names)
        bundle = _Bundle(objects, names, notes)
        linked = _link(bundle)
        if key is not None:
            cache.write(_key(target, generator_version, "library", key), bundle.pack())
        return linked

    return library


def find(key: str, target: Target, generator_version: str, names: Iterable[str] = ()) -> Library | None:
    """The library that was stored under a key, linked; None where there is none or it lacks one of the names."""
    content = cache.read(_key(target, generator_version, "library", key))
    if content is None:
        return None
    bundle = _Bundle.unpack(content)
    return _link(bundle) if set(names) <= set(bundle.names) else None


def _key(target: Target, version: str, kind: str, text: str) -> str:
    return json.dumps([kind, version, llvm_version(), target.key, text])


def _cached(item: tuple[int, str], target: Target, version: str) -> _Bundle:
    key = _key(target, version, "module", item[1])
    content = cache.read(key)
    if content is not None:
        return _Bundle.unpack(content)
    bundle = _compiled(item, target)
    cache.write(key, bundle.pack())
    return bundle


def _compiled(item: tuple[int, str], target: Target) -> _Bundle:
    """One module's object code. Every call has its own context and machine, so that threads share nothing."""
    place, text = item
    llvm = binding()
    try:
        module = llvm.parse_assembly(text, context=llvm.create_context())
        with closing(module):  # before its context, whatever happens: an error may keep both for a while
            module.verify()
            own = [function for function in module.functions if not function.is_declaration]
            names = tuple(function.name for function in own if function.linkage == llvm.Linkage.external)
            plain = all(any(b"optnone" in line for line in function.attributes) for function in own)
            return _Bundle((_emit(target.machine(plain), module),), names)
    except RuntimeError as error:
        raise EngineError(f"LLVM refuses module {place} of the generated code: {error}") from error


def _emit(machine: Any, module: Any) -> bytes:
    """Object code. llvmlite holds one lock during every call of LLVM; this one is long and needs none."""
    emit = _unlocked_emit()
    if emit is None:
        return bytes(machine.emit_object(module))
    ffi = binding().ffi
    with ffi.OutputString() as message:
        buffer = emit(machine, module, 1, message)
        if not buffer:
            raise EngineError(f"LLVM cannot generate code: {message}")
    try:
        start = ffi.lib.LLVMPY_GetBufferStart(buffer)
        return ctypes.string_at(start, ffi.lib.LLVMPY_GetBufferSize(buffer))
    finally:
        ffi.lib.LLVMPY_DisposeMemoryBuffer(buffer)


@functools.cache
def _unlocked_emit() -> Any:
    """The function of llvmlite's C library that generates code, without llvmlite's lock; None where it has moved."""
    try:
        ffi = binding().ffi
        locked = ffi.lib.LLVMPY_TargetMachineEmitToMemory
        emit = ctypes.CDLL(ffi.lib._name, handle=ffi.lib._handle).LLVMPY_TargetMachineEmitToMemory
        emit.argtypes, emit.restype = locked.argtypes, locked.restype
    except (AttributeError, OSError):
        return None
    return emit


@functools.cache
def _jit() -> Any:
    """The one JIT of the process, which lives as long as it: code still running at exit keeps its memory."""
    return binding().create_lljit_compiler(native().machine(), use_jit_link=True)


def _link(bundle: _Bundle) -> Library:
    builder = binding().JITLibraryBuilder()
    for code in bundle.objects:
        builder.add_object_img(code)
    for name in bundle.names:
        builder.export_symbol(name)
    builder.add_current_process()
    try:
        with _lock:  # the JIT is made once
            jit = _jit()
        tracker = builder.link(jit, f"paperback-{os.getpid()}-{next(_counter)}")
    except RuntimeError as error:
        raise EngineError(f"the generated code cannot be linked: {error}") from error
    return Library(tracker, {name: tracker[name] for name in bundle.names}, bundle.notes, sum(map(len, bundle.objects)))


if hasattr(os, "register_at_fork"):
    os.register_at_fork(before=lambda: wait(list(_running)))
