"""The signs of a piece of MathML, written as LaTeX: grouping that nobody sees (mrow) is gone."""

from __future__ import annotations

import unicodedata
import xml.etree.ElementTree as ET

ELEMENT = "{http://www.w3.org/1998/Math/MathML}"
COMMANDS = {
    "∑": r"\sum ", "−": "-", "≤": r"\le ", "≥": r"\ge ", "≠": r"\ne ", "∣": r"\mid ", "∧": r"\land ", "·": r"\cdot ",
    "×": r"\times ", "∈": r"\in ", "→": r"\to ", "∞": r"\infty ", "⌊": r"\lfloor ", "⌋": r"\rfloor ",
    "⌈": r"\lceil ", "⌉": r"\rceil ", "\u2062": " ", "\u2061": "",
}  # fmt: skip


def as_latex(mathml: str) -> str:
    """The signs of a piece of MathML as LaTeX."""
    return _latex(ET.fromstring(f"<mrow xmlns='{ELEMENT[1:-1]}'>{mathml}</mrow>"))


def _latex(element: ET.Element) -> str:
    tag, text, children = element.tag.removeprefix(ELEMENT), element.text or "", list(element)
    if tag not in ("mrow", "mi", "mn", "mo", "mtext", "mspace"):
        base, *parts = [_latex(child) for child in children]
    match tag:
        case "mrow":
            return "".join(
                rf"\operatorname{{{_function(child)}}}" if _applied(child, after) else _latex(child)
                for child, after in zip(children, [*children[1:], None], strict=True)
            )
        case "mi":
            stem = text.rstrip("′")
            name = rf"\mathit{{{stem}}}" if len(stem) > 1 else _greek(stem)
            return name if stem == text else f"{{{name.strip()}{chr(39) * (len(text) - len(stem))}}}"
        case "mn":
            return text
        case "mo":
            if text == "|":
                return r"\lvert " if element.get("form") == "prefix" else r"\rvert "
            return COMMANDS.get(text, text)
        case "mtext":
            return rf"\text{{ {text.strip()}}}"
        case "mspace":
            return " "
        case "mfrac":
            return rf"\frac{{{base}}}{{{parts[0]}}}"
        case "msqrt":
            return rf"\sqrt{{{''.join([base, *parts])}}}"
        case "msub" | "munder":
            return f"{base}_{{{parts[0]}}}"
        case "msup":
            return f"{base}^{{{parts[0]}}}"
        case "msubsup" | "munderover":
            return f"{base}_{{{parts[0]}}}^{{{parts[1]}}}"
    raise AssertionError(f"an element without a meaning here: {tag}")


def _greek(letter: str) -> str:
    """`\\pi` for π: Greek letters by what Unicode calls them."""
    words = unicodedata.name(letter).removesuffix(" SYMBOL").replace("LAMDA", "LAMBDA").split()
    if words[0] != "GREEK":
        return letter
    return "\\" + (words[-1].capitalize() if "CAPITAL" in words else words[-1].lower()) + " "


def _applied(child: ET.Element, after: ET.Element | None) -> bool:
    return child.tag == ELEMENT + "mi" and after is not None and after.text == "\u2061"


def _function(child: ET.Element) -> str:
    return {"σ": "sigmoid"}.get(child.text or "", child.text or "")
