"""HTML that stands by itself: escaping, tables, charts and pictures inside the page, no script, no network.

    tag, join, Html     elements; what is not markup is escaped
    page, fragment      a whole document, or a part of a notebook's cell
    table               rows and columns
    chart, Series       lines and dots as SVG
    confusion_map       the confusion matrix
    picture, png        pixels as PNG inside the page
"""

from paperback.markup.chart import Series, chart
from paperback.markup.heatmap import confusion_map
from paperback.markup.html import Html, join, raw, tag
from paperback.markup.page import fragment, page
from paperback.markup.png import diverging, grey, picture, png
from paperback.markup.table import table
from paperback.markup.ticks import percent, short

__all__ = [
    "Html", "Series", "chart", "confusion_map", "diverging", "fragment", "grey", "join", "page", "percent", "picture",
    "png", "raw", "short", "table", "tag",
]  # fmt: skip
