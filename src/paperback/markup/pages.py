"""Whole pages, which need nothing else and ask nobody, and fragments for a notebook's cell.

A page forbids its browser, by its Content-Security-Policy, to load anything that is not in the page itself.
"""

from __future__ import annotations

__all__ = ["fragment", "page"]

from paperback.markup.html import Html, raw, tag
from paperback.markup.style import PAGE, STYLE

_POLICY = "default-src 'none'; img-src data:; style-src 'unsafe-inline'"


def page(title: str, *body: object) -> str:
    """A document of HTML 5 that is well-formed XML too."""
    head = tag(
        "head",
        tag("meta", charset="utf-8"),
        tag("meta", http_equiv="Content-Security-Policy", content=_POLICY),
        tag("meta", name="viewport", content="width=device-width, initial-scale=1"),
        tag("title", title),
        tag("style", raw(STYLE + PAGE)),
    )
    document = tag("html", head, tag("body", *body, class_="paperback"), lang="en")
    return f"<!DOCTYPE html>\n{document}\n"


def fragment(*body: object) -> Html:
    """A part of somebody else's page, with the style it needs."""
    return tag("div", tag("style", raw(STYLE)), *body, class_="paperback")
