r"""The marks of LaTeX: source -> what stands on the paper, in order, with places in the source.

    name       x  \alpha  \mathit{dw}  {y'}  \bar{x}  s_1       as one name: x alpha dw y' x_bar s1
    number     12  0.5  1e-5
    function   \exp  \operatorname{relu}  \max  \operatorname*{logsumexp}
    word       \text{where}  \text{otherwise}  ...
    domain     \mathbb{R}  \mathbb{Z}  \mathbb{N}
    sign       the rest, by its plain spelling where it has one

Spaces, sizes of fences, dollars and `aligned` leave no mark. A subscript of digits alone belongs to its name.
"""

from __future__ import annotations

__all__ = ["Mark", "scan"]

import re
from dataclasses import dataclass
from difflib import get_close_matches

from paperback.errors import Problem
from paperback.notation.tex.words import (
    ACCENTS,
    FONTS,
    FUNCTIONS,
    LETTERS,
    REFUSED,
    SETS,
    SIGNS,
    SILENT,
    SPOKEN,
    TRANSPARENT,
    UPRIGHT,
)

_SKIP = re.compile(r"(?:\s|~|\\ |%[^\n]*|\$|\\[()\[\]]|(?<![_^])\{\s*\})+")
_COMMAND = re.compile(r"\\(?:operatorname\*?|[A-Za-z]+|.)", re.DOTALL)
_ARG = re.compile(r"\\arg\s*(?:\\[,!]\s*)?\\(max|min)(?![A-Za-z])")
_NUMBER = re.compile(r"\d+\.\d+(?:e-?\d+)?|\d+(?:e-\d+)?|\.\d+")
_LETTER = re.compile(r"[^\W\d_]")
_WORD = re.compile(r"\{\s*((?:\\_|\\[,;! ]|[^{}\\$])*)\}")
_PRIMES = re.compile(r"'+|(?:\^\s*(?:\\prime|\{\s*(?:\\prime\s*)+\}))")
_INDEX_NUMBER = re.compile(r"\s*_\s*(?:\{\s*(\d+)\s*\}|(\d+))")
_IDENTIFIER = re.compile(r"[^\W\d][\w']*(?:\.[^\W\d][\w']*)*")
_LENGTH = re.compile(r"\s*\[\s*-?[\d.]+\s*(?:pt|em|ex|mm|cm|in|mu)\s*\]")
_DIGIT = re.compile(r"\s*(\d)")
_DOMAINS = {"R": "R", "Z": "Z", "N": "N"}
_PLAIN = {"·": "*", "×": "*", "−": "-", "≤": "<=", "≥": ">=", "≠": "!=", "∈": "in", "∞": "inf", "∧": "and"}


@dataclass(frozen=True)
class Mark:
    """One thing on the paper: `text` is its plain spelling, `source[start:end]` how it is written.

    close   nothing stands between it and the mark before
    look    the alphabet of a name, "" for italics; "upright" for \\mathrm and its like
    stem    the name without the number that hangs below it: s of s_1
    """

    kind: str
    text: str
    start: int
    end: int
    close: bool = False
    look: str = ""
    stem: str = ""

    def is_sign(self, *texts: str) -> bool:
        return self.kind == "sign" and self.text in texts


@dataclass(frozen=True)
class _Name:
    text: str
    end: int
    look: str = ""


def scan(source: str) -> tuple[list[Mark], list[Problem]]:
    """All marks, the last of kind "end", and what is wrong with single commands and characters."""
    scanner = _Scanner(source)
    scanner.run()
    return scanner.marks, scanner.problems


class _Scanner:
    def __init__(self, source: str) -> None:
        self.source, self.place, self.cases = source, 0, 0
        self.marks: list[Mark] = []
        self.problems: list[Problem] = []

    def run(self) -> None:
        while True:
            skipped = _SKIP.match(self.source, self.place)
            if skipped:
                self.place = skipped.end()
            if self.place >= len(self.source):
                break
            self.mark()
        self.add("end", "", len(self.source))

    def add(self, kind: str, text: str, end: int, look: str = "", stem: str = "") -> None:
        close = bool(self.marks) and self.marks[-1].end == self.place
        self.marks.append(Mark(kind, text, self.place, end, close, look, stem))
        self.place = end

    def wrong(self, message: str, end: int, hint: str = "") -> None:
        self.problems.append(Problem(message, self.place, end, hint))
        self.place = end

    def mark(self) -> None:
        source, place = self.source, self.place
        number = _NUMBER.match(source, place)
        if number:
            self.add("number", number.group(), number.end())
            return
        name = self.name(place)
        if name is not None:
            self.named(name)
        elif source[place] == "\\":
            self.command(_COMMAND.match(source, place))
        elif source[place] == "&" and not self.cases:
            self.place += 1
        elif source[place] in "+-*/^_()[]{}<>=,:;&|" or source[place] in _PLAIN:
            two = source[place : place + 2]
            text = two if two in ("<=", ">=", "==", "!=", ":=") else source[place]
            self.add("sign", {"|": "vert", ":=": "=", "*": "star"}.get(text, _PLAIN.get(text, text)), place + len(text))
        elif source[place] == "." and not source[place + 1 : place + 2].isalnum():
            self.place += 1  # a full stop behind a formula
        else:
            hint = "a factorial is not part of the notation" if source[place] == "!" else ""
            self.wrong(f"the character {source[place]} has no meaning here", place + 1, hint)

    # ------------------------------------------------------------------------------------------------- names

    def named(self, name: _Name) -> None:
        """A name, a word, or a function that is spelled in upright letters."""
        said = " ".join(name.text.split()).strip(" ,;:.").lower()
        if name.look == "upright" and said in SPOKEN:
            self.add("word", SPOKEN[said], name.end)
            return
        text = re.sub(r"\\[,;! ]| ", "", name.text)
        if name.look == "upright" and text.lower() in FUNCTIONS:
            self.add("function", FUNCTIONS[text.lower()], name.end)
            return
        if text == "1" and name.look:
            self.add("sign", "one", name.end)
            return
        if not _IDENTIFIER.fullmatch(text):
            self.wrong(f"{text.strip() or 'nothing'} is no name", name.end, "a name is letters, digits and _")
            return
        number = _INDEX_NUMBER.match(self.source, name.end)
        if number is None:
            self.add("name", text, name.end, name.look)
            return
        if number[2] and len(number[2]) > 1:
            self.place = number.start()
            digits = number[2]
            seen, hint = f"_{digits} is _{digits[0]} {digits[1:]} on paper", f"write _{{{digits}}}"
            self.wrong(seen, number.end(), hint)
            return
        primes = _PRIMES.match(self.source, number.end())
        end = primes.end() if primes else number.end()
        self.add("name", text + (number[1] or number[2]) + _primes(primes), end, name.look, stem=text)

    def name(self, place: int) -> _Name | None:
        """The name that begins here, with its primes."""
        found = self.stem(place)
        if found is None:
            return None
        primes = _PRIMES.match(self.source, found.end)
        return _Name(found.text + _primes(primes), primes.end(), found.look) if primes else found

    def stem(self, place: int) -> _Name | None:
        letter = _LETTER.match(self.source, place)
        if letter:
            return _Name(letter.group(), letter.end())
        if self.source[place : place + 1] == "{":
            inner = self.name(place + 1)
            if inner and inner.text.endswith("'") and self.source[inner.end : inner.end + 1] == "}":
                return _Name(inner.text, inner.end + 1, inner.look)
            return None
        command = _COMMAND.match(self.source, place)
        if command is None:
            return None
        word = command.group()[1:]
        if word in LETTERS:
            return _Name(LETTERS[word], command.end())
        if word in ACCENTS:
            inner = self.argument(command.end())
            return inner and _Name(f"{inner.text}_{ACCENTS[word]}", inner.end, inner.look)
        if word.rstrip("*") in FONTS:
            return self.in_font(word.rstrip("*"), command.end())
        return None

    def in_font(self, font: str, place: int) -> _Name | None:
        look = "upright" if font in UPRIGHT else "" if font == "mathit" else font
        inner = self.argument(place)
        if inner is None:
            content = _WORD.match(self.source, place)
            inner = content and _Name(content[1].replace("\\_", "_"), content.end())
        if inner is None:
            return None
        single = look == "upright" and len(inner.text) == 1
        return _Name(inner.text, inner.end, "roman" if single else look or inner.look)

    def argument(self, place: int) -> _Name | None:
        """One name, with or without braces around it."""
        blank = re.compile(r"\s*").match(self.source, place)
        place = blank.end() if blank else place
        if self.source[place : place + 1] != "{":
            return self.name(place)
        inner = self.name(place + 1)
        if inner is None or self.source[inner.end : inner.end + 1] != "}":
            return None
        return _Name(inner.text, inner.end + 1, inner.look)

    # ---------------------------------------------------------------------------------------------- commands

    def command(self, match: re.Match[str] | None) -> None:
        word = match.group()[1:] if match else ""
        end = match.end() if match else self.place + 1
        choice = _ARG.match(self.source, self.place)
        if choice:
            self.add("function", f"arg{choice[1]}", choice.end())
        elif word in ("begin", "end"):
            self.environment(word, end)
        elif word == "\\":
            length = _LENGTH.match(self.source, end)
            self.add("sign", "row", length.end() if length else end)
        elif word in SILENT:
            self.place = end
            if word in ("left", "right") and self.source[end : end + 1] == ".":
                self.place += 1
        elif word == "mathbb":
            self.domain(end)
        elif word in ("label", "tag"):
            content = _WORD.match(self.source, end)
            self.place = content.end() if content else end
        elif word == "forall":
            self.add("word", "for", end)
        elif word in REFUSED:
            self.wrong(f"\\{word} is not part of the notation", end, REFUSED[word])
        elif word in SIGNS:
            self.add("sign", SIGNS[word], end)
            if word.endswith("frac"):
                self.digits()
        elif word.lower() in FUNCTIONS:
            self.add("function", FUNCTIONS[word.lower()], end)
        else:
            near = get_close_matches(word, [*SIGNS, *LETTERS, *FUNCTIONS, *FONTS, *ACCENTS], 1, 0.7)
            hint = "a word is written \\mathit{word}, as a function \\operatorname{word}"
            hint = f"did you mean \\{near[0]}?" if near else hint
            self.wrong(f"\\{word} is no command that is read here", end, hint)

    def digits(self) -> None:
        r"""The arguments of \frac12 are single digits."""
        for _ in range(2):
            digit = _DIGIT.match(self.source, self.place)
            if digit is None:
                return
            self.place = digit.start(1)
            self.add("number", digit[1], digit.end())

    def environment(self, word: str, end: int) -> None:
        content = _WORD.match(self.source, end)
        name = content[1].strip() if content else ""
        end = content.end() if content else end
        if name in TRANSPARENT:
            self.place = end
        elif name == "cases":
            self.cases += 1 if word == "begin" else -1
            self.add("sign", f"{word} cases", end)
        else:
            self.wrong(f"the environment {name} is not read here", end, "write aligned, gathered or cases")

    def domain(self, end: int) -> None:
        content = re.compile(r"\s*(?:\{\s*(\w)\s*\}|(\w))").match(self.source, end)
        letter = (content[1] or content[2]) if content else ""
        end = content.end() if content else end
        if letter in _DOMAINS:
            self.add("domain", letter, end)
        elif letter in ("1", "I"):
            self.add("sign", "one", end)
        else:
            self.wrong(f"\\mathbb{{{letter}}} is not part of the notation", end, SETS.get(letter, ""))


def _primes(match: re.Match[str] | None) -> str:
    if match is None:
        return ""
    return "'" * (match.group().count("'") + match.group().count("prime"))
