"""exp, log and their kin as vector code: within two units in the last place, for float32 and float64.

    exp       x = n log(2) + r,  n whole,  |r| <= log(2)/2:     e^x = 2^n e^r
    expm1     2^n (e^r - 1) + (2^n - 1), the rounding of the sum added again
    log       x = 2^k (1 + f),  sqrt(1/2) <= 1 + f < sqrt(2):   log(x) = k log(2) + log(1 + f)
    log1p     u = 1 + x, rounded, c = what the rounding lost:   f = (2^-k u - 1) + 2^-k c
    tanh      x + x^3 P(x^2);  1 - 2 e/(1 + e)  from 5/8 on     e = exp(-2|x|)
    sigmoid   1/(1 + e),  e/(1 + e)  for x >= 0, x < 0          e = exp(-|x|)
    softplus  max(x, 0) + log1p(e)
    erf       x + x P(x^2);  1 - exp(P(|x|))  from about 1 on

There are no branches: what a special value needs is selected at the end. NaN gives NaN, overflow inf, and results below
the normal range are rounded once. An element's bits depend on the machine, but not on the number of lanes.
"""

from __future__ import annotations

__all__ = ["erf", "exp", "expm1", "log", "log1p", "log2_parts", "log_of_split", "sigmoid", "softplus", "split", "tanh"]

from decimal import Context, Decimal
from math import inf, nan

from paperback.engines.llvm.functions.polynomials import COEFFICIENTS, ERF_MEETS, TANH_MEETS
from paperback.engines.llvm.functions.vectors import Vector, horner

_LOG2 = Decimal(2).ln(Context(prec=60))
_SQRT_HALF = {"float": 0x3F3504F3, "double": 0x3FE6A09E667F3BCD}
"""The bits of sqrt(1/2)."""

_OVERFLOWS = {"float": 89.0, "double": 710.0}
_VANISHES = {"float": -104.0, "double": -746.0}
"""e^x is inf, and 0, from here on."""

_LOST = {"float": -20.0, "double": -40.0}
"""1 + e^x is 1 from here down."""

_ERF_IS_ONE = {"float": 4.0, "double": 6.0}


def log2_parts(element: str) -> tuple[float, float]:
    """log(2) = high + low; the high part times any exponent is exact."""
    bits = 2 ** {"float": 15, "double": 40}[element]
    high = int(_LOG2 * bits) / bits
    return high, float(_LOG2 - Decimal(high))


# --- exp and its kin -------------------------------------------------------------------------------------------------


def _quotient(x: Vector) -> tuple[Vector, Vector, Vector]:
    """The n nearest to x/log(2): as a number, within a number's last bits, and x - n high, which is exact."""
    rounder = x.format.rounder
    shifted = x.fma(float(1 / _LOG2), rounder)
    n = shifted - rounder
    return n, shifted.bits(), n.fma(-log2_parts(x.element)[0], x)


def _exp_parts(x: Vector, tail: Vector | None = None) -> tuple[Vector, Vector]:
    """e^r and the bits of n."""
    n, bits, rest = _quotient(x)
    r = n.fma(-log2_parts(x.element)[1], rest)
    if tail is not None:
        r = r + tail
    return horner(r, (1.0, 1.0, *COEFFICIENTS["exp", x.element])), bits


def _exp(x: Vector, tail: Vector | None = None) -> Vector:
    """e^x for x from where it vanishes to where it overflows: 2^n in two factors, as one may be out of range."""
    y, bits = _exp_parts(x, tail)
    format = x.format
    half = (bits >> 1) << format.fraction
    rest = (bits << format.fraction) - half
    return y * (half + format.one).real() * (rest + format.one).real()


def _exp_normal(x: Vector) -> Vector:
    """e^x where it is in the normal range."""
    y, bits = _exp_parts(x)
    format = x.format
    return y * ((bits << format.fraction) + format.one).real()


def _half_expm1(x: Vector) -> Vector:
    """(e^x - 1)/2, which does not overflow before it has to be doubled."""
    n, bits, rest = _quotient(x)
    low = n * log2_parts(x.element)[1]
    r = rest - low
    lost = (rest - r) - low
    curve = (r * r).fma(horner(r, COEFFICIENTS["expm1", x.element]), lost)
    format = x.format
    scale = ((bits << format.fraction) + (format.one - (1 << format.fraction))).real()
    whole, line = scale - 0.5, scale * r
    total = whole + line
    return total + scale.fma(curve, (whole - total) + line)


def exp(x: Vector, tail: Vector | None = None) -> Vector:
    """e^(x + tail), the tail less than a unit of x."""
    return _exp(x.at_most(_OVERFLOWS[x.element]).at_least(_VANISHES[x.element]), tail)


def expm1(x: Vector) -> Vector:
    y = _half_expm1(x.at_most(_OVERFLOWS[x.element]).at_least(_LOST[x.element])) * 2.0
    return (x.abs() < 2.0 ** -(x.format.fraction + 2)).select(x, y)


def tanh(x: Vector) -> Vector:
    element = x.element
    size = x.abs()
    square = size * size
    near = (size * square).fma(horner(square, COEFFICIENTS["tanh", element]), size)
    e = _exp_normal((size * -2.0).at_least(_LOST[element]))
    far = (e / (e + 1.0)).fma(-2.0, 1.0)
    return (size < TANH_MEETS).select(near, far).signed(x.sign())


def _exp_of_minus_size(x: Vector) -> Vector:
    return _exp((-x.abs()).at_least(_VANISHES[x.element]))


def sigmoid(x: Vector) -> Vector:
    """What the sum 1 + e lost changes y by -y lost/(1 + e), where 1/(1 + e) is nearly 1 - e/2."""
    e = _exp_of_minus_size(x)
    total = e + 1.0
    y = (x < 0.0).select(e, 1.0) / total
    lost = e - (total - 1.0)
    return (y * lost).fma(e.fma(0.5, -1.0), y)


def erf(x: Vector) -> Vector:
    element = x.element
    size = x.abs().at_most(_ERF_IS_ONE[element])
    near = horner(size * size, COEFFICIENTS["erf", element]).fma(size, size)
    far = 1.0 - _exp_normal(horner(size - ERF_MEETS[element], COEFFICIENTS["erfc", element]))
    return (size < ERF_MEETS[element]).select(near, far).signed(x.sign())


# --- log and its kin -------------------------------------------------------------------------------------------------


def split(x: Vector) -> tuple[Vector, Vector]:
    """x = 2^k (1 + f), x positive: k and f."""
    shift = x.format.fraction + 1
    tiny = x < 2.0 ** (1 - x.format.bias)
    k, f, _ = _split_normal(tiny.select(x * 2.0**shift, x))
    return k - tiny.select(x.like(float(shift)), 0.0), f


def _split_normal(u: Vector) -> tuple[Vector, Vector, Vector]:
    """u = 2^k (1 + f), u positive and normal: k, f, and the bits of a number with exponent k."""
    format = u.format
    root = _SQRT_HALF[u.element]
    bits = u.bits() + (format.one - root)
    power = 2.0**format.fraction
    biased = ((bits >> format.fraction) | ((format.bias + format.fraction) << format.fraction)).real()
    near_one = ((bits & ((1 << format.fraction) - 1)) + root).real()
    return biased - (power + format.bias), near_one - 1.0, bits


def log_of_split(k: Vector, f: Vector) -> Vector:
    """k log(2) + log(1 + f)"""
    high, low = log2_parts(f.element)
    half_square = f * f * 0.5
    if f.element == "float":
        curve = (horner(f, COEFFICIENTS["log", "float"]) * f).fma(f * f, k * low)
        return k.fma(high, f + (curve - half_square))
    s = f / (f + 2.0)
    z = s * s
    curve = z.fma(horner(z, COEFFICIENTS["log", "double"]), half_square)
    return k.fma(high, f - (half_square - s.fma(curve, k * low)))


def _log_of_special(x: Vector, y: Vector, pole: float) -> Vector:
    """y, but -inf at the pole, NaN below, and inf for inf."""
    finite = (x > pole).select(y, x.is_(pole).select(x.like(-inf), nan))
    return x.is_(inf).select(x, finite)


def log(x: Vector) -> Vector:
    return _log_of_special(x, log_of_split(*split(x)), 0.0)


def log1p(x: Vector) -> Vector:
    format = x.format
    u = x + 1.0
    back = u - 1.0
    lost = (1.0 - (u - back)) + (x - back)
    k, f, bits = _split_normal(u)
    inverse = (2 * format.one - (bits & (-1 << format.fraction))).real()
    inverse = (x < 2.0 ** (format.fraction + 2)).select(inverse, 0.0)
    return _log_of_special(x, log_of_split(k, lost.fma(inverse, f)).signed(x.sign()), -1.0)


def softplus(x: Vector) -> Vector:
    e = _exp_of_minus_size(x)
    large = e > 0.5
    k, f = large.select(x.like(1.0), 0.0), large.select((e - 1.0) * 0.5, e)
    return log_of_split(k, f) + x.at_least(0.0)
