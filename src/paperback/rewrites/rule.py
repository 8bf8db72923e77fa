"""A rule: where in a chain of layers an identity holds, and what takes the place of what stands there.

    find(chain, at)     None         the pattern does not begin at this piece
                        Refused      it does, but a condition fails: which, and why
                        Found        it does: the pieces start..stop, how each condition was checked, the replacement

A replacement is a function from pieces to pieces that reads no number to decide anything: it does the same with floats
and with Fractions, so that the derivative of the new parameters by the old ones can be taken exactly.
"""

from __future__ import annotations

__all__ = ["Answer", "Check", "Found", "Refused", "Rule"]

from collections.abc import Callable
from dataclasses import dataclass

from paperback.identities.identity import Identity
from paperback.rewrites.pieces import Chain

Check = tuple[str, str]  # a condition, and how it was seen to hold


@dataclass(frozen=True)
class Found:
    """The pieces start..stop of a chain can be replaced: how each condition was seen to hold, and by what."""

    start: int
    stop: int
    checks: tuple[Check, ...]
    replacement: Callable[[Chain], Chain]


@dataclass(frozen=True)
class Refused:
    """The pattern is there, and this condition of it is not met.

    forward    what can be done where only the outputs must be kept, and it is the gradients that would change
    """

    start: int
    stop: int
    condition: str
    why: str
    forward: Found | None = None


Answer = Found | Refused | None


def _as_it_is(chain: Chain) -> Chain:
    return chain


@dataclass(frozen=True)
class Rule:
    """An identity, and how it is found in a network.

    find         what is at this piece of a chain
    simplifies   is what takes the place smaller or faster? "all" applies these
    inference    does it hold after training only (running statistics in place of those of a batch)?
    prepare      makes random pieces such that the rule applies, where that depends on their numbers
    """

    identity: Identity
    find: Callable[[Chain, int], Answer]
    simplifies: bool = False
    inference: bool = False
    prepare: Callable[[Chain], Chain] = _as_it_is

    @property
    def name(self) -> str:
        return self.identity.name
