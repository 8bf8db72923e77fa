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


def spelled(arrays: Mapping[str, Any]) -> Arrays:
    """Arrays and sizes by all the names that they may have in the text."""
    every = {**arrays, **{f"{name}_": value for name, value in arrays.items()}}
    return {**every, **{f"n_{name.lower()}": value for name, value in arrays.items() if name in "lIO"}}


def wanted(function: Any, arrays: Mapping[str, Any]) -> Arrays:
    """Those of the arrays (and sizes) that the function takes."""
    every = spelled(arrays)
    return {name: every[name] for name in inspect.signature(function).parameters if name in every}


def call(target: str, function: Any, arrays: Mapping[str, Any]) -> list[Any]:
    """The function's results as NumPy arrays."""
    given = {name: given_to(target, value) for name, value in wanted(function, arrays).items()}
    with np.errstate(all="ignore"):
        result = function(**given)
    return [np.asarray(part) for part in (result if isinstance(result, tuple) else (result,))]
