"""How long a derivation takes: every layer's formula, read and differentiated by everything, printed and emitted.

    python -m benchmarks.derive [--quick] [--json] [--write]

    read          from text to an elaborated formula
    derivative    the Jacobian, the mean over the inputs
    vjp, jvp      the gradients by all inputs at once; the change along all of them
    latex         the formula and its VJPs in LaTeX
    source        the VJP by all inputs as NumPy source text, its derivation included

Every turn reads the formula anew, so that its letters are new and nothing that was kept of a turn before helps. What
is shown is the median over turns.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from statistics import median
from typing import Any

import paperback as pb
from benchmarks import harness
from paperback.calculus import derive

PARTS = ("read", "derivative", "vjp", "jvp", "latex", "source")
LIMIT = 100  # milliseconds that any part may take


def layers() -> Iterator[tuple[str, Callable[[], pb.Formula]]]:
    """Every layer of the documentation that is one formula, and what reads it."""
    sys.path.insert(0, str(Path(__file__).parents[1] / "docs"))
    generate: Any = __import__("generate")
    for name, example in generate.EXAMPLES.items():
        layer = eval(example.layer, {"pb": pb})
        if not isinstance(layer, pb.nn.Sequential):
            text = layer.text(example.shape).formula
            yield name, lambda l=layer, t=text, e=example: generate.formula_of(l, t, e)[0]  # type: ignore[misc]


def once(make: Callable[[], pb.Formula]) -> dict[str, float]:
    """Milliseconds of each part."""
    found = {}

    def timed(part: str, action: Callable[[], Any]) -> Any:
        start = time.perf_counter()
        value = action()
        found[part] = 1000 * (time.perf_counter() - start)
        return value

    formula: pb.Formula = timed("read", make)
    floats = tuple(name for name, tensor in formula.block.inputs.items() if not tensor.integer)
    if floats:
        timed("derivative", lambda: [formula.derivative(name) for name in floats])
        found["derivative"] /= len(floats)
        timed("vjp", lambda: derive.vjps(formula.block, floats))
        timed("jvp", formula.jvp)
        vjps = [formula.vjp(name) for name in floats]
        timed("latex", lambda: [shown.latex() for shown in (formula, *vjps)])
    timed("source", lambda: formula.source("numpy", "vjp" if floats else "forward"))
    return found


def measure(turns: int) -> dict[str, dict[str, float]]:
    """Layer -> part -> milliseconds."""
    found = {}
    for name, make in layers():
        once(make)
        rows = [once(make) for _ in range(turns)]
        found[name] = {part: median(row[part] for row in rows) for part in PARTS if part in rows[0]}
    return found


def table(found: dict[str, dict[str, float]]) -> str:
    slowest_first = sorted(found.items(), key=lambda item: -max(item[1].values()))
    rows = [[name, *(f"{row[p]:.1f}" if p in row else "" for p in PARTS)] for name, row in slowest_first]
    slow = sorted(f"{name}, {part}" for name, row in found.items() for part, spent in row.items() if spent > LIMIT)
    said = f"Above {LIMIT} ms: {'; '.join(slow)}." if slow else f"No part takes more than {LIMIT} ms."
    return f"Milliseconds.\n\n{harness.markdown(['layer', *PARTS], rows)}\n\n{said}\n\n{harness.machine()}"


def main() -> None:
    options = harness.parser("How long it takes to differentiate, print and emit every layer.").parse_args()
    found = measure(3 if options.quick else 9)
    harness.finish(options, "derive", "Derivations", table(found), found)


if __name__ == "__main__":
    main()
