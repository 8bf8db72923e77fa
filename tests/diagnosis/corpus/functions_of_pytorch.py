"""Functions of PyTorch with arguments: gradients that others wrote, tested and use. None knows of this package.

Each is (shapes of the arguments, function); what lies outside of a domain is moved into it by the function itself.
Left out: what crashes when it is called with another size (ctc_loss), and two that the doctor found wrong in PyTorch
2.13: `KNOWN`.
"""

from __future__ import annotations

__all__ = ["FUNCTIONS", "KNOWN", "Called"]

from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F  # as everybody calls it

Called = tuple[tuple[tuple[int, ...], ...], Callable[..., Any]]
_IDS, _LABELS = torch.tensor([[0, 2], [2, 2]]), torch.tensor([0, 2, 1, 1])
_MAT, _SEQ, _IMAGE = ((4, 5),), ((3, 4, 5),), ((2, 2, 7, 5),)

FUNCTIONS: dict[str, Called] = {
    "linear": (((5, 3), (4, 3), (4,)), F.linear),
    "bilinear": (((5, 3), (5, 2), (4, 3, 2), (4,)), F.bilinear),
    "conv1d": (((2, 3, 9), (4, 3, 3), (4,)), lambda x, w, b: F.conv1d(x, w, b, stride=2, padding=1)),
    "conv2d, dilated": (((2, 3, 7, 6), (2, 3, 3, 2)), lambda x, w: F.conv2d(x, w, dilation=2, padding=2)),
    "conv2d, groups": (((2, 4, 5, 6), (6, 2, 3, 2)), lambda x, w: F.conv2d(x, w, groups=2)),
    "conv_transpose2d": (
        ((2, 3, 4, 3), (3, 2, 3, 3)), lambda x, w: F.conv_transpose2d(x, w, stride=2, padding=1, output_padding=1),
    ),
    "max_pool2d": (_IMAGE, lambda x: F.max_pool2d(x, 3, 2, 1)),
    "avg_pool2d": (_IMAGE, lambda x: F.avg_pool2d(x, 3, 2, 1, count_include_pad=False)),
    "adaptive_avg_pool2d": (_IMAGE, lambda x: F.adaptive_avg_pool2d(x, (3, 2))),
    "adaptive_max_pool2d": (_IMAGE, lambda x: F.adaptive_max_pool2d(x, (3, 2))),
    "layer_norm": ((*_SEQ, (5,), (5,)), lambda x, w, b: F.layer_norm(x, (5,), w, b)),
    "group_norm": ((*_SEQ, (4,), (4,)), lambda x, w, b: F.group_norm(x, 2, w, b)),
    "instance_norm": (_SEQ, F.instance_norm),
    "rms_norm": (_SEQ, lambda x: F.rms_norm(x, (5,))),
    "local_response_norm": (((2, 5, 4, 3),), lambda x: F.local_response_norm(x, 3)),
    "normalize": (_MAT, lambda x: F.normalize(x, dim=1)),
    "softmax": (_MAT, lambda x: F.softmax(x, 1)),
    "softmax, steep": (_MAT, lambda x: F.softmax(100 * x, 1)),
    "log_softmax, steep": (_MAT, lambda x: F.log_softmax(30 * x, 1)),
    "cross_entropy": (((4, 3),), lambda x: F.cross_entropy(x, _LABELS)),
    "cross_entropy, smooth": (((4, 3),), lambda x: F.cross_entropy(x, _LABELS, label_smoothing=0.1, reduction="sum")),
    "cross_entropy, ignored": (((4, 3),), lambda x: F.cross_entropy(x, torch.tensor([0, -100, 1, 1]))),
    "binary_cross_entropy": (((4, 3),) * 2, lambda x, y: F.binary_cross_entropy_with_logits(x, y.sigmoid())),
    "binary_cross_entropy, saturated": (
        ((4, 3),), lambda x: F.binary_cross_entropy_with_logits(40 * x, torch.ones_like(x)),
    ),
    "kl_div": (
        ((4, 3),) * 2, lambda x, y: F.kl_div(F.log_softmax(x, 1), F.softmax(y, 1), reduction="batchmean"),
    ),
    "huber_loss": (((4, 3),) * 2, lambda x, y: F.huber_loss(x, y, delta=0.7)),
    "smooth_l1_loss": (((4, 3),) * 2, lambda x, y: F.smooth_l1_loss(x, y, reduction="none")),
    "l1_loss": (((4, 3),) * 2, F.l1_loss),
    "triplet_margin_loss": (((5, 3),) * 3, F.triplet_margin_loss),
    "cosine_similarity": (((5, 3),) * 2, F.cosine_similarity),
    "multi_margin_loss": (((4, 3),), lambda x: F.multi_margin_loss(x, _LABELS)),
    "gaussian_nll_loss": (((3,),) * 2, lambda m, v: F.gaussian_nll_loss(m, torch.zeros_like(m), v.exp())),
    "embedding": (((4, 3),), lambda w: F.embedding(_IDS, w)),
    "embedding_bag": (((4, 3),), lambda w: F.embedding_bag(_IDS, w, mode="max")),
    "attention, causal": (
        ((2, 4, 3), (2, 4, 3), (2, 4, 2)), lambda q, k, v: F.scaled_dot_product_attention(q, k, v, is_causal=True),
    ),
    "attention": (((2, 4, 3), (2, 5, 3), (2, 5, 2)), lambda q, k, v: F.scaled_dot_product_attention(4 * q, k, v)),
    "interpolate, linear": (((1, 2, 5, 4),), lambda x: F.interpolate(x, scale_factor=1.7, mode="bilinear")),
    "interpolate, cubic": (((1, 2, 5, 4),), lambda x: F.interpolate(x, size=(7, 9), mode="bicubic")),
    "grid_sample": (
        ((1, 2, 5, 4), (1, 3, 3, 2)), lambda x, g: F.grid_sample(x, g.tanh(), align_corners=False),
    ),
    "pixel_shuffle": (((1, 4, 3, 2),), lambda x: F.pixel_shuffle(x, 2)),
    "fold": (((1, 12, 9),), lambda x: F.fold(x, (4, 5), (2, 3))),
    "pad, reflected": (((2, 2, 5),), lambda x: F.pad(x, (2, 1), mode="reflect")),
    "gelu": (_MAT, F.gelu),
    "mish": (_MAT, F.mish),
    "selu": (_MAT, F.selu),
    "softplus": (_MAT, lambda x: F.softplus(x, beta=3, threshold=2)),
    "hardswish": (_MAT, lambda x: F.hardswish(3 * x)),
    "prelu": (((3, 4), (4,)), F.prelu),
    "glu": (((3, 4),), F.glu),
    "softshrink": (_MAT, F.softshrink),
    "logsigmoid, steep": (_MAT, lambda x: F.logsigmoid(20 * x)),
    "dropout": (_MAT, lambda x: F.dropout(x, 0.4)),
    "cumprod": (_MAT, lambda x: torch.cumprod(x, 1)),
    "cummax": (_MAT, lambda x: torch.cummax(x, 1)[0]),
    "logcumsumexp": (_MAT, lambda x: torch.logcumsumexp(x, 1)),
    "prod, with zeros": (_MAT, lambda x: (x * (x > 0)).prod(1)),
    "std": (_MAT, lambda x: x.std(0)),
    "median": (((3, 5),), lambda x: x.median(1)[0]),
    "sort": (_MAT, lambda x: x.sort(1)[0]),
    "topk": (_MAT, lambda x: x.topk(2, 1)[0]),
    "norm": (_MAT, lambda x: x.norm(dim=1)),
    "norm, largest": (_MAT, lambda x: x.norm(p=float("inf"), dim=1)),
    "nuclear norm": (((3, 4),), lambda x: torch.linalg.matrix_norm(x, "nuc")),
    "inv": (((4, 4),), torch.linalg.inv),
    "slogdet": (((4, 4),), lambda x: torch.linalg.slogdet(x)[1]),
    "solve": (((4, 4), (4, 2)), torch.linalg.solve),
    "cholesky": (((4, 4),), lambda x: torch.linalg.cholesky(x @ x.T + torch.eye(4, dtype=x.dtype))),
    "eigvalsh": (((4, 4),), lambda x: torch.linalg.eigvalsh(x + x.T)),
    "svdvals": (((4, 3),), torch.linalg.svdvals),
    "matrix_exp": (((3, 3),), torch.matrix_exp),
    "pinv": (((4, 3),), torch.linalg.pinv),
    "einsum": (((3, 2, 4), (3, 4, 5)), lambda a, b: torch.einsum("bij,bjk->ik", a, b)),
    "kron": (((2, 3), (3, 2)), torch.kron),
    "cdist": (((4, 3), (5, 3)), torch.cdist),
    "size of an fft": (((3, 8),), lambda x: torch.fft.rfft(x).abs()),
    "lgamma": (((5,),), lambda x: torch.lgamma(x.abs() + 0.2)),
    "erfinv": (((5,),), lambda x: torch.erfinv(0.9 * x.tanh())),
    "pow": (((5,),) * 2, lambda x, y: x.abs() ** y),
    "atan2": (((5,),) * 2, torch.atan2),
    "fmod": (((5,),), lambda x: torch.fmod(x, 0.7)),
    "xlogy": (((5,),) * 2, lambda x, y: torch.xlogy(x, y.abs() + 0.1)),
    "log1p, near 0": (((5,),), lambda x: torch.log1p(1e-6 * x.abs())),
    "rsqrt": (((5,),), lambda x: torch.rsqrt(x.abs())),
    "where": (((5,),) * 2, lambda x, y: torch.where(x > y, x * x, y)),
    "clamp": (_MAT, lambda x: x.clamp(-0.5, 0.5)),
    "index_add": (((4,),), lambda x: torch.zeros(4, dtype=x.dtype).index_add(0, torch.tensor([0, 1, 1, 3]), x)),
    "gather": (((3, 4),), lambda x: x.gather(1, torch.tensor([[0, 0], [1, 2], [2, 2]]))),
    "tril": (((4, 4),), torch.tril),
    "repeat": (((2, 3),), lambda x: x.repeat(2, 3)),
    "two outputs": (((2, 3),), lambda x: (x.sin(), x.sum(0))),
    "trapezoid": (((5,),) * 2, torch.trapezoid),
}  # fmt: skip

KNOWN: dict[str, tuple[Called, str]] = {
    # the gradient of the input is computed with a weight that is read as if it were contiguous
    "batch_norm": ((((6, 4), (4,), (4,)), lambda x, w, b: F.batch_norm(x, None, None, w, b, True)), "noncontiguous"),
    # 1/6 is a number of 32 bits there
    "hardsigmoid": ((_MAT, F.hardsigmoid), "rounding"),
}
