"""Values of the code that is being written: a scalar or a vector of floats, whole numbers or truths.

Vectors and scalars mix: a scalar meets a vector as the same number in every lane. Whole numbers become floats where
they meet one. Nothing is reassociated.
"""

from __future__ import annotations

__all__ = ["Value", "Values"]

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction

from paperback.engines.llvm.functions import elementary
from paperback.engines.llvm.ir import BOOL, INT, Function, Whole, float_literal, vector_type

_ORDERED = {"<": "olt", "<=": "ole", ">": "ogt", ">=": "oge", "==": "oeq", "!=": "une"}
_OTHERWISE = {">": "<=", ">=": "<", "<": ">=", "<=": ">"}
_SIGNED = {"<": "slt", "<=": "sle", ">": "sgt", ">=": "sge", "==": "eq", "!=": "ne"}


@dataclass(frozen=True)
class Value:
    """`text` names it; `kind` is "float", "int" or "bool"; `lanes` is 1 for a scalar."""

    text: str
    kind: str
    lanes: int = 1


class Values:
    """Arithmetic on values, in one function."""

    def __init__(self, function: Function, element: str) -> None:
        self.f = function
        self.element = element

    def type_of(self, kind: str, lanes: int) -> str:
        return vector_type({"float": self.element, "int": INT, "bool": BOOL}[kind], lanes)

    def typed(self, value: Value) -> str:
        return f"{self.type_of(value.kind, value.lanes)} {value.text}"

    # --- making values -----------------------------------------------------------------------------------------------

    def number(self, value: Fraction | float | int) -> Value:
        try:
            near = float(value)
        except OverflowError:
            near = float("inf") if value > 0 else float("-inf")
        return Value(float_literal(near, self.element), "float")

    def whole(self, value: Whole) -> Value:
        return Value(str(value), "int")

    def spread(self, value: Value, lanes: int) -> Value:
        """The same scalar in every lane."""
        if value.lanes == lanes:
            return value
        assert value.lanes == 1, "vectors of different lengths met"
        element, vector = self.type_of(value.kind, 1), self.type_of(value.kind, lanes)
        if value.text[0] != "%":
            return Value(f"splat ({element} {value.text})", value.kind, lanes)
        first = self.f.op(f"insertelement {vector} poison, {element} {value.text}, i32 0")
        text = self.f.op(f"shufflevector {vector} {first}, {vector} poison, <{lanes} x i32> zeroinitializer")
        return Value(text, value.kind, lanes)

    def steps(self, start: Whole, step: int, lanes: int) -> Value:
        """start, start + step, ... in the lanes."""
        if lanes == 1:
            return self.whole(start)
        offsets = f"<{', '.join(f'i64 {step * k}' for k in range(lanes))}>"
        if start == 0:
            return Value(offsets, "int", lanes)
        first = self.spread(self.whole(start), lanes)
        return Value(self.f.op(f"add <{lanes} x i64> {first.text}, {offsets}"), "int", lanes)

    def as_float(self, value: Value) -> Value:
        if value.kind == "float":
            return value
        if value.kind == "int" and value.lanes == 1 and value.text[0] != "%":
            return self.number(int(value.text))
        cast = "uitofp" if value.kind == "bool" else "sitofp"
        to = self.type_of("float", value.lanes)
        return Value(self.f.op(f"{cast} {self.typed(value)} to {to}"), "float", value.lanes)

    def level(self, a: Value, b: Value) -> tuple[Value, Value]:
        """Two values of one kind and as many lanes."""
        if a.kind != b.kind:
            a, b = self.as_float(a), self.as_float(b)
        lanes = max(a.lanes, b.lanes)
        return self.spread(a, lanes), self.spread(b, lanes)

    # --- arithmetic --------------------------------------------------------------------------------------------------

    def binary(self, operation: str, a: Value, b: Value) -> Value:
        """`operation` is add, sub, mul or div (of floats)."""
        if operation == "div":
            a, b = self.as_float(a), self.as_float(b)
        a, b = self.level(a, b)
        name = f"f{operation}" if a.kind == "float" else operation
        return Value(self.f.op(f"{name} {self.typed(a)}, {b.text}"), a.kind, a.lanes)

    def negative(self, value: Value) -> Value:
        if value.kind == "int":
            return self.binary("sub", self.whole(0), value)
        return Value(self.f.op(f"fneg {self.typed(value)}"), "float", value.lanes)

    def muladd(self, a: Value, b: Value, c: Value) -> Value:
        """a*b + c, in one rounding where the machine can."""
        lanes = max(a.lanes, b.lanes, c.lanes)
        a, b, c = (self.spread(self.as_float(v), lanes) for v in (a, b, c))
        return self._intrinsic("fmuladd", a, b, c)

    def _intrinsic(self, name: str, *arguments: Value) -> Value:
        lanes = arguments[0].lanes
        kind = self.type_of("float", lanes)
        short = {"float": "f32", "double": "f64"}[self.element]
        symbol = f"llvm.{name}.{short}" if lanes == 1 else f"llvm.{name}.v{lanes}{short}"
        return Value(self.f.call(kind, symbol, [(kind, a.text) for a in arguments]), "float", lanes)

    def sqrt(self, value: Value) -> Value:
        return self._intrinsic("sqrt", self.as_float(value))

    def magnitude(self, value: Value) -> Value:
        return self._intrinsic("fabs", self.as_float(value))

    def compare(self, relation: str, a: Value, b: Value) -> Value:
        """A truth; false with NaN, but for !=."""
        a, b = self.level(a, b)
        test = f"fcmp {_ORDERED[relation]}" if a.kind == "float" else f"icmp {_SIGNED[relation]}"
        return Value(self.f.op(f"{test} {self.typed(a)}, {b.text}"), "bool", a.lanes)

    def is_nan(self, value: Value) -> Value:
        return Value(self.f.op(f"fcmp uno {self.typed(value)}, {value.text}"), "bool", value.lanes)

    def both(self, a: Value | None, b: Value | None) -> Value | None:
        """`a and b`; None is true."""
        if a is None or b is None:
            return a if b is None else b
        a, b = self.level(a, b)
        return Value(self.f.op(f"and {self.typed(a)}, {b.text}"), "bool", a.lanes)

    def either(self, a: Value, b: Value) -> Value:
        a, b = self.level(a, b)
        return Value(self.f.op(f"or {self.typed(a)}, {b.text}"), "bool", a.lanes)

    def opposite(self, a: Value) -> Value:
        true = self.spread(Value("true", "bool"), a.lanes)
        return Value(self.f.op(f"xor {self.typed(a)}, {true.text}"), "bool", a.lanes)

    def select(self, condition: Value | None, a: Value, b: Value) -> Value:
        """a where the condition holds, else b."""
        if condition is None:
            return a
        a, b = self.level(a, b)
        lanes = max(condition.lanes, a.lanes)
        a, b = self.spread(a, lanes), self.spread(b, lanes)
        text = self.f.op(f"select {self.typed(condition)}, {self.typed(a)}, {self.typed(b)}")
        return Value(text, a.kind, lanes)

    def better(self, sign: str, best: Value, value: Value) -> Value:
        """Does `value` replace `best` in a maximum (sign ">") or minimum ("<")? NaN does, but for an earlier NaN."""
        beats = self.opposite(self.compare(_OTHERWISE[sign], value, best))  # or one of them is NaN
        takes = self.both(beats, self.opposite(self.is_nan(best)))
        assert takes is not None
        return takes

    def extreme(self, sign: str, a: Value, b: Value) -> Value:
        """The greater (">") or lesser of two; NaN wins, the first at a tie."""
        a, b = self.level(self.as_float(a), self.as_float(b))
        takes = self.either(self.compare(sign, b, a), self.is_nan(b))
        return self.select(takes, b, a)

    def function(self, name: str, value: Value) -> Value:
        """An elementary function, as code of its own."""
        value = self.as_float(value)
        return self._elementary(elementary.definition(name, self.element, value.lanes), value)

    def power(self, value: Value, exponent: Fraction) -> Value:
        value = self.as_float(value)
        return self._elementary(elementary.power(exponent, self.element, value.lanes), value)

    def _elementary(self, definition: elementary.Definition, value: Value) -> Value:
        pending = [definition]
        while pending:
            one = pending.pop()
            self.f.definitions[one.symbol] = one.text
            self.f.declarations |= one.declarations
            pending.extend(one.needs)
        kind = self.type_of("float", value.lanes)
        return Value(self.f.op(f"call {kind} @{definition.symbol}({kind} {value.text})"), "float", value.lanes)

    def any(self, value: Value) -> Value:
        """Does a truth hold in any lane?"""
        if value.lanes == 1:
            return value
        bits = self.f.op(f"bitcast {self.typed(value)} to i{value.lanes}")
        return Value(self.f.op(f"icmp ne i{value.lanes} {bits}, 0"), "bool")

    # --- lanes -------------------------------------------------------------------------------------------------------

    def fold(self, value: Value, combine: Callable[[Value, Value], Value]) -> Value:
        """All lanes combined into one, halves first."""
        while value.lanes > 1:
            half = value.lanes // 2
            low, high = self._part(value, 0, half), self._part(value, half, half)
            rest = self._part(value, 2 * half, 1) if value.lanes % 2 else None
            value = combine(low, high)
            if rest is not None and value.lanes == 1:
                value = combine(value, rest)
            elif rest is not None:
                value = combine(self.fold(value, combine), rest)
        return value

    def folded(self, values: Sequence[Value], combine: Callable[[Value, Value], Value]) -> Value:
        """`fold` of as many vectors as they have lanes, all together: each in a lane of the result."""
        rows, width = list(values), values[0].lanes
        wide = width  # lanes that belong to one sum
        while wide > 1:
            half = wide // 2
            low = [start + k for start in range(0, 2 * width, wide) for k in range(half)]
            pairs = zip(rows[::2], rows[1::2], strict=True)
            rows = [combine(self._picked(a, b, low), self._picked(a, b, [k + half for k in low])) for a, b in pairs]
            wide = half
        return rows[0]

    def _picked(self, a: Value, b: Value, places: Sequence[int]) -> Value:
        """Lanes of two vectors, those of the second after those of the first."""
        kind = self.type_of(a.kind, a.lanes)
        mask = ", ".join(f"i32 {k}" for k in places)
        text = self.f.op(f"shufflevector {kind} {a.text}, {kind} {b.text}, <{len(places)} x i32> <{mask}>")
        return Value(text, a.kind, len(places))

    def _part(self, value: Value, start: int, lanes: int) -> Value:
        kind = self.type_of(value.kind, value.lanes)
        if lanes == 1:
            return Value(self.f.op(f"extractelement {kind} {value.text}, i32 {start}"), value.kind)
        return self._picked(value, replace(value, text="poison"), range(start, start + lanes))
