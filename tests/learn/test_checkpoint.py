"""Checkpoints: what is saved comes back with the same bits; what is damaged or hostile is refused by name."""

from __future__ import annotations

import json
import os
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import save as serialise

from paperback import nn
from paperback.errors import ModelError
from paperback.learn import checkpoint
from paperback.learn.model import Model, load
from paperback.learn.optim import SGD, Adam

Edit = Callable[[dict[str, Any], dict[str, Any]], None]

CONV = nn.Conv2d(2, (2, 3), flip=True, padding="same")
NETS: list[tuple[nn.Layer, tuple[int, ...]]] = [
    (nn.Sequential(nn.Dense(3)), (5,)),
    (nn.Sequential(CONV, nn.ReLU(0.5), nn.Flatten(), nn.Dense(3)), (3, 4, 2)),
    (nn.Sequential(nn.Dense(4), nn.BatchNorm(0.3), nn.Dropout(0.25), nn.Dense(3, bias=False)), (5,)),
    (nn.Sequential(nn.Residual(nn.Dense(5, init=nn.Uniform(-0.5, 0.5)), nn.Tanh()), nn.Dense(3)), (5,)),
    (nn.Sequential(nn.MaxPool2d(2, ties="split"), nn.AvgPool2d((1, 2)), nn.Flatten(), nn.Dense(3)), (4, 5, 1)),
]


def data(shape: tuple[int, ...], count: int = 7) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
    random = np.random.default_rng(1)
    return random.normal(size=(count, *shape)).round(2), random.integers(0, 3, count)


def same_bits(a: Model, b: Model) -> bool:
    ours, theirs = ({**m._state.tensors, **m._state.optimizer} for m in (a, b))
    return set(ours) == set(theirs) and all(
        ours[n].dtype == theirs[n].dtype and ours[n].tobytes() == theirs[n].tobytes() for n in ours
    )


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize(("net", "shape"), NETS, ids=lambda v: repr(v) if isinstance(v, nn.Layer) else "")
def test_a_round_trip_keeps_every_bit(net: nn.Layer, shape: tuple[int, ...], dtype: str, tmp_path: Path) -> None:
    model = Model(net, shape, seed=4, dtype=dtype)
    x, y = data(shape)
    model.fit(x, y, optimizer=Adam(0.01), batch_size=4, epochs=2)
    model.save(tmp_path / "model")
    back = load(tmp_path / "model")
    assert back.net == net
    assert same_bits(model, back)
    assert (back.seed, back.dtype, back.layout, back.input_shape) == (4, np.dtype(dtype), "NHWC", shape)
    assert (back.steps, back.epochs) == (model.steps, model.epochs) == (4, 2)
    assert back.predict(x).tobytes() == model.predict(x).tobytes()


@pytest.mark.parametrize("optimizer", [SGD(0.1), SGD(0.1, momentum=0.9), Adam(0.01)], ids=repr)
@pytest.mark.parametrize(("net", "shape"), NETS, ids=lambda v: repr(v) if isinstance(v, nn.Layer) else "")
def test_training_resumed_has_the_bits_of_training_through(
    net: nn.Layer, shape: tuple[int, ...], optimizer: Any, tmp_path: Path
) -> None:
    x, y = data(shape)
    through = Model(net, shape, seed=4)
    through.fit(x, y, optimizer=optimizer, batch_size=3 if "BatchNorm" not in repr(net) else 4, epochs=3)
    halves = Model(net, shape, seed=4)
    halves.fit(x, y, optimizer=optimizer, batch_size=3 if "BatchNorm" not in repr(net) else 4, epochs=1)
    halves.save(tmp_path / "model")
    resumed = load(tmp_path / "model")
    resumed.fit(x, y, optimizer=optimizer, batch_size=3 if "BatchNorm" not in repr(net) else 4, epochs=2)
    assert same_bits(through, resumed)


def test_the_same_model_gives_the_same_bytes(tmp_path: Path) -> None:
    model = Model(*NETS[1])
    for name in ("a", "b"):
        model.save(tmp_path / name)
    load(tmp_path / "a").save(tmp_path / "c")
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes() == (tmp_path / "c").read_bytes()


def test_frozen_parameters_and_layout_come_back(tmp_path: Path) -> None:
    model = Model(nn.Sequential(nn.Conv2d(2, 3), nn.Flatten(), nn.Dense(3)), (2, 5, 4), layout="NCHW")
    model.freeze("conv2d_1")
    model.save(tmp_path / "model")
    back = load(tmp_path / "model")
    assert back.frozen == {"conv2d_1.w", "conv2d_1.b"}
    assert (back.layout, back.input_shape) == ("NCHW", (2, 5, 4))


@pytest.mark.parametrize("broken", ["replace", "fsync"])
def test_a_save_that_fails_leaves_the_old_file_and_nothing_else(
    broken: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = Model(*NETS[0])
    model.save(tmp_path / "model")
    before = (tmp_path / "model").read_bytes()
    model.set_parameters({"dense_1.b": [1, 2, 3]})

    def fail(*_: object) -> None:
        raise OSError("no space left")

    monkeypatch.setattr(os, broken, fail)
    with pytest.raises(OSError, match="no space left"):
        model.save(tmp_path / "model")
    monkeypatch.undo()
    assert (tmp_path / "model").read_bytes() == before
    assert [entry.name for entry in tmp_path.iterdir()] == ["model"]


class Swish(nn.Layer):
    formula = "y = x[] * sigmoid(x[])"


class Keeps(Swish):
    def __init__(self, slope: float) -> None:
        self.slope = slope


def test_a_layer_of_your_own_is_saved_and_loaded_by_its_class(tmp_path: Path) -> None:
    x, _ = data((5,))
    path = tmp_path / "model"
    model = Model(nn.Sequential(nn.Dense(4), nn.Residual(Swish()), nn.Dense(2)), (5,))
    model.save(path)
    back = load(path, kinds=[Swish])
    assert back.predict(x).tobytes() == model.predict(x).tobytes()
    wrong: list[Any] = [(), [3]]
    refused = [
        f"load: {path} describes no model: no layer is called 'Swish'; if the class is your own, pass kinds=[Swish]",
        "load: kinds are classes of layers, found 3; pass kinds=[YourLayer]",
    ]
    for kinds, message in zip(wrong, refused, strict=True):
        with pytest.raises(ModelError) as error:
            load(path, kinds=kinds)
        assert str(error.value) == message


def test_a_layer_of_your_own_that_would_not_come_back_is_not_saved(tmp_path: Path) -> None:
    other = type("Dense", (Swish,), {})
    refused = {
        Keeps(2.0): "Keeps keeps slope, which no file can hold; make it a dataclass, with "
        "@dataclass(frozen=True, repr=False)",
        other(): "two kinds of layer are called Dense; give the class another name",
    }
    for layer, message in refused.items():
        with pytest.raises(ModelError) as error:
            Model(nn.Sequential(layer), (5,)).save(tmp_path / "model")
        assert str(error.value) == message
    assert not list(tmp_path.iterdir())


def test_a_place_that_takes_no_file_is_refused_before_anything_is_computed(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("mine")
    missing, folder, inside, name = tmp_path / "none" / "a", tmp_path, tmp_path / "file" / "a", tmp_path / ("a" * 300)
    refused = {
        missing: f"cannot write {missing}: there is no folder {tmp_path / 'none'}; make it, or choose another path",
        folder: f"cannot write {folder}: it is a folder; add the name of a file",
        inside: f"cannot write {inside}: there is no folder {tmp_path / 'file'}; make it, or choose another path",
        name: f"cannot write {name}: File name too long; choose another path",
    }
    x, y = data((5,))
    for path, message in refused.items():
        model = Model(*NETS[0])
        with pytest.raises(ModelError) as error:
            model.save(path)
        assert str(error.value) == f"save: {message}"
        with pytest.raises(ModelError) as error:
            model.fit(x, y, checkpoint=path)
        assert str(error.value) == f"fit, checkpoint: {message}"
        assert model.steps == 0
    assert [entry.name for entry in tmp_path.iterdir()] == ["file"]
    checkpoint.check_target("save", tmp_path / "file")
    assert (tmp_path / "file").read_text() == "mine"


def test_numbers_that_are_none_are_not_saved(tmp_path: Path) -> None:
    model = Model(*NETS[0])
    tensors = {name: np.full_like(a, np.nan) if name == "dense_1.w" else a for name, a in model._state.tensors.items()}
    described = checkpoint.Checkpoint(model.net, (5,), 0, "float32", "NHWC", (), None, 0, 0, 0, tensors)
    with pytest.raises(ModelError) as error:
        checkpoint.write(tmp_path / "model", described)
    expected = "save: needs finite numbers, dense_1.w holds NaN or infinity; train with a smaller learning rate"
    assert str(error.value) == expected
    assert not list(tmp_path.iterdir())


# --- files that are none ---------------------------------------------------------------------------------------------

NOT_A_FILE = "{path} is no safetensors file, or was cut short; pass a file that Model.save wrote"
DAMAGED = "; the file is damaged, or Model.save did not write it"

BYTES: list[tuple[str, Callable[[bytes], bytes]]] = [
    ("empty", lambda good: b""),
    ("a few bytes", lambda good: good[:7]),
    ("header cut", lambda good: good[:40]),
    ("tensors cut", lambda good: good[:-1]),
    ("bytes after the end", lambda good: good + b"\0"),
    ("a header longer than the file", lambda good: struct.pack("<Q", 1 << 40) + good[8:]),
    ("a header longer than memory", lambda good: struct.pack("<Q", (1 << 64) - 1) + good[8:]),
    ("no JSON", lambda good: good[:8] + b"x" + good[9:]),
    ("a pickle", lambda good: b"\x80\x04\x95\x0b\x00\x00\x00\x00\x00\x00\x00\x8c\x07os.system\x94."),
    ("text", lambda good: b"hello, this is no model at all"),
]


@pytest.mark.parametrize(("name", "damage"), BYTES, ids=[name for name, _ in BYTES])
def test_files_that_are_no_checkpoint(name: str, damage: Callable[[bytes], bytes], tmp_path: Path) -> None:
    path = tmp_path / "model"
    Model(*NETS[0]).save(path)
    path.write_bytes(damage(path.read_bytes()))
    with pytest.raises(ModelError) as error:
        load(path)
    assert str(error.value) == "load: " + NOT_A_FILE.format(path=path)


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(ModelError) as error:
        load(tmp_path / "nothing")
    expected = f"load: {tmp_path / 'nothing'} needs to be a file, found nothing there; check the path"
    assert str(error.value) == expected


def test_a_folder_is_no_file(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"^load: .* needs to be a file, found a folder; add the name of the file$"):
        load(tmp_path)


def put(key: str, value: object) -> Edit:
    return lambda description, tensors: description.update({key: value})


def network(config: object) -> Edit:
    return put("network", config)


def dense(**settings: object) -> Edit:
    return network({"kind": "Sequential", "layers": [{"kind": "Dense", **settings}]})


def nested(depth: int) -> object:
    inner: object = {"kind": "Dense", "units": 3}
    for _ in range(depth):
        inner = {"kind": "Sequential", "layers": [inner]}
    return inner


def tensor(name: str, value: object) -> Edit:
    return lambda description, tensors: tensors.update({name: value})


NOTHING = 'needs the model under "paperback" in its metadata, found nothing; pass a file that Model.save wrote'
FIELDS = "format, network, input_shape, seed, dtype, layout, frozen, optimizer, taken, steps, epochs"
NAMES = FIELDS.split(", ")
DESCRIBED: list[tuple[Edit, str]] = [
    (put("format", 2), "needs format 1, found 2; update the package, or save the model anew"),
    (put("format", True), "needs format 1, found True; update the package, or save the model anew"),
    (lambda d, t: d.pop("seed"), f"needs a description with {FIELDS}, missing: seed{DAMAGED}"),
    (put("extra", 1), f"needs a description with {FIELDS}, not known: extra{DAMAGED}"),
    (put("seed", -1), f"needs a whole number from 0 on as seed, found -1{DAMAGED}"),
    (put("steps", 1.5), f"needs a whole number from 0 on as steps, found 1.5{DAMAGED}"),
    (put("epochs", 1 << 70), f"needs a whole number from 0 on as epochs, found 1180591620717411303424{DAMAGED}"),
    (put("dtype", "float16"), f"needs dtype one of float32, float64, found 'float16'{DAMAGED}"),
    (put("dtype", ["float32"]), f"needs dtype one of float32, float64, found ['float32']{DAMAGED}"),
    (put("layout", "HWC"), f"needs layout one of NHWC, NCHW, found 'HWC'{DAMAGED}"),
    (put("input_shape", [0]), f"needs an input_shape of whole numbers from 1 on, found [0]{DAMAGED}"),
    (put("input_shape", "5"), f"needs an input_shape of whole numbers from 1 on, found '5'{DAMAGED}"),
    (put("frozen", [1]), f"needs frozen as a list of names, found [1]{DAMAGED}"),
    (put("frozen", ["dense_9.w"]), f"needs frozen names that are parameters, found dense_9.w{DAMAGED}"),
    (
        put("optimizer", {"class": "Magic"}),
        "describes no model: optimizer: needs one of SGD, RMSProp, Adam, AdamW, found 'Magic'; if the class is your "
        "own, pass kinds=[Magic]",
    ),
    (
        put("optimizer", {"class": "SGD", "lr": -1}),
        "describes no model: SGD: lr is a number from 0 on, found -1; pass lr=0.1",
    ),
    (dense(units=4), f"needs dense_1.w of shape (5, 4) and type F32, found (5, 3) and F32{DAMAGED}"),
    (dense(units=10**15), f"needs dense_1.w of shape (5, {10**15}) and type F32, found (5, 3) and F32{DAMAGED}"),
    (dense(units=3, bias=False), f"needs the tensors of the network it describes, not known: dense_1.b{DAMAGED}"),
    (
        network({"kind": "Sequential", "layers": [{"kind": "Dense", "units": 3}] * 2}),
        f"needs the tensors of the network it describes, missing: dense_2.b, dense_2.w{DAMAGED}",
    ),
    (tensor("more", np.zeros(3, "f4")), f"needs the tensors of the network it describes, not known: more{DAMAGED}"),
    (
        tensor("dense_1.b", np.zeros(3, "f8")),
        f"needs dense_1.b of shape (3,) and type F32, found (3,) and F64{DAMAGED}",
    ),
    (
        tensor("dense_1.b", np.array([0, np.inf, 0], "f4")),
        f"needs finite numbers, dense_1.b holds NaN or infinity{DAMAGED}",
    ),
]  # fmt: skip
def loss(**changes: object) -> Edit:
    own = {"name": "own", "formulas": {"real": "J = (z[] - y[])^2"}, "z_axes": "", "y_axes": None}
    return put("loss", {**own, "entries": "mean", "reduction": "mean", **changes})


HOSTILE: list[Edit] = [
    put("loss", 3),
    put("loss", {"name": "own"}),
    loss(more=1),
    loss(name=None),
    loss(formulas={}),
    loss(formulas=["J = z[]"]),
    loss(formulas={"real": 3}),
    loss(formulas={"real": "J = (z[] - "}),
    loss(formulas={"real": "J = z[]*w[]"}),
    loss(formulas={"real": "import os"}),
    loss(z_axes=3),
    loss(z_axes="K L M"),
    loss(y_axes=[1]),
    loss(entries="all"),
    loss(reduction=["mean"]),
    network({"kind": "os.system", "command": "false"}),
    network({"kind": "Layer"}),
    network({"kind": "__import__", "name": "os"}),
    network({"kind": "HeNormal"}),
    network({"kind": "Sequential", "layers": 3}),
    network({"kind": "Sequential", "layers": []}),
    network({"kind": "Sequential", "layers": [{"kind": "Zeros"}]}),
    network([]),
    network(None),
    network("Dense"),
    network(nested(300)),
    dense(units=-1),
    dense(units=1.5),
    dense(units=True),
    dense(units=[3]),
    dense(units={"kind": "Dense", "units": 3}),
    dense(units=3, __class__="x"),
    dense(units=3, init=[1]),
    dense(units=3, init={"kind": "Dense", "units": 3}),
    dense(),
    put("optimizer", {"class": ["SGD"]}),
    put("optimizer", []),
    put("optimizer", 3),
    put("input_shape", [1 << 62, 1 << 62]),
    put("input_shape", []),
]


def crafted(path: Path, edit: Edit) -> None:
    model = Model(*NETS[0])
    model.save(path)
    with checkpoint.safe_open(path, framework="numpy") as file:
        description = json.loads(file.metadata()[checkpoint.KEY])
    tensors = dict(model.parameters)
    edit(description, tensors)
    path.write_bytes(serialise(tensors, metadata={checkpoint.KEY: json.dumps(description)}))


def test_a_file_without_a_loss_is_that_of_an_older_model(tmp_path: Path) -> None:
    crafted(tmp_path / "model", lambda description, tensors: description.pop("loss"))
    assert load(tmp_path / "model").loss.name == "softmax_cross_entropy"
    crafted(tmp_path / "model", loss())
    assert load(tmp_path / "model").loss.name == "own"


@pytest.mark.parametrize(("edit", "message"), DESCRIBED, ids=[message[:60] for _, message in DESCRIBED])
def test_descriptions_that_do_not_fit(edit: Edit, message: str, tmp_path: Path) -> None:
    crafted(tmp_path / "model", edit)
    with pytest.raises(ModelError) as error:
        load(tmp_path / "model")
    assert str(error.value) == f"load: {tmp_path / 'model'} {message}"


@pytest.mark.parametrize("edit", HOSTILE, ids=range(len(HOSTILE)))
def test_hostile_descriptions_are_refused(edit: Edit, tmp_path: Path) -> None:
    crafted(tmp_path / "model", edit)
    with pytest.raises(ModelError, match=r"^load: "):
        load(tmp_path / "model")


@pytest.mark.parametrize(
    ("metadata", "message"),
    [
        (None, NOTHING),
        ({"other": "x"}, NOTHING),
        ({"paperback": "{"}, f"needs a description in JSON, found something else{DAMAGED}"),
        ({"paperback": "[" * 100_000}, f"needs a description in JSON, found something else{DAMAGED}"),
        ({"paperback": "1" * 5000}, f"needs a description in JSON, found something else{DAMAGED}"),
        ({"paperback": "[]"}, f"needs a description with {FIELDS}, missing: {', '.join(sorted(NAMES))}{DAMAGED}"),
        (
            {"paperback": " " * ((1 << 22) + 1)},
            f"needs a description of at most 4,194,304 characters, found 4,194,305{DAMAGED}",
        ),
    ],
    ids=["none", "other", "cut", "deep", "long number", "a list", "long"],
)  # fmt: skip
def test_metadata_that_describe_nothing(metadata: dict[str, str] | None, message: str, tmp_path: Path) -> None:
    path = tmp_path / "model"
    path.write_bytes(serialise(dict(Model(*NETS[0]).parameters), metadata=metadata))
    with pytest.raises(ModelError) as error:
        load(path)
    assert str(error.value) == f"load: {path} {message}"


def test_the_tables_are_not_empty() -> None:
    assert (len(BYTES), len(DESCRIBED), len(HOSTILE), len(NETS)) == (10, 23, 40, 5)
