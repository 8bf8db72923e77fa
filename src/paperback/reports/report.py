"""The report: one page of a trained model, to keep or to send. It needs no network and no script.

    report(model, x, y, history=history, path="report.html")
"""

from __future__ import annotations

__all__ = ["Report", "report"]

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from numpy.typing import ArrayLike

from paperback.arguments import strict
from paperback.errors import ModelError
from paperback.learn.checkpoint import check_target, replace_file
from paperback.learn.environment import environment
from paperback.learn.history import History
from paperback.learn.model import Model
from paperback.learn.record import Record
from paperback.markup import Html, tag
from paperback.nn.losses import Loss, find
from paperback.reports.run import Run, measure
from paperback.reports.sections import written


@dataclass(frozen=True)
class Report:
    """A page: `html` is its text, `run` the numbers in it. In a notebook it shows itself."""

    run: Run
    html: str

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the page, atomically; ModelError where no file can be put there."""
        check_target("report", path)
        replace_file(Path(path), self.html.encode("utf-8"))

    def _repr_html_(self) -> Html:
        return tag("iframe", srcdoc=self.html, width="100%", height=900, style="border:0")

    def __repr__(self) -> str:
        return f"Report({self.run.title!r}, {len(self.html):,} characters)"


@strict
def report(
    model: Model,
    x: ArrayLike,
    y: ArrayLike,
    history: History | None = None,
    path: str | os.PathLike[str] | None = None,
    loss: str | Loss | None = None,
    class_names: Sequence[str] = (),
    title: str = "",
) -> Report:
    """Everything worth knowing of a trained model, on examples `x` with labels `y`, as one page of HTML.

    Curves, classes and what they are taken for, the most confident mistakes, filters, dead units and gradient norms by
    layer, the formulas of a training step, the environment.

    history       what `fit` returned, for the curves
    loss          that of the last training unless given; its mean, whatever its reduction is
    path          a file to write the page to, atomically
    class_names   what the classes are called, in their order
    ModelError for what does not fit and for a path that takes no file, before anything is computed.
    """
    if not isinstance(model, Model):
        raise ModelError(f"report: needs a Model, found {type(model).__name__}; pass report(model, x, y)")
    if history is not None and not isinstance(history, History):
        raise ModelError(f"report: history is what fit returned, found {type(history).__name__}; pass that")
    if path is not None:
        check_target("report", path)
    record = Record({}, history or History(), environment())
    made = of_run(measure(model, x, y, model.loss if loss is None else find(loss), record, title, "", class_names))
    if path is not None:
        made.save(path)
    return made


def of_run(run: Run) -> Report:
    """The report of a run that is measured."""
    return Report(run, written(run))
