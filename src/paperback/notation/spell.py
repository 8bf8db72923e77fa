"""Spelling expressions: tree -> text with as few parentheses as the grammar allows.

    Add((mul(-1, y^2), 1))            1 - y^2
    Mul((1/2, a, power(b, -1)))       a/b/2
    e >= 0 and P-1-e >= 0             0 <= e < P

The order of terms and factors is kept, so that what is read back is the same tree; only a constant moves to the front
of a sum that would begin with a minus or a function.
"""

from __future__ import annotations

__all__ = ["Speller", "affine_text", "number_text", "size_text"]

from collections.abc import Callable, Iterable, Mapping, Sequence
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

Names = Callable[[Letter], str]
_MIRRORED = {">=": "<="}


def number_text(value: Fraction) -> str:
    """A number that is not negative: a whole one, a short decimal, or a fraction."""
    if value.denominator == 1:
        return str(value.numerator)
    rest, twos, fives = value.denominator, 0, 0
    while rest % 2 == 0:
        rest, twos = rest // 2, twos + 1
    while rest % 5 == 0:
        rest, fives = rest // 5, fives + 1
    if rest != 1 or not twos or not fives:
        return f"{value.numerator}/{value.denominator}"
    places = max(twos, fives)
    digits = str(value.numerator * 10**places // value.denominator)
    if places - len(digits) > 3:
        mantissa = digits[0] + ("." + digits[1:] if len(digits) > 1 else "")
        return f"{mantissa}e-{places - len(digits) + 1}"
    digits = digits.rjust(places + 1, "0")
    return f"{digits[:-places]}.{digits[-places:]}"


def size_text(size: Size) -> str:
    """A size as a factor: in parentheses where it is a sum or a product."""
    text = str(size)
    atomic = len(size.terms) <= 1 and all(len(m) + (c != 1) <= 1 for m, c in size.terms if m) and text[0] != "-"
    return text if atomic else f"({text})"


def _slope_text(slope: Size, name: str) -> str:
    """`2*i`, `J*K*i`, `(P+1)*i`."""
    if slope == Size.of(1):
        return name
    return f"{slope if len(slope.terms) == 1 else size_text(slope)}*{name}"


def _is_negative(size: Size) -> bool:
    return bool(size.terms) and all(c < 0 for _, c in size.terms)


def affine_terms(affine: Affine, name: Names) -> list[tuple[int, str]]:
    """Signed terms: letters with positive slopes, then what is left, sizes before the letters they are reduced by."""
    terms = [(-1 if _is_negative(c) else 1, _slope_text(-c if _is_negative(c) else c, name(l))) for l, c in affine]
    ups, downs = [t for t in terms if t[0] > 0], [t for t in terms if t[0] < 0]
    sizes = [(1 if c > 0 else -1, str(Size(((m, abs(c)),)))) for m, c in affine.const.terms]
    if not ups and sizes and sizes[0][0] > 0:
        return sizes + downs
    ordered = ups + downs + sizes
    return sorted(ordered, key=lambda term: -term[0]) if ordered and ordered[0][0] < 0 else ordered


def _joined(terms: Iterable[tuple[int, str]], space: str = "") -> str:
    text = ""
    for sign, term in terms:
        text += f"{space}{'+' if sign > 0 else '-'}{space}{term}" if text else f"{'-' if sign < 0 else ''}{term}"
    return text or "0"


def _begins_with_call(node: Node) -> bool:
    """`1 + exp(-x)` is how it is written, and `x + 1`."""
    return isinstance(node.factors[0] if isinstance(node, Mul) else node, Call)


def _is_atom(affine: Affine) -> bool:
    """Is it one size: a name, or a rounded quotient?"""
    return affine.is_size and len(affine.const.atoms) == 1 and affine.const == Size.atom(next(iter(affine.const.atoms)))


def _own_name(letter: Letter) -> str:
    return letter.name


def affine_text(affine: Affine, name: Names = _own_name) -> str:
    """`2*i-t+P-1`."""
    return _joined(affine_terms(affine, name))


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

    def affine(self, affine: Affine) -> str:
        return affine_text(affine, self.name)

    # ------------------------------------------------------------------------------------------- arithmetic

    def expr(self, node: Node) -> str:
        """A sum, without parentheses around it."""
        terms = list(node.terms) if isinstance(node, Add) else [node]
        signed = [self.signed(term, alone=len(terms) == 1) for term in terms]
        last = terms[-1]
        turned = signed[0][0] < 0 or _begins_with_call(terms[0])
        if turned and len(terms) > 1 and isinstance(last, Const) and last.value > 0:
            signed.insert(0, signed.pop())
        return _joined(signed, " ")

    def signed(self, node: Node, alone: bool) -> tuple[int, str]:
        """Sign and text of a term of a sum."""
        if isinstance(node, Const):
            return (-1 if node.value < 0 else 1), number_text(abs(node.value))
        if isinstance(node, Mul) and isinstance(node.factors[0], Const):
            coefficient = node.factors[0].value
            return (-1 if coefficient < 0 else 1), self.product(abs(coefficient), node.factors[1:])
        if isinstance(node, Mul):
            return 1, self.product(Fraction(1), node.factors)
        if isinstance(node, Index):
            terms = affine_terms(node.affine, self.name)
            if len(terms) == 1:
                return terms[0]
            return 1, (_joined(terms, " ") if alone else f"({_joined(terms, ' ')})")
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
        if isinstance(node, Pow):
            if node.exponent == Fraction(1, 2):
                return f"sqrt({self.expr(node.base)})"
            if node.exponent.denominator != 1:
                return f"{self.primary(node.base)}^({node.exponent})"
            if node.exponent > 0:
                return f"{self.primary(node.base)}^{node.exponent}"
            return f"({self.expr(node)})"
        return self.primary(node)

    def primary(self, node: Node) -> str:
        match node:
            case Const():
                text = number_text(abs(node.value))
                return text if node.value >= 0 and "/" not in text else f"({self.expr(node)})"
            case Scalar():
                return node.name
            case Read():
                if not node.indices and node.tensor in self.plain:
                    return node.tensor
                return f"{node.tensor}[{','.join(self.index(i) for i in node.indices)}]"
            case Call():
                return f"{node.function}({', '.join(self.expr(a) for a in node.arguments)})"
            case Bracket():
                return f"[{self.condition(node.guards)}]"
            case Index() if node.affine.bare is not None or _is_atom(node.affine):
                return self.affine(node.affine)
            case Pow() if node.exponent == Fraction(1, 2):
                return self.factor(node)
        return f"({self.expr(node)})"

    def index(self, index: IndexExpr) -> str:
        if isinstance(index, Affine):
            return self.affine(index)
        if isinstance(index, Quotient):
            return f"({self.affine(index.affine)})/{size_text(index.divisor)}"
        return self.primary(index)

    def reduction(self, node: Reduce) -> str:
        outer = dict(self.names)
        names = [self.bind(b.letter) for b in node.binders]
        binders = [self.binder(b, name) for b, name in zip(node.binders, names, strict=True)]
        condition = f" | {self.condition(node.guards)}" if node.guards else ""
        text = f"{node.op}({','.join(binders)}{condition}) {self.body(node.body)}"
        self.names = outer
        return text

    def binder(self, binder: Binder, name: str) -> str:
        return f"{name}<{binder.extent}" if binder.letter in self.bounded else name

    def body(self, node: Node) -> str:
        """What a reducer takes: a product that does not begin with a minus."""
        if isinstance(node, Add):
            return f"({self.expr(node)})"
        sign, text = self.signed(node, alone=False)
        return text if sign > 0 else f"(-{text})"

    # ------------------------------------------------------------------------------------------- conditions

    def condition(self, guards: Sequence[Guard]) -> str:
        """Guards from left to right; `e >= 0` and `P-1-e >= 0` in a row become `0 <= e < P`."""
        texts, place = [], 0
        while place < len(guards):
            guard, after = guards[place], guards[place + 1] if place + 1 < len(guards) else None
            chain = self.chain(guard, after) if after is not None else None
            texts.append(chain or self.guard(guard))
            place += 2 if chain else 1
        return " and ".join(texts)

    def chain(self, guard: Guard, after: Guard) -> str | None:
        if not (isinstance(guard, AffineGuard) and isinstance(after, AffineGuard)):
            return None
        total = guard.affine + after.affine
        if guard.relation != ">=" or after.relation != ">=" or not total.is_size or not guard.affine.terms:
            return None
        form, least = guard.affine, 0
        if len(form.terms) == 1 and form.terms[0][1] == Size.of(1) and form.const.is_int:
            least = max(0, -form.const.value)
        return f"{least} <= {self.affine(form + least)} < {total.const + least + 1}"

    def guard(self, guard: Guard) -> str:
        if isinstance(guard, Compare):
            return f"{self.expr(guard.left)} {guard.relation} {self.expr(guard.right)}"
        if isinstance(guard, Divides):
            return f"{guard.modulus} | {self.affine(guard.affine)}"
        above, below = _sides(guard.affine)
        if guard.relation != ">=":
            return f"{self.affine(above)} {guard.relation} {self.affine(below)}"
        # above - below >= 0, written with < or > where that saves a 1
        if not above.terms and above.const.is_int and below.terms:
            return f"{self.affine(below)} < {self.affine(above + 1)}"
        strict = above.const.constant - below.const.constant == -1 and below != Affine.of(1)
        if strict:
            below = below - 1
        if below.is_size:
            return f"{self.affine(above)} {'>' if strict else '>='} {self.affine(below)}"
        return f"{self.affine(below)} {'<' if strict else '<='} {self.affine(above)}"


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
