"""What a callable takes: a name that nothing has, or a call that does not fit, is told what was meant.

    Conv2d(32, 5, strides=2)     Conv2d: takes no strides; did you mean stride?
    nn.Linear(10)                paperback.nn has no Linear; did you mean Dense?

Classes get it by the metaclass `Strict`, functions by the decorator `strict`. A call that fits costs nothing more.
"""

from __future__ import annotations

__all__ = ["Strict", "absent", "closest", "strict"]

import functools
import inspect
from collections.abc import Callable, Iterable, Mapping
from difflib import SequenceMatcher, get_close_matches
from typing import Any, ParamSpec, TypeVar

from paperback.errors import ArgumentError

P = ParamSpec("P")
R = TypeVar("R")

_AS_NEAR = 0.1  # of two near names, how much less alike the second may be
_CALLED_ELSEWHERE: Mapping[str, tuple[str, ...]] = {  # the names used here, or a sentence
    "lenet": ("lenet", "presets are functions: paperback.learn.presets.lenet((28, 28, 1))"),
    "linear": ("Dense", "dense"),
    "fullyconnected": ("Dense",),
    "swish": ("SiLU", "silu"),
    "normalization": ("BatchNorm",),
    "crossentropy": ("softmax_cross_entropy",),
    "cross_entropy": ("softmax_cross_entropy",),
    "categorical_crossentropy": ("softmax_cross_entropy",),
    "sparse_categorical_crossentropy": ("softmax_cross_entropy",),
    "crossentropyloss": ('the loss is named in training: fit(..., loss="softmax_cross_entropy")',),
    "mseloss": ('the loss is named in training: fit(..., loss="mean_squared_error")',),
    "bce": ("binary_cross_entropy",),
    "mse": ("mean_squared_error",),
    "mae": ("mean_absolute_error", 'write Loss.of("J = abs(z[] - y[])")'),
    "l1": ("mean_absolute_error", 'write Loss.of("J = abs(z[] - y[])")'),
    "kl": ("kl_divergence",),
    "activation": ("an activation is a layer of its own: Sequential(..., ReLU())",),
    "in_channels": ("the channels that come in are read off the input",),
    "input_shape": ("the input's shape is given once: Model(net, input_shape=...)",),
    "learning_rate": ("lr", "--lr", "it belongs to the optimizer, as in optimizer=SGD(lr=0.1)"),
    "lr": ("it belongs to the optimizer, as in optimizer=SGD(lr=0.1)",),
    "betas": ("beta1",),
    "validation_data": ("validation",),
    "validation_split": ("validation",),
    "verbose": ("progress",),
    "output": ("--save",),
    "out": ("--save",),
    "model": ("--net",),
    "gpu": ("engine", "--engine"),
    "device": ("engine", "--engine"),
}


def closest(name: object, known: Iterable[str]) -> str:
    """The hint "did you mean a or b?", or what there is, or that there is nothing. Capitals do not count."""
    names = list(known)
    for here in _CALLED_ELSEWHERE.get(str(name).lower().lstrip("-").replace("-", "_"), ()):
        if here in names:
            return f"did you mean {here}?"
        if " " in here:
            return here
    asked, by_lower = str(name).lower(), {own.lower(): own for own in reversed(names)}
    near = get_close_matches(asked, by_lower, n=2, cutoff=0.5)
    if near:
        how_near = [SequenceMatcher(None, own, asked).ratio() for own in near]
        meant = [by_lower[own] for own, ratio in zip(near, how_near, strict=True) if ratio > how_near[0] - _AS_NEAR]
        return f"did you mean {' or '.join(meant)}?"
    if not names:
        return "there is none"
    return "there is " + ", ".join(names[:8]) + (", ..." if len(names) > 8 else "")


def absent(module: str, name: str, known: Iterable[str]) -> AttributeError:
    """The error for a name that a module does not have."""
    if name.startswith("_"):  # asked for by Python itself
        return AttributeError(f"module {module!r} has no attribute {name!r}", name=name)
    return AttributeError(f"{module} has no {name}; {closest(name, known)}", name=name)


class Strict(type):
    """A class whose constructor says in an ArgumentError what it does not take, or what it needs."""

    def __call__(cls, *args: Any, **settings: Any) -> Any:
        try:
            return super().__call__(*args, **settings)
        except TypeError:
            _check(cls.__name__, cls.__signature__, args, settings)
            raise

    @property
    def __signature__(cls) -> inspect.Signature:
        own = inspect.signature(cls.__init__)  # type: ignore[misc]  # it is this class's own
        return own.replace(parameters=list(own.parameters.values())[1:])


def strict(function: Callable[P, R]) -> Callable[P, R]:
    """A method that says in an ArgumentError what it does not take, or what it needs."""
    own = inspect.signature(function)
    signature = own.replace(parameters=list(own.parameters.values())[1:])

    @functools.wraps(function)
    def call(*args: P.args, **settings: P.kwargs) -> R:
        try:
            return function(*args, **settings)
        except TypeError:
            _check(function.__name__, signature, args[1:], settings)
            raise

    return call


def _check(name: str, signature: inspect.Signature, args: tuple[Any, ...], settings: Mapping[str, Any]) -> None:
    """ArgumentError where such a call does not fit the signature."""
    own = signature.parameters
    if any(parameter.kind is parameter.VAR_KEYWORD for parameter in own.values()):
        return
    for key in settings:
        if key not in own:
            raise ArgumentError(f"{name}: takes no {key}; {closest(key, own)}") from None
    positional = [key for key, parameter in own.items() if parameter.kind is parameter.POSITIONAL_OR_KEYWORD]
    if not any(parameter.kind is parameter.VAR_POSITIONAL for parameter in own.values()):
        if not own and args:
            raise ArgumentError(f"{name}: takes nothing, found {args[0]!r}; write {name}()") from None
        if len(args) > len(positional):
            raise ArgumentError(
                f"{name}: takes {', '.join(positional)}, found {len(args)} values; give each by its name"
            ) from None
    twice = [key for key in positional[: len(args)] if key in settings]
    if twice:
        raise ArgumentError(f"{name}: {twice[0]} is given twice; leave one out") from None
    missing = [
        key
        for key in positional[len(args) :]
        if key not in settings and own[key].default is inspect.Parameter.empty
    ]
    if missing:
        needed = [key for key in positional if own[key].default is inspect.Parameter.empty]
        raise ArgumentError(
            f"{name}: needs {' and '.join(missing)}, found nothing for it; write {name}({', '.join(needed)})"
        ) from None
