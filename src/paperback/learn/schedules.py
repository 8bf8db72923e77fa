"""Schedules: the factor of the learning rate as a function of the share s of the training that is done, 0 <= s < 1.

    Constant     1
    Step         factor^(how many of the shares `at` are reached)
    Cosine       end + (1-end)*(1 + cos(pi*s))/2                                      Loshchilov and Hutter 2017
    Warmup       start + (1-start)*s/share up to `share`, then another schedule over what is left  Goyal et al. 2017
    OneCycle     half a cosine from `start` up to 1 at the share `peak`, then one down to `end`    Smith and Topin 2019

One `fit` is the whole training: the share of step t of T (t from 0) is t/T. Any function of the share is a schedule.
"""

from __future__ import annotations

__all__ = ["SCHEDULES", "Constant", "Cosine", "OneCycle", "Schedule", "Step", "Warmup", "find_schedule"]

import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from numbers import Real

from paperback.arguments import closest
from paperback.errors import ModelError

Schedule = Callable[[float], float]


def _along(first: float, last: float, share: float) -> float:
    """Half a cosine from `first` at 0 to `last` at 1."""
    return last + (first - last) * (1 + math.cos(math.pi * share)) / 2


def _needs(where: str, name: str, what: str, value: object, good: Callable[[float], bool]) -> None:
    if not isinstance(value, Real) or not math.isfinite(value) or not good(float(value)):
        raise ModelError(f"{where}: {name} is {what}, found {value!r}; leave {name} out for the usual value")


def _inside(value: float) -> bool:
    return 0 < value < 1


def _from_0(value: float) -> bool:
    return value >= 0


@dataclass(frozen=True)
class Constant:
    """The learning rate as it is."""

    def __call__(self, share: float) -> float:
        return 1.0


@dataclass(frozen=True)
class Step:
    """The rate is multiplied by `factor` at each of the shares `at` of the training."""

    at: tuple[float, ...] = (0.5, 0.75)
    factor: float = 0.1

    def __post_init__(self) -> None:
        object.__setattr__(self, "at", tuple(self.at) if isinstance(self.at, Iterable) else (self.at,))
        for share in self.at:
            _needs("Step", "at", "shares of the training above 0 and below 1", share, _inside)
        _needs("Step", "factor", "at least 0", self.factor, _from_0)

    def __call__(self, share: float) -> float:
        return float(self.factor ** sum(share >= place for place in self.at))


@dataclass(frozen=True)
class Cosine:
    """From 1 down to `end` along half a cosine."""

    end: float = 0.0

    def __post_init__(self) -> None:
        _needs("Cosine", "end", "at least 0", self.end, _from_0)

    def __call__(self, share: float) -> float:
        return _along(1.0, self.end, share)


@dataclass(frozen=True)
class Warmup:
    """A straight line from `start` up to 1 in the first `share` of the training, then `then` over the rest."""

    share: float = 0.1
    then: Schedule = field(default_factory=Cosine)
    start: float = 0.1

    def __post_init__(self) -> None:
        _needs("Warmup", "share", "above 0 and below 1", self.share, _inside)
        _needs("Warmup", "start", "at least 0", self.start, _from_0)
        if not callable(self.then):
            raise ModelError(f"Warmup: then is a schedule, found {self.then!r}; pass then=Cosine()")

    def __call__(self, share: float) -> float:
        if share < self.share:
            return self.start + (1 - self.start) * share / self.share
        return self.then((share - self.share) / (1 - self.share))


@dataclass(frozen=True)
class OneCycle:
    """Up from `start` to 1 until the share `peak` of the training, then down to `end`."""

    peak: float = 0.3
    start: float = 1 / 25
    end: float = 4e-6

    def __post_init__(self) -> None:
        _needs("OneCycle", "peak", "a share of the training above 0 and below 1", self.peak, _inside)
        _needs("OneCycle", "start", "at least 0", self.start, _from_0)
        _needs("OneCycle", "end", "at least 0", self.end, _from_0)

    def __call__(self, share: float) -> float:
        if share < self.peak:
            return _along(self.start, 1.0, share / self.peak)
        return _along(1.0, self.end, (share - self.peak) / (1 - self.peak))


SCHEDULES: Mapping[str, Schedule] = {
    "constant": Constant(), "step": Step(), "cosine": Cosine(), "warmup": Warmup(), "onecycle": OneCycle(),
}  # fmt: skip


def find_schedule(schedule: str | Schedule) -> Schedule:
    """The schedule of that name; a function of the share is itself. What it gives is checked."""
    if callable(schedule) and not isinstance(schedule, type):
        return _checked(schedule)
    if not isinstance(schedule, str) or schedule not in SCHEDULES:
        raise ModelError(f"fit: no schedule is called {schedule!r}; {closest(schedule, SCHEDULES)}")
    return SCHEDULES[schedule]


def _checked(schedule: Schedule) -> Schedule:
    def factor(share: float) -> float:
        value = schedule(share)
        if not isinstance(value, Real) or not (math.isfinite(value) and value >= 0):
            raise ModelError(
                f"fit: the schedule needs to give a factor of the learning rate, finite and at least 0, it gives "
                f"{value!r} at the share {share:g}; fix the function"
            )
        return value

    return factor
