"""What the doctor says: findings, ranked; about ten lines on a terminal; JSON of a stable schema.

    finding.pattern      a slug of `PATTERNS`
    finding.argument     whose gradient
    finding.sentence     what is the matter, with names and numbers
    finding.evidence     how well the explanation fits: the relative residual before and after it
    finding.worst        the entry that is furthest off: index, returned, true
    finding.fix          one line

Schema of `json()`, version 1: {"version", "ok", "judged", "score", "grade", "findings": [{"pattern", "also",
"judgement", "argument", "sentence", "fix", "before", "after", "worst": {"index", "returned", "true"} or null,
"detail"}], "arguments": {name: {"shape", "dtype", "verdict", "error"}}, "power", "calls": {"forward", "backward"}}.
"""

from __future__ import annotations

__all__ = ["ArgumentVerdict", "Finding", "Report", "Worst"]

import json
import math
from dataclasses import asdict, dataclass, field
from typing import Any

from paperback.diagnosis.patterns import NOTE, PATTERNS, UNJUDGED, WRONG

_SHOWN = 6  # findings on a terminal


@dataclass(frozen=True)
class Worst:
    """The entry that is furthest off."""

    index: tuple[int, ...]
    returned: float
    true: float

    def __str__(self) -> str:
        place = f" [{','.join(map(str, self.index))}]" if self.index else ""
        return f"{place}: returned {self.returned:.6g}, true {self.true:.6g}"


@dataclass(frozen=True)
class Finding:
    """One thing that was found; see the module."""

    pattern: str
    argument: str | None
    sentence: str
    before: float | None = None
    after: float | None = None
    worst: Worst | None = None
    also: tuple[str, ...] = ()  # patterns that give the same numbers here
    detail: str = ""
    hint: str = ""

    @property
    def judgement(self) -> str:
        return PATTERNS[self.pattern].judgement

    @property
    def fix(self) -> str:
        return self.hint or PATTERNS[self.pattern].fix

    @property
    def patterns(self) -> tuple[str, ...]:
        """The pattern, and those that cannot be told from it."""
        return (self.pattern, *self.also)

    @property
    def evidence(self) -> str:
        if self.before is None:
            return ""
        told = f"relative residual {self.before:.2g}"
        return told if self.after is None else f"{told}, with this explanation {self.after:.2g}"

    def lines(self) -> list[str]:
        found = [f"{self.pattern}: {self.sentence}"]
        shown = "; ".join(part for part in (self.evidence, f"worst entry{self.worst}" if self.worst else "") if part)
        if shown:
            found.append(f"  {shown}")
        if self.judgement != NOTE:
            found.append(f"  fix: {self.fix}")
        return found

    def plain(self) -> dict[str, Any]:
        """Data for JSON."""
        worst = None
        if self.worst is not None:
            worst = {
                "index": list(self.worst.index),
                "returned": _number(self.worst.returned),
                "true": _number(self.worst.true),
            }
        return {
            "pattern": self.pattern,
            "also": list(self.also),
            "judgement": self.judgement,
            "argument": self.argument,
            "sentence": self.sentence,
            "fix": self.fix,
            "before": _number(self.before),
            "after": _number(self.after),
            "worst": worst,
            "detail": self.detail,
        }


@dataclass(frozen=True)
class ArgumentVerdict:
    """What was found of one argument's gradient."""

    shape: tuple[int, ...]
    dtype: str
    verdict: str  # "right", "wrong", "unjudged"
    error: float | None  # the largest error of an entry, relative to the typical one
    score: float


@dataclass(frozen=True, repr=False)
class Report:
    """What the doctor found. `ok`: it was judged, and nothing is wrong."""

    subject: str
    findings: tuple[Finding, ...]
    arguments: dict[str, ArgumentVerdict] = field(default_factory=dict)
    power: str = ""
    forward_calls: int = 0
    backward_calls: int = 0

    @property
    def ok(self) -> bool:
        return not any(finding.judgement == WRONG for finding in self.findings) and self.judged

    @property
    def judged(self) -> bool:
        """Could the gradient be judged at all?"""
        return not any(finding.judgement == UNJUDGED for finding in self.findings)

    @property
    def pattern(self) -> str | None:
        """The slug of the first finding that says what is wrong; None where nothing is."""
        return next((finding.pattern for finding in self.findings if finding.judgement == WRONG), None)

    @property
    def score(self) -> float:
        """From 0 to 1, for graders: the mean over the arguments; 1 for right. See `grade`."""
        if not self.judged or not self.arguments:
            return 0.0
        whole = sum(verdict.score for verdict in self.arguments.values()) / len(self.arguments)
        general = any(f.judgement == WRONG and f.argument not in self.arguments for f in self.findings)
        return round(min(whole, 0.8) if general else whole, 4)

    @property
    def grade(self) -> str:
        """The score in words: "right", "right up to a factor (x) ...", "wrong"."""
        if not self.judged:
            return "not judged"
        if self.ok:
            return "right"
        told = [f for f in self.findings if f.judgement == WRONG]
        if all(f.pattern in UP_TO for f in told):
            return "right up to " + " and ".join(dict.fromkeys(f"{f.detail or f.sentence}" for f in told))
        return "wrong"

    def __repr__(self) -> str:
        return str(self)  # what a notebook shows

    def __str__(self) -> str:
        verdict = "right" if self.ok else "wrong" if self.judged else "not judged"
        calls = f"{self.forward_calls:,} forward and {self.backward_calls:,} backward calls"
        lines = [f"{self.subject}: {verdict} ({calls})"]
        groups = _alike(self.findings)
        for group in groups[:_SHOWN]:
            lines += group[0].lines()
            if len(group) > 1:
                lines.insert(
                    len(lines) - (group[0].judgement != NOTE),
                    "  the same of " + ", ".join(str(f.argument) for f in group[1:]),
                )
        if len(groups) > _SHOWN:
            lines.append(f"and {len(groups) - _SHOWN} more")
        right = [name for name, verdict in self.arguments.items() if verdict.verdict == "right"]
        if right and not self.ok:
            lines.append(f"right: {', '.join(right)}")
        if self.power:
            lines.append(self.power)
        return "\n".join(lines)

    def plain(self) -> dict[str, Any]:
        """Data for JSON: see the module for the schema."""
        return {
            "version": 1,
            "subject": self.subject,
            "ok": self.ok,
            "judged": self.judged,
            "score": self.score,
            "grade": self.grade,
            "findings": [finding.plain() for finding in self.findings],
            "arguments": {
                name: {
                    key: list(value) if isinstance(value, tuple) else _number(value)
                    for key, value in asdict(verdict).items()
                }
                for name, verdict in self.arguments.items()
            },
            "power": self.power,
            "calls": {"forward": self.forward_calls, "backward": self.backward_calls},
        }

    def json(self) -> str:
        return json.dumps(self.plain(), allow_nan=False)


def _alike(findings: tuple[Finding, ...]) -> list[list[Finding]]:
    """Findings that say the same of several arguments, together."""
    groups: dict[tuple[str, str], list[Finding]] = {}
    for finding in findings:
        said = (
            finding.sentence
            if finding.argument is None
            else finding.sentence.replace(f" {finding.argument} ", " _ ", 1)
        )
        groups.setdefault((finding.pattern, said), []).append(finding)
    return list(groups.values())


UP_TO = {"factor", "sign", "missing-mean", "doubled-mean"}


def _number(value: Any) -> Any:
    """JSON has no NaN and no infinity: they are words there."""
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    return value
