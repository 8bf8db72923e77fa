"""Running compiled programs: arrays in, arrays out, one call of native code in between.

A `Runner` compiles its program once, for every batch size. Arrays that come in are read where they are; what goes out
is written into new arrays. Everything between lives in blocks of memory that are made once per batch size.
"""

from __future__ import annotations

__all__ = ["Runner"]

import ctypes
import sys
import threading
from collections import OrderedDict
from collections.abc import Mapping
from typing import Any

import numpy as np

from paperback.engines import numpy as reference
from paperback.engines.llvm import objects
from paperback.engines.llvm.arena import Arena
from paperback.engines.llvm.buffers import BATCH, Buffer
from paperback.engines.llvm.layout import layout, scratch_places
from paperback.engines.llvm.lower import NotPerExampleError, lower, updated
from paperback.engines.llvm.module import work_per_example, write
from paperback.engines.llvm.pool import pool
from paperback.engines.llvm.target import chosen
from paperback.engines.llvm.tasks import Lowered
from paperback.engines.numpy.checks import as_array, batch_of, check_shape, float_dtype, missing_arrays
from paperback.engines.numpy.views import Array
from paperback.errors import EngineError
from paperback.notation.expr import Read, Scalar
from paperback.notation.walk import nodes
from paperback.program.program import Program

VERSION = "1"
_SHARDS = 8
_PER_SHARD = 4
_MICRO_BYTES = 640 << 10  # of scratch: it should stay in the second-level cache
_MICRO = 16
_BATCHES = 8
_WORTH_THREADS = 5_000_000  # operations: about 100 microseconds of one core
_WORTH_KEEPING = 1 << 14
_SPARE = 4


class Runner:
    """A compiled program: input arrays in, the outputs and the new values of what it updates out."""

    def __init__(self, program: Program, dtype: Any = "float32", threads: int | None = None) -> None:
        self.program = program
        self.dtype = float_dtype(dtype)
        self.threads = pool(threads).threads
        self.target = chosen()
        every = (*program.statements, *program.updates.values())
        used = {n.tensor for s in every for n in nodes(s.expr) if isinstance(n, Read)} | set(program.outputs)
        used |= {n.name for s in every for n in nodes(s.expr) if isinstance(n, Scalar)}
        needed = [t for t in program.inputs if t.name in used]
        if not any(program.batch in axis.names for t in needed for axis in t.axes):
            needed += [t for t in program.by_role("input") if any(program.batch in a.names for a in t.axes)][:1]
        self.needed = tuple(needed)
        self._compiled: OrderedDict[int | None, _Compiled] = OrderedDict()
        try:
            self._general: _Compiled | None = _Compiled(lower(program), self, None)
        except NotPerExampleError:
            self._general = None

    def __call__(self, arrays: Mapping[str, Any]) -> dict[str, Array]:
        missing = [t.name for t in self.needed if t.name not in arrays]
        if missing:
            raise missing_arrays(missing, [t.name for t in self.needed], arrays)
        values = {t.name: as_array(arrays[t.name], t.name, t.integer, self.dtype) for t in self.needed}
        batch = batch_of(self.program.batch, self.needed, values)
        sizes = {} if batch is None else {self.program.batch: batch}
        for tensor in self.needed:
            check_shape(tensor.name, tensor.axes, values[tensor.name].shape, sizes)
        out = self._for(batch).run(values, batch or 1)
        if out is None:  # an index out of range: the reference says which
            reference.compile(self.program, dtype=self.dtype)(arrays)
            raise EngineError("an index read from a tensor of integers is out of range")
        return out

    def _for(self, batch: int | None) -> _Compiled:
        if self._general is not None:
            return self._general
        one = self._compiled.get(batch)
        if one is None:
            one = self._compiled[batch] = _Compiled(lower(self.program, batch), self, batch)
            if len(self._compiled) > _BATCHES:
                self._compiled.popitem(last=False)
        self._compiled.move_to_end(batch)
        return one


class _Room:
    """The memory of one batch size: the context, the tables of pointers, and what they point to."""

    def __init__(self, compiled: _Compiled, count: int) -> None:
        shards = max(1, min(_SHARDS, -(-count // _PER_SHARD)))
        buffers = compiled.buffers.values()
        debug = Arena({}).debug
        outside = {"unread"} if debug else {"unread", "given", "result", "scratch"}  # not in memory of their own
        sizes = {"status": 8, "zeros": 16}
        for buffer in buffers:
            many = {"partial": shards, "scratch": compiled.micro}.get(buffer.kind, count if buffer.per_example else 1)
            copies = range(compiled.threads) if buffer.kind == "scratch" else (0,)
            if buffer.kind not in outside:
                sizes |= {_of(buffer, worker): buffer.size * many * buffer.bytes_per_entry for worker in copies}
        sizes |= {f"worker {worker}": compiled.scratch * compiled.micro for worker in range(compiled.threads)}
        self.arena = Arena(sizes)
        self.status = self.arena.array("status", np.int64, (1,))
        self.arena.array("zeros", np.int64, (2,))[:] = 0
        self.tables = np.zeros((compiled.threads, 2 + len(compiled.buffers)), np.uint64)
        self.tables[:, 0] = self.arena.address("status")
        self.tables[:, 1] = self.arena.address("zeros")
        for buffer in buffers:
            for worker in range(compiled.threads):
                if buffer.kind not in outside:
                    self.tables[worker, buffer.place] = self.arena.address(_of(buffer, worker))
                elif buffer.kind == "scratch":
                    place = compiled.places[buffer.name] * compiled.micro
                    self.tables[worker, buffer.place] = self.arena.address(f"worker {worker}") + place
        parallel = compiled.pool.address if compiled.work * count >= _WORTH_THREADS else 0
        self.context = np.array([count, shards, parallel, self.tables.ctypes.data], np.uint64)
        self.spare: dict[str, list[Array]] = {}

    def array(self, name: str, shape: tuple[int, ...], dtype: Any) -> Array:
        """An array that nobody else holds: one that was returned before and dropped since, or a new one."""
        spare = self.spare.setdefault(name, [])
        for k in range(len(spare)):
            if sys.getrefcount(spare[k]) == 2:  # the list's, and that of the question
                return spare[k]
        array = np.empty(shape, dtype)
        if array.nbytes >= _WORTH_KEEPING:
            spare.append(array)
            del spare[: -_SPARE]
        return array


def _of(buffer: Buffer, worker: int) -> str:
    return f"{buffer.name} of worker {worker}" if buffer.kind == "scratch" else buffer.name


class _Compiled:
    """Code, and where every tensor lives."""

    def __init__(self, lowered: Lowered, runner: Runner, batch: int | None) -> None:
        program, dtype = runner.program, runner.dtype
        self.lowered, self.dtype, self.target = lowered, dtype, runner.target
        self.threads, self.pool = runner.threads, pool(runner.threads)
        self.work = sum(map(work_per_example, lowered.tasks))
        self.lock = threading.Lock()
        self.given = tuple(t.name for t in runner.needed)
        self.results = {name: name for name in program.outputs if name not in self.given}
        self.copies = [name for name in program.outputs if name in self.given]
        self.results |= {name: updated(name) for name in program.updates}
        self.buffers = layout(lowered, self.given, set(self.results.values()), dtype)
        self.places, self.scratch = scratch_places(lowered, self.buffers)
        self.micro = max(1, min(_MICRO, _MICRO_BYTES // max(self.scratch, 1)))
        code = write(lowered, self.buffers, dtype, self.micro, self.target)
        self.library = objects.load(code, self.target, VERSION)
        self.step = ctypes.CFUNCTYPE(None, ctypes.c_void_p)(self.library.address("step"))
        self.inputs = [(name, self.buffers[name]) for name in self.given]
        self.rooms: OrderedDict[int, _Room] = OrderedDict()

    # --- running -----------------------------------------------------------------------------------------------------

    def run(self, values: Mapping[str, Array], count: int) -> dict[str, Array] | None:
        """The outputs; None where an index was out of range."""
        with self.lock:
            return self._run(values, count)

    def _run(self, values: Mapping[str, Array], count: int) -> dict[str, Array] | None:
        room = self.rooms.get(count)
        if room is None:
            room = self.rooms[count] = _Room(self, count)
            if len(self.rooms) > _BATCHES:
                self.rooms.popitem(last=False)
        self.rooms.move_to_end(count)
        out: dict[str, Array] = {}
        for name, buffer in self.inputs:
            if room.arena.debug:
                room.arena.array(name, values[name].dtype, values[name].shape)[...] = values[name]
            else:
                room.tables[:, buffer.place] = values[name].ctypes.data
        for name, tensor in self.results.items():
            buffer = self.buffers[tensor]
            shape = tuple(count if n == BATCH else n for n in buffer.shape)
            out[name] = room.array(name, shape, np.int64 if buffer.element == "i64" else self.dtype)
            if not room.arena.debug:
                room.tables[:, buffer.place] = out[name].ctypes.data
        room.status[0] = 0
        self.step(room.context.ctypes.data)
        if room.arena.debug:
            room.arena.check()
            for name, tensor in self.results.items():
                out[name][...] = room.arena.array(tensor, out[name].dtype, out[name].shape)
        return None if room.status[0] else out | {name: values[name].copy() for name in self.copies}
