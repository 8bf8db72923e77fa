r"""What the names of a formula are, as far as reading needs it: found before anything is translated.

    C_{ijk} = \sum_{p,q} ...      C is computed, i j k p q are letters
    x \in \mathbb{R}^{H \times W}    x is declared, H and W are sizes
    \phi : \mathbb{R} \to \mathbb{R}     phi is a function
"""

from __future__ import annotations

__all__ = ["Scope", "survey"]

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from paperback.errors import Problem
from paperback.notation.tex.marks import Mark
from paperback.notation.words import is_derivative


@dataclass
class Scope:
    """Names by what they are.

    indexed    are read with indices
    below      stand in a subscript by themselves: they are meant as indices
    """

    declared: set[str] = field(default_factory=set)
    sizes: set[str] = field(default_factory=set)
    functions: set[str] = field(default_factory=set)
    letters: set[str] = field(default_factory=set)
    indexed: set[str] = field(default_factory=set)
    below: set[str] = field(default_factory=set)

    def knows(self, name: str) -> bool:
        return name in self.declared or name in self.sizes or self.calls(name) or name in self.letters

    def calls(self, name: str) -> bool:
        return name in self.functions or is_derivative(name, self.functions)


def survey(
    source: str, marks: Sequence[Mark], partner: Mapping[int, int], given: Scope
) -> tuple[Scope, list[Problem]]:
    """The scope of a formula, which adds to what the caller declares."""
    scope = Scope(set(given.declared), set(given.sizes), set(given.functions))
    begins = True
    clauses = False
    for place, mark in enumerate(marks):
        after = marks[place + 1] if place + 1 < len(marks) else mark
        if mark.kind == "word" and mark.text in ("where", "for"):
            clauses = True
        if mark.kind == "name":
            if begins:
                scope.declared.add(mark.text)
                clauses = False
            if after.is_sign("_"):
                scope.indexed.add(mark.text)
                scope.below |= _alone(marks, partner, place + 2)
                if begins:
                    scope.letters |= _names(marks, partner, place + 2)
            if after.is_sign(":") and clauses:
                scope.functions.add(mark.text)
            if clauses and after.kind == "word" and after.text in ("function", "increasing"):
                scope.functions.add(mark.text)
            elif clauses and (after.kind == "word" or after.is_sign("in", ",")):
                scope.declared.add(mark.text)
        if mark.kind == "domain" and after.is_sign("^"):
            scope.sizes |= _names(marks, partner, place + 2)
        if (mark.is_sign("sum") or mark.kind == "function") and after.is_sign("_"):
            scope.letters |= _bound(marks, partner, place + 2)
        begins = mark.is_sign("row", ";") or (begins and mark.kind == "word" and mark.text not in ("where", "for"))
    scope.letters -= scope.sizes
    return scope, [*_numbered(source, marks, scope), *_alphabets(source, marks)]


def _names(marks: Sequence[Mark], partner: Mapping[int, int], place: int) -> set[str]:
    """The names in a group, or the one that stands there."""
    end = partner.get(place, place)
    return {mark.text for mark in marks[place : end + 1] if mark.kind == "name"}


def _alone(marks: Sequence[Mark], partner: Mapping[int, int], place: int) -> set[str]:
    """The names that are an index of a subscript, or the only name of one."""
    end = partner.get(place, place)
    signs = any(mark.is_sign("+", "-", "(", "/") for mark in marks[place : end + 1])
    return set() if signs else _names(marks, partner, place)


def _bound(marks: Sequence[Mark], partner: Mapping[int, int], place: int) -> set[str]:
    """The letters that limits bind: what stands by itself between commas, or on the small side of a relation."""
    if place not in partner:
        return _names(marks, partner, place)
    inside = marks[place + 1 : partner[place]]
    stop = next((n for n, mark in enumerate(inside) if mark.is_sign(":", "|")), len(inside))
    found = set()
    for n, mark in enumerate(inside[:stop]):
        before, after = inside[n - 1] if n else None, inside[n + 1] if n + 1 < len(inside) else None
        opens = before is None or before.is_sign(",", "<=", "<")
        closes = after is None or after.is_sign(",", "<=", "<", "=", "!=", "in", ":", "|")
        if mark.kind == "name" and opens and closes:
            found.add(mark.text)
            if before is not None and before.is_sign("<", "<=") and n >= 2 and inside[n - 2].kind == "name":
                found.discard(mark.text)  # p < P: the second is no letter of this reducer
    return found


def _numbered(source: str, marks: Sequence[Mark], scope: Scope) -> list[Problem]:
    r"""`x_1` beside `x_i`: an element, or another name?"""
    problems = []
    for mark in marks:
        if mark.stem and mark.stem in scope.indexed and not scope.knows(mark.text):
            number = mark.text.removeprefix(mark.stem)
            shown, base = source[mark.start : mark.end], source[mark.start :].partition("_")[0].rstrip()
            hint = f"write {base}_{{({number})}} for the element, \\mathit{{{mark.text}}} for a name of its own"
            message = f"{shown} may be an element of {mark.stem} or another name"
            problems.append(Problem(message, mark.start, mark.end, hint))
    return problems


def _alphabets(source: str, marks: Sequence[Mark]) -> list[Problem]:
    r"""`\mathcal{L}` and `L` are one name to the reader."""
    looks: dict[str, Mark] = {}
    problems = []
    for mark in marks:
        if mark.kind != "name" or len(mark.text) > 1:
            continue
        first = looks.setdefault(mark.text, mark)
        if first.look != mark.look:
            one, two = (source[m.start : m.end] for m in (first, mark))
            hint = "call one of them by another letter, or write both the same way"
            problems.append(Problem(f"{one} and {two} are both read as {mark.text}", mark.start, mark.end, hint))
            looks[mark.text] = mark
    return problems[:3]
