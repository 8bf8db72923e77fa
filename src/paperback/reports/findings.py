"""What of a run is worth a second look, in sentences. Each says what was measured, so that a reader can judge it."""

from __future__ import annotations

__all__ = ["findings"]

from collections.abc import Iterator

import numpy as np

from paperback.markup import short
from paperback.reports.run import Run

_GAP = 0.05  # between accuracies on training examples and here
_MANY = 0.5  # of activations that are saturated
_VANISHED = 1e-3  # of the largest gradient per parameter, below which a layer hardly learns
_WORST = 3  # pairs of classes


def findings(run: Run) -> list[str]:
    """The sentences; none where nothing stands out."""
    return [*_training(run), *_classes(run), *_layers(run)]


def _training(run: Run) -> Iterator[str]:
    history = run.record.history
    if history.interrupted:
        yield f"Training was interrupted after {history.steps:,} steps."
    if history.best is not None and history.best.number != history[-1].number:
        yield f"The held-out loss was least after epoch {history.best.number} of {history[-1].number}."
    if len(history) and history[-1].accuracy is not None and run.answers.accuracy is not None:
        gap = history[-1].accuracy - run.answers.accuracy
        if gap > _GAP:
            yield (
                f"Accuracy was {history[-1].accuracy:.1%} on the training examples and is {run.answers.accuracy:.1%} "
                f"here: the network has learned some of its examples by heart."
            )


def _classes(run: Run) -> Iterator[str]:
    counts = run.answers.confusion
    if counts is None:
        return
    wrong = counts - np.diag(np.diagonal(counts))
    order = np.argsort(-wrong, axis=None, kind="stable")[:_WORST]
    pairs = [divmod(int(place), len(counts)) for place in order]
    told = [f"{run.called(i)} taken for {run.called(j)} ({wrong[i, j]})" for i, j in pairs if wrong[i, j]]
    if told:
        yield f"The most frequent mistakes: {', '.join(told)}."
    never = [run.called(k) for k in range(len(counts)) if not counts[:, k].any() and counts[k].any()]
    if never:
        yield f"No example was taken for {', '.join(never)}."


def _layers(run: Run) -> Iterator[str]:
    for layer in run.layers:
        if layer.dead:
            which = ", ".join(map(str, layer.dead[:8])) + (" and more" if len(layer.dead) > 8 else "")
            units = "unit" if len(layer.dead) == 1 else "units"
            yield f"{layer.name} has {len(layer.dead)} dead {units} of {layer.units}, positive for no example: {which}."
        if layer.saturated is not None and layer.saturated > _MANY:
            yield f"{layer.name}: {layer.saturated:.0%} of its activations are saturated, where slopes vanish."
    relative = {
        layer.name: layer.gradient_norm / layer.parameter_norm
        for layer in run.layers
        if layer.gradient_norm is not None and layer.parameter_norm
    }
    if relative:
        largest = max(relative.values())
        for name, ratio in relative.items():
            if ratio < _VANISHED * largest:
                yield f"{name}: its gradient is {short(ratio)} of its parameters, elsewhere up to {short(largest)}."
