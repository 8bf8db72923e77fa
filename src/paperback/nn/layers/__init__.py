"""The layers: each is one formula in one short class, and loaded when a network first has it."""

from typing import TYPE_CHECKING

from paperback.later import offer

if TYPE_CHECKING:
    from paperback.nn.layers.activations import (
        ELU,
        GELU,
        HardTanh,
        Identity,
        LeakyReLU,
        ReLU,
        Sigmoid,
        SiLU,
        Softplus,
        Step,
        Tanh,
    )
    from paperback.nn.layers.batchnorm import BatchNorm
    from paperback.nn.layers.combine import Add, Multiply, Parallel, Residual, Sequential
    from paperback.nn.layers.conv import Conv1d, Conv2d, Conv3d
    from paperback.nn.layers.dct import BlockDCT, DCT1d, DCT2d
    from paperback.nn.layers.dense import Dense
    from paperback.nn.layers.dropout import Dropout
    from paperback.nn.layers.fixed import FiniteDifferences, FixedConv, Grey
    from paperback.nn.layers.flatten import Flatten, Permute, Unflatten
    from paperback.nn.layers.formula import Formula
    from paperback.nn.layers.layer import Layer
    from paperback.nn.layers.norm import GroupNorm, InstanceNorm, LayerNorm
    from paperback.nn.layers.pool import AvgPool1d, AvgPool2d, AvgPool3d, MaxPool1d, MaxPool2d, MaxPool3d
    from paperback.nn.layers.reduce import GlobalAvgPool, GlobalMaxPool
    from paperback.nn.layers.sequence import Embedding, MultiHeadAttention, PositionalEncoding
    from paperback.nn.layers.softmax import LogSoftmax, Softmax
    from paperback.nn.layers.transpose import ConvTranspose1d, ConvTranspose2d

__all__ = [
    "ELU",
    "GELU",
    "Add",
    "AvgPool1d",
    "AvgPool2d",
    "AvgPool3d",
    "BatchNorm",
    "BlockDCT",
    "Conv1d",
    "Conv2d",
    "Conv3d",
    "ConvTranspose1d",
    "ConvTranspose2d",
    "DCT1d",
    "DCT2d",
    "Dense",
    "Dropout",
    "Embedding",
    "FiniteDifferences",
    "FixedConv",
    "Flatten",
    "Formula",
    "GlobalAvgPool",
    "GlobalMaxPool",
    "Grey",
    "GroupNorm",
    "HardTanh",
    "Identity",
    "InstanceNorm",
    "Layer",
    "LayerNorm",
    "LeakyReLU",
    "LogSoftmax",
    "MaxPool1d",
    "MaxPool2d",
    "MaxPool3d",
    "MultiHeadAttention",
    "Multiply",
    "Parallel",
    "Permute",
    "PositionalEncoding",
    "ReLU",
    "Residual",
    "Sequential",
    "SiLU",
    "Sigmoid",
    "Softmax",
    "Softplus",
    "Step",
    "Tanh",
    "Unflatten",
]  # fmt: skip

_HOMES = {
    "ELU": "activations", "GELU": "activations", "Add": "combine", "AvgPool1d": "pool", "AvgPool2d": "pool",
    "AvgPool3d": "pool", "BatchNorm": "batchnorm", "BlockDCT": "dct", "Conv1d": "conv", "Conv2d": "conv",
    "Conv3d": "conv", "ConvTranspose1d": "transpose", "ConvTranspose2d": "transpose", "DCT1d": "dct", "DCT2d": "dct",
    "Dense": "dense", "Dropout": "dropout", "Embedding": "sequence", "FiniteDifferences": "fixed",
    "FixedConv": "fixed", "Flatten": "flatten", "Formula": "formula", "GlobalAvgPool": "reduce",
    "GlobalMaxPool": "reduce", "Grey": "fixed", "GroupNorm": "norm", "HardTanh": "activations",
    "Identity": "activations", "InstanceNorm": "norm", "Layer": "layer", "LayerNorm": "norm",
    "LeakyReLU": "activations", "LogSoftmax": "softmax", "MaxPool1d": "pool", "MaxPool2d": "pool",
    "MaxPool3d": "pool", "MultiHeadAttention": "sequence", "Multiply": "combine", "Parallel": "combine",
    "Permute": "flatten", "PositionalEncoding": "sequence", "ReLU": "activations", "Residual": "combine",
    "Sequential": "combine", "SiLU": "activations", "Sigmoid": "activations", "Softmax": "softmax",
    "Softplus": "activations", "Step": "activations", "Tanh": "activations", "Unflatten": "flatten",
}  # fmt: skip

__getattr__, __dir__ = offer(__name__, _HOMES)
