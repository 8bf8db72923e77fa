"""Running compiled programs: arrays in, arrays out, one call of native code in between.

A `Runner` compiles its program once, for every batch size. Arrays that come in are read where they are; what goes out
is written into new arrays. Everything between lives in blocks of memory that are made once per batch size.

A program may come with a name, a text that no other program has. Then it is looked up in the cache first, and neither
made nor lowered where it is found.
"""

from __future__ import annotations

__all__ = ["Runner"]

import ctypes
import functools
import gc
import json
import threading
from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from paperback.engines import llvm
from paperback.engines import numpy as reference
from paperback.engines.llvm.bound import Bound, bound
from paperback.engines.llvm.code.drivers import CONTEXT, cost_where_cut, is_worth_cutting, work_per_example
from paperback.engines.llvm.code.kernels import Code, Kernel
from paperback.engines.llvm.code.module import Writer
from paperback.engines.llvm.lowering.layout import is_wide, layout, scratch_places, unshared
from paperback.engines.llvm.lowering.lower import NotPerExampleError, lower, updated
from paperback.engines.llvm.lowering.winograd import wanted
from paperback.engines.llvm.machine import cache, objects
from paperback.engines.llvm.machine.arena import Arena
from paperback.engines.llvm.machine.pool import pool
from paperback.engines.llvm.machine.target import chosen, llvm_version
from paperback.engines.llvm.room import Room, shards_of
from paperback.engines.llvm.series import run_series
from paperback.engines.llvm.stored import Frame, sources
from paperback.engines.numpy.checks import as_array, batch_of, check_shape, float_dtype, missing_arrays
from paperback.engines.numpy.views import Array
from paperback.engines.outcome import Outcome
from paperback.errors import EngineError
from paperback.notation.expr import Read, Scalar
from paperback.notation.walk import nodes
from paperback.program.program import Program, ProgramTensor

if TYPE_CHECKING:
    from paperback.engines.llvm.plan import Plan

VERSION = "24"
_MICRO_BYTES = 640 << 10  # of scratch: it should stay in the second-level cache
_MICRO = 16
_WIDE_MICRO_BYTES = 4 << 20  # of scratch, where weights are read from memory for every micro-batch
_WIDE_MICRO = 64
_BATCHES = 8
_STEPS = (ctypes.c_void_p, ctypes.c_int64, ctypes.c_void_p, ctypes.c_int64, ctypes.c_int64, ctypes.c_void_p)
_WORTH_WAKING = 5_000_000  # operations: some 50 microseconds of one core, and to wake a thread takes 10
_WORTH_THREADS = 100_000  # that are worth the help of threads that are awake
_MOSTLY = 0.85  # of a step that changes weights must be cut: else cores fetch more than they save


class _OutOfRangeError(Exception):
    """An index that was read from a tensor of integers means nothing."""


class Runner:
    """A compiled program: input arrays in, the outputs and the new values of what it updates out.

    program   or what makes it, for one that comes with a `name`
    name      all that the program is made of, as text; None for one that is not looked up
    """

    def __init__(
        self,
        program: Program | Callable[[], Program],
        dtype: Any = "float32",
        threads: int | None = None,
        name: str | None = None,
    ) -> None:
        self._source, self._name = program, name
        self.dtype = float_dtype(dtype)
        self.threads = pool(threads).threads
        self.target = chosen()
        self._last: tuple[_Compiled | None, Room | None] = None, None
        self._last_series: tuple[_Compiled | None, Room | None] = None, None
        self._compiled: OrderedDict[int | None, _Compiled] = OrderedDict()
        self._lock = threading.Lock()
        try:
            self._general: _Compiled | None = self._made(None)
            self.needed, self.batch = self._general.frame.needed, self._general.frame.batch
        except NotPerExampleError:
            self._general = None
            self.needed, self.batch = _needed(self.program), self.program.batch

    @functools.cached_property
    def program(self) -> Program:
        return self._source if isinstance(self._source, Program) else self._source()

    def __call__(self, arrays: Mapping[str, Any]) -> Outcome:
        compiled, room = self._last
        try:
            # a mapping that is no dict may make an array whenever it is asked for one
            out = compiled.run(room, arrays) if compiled and room and type(arrays) is dict else None
            if out is None:  # not like the last ones
                arrays, compiled, room = self._checked(arrays)
                self._last = compiled, room
                out = compiled.run(room, arrays)
        except _OutOfRangeError:
            reference.compile(self.program, dtype=self.dtype)(arrays)  # which says where
            raise EngineError("an index read from a tensor of integers is out of range") from None
        assert out is not None, "checked arrays can be read where they are"
        return out

    def repeat(self, arrays: Mapping[str, Any], each: Mapping[str, Array], count: int) -> tuple[Outcome, int] | None:
        """So many steps without Python between, each given the new values of the one before; see `series`.

        arrays    of the first step, as for a call, but for those that differ from step to step: they are in `each`,
                  with an axis for the steps in front
        Returns every step's outputs with the last new values, and how many steps there were: it ends before one that
        makes NaN or infinity, or finds an index out of range. None where the arrays must be looked at step by step.
        """
        compiled, room = self._last_series
        found = compiled.repeat(room, arrays, each, count) if compiled and room else None
        if found is None:  # not like the last ones
            first = {**arrays, **{name: array[0] for name, array in each.items()}}
            _, compiled, room = self._checked(first)
            self._last_series = compiled, room
            found = compiled.repeat(room, arrays, each, count)
        return found

    def bind(self, arrays: Mapping[str, Any], name: str, output: str) -> Bound | None:
        """An output as a function of one of these arrays alone, as long as the others stay as they are: see `bound`."""
        values, compiled, room = self._checked(arrays)
        if compiled.frame.copies:
            return None
        return bound(room, compiled.library, compiled.lock, values, name, output)

    def plan(self, batch: int = 32, arrays: Mapping[str, Any] | None = None) -> Plan:
        """What runs for a batch of this size; with arrays for it, measured on them."""
        if arrays is None:
            compiled = self._for(batch)
            return compiled.plan(self.program, compiled.room(batch), batch, None)
        self(arrays)  # checks them, and warms everything up
        values, compiled, room = self._checked(arrays)
        return compiled.plan(self.program, room, batch, values)

    def _checked(self, arrays: Mapping[str, Any]) -> tuple[dict[str, Array], _Compiled, Room]:
        """The arrays as the code needs them, the code and the memory for them."""
        missing = [t.name for t in self.needed if t.name not in arrays]
        if missing:
            raise missing_arrays(missing, [t.name for t in self.needed], arrays)
        values = {t.name: as_array(arrays[t.name], t.name, t.integer, self.dtype) for t in self.needed}
        batch = batch_of(self.batch, self.needed, values)
        sizes = {} if batch is None else {self.batch: batch}
        for tensor in self.needed:
            check_shape(tensor.name, tensor.axes, values[tensor.name].shape, sizes)
        compiled = self._for(batch)
        return values, compiled, compiled.room(batch or 1)

    def _for(self, batch: int | None) -> _Compiled:
        if self._general is not None:
            return self._general
        with self._lock:
            one = self._compiled.get(batch)
            if one is None:
                one = self._compiled[batch] = self._made(batch)
                if len(self._compiled) > _BATCHES:
                    self._compiled.popitem(last=False)
            self._compiled.move_to_end(batch)
        return one

    # --- compiling ---------------------------------------------------------------------------------------------------

    def _made(self, batch: int | None) -> _Compiled:
        """The code, from the cache or made now; for one batch size, where one is given."""
        key = self._key(batch)
        library = objects.find(key, self.target, VERSION, ["step", "steps", "answer"]) if key else None
        if library is not None:
            found = library
            return _Compiled(Frame.read(found.notes), lambda: found, self, lambda: self._written(batch)[1].kernels)
        with _uncollected():
            frame, code = self._written(batch)
        made = objects.start(code.modules, self.target, VERSION, key=key, notes=frame.text if key else "")
        kernels = code.kernels
        return _Compiled(frame, made, self, lambda: kernels)

    def _key(self, batch: int | None) -> str | None:
        """All that the code and the frame depend on; None for a program without a name."""
        version = sources() if self._name is not None else None
        if version is None:
            return None
        return json.dumps([version, self._name, self.dtype.name, batch, Arena({}).debug, wanted(self.dtype.name)])

    def _written(self, batch: int | None) -> tuple[Frame, Code]:
        program, dtype = self.program, self.dtype
        lowered = lower(program, batch, wanted(dtype.name))
        needed = _needed(program)
        given = tuple(t.name for t in needed)
        results = {name: name for name in program.outputs if name not in given}
        copies = tuple(name for name in program.outputs if name in given)
        results |= {name: updated(name) for name in program.updates}
        buffers = layout(lowered, given, set(results.values()), dtype)
        debug = Arena({}).debug
        watched = {updated(name) for name in program.updates}
        writer = Writer(lowered, unshared(buffers) if debug else buffers, watched, dtype, self.target)
        places, scratch = scratch_places([[run.tasks for run in runs] for runs in writer.runs], buffers)
        most, room = (_WIDE_MICRO, _WIDE_MICRO_BYTES) if is_wide(buffers) else (_MICRO, _MICRO_BYTES)
        micro = 1 << (max(1, min(most, room // max(scratch, 1))).bit_length() - 1)  # shards are such numbers too
        if debug:  # in the same micro-batches: the same bits
            buffers, places, scratch = unshared(buffers), {}, 0
        code = writer.write(places, micro)
        work = sum(map(work_per_example, lowered.tasks))
        shard = [kernel for kernel in code.kernels if kernel.part == "shard"]
        costs = [(work_per_example(k.task), cost_where_cut(k, buffers)) for k in shard]
        return Frame(needed, program.batch, results, copies, buffers, scratch, micro, work, costs), code


@contextmanager
def _uncollected() -> Iterator[None]:
    """No search for garbage inside: it would go through all that is being made, again and again, and find it in use."""
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()


def _needed(program: Program) -> tuple[ProgramTensor, ...]:
    """The tensors that must be given; one of them shows the size of the batch, where there is one."""
    every = (*program.statements, *program.updates.values())
    used = {n.tensor for s in every for n in nodes(s.expr) if isinstance(n, Read)} | set(program.outputs)
    used |= {n.name for s in every for n in nodes(s.expr) if isinstance(n, Scalar)}
    needed = [t for t in program.inputs if t.name in used]
    if not any(program.batch in axis.names for t in needed for axis in t.axes):
        needed += [t for t in program.by_role("input") if any(program.batch in a.names for a in t.axes)][:1]
    return tuple(needed)


class _Compiled:
    """Code, and where every tensor lives. The code may be in the making: what needs it first waits for it."""

    def __init__(
        self, frame: Frame, library: Callable[[], objects.Library], runner: Runner,
        kernels: Callable[[], tuple[Kernel, ...]],
    ) -> None:  # fmt: skip
        self.frame, self.dtype, self.target = frame, runner.dtype, runner.target
        self.threads, self.pool = runner.threads, pool(runner.threads)
        self.lock = threading.Lock()
        self.rooms: OrderedDict[int, Room] = OrderedDict()
        self._library, self._kernels = library, kernels

    @functools.cached_property
    def library(self) -> objects.Library:
        return self._library()

    @functools.cached_property
    def step(self) -> Callable[[int], None]:
        return ctypes.CFUNCTYPE(None, ctypes.c_void_p)(self.library.address("step"))

    @functools.cached_property
    def steps(self) -> Callable[[int, int, int, int, int, int], int]:
        return ctypes.CFUNCTYPE(ctypes.c_int64, *_STEPS)(self.library.address("steps"))

    @functools.cached_property
    def kernels(self) -> tuple[Kernel, ...]:
        """What was written: written again where the code came from the cache."""
        return self._kernels()

    # --- running -----------------------------------------------------------------------------------------------------

    def room(self, count: int) -> Room:
        """The memory for this many examples."""
        with self.lock:
            room = self.rooms.get(count)
            if room is None:
                frame = self.frame
                work, parallel, waking = frame.work * count, 0, 0
                if work >= _WORTH_THREADS and self._is_shared(count):
                    parallel = self.pool.address
                    if work < _WORTH_WAKING:
                        parallel, waking = self.pool.awake, parallel if self.threads > 1 else 0
                room = Room(
                    frame.buffers, frame.results, self.dtype, count, frame.scratch, frame.micro, self.threads, parallel,
                    frame.work, waking,
                )  # fmt: skip
                self.rooms[count] = room
                if len(self.rooms) > _BATCHES:
                    self.rooms.popitem(last=False)
            self.rooms.move_to_end(count)
        return room

    def _is_shared(self, count: int) -> bool:
        """Does a batch have work for several threads: shards, or kernels that are cut?"""
        frame = self.frame
        learns = any(updated(name) in frame.buffers for name in frame.buffers)
        if not learns or shards_of(frame.buffers, count, frame.work) > 1:
            return True
        cut = sum(cost for _, cost in frame.costs if is_worth_cutting(cost * count))
        return cut >= _MOSTLY * sum(max(pair) for pair in frame.costs)

    def run(self, room: Room, arrays: Mapping[str, Any]) -> Outcome | None:
        """The outputs; None where an array cannot be read where it is."""
        with self.lock:
            out = room.open(arrays)
            if out is None:
                return None
            room.run(lambda: self.step(room.context))
            room.close(out)
            wrong, infinite = room.status
        if wrong:
            raise _OutOfRangeError
        for name in self.frame.copies:
            out[name] = arrays[name].copy()
        out.finite = not infinite
        return out

    def repeat(
        self, room: Room, arrays: Mapping[str, Any], each: Mapping[str, Array], count: int
    ) -> tuple[Outcome, int] | None:
        """See `Runner.repeat`."""
        if self.frame.copies:
            return None
        with self.lock:
            return run_series(room, self.steps, arrays, each, count)

    # --- explaining --------------------------------------------------------------------------------------------------

    def plan(self, program: Program, room: Room, batch: int, arrays: Mapping[str, Array] | None) -> Plan:
        """The page of what runs in a room; with arrays, measured."""
        shards = int(room.fields[CONTEXT.index("S")])
        lanes = self.target.lanes(self.dtype.name)
        known = llvm.explain.Explained(self.kernels, self.frame.buffers, self.target, lanes, batch, shards)
        times: llvm.explain.Times | None = None
        if arrays is not None:
            with self.lock:
                out = room.open(arrays)
                assert out is not None, "checked arrays can be read where they are"
                step = functools.partial(self.step, room.context)
                times = llvm.explain.measure(self.kernels, self.library, room, self.frame.micro, step)
                room.close(out)
        threads = self.threads if room.parallel else 1
        machine = {
            "threads": str(threads) + ("" if threads == self.threads else f" of {self.threads}: little work"),
            "cache": f"{cache.describe()}; LLVM {llvm_version()}, generator {VERSION}",
        }
        scratch, micro = self.frame.scratch, self.frame.micro
        memory = {"scratch per example": scratch, "scratch of a thread": scratch * micro, "code": self.library.size}
        return llvm.explain.explain(known, program, micro, memory, machine, times)
