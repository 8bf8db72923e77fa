"""How long a proof takes: every identity that the tests prove, from two texts to a verdict.

    python -m benchmarks.prove [--quick] [--json] [--write]

The time is the whole of `pb.prove`: reading, the search for a counterexample, the proof, and the exact check of it.
"""

from __future__ import annotations

__all__ = ["main"]

import sys
import time
from collections.abc import Sequence
from pathlib import Path
from statistics import median

import paperback as pb
from benchmarks.harness import RESULTS, finish, machine, markdown, parser

sys.path.insert(0, str(Path(__file__).parents[1]))
from tests.proofs.identities import IDENTITIES, Identity

TURNS = 3


def milliseconds(identity: Identity, turns: int) -> tuple[str, float]:
    """The verdict, and the median time of a few proofs."""
    truth, times = identity.truth, []
    for _ in range(turns):
        start = time.perf_counter()
        verdict = pb.prove(identity.left, truth, **identity.declared)
        times.append(1000 * (time.perf_counter() - start))
    return verdict.status, median(times)


def main(arguments: Sequence[str] | None = None, path: Path = RESULTS) -> None:
    """Measure, print, and write where asked."""
    options = parser("How long proofs take.").parse_args(arguments)
    chosen = IDENTITIES[::8] if options.quick else IDENTITIES
    pb.prove("sum(i) x[i]", "sum(j) x[j]", x="N")  # what is loaded at the first need is loaded
    found = {identity.name: milliseconds(identity, 1 if options.quick else TURNS) for identity in chosen}
    rows = [(name, status, f"{ms:.0f}") for name, (status, ms) in found.items()]
    text = f"{markdown(('identity', 'verdict', 'ms'), rows)}\n\n{machine('paperback ' + pb.__version__)}"
    data = [{"identity": name, "status": status, "milliseconds": ms} for name, (status, ms) in found.items()]
    finish(options, "prove", "Proofs", text, data, path)


if __name__ == "__main__":
    main()
