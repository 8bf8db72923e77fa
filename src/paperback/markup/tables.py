"""Tables. A column is of numbers where its head says so: aligned to the right, in figures of one width."""

from __future__ import annotations

__all__ = ["table"]

from collections.abc import Iterable, Sequence

from paperback.markup.html import Html, join, tag


def table(
    head: Sequence[str], rows: Iterable[Sequence[object]], numbers: Iterable[str] = (), caption: str | None = None
) -> Html:
    """A table with a line of heads; `numbers` are the heads whose columns hold numbers. Cells may be markup."""
    looks = ["number" if title in set(numbers) else None for title in head]
    heads = join(tag("th", title, class_=look, scope="col") for title, look in zip(head, looks, strict=True))
    lines = join(
        tag("tr", *(tag("td", cell, class_=look) for cell, look in zip(row, looks, strict=True))) for row in rows
    )
    named = tag("caption", caption) if caption else None
    whole = tag("table", named, tag("thead", tag("tr", heads)), tag("tbody", lines))
    return tag("div", whole, class_="scroll")
