"""Layers of courses and small libraries: objects with parameters whose gradients `backward` leaves in attributes.

    self.w, self.b          self.dw, self.db   (also dW, grad_w, w_grad), or returned after the gradient of the input
    self.params["w"]        self.grads["w"]    (also lists of both)
    self.w                  backward(g, learning_rate) takes a step: what it subtracts at a rate of 1 is the gradient

Everything happens on one copy of the layer. What `backward` leaves in attributes is put back before every call, so that
a layer that adds to its gradients is judged by what one call adds.
"""

from __future__ import annotations

__all__ = ["layer_pair"]

import copy
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from paperback.diagnosis.arrays import Array, is_array, is_real, returner, taken
from paperback.diagnosis.pairs import Pair, positional
from paperback.diagnosis.subject import names_of

_GRADIENTS = ("d{0}", "d_{0}", "{0}_grad", "grad_{0}", "grad{0}", "{0}grad", "g{0}")
_RATES = {"lr", "learning_rate", "rate", "eta", "alpha", "step", "step_size"}
_HELD = (("params", "grads"), ("parameters", "gradients"), ("params", "gradients"), ("weights", "grads"))


@dataclass(frozen=True)
class _Place:
    """An attribute of a layer, or an entry of one that is a dict or a list."""

    attribute: str
    key: Any = None

    def __str__(self) -> str:
        return self.attribute if self.key is None else str(self.key)

    def read(self, layer: Any) -> Any:
        value = getattr(layer, self.attribute)
        return value if self.key is None else value[self.key]

    def write(self, layer: Any, value: Any) -> None:
        if self.key is None:
            setattr(layer, self.attribute, value)
        else:
            getattr(layer, self.attribute)[self.key] = value


@dataclass(frozen=True)
class _Parameter:
    """A parameter, and where its gradient is: in the layer, at a place of what is returned, or (None) in a step."""

    place: _Place
    gradient: _Place | int | None

    def left(self, layer: Any, returned: tuple[Any, ...], before: Any) -> Any:
        """The gradient, after a backward that returned this; and the parameter before."""
        if self.gradient is None:
            return before - self.place.read(layer)
        return returned[self.gradient] if isinstance(self.gradient, int) else self.gradient.read(layer)


def layer_pair(layer: Any, args: Any) -> Pair | None:
    """The pair of a layer with its parameters as further arguments; None where it leaves no gradient of any."""
    given = tuple(args) if isinstance(args, tuple | list) else (args,)
    count = len(given)
    rate = [1.0] if _takes_rate(layer.backward) else []
    try:
        kept, there, tried = copy.deepcopy(layer), copy.deepcopy(layer), copy.deepcopy(layer)
        out = _call(tried)(*copy.deepcopy(given))
        returned = _many(tried.backward(returner(out)(np.ones_like(taken(out))), *rate))
        found = list(_stepped(kept, tried) if rate else _parameters(tried, returned, count))
    except Exception:  # it is told in the examination
        return None
    if isinstance(args, Mapping) or not (found or rate):
        return None
    gradients = [p.gradient for p in found if isinstance(p.gradient, _Place) and _has(kept, p.gradient)]

    def forward(*arguments: Any) -> Any:
        for parameter, value in zip(found, arguments[count:], strict=True):
            parameter.place.write(there, copy.deepcopy(value))  # a layer may write into its own
        return _call(there)(*arguments[:count])

    def backward(g: Any, *arguments: Any) -> tuple[Any, ...]:
        for place in gradients:
            place.write(there, copy.deepcopy(place.read(kept)))
        result = _many(there.backward(g, *rate))
        left = (p.left(there, result, value) for p, value in zip(found, arguments[count:], strict=True))
        return (*result[:count], *left)

    values = [*given, *(parameter.place.read(kept) for parameter in found)]
    names = [*names_of(_call(layer), count), *(str(parameter.place) for parameter in found)]
    return Pair(forward, backward, values, True, type(layer).__name__, tuple(names))


def _takes_rate(backward: Callable[..., Any]) -> bool:
    needed = positional(backward)
    return len(needed) == 2 and needed[1] in _RATES


def _stepped(before: Any, after: Any) -> Iterator[_Parameter]:
    """What a step has changed."""
    for name, value in vars(before).items():
        if _real(value) and not np.array_equal(taken(value), taken(getattr(after, name))):
            yield _Parameter(_Place(name), None)


def _call(layer: Any) -> Callable[..., Any]:
    forward: Callable[..., Any] = getattr(layer, "forward", layer)
    return forward


def _many(result: Any) -> tuple[Any, ...]:
    return tuple(result) if isinstance(result, tuple | list) else (result,)


def _parameters(layer: Any, returned: tuple[Any, ...], count: int) -> Iterator[_Parameter]:
    """Of a layer whose backward has run and returned this for so many arguments."""
    arrays = {name: taken(value) for name, value in vars(layer).items() if _real(value)}
    after = [taken(value) for value in returned[count:]]
    for name, array in arrays.items():
        named = (form.format(name) for form in _GRADIENTS)
        gradient = next((n for n in named if n in arrays and arrays[n].shape == array.shape), None)
        if gradient is not None:
            yield _Parameter(_Place(name), _Place(gradient))
    if after:
        own = _in_order(arrays, [array.shape for array in after])
        yield from (_Parameter(_Place(name), count + k) for k, name in enumerate(own))
    for holder, left in _HELD:
        values, gradients = (getattr(layer, name, None) for name in (holder, left))
        if isinstance(values, dict) and isinstance(gradients, dict):
            keys: list[Any] = [key for key in values if key in gradients]
        elif isinstance(values, list) and isinstance(gradients, list) and len(values) == len(gradients):
            keys = list(range(len(values)))
        else:
            continue
        yield from (_Parameter(_Place(holder, key), _Place(left, key)) for key in keys if _real(values[key]))


def _in_order(arrays: dict[str, Array], shapes: list[tuple[int, ...]]) -> list[str]:
    """The attributes whose shapes these are, in the order in which they were set; none where one is missing."""
    chosen: list[str] = []
    for shape in shapes:
        fits = [name for name, array in arrays.items() if array.shape == shape and name not in chosen]
        if not fits:
            return []
        chosen.append(fits[0])
    return chosen


def _has(layer: Any, place: _Place) -> bool:
    try:
        place.read(layer)
    except (AttributeError, KeyError, IndexError):
        return False
    return True


def _real(value: Any) -> bool:
    return is_array(value) and is_real(taken(value))
