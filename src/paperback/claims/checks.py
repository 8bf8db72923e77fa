"""The vocabulary of the book: how a claim is decided.

    Prove(left, right)                 both formulas are equal, for all sizes unless `at_least` says less
    Derivative(formula, wrt, claim)    the claim is the derivative: proved, and compared with dual numbers
    Vjp(formula, wrt, claim)           the claim is the gradient for a cotangent
    Exact(formula, given, numbers)     the exact engine gives these numbers
    Measure(formula, given, numbers)   float64 gives these numbers
    Shape(formula, axes)               the axes of the result, as sizes
    Structure(formula, wrt, kind)      how the entries of the Jacobian lie: diagonal, Toeplitz, ...
    Differ(one, other, ...)            two formulas are not equal: there is a counterexample
    Refute(document, truth, ...)       the document's version is not equal to the truth, or no sentence
    NoSentence(document, says)         the document's version is no sentence of the notation

A formula is a text, what `derivative`, `vjp` make of a text, or a line as it is `printed` in the document, in LaTeX and
counted from 1 where the document does. A check is data; `steps` decides it and yields what it found (of a proof, once).
Only `Refute` and `NoSentence` speak of the document's version, all others of the statement.
"""

from __future__ import annotations

__all__ = [
    "Check", "Derivative", "Derived", "Differ", "Exact", "Measure", "NoSentence", "Prove", "Refute", "Shape", "Side",
    "Step", "Structure", "Vjp", "derivative", "made", "printed", "vjp", "written",
]  # fmt: skip

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, fields, replace
from functools import lru_cache
from random import Random
from typing import Any, ClassVar, TypeAlias

import numpy as np

from paperback.calculus import exact
from paperback.calculus.conventions import DEFAULT, Conventions
from paperback.calculus.interval import ExactError
from paperback.calculus.reals import agree
from paperback.claims.numbers import Given, Objects, near, number, parts_of, text, value
from paperback.errors import EngineError, FormulaError
from paperback.formulas import Formula, formula
from paperback.proofs.pair import Pair, pair
from paperback.proofs.prove import prove
from paperback.proofs.search import Point, evaluate_both, small_points
from paperback.proofs.verdict import Counterexample

ALL_SIZES = "proved for all sizes"
STRENGTH = (ALL_SIZES, "proved at sizes", "verified", "tested")  # from the strongest

_REFEREES = 4  # points that a derivative is compared at


@dataclass(frozen=True)
class Derived:
    """A formula made of a text by derivatives, one after the other."""

    text: str
    wrt: tuple[str, ...]
    kind: str = "derivative"
    conventions: Conventions = DEFAULT


@dataclass(frozen=True)
class Printed:
    """A line in LaTeX, as the document has it."""

    text: str
    base: int
    axes: tuple[tuple[str, str], ...]


Side: TypeAlias = str | Derived | Printed


def printed(text: str, base: int = 0, **axes: str) -> Printed:
    """A line in LaTeX whose indices count from `base`, with the axes of its tensors."""
    return Printed(text, base, tuple(axes.items()))


def derivative(of: str, *wrt: str) -> Derived:
    """The derivative of a text by an input; by several, the derivative of the derivative."""
    return Derived(of, wrt)


def vjp(of: str, wrt: str) -> Derived:
    """The gradient of `sum(dy*y)` by an input."""
    return Derived(of, (wrt,), "vjp")


@lru_cache(maxsize=2000)
def made(side: Side) -> Formula:
    """The formula of a side."""
    if isinstance(side, str):
        return formula(side)
    if isinstance(side, Printed):
        return formula(side.text, base=side.base, **dict[str, Any](side.axes))
    found = formula(side.text, conventions=side.conventions)
    for name in side.wrt:
        found = found.vjp(name) if side.kind == "vjp" else found.derivative(name)
    return found


def written(side: Side) -> str:
    """A side as readers see it."""
    if isinstance(side, str):
        return side
    if isinstance(side, Printed):
        return f"{side.text}  (counted from {side.base})"
    what = "the gradient" if side.kind == "vjp" else "the derivative"
    unusual = {f.name: getattr(side.conventions, f.name) for f in fields(Conventions)}
    how = "".join(f", {name} = {own}" for name, own in unusual.items() if own != getattr(DEFAULT, name))
    return f"{what} by {', '.join(side.wrt)}{how}, of  {side.text}"


@dataclass(frozen=True)
class Step:
    """One thing that was decided.

    what     the question
    status   how it was decided: the word of `prove`, "exact", "measured", "read" or "different"
    holds    is it as the entry needs it?
    found    the counterexample, the numbers or the error
    """

    what: str
    status: str
    holds: bool
    found: str = ""
    counterexample: Mapping[str, Any] | None = None


class Check:
    """What the checks have in common."""

    document: ClassVar[bool] = False  # does it speak of the document's version?

    @property
    def sides(self) -> tuple[Side, ...]:
        """The formulas of the statement."""
        return ()

    def steps(self) -> Iterator[Step]:
        raise NotImplementedError


@dataclass(frozen=True)
class Prove(Check):
    """The left side equals the right one, or each of several."""

    left: Side
    right: Side | tuple[Side, ...]
    at_least: str = ALL_SIZES

    @property
    def sides(self) -> tuple[Side, ...]:
        return (self.left, *(self.right if isinstance(self.right, tuple) else (self.right,)))

    def steps(self) -> Iterator[Step]:
        for right in self.sides[1:]:
            yield equal(self.left, right, self.at_least)


@dataclass(frozen=True)
class Derivative(Check):
    """The claim is the derivative, output axes first; also in dual numbers, which know no rule of the calculus."""

    of: str
    wrt: str
    claim: str
    at_least: str = ALL_SIZES
    conventions: Conventions = DEFAULT
    kind: ClassVar[str] = "derivative"

    @property
    def sides(self) -> tuple[Side, ...]:
        return self.of, self.claim

    def steps(self) -> Iterator[Step]:
        derived = Derived(self.of, (self.wrt,), self.kind, self.conventions)
        yield equal(derived, self.claim, self.at_least)
        whole, both = made(self.of), pair(made(derived), made(self.claim), {}, {})
        inputs = {**whole.block.inputs, **both.left.inputs}  # a derivative may not read what its formula reads
        both = Pair(replace(both.left, inputs=inputs), both.right)
        same, ran = True, 0
        for point in small_points(both, Random(0), 3):
            sizes, arrays = parts_of(whole, {**point.sizes, **point.inputs})
            try:
                expected = self._expected(whole, point, arrays, sizes)
            except (EngineError, ExactError):  # a label that is none, a maximum of numbers that cannot be told apart
                continue
            same = same and agree(evaluate_both(both, point)[1], expected)
            ran += 1
            if ran == _REFEREES:
                break
        yield Step(f"the same in dual numbers at {ran} points", "exact", same and ran > 0)

    def _expected(self, whole: Formula, point: Point, arrays: Mapping[str, Any], sizes: Mapping[str, int]) -> Objects:
        return exact.jacobian(
            whole.block, arrays, self.wrt,
            sizes=sizes, functions=point.functions, conventions=self.conventions,
        )  # fmt: skip


@dataclass(frozen=True)
class Vjp(Derivative):
    """The claim is the gradient of `sum(dy*y)`, where y is the result and dy is read by the claim."""

    kind: ClassVar[str] = "vjp"

    def _expected(self, whole: Formula, point: Point, arrays: Mapping[str, Any], sizes: Mapping[str, int]) -> Objects:
        cotangent = point.inputs[f"d{whole.block.result.target}"]
        return exact.vjp(
            whole.block, arrays, cotangent, self.wrt,
            sizes=sizes, functions=point.functions, conventions=self.conventions,
        )  # fmt: skip


@dataclass(frozen=True)
class Exact(Check):
    """A formula has these numbers at these inputs, in exact arithmetic."""

    of: Side
    given: Given
    numbers: Any

    @property
    def sides(self) -> tuple[Side, ...]:
        return (self.of,)

    def steps(self) -> Iterator[Step]:
        found = value(made(self.of), self.given)
        what = f"{written(self.of)}{_at(made(self.of), self.given)}"
        yield Step(what, "exact", agree(found, number(self.numbers)), text(found))


@dataclass(frozen=True)
class Measure(Check):
    """A formula has these numbers at these inputs in float64, to within |error| <= within*(1 + |number|)."""

    of: Side
    given: Given
    numbers: Any
    within: float = 1e-12

    @property
    def sides(self) -> tuple[Side, ...]:
        return (self.of,)

    def steps(self) -> Iterator[Step]:
        floats = {name: np.asarray(number(x), dtype=float) for name, x in self.given.items()}
        found = made(self.of)(**floats)
        what = f"{written(self.of)}{_at(made(self.of), self.given)}"
        yield Step(what, "measured", near(found, self.numbers, self.within), text(found))


@dataclass(frozen=True)
class Shape(Check):
    """The axes of the result, as sizes: "d-k+1"."""

    of: Side
    axes: str

    @property
    def sides(self) -> tuple[Side, ...]:
        return (self.of,)

    def steps(self) -> Iterator[Step]:
        found = " ".join(made(self.of).shape)
        yield Step(f"the axes of  {written(self.of)}", "read", found == self.axes, found)


@dataclass(frozen=True)
class Structure(Check):
    """How the entries of the Jacobian by an input lie: "Toeplitz, band 0..k-1"."""

    of: str
    wrt: str
    kind: str

    @property
    def sides(self) -> tuple[Side, ...]:
        return (self.of,)

    def steps(self) -> Iterator[Step]:
        found = str(made(self.of).structure(self.wrt))
        what = f"the Jacobian by {self.wrt} of  {self.of}"
        yield Step(what, "read", found.partition(";")[0] == self.kind, found)


@dataclass(frozen=True)
class Differ(Check):
    """Two formulas are not equal. Where inputs are given, `numbers` are those of both sides there, at one `place`."""

    one: Side
    other: Side
    given: Given = field(default_factory=dict)
    numbers: tuple[Any, Any] | None = None
    place: tuple[int, ...] = ()

    word: ClassVar[str] = "different"  # what it is called when they are not equal

    @property
    def sides(self) -> tuple[Side, ...]:
        return self.one, self.other

    def steps(self) -> Iterator[Step]:
        what = f"{written(self.one)}\nagainst  {written(self.other)}"
        sides = made(self.one), made(self.other)
        if self.numbers is not None:
            left, right = (value(side, self.given)[self.place] for side in sides)
            apart, as_said = not agree(left, right), agree([left, right], number(list(self.numbers)))
            there = Counterexample({}, {n: number(x) for n, x in self.given.items()}, self.place, left, right, sides)
            yield Step(what, self.word if apart else "equal", apart and as_said, _differ(there), there.json())
            what = "the same, by search"
        verdict = prove(*sides)
        if verdict.status in self.wanted or self.numbers is None:  # a rare counterexample may be found by no search
            found = verdict.counterexample
            said = _differ(found) if found else verdict.why
            status = self.word if verdict.status == "refuted" else verdict.status
            yield Step(what, status, verdict.status in self.wanted, said, found.json() if found else None)

    @property
    def wanted(self) -> tuple[str, ...]:
        return ("refuted",)


@dataclass(frozen=True)
class Refute(Differ):
    """The document's version is not the truth; `given` and `numbers` are the catalogue's counterexample."""

    document = True
    word = "refuted"

    @property
    def sides(self) -> tuple[Side, ...]:
        return ()

    @property
    def wanted(self) -> tuple[str, ...]:
        return "refuted", "ill-formed"


@dataclass(frozen=True)
class NoSentence(Check):
    """The document's version cannot be read: an index out of range, sizes that do not fit."""

    line: Side
    says: str  # what the reader must find wrong with it, and nothing else

    document = True

    def steps(self) -> Iterator[Step]:
        try:
            made(self.line)
        except FormulaError as error:
            said = [problem.message for problem in error.problems]
            yield Step(written(self.line), "ill-formed", "; ".join(said) == self.says, "; ".join(said))
        else:
            yield Step(written(self.line), "read", False, "it is a sentence")


@lru_cache(maxsize=2000)
def equal(left: Side, right: Side, at_least: str) -> Step:
    """Are two sides equal? Decided by `prove`, once for a claim that several entries rest on."""
    verdict = prove(made(left), made(right))
    strong = verdict.status in STRENGTH and STRENGTH.index(verdict.status) <= STRENGTH.index(at_least)
    found = verdict.counterexample
    said = _differ(found) if found else "" if strong else verdict.why
    what = f"{written(left)}\nequals  {written(right)}"
    return Step(what, verdict.status, strong, said, found.json() if found else None)


def _differ(found: Counterexample) -> str:
    """Where two sides differ, in a line."""
    where = f"[{','.join(map(str, found.index))}]" if found.index else "" if found.index is not None else "shapes"
    at = _given({**found.sizes, **found.inputs})
    return f"{where}{at}: {text(found.left)}, not {text(found.right)}".removeprefix(": ").strip()


def _at(of: Formula, given: Given) -> str:
    """What is given of what a formula reads."""
    known = {*of.block.inputs, *of.block.scalars, *of.block.size_names}
    return _given({name: x for name, x in given.items() if name in known}).replace(" at ", "\nat  ")


def _given(given: Given) -> str:
    shown = ", ".join(f"{name} = {x if isinstance(x, str) else text(number(x))}" for name, x in given.items())
    return f" at {shown}" if shown else ""
