"""`prove`: is this formula that formula? Refuted cheaply first, then proved, and never anything in between.

    read both sides together         an error makes the claim ill-formed
    exact evaluation, small sizes    a difference refutes it
    the algebra                      `proved for all sizes`, or `proved at sizes` where all of them are given
    by cases, at a few sizes         `proved at sizes`: those
    random numbers, few sizes        `verified`, where both sides are quotients of polynomials
    values agree, no proof           `tested`; none could be computed: `not decided`

Before a proof is believed the claim is evaluated exactly at more points; a contradiction is a defect of the prover and
raises `UnsoundProofError`. A different normal form refutes nothing.
"""

from __future__ import annotations

__all__ = ["UnsoundProofError", "judge", "prove", "prove_derivative"]

import re
from collections.abc import Iterable, Mapping, Sequence
from itertools import takewhile
from random import Random

from paperback.calculus.adjoint import differentiated_name
from paperback.calculus.conventions import DEFAULT, Conventions
from paperback.calculus.interval import ExactError
from paperback.calculus.proof.cells import equal_at
from paperback.calculus.proof.decide import decide
from paperback.errors import EngineError, FormulaError, PaperbackError, Problem
from paperback.formulas import Axes, Formula, sorted_out
from paperback.notation.read import read
from paperback.proofs.degree import SAMPLES, degree_of
from paperback.proofs.minimise import minimised
from paperback.proofs.pair import Pair, Side, pair, rank_of, target_of
from paperback.proofs.search import (
    Difference,
    Point,
    differs,
    evaluate_both,
    points,
    sizes_in_order,
    small_points,
    work,
)
from paperback.proofs.verdict import Counterexample, Verdict


class UnsoundProofError(PaperbackError, AssertionError):
    """A claim was proved and is false: a defect of the prover, never of the claim."""


def prove(
    left: Side,
    right: Side,
    /,
    *,
    integers: Iterable[str] = (),
    scalars: Iterable[str] = (),
    conventions: Conventions = DEFAULT,
    seed: int = 0,
    **declared: Axes | int,
) -> Verdict:
    """Is `left` equal to `right`, for all sizes and inputs?

    Both are texts or Formulas; an expression stands for a statement with the other's left side. Keywords declare as in
    `formula`: a string names the axes of a tensor, an int gives a size. Inputs and sizes are the same on both sides by
    name, results are compared by position. `seed` draws the points at which claims are evaluated.

    Raises nothing for a claim that is wrong or no sentence: the Verdict says it.
    """
    try:
        axes, sizes = sorted_out(declared)
        both = pair(left, right, axes, sizes, integers, scalars)
    except FormulaError as error:
        return Verdict("ill-formed", str(error), _text(left), _text(right))
    return judge(both, conventions, seed, sizes)


_NO_SIZES = "no small sizes meet the constraints"
_PLACES = 6  # sizes at which random numbers are tried
_PROVED = 4  # sizes at which a proof is tried where there is none for all
_WRITTEN = 200  # elements, about, that are written out there
WHAT = ("jacobian", "vjp", "jvp")
_NAME = re.compile(r"[^\W\d][\w.']*")


def prove_derivative(
    formula: Side,
    wrt: str,
    claim: Side,
    /,
    *,
    what: str | None = None,
    integers: Iterable[str] = (),
    scalars: Iterable[str] = (),
    conventions: Conventions = DEFAULT,
    seed: int = 0,
    **declared: Axes | int,
) -> Verdict:
    """Is `claim` the derivative of a formula by its input `wrt`?

    what    "jacobian", "vjp" (the gradient, from the cotangent `d<result>`) or "jvp" (the change along `d<wrt>`). Where
            None, the claim shows it: one that reads the cotangent is a VJP, one that reads the tangent a JVP, else its
            number of indices tells

    The claim may read what the formula computes, by its names. A formula given as a Formula has its own conventions.
    """
    axes, sizes = sorted_out(declared)
    if isinstance(formula, str):
        try:
            block = read(formula, axes=axes, sizes=sizes, integers=integers, scalars=scalars)
        except FormulaError as error:
            return Verdict("ill-formed", str(error), _text(claim), formula)
        formula = Formula(block, conventions)
    kind = what or _kind(formula, wrt, claim)
    if kind not in WHAT:
        raise FormulaError("", Problem(f"what is {', '.join(WHAT)} or None, not {what!r}"))
    truth = formula.vjp(wrt) if kind == "vjp" else formula.jvp(wrt) if kind == "jvp" else formula.derivative(wrt)
    try:
        both = pair(claim, truth, axes, sizes, integers, scalars, context=formula.block)
    except FormulaError as error:
        return Verdict("ill-formed", str(error), _text(claim), truth)
    return judge(both, conventions, seed, sizes)


def _kind(formula: Formula, wrt: str, claim: Side) -> str:
    """Which derivative a claim is about."""
    names = set(_NAME.findall(str(claim))) - {target_of(claim)}
    if differentiated_name(formula.block.result.target) in names:
        return "vjp"
    if differentiated_name(wrt) in names:
        return "jvp"
    own, other = len(formula.block.result.axes), len(formula.block.tensor(wrt).axes)
    rank = rank_of(claim)
    return "vjp" if rank == other and rank != own + other else "jvp" if rank == own != own + other else "jacobian"


def judge(both: Pair, conventions: Conventions, seed: int, sizes: Mapping[str, int]) -> Verdict:
    """The verdict on two blocks that were read together; `sizes` are those that the caller gave."""
    formulas = Formula(both.left, conventions), Formula(both.right, conventions)
    random = Random(seed)
    tested = _Tested(both)
    found = tested.search(random, 2)
    if found is not None:
        return _refuted(both, found, random, formulas)
    proved = decide(both.left, both.right, both.facts, both.lower)
    places = [] if proved else _places_proved(both)
    if proved or places:
        contradiction = tested.search(Random(seed + 1), 1)
        if contradiction is not None:
            raise UnsoundProofError(f"proved, and false at {contradiction}: {formulas[0]} = {formulas[1]}")
        status, why = _proved(both, sizes, places)
        unchecked = "" if tested.agreed else f"\nnot compared at any point: {tested.reason or _NO_SIZES}"
        return Verdict(status, why + unchecked, *formulas)
    verified = _verified(both, random)
    if verified:
        return Verdict("verified", f"no proof was found; {verified}", *formulas)
    if tested.agreed:
        why = f"no proof was found; both sides agree exactly at {tested.agreed} points of small sizes"
        return Verdict("tested", why, *formulas)
    why = f"no proof was found, and {tested.reason or _NO_SIZES}"
    return Verdict("not decided", why, *formulas)


def _proved(both: Pair, sizes: Mapping[str, int], places: Sequence[Mapping[str, int]]) -> tuple[str, str]:
    """The status and what it holds for: all sizes, or, where there are any, these places or the sizes given."""
    if places and both.size_names:
        listed = "; ".join(map(_listed, sorted(places, key=lambda place: sum(place.values()))))
        return "proved at sizes", f"no proof for all sizes was found; equal wherever both sides are defined at {listed}"
    if sizes and not both.size_names:
        return "proved at sizes", f"at {_listed(sizes)}, wherever both sides are defined"
    return "proved for all sizes", _stated(both)


class _Tested:
    """Points at which both sides were evaluated."""

    def __init__(self, both: Pair) -> None:
        self.both, self.agreed, self.reason = both, 0, ""

    def search(self, random: Random, effort: int) -> Point | None:
        """A point at which the sides differ, among a few."""
        for point in small_points(self.both, random, effort):
            try:
                if differs(self.both, point) is not None:
                    return point
                self.agreed += 1
            except (EngineError, ExactError, ZeroDivisionError) as error:
                self.reason = f"exact evaluation stopped: {error}"
        return None


def _places_proved(both: Pair) -> list[dict[str, int]]:
    """Small sizes, those first at which indices run, where both sides are equal in every case: two or more."""

    def is_small(sizes: Mapping[str, int]) -> bool:
        return sum(work(block, sizes) for block in both.sides) <= _WRITTEN

    def least(sizes: Mapping[str, int]) -> int:
        return sum(value == both.lower.get(name, 1) for name, value in sizes.items())

    places = sorted(filter(is_small, sizes_in_order(both, 60, 4000)), key=least)[:_PROVED]
    found = list(takewhile(lambda sizes: equal_at(both.left.at(sizes), both.right.at(sizes)), places))
    return found if len(found) > 1 or not both.size_names else []


def _verified(both: Pair, random: Random) -> str:
    """At which sizes two quotients of polynomials agree at random numbers, with the error bound; else ""."""
    places: dict[str, int] = {}
    for point in small_points(both, random, 1):
        told = _listed(point.sizes) or "these sizes"
        degree = degree_of(both.left, both.right, point.sizes)
        if degree is None:
            return ""
        if told in places or len(places) == _PLACES:
            continue
        for drawn in points(both, point.sizes, random, range(-1, 0)):
            try:
                left, right = evaluate_both(both, drawn)
            except (EngineError, ExactError):
                return ""
            if any(isinstance(x, float) or x != y for x, y in zip(left.flat, right.flat, strict=True)):
                return ""
        places[told] = max(degree, 1)
    if not places:
        return ""
    chance = f"wrong with a chance below {max(places.values()) / SAMPLES:.1g}"
    return f"equal at random whole numbers, {chance}, at {'; '.join(places)}"


def _refuted(both: Pair, point: Point, random: Random, formulas: tuple[Formula, Formula]) -> Verdict:
    point, difference = minimised(both, point, random)
    example = Counterexample(
        point.sizes, point.inputs, difference.index, difference.left, difference.right, formulas, point.functions
    )
    return Verdict("refuted", _told(difference), *formulas, example)


def _told(difference: Difference) -> str:
    return "the shapes differ" if difference.index is None else "the two sides differ"


def _stated(both: Pair) -> str:
    """What the sizes must satisfy."""
    names = both.size_names
    if not names:
        return "equal wherever both sides are defined"
    low = [f"{name} >= {both.lower.get(name, 1)}" for name in names if both.lower.get(name, 1) != 1]
    ones = [name for name in names if both.lower.get(name, 1) == 1]
    parts = [f"{', '.join(ones)} >= 1"] if ones else []
    parts += low
    shared = {str(fact) for fact in both.left.facts} & {str(fact) for fact in both.right.facts}
    parts += [fact for fact in dict.fromkeys(str(fact) for fact in both.facts) if fact in shared]
    lines = [f"for all {', '.join(parts)}, wherever both sides are defined"]
    for name, block in (("left", both.left), ("right", both.right)):
        for fact in (f for f in block.facts if str(f) not in shared):
            lines.append(f"the {name} side needs {fact}{f': {fact.why}' if fact.why else ''}")
    return "\n".join(lines)


def _listed(sizes: Mapping[str, int]) -> str:
    return ", ".join(f"{name} = {value}" for name, value in sizes.items())


def _text(side: Side) -> Formula | str:
    return side if isinstance(side, Formula) else str(side)

