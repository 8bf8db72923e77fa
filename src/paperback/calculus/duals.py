"""Dual numbers with sparse tangents: the derivative by the definition of a derivative, and by nothing else.

    (x, dx) + (y, dy) = (x + y, dx + dy)
    (x, dx) * (y, dy) = (x*y, x*dy + dx*y)
    f(x, dx)          = (f(x), f'(x)*dx)

A tangent is a dictionary {slot: number}: slot k is the direction of element k of the input. A dual number of level 2
has duals of level 1 in it, which makes second derivatives. This table of slopes is the referee's own, spelled
otherwise than the calculus' table on purpose: neither may lean on the other.
"""

from __future__ import annotations

__all__ = ["SLOPES", "Dual", "Number", "call", "compare", "extreme", "logsumexp", "power", "primal", "times", "total"]

from collections.abc import Callable, Iterable, Mapping, Sequence
from fractions import Fraction
from typing import Any, TypeAlias

from paperback.calculus import interval, reals
from paperback.calculus.conventions import DEFAULT, Conventions
from paperback.calculus.reals import INF, ONE, ZERO, Real

Number: TypeAlias = Any  # a Real, or a Dual of Numbers
Tangent: TypeAlias = dict[int, Number]


class Dual:
    """`value + sum(slot) tangent[slot] * e_slot` with `e_slot * e_other = 0`, at one level of differentiation."""

    __slots__ = ("level", "tangent", "value")
    level: int
    value: Number
    tangent: Tangent

    def __init__(self, level: int, value: Number, tangent: Tangent) -> None:
        self.level = level
        self.value = value
        self.tangent = tangent

    def __repr__(self) -> str:
        return f"Dual({self.value}, {self.tangent})"

    def __add__(self, other: Number) -> Number:
        return total((self, reals.exact(other)))

    def __mul__(self, other: Number) -> Number:
        return times(self, reals.exact(other))

    def __neg__(self) -> Number:
        return times(self, -ONE)

    def __sub__(self, other: Number) -> Number:
        return total((self, times(reals.exact(other), -ONE)))

    def __rsub__(self, other: Number) -> Number:
        return total((reals.exact(other), -self))

    def __truediv__(self, other: Number) -> Number:
        return times(self, power(reals.exact(other), -ONE))

    def __rtruediv__(self, other: Number) -> Number:
        return times(power(self, -ONE), reals.exact(other))

    def __pow__(self, exponent: int | Fraction) -> Number:
        return power(self, Fraction(exponent))

    __radd__, __rmul__ = __add__, __mul__


def primal(x: Number) -> Real:
    """The value without any tangent."""
    while type(x) is Dual:
        x = x.value
    real: Real = x
    return real


def _is_zero(x: Number) -> bool:
    return type(x) is Fraction and not x


def _dual(level: int, value: Number, tangent: Mapping[int, Number]) -> Number:
    """A dual number; without a tangent that is not zero it is its value."""
    kept = {slot: t for slot, t in tangent.items() if not _is_zero(t)}
    return Dual(level, value, kept) if kept else value


def _split(x: Number, level: int) -> tuple[Number, Tangent]:
    return (x.value, x.tangent) if type(x) is Dual and x.level == level else (x, {})


def _level(*numbers: Number) -> int:
    return max((x.level for x in numbers if type(x) is Dual), default=0)


def total(terms: Iterable[Number]) -> Number:
    """The sum; tangents are summed slot by slot."""
    terms = list(terms)
    level = _level(*terms)
    if not level:
        return reals.total(terms)
    values, slots = [], dict[int, list[Number]]()
    for term in terms:
        value, tangent = _split(term, level)
        values.append(value)
        for slot, t in tangent.items():
            slots.setdefault(slot, []).append(t)
    return _dual(level, total(values), {slot: total(parts) for slot, parts in slots.items()})


def times(a: Number, b: Number) -> Number:
    """The product, by the product rule."""
    if type(a) is Fraction and type(b) is Fraction:
        return a * b
    level = _level(a, b)
    if not level:
        return reals.times(a, b)
    (x, dx), (y, dy) = _split(a, level), _split(b, level)
    tangent = {slot: times(t, y) for slot, t in dx.items()}
    for slot, t in dy.items():
        part = times(x, t)
        tangent[slot] = total((tangent[slot], part)) if slot in tangent else part
    return _dual(level, times(x, y), tangent)


def _chain(x: Number, function: Callable[[Number], Number], slope: Callable[[Number], Number]) -> Number:
    """f(x, dx) = (f(x), f'(x) * dx)."""
    level = _level(x)
    value, tangent = _split(x, level)
    if not tangent:
        return function(value)
    by = slope(value)
    return _dual(level, function(value), {slot: times(by, t) for slot, t in tangent.items()})


def power(x: Number, exponent: Fraction) -> Number:
    """x^n, whose slope is n * x^(n-1)."""
    if type(x) is not Dual:
        return reals.power(x, exponent)
    return _chain(
        x,
        lambda v: power(v, exponent),
        lambda v: times(exponent, power(v, exponent - 1) if exponent != 1 else ONE),
    )


def _inverse(x: Number) -> Number:
    return power(x, -ONE)


def _plus(*terms: Number) -> Number:
    return total(terms)


def _at(name: str, x: Number) -> Number:
    return call(name, (x,))


def _kink(x: Number, below: Fraction, at: Fraction, above: Fraction) -> Fraction:
    """The slope of what is straight on both sides of 0; NaN is on no side."""
    value = primal(x)
    if reals.is_nan(value):
        return ZERO
    return (at, above, below)[reals.sign(value)]


def _minus(x: Number) -> Number:
    return times(-ONE, x)


SLOPES: dict[str, Callable[[Number, Conventions], Number]] = {
    "exp": lambda x, c: _at("exp", x),
    "expm1": lambda x, c: _at("exp", x),
    "log": lambda x, c: _inverse(x),
    "log1p": lambda x, c: _inverse(_plus(ONE, x)),
    "sqrt": lambda x, c: times(Fraction(1, 2), power(x, Fraction(-1, 2))),
    "sin": lambda x, c: _at("cos", x),
    "cos": lambda x, c: _minus(_at("sin", x)),
    "tan": lambda x, c: power(_at("cos", x), Fraction(-2)),
    "sinh": lambda x, c: times(Fraction(1, 2), _plus(_at("exp", x), _at("exp", _minus(x)))),
    "cosh": lambda x, c: times(Fraction(1, 2), _plus(_at("exp", x), _minus(_at("exp", _minus(x))))),
    # tanh = (e^x - e^-x)/(e^x + e^-x): the numerator of the quotient rule is (e^x + e^-x)^2 - (e^x - e^-x)^2 = 4
    "tanh": lambda x, c: times(Fraction(4), power(_plus(_at("exp", x), _at("exp", _minus(x))), Fraction(-2))),
    # sigmoid = 1/(1 + e^-x): e^-x/(1 + e^-x)^2, which is 1/((1 + e^-x)(1 + e^x))
    "sigmoid": lambda x, c: _inverse(times(_plus(ONE, _at("exp", _minus(x))), _plus(ONE, _at("exp", x)))),
    "softplus": lambda x, c: _inverse(_plus(ONE, _at("exp", _minus(x)))),
    "erf": lambda x, c: times(
        times(Fraction(2), reals.power(interval.pi(), Fraction(-1, 2))), _at("exp", _minus(times(x, x)))
    ),
    "relu": lambda x, c: _kink(x, ZERO, c.relu_at_zero, ONE),
    "abs": lambda x, c: _kink(x, -ONE, c.abs_at_zero, ONE),
    "sign": lambda x, c: ZERO,
    "step": lambda x, c: ZERO,
}


def call(name: str, arguments: Sequence[Number], conventions: Conventions = DEFAULT) -> Number:
    """A function of the table; max and min of two take the first at a tie."""
    if name in ("max", "min"):
        return extreme(arguments, name == "max", "first")
    (x,) = arguments
    if type(x) is not Dual:
        return reals.apply(name, x)
    return _chain(x, lambda v: call(name, (v,), conventions), lambda v: SLOPES[name](v, conventions))


def compare(relation: str, a: Number, b: Number) -> bool:
    return reals.compare(relation, primal(a), primal(b))


def winners(values: Sequence[Number], largest: bool) -> list[int]:
    """The positions of the maximum (minimum): more than one only where they are surely equal."""
    known = [primal(v) for v in values]
    best = reals.extreme(known, largest)
    if not _same([known[p] for p in best]):
        raise reals.undecided([known[p] for p in best])
    return best


def extreme(values: Sequence[Number], largest: bool, ties: str) -> Number:
    """The maximum (minimum) of any number of values, with the tangent of the first, the mean or the sum of the tied."""
    if not values:
        return -INF if largest else INF
    tied = [values[p] for p in reals.extreme([primal(v) for v in values], largest)]
    first = primal(tied[0])
    if not _same([primal(v) for v in tied]):
        if _level(*tied):
            raise reals.undecided([primal(v) for v in tied])
        return reals.hull(tied, largest)
    if len(tied) == 1 or ties == "first" or not isinstance(first, Fraction | interval.Interval):
        return tied[0]
    if ties == "split":
        return times(Fraction(1, len(tied)), total(tied))
    return total([*tied, times(Fraction(1 - len(tied)), first)])


def _same(values: Sequence[Real]) -> bool:
    """Are candidates for an extreme surely equal? One object is; rational candidates are, or they would not be left."""
    return all(v is values[0] for v in values) or not any(isinstance(v, interval.Interval) for v in values)


def logsumexp(values: Sequence[Number]) -> Number:
    """log(sum of exp), by its definition; one value that is not -inf is its own, and no value gives -inf."""
    present = [v for v in values if type(v) is Dual or v != -INF] if _has_infinity(values) else list(values)
    if len(present) == 1:
        return present[0]
    if not present:
        return -INF
    return call("log", (total(call("exp", (v,)) for v in present),))


def _has_infinity(values: Sequence[Number]) -> bool:
    return any(isinstance(v, float) for v in values)
