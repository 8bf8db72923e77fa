"""The conventions at kinks: one table, one option each.

| where | default | options | source |
|---|---|---|---|
| relu'(0) | 0 | 0, 1/2, 1 | claim E10 |
| abs'(0) | 0 | any number in [-1, 1] | |
| equal maxima | the first takes the gradient | `first`, `split` equally, `all` take it | claim E4, golden test G18 |
| step(0) | 1 | write `[x > 0]` for the other | claim D1b |
| max(a, b) at a = b | a | | |

They change gradients, never values.
"""

from __future__ import annotations

__all__ = ["DEFAULT", "Conventions"]

from dataclasses import dataclass
from fractions import Fraction

from paperback.errors import FormulaError, Problem

TIES = ("first", "split", "all")


@dataclass(frozen=True)
class Conventions:
    """What a derivative is where there is none.

    Raises FormulaError for a slope outside the subgradient or an unknown rule for ties.
    """

    relu_at_zero: Fraction = Fraction(0)
    abs_at_zero: Fraction = Fraction(0)
    ties: str = "first"

    def __post_init__(self) -> None:
        object.__setattr__(self, "relu_at_zero", Fraction(self.relu_at_zero))
        object.__setattr__(self, "abs_at_zero", Fraction(self.abs_at_zero))
        if not 0 <= self.relu_at_zero <= 1:
            raise _bad(f"relu_at_zero must lie in [0, 1], the subgradient of relu at 0; got {self.relu_at_zero}")
        if not -1 <= self.abs_at_zero <= 1:
            raise _bad(f"abs_at_zero must lie in [-1, 1], the subgradient of abs at 0; got {self.abs_at_zero}")
        if self.ties not in TIES:
            raise _bad(f"ties must be one of {', '.join(TIES)}; got {self.ties!r}")


def _bad(message: str) -> FormulaError:
    return FormulaError("", Problem(message))


DEFAULT = Conventions()
