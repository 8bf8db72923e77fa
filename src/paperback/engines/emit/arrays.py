"""Expressions as array operations: arithmetic, functions, powers, brackets, reducers."""

from __future__ import annotations

__all__ = ["Arrays"]

from collections.abc import Sequence
from fractions import Fraction

import numpy as np

from paperback.calculus.display import range_guards
from paperback.engines.emit.reads import read
from paperback.engines.emit.reductions import reduction
from paperback.engines.emit.scope import Scope
from paperback.engines.emit.sums import total
from paperback.engines.emit.values import ATOM, POWER, PRODUCT, SUM, UNARY, Value, plain_name
from paperback.engines.numpy.functions import number_of
from paperback.notation.affine import Affine
from paperback.notation.expr import (
    ONE,
    Add,
    Bracket,
    Call,
    Const,
    Guard,
    Index,
    Mul,
    Node,
    Pow,
    Read,
    Reduce,
    Scalar,
    mul,
)
from paperback.notation.walk import children


class Arrays(Scope):
    """Emits expressions; a value that is used twice, or is long, gets a name."""

    def count(self, node: Node) -> None:
        """Note how often each part occurs, before it is emitted."""
        self.uses[node] += 1
        if self.uses[node] == 1:
            for child in children(node):
                self.count(child)

    def value(self, node: Node) -> Value:
        key = (node, self.guarded)
        if key not in self.known:
            made = self._make(node)
            if self.uses[node] > 1 and not isinstance(node, Const | Scalar | Index | Read) and not made.plain:
                made = self.assign(_hint(node), made)
            self.known[key] = made
        return self.known[key]

    def _make(self, node: Node) -> Value:
        match node:
            case Const():
                return number(node.value)
            case Scalar(name="pi"):
                return Value(self.dialect.functions["pi"], plain=True)
            case Scalar():
                return Value(plain_name(node.name), plain=True)
            case Index():
                return self.affine(node.affine)
            case Read():
                return read(self, node)
            case Add():
                return self._add(node)
            case Mul() | Bracket():
                return self._product(node)
            case Pow():
                return self._power(node)
            case Call():
                return self._call(node)
            case Reduce(op="sum"):
                return total(self, node)
            case Reduce():
                return reduction(self, node)
        raise TypeError(f"no rule for {node!r}")

    def _add(self, node: Add) -> Value:
        parts = []
        for term in node.terms:
            coefficient, rest = _signed(term)
            parts.append((coefficient, self.value(rest)))
        whole = all(value.kind == "int" for _, value in parts)
        if not whole:
            parts = [(sign, self.floats(value)) for sign, value in parts]
        values = self.fitting("term", [value for _, value in parts])
        parts = [(sign, value) for (sign, _), value in zip(parts, values, strict=True)]
        letters = self.union([value for _, value in parts])
        text = ""
        for sign, value in parts:
            own = self.align(value, letters).at(SUM if not text and sign > 0 else PRODUCT)
            text += (f" {'+' if sign > 0 else '-'} " if text else "" if sign > 0 else "-") + own
        plain = all(value.plain for _, value in parts)
        return Value(text, letters, SUM, "int" if whole else "float", plain)

    def _product(self, node: Node) -> Value:
        factors = node.factors if isinstance(node, Mul) else (node,)
        guards = tuple(g for f in factors if isinstance(f, Bracket) for g in f.guards)
        plain = [f for f in factors if not isinstance(f, Bracket)]
        if not guards:
            return self.product(plain)
        if len(plain) == 1 or (self.finite and all(isinstance(f, Read) or self.box.is_total(f) for f in plain)):
            guards = tuple(g for g in guards if not self._is_padding(g, plain))
        mask = self.mask(guards) if guards else None
        with self.within((), guarded=True):
            value = self.value(mul(*plain)) if len(plain) > 1 else self.value(plain[0] if plain else ONE)
        return value if mask is None else self.select(mask, value)

    def _is_padding(self, guard: Guard, factors: Sequence[Node]) -> bool:
        """Does the guard say that one of the factors is read in its range? Behind a guard it is padded with 0."""
        for factor in factors:
            if isinstance(factor, Read) and factor.pad is None and all(isinstance(i, Affine) for i in factor.indices):
                for index, extent in zip(factor.indices, self.box.axes[factor.tensor], strict=True):
                    if isinstance(index, Affine) and len(index.terms) == 1 and guard in range_guards(index, extent):
                        return True
        return False

    def product(self, factors: list[Node]) -> Value:
        """A product without brackets; reciprocals are divisions."""
        coefficient = Fraction(1)
        above: list[Value] = []
        below: list[Value] = []
        for factor in factors:
            if isinstance(factor, Const):
                coefficient *= factor.value
            elif isinstance(factor, Pow) and factor.exponent == -1:
                below.append(self.value(factor.base))
            elif isinstance(factor, Pow) and factor.exponent == Fraction(-1, 2) and self._divides_by_roots(factor):
                below.append(self.value(Pow(factor.base, Fraction(1, 2))))
            else:
                above.append(self.value(factor))
        return self.multiplied(coefficient, above, below)

    def multiplied(self, coefficient: Fraction, above: Sequence[Value], below: Sequence[Value]) -> Value:
        whole = all(v.kind == "int" for v in above) and not below and coefficient.denominator == 1
        if not whole:
            above, below = [self.floats(v) for v in above], [self.floats(v) for v in below]
        values = self.fitting("factor", [*above, *below])
        above, below = values[: len(above)], values[len(above) :]
        letters = self.union(values)
        negative = coefficient < 0
        numerator, denominator = abs(coefficient.numerator), coefficient.denominator
        first = PRODUCT if numerator == 1 else UNARY
        texts = [self.align(v, letters).at(UNARY if k else first) for k, v in enumerate(above)]
        if numerator != 1 or not texts:
            if not texts and not below:
                return number(coefficient)
            texts.insert(0, number(Fraction(numerator)).text)
        text = " * ".join(texts)
        for value in below:
            text += f" / {self.align(value, letters).at(UNARY)}"
        if denominator != 1:
            text += f" / {number(Fraction(denominator)).text}"
        if negative:
            text = f"-{text}"
        single = len(values) == 1 and coefficient == 1 and not below
        binds = values[0].binds if single else PRODUCT
        if single:
            text = self.align(values[0], letters).text
        return Value(text, letters, binds, "int" if whole else "float", all(v.plain for v in values))

    def _divides_by_roots(self, factor: Pow) -> bool:
        """NumPy has no reciprocal root, so that 1/sqrt(v) is a divisor where it is not used again."""
        return self.dialect.name == "numpy" and self.uses[factor] < 2

    def _power(self, node: Pow) -> Value:
        base = self.floats(self.value(node.base))
        exponent = node.exponent
        root = {Fraction(1, 2): "sqrt", Fraction(-1, 2): "rsqrt"}.get(exponent)
        if root and not base.plain:
            text = self.dialect.call(root, base.text)
            return Value(text, base.letters, PRODUCT if text.startswith("1") else ATOM)
        if exponent == -1:
            return Value(f"1 / {base.at(UNARY)}", base.letters, PRODUCT, plain=base.plain)
        shown = str(exponent.numerator) if exponent.denominator == 1 else repr(float(exponent))
        return Value(f"{base.at(ATOM)}**{shown}", base.letters, POWER, plain=base.plain)

    def _call(self, node: Call) -> Value:
        arguments = [self.floats(self.value(argument)) for argument in node.arguments]
        name = node.function
        if all(a.plain for a in arguments):
            arguments = [Value(self.dialect.number(a.text, self.like)) for a in arguments]
        arguments = [self.short("argument", a) for a in arguments]
        letters = self.union(arguments)
        texts = [self.align(a, letters).text for a in arguments]
        if name == "step":
            return Value(self.dialect.cast(f"({self.align(arguments[0], letters).at(SUM)} >= 0)", self.like), letters)
        if name not in self.dialect.functions:
            return Value(f"{plain_name(name)}({', '.join(texts)})", letters)
        if name in ("max", "min") and self.dialect.name == "torch" and any(a.plain for a in arguments):
            moved, bound = (texts[1], texts[0]) if arguments[0].plain else texts
            side = {"max": "min", "min": "max"}[name]  # at least, at most
            return Value(f"torch.clamp({moved}, {side}={bound})", letters)
        if name == "softplus" and self.dialect.name == "torch":
            texts = [self.align(arguments[0], letters).at(ATOM)]
        text = self.dialect.call(name, *texts)
        return Value(text, letters, UNARY if text.startswith("-") else ATOM)


def number(value: Fraction) -> Value:
    """A rational number as Python writes it."""
    if abs(value) >= 2**53:
        text = repr(float(number_of(value, np.dtype(np.float64))))
        return Value(text, (), ATOM if value > 0 else UNARY, plain=True)
    if value.denominator == 1:
        text = str(value.numerator)
        return Value(text, (), ATOM if value >= 0 else UNARY, "int", plain=True)
    if Fraction(float(value)) == value and len(repr(float(value))) < 8:
        return Value(repr(float(value)), (), ATOM if value > 0 else UNARY, plain=True)
    return Value(f"{value.numerator} / {value.denominator}", (), PRODUCT, plain=True)


def _signed(term: Node) -> tuple[int, Node]:
    """A term without its minus."""
    if isinstance(term, Const) and term.value < 0:
        return -1, Const(-term.value)
    if isinstance(term, Mul) and isinstance(term.factors[0], Const) and term.factors[0].value < 0:
        return -1, mul(Const(-term.factors[0].value), *term.factors[1:])
    return 1, term


def _hint(node: Node) -> str:
    """What a part that occurs twice may be called."""
    if isinstance(node, Call):
        return node.function
    if isinstance(node, Reduce):
        return {"logsumexp": "lse"}.get(node.op, node.op)
    return "root" if isinstance(node, Pow) and node.exponent.denominator == 2 else "term"
