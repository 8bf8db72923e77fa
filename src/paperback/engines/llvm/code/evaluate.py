"""The value of an expression at one point, or in the lanes of one letter, as code.

An `Evaluator` knows the letters that are bound (their values in the code, `bind`) and the tensors' places in memory. It
writes each sub-expression once per loop level. Reads are loads: of one entry, of neighbours, or of scattered entries,
tested where they may leave their range. Brackets are selects: what stands under a false bracket is computed and
dropped, and nothing it reads is out of range.

Reductions over letters are in `reduce`.
"""

from __future__ import annotations

__all__ = ["Evaluator"]

from collections.abc import Sequence
from fractions import Fraction

from paperback.engines.llvm.code.access import Access
from paperback.engines.llvm.code.values import Value
from paperback.engines.llvm.lowering.arrange import guards_of
from paperback.engines.llvm.lowering.buffers import EXAMPLES, Buffer, Linear, is_inside
from paperback.notation.affine import Affine, Letter
from paperback.notation.expr import (
    Add,
    AffineGuard,
    Bracket,
    Call,
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
)  # fmt: skip
from paperback.notation.walk import children, free_letters, nodes

_SMALL_POWER = 8
_INLINE = ("relu", "abs", "sign", "step", "max", "min", "sqrt")


class Evaluator(Access):
    """Writes values of expressions into one function."""

    def prepare(self, node: Node) -> None:
        """Before a loop: write what does not depend on its letter, where that is worth a register."""
        if isinstance(node, Const | Scalar | Index):
            return
        bound = all(l in self.env for l in free_letters(node))
        if bound and self.vector is None and _is_costly(node) and self._is_total(node):
            self.value(node)
        elif not (bound and isinstance(node, Read)):
            for child in children(node):
                self.prepare(child)

    def _is_total(self, node: Node) -> bool:
        """Is every read of it in range, whatever the guards around say?"""
        inner = dict(self.extents)
        inner.update(
            (b.letter, self.extent_of(b.extent)) for n in nodes(node) if isinstance(n, Reduce) for b in n.binders
        )
        for read in (n for n in nodes(node) if isinstance(n, Read)):
            for index, length in zip(read.indices, self.buffers[read.tensor].shape, strict=True):
                if not isinstance(index, Affine) or not is_inside(index, length, inner):
                    return False
        return True

    # --- values ------------------------------------------------------------------------------------------------------

    def value(self, node: Node) -> Value:
        for key in ((node, None), (node, self.mask)):
            for scope in reversed(self.scopes):
                if key in scope:
                    return scope[key]
        value = self._value(node)
        self.scopes[-1][node, self.mask] = value
        return value

    def know(self, node: Node, value: Value) -> None:
        """Say what the value of an expression is in this scope."""
        self.scopes[-1][node, None] = value

    def float_of(self, node: Node) -> Value:
        return self.as_float(self.value(node))

    def _value(self, node: Node) -> Value:
        match node:
            case Const():
                whole = node.value.denominator == 1 and abs(node.value) < 2**31
                return self.whole(int(node.value)) if whole else self.number(node.value)
            case Scalar():
                return self._scalar(node.name)
            case Index():
                return self.affine(node.affine)
            case Read():
                return self._read(node)
            case Add():
                return self._sum([self.value(term) for term in node.terms])
            case Mul() | Bracket():
                return self._product(node)
            case Pow():
                return self._power(self.float_of(node.base), node.exponent)
            case Call():
                return self._call(node.function, [self.value(a) for a in node.arguments])
            case Reduce():
                return self.reduction(node)
        raise TypeError(f"no code for {node!r}")

    def reduction(self, node: Reduce) -> Value:
        raise NotImplementedError

    def _scalar(self, name: str) -> Value:
        if name == "pi":
            return self.number(3.141592653589793)
        if name in self.buffers:
            return self.load(self.buffers[name], Linear(0, ()), None, Fraction(0))
        assert name == EXAMPLES, f"{name} is given by nobody"
        return Value(self.f.at_entry(f"sitofp i64 %N to {self.element}"), "float")

    def _sum(self, terms: Sequence[Value]) -> Value:
        total = terms[0]
        for term in terms[1:]:
            total = self.binary("add", total, term)
        return total

    def _product(self, node: Node) -> Value:
        guards, factors = guards_of(node)
        outside = self.mask
        holds: Value | None = None
        for guard in guards:
            one = self.guard(guard)
            holds = self.both(holds, one)
            self.mask = self.both(self.mask, one)
        if not factors:
            self.mask = outside
            assert holds is not None
            return self.select(holds, self.number(1), self.number(0))
        values = [self.value(f) for f in factors]
        self.mask = outside
        total = values[0]
        for value in values[1:]:
            if value.text == "-1" or total.text == "-1":
                total = self.negative(self.as_float(value if total.text == "-1" else total))
            else:
                total = self.binary("mul", total, value)
        nothing = self.whole(0) if total.kind == "int" else self.number(0)
        return self.select(holds, self.as_float(total) if total.kind == "bool" else total, nothing)

    def _power(self, base: Value, exponent: Fraction) -> Value:
        if exponent < 0:
            return self.binary("div", self.number(1), self._power(base, -exponent))
        if exponent.denominator == 2 and exponent.numerator <= _SMALL_POWER:
            return self._power(self.sqrt(base), Fraction(exponent.numerator))
        if exponent.denominator != 1 or exponent > _SMALL_POWER:
            return self.power(base, exponent)
        result, square, power = None, base, int(exponent)
        while power:
            if power & 1:
                result = square if result is None else self.binary("mul", result, square)
            power >>= 1
            if power:
                square = self.binary("mul", square, square)
        assert result is not None
        return result

    def _call(self, name: str, arguments: Sequence[Value]) -> Value:
        first = self.as_float(arguments[0])
        zero, one = self.number(0), self.number(1)
        match name:
            case "relu":
                return self.select(self.compare("<", first, zero), zero, first)
            case "abs":
                return self.magnitude(first)
            case "sqrt":
                return self.sqrt(first)
            case "step":
                return self.select(self.compare(">=", first, zero), one, zero)
            case "sign":
                side = self.select(self.compare(">", first, zero), one, first)
                return self.select(self.compare("<", first, zero), self.number(-1), side)
            case "max" | "min":
                best = first
                for other in arguments[1:]:
                    best = self.extreme(">" if name == "max" else "<", best, self.as_float(other))
                return best
        return self.function(name, first)

    # --- guards ------------------------------------------------------------------------------------------------------

    def guard(self, guard: Guard) -> Value:
        if isinstance(guard, AffineGuard):
            relation = {">=": ">=", "==": "==", "!=": "!="}[guard.relation]
            return self.compare(relation, self.affine(guard.affine), self.whole(0))
        if isinstance(guard, Divides):
            return self.compare("==", self._remainder(self.affine(guard.affine), guard.modulus.value), self.whole(0))
        return self.compare(guard.relation, self.value(guard.left), self.value(guard.right))

    def guards(self, guards: Sequence[Guard]) -> Value | None:
        """All of them, from left to right, each tested where those before it hold; `mask` takes them in."""
        holds: Value | None = None
        for guard in guards:
            one = self.guard(guard)
            holds = self.both(holds, one)
            self.mask = self.both(self.mask, one)
        return holds

    def _remainder(self, value: Value, modulus: int) -> Value:
        divisor = self.spread(self.whole(modulus), value.lanes)
        return Value(self.f.op(f"srem {self.typed(value)}, {divisor.text}"), "int", value.lanes)

    # --- reads -------------------------------------------------------------------------------------------------------

    def _read(self, node: Read) -> Value:
        buffer = self.buffers[node.tensor]
        affine = [i for i in node.indices if isinstance(i, Affine)]
        if len(affine) < len(node.indices):
            return self._gather(node, buffer)
        inside: Value | None = None
        for index, length in zip(affine, buffer.shape, strict=True):
            if not is_inside(index, length, self.extents):
                inside = self.both(inside, self.in_range(self.affine(index), length))
        return self.load(buffer, Linear.of(affine, buffer.strides), inside, node.pad or Fraction(0))

    def _gather(self, node: Read, buffer: Buffer) -> Value:
        row = self._row(node, buffer)
        flat, inside, checked = self.whole(0), None, None
        for index, length, stride in zip(node.indices, buffer.shape, buffer.strides, strict=True):
            place = self.affine(index, row) if isinstance(index, Affine) else self._place(index)
            if not (isinstance(index, Affine) and is_inside(index, length, self.extents)):
                fits = self.in_range(place, length)
                inside = self.both(inside, fits)
                if isinstance(index, Read) and node.pad is None:
                    checked = self.both(checked, fits)
                if row:
                    place = self.select(fits, place, self.whole(0))  # read something that is there
            flat = self.binary("add", flat, self.binary("mul", place, self.whole(stride)))
        if checked is not None:
            wrong = self.both(self.opposite(checked), self.mask)
            assert wrong is not None
            with self.f.when(self.any(wrong).text):
                status = self.f.op("load ptr, ptr %table, align 8")
                self.f.do(f"store i64 1, ptr {status}")
        if row:
            return self.select(inside, self.load_neighbours(buffer, flat.text), self.number(node.pad or 0))
        lanes = max(flat.lanes, inside.lanes if inside is not None else 1)
        return self.load_scattered(buffer, self.spread(flat, lanes), inside, node.pad or Fraction(0))

    def _row(self, node: Read, buffer: Buffer) -> bool:
        """Do the lanes read neighbours, of one row that is looked up?"""
        if self.vector is None or buffer.element not in ("float", "double"):
            return False
        step = 0
        for index, length, stride in zip(node.indices, buffer.shape, buffer.strides, strict=True):
            if self.vector in _letters(index):
                if not isinstance(index, Affine) or not is_inside(index, length, self.extents):
                    return False
                step += stride * sum(k.value for letter, k in index.terms if letter == self.vector)
            elif isinstance(index, Affine) and not is_inside(index, length, self.extents):
                return False
        return step == 1

    def _place(self, index: IndexExpr) -> Value:
        if isinstance(index, Affine):
            return self.affine(index)
        if isinstance(index, Quotient):
            value = self.affine(index.affine)
            divisor = self.spread(self.whole(index.divisor.value), value.lanes)
            return Value(self.f.op(f"sdiv {self.typed(value)}, {divisor.text}"), "int", value.lanes)
        return self.value(index)


def _letters(index: IndexExpr) -> tuple[Letter, ...]:
    if isinstance(index, Affine):
        return index.letters
    return index.affine.letters if isinstance(index, Quotient) else free_letters(index)


def _is_costly(node: Node) -> bool:
    return any(
        isinstance(n, Reduce)
        or (isinstance(n, Call) and n.function not in _INLINE[:-1])
        or (isinstance(n, Pow) and n.exponent < 2)
        for n in nodes(node)
    )
