"""Every layer as PyTorch has it: the referee of all cases.

`in_pytorch(layer, x, p)` walks a network of layers and gives what PyTorch computes for it, x with its batch and
channels last, p the parameters, state and masks by their full names ("conv2d_1.w"). PyTorch wants the channels first,
and weights as O I H W; that, and the settings that it writes in another way, is all that is said here.
"""

from __future__ import annotations

import math
import warnings
from collections import Counter
from collections.abc import Callable, Mapping
from typing import Any

import pytest

torch = pytest.importorskip("torch")
F = torch.nn.functional

from paperback import nn  # noqa: E402

Own = Mapping[str, Any]
Referee = Callable[[Any, Any, Own], Any]


def in_pytorch(layer: Any, x: Any, p: Mapping[str, Any], numbers: Counter[str] | None = None) -> Any:
    numbers = Counter() if numbers is None else numbers
    if isinstance(layer, nn.Sequential):
        return _chain(layer.layers, x, p, numbers)
    numbers[layer.kind] += 1
    prefix = f"{layer.kind}_{numbers[layer.kind]}."
    if isinstance(layer, nn.Residual):
        return x + _chain(layer.layers, x, p, numbers)
    if isinstance(layer, nn.Add | nn.Multiply | nn.Parallel):
        return _JOINED[type(layer)]([in_pytorch(branch, x, p, numbers) for branch in layer.layers])
    own = {name.removeprefix(prefix): value for name, value in p.items() if name.startswith(prefix)}
    return REFEREES[type(layer)](layer, x, own)


def _chain(layers: tuple[Any, ...], x: Any, p: Mapping[str, Any], numbers: Counter[str]) -> Any:
    for layer in layers:
        x = in_pytorch(layer, x, p, numbers)
    return x


_JOINED: dict[type, Callable[[list[Any]], Any]] = {
    nn.Add: sum,
    nn.Multiply: lambda parts: math.prod(parts[1:], start=parts[0]),
    nn.Parallel: lambda parts: torch.cat(parts, -1),
}


def channels_first(function: Callable[[Any], Any], x: Any) -> Any:
    return function(x.movedim(-1, 1)).movedim(1, -1)


def of_rank(x: Any, *functions: Any) -> Any:
    """PyTorch has a function for each number of axes that a window slides over."""
    return functions[x.ndim - 3]


def flat(pads: list[tuple[int, int]]) -> list[int]:
    """Pads as F.pad takes them, the last axis first."""
    return [n for pair in reversed(pads) for n in pair]


def pads_of(
    layer: Any, kernel: tuple[int, ...], x: Any, stride: tuple[int, ...] | None = None
) -> list[tuple[int, int]]:
    """The pads of a window, written down here once more: the layer's own arithmetic is what is tested."""
    rank = len(kernel)
    stride = each(layer.stride, rank) if stride is None else stride
    dilation = each(getattr(layer, "dilation", 1), rank)
    if layer.padding == "valid":
        return [(0, 0)] * rank
    if layer.padding == "full":
        return [(d * (k - 1), d * (k - 1)) for k, d in zip(kernel, dilation, strict=True)]
    if layer.padding in ("same", "same_low"):
        pads = []
        for n, k, s, d in zip(x.shape[1 : 1 + rank], kernel, stride, dilation, strict=True):
            outputs = (n + s - 1) // s
            total = max((outputs - 1) * s + d * (k - 1) + 1 - n, 0)
            less, more = total // 2, total - total // 2
            pads.append((less, more) if layer.padding == "same" else (more, less))
        return pads
    sides = layer.padding if isinstance(layer.padding, tuple) else (layer.padding,) * rank
    if rank == 1 and len(sides) == 2:
        sides = (sides,)
    return [side if isinstance(side, tuple) else (side, side) for side in sides]


def each(value: Any, rank: int) -> tuple[int, ...]:
    return tuple(value) if isinstance(value, tuple) else (value,) * rank


# --- windows ----------------------------------------------------------------------------------------------------------


def convolution(layer: Any, x: Any, p: Own) -> Any:
    rank, w = x.ndim - 2, p["w"]
    if w.ndim == rank:  # one kernel for every channel
        w = torch.einsum("...,rk->...rk", w, torch.eye(x.shape[-1], dtype=x.dtype))
    pads = pads_of(layer, tuple(w.shape[:rank]), x)
    w = torch.flip(w, tuple(range(rank))) if layer.flip else w
    w = w.permute(rank + 1, rank, *range(rank)).contiguous()
    settings = {"stride": layer.stride, "dilation": layer.dilation, "groups": getattr(layer, "groups", 1)}
    correlate = of_rank(x, F.conv1d, F.conv2d, F.conv3d)
    if layer.padding == "same" and {*each(layer.stride, rank)} == {1}:  # what PyTorch calls "same" too
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # even kernels cost PyTorch a copy
            y = channels_first(lambda x: correlate(x, w, padding="same", **settings), x)
    else:
        y = channels_first(lambda x: correlate(F.pad(x, flat(pads)), w, **settings), x)
    return y + p["b"] if "b" in p else y


def transposed_convolution(layer: Any, x: Any, p: Own) -> Any:
    """PyTorch cuts the same off both ends; other cuts are made afterwards."""
    rank = x.ndim - 2
    w = p["w"].permute(rank, rank + 1, *range(rank)).contiguous()
    pads = pads_of(layer, tuple(p["w"].shape[:rank]), x)
    even = all(low == high for low, high in pads)
    settings = {
        "padding": [low if even else 0 for low, _ in pads],
        "output_padding": layer.output_padding,
        "dilation": layer.dilation,
    }
    spread = of_rank(x, F.conv_transpose1d, F.conv_transpose2d)
    y = channels_first(lambda x: spread(x, w, p.get("b"), layer.stride, **settings), x)
    if even:
        return y
    return y[(slice(None), *(slice(low, n - high) for (low, high), n in zip(pads, y.shape[1:], strict=False)))]


def max_pool(layer: Any, x: Any, p: Own) -> Any:
    if layer.output is not None:
        pool = of_rank(x, F.adaptive_max_pool1d, F.adaptive_max_pool2d, F.adaptive_max_pool3d)
        return channels_first(lambda x: pool(x, layer.output), x)
    window, stride, pads = pool_settings(layer, x)
    if layer.ties != "first":
        return windows_with_ties(x, window, stride, pads, layer.ties)
    pool = of_rank(x, F.max_pool1d, F.max_pool2d, F.max_pool3d)
    inside = pads_inside(layer, x, window, pads)
    if inside is not None:
        return channels_first(lambda x: pool(x, window, stride, inside, ceil_mode=layer.ceil), x)
    return channels_first(lambda x: pool(F.pad(x, flat(pads), value=-math.inf), window, stride), x)


def average_pool(layer: Any, x: Any, p: Own) -> Any:
    if layer.output is not None:
        pool = of_rank(x, F.adaptive_avg_pool1d, F.adaptive_avg_pool2d, F.adaptive_avg_pool3d)
        return channels_first(lambda x: pool(x, layer.output), x)
    window, stride, pads = pool_settings(layer, x)
    pool = of_rank(x, F.avg_pool1d, F.avg_pool2d, F.avg_pool3d)
    inside = pads_inside(layer, x, window, pads)
    if inside is not None:
        settings = {"ceil_mode": layer.ceil, "count_include_pad": False}
        return channels_first(lambda x: pool(x, window, stride, inside, **settings), x)
    ones = torch.ones_like(x)  # the mean over what is inside is the mean over all by the share of what is inside
    mean, share = (channels_first(lambda x: pool(F.pad(x, flat(pads)), window, stride), part) for part in (x, ones))
    return mean / share


def pool_settings(layer: Any, x: Any) -> tuple[tuple[int, ...], tuple[int, ...], list[tuple[int, int]]]:
    rank = x.ndim - 2
    window = each(2 if layer.window is None else layer.window, rank)
    stride = window if layer.stride is None else each(layer.stride, rank)
    return window, stride, pads_of(layer, window, x, stride=stride)


def pads_inside(layer: Any, x: Any, window: tuple[int, ...], pads: list[tuple[int, int]]) -> list[int] | None:
    """Pads that PyTorch's pools can do themselves: both sides the same, at most half a window, the window within x."""
    fits = all(n >= size for n, size in zip(x.shape[1:-1], window, strict=True))
    if fits and all(low == high <= size // 2 for (low, high), size in zip(pads, window, strict=True)):
        return [low for low, _ in pads]
    assert not layer.ceil, "no referee for a rest together with other pads"
    return None


def windows_with_ties(x: Any, window: tuple[int, ...], stride: tuple[int, ...], pads: Any, ties: str) -> Any:
    """The maximum of every window, its gradient shared by all equal maxima ("split") or given to each ("all")."""
    x = F.pad(x.movedim(-1, 1), flat(pads), value=-math.inf)
    for axis, (size, step) in enumerate(zip(window, stride, strict=True), 2):
        x = x.unfold(axis, size, step)
    x = x.flatten(-len(window)).movedim(1, -2)
    return largest(x, -1, ties)


def largest(x: Any, axes: Any, ties: str) -> Any:
    y = x.amax(axes)  # PyTorch shares the gradient of amax
    if ties == "split":
        return y
    chosen = (x == x.amax(axes, keepdim=True)).to(x.dtype)
    return torch.where(chosen > 0, x, 0.0).sum(axes) - ((chosen.sum(axes) - 1) * y).detach()


def global_max(layer: Any, x: Any, p: Own) -> Any:
    if layer.ties == "first":
        return x.flatten(1, -2).max(1).values
    return largest(x, tuple(range(1, x.ndim - 1)), layer.ties)


# --- normalisation, sequences, fixed layers ---------------------------------------------------------------------------


def batch_norm(layer: Any, x: Any, p: Own) -> Any:
    settings = {"training": True, "momentum": layer.momentum, "eps": layer.eps}
    return channels_first(lambda x: F.batch_norm(x, None, None, p["scale"], p["shift"], **settings), x)


def group_norm(layer: Any, x: Any, p: Own) -> Any:
    return channels_first(lambda x: F.group_norm(x, layer.groups, p.get("scale"), p.get("shift"), layer.eps), x)


def instance_norm(layer: Any, x: Any, p: Own) -> Any:
    """As groups of one channel: PyTorch's own has wrong gradients for one example with its channels last."""
    return channels_first(lambda x: F.group_norm(x, x.shape[1], p.get("scale"), p.get("shift"), layer.eps), x)


def attention(layer: Any, x: Any, p: Own) -> Any:
    def part(name: str) -> Any:
        y = torch.einsum("nte,ehd->nhtd", x, p[f"w{name}"])
        return y + p[f"b{name}"][:, None] if layer.bias else y

    heads = F.scaled_dot_product_attention(part("q"), part("k"), part("v"), is_causal=layer.causal)
    y = torch.einsum("nhtd,hde->nte", heads, p["wo"])
    return y + p["bo"] if layer.bias else y


def positions(layer: Any, x: Any, p: Own) -> Any:
    places, features = torch.arange(x.shape[1]).double(), x.shape[2]
    angles = places[:, None] / 10000 ** (torch.arange(0, features, 2).double() / features)
    return x + torch.stack([torch.sin(angles), torch.cos(angles)], -1).flatten(-2).to(x.dtype)


def cosines(n: int, layer: Any) -> Any:
    """The matrix of the transform of n numbers, or its inverse."""
    k, p = torch.arange(n).double()[:, None], torch.arange(n).double()
    scale = {"raw": 1.0, "double": 2.0, "root": n**-0.5, "orthonormal": (2 / n) ** 0.5}[layer.scaling]
    matrix = torch.cos(torch.pi * (p + 0.5) * k / n) * scale
    if layer.scaling == "orthonormal":
        matrix[0] /= 2**0.5
    return torch.linalg.inv(matrix) if layer.inverse else matrix


def dct(layer: Any, x: Any, p: Own) -> Any:
    rows, columns = (cosines(n, layer).to(x.dtype) for n in x.shape[1:3])
    return torch.einsum("kp,npqc,lq->nklc", rows, x, columns)


def signal_dct(layer: Any, x: Any, p: Own) -> Any:
    return torch.einsum("kp,npc->nkc", cosines(x.shape[1], layer).to(x.dtype), x)


def block_dct(layer: Any, x: Any, p: Own) -> Any:
    size, m = layer.block, cosines(layer.block, layer).to(x.dtype)
    if layer.inverse:
        blocks = x.unflatten(3, (-1, size, size))
        return torch.einsum("pk,nabckl,ql->napbqc", m, blocks, m).flatten(3, 4).flatten(1, 2)
    blocks = x.unflatten(1, (-1, size)).unflatten(3, (-1, size))
    return torch.einsum("kp,napbqc,lq->nabckl", m, blocks, m).flatten(3)


def differences(layer: Any, x: Any, p: Own) -> Any:
    padded = F.pad(x, (0, 0, 0, 1, 0, 1))
    return torch.stack([padded[:, 1:, :-1] - x, padded[:, :-1, 1:] - x], -1).flatten(-2)


def relu(layer: Any, x: Any, p: Own) -> Any:
    return F.relu(x) + torch.where(x == 0, x * float(layer.at_zero), 0.0)


def step(layer: Any, x: Any, p: Own) -> Any:
    return (x >= 0 if layer.at_zero else x > 0).to(x.dtype) + 0 * x


def formula(layer: Any, x: Any, p: Own) -> Any:
    return FORMULAS[layer.formula](layer, x, p)


FORMULAS: dict[str, Referee] = {
    "y = x[]*sigmoid(a*x[])": lambda f, x, p: x * torch.sigmoid(f.constants["a"] * x),
    "y[o] = sum(n) x[n]*w[n,o]": lambda f, x, p: x @ p["w"],
    "m = sum(c) x[c]/C\ny[c] = x[c] - m": lambda f, x, p: x - x.mean(-1, keepdim=True),
    "y = x[]*sigmoid(a*x[]) + b*x[]": lambda f, x, p: (
        x * torch.sigmoid(f.constants["a"] * x) + f.constants["b"] * x
    ),
    "y[o] = sum(i) x[i]*w[i,o] + tanh(x[0])*b[o]": lambda f, x, p: x @ p["w"] + torch.tanh(x[:, :1]) * p["b"],
    "y[a,o] = half*sum(i,k) x[i,a]*w[i,k,o]*x[k,a]": lambda f, x, p: (
        f.constants["half"] * torch.einsum("nia,iko,nka->nao", x, p["w"], x)
    ),
    "m = sum(c) x[c]/C\ny[c] = (x[c] - m)*w[c]": lambda f, x, p: (x - x.mean(-1, keepdim=True)) * p["w"],
    "y[i,c] = sum(p<2) x[i+p,c]*w[p,c] - x[i+1,c]^2": lambda f, x, p: (
        x[:, :-1] * p["w"][0] + x[:, 1:] * p["w"][1] - x[:, 1:] ** 2
    ),
}

GREY = [[0.299], [0.587], [0.114]]

REFEREES: dict[type, Referee] = {
    **dict.fromkeys((nn.Conv1d, nn.Conv2d, nn.Conv3d, nn.FixedConv), convolution),
    **dict.fromkeys((nn.ConvTranspose1d, nn.ConvTranspose2d), transposed_convolution),
    **dict.fromkeys((nn.MaxPool1d, nn.MaxPool2d, nn.MaxPool3d), max_pool),
    **dict.fromkeys((nn.AvgPool1d, nn.AvgPool2d, nn.AvgPool3d), average_pool),
    nn.GlobalAvgPool: lambda layer, x, p: x.flatten(1, -2).mean(1),
    nn.GlobalMaxPool: global_max,
    nn.BatchNorm: batch_norm,
    nn.GroupNorm: group_norm,
    nn.InstanceNorm: instance_norm,
    nn.LayerNorm: lambda layer, x, p: F.layer_norm(x, x.shape[-1:], p.get("scale"), p.get("shift"), layer.eps),
    nn.Dense: lambda layer, x, p: F.linear(x, p["w"].T, p.get("b")),
    nn.Embedding: lambda layer, x, p: F.embedding(x.long(), p["w"]),
    nn.MultiHeadAttention: attention,
    nn.PositionalEncoding: positions,
    nn.Flatten: lambda layer, x, p: x.reshape(len(x), -1),
    nn.Unflatten: lambda layer, x, p: x.unflatten(-1, layer.shape),
    nn.Permute: lambda layer, x, p: x.permute(0, *(n + 1 for n in layer.order)),
    nn.Dropout: lambda layer, x, p: x * p["mask"] / (1 - layer.rate),
    nn.Softmax: lambda layer, x, p: F.softmax(x, -1),
    nn.LogSoftmax: lambda layer, x, p: F.log_softmax(x, -1),
    nn.DCT1d: signal_dct,
    nn.DCT2d: dct,
    nn.BlockDCT: block_dct,
    nn.FiniteDifferences: differences,
    nn.Grey: lambda layer, x, p: x @ torch.tensor(GREY, dtype=x.dtype),
    nn.Formula: formula,
    nn.Identity: lambda layer, x, p: x + 0,
    nn.ReLU: relu,
    nn.Step: step,
    nn.Sigmoid: lambda layer, x, p: torch.sigmoid(x),
    nn.Tanh: lambda layer, x, p: torch.tanh(x),
    nn.LeakyReLU: lambda layer, x, p: F.leaky_relu(x, layer.slope),
    nn.ELU: lambda layer, x, p: F.elu(x, layer.alpha),
    nn.GELU: lambda layer, x, p: F.gelu(x),
    nn.SiLU: lambda layer, x, p: F.silu(x),
    nn.Softplus: lambda layer, x, p: F.softplus(x, threshold=1e3),
    nn.HardTanh: lambda layer, x, p: F.hardtanh(x, layer.low, layer.high),
}
