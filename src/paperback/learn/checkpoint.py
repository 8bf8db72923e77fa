"""Checkpoints: a model in one safetensors file, the tensors as they are and everything else as JSON in its metadata.

    tensors     parameters, running statistics and the optimizer's tensors, under their names
    metadata    "paperback": format, network, input_shape, seed, dtype, layout, frozen; optimizer, taken, steps, epochs,
                loss
                "paperback.run": how the model was trained (a Record), where that was told

Layers come back from a table of class names and plain settings: reading runs nothing that a file says. A file is
checked whole (its header, the network it describes, every tensor's shape and type against that network) before an
array is made. Writing is atomic: a temporary file beside the target, fsync, replace, fsync of the folder.
"""

from __future__ import annotations

__all__ = ["Checkpoint", "check_target", "read", "read_record", "replace_file", "write"]

import json
import os
import secrets
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save as serialise

from paperback.errors import ModelError
from paperback.learn.inputs import LAYOUTS
from paperback.learn.optim import Optimizer
from paperback.learn.optim import from_config as optimizer_from_config
from paperback.learn.record import Record
from paperback.nn.config import from_config as layer_from_config
from paperback.nn.config import kinds_of, to_config
from paperback.nn.layers.layer import Layer
from paperback.nn.losses import Loss, attach
from paperback.nn.network import Network, build

Array = NDArray[Any]

KEY = "paperback"
RECORD_KEY = "paperback.run"
FORMAT = 1
_DTYPES = {"float32": "F32", "float64": "F64"}
_MAX_DESCRIPTION = 1 << 22  # characters of JSON: a network of thousands of layers
_FIELDS = (
    "format", "network", "input_shape", "seed", "dtype", "layout", "frozen", "optimizer", "taken", "steps", "epochs",
)  # fmt: skip
_SINCE = {"loss": None}  # what older files do not have


@dataclass(frozen=True)
class Checkpoint:
    """What a file holds: how the model is built, how far it has learned, and its numbers."""

    net: Layer
    input_shape: tuple[int, ...]
    seed: int
    dtype: str
    layout: str
    frozen: tuple[str, ...]
    rule: Optimizer | None
    taken: int
    steps: int
    epochs: int
    tensors: Mapping[str, Array]
    loss: Loss | None = None


def check_target(where: str, path: str | os.PathLike[str]) -> None:
    """ModelError unless a file can be put at `path`: its folder is there and takes files, and it is no folder itself.

    `where` begins the message. Nothing is left behind, and a file that is there stays as it is.
    """
    if not isinstance(path, str | os.PathLike):
        raise ModelError(f"{where}: the path is a text, found {path!r}; pass the name of a file")
    target = Path(path)
    if os.path.isdir(target):
        raise ModelError(f"{where}: cannot write {target}: it is a folder; add the name of a file")
    temporary = _beside(target)
    try:
        temporary.touch(exist_ok=False)
        temporary.unlink()
    except OSError as error:
        if not target.parent.is_dir():
            raise ModelError(
                f"{where}: cannot write {target}: there is no folder {target.parent}; make it, or choose another path"
            ) from None
        raise ModelError(f"{where}: cannot write {target}: {error.strerror or error}; choose another path") from error


def write(path: str | os.PathLike[str], checkpoint: Checkpoint, record: Record | None = None) -> None:
    """Write a checkpoint to `path`, and the record of its run, atomically; the same model gives the same bytes.

    ModelError where no file can be put there (see `check_target`), OSError for a disk that fails while it is written.
    """
    check_target("save", path)
    network = to_config(checkpoint.net)
    layer_from_config(network, kinds_of(checkpoint.net))  # what cannot be read back is refused before it is written
    if checkpoint.rule is not None:
        optimizer_from_config(checkpoint.rule.config(), [type(checkpoint.rule)])
    description = {
        "format": FORMAT,
        "network": network,
        "input_shape": checkpoint.input_shape,
        "seed": checkpoint.seed,
        "dtype": checkpoint.dtype,
        "layout": checkpoint.layout,
        "frozen": checkpoint.frozen,
        "optimizer": checkpoint.rule and checkpoint.rule.config(),
        "loss": checkpoint.loss and checkpoint.loss.config(),
        "taken": checkpoint.taken,
        "steps": checkpoint.steps,
        "epochs": checkpoint.epochs,
    }
    bad = _not_finite(checkpoint.tensors)
    if bad:
        raise ModelError(f"save: needs finite numbers, {bad} holds NaN or infinity; train with a smaller learning rate")
    text = json.dumps(description, allow_nan=False)
    tensors = {name: np.ascontiguousarray(array) for name, array in checkpoint.tensors.items()}
    told = {RECORD_KEY: record.to_json()} if record is not None else {}
    replace_file(Path(path), serialise(tensors, metadata={KEY: text, **told}))


def replace_file(target: Path, data: bytes) -> None:
    """Put `data` in the place of `target`: all of it or nothing, on the disk when this returns."""
    temporary = _beside(target)
    try:
        with open(temporary, "xb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, target)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    if os.name == "posix":
        folder = os.open(target.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)


def _beside(target: Path) -> Path:
    """A name for a temporary file in the folder of `target`."""
    return target.with_name(f".{target.name}.{secrets.token_hex(8)}.tmp")


def read(path: str | os.PathLike[str], kinds: Iterable[type] = ()) -> Checkpoint:
    """The checkpoint in a file; ModelError, before any array is made, for a file that is none or does not fit.

    `kinds` are classes of the caller's own (layers, initialisers, optimizers) that the file may name.
    """
    kinds = (kinds,) if isinstance(kinds, type) else tuple(kinds)
    for kind in kinds:
        if not isinstance(kind, type):
            raise ModelError(f"load: kinds are classes of layers, found {kind!r}; pass kinds=[YourLayer]")
    if not isinstance(path, str | os.PathLike):
        raise ModelError(f"load: the path is a text, found {path!r}; pass the name of a file")
    place = os.fspath(path)
    if not os.path.isfile(place):
        there = "a folder; add the name of the file" if os.path.isdir(place) else "nothing there; check the path"
        raise ModelError(f"load: {place} needs to be a file, found {there}")
    try:
        with safe_open(place, framework="numpy") as file:
            slices = {name: file.get_slice(name) for name in file.keys()}  # noqa: SIM118
            found = {name: (tuple(part.get_shape()), part.get_dtype()) for name, part in slices.items()}
            saved = _described(place, (file.metadata() or {}).get(KEY), kinds)
            _check_tensors(place, saved, found)
            tensors = {name: file.get_tensor(name) for name in found}
    except SafetensorError as error:
        raise ModelError(
            f"load: {place} is no safetensors file, or was cut short; pass a file that Model.save wrote"
        ) from error
    except OSError as error:
        raise ModelError(f"load: {place} cannot be read: {error.strerror or error}; check the path") from error
    bad = _not_finite(tensors)
    if bad:
        _refuse(place, f"finite numbers, {bad} holds NaN or infinity")
    return Checkpoint(**{**saved, "tensors": tensors})


def read_record(path: str | os.PathLike[str]) -> Record | None:
    """How the model in a file was trained; None where the file does not tell, ModelError where it holds no model."""
    if not isinstance(path, str | os.PathLike):
        raise ModelError(f"load: the path is a text, found {path!r}; pass the name of a file")
    place = os.fspath(path)
    if not os.path.isfile(place):
        there = "a folder; add the name of the file" if os.path.isdir(place) else "nothing there; check the path"
        raise ModelError(f"load: {place} needs to be a file, found {there}")
    try:
        with safe_open(place, framework="numpy") as file:
            metadata = file.metadata() or {}
    except (SafetensorError, OSError):
        read(path)  # says what is wrong with it
        raise
    if RECORD_KEY not in metadata:
        return None
    try:
        return Record.from_json(metadata[RECORD_KEY])
    except ModelError as error:
        raise ModelError(f"load: {place} is damaged: {error}") from None


def _not_finite(tensors: Mapping[str, Array]) -> str | None:
    return next((name for name, array in tensors.items() if not np.isfinite(array).all()), None)


def _refuse(place: str, needed: str, fix: str = "the file is damaged, or Model.save did not write it") -> NoReturn:
    raise ModelError(f"load: {place} needs {needed}; {fix}")


def _described(place: str, text: str | None, kinds: tuple[type, ...]) -> dict[str, Any]:
    """The metadata as the fields of a Checkpoint, every one checked."""
    if text is None:
        _refuse(place, f'the model under "{KEY}" in its metadata, found nothing', "pass a file that Model.save wrote")
    if len(text) > _MAX_DESCRIPTION:
        _refuse(place, f"a description of at most {_MAX_DESCRIPTION:,} characters, found {len(text):,}")
    try:
        data = json.loads(text)
    except (ValueError, RecursionError):
        _refuse(place, "a description in JSON, found something else")
    data = {**_SINCE, **data} if isinstance(data, dict) else data
    if not isinstance(data, dict) or set(data) != {*_FIELDS, *_SINCE}:
        known = set(data) if isinstance(data, dict) else set()
        if known and data.get("format") not in (None, FORMAT):
            _refuse(place, f"format {FORMAT}, found {data['format']!r}", "update the package, or save the model anew")
        missing, extra = sorted(set(_FIELDS) - known), sorted(known - {*_FIELDS, *_SINCE})
        _refuse(place, f"a description with {', '.join(_FIELDS)}, {_difference(missing, extra)}")
    if data["format"] != FORMAT or isinstance(data["format"], bool):
        _refuse(place, f"format {FORMAT}, found {data['format']!r}", "update the package, or save the model anew")
    for name in ("seed", "taken", "steps", "epochs"):
        if not _is_count(data[name]):
            _refuse(place, f"a whole number from 0 on as {name}, found {data[name]!r}")
    for name, choices in (("dtype", tuple(_DTYPES)), ("layout", LAYOUTS)):
        if data[name] not in choices:
            _refuse(place, f"{name} one of {', '.join(choices)}, found {data[name]!r}")
    shape, frozen = data["input_shape"], data["frozen"]
    if not isinstance(shape, list) or not all(_is_count(n) and n > 0 for n in shape):
        _refuse(place, f"an input_shape of whole numbers from 1 on, found {shape!r}")
    if not isinstance(frozen, list) or not all(isinstance(name, str) for name in frozen):
        _refuse(place, f"frozen as a list of names, found {frozen!r}")
    try:
        own = [kind for kind in kinds if not issubclass(kind, Optimizer)]
        net = layer_from_config(data["network"], own)
        rule = None if data["optimizer"] is None else optimizer_from_config(data["optimizer"], kinds)
        loss = None if data["loss"] is None else Loss.from_config(data["loss"])
    except (ModelError, TypeError, ValueError, AttributeError, RecursionError) as error:
        raise ModelError(f"load: {place} describes no model: {error or type(error).__name__}") from error
    return {
        "net": net, "input_shape": tuple(shape), "seed": data["seed"], "dtype": data["dtype"], "layout": data["layout"],
        "frozen": tuple(frozen), "rule": rule, "taken": data["taken"], "steps": data["steps"], "epochs": data["epochs"],
        "loss": loss,
    }  # fmt: skip


def _check_tensors(place: str, saved: Mapping[str, Any], found: Mapping[str, tuple[tuple[int, ...], str]]) -> None:
    """Every tensor of the described model is in the file, with its shape and type, and there is no other."""
    shape = saved["input_shape"]
    if saved["layout"] == "NCHW" and len(shape) > 1:
        shape = (*shape[1:], shape[0])
    try:
        network = build(saved["net"], shape)
        for kind in saved["loss"].labels if saved["loss"] else ():
            attach(network.predict, network.output, saved["loss"], label=kind)
    except (ModelError, OverflowError, RecursionError) as error:
        raise ModelError(f"load: {place} describes no model: {error or type(error).__name__}") from error
    odd = [name for name, spec in network.parameters.items() if not callable(getattr(spec.initializer, "sample", None))]
    if odd:
        _refuse(place, f"an initialiser for {odd[0]}, found {network.parameters[odd[0]].initializer!r}")
    needed = {name: spec.shape for name, spec in {**network.parameters, **network.state}.items()}
    optional = _optimizer_tensors(network, saved["rule"])
    missing = sorted(set(needed) - set(found))
    extra = sorted(set(found) - set(needed) - set(optional))
    if missing or extra:
        _refuse(place, f"the tensors of the network it describes, {_difference(missing, extra)}")
    dtype = _DTYPES[saved["dtype"]]
    for name, wanted in {**needed, **optional}.items():
        size, kind = found.get(name, (wanted, dtype))
        if size != wanted or kind != dtype:
            _refuse(place, f"{name} of shape {wanted} and type {dtype}, found {size} and {kind}")
    strangers = sorted(set(saved["frozen"]) - set(network.parameters))
    if strangers:
        _refuse(place, f"frozen names that are parameters, found {', '.join(strangers)}")


def _optimizer_tensors(network: Network, rule: Optimizer | None) -> dict[str, tuple[int, ...]]:
    """What the optimizer may keep: its state for every parameter (none for one that was frozen all along)."""
    states = rule.state if rule else ()
    return {f"{name}.{state}": spec.shape for name, spec in network.parameters.items() for state in states}


def _difference(missing: list[str], extra: list[str]) -> str:
    parts = [f"missing: {', '.join(missing)}"] if missing else []
    parts += [f"not known: {', '.join(extra[:4])}"] if extra else []
    return "; ".join(parts) or "found something else"


def _is_count(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 1 << 63
