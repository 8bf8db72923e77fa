"""The forms in which people write a forward and a backward, brought to one: forward(*args), backward(cotangent, *args).

functions        forward(*args), backward(g, *args) or backward(*args, g)
a derivative     prime(*args) of a loss, or of a function element by element: the upstream gradient is multiplied by it
a cache          forward(*args) -> (out, cache), backward(g, cache); several outputs, several cotangents
saved state      layer.forward(x), layer.backward(g): the backward goes by what the last forward saved

A layer with parameters is judged by their gradients too; `layers.py` finds them.
"""

from __future__ import annotations

__all__ = ["COTANGENTS", "Pair", "as_pair", "is_cache", "positional"]

import copy
import functools
import inspect
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from paperback.diagnosis.arrays import is_array
from paperback.diagnosis.subject import DoctorError

_CACHES = {"cache", "ctx", "saved", "residuals", "residual", "res", "context", "state"}
_DERIVATIVE = re.compile(r"^d|prime|deriv|grad")
_PREDICTED = re.compile(r"pred|hat|logit|out|score")
COTANGENTS = {"g", "dy", "dout", "d_out", "dz", "grad", "grad_out", "grad_output", "gradient", "upstream", "cotangent"}


@dataclass(frozen=True)
class Pair:
    """forward(*args) and backward(cotangent, *args)."""

    forward: Callable[..., Any]
    backward: Callable[..., Any] | None
    args: Any
    stateful: bool = False
    name: str = ""
    names: tuple[str, ...] = ()  # of the arguments, where the forward does not say
    wrt: tuple[int, ...] | None = None  # the places whose gradients are returned, where that is known


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
    if backward is None and hasattr(forward, "backward") and (hasattr(forward, "forward") or callable(forward)):
        name = type(forward).__name__
        forward, backward = getattr(forward, "forward", forward), forward.backward
    if not callable(forward):
        raise DoctorError(
            f"doctor: forward is a function, found {type(forward).__name__}; pass doctor(forward, backward, args)"
        )
    if backward is None:
        if jvp is None:
            raise DoctorError("doctor: needs a backward or a jvp to judge; pass doctor(forward, backward, args)")
        return Pair(forward, None, args)
    name = name or getattr(backward, "__name__", type(backward).__name__)
    needed = positional(backward)
    if len(needed) > 1 and (needed[-1] in _CACHES or not isinstance(args, Mapping)):
        outputs = _outputs_beside_cache(forward, args, needed)
        if outputs:
            return Pair(_without_cache(forward, outputs), _with_cache(forward, backward, outputs), args, True, name)
    same = needed == positional(forward)[: _count(args)] and not COTANGENTS & set(needed)
    if same and (len(needed) > 1 or _DERIVATIVE.search(name)):
        return _of_derivative(forward, backward, args, name)
    if len(needed) == 1 and len(needed) == len(_parameters(backward)) and _count(args):
        alone = backward
        return Pair(forward, lambda g, /, *a, **k: alone(g), args, True, name)
    if (
        len(needed) > 1
        and needed[-1] in COTANGENTS
        and needed[0] not in COTANGENTS
        and needed[0] in positional(forward)
    ):
        last = backward
        return Pair(forward, lambda g, /, *a, **k: last(*a, g, **k), args, False, name)
    return Pair(forward, backward, args, False, name)


def _of_derivative(forward: Callable[..., Any], prime: Callable[..., Any], args: Any, name: str) -> Pair:
    """backward = g*prime; of several arguments and one result, that of what is predicted, or of the first."""

    def backward(g: Any, /, *given: Any) -> Any:
        result = prime(*given)
        return tuple(g * part for part in result) if isinstance(result, tuple | list) else g * result

    wrt = None
    try:
        alone = not isinstance(prime(*copy.deepcopy(args)), tuple | list)
    except Exception:  # it will be told when it is called in earnest
        alone = False
    if alone and _count(args) > 1:
        names = positional(forward)
        wrt = (next((k for k, each in enumerate(names) if _PREDICTED.search(each)), 0),)
    return Pair(forward, backward, args, False, name, (), wrt)


def is_cache(value: Any) -> bool:
    """Is it what a forward saves, and no output? A tuple, a dict, an object; no array and no number."""
    return value is not None and not is_output(value) and not isinstance(value, str)


def is_output(value: Any) -> bool:
    return is_array(value) or isinstance(value, int | float | complex)


def _count(args: Any) -> int:
    return len(args) if isinstance(args, tuple | list | Mapping) else 1


def _parameters(function: Callable[..., Any]) -> list[inspect.Parameter]:
    try:
        return list(inspect.signature(function).parameters.values())
    except (TypeError, ValueError):
        return []


def positional(function: Callable[..., Any]) -> list[str]:
    """The names of what is passed by place."""
    return [p.name for p in _parameters(function) if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)]


def _outputs_beside_cache(forward: Callable[..., Any], args: Any, needed: list[str]) -> int:
    """How many outputs come before a cache, that the backward takes as many cotangents for; 0 where there is none."""
    if len(needed) == 2 and needed[1] in _CACHES:
        return 1
    own = set(positional(forward))
    if own & set(needed):  # backward(g, x, w) takes the arguments themselves
        return 0
    try:
        given = copy.deepcopy(args)
        result = forward(*given) if isinstance(given, tuple | list) else forward(given)
    except Exception:  # it will be told when it is called in earnest
        return 0
    fits = isinstance(result, tuple) and len(result) == len(needed) and is_cache(result[-1])
    return len(needed) - 1 if fits and all(map(is_output, result[:-1])) else 0


def _without_cache(forward: Callable[..., Any], outputs: int) -> Callable[..., Any]:
    @functools.wraps(forward)
    def call(*args: Any, **named: Any) -> Any:
        result = forward(*args, **named)
        return result[0] if outputs == 1 else tuple(result[:outputs])

    return call


def _with_cache(forward: Callable[..., Any], backward: Callable[..., Any], outputs: int) -> Callable[..., Any]:
    def call(g: Any, /, *args: Any, **named: Any) -> Any:
        cache = forward(*args, **named)[-1]
        return backward(g, cache) if outputs == 1 else backward(*g, cache)

    return call
