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
TAKEN = {"l", "I", "O", "F", "np", "torch", "jax", "jnp", "range"}  # look like digits, or mean something

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
    """A name of the notation as one of Python's: primes and dots are spelled, what is taken gets a stroke."""
    name = name.replace("'", "_prime").replace(".", "_")
    return f"{name}_" if keyword.iskeyword(name) or name in TAKEN else name


def size_name(name: str) -> str:
    """The name of a size."""
    return f"n_{name.lower()}" if name in TAKEN else plain_name(name)


def call_arguments(parts: Sequence[str]) -> str:
    """`(3,)`, `(2, 3)`: a tuple."""
    return f"({', '.join(parts)}{',' if len(parts) == 1 else ''})"


def wrapped(line: str, indent: str) -> list[str]:
    """One statement, or one of its parts, as lines of at most `WIDTH` columns, broken as formatters break them."""
    if len(indent) + len(line) <= WIDTH:
        return [indent + line]
    inner = indent + "    "
    assigned = re.match(r"(?:[^=\[\]()]|\[[^=]*\])* [-+]?= |return ", line)
    head, value = (assigned.group(), line[assigned.end() :]) if assigned else ("", line)
    terms = _terms(value)
    if len(terms) > 1:
        parts = [part for term in terms for part in wrapped(term, inner if head else indent)]
        return [f"{indent}{head}(", *parts, f"{indent})"] if head else parts
    start, end = _greatest_bracket(value)
    if end <= start + 1:
        return [indent + line]
    inside = value[start + 1 : end]
    items = _split(inside, r", ")
    if len(items) > 1 or inside.endswith(","):
        parts = [part for item in items for part in wrapped(item.rstrip(",") + ",", inner)]
    else:
        parts = wrapped(inside, inner)
    return [f"{indent}{head}{value[: start + 1]}", *parts, *wrapped(value[end:], indent)]


def _greatest_bracket(text: str) -> tuple[int, int]:
    """Where the longest of the outermost brackets opens and closes."""
    best, depth, start = (0, 0), 0, 0
    for match in re.finditer(r"[\[\]()]", text):
        if match.group() in "([":
            start = start if depth else match.start()
            depth += 1
        else:
            depth -= 1
            if depth == 0 and match.start() - start > best[1] - best[0]:
                best = (start, match.start())
    return best


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
    """A sum cut before its signs; else a product before its factors; nothing where there is an outer comma."""
    if len(_split(text, ", ")) > 1:
        return [text]
    for signs in (r" [-+&|] ", r" [*/@] "):
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
