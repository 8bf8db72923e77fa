"""`paperback evaluate | predict | summary`: what a saved model reaches, says, and is made of."""

from __future__ import annotations

__all__ = ["evaluate", "predict", "summary"]

import math
from collections.abc import Iterator
from typing import Any

import click

from paperback.cli.job import Say, below, job, label_column
from paperback.cli.netspec import network
from paperback.cli.numbers import METRICS, check_goal, gives_classes, worth
from paperback.cli.options import Command, Real, Shape, Whole, needs
from paperback.cli.sets import HELD_OUT, check_classes, class_names, size_for, splits, trained_label
from paperback.data.examples import load_examples
from paperback.learn.metrics import plain, predicted
from paperback.learn.model import Model
from paperback.learn.presets import PRESETS

_MODEL = click.argument("model_path", metavar="MODEL")
_ENGINE = click.option("--engine", help="What runs the network. llvm, the default, numpy or exact.")


@click.command(cls=Command)
@_MODEL
@click.option("--data", help="As in train. Default: the digits in the package.")
@click.option("--held-out", type=Real(0, 1, inside=True, usual=HELD_OUT), help="As train's. Default 0.2.")
@click.option("--all", "everything", is_flag=True, help="All examples of the file, not the held-out ones only.")
@click.option("--label", help="As in train. Default: the column of the training.")
@click.option("--target", help="As in train.")
@click.option("--confusion", is_flag=True, help="Also the table of classes, with precision and recall.")
@click.option("--at-least", type=Real(0, 1, usual=0.9), help="Exit with 1 if the accuracy, or R2, is below.")
@_ENGINE
@job
def evaluate(
    say: Say,
    model_path: str,
    data: str | None,
    held_out: float | None,
    everything: bool,
    label: str | None,
    target: str | None,
    confusion: bool,
    at_least: float | None,
    engine: str | None,
) -> tuple[dict[str, Any], int]:
    """Loss and accuracy of a saved MODEL on the test examples.

    Test examples are those of an MNIST folder, else the share that `train` with the model's seed has held out.
    """
    model = Model.load(model_path, engine=engine)
    check_goal(model, target)
    needs("--confusion", confusion, target is None, "of classes, --target has none")
    label = trained_label(model_path, data) if label is None and target is None else label
    test = splits(data, held_out, model.seed, label, size_for(model, data), everything, target)[1]
    if target is not None:
        numbers = model.evaluate(test.x, test.y, metrics=METRICS)
        say(f"{test.name}: {len(test):,} examples, {worth(numbers)}")
        found = {"command": "evaluate", "data": test.name, "examples": len(test)}
        found |= {name: plain(value) for name, value in numbers.items()}
        return found, below(found, numbers["r2"], at_least, "R2")
    check_classes(test, class_names(model_path))
    reached = model.evaluate(test.x, test.y, metrics=["confusion", "precision", "recall"] if confusion else [])
    say(f"{test.name}: {len(test):,} examples, accuracy {reached['accuracy']:.2%}, loss {reached['loss']:.4f}")
    if confusion:
        for line in _table(reached, test.class_names):
            say(line)
    numbers = {name: plain(value) for name, value in reached.items()}
    result = {"command": "evaluate", "data": test.name, "examples": len(test), **numbers}
    return result, below(result, reached["accuracy"], at_least)


def _table(reached: dict[str, Any], names: tuple[str, ...]) -> Iterator[str]:
    """Rows are the classes, columns what they were taken for; precision below its column, recall behind its row."""
    counts = reached["confusion"]
    words = names or tuple(str(number) for number in range(len(counts)))
    head = max(len("precision"), *map(len, words))
    width = max(6, len(str(counts.max())), *map(len, words)) + 1
    yield "class".ljust(head) + "".join(word.rjust(width) for word in words) + "  recall"
    for word, row, share in zip(words, counts, reached["recall"], strict=False):
        yield word.ljust(head) + "".join(str(number).rjust(width) for number in row) + _share(share).rjust(8)
    yield "precision".ljust(head) + "".join(_share(share).rjust(width) for share in reached["precision"])


def _share(value: float) -> str:
    return "-" if math.isnan(value) else f"{value:.1%}"


@click.command(cls=Command)
@_MODEL
@click.option("--data", help="As in train; or without labels: .npy, CSV, a picture, a folder. Default: the digits.")
@click.option("--label", help="Of CSV: the column of the labels, which is left out. Default: as trained.")
@click.option("--target", help="Of CSV: the column that was trained for, which is left out.")
@click.option("--limit", type=Whole(1), help="The first examples only.")
@_ENGINE
@job
def predict(
    say: Say,
    model_path: str,
    data: str | None,
    label: str | None,
    target: str | None,
    limit: int | None,
    engine: str | None,
) -> tuple[dict[str, Any], int]:
    """The class that a saved MODEL gives to every example, one on a line: its name, if the training data had names.

    A model that was trained with --target gives its number.
    """
    model = Model.load(model_path, engine=engine)
    needs("--label", label, data is not None, "of a CSV file, the digits have none", "pass --data too")
    needs("--target", target, data is not None, "of a CSV file, the digits have classes", "pass --data too")
    columns = {"label": label_column(label), "target": label_column(target)}
    usual = label_column(trained_label(model_path, data))
    examples = load_examples(data, model.input_shape, **columns, usual=usual)
    names = class_names(model_path)
    output = model.predict(examples[:limit])
    numbers = output[..., 0] if output.shape[-1] == 1 else output
    classes = (predicted(output) if gives_classes(model) else numbers).tolist()
    classes = [names[each] if isinstance(each, int) and each < len(names) else each for each in classes]
    for each in classes:
        say(str(each))
    return {"command": "predict", "predictions": classes}, 0


@click.command(cls=Command)
@click.argument("model_path", metavar="[MODEL]", required=False)
@click.option("--net", "spec", help="As in train, for a network without a file. Default: lenet.")
@click.option("--input-shape", type=Shape("28x28x1"), help="Of one example. Default: 8x8x1.")
@click.option("--classes", type=Whole(1), help="Outputs of a preset. Default: 10.")
@click.option("--program", is_flag=True, help="The whole training step as a page of formulas.")
@click.option("--plan", is_flag=True, help="Every kernel of a training step: formulas, schedule, costs.")
@click.option("--time", is_flag=True, help="Measure every layer, forward and backward; with --plan, every kernel.")
@click.option("--batch", type=Whole(1), default=64, show_default=True, help="Examples that memory and time are for.")
@_ENGINE
@job
def summary(
    say: Say,
    model_path: str | None,
    spec: str | None,
    input_shape: tuple[int, ...] | None,
    classes: int | None,
    program: bool,
    plan: bool,
    time: bool,
    batch: int,
    engine: str | None,
) -> tuple[dict[str, Any], int]:
    """The layers of a saved MODEL, or of a network: formulas, shapes, parameters, FLOPs, memory, receptive field."""
    if model_path is None:
        spec, shape = spec or "lenet", input_shape or (8, 8, 1)
        preset = spec.strip().lower() in PRESETS
        needs("--classes", classes, preset, f"of the presets {', '.join(PRESETS)}, this net says its outputs itself")
        model = Model(network(spec, shape, classes or 10), shape, engine=engine)
    else:
        for option, given in (("--net", spec), ("--input-shape", input_shape), ("--classes", classes)):
            needs(option, given, False, "for a network without a file, the model has its own")
        model = Model.load(model_path, engine=engine)
    needs("--time", time, not program, "for the summary, --program prints formulas")
    needs("--plan", plan, not program, "another page than that of --program", "choose one of them")
    if plan:
        page = model.explain_plan(batch, time, model.loss)
        say(str(page))
        return {"command": "summary", "input_shape": list(model.input_shape), "plan": page.plain()}, 0
    found = model.summarize(time, batch)
    say(str(model.program() if program else found))
    parameters = sum(array.size for array in model.parameters.values())
    layers = [layer.plain() for layer in found.layers]
    return {
        "command": "summary", "input_shape": list(model.input_shape), "layers": layers, "parameters": parameters,
        "batch": batch,
    }, 0  # fmt: skip
