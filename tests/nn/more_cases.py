"""More layers as test cases; they join `cases.CASES`. References are PyTorch's functions, channels moved in front."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch")
F = torch.nn.functional

from tests.nn.case import Case, Tensors, conv, dense, each, fixed  # noqa: E402

from paperback.nn import (  # noqa: E402
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
    Layer,
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

# --- references -------------------------------------------------------------------------------------------------------


def first(function: Callable[[Any], Any], x: Any) -> Any:
    """A function of PyTorch's, which wants the channel first."""
    return function(x.movedim(-1, 1)).movedim(1, -1)


def max_pool(layer: Any, x: Any, p: Tensors) -> Any:
    pool = {3: F.max_pool1d, 4: F.max_pool2d, 5: F.max_pool3d}[x.ndim]
    padding = 0 if layer.padding == "valid" else layer.padding
    return first(lambda x: pool(x, layer.window, layer.stride, padding, ceil_mode=layer.ceil), x)


def avg_pool(layer: Any, x: Any, p: Tensors) -> Any:
    pool = {3: F.avg_pool1d, 4: F.avg_pool2d, 5: F.avg_pool3d}[x.ndim]
    padding = 0 if layer.padding == "valid" else layer.padding
    settings = {"ceil_mode": layer.ceil, "count_include_pad": False}
    return first(lambda x: pool(x, layer.window, layer.stride, padding, **settings), x)


def pool_output(pool: Callable[[Any, Any], Any]) -> Callable[[Any, Any, Tensors], Any]:
    return lambda layer, x, p: first(lambda x: pool(x, layer.output), x)


def pool_same(layer: Any, x: Any, p: Tensors) -> Any:
    """One row and column more at the end, as -inf."""
    x = F.pad(x.movedim(-1, 1), (0, 1, 0, 1), value=-torch.inf)
    return F.max_pool2d(x, layer.window, layer.stride).movedim(1, -1)


def group_norm(layer: Any, x: Any, p: Tensors) -> Any:
    scale, shift = p.get("groupnorm_1.scale"), p.get("groupnorm_1.shift")
    return first(lambda x: F.group_norm(x, layer.groups, scale, shift, layer.eps), x)


def instance_norm(layer: Any, x: Any, p: Tensors) -> Any:
    scale, shift = p.get("instancenorm_1.scale"), p.get("instancenorm_1.shift")
    return first(lambda x: F.instance_norm(x, weight=scale, bias=shift, eps=layer.eps), x)


def layer_norm(layer: Any, x: Any, p: Tensors) -> Any:
    return F.layer_norm(x, x.shape[-1:], p.get("layernorm_1.scale"), p.get("layernorm_1.shift"), layer.eps)


def batch_norm(layer: Any, x: Any, p: Tensors) -> Any:
    scale, shift = p["batchnorm_1.scale"], p["batchnorm_1.shift"]
    return first(lambda x: F.batch_norm(x, None, None, scale, shift, True, layer.momentum, layer.eps), x)


def add(layer: Any, x: Any, p: Tensors) -> Any:
    return dense(layer, x, p) + torch.tanh(x)


def gate(layer: Any, x: Any, p: Tensors) -> Any:
    return conv(layer.layers[0], x, p) * torch.sigmoid(conv(layer.layers[1].layers[0], x, p, "conv1d_2"))


def inception(layer: Any, x: Any, p: Tensors) -> Any:
    return torch.cat([conv(layer.layers[0], x, p), x, conv(layer.layers[2].layers[0], x, p, "conv2d_2").tanh()], -1)


# --- cases ------------------------------------------------------------------------------------------------------------

ACTIVATIONS = [
    fixed("leaky-relu", LeakyReLU(), (3, 5), lambda layer, x, p: F.leaky_relu(x, 0.01)),
    fixed("leaky-relu-steep", LeakyReLU(1.5), (3, 5), lambda layer, x, p: F.leaky_relu(x, 1.5)),
    fixed("leaky-relu-negative", LeakyReLU(-0.5), (3, 5), lambda layer, x, p: F.leaky_relu(x, -0.5)),
    fixed("elu", ELU(), (3, 5), lambda layer, x, p: F.elu(x)),
    fixed("elu-alpha", ELU(0.5), (2, 3, 5), lambda layer, x, p: F.elu(x, 0.5)),
    fixed("gelu", GELU(), (3, 5), lambda layer, x, p: F.gelu(x)),
    fixed("silu", SiLU(), (3, 5), lambda layer, x, p: F.silu(x)),
    fixed("softplus", Softplus(), (3, 5), lambda layer, x, p: F.softplus(x, threshold=1e3)),
    fixed("hardtanh", HardTanh(), (5, 7), lambda layer, x, p: F.hardtanh(x)),
    fixed("hardtanh-limits", HardTanh(-0.25, 2), (5, 7), lambda layer, x, p: F.hardtanh(x, -0.25, 2)),
    fixed("identity", Identity(), (3, 5), lambda layer, x, p: x + 0),
    fixed("logsoftmax", LogSoftmax(), (5,), lambda layer, x, p: F.log_softmax(x, -1)),
    fixed("logsoftmax-3", LogSoftmax(), (2, 3, 5), lambda layer, x, p: F.log_softmax(x, -1)),
]

CONVOLUTIONS = [
    fixed("conv3d", Conv3d(3, 2), (3, 4, 5, 2), conv, 2),
    fixed("conv3d-flip", Conv3d(2, (2, 1, 3), flip=True), (3, 2, 5, 2), conv, 2),
    fixed("conv3d-stride-pad", Conv3d(2, (2, 3, 2), (2, 1, 2), (1, 0, 1)), (4, 3, 5, 2), conv, 2),
    fixed("conv3d-same-dilation", Conv3d(2, 2, padding="same", dilation=(1, 2, 1)), (3, 4, 3, 1), conv, 2),
    fixed("conv2d-groups", Conv2d(6, 2, groups=2), (4, 5, 4), conv, 2),
    fixed("conv2d-groups-flip-stride", Conv2d(3, (2, 3), (2, 1), 1, flip=True, groups=3), (5, 4, 6), conv, 2),
    fixed("conv2d-depthwise", Conv2d(3, 3, padding="same", groups=3), (4, 5, 3), conv, 2),
    fixed("conv2d-depthwise-2", Conv2d(6, 2, groups=3, bias=False), (3, 5, 3), conv, 2),
    fixed("conv1d-groups", Conv1d(4, 3, 2, 1, groups=2), (7, 6), conv),
    fixed("conv1d-depthwise", Conv1d(3, 3, dilation=2, groups=3), (7, 3), conv),
    fixed("conv3d-groups", Conv3d(2, 2, groups=2), (2, 3, 4, 4), conv, 2),
    fixed("conv2d-position", Conv2d(3, 2, bias="position"), (4, 5, 2), conv),
    fixed("conv2d-position-same-stride", Conv2d(2, 3, 2, "same", bias="position"), (5, 4, 2), conv),
    fixed("conv1d-position-groups", Conv1d(4, 2, bias="position", groups=2), (5, 2), conv),
    fixed("conv3d-position", Conv3d(2, 2, bias="position"), (3, 2, 4, 1), conv, 2),
]

POOLS = [
    fixed("maxpool1d", MaxPool1d(2), (7, 3), max_pool),
    fixed("maxpool1d-pad", MaxPool1d(3, 2, 1), (7, 2), max_pool),
    fixed("maxpool2d-pad", MaxPool2d(3, (2, 1), (1, 0)), (5, 7, 2), max_pool),
    fixed("maxpool2d-ceil", MaxPool2d(2, ceil=True), (5, 7, 2), max_pool),
    fixed("maxpool2d-ceil-last-window", MaxPool2d(2, 3, 1, ceil=True), (5, 8, 2), max_pool),
    fixed("maxpool2d-same", MaxPool2d(2, padding="same"), (5, 3, 2), pool_same),
    fixed("maxpool2d-output", MaxPool2d(output=(2, 3)), (4, 9, 2), pool_output(F.adaptive_max_pool2d)),
    fixed("maxpool3d", MaxPool3d(2), (4, 3, 5, 2), max_pool, 2),
    fixed("maxpool3d-pad-ceil", MaxPool3d((2, 3, 2), 2, (1, 1, 0), True), (3, 4, 5, 1), max_pool, 2),
    fixed("avgpool1d", AvgPool1d(3, 2), (7, 3), avg_pool),
    fixed("avgpool1d-ceil", AvgPool1d(3, 2, ceil=True), (8, 3), pool_output(lambda x, _: _ceil_1d(x))),
    fixed("avgpool2d-pad", AvgPool2d(3, 2, 1), (5, 6, 2), avg_pool),
    fixed("avgpool2d-ceil", AvgPool2d(2, ceil=True), (5, 7, 2), avg_pool),
    fixed("avgpool2d-pad-ceil", AvgPool2d((3, 2), (2, 3), (1, 1), ceil=True), (6, 5, 2), avg_pool),
    fixed("avgpool2d-output", AvgPool2d(output=2), (4, 6, 2), pool_output(F.adaptive_avg_pool2d)),
    fixed("avgpool3d", AvgPool3d((1, 2, 3), (1, 2, 1)), (2, 5, 4, 2), avg_pool, 2),
    fixed("global-avg", GlobalAvgPool(), (3, 5, 2), lambda layer, x, p: x.mean((1, 2))),
    fixed("global-avg-1", GlobalAvgPool(), (5, 2), lambda layer, x, p: x.mean(1)),
    fixed("global-max", GlobalMaxPool(), (3, 5, 2), lambda layer, x, p: x.amax((1, 2))),
    fixed("global-max-3", GlobalMaxPool(), (2, 3, 2, 3), lambda layer, x, p: x.amax((1, 2, 3))),
]


def _ceil_1d(x: Any) -> Any:
    """Windows of 3, 2 apart, over 8: the last has two elements."""
    means = [x[..., a : a + 3].mean(-1) for a in (0, 2, 4, 6)]
    return torch.stack(means, -1)


NORMS = [
    fixed("layernorm", LayerNorm(eps=0.125), (5,), layer_norm),
    fixed("layernorm-2", LayerNorm(), (3, 5), layer_norm),
    fixed("layernorm-plain", LayerNorm(affine=False), (2, 3, 5), layer_norm, 2),
    fixed("groupnorm", GroupNorm(2, eps=0.125), (3, 5, 4), group_norm, 2),
    fixed("groupnorm-1", GroupNorm(1), (6,), group_norm),
    fixed("groupnorm-3", GroupNorm(3, affine=False), (2, 3, 2, 6), group_norm, 2),
    fixed("instancenorm", InstanceNorm(eps=0.125), (3, 5, 2), instance_norm, 2),
    fixed("instancenorm-1", InstanceNorm(affine=True), (5, 3), instance_norm),
    fixed("instancenorm-3", InstanceNorm(), (2, 3, 2, 2), instance_norm, 2),
    fixed("batchnorm-4", BatchNorm(eps=0.125), (2, 3, 2, 3), batch_norm, 2),
]

SHAPES = [
    fixed("unflatten", Unflatten((2, 3)), (6,), lambda layer, x, p: x.reshape(-1, 2, 3)),
    fixed("unflatten-3", Unflatten((3, 1, 2)), (5, 6), lambda layer, x, p: x.reshape(-1, 5, 3, 1, 2)),
    fixed("permute", Permute((1, 2, 0)), (2, 3, 5), lambda layer, x, p: x.permute(0, 2, 3, 1)),
    fixed("permute-2", Permute((1, 0)), (3, 5), lambda layer, x, p: x.permute(0, 2, 1)),
    fixed("add", Add(Dense(5), Tanh()), (5,), add),
    fixed("multiply", Multiply(Conv1d(3, 2), Sequential(Conv1d(3, 2), Sigmoid())), (5, 2), gate),
    fixed(
        "parallel",
        Parallel(Conv2d(2, 3, padding="same"), Identity(), Sequential(Conv2d(3, 1), Tanh())),
        (3, 5, 2),
        inception,
    ),
    fixed("parallel-one", Parallel(Tanh()), (5,), lambda layer, x, p: torch.tanh(x)),
]



def random_pool(kind: type) -> Callable[[np.random.Generator], tuple[Layer, tuple[int, ...]]]:
    """PyTorch wants pads of at most half a window."""

    def make(rng: np.random.Generator) -> tuple[Layer, tuple[int, ...]]:
        window, stride = (tuple(int(n) for n in rng.integers(1, 5, 2)) for _ in range(2))
        padding = tuple(int(rng.integers(0, size // 2 + 1)) for size in window)
        shape = tuple(int(n) for n in rng.integers(4, 9, 2))
        return kind(window, stride, padding, bool(rng.integers(2))), (*shape, 2)

    return make


def random_groups(rng: np.random.Generator) -> tuple[Layer, tuple[int, ...]]:
    groups, kernel = int(rng.integers(1, 4)), (int(rng.integers(1, 4)), int(rng.integers(1, 4)))
    settings = [int(rng.integers(1, 3)), int(rng.integers(0, 2)), int(rng.integers(1, 3))]
    filters, channels = (groups * int(n) for n in rng.integers(1, 3, 2))
    return Conv2d(filters, kernel, *settings, flip=bool(rng.integers(2)), groups=groups), (6, 7, channels)


def transposed(layer: Any, x: Any, p: Tensors) -> Any:
    """PyTorch cuts the same off both ends: what differs is cut off afterwards."""
    rank = x.ndim - 2
    w = p[f"convtranspose{rank}d_1.w"].permute(rank, rank + 1, *range(rank)).contiguous()
    function = F.conv_transpose1d if rank == 1 else F.conv_transpose2d
    sides = [pair if isinstance(pair, tuple) else (pair, pair) for pair in each(layer.padding, rank)]
    even = not isinstance(layer.padding, tuple) or all(low == high for low, high in sides)
    padding = [low if even else 0 for low, _ in sides]
    settings = {"padding": padding, "output_padding": layer.output_padding, "dilation": layer.dilation}
    y = first(lambda x: function(x, w, p.get(f"convtranspose{rank}d_1.b"), layer.stride, **settings), x)
    if even:
        return y
    return y[(slice(None), *(slice(low, n - high) for (low, high), n in zip(sides, y.shape[1:], strict=False)))]


def fixed_conv(layer: Any, x: Any, p: Tensors) -> Any:
    """A small kernel is the same kernel for every channel."""
    w = p["fixedconv_1.w"]
    rank = x.ndim - 2
    if w.ndim == rank:
        w = torch.einsum("...,rk->...rk", w, torch.eye(x.shape[-1], dtype=x.dtype))
    return conv(layer, x, {"w.w": w}, "w")


def differences(layer: Any, x: Any, p: Tensors) -> Any:
    padded = F.pad(x, (0, 0, 0, 1, 0, 1))
    return torch.stack([padded[:, 1:, :-1] - x, padded[:, :-1, 1:] - x], -1).flatten(-2)


def cosines(n: int, scaling: str) -> Any:
    k, p = torch.arange(n).double(), torch.arange(n).double()
    matrix = torch.cos(torch.pi * (p[None] + 0.5) * k[:, None] / n)
    scale = {"raw": 1.0, "double": 2.0, "root": n**-0.5, "orthonormal": (2 / n) ** 0.5}[scaling]
    matrix = matrix * scale
    if scaling == "orthonormal":
        matrix[0] /= 2**0.5
    return matrix


def dct(layer: Any, x: Any, p: Tensors) -> Any:
    rows, columns = (cosines(n, layer.scaling).to(x.dtype) for n in x.shape[1:3])
    if layer.inverse:
        rows, columns = torch.linalg.inv(rows), torch.linalg.inv(columns)
    return torch.einsum("kp,npqc,lq->nklc", rows, x, columns)


def block_dct(layer: Any, x: Any, p: Tensors) -> Any:
    size, m = layer.block, cosines(layer.block, layer.scaling).to(x.dtype)
    if layer.inverse:
        m = torch.linalg.inv(m)
        blocks = x.reshape(*x.shape[:3], -1, size, size)
        return torch.einsum("pk,nabckl,ql->napbqc", m, blocks, m).flatten(3, 4).flatten(1, 2)
    blocks = x.unflatten(1, (-1, size)).unflatten(3, (-1, size))
    return torch.einsum("kp,napbqc,lq->nabckl", m, blocks, m).flatten(3)


def attention(layer: Any, x: Any, p: Tensors) -> Any:
    name = "multiheadattention_1"
    parts = []
    for letter in "qkv":
        part = torch.einsum("nte,ehd->nhtd", x, p[f"{name}.w{letter}"])
        parts.append(part + p[f"{name}.b{letter}"][:, None] if layer.bias else part)
    o = F.scaled_dot_product_attention(*parts, is_causal=layer.causal)
    y = torch.einsum("nhtd,hde->nte", o, p[f"{name}.wo"])
    return y + p[f"{name}.bo"] if layer.bias else y


def positions(layer: Any, x: Any, p: Tensors) -> Any:
    length, features = x.shape[1:]
    result = x.clone()
    for t in range(length):
        for e in range(features):
            angle = torch.tensor(t / 10000 ** ((e - e % 2) / features), dtype=x.dtype)
            result[:, t, e] = x[:, t, e] + (torch.cos(angle) if e % 2 else torch.sin(angle))
    return result


def bag_of_words(layer: Any, x: Any, p: Tensors) -> Any:
    return dense(layer, F.embedding(x.long(), p["embedding_1.w"]).mean(1), p)


def bilinear(layer: Any, x: Any, p: Tensors) -> Any:
    return torch.einsum("nia,iko,nka->nao", x, p["formula_1.w"], x) * 0.5


SEQUENCES = [
    fixed("embedding", Embedding(7, 3), (5,), lambda layer, x, p: F.embedding(x.long(), p["embedding_1.w"])),
    fixed("embedding-2", Embedding(5, 2), (2, 3), lambda layer, x, p: F.embedding(x.long(), p["embedding_1.w"])),
    fixed("embedding-net", Sequential(Embedding(3, 5), GlobalAvgPool(), Dense(2)), (4,), bag_of_words),
    fixed("positions", PositionalEncoding(), (3, 4), positions),
    fixed("attention", MultiHeadAttention(2), (3, 4), attention, 2),
    fixed("attention-causal", MultiHeadAttention(2, causal=True, bias=False), (4, 2), attention, 2),
    fixed("attention-sizes", MultiHeadAttention(1, True, head_features=3), (3, 2), attention, 2),
]

FORMULAS = [
    fixed("formula-swish", Formula("y = x[]*sigmoid(a*x[])", constants={"a": 2}), (3, 5), lambda layer, x, p:
          x * torch.sigmoid(2 * x)),
    fixed("formula-dense", Formula("y[o] = sum(n) x[n]*w[n,o]", {"w": HeNormal()}, {"O": 3}), (5,), lambda layer, x, p:
          x @ p["formula_1.w"]),
    fixed("formula-bilinear", Formula("y[a,o] = half*sum(i,k) x[i,a]*w[i,k,o]*x[k,a]", {"w": HeNormal()}, {"O": 2},
          {"half": 0.5}), (3, 2), bilinear, 2),
    fixed("formula-centre", Formula("m = sum(c) x[c]/C\ny[c] = x[c] - m", axes={"x": "C"}, extra_axes=True), (3, 5),
          lambda layer, x, p: x - x.mean(-1, keepdim=True)),
]  # fmt: skip

TRANSPOSED = [
    fixed("convtranspose1d", ConvTranspose1d(3, 3), (5, 2), transposed),
    fixed("convtranspose1d-stride", ConvTranspose1d(3, 3, 2, 1, 1), (5, 2), transposed),
    fixed("convtranspose1d-dilation", ConvTranspose1d(2, 2, 3, (0,), 2, 3, bias=False), (4, 3), transposed),
    fixed("convtranspose1d-sides", ConvTranspose1d(2, 3, 2, ((2, 1),)), (5, 2), transposed),
    fixed("convtranspose2d", ConvTranspose2d(3, (2, 3)), (3, 4, 2), transposed, 2),
    fixed("convtranspose2d-stride", ConvTranspose2d(2, (3, 2), (2, 3), (1, 0), (1, 2)), (3, 2, 3), transposed, 2),
    fixed("convtranspose2d-dilation", ConvTranspose2d(2, 2, 2, 1, 0, (1, 3)), (3, 4, 1), transposed, 2),
]

SOBEL = ((-1.0, 0.0, 1.0), (-2.0, 0.0, 2.0), (-1.0, 0.0, 1.0))
MIXING = np.arange(-8, 10).reshape(3, 1, 3, 2) / 4

FIXED = [
    fixed("fixedconv", FixedConv(SOBEL), (4, 5, 2), fixed_conv, 2),
    fixed("fixedconv-same-stride-flip", FixedConv(SOBEL, 2, "same", flip=True), (5, 6, 2), fixed_conv, 2),
    fixed("fixedconv-mixing", FixedConv(MIXING, padding=1), (4, 3, 3), fixed_conv, 2),
    fixed("fixedconv-1", FixedConv([1, -2, 1], dilation=2, flip=True), (7, 3), fixed_conv),
    fixed("fixedconv-1-mixing", FixedConv([[[1, -2]], [[0.5, 3]]]), (5, 1), fixed_conv),
    fixed("finitedifferences", FiniteDifferences(), (3, 5, 2), differences),
    fixed("grey", Grey(), (2, 5, 3), lambda layer, x, p: x @ torch.tensor([[0.299], [0.587], [0.114]], dtype=x.dtype)),
    fixed("dct2d", DCT2d(), (3, 4, 2), dct, 2),
    fixed("dct2d-root-inverse", DCT2d("root", True), (3, 4, 2), dct, 2),
    fixed("dct2d-double", DCT2d("double"), (3, 2, 1), dct, 2),
    fixed("blockdct", BlockDCT(3), (3, 6, 2), block_dct, 2),
    fixed("blockdct-raw", BlockDCT(2, "raw"), (4, 2, 1), block_dct, 2),
    fixed("blockdct-inverse", BlockDCT(2, inverse=True), (2, 3, 8), block_dct, 2),
    fixed("blockdct-raw-inverse", BlockDCT(2, "raw", True), (1, 2, 4), block_dct, 2),
]

RANDOM = [
    *(Case(f"maxpool2d-random-{n}", random_pool(MaxPool2d), max_pool, 2) for n in range(12)),
    *(Case(f"avgpool2d-random-{n}", random_pool(AvgPool2d), avg_pool, 2) for n in range(12)),
    *(Case(f"conv2d-groups-random-{n}", random_groups, conv, 2) for n in range(12)),
]

MORE: list[Case] = [
    *ACTIVATIONS, *CONVOLUTIONS, *POOLS, *NORMS, *SHAPES, *TRANSPOSED, *FIXED, *SEQUENCES, *FORMULAS, *RANDOM,
]  # fmt: skip
