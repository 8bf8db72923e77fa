"""`paperback train`: without options, the convolutional network of the digits that ship with the package."""

from __future__ import annotations

__all__ = ["train"]

import time
from typing import Any

import click

from paperback.cli.job import INTERRUPTED, Say, below, job
from paperback.cli.netspec import network
from paperback.cli.numbers import METRICS, check_goal, in_scale, worth
from paperback.cli.options import Command, OneOf, Real, Shape, Whole, needs, refuse
from paperback.cli.report import check_report, command_line, write_report
from paperback.cli.sets import HELD_OUT, size_for, splits
from paperback.data.dataset import Dataset
from paperback.learn.augment import Shift
from paperback.learn.checkpoint import check_target
from paperback.learn.environment import environment
from paperback.learn.metrics import plain
from paperback.learn.model import Model
from paperback.learn.optim import SGD, Adam, AdamW, Optimizer, RMSProp
from paperback.learn.presets import moments
from paperback.learn.record import Record
from paperback.learn.schedules import SCHEDULES

_SMALL = 10_000  # examples; fewer are gone through more often, in smaller batches
_EPOCHS = {True: 80, False: 3}
_BATCH = {True: 16, False: 64}
_LR = {"sgd": 0.05, "adam": 0.001, "adamw": 0.001, "rmsprop": 0.001}
_VALIDATION = 0.1  # of the training examples, held out too where --patience asks for a judge


@click.command(cls=Command)
@click.option("--data", help="MNIST folder, folder of images by class, IDX, CSV or NPZ file. Default: the digits.")
@click.option("--size", type=Shape("32x32"), help="Of all images: rows and columns, as 32x32, or 32x32x1 for grey.")
@click.option("--label", help="Of CSV: the column of the labels, by name or number from 0. Default: the last.")
@click.option("--target", help="Of CSV: the column of numbers to predict, by name or number from 0.")
@click.option("--net", "spec", help='lenet, mlp, table, or layers: "conv 5x5x32, relu, maxpool 2, flatten, dense 10".')
@click.option("--resume", help="Train this saved model on, in place of a new one.")
@click.option("--epochs", type=Whole(1), help="Times through the examples. Default 80, or 3 for large data.")
@click.option("--batch-size", type=Whole(1), help="Examples in a step. Default 16, or 64 for large data.")
@click.option("--optimizer", type=OneOf(_LR), help="Default sgd, or adam for --target.")
@click.option("--lr", type=Real(0), help="Learning rate. Default 0.05 for sgd, else 0.001; 0.005 for --target.")
@click.option("--momentum", type=Real(0, usual=0.9), help="Of sgd. Default 0.9.")
@click.option("--weight-decay", type=Real(0, usual=0.0005), help="Default 0.0005 for sgd and adamw, else 0.")
@click.option("--clip", type=Real(0, inside=True, usual=1), help="The largest norm that a gradient may have.")
@click.option("--schedule", type=OneOf(SCHEDULES), default="cosine", show_default=True)
@click.option("--patience", type=Whole(1), help="Epochs to wait for a better loss on a tenth kept aside.")
@click.option("--shift", type=Whole(0), help="Move half of the training images by up to so many pixels.")
@click.option("--held-out", type=Real(0, 1, inside=True, usual=HELD_OUT), help="Share to test on. Default 0.2.")
@click.option("--seed", type=Whole(0), help="Of the split and all else random. Default 0.")
@click.option("--dtype", type=OneOf(["float32", "float64"]), help="Of all numbers. Default float32.")
@click.option("--engine", help="What runs the network. llvm, the default, numpy or exact.")
@click.option("--save", "save_to", help="Write the trained model here.")
@click.option("--report", "report_to", help="Write a page of the run here, HTML.")
@click.option("--at-least", type=Real(0, 1, usual=0.9), help="Exit with 1 if the test accuracy, or R2, is below.")
@job
def train(
    say: Say,
    data: str | None,
    size: tuple[int, ...] | None,
    label: str | None,
    target: str | None,
    spec: str | None,
    resume: str | None,
    epochs: int | None,
    batch_size: int | None,
    optimizer: str | None,
    lr: float | None,
    momentum: float | None,
    weight_decay: float | None,
    clip: float | None,
    schedule: str,
    patience: int | None,
    shift: int | None,
    held_out: float | None,
    seed: int | None,
    dtype: str | None,
    engine: str | None,
    save_to: str | None,
    report_to: str | None,
    at_least: float | None,
) -> tuple[dict[str, Any], int]:
    """Train a network and print what it reaches on examples it has not seen.

    Without options: the convolutional network lenet, on the 1,797 digits in the package, a fifth of them held out.
    """
    optimizer = optimizer or ("sgd" if target is None else "adam")
    needs("--momentum", momentum, optimizer == "sgd", f"of sgd, {optimizer} takes none")
    needs("--size", size, data is not None, "of a folder of images, the digits are 8x8", "pass --data too")
    if spec is not None and not spec.strip():
        refuse("--net", "needs a preset or layers, found nothing; leave it out")
    if save_to is not None:
        check_target("--save", save_to)  # before anything is computed, not after
    if report_to is not None:
        check_report("--report", report_to, save_to)
    model = None
    if resume is not None:
        for option, given in (("--net", spec), ("--seed", seed), ("--dtype", dtype)):
            needs(option, given, False, "for a new network, the one to resume has its own")
        model = Model.load(resume, engine=engine)
        check_goal(model, target)
        seed, size = model.seed, size or size_for(model, data)
    seed = seed or 0
    training, test = splits(data, held_out, seed, label, size, target=target)
    validation = None
    if patience is not None:
        training, validation = training.split(_VALIDATION, seed)
    shape = training.x.shape[1:]
    needs("--shift", shift or None, len(shape) == 3, f"of images, {data} has none")
    if model is None:
        spec = spec or ("lenet" if len(shape) == 3 else "table")
        net = network(spec, shape, training.classes or 1)
        if target is None:
            model = Model(net, shape, seed=seed, dtype=dtype or "float32", engine=engine)
        else:
            model = in_scale(net, training, seed, dtype or "float32", engine)
        if spec == "table":
            model.set_parameters(moments(training.x))
    else:
        spec = f"{resume}, {model.epochs} epoch{'s' * (model.epochs != 1)} old"
    small = len(training) < _SMALL
    epochs = epochs or _EPOCHS[small]
    if batch_size is None:
        batch_size = _BATCH[small]
        while model.network.least_batch > 1 and len(training) % batch_size == 1:
            batch_size += 1  # statistics over a batch need two examples, in the last one too
    pixels = shift if shift is not None else int(data is None)
    rule = _optimizer(optimizer, _usual(optimizer, target) if lr is None else lr, momentum, weight_decay, clip)
    parameters = sum(array.size for array in model.parameters.values())
    goal = f"in {training.classes} classes" if target is None else f"for {target}"
    of = f"of {'x'.join(map(str, shape))} {goal}"
    say(f"{training.name}: {len(training):,} examples {of}, {test.name}: {len(test):,}")
    say(f"{spec}: {parameters:,} parameters; {epochs} epoch{'s' * (epochs > 1)}")
    start = time.monotonic()
    history = model.fit(
        training.x,
        training.y,
        loss="softmax_cross_entropy" if target is None else "mean_squared_error",
        optimizer=rule,
        batch_size=batch_size,
        epochs=epochs,
        schedule=schedule,
        augment=Shift(pixels) if pixels else None,
        validation=None if validation is None else (validation.x, validation.y),
        patience=patience,
        keep_best=patience is not None,
    )
    seconds = time.monotonic() - start
    settings = {
        "command": command_line(),
        "network": spec,
        "classes": list(training.class_names),
        "data": data,
        "label": label,
        "target": target,
        "held_out": HELD_OUT if held_out is None else held_out,
        "train_examples": len(training),
        "validation_examples": len(validation) if validation else 0,
        "test_examples": len(test),
        "optimizer": repr(rule),
        "schedule": schedule,
        "batch_size": batch_size,
        "epochs": epochs,
        "shift": pixels,
    }
    record = Record(settings, history, environment())
    if save_to is not None:
        model.save(save_to, record)
    reached = model.evaluate(test.x, test.y, metrics=() if target is None else METRICS)
    say(f"{'interrupted after' if history.interrupted else 'trained for'} {seconds:.1f} s, {history.steps:,} steps")
    if validation is not None and history.best is not None:
        say(f"kept epoch {history.best.number} of {len(history)}, the best on {len(validation)} examples")
    say(_reached(reached, test) if target is None else f"test {worth(reached)}")
    if save_to is not None:
        say(f"saved in {save_to}")
    if report_to is not None:
        write_report(report_to, model, record, test)
        say(f"report in {report_to}")
    result = {
        "command": "train",
        "data": training.name,
        "net": spec,
        "parameters": parameters,
        "train_examples": len(training),
        "validation_examples": len(validation) if validation else 0,
        "test_examples": len(test),
        "optimizer": rule.config(),
        "schedule": schedule,
        "seed": seed,
        "seconds": seconds,
        "history": history.to_dict(),
        "interrupted": history.interrupted,
        **{f"test_{name}": plain(value) for name, value in reached.items()},
        "saved": save_to,
        "report": report_to,
    }
    if history.interrupted:
        return result, INTERRUPTED
    judged, what = (reached["accuracy"], "accuracy") if target is None else (reached["r2"], "R2")
    return result, below(result, judged, at_least, what)


def _usual(optimizer: str, target: str | None) -> float:
    """The learning rate where none is given; numbers in a scale of their own take a larger one."""
    return _LR[optimizer] if target is None or optimizer == "sgd" else 0.005


def _optimizer(
    name: str, lr: float, momentum: float | None, weight_decay: float | None, clip: float | None
) -> Optimizer:
    if weight_decay is None:
        weight_decay = 0.0005 if name in ("sgd", "adamw") else 0.0
    if name == "sgd":
        return SGD(lr, momentum=0.9 if momentum is None else momentum, weight_decay=weight_decay, clip=clip)
    kind = {"adam": Adam, "adamw": AdamW, "rmsprop": RMSProp}[name]
    return kind(lr, weight_decay=weight_decay, clip=clip)


def _reached(reached: dict[str, float], test: Dataset) -> str:
    right = round(reached["accuracy"] * len(test))
    return f"test accuracy {reached['accuracy']:.2%} ({right:,} of {len(test):,}), loss {reached['loss']:.4f}"
