"""Reading a page back: its tables, its pictures, and whether it is sound."""

from __future__ import annotations

import base64
import io
import re
import xml.etree.ElementTree as ET
from html.parser import HTMLParser
from typing import Any

import numpy as np
import pytest

from paperback.reports.report import Report

Array = Any


class Page(HTMLParser):
    """Tables by their heads, all attributes, all elements."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tables: list[list[list[str]]] = []
        self.attributes: list[tuple[str, str, str]] = []
        self.elements: list[str] = []
        self.cell: list[str] | None = None
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append(tag)
        self.attributes += [(tag, name, value or "") for name, value in attrs]
        if tag == "table":
            self.tables.append([])
        elif tag == "tr" and self.tables:
            self.tables[-1].append([])
        elif tag in ("td", "th"):
            self.cell = []

    def handle_endtag(self, tag: str) -> None:
        if tag in ("td", "th") and self.cell is not None:
            self.tables[-1][-1].append("".join(self.cell))
            self.cell = None

    def handle_data(self, data: str) -> None:
        if self.cell is not None:
            self.cell.append(data)

    def table(self, *heads: str) -> list[dict[str, str]]:
        """The rows of the table that has these heads."""
        (found,) = [t for t in self.tables if t and set(heads) <= set(t[0])]
        return [dict(zip(found[0], row, strict=True)) for row in found[1:]]


def sound(made: Report) -> Page:
    """A page is well-formed, holds no script, and refers to nothing outside itself."""
    ET.fromstring(made.html.partition("\n")[2])
    found = Page(made.html)
    assert not {"script", "link", "iframe", "object", "embed", "base", "form"} & set(found.elements)
    for tag, name, value in found.attributes:
        assert not name.startswith("on"), (tag, name)
        if name in ("src", "href", "srcset", "data", "action", "background", "poster"):
            assert value.startswith(("data:image/png;base64,", "#")), (tag, name, value)
    bare = made.html.replace("http://www.w3.org/1998/Math/MathML", "")  # the name of a language, never fetched
    bare = re.sub('"data:image/png;base64,[A-Za-z0-9+/=]*"', "", bare)
    assert not re.search(r"https?:|//\w|url\(|@import|data:", bare.replace("img-src data:", ""))
    anchors = {value for tag, name, value in found.attributes if name == "id"}
    assert {value[1:] for _, name, value in found.attributes if name == "href"} == anchors
    return found


def number(text: str) -> float:
    return float(text.replace(",", ""))


def pictures(page: Page, beginning: str) -> list[Array]:
    """The pixels of the pictures whose alternative text begins so, as Pillow reads them."""
    image = pytest.importorskip("PIL.Image")
    found = []
    sources = [value for tag, name, value in page.attributes if (tag, name) == ("img", "src")]
    texts = [value for tag, name, value in page.attributes if (tag, name) == ("img", "alt")]
    for source, text in zip(sources, texts, strict=True):
        if text.startswith(beginning):
            with image.open(io.BytesIO(base64.b64decode(source.partition(",")[2]))) as read:
                found.append(np.asarray(read))
    return found
