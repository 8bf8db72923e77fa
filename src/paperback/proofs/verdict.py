"""What a claim comes to: a Verdict, and the Counterexample of one that is refuted.

| status | claim |
|---|---|
| `proved for all sizes` | equal for all sizes >= 1 that meet the stated constraints |
| `proved at sizes` | exact, for the sizes in `why` only |
| `verified` | Monte Carlo in exact arithmetic at the sizes in `why`, with its error bound |
| `refuted` | a counterexample: sizes, inputs, index, both values |
| `tested` | numbers only |
| `not decided` | the reason in `why` |
| `ill-formed` | one side is no sentence, or shapes that cannot fit; the error in `why` |

A claim is about inputs at which both sides have a finite value.
"""

from __future__ import annotations

__all__ = ["STATUSES", "Counterexample", "Verdict"]

import html
from collections.abc import Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any

import numpy as np

from paperback import engines
from paperback.calculus.interval import Interval
from paperback.formulas import Formula

STATUSES = (
    "proved for all sizes", "proved at sizes", "verified", "refuted", "tested", "not decided", "ill-formed",
)  # fmt: skip
Array = np.ndarray[Any, Any]


@dataclass(frozen=True)
class Counterexample:
    """Where the two sides differ: `left` and `right` are their values at `index`, or their shapes where it is None.

    `inputs` are exact: Fractions, and arrays of Fractions; `arrays` are the same as float64 (whole numbers for ids).
    """

    sizes: Mapping[str, int]
    inputs: Mapping[str, Any]
    index: tuple[int, ...] | None
    left: Any
    right: Any
    formulas: tuple[Formula, Formula] = field(repr=False)
    functions: Mapping[str, Any] = field(default_factory=dict, repr=False)

    @property
    def arrays(self) -> dict[str, Array]:
        """The inputs as float64 arrays, and whole numbers as int64."""
        whole = {n for f in self.formulas for n, t in f.block.inputs.items() if t.integer}
        return {
            name: np.asarray(value, dtype=object).astype(np.int64 if name in whole else np.float64)
            for name, value in self.inputs.items()
        }

    def rerun(self) -> tuple[Array, Array]:
        """Both sides' results at these inputs in float64, by the NumPy engine."""
        results = []
        for formula in self.formulas:
            block = formula.block
            given = {n: a for n, a in self.arrays.items() if n in block.inputs or n in block.scalars}
            sizes = {n: v for n, v in self.sizes.items() if n in block.size_names}
            found = engines.run(block, given, sizes, engine="numpy", functions=self.functions)
            results.append(found[block.result.target])
        return results[0], results[1]

    def script(self) -> str:
        """A script that runs both sides again, in plain NumPy."""
        lines = ["import numpy as np", ""]
        names = ("left", "right")
        for name, formula in zip(names, self.formulas, strict=True):
            source = formula.source("numpy", name=name).replace("import numpy as np\n", "")
            lines += [source.strip(), ""]
        for name, formula in zip(names, self.formulas, strict=True):
            block = formula.block
            given = [f"{n}={_literal(self.arrays[n])}" for n in (*block.inputs, *block.scalars)]
            unknown = block.size_names - {size for t in block.inputs.values() for axis in t.axes for size in axis.names}
            given += [f"{n}={self.sizes[n]}" for n in sorted(unknown)]
            lines.append(f'print("{name}", {name}({", ".join(given)}).tolist())')
        return "\n".join(lines) + "\n"

    def __str__(self) -> str:
        given = [f"{name} = {value}" for name, value in self.sizes.items()]
        lines = ["at sizes " + ", ".join(given)] if given else []
        lines += [f"{name} = {_shown(value)}" for name, value in self.inputs.items()]
        lines += [f"{name}(t) = {function}" for name, function in self.functions.items() if "'" not in name]
        if self.index is None:
            return "\n".join([*lines, f"the left side has the shape {self.left}, the right side {self.right}"])
        where = f" at [{','.join(map(str, self.index))}]" if self.index else ""
        return "\n".join([*lines, f"the left side{where} is {_shown(self.left)}, the right side {_shown(self.right)}"])

    def json(self) -> dict[str, Any]:
        return {
            "sizes": dict(self.sizes),
            "inputs": {name: _plain(value) for name, value in self.inputs.items()},
            "functions": {name: str(f) for name, f in self.functions.items() if "'" not in name},
            "index": None if self.index is None else list(self.index),
            "left": _plain(self.left),
            "right": _plain(self.right),
        }


@dataclass(frozen=True)
class Verdict:
    """What is known of the claim `left = right`. Its truth value is `holds`: True, False or None (open)."""

    status: str
    why: str
    left: Formula | str
    right: Formula | str
    counterexample: Counterexample | None = None

    def __post_init__(self) -> None:
        if self.status not in STATUSES:
            raise ValueError(f"{self.status!r} is no status")

    @property
    def holds(self) -> bool | None:
        """True where it is proved or verified, False where refuted or ill-formed, None where that is open."""
        if self.status in ("proved for all sizes", "proved at sizes", "verified"):
            return True
        return False if self.status in ("refuted", "ill-formed") else None

    def __bool__(self) -> bool:
        raise TypeError("a verdict is not true or false: ask for .holds, which is True, False or None, or for .status")

    def __str__(self) -> str:
        lines = [self.status, *_indented("left   ", str(self.left)), *_indented("right  ", str(self.right))]
        lines += _indented("why    ", self.why)
        if self.counterexample is not None:
            lines += _indented("       ", str(self.counterexample))
        return "\n".join(lines)

    def _repr_html_(self) -> str:
        def side(formula: Formula | str) -> str:
            return formula.mathml() if isinstance(formula, Formula) else f"<code>{html.escape(formula)}</code>"

        shown = f"<pre>{html.escape(str(self.counterexample))}</pre>" if self.counterexample else ""
        head = f"<p><b>{self.status}</b>: {html.escape(self.why)}</p>"
        return f"<div>{head}<p>{side(self.left)}</p><p>{side(self.right)}</p>{shown}</div>"

    def json(self) -> dict[str, Any]:
        """The verdict as a dictionary of plain values."""
        return {
            "status": self.status,
            "holds": self.holds,
            "why": self.why,
            "left": str(self.left),
            "right": str(self.right),
            "counterexample": None if self.counterexample is None else self.counterexample.json(),
        }


def _indented(head: str, text: str) -> list[str]:
    first, *rest = text.splitlines() or [""]
    return [f"  {head}{first}", *(f"  {' ' * len(head)}{line}" for line in rest)]


def _literal(array: Array) -> str:
    return f"np.array({array.tolist()}, dtype={array.dtype.name!r})" if array.ndim else repr(array.item())


def _plain(value: Any) -> Any:
    """Nested lists of numbers as text: "3", "1/2"; an enclosing interval as a float."""
    if isinstance(value, np.ndarray):
        return [_plain(part) for part in value] if value.ndim else _plain(value[()])
    if isinstance(value, tuple):
        return list(value)
    if isinstance(value, Interval):
        return float(value)
    return str(value)


def _shown(value: Any) -> str:
    if isinstance(value, np.ndarray):
        return "[" + ", ".join(_shown(part) for part in value) + "]" if value.ndim else _shown(value[()])
    if isinstance(value, Interval):
        return f"{float(value):.12g}"
    return str(value) if isinstance(value, Fraction) else repr(value)
