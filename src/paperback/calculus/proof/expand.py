"""From the tree to the normal form: statements inlined, products distributed, every range and guard a constraint.

    sum(p<P) [t == 2*i+p] x[p]      ->   sum(p | p >= 0, P-1-p >= 0, t-2*i-p == 0) x[p]
    x[i+p-1] where x pads 0         ->   [0 <= i+p-1 < H] x[i+p-1]
    [2 | e] y[e/2]                  ->   sum(q | 2*q - e == 0) y[q]
    [2 | e]                         ->   sum(q | 2*q - e == 0) 1
    max(p) phi(e), phi increasing   ->   phi(max(p) e)
"""

from __future__ import annotations

__all__ = ["Expander", "UnknownFormError", "inside", "is_short", "value_of"]

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from fractions import Fraction
from functools import reduce as reduce_
from math import isinf

from paperback.calculus.proof.functions import call as call_law
from paperback.calculus.proof.functions import compared, root
from paperback.calculus.proof.laws import exponential, logarithm, numbered, part, product, scale_of
from paperback.calculus.proof.sums import (
    Atom,
    Domain,
    Polynomial,
    Summand,
    atom,
    constant,
    minus,
    of_size,
    plus,
    scaled,
    times,
)
from paperback.errors import PaperbackError
from paperback.notation.affine import Affine, Letter
from paperback.notation.block import Block
from paperback.notation.expr import (
    Add,
    AffineGuard,
    Binder,
    Bracket,
    Call,
    Const,
    Divides,
    Guard,
    Index,
    Mul,
    Node,
    Pow,
    Quotient,
    Read,
    Reduce,
    Scalar,
    Statement,
    bracket,
    mul,
)
from paperback.notation.size import Size
from paperback.notation.walk import free_letters, fresh, map_children, map_guard, reads, substitute

ONE = constant(1)
LONGEST = 4  # the longest range that is written out
INCREASING = frozenset("exp expm1 log log1p tanh sigmoid softplus relu step sqrt erf sinh sign".split())


class UnknownFormError(PaperbackError):
    """What the normal form has no place for; the claim is then not decided by it."""


def inside(form: Affine, extent: Size) -> tuple[Affine, Affine]:
    """`0 <= form < extent` as two constraints."""
    return form, Affine.of(extent - 1) - form


class Expander:
    """Expands the expressions of one block; with `unroll`, reducers over a few places are written out."""

    def __init__(self, block: Block, lower: Mapping[str, int], unroll: bool = False) -> None:
        self.block, self.lower, self.unroll = block, lower, unroll
        self.statements = {s.target: s for s in block.statements}
        self.functions = block.functions
        self._known: dict[Node, Polynomial] = {}

    def result(self, letters: Sequence[Letter]) -> Polynomial:
        """The result at those letters."""
        return self.target(self.block.result, [Affine.of(letter) for letter in letters])

    def target(self, statement: Statement, indices: Sequence[Affine]) -> Polynomial:
        """An element of what a statement computes."""
        if statement.is_plain:
            put = dict(zip(statement.letters, indices, strict=True))
            return self.of(substitute(fresh(statement.expr), put))
        new = {b.letter: Letter.fresh(b.letter.name) for b in statement.binders}
        letters = {old: Affine.of(letter) for old, letter in new.items()}
        binders = [Binder(new[b.letter], b.extent) for b in statement.binders]
        ties = [a.substitute(letters) - index for a, index in zip(statement.left, indices, strict=True)]
        over = replace(_ranges(binders), zero=tuple(ties))
        if statement.pad:
            raise UnknownFormError(f"{statement.target} has gaps that hold {statement.pad}")
        return _over(over, self.of(substitute(fresh(statement.expr), letters)))

    def of(self, node: Node) -> Polynomial:
        """The normal form of an expression."""
        if node in self._known:
            return tuple(s.renewed() for s in self._known[node])
        found = self._of(node)
        self._known[node] = found
        return found

    def _of(self, node: Node) -> Polynomial:
        if not isinstance(node, Add | Mul | Bracket) and (gather := _gather(node)) is not None:
            return self.lifted(node, *gather)
        match node:
            case Const():
                return constant(node.value)
            case Scalar():
                return atom(Atom("scalar", node.name))
            case Index():
                return value_of(node.affine, self.lower)
            case Add():
                return plus(*(self.of(term) for term in node.terms))
            case Mul():
                return product(*(self.of(factor) for factor in node.factors))
            case Pow():
                return root(self.of(node.base), node.exponent)
            case Call():
                return call_law(node.function, [self.of(a) for a in node.arguments])
            case Bracket():
                return self.guards(node.guards)
            case Read():
                return self.read(node)
            case Reduce():
                return self.reduce(node)
        raise UnknownFormError(f"{type(node).__name__} is not known")

    # ------------------------------------------------------------------------------------------------- guards

    def guards(self, guards: Iterable[Guard]) -> Polynomial:
        return product(*(self.guard(g) for g in guards))

    def guard(self, guard: Guard) -> Polynomial:
        if isinstance(guard, AffineGuard):
            if guard.relation == ">=":
                return _where(at_least=(guard.affine,))
            there = _where(zero=(guard.affine,))
            return there if guard.relation == "==" else minus(ONE, there)
        if isinstance(guard, Divides):
            letter = Letter.fresh("q")
            return (Summand(Fraction(1), (), Domain((letter,), (), (_tie(letter, guard.modulus, guard.affine),))),)
        return compared(guard.relation, minus(self.of(guard.left), self.of(guard.right)))

    # -------------------------------------------------------------------------------------------------- reads

    def read(self, read: Read) -> Polynomial:
        statement = self.statements.get(read.tensor) if read.tensor not in self.block.inputs else None
        axes = statement.axes if statement else self.block.inputs[read.tensor].axes
        indices: list[Affine] = []
        domain = Domain()
        for index, axis in zip(read.indices, axes, strict=True):
            if isinstance(index, Affine):
                indices.append(index)
                if read.pad is not None and index.bare is None:
                    domain = domain.and_(Domain((), inside(index, axis)))
            else:
                assert isinstance(index, Quotient)  # gathers are lifted before
                letter = Letter.fresh("q")
                tie = _tie(letter, index.divisor, index.affine)
                domain = domain.and_(Domain((letter,), inside(Affine.of(letter), axis), (tie,)))
                indices.append(Affine.of(letter))
        value = self.target(statement, indices) if statement else atom(Atom("read", read.tensor, tuple(indices)))
        return self._padded(read, domain, value)

    def _padded(self, read: Read, domain: Domain, value: Polynomial) -> Polynomial:
        if not domain.letters and not domain.at_least:
            return value
        there = _over(domain, value)
        if not read.pad:
            return there
        if isinf(read.pad):
            raise UnknownFormError(f"{read.tensor} pads {read.pad} outside a maximum")
        return plus(there, scaled(minus(ONE, (Summand(Fraction(1), (), domain),)), Fraction(read.pad)))

    def lifted(self, node: Node, read: Read, axis: int) -> Polynomial:
        """`f(E[id[t]]) = sum(v) [id[t] == v] f(E[v])`: a gather picks exactly one."""
        letter, index = Letter.fresh("v"), read.indices[axis]
        assert isinstance(index, Read)
        new = Read(read.tensor, (*read.indices[:axis], Affine.of(letter), *read.indices[axis + 1 :]), read.pad)
        extent = self.block.tensor(read.tensor).axes[axis]
        picked = compared("==", minus(self.of(index), value_of(Affine.of(letter), self.lower)))
        return _over(_ranges([Binder(letter, extent)]), product(picked, self.of(_replaced(node, read, new))))

    # ------------------------------------------------------------------------------------------------ reducers

    def reduce(self, node: Reduce) -> Polynomial:
        moved = fresh(node)
        assert isinstance(moved, Reduce)
        node = moved
        short = next((b for b in node.binders if self.unroll and is_short(b.extent)), None)
        if short is not None and not node.is_position:
            return self._unrolled(node, short)
        match node.op:
            case "sum":
                return self._summed(node.binders, node.guards, self.of(node.body))
            case "logsumexp":
                return logarithm(self._summed(node.binders, node.guards, exponential(self.of(node.body))))
            case "argmax" | "argmin":
                return self._position(node)
        outer = self._through(node)
        return self._extreme(node) if outer is None else outer

    def _unrolled(self, node: Reduce, short: Binder) -> Polynomial:
        """The places of one binder, one by one."""
        rest = tuple(b for b in node.binders if b is not short)
        places = [self._at(node, rest, {short.letter: Affine.of(k)}) for k in range(short.extent.value)]
        match node.op:
            case "sum":
                return plus(*places)
            case "logsumexp":
                return logarithm(plus(*map(exponential, places)))
        if node.guards:
            raise UnknownFormError("a maximum with a guard, written out")
        return reduce_(lambda a, b: call_law(node.op, [a, b]), places)

    def _at(self, node: Reduce, rest: tuple[Binder, ...], put: dict[Letter, Affine]) -> Polynomial:
        guards = tuple(map_guard(g, lambda n: substitute(n, put), lambda a: a.substitute(put)) for g in node.guards)
        body = substitute(node.body, put)
        if rest:
            return self.of(fresh(Reduce(node.op, rest, guards, body)))
        return self.of(mul(bracket(*guards), body))

    def _summed(self, binders: Sequence[Binder], guards: Iterable[Guard], body: Polynomial) -> Polynomial:
        return _over(_ranges(binders), product(self.guards(guards), body))

    def _through(self, node: Reduce) -> Polynomial | None:
        """A maximum of an increasing function is that function of the maximum."""
        body = node.body
        if not isinstance(body, Call) or len(body.arguments) != 1 or node.guards:
            return None
        if body.function not in INCREASING and not self.functions.get(body.function, False):
            return None
        return call_law(body.function, [self.of(Reduce(node.op, node.binders, (), body.arguments[0]))])

    def _extreme(self, node: Reduce) -> Polynomial:
        sign = 1 if node.op == "max" else -1
        domain, body, condition = self._over_which(node, sign)
        own = frozenset(domain.letters)
        outside = tuple(s for s in body if own.isdisjoint(s.free) and not s.domain.letters)
        rest = tuple(s for s in body if s not in outside)
        if not rest:
            if node.guards:
                raise UnknownFormError("a maximum of what does not change, under a guard")
            return scaled(outside, sign)
        scale = abs(scale_of(rest))
        rest = scaled(rest, 1 / scale)
        inner = single_maximum(rest)
        if inner is not None and condition == ONE and len(inner.parts) == 1:
            rest, domain = part(inner), domain.and_(inner.domain)
        return scaled(plus(outside, scaled(atom(_bound("max", domain, rest, condition)), scale)), sign)

    def _position(self, node: Reduce) -> Polynomial:
        domain, body, condition = self._over_which(node, 1 if node.op == "argmax" else -1)
        own = frozenset(domain.letters)
        rest = tuple(s for s in body if not (own.isdisjoint(s.free) and not s.domain.letters))
        rest = scaled(rest, 1 / abs(scale_of(rest))) if rest else rest
        extents = ",".join(str(b.extent) for b in node.binders)
        return atom(replace(_bound("argmax", domain, rest, condition), name=extents))

    def _over_which(self, node: Reduce, sign: int) -> tuple[Domain, Polynomial, Polynomial]:
        """The domain of a maximum, its body, and what else must be 1; outside a pad of -inf nothing takes part."""
        domain = _ranges(node.binders)
        others = []
        for guard in node.guards:
            if not isinstance(guard, AffineGuard) or guard.relation == "!=":
                others.append(guard)
                continue
            own = (guard.affine,)
            domain = domain.and_(Domain((), own) if guard.relation == ">=" else Domain((), (), own))
        body = node.body
        if isinstance(body, Read) and body.pad == -sign * float("inf"):
            axes = self.block.tensor(body.tensor).axes
            for index, axis in zip(body.indices, axes, strict=True):
                if not isinstance(index, Affine):
                    raise UnknownFormError("a padded gather")
                if index.bare is None:
                    domain = domain.and_(Domain((), inside(index, axis)))
            body = Read(body.tensor, body.indices, None)
        return domain, scaled(self.of(body), sign), self.guards(others)


def is_short(extent: Size) -> bool:
    return extent.is_int and 0 < extent.value <= LONGEST


def _gather(node: Node) -> tuple[Read, int] | None:
    """A read at an index that is data and depends on nothing that is bound inside the node."""
    free = set(free_letters(node))
    for read in reads(node):
        for axis, index in enumerate(read.indices):
            if isinstance(index, Read) and set(free_letters(index)) <= free and _gather(index) is None:
                return read, axis
    return None


def _replaced(node: Node, old: Node, new: Node) -> Node:
    return new if node is old else map_children(node, lambda child: _replaced(child, old, new))


def value_of(affine: Affine, lower: Mapping[str, int]) -> Polynomial:
    """An affine form as a value."""
    terms = (times(of_size(c, lower), atom(Atom("index", indices=(Affine.of(letter),)))) for letter, c in affine)
    return plus(of_size(affine.const, lower), *terms)


def single_maximum(polynomial: Polynomial) -> Atom | None:
    """The maximum that the polynomial is, if it is one."""
    if len(polynomial) != 1 or polynomial[0].coefficient != 1 or polynomial[0].domain != Domain():
        return None
    factors = polynomial[0].factors
    if len(factors) != 1 or factors[0][1] != 1 or factors[0][0].head != "max":
        return None
    inner = factors[0][0]
    new = {letter: Letter.fresh(letter.name) for letter in inner.domain.letters}
    put = {old: Affine.of(letter) for old, letter in new.items()}
    domain = replace(inner.domain.substitute(put), letters=tuple(new.values()))
    return replace(inner, domain=domain, parts=tuple(tuple(s.put(put) for s in p) for p in inner.parts))


def _bound(head: str, domain: Domain, body: Polynomial, condition: Polynomial) -> Atom:
    """An atom that binds the letters of its domain; they are numbered above those inside."""
    parts = (numbered(body),) if condition == ONE else (numbered(body), numbered(condition))
    everything = [s for part in parts for s in part]
    start = max([0, *(s.deepest for s in everything)])
    met = [l for s in parts[0] for a, _ in s.factors for form in a.indices for l in form.letters if l in domain.letters]
    order = list(domain.letters) if head == "argmax" else list(dict.fromkeys((*met, *domain.letters)))
    new = {letter: Affine.of(Letter("", -(start + 1 + place))) for place, letter in enumerate(order)}
    letters = tuple(form.letters[0] for form in new.values())
    moved = replace(domain.substitute(new), letters=letters)
    return Atom(head, parts=tuple(tuple(s.put(new) for s in p) for p in parts), domain=moved)


def _ranges(binders: Iterable[Binder]) -> Domain:
    binders = tuple(binders)
    bounds = tuple(form for b in binders for form in inside(Affine.of(b.letter), b.extent))
    return Domain(tuple(b.letter for b in binders), bounds)


def _over(domain: Domain, polynomial: Polynomial) -> Polynomial:
    return tuple(replace(s, domain=domain.and_(s.domain)) for s in polynomial)


def _where(at_least: tuple[Affine, ...] = (), zero: tuple[Affine, ...] = ()) -> Polynomial:
    return (Summand(Fraction(1), (), Domain((), at_least, zero)),)


def _tie(letter: Letter, divisor: Size, affine: Affine) -> Affine:
    return Affine.of(letter) * divisor - affine

