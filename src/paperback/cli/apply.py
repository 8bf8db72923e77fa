"""`paperback evaluate | predict | summary`: what a saved model reaches, says, and is made of."""

from __future__ import annotations

__all__ = ["evaluate", "predict", "summary"]

import math
from collections.abc import Iterator
from typing import Any

import click
from numpy.typing import NDArray

from paperback.cli.job import CHECK_FAILED, Say, job, label_column
from paperback.cli.netspec import network
from paperback.data.dataset import Dataset, load, load_splits
from paperback.data.npy import read_npy
from paperback.learn.metrics import plain, predicted
from paperback.learn.model import Model

_MODEL = click.argument("model_path", metavar="MODEL")
_ENGINE = click.option("--engine", help="What runs the network. Default: numpy.")


@click.command()
@_MODEL
@click.option("--data", help="As in train. Default: the digits in the package.")
@click.option("--held-out", type=click.FloatRange(0, 1, True, True), default=0.2, show_default=True, help="As train's.")
@click.option("--all", "everything", is_flag=True, help="All examples of the file, not the held-out ones only.")
@click.option("--label", help="As in train.")
@click.option("--confusion", is_flag=True, help="Also the table of classes, with precision and recall.")
@click.option("--at-least", type=click.FloatRange(0, 1), help="Exit with 1 if the accuracy is below.")
@_ENGINE
@job
def evaluate(
    say: Say,
    model_path: str,
    data: str | None,
    held_out: float,
    everything: bool,
    label: str | None,
    confusion: bool,
    at_least: float | None,
    engine: str | None,
) -> tuple[dict[str, Any], int]:
    """Loss and accuracy of a saved MODEL on the test examples.

    Test examples are those of an MNIST folder, else the share that `train` with the model's seed has held out.
    """
    model = Model.load(model_path, engine=engine)
    if everything:
        loaded = load(data, label=label_column(label)) if data is not None else load()
        test = loaded if isinstance(loaded, Dataset) else loaded[1]
    else:
        test = load_splits(data, held_out=held_out, seed=model.seed, label=label_column(label))[1]
    reached = model.evaluate(test.x, test.y, metrics=["confusion", "precision", "recall"] if confusion else [])
    say(f"{test.name}: {len(test):,} examples, accuracy {reached['accuracy']:.2%}, loss {reached['loss']:.4f}")
    if confusion:
        for line in _table(reached, test.class_names):
            say(line)
    numbers = {name: plain(value) for name, value in reached.items()}
    result = {"command": "evaluate", "data": test.name, "examples": len(test), **numbers}
    if at_least is not None and reached["accuracy"] < at_least:
        say(f"check failed: the accuracy {reached['accuracy']:.4f} is below --at-least {at_least:g}")
        return result, CHECK_FAILED
    return result, 0


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


@click.command()
@_MODEL
@click.option("--data", help="As in train, or a .npy file of examples without labels. Default: the digits.")
@click.option("--limit", type=click.IntRange(1), help="The first examples only.")
@_ENGINE
@job
def predict(
    say: Say, model_path: str, data: str | None, limit: int | None, engine: str | None
) -> tuple[dict[str, Any], int]:
    """The class that a saved MODEL gives to every example, one on a line."""
    model = Model.load(model_path, engine=engine)
    classes = predicted(model.predict(_examples(data)[:limit])).tolist()
    for label in classes:
        say(str(label))
    return {"command": "predict", "predictions": classes}, 0


def _examples(data: str | None) -> NDArray[Any]:
    if data is None or not data.endswith(".npy"):
        loaded = load(data) if data is not None else load()
        return loaded.x if isinstance(loaded, Dataset) else loaded[1].x
    return read_npy(data)


@click.command()
@click.argument("model_path", metavar="[MODEL]", required=False)
@click.option("--net", "spec", default="lenet", show_default=True, help="As in train, for a network without a file.")
@click.option("--input-shape", default="8x8x1", show_default=True, help="Of one example, as 28x28x1.")
@click.option("--classes", type=click.IntRange(1), default=10, show_default=True, help="Outputs of a preset.")
@click.option("--program", is_flag=True, help="The whole training step as a page of formulas.")
@job
def summary(
    say: Say, model_path: str | None, spec: str, input_shape: str, classes: int, program: bool
) -> tuple[dict[str, Any], int]:
    """The layers of a saved MODEL, or of a network: formulas, shapes, parameters, FLOPs."""
    if model_path is None:
        shape = _shape(input_shape)
        model = Model(network(spec, shape, classes), shape)
    else:
        model = Model.load(model_path)
    say(str(model.program()) if program else model.summary())
    layers = [
        {
            "name": layer.name,
            "formula": layer.formula,
            "output_shape": list(layer.output_shape),
            "parameters": sum(math.prod(shape) for shape in layer.parameters.values()),
            "flops": layer.flops,
        }
        for layer in model.network.layers
    ]
    parameters = sum(array.size for array in model.parameters.values())
    return {
        "command": "summary", "input_shape": list(model.input_shape), "layers": layers, "parameters": parameters
    }, 0  # fmt: skip


def _shape(text: str) -> tuple[int, ...]:
    parts = text.lower().split("x")
    if not all(part.isdecimal() and int(part) > 0 for part in parts):
        what = f"needs whole numbers with x between, as 28x28x1, found {text}"
        raise click.BadParameter(what, param_hint="--input-shape")
    return tuple(int(part) for part in parts)
