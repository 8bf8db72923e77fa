"""Identities of logic: a gate of bits is a perceptron, where one line can separate its corners.

    nand(a, b) = 1 - a*b = step(3 - 2*a - 2*b)        a and b are 0 or 1, here [a > 0] and [b > 0]
"""

from __future__ import annotations

__all__ = ["IDENTITIES"]

from paperback.identities.identity import Identity

_BITS = "p = [a[] > 0]; q = [b[] > 0]; "

IDENTITIES = (
    Identity(
        name="perceptron_from_gate",
        title="a gate of bits is a perceptron, if a line separates where it is 1 from where it is 0",
        claims=("D1a", "D1b", "D1c"),
        left=_BITS + "y = 1 - p*q",
        right=_BITS + "y = step(3 - 2*p - 2*q)",
        conditions=(
            "before the gate stands a Step, so that it reads bits, and the gate gives 0 or 1",
            "a weighted sum of the bits is at least 0 just where the gate is 1",
        ),
        wrong={
            "a threshold that is too high (nor)": _BITS + "y = step(1 - 2*p - 2*q)",
            "weights of the other sign (or, with this threshold always 1)": _BITS + "y = step(3 + 2*p + 2*q)",
        },
        replaces=("Step, a formula of bits", "Step, Dense(1), Step"),
    ),
)
