r"""What belongs together: every fence with its partner, and which vertical bars are the sides of |x|.

    ( )   [ ]   { }   \{ \}   \lvert \rvert   \lfloor \rfloor   \lceil \rceil   \begin{cases} \end{cases}

A bar closes where one of its own is open and a value has ended. Behind a value in brackets or limits it stands between
two things, [2 | t-p]; anywhere else it opens.
"""

from __future__ import annotations

__all__ = ["pair"]

from collections.abc import Sequence
from dataclasses import replace

from paperback.errors import Problem
from paperback.notation.tex.marks import Mark

_PARTNER = {
    "(": ")", "[": "]", "{": "}", "lbrace": "rbrace", "lvert": "rvert", "lfloor": "rfloor", "lceil": "rceil",
    "begin cases": "end cases",
}  # fmt: skip
_CLOSING = frozenset(_PARTNER.values())
_AFTER_VALUES = ("name", "number", "domain")


def pair(source: str, marks: Sequence[Mark]) -> tuple[list[Mark], dict[int, int], list[Problem]]:
    """The marks with their bars told apart, where each fence that opens is closed, and what is not."""
    found: list[Mark] = []
    partner: dict[int, int] = {}
    problems: list[Problem] = []
    opened: list[int] = []

    def written(mark: Mark) -> str:
        return source[mark.start : mark.end]

    for place, mark in enumerate(marks):
        if mark.is_sign("vert"):
            mark = replace(mark, text=_side(found, opened))
        found.append(mark)
        if mark.kind != "sign":
            continue
        if mark.text in _PARTNER:
            opened.append(place)
        elif mark.text in _CLOSING:
            if opened and _PARTNER[found[opened[-1]].text] == mark.text:
                partner[opened.pop()] = place
            elif not opened:
                problems.append(Problem(f"this {written(mark)} closes nothing", mark.start, mark.end))
            else:
                left = found[opened.pop()]
                hint = f"it would close {written(left)}"
                problems.append(Problem(f"{written(mark)} is not expected here", mark.start, mark.end, hint))
    for place in opened[-1:]:
        problems.append(Problem(f"this {written(found[place])} is never closed", found[place].start, found[place].end))
    return found, partner, problems


def _side(before: Sequence[Mark], opened: Sequence[int]) -> str:
    last = before[-1] if before else None
    ended = last is not None and (last.kind in _AFTER_VALUES or (last.kind == "sign" and last.text in _CLOSING))
    around = before[opened[-1]].text if opened else ""
    limits = around == "{" and opened[-1] > 0 and before[opened[-1] - 1].is_sign("_")
    if not ended or not (limits or around in ("lvert", "[")):
        return "lvert"
    return "rvert" if around == "lvert" else "|"
