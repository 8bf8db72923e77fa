"""Where the gradient of a parameter comes from: the chain rule from the loss down to it, written out and evaluated.

    dJ/dw = dJ/dy_L * dy_L/dy_{L-1} * ... * dy_l/dw        the factors: Jacobians, in index notation (claims B6, E16)
    dJ/dy_l = dJ/dy_{l+1} * dy_{l+1}/dy_l                   multiplied from the left: what backpropagation computes

The factors are those of one example, or, where examples meet, those of the whole batch (see `forward`).
"""

from __future__ import annotations

__all__ = ["Chain", "chain", "page"]

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from paperback.arguments import closest
from paperback.errors import ModelError
from paperback.learn.inputs import channels_first
from paperback.learn.studies.forward import Forward
from paperback.learn.studies.links import Factor, Link, factors, layers_of, linear, links_between
from paperback.learn.studies.links_page import latex, lines, product
from paperback.nn.losses import LOSS
from paperback.nn.network import INPUT
from paperback.notation.expr import Statement
from paperback.notation.show import show_statement
from paperback.program.backward import gradients, live_statements
from paperback.program.program import Program

Array = NDArray[Any]


@dataclass(frozen=True, repr=False)
class Chain:
    """The derivative of a model's loss by one tensor, as a product of factors; printed, the page of them.

    by       the tensor: a parameter, the input, or what a layer gives
    links    the factors in order; where ways part and meet again, `Ways` between them
    """

    forward: Forward
    by: str
    links: tuple[Link, ...]

    @property
    def factors(self) -> tuple[Factor, ...]:
        """The factors in the order in which they are printed, those of every way included."""
        return tuple(factors(self.links))

    def gradient(self, x: ArrayLike, y: ArrayLike) -> Array:
        """The gradient of the loss of a batch: the factors, taken at x and y and multiplied as linear maps.

        It is what `loss_and_gradients` gives for this tensor, in another way: from each layer by itself.
        """
        model = self.forward.model
        needed = {name for factor in self.factors for name in factor.layer.inputs}
        maps = (linear(self.links, values) for values in self.forward.values("chain", x, y, needed))
        found = [np.asarray(jacobian.adjoint(np.ones(())), model.dtype) for jacobian in maps]
        if self.forward.example is None:
            gradient = found[0]
        else:
            shared = self.by in model.network.parameters
            together = np.sum(found, axis=0) if shared else np.stack(found)
            gradient = together * self.forward.scale(len(found))
        return channels_first(gradient, model.layout) if self.by == INPUT else gradient

    @property
    def backward(self) -> list[Statement]:
        """The factors multiplied from the left, one layer after the other: the statements of backpropagation."""
        return backward_statements(self.forward.program, [self.by])

    def __str__(self) -> str:
        return page([self])

    def __repr__(self) -> str:
        return f"<d {LOSS}/d {self.by}: {len(self.factors)} factors>"

    def _repr_latex_(self) -> str:
        return rf"$\displaystyle {self.latex()}$"

    def latex(self) -> str:
        """The page in LaTeX, to go between dollars or into a display."""
        return page([self], "latex")

    def plain(self) -> dict[str, Any]:
        """As JSON can hold it; every formula reads back."""
        return {
            "by": self.by,
            "loss": self.forward.loss.name,
            "of": "example" if self.forward.example else "batch",
            "product": product(self.links),
            "factors": [factor.plain() for factor in self.factors],
            "backward": [show_statement(statement) for statement in self.backward],
        }


def page(chains: Sequence[Chain], form: str = "text") -> str:
    """Chains of one model and loss on one page, as text or LaTeX: what they share is printed once."""
    forward = chains[0].forward
    links = {each.by: each.links for each in chains}
    backward = backward_statements(forward.program, list(links))
    content = forward.share, forward.program, LOSS, links, backward
    return latex(*content) if form == "latex" else "\n".join(lines(*content))


def backward_statements(program: Program, names: Sequence[str]) -> list[Statement]:
    """What backpropagation computes for the gradients by these tensors, deltas solved."""
    cut = replace(program, statements=tuple(s for s in program.statements if s.target not in names))
    swept, held = gradients(cut, LOSS, names)
    needed = {statement.target for statement in live_statements(replace(swept, outputs=tuple(held.values())))}
    return [statement for statement in swept.sections["backward"] if statement.target in needed]


def chain(forward: Forward, name: str) -> Chain:
    """The chain from the loss to a parameter, to the input, or to what the layer of that name gives."""
    program, model = forward.program, forward.model
    results = {target.partition(".")[0]: target for target in layers_of(program) if target != LOSS}
    if name == INPUT and program.tensors[INPUT].integer:
        raise ModelError("chain: the input holds ids, by which there is no derivative; name a parameter or a layer")
    known = [*model.network.parameters, INPUT, *results.values()]
    if name not in known and name not in results:
        near = closest(name, [*known, *results])
        raise ModelError(f"chain: no parameter or layer is called {name!r}; {near}")
    by = results.get(name, name)
    links = links_between(program, LOSS, by)
    if not links:
        raise ModelError(f"chain: evaluation does not read {name}; pass training=True")
    return Chain(forward, by, links)
