"""`paperback report`: the page of a run that `paperback train --save` left, and what `train --report` shares with it.

A run is the file of the trained model: it holds the record of its training too, with the data's place and the split,
so that the examples that were held out are found again.
"""

from __future__ import annotations

__all__ = ["check_report", "command_line", "report", "write_report"]

import os
import shlex
from pathlib import Path
from typing import Any

import click
from click.core import ParameterSource

from paperback.cli.job import Say, job, label_column
from paperback.cli.options import Command
from paperback.cli.sets import size_for
from paperback.data.dataset import Dataset, load_splits
from paperback.errors import ModelError
from paperback.learn.checkpoint import check_target, read_record
from paperback.learn.metrics import plain
from paperback.learn.model import Model
from paperback.learn.record import Record
from paperback.reports.report import Report, of_run
from paperback.reports.run import measure


@click.command(cls=Command)
@click.argument("run_path", metavar="RUN")
@click.option("--out", help="Where to write the page. Default: RUN with the ending .html.")
@click.option("--data", help="As in train, where the data lies elsewhere now.")
@click.option("--engine", help="What runs the network. llvm, the default, numpy or exact.")
@job
def report(
    say: Say, run_path: str, out: str | None, data: str | None, engine: str | None
) -> tuple[dict[str, Any], int]:
    """One page of a RUN, to keep or to send: curves, mistakes, what goes on in every layer, the formulas.

    RUN is the file that `paperback train --save RUN` wrote. The page needs no network and no script.
    """
    record = read_record(run_path)
    if record is None:
        raise ModelError(
            f"{run_path}: needs the record of its training, found a model alone; save it with paperback train --save, "
            f"or use pb.report(model, x, y)"
        )
    page = out if out is not None else str(Path(run_path).with_suffix(".html"))
    check_report("--out", page, run_path)
    model = Model.load(run_path, engine=engine)
    place, label, held_out = _data(run_path, record)
    column = record.job.get("target")
    _, test = load_splits(
        data or place, held_out=held_out, seed=model.seed, label=label, size=size_for(model, data or place),
        target=label_column(column) if isinstance(column, str) else None,
    )  # fmt: skip
    made = write_report(page, model, record, test)
    answers = made.run.answers
    told = f"loss {answers.loss:.4g}" if answers.accuracy is None else f"accuracy {answers.accuracy:.2%}"
    say(f"{test.name}: {len(test):,} examples, {told}")
    say(f"report in {page}")
    result = {
        "command": "report",
        "run": run_path,
        "report": page,
        "data": test.name,
        "examples": len(test),
        "accuracy": made.run.answers.accuracy,
        "loss": plain(made.run.answers.loss),
    }
    return result, 0


def check_report(option: str, target: str, run_path: str | None) -> None:
    """ModelError, before anything is computed, where the page cannot be written or would replace the model."""
    check_target(option, target)
    if run_path is not None and os.path.realpath(target) == os.path.realpath(run_path):
        raise ModelError(f"{option}: needs a file of its own, found that of the model, {run_path}; choose another name")


def write_report(target: str, model: Model, record: Record, test: Dataset) -> Report:
    """Measure a run on the examples that were held out, and write its page."""
    source = record.job.get("data")
    name = Path(source).name if isinstance(source, str) else "the digits"
    title = f"{record.job.get('network', 'A network')} on {name}"
    names = test.class_names
    if names:  # a network may have more outputs than the data has classes
        names += tuple(map(str, range(len(names), model.network.output_shape[-1])))
    made = of_run(measure(model, test.x, test.y, model.loss, record, title, test.name, names))
    made.save(target)
    return made


def command_line() -> str:
    """The command that runs, with the options that were given; --json aside, which changes nothing."""
    context = click.get_current_context()
    words = ["paperback", str(context.command.name)]
    for parameter in context.command.params:
        given = context.get_parameter_source(parameter.name or "") == ParameterSource.COMMANDLINE
        if given and parameter.name != "as_json":
            words += [parameter.opts[0], str(context.params[parameter.name or ""])]
    return shlex.join(words)


def _data(run_path: str, record: Record) -> tuple[str | None, int | str | None, float]:
    """Where the data lay, its column of labels, and the share that was held out, as the record says."""
    place, label, held_out = (record.job.get(name) for name in ("data", "label", "held_out"))
    if isinstance(place, str | None) and isinstance(label, str | None) and isinstance(held_out, float):
        return place, label_column(label), held_out
    raise ModelError(f"{run_path}: needs data, label and held_out in its record, found others; the file is damaged")
