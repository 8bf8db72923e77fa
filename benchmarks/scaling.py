"""How a training step of the sheet's network grows with threads, batch, image size and filters.

    python -m benchmarks.scaling [--quick] [--rows size56:32] [--json] [--write]
"""

from __future__ import annotations

from benchmarks import harness
from benchmarks.networks import BATCHES, SCALED


def main() -> None:
    options = harness.parser("Training steps by threads, batch, image size and filters.", rows=True).parse_args()
    rows = [*(("sheet", batch) for batch in BATCHES), *((name, 32) for name in SCALED)]
    if options.quick:
        rows = [("sheet", 8), ("sheet", 128), ("size16", 32), ("size56", 32), ("filters8", 32), ("filters64", 32)]
    fewer = [name for name in harness.FRAMEWORKS if name.startswith("threads")]
    harness.compare(options, "scaling", "Scaling", "train", rows, ["ours", *fewer, "eager"])


if __name__ == "__main__":
    main()
