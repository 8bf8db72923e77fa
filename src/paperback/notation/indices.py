"""Index position: syntax -> affine forms of the indices in scope, with sizes as coefficients.

A name here is an index in scope or a declared size; otherwise it is an error, which says why. Never a guess.
"""

from __future__ import annotations

__all__ = ["Scope"]

from dataclasses import dataclass, field
from difflib import get_close_matches

from paperback.notation.declare import Names, size_of
from paperback.notation.expr import Affine, Letter, Quotient, Size
from paperback.notation.expressions import UnreadableError
from paperback.notation.syntax import (
    CallSyntax,
    NameSyntax,
    NumberSyntax,
    ProductSyntax,
    ReadSyntax,
    ReductionSyntax,
    StatementSyntax,
    SumSyntax,
    Syntax,
    parts,
)
from paperback.notation.words import ROUNDINGS


@dataclass
class Scope:
    """The indices that are bound at one place of a statement, and what else a name can be."""

    names: Names
    statement: StatementSyntax
    letters: dict[str, Letter] = field(default_factory=dict)

    def index(self, syntax: Syntax) -> Affine | Quotient:
        """An affine index, or `(affine)/size`."""
        if isinstance(syntax, ProductSyntax) and syntax.factors[-1][0] == "/":
            above = syntax.factors[:-1]
            high = above[0][1] if len(above) == 1 else ProductSyntax(syntax.start, above[-1][1].end, above)
            low = syntax.factors[-1][1]
            divisor = self.affine(low)
            if not divisor.is_size or not divisor.const:
                raise UnreadableError("an index is divided by a size", low.start, low.end)
            return Quotient(self.affine(high), divisor.const)
        return self.affine(syntax)

    def affine(self, syntax: Syntax) -> Affine:
        match syntax:
            case NumberSyntax():
                if syntax.value.denominator != 1:
                    raise UnreadableError("an index is a whole number", syntax.start, syntax.end)
                return Affine.of(int(syntax.value))
            case NameSyntax():
                return self.named(syntax)
            case SumSyntax():
                self.check_reversed(syntax)
                total = Affine()
                for sign, term in syntax.terms:
                    part = self.affine(term)
                    total = total - part if sign == "-" else total + part
                return total
            case ProductSyntax() if all(operator == "*" for operator, _ in syntax.factors):
                return self.product(syntax)
            case CallSyntax() if syntax.function in ROUNDINGS:
                return Affine.of(size_of(syntax, self.rounded_name))
        raise UnreadableError(
            "an index is made of indices and sizes with + - *", syntax.start, syntax.end, self.why_not(syntax)
        )

    def check_reversed(self, syntax: SumSyntax) -> None:
        """`P-p` for a P that is not declared: the axis reversed, as in texts that count from 1."""
        (sign, first), *others = syntax.terms
        if sign == "-" or len(others) != 1 or others[0][0] == "+" or not isinstance(first, NameSyntax):
            return
        last = others[0][1]
        last = last.terms[0][1] if isinstance(last, SumSyntax) else last  # p+1 in a formula that counts from 1
        known = first.name in self.letters or first.name in self.names.sizes or self.names.kind(first.name)
        if not known and isinstance(last, NameSyntax) and last.name in self.letters:
            hint = f"declare it, as an axis or a number; and a reversed axis is read at {first.name}-1-{last.name}"
            raise UnreadableError(f"{first.name} is no index here and no size", first.start, first.end, hint)

    @staticmethod
    def why_not(syntax: Syntax) -> str:
        if isinstance(syntax, ReadSyntax):
            return "a read of an int tensor must be the whole index"
        if isinstance(syntax, ProductSyntax):
            return "a quotient must be the whole index: x[(t-p)/2] under the bracket [2 | t-p]"
        return "compute it as a statement of its own"

    def rounded_name(self, syntax: NameSyntax) -> Size:
        if syntax.name in self.letters:
            hint = "name both parts: y[2*i+a] = x[i] where a < 2"
            raise UnreadableError("only sizes are rounded, not indices", syntax.start, syntax.end, hint)
        return self.names.size(syntax)

    def product(self, syntax: ProductSyntax) -> Affine:
        total = Affine.of(1)
        for _, factor in syntax.factors:
            part = self.affine(factor)
            if not part.is_size and not total.is_size:
                hint = "an index is affine: one index in each product"
                raise UnreadableError("a product of two indices is no index", syntax.start, syntax.end, hint)
            total = part * total.const if total.is_size else total * part.const
        return total

    def named(self, syntax: NameSyntax) -> Affine:
        name = syntax.name
        if name in self.letters:
            return Affine.of(self.letters[name])
        if name in self.names.sizes:
            return Affine.of(self.names.sizes[name])
        kind = self.names.kind(name)
        if kind:
            hint = f"read it: {name}[...]" if kind == "tensor" else "an index is made of indices and sizes"
            raise UnreadableError(f"{name} is a {kind}, not an index", syntax.start, syntax.end, hint)
        raise UnreadableError(f"{name} is no index here and no size", syntax.start, syntax.end, self.hint(name))

    def hint(self, name: str) -> str:
        """What a stranger may have been meant to be."""
        reducer = binder_of(self.statement, name)
        if reducer:
            return f"{reducer} reaches to the next + or -; put parentheses around all that {name} belongs to"
        near = get_close_matches(name, [*self.letters, *self.names.sizes], 1)
        if near:
            return f"did you mean {near[0]}?"
        return f"bind it, sum({name}) or on the left, or declare it as a size: an axis of a tensor, or {name}=3"


def binder_of(syntax: Syntax, name: str) -> str:
    """The head of a reducer that binds the name somewhere in the statement, as `sum(p)`; "" if none does."""
    if isinstance(syntax, StatementSyntax):
        return binder_of(syntax.value, name)
    if isinstance(syntax, ReductionSyntax) and any(b.name == name for b in syntax.binders):
        return f"{syntax.op}({','.join(b.name for b in syntax.binders)})"
    return next((found for part in parts(syntax) if (found := binder_of(part, name))), "")
