"""The forms in which people write a forward and a backward, brought to one: forward(*args), backward(cotangent, *args).

functions        forward(*args), backward(g, *args)
saved state      layer.forward(x), layer.backward(g): the backward goes by what the last forward saved
a cache          forward(*args) -> (out, cache), backward(g, cache)
"""

from __future__ import annotations

__all__ = ["Pair", "as_pair"]

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from paperback.diagnosis.arrays import is_array
from paperback.diagnosis.subject import DoctorError

_CACHES = {"cache", "ctx", "saved", "residuals", "residual", "res", "context", "state"}


@dataclass(frozen=True)
class Pair:
    """forward(*args) and backward(cotangent, *args)."""

    forward: Callable[..., Any]
    backward: Callable[..., Any] | None
    args: Any
    stateful: bool = False
    name: str = ""


def as_pair(forward: Any, backward: Callable[..., Any] | None, args: Any, jvp: object = None) -> Pair:
    """A pair of whatever was passed; DoctorError where it is none."""
    if backward is not None and not callable(backward) and not is_array(forward):
        if hasattr(forward, "forward") and hasattr(forward, "backward"):
            backward, args = None, backward  # doctor(layer, args)
        else:
            raise DoctorError(
                f"doctor: backward is a function, found {type(backward).__name__}; pass doctor(forward, backward, args)"
            )
    name = ""
    if backward is None and hasattr(forward, "forward") and hasattr(forward, "backward"):
        name = type(forward).__name__
        forward, backward = forward.forward, forward.backward
    if not callable(forward):
        raise DoctorError(
            f"doctor: forward is a function, found {type(forward).__name__}; pass doctor(forward, backward, args)"
        )
    if backward is None:
        if jvp is None:
            raise DoctorError("doctor: needs a backward or a jvp to judge; pass doctor(forward, backward, args)")
        return Pair(forward, None, args)
    count = len(args) if isinstance(args, tuple | list | Mapping) else 1
    if _takes_cache(backward, count):
        return Pair(_first_of(forward), _with_cache(forward, backward), args, True, name or backward.__name__)
    if _takes_only_cotangent(backward) and count:
        alone = backward
        return Pair(forward, lambda g, *a, **k: alone(g), args, True, name or backward.__name__)
    return Pair(forward, backward, args, False, name)


def _parameters(function: Callable[..., Any]) -> list[inspect.Parameter]:
    try:
        return list(inspect.signature(function).parameters.values())
    except (TypeError, ValueError):
        return []


def _takes_only_cotangent(backward: Callable[..., Any]) -> bool:
    parameters = _parameters(backward)
    needed = [p for p in parameters if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)]
    return len(needed) == 1 and all(p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD) for p in parameters)


def _takes_cache(backward: Callable[..., Any], count: int) -> bool:
    names = [p.name for p in _parameters(backward)]
    return len(names) == 2 and names[1] in _CACHES


def _first_of(forward: Callable[..., Any]) -> Callable[..., Any]:
    return lambda *args, **named: forward(*args, **named)[0]


def _with_cache(forward: Callable[..., Any], backward: Callable[..., Any]) -> Callable[..., Any]:
    return lambda g, *args, **named: backward(g, forward(*args, **named)[1])
