"""HTML that stands by itself: escaping, tables, charts and pictures inside the page, no script, no network.

    tag, join, Html     elements; what is not markup is escaped
    page, fragment      a whole document, or a part of a notebook's cell
    table               rows and columns
    chart, Series       lines and dots as SVG
    confusion_map       the confusion matrix
    picture, png        pixels as PNG inside the page
"""

from typing import TYPE_CHECKING

from paperback.later import offer

if TYPE_CHECKING:
    from paperback.markup.charts import Series, chart
    from paperback.markup.heatmap import confusion_map
    from paperback.markup.html import Html, join, raw, tag
    from paperback.markup.pages import fragment, page
    from paperback.markup.pixels import diverging, grey, picture, png
    from paperback.markup.tables import table
    from paperback.markup.ticks import percent, short

__all__ = [
    "Html", "Series", "chart", "confusion_map", "diverging", "fragment", "grey", "join", "page", "percent", "picture",
    "png", "raw", "short", "table", "tag",
]  # fmt: skip

_HOMES = {
    "Html": "html",
    "Series": "charts",
    "chart": "charts",
    "confusion_map": "heatmap",
    "diverging": "pixels",
    "fragment": "pages",
    "grey": "pixels",
    "join": "html",
    "page": "pages",
    "percent": "ticks",
    "picture": "pixels",
    "png": "pixels",
    "raw": "html",
    "short": "ticks",
    "table": "tables",
    "tag": "html",
}

__getattr__, __dir__ = offer(__name__, _HOMES)
