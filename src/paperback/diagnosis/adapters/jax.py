"""JAX: a function with a custom derivative (custom_vjp, custom_jvp), or any other; of trees of arrays, too.

The backward that is judged is jax.vjp of the function; the forward is the function itself. Both run in 64 bits too,
where the arguments are. Arrays in a tree are judged one by one: params['w'], params['b'].
"""

from __future__ import annotations

__all__ = ["jax_pair"]

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from paperback.diagnosis.arrays import is_array, taken
from paperback.diagnosis.pairs import Pair
from paperback.diagnosis.subject import names_of


def jax_pair(fun: Callable[..., Any], args: Any) -> Pair:
    """The pair of a JAX function, with an argument for every array in the arguments' trees."""
    import jax

    enable = jax.enable_x64 if hasattr(jax, "enable_x64") else jax.experimental.enable_x64
    by_name = isinstance(args, Mapping)
    given: Any = dict(args) if by_name else tuple(args) if isinstance(args, tuple | list) else (args,)
    names = list(given) if by_name else names_of(fun, len(given))
    fixed = {names[k] for k in getattr(fun, "nondiff_argnums", ()) if k < len(names)}
    paths, tree = jax.tree_util.tree_flatten_with_path(given)
    leaves: dict[str, Any] = {}
    held: dict[str, Any] = {}  # what no gradient is asked for
    for path, leaf in paths:
        first = path[0].key if by_name else names[path[0].idx]
        name = f"{first}{jax.tree_util.keystr(path[1:])}"
        leaves[name] = taken(leaf) if is_array(leaf) else leaf
        if first in fixed:
            held[name] = leaves[name]
    moving = [name for name, leaf in leaves.items() if _is_real(leaf) and name not in held]

    def at(named: dict[str, Any]) -> list[Any]:
        values = [named.get(name, held.get(name)) for name in leaves]
        whole = jax.tree_util.tree_unflatten(tree, [jax.numpy.asarray(v) if is_array(v) else v for v in values])
        return list(jax.tree_util.tree_leaves(fun(**whole) if by_name else fun(*whole)))

    def forward(**named: Any) -> Any:
        with enable(True):
            outputs = [np.asarray(output) for output in at(named)]
        return outputs[0] if len(outputs) == 1 else tuple(outputs)

    def backward(g: Any, /, **named: Any) -> dict[str, Any]:
        with enable(True):
            points = [jax.numpy.asarray(named[name]) for name in moving]
            _, pull = jax.vjp(lambda *values: at({**named, **dict(zip(moving, values, strict=True))}), *points)
            upstream = g if isinstance(g, tuple) else (g,)
            return dict(zip(moving, pull([jax.numpy.asarray(part) for part in upstream]), strict=True))

    asked = {name: leaf for name, leaf in leaves.items() if name not in held}
    return Pair(forward, backward, asked, True, getattr(fun, "__name__", type(fun).__name__))


def _is_real(leaf: Any) -> bool:
    return isinstance(leaf, float) or (isinstance(leaf, np.ndarray) and leaf.dtype.kind == "f")
