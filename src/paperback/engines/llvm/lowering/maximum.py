"""What is the same at every place of a window, where its maximum is.

A gradient behind max(p,q) relu(y[2*i+p, 2*j+q]) is, at each place of a window,

    [arg[i,j] == 2*p+q] * [y[2*i+p, 2*j+q] > 0] * g[i,j]

and the ReLU is on at the maximum exactly where the maximum m is positive: [arg == 2*p+q] * [m[i,j] > 0] * g[i,j]. The
places differ by their codes alone, one of which holds: the number at the maximum is [m[i,j] > 0] * g[i,j]. So y need
not be kept for its gradient. NaN is a maximum, and is not positive.
"""

from __future__ import annotations

__all__ = ["at_maximum"]

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from paperback.engines.llvm.lowering.arrange import affine_indices, guards_of
from paperback.engines.llvm.lowering.tasks import Task
from paperback.notation.affine import Affine, Letter
from paperback.notation.expr import ZERO, Binder, Call, Compare, Guard, Node, Read, Reduce, bracket, const, mul
from paperback.notation.walk import substitute


@dataclass(frozen=True)
class _Maximum:
    """The maximum of relu(inner) over a window, and `value`, where it is stored."""

    window: tuple[Binder, ...]
    inner: Node
    value: Node

    @property
    def positive(self) -> Guard:
        return Compare(">", self.value, ZERO)

    def on(self, code: int) -> Guard:
        """Is the ReLU on at this place of the window?"""
        place: dict[Letter, Affine] = {}
        for binder in reversed(self.window):
            code, at = divmod(code, binder.extent.value)
            place[binder.letter] = Affine.of(at)
        return Compare(">", substitute(self.inner, place), ZERO)


def at_maximum(terms: Sequence[Node], codes: Read, tasks: Iterable[Task]) -> Node | None:
    """The number at the maximum: what all terms are but for their codes; None where they differ.

    terms    for every code, the number at its place: a product with the bracket [codes == code]
    """
    maximum = next((m for task in tasks for m in [_maximum_of(task, codes)] if m is not None), None)
    found = {_without_code(term, k, codes, maximum) for k, term in enumerate(terms)}
    return found.pop() if len(found) == 1 else None


def _maximum_of(task: Task, codes: Read) -> _Maximum | None:
    for nest in task.nests:
        chosen = next((s for s in nest.statements if s.target == codes.tensor), None)
        if chosen is None or not isinstance(chosen.expr, Reduce) or chosen.expr.op != "argmax" or chosen.expr.guards:
            continue
        node = chosen.expr
        same: Node = Reduce("max", node.binders, (), node.body)
        inner = node.body.arguments[0] if isinstance(node.body, Call) and node.body.function == "relu" else None
        values = [s.target for s in nest.statements if s.expr == same and s.target not in nest.unread]
        if values and isinstance(inner, Read) and inner.pad is None and chosen.is_plain:
            at = dict(zip(chosen.letters, affine_indices(codes), strict=True))
            return _Maximum(node.binders, substitute(inner, at), Read(values[0], codes.indices, None))
    return None


def _without_code(term: Node, code: int, codes: Read, maximum: _Maximum | None) -> Node:
    guards, factors = guards_of(term)
    own = Compare("==", codes, const(code)), Compare("==", const(code), codes)
    kept = [guard for guard in guards if guard not in own]
    if maximum is not None:
        kept = [maximum.positive if guard == maximum.on(code) else guard for guard in kept]
    return mul(bracket(*kept), *factors)
