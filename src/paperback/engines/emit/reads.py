"""Reads: from an index to a slice, a window, a reshape or a gather.

    x[1:]                      i + 1
    x[::-1]                    N-1-i
    sliding_window_view(x, P)  i + p            x.unfold(0, P, 1)         x[i[:, None] + p]
    x.reshape(I, J)            J*i + j
    E[id]                      id[t], d
    A[i, i]                    one letter on two axes

Each axis is read by itself where no letter stands on two of them. Out of range a read gives its padding: by `pad`
before it, or, where a guard decides anyway, by an index kept in range.
"""

from __future__ import annotations

__all__ = ["mixed_radix", "pad_text", "read", "share_paddings"]

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

from paperback.engines.emit.scope import LONG, Scope
from paperback.engines.emit.values import ATOM, COMPARE, PRODUCT, SUM, Value, size_text
from paperback.notation.affine import Affine, Letter
from paperback.notation.expr import IndexExpr, Quotient, Read, Statement
from paperback.notation.size import Size
from paperback.notation.uses import binders_of, uses_of
from paperback.notation.walk import free_letters

_ONE = Size.of(1)
Widths = tuple[Size, Size] | None  # before an axis and after it


def read(scope: Scope, node: Read) -> Value:
    """The value of `tensor[indices]`."""
    name = scope.tensors[node.tensor]
    kind = "int" if node.tensor in scope.integers else "float"
    if not node.indices:
        return Value(name, kind=kind)
    letters = [l for index in node.indices for l in _letters(index)]
    apart = len(letters) == len(set(letters)) and all(isinstance(i, Affine) for i in node.indices)
    if apart:
        found = _axis_by_axis(scope, node, Value(name, kind=kind))
        if found is not None:
            return found
    return _gathered(scope, node, name, kind)


def _letters(index: IndexExpr) -> tuple[Letter, ...]:
    if isinstance(index, Read):
        return free_letters(index)
    return index.affine.letters if isinstance(index, Quotient) else index.letters


def pad_text(scope: Scope, pad: Fraction | float) -> str:
    if isinstance(pad, float):
        infinity = scope.dialect.functions["inf"]
        return infinity if pad > 0 else f"-{infinity}"
    return str(pad.numerator) if pad.denominator == 1 else repr(float(pad))


# ---------------------------------------------------------------------------------------------------------------------
# Axis by axis


@dataclass
class _Axis:
    """One axis: how it is read, how long it is (with padding), and what was put before it."""

    index: Affine
    length: Size
    before: Size = Size()
    after: Size = Size()


def _axis_by_axis(scope: Scope, node: Read, value: Value) -> Value | None:
    axes = []
    for index, extent in zip(node.indices, scope.box.axes[node.tensor], strict=True):
        assert isinstance(index, Affine)
        axis = _padded(scope, node, index, extent)
        if axis is None:
            return None
        axes.append(axis)
    text = value.text
    if any(axis.before or axis.after for axis in axes):
        common = scope.paddings.get((node.tensor, node.pad), [])
        for axis, (before, after) in zip(axes, common, strict=False):
            if all(map(scope.nonnegative, (before - axis.before, after - axis.after))):
                axis.length = axis.length - axis.before - axis.after + before + after
                axis.before, axis.after = before, after
        widths = [(scope.text(axis.before), scope.text(axis.after)) for axis in axes]
        fill = "0" if node.pad is None else pad_text(scope, node.pad)
        padded = Value(scope.dialect.pad(text, widths, fill), kind=value.kind)
        text = scope.once(f"{node.tensor}_padded", padded).text
        axes = [_Axis(axis.index + axis.before, axis.length) for axis in axes]
    return _walk(scope, node.tensor, Value(text, kind=value.kind), axes)


def share_paddings(scope: Scope, statement: Statement) -> None:
    """Note the padding that serves all reads of a tensor in this statement: the neighbours of a stencil pad once."""
    scope.paddings = {}
    with scope.within(binders_of(statement)):
        found: dict[tuple[str, object], dict[int, list[Widths]]] = {}
        for use in uses_of(statement):
            if isinstance(use.index, Affine) and (use.read.pad is not None or use.guards):
                width = _widths(scope, use.index, scope.box.axes[use.read.tensor][use.axis])
                found.setdefault((use.read.tensor, use.read.pad), {}).setdefault(use.axis, []).append(width)
        for (tensor, pad), every in found.items():
            whole = [_greatest(scope, every.get(axis, [None])) for axis in range(len(scope.box.axes[tensor]))]
            if all(whole):
                scope.paddings[tensor, pad] = [width for width in whole if width is not None]


def _widths(scope: Scope, index: Affine, extent: Size) -> Widths:
    """How far an index reaches beyond both ends of its axis, where that is known."""
    low, high = scope.least(index), scope.least(-index)
    if low is None or high is None:
        return None
    sides = []
    for size in (-low, -high - extent + 1):
        if scope.nonnegative(size):
            sides.append(size)
        elif scope.nonnegative(-size):
            sides.append(Size())
        else:
            return None
    return sides[0], sides[1]


def _greatest(scope: Scope, widths: Sequence[Widths]) -> Widths:
    """The greatest of the paddings on either side, where one of them is proved to be."""
    known = [width for width in widths if width is not None]
    if len(known) < len(widths):
        return None
    best = [next((s for s in side if all(scope.nonnegative(s - o) for o in side)), None)
            for side in zip(*known, strict=True)]  # fmt: skip
    return None if best[0] is None or best[1] is None else (best[0], best[1])


def _padded(scope: Scope, node: Read, index: Affine, extent: Size) -> _Axis | None:
    """The axis with the padding that its index needs; None where the ends of the index are not known."""
    axis = _Axis(index, extent)
    if scope.in_range(index, extent) or (node.pad is None and not scope.guarded):
        return axis
    if node.pad is None and len(index.terms) > 1:
        return None
    low, high = scope.least(index), scope.least(-index)
    if low is None or high is None:
        return None
    name = node.tensor
    axis.before = scope.positive(-low, f"{name}_before")
    axis.after = scope.positive(-high - extent + 1, f"{name}_after")
    axis.length = extent + axis.before + axis.after
    return axis


def _walk(scope: Scope, tensor: str, value: Value, axes: list[_Axis]) -> Value:
    """The array read at one index an axis: reshapes, takes and windows first, then one subscript of slices."""
    value, axes = _split(scope, value, axes)
    letters: list[Letter] = []
    slices: list[str] = []
    flips: list[Letter] = []
    windows: list[tuple[int, Letter, Size, Size]] = []  # axis, letter, coefficient, length of the window
    text = value.text
    for axis in axes:
        terms = sorted(axis.index, key=lambda term: _weight(scope, term), reverse=True)
        if len(terms) > 2 or (len(terms) == 2 and scope.dialect.name == "jax"):
            form = scope.affine(axis.index)
            text = f"{text}[{':, ' * len(slices)}{form.text}]"
            letters += form.letters
            slices += [":"] * len(form.letters)
            continue
        low = axis.index.const
        for letter, coefficient in terms:
            if not coefficient.is_nonnegative(scope.box.lower):
                low = low + coefficient * (scope.box.extents[letter] - 1)
                flips.append(letter)
        if not terms:
            slices.append(scope.text(low))
            continue
        (letter, step), length = (terms[0][0], _absolute(scope, terms[0][1])), axis.length
        if len(terms) == 2:
            other, slope = terms[1][0], _absolute(scope, terms[1][1])
            wide = slope * (scope.box.extents[other] - 1) + 1
            windows.append((len(slices), other, slope, wide))
            length = length - wide + 1
        letters.append(letter)
        slices.append(scope.slice(low, step, scope.box.extents[letter], length))
    if windows:
        sizes = [size_text(slope * (scope.local(scope.box.extents[l]) - 1) + 1) for _, l, slope, _ in windows]
        text = scope.dialect.windows(text, [place for place, *_ in windows], sizes)
        for _, letter, slope, _ in windows:
            letters.append(letter)
            slices.append(":" if slope == _ONE else f"::{size_text(slope, ATOM)}")
    while slices and slices[-1] == ":":
        slices.pop()
    if slices:
        text = f"{text}[{', '.join(slices)}]"
    for letter in flips:
        text = scope.dialect.flip(text, letters.index(letter))
    result = Value(text, tuple(letters), ATOM, value.kind)
    named = windows or text.count("[") > 3 or len(text) > LONG
    return scope.once(f"{tensor}_windows", result) if named else result


def _weight(scope: Scope, term: tuple[Letter, Size]) -> tuple[int, int, int]:
    """Which letter of an index walks and which spans the window: extents that are computed walk, offsets span."""
    letter, coefficient = term
    extent = scope.box.extents[letter]
    return (0 if extent.is_int else 1 + (len(extent.terms) > 1), _slope(coefficient), -scope.rank[letter])


def _slope(coefficient: Size) -> int:
    return abs(coefficient.value) if coefficient.is_int else 2


def _absolute(scope: Scope, size: Size) -> Size:
    return size if size.is_nonnegative(scope.box.lower) else -size


def _split(scope: Scope, value: Value, axes: list[_Axis]) -> tuple[Value, list[_Axis]]:
    """Axes that are read at mixed-radix codes, `J*i + j`, as one axis a letter."""
    shape: list[str] = []
    found: list[_Axis] = []
    for axis in axes:
        digits = mixed_radix(scope, axis.index, axis.length)
        if digits is None:
            shape.append(scope.text(axis.length))
            found.append(axis)
        else:
            shape += scope.shape(digits)
            found += [_Axis(Affine.of(letter), scope.box.extents[letter]) for letter in digits]
    if len(found) == len(axes):
        return value, axes
    return scope.reshaped(value, shape, ()), found


def mixed_radix(scope: Scope, index: Affine, length: Size) -> tuple[Letter, ...] | None:
    """The letters of `J*K*i + K*j + k` in this order, where they count the whole axis."""
    if len(index.terms) < 2 or index.const:
        return None
    rest = dict(index.terms)
    letters: list[Letter] = []
    unit = _ONE
    while rest:
        fits = [l for l, c in rest.items() if c == unit]
        if not fits:
            return None
        letter = next((l for l in fits if scope.box.extents[l] == _ONE), fits[0])
        del rest[letter]
        letters.insert(0, letter)
        unit = unit * scope.box.extents[letter]
    return tuple(letters) if unit == length else None


# ---------------------------------------------------------------------------------------------------------------------
# Gathers


def _gathered(scope: Scope, node: Read, name: str, kind: str) -> Value:
    """One index array an axis, all broadcast together; last axes that are read whole stay as they are."""
    extents = scope.box.axes[node.tensor]
    indices = list(node.indices)
    tail: list[Letter] = []
    while len(indices) > 1:
        last, extent = indices[-1], extents[len(indices) - 1]
        letter = last.bare if isinstance(last, Affine) else None
        others = [l for index in indices[:-1] for l in _letters(index)]
        if letter is None or letter in others or scope.box.extents[letter] != extent:
            break
        tail.insert(0, letter)
        indices.pop()
    places, inside = [], []
    for index, extent in zip(indices, extents, strict=False):
        place, certain = _place(scope, index, extent, node.pad is not None or scope.guarded)
        if not certain and (node.pad is not None or scope.guarded):
            place = scope.assign("place", place)
            if node.pad is not None:
                end = scope.text(extent, SUM)
                text = f"({place.at(SUM)} >= 0) & ({place.at(SUM)} < {end})"
                inside.append(Value(text, place.letters, COMPARE - 1, "bool", place.plain))
            if place.plain:
                clipped = f"min(max({place.text}, 0), {scope.text(extent - 1)})"
            else:
                clipped = scope.dialect.clip(place.text, scope.text(extent - 1))
            place = Value(clipped, place.letters, ATOM, "int", place.plain)
        places.append(place)
    letters = scope.sorted(l for place in places for l in place.letters)
    aligned = [scope.short("place", place) for place in places]
    index_text = ", ".join(scope.align(place, letters).text for place in aligned)
    value = Value(f"{name}[{index_text}]", (*letters, *tail), ATOM, kind)
    if inside and node.pad is not None:
        letters = scope.union(inside)
        mask = Value(" & ".join(scope.align(i, letters).at(SUM) for i in inside), letters, 0, "bool",
                     all(i.plain for i in inside))  # fmt: skip
        value = scope.select(mask, value, pad_text(scope, node.pad))
    return value


def _place(scope: Scope, index: IndexExpr, extent: Size, kept: bool) -> tuple[Value, bool]:
    """An index as integers, and whether it is certainly in range."""
    if isinstance(index, Affine):
        return scope.affine(index), scope.in_range(index, extent)
    if isinstance(index, Quotient):
        form = scope.affine(index.affine)
        text = f"{form.at(PRODUCT + 1)} // {size_text(index.divisor, ATOM)}"
        return Value(text, form.letters, PRODUCT, "int", form.plain), False
    place = scope.value(index)
    if not kept and index.tensor in scope.ids and scope.dialect.name != "jax":
        name = scope.tensors[index.tensor]
        scope.checks[f"0 <= {name}.min() and {name}.max() < {scope.text(extent, SUM)}"] = None
    return place, False
