"""Is short work shared by threads that are awake, or left to one? Measured, again and again: it changes no bit.

A step of some microseconds is a few regions, between which its cores wait for each other and fetch what the other
wrote. That takes a tenth of the time of the work, or as long: on virtual machines the same cores are near each other
at one time and far apart, or half another's, at the next. So a few calls are made in both ways, and the faster one is
kept for those that follow.
"""

from __future__ import annotations

__all__ = ["Pace"]

from collections.abc import Callable
from time import perf_counter
from typing import TypeVar

_WAKING = 16  # calls until those that slept are there
_TRIES = 5  # of each way; the fastest counts
_PERIOD = 1024  # calls, between one comparison and the next
_CALLS = 4096  # the same for calls that can be made for nothing
_CLEARLY = 0.97  # one thread must be so much faster

T = TypeVar("T")


class Pace:
    """Which of two addresses the work is given: of what shares it among threads that are awake, or 0.

    choose    gives the work an address
    awake     of what shares it among threads that are awake
    waking    of what wakes sleeping threads too: they sleep where the work was left to one for a while
    """

    def __init__(self, choose: Callable[[int], None], awake: int, waking: int) -> None:
        self._choose, self._awake, self._waking = choose, awake, waking
        self._turn = 0
        self._least = {True: float("inf"), False: float("inf")}

    def run(self, call: Callable[[], T], steps: int = 1) -> T:
        """Make a call of so many steps: the first ones of a period in one way and the other, the rest in the faster."""
        turn = self._turn - _WAKING
        self._turn = (self._turn + 1) % _PERIOD
        if turn >= 2 * _TRIES:
            return call()
        if turn < 0:
            self._choose(self._waking)
            return call()
        shared = turn < _TRIES
        self._choose(self._awake if shared else 0)
        start = perf_counter()
        found = call()
        self._least[shared] = min(self._least[shared], (perf_counter() - start) / steps)
        if turn == 2 * _TRIES - 1:
            alone = self._least[False] < _CLEARLY * self._least[True]
            self._choose(0 if alone else self._awake)
            self._least = dict.fromkeys(self._least, float("inf"))
        return found

    def compare(self, call: Callable[[], object]) -> int:
        """Make a call that changes nothing in both ways, and choose; after how many calls to come again."""
        self._turn = 0
        for _ in range(_WAKING + 2 * _TRIES):
            self.run(call)
        return _CALLS
