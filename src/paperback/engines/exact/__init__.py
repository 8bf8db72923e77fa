"""The exact engine: programs and blocks in Fractions and enclosing intervals, by naive loops. Slow, and right."""

from typing import TYPE_CHECKING

from paperback.later import offer

if TYPE_CHECKING:
    from paperback.engines.exact.engine import block_of, compile, run

__all__ = ["block_of", "compile", "run"]

__getattr__, __dir__ = offer(__name__, dict.fromkeys(__all__, "engine"))
