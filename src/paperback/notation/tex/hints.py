r"""What is said of a formula in LaTeX, in LaTeX: the plain snippets in messages and hints, as they would be typed.

    write `where i < n`       write `\text{where } i < n`
    sum(p) reaches ...        \sum_{p} reaches ...
    x[i,j]                    x_{ij}
"""

from __future__ import annotations

__all__ = ["in_latex"]

import re
from dataclasses import replace

from paperback.errors import Problem
from paperback.notation.words import GREEK, REDUCERS

_SAID_OTHERWISE = {
    "compare with ==, inside a bracket: [i == j]":
        "give each step a name of its own; a comparison stands in a bracket: [i == j]",
}  # fmt: skip
_NAME = r"[^\W\d][\w']*(?:\.\w+)*"
_RELATIONS = {"<=": r"\le", ">=": r"\ge", "==": "=", "!=": r"\ne"}


def in_latex(problem: Problem, source: str, base: int = 0) -> Problem:
    """The same problem for a reader of LaTeX, whose indices count from `base`."""
    hint = _SAID_OTHERWISE.get(problem.hint, problem.hint)
    label = _label(problem, source)
    if label:
        hint = f"a label belongs into the name: {label}; {hint}"
    elif "is not declared" in problem.message and source[problem.end or 0 :].lstrip().startswith(("(", r"\left(")):
        name = problem.message.split(" ")[0]
        hint = f"a function is declared by `where {name} function`, a scalar by `where {name} scalar`"
    elif "is not declared" in problem.message and re.match(r"[a-z]{2}", source[problem.start or 0 :]):
        word = re.match(r"[a-z]+", source[problem.start or 0 :])
        hint += f"; a name of several letters is \\mathit{{{word and word[0]}}}"
    if base:
        hint = re.sub(r"(read at|start at 0: write) (\w+)-1-(\w+)", r"\1 \2+1-\3", hint)
        hint = hint.replace("start at 0", "start at 1")
        hint += "; the positions in this message count from 0" if " reaches " in problem.message else ""
    return replace(problem, message=_translated(problem.message), hint=_hint(hint))


def _hint(hint: str) -> str:
    return "; ".join(map(_translated, hint.split("; ")))


def _label(problem: Problem, source: str) -> str:
    r"""`\mathit{W\_f}` where the f of `W_f` is no index."""
    strangers = ("is no index here and no size", "does not occur on the right")
    if not problem.message.endswith(strangers) or problem.start is None or " reaches to " in problem.hint:
        return ""
    group = re.search(r"\\?([A-Za-z]+)_\{([A-Z]*)$", source[: problem.start])
    capitals = re.match(r"([A-Z]+)\}", source[problem.start :])
    if group and capitals and len(group[2] + capitals[1]) > 1:
        return rf"\mathit{{{group[1]}\_{group[2]}{capitals[1]}}}"
    name = re.search(r"\\?([A-Za-z]+|[^\W\d_])_\{?$", source[: problem.start])
    after = source[problem.end :].lstrip()[:1]
    alone = not source[: problem.start].endswith("{") or after == "}"
    return rf"\mathit{{{name[1]}\_{source[problem.start : problem.end]}}}" if name and alone else ""


def _translated(text: str) -> str:
    if "\\" in text or "_{" in text:  # it speaks LaTeX already
        return text
    for pattern, image in _RULES:
        text = pattern.sub(image, text)
    return text


def _name(name: str) -> str:
    stem = name.rstrip("'")
    if stem in GREEK:
        return f"\\{name}"
    return name if len(stem) == 1 else rf"\mathit{{{name}}}".replace("_", r"\_")


def _read(match: re.Match[str]) -> str:
    if not match[2]:
        return _name(match[1])
    if match[2] == "...":
        return f"{_name(match[1])}_{{...}}"
    indices = [index.strip() for index in match[2].split(",")]
    below = "".join(index if len(index) == 1 and index.isalpha() else f"({index})" for index in indices)
    return f"{_name(match[1])}_{{{below}}}"


def _reducer(match: re.Match[str]) -> str:
    sign = {"sum": r"\sum", "max": r"\max", "min": r"\min"}.get(match[1], rf"\operatorname{{{match[1]}}}")
    return f"{sign}_{{{match[2]}}}"


def _axes(match: re.Match[str]) -> str:
    axes = r" \times ".join(match[2].split())
    return rf"{_name(match[1])} \in \mathbb{{R}}^{{{axes}}}"


def _pads(match: re.Match[str]) -> str:
    value = match[3].replace("inf", r"\infty")
    return rf"{_name(match[1])} = {match[2]}{value}\text{{ elsewhere}}"


_RULES = (
    (re.compile(rf"\bwhere (?={_NAME}[ :'])"), r"\\text{where } "),
    (re.compile(rf"({_NAME}) pads (-?)(\d+|inf)\b"), _pads),
    (re.compile(rf"(?<=where }} )({_NAME}) (scalar|increasing)\b"), lambda m: rf"{_name(m[1])}\text{{ {m[2]}}}"),
    (re.compile(rf"(?<=where }} )({_NAME}) function\b"), lambda m: rf"{_name(m[1])} : \mathbb{{R}} \to \mathbb{{R}}"),
    (re.compile(rf"(?<=where }} )({_NAME}) int\b"), lambda m: rf"{_name(m[1])} \in \mathbb{{Z}}^{{N}}"),
    (re.compile(rf"(?<=`)({_NAME}): ((?:[A-Z]\d? ?)+)(?=`)"), _axes),
    (re.compile(rf"\b({'|'.join(REDUCERS)})\(([A-Za-z]\d?(?:<\w+)?(?:,[A-Za-z]\d?(?:<\w+)?)*)\)"), _reducer),
    (re.compile(rf"({_NAME})\[([^\[\]<>=]*)\]"), _read),
    (re.compile(r"\^\(([^()]*)\)"), r"^{\1}"),
    (re.compile(r"\bsqrt\(([^()]*)\)"), r"\\sqrt{\1}"),
    (re.compile(r"\b(exp|log|tanh|max|min)\("), r"\\\1("),
    (re.compile(r"\b(erf|sigmoid)\("), r"\\operatorname{\1}("),
    (re.compile(r"(?<=[\w})])\*(?=[\w\\(])"), " "),
    (re.compile(r"(?<= )(<=|>=|==|!=)(?= )"), lambda m: _RELATIONS[m[1]]),
)  # fmt: skip
