"""What a process waits for before it trains at full speed, part by part, with an empty cache and with a filled one.

    python -m benchmarks.start [--quick] [--json] [--write]

The sheet's network, batch 32, each time in a new process: `import paperback` (NumPy is in it), loading and making the
model, the first step (with an empty cache: derivation, code and its compilation), the second step, and the first
prediction. Two processes a turn, the second with the cache of the first; the median over turns, and the least. Python
has compiled its modules before, as it does when a package is installed.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from statistics import median

from benchmarks import harness

PARTS = ("import", "model", "first step", "second step", "first prediction")

PROCESS = """
import json, time
marks = [time.perf_counter()]
import numpy
import paperback
marks.append(time.perf_counter())
from paperback import Model, nn
model = Model(nn.Sequential(
    nn.Conv2d(32, 5), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(64, 5), nn.ReLU(), nn.MaxPool2d(2),
    nn.Flatten(), nn.Dense(128), nn.ReLU(), nn.Dense(10),
), (28, 28, 1))
x, y = numpy.random.default_rng(0).random((32, 28, 28, 1), numpy.float32), numpy.arange(32) % 10
marks.append(time.perf_counter())
step = model.train_step()
for action in (step, step, lambda x, _: model.predict(x)):
    action(x, y)
    marks.append(time.perf_counter())
print(json.dumps([b - a for a, b in zip(marks, marks[1:])]))
"""


def start(cache: str, bytecode: str) -> list[float]:
    """The seconds of every part in a new process; `bytecode` is the folder of Python's compiled modules."""
    environment = harness.environment(
        PAPERBACK_CACHE=cache, PYTHONPYCACHEPREFIX=bytecode, PYTHONDONTWRITEBYTECODE=""
    )
    command = [sys.executable, "-c", PROCESS]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, env=environment, check=True)
    seconds: list[float] = json.loads(done.stdout)
    return seconds


def main() -> None:
    options = harness.parser("What a process waits for before it trains, part by part.").parse_args()
    found: dict[str, list[list[float]]] = {"empty": [], "filled": []}
    with tempfile.TemporaryDirectory() as bytecode:
        start("off", bytecode)
        for _ in range(2 if options.quick else 11):
            with tempfile.TemporaryDirectory() as cache:
                for runs in found.values():
                    runs.append(start(cache, bytecode))
    rows = [
        [kind, *(f"{1000 * median(times):.0f} ({1000 * min(times):.0f})" for times in zip(*runs, strict=True))]
        for kind, runs in found.items()
    ]
    head = ["cache", *PARTS]
    text = f"Milliseconds, median (least).\n\n{harness.markdown(head, rows)}\n\n{harness.machine()}"
    harness.finish(options, "start", "Before the first step", text, found)


if __name__ == "__main__":
    main()
