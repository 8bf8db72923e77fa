r"""A place among the marks of a formula, and the plain tokens that have been made of it so far.

A part of the marks is translated by itself with `within`, as what stands in a fence; a fence counts as one thing for
`split` and `outside`.
"""

from __future__ import annotations

__all__ = ["RELATIONS", "Cursor"]

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager

from paperback.errors import Problem
from paperback.notation.expressions import UnreadableError
from paperback.notation.tex.marks import Mark
from paperback.notation.tex.scope import Scope
from paperback.notation.tokens import Token

RELATIONS = ("=", "==", "<", "<=", ">", ">=", "!=", "|")


class Cursor:
    """A place among marks, and the tokens so far. `end` is where the part that is being translated ends."""

    def __init__(
        self, source: str, marks: Sequence[Mark], partner: Mapping[int, int], scope: Scope, base: int = 0
    ) -> None:
        self.source, self.marks, self.partner, self.scope, self.base = source, marks, partner, scope, base
        self.place, self.end = 0, len(marks) - 1
        self.out: list[Token] = []
        self.problems: list[Problem] = []
        self.sizes: dict[str, Mark] = {}  # names that stand where only a size can
        self.from_one: list[Mark] = []  # letters that a reducer counts from 1
        self.head = -1  # how many tokens there are where a reducer has just named its letters
        self.in_condition = False
        self.slash: Mark | None = None  # the product so far has been divided by one factor, after a /
        self.argument: Mark | None = None  # ... or is a function with its argument, which has no parentheses

    # ------------------------------------------------------------------------------------------ marks, tokens

    @property
    def here(self) -> Mark:
        return self.marks[min(self.place, self.end)]

    @property
    def done(self) -> bool:
        return self.place >= self.end

    def at(self, *signs: str) -> bool:
        return not self.done and self.here.is_sign(*signs)

    def take(self) -> Mark:
        self.place += 1
        return self.marks[self.place - 1]

    def written(self, first: Mark, last: Mark | None = None) -> str:
        return self.source[first.start : (last or first).end]

    def slice(self, low: int, high: int) -> str:
        """The LaTeX of marks[low:high]."""
        return self.source[self.marks[low].start : self.marks[high - 1].end] if high > low else ""

    def emit(self, text: str, mark: Mark, kind: str = "op") -> None:
        self.out.append(Token(kind, text, mark.start, mark.end))

    def wrong(self, message: str, mark: Mark, hint: str = "", last: Mark | None = None) -> UnreadableError:
        return UnreadableError(message, mark.start, max((last or mark).end, mark.start + 1), hint)

    def complain(self, message: str, mark: Mark, hint: str = "", last: Mark | None = None) -> None:
        self.problems.append(self.wrong(message, mark, hint, last).problem)

    @contextmanager
    def within(self, low: int, high: int) -> Iterator[None]:
        """Translate marks[low:high] by themselves, as behind a parenthesis."""
        kept = self.place, self.end, self.in_condition, self.slash, self.argument
        self.place, self.end, self.in_condition, self.slash, self.argument = low, high, False, None, None
        try:
            yield
        finally:
            self.place, self.end, self.in_condition, self.slash, self.argument = kept

    def group(self) -> tuple[int, int]:
        """The inside of the fence that opens here, as places; goes on behind it."""
        low = self.place + 1
        high = self.partner[self.place]
        self.place = high + 1
        return low, high

    def argument_of(self, what: str) -> tuple[int, int]:
        """A group in braces, or the one mark that stands there."""
        if self.done:
            last = self.marks[self.place - 1]
            raise self.wrong(f"what {what} is missing", last)
        if self.at("{"):
            return self.group()
        self.place += 1
        return self.place - 1, self.place

    def split(self, low: int, high: int, *signs: str) -> list[tuple[int, int]]:
        """marks[low:high] cut at these signs, outside of all fences."""
        pieces, start, place = [], low, low
        while place < high:
            if self.marks[place].is_sign(*signs):
                pieces.append((start, place))
                start = place + 1
            place = self.partner.get(place, place) + 1
        return [*pieces, (start, high)]

    def outside(self, low: int, high: int) -> list[int]:
        """The places of marks[low:high] that are outside of all fences; a fence counts by its opening mark."""
        found, place = [], low
        while place < high:
            found.append(place)
            place = self.partner.get(place, place) + 1
        return found

    def has_relation(self, low: int, high: int) -> bool:
        return any(self.marks[place].is_sign(*RELATIONS) for place in self.outside(low, high))
