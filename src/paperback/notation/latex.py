r"""LaTeX: block -> the formula as on paper.

    C_{ijk} = \sum_{p,q,r} x_{(2i+p)(2j+q)r} w_{pqrk} + b_{k}

Sums, fractions and subscripts are those of `typeset`; all that is used is in LaTeX with amsmath and amssymb, in KaTeX
and in MathJax.
"""

from __future__ import annotations

__all__ = ["latex", "latex_statement"]

import re
from collections.abc import Iterable
from functools import partial

from paperback.notation.block import Block
from paperback.notation.expr import Statement
from paperback.notation.show import Line, block_lines, statement_line
from paperback.notation.typeset import Typesetter
from paperback.notation.words import GREEK

_SIGNS = {
    "+": " + ", "−": " - ", "/": "/", "·": r" \cdot ", "×": r" \times ", ",": ", ", ":": r" : ", "∧": r" \land ",
    "=": " = ", "≠": r" \ne ", "<": " < ", "≤": r" \le ", ">": " > ", "≥": r" \ge ", "∣": r" \mid ",
    "∈": r" \in ", "→": r" \to ", "∞": r"\infty", "∑": r"\sum",
}  # fmt: skip
_FENCES = {
    "()": ("(", ")"), "[]": ("[", "]"), "||": (r"\lvert ", r"\rvert"), "⌊⌋": (r"\lfloor ", r"\rfloor"),
    "⌈⌉": (r"\lceil ", r"\rceil"),
}  # fmt: skip
_COMMANDS = {name: "\\" + name for name in "exp log sin cos tan sinh cosh tanh max min".split()}
_COMMANDS["sigmoid"] = r"\sigma"
_ACCENTS = ("bar", "hat", "tilde", "dot", "ddot", "check", "breve")
_LIMITS = ("argmax", "argmin", "logsumexp")  # without a command; their indices stand below, as those of max
_COMMAND = re.compile(r"\\[A-Za-z]+$")
_WORD = re.compile(r"\\mathit\{[^}]*\}$")
_TALL = re.compile(r"\\frac|\\sum_|\\(?:max|min|operatorname\*\{\w+\})_")


def latex(block: Block, *, bounded: bool = False, where: bool = True) -> str:
    """The statements of a block, one a line; with `where`, what is declared and bounded follows each statement.

    `bounded=True` writes the extents of all left indices. The text goes between dollars, or into a display.
    """
    return _aligned(block_lines(block, bounded, partial(Typesetter, Latex())), where)


def latex_statement(statement: Statement, plain: Iterable[str] = ()) -> str:
    """One statement by itself, with its pads; `plain` tensors have no axes."""
    return _aligned([statement_line(statement, False, plain, partial(Typesetter, Latex()))], where=True)


def _aligned(lines: list[Line], where: bool) -> str:
    rows = []
    for line in lines:
        rows.append(f"{line.left} &= {line.right}")
        if where and line.clauses:
            rows.append(r"&\quad \text{where } " + r",\; ".join(line.clauses))
    if len(rows) == 1:
        return rows[0].replace(" &= ", " = ")
    return "\\begin{aligned}\n" + " \\\\\n".join(rows) + "\n\\end{aligned}"


def _tight(script: str) -> str:
    """TeX sets no space around signs in a script; neither does its source."""
    return re.sub(r" ([-+=<>:]) |(,) ", r"\1\2", script)


class Latex:
    """The marks of `typeset` in LaTeX."""

    def name(self, name: str) -> str:
        r"""Letters as they are, Greek ones by their commands, x_bar as \bar{x}, longer names in italics as one word."""
        stem = name.rstrip("'")
        primes = name[len(stem) :]
        base, _, accent = stem.rpartition("_")
        if accent in _ACCENTS and (len(base) == 1 or base in GREEK):
            stem = rf"\{accent}{{{self.name(base)}}}"
        elif stem in GREEK:
            stem = "\\" + stem
        elif len(stem) > 1:
            stem = r"\mathit{" + stem.replace("_", r"\_") + "}"
        return f"{{{stem}{primes}}}" if primes else stem

    def function(self, name: str, spelled: bool = False) -> str:
        if name in _COMMANDS and not spelled:
            return _COMMANDS[name]
        return rf"\operatorname{'*' if name in _LIMITS else ''}{{{name}}}"

    def numeral(self, digits: str) -> str:
        return digits

    def sign(self, sign: str) -> str:
        return _SIGNS[sign]

    def words(self, words: str) -> str:
        return rf"\text{{ {words}}}"

    def domain(self, letter: str) -> str:
        return rf"\mathbb{{{letter}}}"

    def negative(self, term: str) -> str:
        return f"-{term}"

    def row(self, pieces: Iterable[str]) -> str:
        """One after the other, with a space where a command would run into a letter."""
        text = ""
        for piece in pieces:
            text += (" " if piece[:1].isalpha() and _COMMAND.search(text) else "") + piece
        return text

    def product(self, factors: Iterable[str]) -> str:
        """`2i`, `JKi`, and a space beside anything longer; two words do not run together."""
        text = ""
        for factor in factors:
            close = text.isdigit() or (len(factor) == 1 and text[-1:].isalnum() and not _COMMAND.search(text))
            wide = _WORD.search(text) or (factor.startswith(r"\mathit") and text[-1:].isalpha())
            text += factor if not text or close else rf"\, {factor}" if wide else f" {factor}"
        return text

    def scripts(self, base: str, below: str = "", above: str = "") -> str:
        return base + (f"_{{{_tight(below)}}}" if below else "") + (f"^{{{_tight(above)}}}" if above else "")

    def limits(self, reducer: str, below: str, above: str = "") -> str:
        return self.scripts(reducer, below, above) + " "

    def fraction(self, above: str, below: str) -> str:
        return rf"\frac{{{above}}}{{{below}}}"

    def root(self, inside: str) -> str:
        return rf"\sqrt{{{inside}}}"

    def fenced(self, fence: str, inside: str) -> str:
        left, right = _FENCES[fence]
        if fence == "[]":
            inside = rf"\,{inside}\,"
        return rf"\left{left}{inside}\right{right}" if _TALL.search(inside) else left + inside + right
