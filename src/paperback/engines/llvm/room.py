"""The memory of a compiled program at one batch size, made once: what kernels find through their table of pointers.

Results are written into arrays that are handed out. One that has been dropped by everybody since is used again: a step
allocates nothing.
"""

from __future__ import annotations

__all__ = ["Given", "Results", "Room"]

import ctypes
import sys
from collections.abc import Callable, Mapping
from operator import attrgetter, is_
from typing import Any, TypeVar

import numpy as np

from paperback.engines.aligned import aligned_empty
from paperback.engines.llvm.code.drivers import CONTEXT
from paperback.engines.llvm.lowering.buffers import BATCH, Buffer
from paperback.engines.llvm.lowering.layout import is_wide
from paperback.engines.llvm.machine.arena import Arena
from paperback.engines.llvm.pace import Pace
from paperback.engines.numpy.views import Array
from paperback.engines.outcome import Outcome

_PARALLEL, _READY = CONTEXT.index("parallel"), CONTEXT.index("ready")
_SHARDS = 8
_LEAST_EXAMPLES = 2  # of a shard
_LEAST_WORK = 3_000_000  # operations of a shard: some 15 microseconds
_SPARE = 4
_SHAPE = attrgetter("shape")
T = TypeVar("T")
_NUMBERS = (float, np.float64, np.float32)


_CELLS = {np.dtype(t): cell for t, cell in (
    (np.float32, ctypes.c_float), (np.float64, ctypes.c_double), (np.int64, ctypes.c_int64),
)}  # fmt: skip


class Given:
    """An array of the caller's: its place in the table, what it must be to be read where it is, what holds a number."""

    def __init__(self, buffer: Buffer, count: int, dtype: np.dtype[Any]) -> None:
        self.name, self.place, self.per_example = buffer.name, buffer.place, buffer.per_example
        self.shape, self.dtype = _shape(buffer, count), _dtype(buffer, dtype)
        self.cell = _CELLS[self.dtype]()

    def fits(self, array: object) -> bool:
        """Can it be read where it is?"""
        if type(array) is not np.ndarray:
            return not self.shape and self.dtype.kind == "f" and type(array) in _NUMBERS
        return array.shape == self.shape and array.dtype == self.dtype and array.flags.c_contiguous

    def is_like(self, result: Buffer | None, count: int) -> bool:
        """Does a step hand out what the next one can be given?"""
        return result is not None and _shape(result, count) == self.shape != () and self.dtype.kind == "f"


class Results:
    """Memory for all results of a step. Views are handed out: nobody can change the shape of what is used again.

    places     where the table has the results, and their addresses
    again      the same of the given tensors of their names: a step's new parameters are given to the next one
    """

    def __init__(
        self, buffers: Mapping[str, Buffer], count: int, dtype: np.dtype[Any], given: Mapping[str, int], debug: bool
    ) -> None:
        self.arrays = {name: aligned_empty(_shape(b, count), _dtype(b, dtype)) for name, b in buffers.items()}
        self.blocks = [array.base for array in self.arrays.values()]  # of which every view is one, whatever was viewed
        self.addresses = addresses = {name: array.ctypes.data for name, array in self.arrays.items()}
        direct = [name for name in self.arrays if not debug or not self.arrays[name].shape]
        self.places = [(buffers[name].place, addresses[name]) for name in direct]
        self.again = [(place, addresses[name]) for name, place in given.items()]
        self.unheld = self.holders()

    def views(self) -> dict[str, Array]:
        """All results, by their public names."""
        return {name: array[...] for name, array in self.arrays.items()}

    def holders(self) -> int:
        """How many hold one of the arrays; `unheld` is how many that are where nobody has one."""
        return sum(map(sys.getrefcount, self.blocks))


def shards_of(buffers: Mapping[str, Buffer], count: int, work: float) -> int:
    """In how many shards a batch is cut: each is worth a thread."""
    most = 1 if is_wide(buffers) else _SHARDS
    shards = max(1, min(most, -(-count // _LEAST_EXAMPLES), int(work * count) // _LEAST_WORK))
    return 1 << shards.bit_length() - 1  # of three shards, one of two threads would have two


class Room:
    """Everything that a step at one batch size needs but the code.

    What is given is of three kinds. Of the last step's results that come `back`, as new parameters do, all is known; so
    it is of tensors that stay the same (`fixed`), which are held. All others are looked at.

    buffers     every tensor's place; `results` gives those that are handed out, by their public names
    scratch     bytes of scratch of one example; `micro` examples are worked on at a time, by each of `threads` workers
    parallel    the address of what runs tasks on threads; 0 for a plain loop
    waking      that of what wakes sleeping threads too, where `parallel` does not: then the faster way is found out
    work        operations of one example, about: a batch is cut into shards that are worth a thread
    """

    def __init__(
        self, buffers: Mapping[str, Buffer], results: Mapping[str, str], dtype: np.dtype[Any], count: int,
        scratch: int, micro: int, threads: int, parallel: int, work: float, waking: int = 0,
    ) -> None:  # fmt: skip
        shards = shards_of(buffers, count, work)
        block = scratch * micro
        sizes = {"status": 16, "zeros": 16, "scratch": block * threads}
        debug = Arena({}).debug
        for buffer in buffers.values():
            if buffer.kind in ("kept", "partial") or (debug and buffer.shape and buffer.kind in ("given", "result")):
                many = shards if buffer.kind == "partial" else count if buffer.per_example else 1
                sizes[buffer.name] = buffer.size * many * buffer.bytes_per_entry
        self.arena = Arena(sizes)
        self.status = (ctypes.c_int64 * 2).from_address(self.arena.address("status"))
        self.arena.array("zeros", np.int64, (2,))[:] = 0
        self.table = (ctypes.c_uint64 * (2 + len(buffers)))()
        self.table[0], self.table[1] = self.arena.address("status"), self.arena.address("zeros")
        for buffer in buffers.values():
            if buffer.name in self.arena.names:
                self.table[buffer.place] = self.arena.address(buffer.name)
        self.given = tuple(Given(b, count, dtype) for b in buffers.values() if b.kind == "given")
        for one in self.given:
            if not one.shape:
                self.table[one.place] = ctypes.addressof(one.cell)
        made = {name: buffers[tensor] for name, tensor in results.items()}
        self.places = {name: buffer.place for name, buffer in made.items()}
        self.updated = [name for name, tensor in results.items() if tensor != name]
        self.back = {one.name: one.place for one in self.given if not debug and one.is_like(made.get(one.name), count)}
        apart = [one for one in self.given if one.name not in self.back]
        self.fixed = [one for one in apart if one.shape and not one.per_example and not debug]
        self.fixed_names, self.fixed_shapes = [one.name for one in self.fixed], [one.shape for one in self.fixed]
        self.others = [one for one in apart if one not in self.fixed]
        self.made: Callable[[], Results] = lambda: Results(made, count, dtype, self.back, debug)
        self.spare: list[Results] = []
        self.held: list[Array] = []
        self.last: tuple[Results, list[Array]] | None = None  # and the views of what may come back
        self.owner: object = None  # of the pointers in the table, where they are all as it left them
        self.tensors = dict(results)
        fields = (count, shards, parallel, ctypes.addressof(self.table), self.arena.address("scratch"), block, 0, 0, 0)
        self.fields = (ctypes.c_uint64 * len(fields))(*fields)
        self.context = ctypes.addressof(self.fields)
        self.parallel = parallel
        self.pace = Pace(self._share, parallel, waking) if waking else None

    def _share(self, parallel: int) -> None:
        self.fields[_PARALLEL] = parallel

    def run(self, call: Callable[[], T], steps: int = 1) -> T:
        """Make a call of native code that takes so many steps, on threads where that is faster."""
        return call() if self.pace is None else self.pace.run(call, steps)

    def open(self, arrays: Mapping[str, Any]) -> Outcome | None:
        """Point the table at these arrays and at arrays for the results, which are returned; None where one of the
        arrays cannot be read where it is.
        """
        table = self.table
        self.own(None)
        rest = list(self.others)
        if self.last is not None and all(map(is_, map(arrays.get, self.back), self.last[1])):
            for place, address in self.last[0].again:
                table[place] = address
        else:
            rest += (one for one in self.given if one.name in self.back)
        same = len(self.held) == len(self.fixed) and all(map(is_, map(arrays.get, self.fixed_names), self.held))
        if not same or list(map(_SHAPE, self.held)) != self.fixed_shapes:
            rest += self.fixed
            self.held = []
        if not all(self.point(one, arrays.get(one.name)) for one in rest):
            return None
        if not self.held:
            self.held = [arrays[name] for name in self.fixed_names]
        self.last = None
        results = self.unheld()
        for place, address in results.places:
            table[place] = address
        out = Outcome(results.views())
        self.last = results, [out[name] for name in self.back]
        self.status[0] = self.status[1] = 0
        return out

    def again(self, place: int, array: Array) -> Results:
        """Another array in a place; all else that is given as `open` found it, and new memory for the results."""
        self.table[place] = array.__array_interface__["data"][0]
        results = self.unheld()
        for at, address in results.places:
            self.table[at] = address
        return results

    def forget(self) -> None:
        """What the table has is known no more."""
        self.last, self.held = None, []
        self.own(None)

    def own(self, owner: object, ready: bool = False) -> None:
        """From now on the pointers are as the owner left them; is what depends on nothing else there (`ready`)?"""
        self.owner, self.fields[_READY] = owner, ready

    def point(self, one: Given, array: Any) -> bool:
        """Point the table at what is given; False, and nothing done, where it cannot be read where it is."""
        if not one.fits(array):
            return False
        if not one.shape:
            one.cell.value = array.item() if type(array) is np.ndarray else array
        elif self.arena.debug:
            self.arena.array(one.name, one.dtype, one.shape)[...] = array
        else:
            self.table[one.place] = array.__array_interface__["data"][0]
        return True

    def unheld(self) -> Results:
        """Memory whose arrays nobody has."""
        for one in self.spare:
            if one.holders() == one.unheld:
                return one
        self.spare.append(self.made())
        del self.spare[:-_SPARE]
        return self.spare[-1]

    def close(self, out: Mapping[str, Array]) -> None:
        """After a step: look at the memory, where it is debugged."""
        if self.arena.debug:
            self.arena.check()
            for name, tensor in self.tensors.items():
                if out[name].shape:
                    out[name][...] = self.arena.array(tensor, out[name].dtype, out[name].shape)


def _shape(buffer: Buffer, count: int) -> tuple[int, ...]:
    return tuple(count if n == BATCH else n for n in buffer.shape)


def _dtype(buffer: Buffer, dtype: np.dtype[Any]) -> np.dtype[Any]:
    return np.dtype(np.int64) if buffer.element == "i64" else dtype
