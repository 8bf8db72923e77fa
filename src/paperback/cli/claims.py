"""`paperback claims`: the book of claims, decided now."""

from __future__ import annotations

__all__ = ["claims"]

from collections import Counter
from typing import Any

import click

from paperback.claims import book, decide, select
from paperback.claims.show import as_json, head, row, summary
from paperback.cli.job import CHECK_FAILED, Say, job
from paperback.cli.options import Command


@click.command(cls=Command)
@click.argument("ids", metavar="[ID]...", nargs=-1)
@click.option("--wrong", is_flag=True, help="Only what is wrong in the documents.")
@job
def claims(say: Say, ids: tuple[str, ...], wrong: bool) -> tuple[dict[str, Any], int]:
    """Check every numbered statement of the documents: proved, or refuted with a counterexample.

    An ID shows one claim whole, the beginning of IDs those that begin so. Exit code 1 where a verdict is not the
    catalogue's.

    Example: paperback claims A5.3g
    """
    chosen = {own.id: own for name in ids for own in select(name)} if ids else book()
    entries = [own for own in chosen.values() if own.verdict == "WRONG" or not wrong]
    whole = len(ids) == 1 and len(entries) == 1
    findings = []
    if not whole:
        say(head())
    for entry in entries:
        findings.append(decide(entry))
        say(str(findings[-1]) if whole else row(findings[-1]))
    if not whole:
        say(summary(findings))
    result: dict[str, Any] = {
        "command": "claims",
        "claims": [as_json(own) for own in findings],
        "verdicts": dict(Counter(own.verdict for own in findings)),
        "agree": sum(own.agrees for own in findings),
        "total": len(findings),
        "seconds": round(sum(own.seconds for own in findings), 3),
    }
    differ = [own.entry.id for own in findings if not own.agrees]
    if differ:
        result["check_failed"] = f"not as in the catalogue: {', '.join(differ)}"
    return result, CHECK_FAILED if differ else 0
