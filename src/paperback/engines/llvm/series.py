"""Steps that follow one another, in one call of native code: each is given what the one before made new.

What differs from step to step lies in arrays with an axis for the steps in front, and so do the outputs. New values go
to and fro between two blocks of memory, so a step that makes NaN or infinity leaves those of the step before as they
are. See `code.steps` for the loop.
"""

from __future__ import annotations

__all__ = ["run_series"]

import ctypes
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from paperback.engines.llvm.room import Given, Results, Room
from paperback.engines.numpy.views import Array
from paperback.engines.outcome import Outcome

Steps = Callable[[int, int, int, int, int, int], int]


def run_series(
    room: Room, steps: Steps, arrays: Mapping[str, Any], each: Mapping[str, Array], count: int
) -> tuple[Outcome, int] | None:
    """(every step's outputs and the last new values, how many steps there were): it ends before one that fails.

    arrays    what the first step is given, and what stays; `each`: what differs, an axis for the steps in front
    None      where an array cannot be read where it is, where memory is debugged, or for new values of numbers
    """
    varying = [one for one in room.given if one.name in each]
    staying = [one for one in room.given if one.name not in each]
    room.forget()
    if room.arena.debug or not all(_fits(one, each[one.name], count) for one in varying):
        return None
    if not all(room.point(one, arrays.get(one.name)) for one in staying):
        return None
    if any(one.name in room.updated and one.name not in room.back for one in room.given):
        return None
    first = room.unheld()
    even = first.views()
    second = room.unheld()  # another one: the first is held now
    odd = second.views()
    stacked = {
        name: np.empty((count, *array.shape), array.dtype) for name, array in even.items() if name not in room.updated
    }
    numbers = [name for name, array in stacked.items() if array.ndim == 1]
    outputs = sorted(stacked, key=lambda name: name not in numbers)
    moving = [(room.places[name], stacked[name]) for name in outputs]
    moving += ((one.place, each[one.name]) for one in varying)
    places, addresses = _layout(room, moving, (first, second), count)
    room.status[0] = room.status[1] = 0
    given = room.context, count, _address(places), len(places), len(numbers), _address(addresses)
    done = room.run(lambda: steps(*given), count)
    for one in varying:
        if not one.shape:
            room.table[one.place] = ctypes.addressof(one.cell)
    block, views = (first, even) if done % 2 else (second, odd)
    kept = {name: views[name] for name in room.updated} if done else {}
    room.last = (block, [kept[name] for name in room.back]) if done else None
    return Outcome({name: array[:done] for name, array in stacked.items()} | kept, finite=True), done


def _layout(
    room: Room, moving: Sequence[tuple[int, Array]], blocks: tuple[Results, Results], count: int
) -> tuple[Array, Array]:
    """(places of the table, the addresses in them at every step): of what moves on from step to step, of the new values
    in the blocks in turn, and of the old ones, which are those of the step before.
    """
    places = [place for place, _ in moving] + [room.places[name] for name in room.updated]
    table = np.array([*places, *room.back.values()], np.int64)
    rows = np.empty((count, len(table)), np.uint64)
    turn = np.arange(count, dtype=np.uint64)
    for k, (_, array) in enumerate(moving):
        rows[:, k] = _address(array) + array.strides[0] * turn
    new, old = slice(len(moving), len(places)), slice(len(places), None)
    rows[::2, new], rows[1::2, new] = ([block.addresses[name] for name in room.updated] for block in blocks)
    rows[0, old] = [room.table[place] for place in room.back.values()]
    rows[1:, old] = rows[:-1, new][:, [room.updated.index(name) for name in room.back]]
    return table, rows


def _fits(one: Given, array: Array, count: int) -> bool:
    return array.shape == (count, *one.shape) and array.dtype == one.dtype and array.flags.c_contiguous


def _address(array: Array) -> int:
    address: int = array.__array_interface__["data"][0]
    return address
