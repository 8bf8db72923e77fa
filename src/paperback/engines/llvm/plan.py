"""The page of what runs: every kernel of a compiled program in running order, what it computes, how, and what it costs.

    print(plan)        text;  `plan.rows` the same as data, `plan.plain()` for JSON, a table in notebooks

    FLOPs      operations of the formulas, a multiply-add is 2 (see `notation.count`), for the whole batch
    bytes      each tensor once, as much of it as is touched at most
    modelled   the longer of two: cycles (those of the tile, as the schedule was chosen by; else one vector operation a
               cycle) of a core of 3.5 GHz, and bytes at 32 GB/s
    measured   on one thread, one kernel after the other, less what a call from Python costs: near a microsecond a
               measured number says little
"""

from __future__ import annotations

__all__ = ["BYTES_PER_SECOND", "CYCLES_PER_SECOND", "Plan", "Row", "Step"]

import itertools
import textwrap
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from paperback.markup import Html, fragment, join, raw, table, tag

CYCLES_PER_SECOND = 3.5e9
BYTES_PER_SECOND = 32e9
_WIDTH = 120
_MANY = 3  # formulas for one tensor, alike, that are too many to read


@dataclass(frozen=True)
class Step:
    """A nest of a kernel: the formula that it computes, and how, with the reason."""

    formula: str
    how: str


@dataclass(frozen=True)
class Row:
    """A kernel. What it costs is for the whole batch.

    level, part   where it runs: "shard", for every shard of the batch, or "join", once; levels alternate between them
    round         of the join part: kernels of one round may run at the same time
    targets       the tensors that it stores or adds to; `inside` those that are computed where they are read
    modelled      seconds on one core; `measured` too, None where nobody asked
    """

    kernel: str
    level: int
    part: str
    round: int
    targets: tuple[str, ...]
    inside: tuple[str, ...]
    steps: tuple[Step, ...]
    flops: int
    bytes_read: int
    bytes_written: int
    modelled: float
    measured: float | None = None

    @property
    def gflops(self) -> float | None:
        """10^9 operations per second, as measured."""
        return self.flops / self.measured / 1e9 if self.measured else None

    def plain(self) -> dict[str, Any]:
        steps = [{"formula": step.formula, "how": step.how} for step in self.steps]
        return {
            "kernel": self.kernel, "level": self.level, "part": self.part, "round": self.round,
            "targets": list(self.targets), "inside": list(self.inside), "steps": steps, "flops": self.flops,
            "bytes_read": self.bytes_read, "bytes_written": self.bytes_written, "modelled_seconds": self.modelled,
            "measured_seconds": self.measured, "gflops": self.gflops,
        }  # fmt: skip


@dataclass(frozen=True)
class Plan:
    """The rows, and what they share.

    unread        statements that nobody reads: they are not computed
    machine       words about the target, threads and cache, by title
    memory        bytes, by title
    seconds       a whole step on all threads, measured
    identities    what was rewritten before the program was compiled, and why it pays
    """

    batch: int
    shards: int
    micro: int
    rows: tuple[Row, ...]
    unread: tuple[str, ...]
    machine: Mapping[str, str]
    memory: Mapping[str, int]
    seconds: float | None = None
    identities: tuple[str, ...] = ()

    def plain(self) -> dict[str, Any]:
        """As JSON can hold it."""
        return {
            "batch": self.batch, "shards": self.shards, "micro_batch": self.micro, "unread": list(self.unread),
            "machine": dict(self.machine), "memory": dict(self.memory), "seconds": self.seconds,
            "rows": [row.plain() for row in self.rows], "identities": list(self.identities),
        }  # fmt: skip

    def __str__(self) -> str:
        lines = [f"{self.title}", ""]
        for title, rows in self._parts():
            lines += [title]
            for number, row in rows:
                head = f"{number:>3}  {', '.join(row.targets)}"
                lines += [head + (f"   with {', '.join(row.inside)} inside" if row.inside else "")]
                for step in _shown(row.steps):
                    lines += [f"       {step.formula}", *_wrapped(step.how, " " * 9)]
                lines += [f"       {_cost(row)}"]
            lines += [""]
        return "\n".join([*lines, *self._foot()])

    def _repr_html_(self) -> str:
        head = ["", "computes", "how", "FLOPs", "reads", "writes", "modelled"]
        timed = any(row.measured is not None for row in self.rows)
        head += ["measured", "GFLOP/s"] if timed else []
        body: list[Html] = []
        for title, rows in self._parts():
            cells = []
            for number, row in rows:
                times = [_time(row.measured or 0), f"{row.gflops or 0:.3g}"] if timed else []
                steps = _shown(row.steps)
                cells.append([
                    number, tag("code", join((step.formula for step in steps), raw("<br/>"))),
                    join(tag("p", step.how) for step in steps), _count(row.flops), _size(row.bytes_read),
                    _size(row.bytes_written), _time(row.modelled), *times,
                ])  # fmt: skip
            body.append(table(head, cells, numbers=head[3:], caption=title))
        return str(fragment(tag("p", self.title), *body, *(tag("p", line) for line in self._foot())))

    @property
    def title(self) -> str:
        shards = "1 shard" if self.shards == 1 else f"{self.shards} shards"
        at_once = min(self.micro, -(-self.batch // self.shards))
        return f"{len(self.rows)} kernels for a batch of {self.batch}: {shards}, up to {at_once} examples at a time"

    def _parts(self) -> Iterator[tuple[str, list[tuple[int, Row]]]]:
        """Rows with their numbers, by where they run."""
        found: dict[tuple[int, str, int], list[tuple[int, Row]]] = {}
        for number, row in enumerate(self.rows, 1):
            found.setdefault((row.level, row.part, row.round), []).append((number, row))
        for (level, part, turn), rows in found.items():
            where = "for every shard, in micro-batches" if part == "shard" else f"once, round {turn + 1}"
            yield f"level {level}, {where}", rows

    def _foot(self) -> list[str]:
        flops, modelled = sum(row.flops for row in self.rows), sum(row.modelled for row in self.rows)
        lines = [f"in all: {_count(flops)}FLOP, modelled {_time(modelled)} on one core"]
        if self.seconds is not None:
            own = sum(row.measured or 0 for row in self.rows)
            lines[0] += f", measured {_time(own)} on one and {_time(self.seconds)} as it runs"
            lines[0] += f" ({flops / self.seconds / 1e9:.3g} GFLOP/s)"
        lines += [f"identity {line}" for line in self.identities]
        if self.unread:
            lines.append(f"not computed, as nobody reads them: {', '.join(self.unread)}")
        lines.append("memory: " + ", ".join(f"{title} {_size(count)}" for title, count in self.memory.items()))
        lines += [f"{title}: {words}" for title, words in self.machine.items()]
        lines.append(
            f"modelled: the longer of cycles at {CYCLES_PER_SECOND / 1e9:g} GHz and bytes at "
            f"{BYTES_PER_SECOND / 1e9:g} GB/s, on one core"
        )
        return lines


def _shown(steps: Sequence[Step]) -> list[Step]:
    """The steps, long formulas cut; of many alike, as minimal convolutions have them, how many there are."""
    shown: list[Step] = []
    for (target, how), some in itertools.groupby(steps, lambda step: (step.formula.partition("[")[0], step.how)):
        alike = list(some)
        if len(alike) >= _MANY:
            shown.append(Step(f"{target}: {len(alike)} entries more", how))
        else:
            shown += (replace(s, formula=textwrap.shorten(s.formula, 2 * _WIDTH, placeholder=" ...")) for s in alike)
    return shown


def _wrapped(text: str, indent: str) -> list[str]:
    return textwrap.wrap(text, _WIDTH, initial_indent=indent, subsequent_indent=indent, break_on_hyphens=False)


def _cost(row: Row) -> str:
    text = f"{_count(row.flops)}FLOP, reads {_size(row.bytes_read)}, writes {_size(row.bytes_written)}, "
    text += f"modelled {_time(row.modelled)}"
    if row.measured is not None:
        text += f", measured {_time(row.measured)}" + (f", {row.gflops:.3g} GFLOP/s" if row.gflops else "")
    return text


def _count(number: float) -> str:
    return _scaled(number, 1000, ("", "k", "M", "G", "T"))


def _size(number: float) -> str:
    return _scaled(number, 1024, ("B", "KiB", "MiB", "GiB"))


def _time(seconds: float) -> str:
    return _scaled(seconds * 1e6, 1000, ("us", "ms", "s"))


def _scaled(number: float, step: int, units: tuple[str, ...]) -> str:
    place = 0
    while number >= step and place < len(units) - 1:
        number, place = number / step, place + 1
    return f"{number:.3g} {units[place]}" if number < 1000 else f"{number:,.0f} {units[place]}"
