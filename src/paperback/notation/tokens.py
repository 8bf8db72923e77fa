"""The lexer: text -> tokens with positions.

    number   12  0.5  1e-5            name   x  dC  w'  conv2d_1.w            op   + - * / ^ ( ) [ ] < <= ...
    sep      ";" or a newline that ends a statement: not inside brackets, after a comma or a binary operator, or
             before "where"

Unicode spellings (Σ, δ, ′, ≤, ·, −) become the plain ones; every position is an offset into the text as written.
"""

from __future__ import annotations

__all__ = ["Token", "tokenize"]

import re
from dataclasses import dataclass

from paperback.errors import Problem

_SCAN = re.compile(
    r"""(?P<blank>[^\S\n]+)
      | (?P<newline>\n)
      | (?P<number>(?:\d+\.\d+|\d+|\.\d+)(?:[eE][+-]?\d+)?(?![\w.]))
      | (?P<name>[^\W\d][\w'′″]*(?:\.[^\W\d][\w'′″]*)*|∑)
      | (?P<op><=|>=|==|!=|[-+*/^()\[\]<>=,:|;≤≥≠·×−∣])""",
    re.VERBOSE,
)
_PLAIN = {"≤": "<=", "≥": ">=", "≠": "!=", "·": "*", "×": "*", "−": "-", "∣": "|", "Σ": "sum", "∑": "sum"}
_GOES_ON = frozenset("+ - * / ^ < > <= >= == != = , : |".split())
_CLOSING = {"(": ")", "[": "]"}


@dataclass(frozen=True)
class Token:
    """`kind` is number, name, op, sep or end; `text` is the plain spelling of `source[start:end]`."""

    kind: str
    text: str
    start: int
    end: int


def tokenize(source: str) -> tuple[list[Token], list[Problem]]:
    """All tokens, the last of kind "end", and what is wrong with single characters and brackets."""
    tokens: list[Token] = []
    problems: list[Problem] = []
    opened: list[Token] = []
    place = 0
    while place < len(source):
        match = _SCAN.match(source, place)
        if match is None:
            place = _stray(source, place, problems)
            continue
        kind, raw, start, place = str(match.lastgroup), match.group(), place, match.end()
        if kind == "newline" and not opened and not _goes_on(tokens, source, place):
            tokens.append(Token("sep", raw, start, place))
        elif kind in ("number", "name", "op"):
            text = _PLAIN.get(raw, raw.replace("′", "'").replace("″", "''"))
            token = Token("sep" if text == ";" else kind, text, start, place)
            if not _balance(token, opened, problems):
                continue
            tokens.append(token)
    problems += [Problem(f"this {token.text} is never closed", token.start, token.end) for token in opened[-1:]]
    return [*tokens, Token("end", "", len(source), len(source))], problems


def _stray(source: str, place: int, problems: list[Problem]) -> int:
    number = re.compile(r"[\d.]+\w*").match(source, place)
    if number:
        text = number.group()
        letters = re.search(r"[^\W\d_]\w*$", text)
        hint = f"write {text[: letters.start()]}*{letters.group()} for a product" if letters else ""
        problems.append(Problem(f"{text} is no number and no name", place, number.end(), hint))
        return number.end()
    hints = {
        "{": "use ( )",
        "}": "use ( )",
        "@": "write the indices: sum(k) a[i,k]*b[k,j]",
        "%": "write the remainder out",
        "#": "a formula has no comments: put them beside it",
    }
    problems.append(
        Problem(f"the character {source[place]} has no meaning here", place, hint=hints.get(source[place], ""))
    )
    return place + 1


def _goes_on(tokens: list[Token], source: str, place: int) -> bool:
    """Does the statement go on after the newline that ends at `place`?"""
    if not tokens or tokens[-1].kind == "sep":
        return True
    last = tokens[-1]
    if (last.kind == "op" and last.text in _GOES_ON) or (last.kind == "name" and last.text in ("where", "and")):
        return True
    return re.compile(r"\s*where\b").match(source, place) is not None


def _balance(token: Token, opened: list[Token], problems: list[Problem]) -> bool:
    """Keep track of brackets; False for a closing one that closes nothing."""
    if token.kind != "op":
        return True
    if token.text in _CLOSING:
        opened.append(token)
    elif token.text in _CLOSING.values():
        if not opened:
            problems.append(Problem(f"this {token.text} closes nothing", token.start, token.end))
            return False
        if _CLOSING[opened[-1].text] != token.text:
            needed = _CLOSING[opened[-1].text]
            problems.append(Problem(f"{needed} is needed here, found {token.text}", token.start, token.end))
        opened.pop()
    return True
