"""The book of claims: every numbered statement of five documents on neural networks, and what is true of it.

    book()                 all entries, by id
    entry("A5.3g")         one of them
    check("A5.3g")         decide it now: a Finding with .verdict, .agrees, .steps; it prints
    select("A5")           the entries whose ids begin like this

The documents: A output units, losses, softmax, 1-D convolution; B and C convolution identities and Jacobians of an MLP;
D perceptron, DCT, sigmoid layer, skip connection; E the formula sheet of a CNN. Some of their statements are wrong;
then the book has the corrected statement, which is proved, and the document's version, which is refuted.

A file for each section: open one, and read the mathematics. `checks` is the vocabulary in which they are written.
"""

from __future__ import annotations

__all__ = ["Entry", "Finding", "book", "check", "decide", "entry", "select"]

import re
from collections.abc import Mapping

from paperback.arguments import closest
from paperback.claims import (
    backprop,
    convolution,
    identities,
    losses,
    mlp,
    networks,
    perceptron,
    sheet,
    sigmoid_layer,
    stacked,
)
from paperback.claims.record import Entry, Finding, decide
from paperback.errors import ArgumentError


def _place(name: str) -> list[tuple[int, str]]:
    """Ids in the order of the documents: A2.3a before A10, and B6 before C1."""
    return [(int(part), "") if part.isdigit() else (0, part) for part in re.split(r"(\d+)", name)]


SECTIONS = (losses, networks, convolution, stacked, identities, mlp, perceptron, sigmoid_layer, sheet, backprop)
_ENTRIES = [found for section in SECTIONS for found in section.ENTRIES]
_BOOK: dict[str, Entry] = {found.id: found for found in sorted(_ENTRIES, key=lambda own: _place(own.id))}


def book() -> Mapping[str, Entry]:
    """All entries by id, in the order of the documents."""
    return dict(_BOOK)


def entry(name: str) -> Entry:
    """The entry of an id. Raises ArgumentError for one that is not in the book."""
    if name not in _BOOK:
        raise ArgumentError(f"no claim is called {name}; {closest(name, _BOOK)}")
    return _BOOK[name]


def check(name: str) -> Finding:
    """Decide one entry now."""
    return decide(entry(name))


def select(name: str) -> list[Entry]:
    """The entries whose ids begin like this; of an id, that entry alone. "A5" is not the beginning of "A51"."""
    if name in _BOOK:
        return [_BOOK[name]]
    found = [own for own in _BOOK.values() if name and own.id.startswith(name) and not _splits(name, own.id)]
    return found or [entry(name)]


def _splits(name: str, whole: str) -> bool:
    """Would the beginning cut a number in two?"""
    return name[-1].isdigit() and whole[len(name) :][:1].isdigit()
