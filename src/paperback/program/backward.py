"""From a forward program to one that computes gradients too.

    gradients(program, "loss", ["conv2d_1.w", ...])     adjoint statements after the forward ones, in delta form
    prune(program)                                      without what neither an output nor an update needs

The sweep is `calculus.derive.reverse`; here it meets roles, conventions and outputs. What is not wanted is never made:
the first layer's input gradient exists only where `wrt` names it.
"""

from __future__ import annotations

__all__ = ["gradients", "live_statements", "prune"]

from collections.abc import Iterable
from dataclasses import replace

from paperback.calculus.adjoint import differentiated_name
from paperback.calculus.derive import live, reverse
from paperback.calculus.diff import Names
from paperback.notation.expr import ONE, Node, Read, Statement
from paperback.notation.walk import map_children, reads
from paperback.program.program import Program, ProgramTensor


def gradients(
    program: Program, output: str, wrt: Iterable[str], cotangent: str | None = None, unit: Node = ONE
) -> tuple[Program, dict[str, str]]:
    """Add the adjoint statements of `output` with respect to the tensors in `wrt`.

    Without a `cotangent` the output must have no axes (a loss) and its cotangent is `unit`, 1; else `cotangent` names a
    new input with the axes of the output. Returns the program and {tensor: the tensor of its gradient}; gradients
    become outputs where they are asked for by the caller, not here. Raises KeyError for a tensor the program does not
    have and ValueError for a loss with axes.
    """
    tensors = dict(program.tensors)
    names = Names((*tensors, program.batch))
    axes = tensors[output].axes
    forward: list[Statement] = list(program.statements)
    seed = cotangent or names.fresh(differentiated_name(output))
    if cotangent is not None:
        names.taken.add(cotangent)
        tensors[seed] = ProgramTensor(seed, axes, "input")
    elif axes:
        raise ValueError(f"{output} has {len(axes)} axes; the gradient of a loss needs one number, or a cotangent")
    wanted = {name: tensors[name].axes for name in wrt}
    extended, adjoints, held = reverse(forward, {output: seed}, wanted, names, conventions=program.conventions)
    if cotangent is None:
        adjoints = tuple(replace(s, expr=_with_unit(s.expr, seed, unit)) for s in adjoints)
    statements = (*extended, *adjoints)
    for statement in statements:
        if statement.target not in tensors:
            kind = "intermediate", statement.is_position
            tensors[statement.target] = ProgramTensor(statement.target, statement.axes, *kind)
    targets = (*program.adjoints, *(s.target for s in adjoints))
    return replace(program, tensors=tensors, statements=statements, adjoints=targets), held


def _with_unit(node: Node, seed: str, unit: Node) -> Node:
    """The expression with the unit for the cotangent of a loss."""
    if isinstance(node, Read) and node.tensor == seed:
        return unit
    return map_children(node, lambda child: _with_unit(child, seed, unit))


def live_statements(program: Program) -> tuple[Statement, ...]:
    """The statements that the outputs and the updates need."""
    needed = set(program.outputs)
    for update in program.updates.values():
        needed.update(read.tensor for read in reads(update.expr))
    return live(program.statements, needed)


def prune(program: Program) -> Program:
    """The program without dead statements, and without tensors that nothing mentions; inputs and scalars stay."""
    statements = live_statements(program)
    mentioned = set(program.outputs) | set(program.updates) | {s.target for s in statements}
    for statement in (*statements, *program.updates.values()):
        mentioned.update(read.tensor for read in reads(statement.expr))
    mentioned |= {t.name for t in program.by_role("scalar", "input")}  # an input tells the size of the batch
    kept = {name: t for name, t in program.tensors.items() if name in mentioned}
    return replace(program, tensors=kept, statements=statements)
