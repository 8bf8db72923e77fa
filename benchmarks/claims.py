"""How long the book of claims takes, entry by entry.

    python -m benchmarks.claims [--quick] [--json] [--write]

Every entry is decided once, in the order of the book, in one process; a proof that several entries rest on is counted
with the first of them. Milliseconds of this process, so that other work on the machine does not count; the slowest
entries first, and the sum over every file.
"""

from __future__ import annotations

import time
from collections import Counter

from benchmarks import harness
from paperback.claims import book, decide

SHOWN = 20  # entries in the table


def measured(names: list[str]) -> dict[str, tuple[float, str]]:
    """Milliseconds and how it was decided, by id."""
    entries, found = book(), {}
    for name in names:
        start = time.process_time()
        finding = decide(entries[name])
        found[name] = (1000 * (time.process_time() - start), finding.how)
        assert finding.agrees, name
    return found


def table(found: dict[str, tuple[float, str]]) -> str:
    slowest = sorted(found, key=lambda name: -found[name][0])[:SHOWN]
    rows = [[name, book()[name].title, f"{found[name][0]:.0f}", found[name][1]] for name in slowest]
    by_file: Counter[str] = Counter()
    for name, (spent, _) in found.items():
        by_file[name[0]] += spent
    told = ", ".join(f"{file} {by_file[file] / 1000:.1f} s" for file in sorted(by_file))
    return (
        f"{harness.markdown(['claim', 'title', 'ms', 'decided'], rows)}\n\n"
        f"{len(found)} entries: {by_file.total() / 1000:.1f} s ({told})."
    )


def main() -> None:
    options = harness.parser("How long the book of claims takes, entry by entry.").parse_args()
    found = measured([name for name in book() if name.startswith("A")] if options.quick else list(book()))
    harness.finish(options, "claims", "The book of claims", f"{table(found)}\n\n{harness.machine()}", found)


if __name__ == "__main__":
    main()
