"""Text that is HTML, and text that becomes HTML: what is not marked up yet is escaped where it is put in.

    tag("td", "a < b", class_="name")    <td class="name">a &lt; b</td>
    tag("p", tag("b", "so"), "!")        <p><b>so</b>!</p>

An `Html` is known to be markup because only these functions make one of given text; any other value, whoever it comes
from, is escaped. The elements are well-formed XML too (every one is closed), so a page can be read back by either
kind of parser.
"""

from __future__ import annotations

__all__ = ["Html", "join", "raw", "tag"]

import html
import re
from collections.abc import Iterable

_VOID = {"br", "col", "hr", "img", "meta"}
_CONTROL = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ud800-\udfff\ufffe\uffff]")  # no character of HTML or of XML


class Html(str):
    """A text that is markup."""

    __slots__ = ()


def raw(text: str) -> Html:
    """Declare a text to be markup. For constants of this package, and for the output of its own writers."""
    return Html(text)


def join(parts: Iterable[object], between: str = "") -> Html:
    """Parts one after the other, each escaped unless it is markup; None is left out."""
    return Html(_escape(between).join(_escape(part) for part in parts if part is not None))


def tag(name: str, /, *children: object, **attributes: object) -> Html:
    """An element. Attributes: `class_` for class, `view_box` for view-box; None and False leave one out, True is bare.

    Names with capitals (SVG has a few, as viewBox) stay as they are.
    """
    written = "".join(_attribute(key, value) for key, value in attributes.items())
    if name in _VOID:
        return Html(f"<{name}{written}/>")
    return Html(f"<{name}{written}>{join(children)}</{name}>")


def _attribute(key: str, value: object) -> str:
    if value is None or value is False:
        return ""
    name = key.rstrip("_").replace("_", "-")
    return f' {name}="{name if value is True else _escape(str(value))}"'


def _escape(value: object) -> str:
    if isinstance(value, Html):
        return value
    return html.escape(_CONTROL.sub("\ufffd", str(value)), quote=True)
