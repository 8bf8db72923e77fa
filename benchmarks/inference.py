"""Inference beside other frameworks: `predict` on examples in memory.

    python -m benchmarks.inference [--quick] [--rows sheet:1,mlp:1] [--with ours,eager,jax] [--json] [--write]

float32, random examples. Ratios as in `training`.
"""

from __future__ import annotations

from benchmarks import harness
from benchmarks.networks import EVERY

CANDIDATES = ["ours", "eager", "compile", "jax", "bare"]
GOALS = {"sheet": {1: 8}, "mlp": {1: 8}}  # against PyTorch eager, on two cores


def main() -> None:
    options = harness.parser("Inference beside other frameworks.", rows=True).parse_args()
    rows, candidates = EVERY, CANDIDATES
    if options.quick:
        rows = [row for row in EVERY if row[1] == 1] + [("sheet", 128), ("mlp", 128)]
        candidates = [name for name in CANDIDATES if name != "compile"]
    harness.compare(options, "inference", "Inference", "infer", rows, candidates, GOALS)


if __name__ == "__main__":
    main()
