"""The operations of the corpus in PyTorch, for its automatic differentiation as a second referee."""

from __future__ import annotations

__all__ = ["IN_PYTORCH"]

from collections.abc import Callable
from typing import Any

import pytest

torch = pytest.importorskip("torch")
functional = torch.nn.functional

from tests.diagnosis.corpus.pointwise import KEEP  # noqa: E402
from tests.diagnosis.corpus.reductions import EPSILON  # noqa: E402


def recurrent(x: Any, w: Any, u: Any) -> Any:
    h = torch.zeros(x.shape[1], w.shape[0], dtype=x.dtype)
    for x_t in x:
        h = torch.tanh(h @ w + x_t @ u)
    return h


def normalise(axes: tuple[int, ...]) -> Callable[..., Any]:
    def forward(x: Any, scale: Any, shift: Any) -> Any:
        variance, mean = torch.var_mean(x, axes, correction=0, keepdim=True)
        return (x - mean) / torch.sqrt(variance + EPSILON) * scale + shift

    return forward


def attention(causal: bool) -> Callable[..., Any]:
    return lambda q, k, v: functional.scaled_dot_product_attention(q, k, v, is_causal=causal)


IN_PYTORCH: dict[str, Callable[..., Any]] = {
    "relu": torch.relu,
    "leaky relu": lambda x: functional.leaky_relu(x, 0.1),
    "abs": torch.abs,
    "clip": lambda x: x.clamp(-1, 1),
    "gelu": lambda x: functional.gelu(x, approximate="tanh"),
    "silu": functional.silu,
    "sigmoid": torch.sigmoid,
    "tanh": torch.tanh,
    "softplus": functional.softplus,
    "dropout": lambda x, kept: x * kept / KEEP,
    "add column": lambda x, b: x + b,
    "scale": lambda x, s: x * s,
    "product": lambda x, y: x * y,
    "ratio": lambda x, y: x / y,
    "dense": lambda x, w, b: functional.linear(x, w.T, b),
    "matmul": torch.matmul,
    "bilinear": lambda x, w, y: functional.bilinear(x, y, w),
    "residual": lambda x, w: x + torch.tanh(x @ w),
    "recurrent": recurrent,
    "softmax": lambda x: x.softmax(-1),
    "log softmax": lambda x: x.log_softmax(-1),
    "logsumexp": lambda x: x.logsumexp(-1),
    "cross entropy": functional.cross_entropy,
    "mse": functional.mse_loss,
    "binary cross entropy": functional.binary_cross_entropy_with_logits,
    "divergence": lambda p, x: (p * (p.log() - x)).sum(-1),
    "two parts": lambda x, y: torch.cat([x, y]).tanh().mean(),
    "masked mean": lambda x, m: x.tanh()[m == 1].mean(),
    "mean": lambda x: x.mean(1),
    "unit": lambda x: functional.normalize(x, dim=-1),
    "batch norm": lambda x, scale, shift: functional.batch_norm(x, None, None, scale, shift, True, eps=EPSILON),
    "batch norm 2d": lambda x, scale, shift: functional.batch_norm(
        x, None, None, scale.flatten(), shift.flatten(), True, eps=EPSILON
    ),
    "layer norm": lambda x, scale, shift: functional.layer_norm(x, x.shape[-1:], scale, shift, EPSILON),
    "rms norm": lambda x, scale: functional.rms_norm(x, x.shape[-1:], scale, EPSILON),
    "attention": attention(False),
    "causal attention": attention(True),
    "conv1d": lambda x, w, b: functional.conv1d(x, w, b, stride=2),
    "conv2d": functional.conv2d,
    "conv2d strided": lambda x, w, b: functional.conv2d(x, w, b, stride=2, padding=1),
    "conv2d flipped": lambda x, w, b: functional.conv2d(x, w.flip(2, 3), b, padding=1),
    "depthwise": lambda x, w: functional.conv2d(x, w[:, None], groups=x.shape[1]),
    "max pool": lambda x: functional.max_pool2d(x, 3, 2),
    "average pool": lambda x: functional.avg_pool2d(x, 3, 2, 1),
    "upsample": lambda x: functional.interpolate(x, scale_factor=(2, 3)),
    "embedding": lambda table, ids: functional.embedding(ids, table),
    "gather": lambda x, places: x.gather(1, places),
    "turn": lambda x: x.transpose(1, 2).flatten(1),
    "running sum": lambda x: x.cumsum(1),
    "join": lambda x, y: torch.cat([x, y], 1),
    "cut": lambda x: (x[:, :2].tanh(), x[:, 2:] ** 2),
    "shift": lambda x: functional.pad(x, (1, 0))[:, :-1],
}
