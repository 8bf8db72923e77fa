"""The memory of a compiled program at one batch size, made once: what kernels find through their table of pointers.

Results are written into arrays that are handed out. One that has been dropped by everybody since is used again: a step
allocates nothing.
"""

from __future__ import annotations

__all__ = ["Room"]

import ctypes
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from paperback.engines.llvm.lowering.buffers import BATCH, Buffer
from paperback.engines.llvm.machine.arena import Arena
from paperback.engines.numpy.views import Array

_SHARDS = 8
_LEAST_EXAMPLES = 2  # of a shard
_LEAST_WORK = 4_000_000  # operations of a shard: some 20 microseconds
_SPARE = 4
_NUMBERS = (float, np.float64, np.float32)


def _references() -> int:
    """How many `_Result.take` counts to an array that nobody holds: the list's, the loop's, perhaps the question's."""
    for array, _ in [(np.empty(()), 0)]:
        count = sys.getrefcount(array)
    return count


_UNHELD = _references()


@dataclass(frozen=True)
class _Given:
    """An array of the caller's: its place in the table, and what it must be to be read where it is."""

    name: str
    place: int
    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    per_example: bool


class _Result:
    """Arrays for one result. Views of them are handed out: nobody can change the shape of what is used again."""

    def __init__(self, place: int, shape: tuple[int, ...], dtype: np.dtype[Any]) -> None:
        self.place, self.shape, self.dtype = place, shape, dtype
        self.spare: list[tuple[Array, int]] = []

    def take(self) -> tuple[Array, int]:
        """An array that nobody else holds, and its address."""
        for array, address in self.spare:
            if sys.getrefcount(array) == _UNHELD:
                return array[...], address
        array = np.empty(self.shape, self.dtype)
        self.spare.append((array, array.ctypes.data))
        del self.spare[:-_SPARE]
        return array[...], self.spare[-1][1]


class Room:
    """Everything that a step at one batch size needs but the code.

    buffers     every tensor's place; `results` gives those that are handed out, by their public names
    scratch     bytes of scratch of one example; `micro` examples are worked on at a time, by each of `threads` workers
    parallel    the address of what runs tasks on threads; 0 for a plain loop
    work        operations of one example, about: a batch is cut into shards that are worth a thread
    """

    def __init__(
        self, buffers: Mapping[str, Buffer], results: Mapping[str, str], dtype: np.dtype[Any], count: int,
        scratch: int, micro: int, threads: int, parallel: int, work: float,
    ) -> None:  # fmt: skip
        shards = max(1, min(_SHARDS, -(-count // _LEAST_EXAMPLES), int(work * count) // _LEAST_WORK))
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
        given = [b for b in buffers.values() if b.kind == "given"]
        self.given = tuple(_Given(b.name, b.place, _shape(b, count), _dtype(b, dtype), b.per_example) for b in given)
        self.held: dict[str, Array] = {}
        self.scalars = {one.name: np.zeros((), one.dtype) for one in self.given if not one.shape}
        for one in self.given:
            if not one.shape:
                self.table[one.place] = self.scalars[one.name].ctypes.data
        made = {name: buffers[tensor] for name, tensor in results.items()}
        self.results = {n: _Result(b.place, _shape(b, count), _dtype(b, dtype)) for n, b in made.items()}
        self.tensors = dict(results)
        fields = (count, shards, parallel, ctypes.addressof(self.table), self.arena.address("scratch"), block)
        self.fields = (ctypes.c_uint64 * len(fields))(*fields)
        self.context = ctypes.addressof(self.fields)

    def accepts(self, arrays: Mapping[str, Any]) -> bool:
        """Can all given arrays be read where they are?"""
        if type(arrays) is not dict:  # others may make an array when they are asked for it
            return False
        for one in self.given:
            array = arrays.get(one.name)
            if not one.shape and type(array) in _NUMBERS:
                continue
            if type(array) is not np.ndarray or array.shape != one.shape or array.dtype != one.dtype:
                return False
            if not array.flags.c_contiguous:
                return False
        return True

    def open(self, arrays: Mapping[str, Array]) -> dict[str, Array]:
        """Point the table at these arrays and at arrays for the results, which are returned."""
        debug, table = self.arena.debug, self.table
        for one in self.given:
            array = arrays[one.name]
            if not one.shape:
                self.scalars[one.name][...] = array
            elif debug:
                self.arena.array(one.name, one.dtype, one.shape)[...] = array
            elif array is not self.held.get(one.name):
                table[one.place] = array.__array_interface__["data"][0]
                if not one.per_example:
                    self.held[one.name] = array  # a parameter: the next step may bring the same
        out: dict[str, Array] = {}
        for name, result in self.results.items():
            out[name], address = result.take()
            if not debug or not result.shape:
                table[result.place] = address
        self.status[0] = self.status[1] = 0
        return out

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
