"""Rational numbers as they are written: 3, 0.25 as 1/4, 0.044715, 1e-5."""

from __future__ import annotations

__all__ = ["number_text"]

from fractions import Fraction


def number_text(value: Fraction) -> str:
    """A number that is not negative: a whole one, a short decimal, or a fraction."""
    if value.denominator == 1:
        return str(value.numerator)
    rest, twos, fives = value.denominator, 0, 0
    while rest % 2 == 0:
        rest, twos = rest // 2, twos + 1
    while rest % 5 == 0:
        rest, fives = rest // 5, fives + 1
    if rest != 1 or not twos or not fives:
        return f"{value.numerator}/{value.denominator}"
    places = max(twos, fives)
    digits = str(value.numerator * 10**places // value.denominator)
    if places - len(digits) > 3:
        mantissa = digits[0] + ("." + digits[1:] if len(digits) > 1 else "")
        return f"{mantissa}e-{places - len(digits) + 1}"
    digits = digits.rjust(places + 1, "0")
    return f"{digits[:-places]}.{digits[-places:]}"
