"""The parts of a statement: which of them store, which add, and what is filled first."""

from __future__ import annotations

__all__ = ["filled", "parts", "split"]

from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
from math import gcd, prod

from paperback.calculus.kernel import interval
from paperback.engines.llvm.lowering.addressed import find_address
from paperback.engines.llvm.lowering.arrange import blocked, scattered
from paperback.engines.llvm.lowering.nests import Nest
from paperback.notation.affine import Letter
from paperback.notation.expr import Binder, Statement, const
from paperback.notation.size import Size


def parts(
    forms: Sequence[Statement], whole: Statement, extents: Mapping[Letter, int], shapes: Mapping[str, tuple[int, ...]],
    integers: Container[str],
) -> Iterator[Nest]:  # fmt: skip
    """The parts of a statement: filled with its padding first, where they leave gaps or may meet."""
    if len(forms) == 1 and find_address(forms[0].expr, integers):
        yield filled(whole)
        yield Nest(forms[0], add=True, split=split(forms[0]))
        return
    scatters = [scattered(form, extents, shapes) for form in forms]
    if any(scatters) and not whole.pad:
        yield filled(whole)
        for form, scatter in zip(forms, scatters, strict=True):
            if scatter is None:
                yield Nest(form, add=True, split=split(form))
            else:
                yield Nest(scatter[0], add=True, split=split(scatter[0]), clips=scatter[1])
        return
    blocks = blocked(forms[0], extents, shapes) if len(forms) == 1 else None
    if blocks is not None:
        yield Nest(blocks[0], split=split(blocks[0]))
        yield Nest(blocks[1], add=True, split=split(blocks[1]))
        return
    meet = any(_meet(a, b) for k, a in enumerate(forms) for b in forms[:k])
    full = sum(_count(b.extent for b in form.binders) for form in forms) == _count(whole.axes)
    if (meet and not _covers(forms[0], whole)) or not (meet or full):
        yield filled(whole)
        yield from (Nest(form, add=meet, split=split(form)) for form in forms)
    else:
        yield from (Nest(form, add=meet and k > 0, split=split(form)) for k, form in enumerate(forms))


def filled(whole: Statement) -> Nest:
    """The padding at every place of the target."""
    binders = [Binder(Letter.fresh("f"), n) for n in whole.axes]
    statement = Statement.plain(whole.target, binders, const(0))
    return Nest(statement, split=split(statement), fill=whole.pad or 0)


def _covers(form: Statement, whole: Statement) -> bool:
    return form.is_plain and tuple(b.extent for b in form.binders) == whole.axes


def _count(extents: Iterable[Size]) -> int:
    return prod(n.value for n in extents)


def _meet(a: Statement, b: Statement) -> bool:
    """May both store at one place?"""
    boxes = [{x.letter: x.extent.value for x in s.binders} for s in (a, b)]
    for one, other in zip(a.left, b.left, strict=True):
        common = gcd(*(k.value for _, k in (*one.terms, *other.terms)))
        gap = one.const.value - other.const.value
        if (gap % common if common else gap) != 0:
            return False
        (low, high), (first, last) = interval(one, boxes[0]), interval(other, boxes[1])
        if high < first or last < low:
            return False
    return True


def split(form: Statement) -> Letter | None:
    """The letter of the first axis, where that axis is it alone: the range of a call is a range of it."""
    return form.left[0].bare if form.left else None
