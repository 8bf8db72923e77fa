"""Emitted text, run: compiled, called with the arrays that it names, its results as NumPy arrays."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest

Arrays = dict[str, Any]


def load(text: str, name: str) -> Any:
    """The function of this name that the text defines."""
    space: dict[str, Any] = {}
    exec(compile(text, "<emitted>", "exec"), space)
    return space[name]


def needs(target: str) -> None:
    """Skip where the library is not installed; JAX is set to compute in 64 bits, as the tests do."""
    if target != "numpy":
        pytest.importorskip(target)
    if target == "jax":
        import jax

        jax.config.update("jax_enable_x64", True)


def given_to(target: str, value: Any) -> Any:
    if not isinstance(value, np.ndarray | np.generic) or target == "numpy":
        return value
    if target == "torch":
        import torch

        return torch.as_tensor(np.array(value))
    import jax.numpy as jnp

    return jnp.asarray(value)


def call(target: str, function: Any, arrays: Mapping[str, Any]) -> list[Any]:
    """The results for those of the arrays (and sizes) that the function takes."""
    spelled = dict(arrays)
    spelled |= {f"{name}_": value for name, value in arrays.items()}
    spelled |= {f"n_{name.lower()}": value for name, value in arrays.items() if name in "lIO"}
    wanted = [name for name in inspect.signature(function).parameters if name in spelled]
    result = function(**{name: given_to(target, spelled[name]) for name in wanted})
    return [np.asarray(part) for part in (result if isinstance(result, tuple) else (result,))]
