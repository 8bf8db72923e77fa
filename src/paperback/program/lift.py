"""Lifting: from a formula for one example to the formula for a batch.

    y[o] = sum(i) x[i]*w[i,o] + b[o]      lifted over n < N for the signal x:
    y[n,o] = sum(i) x[n,i]*w[i,o] + b[o]

The new indices come first, on every signal, on every statement that depends on a signal, and on nothing else. What
does not depend on a signal is the same for every example and stays as it is. Lifting commutes with everything that is
done to one example: that is why a layer is written for one.

`unlift` goes the other way, from a program for a batch to that for one example, where no statement mixes examples.
"""

from __future__ import annotations

__all__ = ["depends_on", "lift", "unlift"]

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import replace

from paperback.notation.affine import Affine, Letter
from paperback.notation.block import Block
from paperback.notation.expr import Binder, Node, Read, Reduce, Statement, Tensor
from paperback.notation.size import Size
from paperback.notation.walk import free_letters, map_children, nodes, reads
from paperback.program.program import Program


def lift(block: Block, signals: Collection[str], axes: Sequence[tuple[str, Size]]) -> Block:
    """The block with new leading indices.

    signals     names of the inputs that get the new axes, `shape -> (*new, *shape)`
    axes        (name of the letter, size) of each new axis, outermost first; a letter's name that the block already
                uses gets a number, so that the result can be printed

    Computed tensors that depend on a signal get the new axes too. Without axes the block comes back unchanged.
    """
    if not axes:
        return block
    lifted = depends_on(block.statements, signals)
    names = _fresh_names([name for name, _ in axes], _used_names(block))
    named = list(zip(names, (size for _, size in axes), strict=True))
    statements = tuple(_lift_statement(s, lifted, named) if s.target in lifted else s for s in block.statements)
    extents = tuple(size for _, size in axes)
    inputs: Mapping[str, Tensor] = {
        name: replace(tensor, axes=extents + tensor.axes) if name in lifted else tensor
        for name, tensor in block.inputs.items()
    }
    return replace(block, statements=statements, inputs=inputs)


def depends_on(statements: Iterable[Statement], signals: Collection[str]) -> set[str]:
    """The signals and every target that is computed from one."""
    found = set(signals)
    for statement in statements:
        if any(read.tensor in found for read in reads(statement.expr)):
            found.add(statement.target)
    return found


def _lift_statement(statement: Statement, lifted: Collection[str], axes: Sequence[tuple[str, Size]]) -> Statement:
    binders = tuple(Binder(Letter.fresh(name), size) for name, size in axes)
    new = tuple(Affine.of(binder.letter) for binder in binders)

    def image(node: Node) -> Node:
        moved = map_children(node, image)
        if isinstance(moved, Read) and moved.tensor in lifted:
            result: Node = Read(moved.tensor, new + moved.indices, moved.pad)
            return result
        return moved

    return Statement(
        statement.target,
        new + statement.left,
        binders + statement.binders,
        image(statement.expr),
        tuple(size for _, size in axes) + statement.axes,
        statement.pad,
    )


def unlift(program: Program) -> Program | None:
    """The program for one example, without its updates; None where examples meet, as in a mean over the batch."""
    axis = Size.of(program.batch)
    lifted = {tensor.name for tensor in program.tensors.values() if tensor.axes[:1] == (axis,)}
    statements = [_unlift_statement(statement, lifted) for statement in program.statements]
    if any(s is None or program.batch in Block((s,)).size_names for s in statements):
        return None
    tensors = {
        name: replace(tensor, axes=tensor.axes[1:]) if name in lifted else tensor
        for name, tensor in program.tensors.items()
    }
    return replace(program, tensors=tensors, statements=tuple(filter(None, statements)), updates={})


def _unlift_statement(statement: Statement, lifted: Collection[str]) -> Statement | None:
    """The statement without its first index, by which it reads every lifted tensor, or that it reads none."""
    if statement.target not in lifted:
        return None if any(read.tensor in lifted for read in reads(statement.expr)) else statement
    letter = statement.left[0].bare
    signals = [read for read in reads(statement.expr) if read.tensor in lifted]
    if letter is None or any(read.indices[0] != Affine.of(letter) for read in signals):
        return None

    def image(node: Node) -> Node:
        moved = map_children(node, image)
        if isinstance(moved, Read) and moved.tensor in lifted:
            result: Node = Read(moved.tensor, moved.indices[1:], moved.pad)
            return result
        return moved

    expr, left = image(statement.expr), statement.left[1:]
    if letter in free_letters(expr) or any(letter in index.letters for index in left):
        return None
    binders = tuple(binder for binder in statement.binders if binder.letter != letter)
    return replace(statement, left=left, binders=binders, expr=expr, axes=statement.axes[1:])


def _used_names(block: Block) -> set[str]:
    """Every name in the block: letters, sizes, tensors, scalars."""
    used = {*block.inputs, *block.scalars, *block.functions}
    for tensor in block.inputs.values():
        used |= {name for axis in tensor.axes for name in axis.names}
    for statement in block.statements:
        used |= {statement.target, *(binder.letter.name for binder in statement.binders)}
        used |= {name for axis in statement.axes for name in axis.names}
        for node in nodes(statement.expr):
            if isinstance(node, Reduce):
                used |= {binder.letter.name for binder in node.binders}
    return used


def _fresh_names(wanted: Iterable[str], used: Iterable[str]) -> list[str]:
    taken, names = set(used), []
    for name in wanted:
        new, number = name, 0
        while new in taken:
            number += 1
            new = f"{name}{number}"
        taken.add(new)
        names.append(new)
    return names
