"""Pairs of a forward and a backward in a file, and arguments for them.

    f and f_backward, backward_f, f_vjp, vjp_f, f_grad, grad_f, df      functions, by their names
    a class with forward and backward                                  a layer that saves state
    a torch.autograd.Function                                          where torch is

Arguments come from `f_args()` or `args()` in the file, from annotations that are texts, `def f(x: "3x5")`, or from a
text of their own:

    x=3x5          random numbers of this shape        x=       a single random number
    label=int:3<10 whole numbers below 10              eps=1e-5 or n=7.   a number as it is, with a point or an exponent
"""

from __future__ import annotations

__all__ = ["Found", "arguments_of", "find", "read_arguments"]

import importlib.util
import inspect
import re
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np

from paperback.diagnosis.subject import DoctorError

_NAMES = ("{0}_backward", "backward_{0}", "{0}_bwd", "{0}_vjp", "vjp_{0}", "{0}_grad", "grad_{0}", "d{0}", "{0}_prime")
_SHAPE = re.compile(r"^(?:(int):)?((?:\d+(?:x\d+)*)?)(?:<(\d+))?$")
_NUMBER = re.compile(r"^[+-]?(\d+\.\d*|\.\d+|\d+(\.\d*)?[eE][+-]?\d+)$")


@dataclass(frozen=True)
class Found:
    """A pair in a file: its name, the forward, the backward (None where the forward has it, or torch), its kind."""

    name: str
    forward: Any
    backward: Callable[..., Any] | None
    kind: str = "functions"


def find(path: str, name: str | None = None) -> tuple[ModuleType, list[Found]]:
    """The module of a file and the pairs in it; of this name, where one is given. DoctorError where there is none."""
    module = _loaded(path)
    every = list(_pairs(module))
    if name is None:
        if not every:
            raise DoctorError(
                f"{path}: no pair of a forward and a backward is there; name them f and f_backward, or write a class "
                "with both"
            )
        return module, every
    chosen = [pair for pair in every if pair.name == name]
    if not chosen:
        known = ", ".join(pair.name for pair in every) or "none"
        raise DoctorError(f"{path}: no pair is called {name}; there is {known}")
    return module, chosen


def arguments_of(module: ModuleType, found: Found, text: str | None) -> Any:
    """Arguments for a pair: from the text, the file's functions, or annotations."""
    if text is not None:
        return read_arguments(text)
    for name in (f"{found.name}_args", "args"):
        made = getattr(module, name, None)
        if callable(made):
            return made()
    own = getattr(found.forward, "args", None)
    if callable(own):
        return own()
    source = found.forward.forward if hasattr(found.forward, "forward") else found.forward
    texts = {
        parameter.name: str(parameter.annotation).strip("'\"")
        for parameter in inspect.signature(source).parameters.values()
        if isinstance(parameter.annotation, str)
    }
    if texts and all(_SHAPE.match(told) for told in texts.values()):
        return read_arguments(" ".join(f"{name}={told}" for name, told in texts.items()))
    raise DoctorError(
        f"{found.name}: no arguments are known; write a function {found.name}_args() that returns them, or pass "
        f'--args "x=3x5 w=5x4"'
    )


def read_arguments(text: str) -> tuple[Any, ...]:
    """Random arrays of the shapes in a text, in its order; the same ones every time."""
    random = np.random.default_rng(0)
    return tuple(_argument(item, random) for item in text.split())


def _argument(item: str, random: np.random.Generator) -> Any:
    _, equals, told = item.partition("=")
    match = _SHAPE.match(told)
    if equals and _NUMBER.match(told):
        return float(told)
    if not equals or match is None or (match[1] is None) != (match[3] is None):
        raise DoctorError(f"--args: needs name=shape, found {item}; write for example x=3x5 or label=int:3<10")
    shape = tuple(int(size) for size in match[2].split("x")) if match[2] else ()
    if match[1]:
        return random.integers(0, int(match[3]), shape)
    return random.standard_normal(shape) if shape else float(random.standard_normal())


def _loaded(path: str) -> ModuleType:
    place = Path(path).resolve()
    if not place.is_file():
        raise DoctorError(f"{path}: no such file")
    spec = importlib.util.spec_from_file_location(f"doctor_{place.stem}", place)
    if spec is None or spec.loader is None:
        raise DoctorError(f"{path}: needs a Python file; pass one that ends in .py")
    module = importlib.util.module_from_spec(spec)
    sys.path.insert(0, str(place.parent))
    try:
        spec.loader.exec_module(module)
    except Exception as error:
        raise DoctorError(f"{path}: cannot be loaded: {type(error).__name__}: {error}") from error
    finally:
        sys.path.remove(str(place.parent))
    return module


def _pairs(module: ModuleType) -> Iterator[Found]:
    own = {name: value for name, value in vars(module).items() if getattr(value, "__module__", "") == module.__name__}
    functions = {name: value for name, value in own.items() if inspect.isfunction(value)}
    for name, function in functions.items():
        backward = next((functions[n] for n in (t.format(name) for t in _NAMES) if n in functions), None)
        if backward is not None:
            yield Found(name, function, backward)
    if "forward" in functions and "backward" in functions and "forward_backward" not in functions:
        yield Found("forward", functions["forward"], functions["backward"])
    for name, value in own.items():
        if not inspect.isclass(value) or not hasattr(value, "forward") or not hasattr(value, "backward"):
            continue
        if any(base.__module__.startswith("torch.") for base in value.__mro__):
            yield Found(name, value, None, "torch")
        elif not any(_is_needed(p) for p in list(inspect.signature(value).parameters.values())):
            yield Found(name, value(), None, "object")


def _is_needed(parameter: inspect.Parameter) -> bool:
    return parameter.default is parameter.empty and parameter.kind in (
        parameter.POSITIONAL_ONLY,
        parameter.POSITIONAL_OR_KEYWORD,
        parameter.KEYWORD_ONLY,
    )
