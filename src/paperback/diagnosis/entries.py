"""Judging every entry of every gradient, where whole Jacobians can be computed."""

from __future__ import annotations

__all__ = ["Entries", "Outcome", "sentence_of", "worst_of"]

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from paperback.diagnosis.arrays import Array, rounded_anew
from paperback.diagnosis.evidence import Evidence, Reading
from paperback.diagnosis.hypotheses import explain
from paperback.diagnosis.kinks import outside_slopes
from paperback.diagnosis.patterns import PATTERNS
from paperback.diagnosis.report import ArgumentVerdict, Finding, Worst
from paperback.diagnosis.subject import Complaint
from paperback.diagnosis.tolerance import Judged, allowed_entries

if TYPE_CHECKING:
    from paperback.diagnosis.examination import Examination

_UP_TO = {"factor": 0.7, "sign": 0.7, "missing-mean": 0.8, "doubled-mean": 0.8}  # a grader's partial credit


@dataclass
class Outcome:
    """What judging found."""

    findings: list[Finding] = field(default_factory=list)
    verdicts: dict[str, ArgumentVerdict] = field(default_factory=dict)
    power: str = ""


class Entries:
    """Returned beside true, for a few random cotangents."""

    def __init__(self, examination: Examination) -> None:
        self.examination = examination
        self.subject, self.main, self.truth = examination.subject, examination.main, examination.truth
        self.epsilon = examination.epsilon
        self.g = examination.cotangents(examination.budget.cotangents)

    def judge(self) -> Outcome:
        outcome = Outcome()
        pulled = [self._pull(g) for g in self.g]
        returned = {place: np.stack([grads[k] for grads in pulled]) for k, place in enumerate(self.subject.wrt)}
        changed = self._rounded_anew(pulled)
        least = []
        for place in self.subject.wrt:
            judged = self._judged(place, returned[place], changed[place])
            if judged.bad.any():
                entries = np.flatnonzero(judged.bad.any(0))
                self.truth.by_differences(place, entries)
                judged = self._judged(place, returned[place], changed[place])
            self._tell(outcome, place, judged)
            least.append(self._least(judged))
        count = sum(self.truth.slopes.size(place) for place in self.subject.wrt)
        outcome.power = (
            f"power: all {count:,} entries were compared with the true gradient for {len(self.g)} random upstream "
            f"gradients; an error of {max(least):.1g} of a typical entry is seen"
        )
        return outcome

    def _pull(self, g: Array) -> list[Array]:
        return [gradient.ravel().astype(np.float64) for gradient in self.subject.pull(g, self.main)]

    def _rounded_anew(self, pulled: list[list[Array]]) -> dict[int, Array]:
        """What the gradients change by when the arguments are rounded anew, for every cotangent and entry."""
        random = np.random.default_rng([self.examination.seed, 3])
        apart = [np.zeros((len(self.g), gradient.size)) for gradient in pulled[0]]
        for _ in range(2):
            moved = rounded_anew(self.main, self.epsilon, random)
            for row, g in enumerate(self.g):
                try:
                    again = self.subject.pull(g, moved)
                except Complaint:
                    continue
                for k, gradient in enumerate(again):
                    apart[k][row] = np.maximum(apart[k][row], np.abs(gradient.ravel() - pulled[row][k]))
        return {place: np.nan_to_num(apart[k], posinf=0.0) for k, place in enumerate(self.subject.wrt)}

    def _judged(self, place: int, returned: Array, changed: Array) -> Judged:
        columns = self.truth.columns(place)
        true = self.g @ columns.J
        valid = ~((np.abs(self.g) > 0) @ columns.kinked)
        quiet = np.where(valid, changed, 0)
        sizes = [float((np.abs(g) * self.truth.slopes.natural(place)).max(initial=0.0)) for g in self.g]
        allowed = np.stack(
            [
                allowed_entries(columns.J, columns.E, g, np.maximum(row, 0.1 * _rms(row)), size, self.epsilon)
                for g, row, size in zip(self.g, quiet, sizes, strict=True)
            ]
        )
        return Judged(returned, true, allowed, valid)

    def _least(self, judged: Judged) -> float:
        size = _rms(judged.true[judged.valid]) or 1.0
        return float(np.median(judged.allowed[judged.valid]) / size) if judged.valid.any() else 0.0

    def _tell(self, outcome: Outcome, place: int, judged: Judged) -> None:
        argument = self.subject.arguments[place]
        assert argument.array is not None
        bad = judged.bad
        size = _rms(judged.true[judged.valid])
        apart = np.abs(judged.returned - judged.true)[judged.valid]
        error = float(apart.max(initial=0.0)) / (size or 1.0)
        kind = str(argument.array.dtype)
        unseen = int((~judged.valid.all(0)).sum())
        if unseen:
            where = np.argwhere(~judged.valid.all(0).reshape(argument.shape))[0]
            place_told = f"[{','.join(map(str, where))}]" if len(where) else ""
            told = (
                f"{unseen:,} of {argument.array.size:,} entries of {argument.name} are at a kink or a tie, "
                f"{argument.name}{place_told} for one: any value between the slopes of both sides is right there"
            )
            outcome.findings.append(Finding("kink", argument.name, told))
        if not bad.any():
            outside = outside_slopes(self.truth.slopes, place, self.g, judged) if unseen else None
            verdict, score = ("right", 1.0) if outside is None else ("wrong", 1 - unseen / argument.array.size)
            outcome.verdicts[argument.name] = ArgumentVerdict(argument.shape, kind, verdict, error, round(score, 4))
            outcome.findings += [outside] if outside is not None else []
            return
        findings = self._explained(place, judged)
        outcome.findings += findings
        right = 1 - float(bad.any(0).mean())
        score = _UP_TO.get(findings[0].pattern, 0.5 * right) if findings[0].after is not None else 0.5 * right
        outcome.verdicts[argument.name] = ArgumentVerdict(argument.shape, kind, "wrong", error, round(score, 4))

    def _explained(self, place: int, judged: Judged) -> list[Finding]:
        argument = self.subject.arguments[place]
        finite = np.isfinite(judged.returned)
        worst = worst_of(judged, argument.shape)
        if not finite.all():
            count = int((~finite.all(0)).sum())
            return [
                Finding(
                    "nan",
                    argument.name,
                    f"the gradient of {argument.name} is NaN or infinite in {count:,} of {finite.shape[1]:,} entries",
                    worst=worst,
                )
            ]
        evidence = self._evidence(place, judged)
        rough = self._rounding(judged, evidence)
        if rough is not None:
            return [Finding("rounding", argument.name, rough, evidence.before, None, worst)]
        return [
            Finding(
                e.slug,
                argument.name,
                sentence_of(argument.name, e.slug, e.words),
                evidence.before,
                e.residual if e.explained or e.residual < evidence.before else None,
                worst,
                e.also,
                e.words,
                e.hint,
            )
            for e in explain(evidence)
        ]

    def _rounding(self, judged: Judged, evidence: Evidence) -> str | None:
        """Errors without a pattern that are small beside the entries, in a type that could do better."""
        if not 0 < evidence.before < 3e-3:
            return None
        apart = np.abs(judged.returned - judged.true)
        sums = np.stack([np.abs(g) @ np.abs(evidence.J) for g in evidence.g])
        share = (apart / (sums + 1e-3 * sums.max()))[judged.valid]
        touched = float((apart > judged.allowed / 50)[judged.valid].mean())
        if share.max(initial=0.0) > 2e-2 or touched < 0.3:
            return None
        if evidence.fit(Reading("factor", "", evidence.true)).residual < 0.1 * evidence.before:
            return None
        digits = "16-bit" if evidence.before > 2e-5 else "32-bit"
        return (
            f"the gradient of {evidence.name} is right to {evidence.before:.1g} only, as with {digits} numbers inside"
        )

    def _evidence(self, place: int, judged: Judged) -> Evidence:
        argument = self.subject.arguments[place]
        wide = self.truth.arrays
        x = wide[place]
        assert x is not None
        parts = self.subject.outputs(wide)
        k = self.subject.wrt.index(place)

        def pulled(g: Array) -> Array | None:
            try:
                return np.stack([self.subject.pull(row, self.main)[k].ravel().astype(np.float64) for row in g])
            except Complaint:
                return None

        named = dict(zip((a.name for a in self.subject.arguments), wide, strict=True))
        earlier = self.examination.earlier
        old = dict(zip(named, earlier, strict=True)) if earlier is not None else {}
        return Evidence(
            argument.name,
            place,
            x.astype(np.float64),
            {name: array for name, array in named.items() if array is not None},
            [part for part in parts if part.dtype.kind == "f"],
            self.truth.columns(place).J,
            self.g,
            judged.returned,
            judged.true,
            judged.allowed,
            judged.valid,
            {self.subject.arguments[i].name: self.g @ self.truth.columns(i).J for i in self.subject.wrt},
            lambda changed, entries: self.truth.jacobian_at(place, changed, entries),
            pulled,
            earlier={name: array for name, array in old.items() if array is not None and array.dtype.kind == "f"}
            or None,
        )


def worst_of(judged: Judged, shape: tuple[int, ...]) -> Worst:
    """The entry that is furthest off."""
    apart = np.where(judged.valid, np.abs(judged.returned - judged.true), -1)
    apart = np.where(np.isnan(apart), np.inf, apart)
    row, flat = np.unravel_index(int(apart.argmax()), apart.shape)
    index = tuple(int(i) for i in np.unravel_index(int(flat), shape)) if shape else ()
    return Worst(index, float(judged.returned[row, flat]), float(judged.true[row, flat]))


def sentence_of(name: str, slug: str, words: str) -> str:
    """What is said of an argument's gradient."""
    if slug == "unexplained":
        return f"the gradient of {name} is wrong, and no pattern fits" + (f"; {words}" if words else "")
    return f"the gradient of {name} is {words or PATTERNS[slug].sentence}"


def _rms(array: Array) -> float:
    return float(np.sqrt(np.mean(array**2))) if array.size else 0.0
