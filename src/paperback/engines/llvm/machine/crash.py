"""Names the tensor behind a crash: in debug mode, an access beyond a tensor ends the process, and this says which.

A handler in LLVM IR for the signal of a bad access looks the address up in a table of the tensors and their guard
pages, writes one line to the standard error, and gives the signal to whoever handled it before (`faulthandler` prints
the Python traceback). Linux only; elsewhere nothing is written.
"""

from __future__ import annotations

__all__ = ["watch"]

import ctypes
import functools
import signal
import sys
import weakref
from collections.abc import Iterable

from paperback.engines.llvm.machine import objects
from paperback.engines.llvm.machine.target import native
from paperback.errors import EngineError

_MOST = 8192  # tensors at a time; those beyond it stay nameless
_SIGINFO = 4  # the flag of sigaction: the handler is told the address
_SIZE = 152  # bytes of the system's sigaction: handler, mask of 128 bytes, flags
_FLAGS = 136


class _Entry(ctypes.Structure):
    """A tensor: what lies around it (`low` to `high`, the guard pages included), where it begins, its size and name."""

    _fields_ = [
        ("low", ctypes.c_uint64),
        ("high", ctypes.c_uint64),
        ("address", ctypes.c_uint64),
        ("size", ctypes.c_uint64),
        ("name", ctypes.c_char_p),
    ]


_table = (_Entry * _MOST)()
_free = list(range(_MOST))

_HANDLER = """
%entry = type { i64, i64, i64, i64, ptr }
@before = global [152 x i8] zeroinitializer, align 16
@table = internal global ptr null
@count = internal global i64 0
@line = internal constant [65 x i8] c"access to %p, %ld bytes from the beginning of '%s' of %ld bytes\\0A\\00"
declare i32 @dprintf(i32, ptr, ...)
declare i32 @sigaction(i32, ptr, ptr)

define ptr @setup(ptr %table, i64 %count) {
  store ptr %table, ptr @table
  store i64 %count, ptr @count
  ret ptr @before
}

define void @handle(i32 %signal, ptr %info, ptr %machine) {
entry:
  %field = getelementptr i8, ptr %info, i64 16
  %at = load i64, ptr %field
  %table = load ptr, ptr @table
  %count = load i64, ptr @count
  br label %look
look:
  %i = phi i64 [ 0, %entry ], [ %next, %on ]
  %low.p = getelementptr %entry, ptr %table, i64 %i, i32 0
  %high.p = getelementptr %entry, ptr %table, i64 %i, i32 1
  %low = load i64, ptr %low.p
  %high = load i64, ptr %high.p
  %above = icmp uge i64 %at, %low
  %below = icmp ult i64 %at, %high
  %here = and i1 %above, %below
  br i1 %here, label %tell, label %on
tell:
  %address.p = getelementptr %entry, ptr %table, i64 %i, i32 2
  %size.p = getelementptr %entry, ptr %table, i64 %i, i32 3
  %name.p = getelementptr %entry, ptr %table, i64 %i, i32 4
  %address = load i64, ptr %address.p
  %size = load i64, ptr %size.p
  %name = load ptr, ptr %name.p
  %distance = sub i64 %at, %address
  call i32 (i32, ptr, ...) @dprintf(i32 2, ptr @line, i64 %at, i64 %distance, ptr %name, i64 %size)
  br label %end
on:
  %next = add i64 %i, 1
  %more = icmp ult i64 %next, %count
  br i1 %more, label %look, label %end
end:
  call i32 @sigaction(i32 %signal, ptr @before, ptr null)
  ret void
}
"""


def watch(owner: object, tensors: Iterable[tuple[str, int, int, int, int]]) -> None:
    """Name these tensors if an access between `low` and `high` crashes, for as long as the owner lives.

    `tensors` are (name, low, high, address, size).
    """
    if sys.platform != "linux":
        return
    try:
        _install()
    except EngineError:  # no LLVM: the crash has no name
        return
    for name, low, high, address, size in tensors:
        if _free:
            place = _free.pop()
            _table[place] = _Entry(low, high, address, size, name.encode())
            weakref.finalize(owner, _forget, place).atexit = False


def _forget(place: int) -> None:
    _table[place] = _Entry()
    _free.append(place)


@functools.cache
def _handler() -> objects.Library:
    return objects.load([_HANDLER], native(), "crash 1")


def _install() -> None:
    """Handle the signal, unless that is so already."""
    handler = _handler().address("handle")
    setup = ctypes.CFUNCTYPE(ctypes.c_void_p, ctypes.c_void_p, ctypes.c_int64)(_handler().address("setup"))
    before = setup(ctypes.addressof(_table), _MOST)
    action = ctypes.create_string_buffer(_SIZE)
    ctypes.c_uint64.from_buffer(action).value = handler
    ctypes.c_int32.from_buffer(action, _FLAGS).value = _SIGINFO
    sigaction = ctypes.CDLL(None).sigaction
    sigaction.argtypes = (ctypes.c_int, ctypes.c_void_p, ctypes.c_void_p)
    current = ctypes.create_string_buffer(_SIZE)
    sigaction(signal.SIGSEGV, None, current)
    if ctypes.c_uint64.from_buffer(current).value != handler:
        ctypes.memmove(before, current, _SIZE)
        sigaction(signal.SIGSEGV, action, None)
