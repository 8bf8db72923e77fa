"""The confusion matrix as a picture: a row for what examples are, a column for what they were taken for.

Right answers are blue, mistakes red; the more of its row, the stronger. Mistakes are few, so their colour follows the
square root of their share: one in a hundred is seen. Few classes are cells with their numbers; many are pixels.
"""

from __future__ import annotations

__all__ = ["confusion_map"]

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from paperback.markup.html import Html, join, raw, tag
from paperback.markup.pixels import picture

_CELLS = 32  # classes, up to which each pair is a cell that tells its number
_CELL, _SMALL = 36, 22  # pixels, for up to twelve classes and for more
_LETTER = 6.6  # pixels
_LONGEST = 18  # letters of a name that are written; its cells tell all of it

Array = NDArray[Any]


def confusion_map(counts: Array, names: Sequence[str]) -> Html:
    """The map of counts `[class, taken for]`; `names` has one for each class."""
    total = counts.sum(axis=1, keepdims=True)
    shares = np.divide(counts, total, out=np.zeros(counts.shape), where=total > 0)
    np.sqrt(shares, out=shares, where=~np.eye(len(counts), dtype=bool))
    return _cells(counts, shares, names) if len(counts) <= _CELLS else _pixels(shares)


def _cells(counts: Array, shares: Array, names: Sequence[str]) -> Html:
    cell = _CELL if len(counts) <= 12 and counts.max() < 10_000 else max(_SMALL, int(8 + 7 * len(str(counts.max()))))
    words = [name if len(name) <= _LONGEST else name[: _LONGEST - 1] + "…" for name in names]
    longest = max(map(len, words)) * _LETTER
    slanted = longest > cell - 4
    left, top = 30 + longest, 30 + (longest * 0.72 + 8 if slanted else 16)
    side = cell * len(counts)
    width, height = left + side + (longest * 0.72 if slanted else 4), top + side + 4
    return tag(
        "svg",
        tag("text", "taken for", x=left + side / 2, y=14, text_anchor="middle", class_="label"),
        tag(
            "text", "is", x=12, y=top + side / 2, text_anchor="middle", class_="label",
            transform=f"rotate(-90 12 {top + side / 2:g})",
        ),
        join(_heads(words, left, top, cell, slanted)),
        join(_body(counts, shares, names, left, top, cell)),
        role="img",
        aria_label="Confusion matrix",
        class_="heat",
        style=f"max-width:{width:.0f}px",
        viewBox=f"0 0 {width:.0f} {height:.0f}",
    )  # fmt: skip


def _heads(words: Sequence[str], left: float, top: float, cell: int, slanted: bool) -> Iterator[Html]:
    for at, word in enumerate(words):
        middle = at * cell + cell / 2
        yield tag("text", word, x=f"{left - 8:g}", y=f"{top + middle:g}", dy="0.35em", text_anchor="end")
        x, y = left + middle, top - 8
        if slanted:
            yield tag("text", word, x=f"{x:g}", y=f"{y:g}", transform=f"rotate(-45 {x:g} {y:g})")
        else:
            yield tag("text", word, x=f"{x:g}", y=f"{y:g}", text_anchor="middle")


def _body(
    counts: Array, shares: Array, names: Sequence[str], left: float, top: float, cell: int
) -> Iterator[Html]:
    for (row, column), count in np.ndenumerate(counts):
        x, y, share = left + column * cell, top + row * cell, shares[row, column]
        right = row == column
        told = f"{names[row]} {'found' if right else f'taken for {names[column]}'}: {count}"
        kind = "right" if right else "wrong"
        square = tag(
            "rect", x=f"{x + 1:g}", y=f"{y + 1:g}", width=cell - 2, height=cell - 2, rx=3,
            class_=kind if count else "none", fill_opacity=f"{0.12 + 0.88 * share:.3f}" if count else None,
        )  # fmt: skip
        words = None
        if count:
            look = "on" if share > 0.55 else None
            place = {"x": f"{x + cell / 2:g}", "y": f"{y + cell / 2:g}"}
            words = tag("text", count, dy="0.35em", text_anchor="middle", class_=look, **place)
        yield tag("g", tag("title", told), square, words or raw(""))


def _pixels(shares: Array) -> Html:
    """A pixel for each pair: white for none, blue for right, red for wrong."""
    blue, red, white = (np.array(colour, np.float64) for colour in ((33, 102, 172), (178, 24, 43), (255, 255, 255)))
    full = np.where(np.eye(len(shares), dtype=bool)[..., None], blue, red)
    colours = white + shares[..., None] * (full - white)
    return picture(np.rint(colours).astype(np.uint8), "Confusion matrix", max(480, len(shares)))
