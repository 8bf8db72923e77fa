"""sin, cos and tan as vector code, exact in their arguments: float in double, double with a tail.

    x = n pi/2 + r,   |r| <= pi/4:      sin(x) = +-sin(r) or +-cos(r), by n mod 4

|x| <= 2^19   n pi/2 is subtracted in parts of 33 bits, whose products with n are exact (Cody and Waite)
beyond        lane by lane: only the bits of 2/pi that matter for x 2/pi mod 4 are multiplied with x, as whole numbers
              (Payne and Hanek). x = m 2^E: a bit of weight 2^-i, i < E - 1, adds a multiple of 4.

A vector takes the second way if one of its lanes has to; a lane's bits are the same either way.
"""

from __future__ import annotations

__all__ = ["cos", "sin", "tan"]

from collections.abc import Callable
from functools import cache
from math import inf, nan
from typing import NamedTuple

from paperback.engines.llvm.functions.polynomials import COEFFICIENTS
from paperback.engines.llvm.functions.vectors import Code, Definition, Vector, horner, two_sum

Pair = tuple[Vector, Vector]

_LIMIT = 2.0**19
_PART = 33
_PAD = 64
"""Zeros before the first bit of 2/pi in its table: at the limit, E = -33, reading starts 35 places before that bit."""

_WORDS = (2047 - 1075 + _PAD - 2) // 64 + 4
"""Words of 64 bits in the table: four from where the greatest exponent starts, which is that of inf."""


@cache
def _pi(bits: int) -> int:
    """pi 2^bits, rounded down: 16 arctan(1/5) - 4 arctan(1/239)"""

    def arctan(q: int) -> int:
        term = total = (1 << (bits + 20)) // q
        k = 1
        while term:
            term //= -q * q
            k += 2
            total += term // k
        return total

    return (16 * arctan(5) - 4 * arctan(239)) >> 20


def _parts(count: int) -> list[float]:
    """pi/2 in parts of 33 bits, and a last one of 53."""
    parts, rest, scale = [], _pi(400), 401
    for part in range(count):
        bits = _PART if part < count - 1 else 53
        drop = rest.bit_length() - bits
        parts.append(float(rest >> drop << drop) / 2.0**scale)
        rest &= (1 << drop) - 1
    return parts


class _Angle(NamedTuple):
    """r + tail, and n in the last bits of `turns`."""

    r: Vector
    tail: Vector | None
    turns: Vector


def _near(x: Vector, exact: bool) -> _Angle:
    """The angle of a double up to the limit; with its tail, or good to a float's bits."""
    rounder = x.format.rounder
    shifted = x.fma(2.0**400 / _pi(400) * 2, rounder)
    n, turns = shifted - rounder, shifted.bits()
    if not exact:
        first, last = _parts(2)
        return _Angle(n.fma(-last, n.fma(-first, x)), None, turns)
    first, second, third, last = _parts(4)
    r, lost = two_sum(n.fma(-first, x), n * -second)
    r, more = two_sum(r, n * -third)
    tail = n.fma(-last, lost + more)
    total = r + tail
    return _Angle(total, (r - total) + tail, turns)


def _table() -> Definition:
    digits = (1 << (2 * 64 * _WORDS + 1)) // _pi(64 * _WORDS) >> _PAD  # 2/pi 2^(bits - pad)
    words = [digits >> (64 * (_WORDS - 1 - k)) & (2**64 - 1) for k in range(_WORDS)]
    entries = ", ".join(f"i64 {word}" for word in words)
    return Definition("two.over.pi", f"@two.over.pi = internal constant [{_WORDS} x i64] [{entries}]\n", frozenset())


def _far(x: Vector, exact: bool) -> _Angle:
    """The same of one finite double beyond the limit."""
    code = x.code
    code.needs.append(_table())
    code.declarations |= {"declare i64 @llvm.fshl.i64(i64, i64, i64)", "declare i128 @llvm.ctlz.i128(i128, i1)"}

    def whole(text: str, element: str = "i64") -> Vector:
        return code.op(text, element)

    def wide(value: Vector) -> Vector:
        return whole(f"zext {value} to i128", "i128")

    def low(value: Vector) -> Vector:
        return whole(f"trunc {value} to i64")

    def joined(a: Vector, b: Vector, by: str) -> Vector:
        """The upper word of a, b moved left."""
        return whole(f"call i64 @llvm.fshl.i64({a}, {b}, i64 {by})")

    bits = x.abs().bits()
    place = (bits >> 52) + (_PAD - 2 - 1075)
    first, by = place >> 6, (place & 63).name
    words = []
    for k in range(4):
        at = whole(f"getelementptr i64, ptr @two.over.pi, i64 {(first + k).name}", "ptr")
        words.append(whole(f"load i64, ptr {at.name}, align 8"))
    m = wide((bits & (2**52 - 1)) | 2**52)
    last = m * wide(joined(words[2], words[3], by))
    middle = m * wide(joined(words[1], words[2], by)) + (last >> 64)
    top = low(m * wide(joined(words[0], words[1], by)) + (middle >> 64))
    # The upper two bits of top, middle, last are the turns, the others their fraction.
    turns = (top >> 62) + ((top >> 61) & 1)
    fraction = (wide(joined(top, low(middle), "2")) << 64) | wide(joined(low(middle), low(last), "2"))
    negative = whole(f"icmp slt {fraction}, 0", "i1")
    size = negative.select(0 - fraction, fraction)
    zeros = whole(f"call i128 @llvm.ctlz.i128({size}, i1 true)", "i128")
    shifted = whole(f"shl {size}, {zeros.name}", "i128")
    below = x < 0.0
    opposite = negative ^ below
    product = (shifted >> 64) * (_pi(400) >> (400 - 62))  # pi/2 2^63, times fraction 2^(64 + zeros)
    scale = ((-low(zeros) + 1023) << 52).real()
    parts = []
    for drop in (75, 22) if exact else (75,):
        digits = low(product >> drop) & (2**53 - 1)
        part = whole(f"uitofp {digits} to double", "double") * scale * 2.0 ** (drop - 127)
        parts.append(opposite.select(-part, part))
    return _Angle(parts[0], parts[1] if exact else None, below.select(-turns, turns))


def _sin_cos(angle: _Angle) -> tuple[Pair, Pair]:
    """sin(r) and cos(r), each a sum whose first term is the greater."""
    r, tail = angle.r, angle.tail
    kind = "double" if tail else "float"
    z = r * r
    sine, cosine = horner(z, COEFFICIENTS["sin", kind]), horner(z, COEFFICIENTS["cos", kind])
    if tail is None:
        return (r, r * z * sine), (r.like(1.0), cosine.fma(z, -0.5) * z)
    half = z * 0.5
    around = 1.0 - half
    rest = (z * z).fma(cosine, ((1.0 - around) - half) - r * tail)
    return (r, (r * z).fma(sine, tail - half * tail)), (around, rest)


def _turned(name: str, angle: _Angle) -> Vector:
    sine, cosine = _sin_cos(angle)
    turns = angle.turns + (1 if name == "cos" else 0)
    odd = (turns & 1).differs(0)
    if name == "tan":
        above, below = _select(odd, cosine, sine), _select(odd, sine, cosine)
        ratio = _ratio(above, below) if angle.tail else _sum(above) / _sum(below)
        return ratio.flipped(turns << 63)
    return _sum(_select(odd, cosine, sine)).flipped((turns >> 1) << 63)


def _select(odd: Vector, yes: Pair, no: Pair) -> Pair:
    return odd.select(yes[0], no[0]), odd.select(yes[1], no[1])


def _sum(pair: Pair) -> Vector:
    return pair[0] + pair[1]


def _ratio(a: Pair, b: Pair) -> Vector:
    """(a + a')/(b + b'), where a', b' are what the sums lose:  q + (a' - q b')/b,  q = a/b"""
    above, below = _sum(a), _sum(b)
    q = above / below
    return q + ((a[0] - above) + a[1] - q * ((b[0] - below) + b[1])) / below


def _function(name: str) -> Callable[[Vector], Vector]:
    def function(x: Vector) -> Vector:
        code, exact = x.code, x.element == "double"

        def narrow(y: Vector) -> Vector:
            return y if exact else y.narrow()

        with code.rare(x.abs() > _LIMIT):
            if code.lanes > 1:
                one = Code(name, x.element, 1)
                code.leave(code.lane_by_lane(one.returns(function(one.argument)), x))
            else:
                y = narrow(_turned(name, _far(x if exact else x.wide(), exact)))
                code.leave((x.abs() < inf).select(y, nan))
        y = narrow(_turned(name, _near(x if exact else x.wide(), exact)))
        return y if name == "cos" else x.is_(0.0).select(x, y)

    return function


sin, cos, tan = _function("sin"), _function("cos"), _function("tan")
