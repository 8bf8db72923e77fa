"""Training steps beside other frameworks: forward, loss, gradients and update.

    python -m benchmarks.training [--quick] [--rows sheet:32,mlp:128] [--with ours,eager,jax] [--json] [--write]

float32, plain gradient descent, softmax cross-entropy, random examples, four batches in turns. Ratios say how many
times as long a step of the other takes: the median over turns, and in parentheses that of the fastest blocks.

"paperback" is `epoch`, which takes the steps on examples in memory without Python between, as `fit` does; "a call for
each step" is `step(x, y)`. JAX takes its steps one by one or by `lax.scan`, whichever is faster.
"""

from __future__ import annotations

from benchmarks import harness
from benchmarks.networks import EVERY

CANDIDATES = ["ours", "eager", "compile", "jax", "scikit", "calls", "bare"]
GOALS = {  # against PyTorch eager, on two cores
    "sheet": {1: 8, 8: 4.5, 32: 2.8, 128: 2.4, 512: 2.8},
    "lenet5": {1: 15, 32: 6, 128: 3.5},
    "digits": {32: 8},
    "mlp": {32: 4, 128: 2, 512: 1.1},
    "strided": {32: 1.5},
    "residual": {32: 1.5},
    "signal": {32: 1.5},
}


def main() -> None:
    options = harness.parser("Training steps beside other frameworks.", rows=True).parse_args()
    rows, candidates = EVERY, CANDIDATES
    if options.quick:  # compiling a network takes torch.compile longer than all turns
        rows = [(name, batch) for name, goals in GOALS.items() for batch in goals]
        candidates = [name for name in CANDIDATES if name != "compile"]
    harness.compare(options, "training", "Training steps", "train", rows, candidates, GOALS)


if __name__ == "__main__":
    main()
