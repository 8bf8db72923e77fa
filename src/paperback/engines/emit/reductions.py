"""max, min, argmax, argmin and logsumexp over axes; elements whose guards are false do not take part."""

from __future__ import annotations

__all__ = ["reduction"]

from paperback.engines.emit.scope import Scope
from paperback.engines.emit.values import ATOM, COMPARE, SUM, Value, call_arguments
from paperback.notation.affine import Letter
from paperback.notation.expr import Reduce

Letters = tuple[Letter, ...]


def reduction(scope: Scope, node: Reduce) -> Value:
    """`op(binders | guards) body`."""
    own = tuple(b.letter for b in node.binders)
    with scope.within(node.binders, guarded=bool(node.guards)):
        mask = scope.mask(node.guards) if node.guards else None
        body = scope.floats(scope.value(node.body))
        if node.is_position:
            return _position(scope, node, body, mask, own)
        if mask is not None:
            body = scope.select(mask, body, _none(scope, node.op))
        if node.op == "logsumexp":  # a letter that the body lacks counts
            missing = tuple(l for l in own if l not in body.letters)
            if missing or body.plain:
                body = scope.broadcast(body, (*scope.sorted(body.letters), *missing))
        axes = [k for k, l in enumerate(body.letters) if l in own]
        if not axes:
            return body
        letters = tuple(l for l in body.letters if l not in own)
        if node.op == "logsumexp":
            return Value(scope.dialect.logsumexp(body.text, axes), letters)
        return Value(scope.dialect.reduced(node.op, body.at(ATOM), axes), letters)


def _none(scope: Scope, op: str) -> str:
    """What an element that does not take part counts as."""
    infinity = scope.dialect.functions["inf"]
    return infinity if op in ("min", "argmin") else f"-{infinity}"


def _position(scope: Scope, node: Reduce, body: Value, mask: Value | None, own: Letters) -> Value:
    """The row-major code of the first best element."""
    free = scope.sorted(l for v in (body, mask) if v is not None for l in v.letters if l not in own)
    letters = (*free, *own)
    shape = [*scope.shape(free), "-1"] if len(own) > 1 else []

    def flat(value: Value) -> Value:
        """The letters of the reducer as one last axis."""
        whole = scope.align(value, letters) if set(value.letters) == set(letters) else _full(scope, value, letters)
        return scope.reshaped(scope.short("candidates", whole), shape, letters) if shape else whole

    dialect = scope.dialect
    if mask is None:
        return Value(dialect.argmax(node.op, flat(body).at(ATOM)), free, kind="int")
    takes = scope.assign("takes_part", flat(mask))
    values = scope.select(takes, Value(flat(body).text, letters), _none(scope, node.op))
    values = scope.assign("candidates", values)
    best = dialect.reduced(node.op[3:], values.text, [len(free) if shape else len(letters) - 1])
    best_name = scope.assign("best", Value(best, free)).text
    index = f"[{'..., ' if free else ''}None]"
    tie = f"({values.text} == {best_name}{index}) | {dialect.call('isnan', values.text)}"
    hits = scope.assign("hits", Value(f"{takes.text} & ({tie})", letters, COMPARE - 1, "bool"))
    text = hits.text if dialect.name != "torch" else f"{hits.text}.int()"
    return Value(dialect.argmax("argmax", text), free, kind="int")


def _full(scope: Scope, value: Value, letters: Letters) -> Value:
    """The value broadcast to all letters; truth values stay what they are."""
    if value.kind != "bool":
        return scope.broadcast(value, letters)
    moved, shape = scope.align(value, letters).at(SUM), call_arguments(scope.shape(letters))
    text = f"full({shape}, {value.text})" if value.plain else f"broadcast_to({moved}, {shape})"
    return Value(f"{scope.dialect.np}.{text}", letters, kind="bool")
