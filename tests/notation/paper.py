"""A reader of formulas on paper, the referee of the LaTeX and MathML printers: it reads what a person would see.

    Reader(tex, ...)       a recursive descent over the printed signs; it knows nothing of the tree they came from
    evaluate(block, ...)   every statement of a block, printed, read back and computed with plain loops

Factors stand side by side; a reducer takes the factors after it and stops at + and -; a false bracket hides everything
else in its product. Values are floats.
"""

from __future__ import annotations

import itertools
import math
import re
from collections.abc import Callable
from fractions import Fraction
from typing import Any

import numpy as np

from paperback.notation.block import Block
from paperback.notation.expr import Statement
from paperback.notation.show import Line
from paperback.notation.size import evaluate as size_value
from paperback.notation.words import GREEK

Value = Callable[[dict[str, Any]], Any]
TOKEN = re.compile(
    r"""(?P<space>\s+|\\[,;!])
      | (?P<primed>\{(?:\\mathit\{[^}]*\}|\\[A-Za-z]+|\w)'+\})
      | (?P<word>\\mathit\{[^}]*\})
      | (?P<function>\\operatorname\*?\{\w+\}|\\(?:exp|log|sin|cos|tan|tanh|max|min)(?![A-Za-z])|\\sigma(?=\(|\\left\())
      | (?P<side>\\left|\\right)
      | (?P<command>\\[A-Za-z]+)
      | (?P<number>\d+(?:\.\d+)?)
      | (?P<letter>[^\W\d_])
      | (?P<sign>.)""",
    re.VERBOSE,
)
SIGNS = {
    "sum", "frac", "sqrt", "lvert", "rvert", "lfloor", "rfloor", "lceil", "rceil", "le", "ge", "ne", "mid", "land",
    "cdot", "times", "in", "to", "infty",
}  # fmt: skip
RELATIONS: dict[str, Callable[[Any, Any], bool]] = {
    "<": lambda a, b: a < b, "le": lambda a, b: a <= b, ">": lambda a, b: a > b, "ge": lambda a, b: a >= b,
    "=": lambda a, b: a == b, "ne": lambda a, b: a != b, "mid": lambda a, b: b % a == 0,
}  # fmt: skip
FUNCTIONS: dict[str, Callable[..., float]] = {
    "exp": math.exp, "log": math.log, "log1p": math.log1p, "expm1": math.expm1, "sin": math.sin, "cos": math.cos,
    "tan": math.tan, "tanh": math.tanh, "erf": math.erf, "max": max, "min": min,
    "sigmoid": lambda x: 1 / (1 + math.exp(-x)), "sigma": lambda x: 1 / (1 + math.exp(-x)),
    "softplus": lambda x: math.log(1 + math.exp(x)), "relu": lambda x: max(x, 0.0),
    "sign": lambda x: float(np.sign(x)), "step": lambda x: float(x >= 0),
}  # fmt: skip


class Hidden(float):
    """The 0 of a product with a false bracket."""


def tokens(tex: str) -> list[tuple[str, str]]:
    found = []
    for match in TOKEN.finditer(tex):
        kind, text = str(match.lastgroup), match.group()
        if kind in ("space", "side"):
            continue
        if kind == "primed":
            text = text[1:-1]
        if kind == "function":
            text = re.sub(r"\\operatorname\*?\{(\w+)\}", r"\1", text).lstrip("\\")
        elif kind == "command" and text[1:] in SIGNS:
            kind, text = "sign", text[1:]
        elif kind not in ("number", "sign"):
            word = re.sub(r"\\mathit\{([^}]*)\}", r"\1", text)
            kind, text = "name", word.replace("\\_", "_").lstrip("\\")
        found.append((kind, text))
    return found


class Reader:
    """Reads one line of LaTeX into functions of an environment: names of tensors, sizes and letters -> values."""

    def __init__(self, tex: str, pads: dict[str, float]) -> None:
        self.tokens, self.place, self.pads = [*tokens(tex), ("end", "")], 0, pads

    @property
    def next(self) -> str:
        return self.tokens[self.place][1]

    @property
    def kind(self) -> str:
        return self.tokens[self.place][0]

    def take(self, *wanted: str) -> str:
        text = self.next
        assert not wanted or text in wanted, (wanted, self.tokens[self.place :])
        self.place += 1
        return text

    def sees(self, sign: str) -> bool:
        return self.next == sign and self.kind == "sign"

    # ---------------------------------------------------------------------------------------------- arithmetic

    def expr(self) -> Value:
        sign = -1 if self.sees("-") and self.take() else 1
        terms = [(sign, self.term())]
        while self.sees("+") or self.sees("-"):
            sign = 1 if self.take() == "+" else -1
            terms.append((sign, self.term()))
        return terms[0][1] if terms == [(1, terms[0][1])] else lambda env: sum(sign * term(env) for sign, term in terms)

    def starts(self) -> bool:
        starting = ("sum", "frac", "sqrt", "lvert", "lfloor", "lceil", "(", "[", "infty")
        return self.kind in ("number", "name", "function") or (self.kind == "sign" and self.next in starting)

    def term(self) -> Value:
        brackets: list[Value] = []
        factors: list[Value] = []
        assert self.starts(), self.tokens[self.place :]
        while self.starts():
            is_bracket = self.sees("[") or (self.kind == "name" and self.next == "delta")
            (brackets if is_bracket else factors).append(self.factor())
            if self.sees("cdot"):
                self.take()
        below = self.factor() if self.sees("/") and self.take() else None

        def value(env: dict[str, Any]) -> Any:
            if not all(bracket(env) for bracket in brackets):
                return Hidden(0)
            product = math.prod(factor(env) for factor in factors) if len(factors) != 1 else factors[0](env)
            return product if below is None else Fraction(product) / below(env)

        return value

    def factor(self) -> Value:
        base = self.primary()
        if not self.sees("^"):
            return base
        self.take("^")
        exponent = self.group(self.expr)
        return lambda env: base(env) ** _plain(exponent(env))

    def group(self, read: Callable[[], Any]) -> Any:
        return self.fenced("{", read, "}")

    def fenced(self, left: str, read: Callable[[], Any], right: str) -> Any:
        self.take(left)
        inside = read()
        self.take(right)
        return inside

    def primary(self) -> Value:
        if self.kind == "number":
            number = Fraction(self.take())
            return lambda env: number
        if self.kind == "function":
            return self.function()
        if self.kind == "name":
            return self.read()
        match self.next:
            case "(":
                return self.fenced("(", self.expr, ")")  # type: ignore[no-any-return]
            case "[":
                return self.fenced("[", self.condition, "]")  # type: ignore[no-any-return]
            case "lvert":
                inside = self.fenced("lvert", self.expr, "rvert")
                return lambda env: abs(inside(env))
            case "lfloor" | "lceil":
                rounded = math.floor if self.next == "lfloor" else math.ceil
                inside = self.fenced(self.next, self.expr, "r" + self.next[1:])
                return lambda env: rounded(inside(env))
            case "frac":
                self.take()
                above, below = self.group(self.expr), self.group(self.expr)
                return lambda env: high if isinstance(high := above(env), Hidden) else high / below(env)
            case "sqrt":
                self.take()
                inside = self.group(self.expr)
                return lambda env: math.sqrt(inside(env))
            case "sum":
                return self.reducer(self.take())
            case "infty":
                self.take()
                return lambda env: math.inf
        raise AssertionError(self.tokens[self.place :])

    def function(self) -> Value:
        name = self.take()
        if self.sees("_"):
            return self.reducer(name)
        arguments = self.fenced("(", lambda: self.listed(self.expr), ")")
        return lambda env: FUNCTIONS[name](*(argument(env) for argument in arguments))

    def listed(self, read: Callable[[], Any]) -> list[Any]:
        found = [read()]
        while self.sees(","):
            self.take()
            found.append(read())
        return found

    # ----------------------------------------------------------------------------------------- names and reads

    def letter(self) -> str:
        """A name, with the number that hangs below it."""
        name = self.take()
        if self.sees("_") and self.tokens[self.place + 2][0] == "number" and self.tokens[self.place + 3][1] == "}":
            self.take()
            name += self.group(self.take)
        return name

    def read(self) -> Value:
        name = self.letter()
        if not self.sees("_"):
            return lambda env: env[name] if np.ndim(env[name]) == 0 else env[name][()]
        self.take()
        indices = self.group(self.subscript)
        if name == "delta":
            return lambda env: indices[0](env) == indices[1](env)
        pad = self.pads.get(name)

        def value(env: dict[str, Any]) -> Any:
            place = tuple(int(_whole(index(env))) for index in indices)
            inside = all(0 <= i < n for i, n in zip(place, env[name].shape, strict=True))
            assert inside or pad is not None, f"{name}{place} is out of range"
            return env[name][place] if inside else pad

        return value

    def subscript(self) -> list[Value]:
        found: list[Value] = []
        while not self.sees("}"):
            if self.sees("("):
                found.append(self.fenced("(", self.expr, ")"))
            else:
                one_letter = len(self.next.rstrip("'")) == 1 or self.next in GREEK
                assert self.kind == "name" and one_letter, self.tokens[self.place :]
                name = self.letter()
                found.append(lambda env, name=name: env[name])
        return found

    # ------------------------------------------------------------------------------------ reducers, conditions

    def reducer(self, op: str) -> Value:
        self.take("_")
        binders, condition = self.group(self.limits)
        if self.sees("^"):
            self.take()
            top = self.group(self.expr)
            binders = [(binders[0][0], lambda env: top(env) + 1)]
        body = self.term()

        def value(env: dict[str, Any]) -> Any:
            found = []
            ranges = [range(int(extent(env))) for _, extent in binders]
            for code, place in enumerate(itertools.product(*ranges)):
                inner = {**env, **dict(zip((letter for letter, _ in binders), place, strict=True))}
                if condition is None or condition(inner):
                    found.append((body(inner), code))
            values = [value for value, _ in found]
            match op:
                case "sum":
                    return sum(values)
                case "max" | "min":
                    return (max if op == "max" else min)(values, default=-math.inf if op == "max" else math.inf)
                case "argmax" | "argmin":
                    best = (max if op == "argmax" else min)(values, default=0)
                    return next((code for value, code in found if value == best), 0)
            return math.log(sum(math.exp(value) for value in values))

        return value

    def limits(self) -> tuple[list[tuple[str, Value]], Value | None]:
        """`p = 0`, or `0 <= p, q < 2, 0 <= r < R : conditions`."""
        if self.kind == "name":
            letter = self.letter()
            self.take("=")
            self.take("0")
            return [(letter, lambda env: None)], None
        binders = []
        for letters, extent in self.listed(self.within):
            binders += [(letter, extent) for letter in letters]
        return binders, self.condition() if self.sees(":") and self.take() else None

    def within(self) -> tuple[list[str], Value]:
        self.take("0")
        self.take("le")
        letters = self.listed(self.letter)
        self.take("<")
        return letters, self.expr()

    def condition(self) -> Value:
        parts = [self.chain()]
        while self.sees("land"):
            self.take()
            parts.append(self.chain())
        return lambda env: all(part(env) for part in parts)

    def chain(self) -> Value:
        values, relations = [self.expr()], []
        while self.next in RELATIONS and self.kind == "sign":
            relations.append(RELATIONS[self.take()])
            values.append(self.expr())
        assert relations

        def value(env: dict[str, Any]) -> bool:
            return all(
                relation(a(env), b(env)) for relation, a, b in zip(relations, values[:-1], values[1:], strict=True)
            )

        return value


def _plain(number: Any) -> Any:
    return float(number) if isinstance(number, Fraction) and number.denominator != 1 else number


def _whole(index: Any) -> int:
    assert index == int(index), f"the index {index} is not whole"
    return int(index)


def read_line(tex: str) -> Value:
    """An expression without pads."""
    reader = Reader(tex, {})
    value = reader.expr()
    assert reader.kind == "end", reader.tokens[reader.place :]
    return value


def evaluate(
    block: Block, given: dict[str, Any], sizes: dict[str, int], printed: Callable[[Statement], Line]
) -> dict[str, Any]:
    """Every statement of a block: printed (with all its extents), read as LaTeX, and computed."""
    env: dict[str, Any] = {**sizes, **given, "pi": math.pi}
    for statement in block.statements:
        line = printed(statement)
        pads: dict[str, float] = {}
        bounds: list[tuple[str, Value]] = []
        for clause in line.clauses:
            padded = clause.removesuffix(r"\text{ elsewhere}")
            if padded != clause:
                name, _, value = padded.partition("=")
                pads[tokens(name)[0][1]] = float(read_line(value)({}))
            else:
                letters, extent = Reader(clause, {}).within()
                bounds += [(letter, extent) for letter in letters]
        left, right = Reader(line.left, {}), Reader(line.right, pads)
        target, value = left.letter(), right.expr()
        assert right.kind == "end", right.tokens[right.place :]
        place = left.group(left.subscript) if left.sees("_") and left.take() else []
        result = np.full(tuple(size_value(axis, sizes) for axis in statement.axes), pads.get(target, math.nan))
        for values in itertools.product(*(range(int(extent(env))) for _, extent in bounds)):
            inner = {**env, **dict(zip((letter for letter, _ in bounds), values, strict=True))}
            result[tuple(_whole(index(inner)) for index in place)] = value(inner)
        env[target] = result
    return {statement.target: env[statement.target] for statement in block.statements}
