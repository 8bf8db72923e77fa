"""The Jacobian of a model: of any layer's result, or the output, by the input, a parameter, or another layer's result.

The statements that lead from one to the other are a block, and its Jacobian at the model's numbers is that of
`jacobians.of_block`: statement by statement, with the conventions of every layer.
"""

from __future__ import annotations

__all__ = ["jacobian"]

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from numpy.typing import NDArray

from paperback import engines
from paperback.arguments import closest
from paperback.calculus.derive import live
from paperback.errors import ModelError
from paperback.jacobians import LinearMap
from paperback.jacobians import jacobian as of_block
from paperback.learn.steps import activations_program
from paperback.nn.network import INPUT, Network
from paperback.notation.block import Block
from paperback.notation.expr import Statement, Tensor
from paperback.notation.walk import reads

Arrays = Mapping[str, NDArray[Any]]


def jacobian(network: Network, values: Arrays, wrt: str, output: str | None) -> LinearMap:
    """The Jacobian of `output` by `wrt`; `values` are the input, the parameters and the state."""
    program, layers = activations_program(network)
    result = network.output if output is None else _tensor("output", output, layers, ())
    source = _tensor("wrt", wrt, layers, (INPUT, *network.parameters))
    if source == INPUT and program.tensors[INPUT].integer:
        raise ModelError("jacobian: the input holds ids, and there is no derivative by them; pass wrt, a parameter")
    sizes = {program.batch: len(values[INPUT])}
    tensors = {name: Tensor(name, t.axes, t.integer) for name, t in program.tensors.items()}
    if source not in values:
        before = _block(live(program.statements, [source]), tensors).at(sizes)
        values = {**values, source: engines.run(before, {n: values[n] for n in before.inputs})[source]}
    after = live([s for s in program.statements if s.target != source], [result])
    if result == source:
        return LinearMap.identity(values[source].shape, values[source].dtype)
    block = _block(after, tensors, source).at(sizes)
    given = {name: values[name] for name in block.inputs}
    return of_block(block, source, given, None, program.conventions, title=f"Jacobian d{result}/d{source}")


def _tensor(role: str, name: str, layers: Mapping[str, str], others: Iterable[str]) -> str:
    """The tensor that a name means: a layer's result, or what is given."""
    known = {**layers, **{other: other for other in others}}
    if name not in known:
        raise ModelError(f"jacobian: {role} is {name!r}, which the model does not have; {closest(name, known)}")
    return known[name]


def _block(statements: Sequence[Statement], tensors: Mapping[str, Tensor], also: str | None = None) -> Block:
    """The statements, with what they read and do not compute as inputs."""
    computed = {s.target for s in statements}
    names = dict.fromkeys(read.tensor for s in statements for read in reads(s.expr))
    wanted = [*names, *([also] if also is not None and also not in names else [])]
    return Block(tuple(statements), {name: tensors[name] for name in wanted if name not in computed})
