"""Layers as plain data and back: what a checkpoint stores instead of objects.

    Dense(10, bias=False)   <->   {"kind": "Dense", "units": 10, "bias": False}
    Sequential(a, b)        <->   {"kind": "Sequential", "layers": [..., ...]}

Only settings that differ from their default are written. Numbers, words, lists and initialisers are all there is, so
that reading cannot run anything: a kind that is not in the table is refused.
"""

from __future__ import annotations

__all__ = ["from_config", "kinds_of", "to_config"]

from collections.abc import Iterable, Mapping
from dataclasses import fields, is_dataclass
from fractions import Fraction
from typing import Any

from paperback.errors import ModelError
from paperback.nn import init, layers
from paperback.nn.layers.combine import Composite
from paperback.nn.layers.layer import Layer

_INITIALIZERS = (
    "Constant", "GlorotUniform", "HeNormal", "HeUniform", "Normal", "Ones", "Uniform", "Values", "Zeros",
)  # fmt: skip


def to_config(layer: object) -> dict[str, Any]:
    """A layer (or an initialiser) as a dictionary that JSON can hold."""
    config: dict[str, Any] = {"kind": type(layer).__name__}
    if isinstance(layer, Composite):
        return {**config, "layers": [to_config(inner) for inner in layer.layers]}
    if isinstance(layer, Layer):
        return {**config, **{name: _plain(value) for name, value in layer.settings().items()}}
    return {**config, **{field.name: _plain(getattr(layer, field.name)) for field in fields(layer)}}  # type: ignore[arg-type]


def from_config(config: Mapping[str, Any], kinds: Iterable[type] = ()) -> Layer:
    """The layer of a dictionary. `kinds` are classes beyond the library's that it may name.

    Raises ModelError for an unknown kind, an unknown setting, or a setting that the layer refuses.
    """
    known = {name: getattr(layers, name) for name in layers.__all__ if name != "Layer"}
    known.update({name: getattr(init, name) for name in _INITIALIZERS})
    known.update({kind.__name__: kind for kind in kinds})
    layer = _make(config, known)
    if not isinstance(layer, Layer):
        raise ModelError(f"{config.get('kind')!r} is no layer")
    return layer


def kinds_of(layer: object) -> set[type]:
    """The classes beyond the library's in a layer: what `from_config` needs as `kinds`.

    Raises ModelError for one that has a name of the library's, or keeps settings that are no dataclass fields.
    """
    if isinstance(layer, Mapping):
        return kinds_of(tuple(layer.values()))
    if isinstance(layer, tuple | list):
        return set().union(*map(kinds_of, layer))
    if isinstance(layer, Composite):
        inner = kinds_of(layer.layers)
    elif isinstance(layer, Layer):
        settings = layer.settings()
        inner = kinds_of(settings)
        if not is_dataclass(layer) and not settings and vars(layer):
            raise ModelError(
                f"{type(layer).__name__} keeps {', '.join(vars(layer))}, which no file can hold; make it a dataclass, "
                f"with @dataclass(frozen=True, repr=False)"
            )
    elif is_dataclass(layer):
        inner = kinds_of([getattr(layer, setting.name) for setting in fields(layer)])
    else:
        return set()
    kind, name = type(layer), type(layer).__name__
    home = getattr(layers, name, None) if name in layers.__all__ else getattr(init, name, None)
    if home is kind:
        return inner
    if home is not None or any(other.__name__ == name and other is not kind for other in inner):
        raise ModelError(f"two kinds of layer are called {name}; give the class another name")
    return inner | {kind}


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {name: _plain(item) for name, item in value.items()}
    if isinstance(value, tuple | list):
        return [_plain(item) for item in value]
    if isinstance(value, Fraction):
        return float(value)
    return to_config(value) if is_dataclass(value) else value


def _make(config: object, known: Mapping[str, type]) -> Any:
    if not isinstance(config, Mapping) or not isinstance(config.get("kind"), str):
        raise ModelError(f"a layer is described by a dictionary with a kind, not by {config!r}")
    kind = known.get(config["kind"])
    if kind is None:
        raise ModelError(
            f"no layer is called {config['kind']!r}; if the class is your own, pass kinds=[{config['kind']}]"
        )
    settings = {name: _value(value, known) for name, value in config.items() if name != "kind"}
    inner = settings.pop("layers", ()) if issubclass(kind, Composite) else ()
    try:
        return kind(*inner, **settings)
    except TypeError as error:
        raise ModelError(f"{config['kind']} cannot be made of {settings}: {error}") from error


def _value(value: Any, known: Mapping[str, type]) -> Any:
    if isinstance(value, Mapping):
        made = "kind" in value
        return _make(value, known) if made else {name: _value(item, known) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return tuple(_value(item, known) for item in value)
    return value
