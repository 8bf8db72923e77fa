"""The tree: ten nodes, and statements made of them.

    Const  Scalar  Index  Read   ·   Add  Mul  Pow  Call   ·   Reduce  Bracket

A node is frozen and hash-consed: equal nodes are one object, so `is` and `==` agree and dictionaries keyed by nodes
are fast. Build nodes with the functions `add`, `mul`, `power`, `bracket` ...: they flatten, fold constants and drop
neutral elements, and nothing else, so that what was written is what is kept.

Every binder owns its letter (see `affine`), and a letter is bound once: whoever opens a `Reduce` to merge its body
into another expression renames the binders first (`fresh`).
"""

from __future__ import annotations

__all__ = [
    "ONE",
    "ZERO",
    "Add",
    "Affine",
    "AffineGuard",
    "Binder",
    "Bracket",
    "Call",
    "Compare",
    "Const",
    "Divides",
    "Guard",
    "Index",
    "IndexExpr",
    "Letter",
    "Mul",
    "Node",
    "Pow",
    "Quotient",
    "Read",
    "Reduce",
    "Scalar",
    "Size",
    "Statement",
    "Tensor",
    "add",
    "as_affine",
    "bracket",
    "const",
    "index_value",
    "mul",
    "power",
    "scale",
]  # fmt: skip

from collections.abc import Iterable
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any, ClassVar, Self
from weakref import WeakValueDictionary

from paperback.notation.affine import Affine, Letter
from paperback.notation.size import Size


class Node:
    """A node of the tree. Equal nodes are the same object."""

    __slots__ = ("__weakref__",)
    _fields: ClassVar[tuple[str, ...]] = ()
    _table: ClassVar[WeakValueDictionary[Any, Node]] = WeakValueDictionary()

    def __new__(cls, *values: Any) -> Self:
        key = (cls, *values)
        known = Node._table.get(key)
        if known is not None:
            return known  # type: ignore[return-value]
        node = object.__new__(cls)
        for name, value in zip(cls._fields, values, strict=True):
            object.__setattr__(node, name, value)
        Node._table[key] = node
        return node

    def __setattr__(self, name: str, value: object) -> None:
        raise AttributeError(f"{type(self).__name__} is frozen")

    def __reduce__(self) -> Any:
        return type(self), tuple(getattr(self, name) for name in self._fields)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({', '.join(repr(getattr(self, name)) for name in self._fields)})"


class Const(Node):
    """A rational number."""

    __slots__ = _fields = ("value",)
    value: Fraction


class Scalar(Node):
    """A scalar input (a learning rate, eps), or the number `pi`."""

    __slots__ = _fields = ("name",)
    name: str


class Index(Node):
    """An affine form of letters and sizes used as a value: `i`, `N*H*W`."""

    __slots__ = _fields = ("affine",)
    affine: Affine


class Read(Node):
    """`tensor[indices]`; out of range it gives `pad`, or must not happen where `pad` is None.

    An index is affine, or a Read of an integer tensor (gather), or a Quotient. `pad` is a Fraction or +-inf (a float).
    """

    __slots__ = _fields = ("tensor", "indices", "pad")
    tensor: str
    indices: tuple[IndexExpr, ...]
    pad: Fraction | float | None


class Add(Node):
    __slots__ = _fields = ("terms",)
    terms: tuple[Node, ...]


class Mul(Node):
    """A product. Brackets among the factors win: where one is false the product is 0, whatever the others are."""

    __slots__ = _fields = ("factors",)
    factors: tuple[Node, ...]


class Pow(Node):
    """A constant rational power."""

    __slots__ = _fields = ("base", "exponent")
    base: Node
    exponent: Fraction


class Call(Node):
    """A function of the table, or an uninterpreted one (`where phi function`)."""

    __slots__ = _fields = ("function", "arguments")
    function: str
    arguments: tuple[Node, ...]


class Reduce(Node):
    """`op(binders | guards) body`; op is sum, max, min, argmax, argmin or logsumexp.

    Where the guards are false an element does not take part. argmax gives the row-major code of the first maximum in
    the order of the binders, and 0 where no element takes part.
    """

    __slots__ = _fields = ("op", "binders", "guards", "body")
    op: str

    @property
    def is_position(self) -> bool:
        """Is it an argmax or argmin: a whole number that depends on values and has no derivative?"""
        return self.op in ("argmax", "argmin")

    binders: tuple[Binder, ...]
    guards: tuple[Guard, ...]
    body: Node


class Bracket(Node):
    """Iverson's bracket: 1 where all guards hold, else 0. Guards are tested from left to right."""

    __slots__ = _fields = ("guards",)
    guards: tuple[Guard, ...]


@dataclass(frozen=True)
class Binder:
    """A letter with its extent: `0 <= letter < extent`."""

    letter: Letter
    extent: Size


@dataclass(frozen=True)
class Quotient:
    """The index `affine / divisor`, used only under the guard `divisor | affine`."""

    affine: Affine
    divisor: Size


@dataclass(frozen=True)
class AffineGuard:
    """`affine >= 0`, `affine == 0` or `affine != 0`: an integer condition on letters and sizes."""

    relation: str  # ">=" | "==" | "!="
    affine: Affine


@dataclass(frozen=True)
class Divides:
    """`modulus | affine`."""

    modulus: Size
    affine: Affine


@dataclass(frozen=True)
class Compare:
    """A comparison of data: `left relation right`; false where either is NaN (`!=` is true)."""

    relation: str  # "<" | "<=" | ">" | ">=" | "==" | "!="
    left: Node
    right: Node


IndexExpr = Affine | Read | Quotient
Guard = AffineGuard | Divides | Compare


@dataclass(frozen=True)
class Tensor:
    """What is known of a tensor: its axes, and whether it holds integers (labels, ids, an argmax)."""

    name: str
    axes: tuple[Size, ...]
    integer: bool = False


@dataclass(frozen=True)
class Statement:
    """`target[left] = expr`, for every value of the binders.

    `left` is nearly always the bare letters of `binders`; an affine left side is a bijection (flatten), or leaves gaps
    that hold `pad` (`y[2*i] = x[i] where y pads 0`). `axes` is the shape of the target.
    """

    target: str
    left: tuple[Affine, ...]
    binders: tuple[Binder, ...]
    expr: Node
    axes: tuple[Size, ...] = field(default=())
    pad: Fraction | float | None = None

    @staticmethod
    def plain(target: str, binders: Iterable[Binder], expr: Node) -> Statement:
        """A statement whose left side is its letters."""
        binders = tuple(binders)
        left = tuple(Affine.of(b.letter) for b in binders)
        return Statement(target, left, binders, expr, tuple(b.extent for b in binders))

    @property
    def letters(self) -> tuple[Letter, ...]:
        return tuple(b.letter for b in self.binders)

    @property
    def is_position(self) -> bool:
        """Does it compute positions (whole numbers)?"""
        return isinstance(self.expr, Reduce) and self.expr.is_position

    @property
    def is_plain(self) -> bool:
        return [a.bare for a in self.left] == [b.letter for b in self.binders]


ZERO = Const(Fraction(0))
ONE = Const(Fraction(1))


def const(value: int | Fraction) -> Const:
    return Const(Fraction(value))


def index_value(affine: Affine) -> Node:
    """An affine form as a value: a constant where it is a number."""
    return const(affine.const.value) if affine.is_size and affine.const.is_int else Index(affine)


def add(*terms: Node) -> Node:
    """A sum: flat, constants folded into one term at the end, zeros dropped; an affine form becomes one Index."""
    flat: list[Node] = []
    total = Fraction(0)
    for term in terms:
        for part in term.terms if isinstance(term, Add) else (term,):
            if isinstance(part, Const):
                total += part.value
            else:
                flat.append(part)
    if total or not flat:
        flat.append(Const(total))
    return flat[0] if len(flat) == 1 else _whole(Add(tuple(flat)))


def mul(*factors: Node) -> Node:
    """A product: flat, constants folded into one factor at the front, ones dropped; zero wins (it is exact here).

    A product that is an affine form becomes one Index.
    """
    flat: list[Node] = []
    coefficient = Fraction(1)
    for factor in factors:
        for part in factor.factors if isinstance(factor, Mul) else (factor,):
            if isinstance(part, Const):
                coefficient *= part.value
            elif not (isinstance(part, Bracket) and not part.guards):
                flat.append(part)
    if not coefficient:
        return ZERO
    if coefficient != 1 or not flat:
        flat.insert(0, Const(coefficient))
    return flat[0] if len(flat) == 1 else _whole(Mul(tuple(flat)))


def _whole(node: Node) -> Node:
    """An affine form is one Index, however it was put together."""
    affine = as_affine(node)
    return node if affine is None else index_value(affine)


def scale(coefficient: int | Fraction, node: Node) -> Node:
    return mul(const(coefficient), node)


def power(base: Node, exponent: int | Fraction) -> Node:
    """A power: x^0 = 1, x^1 = x, integer powers of constants folded, (x^a)^n = x^(a*n) for integer n."""
    exponent = Fraction(exponent)
    if exponent == 0:
        return ONE
    if exponent == 1:
        return base
    if isinstance(base, Const) and exponent.denominator == 1 and (base.value or exponent > 0):
        return Const(base.value ** int(exponent))
    if isinstance(base, Pow) and exponent.denominator == 1 and base.exponent.denominator == 1:
        return power(base.base, base.exponent * exponent)
    return Pow(base, exponent)


def bracket(*guards: Guard) -> Node:
    """Iverson's bracket; without guards it is 1."""
    return Bracket(tuple(guards)) if guards else ONE


def as_affine(node: Node) -> Affine | None:
    """The affine form that a value is, if it is one with integer coefficients."""
    if isinstance(node, Index):
        return node.affine
    if isinstance(node, Const):
        return Affine.of(int(node.value)) if node.value.denominator == 1 else None
    if isinstance(node, Add):
        total = Affine()
        for term in node.terms:
            part = as_affine(term)
            if part is None:
                return None
            total = total + part
        return total
    if isinstance(node, Mul):
        product = Affine.of(1)
        for factor in node.factors:
            part = as_affine(factor)
            if part is None or not (part.is_size or product.is_size):
                return None
            product = part * product.const if product.is_size else product * part.const
        return product
    return None
