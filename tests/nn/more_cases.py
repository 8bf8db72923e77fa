"""More layers as test cases; they join `cases.CASES`."""

from __future__ import annotations

import numpy as np
from tests.nn.case import Case

from paperback.nn import (
    ELU,
    GELU,
    Add,
    AvgPool1d,
    AvgPool2d,
    AvgPool3d,
    BatchNorm,
    BlockDCT,
    Conv1d,
    Conv2d,
    Conv3d,
    ConvTranspose1d,
    ConvTranspose2d,
    DCT1d,
    DCT2d,
    Dense,
    Embedding,
    FiniteDifferences,
    FixedConv,
    Formula,
    GlobalAvgPool,
    GlobalMaxPool,
    Grey,
    GroupNorm,
    HardTanh,
    HeNormal,
    Identity,
    InstanceNorm,
    LayerNorm,
    LeakyReLU,
    LogSoftmax,
    MaxPool1d,
    MaxPool2d,
    MaxPool3d,
    MultiHeadAttention,
    Multiply,
    Parallel,
    Permute,
    PositionalEncoding,
    Sequential,
    Sigmoid,
    SiLU,
    Softplus,
    Tanh,
    Unflatten,
)

ACTIVATIONS = [
    Case("leaky-relu", LeakyReLU(), (3, 5)),
    Case("leaky-relu-steep", LeakyReLU(1.5), (3, 5)),
    Case("leaky-relu-negative", LeakyReLU(-0.5), (3, 5)),
    Case("elu", ELU(), (3, 5)),
    Case("elu-alpha", ELU(0.5), (2, 3, 5)),
    Case("gelu", GELU(), (3, 5)),
    Case("silu", SiLU(), (3, 5)),
    Case("softplus", Softplus(), (3, 5)),
    Case("hardtanh", HardTanh(), (5, 7)),
    Case("hardtanh-limits", HardTanh(-0.25, 2), (5, 7)),
    Case("identity", Identity(), (3, 5)),
    Case("logsoftmax", LogSoftmax(), (5,)),
    Case("logsoftmax-3", LogSoftmax(), (2, 3, 5)),
]

CONVOLUTIONS = [
    Case("conv3d", Conv3d(3, 2), (3, 4, 5, 2), 2),
    Case("conv3d-flip", Conv3d(2, (2, 1, 3), flip=True), (3, 2, 5, 2), 2),
    Case("conv3d-stride-pad", Conv3d(2, (2, 3, 2), (2, 1, 2), (1, 0, 1)), (4, 3, 5, 2), 2),
    Case("conv3d-same-dilation", Conv3d(2, 2, padding="same", dilation=(1, 2, 1)), (3, 4, 3, 1), 2),
    Case("conv2d-groups", Conv2d(6, 2, groups=2), (4, 5, 4), 2),
    Case("conv2d-groups-flip-stride", Conv2d(3, (2, 3), (2, 1), 1, flip=True, groups=3), (5, 4, 6), 2),
    Case("conv2d-depthwise", Conv2d(3, 3, padding="same", groups=3), (4, 5, 3), 2),
    Case("conv2d-depthwise-2", Conv2d(6, 2, groups=3, bias=False), (3, 5, 3), 2),
    Case("conv1d-groups", Conv1d(4, 3, 2, 1, groups=2), (7, 6)),
    Case("conv1d-depthwise", Conv1d(3, 3, dilation=2, groups=3), (7, 3)),
    Case("conv3d-groups", Conv3d(2, 2, groups=2), (2, 3, 4, 4), 2),
    Case("conv2d-position", Conv2d(3, 2, bias="position"), (4, 5, 2)),
    Case("conv2d-position-same-stride", Conv2d(2, 3, 2, "same", bias="position"), (5, 4, 2)),
    Case("conv1d-position-groups", Conv1d(4, 2, bias="position", groups=2), (5, 2)),
    Case("conv3d-position", Conv3d(2, 2, bias="position"), (3, 2, 4, 1), 2),
]

POOLS = [
    Case("maxpool1d", MaxPool1d(2), (7, 3)),
    Case("maxpool1d-pad", MaxPool1d(3, 2, 1), (7, 2)),
    Case("maxpool2d-pad", MaxPool2d(3, (2, 1), (1, 0)), (5, 7, 2)),
    Case("maxpool2d-ceil", MaxPool2d(2, ceil=True), (5, 7, 2)),
    Case("maxpool2d-ceil-last-window", MaxPool2d(2, 3, 1, ceil=True), (5, 8, 2)),
    Case("maxpool2d-same", MaxPool2d(2, padding="same"), (5, 3, 2)),
    Case("maxpool2d-output", MaxPool2d(output=(2, 3)), (4, 9, 2)),
    Case("maxpool3d", MaxPool3d(2), (4, 3, 5, 2), 2),
    Case("maxpool3d-pad-ceil", MaxPool3d((2, 3, 2), 2, (1, 1, 0), True), (3, 4, 5, 1), 2),
    Case("avgpool1d", AvgPool1d(3, 2), (7, 3)),
    Case("avgpool1d-ceil", AvgPool1d(3, 2, ceil=True), (8, 3)),
    Case("avgpool2d-pad", AvgPool2d(3, 2, 1), (5, 6, 2)),
    Case("avgpool2d-ceil", AvgPool2d(2, ceil=True), (5, 7, 2)),
    Case("avgpool2d-pad-ceil", AvgPool2d((3, 2), (2, 3), (1, 1), ceil=True), (6, 5, 2)),
    Case("avgpool2d-output", AvgPool2d(output=2), (4, 6, 2)),
    Case("avgpool3d", AvgPool3d((1, 2, 3), (1, 2, 1)), (2, 5, 4, 2), 2),
    Case("global-avg", GlobalAvgPool(), (3, 5, 2)),
    Case("global-avg-1", GlobalAvgPool(), (5, 2)),
    Case("global-max", GlobalMaxPool(), (3, 5, 2)),
    Case("global-max-3", GlobalMaxPool(), (2, 3, 2, 3)),
]


NORMS = [
    Case("layernorm", LayerNorm(eps=0.125), (5,)),
    Case("layernorm-2", LayerNorm(), (3, 5)),
    Case("layernorm-plain", LayerNorm(affine=False), (2, 3, 5), 2),
    Case("groupnorm", GroupNorm(2, eps=0.125), (3, 5, 4), 2),
    Case("groupnorm-1", GroupNorm(1), (6,)),
    Case("groupnorm-3", GroupNorm(3, affine=False), (2, 3, 2, 6), 2),
    Case("instancenorm", InstanceNorm(eps=0.125), (3, 5, 2), 2),
    Case("instancenorm-1", InstanceNorm(affine=True), (5, 3)),
    Case("instancenorm-3", InstanceNorm(), (2, 3, 2, 2), 2),
    Case("batchnorm-4", BatchNorm(eps=0.125), (2, 3, 2, 3), 2),
]

SHAPES = [
    Case("unflatten", Unflatten((2, 3)), (6,)),
    Case("unflatten-3", Unflatten((3, 1, 2)), (5, 6)),
    Case("permute", Permute((1, 2, 0)), (2, 3, 5)),
    Case("permute-2", Permute((1, 0)), (3, 5)),
    Case("add", Add(Dense(5), Tanh()), (5,)),
    Case("multiply", Multiply(Conv1d(3, 2), Sequential(Conv1d(3, 2), Sigmoid())), (5, 2)),
    Case(
        "parallel",
        Parallel(Conv2d(2, 3, padding="same"), Identity(), Sequential(Conv2d(3, 1), Tanh())),
        (3, 5, 2),
    ),
    Case("parallel-one", Parallel(Tanh()), (5,)),
]



SEQUENCES = [
    Case("embedding", Embedding(7, 3), (5,)),
    Case("embedding-2", Embedding(5, 2), (2, 3)),
    Case("embedding-net", Sequential(Embedding(3, 5), GlobalAvgPool(), Dense(2)), (4,)),
    Case("positions", PositionalEncoding(), (3, 4)),
    Case("attention", MultiHeadAttention(2), (3, 4), 2),
    Case("attention-causal", MultiHeadAttention(2, causal=True, bias=False), (4, 2), 2),
    Case("attention-sizes", MultiHeadAttention(1, True, head_features=3), (3, 2), 2),
]

FORMULAS = [
    Case("formula-swish", Formula("y = x[]*sigmoid(a*x[])", constants={"a": 2}), (3, 5)),
    Case("formula-dense", Formula("y[o] = sum(n) x[n]*w[n,o]", {"w": HeNormal()}, {"O": 3}), (5,)),
    Case("formula-bilinear", Formula("y[a,o] = half*sum(i,k) x[i,a]*w[i,k,o]*x[k,a]", {"w": HeNormal()}, {"O": 2},
          {"half": 0.5}), (3, 2), 2),
    Case("formula-centre", Formula("m = sum(c) x[c]/C\ny[c] = x[c] - m", axes={"x": "C"}, extra_axes=True), (3, 5)),
]  # fmt: skip

TRANSPOSED = [
    Case("convtranspose1d", ConvTranspose1d(3, 3), (5, 2)),
    Case("convtranspose1d-stride", ConvTranspose1d(3, 3, 2, 1, 1), (5, 2)),
    Case("convtranspose1d-dilation", ConvTranspose1d(2, 2, 3, (0,), 2, 3, bias=False), (4, 3)),
    Case("convtranspose1d-sides", ConvTranspose1d(2, 3, 2, ((2, 1),)), (5, 2)),
    Case("convtranspose2d", ConvTranspose2d(3, (2, 3)), (3, 4, 2), 2),
    Case("convtranspose2d-stride", ConvTranspose2d(2, (3, 2), (2, 3), (1, 0), (1, 2)), (3, 2, 3), 2),
    Case("convtranspose2d-dilation", ConvTranspose2d(2, 2, 2, 1, 0, (1, 3)), (3, 4, 1), 2),
]

SOBEL = ((-1.0, 0.0, 1.0), (-2.0, 0.0, 2.0), (-1.0, 0.0, 1.0))
MIXING = np.arange(-8, 10).reshape(3, 1, 3, 2) / 4

FIXED = [
    Case("fixedconv", FixedConv(SOBEL), (4, 5, 2), 2),
    Case("fixedconv-same-stride-flip", FixedConv(SOBEL, 2, "same", flip=True), (5, 6, 2), 2),
    Case("fixedconv-mixing", FixedConv(MIXING, padding=1), (4, 3, 3), 2),
    Case("fixedconv-1", FixedConv([1, -2, 1], dilation=2, flip=True), (7, 3)),
    Case("fixedconv-1-mixing", FixedConv([[[1, -2]], [[0.5, 3]]]), (5, 1)),
    Case("finitedifferences", FiniteDifferences(), (3, 5, 2)),
    Case("grey", Grey(), (2, 5, 3)),
    Case("dct1d", DCT1d(), (5, 2), 2),
    Case("dct1d-raw-inverse", DCT1d("raw", True), (4, 3), 2),
    Case("dct2d", DCT2d(), (3, 4, 2), 2),
    Case("dct2d-root-inverse", DCT2d("root", True), (3, 4, 2), 2),
    Case("dct2d-double", DCT2d("double"), (3, 2, 1), 2),
    Case("blockdct", BlockDCT(3), (3, 6, 2), 2),
    Case("blockdct-raw", BlockDCT(2, "raw"), (4, 2, 1), 2),
    Case("blockdct-inverse", BlockDCT(2, inverse=True), (2, 3, 8), 2),
    Case("blockdct-raw-inverse", BlockDCT(2, "raw", True), (1, 2, 4), 2),
]

MORE: list[Case] = [
    *ACTIVATIONS, *CONVOLUTIONS, *POOLS, *NORMS, *SHAPES, *TRANSPOSED, *FIXED, *SEQUENCES, *FORMULAS,
]  # fmt: skip
