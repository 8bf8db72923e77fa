"""A layer at given sizes: its formula read, its sizes put in, its facts checked, and the batch index in front.

    x: (28, 28, 1), Conv2d(32, 5)   ->   y[n,i,j,k] = sum(p,q,r) x[n, i+p, j+q, r] * w[p,q,r,k] + b[k]
                                         w: 5 5 1 32 (fan-in 25), b: 32, y: N 24 24 32

This is the place where a layer that does not fit is refused, with what came, what was needed, and a fix.
"""

from __future__ import annotations

__all__ = ["BATCH", "Instance", "ParameterSpec", "instantiate"]

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import lru_cache

from paperback.errors import FormulaError, ModelError
from paperback.nn import layers
from paperback.nn.init import Array, Initializer, fans, stream
from paperback.nn.layers.layer import BATCH, Layer, Shape, Text
from paperback.notation.block import Block
from paperback.notation.declare import AxesLike
from paperback.notation.expr import Const, Node, Scalar
from paperback.notation.read import read
from paperback.notation.size import Size
from paperback.notation.walk import map_children, map_statement, renewed
from paperback.program.lift import depends_on, lift

_PLACES = ("i", "j", "k", "l", "m")


@dataclass(frozen=True)
class ParameterSpec:
    """Shape and start of a parameter or a state tensor."""

    shape: Shape
    initializer: Initializer
    fan_in: int = 1
    fan_out: int = 1

    def sample(self, name: str, seed: int) -> Array:
        """The first value, float64: it depends on the seed, the name and the shape, and on nothing else."""
        return self.initializer.sample(self.shape, self.fan_in, self.fan_out, stream(seed, name))


@dataclass(frozen=True)
class Instance:
    """A layer's blocks at numeric sizes, for a batch; the names of tensors are those of the formula."""

    layer: Layer
    text: Text
    training: Block
    inference: Block
    update: Block | None
    output_shape: Shape
    parameters: Mapping[str, ParameterSpec]
    state: Mapping[str, ParameterSpec]


def instantiate(layer: Layer, shapes: Mapping[str, Shape]) -> Instance:
    """A layer for an input `x` (and results of branches) of these shapes, without the batch.

    Raises a ModelError where the layer does not fit them.

    That its phases fit together is proved here: training and inference give the same axes, inference reads nothing but
    the input, parameters and state, and every update has the shape of what it replaces.
    """
    text = layer.text(shapes["x"])
    sizes, over = _sizes(layer, text, shapes)
    layer.check(shapes)
    signals = {**shapes, **dict.fromkeys(layer.masks, shapes["x"])}
    training = _block(layer, text, text.formula, sizes, signals)
    read_ones = {name: start for name, start in layer.parameters.items() if name in training.inputs}
    specs = {name: _spec(training, name, start) for name, start in read_ones.items()}
    inference = _block(layer, text, text.inference, sizes, signals) if text.inference else training
    update = _update(layer, text, training, sizes)
    state = {
        name: ParameterSpec(tuple(sizes[axis] for axis in _axes(text, name)), start)
        for name, start in layer.state.items()
    }
    _check_phases(layer, inference, update, specs, state)
    lifted, inferred = (_over_batch(block, text, signals, over) for block in (training, inference))
    if lifted.result.axes != inferred.result.axes:
        raise ModelError(f"training gives axes {_show(lifted.result.axes)}, inference {_show(inferred.result.axes)}")
    return Instance(layer, text, lifted, inferred, update, _numbers("y", lifted.result.axes[1:]), specs, state)


def _sizes(layer: Layer, text: Text, shapes: Mapping[str, Shape]) -> tuple[dict[str, int], Shape]:
    """The numbers for the formula's sizes, and the axes of x over which it is lifted."""
    known = {name: size for name, size in {**layer.sizes, **text.sizes}.items() if size is not None}
    over: Shape = ()
    for signal, shape in shapes.items():
        axes = _axes(text, signal)
        extra = len(shape) - len(axes)
        if extra < 0 or (extra and not layer.extra_axes):
            needed = f"{len(axes)} ax{'i' if len(axes) == 1 else 'e'}s" if axes else "no axes"
            raise ModelError(f"it takes {needed} ({' '.join(axes)}), not {len(shape)}: {_axes_fix(layer, axes, shape)}")
        over = shape[:extra]
        for name, extent in zip(axes, shape[extra:], strict=True):
            if known.setdefault(name, int(name) if name.isdecimal() else extent) != extent:
                setting = _setting(layer, name)
                raise ModelError(f"the input gives {name} = {extent}, needed is {known[name]}{setting}")
    return known, over


def _axes_fix(layer: Layer, axes: Sequence[str], shape: Shape) -> str:
    """How an input of this shape gets as many axes as the layer needs, or which layer takes so many."""
    if len(axes) == 1 and len(shape) > 1:
        return "add Flatten() before it"
    name = type(layer).__name__
    sibling = f"{name[:-2]}{len(shape) - 1}d"
    fixes = [f"use {sibling}"] if sibling != name and sibling in layers.__all__ else []
    if len(shape) == len(axes) - 1:
        fixes.append(f"give x an axis of channels, as {(*shape, 1)}, with Unflatten({(shape[-1], 1)}) before it")
    elif len(shape) < len(axes):
        fixes.append("put it before Flatten()")
    return ", or ".join(fixes or ["change the layers before it"])


def _setting(layer: Layer, name: str) -> str:
    fields = getattr(layer, "__dataclass_fields__", {})
    settings = [key for key in fields if name in layer.sizes and getattr(layer, key) == layer.sizes[name]]
    return f": change {settings[-1]}, or leave it out" if settings else ": change the layers before it"


def _axes(text: Text, signal: str) -> list[str]:
    """The axes of a tensor in the text, without the batch."""
    axes = text.axes.get(signal, "").split()
    return axes[1:] if axes[:1] == [BATCH] else axes


def _block(layer: Layer, text: Text, formula: str, sizes: Mapping[str, int], signals: Collection[str]) -> Block:
    words = _words(formula)
    axes = {name: axes for name, axes in text.axes.items() if name in words}
    block = _read(layer, formula, axes, sizes)
    strangers = set(block.inputs) - set(signals) - set(layer.parameters) - set(layer.state)
    if strangers:
        raise ModelError(
            f"the formula reads {', '.join(sorted(strangers))}, which is no input, parameter, state or mask: "
            "name it among the layer's parameters"
        )
    return block


def _words(formula: str) -> set[str]:
    return set(re.findall(r"[^\W\d]\w*'*", formula))


def _read(
    layer: Layer,
    formula: str,
    axes: Mapping[str, AxesLike],
    sizes: Mapping[str, int],
    updates: bool = False,
) -> Block:
    constants = layer.constants
    try:
        block = _once(formula, tuple(axes.items()), tuple(sizes.items()), tuple(constants), updates)
    except FormulaError as error:
        raise ModelError(f"its formula cannot be read at these sizes\n{error}") from error
    for fact in block.facts:
        _check_fact(fact.relation, fact.size, fact.modulus, fact.why)
    values = {name: Const(Fraction(repr(float(value)))) for name, value in constants.items()}
    unknown = sorted(set(block.scalars) - set(values))
    if unknown:
        raise ModelError(f"the formula reads the scalar {unknown[0]}: give its value among the layer's constants")

    def put(node: Node) -> Node:
        return values[node.name] if isinstance(node, Scalar) and node.name in values else map_children(node, put)

    statements = (map_statement(renewed(s), put) for s in block.statements)
    return replace(block, statements=tuple(statements), scalars=())


@lru_cache(maxsize=256)
def _once(
    formula: str,
    axes: tuple[tuple[str, AxesLike], ...],
    sizes: tuple[tuple[str, int], ...],
    scalars: tuple[str, ...],
    updates: bool,
) -> Block:
    """What a formula means at these sizes; layers of one kind are read once."""
    return read(formula, axes=dict(axes), sizes=dict(sizes), scalars=scalars, updates=updates)


def _check_fact(relation: str, size: Size, modulus: Size, why: str) -> None:
    if not size.is_int or not modulus.is_int:
        return
    value = size.value
    holds = {">=": value >= 0, "==": value == 0, "|": value % (modulus.value or 1) == 0}[relation]
    if not holds:
        raise ModelError(why or f"its sizes must satisfy {size} {relation} 0")


def _spec(block: Block, name: str, start: Initializer) -> ParameterSpec:
    shape = _numbers(name, block.inputs[name].axes)
    return ParameterSpec(shape, start, *fans(block, name))


def _numbers(name: str, axes: Sequence[Size]) -> Shape:
    for axis in axes:
        if not axis.is_int:
            raise ModelError(f"the size {axis} of {name} is not known: give it among the layer's sizes")
    return tuple(axis.value for axis in axes)


def _update(layer: Layer, text: Text, training: Block, sizes: Mapping[str, int]) -> Block | None:
    """The update statements; they share the sizes and the intermediates of the formula."""
    if text.update is None:
        return None
    words = _words(text.update) | {"x"}  # the axes of x give the sizes of the batch
    axes: dict[str, AxesLike] = {name: axes for name, axes in text.axes.items() if name in words}
    for statement in training.statements:
        if statement.target in words:
            axes[statement.target] = statement.axes
    return _read(layer, text.update, axes, sizes, updates=True)


def _check_phases(
    layer: Layer,
    inference: Block,
    update: Block | None,
    parameters: Collection[str],
    state: Mapping[str, ParameterSpec],
) -> None:
    """What the phases of a layer must have in common."""
    masks = set(layer.masks) & set(inference.inputs)
    if masks:
        raise ModelError(f"the formula for inference reads the mask {sorted(masks)[0]}: there is none after training")
    late = [name for name in layer.parameters if name in inference.inputs and name not in parameters]
    if late:
        raise ModelError(f"inference reads the parameter {late[0]}, which training does not: it would never be learned")
    for statement in update.statements if update else ():
        if statement.target not in state:
            raise ModelError(f"an update gives {statement.target} a new value, but it is no state of the layer")
        if _numbers(statement.target, statement.axes) != state[statement.target].shape:
            given, needed = _show(statement.axes), state[statement.target].shape
            raise ModelError(f"the update of {statement.target} has the axes {given}, the state has {needed}")


def _over_batch(block: Block, text: Text, signals: Collection[str], over: Shape) -> Block:
    """Lift over the batch and the axes the formula does not name; a formula that names the batch is left alone."""
    named = text.axes.get("x", "").split()[:1] == [BATCH]
    axes = [] if named else [("n", Size.of(BATCH))]
    axes += [(letter, Size.of(extent)) for letter, extent in zip(_PLACES, over, strict=False)]
    lifted = lift(block, signals, axes)
    result = lifted.result
    if result.target not in depends_on(lifted.statements, signals):
        raise ModelError(f"the output {result.target} does not depend on x")
    if result.axes[:1] != (Size.of(BATCH),):
        raise ModelError(f"the output {result.target} has the axes {_show(result.axes)}; the first must be {BATCH}")
    return lifted


def _show(axes: Sequence[Size]) -> str:
    return " ".join(map(str, axes)) or "none"

