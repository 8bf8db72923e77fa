"""Known values: a sub-expression equal to a named statement is read by that name.

    S[i] = exp(z[i] - logsumexp(k) z[k])      dz[j] = S[j]*(dS[j] - sum(i) dS[i]*S[i])

The right side of a statement is a pattern whose left letters are variables; a match binds them to affine forms, which
must be provably in range. Products match within larger products.
"""

from __future__ import annotations

__all__ = ["known_values"]

from collections.abc import Callable, Sequence

from paperback.calculus.guards import Box
from paperback.notation.affine import Affine, Letter
from paperback.notation.expr import (
    Add,
    AffineGuard,
    Bracket,
    Call,
    Compare,
    Const,
    Guard,
    Index,
    IndexExpr,
    Mul,
    Node,
    Pow,
    Quotient,
    Read,
    Reduce,
    Scalar,
    Statement,
    mul,
    power,
)  # fmt: skip
from paperback.notation.walk import free_letters, map_children


def known_values(statements: Sequence[Statement]) -> Callable[[Node, Box], Node]:
    """A rewriting: every sub-expression that is one of the statements becomes a read of its target."""
    patterns = [s for s in statements if s.is_plain and not isinstance(s.expr, Const | Scalar | Index | Read | Bracket)]

    def rewrite(node: Node, box: Box) -> Node:
        inside = box.with_binders(node.binders) if isinstance(node, Reduce) else box
        node = map_children(node, lambda child: rewrite(child, inside))
        for pattern in patterns:
            named = _name(node, pattern, box)
            if named is not None:
                return named
        return node

    return rewrite


def _name(node: Node, pattern: Statement, box: Box) -> Node | None:
    if isinstance(node, Mul) and isinstance(pattern.expr, Mul):
        return _name_within_product(node, pattern, box)
    if isinstance(node, Pow) and isinstance(pattern.expr, Pow):
        return _name_of_power(node, pattern, box)
    match = _Match(pattern.letters)
    return match.read(pattern, box) if match.node(pattern.expr, node) else None


def _name_of_power(node: Pow, pattern: Statement, box: Box) -> Node | None:
    """A power of the name: x^(-1/2) is 1/r where r is sqrt(x). A whole power of x may be where sqrt(x) is not."""
    assert isinstance(pattern.expr, Pow)
    times = node.exponent / pattern.expr.exponent
    if times.denominator > 1 or (node.exponent.denominator == 1 and pattern.expr.exponent.denominator > 1):
        return None
    match = _Match(pattern.letters)
    read = match.read(pattern, box) if match.node(pattern.expr.base, node.base) else None
    return None if read is None else power(read, times)


def _name_within_product(node: Mul, pattern: Statement, box: Box) -> Node | None:
    assert isinstance(pattern.expr, Mul)
    match, rest = _Match(pattern.letters), list(node.factors)
    for wanted in pattern.expr.factors:
        for candidate in rest:
            trial = match.copy()
            if trial.node(wanted, candidate):
                match = trial
                rest.remove(candidate)
                break
        else:
            return None
    if any(isinstance(f, Bracket) for f in pattern.expr.factors) and not all(map(box.is_total, rest)):
        return None  # the bracket protects what is left
    read = match.read(pattern, box)
    return None if read is None else mul(*rest, read)


class _Match:
    """Binds the letters of a pattern while walking pattern and node together."""

    def __init__(self, variables: tuple[Letter, ...]) -> None:
        self.variables = variables
        self.bound: dict[Letter, Affine] = {}
        self.inner: dict[Letter, Letter] = {}
        self.equations: list[tuple[Affine, Affine]] = []

    def copy(self) -> _Match:
        other = _Match(self.variables)
        other.bound, other.inner, other.equations = dict(self.bound), dict(self.inner), list(self.equations)
        return other

    def read(self, pattern: Statement, box: Box) -> Node | None:
        """The read that names the match, if every letter is bound, every equation holds and the read is in range."""
        if any(letter not in self.bound for letter in self.variables):
            return None
        images = {**self.bound, **{a: Affine.of(b) for a, b in self.inner.items()}}
        if any(wanted.substitute(images) != got for wanted, got in self.equations):
            return None
        inner = set(self.inner.values())
        for binder in pattern.binders:
            value = self.bound[binder.letter]
            if not inner.isdisjoint(value.letters) or not box.is_in_range(value, binder.extent):
                return None
        return Read(pattern.target, tuple(self.bound[letter] for letter in self.variables), None)

    def affine(self, wanted: Affine, got: Affine) -> bool:
        bare = wanted.bare
        if bare in self.variables and bare is not None and bare not in self.bound:
            self.bound[bare] = got
        else:
            self.equations.append((wanted, got))
        return True

    def index(self, wanted: IndexExpr, got: IndexExpr) -> bool:
        if isinstance(wanted, Affine) and isinstance(got, Affine):
            return self.affine(wanted, got)
        if isinstance(wanted, Quotient) and isinstance(got, Quotient):
            return wanted.divisor == got.divisor and self.affine(wanted.affine, got.affine)
        return isinstance(wanted, Read) and isinstance(got, Read) and self.node(wanted, got)

    def guards(self, wanted: tuple[Guard, ...], got: tuple[Guard, ...]) -> bool:
        return len(wanted) == len(got) and all(self.guard(a, b) for a, b in zip(wanted, got, strict=True))

    def guard(self, wanted: Guard, got: Guard) -> bool:
        if isinstance(wanted, Compare) and isinstance(got, Compare):
            same = wanted.relation == got.relation
            return same and self.node(wanted.left, got.left) and self.node(wanted.right, got.right)
        if isinstance(wanted, AffineGuard) and isinstance(got, AffineGuard):
            return wanted.relation == got.relation and self.affine(wanted.affine, got.affine)
        if isinstance(wanted, Compare | AffineGuard) or isinstance(got, Compare | AffineGuard):
            return False
        return wanted.modulus == got.modulus and self.affine(wanted.affine, got.affine)

    def all(self, wanted: tuple[Node, ...], got: tuple[Node, ...]) -> bool:
        return len(wanted) == len(got) and all(self.node(a, b) for a, b in zip(wanted, got, strict=True))

    def node(self, wanted: Node, got: Node) -> bool:
        if type(wanted) is not type(got):
            return False
        if wanted is got and not free_letters(wanted):
            return True
        match wanted, got:
            case Read(), Read():
                same = (wanted.tensor, wanted.pad, len(wanted.indices)) == (got.tensor, got.pad, len(got.indices))
                return same and all(self.index(a, b) for a, b in zip(wanted.indices, got.indices, strict=True))
            case Index(), Index():
                return self.affine(wanted.affine, got.affine)
            case Add(), Add():
                return self.all(wanted.terms, got.terms)
            case Mul(), Mul():
                return self.all(wanted.factors, got.factors)
            case Pow(), Pow():
                return wanted.exponent == got.exponent and self.node(wanted.base, got.base)
            case Call(), Call():
                return wanted.function == got.function and self.all(wanted.arguments, got.arguments)
            case Bracket(), Bracket():
                return self.guards(wanted.guards, got.guards)
            case Reduce(), Reduce():
                if wanted.op != got.op or [b.extent for b in wanted.binders] != [b.extent for b in got.binders]:
                    return False
                self.inner.update({a.letter: b.letter for a, b in zip(wanted.binders, got.binders, strict=True)})
                return self.guards(wanted.guards, got.guards) and self.node(wanted.body, got.body)
        return False
