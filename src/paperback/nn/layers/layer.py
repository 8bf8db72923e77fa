"""The base of all layers: a layer is a formula, and what a formula cannot say.

    class Swish(Layer):
        '''y = x * sigmoid(x), element by element.'''
        formula = "y = x[] * sigmoid(x[])"

A formula is written for one example; the batch index `n < N` is put in front of every signal (see `program/lift`).
A formula that needs the batch (a statistic over it) gives its input the first axis `N` and is not lifted.

    formula      one or a few statements; the last is the output. `x` is the input
    axes         the axes of every tensor that is read:  {"x": "I", "w": "I O"}
    sizes        the sizes that the input does not tell: {"O": 10}; None where the input may tell
    parameters   learned tensors and how they start; one that the formula does not read is not made
    state        tensors that training updates without a gradient, and how they start
    update       statements that give the state its new value; its own name on the right is the old value
    inference    the formula after training, where it is another one
    masks        random 0/1 inputs of the shape of x, and the probability of a 1
    constants    numbers that the formula calls by name
    branches     chains of layers applied to x whose results the formula reads under these names
    extra_axes   may the input have more axes than the formula says? Then it is lifted over the first ones (by default
                 where the formula is for one element, `x[]`)

A layer is a value: frozen, equal to another with the same settings, and without arrays. Shapes, derivatives, and the
program that runs are all made from what stands here.
"""

from __future__ import annotations

__all__ = ["BATCH", "Layer", "Shape", "Text", "natural", "real", "small", "word"]

import operator
from collections.abc import Mapping
from dataclasses import MISSING, Field, dataclass, field, fields, is_dataclass
from math import inf, isfinite
from numbers import Real
from typing import Any

from paperback.arguments import Strict, closest
from paperback.calculus.conventions import Conventions
from paperback.errors import ModelError
from paperback.nn.init import Initializer

Shape = tuple[int, ...]
BATCH = "N"  # the size of the batch, and n its letter


@dataclass(frozen=True)
class Text:
    """What a layer says of an input of a certain shape: its formulas, the axes of what they read, further sizes."""

    formula: str
    axes: Mapping[str, str]
    inference: str | None = None
    update: str | None = None
    sizes: Mapping[str, int] = field(default_factory=dict)


class _Checked(Strict):
    """A setting that is declared bool is True or False, one that is declared Initializer starts parameters."""

    def __call__(cls, *args: Any, **settings: Any) -> Any:  # noqa: N805  # of a class of classes
        layer = super().__call__(*args, **settings)
        for setting in fields(layer) if is_dataclass(layer) else ():
            value, where = getattr(layer, setting.name), f"{cls.__name__}: {setting.name}"
            if setting.type == "bool" and not isinstance(value, bool):
                raise ModelError(f"{where} must be True or False, not {value!r}: write {setting.name}=True")
            if setting.type == "Initializer" and (isinstance(value, type) or not hasattr(value, "sample")):
                raise ModelError(f"{where} must be an initialiser, not {value!r}: write {setting.name}=HeNormal()")
        return layer


class Layer(metaclass=_Checked):
    """A formula with parameters. Subclasses override what they need; see the module."""

    @property
    def extra_axes(self) -> bool:
        return not self.axes.get("x")  # a formula for one element holds for every element

    @property
    def formula(self) -> str:
        raise NotImplementedError(f"{type(self).__name__} has no formula")

    @property
    def axes(self) -> Mapping[str, str]:
        return {"x": ""}

    @property
    def sizes(self) -> Mapping[str, int | None]:
        return {}

    @property
    def parameters(self) -> Mapping[str, Initializer]:
        return {}

    @property
    def state(self) -> Mapping[str, Initializer]:
        return {}

    @property
    def update(self) -> str | None:
        return None

    @property
    def inference(self) -> str | None:
        return None

    @property
    def masks(self) -> Mapping[str, float]:
        return {}

    @property
    def constants(self) -> Mapping[str, float]:
        return {}

    @property
    def branches(self) -> Mapping[str, tuple[Layer, ...]]:
        return {}

    @property
    def conventions(self) -> Conventions:
        """What derivatives do at kinks and ties."""
        return Conventions()

    def text(self, shape: Shape) -> Text:
        """The formulas for an input of this shape (without the batch); most layers have one text for all."""
        return Text(self.formula, self.axes, self.inference, self.update)

    def check(self, shapes: Mapping[str, Shape]) -> None:
        """Raise a ModelError where the input (`x`) or the result of a branch has a shape that cannot work."""

    def settings(self) -> dict[str, Any]:
        """What makes this layer again: the settings that differ from their default, by name."""
        every: tuple[Field[Any], ...] = fields(self) if is_dataclass(self) else ()
        values = {setting.name: (getattr(self, setting.name), setting.default) for setting in every}
        return {name: value for name, (value, default) in values.items() if default is MISSING or value != default}

    @property
    def kind(self) -> str:
        """The name of the layer's kind; in a network the layers of a kind are numbered: conv2d_1, conv2d_2."""
        return type(self).__name__.lower()

    def describe(self) -> str:
        """The layer as a few lines of text: settings, formulas, parameters."""
        lines = [repr(self), *self.formula.splitlines()]
        if self.inference:
            lines += ["after training:", *self.inference.splitlines()]
        if self.update:
            lines += ["every step:", *self.update.splitlines()]
        starts = {**self.parameters, **self.state}
        axes = self.axes
        lines += [f"{name}: {axes[name]}  starts as {start}" for name, start in starts.items() if name in axes]
        known = [f"{name} = {value}" for name, value in {**self.sizes, **self.constants}.items() if value is not None]
        lines += [", ".join(known)] if known else []
        return "\n  ".join(line.strip() for line in lines)

    def __repr__(self) -> str:
        every: tuple[Field[Any], ...] = fields(self) if is_dataclass(self) else ()
        bare = {setting.name for place, setting in enumerate(every) if not place or setting.default is MISSING}
        parts = [repr(v) if name in bare else f"{name}={v!r}" for name, v in self.settings().items()]
        return f"{type(self).__name__}({', '.join(parts)})"


def natural(layer: Layer, name: str, value: object, least: int = 1) -> int:
    """A setting that must be a whole number >= least."""
    try:
        number = operator.index(value)  # type: ignore[arg-type]
    except TypeError:
        number = least - 1
    if isinstance(value, bool) or number < least:
        near = max(least, int(value)) if isinstance(value, float) and isfinite(value) else least
        near = max(least, int(value)) if isinstance(value, str) and value.isdecimal() else near
        raise ModelError(
            f"{type(layer).__name__}: {name} must be a whole number >= {least}, not {value!r}: write {name}={near}"
        )
    return number


def real(layer: Layer, name: str, value: object, usual: float, low: float = -inf, high: float = inf) -> float:
    """A setting that must be a finite number, low <= number < high."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not (isfinite(value) and low <= value < high):
        needed = "a finite number" if low == -inf else f"a number with {low:g} <= {name} < {high:g}"
        near = float(value) if isinstance(value, Real) and not isinstance(value, bool) else usual
        usual = near if isfinite(near) and low <= near < high else usual
        raise ModelError(f"{type(layer).__name__}: {name} must be {needed}, not {value!r}: write {name}={usual:g}")
    return value


def small(layer: Layer, name: str, value: object) -> None:
    """What is added to a variance: a number above 0 and below 1."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value < 1:
        fix = f"write {name}=1e-05"
        if isinstance(value, int) and value > 1:
            fix = f"the features are counted by themselves, leave {value} out"
        raise ModelError(f"{type(layer).__name__}: {name} must be a number with 0 < {name} < 1, not {value!r}: {fix}")


def word(layer: Layer, name: str, value: object, known: tuple[str, ...]) -> None:
    """A setting that must be one of these words."""
    if not isinstance(value, str) or value not in known:
        words = [f'"{own}"' for own in known]
        needed = f"{', '.join(words[:-1])} or {words[-1]}"
        hint = closest(value, known)
        fix = hint if hint.startswith("did") else f"write {name}={words[0]}"
        raise ModelError(f"{type(layer).__name__}: {name} must be {needed}, not {value!r}: {fix}")
