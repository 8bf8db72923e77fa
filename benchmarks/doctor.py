"""The gradient doctor on the corpus of wrong and right gradients, beside the checkers of PyTorch and JAX.

    python -m benchmarks.doctor [--quick] [--json] [--write]

The corpus is in `tests/diagnosis/corpus`: what is wrong with each bug was written down before anybody was asked. A bug
is found by the doctor where its report is not ok; its cause is first where the first finding names it, about a gradient
that is wrong. The other checkers can only find: they do not say why. A false alarm is a right gradient called wrong.

The holes (`holes.py`) are wrong gradients that pass the checkers of PyTorch or JAX by design.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from statistics import median
from typing import Any

import numpy as np
from tests.diagnosis.corpus.bug import Bug
from tests.diagnosis.corpus.bugs import BUGS
from tests.diagnosis.corpus.exam import Verdict, alarms, examined, share
from tests.diagnosis.corpus.right import Right
from tests.diagnosis.corpus.rights import RIGHT
from tests.diagnosis.corpus.windows import conv2d

from benchmarks import harness, holes
from benchmarks.checkers import CHECKERS
from paperback.diagnosis import doctor

OTHERS = [name for name, checker in CHECKERS.items() if checker.installed]
HEAD = ["bugs", "found", "cause first", "in the top three", *(CHECKERS[name].title for name in OTHERS)]


def seconds(run: Callable[[], Any]) -> float:
    start = time.perf_counter()
    run()
    return time.perf_counter() - start


def percent(value: float) -> str:
    return f"{100 * value:.1f}%" if value < 1 else "100%"


def rows(verdicts: Sequence[Verdict], found: dict[str, set[str]], of: Callable[[Bug], str]) -> list[list[object]]:
    """One row for each value of `of`, and one for all."""
    kinds = [*dict.fromkeys(of(verdict.bug) for verdict in verdicts), "all"]
    table: list[list[object]] = []
    for kind in kinds:
        here = [verdict for verdict in verdicts if kind in (of(verdict.bug), "all")]
        ids = {verdict.bug.id for verdict in here}
        cells = [percent(share(here, what)) for what in ("found", "first", "top")]
        table.append([kind, len(ids), *cells, *(percent(len(ids & found[name]) / len(ids)) for name in OTHERS)])
    return table


def ask_others(bugs: Iterable[Bug]) -> tuple[dict[str, set[str]], dict[str, list[float]]]:
    """The bugs that the other checkers find, and how long each took."""
    found: dict[str, set[str]] = {name: set() for name in OTHERS}
    took: dict[str, list[float]] = {name: [] for name in OTHERS}
    for bug in bugs:
        for name in OTHERS:
            answer = CHECKERS[name](bug.make(), bug.operation.sample(np.random.default_rng(0)))
            took[name].append(answer.seconds)
            if not answer.right:
                found[name].add(bug.id)
    return found, took


def false_alarms(rights: Sequence[Right], seeds: int) -> list[list[object]]:
    """How many of the right gradients each checker calls wrong: the doctor for any seed, the others for one.

    Those that a checker may decline to judge are left out; of the others' errors, only a comparison that fails counts.
    """
    rights = [right for right in rights if not right.declined]
    kinds = {
        "operations, float64": [right for right in rights if right.plain],
        "float32 and float16": [right for right in rights if right.narrow],
        "made to tempt": [right for right in rights if not (right.plain or right.narrow)],
    }
    table: list[list[object]] = []
    for kind, here in kinds.items():
        told = {right.id for right in here for seed in range(seeds) if alarms(right, seed)[0]}
        others = [
            sum(CHECKERS[name]((r.forward, r.backward), r.sample(np.random.default_rng(0))).disagrees for r in here)
            for name in OTHERS
        ]
        table.append([kind, len(here), len(told), *others])
    return table


def large() -> tuple[int, float, Any]:
    """A convolution of 100,000 outputs: seconds of its forward, and of the doctor."""
    rng = np.random.default_rng(0)
    forward, backward = conv2d(1, 0)
    arguments = (rng.normal(size=(8, 3, 29, 29)), rng.normal(size=(20, 3, 5, 5)), rng.normal(size=20))
    size = forward(*arguments).size
    start = time.perf_counter()
    report = doctor(forward, backward, arguments)
    return size, time.perf_counter() - start, report


def main() -> None:
    options = harness.parser("The gradient doctor on wrong and right gradients.").parse_args()
    seeds, every = (1, 5) if options.quick else (3, 1)  # of right gradients; bugs take one
    bugs, rights = BUGS[::every], RIGHT[::every]
    verdicts: list[Verdict] = []
    took: list[float] = []
    for bug in bugs:
        start = time.perf_counter()
        verdicts.append(examined(bug, 0))
        took.append(time.perf_counter() - start)
    harness.say(f"{len(verdicts)} examinations, {sum(took):.0f} s")
    found, times = ask_others(bugs)
    calls = [verdict.report.forward_calls + verdict.report.backward_calls for verdict in verdicts]
    right = false_alarms(rights, seeds)
    size, duration, report = large()
    others = ", ".join(f"{CHECKERS[name].title} {1e3 * median(times[name]):.0f} ms" for name in OTHERS)
    parts = [
        harness.markdown(["what is wrong", *HEAD], rows(verdicts, found, lambda bug: bug.row)),
        harness.markdown(["operation", *HEAD], rows(verdicts, found, lambda bug: bug.operation.name)),
        "Right gradients that are called wrong (PyTorch asks for float64, JAX for no kinks):",
        harness.markdown(["right gradients", "number", "the doctor", *HEAD[4:]], right),
        "Wrong gradients that pass by design:",
        harness.markdown(["hole", "who lets it through", "the doctor"], holes.table()),
        f"A check takes {1e3 * median(took):.0f} ms (the median; the longest {max(took):.1f} s) and "
        f"{median(calls):.0f} calls; {others}. A convolution with {size:,} outputs takes {duration:.1f} s and "
        f"{report.forward_calls + report.backward_calls} calls.",
        f"{harness.machine(holes.versions())}; {seeds} seed{'s' * (seeds > 1)} of right gradients",
    ]
    data = {
        "bugs": [{"id": v.bug.id, "found": v.found, "first": v.first, "top": v.top, "said": v.said} for v in verdicts],
        "others": {name: sorted(ids) for name, ids in found.items()},
        "right": right,
    }
    harness.finish(options, "doctor", "Wrong gradients", "\n\n".join(parts), data)


if __name__ == "__main__":
    main()
