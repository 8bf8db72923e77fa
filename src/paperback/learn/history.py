"""What training did: one frozen record for each epoch, and a History of them that turns into JSON.

Losses are means over examples; accuracies are fractions of examples, None where labels are no classes. The training
loss and accuracy are those of the steps as they were taken, with the parameters of that moment.
"""

from __future__ import annotations

__all__ = ["Epoch", "History"]

import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any, overload


@dataclass(frozen=True)
class Epoch:
    """One pass over the examples. `number` counts from 1 over the model's whole life, resumed training included."""

    number: int
    loss: float
    accuracy: float | None
    val_loss: float | None
    val_accuracy: float | None
    seconds: float
    images_per_second: float

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)


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

    def to_dict(self) -> dict[str, Any]:
        return {
            "epochs": [epoch.to_dict() for epoch in self.epochs],
            "steps": self.steps,
            "interrupted": self.interrupted,
        }

    def to_json(self) -> str:
        return json.dumps(self.to_dict(), allow_nan=False)
