"""Programs: whole networks and training steps as statements, and what becomes of them before an engine runs them."""

from typing import TYPE_CHECKING

from paperback.later import offer

if TYPE_CHECKING:
    from paperback.program import page

__all__ = ["page"]

__getattr__, __dir__ = offer(__name__, {}, modules=__all__)
