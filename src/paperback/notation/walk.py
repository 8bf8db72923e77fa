"""Walking the tree: children, rebuilding, letters, substitution, fresh binders, equality up to the names of binders.

    substitute(e, {i: s*t + r})     capture-free, because binders own their letters
    fresh(e)                        the same expression with new binders, before two expressions are merged
    same(a, b)                      equal statements, whatever their letters are called
"""

from __future__ import annotations

__all__ = [
    "canonical", "children", "free_letters", "fresh", "guard_letters", "map_children", "map_guard", "map_statement",
    "nodes", "reads", "rename_tensors", "renewed", "same", "substitute", "with_sizes",
]  # fmt: skip

import operator
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import lru_cache
from itertools import count

from paperback.notation.affine import Affine, Letter
from paperback.notation.expr import (
    Add,
    AffineGuard,
    Binder,
    Bracket,
    Call,
    Compare,
    Divides,
    Guard,
    Index,
    IndexExpr,
    Mul,
    Node,
    Pow,
    Quotient,
    Read,
    Reduce,
    Statement,
    add,
    as_affine,
    index_value,
    mul,
    power,
)  # fmt: skip
from paperback.notation.size import Size, SizeLike

Image = Callable[[Node], Node]
AffineImage = Callable[[Affine], Affine]


def _keep(affine: Affine) -> Affine:
    return affine


def _map_size(size: Size, affine: AffineImage) -> Size:
    return size if size.is_int else affine(Affine.of(size)).const


def _map_index(index: IndexExpr, image: Image, affine: AffineImage) -> IndexExpr:
    if isinstance(index, Affine):
        return affine(index)
    if isinstance(index, Quotient):
        return Quotient(affine(index.affine), _map_size(index.divisor, affine))
    inner = image(index)
    if isinstance(inner, Read):
        return inner
    value = as_affine(inner)
    if value is None:
        raise TypeError(f"an index must stay a read or an affine form, not {inner!r}")
    return value


def map_guard(guard: Guard, image: Image, affine: AffineImage = _keep) -> Guard:
    """One guard with its expressions replaced by `image` and its affine forms by `affine`."""
    if isinstance(guard, AffineGuard):
        return AffineGuard(guard.relation, affine(guard.affine))
    if isinstance(guard, Divides):
        return Divides(_map_size(guard.modulus, affine), affine(guard.affine))
    return Compare(guard.relation, image(guard.left), image(guard.right))


def map_children(node: Node, image: Image, affine: AffineImage = _keep) -> Node:
    """The node with its children replaced by `image` and its affine forms by `affine`; constants are folded again."""
    match node:
        case Add():
            return add(*(image(term) for term in node.terms))
        case Mul():
            return mul(*(image(factor) for factor in node.factors))
        case Pow():
            return power(image(node.base), node.exponent)
        case Call():
            return Call(node.function, tuple(image(a) for a in node.arguments))
        case Read():
            indices = tuple(_map_index(i, image, affine) for i in node.indices)
            unchanged = all(map(operator.is_, indices, node.indices))
            return node if unchanged else Read(node.tensor, indices, node.pad)
        case Index():
            return index_value(affine(node.affine))
        case Reduce():
            binders = tuple(Binder(b.letter, _map_size(b.extent, affine)) for b in node.binders)
            guards = tuple(map_guard(g, image, affine) for g in node.guards)
            return Reduce(node.op, binders, guards, image(node.body))
        case Bracket():
            return Bracket(tuple(map_guard(g, image, affine) for g in node.guards))
    return node


def _guard_nodes(guard: Guard) -> tuple[Node, ...]:
    return (guard.left, guard.right) if isinstance(guard, Compare) else ()


def children(node: Node) -> tuple[Node, ...]:
    """The nodes directly below, reads inside indices and both sides of data guards included."""
    match node:
        case Add():
            return node.terms
        case Mul():
            return node.factors
        case Pow():
            return (node.base,)
        case Call():
            return node.arguments
        case Read():
            return tuple(i for i in node.indices if isinstance(i, Read))
        case Reduce():
            return (*(n for g in node.guards for n in _guard_nodes(g)), node.body)
        case Bracket():
            return tuple(n for g in node.guards for n in _guard_nodes(g))
    return ()


def nodes(node: Node) -> Iterator[Node]:
    """The node and everything below it, outside first."""
    return iter(_all_nodes(node))


@lru_cache(maxsize=8192)
def _all_nodes(node: Node) -> tuple[Node, ...]:
    found, waiting = [], [node]
    while waiting:
        one = waiting.pop()
        found.append(one)
        waiting.extend(reversed(children(one)))
    return tuple(found)


def reads(node: Node, tensor: str | None = None) -> Iterator[Read]:
    """Every read (of one tensor, where named), reads inside indices included."""
    return (n for n in nodes(node) if isinstance(n, Read) and tensor in (None, n.tensor))


def _own_affines(node: Node) -> Iterator[Affine]:
    if isinstance(node, Index):
        yield node.affine
    elif isinstance(node, Read):
        for index in node.indices:
            if isinstance(index, Affine):
                yield index
            elif isinstance(index, Quotient):
                yield index.affine
    elif isinstance(node, Reduce | Bracket):
        for guard in node.guards:
            if not isinstance(guard, Compare):
                yield guard.affine


@lru_cache(maxsize=65536)
def free_letters(node: Node) -> tuple[Letter, ...]:
    """The letters that occur and are not bound inside, in order of appearance."""
    found = dict.fromkeys(letter for affine in _own_affines(node) for letter in affine.letters)
    for child in children(node):
        found.update(dict.fromkeys(free_letters(child)))
    if isinstance(node, Reduce):
        for binder in node.binders:
            found.pop(binder.letter, None)
    return tuple(found)


def guard_letters(guard: Guard) -> tuple[Letter, ...]:
    """The free letters of a guard."""
    if isinstance(guard, Compare):
        return tuple(dict.fromkeys((*free_letters(guard.left), *free_letters(guard.right))))
    return guard.affine.letters


def substitute(node: Node, letters: Mapping[Letter, Affine]) -> Node:
    """Put affine forms for free letters."""
    if not letters or not any(letter in letters for letter in free_letters(node)):
        return node
    return map_children(node, lambda child: substitute(child, letters), lambda affine: affine.substitute(letters))


def with_sizes(node: Node, sizes: Mapping[str, SizeLike]) -> Node:
    """Put sizes for names of sizes."""
    return map_children(node, lambda child: with_sizes(child, sizes), lambda affine: affine.with_sizes(sizes))


def rename_tensors(node: Node, names: Mapping[str, str]) -> Node:
    """Put other names for tensors."""
    node = map_children(node, lambda child: rename_tensors(child, names))
    if isinstance(node, Read) and node.tensor in names:
        return Read(names[node.tensor], node.indices, node.pad)
    return node


def _rebind(node: Node, new_letter: Callable[[Letter], Letter], letters: Mapping[Letter, Affine]) -> Node:
    if isinstance(node, Reduce):
        own = {b.letter: new_letter(b.letter) for b in node.binders}
        inner = {**letters, **{old: Affine.of(new) for old, new in own.items()}}
        moved = map_children(node, lambda child: _rebind(child, new_letter, inner), lambda a: a.substitute(inner))
        assert isinstance(moved, Reduce)
        binders = tuple(Binder(own[b.letter], b.extent) for b in node.binders)
        return Reduce(moved.op, binders, moved.guards, moved.body)
    return map_children(node, lambda child: _rebind(child, new_letter, letters), lambda a: a.substitute(letters))


def fresh(node: Node) -> Node:
    """The same expression with new binders of the same names."""
    return _rebind(node, lambda letter: Letter.fresh(letter.name), {})


def map_statement(statement: Statement, image: Image, affine: AffineImage = _keep) -> Statement:
    """A statement with its expression replaced by `image` and its own sizes and left side by `affine`."""
    return Statement(
        statement.target,
        tuple(affine(a) for a in statement.left),
        tuple(Binder(b.letter, _map_size(b.extent, affine)) for b in statement.binders),
        image(statement.expr),
        tuple(_map_size(axis, affine) for axis in statement.axes),
        statement.pad,
    )


def canonical(statement: Statement) -> Statement:
    """The statement with its letters numbered in order of appearance: a key for equality."""
    serial = count(1)
    # binders are numbered as they are opened, so equal shapes get equal numbers
    return _relettered(statement, lambda _: Letter("", -next(serial)))


def renewed(statement: Statement) -> Statement:
    """The same statement with new letters of the same names."""
    return _relettered(statement, lambda letter: Letter.fresh(letter.name))


def _relettered(statement: Statement, bind: Callable[[Letter], Letter]) -> Statement:
    letters = [bind(b.letter) for b in statement.binders]
    own = {b.letter: Affine.of(letter) for b, letter in zip(statement.binders, letters, strict=True)}
    expr = _rebind(statement.expr, bind, own)
    binders = tuple(Binder(letter, b.extent) for b, letter in zip(statement.binders, letters, strict=True))
    left = tuple(a.substitute(own) for a in statement.left)
    return Statement(statement.target, left, binders, expr, statement.axes, statement.pad)


def same(left: Sequence[Statement], right: Sequence[Statement]) -> bool:
    """Are these the same statements, whatever their letters are called?"""
    return len(left) == len(right) and all(canonical(a) == canonical(b) for a, b in zip(left, right, strict=True))
