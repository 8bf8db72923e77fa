"""A network: layers become two Programs, one for training and one for inference.

    net = Sequential(Conv2d(32, 5), ReLU(), Flatten(), Dense(10))
    build(net, (28, 28, 1)).train        input  N 28 28 1                                   "input"
                                         conv2d_1.y = ... input ... conv2d_1.w ... conv2d_1.b
                                         relu_1.y   = relu(conv2d_1.y)
                                         flatten_1.y, dense_1.y: the output

Every layer is instantiated at the shape that the layer before it gives (`instance`), its tensors get its name in front
of theirs, and its statements are appended: a Program is the page of formulas that the network is.
"""

from __future__ import annotations

__all__ = ["INPUT", "LayerInfo", "MaskSpec", "Network", "build"]

import operator
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from textwrap import shorten

from paperback.calculus.conventions import Conventions
from paperback.errors import ModelError
from paperback.nn.count import flops, least_batch
from paperback.nn.instance import BATCH, Instance, ParameterSpec, instantiate
from paperback.nn.layers.combine import Sequential, layer_hint
from paperback.nn.layers.flatten import Flatten
from paperback.nn.layers.layer import Layer, Shape
from paperback.notation.block import Block
from paperback.notation.expr import Statement
from paperback.notation.size import Size
from paperback.notation.walk import map_statement, reads, rename_tensors
from paperback.program.program import Program, ProgramTensor

INPUT = "input"


@dataclass(frozen=True)
class MaskSpec:
    """A random mask of 0s and 1s that training draws for every step: its shape without the batch, P(1) = keep."""

    shape: Shape
    keep: float


@dataclass(frozen=True)
class LayerInfo:
    """A line of the summary. `formula` is what the layer says of one example; `flops` are those of one example."""

    name: str
    kind: str
    formula: str
    output_shape: Shape
    parameters: Mapping[str, Shape]
    flops: int

    @property
    def parameter_count(self) -> int:
        return sum(_product(shape) for shape in self.parameters.values())


@dataclass(frozen=True)
class Network:
    """A net at an input shape.

    train, predict    Programs with one input tensor "input", axes (N, *input_shape), and one output tensor, `output`
    parameters        name -> shape and initialiser;  state likewise (running means);  masks  what training draws
    layers            one LayerInfo per layer that has a formula, in the order in which they run
    least_batch       the smallest batch that can be trained on (2 where statistics over a batch need two examples)
    """

    net: Layer
    input_shape: Shape
    output_shape: Shape
    output: str
    train: Program
    predict: Program
    parameters: Mapping[str, ParameterSpec]
    state: Mapping[str, ParameterSpec]
    masks: Mapping[str, MaskSpec]
    layers: tuple[LayerInfo, ...]
    least_batch: int = 1


def build(net: Layer, input_shape: Iterable[int]) -> Network:
    """The network of a layer (nearly always a Sequential) for inputs of `input_shape`, the batch not included.

    Layers are called by their kind and a running number, in order: conv2d_1, relu_1, conv2d_2. A layer that does not
    fit raises a ModelError that says which, what it was given and by whom, what it needs, and a fix.
    """
    if not isinstance(net, Layer):
        raise ModelError(f"a network is made of layers, not of {net!r}: {layer_hint(net)}")
    shape = _input_shape(input_shape)
    builder = _Builder()
    result = builder.run(net, _Signal(INPUT, shape, INPUT))
    return builder.network(net, shape, result)


@dataclass(frozen=True)
class _Signal:
    """What flows between layers: a tensor, its shape without the batch, who gives it, and how its size arose."""

    tensor: str
    shape: Shape
    giver: str
    product: str = ""

    def __str__(self) -> str:
        return f"{self.giver} gives {self.product or _show(self.shape)}"


@dataclass
class _Phase:
    """A Program in the making."""

    statements: list[Statement] = field(default_factory=list)
    updates: dict[str, Statement] = field(default_factory=dict)
    tensors: dict[str, ProgramTensor] = field(default_factory=dict)
    conventions: dict[str, Conventions] = field(default_factory=dict)

    def append(self, block: Block, names: Mapping[str, str], conventions: Conventions) -> None:
        for statement in block.statements:
            moved = _rename(statement, names)
            self.statements.append(moved)
            integer = block.tensor(statement.target).integer
            self.tensors[moved.target] = ProgramTensor(moved.target, moved.axes, "intermediate", integer)
            if conventions != Conventions():
                self.conventions[moved.target] = conventions

    def program(self, given: Mapping[str, ProgramTensor], output: str) -> Program:
        read = {r.tensor for s in (*self.statements, *self.updates.values()) for r in reads(s.expr)}
        needed = {name: t for name, t in given.items() if name in read or name == INPUT or name in self.updates}
        tensors = {**needed, **self.tensors}
        tensors[output] = replace(tensors[output], role="output")
        return Program(
            tensors, tuple(self.statements), (output,), updates=self.updates, batch=BATCH, conventions=self.conventions
        )


class _Builder:
    """Walks a net once and writes both phases."""

    def __init__(self) -> None:
        self.train, self.predict = _Phase(), _Phase()
        self.given: dict[str, ProgramTensor] = {}
        self.parameters: dict[str, ParameterSpec] = {}
        self.state: dict[str, ParameterSpec] = {}
        self.masks: dict[str, MaskSpec] = {}
        self.layers: list[LayerInfo] = []
        self.numbers: Counter[str] = Counter()
        self.takes: dict[bool, str] = {}  # who reads the input: as ids (True), as real numbers (False)

    def run(self, layer: Layer, x: _Signal) -> _Signal:
        if isinstance(layer, Sequential):
            return self.chain(layer.layers, x)
        self.numbers[layer.kind] += 1
        name = f"{layer.kind}_{self.numbers[layer.kind]}"
        signals = {"x": x, **{branch: self.chain(layers, x) for branch, layers in layer.branches.items()}}
        try:
            instance = instantiate(layer, {local: signal.shape for local, signal in signals.items()})
        except ModelError as error:
            raise ModelError(f"{name}, {shorten(repr(layer), 100)}: {x}; {error}") from error
        read = instance.training.inputs.get("x")
        if read is not None:
            self.check_ids(name, read.integer, x)
        return self.put(name, instance, signals)

    def check_ids(self, name: str, ids: bool, x: _Signal) -> None:
        """Whole numbers come from the input only, and all that read it agree that it holds them."""
        if x.tensor == INPUT:
            self.takes.setdefault(ids, name)
            if len(self.takes) > 1:
                raise ModelError(
                    f"{self.takes[True]} takes ids, and {self.takes[False]} real numbers, of one input: give ids to "
                    "all, or to none"
                )
        elif ids:
            raise ModelError(f"{name} takes ids, but {x.giver} gives real numbers: put it first")

    def chain(self, layers: Iterable[Layer], x: _Signal) -> _Signal:
        for layer in layers:
            x = self.run(layer, x)
        return x

    def put(self, name: str, instance: Instance, signals: Mapping[str, _Signal]) -> _Signal:
        """Append a layer's statements under its name."""
        layer = instance.layer
        names = {local: signal.tensor for local, signal in signals.items()}
        own = (*instance.parameters, *instance.state, *layer.masks)
        targets = [s.target for block in (instance.training, instance.inference) for s in block.statements]
        names.update({local: f"{name}.{local}" for local in (*own, *targets)})
        output = names[instance.training.result.target]
        self.train.append(instance.training, names, layer.conventions)
        self.predict.append(instance.inference, names, layer.conventions)
        for statement in instance.update.statements if instance.update else ():
            self.train.updates[names[statement.target]] = _rename(statement, names)
        for local, spec in instance.parameters.items():
            self.parameters[names[local]] = spec
            self.give(names[local], spec.shape, "parameter")
        for local, spec in instance.state.items():
            self.state[names[local]] = spec
            self.give(names[local], spec.shape, "state")
        for local, keep in layer.masks.items():
            self.masks[names[local]] = MaskSpec(signals["x"].shape, keep)
            self.give(names[local], (Size.of(BATCH), *signals["x"].shape), "mask")
        shape = instance.output_shape
        shapes = {names[local]: spec.shape for local, spec in instance.parameters.items()}
        formula = "\n".join(line.strip() for line in instance.text.formula.splitlines())
        self.layers.append(LayerInfo(name, layer.kind, formula, shape, shapes, flops(instance.training, BATCH)))
        return _Signal(output, shape, name, _product_text(layer, signals["x"].shape))

    def give(self, name: str, axes: Iterable[Size | int], role: str) -> None:
        self.given[name] = ProgramTensor(name, tuple(Size.of(axis) for axis in axes), role)

    def network(self, net: Layer, shape: Shape, result: _Signal) -> Network:
        axes = (Size.of(BATCH), *map(Size.of, shape))
        given = {INPUT: ProgramTensor(INPUT, axes, "input", True in self.takes), **self.given}
        train = self.train.program(given, result.tensor)
        return Network(
            net, shape, result.shape, result.tensor, train, self.predict.program(given, result.tensor),
            self.parameters, self.state, self.masks, tuple(self.layers),
            least_batch((*train.statements, *train.updates.values()), BATCH),
        )  # fmt: skip


def _rename(statement: Statement, names: Mapping[str, str]) -> Statement:
    moved = map_statement(statement, lambda node: rename_tensors(node, names))
    return replace(moved, target=names[statement.target])


def _input_shape(shape: Iterable[int]) -> Shape:
    try:
        numbers = tuple(operator.index(n) for n in shape)
    except TypeError:
        numbers = (0,)
    if not numbers or min(numbers) < 1:
        raise ModelError(
            f"input_shape must be whole numbers >= 1, one per axis and without the batch, not {shape!r}: write for "
            f"example input_shape=(28, 28, 1)"
        )
    return numbers


def _product(shape: Iterable[int]) -> int:
    total = 1
    for n in shape:
        total *= n
    return total


def _product_text(layer: Layer, shape: Shape) -> str:
    if isinstance(layer, Flatten) and len(shape) > 1:
        return f"{_product(shape)} = {'*'.join(map(str, shape))}"
    return ""


def _show(shape: Shape) -> str:
    return "x".join(map(str, shape)) or "one number"
