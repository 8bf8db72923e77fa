"""JAX: a function with a custom derivative (custom_vjp, custom_jvp), or any other.

The backward that is judged is jax.vjp of the function; the forward is the function itself. Both run in 64 bits too,
where the arguments are.
"""

from __future__ import annotations

__all__ = ["jax_pair"]

import functools
from collections.abc import Callable
from typing import Any

import numpy as np

from paperback.diagnosis.arrays import is_array
from paperback.diagnosis.pairs import Pair


def jax_pair(fun: Callable[..., Any], args: Any) -> Pair:
    """The pair of a JAX function."""
    import jax

    enable = jax.enable_x64 if hasattr(jax, "enable_x64") else jax.experimental.enable_x64

    def ready(values: Any) -> list[Any]:
        return [jax.numpy.asarray(value) if is_array(value) else value for value in values]

    def forward(*values: Any) -> Any:
        with enable(True):
            out = fun(*ready(values))
            return tuple(map(np.asarray, out)) if isinstance(out, tuple | list) else np.asarray(out)

    def backward(g: Any, *values: Any) -> Any:
        with enable(True):
            _, pull = jax.vjp(fun, *ready(values))
            return pull(tuple(ready(g)) if isinstance(g, tuple) else jax.numpy.asarray(g))

    given = args if isinstance(args, tuple | list) else (args,)
    plain = tuple(np.asarray(value) if is_array(value) else value for value in given)
    return Pair(functools.wraps(fun)(forward), backward, plain, True, getattr(fun, "__name__", type(fun).__name__))
