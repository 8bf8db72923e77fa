"""What is on trial: a forward, a backward and the arguments, as functions of NumPy vectors.

    values(arrays)            all real outputs of the forward, end to end, in float64
    pull(cotangent, arrays)   the gradients that the backward returns for a cotangent of that length

Nobody's arrays are ever handed out: every call gets fresh copies, and what it wrote into them is remembered. The states
of the global random generators are the same before every call, so that a dropout that draws from them can be judged.
What breaks the contract of a backward (a wrong count, shape, None, NaN, an exception) is a `Complaint`.
"""

from __future__ import annotations

__all__ = ["Argument", "Complaint", "DoctorError", "Subject", "make_subject", "names_of", "quiet"]

import copy
import inspect
import random
import sys
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from paperback.diagnosis.arrays import Array, epsilon, is_array, is_real, returner, taken


class DoctorError(ValueError):
    """A call of the doctor that does not fit: what was needed, what came, what to change."""


class Complaint(Exception):  # noqa: N818  # it is about the backward, not an error of ours
    """A broken contract: the pattern, the argument it is about, a sentence; with the array that came where one did."""

    def __init__(self, slug: str, argument: str | None, sentence: str, came: Array | None = None) -> None:
        super().__init__(sentence)
        self.slug, self.argument, self.sentence, self.came = slug, argument, sentence, came


@dataclass(frozen=True)
class Argument:
    """One argument of the forward."""

    name: str
    value: Any  # as it came
    array: Array | None  # in NumPy; None for what is no array
    real: bool

    @property
    def shape(self) -> tuple[int, ...]:
        return self.array.shape if self.array is not None else ()


@dataclass
class Subject:
    """A forward and a backward with their arguments; see the module."""

    forward: Callable[..., Any]
    backward: Callable[..., Any] | None
    arguments: tuple[Argument, ...]
    wrt: tuple[int, ...]  # the places of the arguments whose gradients are judged
    jvp: Callable[..., Any] | None = None
    by_name: bool = False  # the forward takes its arguments as keywords
    name: str = "backward"
    stateful: bool = False  # the backward goes by what the last forward saved
    forward_calls: int = 0
    backward_calls: int = 0
    alone: bool = True  # the forward returns one array, not a tuple
    written: set[str] = field(default_factory=set)  # what the forward wrote into
    tolerated: set[str] = field(default_factory=set)  # complaints that were made, and are not made again
    randomness: _Randomness = field(default_factory=lambda: _Randomness())
    _like: dict[Any, tuple[Any, ...]] = field(default_factory=dict)  # outputs as they came, by the types that went in

    @property
    def arrays(self) -> list[Array | None]:
        """The arguments in NumPy; None for what is no array."""
        return [argument.array for argument in self.arguments]

    @property
    def reals(self) -> list[int]:
        """The places of the arguments that have a gradient."""
        return [i for i, argument in enumerate(self.arguments) if argument.real]

    @property
    def epsilon(self) -> float:
        """The relative rounding of the least precise argument."""
        return max((epsilon(self.arguments[i].value) for i in self.reals), default=np.finfo(float).eps)

    def is_number(self, place: int) -> bool:
        """A plain number, which may be a setting: an eps, a rate."""
        return isinstance(self.arguments[place].value, float) and not isinstance(
            self.arguments[place].value, np.generic
        )

    # --- calls -------------------------------------------------------------------------------------------------------

    def outputs(self, arrays: Sequence[Array | None]) -> list[Array]:
        """The forward's outputs, copied; fills in what is known of them."""
        given = self._handed(arrays)
        self.forward_calls += 1
        self.randomness.rewind()
        result = self.forward(**dict(self._named(given))) if self.by_name else self.forward(*given)
        for argument, array, value in zip(self.arguments, arrays, given, strict=True):
            if array is not None and array.ndim and not _same(taken(value), array):
                self.written.add(argument.name)
        many = isinstance(result, tuple | list) and not _is_table(result)
        parts = tuple(result) if many else (result,)
        self.alone = not many
        self._like[_key(arrays)] = parts
        return [np.array(taken(part)) for part in parts]

    def like(self, arrays: Sequence[Array | None]) -> tuple[Any, ...]:
        """The outputs as they came for arguments of these types, whose kind and type a cotangent has."""
        if _key(arrays) not in self._like:
            self.outputs(arrays)
        return self._like[_key(arrays)]

    def kinds(self, arrays: Sequence[Array | None]) -> list[np.dtype[Any]]:
        return [taken(part).dtype for part in self.like(arrays)]

    def values(self, arrays: Sequence[Array | None]) -> Array:
        """All real outputs, end to end, in float64 (complex where an argument is)."""
        parts = [part for part in self.outputs(arrays) if part.dtype.kind in "fc"]
        if not parts:
            return np.zeros(0)
        wide = np.complex128 if any(part.dtype.kind == "c" for part in parts) else np.float64
        return np.concatenate([part.ravel().astype(wide) for part in parts])

    def pull(
        self,
        cotangent: Array | Sequence[Array],
        arrays: Sequence[Array | None],
        fresh: bool = True,
        as_they_are: bool = False,
    ) -> list[Array]:
        """The gradients for the arguments `wrt`, in their shapes; a Complaint for what breaks the contract.

        cotangent      a vector of the length of `values`, or the arrays themselves, whose layout is kept
        fresh          the forward runs just before, as in training: what it saves is of these arguments
        as_they_are    the arguments keep their layout in memory: the arrays themselves are handed out
        """
        assert self.backward is not None
        if fresh:
            self.outputs(arrays)
        parts = self.split(cotangent, arrays) if isinstance(cotangent, np.ndarray) else list(cotangent)
        upstream = [returner(like)(part) for like, part in zip(self.like(arrays), parts, strict=True)]
        given = self._handed(arrays, as_they_are)
        before = [np.array(taken(value)) for value in upstream]
        self.backward_calls += 1
        self.randomness.rewind()
        passed = upstream[0] if self.alone else tuple(upstream)
        try:
            result = (
                self.backward(passed, **dict(self._named(given))) if self.by_name else self.backward(passed, *given)
            )
        except Exception as error:  # whatever a backward raises is a finding
            told = str(error).strip().splitlines()
            raise Complaint(
                "raises", None, f"backward raises {type(error).__name__}: {told[0] if told else ''}"
            ) from error
        found = [self._checked(place, value) for place, value in self._sorted(result)]
        changed = any(not _same(taken(value), old) for value, old in zip(upstream, before, strict=True))
        if changed and "mutates-cotangent" not in self.tolerated:
            raise Complaint("mutates-cotangent", None, "backward writes into the upstream gradient that it is given")
        for argument, array, value in zip(self.arguments, arrays, given, strict=True):
            written = array is not None and array.ndim and not _same(taken(value), array)
            if written and argument.name not in self.written and "mutates-argument" not in self.tolerated:
                raise Complaint("mutates-argument", argument.name, f"backward writes into {argument.name}")
        return found

    def push(self, tangent: Array, place: int, arrays: Sequence[Array | None]) -> Array:
        """The JVP along a tangent of one argument, as a vector of the length of `values`."""
        assert self.jvp is not None
        tangents = []
        for i in self.reals:
            zeros = np.zeros_like(arrays[i])
            along = tangent.reshape(zeros.shape).astype(zeros.dtype) if i == place else zeros
            tangents.append(returner(self.arguments[i].value)(along))
        given = self._handed(arrays)
        self.backward_calls += 1
        self.randomness.rewind()
        try:
            result = self.jvp(tangents[0] if len(tangents) == 1 else tuple(tangents), *given)
            parts = [taken(part) for part in (result if isinstance(result, tuple | list) else (result,))]
        except Exception as error:
            raise Complaint("raises", None, f"the JVP raises {type(error).__name__}: {error}") from error
        parts = [part for part in parts if part.dtype.kind == "f"]
        needed = [like.shape for like in map(taken, self.like(arrays)) if like.dtype.kind == "f"]
        if [part.shape for part in parts] != needed:
            raise Complaint("wrong-shape", None, f"the JVP has shapes {[part.shape for part in parts]}, needs {needed}")
        return np.concatenate([part.ravel().astype(np.float64) for part in parts])

    def split(self, vector: Array, arrays: Sequence[Array | None]) -> list[Array]:
        """A vector of the length of `values` as cotangents of the outputs, of their types; zeros for integer ones."""
        found, start = [], 0
        for like in map(taken, self.like(arrays)):
            if like.dtype.kind != "f":
                found.append(np.zeros(like.shape))
                continue
            found.append(np.array(vector[start : start + like.size].reshape(like.shape), dtype=like.dtype))
            start += like.size
        return found

    # --- inside ------------------------------------------------------------------------------------------------------

    def _handed(self, arrays: Sequence[Array | None], as_they_are: bool = False) -> list[Any]:
        return [
            _kept(argument.value)
            if array is None
            else returner(argument.value)(array if as_they_are else np.array(array))
            for argument, array in zip(self.arguments, arrays, strict=True)
        ]

    def _named(self, given: Sequence[Any]) -> Iterator[tuple[str, Any]]:
        return zip((argument.name for argument in self.arguments), given, strict=True)

    def _sorted(self, result: Any) -> list[tuple[int, Any]]:
        """(place, gradient) for the arguments `wrt`, of whatever form a backward returns."""
        if isinstance(result, Mapping):
            for i in self.wrt:
                if (name := self.arguments[i].name) not in result:
                    slug = "setting" if self.is_number(i) and len(self.wrt) > 1 else "wrong-count"
                    raise Complaint(slug, name, f"no gradient is returned for {name}")
            return [(i, result[self.arguments[i].name]) for i in self.wrt]
        many = isinstance(result, tuple | list) and not _is_table(result)
        parts = list(result) if many else [result]
        for places in (range(len(self.arguments)), self.reals, self.wrt):
            if len(parts) == len(places):
                by_place = dict(zip(places, parts, strict=True))
                return [(i, by_place[i]) for i in self.wrt]
        settings = [i for i in self.wrt if self.is_number(i)]
        if len(parts) < len(self.wrt) and settings and len(settings) < len(self.wrt):
            raise Complaint("setting", self.arguments[settings[0]].name, "no gradient is returned for it")
        if result is None:
            raise Complaint("none", self.arguments[self.wrt[0]].name, "backward returns None")
        needed = ", ".join(self.arguments[i].name for i in self.reals)
        count = f"{len(parts)} gradient{'s' * (len(parts) != 1)}"
        raise Complaint("wrong-count", None, f"backward returns {count}, needs {len(self.reals)}: {needed}")

    def _checked(self, place: int, value: Any) -> Array:
        argument = self.arguments[place]
        if value is None and self.is_number(place) and len(self.wrt) > 1:
            raise Complaint("setting", argument.name, "no gradient is returned for it")
        if value is None:
            raise Complaint("none", argument.name, f"None is returned for {argument.name}")
        try:
            array = np.array(taken(value))
        except (TypeError, ValueError):
            raise Complaint(
                "wrong-type", argument.name, f"a {type(value).__name__} is returned for {argument.name}, no array"
            ) from None
        if array.dtype.kind not in "fiu":
            raise Complaint("wrong-type", argument.name, f"the gradient of {argument.name} is {array.dtype}")
        if array.shape != argument.shape:
            raise Complaint(
                "wrong-shape",
                argument.name,
                f"the gradient of {argument.name} has shape {array.shape}, {argument.name} has {argument.shape}",
                array,
            )
        return array


def make_subject(
    forward: Callable[..., Any],
    backward: Callable[..., Any] | None,
    args: Any,
    wrt: Sequence[int | str] | int | str | None = None,
    jvp: Callable[..., Any] | None = None,
    names: Sequence[str] = (),
) -> Subject:
    """A Subject of what a user passes; DoctorError where it does not fit. `names` where the forward does not say."""
    if isinstance(args, tuple | list | Mapping) and not args:
        raise DoctorError("doctor: needs arguments, found none; pass doctor(forward, backward, (x, w))")
    by_name = isinstance(args, Mapping)
    if by_name:
        named = list(args.items())
    else:
        given = list(args) if isinstance(args, tuple | list) else [args]
        named = list(zip(names or names_of(forward, len(given)), given, strict=True))
    arguments = tuple(_argument(name, value) for name, value in named)
    known = [argument.name for argument in arguments]
    reals = [i for i, argument in enumerate(arguments) if argument.real]
    if wrt is None:
        places = reals
    else:
        places = []
        for one in [wrt] if isinstance(wrt, int | str) else wrt:
            if one not in known and not (isinstance(one, int) and 0 <= one < len(arguments)):
                raise DoctorError(f"doctor: wrt names an argument, found {one!r}; there is {', '.join(known)}")
            places.append(known.index(one) if isinstance(one, str) else one)
    name = getattr(backward or jvp, "__qualname__", None) or type(backward or jvp).__name__
    name = name.rpartition("<locals>.")[2]
    return Subject(forward, backward, arguments, tuple(places), jvp, by_name, name)


def _argument(name: str, value: Any) -> Argument:
    if isinstance(value, list):
        value = _as_array(value)
    if not (is_array(value) or isinstance(value, bool | int | float | complex)) or isinstance(value, bool):
        return Argument(name, value, None, False)
    array = taken(value)
    return Argument(name, value, array if array.dtype.kind in "fiub" else None, is_real(array))


def names_of(forward: Callable[..., Any], count: int) -> list[str]:
    """What the forward calls its positional arguments, numbered where it does not say."""
    try:
        parameters = list(inspect.signature(forward).parameters.values())
    except (TypeError, ValueError):
        parameters = []
    named = [p.name for p in parameters if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)]
    return [named[i] if i < len(named) else f"argument {i}" for i in range(count)]


def _is_table(value: Any) -> bool:
    """A list of plain numbers is an array, not several results."""
    return (
        isinstance(value, list)
        and bool(value)
        and all(isinstance(part, int | float) and not isinstance(part, bool) for part in value)
    )


def _as_array(value: list[Any]) -> Any:
    """Nested lists of numbers as an array; another list as it is."""

    def numbers(part: Any) -> bool:
        return all(map(numbers, part)) if isinstance(part, list) else isinstance(part, int | float)

    try:
        return np.asarray(value) if value and numbers(value) else value
    except ValueError:  # parts of unequal length
        return value


def _kept(value: Any) -> Any:
    """What is no array as it is; settings in dicts and lists are copied, as a forward may write into them."""
    return copy.deepcopy(value) if isinstance(value, dict | list) else value


def _key(arrays: Sequence[Array | None]) -> tuple[Any, ...]:
    return tuple(None if array is None else array.dtype for array in arrays)


def _same(one: Array, other: Array) -> bool:
    return one.shape == other.shape and np.array_equal(one, other.astype(one.dtype), equal_nan=one.dtype.kind == "f")


class _Randomness:
    """The global random generators, set to one state before every call."""

    def __init__(self) -> None:
        self.python, self.numpy = random.getstate(), np.random.get_state()  # noqa: NPY002  # the global one is meant
        torch = sys.modules.get("torch")
        self.torch = torch.get_rng_state() if torch is not None and hasattr(torch, "get_rng_state") else None

    def rewind(self) -> None:
        random.setstate(self.python)
        np.random.set_state(self.numpy)  # noqa: NPY002
        if self.torch is not None:
            sys.modules["torch"].set_rng_state(self.torch)


@contextmanager
def quiet(subject: Subject) -> Iterator[None]:
    """No warnings from inside the functions on trial; afterwards the generators are as they were."""
    try:
        with warnings.catch_warnings(), np.errstate(all="ignore"):
            warnings.simplefilter("ignore")
            yield
    finally:
        subject.randomness.rewind()
