"""What may be wrong with a gradient: one family of mistakes per module, and the search over them."""

from __future__ import annotations

__all__ = ["explain"]

from paperback.diagnosis.hypotheses.search import explain
