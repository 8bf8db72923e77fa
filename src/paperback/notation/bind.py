"""Binding sizes: from the shapes of the arrays that are passed to the numbers behind the names of sizes.

    x: H W R, shape (28, 28, 1)    ->    H = 28, W = 28, R = 1

An axis that is one name binds it; every other axis and every fact is then checked. An axis in which one unknown name
is linear (`H+2`, `2*G`) is solved. All of it happens before anything is computed.
"""

from __future__ import annotations

__all__ = ["bind_sizes"]

from collections.abc import Mapping, Sequence

from paperback.errors import EngineError
from paperback.notation.block import Block, Fact
from paperback.notation.expr import Tensor
from paperback.notation.size import Size, evaluate


def bind_sizes(
    block: Block, shapes: Mapping[str, Sequence[int]], sizes: Mapping[str, int] | None = None
) -> dict[str, int]:
    """The number behind every size of the block, from the shapes of its inputs and the sizes given by name.

    Raises EngineError where shapes disagree with each other or with a fact, or leave a size open.
    """
    known: dict[str, int] = dict(sizes or {})
    source: dict[str, str] = dict.fromkeys(known, "as given")
    axes = [
        (tensor, place, axis, int(extent))
        for tensor in block.inputs.values()
        if tensor.name in shapes
        for place, (axis, extent) in enumerate(_paired(tensor, shapes[tensor.name]))
    ]
    while axes:
        later = []
        for tensor, place, axis, extent in axes:
            unknown = [name for name in axis.names if name not in known]
            if not unknown:
                _agree(tensor, place, axis, extent, known, source)
                continue
            value = _solve(axis, unknown[0], extent, known) if len(unknown) == 1 else None
            if value is None:
                later.append((tensor, place, axis, extent))
                continue
            known[unknown[0]] = value
            source[unknown[0]] = f"from axis {place} of {tensor.name}"
        if len(later) == len(axes):
            break  # `_check` says which sizes stay open
        axes = later
    _check(block, known)
    return known


def _agree(
    tensor: Tensor, place: int, axis: Size, extent: int, known: Mapping[str, int], source: Mapping[str, str]
) -> None:
    needed = evaluate(axis, known)
    if needed != extent:
        names = sorted(axis.names)
        told = f"{axis} = {needed}" if names and str(axis) != str(needed) else str(needed)
        where = "".join(f", {name} = {known[name]} {source[name]}" for name in names)
        raise EngineError(f"axis {place} of {tensor.name} has {extent} entries, needed is {told}{where}")


def _paired(tensor: Tensor, shape: Sequence[int]) -> list[tuple[Size, int]]:
    if len(shape) != len(tensor.axes):
        axes = " ".join(map(str, tensor.axes)) or "none, it is one number"
        raise EngineError(f"{tensor.name} has {len(shape)} axes, {tuple(shape)}; needed are {len(tensor.axes)}: {axes}")
    return list(zip(tensor.axes, shape, strict=True))


def _solve(axis: Size, name: str, extent: int, known: Mapping[str, int]) -> int | None:
    """The value of a name that occurs linearly in an axis, `coefficient*name + rest`; None where it does not."""
    one = Size.of(name)
    slope = axis.substitute({name: 1}) - axis.substitute({name: 0})
    rest = axis.substitute({name: 0})
    if axis != slope * one + rest or not (by := evaluate(slope, known)):
        return None
    value, remainder = divmod(extent - evaluate(rest, known), by)
    if remainder:
        raise EngineError(f"an axis {axis} has {extent} entries; no whole number {name} gives that")
    return value


def _check(block: Block, known: Mapping[str, int]) -> None:
    missing = sorted(block.size_names - set(known))
    if missing:
        raise EngineError(f"no array gives the size {missing[0]}; pass {missing[0]}=...")
    for name, value in known.items():
        least = block.lower.get(name, 1)
        if value < least:
            raise EngineError(f"the size {name} is {value}; it must be at least {least}")
    for fact in block.facts:
        if fact.size.names | fact.modulus.names <= set(known) and not holds(fact, known):
            raise EngineError(_broken(fact, known))


def holds(fact: Fact, sizes: Mapping[str, int]) -> bool:
    """Is the fact true at these sizes?"""
    value = evaluate(fact.size, sizes)
    if fact.relation == "|":
        modulus = evaluate(fact.modulus, sizes)
        return modulus != 0 and value % modulus == 0
    return value >= 0 if fact.relation == ">=" else value == 0


def _broken(fact: Fact, sizes: Mapping[str, int]) -> str:
    names = sorted(fact.size.names | fact.modulus.names)
    at = ", ".join(f"{name} = {sizes[name]}" for name in names)
    why = f" ({fact.why})" if fact.why else ""
    return f"sizes must satisfy {fact}{why}; here {at}"
