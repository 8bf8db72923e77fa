"""Which form it is that somebody passes: functions, a layer, or what PyTorch and JAX have for it."""

from __future__ import annotations

__all__ = ["pair_of"]

from collections.abc import Callable
from typing import Any

from paperback.diagnosis.adapters.jax import jax_pair
from paperback.diagnosis.adapters.pytorch import torch_pair
from paperback.diagnosis.arrays import is_array
from paperback.diagnosis.layers import layer_pair
from paperback.diagnosis.pairs import Pair, as_pair

_LIBRARIES: dict[str, Callable[[Any, Any], Pair]] = {"torch": torch_pair, "jax": jax_pair}


def pair_of(forward: Any, backward: Callable[..., Any] | None, args: Any, jvp: object = None) -> Pair:
    """The pair of whatever was passed; the second argument may be the arguments where the first is a layer."""
    alone = backward is None or (not callable(backward) and not is_array(forward))
    given = args if backward is None else backward
    if alone and jvp is None:
        for library, adapter in _LIBRARIES.items():
            if library in _libraries(forward):
                return adapter(forward, given)
        if hasattr(forward, "backward") and not isinstance(forward, type):
            pair = layer_pair(forward, given)
            if pair is not None:
                return pair
    return as_pair(forward, backward, args, jvp)


def _libraries(value: Any) -> set[str]:
    """The packages of a value's classes; of a class, or a method of one, its own."""
    owner = getattr(value, "__self__", value)
    classes = owner.__mro__ if isinstance(owner, type) else type(owner).__mro__
    return {kind.__module__.partition(".")[0] for kind in classes}
