"""Random formulas: nested sums, maxima and logsumexp under guards, strides, paddings, gathers, quotients, brackets.

A formula is drawn by its seed, as text with every extent and axis a number, so that a failure is one line to paste.
What is drawn is a sentence by construction; padded, guarded and exactly fitting reads are drawn alike.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from random import Random

LETTERS = "ijkpqmnlt"


@dataclass
class Drawn:
    """The text of a formula, and what its tensors are."""

    text: str
    axes: dict[str, list[int]]
    integers: dict[str, int]


@dataclass
class Generator:
    """Draws one formula."""

    seed: int
    axes: dict[str, list[int]] = field(default_factory=dict)
    integers: dict[str, int] = field(default_factory=dict)
    pads: dict[str, str] = field(default_factory=dict)
    used: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        self.random = Random(self.seed)

    def draw(self) -> Drawn:
        scope = {letter: self.random.randint(1, 4) for letter in self.letters(self.random.choice([0, 1, 1, 2]))}
        body = self.expression(self.random.choice([0, 1, 1, 2]), scope)
        for tensor in [name for name in self.axes if f"{name}[" not in body]:  # drawn, and not taken
            for table in (self.axes, self.integers, self.pads):
                table.pop(tensor, None)
        left = f"[{','.join(scope)}]" if scope else ""
        clauses = [f"{letter} < {extent}" for letter, extent in scope.items()]
        clauses += [f"{tensor} pads {value}" for tensor, value in self.pads.items()]
        clauses += [f"{tensor}: {' '.join(map(str, axes)) or '()'}" for tensor, axes in self.axes.items()]
        clauses += [f"{tensor} int" for tensor in self.integers]
        where = f" where {', '.join(clauses)}" if clauses else ""
        return Drawn(f"y{left} = {body}{where}", self.axes, self.integers)

    def letters(self, number: int) -> list[str]:
        found = self.random.sample([letter for letter in LETTERS if letter not in self.used], number)
        self.used.update(found)
        return found

    def tensor(self, *axes: int) -> str:
        """A new tensor, or one that has these axes already."""
        known = [name for name, have in self.axes.items() if have == list(axes) and name not in self.integers]
        if known and self.random.random() < 0.4:
            return self.random.choice(known)
        name = f"x{len(self.axes)}"
        self.axes[name] = list(axes)
        return name

    def affine(self, scope: dict[str, int]) -> tuple[str, int, int]:
        """An affine index, its least value and its greatest."""
        text, low, high = "", 0, 0
        for letter in self.random.sample(list(scope), min(len(scope), self.random.choice([1, 1, 2]))):
            slope = self.random.choice([1, 1, 1, -1, 2, -2, 3])
            text += ("+" if slope > 0 else "-") + (letter if abs(slope) == 1 else f"{abs(slope)}*{letter}")
            low, high = low + min(0, slope * (scope[letter] - 1)), high + max(0, slope * (scope[letter] - 1))
        const = self.random.choice([0, 0, 1, -1, 2])
        text += f"{const:+d}" if const or not text else ""
        return text.lstrip("+"), low + const, high + const

    def read(self, scope: dict[str, int]) -> str:
        kind = self.random.choice(["bare", "bare", "fits", "padded", "guarded", "divides", "gather"])
        if kind == "bare" or not scope:
            letters = self.random.sample(list(scope), min(len(scope), self.random.choice([1, 1, 2])))
            return f"{self.tensor(*(scope[letter] for letter in letters))}[{','.join(letters)}]"
        index, low, high = self.affine(scope)
        size = self.random.randint(1, 4)
        if kind == "gather":
            letter = self.random.choice(list(scope))
            ids = self.tensor(scope[letter])
            if ids in self.pads or any(ids == name for name in self.axes if name in self.integers):
                return f"{self.tensor(scope[letter])}[{letter}]"
            new = f"id{len(self.axes)}"
            self.axes[new], self.integers[new] = [scope[letter]], 2
            return f"{self.tensor(2)}[{new}[{letter}]]"
        if kind == "guarded":
            return f"([0 <= {index} < {size}]*{self.tensor(size)}[{index}])"
        if kind == "divides":
            by = self.random.choice([2, 3])
            inside = f"[{by} | {index} and 0 <= {index} < {by * size}]"
            return f"({inside}*{self.tensor(size)}[({index})/{by}])"
        if kind == "padded":
            name = f"x{len(self.axes)}"
            self.axes[name], self.pads[name] = [size], self.random.choice(["0", "0", "2", "-1"])
            return f"{name}[{index}{'' if any(c in index for c in '+-*') else '+1'}]"
        return f"{self.tensor(high - low + 1)}[{index}{-low:+d}]"

    def condition(self, scope: dict[str, int]) -> str:
        index, _, _ = self.affine(scope)
        relation = self.random.choice([">= 0", ">= 1", "== 1", "!= 1", "< 2"])
        data = f"{self.read(scope)} > 0"
        return self.random.choice([f"{index} {relation}", f"2 | {index}", data, f"{index} {relation} and {data}"])

    def expression(self, depth: int, scope: dict[str, int]) -> str:
        if depth <= 0:
            return self.read(scope)
        below = lambda: self.expression(depth - 1, scope)  # noqa: E731
        match self.random.choice(["+", "-", "*", "*", "power", "call", "bracket", "reduce", "reduce", "reduce"]):
            case "+" | "-" | "*" as sign:
                return f"({below()} {sign} {below()})"
            case "power":
                return self.random.choice([f"({below()})^2", f"(1 + ({below()})^2)^(-1)"])
            case "call":
                call = self.random.choice(["relu({})", "abs({})", "tanh({})", "exp(({})/4)", "max({}, 1/3)"])
                return call.format(below())
            case "bracket":
                return f"([{self.condition(scope)}]*{below()})"
        if len(self.used) > len(LETTERS) - 2:
            return self.read(scope)
        bound = {letter: self.random.randint(1, 3) for letter in self.letters(self.random.choice([1, 1, 2]))}
        inside = {**scope, **bound}
        op = self.random.choice(["sum", "sum", "sum", "max", "min", "logsumexp"])
        guard = f" | {self.condition(inside)}" if self.random.random() < 0.3 and op != "logsumexp" else ""
        binders = ",".join(f"{letter}<{extent}" for letter, extent in bound.items())
        return f"({op}({binders}{guard}) ({self.expression(depth - 1, inside)}))"
