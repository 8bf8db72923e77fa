"""The book for people and for programs: a table, one entry whole, and plain values for JSON."""

from __future__ import annotations

__all__ = ["as_json", "head", "page", "row", "summary"]

from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from paperback.claims.checks import Printed, made, written
from paperback.errors import FormulaError

if TYPE_CHECKING:
    from paperback.claims.record import Finding

_INDENT = "    "
_WIDE = 56  # of a title in the table
_LONGEST = 230  # of a line of a page


def head() -> str:
    """The names of the columns."""
    return _row("claim", "title", "said", "found", "time", "decided by")


def row(finding: Finding) -> str:
    """One line of the table: id, title, the catalogue's verdict, the verdict now, the time, how it was decided."""
    entry = finding.entry
    mark = "" if finding.agrees else "  <-- not as in the catalogue"
    time = f"{finding.seconds:.2f} s"
    return _row(entry.id, entry.title, entry.verdict, finding.verdict, time, f"{finding.how}{mark}")


def _row(name: str, title: str, said: str, found: str, time: str, how: str) -> str:
    short = title if len(title) <= _WIDE else f"{title[: _WIDE - 3]}..."
    return f"{name:<6} {short:<{_WIDE}}  {said:<8} {found:<8} {time:>7}  {how}"


def summary(findings: Sequence[Finding]) -> str:
    """How many, by verdict, and whether all are as in the catalogue."""
    counts = Counter(own.verdict for own in findings)
    told = ", ".join(f"{count} {verdict}" for verdict, count in counts.most_common())
    agree = sum(own.agrees for own in findings)
    time = sum(own.seconds for own in findings)
    return f"{agree} of {len(findings)} claims as in the catalogue: {told}; {time:.1f} s"


def page(finding: Finding) -> str:
    """One entry whole."""
    return "\n".join(line if len(line) <= _LONGEST else f"{line[:_LONGEST]} ..." for line in _lines(finding))


def _lines(finding: Finding) -> Iterator[str]:
    entry = finding.entry
    yield f"{entry.id}  {entry.title}"
    yield f"from {entry.source}; in the catalogue {entry.verdict}"
    if entry.says or entry.formulas:
        yield ""
        yield "the statement"
        if entry.says:
            yield _INDENT + entry.says
        for side in entry.formulas:
            yield _INDENT + written(side)
        yield "in LaTeX"
        for side in entry.formulas:
            if isinstance(side, Printed):
                yield _INDENT + side.text
            elif isinstance(side, str):
                with suppress(FormulaError):  # then the steps say what is wrong with it
                    yield from (_INDENT + line for line in made(side).latex(where=False).splitlines())
    if entry.has:
        yield ""
        yield "the document has"
        yield _INDENT + entry.has
    yield ""
    yield "decided now"
    for number, own in enumerate(finding.steps, 1):
        step = own.step
        whose = "the document's version  " if own.document else ""
        first, *rest = f"{whose}{step.what}".splitlines()
        yield f"{number:>3} {first}"
        yield from (_INDENT + line for line in rest)
        status = step.status if step.holds else f"NOT AS NEEDED: {step.status}"
        yield f"{_INDENT}-> {status}{': ' if step.found else ''}{step.found}"
    yield ""
    yield f"verdict  {finding.verdict}: {finding.found} ({finding.seconds:.2f} s)"


def as_json(finding: Finding) -> dict[str, Any]:
    """Plain values; the keys are stable."""
    entry = finding.entry
    return {
        "id": entry.id,
        "title": entry.title,
        "source": entry.source,
        "statement": entry.says,
        "formulas": [written(side) for side in entry.formulas],
        "document": entry.has,
        "expected": entry.verdict,
        "verdict": finding.verdict,
        "found": finding.found,
        "agrees": finding.agrees,
        "seconds": round(finding.seconds, 3),
        "steps": [
            {
                "what": own.step.what,
                "of": "document" if own.document else "statement",
                "status": own.step.status,
                "holds": own.step.holds,
                "found": own.step.found,
                "counterexample": own.step.counterexample,
            }
            for own in finding.steps
        ],
    }
