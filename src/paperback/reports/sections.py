"""A measured run as a page. Every section is a function of the run, and empty (None) where there is nothing to tell."""

from __future__ import annotations

__all__ = ["written"]

import json
import math
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from paperback.markup import Html, Series, chart, confusion_map, page, percent, picture, raw, short, table, tag
from paperback.notation.mathml import mathml_statement
from paperback.reports.findings import findings
from paperback.reports.pictures import are_pictures, as_pixels, filters
from paperback.reports.run import Run

_FILTERS = 64  # shown at most
_CLASSES = 100  # rows at most
_NUMBERS = 6  # of an example or an output that is shown as numbers

Array = NDArray[Any]


def written(run: Run) -> str:
    """The page."""
    sections = [(title, write(run)) for title, write in _SECTIONS.items()]
    there = [(title, body) for title, body in sections if body is not None]
    title = run.title or "A trained network"
    links = (tag("a", name, href=f"#{_anchor(name)}") for name, _ in there)
    return page(
        title,
        tag("header", tag("h1", title), tag("div", _subtitle(run), class_="soft"), _cards(run), tag("nav", *links)),
        tag("main", *(tag("section", tag("h2", name, id=_anchor(name)), body) for name, body in there)),
        tag("footer", tag("p", f"Written by Paperback {run.record.environment.get('paperback', '')}.")),
    )


def _anchor(title: str) -> str:
    return title.lower().replace(" ", "-")


def _subtitle(run: Run) -> str:
    history = run.record.history
    parts = [f"judged on {run.answers.examples:,} examples{f' of {run.data}' if run.data else ''}"]
    if history.steps:
        epochs = "epoch" if len(history) == 1 else "epochs"
        parts.insert(0, f"{len(history)} {epochs}, {history.steps:,} steps{', interrupted' * history.interrupted}")
    return " · ".join([*parts, f"seed {run.model.seed}", run.record.environment.get("time", "")]).rstrip(" ·")


def _cards(run: Run) -> Html:
    answers, history = run.answers, run.record.history
    cards = []
    if answers.accuracy is not None:
        right = f"{answers.judged - answers.wrong:,} of {answers.judged:,} right"
        cards.append((f"{answers.accuracy:.2%}", f"accuracy, {right}"))
    if answers.mean_absolute_error is not None:
        cards.append((short(answers.mean_absolute_error), "mean absolute error"))
    if answers.r2 is not None:
        cards.append((short(float(np.mean(answers.r2))), "R²" if len(answers.r2) == 1 else "R², mean of the outputs"))
    cards += [(short(answers.loss), f"loss, {run.loss.name.replace('_', ' ')}"), (f"{run.parameters:,}", "parameters")]
    seconds = sum(epoch.seconds for epoch in history)
    if 0 < seconds < math.inf:
        cards.append((_duration(seconds), "of training"))
    return tag("div", *(tag("div", tag("b", big), tag("span", small), class_="card") for big, small in cards),
               class_="cards")  # fmt: skip


def _duration(seconds: float) -> str:
    if seconds < 90:
        return f"{seconds:.1f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 90 else f"{minutes // 60} h {minutes % 60:02d} min"


def _findings(run: Run) -> Html | None:
    found = findings(run)
    return tag("ul", *(tag("li", sentence) for sentence in found)) if found else None


def _training(run: Run) -> Html | None:
    history = run.record.history
    charts = history.charts()
    if not charts:
        return None
    details = tag("details", tag("summary", "Every epoch"), history.table()) if len(history) else None
    return tag("div", tag("div", *(_titled(title, one) for title, one in charts.items()), class_="row"), details)


def _titled(title: str, drawn: Html | None) -> Html | None:
    return tag("div", tag("h3", title), drawn) if drawn is not None else None


def _classes(run: Run) -> Html | None:
    answers = run.answers
    if answers.confusion is None or answers.precision is None or answers.recall is None:
        return None
    counts = answers.confusion
    names = [run.called(label) for label in range(len(counts))]
    shown = np.arange(len(counts))
    if len(counts) > _CLASSES:
        shown = np.sort(np.argsort(answers.recall, kind="stable")[:_CLASSES])
    rows = []
    for label in shown.tolist():
        others = counts[label].copy()
        others[label] = 0
        often = f"{names[int(others.argmax())]} ({others.max()})" if others.any() else ""
        shares = percent(answers.precision[label]), percent(answers.recall[label])
        rows.append((names[label], f"{counts[label].sum():,}", *shares, often))
    head = ("class", "examples", "precision", "recall", "most often taken for")
    caption = f"The {_CLASSES} classes with the least recall" if len(shown) < len(counts) else None
    each = table(head, rows, numbers=head[1:4], caption=caption)
    return tag("div", tag("div", confusion_map(counts, names)), tag("div", each, class_="wrap"), class_="row")


def _mistakes(run: Run) -> Html | None:
    answers = run.answers
    if not answers.mistakes:
        return None
    shown = f"{len(answers.mistakes)} of {answers.wrong:,}" if len(answers.mistakes) < answers.wrong else "all"
    head = tag("p", f"The wrong answers of which the network is most confident ({shown}).", class_="soft")
    sure = [_sure(answers.confidence, mistake.confidence) for mistake in answers.mistakes]
    if are_pictures(run.model.network.input_shape):
        figures = []
        for mistake, words, pixels in zip(answers.mistakes, sure, as_pixels(run.shown), strict=True):
            right, given = run.called(mistake.label), run.called(mistake.given)
            drawn = picture(pixels, f"example {mistake.place}, {right}", 88)
            how = words if answers.confidence == "probability" else f"{answers.confidence} {words}"
            says = tag("figcaption", tag("b", right), " taken for ", tag("b", given), tag("br"), how)
            figures.append(tag("figure", drawn, says, title=f"example {mistake.place}"))
        return tag("div", head, tag("div", *figures, class_="pictures"))
    rows = [
        (str(mistake.place), run.called(mistake.label), run.called(mistake.given), words, _few(example))
        for mistake, words, example in zip(answers.mistakes, sure, run.shown, strict=True)
    ]
    head_row = ("example", "is", "taken for", answers.confidence, "its numbers")
    return tag("div", head, table(head_row, rows, numbers=("example", answers.confidence)))


def _sure(name: str, confidence: float) -> str:
    """A probability is rounded down: 100% is certain."""
    return f"{math.floor(confidence * 1000) / 10:.1f}%" if name == "probability" else short(confidence)


def _few(numbers: Array) -> str:
    flat = np.ravel(numbers)
    return ", ".join(short(float(value)) for value in flat[:_NUMBERS]) + (", ..." if flat.size > _NUMBERS else "")


def _numbers(run: Run) -> Html | None:
    answers = run.answers
    if answers.pairs is None:
        return None
    labels, found = answers.pairs
    ends = [float(min(labels.min(), found.min())), float(max(labels.max(), found.max()))]
    series = [Series("answers", labels.tolist(), found.tolist(), "dots"), Series("no error", ends, ends, "dashed")]
    drawn = chart(series, "answers against labels", "label", whole=False)
    pictured = are_pictures(run.model.network.input_shape)
    pixels = as_pixels(run.shown) if pictured else run.shown
    rows = [
        (str(miss.place), _few(miss.label), _few(miss.given), short(miss.error),
         picture(shown, f"example {miss.place}", 48) if pictured else _few(shown))
        for miss, shown in zip(answers.misses, pixels, strict=True)
    ]  # fmt: skip
    head = ("example", "label", "answer", "error", "its picture" if pictured else "its numbers")
    worst = table(head, rows, numbers=head[:4], caption="The examples whose answers are furthest off")
    return tag("div", _titled("Answers against labels", drawn), tag("div", worst), class_="row")


def _filters(run: Run) -> Html | None:
    found = filters(run.model)
    if found is None:
        return None
    name, pixels = found
    shown = pixels[:_FILTERS]
    count = f"{len(pixels)}" if len(shown) == len(pixels) else f"the first {len(shown)} of {len(pixels)}"
    grey_is = "grey" if run.model.network.input_shape[2] == 3 else "blue is negative, red positive, white"
    words = f"The weights of {name}, one picture for each unit ({count}); {grey_is} is 0."
    drawn = (picture(one, f"unit {unit} of {name}", 64) for unit, one in enumerate(shown))
    return tag("div", tag("p", words, class_="soft"), tag("div", *drawn, class_="pictures"))


def _layers(run: Run) -> Html | None:
    rows = []
    for layer in run.layers:
        dead = "" if layer.dead is None else f"{len(layer.dead)} of {layer.units}"
        rows.append((
            layer.name, short(layer.mean), short(layer.deviation),
            tag("b", dead, class_="bad") if layer.dead else dead,
            "" if layer.saturated is None else percent(layer.saturated),
            *("" if norm is None else short(norm) for norm in (layer.parameter_norm, layer.gradient_norm)),
        ))  # fmt: skip
    head = ("layer", "mean", "deviation", "dead units", "saturated", "parameter norm", "gradient norm")
    used = [at for at in range(len(head)) if any(row[at] != "" for row in rows)]
    words = (
        f"Activations of every layer and gradients of the mean loss, over {run.answers.examples:,} examples. A unit (a "
        f"channel, or an output) of a rectifier is dead if it is positive for none of them; an activation of a sigmoid "
        f"or tanh is saturated within 1% of its range from an end."
    )
    norms = [
        Series(name, range(1, len(values) + 1), values)
        for name, values in (
            ("gradient norm", [layer.gradient_norm for layer in run.layers if layer.gradient_norm is not None]),
            ("parameter norm", [layer.parameter_norm for layer in run.layers if layer.parameter_norm is not None]),
        )
    ]
    drawn = chart(norms, "norms by layer", "layer with parameters, first to last", log=True)
    shown = table([head[at] for at in used], [[row[at] for at in used] for row in rows], numbers=head[1:])
    return tag("div", tag("p", words, class_="soft"), shown, _titled("Norms", drawn))


def _network(run: Run) -> Html | None:
    return run.model.summarize().table()


def _formulas(run: Run) -> Html | None:
    program = run.model.program(run.loss, run.model.optimizer, run.answers.kind)
    plain = [statement.target for statement in program.statements if not statement.axes]
    given = [
        tag("p", tag("span", f"{title}: ", class_="soft"), tag("code", "; ".join(map(str, tensors))))
        for title, tensors in program.given.items()
    ]
    parts = []
    for title, statements in program.sections.items():
        lines = (
            tag("tr", tag("td", raw(mathml_statement(s, plain))), tag("td", "×".join(map(str, s.axes)), class_="soft"))
            for s in statements
        )
        body = tag("div", tag("table", tag("tbody", *lines)), class_="scroll formulas")
        parts.append(tag("details", tag("summary", title.capitalize()), body, open=title == "forward"))
    words = "One training step, as it runs: the backward formulas are derived from the forward ones."
    return tag("div", tag("p", words, class_="soft"), *given, *parts)


def _again(run: Run) -> Html | None:
    job = dict(run.record.job)
    command = job.pop("command", None)
    settings = {**run.settings, **{name: _plain(value) for name, value in job.items() if value not in (None, [])}}
    tables = [
        tag("div", table((title, ""), [(name.replace("_", " "), value) for name, value in values.items()]))
        for title, values in (("setting", settings), ("environment", run.record.environment))
        if values
    ]
    shown = tag("pre", tag("code", command)) if command else None
    return tag("div", shown, tag("div", *tables, class_="wrap row"))


def _plain(value: object) -> str:
    """A setting of a job, whatever JSON has in its place."""
    if isinstance(value, list):
        return ", ".join(map(_plain, value))
    return value if isinstance(value, str) else json.dumps(value)


_SECTIONS: Mapping[str, Callable[[Run], Html | None]] = {
    "Worth a look": _findings,
    "Training": _training,
    "Classes": _classes,
    "Answers": _numbers,
    "Mistakes": _mistakes,
    "Filters": _filters,
    "Inside": _layers,
    "Network": _network,
    "Formulas": _formulas,
    "Run it again": _again,
}
