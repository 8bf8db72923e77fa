"""What training did: one frozen record for each epoch, and a History of them that turns into JSON.

Losses are means over examples (None in JSON where they are no finite number); accuracies are fractions of examples,
None where labels are no classes. The training loss and accuracy are those of the steps as they were taken, with the
parameters of that moment.
In a notebook a History shows itself: its curves and its epochs.
"""

from __future__ import annotations

__all__ = ["Epoch", "History"]

import json
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any, overload

from paperback import markup
from paperback.errors import ModelError
from paperback.learn.curve import Point
from paperback.learn.metrics import plain
from paperback.markup.ticks import percent, short

if TYPE_CHECKING:
    from paperback.markup import Html, Series

_STEEP = 20.0  # the ratio of largest to least loss from which their axis is logarithmic
_ROWS = 12  # epochs in a notebook's table, the last ones


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
    """The epochs of one `fit`, in order. `interrupted`: Ctrl-C came; `steps` counts whole steps, all of them kept.

    `curve` holds the loss and the learning rate step by step, means over stretches of steps where there are many.
    """

    epochs: tuple[Epoch, ...] = ()
    steps: int = 0
    interrupted: bool = False
    curve: tuple[Point, ...] = ()

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
            "curve": [[plain(number) for number in point] for point in self.curve],
        }

    @staticmethod
    def from_dict(data: Any) -> History:
        """What `to_dict` gave, read back; ModelError for anything else. What was no finite number is NaN."""
        try:
            epochs = tuple(_epoch(item) for item in data["epochs"])
            curve = tuple(Point(int(step), _number(loss), _number(rate)) for step, loss, rate in data["curve"])
            return History(epochs, int(data["steps"]), bool(data["interrupted"]), curve)
        except (KeyError, TypeError, ValueError, OverflowError) as error:
            raise ModelError(f"a history needs what History.to_dict gives, found something else ({error!r})") from None

    def to_json(self) -> str:
        return json.dumps(self.to_dict(), allow_nan=False)

    # --- for people --------------------------------------------------------------------------------------------------

    def charts(self) -> dict[str, Html]:
        """The curves there are, by title: loss and accuracy by epoch, if of two or more; loss and rate by step."""
        numbers = [epoch.number for epoch in self.epochs]
        losses = [
            markup.Series("training loss", numbers, [epoch.loss for epoch in self.epochs]),
            markup.Series("held-out loss", numbers, [_number(epoch.val_loss) for epoch in self.epochs]),
        ]
        accuracies = [
            markup.Series("training accuracy", numbers, [_number(epoch.accuracy) for epoch in self.epochs]),
            markup.Series("held-out accuracy", numbers, [_number(epoch.val_accuracy) for epoch in self.epochs]),
        ]
        steps = [point.step for point in self.curve]
        step_losses = markup.Series("loss of a step", steps, [point.loss for point in self.curve], "thin")
        rates = markup.Series("learning rate", steps, [point.rate for point in self.curve], "thin")
        made = {} if len(self) < 2 else {
            "Loss by epoch": markup.chart(losses, "Loss by epoch", "epoch", log=_is_steep(losses)),
            "Accuracy by epoch": markup.chart(accuracies, "Accuracy by epoch", "epoch", written=percent),
        }  # fmt: skip
        made |= {
            "Loss by step": markup.chart([step_losses], "Loss by step", "step", log=_is_steep([step_losses])),
            "Learning rate by step": markup.chart([rates], "Learning rate by step", "step"),
        }
        return {title: drawn for title, drawn in made.items() if drawn is not None}

    def table(self, rows: int | None = None) -> Html:
        """The epochs, the last `rows` of them, as a table of HTML."""
        shown = self.epochs[-rows:] if rows else self.epochs
        columns: dict[str, list[str]] = {
            "epoch": [str(epoch.number) for epoch in shown],
            "loss": [short(epoch.loss) for epoch in shown],
            "accuracy": [percent(_number(epoch.accuracy)) for epoch in shown],
            "held-out loss": [short(_number(epoch.val_loss)) for epoch in shown],
            "held-out accuracy": [percent(_number(epoch.val_accuracy)) for epoch in shown],
            "seconds": [short(epoch.seconds) for epoch in shown],
            "examples/s": [short(epoch.images_per_second) for epoch in shown],
        }
        told = {name: cells for name, cells in columns.items() if any(cell != _NONE for cell in cells)}
        return markup.table(list(told), zip(*told.values(), strict=True), numbers=told)

    def __repr__(self) -> str:
        return f"History({self._length()})"

    def _length(self) -> str:
        epochs = "epoch" if len(self) == 1 else "epochs"
        return f"{len(self)} {epochs}, {self.steps:,} steps{', interrupted' if self.interrupted else ''}"

    def _repr_html_(self) -> str:
        best = f"; least held-out loss after epoch {self.best.number}" if self.best else ""
        head = markup.tag("p", markup.tag("b", "Training"), f": {self._length()}{best}")
        charts = markup.tag("div", markup.join(self.charts().values()), class_="row")
        return markup.fragment(head, charts, self.table(_ROWS))


_NONE = short(math.nan)


def _is_steep(series: Sequence[Series]) -> bool:
    values = [value for each in series for value in each.y if math.isfinite(value)]
    return bool(values) and min(values) > 0 and max(values) > _STEEP * min(values)


def _epoch(item: Mapping[str, Any]) -> Epoch:
    return Epoch(
        int(item["number"]), _number(item["loss"]), _optional(item["accuracy"]), _optional(item["val_loss"]),
        _optional(item["val_accuracy"]), _number(item["seconds"]), _number(item["images_per_second"]),
        dict(item["val_metrics"]),
    )  # fmt: skip


def _number(value: Any) -> float:
    return math.nan if value is None else float(value)


def _optional(value: Any) -> float | None:
    return None if value is None else float(value)
