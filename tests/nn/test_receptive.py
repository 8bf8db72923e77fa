"""Receptive fields against brute force: perturb every element of the input and see which outputs change.

Weights and inputs are positive and the perturbation is large, so that nothing cancels, no ReLU is shut, and a perturbed
element wins every maximum it takes part in: an output changes exactly where the element has an influence.
"""

from __future__ import annotations

import re
from fractions import Fraction
from functools import cache
from itertools import product
from random import Random

import numpy as np
import pytest

from paperback import Model, nn
from paperback.errors import ModelError
from paperback.nn.init import Uniform
from paperback.nn.layers.layer import Layer
from paperback.nn.network import build
from paperback.nn.receptive import Field, influence, receptive_fields

POSITIVE = {"init": Uniform(0.5, 1.5)}


def windows(random: Random, rank: int) -> Layer:
    """A random layer with a window."""
    kind = random.choice(["conv", "conv", "conv", "max", "average", "transpose", "depthwise"])
    size, stride = random.randint(1, 3), random.randint(1, 3)
    conv, transpose, largest, mean = (
        (nn.Conv1d, nn.ConvTranspose1d, nn.MaxPool1d, nn.AvgPool1d)
        if rank == 1
        else (nn.Conv2d, nn.ConvTranspose2d, nn.MaxPool2d, nn.AvgPool2d)
    )
    if kind in ("conv", "depthwise"):
        pads = [(random.randint(0, 2), random.randint(0, 2)) for _ in range(rank)]
        padding = random.choice(["valid", "same", "full", tuple(pads)])
        return conv(
            2, size, stride, padding, random.randint(1, 3), bool(random.getrandbits(1)),
            groups=2 if kind == "depthwise" else 1, **POSITIVE,
        )  # fmt: skip
    if kind == "transpose":
        return transpose(2, size, stride, 0, 0, random.randint(1, 3), **POSITIVE)
    padding = random.randint(0, size - 1)
    return (largest if kind == "max" else mean)(size, stride, padding, ceil=bool(random.getrandbits(1)))


def random_net(random: Random, rank: int) -> Layer:
    layers: list[Layer] = []
    for _ in range(random.randint(1, 3)):
        one = windows(random, rank)
        conv = nn.Conv1d if rank == 1 else nn.Conv2d
        same = conv(2, random.choice([1, 3]), padding="same", dilation=random.randint(1, 2), **POSITIVE)
        two = conv(2, 2, padding="same", **POSITIVE)
        choice = random.random()
        if choice < 0.15:
            layers.append(nn.Residual(same, nn.ReLU()))
        elif choice < 0.3:
            layers.append(random.choice([nn.Parallel, nn.Add, nn.Multiply])(same, two))
        else:
            layers.append(one)
    return nn.Sequential(*layers)


@cache
def changed(model: Model) -> np.ndarray:
    """[input position ..., output place ...]: does the place of the output change with the element of the input?"""
    x = np.random.default_rng(1).uniform(0.5, 1.5, model.input_shape)
    many = np.repeat(x[None], x.size + 1, axis=0)
    many.reshape(x.size + 1, x.size)[np.arange(x.size), np.arange(x.size)] += 1e6
    results = model.predict(many).reshape(x.size + 1, -1)
    depends = np.abs(results[:-1] - results[-1:]) > 1e-9 * results[-1:]
    return depends.reshape(*model.input_shape, *model.network.output_shape).any(axis=-1)


def hull(positions: np.ndarray) -> tuple[int, int]:
    return int(positions.min()), int(positions.max())


def random_models(count: int) -> list[Model]:
    random, found = Random(5), []
    while len(found) < count:
        rank = random.choice([1, 1, 2])
        shape = (random.randint(5, 14), 2) if rank == 1 else (random.randint(4, 7), random.randint(4, 7), 2)
        try:
            model = Model(random_net(random, rank), shape, dtype="float64", seed=len(found), engine="numpy")
        except ModelError:
            continue  # a window that does not fit
        if np.prod(model.network.output_shape) <= 1500:
            found.append(model)
    return found


MODELS = random_models(120)


def test_every_output_depends_on_what_the_index_maps_say() -> None:
    compared = 0
    for model in MODELS:
        network, rank = model.network, len(model.input_shape) - 1
        depends = changed(model)
        for place in product(*map(range, network.output_shape[:-1])):
            wanted = depends[(..., *place)]
            box = influence(network.predict, network.output, [*place, range(network.output_shape[-1])])
            if box is None:
                assert not wanted.any(), (model.net, place)
                continue
            for axis in range(rank + 1):
                others = tuple(a for a in range(rank + 1) if a != axis)
                assert list(np.flatnonzero(wanted.any(axis=others))) == list(box[axis]), (model.net, place, axis)
                compared += 1
    assert compared > 5000


def test_size_jump_and_offset_are_those_of_places_away_from_borders() -> None:
    """Within the input, a place sees jump*i + offset and size - 1 further; elsewhere no more than that."""
    inner = 0
    for model in MODELS:
        network, rank = model.network, len(model.input_shape) - 1
        field = list(receptive_fields(network).values())[-1]
        assert field is not None
        depends = changed(model)
        for axis in range(rank):
            jump, size, offset, length = field.jump[axis], field.size[axis], field.offset[axis], model.input_shape[axis]
            assert jump is not None, model.net
            middle = [n // 2 for n in network.output_shape[:-1]]
            for place in range(network.output_shape[axis]):
                middle[axis] = place
                others = tuple(a for a in range(rank + 1) if a != axis)
                seen = np.flatnonzero(depends[(..., *middle)].any(axis=others))
                if not seen.size:
                    continue
                assert np.ptp(seen) < size, (model.net, place)
                if "Transpose" in repr(model.net):
                    continue  # fields differ within a period
                first = jump * place + offset
                assert first <= seen[0] and seen[-1] < first + size, (model.net, place)
                if first >= 0 and first + size <= length and not padded_inside(model.net):
                    assert hull(seen) == (first, first + size - 1), (model.net, place)
                    inner += 1
    assert inner > 150


def padded_inside(net: nn.Sequential) -> bool:
    """Is there padding in front of a layer that is not the first? It may lie within the input's field."""
    return any(re.search(r'"same"|"full"|padding=[^0]', repr(layer).replace("'", '"')) for layer in net.layers[1:])


def test_a_result_of_one_axis_has_its_elements_as_places() -> None:
    fields = receptive_fields(build(nn.Sequential(nn.ReLU(), nn.Dense(3), nn.Softmax()), (5,)))
    assert fields["relu_1"] == Field((1,), (Fraction(1),), (0,))
    assert fields["dense_1"] == fields["softmax_1"] == Field((5,), (Fraction(0),), (0,))
    flat = receptive_fields(build(nn.Sequential(nn.Conv2d(3, 3), nn.Flatten(), nn.Dense(3)), (5, 6, 2)))
    assert flat["flatten_1"] == Field((3, 3, 2), (None, None, Fraction(0)), (0, 0, 0))
    assert flat["dense_1"].size == (5, 6, 2)  # type: ignore[union-attr]


def test_the_period_of_transposed_convolutions_in_a_row_is_that_of_their_strides_together() -> None:
    down, up = nn.Conv1d(1, 3, 2, padding=1), nn.ConvTranspose1d(1, 4, 2, padding=1)
    fields = receptive_fields(build(nn.Sequential(down, down, down, up, up, up), (64, 1)))
    assert [field and field.jump[0] for field in fields.values()] == [2, 4, 8, 4, 2, 1]


def test_attention_and_global_pooling_see_everything_and_a_causal_one_the_past() -> None:
    net = nn.Sequential(nn.Residual(nn.MultiHeadAttention(2, causal=True)), nn.GlobalMaxPool())
    network = build(net, (7, 4))
    box = influence(network.predict, "residual_1.y", (3, 1))
    assert box is not None and list(box[0]) == [0, 1, 2, 3] and list(box[1]) == [0, 1, 2, 3]
    padded = receptive_fields(build(nn.Sequential(nn.Conv1d(2, 3, padding="same"), nn.GlobalAvgPool()), (7, 4)))
    assert padded["globalavgpool_1"] == Field((7, 4), (Fraction(0), Fraction(0)), (0, 0))  # its padding is no input
    fields = receptive_fields(network)
    assert fields["residual_1"] == Field((7, 4), (None, Fraction(0)), (0, 0))
    assert fields["globalmaxpool_1"] == Field((7, 4), (Fraction(0), Fraction(0)), (0, 0))


class Late(nn.Layer):
    """y is x from position 2 on, and 0 before."""

    axes = {"x": "I"}
    formula = "y[i] = [2 <= i]*x[i] where i < I"


def test_a_result_without_influence_has_no_field() -> None:
    network = build(Late(), (2,))
    assert receptive_fields(network) == {"late_1": None}
    network = build(Late(), (3,))
    assert influence(network.predict, "late_1.y", (1,)) is None
    assert influence(network.predict, "late_1.y", (2,)) == (np.array([2]),)


def chain(*layers: str) -> nn.Sequential:
    """"3/2" is a convolution with kernel 3 and stride 2, "p2/2" a pooling layer."""
    made: list[Layer] = []
    for layer in layers:
        size, stride = map(int, layer.strip("p").split("/"))
        padding = "same" if size > 1 else "valid"
        made.append(nn.MaxPool2d(size, stride) if layer[0] == "p" else nn.Conv2d(1, size, stride, padding))
    return nn.Sequential(*made)


def residual(stride: int) -> list[str]:
    return ["1/1", f"3/{stride}", "1/1"]


@pytest.mark.parametrize(
    ("net", "size", "jump"),
    [
        (chain("11/4", "p3/2", "5/1", "p3/2", "3/1", "3/1", "3/1", "p3/2"), 195, 32),  # AlexNet
        (chain(*[*["3/1"] * 2, "p2/2"] * 2, *[*["3/1"] * 3, "p2/2"] * 3), 212, 32),  # VGG-16
        (chain("3/2", *(f"3/{s}" for s in (1, 2, 1, 2, 1, 2, 1, 1, 1, 1, 1, 2, 1))), 315, 32),  # MobileNet
        (chain("7/2", "p3/2", *["1/1", "3/1", "1/1"] * 2, *residual(2), *residual(1) * 3, *residual(2),
               *residual(1) * 5, *residual(2), *residual(1) * 3), 483, 32),
    ],
    ids=["alexnet", "vgg16", "mobilenet", "resnet50"],
)  # fmt: skip
def test_networks_whose_receptive_fields_are_published(net: nn.Sequential, size: int, jump: int) -> None:
    """Araujo, Norris and Sim, Computing Receptive Fields of Convolutional Neural Networks, Distill 2019, table 1."""
    field = list(receptive_fields(build(net, (224, 224, 3))).values())[-1]
    assert field is not None
    assert field.size[:2] == (size, size) and field.jump[:2] == (jump, jump)
