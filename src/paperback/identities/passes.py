"""Identities that pay, applied to every program before it is differentiated and run.

    y[i,j,c] = tanh(x[i,j,c])                     m[i,j,c] = max(p,q) x[2*i+p,2*j+q,c]
    z[i,j,c] = max(p,q) y[2*i+p,2*j+q,c]    ->    z[i,j,c] = tanh(m[i,j,c])

One identity is here: `pool_before_activation` (claim B4), for increasing functions that cost more than a comparison,
and where the maximum leaves fewer elements: a 2x2 pooling needs a quarter of the exponentials. ReLU is left where it
stands: it is computed inside the maximum, and moving it gained nothing. Batch normalisation after training folded into
the weights, and average pooling as a convolution, gained nothing either: they are computed inside the kernel beside
them. `pb.rewrite` applies those, and all others, to models.
"""

from __future__ import annotations

__all__ = ["Applied", "profitable"]

from collections.abc import Mapping
from dataclasses import dataclass, replace
from math import inf, prod

from paperback.notation.affine import Affine
from paperback.notation.expr import Call, Read, Reduce, Statement
from paperback.notation.walk import reads
from paperback.program.program import Program, ProgramTensor

INCREASING = ("sigmoid", "tanh", "softplus", "erf")
_POOLED = "max"  # what the maximum itself is called: maxpool2d_1.max


@dataclass(frozen=True)
class Applied:
    """An identity that was applied: its name, the tensors before and after, and how many times fewer elements."""

    identity: str
    before: tuple[str, ...]
    after: tuple[str, ...]
    share: float

    def __str__(self) -> str:
        return f"{self.identity}: {', '.join(self.before)} -> {', '.join(self.after)}, {self.share:g} times fewer calls"


def profitable(program: Program) -> tuple[Program, tuple[Applied, ...]]:
    """A forward program with the identities applied that make it cheaper, and which those are."""
    found: list[Applied] = []
    while (swap := _swap(program)) is not None:
        program, applied = swap
        found.append(applied)
    return program, tuple(found)


def _swap(program: Program) -> tuple[Program, Applied] | None:
    """The first activation that can follow its maximum, after it."""
    computed = {statement.target: statement for statement in program.statements}
    for pool in program.statements:
        inner = _maximum_of(pool)
        activation = computed.get(inner.tensor) if inner is not None else None
        if inner is None or activation is None or not _is_elementwise(activation):
            continue
        others = [s for s in (*program.statements, *program.updates.values()) if s is not pool]
        fewer = _elements(activation, program.batch) / _elements(pool, program.batch)
        if fewer <= 1 or inner.tensor in program.outputs or any(inner.tensor in _read(s) for s in others):
            continue
        return _swapped(program, activation, pool, inner, fewer)
    return None


def _maximum_of(statement: Statement) -> Read | None:
    """The read of which a statement is the maximum, with nothing but -inf outside."""
    expr = statement.expr
    if not isinstance(expr, Reduce) or expr.op != "max" or expr.guards or not isinstance(expr.body, Read):
        return None
    return expr.body if expr.body.pad in (None, -inf) and statement.is_plain else None


def _is_elementwise(statement: Statement) -> bool:
    """Is it an increasing function of one tensor, element by element?"""
    expr = statement.expr
    if not isinstance(expr, Call) or expr.function not in INCREASING or not isinstance(expr.arguments[0], Read):
        return False
    bare = tuple(Affine.of(letter) for letter in statement.letters)
    return statement.is_plain and expr.arguments[0].indices == bare


def _swapped(
    program: Program, activation: Statement, pool: Statement, inner: Read, fewer: float
) -> tuple[Program, Applied]:
    call, maximum = activation.expr, pool.expr
    assert isinstance(call, Call) and isinstance(maximum, Reduce)
    source = call.arguments[0]
    assert isinstance(source, Read)
    name = _fresh(f"{pool.target.rpartition('.')[0] or pool.target}.{_POOLED}", program.tensors)
    body = Read(source.tensor, inner.indices, inner.pad)
    first = replace(pool, target=name, expr=Reduce("max", maximum.binders, (), body))
    letters = tuple(Affine.of(letter) for letter in pool.letters)
    last = Statement.plain(pool.target, pool.binders, Call(call.function, (Read(name, letters, None),)))
    statements = []
    for statement in program.statements:
        if statement is pool:
            statements += [first, last]
        elif statement is not activation:
            statements.append(statement)
    tensors = {n: t for n, t in program.tensors.items() if n != activation.target}
    tensors[name] = ProgramTensor(name, pool.axes, "intermediate")
    conventions = dict(program.conventions)
    if pool.target in conventions:
        conventions[name] = conventions.pop(pool.target)
    applied = Applied("pool_before_activation", (activation.target, pool.target), (name, pool.target), fewer)
    return replace(program, tensors=tensors, statements=tuple(statements), conventions=conventions), applied


def _elements(statement: Statement, batch: str) -> int:
    return prod(axis.substitute({batch: 1}).value for axis in statement.axes)


def _read(statement: Statement) -> set[str]:
    return {read.tensor for read in reads(statement.expr)}


def _fresh(name: str, taken: Mapping[str, object]) -> str:
    while name in taken:
        name += "'"
    return name
