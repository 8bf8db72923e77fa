"""Wrong variants of a true statement, as they are written by mistake: one change each, in the text."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

Mutator = Callable[[str], Iterator[str]]


def _each(pattern: str, replace: Callable[[re.Match[str]], str]) -> Mutator:
    """One replacement at a time, outside the where clauses."""

    def mutate(text: str) -> Iterator[str]:
        for match in re.finditer(pattern, text):
            before = text[: match.start()]
            if " where " not in before[before.rfind(";") + 1 :]:
                yield text[: match.start()] + replace(match) + text[match.end() :]

    return mutate


def _whole(replace: Callable[[str], str]) -> Mutator:
    """A change of the whole right side of the last statement."""

    def mutate(text: str) -> Iterator[str]:
        statement = text.rfind(";") + 1
        head = re.match(r"\s*\w+\s*(\[[^=]*?\])?\s*=(?!=)|", text[statement:])
        assert head is not None
        start = statement + head.end()
        body, where, clauses = text[start:].partition(" where ")
        yield f"{text[:start]} {replace(body.strip())}{where}{clauses}"

    return mutate


MUTATORS: dict[str, Mutator] = {
    "a guard dropped": _each(r"\[[^\[\]]*(<|==|\|)[^\[\]]*\]\*", lambda m: ""),
    "a bound off by one": _each(r"<(?=[^<>]*\])", lambda m: "<=" if m.string[m.end()] != "=" else "<"),
    "an index off by one": _each(r"\[(\w)([,\]])", lambda m: f"[{m[1]}+1{m[2]}"),
    "a constant off by one": _each(r"-1\b", lambda m: "-2"),
    "a flip forgotten": _each(r"(\w)-1-(\w)", lambda m: m[2]),
    "an index reversed": _each(r"([a-z])\+([a-z])\]", lambda m: f"{m[1]}-{m[2]}]"),
    "indices swapped": _each(r"\[(\w),(\w)\]", lambda m: f"[{m[2]},{m[1]}]"),
    "a stride forgotten": _each(r"\b[23s]\*(?=[a-z])", lambda m: ""),
    "a sign": _each(r" \+ (?=\(|\w)| - (?=\(|\w)", lambda m: " - " if "+" in m[0] else " + "),
    "a mean instead of a sum": _each(r"sum\((\w)\) ", lambda m: f"1/2*sum({m[1]}) "),
    "a square": _each(r"\^2", lambda m: "^3"),
    "a division forgotten": _each(r"/(\w+|\([^()]*\))(?=[\s;)*]|$)", lambda m: ""),
    "a factor squared": _each(r"\b(dy|w|W|dC|dS|S|g|A)(\[[^\[\]]*\])(?=[*\s;]|$)", lambda m: f"{m[1]}{m[2]}^2"),
    "another function": _each(r"\b(sigmoid|tanh|relu|abs|exp|max|min)\((?=[^)]*[a-z])",
                              lambda m: {"sigmoid": "tanh", "tanh": "sigmoid", "relu": "abs", "abs": "relu",
                                         "exp": "sigmoid", "max": "min", "min": "max"}[m[1]] + "("),
    "twice too large": _whole(lambda body: f"2*({body})"),
    "the sign of all": _whole(lambda body: f"-({body})"),
    "one too many": _whole(lambda body: f"({body}) + 1"),
}  # fmt: skip


def mutants(text: str) -> Iterator[tuple[str, str]]:
    """(what was done, the wrong text), each text once."""
    seen = {text}
    for name, mutate in MUTATORS.items():
        for wrong in mutate(text):
            if wrong not in seen:
                seen.add(wrong)
                yield name, wrong
