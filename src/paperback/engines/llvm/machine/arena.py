"""The memory of a compiled program: one block, in which each tensor begins on a cache line of its own.

What a new arena holds is undefined: zeros in fact, and poison when memory is debugged.

With PAPERBACK_DEBUG=memory (or debug=True) each tensor gets pages of its own, and every access outside of it shows:

    | no access | poison ......... | tensor | no access |
                                   ^ address

The tensor ends where the last page ends: one byte beyond it crashes the process, with a line that names the tensor (see
`crash`) and, under `python -X faulthandler`, a Python traceback. What is written in front of it `check` finds, and what
is read there is NaN, in float32 and in float64. A tensor is then aligned to its elements alone (`alignment`).
"""

from __future__ import annotations

__all__ = ["Arena"]

import ctypes
import math
import mmap
import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from paperback.engines.aligned import LINE
from paperback.engines.llvm.machine.crash import watch
from paperback.errors import EngineError

_POISON = np.array([0x7FFDA5A5], np.uint32)  # a NaN, and twice of it one of float64
_HUGE = 4 * 2**20  # from here on large pages pay
_NO_ACCESS = 0

_Bytes = np.ndarray[Any, np.dtype[np.uint8]]


@dataclass(frozen=True)
class _Place:
    """Where a tensor lies: its bytes in a block, and the block's bytes in front of it that nobody may write."""

    block: _Bytes
    start: int
    size: int
    gap: int = 0

    @property
    def address(self) -> int:
        return int(self.block.ctypes.data) + self.start

    def surroundings(self, name: str) -> tuple[str, int, int, int, int]:
        """The tensor and all of its block, as `watch` takes it."""
        low = int(self.block.ctypes.data)
        return name, low, low + self.block.size, self.address, self.size


class Arena:
    """Memory for tensors by name, `sizes` in bytes. It lives as long as this object or an array of it.

    Raises EngineError for a negative size and where the system has no memory left.
    """

    def __init__(self, sizes: Mapping[str, int], debug: bool | None = None) -> None:
        for name, size in sizes.items():
            if size < 0:
                raise EngineError(f"arena: the size of {name!r} must not be negative, found {size}")
        self.debug = "memory" in os.environ.get("PAPERBACK_DEBUG", "").split(",") if debug is None else debug
        self.alignment = 1 if self.debug else LINE
        self._places = _guarded(sizes) if self.debug else _packed(sizes)
        if self.debug:
            watch(self, [place.surroundings(name) for name, place in self._places.items()])

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(self._places)

    def address(self, name: str) -> int:
        """The address of a tensor."""
        return self._place(name).address

    def array(self, name: str, dtype: Any, shape: tuple[int, ...]) -> np.ndarray[Any, Any]:
        """A view of a tensor's memory, from its beginning. Raises EngineError where the tensor is smaller."""
        place = self._place(name)
        needed = np.dtype(dtype).itemsize * math.prod(shape)
        if needed > place.size:
            raise EngineError(
                f"arena: {name!r} has {place.size} bytes, and {np.dtype(dtype)} of shape {shape} needs {needed}"
            )
        array: np.ndarray[Any, Any] = place.block[place.start : place.start + needed].view(dtype).reshape(shape)
        return array

    def check(self) -> None:
        """Raise EngineError where anything was written in front of a tensor; finds it when memory is debugged only."""
        for name, place in self._places.items():
            found = place.block[place.start - place.gap : place.start]
            changed = np.flatnonzero(found != _poison(found.size, place.start - place.gap))
            if changed.size:
                raise EngineError(
                    f"arena: memory in front of {name!r} was overwritten: {changed.size} bytes, the nearest "
                    f"{place.gap - int(changed[-1])} before its beginning; generated code wrote outside of its tensors"
                )

    def _place(self, name: str) -> _Place:
        try:
            return self._places[name]
        except KeyError:
            raise EngineError(f"arena: there is no {name!r}; it has {', '.join(self._places)}") from None


def _packed(sizes: Mapping[str, int]) -> dict[str, _Place]:
    """One block. A line is left between tensors, or those of whole pages would share the low bits of all addresses."""
    starts: dict[str, int] = {}
    end = 0
    for name, size in sizes.items():
        starts[name] = end
        end += -(-size // LINE) * LINE + LINE
    block = _block(max(end, 1))
    return {name: _Place(block, start, sizes[name]) for name, start in starts.items()}


def _guarded(sizes: Mapping[str, int]) -> dict[str, _Place]:
    """A block for each tensor, which ends where the last page does, between two pages without access."""
    page = mmap.PAGESIZE
    places: dict[str, _Place] = {}
    for name, size in sizes.items():
        pages = -(-size // page) * page
        block = _block(pages + 2 * page)
        block[:] = _poison(block.size, 0)
        end = page + pages
        places[name] = _Place(block, end - size, size, gap=pages - size)
        for guard in (0, end):
            _forbid(int(block.ctypes.data) + guard, page)
    return places


def _block(size: int) -> _Bytes:
    """Zeroed memory that begins on a page. A forked process has its own copy."""
    private = {"flags": mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS} if os.name == "posix" else {}
    try:
        memory = mmap.mmap(-1, size, **private)
    except (OSError, ValueError, OverflowError) as error:
        raise EngineError(f"arena: the system has no {size / 2**20:.0f} MB of memory left ({error})") from error
    if size >= _HUGE and hasattr(mmap, "MADV_HUGEPAGE"):
        memory.madvise(mmap.MADV_HUGEPAGE)
    return np.frombuffer(memory, np.uint8)


def _poison(size: int, start: int) -> _Bytes:
    """Poison for the bytes from `start` of a block on."""
    words = np.tile(_POISON, size // 4 + 2).view(np.uint8)
    return words[start % 4 : start % 4 + size]


def _forbid(address: int, size: int) -> None:
    """Let every access to these pages crash, where the system can do that."""
    if os.name != "posix":
        return
    protect = ctypes.CDLL(None, use_errno=True).mprotect
    protect.argtypes = (ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int)
    if protect(address, size, _NO_ACCESS):
        raise EngineError(f"arena: the system refuses guard pages: {os.strerror(ctypes.get_errno())}")
