"""Pairs of a forward and a backward in a file, and arguments for them.

    f and f_backward, backward_f, f_vjp, vjp_f, f_grad, grad_f, df      functions, by their names; f or f_forward
    a class or an object with forward and backward                     a layer that saves state
    a torch.autograd.Function                                          where torch is

What looks like half of a pair and is not checked is told, with the reason. Arguments come from `f_args()` or `args()`
in the file, from annotations that are texts, `def f(x: "3x5")`, or from a text, of which every function gets those that
it takes:

    x=3x5          random numbers of this shape        x=       a single random number
    label=int:3<10 whole numbers below 10              eps=1e-5 or n=7.   a number as it is, with a point or an exponent
"""

from __future__ import annotations

__all__ = ["Found", "arguments_of", "find", "halves", "read_arguments"]

import importlib.util
import inspect
import re
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np

from paperback.diagnosis.subject import DoctorError

_NAMES = (
    "{0}_backward",
    "backward_{0}",
    "{0}_bwd",
    "{0}_vjp",
    "vjp_{0}",
    "{0}_grad",
    "grad_{0}",
    "d{0}",
    "{0}_prime",
    "{0}_derivative",
)
_ENDS, _STARTS = ("_forward", "_fwd"), ("forward_", "fwd_")
_HALVES = re.compile(r"^(?:(?:backward|grad|vjp)_(.+)|(.+)_(?:backward|bwd|vjp|grad))$")
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
        return _taken_by(found, read_arguments(text))
    for name in (f"{found.name}_args", f"{_stem(found.name)}_args", "args"):
        made = getattr(module, name, None)
        if callable(made):
            return made()
    own = getattr(found.forward, "args", None)
    if callable(own):
        return own()
    parameters = _parameters(found.forward)
    texts = {p.name: p.annotation.strip("'\"") for p in parameters if isinstance(p.annotation, str)}
    if texts and all(_SHAPE.match(told) for told in texts.values()):
        return tuple(read_arguments(" ".join(f"{name}={told}" for name, told in texts.items())).values())
    shapes = " ".join(f"{p.name}=3x5" for p in parameters if _is_needed(p))
    raise DoctorError(
        f'no arguments are known; write a function {found.name}_args() that returns them, or pass --args "{shapes}"'
    )


def _taken_by(found: Found, given: dict[str, Any]) -> tuple[Any, ...]:
    """Those of the arguments that a forward takes, in its order; all where it calls them by other names."""
    parameters = _parameters(found.forward)
    known = [p.name for p in parameters]
    missing = [p.name for p in parameters if _is_needed(p) and p.name not in given]
    if not parameters or (len(missing) <= len(given) <= len(known) and not set(known) & set(given)):
        return tuple(given.values())
    if missing:
        raise DoctorError(f"it takes {', '.join(known)}; --args gives no {', '.join(missing)}")
    return tuple(given[name] for name in known if name in given)


def _parameters(forward: Any) -> list[inspect.Parameter]:
    """Of a function, a layer's forward, a Function's without its ctx."""
    source = getattr(forward, "forward", forward)
    try:
        parameters = inspect.signature(source).parameters.values()
    except (TypeError, ValueError):
        return []
    return [p for p in parameters if p.name not in ("self", "ctx") and p.kind is not p.VAR_KEYWORD]


def read_arguments(text: str) -> dict[str, Any]:
    """Random arrays of the shapes in a text, by name, in its order; the same ones every time."""
    random = np.random.default_rng(0)
    return {item.partition("=")[0]: _argument(item, random) for item in text.split()}


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
    own, functions = _own(module)
    for name, function in functions.items():
        stems = dict.fromkeys((name, _stem(name)))
        backward = next(
            (functions[n] for stem in stems for n in (t.format(stem) for t in _NAMES) if n in functions), None
        )
        if backward is not None and backward is not function:
            yield Found(name, function, backward)
    if "forward" in functions and "backward" in functions and "forward_backward" not in functions:
        yield Found("forward", functions["forward"], functions["backward"])
    for name, value in own.items():
        if not hasattr(value, "forward") or not hasattr(value, "backward") or _heirs(own, value):
            continue
        if not inspect.isclass(value):
            yield Found(name, value, None, "object")
        elif any(base.__module__.startswith("torch.") for base in value.__mro__):
            yield Found(name, value, None, "torch")
        elif not _needed_to_make(value):
            yield Found(name, value(), None, "object")


def halves(module: ModuleType, found: Sequence[Found]) -> dict[str, str]:
    """What looks like half of a pair and is in none, with the reason."""
    own, functions = _own(module)
    used = {id(part) for pair in found for part in (pair.forward, pair.backward)}
    used |= {id(type(pair.forward)) for pair in found}
    told = {}
    for name, function in functions.items():
        match = _HALVES.match(name)
        if id(function) in used:
            continue
        if match:
            stem = match[1] or match[2]
            told[name] = f"there is no forward of it; call one {stem} or {stem}_forward"
        elif _stem(name) != name:
            told[name] = f"there is no backward of it; call one {_stem(name)}_backward"
    for name, value in own.items():
        if not inspect.isclass(value) or id(value) in used:
            continue
        if heirs := _heirs(own, value):
            told[name] = f"it is the base of {', '.join(heirs)}; make one in the file: {name.lower()} = {name}(...)"
        elif hasattr(value, "backward") and not hasattr(value, "forward"):
            told[name] = "it has no forward"
        elif hasattr(value, "backward") and (needed := _needed_to_make(value)):
            told[name] = f"to make one needs {', '.join(needed)}; make one in the file: {name.lower()} = {name}(...)"
    return told


def _own(module: ModuleType) -> tuple[dict[str, Any], dict[str, Callable[..., Any]]]:
    """What a file defines, objects of its classes too; and the functions among it."""
    names = vars(module).items()
    own = {name: value for name, value in names if getattr(value, "__module__", "") == module.__name__}
    return own, {name: value for name, value in own.items() if inspect.isfunction(value)}


def _heirs(own: dict[str, Any], value: Any) -> list[str]:
    """The classes of a file that are made of one."""
    if not inspect.isclass(value):
        return []
    return [name for name, other in own.items() if inspect.isclass(other) and value in other.__mro__[1:]]


def _stem(name: str) -> str:
    """affine of affine_forward; a name itself where it does not say that it is a forward."""
    for end in _ENDS:
        name = name.removesuffix(end) or name
    for start in _STARTS:
        name = name.removeprefix(start) or name
    return name


def _needed_to_make(kind: type) -> list[str]:
    """What the class asks for."""
    try:
        return [p.name for p in inspect.signature(kind).parameters.values() if _is_needed(p)]
    except (TypeError, ValueError):
        return []


def _is_needed(parameter: inspect.Parameter) -> bool:
    return parameter.default is parameter.empty and parameter.kind in (
        parameter.POSITIONAL_ONLY,
        parameter.POSITIONAL_OR_KEYWORD,
        parameter.KEYWORD_ONLY,
    )
