"""The network mini-language: what each line means, and what each mistake is told."""

from __future__ import annotations

import pytest

from paperback import nn
from paperback.cli.netspec import network
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

@pytest.mark.parametrize(("text", "layers"), MEANINGS, ids=[text for text, _ in MEANINGS])
def test_a_line_is_a_network(text: str, layers: list[nn.Layer]) -> None:
    assert network(text, SHAPE, 10) == nn.Sequential(*layers)


def test_presets_by_name() -> None:
    assert network("lenet", SHAPE, 10) == lenet(SHAPE)
    assert network("MLP", SHAPE, 3) == mlp(SHAPE, 3)


def test_the_tables_are_not_empty() -> None:
    assert len(MEANINGS) == 23
