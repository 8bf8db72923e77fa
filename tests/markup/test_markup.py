"""Markup: nothing gets into a page unescaped, pictures are those that Pillow reads, charts say what they were given."""

from __future__ import annotations

import io
import math
import re
import xml.etree.ElementTree as ET
from html.parser import HTMLParser
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from paperback import markup
from paperback.markup import Html, Series, chart, confusion_map, fragment, join, page, picture, png, short, table, tag
from paperback.markup.ticks import linear_ticks, log_ticks

NASTY = "<script>alert('x')</script> & \"quoted\" \x00\x1b"


class Texts(HTMLParser):
    """Everything that a browser would show as text, and every element it would make."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.texts: list[str] = []
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.feed(text)
        self.close()

    def handle_data(self, data: str) -> None:
        self.texts.append(data)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))


def parsed(html: str) -> ET.Element:
    return ET.fromstring(html)


@given(st.text(), st.text())
@settings(max_examples=60, deadline=None, derandomize=True)
def test_any_text_stays_text(text: str, name: str) -> None:
    made = tag("p", text, title=name)
    found = Texts(made)
    assert [element for element, _ in found.elements] == ["p"]
    shown = re.sub("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ud800-\udfff\ufffe\uffff]", "\ufffd", text)
    assert (parsed(made).text or "") == re.sub("\r\n?", "\n", shown)  # as XML reads ends of lines
    assert set(parsed(made).attrib) == {"title"}


def test_markup_is_not_escaped_twice_and_text_always() -> None:
    assert tag("p", tag("b", "a<b"), "c<d", None, 3) == "<p><b>a&lt;b</b>c&lt;d3</p>"
    assert join(["<", tag("i")], " & ") == "&lt; &amp; <i></i>"
    assert tag("br", class_="x", hidden=True, id=None, checked=False) == '<br class="x" hidden="hidden"/>'
    assert isinstance(join([]), Html) and join([]) == ""
    # Whatever is done to markup with the methods of str is text again, and escaped.
    assert tag("p", tag("b", "x") + "<i>") == "<p>&lt;b&gt;x&lt;/b&gt;&lt;i&gt;</p>"


def test_every_writer_escapes_what_it_is_given() -> None:
    counts = np.array([[3, 1], [0, 2]])
    made = {
        "table": table([NASTY, "b"], [[NASTY, 1]], caption=NASTY),
        "chart": chart([Series(NASTY, [1, 2], [3, 4])], NASTY, NASTY),
        "heat": confusion_map(counts, [NASTY, "b"]),
        "picture": picture(np.zeros((2, 2), np.uint8), NASTY),
        "fragment": fragment(NASTY),
    }
    for name, html in made.items():
        assert html is not None and "<script" not in html and "&lt;script&gt;" in html, name
        parsed(html)
    whole = page(NASTY, NASTY)
    assert "<script" not in whole and "\x00" not in whole
    assert len(made) == 5


def test_a_page_is_html_and_xml_and_loads_nothing() -> None:
    whole = page("A page", tag("main", tag("p", "text")))
    assert whole.startswith("<!DOCTYPE html>\n<html")
    root = parsed(whole.split("\n", 1)[1])
    assert [child.tag for child in root] == ["head", "body"]
    found = Texts(whole)
    policy = [a["content"] for e, a in found.elements if e == "meta" and "http-equiv" in a]
    assert policy == ["default-src 'none'; img-src data:; style-src 'unsafe-inline'"]
    assert not {e for e, _ in found.elements} & {"script", "link", "iframe", "object"}
    assert "url(" not in whole and "@import" not in whole and "http:" not in whole and "https:" not in whole


PIXELS = [
    ((3, 5), np.uint8), ((7, 2, 1), np.uint8), ((4, 6, 3), np.uint8), ((1, 1), np.uint8), ((70, 91, 3), np.uint8),
]  # fmt: skip


@pytest.mark.parametrize(("shape", "kind"), PIXELS)
def test_png_is_what_pillow_reads(shape: tuple[int, ...], kind: Any) -> None:
    image = pytest.importorskip("PIL.Image")
    pixels = np.random.default_rng(0).integers(0, 256, shape, dtype=kind)
    with image.open(io.BytesIO(png(pixels))) as read:
        read.load()
        assert read.format == "PNG" and read.mode == ("RGB" if shape[2:] == (3,) else "L")
        np.testing.assert_array_equal(np.asarray(read), pixels.squeeze(2) if shape[2:] == (1,) else pixels)


def test_png_takes_only_pictures() -> None:
    for bad in (np.zeros((2, 2)), np.zeros((2, 2, 2), np.uint8), np.zeros((0, 3), np.uint8), np.zeros(4, np.uint8)):
        with pytest.raises(ValueError, match="png: needs uint8"):
            png(bad)


def test_colours_of_numbers() -> None:
    np.testing.assert_array_equal(markup.grey(np.array([-1, 0, 0.5, 1, 2]), 0, 1), [0, 0, 128, 255, 255])
    np.testing.assert_array_equal(markup.grey(np.array([7.0, 7.0]), 7, 7), [0, 0])
    blue, white, red = markup.diverging(np.array([-3.0, 0.0, 3.0]), 3.0)
    assert blue[2] > blue[0] and red[0] > red[2] and set(white.tolist()) == {247}
    np.testing.assert_array_equal(markup.diverging(np.zeros((2, 3)), 0.0), np.full((2, 3, 3), 247))


def points(html: str, look: str) -> list[list[tuple[float, float]]]:
    lines = [e for e in parsed(html).iter("polyline") if look in (e.get("class") or "").split()]
    return [[tuple(map(float, pair.split(","))) for pair in (e.get("points") or "").split()] for e in lines]  # type: ignore[misc]


@pytest.mark.parametrize("log", [False, True])
def test_a_line_goes_through_its_points(log: bool) -> None:
    """Pixels are an affine function of the numbers (of their logarithms): the slopes between points agree."""
    x, y = [1, 2, 4, 8], [10.0, 4.0, 2.0, 1.0]
    html = chart([Series("a", x, y)], "t", "x", log=log)
    assert html is not None
    (line,) = points(html, "line")
    heights = [math.log10(v) for v in y] if log else y
    rights = np.polyfit(x, [a for a, _ in line], 1)
    ups = np.polyfit(heights, [b for _, b in line], 1)
    np.testing.assert_allclose(np.polyval(rights, x), [a for a, _ in line], atol=0.1)
    np.testing.assert_allclose(np.polyval(ups, heights), [b for _, b in line], atol=0.1)
    assert rights[0] > 0 > ups[0]


def test_what_is_no_number_is_a_gap() -> None:
    html = chart([Series("a", [1, 2, 3, 4, 5], [1, 2, math.nan, 3, 4])], "t", "x")
    assert html is not None and [len(run) for run in points(html, "line")] == [2, 2]
    below = chart([Series("a", [1, 2, 3], [1, 0, 2])], "t", "x", log=True)
    assert below is not None and points(below, "line") == []
    assert chart([Series("a", [1, 2], [math.nan, math.inf])], "t", "x") is None
    assert chart([], "t", "x") is None
    assert chart([Series("a", [1], [0.5])], "t", "x") is not None  # one epoch
    assert chart([Series("a", [1, 2], [3, 3])], "t", "x") is not None  # a constant


@given(st.floats(-1e9, 1e9), st.floats(1e-6, 1e9))
@settings(max_examples=100, deadline=None, derandomize=True)
def test_ticks_are_round_and_within(low: float, width: float) -> None:
    high = low + width
    if not high > low + abs(low) * 1e-9:
        return
    ticks = linear_ticks(low, high)
    assert 2 <= len(ticks) <= 12
    assert all(low - width * 1e-6 <= tick <= high + width * 1e-6 for tick in ticks)
    assert np.ptp(np.diff(ticks)) <= width * 1e-6 + abs(low) * 1e-12


@given(st.floats(1e-12, 1e12), st.floats(1.01, 1e12))
@settings(max_examples=100, deadline=None, derandomize=True)
def test_logarithmic_ticks_are_within(low: float, factor: float) -> None:
    ticks = log_ticks(low, low * factor)
    assert 1 <= len(ticks) <= 12 and ticks == sorted(set(ticks))
    assert all(low * (1 - 1e-6) <= tick <= low * factor * (1 + 1e-6) for tick in ticks)


def test_ticks_by_hand() -> None:
    assert linear_ticks(1, 5, whole=True) == [1, 2, 3, 4, 5]
    assert linear_ticks(1, 2, whole=True) == [1, 2]
    assert linear_ticks(0, 1) == pytest.approx([0, 0.2, 0.4, 0.6, 0.8, 1])
    assert log_ticks(0.001, 10) == pytest.approx([0.001, 0.01, 0.1, 1, 10])
    assert log_ticks(0.9, 6) == pytest.approx([1, 2, 5])
    numbers = [0, 0.05, 1234.5, 3.2e-5, -2e9, math.nan]
    assert [short(number) for number in numbers] == ["0", "0.05", "1,234", "3.2e-5", "-2e9", "–"]


@pytest.mark.parametrize("classes", [2, 5, 20, 40])
def test_the_map_tells_every_pair(classes: int) -> None:
    counts = np.random.default_rng(1).integers(0, 30, (classes, classes))
    names = [f"k{n}" for n in range(classes)]
    html = confusion_map(counts, names)
    if classes > 32:
        assert Texts(html).elements[0][0] == "img"
        return
    told = [element.text for element in parsed(html).iter("title")]
    wanted = [
        f"{names[i]} found: {counts[i, j]}" if i == j else f"{names[i]} taken for {names[j]}: {counts[i, j]}"
        for i in range(classes)
        for j in range(classes)
    ]
    assert told == wanted


def test_a_table_has_its_cells() -> None:
    root = parsed(table(["a", "n"], [["x", 1], ["y", 2]], numbers=["n"], caption="c"))
    assert [cell.text for cell in root.iter("td")] == ["x", "1", "y", "2"]
    assert [cell.get("class") for cell in root.iter("td")] == [None, "number"] * 2
    assert [cell.text for cell in root.iter("th")] == ["a", "n"]
