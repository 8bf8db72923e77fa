"""Whole processes, from a cold start to a trained network: seconds and peak memory, imports included.

    python -m benchmarks.cold [--quick] [--mnist folder] [--json] [--write]

The 8x8 digits until 98% of a held-out fifth are right, and one epoch of the sheet's network on MNIST (where the folder
holds its four IDX files). Ours runs with an empty cache of compiled code, and again with what that left. Python's
bytecode of our modules is there, as pip leaves it of PyTorch's. Processes take turns; medians over turns, and ratios
per turn. Epochs may differ: the order of examples does.

Beside them, the peak memory of a process that takes 20 training steps of the sheet's network, batch 128.
"""

from __future__ import annotations

import compileall
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np

from benchmarks import harness
from paperback import data

MIB = 1 << 20
KINDS = {  # module, and what is added to the environment
    "ours, empty cache": ("ours", {}),
    "ours, warm cache": ("ours", {}),
    "PyTorch, all cores": ("pytorch", {}),
    "PyTorch, 1 thread": ("pytorch", {"OMP_NUM_THREADS": "1"}),
}


@dataclass(frozen=True)
class Process:
    """What a finished process took."""

    seconds: float
    memory: int  # bytes, at most
    epochs: int
    accuracy: float


def start(module: str, job: str, path: Path, cache: Path, extra: Mapping[str, str]) -> Process:
    """Run a training in a process of its own, to its end."""
    command = [sys.executable, "-W", "ignore", "-m", "benchmarks.learn", module, job, str(path)]
    begin = time.perf_counter()
    environment = harness.environment(PAPERBACK_CACHE=str(cache), **extra)
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, cwd=harness.ROOT, env=environment, check=True)
    return Process(time.perf_counter() - begin, **json.loads(done.stdout))


def write_digits(path: Path) -> None:
    train, test = data.load_splits()
    _write(path, *((part.x[..., 0] * 16, part.y) for part in (train, test)))


def write_mnist(path: Path, folder: Path) -> None:
    parts = []
    for name in ("train", "t10k"):
        images, labels = (next(folder.glob(f"{name}-{kind}*")) for kind in ("images", "labels"))
        parts.append((data.read_idx(images), data.read_idx(labels)))
    _write(path, *parts)


def _write(path: Path, train: tuple[Any, Any], test: tuple[Any, Any]) -> None:
    arrays = {
        f"{part}_{kind}": np.asarray(array, dtype)
        for part, pair in (("train", train), ("test", test))
        for kind, array, dtype in zip("xy", pair, (np.uint8, np.int64), strict=True)
    }
    np.savez(path, **arrays)


def learn(job: str, path: Path, folder: Path, turns: int) -> dict[str, list[Process]]:
    """Turns of all kinds; the warm cache is the one that the run before it filled."""
    found: dict[str, list[Process]] = {kind: [] for kind in KINDS}
    for turn in range(turns):
        cache = folder / f"{job} {turn}"
        for kind, (module, extra) in KINDS.items():
            found[kind].append(start(module, job, path, cache, extra))
    return found


def _middle(runs: list[Process]) -> float:
    return median(run.seconds for run in runs)


def memory(network: str, batch: int) -> dict[str, int]:
    """Peak bytes of processes that trained for some steps."""
    found = {}
    for name in ("ours", "eager"):
        with harness.Team([name], quick=True) as team:
            worker = team.workers[name]
            worker.prepare("step", "train", network, batch, worker.variants[0])
            worker.run("step", 20)
            found[harness.FRAMEWORKS[name].title] = worker.memory()
    return found


def main() -> None:
    parser = harness.parser("Whole processes, from a cold start to a trained network.")
    parser.add_argument("--mnist", type=Path, help="the folder with MNIST's IDX files")
    options = parser.parse_args()
    rows, plain = [], []
    for place in ("src", "benchmarks"):
        compileall.compile_dir(harness.ROOT / place, quiet=1)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        jobs = {"digits": folder / "digits.npz"}
        write_digits(jobs["digits"])
        if options.mnist:
            jobs["mnist"] = folder / "mnist.npz"
            write_mnist(jobs["mnist"], options.mnist)
        for job, path in jobs.items():
            turns = 7 if not options.quick else 2 if job == "digits" else 1
            runs = learn(job, path, folder, turns)
            theirs = min((runs[kind] for kind in KINDS if "PyTorch" in kind), key=_middle)
            for kind, own in runs.items():
                faster = median(b.seconds / a.seconds for a, b in zip(own, theirs, strict=True))
                rows.append([
                    job, kind, f"{_middle(own):.2f}", f"{faster:.2f}",
                    f"{max(run.memory for run in own) / MIB:.0f}", f"{median(run.epochs for run in own):g}",
                    f"{100 * median(run.accuracy for run in own):.1f}%",
                ])  # fmt: skip
                plain.append({"job": job, "kind": kind, "runs": [vars(run) for run in own]})
                harness.say(harness.markdown_line(rows[-1]))
    head = ["training", "process", "seconds", "PyTorch's better one over it", "peak MiB", "epochs", "held-out accuracy"]
    used = memory("sheet", 128)
    steps = "; ".join(f"{who} {size / MIB:.0f} MiB" for who, size in used.items())
    text = (
        f"{harness.markdown(head, rows)}\n\nPeak memory of 20 training steps of the sheet's network, batch 128: "
        f"{steps}.\n\n{harness.machine()}"
    )
    harness.finish(options, "cold", "From a cold start to a trained network", text, [*plain, used])


if __name__ == "__main__":
    main()
