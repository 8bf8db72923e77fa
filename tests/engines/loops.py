"""The referee of the NumPy engine: plain loops over every letter, in float64, straight from the meaning of each node.

    evaluate(block, arrays, sizes) -> {target: array}

A false bracket hides everything else in its product; a guarded element of a reducer does not take part; NaN wins every
maximum and its place is the first NaN; reads out of range give their pad.
"""

from __future__ import annotations

import itertools
import math
import operator

import numpy as np

from paperback.notation.affine import Affine
from paperback.notation.bind import bind_sizes
from paperback.notation.expr import (
    Add,
    AffineGuard,
    Bracket,
    Call,
    Const,
    Divides,
    Index,
    Mul,
    Pow,
    Quotient,
    Read,
    Reduce,
    Scalar,
)
from paperback.notation.walk import map_statement, with_sizes

RELATIONS = {
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
    "==": operator.eq,
    "!=": operator.ne,
}

f = np.float64


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def softplus(x):
    return np.logaddexp(0, x) if not np.isnan(x) else x


def largest(x, y):
    return x if np.isnan(x) or x >= y else y


def smallest(x, y):
    return x if np.isnan(x) or x <= y else y


FUNCTIONS = {
    "exp": np.exp,
    "log": np.log,
    "log1p": np.log1p,
    "expm1": np.expm1,
    "sqrt": np.sqrt,
    "sin": np.sin,
    "cos": np.cos,
    "tan": np.tan,
    "tanh": np.tanh,
    "sigmoid": sigmoid,
    "softplus": softplus,
    "relu": lambda x: largest(x, f(0)),
    "abs": np.abs,
    "sign": np.sign,
    "step": lambda x: f(x >= 0),
    "erf": lambda x: f(math.erf(x)),
    "max": largest,
    "min": smallest,
}


def at(affine, values):
    return affine.const.value + sum(c.value * values[l] for l, c in affine.terms)


class Loops:
    def __init__(self, arrays, functions=None):
        self.arrays = dict(arrays)
        self.functions = {**FUNCTIONS, **(functions or {})}

    def holds(self, guards, values):
        for guard in guards:
            if isinstance(guard, AffineGuard):
                true = RELATIONS[guard.relation](at(guard.affine, values), 0)
            elif isinstance(guard, Divides):
                true = at(guard.affine, values) % guard.modulus.value == 0
            else:
                true = RELATIONS[guard.relation](self.value(guard.left, values), self.value(guard.right, values))
            if not true:
                return False
        return True

    def place(self, index, values):
        if isinstance(index, Affine):
            return at(index, values)
        if isinstance(index, Quotient):
            return at(index.affine, values) // index.divisor.value
        return int(self.value(index, values))

    def value(self, node, values):
        match node:
            case Const():
                return f(float(node.value))
            case Scalar():
                return f(math.pi) if node.name == "pi" else f(self.arrays[node.name])
            case Index():
                return f(at(node.affine, values))
            case Read():
                place = tuple(self.place(i, values) for i in node.indices)
                array = self.arrays[node.tensor]
                if all(0 <= i < n for i, n in zip(place, array.shape, strict=True)):
                    return f(array[place])
                assert node.pad is not None, f"{node.tensor}{list(place)} is out of range"
                return f(float(node.pad))
            case Add():
                return sum((self.value(t, values) for t in node.terms), f(0))
            case Mul():
                guards = [g for x in node.factors if isinstance(x, Bracket) for g in x.guards]
                if not self.holds(guards, values):
                    return f(0)
                return math.prod(
                    (self.value(x, values) for x in node.factors if not isinstance(x, Bracket)), start=f(1)
                )
            case Bracket():
                return f(self.holds(node.guards, values))
            case Pow():
                return f(self.value(node.base, values)) ** f(float(node.exponent))
            case Call():
                return self.functions[node.function](*(self.value(a, values) for a in node.arguments))
            case Reduce():
                return self.reduce(node, values)
        raise AssertionError(node)

    def reduce(self, node, values):
        found = []
        extents = [b.extent.value for b in node.binders]
        for code, own in enumerate(itertools.product(*map(range, extents))):
            inner = {**values, **dict(zip((b.letter for b in node.binders), own, strict=True))}
            if self.holds(node.guards, inner):
                found.append((code, self.value(node.body, inner)))
        if node.op == "sum":
            return sum((v for _, v in found), f(0))
        if node.op == "logsumexp":
            total = f(-np.inf)
            for _, value in found:
                total = np.logaddexp(total, value)
            return total
        sign = 1 if node.op.endswith("max") else -1
        best, place = f(-sign * np.inf), None
        for code, value in found:
            if place is None or value * sign > best * sign or (np.isnan(value) and not np.isnan(best)):
                best, place = value, code
        return f(place or 0) if node.op.startswith("arg") else best

    def statement(self, statement):
        result = np.full([a.value for a in statement.axes], float(statement.pad or 0))
        for own in itertools.product(*(range(b.extent.value) for b in statement.binders)):
            values = dict(zip(statement.letters, own, strict=True))
            result[tuple(at(a, values) for a in statement.left)] = self.value(statement.expr, values)
        if getattr(statement.expr, "op", "") in ("argmax", "argmin"):
            result = result.astype(int)
        self.arrays[statement.target] = result
        return result


def evaluate(block, arrays, sizes=None, functions=None):
    """Every statement of a block, in order."""
    arrays = {name: np.asarray(a) for name, a in arrays.items()}
    known = bind_sizes(block, {name: a.shape for name, a in arrays.items()}, sizes)
    loops = Loops(arrays, functions)
    results = {}
    with np.errstate(all="ignore"):
        for statement in block.statements:
            numeric = map_statement(statement, lambda n: with_sizes(n, known), lambda a: a.with_sizes(known))
            results[statement.target] = loops.statement(numeric)
    return results
