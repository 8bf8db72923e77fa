"""An entry of the book, and what came of deciding it.

    Entry     what is claimed, what the document has instead, and the checks that decide
    Finding   the steps that the checks took, and the verdict now

Verdicts are words of the catalogue. Two facts are computed: does the (corrected) statement hold, and is the document's
own version refuted? RIGHT: it holds, and the document says just that. WRONG: it holds, and the document's version is
refuted. The other words say why document and statement differ, which no computation can know: OCR (a scan error that
is evident), CONV (one of several conventions, or less than is needed), MISSING (the document is silent where it should
not be), IMPLIED (it is silent, and the catalogue adds what is needed).
"""

from __future__ import annotations

__all__ = ["VERDICTS", "Entry", "Finding", "Found", "decide"]

import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from paperback.claims.checks import Check, Side, Step
from paperback.claims.show import page
from paperback.errors import PaperbackError

FILES: Mapping[str, str] = {
    "A": "output units, losses, softmax, tanh, convolution arithmetic, backpropagation through 1-D convolutions",
    "B": "convolution identities and Jacobians of an MLP, first solution",
    "C": "convolution identities and Jacobians of an MLP, second solution",
    "D": "perceptron, DCT, sigmoid layer, skip connection",
    "E": "formula sheet of a CNN with backpropagation",
}
VERDICTS: Mapping[str, frozenset[str]] = {  # verdict -> what may be found
    "RIGHT": frozenset({"holds"}),
    "WRONG": frozenset({"holds, the document's version is refuted"}),
    "OCR": frozenset({"holds", "holds, the document's version is refuted"}),
    "CONV": frozenset({"holds", "holds, the document's version is refuted"}),
    "MISSING": frozenset({"holds"}),
    "IMPLIED": frozenset({"holds"}),
}


@dataclass(frozen=True)
class Entry:
    """One numbered item of the catalogue.

    verdict   the catalogue's
    checks    what decides it
    says      the corrected statement, in words where formulas are not enough
    has       what the document has instead
    """

    id: str
    verdict: str
    title: str
    checks: tuple[Check, ...]
    says: str = ""
    has: str = ""

    @property
    def source(self) -> str:
        """Where it stands: the file, and the section or the number of the equation."""
        part = self.id[1:].rstrip("abcdefghijk") if self.id[0] in "ADE" else self.id[1]
        where = "equation" if self.id[0] == "E" else "problem" if self.id[0] in "BC" else "section"
        return f"file {self.id[0]} ({FILES[self.id[0]]}), {where} {part}"

    @property
    def formulas(self) -> tuple[Side, ...]:
        """The formulas of the statement, each once."""
        return tuple(dict.fromkeys(side for check in self.checks for side in check.sides))

    @property
    def versions(self) -> tuple[Check, ...]:
        """The checks that speak of the document's version."""
        return tuple(check for check in self.checks if check.document)


@dataclass(frozen=True)
class Found:
    """A step, and whether it speaks of the document's version."""

    step: Step
    document: bool


@dataclass(frozen=True)
class Finding:
    """What came of one entry, decided now."""

    entry: Entry
    steps: tuple[Found, ...]
    seconds: float

    @property
    def found(self) -> str:
        """What was computed, in words."""
        failed = [own for own in self.steps if not own.step.holds]
        if any(own.document for own in failed):
            return "the document's version is not refuted"
        if failed or not self.steps:
            return "the statement is refuted" if any(own.step.status == "refuted" for own in failed) else "not shown"
        return "holds, the document's version is refuted" if self.entry.versions else "holds"

    @property
    def agrees(self) -> bool:
        """Is the verdict now that of the catalogue?"""
        return self.found in VERDICTS[self.entry.verdict]

    @property
    def verdict(self) -> str:
        """The verdict now: the catalogue's word where what was found bears it out, else what was found."""
        return self.entry.verdict if self.agrees else self.found

    def __str__(self) -> str:
        return page(self)

    @property
    def how(self) -> str:
        """How it was decided: the words of the steps, each once."""
        return ", ".join(dict.fromkeys(own.step.status for own in self.steps))


def decide(entry: Entry) -> Finding:
    """Run all checks of an entry."""
    start = time.perf_counter()
    steps = tuple(Found(step, check.document) for check in entry.checks for step in _steps(check))
    return Finding(entry, steps, time.perf_counter() - start)


def _steps(check: Check) -> Iterator[Step]:
    try:
        yield from check.steps()
    except PaperbackError as error:
        yield Step(type(check).__name__, "error", False, str(error))
