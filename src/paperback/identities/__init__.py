"""Exact identities between formulas, one family in a file; `rewrites` applies them to models.

An entry is an `Identity`: two formulas, what must hold for it, and wrong versions that must be refuted.
"""

from __future__ import annotations

__all__ = ["IDENTITIES", "Identity"]

from paperback.identities import activations, convolution, linear, logic, operators, pooling, softmax
from paperback.identities.identity import Identity

IDENTITIES = {
    entry.name: entry
    for family in (activations, softmax, linear, convolution, pooling, operators, logic)
    for entry in family.IDENTITIES
}
