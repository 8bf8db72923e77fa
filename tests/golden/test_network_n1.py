"""Golden network N1: every number of forward, backward and one step, of the CNN sheet's network on two inputs.

All values up to the softmax are dyadic rationals: they must come out exactly in the exact engine, and to the last bit
in NumPy float64. What has exponentials in it is held to 1e-12.
"""

from __future__ import annotations

from fractions import Fraction as Q
from functools import cache
from typing import Any

import numpy as np
import pytest
from tests.golden.exactly import near

import paperback as pb
from paperback import nn
from paperback.engines import compile_program
from paperback.nn.network import Network, build
from paperback.program.backward import gradients

INPUT_SHAPE = (14, 18, 1)
PARAMETERS = {  # name in the network: (shape, a, b, m, c, den)
    "conv2d_1.w": ((3, 5, 1, 2), 3, 1, 17, 8, 16),
    "conv2d_2.w": ((3, 2, 2, 3), 5, 2, 23, 11, 16),
    "dense_1.w": ((18, 4), 2, 7, 29, 14, 32),
    "dense_2.w": ((4, 3), 3, 4, 11, 5, 4),
}
BIASES = {
    "conv2d_1.b": ("1/2", "-1/4"),
    "conv2d_2.b": ("3", "1/4", "-1/8"),
    "dense_1.b": ("1", "1/2", "-1/2", "1/4"),
    "dense_2.b": ("0", "1/4", "-1/4"),
}
Z0, X1, Z1, X2, Z2, Z3 = "conv2d_1.y", "maxpool2d_1.y", "conv2d_2.y", "flatten_1.y", "dense_1.y", "dense_2.y"


def gen(shape: tuple[int, ...], a: int, b: int, m: int, c: int, den: int) -> np.ndarray:
    n = range(int(np.prod(shape)))
    return np.array([Q((a * k * k + b * k + 1) % m - c, den) for k in n], dtype=object).reshape(shape)


def ck(values: Any) -> Q:
    flat = np.asarray(values, dtype=object).ravel()
    return sum(((k + 1) * Q(v) for k, v in enumerate(flat)), Q(0))


def rationals(text: str) -> list[Q]:
    return [Q(word) for word in text.replace(",", " ").split()]


INPUTS = np.stack([gen(INPUT_SHAPE, 3, 5, 257, 128, 64), gen(INPUT_SHAPE, 7, 11, 251, 125, 64)])
VALUES: dict[str, np.ndarray] = {name: gen(*spec) for name, spec in PARAMETERS.items()} | {
    name: np.array([Q(v) for v in values], dtype=object) for name, values in BIASES.items()
}
EXPECTED: list[dict[str, Any]] = [
    {
        "ck z0": "4220449/1024", "ck x1": "3167899/512", "ck z1": "-27221543/16384",
        "x2": "41693/16384 8737/8192 0 15609/16384 31/8192 8345/16384 0 11317/16384 3935/2048 1645/2048 18671/16384 "
              "293/8192 36573/16384 1413/8192 4195/16384 8137/8192 9797/16384 0",
        "z2": "-20233/131072 18003/262144 66329/32768 225489/131072",
        "z3": "-1043261/524288 -4555891/1048576 -2012047/1048576",
        "gb2": "0 -13/8 3/2 2", "gb1": "345/256 841/256 -7/256", "gb0": "-4573/1024 11513/4096",
        "ck gw2": "7370293/8192", "ck gw1": "204724587/131072", "ck gw0": "-154502235/131072",
        "ck gx": "24206013/65536",
        "correlation z3": "-939223/524288 -7274033/2097152 -3193265/2097152",
        "y": 1, "J": 3.1290112970758512,
        "x4": (0.4611474199902575, 0.043761042541581016, 0.49509153746816154),
        "db0": (-1.8968028646044774, 1.1062031393930174),
        "db1": (0.6097380919996618, 1.2549990491905554, -0.0379933847417836),
        "db2": (0, -0.5934063337267739, 0.7341512768327663, 0.7002071593548622),
    },
    {
        "ck z0": "3784635/512", "ck x1": "6028095/1024", "ck z1": "-16915823/8192",
        "x2": "43879/16384 23485/8192 19885/16384 6097/8192 7797/16384 0 0 8089/8192 0 0 6575/16384 8687/16384 "
              "11601/16384 11435/8192 1201/2048 257/16384 0 10857/8192",
        "z2": "-354869/262144 171927/131072 184399/131072 -6245/131072",
        "z3": "-196871/262144 8589/65536 384709/524288",
        "gb2": "0 -13/8 3/2 0", "gb1": "59/128 95/128 -333/256", "gb0": "-1675/1024 1405/2048",
        "ck gw2": "-1605105/65536", "ck gw1": "123645973/262144", "ck gw0": "-25748871/131072",
        "ck gx": "1974759/32768",
        "correlation z3": "-484437/524288 880077/2097152 131265/131072",
        "y": 0, "J": 2.0579442058610535,
        "x4": (0.12771625853246232, 0.30854635079847087, 0.5637373906690668),
        "db0": (-0.6079359911585851, 0.6828386190603477),
        "db1": (0.20574680803642595, 0.29698445859319766, -0.16899117051734394),
        "db2": (0, 0.37234411076611984, 0.48660080296944913, 0),
    },
]  # fmt: skip


def network(flip: bool = True) -> nn.Layer:
    return nn.Sequential(
        nn.Conv2d(2, (3, 5), flip=flip), nn.ReLU(), nn.MaxPool2d(2),
        nn.Conv2d(3, (3, 2), flip=flip), nn.ReLU(), nn.MaxPool2d(2),
        nn.Flatten(), nn.Dense(4), nn.ReLU(), nn.Dense(3),
    )  # fmt: skip


def built(flip: bool = True) -> Network:
    return build(network(flip), INPUT_SHAPE)


@cache
def backward_of(example: int, engine: str) -> dict[str, Any]:
    """Forward intermediates and the VJP with cotangent v = (1, -2, 1/2), by the names of tensors."""
    net = built()
    names = [*VALUES, "input"]
    program, held = gradients(net.predict, net.output, names, cotangent="v")
    outputs = (Z0, X1, Z1, X2, Z2, net.output, *held.values())
    run = compile_program(type(program)(program.tensors, program.statements, outputs), "float64", engine)
    arrays: dict[str, Any] = {"input": INPUTS[example : example + 1], "v": np.array([[Q(1), Q(-2), Q(1, 2)]]), **VALUES}
    if engine == "numpy":
        arrays = {name: value.astype(float) for name, value in arrays.items()}
    results = run(arrays)
    return results | {f"gradient of {name}": results[held[name]] for name in names}


@pytest.mark.parametrize("engine", ["exact", "numpy"])
@pytest.mark.parametrize("example", [0, 1])
def test_forward_is_exact(example: int, engine: str) -> None:
    expected, got = EXPECTED[example], backward_of(example, engine)
    assert [ck(got[name][0]) for name in (Z0, X1, Z1)] == [Q(expected[k]) for k in ("ck z0", "ck x1", "ck z1")]
    for name, key in ((X2, "x2"), (Z2, "z2"), (built().output, "z3")):
        assert [Q(v) for v in got[name][0]] == rationals(expected[key]), name


@pytest.mark.parametrize("engine", ["exact", "numpy"])
@pytest.mark.parametrize("example", [0, 1])
def test_vjp_is_exact(example: int, engine: str) -> None:
    expected, got = EXPECTED[example], backward_of(example, engine)
    v = [Q(1), Q(-2), Q(1, 2)]
    assert [Q(g) for g in got["gradient of dense_2.b"]] == v
    x3 = [max(z, Q(0)) for z in rationals(expected["z2"])]
    assert [[Q(g) for g in row] for row in got["gradient of dense_2.w"]] == [[x * c for c in v] for x in x3]
    for name, key in (("dense_1.b", "gb2"), ("conv2d_2.b", "gb1"), ("conv2d_1.b", "gb0")):
        assert [Q(g) for g in got[f"gradient of {name}"]] == rationals(expected[key]), name
    checksums = {"dense_1.w": "ck gw2", "conv2d_2.w": "ck gw1", "conv2d_1.w": "ck gw0", "input": "ck gx"}
    for name, key in checksums.items():
        assert ck(got[f"gradient of {name}"]) == Q(expected[key]), name
    if example == 0:
        first = rationals("-565603/131072 22793/16384 52831/262144 -1590179/131072 -191577/32768")
        assert [Q(g) for g in got["gradient of conv2d_1.w"][0, :, 0, 0]] == first


def test_first_numbers_of_the_data() -> None:
    z0 = backward_of(0, "exact")[Z0][0]
    assert [Q(v) for v in z0[0, :4, 0]] == rationals("777/512 2071/1024 381/256 1969/1024")
    assert [Q(v) for v in z0[11, 13]] == rationals("525/512 -31/512")
    assert [x.ravel()[0] for x in INPUTS] == [Q(-127, 64), Q(-31, 16)]
    assert [x.sum() for x in INPUTS] == [Q(-113, 32), Q(-31, 16)]
    sums = {name: VALUES[name].sum() for name in PARAMETERS}
    assert list(sums.values()) == [Q(-1, 16), Q(-9, 4), Q(63, 32), Q(-1)]


@pytest.mark.parametrize("example", [0, 1])
def test_correlation_variant(example: int) -> None:
    net = built(flip=False)
    got = compile_program(net.predict, "float64", "exact")({"input": INPUTS[example : example + 1], **VALUES})
    assert [Q(v) for v in got[net.output][0]] == rationals(EXPECTED[example]["correlation z3"])


def model() -> pb.Model:
    made = pb.Model(network(), INPUT_SHAPE, dtype="float64", engine="numpy")
    made.set_parameters({name: value.astype(float) for name, value in VALUES.items()})
    return made


@pytest.mark.parametrize("example", [0, 1])
def test_loss_and_gradients(example: int) -> None:
    expected = EXPECTED[example]
    x, y = INPUTS[example : example + 1].astype(float), np.array([expected["y"]])
    value, grads = model().loss_and_gradients(x, y, loss="softmax_cross_entropy")
    assert near(value, expected["J"])
    one_hot = np.eye(3)[expected["y"]]
    assert near(grads["dense_2.b"], np.array(expected["x4"]) - one_hot)
    for name, key in (("conv2d_1.b", "db0"), ("conv2d_2.b", "db1"), ("dense_1.b", "db2")):
        assert near(grads[name], expected[key]), name


def test_one_step_on_the_batch() -> None:
    made = model()
    x, y = INPUTS.astype(float), np.array([e["y"] for e in EXPECTED])
    step = made.train_step(loss="softmax_cross_entropy", optimizer=pb.optim.SGD(1 / 64))
    assert near(step(x, y), 2.5934777514684524)
    after, _ = made.loss_and_gradients(x, y, loss="softmax_cross_entropy")
    assert near(after, 1.6050479562085962)
    assert near(made.parameters["dense_2.b"], (0.003212002511541252, 0.2550600984895308, -0.2582721010010721))
