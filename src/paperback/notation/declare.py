"""Declarations: what `where` clauses and arguments say about names, before any expression is read.

    x: H W R        axes; every name in them is a size
    s = 2           a fact about sizes: with one unknown name it solves it, otherwise it is used to eliminate a name
                    (H = s*(I-1) + P + rest; C = 2*G with an unknown G too), and what is left is a constraint
    x int, t scalar, phi function, phi increasing, H size

All of these hold for the whole formula. Extents (`i < n`) and `pads` hold for their statement and are read there.
"""

from __future__ import annotations

__all__ = ["AxesLike", "Names", "declare"]

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from difflib import get_close_matches

from paperback.errors import Problem
from paperback.notation.block import Fact
from paperback.notation.expressions import UnreadableError
from paperback.notation.parse import parse_expression
from paperback.notation.ranges import normal
from paperback.notation.size import Monomial, Size, ceil_div, floor_div
from paperback.notation.syntax import (
    AxesClause,
    CallSyntax,
    EquationClause,
    KindClause,
    NameSyntax,
    NumberSyntax,
    ProductSyntax,
    StatementSyntax,
    SumSyntax,
    Syntax,
    parts,
)
from paperback.notation.words import RESERVED, ROUNDINGS

AxesLike = str | Sequence[str | int | Size]
Span = tuple[int, int]


@dataclass
class Names:
    """What is declared. `sizes` maps every declared size to its value: itself, a number, or what it was solved to."""

    sizes: dict[str, Size] = field(default_factory=dict)
    axes: dict[str, tuple[Size, ...]] = field(default_factory=dict)
    integers: set[str] = field(default_factory=set)
    scalars: dict[str, None] = field(default_factory=dict)  # declared in the text, in order
    offered: set[str] = field(default_factory=set)  # declared by the caller
    functions: dict[str, bool] = field(default_factory=dict)
    facts: list[Fact] = field(default_factory=list)
    lower: dict[str, int] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)

    def kind(self, name: str) -> str:
        """What a name is declared as, "" for a stranger."""
        if name in self.sizes:
            return "size"
        if name in self.axes or name in self.integers:
            return "tensor"
        if name in self.scalars or name in self.offered:
            return "scalar"
        return "function" if name in self.functions else ""

    def size(self, syntax: Syntax) -> Size:
        """The size that was written; UnreadableError where a name in it is not declared."""
        return size_of(syntax, self._known)

    def _known(self, name: NameSyntax) -> Size:
        if name.name not in self.sizes:
            kind = self.kind(name.name)
            near = get_close_matches(name.name, self.sizes, 1)
            hint = f"did you mean {near[0]}?" if near else f'declare it as an axis, x="{name.name}", or give its number'
            what = f"is a {kind}, not a size" if kind else "is not a declared size"
            raise UnreadableError(f"{name.name} {what}", name.start, name.end, hint)
        return self.sizes[name.name]


def size_of(syntax: Syntax, known: Callable[[NameSyntax], Size]) -> Size:
    """The polynomial that was written; `known` gives the value of a name."""
    match syntax:
        case NumberSyntax() if syntax.value.denominator == 1:
            return Size.of(int(syntax.value))
        case NameSyntax():
            return known(syntax)
        case SumSyntax():
            total = Size()
            for sign, term in syntax.terms:
                part = size_of(term, known)
                total = total - part if sign == "-" else total + part
            return total
        case ProductSyntax() if all(operator == "*" for operator, _ in syntax.factors):
            product = Size.of(1)
            for _, factor in syntax.factors:
                product = product * size_of(factor, known)
            return product
        case CallSyntax() if syntax.function in ROUNDINGS:
            high, low = quotient(syntax)
            divide = floor_div if syntax.function == "floor" else ceil_div
            divisor = size_of(low, known)
            if not divisor:
                raise UnreadableError("division by zero", low.start, low.end)
            return divide(size_of(high, known), divisor)
    divided = isinstance(syntax, ProductSyntax)
    hint = "write floor(a/b) or ceil(a/b)" if divided else "a size is made of whole numbers and sizes with + - *"
    raise UnreadableError("this is no size", syntax.start, syntax.end, hint)


def quotient(call: CallSyntax) -> tuple[Syntax, Syntax]:
    """Numerator and denominator of `floor(a/b)`."""
    inner = call.arguments[0]
    if len(call.arguments) != 1 or not isinstance(inner, ProductSyntax) or inner.factors[-1][0] != "/":
        hint = f"write {call.function}((H-P)/s): sizes only, rounded after one division"
        raise UnreadableError(f"{call.function} takes one quotient of sizes", call.start, call.end, hint)
    above = inner.factors[:-1]
    high = above[0][1] if len(above) == 1 else ProductSyntax(inner.start, above[-1][1].end, above)
    return high, inner.factors[-1][1]


def declare(
    statements: Iterable[StatementSyntax],
    axes: Mapping[str, AxesLike],
    sizes: Mapping[str, int],
    integers: Iterable[str],
    scalars: Iterable[str],
) -> Names:
    """Everything declared by the caller and by the where clauses of all statements."""
    names = Names(integers=set(integers), offered=set(scalars))
    for name, number in sizes.items():
        if isinstance(number, bool) or not hasattr(number, "__index__"):
            names.problems.append(Problem(f"the size {name} is a whole number, found {number!r}"))
        elif int(number) < 0:
            names.problems.append(Problem(f"the size {name} is {number}; sizes are not negative"))
        else:
            names.sizes[name] = Size.of(int(number))
    written: list[tuple[str, list[Syntax | Size], Span | None]] = []
    for name, value in axes.items():
        given = _given(names, name, value)
        if given is not None:
            written.append((name, given, None))
    equations: list[EquationClause] = []
    for statement in statements:
        for clause in statement.clauses:
            if isinstance(clause, AxesClause):
                written.append((clause.name, list(clause.axes), (clause.start, clause.end)))
            elif isinstance(clause, KindClause):
                _kind(names, clause)
            elif isinstance(clause, EquationClause):
                equations.append(clause)
    for _, found, _ in written:
        for axis in found:
            for size in _names_in(axis):
                names.sizes.setdefault(size, Size.of(size))
    _Solver(names, equations).run()
    for name, found, span in written:
        _set_axes(names, name, found, span)
    return names


def _given(names: Names, tensor: str, value: AxesLike) -> list[Syntax | Size] | None:
    """Axes that the caller gave: a string of names, or a sequence of names, numbers and sizes."""
    found: list[Syntax | Size] = []
    for piece in value.replace(",", " ").split() if isinstance(value, str) else value:
        if isinstance(piece, Size):
            found.append(piece)
        elif isinstance(piece, str):
            try:
                found.append(parse_expression(piece))
            except UnreadableError as error:
                message = f"the axes of {tensor}, {piece}: {error.problem.message}"
                names.problems.append(Problem(message, hint=error.problem.hint))
                return None
        else:
            found.append(Size.of(int(piece)))
    return found


def _names_in(axis: Syntax | Size) -> Iterable[str]:
    if isinstance(axis, Size):
        return sorted(axis.names)
    if isinstance(axis, NameSyntax):
        return [axis.name]
    return [name for part in parts(axis) for name in _names_in(part)]


def _kind(names: Names, clause: KindClause) -> None:
    match clause.kind:
        case "int":
            names.integers.add(clause.name)
        case "scalar":
            names.scalars[clause.name] = None
        case "size":
            names.sizes.setdefault(clause.name, Size.of(clause.name))
        case _:
            names.functions[clause.name] = clause.kind == "increasing" or names.functions.get(clause.name, False)


def _set_axes(names: Names, tensor: str, found: list[Syntax | Size], span: Span | None) -> None:
    start, end = span or (None, None)
    axes = []
    for axis in found:
        try:
            axes.append(axis.substitute(names.sizes) if isinstance(axis, Size) else names.size(axis))
        except UnreadableError as error:
            names.problems.append(error.problem)
            return
    if tensor in RESERVED:
        names.problems.append(Problem(f"{tensor} is a reserved word and cannot be a tensor", start, end))
    kind = names.kind(tensor)
    if kind in ("size", "scalar", "function"):
        names.problems.append(Problem(f"{tensor} is a {kind} and cannot be a tensor too", start, end))
    elif names.axes.setdefault(tensor, tuple(axes)) != tuple(axes):
        told = " ".join(map(str, names.axes[tensor])) or "none"
        names.problems.append(Problem(f"the axes of {tensor} are {told} elsewhere", start, end))


class _Solver:
    """Facts `left = right`: solve what is unknown, eliminate what is known, keep the rest as constraints."""

    def __init__(self, names: Names, equations: list[EquationClause]) -> None:
        self.names, self.equations = names, equations

    def run(self) -> None:
        waiting = list(self.equations)
        while waiting:
            later = [equation for equation in waiting if not self._use(equation)]
            if len(later) == len(waiting):
                multiple = next((equation for equation in later if self._multiple(equation, put=True)), None)
                if multiple is not None:
                    waiting = [equation for equation in later if equation is not multiple]
                    continue
                for equation in later:
                    self._open(equation)
                return
            waiting = later

    def _difference(self, equation: EquationClause) -> tuple[Size, Size]:
        def known(name: NameSyntax) -> Size:
            return self.names.sizes.get(name.name, Size.of(name.name))

        return size_of(equation.left, known), size_of(equation.right, known)

    def _unknown(self, size: Size) -> list[str]:
        return sorted(name for name in size.names if name not in self.names.sizes)

    def _use(self, equation: EquationClause) -> bool:
        """Use a fact; False where it has to wait for others."""
        try:
            left, right = self._difference(equation)
            unknown = self._unknown(left - right)
            if len(unknown) > 1 or self._multiple(equation):
                return False
            for name in unknown:
                self._put(name, self._solve(equation, left - right, name))
            if not unknown:
                self._settle(equation, left, right)
        except UnreadableError as error:
            self.names.problems.append(error.problem)
        return True

    def _multiple(self, equation: EquationClause, put: bool = False) -> bool:
        """Is it `C = 2*G` or `C = G*R` for declared C and R and an unknown G? It waits for what else gives one of them.

        Then C is `put` as that product, which says too that it is a multiple; G = floor(C/2) would not.
        """
        try:
            left, right = self._difference(equation)
        except UnreadableError:
            return False
        for whole, multiple in ((left, right), (right, left)):
            axis = str(whole)
            ((monomial, slope),) = multiple.terms if len(multiple.terms) == 1 else (((), 0),)
            known = self.names.sizes
            unknown = [atom for atom in monomial if isinstance(atom, str) and atom not in known]
            name = unknown[0] if len(unknown) == 1 and axis not in multiple.names else ""
            product = slope > 1 or (slope == 1 and len(monomial) > 1)
            if product and name and known.get(axis) == whole:
                if put and whole == Size.of(axis):
                    known[name] = Size.of(name)
                    self._put(axis, multiple)
                return whole == Size.of(axis)
        return False

    def _solve(self, equation: EquationClause, difference: Size, name: str) -> Size:
        """The value of `name` where `difference == 0`."""
        slope = Size(tuple((_without(m, name), c) for m, c in difference.terms if m.count(name) == 1))
        rest = difference - Size.of(name) * slope
        if name in rest.names or name in slope.names or not slope:
            hint = "write it with the unknown once, to the power 1"
            raise UnreadableError(f"this fact does not give {name}", equation.start, equation.end, hint)
        if (slope.is_int and slope.value < 0) or (not slope.is_int and (-slope).is_nonnegative()):
            slope, rest = -slope, -rest
        value = floor_div(-rest, slope)
        if value * slope != -rest:
            self._constrain(equation, -rest - value * slope)
        least = 0 if name.startswith("rest") else 1
        if not (value - least).is_nonnegative():
            self._constrain(equation, value - least, ">=")
        return value

    def _settle(self, equation: EquationClause, left: Size, right: Size) -> None:
        """A fact without unknowns: eliminate a name that stands alone on one side, or keep it as a constraint."""
        for side, other in ((left, right), (right, left)):
            name = str(side)
            if side == Size.of(name) and name in self.names.sizes and name not in other.names:
                self._put(name, other)
                return
        for sign in (1, -1):
            rest = (left - right) * sign
            name = next((str(m[0]) for m, c in rest.terms if len(m) == 1 and c == 1), "")
            if name in self.names.sizes and (Size.of(name) - rest).is_int and (Size.of(name) - rest).value > 0:
                self._put(name, Size.of(name) - rest)
                return
        self._constrain(equation, left - right)

    def _constrain(self, equation: EquationClause, size: Size, relation: str = "==") -> None:
        if size.is_int:
            value = size.value
            if value < 0 or (value > 0 and relation == "=="):
                left, right = self._difference(equation)
                told = f"{left} is not {right}" if left.is_int and right.is_int else "no sizes meet this"
                raise UnreadableError(f"this fact is false: {told}", equation.start, equation.end)
            return
        size = normal(size) if relation == ">=" else size
        self.names.facts.append(Fact(relation, size, why="a fact of the formula"))

    def _put(self, name: str, value: Size) -> None:
        self.names.sizes[name] = value
        for other, size in self.names.sizes.items():
            self.names.sizes[other] = size.substitute({name: value})

    def _open(self, equation: EquationClause) -> None:
        try:
            left, right = self._difference(equation)
        except UnreadableError as error:
            self.names.problems.append(error.problem)
            return
        unknown = self._unknown(left - right)
        message = f"this fact has {len(unknown)} unknown sizes, {' and '.join(unknown)}; it can give one"
        hint = f"declare the others: as axes, or as numbers such as {unknown[0]} = 2"
        self.names.problems.append(Problem(message, equation.start, equation.end, hint))


def _without(monomial: Monomial, name: str) -> Monomial:
    place = monomial.index(name)
    return monomial[:place] + monomial[place + 1 :]
