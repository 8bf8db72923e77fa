"""What the tables share: workers that take turns, ratios of what they took, and how a table is written.

Every framework runs in a process of its own, because the thread pools of two in one process disturb each other; while
one runs, the others wait. A *turn* gives every candidate one block of steps, one after the other: the ratio of a turn
compares times that lie close together, and the median over turns holds on a machine whose speed drifts.

Before anything is timed, all candidates take the same steps from the same numbers, and must arrive at the same value.
"""

from __future__ import annotations

__all__ = [
    "CORES", "FRAMEWORKS", "ROOT", "Measured", "Missing", "Team", "Worker", "check", "compare", "environment", "finish",
    "machine", "markdown", "markdown_line", "parser", "say",
]  # fmt: skip

import argparse
import datetime
import json
import os
import platform
import signal
import subprocess
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from typing import Any

from benchmarks.networks import find

ROOT = Path(__file__).parent.parent
CORES = len(os.sched_getaffinity(0))
RESULTS = Path(__file__).parent / "results.md"
CHECKED_STEPS = 10
TOLERANCE = 5e-4  # of the loss after them: rounding decides between two maxima that are as good as equal


@dataclass(frozen=True)
class Framework:
    """A module of this package, and how it is asked to run."""

    title: str
    module: str
    settings: Mapping[str, Any] = field(default_factory=dict)
    environment: Mapping[str, str] = field(default_factory=dict)


FRAMEWORKS = {
    "ours": Framework("paperback", "ours"),
    "calls": Framework("a call for each step", "ours", {"calls": True}),
    "bare": Framework("its engine alone", "ours", {"bare": True}),
    "numpy": Framework("its NumPy engine", "ours", {"engine": "numpy"}, {"OPENBLAS_NUM_THREADS": "1"}),
    **{f"threads{k}": Framework(f"on {k} of {CORES} cores", "ours", {"threads": k}) for k in (1, 2, 4, 8) if k < CORES},
    "eager": Framework("PyTorch eager", "pytorch"),
    "compile": Framework("torch.compile", "pytorch", {"compile": True}),
    "jax": Framework("JAX jit", "jax_jit"),
    "scikit": Framework("scikit-learn", "scikit"),
}


def environment(**extra: str) -> dict[str, str]:
    """The environment of a worker: this package and the library in its path."""
    path = os.pathsep.join([str(ROOT / "src"), str(ROOT), os.environ.get("PYTHONPATH", "")])
    return {**os.environ, "PYTHONPATH": path, "JAX_PLATFORMS": "cpu", **extra}


class Missing(Exception):  # noqa: N818
    """A framework that is not installed, or cannot do what was asked."""


class Worker:
    """A framework in a process of its own; see `worker`."""

    def __init__(self, name: str) -> None:
        self.framework = FRAMEWORKS[name]
        self._process = subprocess.Popen(
            [sys.executable, "-W", "ignore", "-m", "benchmarks.worker", self.framework.module],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, cwd=ROOT,
            env=environment(**self.framework.environment),
        )  # fmt: skip
        try:
            greeting = self._heard()
        except (Missing, RuntimeError):
            self.close()
            raise
        self.version: str = greeting["version"]
        self.variants: list[dict[str, Any]] = greeting["variants"]

    def prepare(self, key: str, task: str, network: str, batch: int, variant: Mapping[str, Any]) -> None:
        settings = {**self.framework.settings, **variant}
        self._ask({"prepare": key, "task": task, "network": network, "batch": batch, "settings": settings})

    def run(self, key: str, steps: int) -> tuple[float, float]:
        """(seconds, value) of so many steps."""
        answer = self._ask({"run": key, "steps": steps})
        return answer["seconds"], answer["value"]

    def forget(self) -> None:
        self._ask({"forget": True})

    def memory(self) -> int:
        """The most memory that the process ever had, in bytes."""
        return int(self._ask({"memory": True})["peak"])

    def close(self) -> None:
        assert self._process.stdin is not None and self._process.stdout is not None
        self._signal("SIGCONT")
        self._process.stdin.close()
        self._process.wait()
        self._process.stdout.close()

    def _ask(self, message: Mapping[str, Any]) -> dict[str, Any]:
        """Ask, and hear. Between its turns a worker is stopped: threads that spin while they wait disturb others."""
        assert self._process.stdin is not None
        self._signal("SIGCONT")
        self._process.stdin.write(json.dumps(message) + "\n")
        self._process.stdin.flush()
        answer = self._heard()
        self._signal("SIGSTOP")
        return answer

    def _signal(self, name: str) -> None:
        if hasattr(signal, name) and self._process.poll() is None:
            self._process.send_signal(getattr(signal, name))

    def _heard(self) -> dict[str, Any]:
        assert self._process.stdout is not None
        answer: dict[str, Any] = json.loads(self._process.stdout.readline() or '{"error": "it ended"}')
        if "missing" in answer:
            raise Missing(f"{self.framework.title}: {answer['missing']}")
        if "error" in answer:
            raise RuntimeError(f"{self.framework.title}: {answer['error']}")
        return answer


@dataclass(frozen=True)
class Measured:
    """Seconds per step of every candidate, turn by turn, and the variant that each ran as."""

    network: str
    batch: int
    seconds: Mapping[str, Sequence[float]]
    variants: Mapping[str, Mapping[str, Any]]

    def ratio(self, name: str, base: str = "ours") -> float:
        """How many times as long as `base` it took: the median over turns."""
        return median(a / b for a, b in zip(self.seconds[name], self.seconds[base], strict=True))

    def least_ratio(self, name: str, base: str = "ours") -> float:
        """The same of the fastest blocks of both."""
        return min(self.seconds[name]) / min(self.seconds[base])

    def cell(self, name: str, base: str = "ours") -> str:
        """Both ratios as text; nothing for a candidate that did not run."""
        if name not in self.seconds:
            return ""
        return f"{self.ratio(name, base):.2f} ({self.least_ratio(name, base):.2f})"

    def plain(self) -> dict[str, Any]:
        """For JSON."""
        return {
            "network": self.network, "batch": self.batch, "seconds": dict(self.seconds),
            "variants": dict(self.variants),
        }  # fmt: skip


class Team:
    """The candidates of a table. Those that are not installed are left out, and said to be."""

    def __init__(self, names: Iterable[str], quick: bool) -> None:
        self.workers: dict[str, Worker] = {}
        self.turns, self.block = (5, 0.03) if quick else (15, 0.25)
        for name in names:
            try:
                self.workers[name] = Worker(name)
            except Missing as error:
                say(f"left out: {error}")

    def __enter__(self) -> Team:
        return self

    def __exit__(self, *_: object) -> None:
        for worker in self.workers.values():
            worker.close()

    @property
    def versions(self) -> str:
        return ", ".join(dict.fromkeys(worker.version for worker in self.workers.values()))

    def measure(self, task: str, network: str, batch: int) -> Measured:
        """Prepare everybody, compare the values, and take turns; of a candidate's variants the fastest counts."""
        runs: list[_Run] = []
        values: dict[str, float] = {}
        for name, worker in self.workers.items():
            try:
                layouts = (False, True) if len(find(network).shape) == 3 else (False,)
                variants = [v for v in worker.variants if v.get("channels_last", False) in layouts]
                variants = [v for v in variants if task == "train" or not v.get("scan")]
                if worker.framework.settings.get("compile"):
                    threads = self._fastest(runs).get("threads", CORES)
                    variants = [v for v in variants if v["threads"] == threads]
                mine = [_Run(name, worker, json.dumps(variant), variant) for variant in variants]
                for run in mine:
                    worker.prepare(run.key, task, network, batch, run.variant)
                    values[f"{name} {run.key}"] = worker.run(run.key, CHECKED_STEPS)[1]
                runs += mine
            except Missing:
                continue
            except RuntimeError as error:
                if name == next(iter(self.workers)):  # there is nothing to compare with
                    raise
                say(f"left out of {network}, batch {batch}: {error}"[:300])
        check(values, f"{task}, {network}, batch {batch}")
        for run in runs:
            run.choose_steps(self.block)
        for turn in range(self.turns):
            for run in runs if turn % 2 == 0 else reversed(runs):  # nobody always follows the same one
                run.take_turn()
        for worker in self.workers.values():
            worker.forget()
        best = {run.name: run for run in sorted(runs, key=lambda run: -median(run.seconds))}
        return Measured(
            network, batch, {name: best[name].seconds for name in self.workers if name in best},
            {name: best[name].variant for name in best},
        )  # fmt: skip

    def _fastest(self, runs: Sequence[_Run]) -> Mapping[str, Any]:
        """The variant that is best without compiling: to compile them all would take minutes."""
        eager = [run for run in runs if run.name == "eager"]
        for run in eager:
            run.choose_steps(self.block / 3)
        for _ in range(3):
            for run in eager:
                run.take_turn()
        best = min(eager, key=lambda run: min(run.seconds), default=None)
        for run in eager:
            run.seconds.clear()
        return best.variant if best else {}


@dataclass
class _Run:
    """A variant of a candidate that takes turns, and the seconds per step of its turns."""

    name: str
    worker: Worker
    key: str
    variant: Mapping[str, Any]
    steps: int = 1
    seconds: list[float] = field(default_factory=list)

    def choose_steps(self, block: float) -> None:
        """As many as fill so many seconds."""
        self.steps = max(1, round(2 * block / min(self.worker.run(self.key, 2)[0] for _ in range(3))))

    def take_turn(self) -> None:
        self.worker.run(self.key, max(1, self.steps // 10))  # wakes threads and fills caches, untimed
        self.seconds.append(self.worker.run(self.key, self.steps)[0] / self.steps)


def check(values: Mapping[str, float], where: str) -> None:
    """All did the same arithmetic."""
    first = next(iter(values.values()))
    for name, value in values.items():
        if not abs(value - first) <= TOLERANCE * abs(first):
            told = ", ".join(f"{who}: {what:.7g}" for who, what in values.items())
            raise AssertionError(f"{where}: {name} does not compute the same: {told}")


# --- tables ----------------------------------------------------------------------------------------------------------


def parser(what: str, rows: bool = False) -> argparse.ArgumentParser:
    """The options that all tables have."""
    made = argparse.ArgumentParser(description=what)
    made.add_argument("--quick", action="store_true", help="a sample of the rows, and shorter blocks")
    made.add_argument("--json", action="store_true", help="print the numbers as JSON in place of the table")
    made.add_argument("--write", action="store_true", help="put the table into benchmarks/results.md")
    if rows:
        names = ",".join(FRAMEWORKS)
        made.add_argument("--rows", help="networks and batches, as in sheet:32,mlp:128")
        made.add_argument("--with", dest="frameworks", help=f"candidates, the first is the base: {names}")
    return made


def say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def machine(versions: str = "") -> str:
    """The line under a table that says what it was measured on, and how busy that was."""
    load = ", ".join(f"{number:.1f}" for number in os.getloadavg())
    when = datetime.datetime.now(datetime.UTC).strftime("%Y-%m-%d %H:%M UTC")
    return f"{_processor()}, {CORES} cores, load {load}; Python {platform.python_version()}; {versions}; {when}"


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    facts = {key.strip(): value.strip() for key, _, value in (line.partition(":") for line in lines)}
    wide = [name for name in ("avx512f", "avx2") if name in facts.get("flags", "").split()]
    name = facts.get("model name", platform.machine())
    return f"{name}, family {facts.get('cpu family', '?')}" + "".join(f", {flag}" for flag in wide[:1])


def markdown(head: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    return "\n".join(map(markdown_line, [head, ["---"] * len(head), *rows]))


def markdown_line(cells: Sequence[object]) -> str:
    return "| " + " | ".join(map(str, cells)) + " |"


def compare(
    options: argparse.Namespace, name: str, title: str, task: str, rows: Iterable[tuple[str, int]],
    candidates: Sequence[str], goals: Mapping[str, Mapping[int, float]] | None = None, path: Path = RESULTS,
) -> None:  # fmt: skip
    """The table of a task: every candidate's ratio to the first one, for every (network, batch)."""
    if options.rows:
        rows = [(network, int(batch)) for network, batch in (item.split(":") for item in options.rows.split(","))]
    candidates = options.frameworks.split(",") if options.frameworks else candidates
    base, *others = candidates
    measured, table = [], []
    with Team(candidates, options.quick) as team:
        for network, batch in rows:
            row = team.measure(task, network, batch)
            measured.append(row)
            own = median(row.seconds[base])
            line = [find(network).title, batch, f"{1e3 * own:.3f}", f"{batch / own:,.0f}"]
            line += [(goals or {}).get(network, {}).get(batch, "")] if goals else []
            line += [*(row.cell(other, base) for other in others), _layout(row.variants.get("eager"))]
            table.append(line)
            say(markdown_line(line))
        ran = f"{machine(team.versions)}; {team.turns} turns"
    head = ["network", "batch", f"{FRAMEWORKS[base].title}, ms", "examples/s"]
    head += [*(["goal, PyTorch eager"] if goals else []), *(FRAMEWORKS[other].title for other in others)]
    head += ["PyTorch at its best"]
    shown = [place for place in range(len(head)) if any(line[place] != "" for line in table)]
    text = markdown([head[place] for place in shown], [[line[place] for place in shown] for line in table])
    finish(options, name, title, f"{text}\n\n{ran}", [row.plain() for row in measured], path)


def _layout(variant: Mapping[str, Any] | None) -> str:
    if variant is None:
        return ""
    threads = variant["threads"]
    return f"{'NHWC' if variant['channels_last'] else 'NCHW'}, {threads} thread{'s' * (threads > 1)}"


def finish(options: argparse.Namespace, name: str, title: str, text: str, data: Any, path: Path = RESULTS) -> None:
    """Print a table, and put it into its place in the results."""
    print(json.dumps({"title": title, "machine": machine(), "rows": data}) if options.json else text, flush=True)
    if options.write:
        start, end = f"<!-- {name} -->", f"<!-- end of {name} -->"
        old = path.read_text() if path.exists() else "# Results\n"
        section = f"{start}\n\n## {title}\n\n{text}\n\n{end}"
        before, found, rest = old.partition(start)
        after = rest.partition(end)[2] if found else "\n"
        path.write_text(f"{before if found else before + chr(10)}{section}{after}")
