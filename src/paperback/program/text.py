"""What a Program is made of, as one text: a name that no other program has.

    exact(program, loss, "integer")     ProgramTensor('input',(N,28,28,1),'input',False)...Loss('hinge',...)

Every field of every part is in it, whatever it is called: two values have one text only if they are equal, but for the
letters of indices, which are numbered in order of appearance (they are new objects in every process).
"""

from __future__ import annotations

__all__ = ["exact"]

from collections.abc import Iterable, Mapping
from dataclasses import fields, is_dataclass
from fractions import Fraction

from paperback.notation.affine import Letter
from paperback.notation.expr import Node
from paperback.notation.size import Size


def exact(*values: object) -> str:
    """The text of these values: nodes, dataclasses, tables, tuples, sets of words, and plain numbers and words.

    Raises TypeError for anything else.
    """
    parts: list[str] = []
    _write(values, {}, parts)
    return "".join(parts)


def _write(value: object, letters: dict[Letter, int], parts: list[str]) -> None:
    if value is None or isinstance(value, str | bool | int | float | Fraction):
        parts.append(repr(value))
    elif isinstance(value, Letter):
        parts.append(f"{value.name}#{letters.setdefault(value, len(letters))}")
    elif isinstance(value, Size):
        parts.append(f"<{value}>")
    elif isinstance(value, tuple | list):
        parts.append("(")
        for item in value:
            _write(item, letters, parts)
            parts.append(",")
        parts.append(")")
    elif isinstance(value, Node):
        _write_made(value, value._fields, letters, parts)
    elif is_dataclass(value):
        _write_made(value, [field.name for field in fields(value)], letters, parts)
    elif isinstance(value, Mapping):
        _write(tuple(value.items()), letters, parts)
    elif isinstance(value, frozenset):
        _write(sorted(value), letters, parts)
    else:
        raise TypeError(f"{value!r} has no exact text")


def _write_made(value: object, names: Iterable[str], letters: dict[Letter, int], parts: list[str]) -> None:
    parts.append(type(value).__name__)
    _write(tuple(getattr(value, name) for name in names), letters, parts)
