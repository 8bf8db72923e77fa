"""The rounding error of a program is a program: how far floating point can be from what the formulas say.

    fl(a + b) = (a + b)(1 + d),  |d| <= u          u = 2^-24 in float32, 2^-53 in float64
    |fl(sum of n terms) - sum| <= g(n) * sum of |terms|,   g(n) = n*u/(1 - n*u), in whatever order they are added

Every tensor T gets two companions, bounds for all its elements: `T.err` on |computed - exact|, and `T.top`, which is
|T| + T.err, on |computed|. A product's error is at most top*top*(1 + u) - size*size, a sum's is at most
(1 + g)*sum(top) - sum(size), so a contraction's bound is two contractions. A maximum, and an activation whose slope is
at most 1, pass an error on as it is. Functions are taken to be right to 8 units of the last place, which is more than
any engine here is off.

The bound is that of N. J. Higham, Accuracy and Stability of Numerical Algorithms, chapter 3, written as formulas; it
holds for every engine, every order of additions and every number of threads. The companions are to be evaluated in
float64, and are themselves rounded there: g has room for it.
"""

from __future__ import annotations

__all__ = ["UNIT", "error_name", "rounding_program"]

from collections.abc import Iterable
from dataclasses import dataclass, replace
from fractions import Fraction
from math import prod

from paperback.errors import ModelError
from paperback.notation.affine import Affine, Letter
from paperback.notation.expr import (
    ONE,
    ZERO,
    Add,
    Binder,
    Bracket,
    Call,
    Compare,
    Const,
    Index,
    Mul,
    Node,
    Pow,
    Read,
    Reduce,
    Scalar,
    Statement,
    add,
    bracket,
    const,
    mul,
    power,
    scale,
)
from paperback.notation.walk import fresh
from paperback.program.program import Program, ProgramTensor

UNIT = {"float32": Fraction(1, 2**24), "float64": Fraction(1, 2**53)}
_FUNCTION_UNITS = 8
_ROOM = Fraction(101, 100)

# |f(x + e) - f(x)| <= slope * |e|
_SLOPES = {
    "relu": Fraction(1), "abs": Fraction(1), "tanh": Fraction(1), "sigmoid": Fraction(1, 4), "softplus": Fraction(1),
    "sin": Fraction(1), "cos": Fraction(1), "erf": Fraction(113, 100),
}  # fmt: skip
_EXACT = {"relu", "abs", "max", "min"}  # give back one of the numbers that they take


def error_name(tensor: str) -> str:
    """The companion that bounds the error of a tensor."""
    return f"{tensor}.err"


@dataclass(frozen=True)
class _Bound:
    """Of an expression: its value, a bound on |value|, on the error, and on |value| + error."""

    value: Node
    size: Node
    error: Node
    top: Node

    @staticmethod
    def exact(value: Node, size: Node) -> _Bound:
        return _Bound(value, size, ZERO, size)

    @staticmethod
    def of(value: Node, size: Node, error: Node) -> _Bound:
        return _Bound(value, size, error, add(size, error))

    @staticmethod
    def up_to(value: Node, size: Node, top: Node) -> _Bound:
        return _Bound(value, size, add(top, scale(-1, _copy(size))), top)


def rounding_program(program: Program, dtype: str, inexact: Iterable[str] = ()) -> Program:
    """The program with the companions of its outputs among its outputs.

    dtype      whose rounding is bounded
    inexact    inputs that are themselves rounded (a parameter that was computed); the others are what they are

    Raises ModelError for a formula whose error has no bound of this kind (one that compares data).
    """
    return _Writer(program, UNIT[dtype], frozenset(inexact)).program()


class _Writer:
    def __init__(self, program: Program, unit: Fraction, inexact: frozenset[str]) -> None:
        self.source, self.unit, self.inexact = program, unit, inexact
        self.tensors = dict(program.tensors)
        self.statements: list[Statement] = []
        self.safe: set[str] = set()  # tensors that are free of errors
        self.sized: set[str] = set()  # tensors that have their companion top

    def program(self) -> Program:
        for statement in self.source.statements:
            bound = self.bound(statement.expr)
            self.statements.append(statement)
            name = statement.target
            if bound.error is ZERO:
                self.safe.add(name)
            else:
                self.put(replace(statement, target=error_name(name), expr=fresh(bound.error), pad=_no_pad(statement)))
        outputs = tuple(error_name(name) for name in self.source.outputs if name not in self.safe)
        tensors = {n: replace(t, role="output") if n in outputs else t for n, t in self.tensors.items()}
        return Program(
            tensors, tuple(self.statements), (*self.source.outputs, *outputs), batch=self.source.batch
        )  # fmt: skip

    def put(self, statement: Statement) -> None:
        self.statements.append(statement)
        self.tensors[statement.target] = ProgramTensor(statement.target, statement.axes, "intermediate")

    # --- expressions -------------------------------------------------------------------------------------------------

    def bound(self, node: Node) -> _Bound:
        match node:
            case Const() | Scalar():
                size = _abs(node)
                exact = isinstance(node, Const) and _is_short(node.value)
                return _Bound.exact(node, size) if exact else _Bound.up_to(node, size, self.rounded(size))
            case Index():
                return _Bound.exact(node, _abs(node))
            case Read():
                return self.read(node)
            case Add():
                return self.sum([self.bound(term) for term in node.terms], node)
            case Mul():
                return self.product([self.bound(factor) for factor in node.factors], node)
            case Pow():
                return self.power(node)
            case Call():
                return self.call(node)
            case Reduce():
                return self.reduce(node)
            case Bracket():
                self.check_guards(node)
                return _Bound.exact(node, node)
        raise ModelError(f"no bound is known for the rounding of {type(node).__name__}")

    def rounded(self, top: Node, times: int = 1) -> Node:
        """A bound on what comes out of `times` roundings one after the other."""
        return mul(const(1 + times * self.unit * _ROOM), top) if times else top

    def read(self, node: Read) -> _Bound:
        name = node.tensor
        if self.tensors[name].integer:
            return _Bound.exact(node, _abs(node))
        self.give_companions(name)
        pad = node.pad if node.pad is None else abs(node.pad)
        size = Read(f"{name}.abs", node.indices, pad)
        if name in self.safe:
            return _Bound.exact(node, size)
        error = Read(error_name(name), node.indices, node.pad if node.pad is None else Fraction(0))
        return _Bound(node, size, error, Read(f"{name}.top", node.indices, pad))

    def give_companions(self, name: str) -> None:
        """The sizes of a tensor as tensors, so that contractions stay contractions of two."""
        if name in self.sized:
            return
        self.sized.add(name)
        tensor = self.tensors[name]
        computed = any(s.target == name for s in self.statements)
        if not computed and name not in self.inexact:
            self.safe.add(name)
        binders, read = _whole(tensor)
        self.put(Statement.plain(f"{name}.abs", binders, _abs(read)))
        if name in self.safe:
            return
        if not computed:
            binders, read = _whole(tensor)
            self.put(Statement.plain(error_name(name), binders, scale(self.unit, _abs(read))))
        binders, read = _whole(tensor)
        error = Read(error_name(name), read.indices, None)
        self.put(Statement.plain(f"{name}.top", binders, add(Read(f"{name}.abs", read.indices, None), error)))

    def sum(self, parts: list[_Bound], node: Node) -> _Bound:
        size = add(*(part.size for part in parts))
        if len(parts) == 1:
            return parts[0]
        return _Bound.up_to(node, size, self.rounded(add(*(_copy(part.top) for part in parts)), len(parts) - 1))

    def product(self, parts: list[_Bound], node: Node) -> _Bound:
        size = mul(*(part.size for part in parts))
        numbers = [p for p in parts if not isinstance(p.value, Bracket) and not _is_sign(p.value)]
        times = max(len(numbers) - 1, 0)
        if not times and all(part.error is ZERO for part in parts):
            return _Bound.exact(node, size)
        return _Bound.up_to(node, size, self.rounded(mul(*(_copy(part.top) for part in parts)), times))

    def power(self, node: Pow) -> _Bound:
        base, size = self.bound(node.base), _abs(node)
        if base.error is ZERO:
            return _Bound.up_to(node, size, self.rounded(_copy(size), _FUNCTION_UNITS))
        relative = mul(_copy(base.error), power(_abs(_copy(node.base)), -1))
        grown = power(add(ONE, scale(-1, relative)), -abs(node.exponent))
        return _Bound.up_to(node, size, self.rounded(mul(_copy(size), grown), _FUNCTION_UNITS))

    def call(self, node: Call) -> _Bound:
        name, parts = node.function, [self.bound(argument) for argument in node.arguments]
        size, units = _abs(node), 0 if name in _EXACT else _FUNCTION_UNITS
        if name in ("max", "min"):
            return _Bound.of(node, size, Call("max", tuple(part.error for part in parts)))
        error = parts[0].error
        if name in _SLOPES:
            error = scale(_SLOPES[name], error)
        elif name in ("step", "sign"):
            uncertain = Compare("<=", _abs(_copy(node.arguments[0])), _copy(error))
            return _Bound.exact(node, size) if error is ZERO else _Bound.of(node, size, scale(2, bracket(uncertain)))
        elif name in ("exp", "expm1"):
            grown = mul(Call("exp", (_copy(node.arguments[0]),)), Call("expm1", (error,)))
            error = ZERO if error is ZERO else grown
        elif name in ("log", "log1p", "sqrt"):
            inner = _copy(node.arguments[0])
            inner = add(ONE, inner) if name == "log1p" else inner
            relative = mul(error, power(inner, -1))
            grown = scale(-1, Call("log1p", (scale(-1, relative),)))
            if name == "sqrt":
                grown = mul(_copy(size), add(power(add(ONE, scale(-1, relative)), Fraction(-1, 2)), const(-1)))
            error = ZERO if error is ZERO else grown
        elif error is not ZERO:
            raise ModelError(f"no bound is known for the rounding of {name}")
        if not units:
            return _Bound.of(node, size, error)
        return _Bound.of(node, size, add(error, mul(const(units * self.unit), add(_copy(size), _copy(error)))))

    def reduce(self, node: Reduce) -> _Bound:
        self.check_guards(node)
        body = self.bound(node.body)

        def over(op: str, part: Node) -> Node:
            return ZERO if part is ZERO else fresh(Reduce(op, node.binders, node.guards, part))

        if node.op in ("max", "min"):
            return _Bound.of(node, _abs(_copy(node)), over("max", body.error))
        extents = [b.extent for b in node.binders]
        if not all(extent.is_int for extent in extents):
            raise ModelError("no bound is known for the rounding of a sum over the batch")
        count = prod(extent.value for extent in extents)
        if node.op == "sum":
            times = max(count - 1, 0)
            if not times and body.error is ZERO:
                return _Bound.exact(node, over("sum", body.size))
            return _Bound.up_to(node, over("sum", body.size), self.rounded(over("sum", body.top), times))
        if node.op == "logsumexp":  # log(sum exp(z - max z)) + max z: a sum of numbers up to 1, the largest of them 1
            size = _abs(_copy(node))
            units = (count + 2 * _FUNCTION_UNITS) * self.unit * _ROOM
            own = mul(const(units), add(ONE, _copy(size), scale(2, over("max", body.size))))
            return _Bound.of(node, size, add(over("max", body.error), own))
        raise ModelError(f"no bound is known for the rounding of {node.op}")

    def check_guards(self, node: Reduce | Bracket) -> None:
        for guard in node.guards:
            if isinstance(guard, Compare):
                raise ModelError("no bound is known for the rounding of a formula that compares data")


def _whole(tensor: ProgramTensor) -> tuple[tuple[Binder, ...], Read]:
    """Binders over all of a tensor, and its element there."""
    binders = tuple(Binder(Letter.fresh("i"), axis) for axis in tensor.axes)
    return binders, Read(tensor.name, tuple(Affine.of(b.letter) for b in binders), None)


def _no_pad(statement: Statement) -> Fraction | None:
    return None if statement.pad is None else Fraction(0)


def _abs(node: Node) -> Node:
    if isinstance(node, Const):
        return const(abs(node.value))
    return Call("abs", (node,))


def _copy(node: Node) -> Node:
    """The expression once more in the same statement: its binders must be its own."""
    return fresh(node)


def _is_short(value: Fraction) -> bool:
    """Is it a number that float32 holds exactly (a power of two below it, and few digits)?"""
    denominator = value.denominator
    return denominator & (denominator - 1) == 0 and abs(value.numerator) < 2**24 and denominator <= 2**24


def _is_sign(node: Node) -> bool:
    """A factor of +-2^n rounds nothing."""
    if not isinstance(node, Const) or not node.value:
        return False
    top, bottom = abs(node.value.numerator), node.value.denominator
    return top & (top - 1) == 0 and bottom & (bottom - 1) == 0
