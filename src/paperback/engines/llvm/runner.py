"""Running compiled programs: arrays in, arrays out, one call of native code in between.

A `Runner` compiles its program once, for every batch size. Arrays that come in are read where they are; what goes out
is written into new arrays. Everything between lives in blocks of memory that are made once per batch size.
"""

from __future__ import annotations

__all__ = ["Runner"]

import ctypes
import threading
from collections import OrderedDict
from collections.abc import Mapping
from typing import Any

from paperback.engines import numpy as reference
from paperback.engines.llvm import objects
from paperback.engines.llvm.layout import layout, scratch_places
from paperback.engines.llvm.lower import NotPerExampleError, lower, updated
from paperback.engines.llvm.module import work_per_example, write
from paperback.engines.llvm.pool import pool
from paperback.engines.llvm.room import Room
from paperback.engines.llvm.target import chosen
from paperback.engines.llvm.tasks import Lowered
from paperback.engines.numpy.checks import as_array, batch_of, check_shape, float_dtype, missing_arrays
from paperback.engines.numpy.views import Array
from paperback.engines.outcome import Outcome
from paperback.errors import EngineError
from paperback.notation.expr import Read, Scalar
from paperback.notation.walk import nodes
from paperback.program.program import Program

VERSION = "1"
_MICRO_BYTES = 640 << 10  # of scratch: it should stay in the second-level cache
_MICRO = 16
_BATCHES = 8
_WORTH_THREADS = 5_000_000  # operations: about 100 microseconds of one core


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
        self._last: tuple[_Compiled | None, Room | None] = None, None
        self._compiled: OrderedDict[int | None, _Compiled] = OrderedDict()
        self._lock = threading.Lock()
        try:
            self._general: _Compiled | None = _Compiled(lower(program), self, None)
        except NotPerExampleError:
            self._general = None

    def __call__(self, arrays: Mapping[str, Any]) -> Outcome:
        compiled, room = self._last
        if room is None or not room.accepts(arrays):
            arrays, compiled, room = self._checked(arrays)
            self._last = compiled, room
        assert compiled is not None
        out = compiled.run(room, arrays)
        if out is None:  # an index out of range: the reference says which
            reference.compile(self.program, dtype=self.dtype)(arrays)
            raise EngineError("an index read from a tensor of integers is out of range")
        return out

    def _checked(self, arrays: Mapping[str, Any]) -> tuple[dict[str, Array], _Compiled, Room]:
        """The arrays as the code needs them, the code and the memory for them."""
        missing = [t.name for t in self.needed if t.name not in arrays]
        if missing:
            raise missing_arrays(missing, [t.name for t in self.needed], arrays)
        values = {t.name: as_array(arrays[t.name], t.name, t.integer, self.dtype) for t in self.needed}
        batch = batch_of(self.program.batch, self.needed, values)
        sizes = {} if batch is None else {self.program.batch: batch}
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
                one = self._compiled[batch] = _Compiled(lower(self.program, batch), self, batch)
                if len(self._compiled) > _BATCHES:
                    self._compiled.popitem(last=False)
            self._compiled.move_to_end(batch)
        return one


class _Compiled:
    """Code, and where every tensor lives."""

    def __init__(self, lowered: Lowered, runner: Runner, batch: int | None) -> None:
        program, dtype = runner.program, runner.dtype
        self.lowered, self.dtype, self.target = lowered, dtype, runner.target
        self.threads, self.pool = runner.threads, pool(runner.threads)
        self.work = sum(map(work_per_example, lowered.tasks))
        self.lock = threading.Lock()
        given = tuple(t.name for t in runner.needed)
        self.results = {name: name for name in program.outputs if name not in given}
        self.copies = [name for name in program.outputs if name in given]
        self.results |= {name: updated(name) for name in program.updates}
        self.buffers = layout(lowered, given, set(self.results.values()), dtype)
        places, self.scratch = scratch_places(lowered, self.buffers)
        self.micro = max(1, min(_MICRO, _MICRO_BYTES // max(self.scratch, 1)))
        watched = {updated(name) for name in program.updates}
        code = write(lowered, self.buffers, watched, places, dtype, self.micro, self.target)
        self.kernels = code.kernels
        self.library = objects.load(code.modules, self.target, VERSION)
        self.step = ctypes.CFUNCTYPE(None, ctypes.c_void_p)(self.library.address("step"))
        self.rooms: OrderedDict[int, Room] = OrderedDict()

    # --- running -----------------------------------------------------------------------------------------------------

    def room(self, count: int) -> Room:
        """The memory for this many examples."""
        with self.lock:
            room = self.rooms.get(count)
            if room is None:
                parallel = self.pool.address if self.work * count >= _WORTH_THREADS else 0
                room = Room(
                    self.buffers, self.results, self.dtype, count, self.scratch, self.micro, self.threads, parallel
                )
                self.rooms[count] = room
                if len(self.rooms) > _BATCHES:
                    self.rooms.popitem(last=False)
            self.rooms.move_to_end(count)
        return room

    def run(self, room: Room, arrays: Mapping[str, Array]) -> Outcome | None:
        """The outputs; None where an index was out of range."""
        with self.lock:
            out = room.open(arrays)
            self.step(room.context)
            room.close(out)
            wrong, infinite = room.status
        if wrong:
            return None
        return Outcome(out | {name: arrays[name].copy() for name in self.copies}, not infinite)
