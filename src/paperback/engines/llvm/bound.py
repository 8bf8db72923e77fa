"""A program as a function of one array, all else that is given as it was: the shortest way into native code and back.

Small arrays are copied to where the code reads, and small results from where it writes, so that the table of pointers
stays as it is: for the time in which NumPy says where an array lies, 32 KiB are copied. Large ones are read and
written where they lie.
"""

from __future__ import annotations

__all__ = ["Bound", "bound"]

import ctypes
import threading
from collections.abc import Callable, Mapping
from typing import Any

from numpy import ndarray

from paperback.engines.aligned import aligned_empty
from paperback.engines.llvm.machine.objects import Library
from paperback.engines.llvm.room import Room
from paperback.engines.numpy.views import Array
from paperback.engines.outcome import Outcome

_SMALL = 32 << 10  # bytes
_FIRST = 64  # calls, before threads are compared with one

Bound = Callable[[object], "Array | None"]


def bound(
    room: Room, library: Library, lock: threading.Lock, arrays: Mapping[str, Any], name: str, output: str
) -> Bound | None:
    """An output as a function of the array of this name; None where more of what is given would have to be looked at.

    The function takes anything, and returns None for what must be looked at in full: what is no array of the same shape
    and type, or holds NaN or infinity, and where the step finds an index out of range.

    room      at whose table the function looks first: others use it too
    library   has the code
    lock      of the room
    """
    if room.arena.debug or room.back or [one.name for one in room.others] != [name]:
        return None
    one, context = room.others[0], room.context
    place, shape, dtype = one.place, one.shape, one.dtype
    run = ctypes.CFUNCTYPE(ctypes.c_int64, ctypes.c_void_p)(library.address("answer"))
    with lock:
        outside = room.unheld().arrays[output]
    inside = aligned_empty(shape, dtype)
    take, give_back = lock.acquire, lock.release  # `with` takes longer
    mine = [library]  # the owner that the room knows; and the code must not go before the function does

    def open_with(array: Array) -> Outcome:
        opened = room.open({**arrays, name: array})
        assert opened is not None, "checked arrays can be read where they are"
        room.own(mine)
        return opened

    pace, left = room.pace, _FIRST

    def small(array: object) -> Array | None:
        nonlocal outside, left
        if type(array) is not ndarray or array.shape != shape or array.dtype != dtype:
            return None
        take()
        try:
            new = room.owner is not mine
            if new:
                outside = open_with(inside)[output]
            inside[...] = array
            wrong = run(context)
            if new and not wrong:
                room.own(mine, ready=True)
            if pace is not None:
                left -= 1
                if not left:
                    left = pace.compare(lambda: run(context))
            return None if wrong else outside.copy()
        finally:
            give_back()

    def large(array: object) -> Array | None:
        if not one.fits(array):
            return None
        assert isinstance(array, ndarray)
        with lock:
            if room.owner is not mine:
                open_with(array)
            results = room.again(place, array)
            return None if room.run(lambda: run(context)) else results.arrays[output][...]

    return small if inside.nbytes + outside.nbytes <= _SMALL else large
