"""The axes of a signal by name: places first, the channel last.

    (C)    L C    H W C    D H W C            letters  c    j c    i j c    h i j c
"""

from __future__ import annotations

__all__ = ["MOST_PLACES", "Places"]

from dataclasses import dataclass

from paperback.nn.layers.layer import Shape

_SIZES = {0: (), 1: ("L",), 2: ("H", "W"), 3: ("D", "H", "W")}
MOST_PLACES = 3


@dataclass(frozen=True)
class Places:
    """Names for the places of a signal (channel last, no batch); H W where a shape is beyond three places."""

    sizes: tuple[str, ...]

    @staticmethod
    def of(shape: Shape) -> Places:
        return Places(_SIZES.get(len(shape) - 1, _SIZES[2]))

    @property
    def letters(self) -> tuple[str, ...]:
        return ("h", "i", "j")[MOST_PLACES - len(self.sizes) :]

    @property
    def axes(self) -> str:
        """`H W C`"""
        return " ".join([*self.sizes, "C"])

    def element(self, channel: str = "c") -> str:
        """The indices of one element: `i,j,c`."""
        return ",".join([*self.letters, channel])
