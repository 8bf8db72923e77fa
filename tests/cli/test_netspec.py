"""The network mini-language: what each line means, and what each mistake is told."""

from __future__ import annotations

import pytest

from paperback import nn
from paperback.cli.netspec import network
from paperback.errors import ModelError
from paperback.learn.presets import lenet, mlp

SHAPE = (28, 28, 1)

MEANINGS: list[tuple[str, list[nn.Layer]]] = [
    ("relu", [nn.ReLU()]),
    (" ReLU ,TANH, sigmoid,softmax", [nn.ReLU(), nn.Tanh(), nn.Sigmoid(), nn.Softmax()]),
    ("flatten, dense 10", [nn.Flatten(), nn.Dense(10)]),
    ("batchnorm, dropout 0.25", [nn.BatchNorm(), nn.Dropout(0.25)]),
    ("conv 5x5x32", [nn.Conv2d(32, (5, 5))]),
    ("conv 5x32", [nn.Conv1d(32, (5,))]),
    ("conv 3x5x2 same flip", [nn.Conv2d(2, (3, 5), padding="same", flip=True)]),
    ("conv 3x5x2 full", [nn.Conv2d(2, (3, 5), padding="full")]),
    ("conv 3x3x2 stride 2 valid", [nn.Conv2d(2, (3, 3), stride=2, padding="valid")]),
    ("conv 3x3x2 dilation 2 pad 1 stride 2x1", [nn.Conv2d(2, (3, 3), dilation=2, padding=1, stride=(2, 1))]),
    ("maxpool 2, avgpool 2x3", [nn.MaxPool2d(2), nn.AvgPool2d((2, 3))]),
    ("maxpool 3 stride 2", [nn.MaxPool2d(3, stride=2)]),
    ("maxpool 3 stride 2 pad 1 ceil, avgpool 2 same", [nn.MaxPool2d(3, 2, 1, True), nn.AvgPool2d(2, padding="same")]),
    ("maxpool 2x2x3, conv 3x5x5x2", [nn.MaxPool3d((2, 2, 3)), nn.Conv3d(2, (3, 5, 5))]),
    ("conv 3x3x4 groups 2", [nn.Conv2d(4, (3, 3), groups=2)]),
    ("convtranspose 4x4x2 stride 2 pad 1", [nn.ConvTranspose2d(2, (4, 4), 2, 1)]),
    ("convtranspose 4x2 stride 3 extra 2", [nn.ConvTranspose1d(2, (4,), 3, output_padding=2)]),
    ("leakyrelu, leakyrelu 0.1, elu, gelu, silu", [nn.LeakyReLU(), nn.LeakyReLU(0.1), nn.ELU(), nn.GELU(), nn.SiLU()]),
    ("softplus, hardtanh, step, logsoftmax", [nn.Softplus(), nn.HardTanh(), nn.Step(), nn.LogSoftmax()]),
    ("layernorm, groupnorm 4, instancenorm", [nn.LayerNorm(), nn.GroupNorm(4), nn.InstanceNorm()]),
    ("globalavgpool, unflatten 2x3", [nn.GlobalAvgPool(), nn.Unflatten((2, 3))]),
    (
        "embedding 100x8, positions, attention 2 causal, globalmaxpool",
        [nn.Embedding(100, 8), nn.PositionalEncoding(), nn.MultiHeadAttention(2, causal=True), nn.GlobalMaxPool()],
    ),
    ("grey, finitedifferences, dct, blockdct 8", [nn.Grey(), nn.FiniteDifferences(), nn.DCT2d(), nn.BlockDCT(8)]),
]

MISTAKES = [
    ("maxpol 2", 'item 1 "maxpol 2": no layer or preset is called maxpol; did you mean maxpool'),
    ("relu, , relu", 'item 2 "": needs a layer between the commas, found nothing; write for example relu'),
    ("", 'item 1 "": needs a layer between the commas, found nothing; write for example relu'),
    ("lenets", 'item 1 "lenets": no layer or preset is called lenets; did you mean lenet'),
    ("dense", 'item 1 "dense": needs the number of outputs, found nothing; write for example dense 10'),
    ("dense ten", 'item 1 "dense ten": needs the number of outputs, found ten; write for example dense 10'),
    ("dense 10 relu", 'item 1 "dense 10 relu": found relu after a whole layer; put a comma between two layers'),
    ("conv 5", 'item 1 "conv 5": needs a window and channels, as 5x5x32, found 5; write for example conv 5x5x32'),
    ("conv 5x5x5x5x2", 'item 1 "conv 5x5x5x5x2": needs a window and channels, as 5x5x32, found 5x5x5x5x2; write for '),
    ("leakyrelu steep", 'item 1 "leakyrelu steep": needs a slope, found steep; write for example leakyrelu 0.1'),
    ("groupnorm", 'item 1 "groupnorm": needs the number of groups, found nothing; write for example groupnorm 4'),
    ("conv 5x5x2 sam", 'item 1 "conv 5x5x2 sam": no option is called sam; did you mean same?'),
    ("conv 5x5x2 same full", 'item 1 "conv 5x5x2 same full": padding is given twice; leave one out'),
    ("conv 5x5x2 stride", 'item 1 "conv 5x5x2 stride": needs one whole number, or 2 with x between, found nothing; '),
    ("conv 5x2 stride 2x2", 'item 1 "conv 5x2 stride 2x2": needs one whole number, or 1 with x between, found 2x2; '),
    ("maxpool 2 full", 'item 1 "maxpool 2 full": no option is called full; '),
    ("dropout", 'item 1 "dropout": needs the share to leave out, found nothing; write for example dropout 0.5'),
    ("dropout lots", 'item 1 "dropout lots": needs the share to leave out, found lots; write for example dropout 0.5'),
    ("dropout 2", 'item 1 "dropout 2": Dropout: rate must be a number with 0 <= rate < 1, not 2.0: write rate=0.5'),
    ("relu, dense 0", 'item 2 "dense 0": Dense: units must be a whole number >= 1, not 0: write units=1'),
]


@pytest.mark.parametrize(("text", "layers"), MEANINGS, ids=[text for text, _ in MEANINGS])
def test_a_line_is_a_network(text: str, layers: list[nn.Layer]) -> None:
    assert network(text, SHAPE, 10) == nn.Sequential(*layers)


@pytest.mark.parametrize(("text", "message"), MISTAKES, ids=[text or "nothing" for text, _ in MISTAKES])
def test_a_mistake_is_named(text: str, message: str) -> None:
    with pytest.raises(ModelError) as error:
        network(text, SHAPE, 10)
    assert str(error.value).startswith(f"--net, {message}")


def test_presets_by_name() -> None:
    assert network("lenet", SHAPE, 10) == lenet(SHAPE)
    assert network("MLP", SHAPE, 3) == mlp(SHAPE, 3)


def test_the_tables_are_not_empty() -> None:
    assert (len(MEANINGS), len(MISTAKES)) == (23, 20)
