"""Charts as inline SVG: lines, dots, two axes, a legend. Colours come from the page's style (see `style`).

What is no finite number, or beyond 1e100, or not above 1e-100 on a logarithmic axis, is a gap in its line. A chart with
nothing to show is None, so that a page has no empty frame.
"""

from __future__ import annotations

__all__ = ["Series", "chart"]

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from paperback.markup.html import Html, join, tag
from paperback.markup.ticks import linear_ticks, log_ticks, short

_WIDTH, _HEIGHT = 520, 270
_LEFT, _RIGHT, _TOP, _BOTTOM = 62, 14, 34, 44
_MARKED = 60  # points, up to which each gets a mark that tells its numbers
_COLOURS = 5
_LARGEST = 1e100  # of what is drawn: sums and ratios of such numbers are numbers still

Place = tuple[float, float]


@dataclass(frozen=True)
class Series:
    """One line of a chart. `look` is "line", "thin" (for many points), "dashed" or "dots"."""

    name: str
    x: Sequence[float]
    y: Sequence[float]
    look: str = "line"


@dataclass(frozen=True)
class _Axis:
    """From numbers to pixels, and the numbers worth a tick."""

    low: float
    high: float
    start: float
    end: float
    ticks: list[float]
    log: bool = False

    def at(self, value: float) -> float:
        low, high = (math.log10(self.low), math.log10(self.high)) if self.log else (self.low, self.high)
        share = ((math.log10(value) if self.log else value) - low) / (high - low)
        return self.start + share * (self.end - self.start)


def chart(
    series: Sequence[Series],
    title: str,
    x_label: str,
    log: bool = False,
    whole: bool = True,
    written: Callable[[float], str] = short,
) -> Html | None:
    """A chart; None where there is no point to show.

    log         the axis upwards is logarithmic
    whole       ticks of the axis to the right are whole numbers
    written     how numbers upwards are written
    """
    kept = [(s, _points(s, log)) for s in series]
    kept = [(s, runs) for s, runs in kept if runs]
    if not kept:
        return None
    places = [point for _, runs in kept for run in runs for point in run]
    right = _axis([x for x, _ in places], _LEFT, _WIDTH - _RIGHT, whole=whole, margin=0.0)
    up = _axis([y for _, y in places], _HEIGHT - _BOTTOM, _TOP, log=log, margin=0.05)
    colours = {s.name: at % _COLOURS for at, (s, _) in enumerate(kept)}
    return tag(
        "svg",
        join(_grid(right, up, x_label, written)),
        join(part for s, runs in kept for part in _drawn(s, runs, right, up, colours[s.name], written)),
        join(_legend([s for s, _ in kept], colours)),
        role="img",
        aria_label=title,
        class_="chart",
        viewBox=f"0 0 {_WIDTH} {_HEIGHT}",
    )


def _points(series: Series, log: bool) -> list[list[Place]]:
    """The runs of points that can be shown; a gap between two of them."""
    runs: list[list[Place]] = [[]]
    for x, y in zip(series.x, series.y, strict=True):
        if abs(x) <= _LARGEST and abs(y) <= _LARGEST and (y >= 1 / _LARGEST or not log):
            runs[-1].append((float(x), float(y)))
        elif runs[-1]:
            runs.append([])
    return [run for run in runs if run]


def _axis(
    values: Sequence[float], start: float, end: float, margin: float, log: bool = False, whole: bool = False
) -> _Axis:
    low, high = min(values), max(values)
    if log:
        factor = max((high / low) ** margin, 1.1)
        low, high = low / factor, high * factor
        return _Axis(low, high, start, end, log_ticks(low, high), True)
    room = (high - low) * margin or (0.0 if high > low else abs(high) or 1.0)
    low, high = low - room, high + room
    return _Axis(low, high, start, end, linear_ticks(low, high, whole))


def _grid(right: _Axis, up: _Axis, x_label: str, written: Callable[[float], str]) -> Iterator[Html]:
    for tick in up.ticks:
        y = _px(up.at(tick))
        yield tag("line", x1=_LEFT, x2=_WIDTH - _RIGHT, y1=y, y2=y, class_="grid")
        yield tag("text", written(tick), x=_LEFT - 8, y=y, dy="0.35em", text_anchor="end")
    for tick in right.ticks:
        x = _px(right.at(tick))
        yield tag("line", x1=x, x2=x, y1=_HEIGHT - _BOTTOM, y2=_HEIGHT - _BOTTOM + 4, class_="axis")
        yield tag("text", short(tick), x=x, y=_HEIGHT - _BOTTOM + 18, text_anchor="middle")
    yield tag("line", x1=_LEFT, x2=_WIDTH - _RIGHT, y1=_HEIGHT - _BOTTOM, y2=_HEIGHT - _BOTTOM, class_="axis")
    middle = (_LEFT + _WIDTH - _RIGHT) / 2
    yield tag("text", x_label, x=_px(middle), y=_HEIGHT - 8, text_anchor="middle", class_="label")


def _drawn(
    series: Series, runs: list[list[Place]], right: _Axis, up: _Axis, colour: int, written: Callable[[float], str]
) -> Iterator[Html]:
    marked = series.look == "dots" or (series.look == "line" and sum(map(len, runs)) <= _MARKED)
    for run in runs:
        pixels = [(_px(right.at(x)), _px(up.at(y))) for x, y in run]
        if series.look != "dots" and len(run) > 1:
            yield tag("polyline", points=" ".join(f"{x},{y}" for x, y in pixels), class_=f"c{colour} {series.look}")
        if marked or len(run) == 1:
            for (x, y), (number, value) in zip(pixels, run, strict=True):
                told = tag("title", f"{series.name}: {written(value)} at {short(number)}")
                yield tag("circle", told, cx=x, cy=y, r=2.4, class_=f"c{colour} dot")


def _legend(series: Sequence[Series], colours: dict[str, int]) -> Iterator[Html]:
    x = float(_LEFT)
    for each in series:
        look = "dot" if each.look == "dots" else each.look
        if look == "dot":
            yield tag("circle", cx=_px(x + 9), cy=14, r=3, class_=f"c{colours[each.name]} dot")
        else:
            yield tag("line", x1=_px(x), x2=_px(x + 18), y1=14, y2=14, class_=f"c{colours[each.name]} {look}")
        yield tag("text", each.name, x=_px(x + 24), y=14, dy="0.35em", class_="key")
        x += 24 + 7.2 * len(each.name) + 18


def _px(value: float) -> float | int:
    """A tenth of a pixel is fine enough; whole numbers without their .0."""
    rounded = round(value, 1)
    return int(rounded) if rounded == int(rounded) else rounded
