"""What training did: one frozen record for each epoch, and a History of them that turns into JSON.

Losses are means over examples (None in JSON where they are no finite number); accuracies are fractions of examples,
None where labels are no classes. The training loss and accuracy are those of the steps as they were taken, with the
parameters of that moment.
"""

from __future__ import annotations

__all__ = ["Epoch", "History"]

import json
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, overload

from paperback.learn.metrics import plain


@dataclass(frozen=True)
class Epoch:
    """One pass over the examples. `number` counts from 1 over the model's whole life, resumed training included.

    `val_metrics` holds what was asked for besides, on the held-out examples, as JSON has it (lists; None for NaN).
    """

    number: int
    loss: float
    accuracy: float | None
    val_loss: float | None
    val_accuracy: float | None
    seconds: float
    images_per_second: float
    val_metrics: Mapping[str, Any] = field(default_factory=dict)

    def to_dict(self) -> dict[str, Any]:
        return {name: value if isinstance(value, dict) else plain(value) for name, value in asdict(self).items()}


@dataclass(frozen=True)
class History(Sequence[Epoch]):
    """The epochs of one `fit`, in order. `interrupted`: Ctrl-C came; `steps` counts whole steps, all of them kept."""

    epochs: tuple[Epoch, ...] = ()
    steps: int = 0
    interrupted: bool = False

    @overload
    def __getitem__(self, index: int) -> Epoch: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[Epoch]: ...
    def __getitem__(self, index: int | slice) -> Epoch | Sequence[Epoch]:
        return self.epochs[index]

    def __len__(self) -> int:
        return len(self.epochs)

    def __iter__(self) -> Iterator[Epoch]:
        return iter(self.epochs)

    @property
    def best(self) -> Epoch | None:
        """The epoch with the least held-out loss, the first of equals; None without one."""
        return min(
            (epoch for epoch in self.epochs if epoch.val_loss is not None),
            key=lambda epoch: math.inf if math.isnan(epoch.val_loss or 0) else epoch.val_loss or 0,
            default=None,
        )

    def to_dict(self) -> dict[str, Any]:
        return {
            "epochs": [epoch.to_dict() for epoch in self.epochs],
            "steps": self.steps,
            "interrupted": self.interrupted,
            "best": self.best and self.best.number,
        }

    def to_json(self) -> str:
        return json.dumps(self.to_dict(), allow_nan=False)
