"""`prove`: is this formula that formula? Refuted cheaply first, then proved, and never anything in between.

    read both sides together         an error makes the claim ill-formed
    exact evaluation, small sizes    a difference refutes it
    the algebra, all sizes           `proved for all sizes`
    the algebra, some sizes          `proved at sizes`
    values agree, no proof           `tested`; none could be computed: `not decided`

Before a proof is believed the claim is evaluated exactly at more points; a contradiction is a defect of the prover and
raises `UnsoundProofError`. A different normal form refutes nothing.
"""

from __future__ import annotations

__all__ = ["UnsoundProofError", "judge", "prove"]

from collections.abc import Iterable, Sequence
from random import Random

from paperback.calculus.conventions import DEFAULT, Conventions
from paperback.calculus.interval import ExactError
from paperback.calculus.proof.decide import decide
from paperback.errors import EngineError, FormulaError, PaperbackError
from paperback.formulas import Axes, Formula
from paperback.proofs.minimise import minimised
from paperback.proofs.pair import Pair, Side, pair
from paperback.proofs.search import Difference, Point, differs, small_points
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
    sizes: dict[str, int] = {}
    axes: dict[str, Axes] = {}
    try:
        for name, value in declared.items():
            if isinstance(value, str | Sequence):
                axes[name] = value
            else:
                sizes[name] = value
        both = pair(left, right, axes, sizes, integers, scalars)
    except FormulaError as error:
        return Verdict("ill-formed", str(error), _text(left), _text(right))
    return judge(both, conventions, seed, (left, right))


def judge(both: Pair, conventions: Conventions, seed: int, given: tuple[Side, Side]) -> Verdict:
    """The verdict on two blocks that were read together."""
    formulas = Formula(both.left, conventions), Formula(both.right, conventions)
    random = Random(seed)
    tested = _Tested(both)
    found = tested.search(random, 2)
    if found is not None:
        return _refuted(both, found, random, formulas)
    if decide(both.left, both.right, both.facts, both.lower):
        contradiction = tested.search(Random(seed + 1), 1)
        if contradiction is not None:
            raise UnsoundProofError(f"proved, and false at {contradiction}: {formulas[0]} = {formulas[1]}")
        return Verdict("proved for all sizes", _stated(both), *formulas)
    if tested.agreed:
        why = f"no proof was found; both sides agree exactly at {tested.agreed} points of small sizes"
        return Verdict("tested", why, *formulas)
    why = f"no proof was found, and {tested.reason or 'no small sizes meet the constraints'}"
    return Verdict("not decided", why, *formulas)


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
    parts += [*low, *dict.fromkeys(str(fact) for fact in both.facts)]
    return f"for all {', '.join(parts)}, wherever both sides are defined"


def _text(side: Side) -> Formula | str:
    return side if isinstance(side, Formula) else str(side)

