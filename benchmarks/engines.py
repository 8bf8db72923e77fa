"""The compiled engine beside the readable one, training steps of all networks.

    python -m benchmarks.engines [--quick] [--rows sheet:32] [--json] [--write]
"""

from __future__ import annotations

from benchmarks import harness
from benchmarks.networks import EVERY


def main() -> None:
    options = harness.parser("The compiled engine beside the NumPy engine.", rows=True).parse_args()
    rows = [row for row in EVERY if row[1] in ((32,) if options.quick else (1, 32, 128))]
    harness.compare(options, "engines", "The two engines, training steps", "train", rows, ["ours", "numpy"])


if __name__ == "__main__":
    main()
