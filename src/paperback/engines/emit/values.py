"""A value of the emitted text: an expression, the letters of its axes in order, and how tightly it binds.

    Value("w @ x", (i,), PRODUCT)

Two values are combined by giving both the same letters in the same order: axes are transposed, missing ones are None
in a subscript (broadcast). This file knows Python's syntax and no array library.
"""

from __future__ import annotations

__all__ = [
    "ATOM", "COMPARE", "POWER", "PRODUCT", "SUM", "UNARY", "Value", "aligned", "call_arguments", "plain_name",
    "size_name", "size_text", "wrapped",
]  # fmt: skip

import keyword
import re
from collections.abc import Sequence
from dataclasses import dataclass

from paperback.notation.affine import Letter
from paperback.notation.size import Rounded, Size

AND, COMPARE, SUM, PRODUCT, UNARY, POWER, ATOM = range(7)
WIDTH = 96
AMBIGUOUS = ("l", "I", "O")

Letters = tuple[Letter, ...]


@dataclass(frozen=True)
class Value:
    """An expression; `kind` is float, int or bool; `plain` says that it is a number of Python's, no array."""

    text: str
    letters: Letters = ()
    binds: int = ATOM
    kind: str = "float"
    plain: bool = False

    def at(self, least: int) -> str:
        """The text, in parentheses where it binds less tightly."""
        return self.text if self.binds >= least else f"({self.text})"

    @property
    def is_name(self) -> bool:
        return self.text.isidentifier()


def aligned(value: Value, letters: Letters, transpose: str) -> Value:
    """The value with axes in the order of `letters`, None for what it lacks; `transpose` names the method."""
    own = tuple(l for l in letters if l in value.letters)
    if own != value.letters:
        order = ", ".join(str(value.letters.index(l)) for l in own)
        text = f"{value.at(ATOM)}.T" if len(own) == 2 else f"{value.at(ATOM)}.{transpose}({order})"
        value = Value(text, own, ATOM, value.kind)
    if not own:
        return value
    inside = letters[letters.index(own[0]) :]
    last = max(k for k, l in enumerate(inside) if l not in own) if set(inside) != set(own) else -1
    if last < 0:
        return value
    index = ", ".join(":" if l in own else "None" for l in inside[: last + 1])
    return Value(f"{value.at(ATOM)}[{index}]", own, ATOM, value.kind)


def size_text(size: Size, least: int = AND) -> str:
    """A size as an expression of Python's, in parentheses where it binds less tightly than `least`."""
    text = ""
    for monomial, coefficient in size.in_order:
        factors = [size_name(atom) if isinstance(atom, str) else _rounded(atom) for atom in monomial]
        if abs(coefficient) != 1 or not factors:
            factors.insert(0, str(abs(coefficient)))
        if len(factors) == 1 and factors[0].startswith("(") and coefficient > 0:
            factors = [factors[0][1:-1]]  # a quotient alone binds tightly enough
        sign = "-" if coefficient < 0 else "+" if text else ""
        text += (f" {sign} " if text else sign) + " * ".join(factors)
    if not text:
        return "0"
    if len(size.terms) > 1:
        binds = SUM
    elif text.startswith("-"):
        binds = UNARY
    else:
        binds = PRODUCT if "*" in text or "//" in text else ATOM
    return text if binds >= least else f"({text})"


def _rounded(atom: Rounded) -> str:
    """A quotient stands in parentheses beside other factors."""
    below = size_text(atom.denominator, POWER)
    if atom.kind == "floor":
        return f"({size_text(atom.numerator, PRODUCT)} // {below})"
    return f"(-({size_text(-atom.numerator, PRODUCT)} // {below}))"


def plain_name(name: str) -> str:
    """A name of the notation as one of Python's: primes and dots are spelled; l, I and O look like digits."""
    name = name.replace("'", "_prime").replace(".", "_")
    return f"{name}_" if keyword.iskeyword(name) or name in AMBIGUOUS else name


def size_name(name: str) -> str:
    """The name of a size."""
    return f"n_{name.lower()}" if name in AMBIGUOUS else plain_name(name)


def call_arguments(parts: Sequence[str]) -> str:
    """`(3,)`, `(2, 3)`: a tuple."""
    return f"({', '.join(parts)}{',' if len(parts) == 1 else ''})"


def wrapped(line: str, indent: str) -> list[str]:
    """One statement as lines of at most `WIDTH` columns, broken as formatters break them."""
    if len(indent) + len(line) <= WIDTH:
        return [indent + line]
    head, opening, rest = _outermost(line)
    if opening and rest.endswith(_CLOSING[opening]):
        items = _split(rest[:-1], r", ")
        if len(items) == 1:
            items = _terms(items[0])
            lines = [wrapped(item, indent + "    ") for item in items]
        else:
            lines = [wrapped(item.rstrip(",") + ",", indent + "    ") for item in items]
        if len(items) > 1 or not line.endswith(f"({rest}"):
            return [indent + head + opening, *(l for part in lines for l in part), indent + _CLOSING[opening]]
    name, equals, value = line.partition(" = ")
    if not equals and line.startswith("return "):
        name, equals, value = "return", " ", line[7:]
    terms = _terms(value) if equals else [line]
    if len(terms) < 2:
        return [indent + line]
    inner = [l for term in terms for l in wrapped(term, indent + "    ")]
    return [f"{indent}{name}{equals}(", *inner, f"{indent})"]


_CLOSING = {"(": ")", "[": "]"}


def _outermost(line: str) -> tuple[str, str, str]:
    """The line cut at the bracket that its last character closes."""
    depth = 0
    for place in range(len(line) - 1, -1, -1):
        character = line[place]
        if character in ")]":
            depth += 1
        elif character in "([":
            depth -= 1
            if depth == 0:
                return line[:place], character, line[place + 1 :]
        elif depth == 0:
            break
    return line, "", ""


def _split(text: str, separator: str) -> list[str]:
    """The text cut at a separator outside all brackets."""
    parts, depth, start = [], 0, 0
    for match in re.finditer(rf"[\[\]()]|{separator}", text):
        found = match.group()
        if found in "([":
            depth += 1
        elif found in ")]":
            depth -= 1
        elif depth == 0:
            parts.append(text[start : match.start()])
            start = match.end()
    return [part for part in (*parts, text[start:]) if part.strip()]


def _terms(text: str) -> list[str]:
    """A sum cut before its signs; else a product before its factors."""
    for signs in (r" [-+&] ", r" [*/] "):
        cut, depth = [0], 0
        for match in re.finditer(rf"[\[\]()]|{signs}", text):
            found = match.group()
            if found in "([":
                depth += 1
            elif found in ")]":
                depth -= 1
            elif depth == 0:
                cut.append(match.start() + 1)
        if len(cut) > 1:
            return [text[a:b].strip() for a, b in zip(cut, [*cut[1:], len(text)], strict=True)]
    return [text]
