"""MathML: block -> the formula as on paper, for browsers; it needs no script, no font and no network.

Sums, fractions and subscripts are those of `typeset`; the elements are those of MathML Core, which browsers draw.
"""

from __future__ import annotations

__all__ = ["mathml", "mathml_statement"]

from collections.abc import Iterable
from functools import partial

from paperback.notation.block import Block
from paperback.notation.expr import Statement
from paperback.notation.show import Line, block_lines, statement_line
from paperback.notation.typeset import Typesetter
from paperback.notation.words import GREEK

_APPLY, _TIMES = "<mo>\u2061</mo>", "<mo rspace='0.15em'>\u2062</mo>"  # invisible operators
_GREEK = dict(zip(GREEK, "αβγδϵζηθικλμνξπρστυϕχψωΓΔΘΛΞΠΣΥΦΨΩ", strict=True))
_DOMAINS = {"R": "ℝ", "Z": "ℤ", "N": "ℕ"}
_FUNCTIONS = {"sigmoid": "σ"}


def mathml(block: Block, *, bounded: bool = False, where: bool = True) -> str:
    """The statements of a block as one `<math>` element; see `latex`."""
    return _math(block_lines(block, bounded, partial(Typesetter, MathML())), where)


def mathml_statement(statement: Statement, plain: Iterable[str] = ()) -> str:
    """One statement by itself, with its pads; `plain` tensors have no axes."""
    return _math([statement_line(statement, False, plain, partial(Typesetter, MathML()))], where=True)


def _math(lines: list[Line], where: bool) -> str:
    rows = []
    for line in lines:
        rows.append(_row(line.left, f"<mo>=</mo>{line.right}"))
        if where and line.clauses:
            comma = "<mo>,</mo><mspace width='0.5em'/>"
            rows.append(_row("", f"<mspace width='1em'/><mtext>where\xa0</mtext>{comma.join(line.clauses)}"))
    table = f"<mtable displaystyle='true'>{''.join(rows)}</mtable>"
    return f"<math xmlns='http://www.w3.org/1998/Math/MathML'>{table}</math>"


def _row(left: str, right: str) -> str:
    return f"<mtr>{_cell(left, 'right')}{_cell(right, 'left')}</mtr>"


def _cell(content: str, side: str) -> str:
    return f"<mtd style='text-align:{side};padding:0.3em 0'>{content}</mtd>"


class MathML:
    """The marks of `typeset` as elements."""

    def name(self, name: str) -> str:
        """Browsers slant single letters by themselves; a letter with primes is slanted by its style."""
        stem = name.rstrip("'")
        letter, primes = _GREEK.get(stem, stem), "′" * (len(name) - len(stem))
        slant = " style='font-style:italic'" if primes and len(letter) == 1 else ""
        return f"<mi{slant}>{letter}{primes}</mi>"

    def function(self, name: str, spelled: bool = False) -> str:
        return f"<mi>{name if spelled else _FUNCTIONS.get(name, name)}</mi>{_APPLY}"

    def numeral(self, digits: str) -> str:
        return f"<mn>{digits}</mn>"

    def sign(self, sign: str) -> str:
        return f"<mo>{'&lt;' if sign == '<' else '&gt;' if sign == '>' else sign}</mo>"

    def words(self, words: str) -> str:
        return f"<mtext>\xa0{words}</mtext>"

    def domain(self, letter: str) -> str:
        return f"<mi>{_DOMAINS[letter]}</mi>"

    def negative(self, term: str) -> str:
        return f"<mrow><mo form='prefix'>−</mo>{term}</mrow>"

    def row(self, pieces: Iterable[str]) -> str:
        return f"<mrow>{''.join(pieces)}</mrow>"

    def product(self, factors: Iterable[str]) -> str:
        return f"<mrow>{_TIMES.join(factors)}</mrow>"

    def scripts(self, base: str, below: str = "", above: str = "") -> str:
        if below and above:
            return f"<msubsup>{base}{below}{above}</msubsup>"
        return f"<msub>{base}{below}</msub>" if below else f"<msup>{base}{above}</msup>" if above else base

    def limits(self, reducer: str, below: str, above: str = "") -> str:
        if above:
            return f"<munderover>{reducer}{below}{above}</munderover>"
        space = "" if reducer == self.sign("∑") else "<mspace width='0.2em'/>"
        return f"<munder><mrow>{reducer}</mrow>{below}</munder>{space}"

    def fraction(self, above: str, below: str) -> str:
        return f"<mfrac>{above}{below}</mfrac>"

    def root(self, inside: str) -> str:
        return f"<msqrt>{inside}</msqrt>"

    def fenced(self, fence: str, inside: str) -> str:
        """Fences grow around what is tall only: some fonts set loose ones around a letter."""
        grow = "true" if any(tall in inside for tall in ("<mfrac", "<munder")) else "false"
        left, right = (f"<mo fence='true' form='{form}' stretchy='{grow}'>" for form in ("prefix", "postfix"))
        return f"<mrow>{left}{fence[0]}</mo>{inside}{right}{fence[1]}</mo></mrow>"
