"""Planted errors: an entry of the book with one index, sign, number or size of one check changed.

A mutant is kept where it is another statement: two texts differ where exact evaluation tells their values apart, or
where the changed one is no sentence. What is kept must turn the entry red.
"""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import paperback as pb
from paperback.claims import checks, example, models
from paperback.claims.checks import Check, made
from paperback.claims.numbers import number, value
from paperback.claims.record import Entry
from paperback.errors import PaperbackError

EDITS: tuple[tuple[str, str, str], ...] = (  # what it is, pattern, change
    ("sign", r" \+ ", " - "),
    ("sign", r" - ", " + "),
    ("sign", r"(?<== )(?=[^=]*$)", "-(0 + 1)*"),
    ("number", r"(?<![\w.^\[])(\d+)(?![\w.])", "({}+1)"),
    ("index", r"(?<=\w\[)(\w+)(?=[,\]+-])", "{}+1"),
    ("index", r"(?<=[ ,+])(\w)(?=\])", "{}-1"),
    ("size", r"(?<=< )(\w+)(?=[, ]|$)", "{}-1"),
)


def texts(text: str, dice: random.Random) -> Iterator[tuple[str, str]]:
    """(kind of error, changed text), in an order of the dice."""
    found = []
    for kind, pattern, change in EDITS:
        for hit in re.finditer(pattern, text):
            put = change.format(*hit.groups()) if hit.groups() else change
            found.append((kind, text[: hit.start()] + put + text[hit.end() :]))
    dice.shuffle(found)
    yield from found


def another(text: str, changed: str) -> bool:
    """Do they mean different things, by exact evaluation? What is no sentence does."""
    try:
        formula = made(changed)
    except PaperbackError:
        return True
    return pb.prove(made(text), formula).status in ("refuted", "ill-formed")


def another_value(text: str, changed: str, given: Any, place: tuple[int, ...] = ()) -> bool:
    """Have they different values at these inputs?"""
    try:
        return not checks.agree(value(made(text), given)[place], value(made(changed), given)[place])
    except (PaperbackError, IndexError):
        return True


def leaves(values: Any) -> Iterator[tuple[Any, Callable[[Any], Any]]]:
    """Every number in nested lists, tuples and mappings, and how to put another in its place."""
    if isinstance(values, dict):
        for key, part in values.items():
            for leaf, put in leaves(part):
                yield leaf, lambda x, key=key, put=put: {**values, key: put(x)}
    elif isinstance(values, list | tuple):
        for place, part in enumerate(values):
            for leaf, put in leaves(part):
                yield leaf, lambda x, at=place, put=put: type(values)([*values[:at], put(x), *values[at + 1 :]])
    else:
        yield values, lambda x: x


def changed_number(values: Any, dice: random.Random) -> Any:
    """The same with one number more by 1."""
    leaf, put = dice.choice(list(leaves(values)))
    return put(f"{leaf} + 1" if isinstance(leaf, str) and not _plain(leaf) else _more(leaf))


def _plain(text: str) -> bool:
    return re.fullmatch(r"-?\d+(/\d+)?", text) is not None


def _more(leaf: Any) -> Any:
    return str(number(leaf).item() + 1) if isinstance(leaf, str) else leaf + 1


# --------------------------------------------------------------------------------------------------- by kind of check


def _prove(check: Any, dice: random.Random) -> Iterator[Check]:
    rights = check.right if isinstance(check.right, tuple) else (check.right,)
    for side in dice.sample(range(len(rights) + 1), len(rights) + 1):
        own = check.sides[side]
        if not isinstance(own, str):
            continue
        for _, changed in texts(own, dice):
            if another(own, changed):
                if side == 0:
                    yield replace(check, left=changed)
                else:
                    yield replace(check, right=(*rights[: side - 1], changed, *rights[side:]))


def _derivative(check: Any, dice: random.Random) -> Iterator[Check]:
    for _, changed in texts(check.claim, dice):
        if another(check.claim, changed):
            yield replace(check, claim=changed)


def _numbers(check: Any, dice: random.Random) -> Iterator[Check]:
    yield replace(check, numbers=changed_number(check.numbers, dice))
    if isinstance(check.of, str):
        for _, changed in texts(check.of, dice):
            if another_value(check.of, changed, check.given):
                yield replace(check, of=changed)


def _differ(check: Any, dice: random.Random) -> Iterator[Check]:
    yield replace(check, one=check.other)
    if check.numbers is not None:
        yield replace(check, numbers=check.numbers[::-1])
        for name in ("one", "other"):
            own = getattr(check, name)
            for _, changed in texts(own, dice) if isinstance(own, str) else ():
                if another_value(own, changed, check.given, check.place):
                    yield replace(check, **{name: changed})


def _field(name: str) -> Callable[[Any, random.Random], Iterator[Check]]:
    """One number of one field is another."""

    def changed(check: Any, dice: random.Random) -> Iterator[Check]:
        for _ in range(3 if getattr(check, name) else 0):
            yield replace(check, **{name: changed_number(getattr(check, name), dice)})

    return changed


def _says(check: Any, dice: random.Random) -> Iterator[Check]:
    place = dice.randrange(len(check.says))
    yield replace(check, says=check.says[:place] + check.says[place + 1 :])
    yield replace(check, line="y[i] = x[i]")


KINDS: dict[type[Check], tuple[Callable[[Any, random.Random], Iterator[Check]], ...]] = {
    checks.Prove: (_prove,),
    checks.Derivative: (_derivative,),
    checks.Vjp: (_derivative,),
    checks.Exact: (_numbers,),
    checks.Measure: (_numbers,),
    checks.Shape: (lambda check, dice: iter([replace(check, axes=check.axes + "+1")]),),
    checks.Structure: (
        lambda check, dice: iter([replace(check, kind=f"{check.kind} of 1"), replace(check, kind=check.kind[:-1])]),
    ),
    checks.Differ: (_differ,),
    checks.Refute: (_differ,),
    checks.NoSentence: (_says,),
    models.Shapes: (_field("shapes"),),
    models.Counts: (_field("counts"),),
    models.Kinds: (_field("learned"), lambda check, dice: iter([replace(check, kinds=check.kinds + " relu")])),
    models.Output: (_field("numbers"),),
    models.Skips: (_field("number"), _field("problems")),
    example.Scores: (_field("numbers"), lambda check, dice: iter([replace(check, flip=not check.flip)])),
    example.Backward: (_field("numbers"), _field("checksums")),
    example.Losses: (_field("loss"), _field("numbers")),
    example.Descent: (_field("rate"), _field("before"), _field("after"), _field("biases")),
    example.Differences: (lambda check, dice: iter([replace(check, within=0.0)]),),
}


def of_check(check: Check, dice: random.Random) -> Iterator[Check]:
    """The mutants of one check, in an order of the dice."""
    ways = list(KINDS[type(check)])
    dice.shuffle(ways)
    for way in ways:
        yield from way(check, dice)


def of_entry(entry: Entry, dice: random.Random) -> Iterator[Entry]:
    """The entry with one error in one check, the checks in an order of the dice; one error of each."""
    for place in dice.sample(range(len(entry.checks)), len(entry.checks)):
        for changed in of_check(entry.checks[place], dice):
            yield replace(entry, checks=(*entry.checks[:place], changed, *entry.checks[place + 1 :]))
            break
