"""All identities by name."""

from __future__ import annotations

__all__ = ["IDENTITIES"]

from paperback.identities import activations, convolution, linear, logic, operators, pooling, softmax

IDENTITIES = {
    entry.name: entry
    for family in (activations, softmax, linear, convolution, pooling, operators, logic)
    for entry in family.IDENTITIES
}
