"""A run, measured: everything that a report tells, as numbers. `sections` writes it down."""

from __future__ import annotations

__all__ = ["Run", "measure"]

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from paperback import engines
from paperback.errors import ModelError
from paperback.learn.inputs import channels_last
from paperback.learn.model import Model
from paperback.learn.record import Record
from paperback.nn.losses import Loss
from paperback.reports.answers import Answers, judge
from paperback.reports.layers import LayerState, look_inside

Array = NDArray[Any]


@dataclass(frozen=True)
class Run:
    """A model, what it was trained by, and what it does on examples (`shown`, channels last: those that are shown)."""

    title: str
    model: Model
    loss: Loss
    record: Record
    data: str
    class_names: tuple[str, ...]
    answers: Answers
    layers: tuple[LayerState, ...]
    shown: Array

    @property
    def parameters(self) -> int:
        return sum(array.size for array in self.model.parameters.values())

    @property
    def settings(self) -> Mapping[str, str]:
        """How the model computes."""
        engine = engines.choose(self.model.engine)
        threads = self.model.threads or "one for each core"
        return {
            "engine": f"{engine}, threads: {threads}" if engine == "llvm" else engine,
            "dtype": self.model.dtype.name,
            "seed": str(self.model.seed),
            "layout": self.model.layout,
        }

    def called(self, label: int) -> str:
        """The name of a class."""
        return self.class_names[label] if label < len(self.class_names) else str(label)


def measure(
    model: Model,
    x: ArrayLike,
    y: ArrayLike,
    loss: Loss,
    record: Record,
    title: str = "",
    data: str = "",
    class_names: Sequence[str] = (),
) -> Run:
    """Everything there is to tell of a model on the examples `x` with labels `y`, by the mean of the loss.

    ModelError for what the model cannot take, before anything is computed.
    """
    loss = loss.reduced("mean")
    if isinstance(class_names, str) or not all(isinstance(name, str) for name in class_names):
        raise ModelError(f'report: class_names is a list of texts, found {class_names!r}; pass class_names=["a", "b"]')
    classes = max(2, model.network.output_shape[-1]) if model.network.output_shape else 2
    if class_names and len(class_names) != classes:
        raise ModelError(
            f"report: needs a name for each of the {classes} classes, found {len(class_names)}; name all or none"
        )
    answers = judge(model, x, y, loss)
    places = [mistake.place for mistake in answers.mistakes] + [miss.place for miss in answers.misses]
    shown = channels_last(np.asarray(x), model.layout)[places]
    return Run(
        title, model, loss, record, data, tuple(class_names), answers, look_inside(model, x, y, loss), shown
    )  # fmt: skip
