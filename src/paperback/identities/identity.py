"""An exact identity between formulas: two texts that are the same function, and what must hold for it.

    Identity(
        name="dense_after_dense",
        left="h[j] = sum(i) x[i]*w[i,j] + b[j];  y[k] = sum(j) h[j]*v[j,k] + c[k]",
        right="u[i,k] = sum(j) w[i,j]*v[j,k]; ...",
        wrong={"the first bias forgotten": "..."},
    )

It knows no layers: `proofs.prove` decides it, and the rules of `rewrites` use it on models.
"""

from __future__ import annotations

__all__ = ["Identity"]

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Identity:
    """Two formulas for one function.

    name         of the rewrite that uses it from left to right
    title        a sentence that says it
    claims       ids of the catalogue that it states
    left, right  the formulas; the results are compared, whatever they are called
    declared     axes and sizes, as `formula` takes them
    conditions   what a model must meet for it, in words; each is checked on the model
    wrong        versions of `right` that are not equal, by what is wrong with them: they must be refuted
    replaces     what stands there, and what takes its place, in words
    """

    name: str
    title: str
    claims: tuple[str, ...]
    left: str
    right: str
    declared: Mapping[str, Any] = field(default_factory=dict)
    conditions: tuple[str, ...] = ()
    wrong: Mapping[str, str] = field(default_factory=dict)
    replaces: tuple[str, str] = ("", "")
