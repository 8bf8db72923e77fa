"""At given sizes: both sides written out entry by entry, in every case of what their comparisons ask.

    max(i<2) x[i]  =   x[1]  where x[1] - x[0] > 0
                       x[0]  where x[0] - x[1] >= 0

An entry is evaluated on polynomials in the entries of the inputs. Where the sign of a polynomial is asked and does not
follow from what is assumed, the case is split in two, p > 0 and -p >= 0, and each is evaluated again. Nothing meets a
case just where a sum of multiples of what is assumed says 0 > 0 (Motzkin's theorem): a linear program, solved exactly,
with products of entries as unknowns of their own. So maxima, relu, abs and brackets are decided completely where they
compare linear forms, at these sizes and at no others.
"""

from __future__ import annotations

__all__ = ["equal_at"]

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from itertools import product as product_of
from math import inf

from paperback.calculus.proof.decide import Decision, as_linear
from paperback.calculus.proof.expand import UnknownFormError
from paperback.calculus.proof.functions import call as call_law
from paperback.calculus.proof.functions import root
from paperback.calculus.proof.laws import exponential, logarithm, product, surely_positive
from paperback.calculus.proof.positive import Known, combination
from paperback.calculus.proof.sums import EVERYWHERE, NOTHING, Atom, Polynomial, atom, constant, minus, plus, scaled
from paperback.notation.affine import Affine, Letter
from paperback.notation.block import Block
from paperback.notation.expr import (
    Add,
    AffineGuard,
    Binder,
    Bracket,
    Call,
    Compare,
    Const,
    Divides,
    Guard,
    Index,
    IndexExpr,
    Mul,
    Node,
    Pow,
    Quotient,
    Read,
    Reduce,
    Scalar,
    Statement,
)

ONE = constant(1)
_ONE = Fraction(1)
_STRICT = ("> 0",)  # counts how much of a sum is > 0
Values = Mapping[Letter, int]


class _OpenError(Exception):
    """The sign of this polynomial is asked, and the case does not tell it."""

    def __init__(self, asked: Polynomial) -> None:
        super().__init__(asked)
        self.asked = asked


@dataclass(frozen=True)
class _Case:
    """What is assumed: some polynomials > 0, some >= 0; and which are known to be > 0, or not to be."""

    above: tuple[Polynomial, ...] = ()
    at_least: tuple[Polynomial, ...] = ()
    known: dict[Polynomial, bool] = field(default_factory=dict)

    def split(self, asked: Polynomial) -> tuple[_Case, _Case]:
        """Where it is > 0, and where it is not."""
        below = scaled(asked, -1)
        return (
            _Case((*self.above, asked), self.at_least, {**self.known, asked: True, below: False}),
            _Case(self.above, (*self.at_least, below), {**self.known, asked: False}),
        )

    def is_positive(self, asked: Polynomial) -> bool:
        """Is it > 0? Raises _OpenError where both may be."""
        if not asked or (len(asked) == 1 and not asked[0].factors and asked[0].domain == EVERYWHERE):
            return bool(asked) and asked[0].coefficient > 0
        if surely_positive(asked) or surely_positive(scaled(asked, -1)):
            return surely_positive(asked)
        if asked not in self.known:
            yes, no = self.split(asked)
            if not yes.is_possible:
                self.known[asked] = False
            elif not no.is_possible:
                self.known[asked] = True
            else:
                raise _OpenError(asked)
        return self.known[asked]

    @property
    def is_possible(self) -> bool:
        """Can anything meet it?"""
        strict = [{**as_linear(p), _STRICT: _ONE} for p in (*self.above, ONE)]
        return not combination({_STRICT: _ONE}, [*strict, *map(as_linear, self.at_least)], ())

    def implies(self, asked: Polynomial) -> bool:
        """Is it >= 0, as a combination of what is assumed?"""
        return combination(as_linear(asked), [as_linear(p) for p in (*self.above, *self.at_least)], ())


def equal_at(left: Block, right: Block, effort: int = 300) -> bool:
    """Are the results of two blocks whose sizes are numbers equal? False says nothing; `effort` is in cases."""
    axes = {name: tensor.axes for block in (left, right) for name, tensor in block.inputs.items()}
    decision = Decision(axes)
    try:
        for index in product_of(*(range(axis.value) for axis in left.result.axes)):
            cases = [_Case()]
            while cases:
                case, effort = cases.pop(), effort - 1
                if effort < 0:
                    return False
                try:
                    sides = [_Entries(block, case).entry(block.result, index) for block in (left, right)]
                except _OpenError as open_:
                    cases.extend(case.split(open_.asked))
                    continue
                if not _is_zero(minus(*sides), case, decision):
                    return False
    except (UnknownFormError, RecursionError):
        return False
    return True


def _is_zero(difference: Polynomial, case: _Case, decision: Decision) -> bool:
    if not difference or decision.is_zero(difference, Known()):
        return True
    return case.implies(difference) and case.implies(scaled(difference, -1))


class _Entries:
    """The entries of one block as polynomials, in one case."""

    def __init__(self, block: Block, case: _Case) -> None:
        self.block, self.case = block, case
        self.statements = {s.target: s for s in block.statements if s.target not in block.inputs}
        self.found: dict[tuple[str, tuple[int, ...]], Polynomial] = {}

    def entry(self, statement: Statement, index: tuple[int, ...]) -> Polynomial:
        key = statement.target, index
        if key not in self.found:
            self.found[key] = self._entry(statement, index)
        return self.found[key]

    def _entry(self, statement: Statement, index: tuple[int, ...]) -> Polynomial:
        if statement.is_plain:
            return self.value(statement.expr, dict(zip(statement.letters, index, strict=True)))
        for values in _places(statement.binders, {}):
            if tuple(_at(form, values) for form in statement.left) == index:
                return self.value(statement.expr, values)
        return _number(statement.pad)

    def value(self, node: Node, at: Values) -> Polynomial:
        match node:
            case Const():
                return constant(node.value)
            case Scalar():
                return atom(Atom("scalar", node.name))
            case Index():
                return constant(_at(node.affine, at))
            case Read():
                return self.read(node, at)
            case Add():
                return plus(*(self.value(term, at) for term in node.terms))
            case Mul():
                guards = [g for f in node.factors if isinstance(f, Bracket) for g in f.guards]
                if not self.holds(guards, at):
                    return NOTHING
                return product(*(self.value(f, at) for f in node.factors if not isinstance(f, Bracket)))
            case Bracket():
                return ONE if self.holds(node.guards, at) else NOTHING
            case Pow():
                return root(self.value(node.base, at), node.exponent)
            case Call():
                return self.call(node.function, [self.value(argument, at) for argument in node.arguments])
            case Reduce():
                return self.reduce(node, at)
        raise UnknownFormError(f"{type(node).__name__} is not known")

    # ------------------------------------------------------------------------------------------ comparisons

    def is_above(self, a: Polynomial, b: Polynomial = NOTHING) -> bool:
        return self.case.is_positive(minus(a, b))

    def holds(self, guards: Iterable[Guard], at: Values) -> bool:
        """Those on letters first: what they exclude is not read."""
        return all(self.guard(g, at) for g in sorted(guards, key=lambda g: isinstance(g, Compare)))

    def guard(self, guard: Guard, at: Values) -> bool:
        if isinstance(guard, AffineGuard):
            value = _at(guard.affine, at)
            return value >= 0 if guard.relation == ">=" else (value == 0) == (guard.relation == "==")
        if isinstance(guard, Divides):
            return _at(guard.affine, at) % guard.modulus.value == 0
        a, b = self.value(guard.left, at), self.value(guard.right, at)
        match guard.relation:
            case ">":
                return self.is_above(a, b)
            case "<":
                return self.is_above(b, a)
            case ">=":
                return not self.is_above(b, a)
            case "<=":
                return not self.is_above(a, b)
        differs = self.is_above(a, b) or self.is_above(b, a)
        return differs == (guard.relation == "!=")

    def call(self, name: str, given: list[Polynomial]) -> Polynomial:
        x = given[0]
        match name:
            case "max":
                return given[1] if self.is_above(given[1], x) else x
            case "min":
                return given[1] if self.is_above(x, given[1]) else x
            case "relu":
                return x if self.is_above(x) else NOTHING
            case "abs":
                return x if self.is_above(x) else scaled(x, -1)
            case "sign":
                return ONE if self.is_above(x) else constant(-1) if self.is_above(NOTHING, x) else NOTHING
            case "step":
                return NOTHING if self.is_above(NOTHING, x) else ONE
        return call_law(name, given)

    # ----------------------------------------------------------------------------------- reads and reducers

    def read(self, read: Read, at: Values) -> Polynomial:
        if not self.is_inside(read, at):
            return _number(read.pad)
        index = tuple(self.place(i, at) for i in read.indices)
        statement = self.statements.get(read.tensor)
        if statement:
            return self.entry(statement, index)
        return atom(Atom("read", read.tensor, tuple(map(Affine.of, index))))

    def is_inside(self, read: Read, at: Values) -> bool:
        axes = self.block.tensor(read.tensor).axes
        return all(0 <= self.place(i, at) < axis.value for i, axis in zip(read.indices, axes, strict=True))

    def place(self, index: IndexExpr, at: Values) -> int:
        if isinstance(index, Affine):
            return _at(index, at)
        if isinstance(index, Quotient):
            value, left = divmod(_at(index.affine, at), index.divisor.value)
            if left:
                raise UnknownFormError("an index that is no whole number")
            return value
        found = self.read(index, at)
        if any(one.factors for one in found):
            raise UnknownFormError("an index that is data")
        return int(found[0].coefficient) if found else 0

    def reduce(self, node: Reduce, at: Values) -> Polynomial:
        inside = (values for values in _places(node.binders, at) if self.holds(node.guards, values))
        if node.op in ("sum", "logsumexp"):
            terms = [self.value(node.body, values) for values in inside]
            return plus(*terms) if node.op == "sum" else logarithm(plus(*map(exponential, terms)))
        sign = -1 if node.op.endswith("min") else 1
        best: tuple[Polynomial, Values] | None = None
        for values in inside:
            if isinstance(node.body, Read) and node.body.pad == -sign * inf and not self.is_inside(node.body, values):
                continue
            value = self.value(node.body, values)
            if best is None or self.is_above(scaled(value, sign), scaled(best[0], sign)):
                best = value, values
        if best is None:
            raise UnknownFormError("a maximum of nothing")
        return constant(_code(node.binders, best[1])) if node.is_position else best[0]


def _at(form: Affine, at: Values) -> int:
    return form.const.value + sum(slope.value * at[letter] for letter, slope in form)


def _places(binders: Sequence[Binder], at: Values) -> Iterator[dict[Letter, int]]:
    letters = [b.letter for b in binders]
    for own in product_of(*(range(b.extent.value) for b in binders)):
        yield {**at, **dict(zip(letters, own, strict=True))}


def _code(binders: Sequence[Binder], at: Values) -> int:
    """A position in row-major order."""
    code = 0
    for binder in binders:
        code = code * binder.extent.value + at[binder.letter]
    return code


def _number(pad: Fraction | float | None) -> Polynomial:
    """What a place outside holds."""
    if not isinstance(pad, Fraction):
        raise UnknownFormError(f"a place outside that holds {pad}")
    return constant(pad)
