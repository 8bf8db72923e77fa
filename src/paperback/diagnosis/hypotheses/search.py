"""The search: families in the order of their cost, then pairs; the cheapest explanation within the tolerance wins.

    stage 1    single readings, each with a factor that is fitted
    stage 2    what needs the backward's own Jacobian, places, normalisations
    stage 3    the true Jacobian at changed arguments
    stage 4    two changes at once: of the upstream gradient and of the result; a factor of every output or entry
    stage 5    what predicts nothing: laws that are broken, where it is wrong

A search ends after the first stage that explains the gradient.
"""

from __future__ import annotations

__all__ = ["FAMILIES", "Explanation", "explain"]

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np

from paperback.diagnosis.evidence import Evidence, Fit, Reading
from paperback.diagnosis.hypotheses.change import Change, axis_changes, reduced_changes
from paperback.diagnosis.hypotheses.laws import broken_law
from paperback.diagnosis.hypotheses.masks import masks, piecewise
from paperback.diagnosis.hypotheses.places import few, places, where_wrong
from paperback.diagnosis.hypotheses.points import points
from paperback.diagnosis.hypotheses.scaled import other_scales, scaled
from paperback.diagnosis.hypotheses.sizes import Named, name_factor, unequal_parts
from paperback.diagnosis.hypotheses.statistics import statistics
from paperback.diagnosis.hypotheses.sums import sums
from paperback.diagnosis.hypotheses.terms import terms
from paperback.diagnosis.hypotheses.upstream import upstream_changes
from paperback.diagnosis.hypotheses.values import another_function, elementwise, other_things, swapped

_MOSTLY, _SELDOM = 0.6, 0.4  # the shares of entries in which a reading is exact, and the true gradient
_PARTLY = 0.3  # a reading that leaves less of the residual is told as a part of the matter


@dataclass(frozen=True)
class Explanation:
    """A pattern with a sentence's end, and how well it fits."""

    slug: str
    words: str
    cost: float
    residual: float
    explained: bool
    also: tuple[str, ...] = ()
    hint: str = ""
    factor: float = 1.0


def itself(evidence: Evidence) -> Iterator[Reading]:
    """The true gradient, which a factor may make the returned one."""
    yield Reading("factor", "", evidence.true, 0.0)


def transposed(evidence: Evidence) -> Iterator[Reading]:
    """The Jacobian in place of its transpose; that of a shift is a shift the other way."""
    if evidence.J.shape[0] == evidence.J.shape[1]:
        predicted = evidence.g @ evidence.J.T
        words = "the upstream gradient times the Jacobian, where its transpose is needed"
        yield Reading("axes-swapped", words, predicted, 1.8, ("argument-transformed",))
        outputs, entries = np.nonzero(np.abs(evidence.J) > 1e-7 * np.abs(evidence.J).max(initial=0.0))
        if len(set(outputs - entries)) == 1 and outputs[0] != entries[0]:
            words = "shifted in the direction of the forward, where it has to go back"
            yield Reading("shifted", words, predicted, 1.6, ("not-flipped",))


def of_upstream(evidence: Evidence) -> Iterator[Reading]:
    for change in upstream_changes(evidence):
        yield _upstream(evidence, change)


def of_result(evidence: Evidence) -> Iterator[Reading]:
    for change in _result_changes(evidence):
        predicted = change.apply(evidence.folded(evidence.true)).reshape(evidence.true.shape)
        yield Reading(change.slug, change.words, predicted, change.cost, change.also)


def _result_changes(evidence: Evidence) -> Iterator[Change]:
    for change in reduced_changes(evidence.shape):
        if change.slug == "averaged":
            yield Change(
                "wrong-axis-sum",
                f"summed or averaged over {change.words.removeprefix('averaged over ')}, and spread again",
                change.apply,
                1.5,
            )
    yield from axis_changes(evidence.shape)
    x = evidence.x.astype(np.float64)
    yield Change("wrong-derivative", f"multiplied by {evidence.name} once more", lambda t: t * x, 1.7)
    with np.errstate(all="ignore"):
        yield Change("wrong-derivative", f"divided by {evidence.name}", lambda t: t / x, 1.8)
    yield Change("wrong-derivative", "without its sign", np.abs, 1.7, ("sign",))
    if len(evidence.outputs) == 1 and evidence.y.shape == evidence.shape and evidence.shape:
        yield Change("wrong-derivative", "multiplied by the output once more", lambda t: t * evidence.y, 1.7)
        with np.errstate(all="ignore"):
            yield Change("wrong-derivative", "divided by the output", lambda t: t / evidence.y, 1.8)


def _upstream(evidence: Evidence, change: Change) -> Reading:
    slug, also = change.slug, change.also
    if slug == "axes-swapped" and "wrong-axis-sum" not in also and _only_sums(evidence):
        slug, also = "wrong-axis-sum", ("axes-swapped", *also)
    return Reading(slug, change.words, evidence.back(change.apply(evidence.g)), change.cost, also)


def _only_sums(evidence: Evidence) -> bool:
    """Is the argument only added: does every output read one entry, with the same weight?"""
    J = evidence.J
    size = np.abs(J).max(initial=0.0)
    if not size or J.shape[1] >= J.shape[0]:
        return False
    reads = np.abs(J) > 1e-7 * size
    return bool((reads.sum(1) == 1).all() and np.abs(J[reads] - size).max(initial=0.0) <= 1e-6 * size)


Family = Callable[[Evidence], Iterator[Reading]]
FAMILIES: tuple[tuple[Family, ...], ...] = (
    (itself, other_things, swapped, piecewise, of_upstream, of_result, sums),
    (masks, statistics, elementwise, places, unequal_parts, few),
    (points, terms, transposed, scaled),
)


def explain(evidence: Evidence, most: int = 3) -> list[Explanation]:
    """What explains the returned gradient, cheapest first; else the best part of it; else "unexplained"."""
    found: list[Fit] = []
    with np.errstate(all="ignore"):
        for stage in FAMILIES:
            found += [evidence.fit(reading) for family in stage for reading in family(evidence)]
            told = _ranked(evidence, [fit for fit in found if fit.explained])
            if told:
                return told[:most]
        told = _ranked(evidence, _pairs(evidence))
        told = told or _ranked(evidence, [fit for fit in map(evidence.fit, other_scales(evidence)) if fit.explained])
    if told:
        return told[:most]
    if not evidence.linear:
        return [Explanation("not-linear", "not linear in the upstream gradient", 8.0, evidence.before, False)]
    nearly = _nearly(evidence, found)
    if nearly is not None:
        return [nearly]
    other = another_function(evidence)
    if other:
        return [Explanation("wrong-derivative", other, 8.0, evidence.before, False, ("branch",))]
    law = broken_law(evidence)
    if law is not None:
        return [Explanation(law.slug, law.words, 8.0, evidence.before, False, law.also, law.hint)]
    best = min(found, key=lambda fit: fit.residual + 0.01 * fit.reading.cost, default=None)
    where = where_wrong(evidence)
    if best is not None and best.residual < _PARTLY * evidence.before:
        part = _explanation(evidence, best)
        return [
            Explanation(
                part.slug,
                f"mostly {part.words}; {where}" if where else f"mostly {part.words}",
                part.cost + 5,
                part.residual,
                False,
                ("unexplained", *part.also),
                part.hint,
                part.factor,
            )
        ]
    return [Explanation("unexplained", where, 9.0, evidence.before, False)]


def _nearly(evidence: Evidence, found: list[Fit]) -> Explanation | None:
    """A reading without a factor that is exact in most entries, where the true gradient is not."""
    if evidence.x.size < 8 or evidence.share(evidence.true) > _SELDOM:
        return None
    shares = [(evidence.share(fit.reading.predicted), fit.reading) for fit in found if fit.reading.words]
    share, reading = max(shares, key=lambda pair: pair[0] - 0.02 * pair[1].cost, default=(0.0, None))
    if reading is None or share < _MOSTLY:
        return None
    words = f"{reading.words}, in {share:.0%} of its entries"
    return Explanation(
        reading.slug, words, 7.0, evidence.distance(reading.predicted), False, reading.also, reading.hint
    )


def _pairs(evidence: Evidence) -> list[Fit]:
    """A change of the upstream gradient and one of the result, both with a factor."""
    before = [(change, evidence.back(change.apply(evidence.g))) for change in _some(upstream_changes(evidence), 80)]
    found = []
    for after in _some(_result_changes(evidence), 60):
        for change, pulled in before:
            predicted = after.apply(evidence.folded(pulled)).reshape(pulled.shape)
            reading = Reading(
                after.slug,
                f"{after.words}, and {change.words}",
                predicted,
                after.cost + change.cost,
                (change.slug, *after.also),
            )
            fit = evidence.fit(reading)
            if fit.explained:
                found.append(fit)
    return found


def _some(changes: Iterator[Change], count: int) -> list[Change]:
    return sorted(changes, key=lambda change: change.cost)[:count]


def _ranked(evidence: Evidence, fits: list[Fit]) -> list[Explanation]:
    """Cheapest first; what gives the same numbers at about the same cost is named beside it."""
    every = sorted((_explanation(evidence, fit) for fit in fits), key=lambda e: e.cost)
    if not every:
        return []
    first = every[0]
    near = [e for e in every[1:] if e.cost <= first.cost + 0.7]
    also = dict.fromkeys((*first.also, *(slug for e in near for slug in (e.slug, *e.also[:1]))))
    also.pop(first.slug, None)
    return [
        Explanation(first.slug, first.words, first.cost, first.residual, True, tuple(also), first.hint, first.factor)
    ]


def _explanation(evidence: Evidence, fit: Fit) -> Explanation:
    reading = fit.reading
    if fit.factor == 1.0:
        return Explanation(
            reading.slug, reading.words, reading.cost, fit.residual, fit.explained, reading.also, reading.hint
        )
    named = name_factor(fit.factor, evidence, 1e-4 if fit.explained else 1e-2)
    if not reading.words:
        return Explanation(
            named.slug,
            named.words,
            named.cost,
            fit.residual,
            fit.explained,
            named.also,
            _inverse(named, fit),
            fit.factor,
        )
    return Explanation(
        reading.slug,
        f"{reading.words}, and {named.words}",
        reading.cost + named.cost,
        fit.residual,
        fit.explained,
        (named.slug, *reading.also),
        reading.hint,
        fit.factor,
    )


def _inverse(named: Named, fit: Fit) -> str:
    if named.slug == "sign":
        return "negate it"
    whole = round(fit.factor)
    if whole and abs(fit.factor - whole) < 1e-4 * abs(fit.factor):
        return f"divide by {whole}"
    return f"multiply by {1 / fit.factor:.6g}"
