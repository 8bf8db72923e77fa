"""Spelling expressions: tree -> text with as few parentheses as the grammar allows.

    Add((mul(-1, y^2), 1))            1 - y^2
    Mul((1/2, a, power(b, -1)))       a/b/2
    e >= 0 and P-1-e >= 0             0 <= e < P

The order of terms and factors is kept, so that what is read back is the same tree; only a constant moves to the front
of a sum that would begin with a minus or a function.

What needs parentheses, which sign a term has, which guards make a chain: that is decided here for every way of writing.
What a product, a power or a read looks like is a method of its own, which `typeset` replaces for LaTeX and MathML.
"""

from __future__ import annotations

__all__ = ["Speller", "affine_text", "is_single", "number_text", "size_text"]

from collections.abc import Iterable, Iterator, Mapping, Sequence
from fractions import Fraction

from paperback.notation.expr import (
    Add,
    Affine,
    AffineGuard,
    Binder,
    Bracket,
    Call,
    Compare,
    Const,
    Divides,
    Guard,
    Index,
    IndexExpr,
    Letter,
    Mul,
    Node,
    Pow,
    Quotient,
    Read,
    Reduce,
    Scalar,
    Size,
)  # fmt: skip
from paperback.notation.numerals import number_text


def _is_factor(size: Size) -> bool:
    """Can it stand in a product as it is: one name, one number, one rounded quotient?"""
    return len(size.terms) <= 1 and all(c > 0 and len(m) + (c != 1) <= 1 for m, c in size.terms)


def size_text(size: Size) -> str:
    """A size as a factor: in parentheses where it is a sum or a product."""
    return Speller().size_factor(size)


def _is_negative(size: Size) -> bool:
    return bool(size.terms) and all(c < 0 for _, c in size.terms)


def _begins_with_call(node: Node) -> bool:
    """`1 + exp(-x)` is how it is written, and `x + 1`."""
    return isinstance(node.factors[0] if isinstance(node, Mul) else node, Call)


def is_single(affine: Affine) -> bool:
    """Is it one letter, or one size: a name or a rounded quotient?"""
    if affine.bare is not None:
        return True
    return affine.is_size and len(affine.const.atoms) == 1 and affine.const == Size.atom(next(iter(affine.const.atoms)))


def affine_text(affine: Affine) -> str:
    """`2*i-t+P-1`."""
    return Speller().affine(affine)


class Speller:
    """Spells expressions in a scope.

    names     of the letters in scope
    taken     what no letter may be called: sizes, tensors, scalars, words
    bounded   letters of reducers whose extents are written
    plain     tensors without axes that are written as `m` instead of `m[]`
    """

    def __init__(
        self,
        names: Mapping[Letter, str] | None = None,
        taken: Iterable[str] = (),
        bounded: Iterable[Letter] = (),
        plain: Iterable[str] = (),
    ) -> None:
        self.names, self.taken = dict(names or {}), set(taken)
        self.bounded, self.plain = set(bounded), set(plain)

    def name(self, letter: Letter) -> str:
        return self.names.get(letter, letter.name)

    def bind(self, letter: Letter) -> str:
        """Give a letter a name that is free here: its own, or with a number."""
        wish = letter.name or "i"
        used, free, number = self.taken | set(self.names.values()), wish, 1
        while free in used:
            free, number = f"{wish}{number}", number + 1
        self.names[letter] = free
        return free

    # ------------------------------------------------------------------------------------------------ pieces

    def letter(self, letter: Letter) -> str:
        return self.name(letter)

    def named(self, name: str) -> str:
        """A tensor, a scalar or a size."""
        return name

    def number(self, value: Fraction) -> str:
        return number_text(value)

    def parens(self, text: str) -> str:
        return f"({text})"

    def joined(self, terms: Iterable[tuple[int, str]], space: str = "") -> str:
        """Signed terms, one after the other."""
        text = ""
        for sign, term in terms:
            text += f"{space}{'+' if sign > 0 else '-'}{space}{term}" if text else f"{'-' if sign < 0 else ''}{term}"
        return text or "0"

    def times(self, factors: Sequence[str]) -> str:
        return "*".join(factors)

    def related(self, *pieces: str) -> str:
        """`0 <= i < H`: values, with relations between them."""
        return " ".join(pieces)

    def all_of(self, conditions: Sequence[str]) -> str:
        return " and ".join(conditions)

    # ------------------------------------------------------------------------------------- sizes and indices

    def size(self, size: Size) -> str:
        return str(size)

    def size_factor(self, size: Size) -> str:
        return self.size(size) if _is_factor(size) else self.parens(self.size(size))

    def slope(self, slope: Size, letter: Letter) -> str:
        """`2*i`, `J*K*i`, `(P+1)*i`."""
        if slope == Size.of(1):
            return self.letter(letter)
        return self.times([self.size(slope) if len(slope.terms) == 1 else self.size_factor(slope), self.letter(letter)])

    def affine(self, affine: Affine) -> str:
        return self.joined(self.affine_terms(affine))

    def affine_terms(self, affine: Affine) -> list[tuple[int, str]]:
        """Signed terms: letters with positive slopes, then what is left, sizes before letters they are reduced by."""
        signed = [(-1 if _is_negative(slope) else 1, letter, slope) for letter, slope in affine]
        terms = [(sign, self.slope(slope * sign, letter)) for sign, letter, slope in signed]
        ups, downs = [t for t in terms if t[0] > 0], [t for t in terms if t[0] < 0]
        sizes = [(1 if c > 0 else -1, self.size(Size(((m, abs(c)),)))) for m, c in affine.const.terms]
        if not ups and sizes and sizes[0][0] > 0:
            return sizes + downs
        ordered = ups + downs + sizes
        return sorted(ordered, key=lambda term: -term[0]) if ordered and ordered[0][0] < 0 else ordered

    def index(self, index: IndexExpr) -> str:
        if isinstance(index, Affine):
            return self.affine(index)
        if isinstance(index, Quotient):
            return f"({self.affine(index.affine)})/{self.size_factor(index.divisor)}"
        return self.primary(index)

    def indexed(self, tensor: str, indices: Sequence[IndexExpr]) -> str:
        """A read, or the left side of a statement."""
        return f"{tensor}[{','.join(self.index(i) for i in indices)}]"

    # ------------------------------------------------------------------------------------------- arithmetic

    def expr(self, node: Node) -> str:
        """A sum, without parentheses around it."""
        terms = list(node.terms) if isinstance(node, Add) else [node]
        signed = [self.signed(term, alone=len(terms) == 1) for term in terms]
        last = terms[-1]
        turned = signed[0][0] < 0 or _begins_with_call(terms[0])
        if turned and len(terms) > 1 and isinstance(last, Const) and last.value > 0:
            signed.insert(0, signed.pop())
        return self.joined(signed, " ")

    def signed(self, node: Node, alone: bool) -> tuple[int, str]:
        """Sign and text of a term of a sum."""
        if isinstance(node, Const):
            return (-1 if node.value < 0 else 1), self.number(abs(node.value))
        if isinstance(node, Mul) and isinstance(node.factors[0], Const):
            coefficient = node.factors[0].value
            return (-1 if coefficient < 0 else 1), self.product(abs(coefficient), node.factors[1:])
        if isinstance(node, Mul):
            return 1, self.product(Fraction(1), node.factors)
        if isinstance(node, Index):
            terms = self.affine_terms(node.affine)
            if len(terms) == 1:
                return terms[0]
            return 1, (self.joined(terms, " ") if alone else self.parens(self.joined(terms, " ")))
        return 1, self.product(Fraction(1), (node,))

    def product(self, coefficient: Fraction, factors: Sequence[Node]) -> str:
        """Factors in order; a reducer without parentheses only at the end."""
        ends_open = isinstance(factors[-1], Reduce)
        text = ""
        high, low = Fraction(coefficient.numerator), coefficient.denominator
        decimal = number_text(coefficient)
        if coefficient != 1 and (ends_open or "/" not in decimal):
            text, low = decimal, 1
        elif high != 1:
            text = number_text(high)
        for place, factor in enumerate(factors):
            if isinstance(factor, Pow) and factor.exponent < 0 and factor.exponent.denominator == 1:
                below = factor.base if factor.exponent == -1 else Pow(factor.base, -factor.exponent)
                text = f"{text or '1'}/{self.factor(below)}"
            else:
                last = place == len(factors) - 1
                piece = self.reduction(factor) if last and isinstance(factor, Reduce) else self.factor(factor)
                text = f"{text}*{piece}" if text else piece
        return text if low == 1 else f"{text}/{low}"

    def factor(self, node: Node) -> str:
        """Something that can stand between * and /."""
        if not isinstance(node, Pow):
            return self.primary(node)
        if node.exponent == Fraction(1, 2):
            return self.root(node.base)
        if node.exponent < 0 and node.exponent.denominator == 1:
            return self.parens(self.expr(node))
        return self.raised(node.base, node.exponent)

    def root(self, node: Node) -> str:
        return f"sqrt({self.expr(node)})"

    def raised(self, base: Node, exponent: Fraction) -> str:
        return f"{self.primary(base)}^{exponent if exponent.denominator == 1 else f'({exponent})'}"

    def primary(self, node: Node) -> str:
        """Something that a power can be taken of."""
        match node:
            case Const() if node.value >= 0 and "/" not in number_text(node.value):
                return self.number(node.value)
            case Scalar():
                return self.named(node.name)
            case Read() if not node.indices and node.tensor in self.plain:
                return self.named(node.tensor)
            case Read():
                return self.indexed(node.tensor, node.indices)
            case Call():
                return self.call(node)
            case Bracket():
                return self.bracket(node.guards)
            case Index() if is_single(node.affine):
                return self.affine(node.affine)
            case Pow() if node.exponent == Fraction(1, 2):
                return self.root(node.base)
        return self.parens(self.expr(node))

    def call(self, node: Call) -> str:
        return f"{node.function}({', '.join(self.expr(a) for a in node.arguments)})"

    def bracket(self, guards: Sequence[Guard]) -> str:
        return f"[{self.condition(guards)}]"

    def reduction(self, node: Reduce) -> str:
        """A reducer and what it takes; its letters are named inside it only."""
        outer = dict(self.names)
        for binder in node.binders:
            self.bind(binder.letter)
        text = self.reduced(self.reducer(node), self.body(node.body))
        self.names = outer
        return text

    def reducer(self, node: Reduce) -> str:
        binders = [
            f"{self.name(b.letter)}<{b.extent}" if b.letter in self.bounded else self.name(b.letter)
            for b in node.binders
        ]
        return f"{node.op}({','.join(binders)}{f' | {self.condition(node.guards)}' if node.guards else ''})"

    def reduced(self, reducer: str, body: str) -> str:
        return f"{reducer} {body}"

    def body(self, node: Node) -> str:
        """What a reducer takes: a product that does not begin with a minus."""
        if isinstance(node, Add):
            return self.parens(self.expr(node))
        sign, text = self.signed(node, alone=False)
        return text if sign > 0 else self.parens(self.joined([(sign, text)]))

    # ------------------------------------------------------------------------------------------- conditions

    def condition(self, guards: Sequence[Guard]) -> str:
        """Guards from left to right; `e >= 0` and `P-1-e >= 0` in a row become `0 <= e < P`."""
        texts, place = [], 0
        while place < len(guards):
            guard, after = guards[place], guards[place + 1] if place + 1 < len(guards) else None
            chain = self.chain(guard, after) if after is not None else None
            texts.append(chain or self.guard(guard))
            place += 2 if chain else 1
        return self.all_of(texts)

    def chain(self, guard: Guard, after: Guard) -> str | None:
        if not (isinstance(guard, AffineGuard) and isinstance(after, AffineGuard)):
            return None
        total = guard.affine + after.affine
        if guard.relation != ">=" or after.relation != ">=" or not total.is_size or not guard.affine.terms:
            return None
        form, least = guard.affine, 0
        if len(form.terms) == 1 and form.terms[0][1] == Size.of(1) and form.const.is_int:
            least = max(0, -form.const.value)
        lowest, top = self.size(Size.of(least)), self.size(total.const + least + 1)
        return self.related(lowest, "<=", self.affine(form + least), "<", top)

    def guard(self, guard: Guard) -> str:
        if isinstance(guard, Compare):
            return self.related(self.expr(guard.left), guard.relation, self.expr(guard.right))
        if isinstance(guard, Divides):
            return self.related(self.size(guard.modulus), "|", self.affine(guard.affine))
        above, below = _sides(guard.affine)
        if guard.relation != ">=":
            return self.related(self.affine(above), guard.relation, self.affine(below))
        # above - below >= 0, written with < or > where that saves a 1
        if not above.terms and above.const.is_int and below.terms:
            return self.related(self.affine(below), "<", self.affine(above + 1))
        strict = above.const.constant - below.const.constant == -1 and below != Affine.of(1)
        if strict:
            below = below - 1
        if below.is_size:
            return self.related(self.affine(above), ">" if strict else ">=", self.affine(below))
        return self.related(self.affine(below), "<" if strict else "<=", self.affine(above))

    # ---------------------------------------------------------------------------------------------- clauses

    def declared(self, name: str, axes: Sequence[Size], integer: bool, unused: bool = False) -> Iterator[str]:
        """What is said of a tensor after `where`; that it has no axes only where no read of it says so."""
        if axes or unused:
            yield f"{name}: {' '.join(map(self.size_factor, axes)) or '()'}"
        if integer:
            yield f"{name} int"

    def pads(self, tensor: str, value: Fraction | float) -> str:
        return f"{tensor} pads {self.pad_value(value)}"

    def pad_value(self, value: Fraction | float) -> str:
        size = self.infinity() if isinstance(value, float) else self.number(abs(value))
        return self.joined([(1 if value >= 0 else -1, size)])

    def infinity(self) -> str:
        return "inf"

    def extent(self, binder: Binder) -> str:
        return f"{self.name(binder.letter)} < {binder.extent}"

    def scalar(self, name: str) -> str:
        return f"{name} scalar"

    def function(self, name: str, increasing: bool) -> str:
        return f"{name} {'increasing' if increasing else 'function'}"

    def free_size(self, name: str) -> str:
        return f"{name} size"

    def equal_sizes(self, left: Size, right: Size) -> str:
        return f"{left} = {right}"


def _sides(affine: Affine) -> tuple[Affine, Affine]:
    """`above - below` with positive slopes only."""
    above, below = Affine(), Affine()
    for letter, slope in affine:
        if _is_negative(slope):
            below = below + Affine(((letter, -slope),))
        else:
            above = above + Affine(((letter, slope),))
    for monomial, count in affine.const.terms:
        size = Size(((monomial, abs(count)),))
        above, below = (above + size, below) if count > 0 else (above, below + size)
    return above, below
