"""What a Program is made of, as one text: a name that no other program has.

    exact(program, loss, "integer")     ProgramTensor('input',(N,28,28,1),'input',False)...Loss('hinge',...)

Every field of every part is in it, whatever it is called: two values have one text only if they are equal, but for the
letters of indices, which are numbered in order of appearance (they are new objects in every process).
"""

from __future__ import annotations

__all__ = ["exact"]

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import fields, is_dataclass
from fractions import Fraction

from paperback.notation.affine import Letter
from paperback.notation.expr import Node
from paperback.notation.size import Size


def exact(*values: object) -> str:
    """The text of these values: nodes, dataclasses, tables, tuples, sets of words, and plain numbers and words.

    Raises TypeError for anything else.
    """
    return "".join(_parts(values, {}))


def _parts(value: object, letters: dict[Letter, int]) -> Iterator[str]:
    if value is None or isinstance(value, str | bool | int | float | Fraction):
        yield repr(value)
    elif isinstance(value, Letter):
        yield f"{value.name}#{letters.setdefault(value, len(letters))}"
    elif isinstance(value, Size):
        yield f"<{value}>"
    elif isinstance(value, Node):
        yield from _made(value, value._fields, letters)
    elif is_dataclass(value):
        yield from _made(value, [field.name for field in fields(value)], letters)
    elif isinstance(value, tuple | list):
        yield "("
        for item in value:
            yield from _parts(item, letters)
            yield ","
        yield ")"
    elif isinstance(value, Mapping):
        yield from _parts(tuple(value.items()), letters)
    elif isinstance(value, frozenset):
        yield from _parts(sorted(value), letters)
    else:
        raise TypeError(f"{value!r} has no exact text")


def _made(value: object, names: Iterable[str], letters: dict[Letter, int]) -> Iterator[str]:
    yield type(value).__name__
    yield from _parts(tuple(getattr(value, name) for name in names), letters)
