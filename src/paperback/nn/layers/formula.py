"""A layer of your own from its formula alone, without a class."""

from __future__ import annotations

__all__ = ["Formula"]

import re
from collections.abc import Mapping
from typing import Any

from paperback.errors import FormulaError, ModelError
from paperback.nn.init import Initializer
from paperback.nn.layers.layer import BATCH, Layer
from paperback.notation.block import Block
from paperback.notation.read import read


class Formula(Layer):
    """y[...] = what you write: `Formula("y[o] = sum(i) x[i]*w[i,o]", parameters={"w": HeNormal()}, sizes={"O": 3})`.

    Use: a layer of your own, in one line.
    Derivative: of that formula.
    Shapes: as the formula says, for one example; `x` is the input, the last statement the output. A formula for one
    element, `x[]`, is lifted over all axes.
    Settings: `parameters`: the learned tensors and how they start; `sizes`: what the input does not tell; `constants`:
    numbers by name; `axes`: the axes of a tensor where they are not the capitals of its letters;
    `extra_axes=True`: lift over axes before those; `inference`: the formula after training. ReLU and the like have
    their default slopes at kinks.
    """

    def __init__(
        self,
        formula: str,
        parameters: Mapping[str, Initializer] | None = None,
        sizes: Mapping[str, int] | None = None,
        constants: Mapping[str, float] | None = None,
        axes: Mapping[str, str] | None = None,
        extra_axes: bool | None = None,
        inference: str | None = None,
    ) -> None:
        if not isinstance(formula, str):
            raise ModelError(f'Formula: the formula is a text, not {formula!r}: write Formula("y = relu(x[])")')
        for name, given, example in (
            ("parameters", parameters, '{"w": HeNormal()}'), ("sizes", sizes, '{"O": 3}'),
            ("constants", constants, '{"eps": 0.1}'), ("axes", axes, '{"x": "H W"}'),
        ):  # fmt: skip
            if not isinstance(given, Mapping | None):
                raise ModelError(f"Formula: {name} must be given by name, not as {given!r}: write {name}={example}")
        for name, start in (parameters or {}).items():
            if isinstance(start, type) or not hasattr(start, "sample"):
                raise ModelError(
                    f"Formula: {name} starts with an initialiser, not with {start!r}: write "
                    f'parameters={{"{name}": HeNormal()}}'
                )
        self._formula, self._inference = formula, inference
        self._parameters, self._sizes = dict(parameters or {}), dict(sizes or {})
        self._constants, self._extra = dict(constants or {}), extra_axes
        self._given = dict(axes or {})
        block = self._read()
        unread = [name for name in self._parameters if name not in block.inputs]
        if unread:
            raise ModelError(
                f"Formula: {unread[0]} is among the parameters, but the formula does not read it: leave it out, or "
                "read it"
            )
        words = re.findall(r"\w+", " ".join([formula, *self._given.values()]))
        self._axes = {**_axes(block, batch=BATCH in words), **self._given}
        if "x" not in self._axes:
            raise ModelError("Formula: an axis of x has no name: give axes={'x': ...}")

    def _read(self) -> Block:
        """The formula with a name for every size; one that is no formula without their numbers, with them."""
        scalars = tuple(self._constants)
        try:
            block = read(self._formula, axes=self._given, scalars=scalars)
        except FormulaError:
            try:
                block = read(self._formula, axes=self._given, sizes=self._sizes, scalars=scalars)
            except FormulaError as error:
                raise ModelError(f"Formula: it cannot be read\n{error}") from error
        if "x" not in block.inputs:
            raise ModelError("Formula: it does not read x, the input: call the input x")
        return block

    @property
    def formula(self) -> str:
        return self._formula

    @property
    def parameters(self) -> Mapping[str, Initializer]:
        return self._parameters

    @property
    def sizes(self) -> Mapping[str, int]:
        return self._sizes

    @property
    def constants(self) -> Mapping[str, float]:
        return self._constants

    @property
    def axes(self) -> Mapping[str, str]:
        return self._axes

    @property
    def inference(self) -> str | None:
        return self._inference

    @property
    def extra_axes(self) -> bool:
        return super().extra_axes if self._extra is None else self._extra

    def settings(self) -> dict[str, Any]:
        optional = {
            "parameters": self._parameters, "sizes": self._sizes, "constants": self._constants, "axes": self._given,
            "extra_axes": self._extra, "inference": self._inference,
        }  # fmt: skip
        return {"formula": self._formula, **{n: v for n, v in optional.items() if v not in ({}, None)}}

    def __repr__(self) -> str:
        formula, *rest = self.settings().items()
        return f"Formula({', '.join([repr(formula[1]), *(f'{name}={value!r}' for name, value in rest)])})"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Formula) and self.settings() == other.settings()

    def __hash__(self) -> int:
        return hash(self._formula)


def _axes(block: Block, batch: bool) -> dict[str, str]:
    """The axes that the formula implies, where each has a name; N is the batch only where the formula says so."""
    found = {}
    for name, tensor in block.inputs.items():
        axes = [str(axis) if batch or str(axis) != BATCH else f"{BATCH}1" for axis in tensor.axes]
        if all(axis.isalnum() for axis in axes):
            found[name] = " ".join(axes)
    return found
