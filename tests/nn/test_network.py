"""Networks: names, shapes, roles, counts; and what a layer that does not fit says."""

from __future__ import annotations

from fractions import Fraction

import pytest

from paperback.calculus.conventions import Conventions
from paperback.errors import ModelError
from paperback.nn.init import Ones, Zeros
from paperback.nn.layers import (
    AvgPool2d,
    BatchNorm,
    Conv2d,
    Dense,
    Dropout,
    Flatten,
    Layer,
    MaxPool2d,
    ReLU,
    Residual,
    Sequential,
)  # fmt: skip
from paperback.nn.network import build
from paperback.nn.summary import summary
from paperback.notation.size import Size

N = Size.of("N")


def lenet() -> Sequential:
    return Sequential(
        Conv2d(32, 5), ReLU(), MaxPool2d(2), Conv2d(64, 5), ReLU(), MaxPool2d(2),
        Flatten(), Dense(128), ReLU(), Dense(10),
    )  # fmt: skip


def test_the_network_of_the_sheet() -> None:
    network = build(lenet(), (28, 28, 1))
    shapes = [(layer.name, layer.output_shape) for layer in network.layers]
    assert shapes == [
        ("conv2d_1", (24, 24, 32)), ("relu_1", (24, 24, 32)), ("maxpool2d_1", (12, 12, 32)),
        ("conv2d_2", (8, 8, 64)), ("relu_2", (8, 8, 64)), ("maxpool2d_2", (4, 4, 64)),
        ("flatten_1", (1024,)), ("dense_1", (128,)), ("relu_3", (128,)), ("dense_2", (10,)),
    ]  # fmt: skip
    assert {name: spec.shape for name, spec in network.parameters.items()} == {
        "conv2d_1.w": (5, 5, 1, 32), "conv2d_1.b": (32,), "conv2d_2.w": (5, 5, 32, 64), "conv2d_2.b": (64,),
        "dense_1.w": (1024, 128), "dense_1.b": (128,), "dense_2.w": (128, 10), "dense_2.b": (10,),
    }  # fmt: skip
    assert network.output == "dense_2.y" and network.output_shape == (10,)
    for program in (network.train, network.predict):
        assert program.outputs == ("dense_2.y",) and program.batch == "N"
        assert program.tensors["input"].axes == (N, Size.of(28), Size.of(28), Size.of(1))
        assert program.tensors["input"].role == "input"
        assert program.tensors["dense_2.y"].role == "output"
        assert program.tensors["relu_1.y"].role == "intermediate"
        assert program.tensors["conv2d_1.w"].role == "parameter"
        assert [s.target for s in program.statements] == [f"{name}.y" for name, _ in shapes]
        assert not program.updates


def test_shapes_and_counts_of_claim_a4() -> None:
    network = build(
        Sequential(
            Conv2d(32, 8, stride=2, padding=3, bias=False), MaxPool2d(2), Conv2d(64, 3, padding=1, bias=False)
        ),
        (128, 128, 3),
    )
    assert [layer.output_shape for layer in network.layers] == [(64, 64, 32), (32, 32, 32), (32, 32, 64)]
    assert [layer.parameter_count for layer in network.layers] == [6144, 0, 18432]


def test_flops_are_counted_from_the_formulas() -> None:
    flops = {layer.name: layer.flops for layer in build(lenet(), (28, 28, 1)).layers}
    assert flops["conv2d_1"] == 24 * 24 * 32 * (2 * 5 * 5 * 1 + 1)
    assert flops["relu_1"] == 24 * 24 * 32
    assert flops["maxpool2d_1"] == 12 * 12 * 32 * 4
    assert flops["conv2d_2"] == 8 * 8 * 64 * (2 * 5 * 5 * 32 + 1)
    assert flops["flatten_1"] == 0
    assert flops["dense_2"] == 10 * (2 * 128 + 1)


def test_batch_norm_and_dropout_have_two_phases() -> None:
    network = build(Sequential(Conv2d(4, 3), BatchNorm(), ReLU(), Dropout(0.25), Flatten(), Dense(3)), (5, 7, 2))
    train, predict = network.train, network.predict
    assert [s.target for s in train.statements][1:4] == ["batchnorm_1.m", "batchnorm_1.v", "batchnorm_1.y"]
    assert set(train.updates) == {"batchnorm_1.mean", "batchnorm_1.var"}
    assert [t.name for t in train.by_role("state")] == ["batchnorm_1.mean", "batchnorm_1.var"]
    assert [t.name for t in train.by_role("mask")] == ["dropout_1.mask"]
    assert train.tensors["dropout_1.mask"].axes == (N, Size.of(3), Size.of(5), Size.of(4))
    assert network.masks["dropout_1.mask"].shape == (3, 5, 4) and network.masks["dropout_1.mask"].keep == 0.75
    assert not predict.updates and not list(predict.by_role("mask", "scalar"))
    assert [t.name for t in predict.by_role("state")] == ["batchnorm_1.mean", "batchnorm_1.var"]
    assert {n: (s.shape, s.initializer) for n, s in network.state.items()} == {
        "batchnorm_1.mean": ((4,), Zeros()), "batchnorm_1.var": ((4,), Ones())
    }  # fmt: skip
    assert not list(train.by_role("scalar"))


@pytest.mark.parametrize(
    ("net", "shape", "least"),
    [(BatchNorm(), (5,), 2), (BatchNorm(), (2, 5), 1), (BatchNorm(), (1, 1, 5), 2), (Dense(2), (3,), 1)],
)
def test_the_least_batch_is_read_off_the_divisions(net: Layer, shape: tuple[int, ...], least: int) -> None:
    assert build(net, shape).least_batch == least


def test_conventions_go_to_the_program() -> None:
    network = build(Sequential(ReLU(Fraction(1, 2)), ReLU(), MaxPool2d(ties="split"), ReLU(1)), (4, 6, 2))
    assert network.train.conventions == {
        "relu_1.y": Conventions(relu_at_zero=Fraction(1, 2)),
        "maxpool2d_1.y": Conventions(ties="split"),
        "relu_3.y": Conventions(relu_at_zero=Fraction(1)),
    }


def test_layers_inside_layers_are_numbered_in_order() -> None:
    network = build(
        Sequential(
            Dense(5), Sequential(ReLU(), Dense(5)), Residual(Dense(3), ReLU(), Dense(5)), Residual(Dense(5))
        ),
        (4,),
    )
    assert [layer.name for layer in network.layers] == [
        "dense_1", "relu_1", "dense_2", "dense_3", "relu_2", "dense_4", "residual_1", "dense_5", "residual_2",
    ]  # fmt: skip
    assert network.output == "residual_2.y"


def test_the_summary_is_a_page_of_formulas() -> None:
    text = summary(build(lenet(), (28, 28, 1)))
    assert "y[i,j,k] = sum(p,q,r) x[i+p, j+q, r] * w[p,q,r,k] + b[k]" in text
    assert f"{832 + 51264 + 131200 + 1290:,} parameters" in text
    assert len(text.splitlines()) == 1 + 1 + 10 + 2


class Scale(Layer):
    """y = x*a + c, one number each per feature."""

    axes = {"x": "I", "a": "I", "c": "I"}
    formula = "y[i] = x[i]*a[i] + c[i]"
    parameters = {"a": Ones(), "c": Zeros()}


def test_a_layer_of_your_own_is_one_short_class() -> None:
    network = build(Sequential(Scale(), Scale()), (5,))
    assert {name: spec.shape for name, spec in network.parameters.items()} == {
        "scale_1.a": (5,), "scale_1.c": (5,), "scale_2.a": (5,), "scale_2.c": (5,)
    }  # fmt: skip


def bad(formula: str, **parts: object) -> Layer:
    return type("Bad", (Layer,), {"formula": formula, "axes": {"x": "I"}, **parts})()  # type: ignore[no-any-return]


UNFIT: list[tuple[str, Layer, tuple[int, ...], str]] = [
    (
        "dense after flatten",
        Sequential(Conv2d(16, 4), Flatten(), Dense(120, in_features=256)),
        (8, 8, 1),
        "dense_1, Dense(120, in_features=256): flatten_1 gives 400 = 5*5*16; the input gives I = 400, needed is 256: "
        "change in_features, or leave it out",
    ),
    (
        "dense on an image",
        Sequential(Conv2d(3, 2), Dense(10)),
        (5, 7, 2),
        "dense_1, Dense(10): conv2d_1 gives 4x6x3; it takes 1 axis (I), not 3: add Flatten() before it",
    ),
    (
        "conv on a vector",
        Sequential(Dense(5), Conv2d(3, 2)),
        (3,),
        "conv2d_1, Conv2d(3, 2): dense_1 gives 5; it takes 3 axes (H W R), not 1: put it before Flatten()",
    ),
    (
        "kernel too large",
        Sequential(Conv2d(3, 5), MaxPool2d(2), Conv2d(3, (3, 2))),
        (7, 11, 1),
        "conv2d_2, Conv2d(3, (3, 2)): maxpool2d_1 gives 1x3x3; a kernel that covers 3x2 does not fit into 1x3: "
        'use a smaller kernel, or padding="same"',
    ),
    (
        "kernel too large with dilation and padding",
        Conv2d(3, 3, dilation=4, padding=1),
        (5, 11, 1),
        "conv2d_1, Conv2d(3, 3, padding=1, dilation=4): input gives 5x11x1; a kernel that covers 9x9 does not fit into "
        '7x13 with its padding: use a smaller kernel, or padding="same"',
    ),
    (
        "window too large",
        AvgPool2d(3),
        (2, 7, 1),
        "avgpool2d_1, AvgPool2d(3): input gives 2x7x1; a window that covers 3x3 does not fit into 2x7: "
        "use a smaller window, or fewer pooling layers before",
    ),
    (
        "residual",
        Sequential(Dense(5), Residual(Dense(3))),
        (4,),
        "residual_1, Residual(Dense(3)): dense_1 gives 5; x + f(x) needs equal shapes, but f takes (5,) to (3,): "
        'use padding="same" and stride 1 inside, and as many filters or units as come in',
    ),
    (
        "stranger",
        bad("y[i] = x[i]*q[i]", axes={"x": "I", "q": "I"}),
        (3,),
        "bad_1, Bad(): input gives 3; the formula reads q, which is no input, parameter, state or mask: "
        "name it among the layer's parameters",
    ),
    (
        "constant",
        bad("y[i] = w[i]", axes={"x": "I", "w": "I"}, parameters={"w": Zeros()}),
        (3,),
        "bad_1, Bad(): input gives 3; the output y does not depend on x",
    ),
    (
        "phases",
        bad("y[i] = x[i]", inference="y = sum(i) x[i]"),
        (3,),
        "bad_1, Bad(): input gives 3; training gives axes N 3, inference N",
    ),
    (
        "update of no state",
        bad("y[i] = x[i]*2", update="u[i] = u[i]*2", axes={"x": "I", "u": "I"}),
        (3,),
        "bad_1, Bad(): input gives 3; an update gives u a new value, but it is no state of the layer",
    ),
    (
        "update of another shape",
        bad("y[i] = x[i]*2", update="u[i] = 2*i where i < 2", axes={"x": "I", "u": "I"}, state={"u": Zeros()}),
        (3,),
        "",
    ),
    (
        "mask at inference",
        bad("y[i] = x[i]*m[i]", axes={"x": "I", "m": "I"}, masks={"m": 0.5}),
        (3,),
        "bad_1, Bad(): input gives 3; the formula for inference reads the mask m: there is none after training",
    ),
]


@pytest.mark.parametrize(("net", "shape", "message"), [case[1:] for case in UNFIT], ids=[case[0] for case in UNFIT])
def test_a_layer_that_does_not_fit_says_where_what_and_how(net: Layer, shape: tuple[int, ...], message: str) -> None:
    with pytest.raises(ModelError) as caught:
        build(net, shape)
    assert not message or str(caught.value) == message


def test_layers_are_values() -> None:
    assert Conv2d(3, 2, padding="same") == Conv2d(3, 2, padding="same") != Conv2d(3, 2)
    assert Sequential(Dense(3), ReLU()) == Sequential(Dense(3), ReLU())
    assert len({Dense(3), Dense(3), Dense(4)}) == 2
    assert repr(Sequential(Conv2d(3, 2, flip=True), Residual(ReLU()))) == (
        "Sequential(Conv2d(3, 2, flip=True), Residual(ReLU()))"
    )
    with pytest.raises(AttributeError):
        Dense(3).units = 4  # type: ignore[misc]


def test_describe_says_everything_in_a_few_lines() -> None:
    assert Dense(3).describe().splitlines() == [
        "Dense(3)",
        "  y[o] = sum(i) x[i] * w[i,o] + b[o]",
        "  w: I O  starts as HeNormal()",
        "  b: O  starts as Zeros()",
        "  O = 3",
    ]
