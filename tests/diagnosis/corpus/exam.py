"""The examination of the doctor: every bug of the corpus, and every right gradient.

A bug is found where the report is not `ok`. Its cause is named first where the first wrong finding has one of the bug's
slugs and is about an argument that is wrong; in the top three where one of the first three names said is one. Of two
mistakes at once, both have to be among these three. Names that a finding gives beside its own (`also`) come after it.
"""

from __future__ import annotations

__all__ = ["Verdict", "alarms", "examined", "share", "slugs"]

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
from tests.diagnosis.corpus.bug import Bug
from tests.diagnosis.corpus.right import Right

from paperback.diagnosis import doctor

WRONG = "wrong"


@dataclass(frozen=True)
class Verdict:
    """What the doctor said of one bug."""

    bug: Bug
    seed: int
    found: bool
    first: bool
    top: bool
    said: tuple[str, ...]
    report: Any


def slugs(report: Any) -> tuple[str, ...]:
    """The names of what is wrong, in order."""
    named = [slug for finding in report.findings if finding.judgement == WRONG for slug in finding.patterns]
    return tuple(dict.fromkeys(named))


def examined(bug: Bug, seed: int) -> Verdict:
    arguments = bug.operation.sample(np.random.default_rng(seed))
    forward, backward = bug.make()
    report = doctor(forward, backward, arguments, seed=seed)
    wrong = [finding for finding in report.findings if finding.judgement == WRONG]
    said = slugs(report)
    first = bool(wrong) and wrong[0].pattern in (*bug.causes, *bug.second)
    first = first and (wrong[0].argument is None or not bug.arguments or wrong[0].argument in bug.arguments)
    top = all(not causes or any(slug in causes for slug in said[:3]) for causes in (bug.causes, bug.second))
    return Verdict(bug, seed, not report.ok and bool(wrong), first, top, said, report)


def alarms(right: Right, seed: int) -> tuple[tuple[str, ...], str]:
    """The names of what the doctor holds for wrong in a right gradient; and why it declined, where it may not."""
    report = doctor(right.forward, right.backward, right.sample(np.random.default_rng(seed)), seed=seed)
    declined = [finding.pattern for finding in report.findings if finding.judgement == "unjudged"]
    return slugs(report), " ".join(slug for slug in declined if slug not in right.declined)


def share(verdicts: Iterable[Verdict], what: str) -> float:
    """Of `found`, `first` or `top`."""
    asked = list(verdicts)
    return sum(getattr(verdict, what) for verdict in asked) / len(asked)
