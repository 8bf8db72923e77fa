"""A small language for arithmetic on vectors, in which the elementary functions are written.

    code = Code("exp", "float", lanes=8)
    x = code.argument
    y = (x * x).fma(2.0, 1.0)        2 x^2 + 1; each operation is a line of LLVM IR
    definition = code.returns(y)     a function of its own: <8 x float> -> <8 x float>

One lane is a plain scalar. A Python number meets a vector as the same constant in every lane. Nothing is reassociated;
`fma(a, b, c)` is one rounding where the machine has it and two where not, so no function may rely on either.
"""

from __future__ import annotations

__all__ = ["Code", "Definition", "Format", "Vector", "horner", "two_sum"]

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from paperback.engines.llvm.ir import float_literal, vector_type

_SHORT = {"float": "f32", "double": "f64", "i32": "i32", "i64": "i64"}
_INTEGER = {"float": "i32", "double": "i64"}


@dataclass(frozen=True)
class Definition:
    """An internal function: its name, its text, the intrinsics it declares, and the definitions it refers to.

    Without branches it is marked `alwaysinline`, for whoever runs that pass: a call costs `exp` a quarter of its time.
    """

    symbol: str
    text: str
    declarations: frozenset[str]
    needs: tuple[Definition, ...] = ()


@dataclass(frozen=True)
class Format:
    """A type of floating-point numbers: the bits of its fraction and the bias of its exponent."""

    element: str
    fraction: int
    bias: int

    @property
    def sign(self) -> int:
        """The bits of -0."""
        return -1 << (31 if self.element == "float" else 63)

    @property
    def one(self) -> int:
        """The bits of 1."""
        return self.bias << self.fraction

    @property
    def rounder(self) -> float:
        """Added to a small number, its last bits are the nearest whole number."""
        return 1.5 * 2.0**self.fraction


FORMATS = {"float": Format("float", 23, 127), "double": Format("double", 52, 1023)}


class Code:
    """The body of one function of one vector; `argument` is the vector."""

    def __init__(self, name: str, element: str, lanes: int) -> None:
        self.element, self.lanes = element, lanes
        self.symbol = f"{name}.{_SHORT[element]}.{lanes}"
        self.lines: list[str] = []
        self.declarations: set[str] = set()
        self.needs: list[Definition] = []
        self._straight = True
        self.argument = Vector(self, "%x", element)

    def type(self, element: str) -> str:
        return vector_type(element, self.lanes)

    def op(self, text: str, element: str) -> Vector:
        name = f"%v{len(self.lines)}"
        self.lines.append(f"  {name} = {text}")
        return Vector(self, name, element)

    def intrinsic(self, name: str, *arguments: Vector) -> Vector:
        element = arguments[0].element
        kind = self.type(element)
        width = _SHORT[element] if self.lanes == 1 else f"v{self.lanes}{_SHORT[element]}"
        symbol = f"llvm.{name}.{width}"
        self.declarations.add(f"declare {kind} @{symbol}({', '.join([kind] * len(arguments))})")
        return self.op(f"call {kind} @{symbol}({', '.join(str(a) for a in arguments)})", element)

    def constant(self, value: float, element: str) -> Vector:
        text = float_literal(value, element) if element in ("float", "double") else str(int(value))
        return Vector(self, text if self.lanes == 1 else f"splat ({element} {text})", element)

    @contextmanager
    def rare(self, condition: Vector) -> Iterator[None]:
        """A block for when the condition holds in any lane. It must end with `leave`."""
        serial, self._straight = len(self.lines), False
        if self.lanes > 1:
            symbol = f"llvm.vector.reduce.or.v{self.lanes}i1"
            self.declarations.add(f"declare i1 @{symbol}({self.type('i1')})")
            condition = self.op(f"call i1 @{symbol}({condition})", "i1")
        self.lines.append(f"  br i1 {condition.name}, label %rare{serial}, label %usual{serial}")
        self.lines.append(f"rare{serial}:")
        yield
        self.lines.append(f"usual{serial}:")

    def leave(self, value: Vector) -> None:
        self.lines.append(f"  ret {value}")

    def lane_by_lane(self, definition: Definition, x: Vector) -> Vector:
        """A function of one number in every lane."""
        self.needs.append(definition)
        element, result = x.element, "poison"
        for lane in range(self.lanes):
            one = self.op(f"extractelement {x}, i32 {lane}", element).name
            y = self.op(f"call {element} @{definition.symbol}({element} {one})", element).name
            result = self.op(f"insertelement {self.type(element)} {result}, {element} {y}, i32 {lane}", element).name
        return Vector(self, result, element)

    def returns(self, value: Vector) -> Definition:
        kind = self.type(self.element)
        self.leave(value)
        body = "\n".join(self.lines)
        attribute = "alwaysinline " if self._straight else ""
        text = f"define internal {kind} @{self.symbol}({kind} %x) {attribute}{{\nentry:\n{body}\n}}\n"
        return Definition(self.symbol, text, frozenset(self.declarations), tuple(self.needs))


@dataclass(frozen=True)
class Vector:
    """A value in every lane: floats, whole numbers (i32, i64) or truths (i1)."""

    code: Code
    name: str
    element: str

    def __str__(self) -> str:
        return f"{self.code.type(self.element)} {self.name}"

    @property
    def format(self) -> Format:
        return FORMATS[self.element]

    @property
    def _real(self) -> bool:
        return self.element in ("float", "double")

    def like(self, other: Vector | float) -> Vector:
        """The other operand, as a vector of this type."""
        if isinstance(other, Vector):
            assert other.element == self.element, (other.element, self.element)
            return other
        return self.code.constant(other, self.element)

    def _binary(self, operation: str, other: Vector | float) -> Vector:
        name = f"f{operation}" if self._real else operation
        return self.code.op(f"{name} {self}, {self.like(other).name}", self.element)

    def __add__(self, other: Vector | float) -> Vector:
        return self._binary("add", other)

    def __sub__(self, other: Vector | float) -> Vector:
        return self._binary("sub", other)

    def __rsub__(self, other: float) -> Vector:
        return self.like(other) - self

    def __mul__(self, other: Vector | float) -> Vector:
        return self._binary("mul", other)

    def __truediv__(self, other: Vector | float) -> Vector:
        return self._binary("div", other)

    def __rtruediv__(self, other: float) -> Vector:
        return self.like(other) / self

    def __neg__(self) -> Vector:
        return self.code.op(f"fneg {self}", self.element) if self._real else 0 - self

    def fma(self, factor: Vector | float, addend: Vector | float) -> Vector:
        """self*factor + addend"""
        return self.code.intrinsic("fmuladd", self, self.like(factor), self.like(addend))

    def abs(self) -> Vector:
        return self.code.intrinsic("fabs", self)

    # --- bits --------------------------------------------------------------------------------------------------------

    def wide(self) -> Vector:
        """float as double"""
        return self.code.op(f"fpext {self} to {self.code.type('double')}", "double")

    def narrow(self) -> Vector:
        """double as float, rounded"""
        return self.code.op(f"fptrunc {self} to {self.code.type('float')}", "float")

    def bits(self) -> Vector:
        to = _INTEGER[self.element]
        return self.code.op(f"bitcast {self} to {self.code.type(to)}", to)

    def real(self) -> Vector:
        to = {"i32": "float", "i64": "double"}[self.element]
        return self.code.op(f"bitcast {self} to {self.code.type(to)}", to)

    def __lshift__(self, count: int) -> Vector:
        return self._binary("shl", count)

    def __rshift__(self, count: int) -> Vector:
        """Zeros come in from the left."""
        return self._binary("lshr", count)

    def __and__(self, other: Vector | int) -> Vector:
        return self._binary("and", other)

    def __or__(self, other: Vector | int) -> Vector:
        return self._binary("or", other)

    def __xor__(self, other: Vector | int) -> Vector:
        return self._binary("xor", other)

    def sign(self) -> Vector:
        """The sign's bit, alone."""
        return self.bits() & self.format.sign

    def sqrt(self) -> Vector:
        return self.code.intrinsic("sqrt", self)

    def signed(self, sign: Vector) -> Vector:
        """With another's sign, or negative already."""
        return (self.bits() | sign).real()

    def flipped(self, sign: Vector) -> Vector:
        """Negated where the sign's bit is set."""
        return (self.bits() ^ sign).real()

    # --- comparing: false with NaN -----------------------------------------------------------------------------------

    def _compare(self, relation: str, other: Vector | float) -> Vector:
        return self.code.op(f"fcmp {relation} {self}, {self.like(other).name}", "i1")

    def __lt__(self, other: Vector | float) -> Vector:
        return self._compare("olt", other)

    def __gt__(self, other: Vector | float) -> Vector:
        return self._compare("ogt", other)

    def differs(self, other: int) -> Vector:
        """For whole numbers."""
        return self.code.op(f"icmp ne {self}, {self.like(other).name}", "i1")

    def is_(self, other: Vector | float) -> Vector:
        return self._compare("oeq", other)

    def select(self, yes: Vector, no: Vector | float) -> Vector:
        """`yes` where this truth holds, else `no`."""
        return self.code.op(f"select {self}, {yes}, {yes.like(no)}", yes.element)

    def at_most(self, limit: float) -> Vector:
        """The lesser of both; NaN stays."""
        high = self.like(limit)
        return (high < self).select(high, self)

    def at_least(self, limit: float) -> Vector:
        """The greater of both; NaN stays."""
        low = self.like(limit)
        return (low > self).select(low, self)


def horner(x: Vector, coefficients: Sequence[float]) -> Vector:
    """c0 + c1 x + c2 x^2 + ... , at least three terms."""
    result = x.fma(coefficients[-1], coefficients[-2])
    for c in coefficients[-3::-1]:
        result = result.fma(x, c)
    return result


def two_sum(a: Vector, b: Vector) -> tuple[Vector, Vector]:
    """a + b, rounded, and what was lost (Knuth)."""
    total = a + b
    part = total - a
    return total, (a - (total - part)) + (b - part)
