"""Running compiled programs: arrays in, arrays out, one call of native code in between.

A `Runner` compiles its program once, for every batch size. Arrays that come in are read where they are; what goes out
is written into new arrays. Everything between lives in blocks of memory that are made once per batch size.
"""

from __future__ import annotations

__all__ = ["Runner"]

import ctypes
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from paperback.engines import numpy as reference
from paperback.engines.llvm import objects
from paperback.engines.llvm.buffers import BATCH, ELEMENTS, SHARDS, Buffer
from paperback.engines.llvm.lower import Lowered, NotPerExampleError, lower, updated
from paperback.engines.llvm.module import write
from paperback.engines.llvm.target import chosen
from paperback.engines.numpy.checks import as_array, batch_of, check_shape, float_dtype, missing_arrays
from paperback.engines.numpy.views import Array
from paperback.errors import EngineError
from paperback.notation.expr import Read, Scalar
from paperback.notation.walk import nodes
from paperback.program.program import Program

VERSION = "1"
_SHARDS = 8
_PER_SHARD = 4
_MICRO_BYTES = 512 << 10
_BATCHES = 8
_ALIGNMENT = 64


class Runner:
    """A compiled program: input arrays in, the outputs and the new values of what it updates out."""

    def __init__(self, program: Program, dtype: Any = "float32", threads: int | None = None) -> None:
        self.program = program
        self.dtype = float_dtype(dtype)
        self.threads = 1
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


@dataclass
class _Room:
    """The memory of one batch size: the context, the tables of pointers, and what they point to."""

    shards: int
    context: Array
    tables: Array
    blocks: list[Array]


class _Compiled:
    """Code, and where every tensor lives."""

    def __init__(self, lowered: Lowered, runner: Runner, batch: int | None) -> None:
        program, dtype = runner.program, runner.dtype
        self.lowered, self.dtype, self.target, self.workers = lowered, dtype, runner.target, runner.threads
        self.given = tuple(t.name for t in runner.needed)
        self.results = {name: name for name in program.outputs if name not in self.given}
        self.copies = [name for name in program.outputs if name in self.given]
        self.results |= {name: updated(name) for name in program.updates}
        self.element = ELEMENTS[dtype.name]
        self.buffers = self._layout()
        scratch = sum(b.size * b.bytes_per_entry for b in self.buffers.values() if b.kind == "scratch")
        self.micro = max(1, min(16, _MICRO_BYTES // max(scratch, 1)))
        code = write(lowered, self.buffers, dtype, self.micro, self.target)
        self.library = objects.load(code, self.target, VERSION)
        self.step = ctypes.CFUNCTYPE(None, ctypes.c_void_p)(self.library.address("step"))
        self.rooms: OrderedDict[int, _Room] = OrderedDict()

    def _layout(self) -> dict[str, Buffer]:
        """Every tensor's place and kind."""
        results = set(self.results.values())
        reads: dict[str, set[str]] = {}
        level: dict[str, tuple[int, str]] = {}
        for k, section in enumerate(self.lowered.sections):
            for part, tasks in (("shard", section.shard), ("join", section.join)):
                for task in tasks:
                    level[task.target] = k, part
                    for name in task.reads:
                        reads.setdefault(name, set()).add(f"{k} {part} {task.mode}")
        buffers: dict[str, Buffer] = {}
        for name in (*self.given, *level):
            shape = self.lowered.shapes[name]
            kind = "kept"
            if name in self.given:
                kind = "given"
            elif name in results:
                kind = "result"
            elif shape[:1] == (SHARDS,):
                kind = "partial"
            elif shape[:1] == (BATCH,):
                k, _ = level[name]
                own = {f"{k} shard example", f"{k} shard share"}
                if reads.get(name, set()) <= own and not self._reads_across(name):
                    kind = "scratch"
            integer = name in self.lowered.integers
            element = ("i64" if kind in ("given", "result") else "i32") if integer else self.element
            buffers[name] = Buffer(name, 2 + len(buffers), element, shape, kind)
        return buffers

    def _reads_across(self, name: str) -> bool:
        return name in self.lowered.across

    # --- running -----------------------------------------------------------------------------------------------------

    def run(self, values: Mapping[str, Array], count: int) -> dict[str, Array] | None:
        room = self.rooms.get(count)
        if room is None:
            room = self.rooms[count] = self._room(count)
            if len(self.rooms) > _BATCHES:
                self.rooms.popitem(last=False)
        self.rooms.move_to_end(count)
        out: dict[str, Array] = {}
        for name in self.given:
            if name in self.buffers:
                room.tables[:, self.buffers[name].place] = values[name].ctypes.data
        for name, tensor in self.results.items():
            buffer = self.buffers[tensor]
            shape = tuple(count if n == BATCH else n for n in buffer.shape)
            out[name] = np.empty(shape, np.int64 if buffer.element == "i64" else self.dtype)
            room.tables[:, buffer.place] = out[name].ctypes.data
        status = room.blocks[0]
        status[0] = 0
        self.step(room.context.ctypes.data)
        if status[0]:
            return None
        return out | {name: values[name].copy() for name in self.copies}

    def _room(self, count: int) -> _Room:
        shards = max(1, min(_SHARDS, -(-count // _PER_SHARD)))
        places = 2 + len(self.buffers)
        tables = np.zeros((self.workers, places), np.uint64)
        status = np.zeros(16, np.int64)
        blocks: list[Array] = [status]
        tables[:, 0] = status.ctypes.data
        tables[:, 1] = status[8:].ctypes.data
        for buffer in self.buffers.values():
            if buffer.kind in ("given", "result"):
                continue
            copies = self.workers if buffer.kind == "scratch" else 1
            entries = buffer.size
            if buffer.per_example:
                entries *= self.micro if buffer.kind == "scratch" else count
            elif buffer.kind == "partial":
                entries *= shards
            for worker in range(copies):
                block = np.empty(entries * buffer.bytes_per_entry + _ALIGNMENT, np.uint8)
                blocks.append(block)
                address = -(-block.ctypes.data // _ALIGNMENT) * _ALIGNMENT
                if copies == 1:
                    tables[:, buffer.place] = address
                else:
                    tables[worker, buffer.place] = address
        context = np.array([count, shards, 0, tables.ctypes.data], np.uint64)
        return _Room(shards, context, tables, blocks)

