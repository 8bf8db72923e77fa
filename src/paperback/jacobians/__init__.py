"""Jacobians as linear maps: applied, transposed, composed, measured, and written out only where that is asked for."""

from __future__ import annotations

__all__ = ["Entries", "LinearMap", "jacobian"]

from paperback.jacobians.entries import Entries
from paperback.jacobians.linear import LinearMap
from paperback.jacobians.of_block import jacobian
