"""Random configurations of every loss, and the same in PyTorch."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np
import pytest

torch = pytest.importorskip("torch")
F = torch.nn.functional

from tests.nn.dice import Dice  # noqa: E402

from paperback.nn.losses import LOSSES, Loss, huber, softmax_cross_entropy  # noqa: E402


class LossCase(NamedTuple):
    """`entries(z, y)` is PyTorch's loss of every entry; the rest is what becomes of them."""

    loss: Loss
    kind: str
    z: np.ndarray
    y: np.ndarray
    entries: Callable[[Any, Any], Any]
    reduction: str
    weight: np.ndarray | None

    def pytorch(self, dtype: str) -> dict[str, np.ndarray]:
        """The loss and the gradient of its sum."""
        z = torch.tensor(self.z.astype(dtype), requires_grad=True)
        y = torch.from_numpy(self.y if self.y.dtype.kind == "i" else self.y.astype(dtype))
        every = self.entries(z, y).reshape(len(z), -1)
        examples = every.sum(1) if self.loss.entries == "sum" else every.mean(1)
        if self.weight is not None:
            examples = examples * torch.from_numpy(self.weight.astype(dtype))
        loss = {"mean": examples.mean(), "sum": examples.sum(), "none": examples}[self.reduction]
        loss.sum().backward()
        return {"loss": loss.detach().numpy(), "z": z.grad.numpy()}


def channels_second(function: Callable[..., Any], **settings: Any) -> Callable[[Any, Any], Any]:
    """PyTorch wants the classes on axis 1."""

    def entries(z: Any, y: Any) -> Any:
        y = y.movedim(-1, 1) if y.dtype.is_floating_point else y
        weight = settings.get("weight")
        own = {**settings, "weight": weight.to(z.dtype)} if weight is not None else settings
        return function(z.movedim(-1, 1), y, reduction="none", **own)

    return entries


def cross_entropy(dice: Dice, settings: bool) -> tuple[Loss, int, Callable[[Any, Any], Any]]:
    classes = dice.whole(2, 6)
    smoothing = dice.pick(0.0, dice.real(0, 0.9)) if settings else 0.0
    weights = dice.rng.integers(0, 9, classes) / 4 if settings and dice.flag() else None
    own = {} if weights is None else {"weight": torch.from_numpy(weights)}
    entries = channels_second(F.cross_entropy, label_smoothing=smoothing, **own)
    return softmax_cross_entropy(smoothing, weights), classes, entries


def divergence(z: Any, y: Any) -> Any:
    return F.kl_div(F.log_softmax(z, -1), y, reduction="none").sum(-1)


ENTRIES: dict[str, Callable[[Any, Any], Any]] = {
    "binary_cross_entropy": lambda z, y: F.binary_cross_entropy_with_logits(z, y, reduction="none"),
    "mean_squared_error": lambda z, y: F.mse_loss(z, y, reduction="none"),
    "probability_cross_entropy": lambda z, y: F.binary_cross_entropy(z, y, reduction="none"),
    "kl_divergence": divergence,
    "hinge": lambda z, y: torch.relu(1 - z * y),
    "huber": lambda z, y: F.huber_loss(z, y, reduction="none"),
}

NAMES = (*LOSSES, "softmax_cross_entropy(...)", "huber(...)")


def draw_loss(name: str, seed: int) -> LossCase:
    dice = Dice(np.random.default_rng([seed, *name.encode()]))
    if name.startswith("softmax"):
        loss, classes, entries = cross_entropy(dice, "(" in name)
    else:
        delta = dice.real(0.05, 3) if "(" in name else 1.0
        loss, classes = (huber(delta) if name.startswith("huber") else LOSSES[name]), dice.whole(2, 6)
        entries = ENTRIES.get(name) or (lambda z, y: F.huber_loss(z, y, reduction="none", delta=delta))
    shape = (dice.whole(1, 5), *dice.shape(0, 2, 4), classes)
    z = dice.rng.standard_normal(shape) * dice.pick(1, 10)
    kind = dice.pick(*loss.labels)
    if name == "probability_cross_entropy":
        z = 1 / (1 + np.exp(-z.clip(-4, 4)))
    weight = dice.rng.integers(0, 9, shape[0]) / 4 if dice.flag() else None
    loss = replace(loss, entries=dice.pick("mean", "sum"))
    reduction = dice.pick("mean", "sum", "none")
    single = z.astype(np.float32).astype(float)  # both precisions start from the same numbers
    return LossCase(loss, kind, single, labels(dice, kind, shape), entries, reduction, weight)


def labels(dice: Dice, kind: str, shape: tuple[int, ...]) -> np.ndarray:
    rng = dice.rng
    if kind == "integer":
        return rng.integers(0, shape[-1], shape[:-1])
    if kind == "distribution":
        parts = rng.integers(0, 5, shape) + np.eye(shape[-1])[0]  # some are 0
        single: np.ndarray = (parts / parts.sum(-1, keepdims=True)).astype(np.float32).astype(float)
        return single
    return {
        "sign": rng.choice([-1.0, 1.0], shape), "probability": rng.integers(0, 5, shape) / 4,
        "real": rng.integers(-20, 20, shape) / 8,
    }[kind]  # fmt: skip
