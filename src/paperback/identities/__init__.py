"""Exact identities between formulas, one family in a file; `rewrites` applies them to models.

An entry is an `Identity`: two formulas, what must hold for it, and wrong versions that must be refuted.
"""

from typing import TYPE_CHECKING

from paperback.later import offer

if TYPE_CHECKING:
    from paperback.identities.book import IDENTITIES
    from paperback.identities.identity import Identity

__all__ = ["IDENTITIES", "Identity"]

__getattr__, __dir__ = offer(__name__, {"IDENTITIES": "book", "Identity": "identity"})
