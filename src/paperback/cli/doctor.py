"""`paperback doctor`: the pairs of a forward and a backward in a file, examined."""

from __future__ import annotations

__all__ = ["doctor"]

from typing import Any

import click

from paperback.cli.job import CHECK_FAILED, Say, job
from paperback.cli.options import Command, OneOf
from paperback.diagnosis import DoctorError
from paperback.diagnosis import doctor as examine
from paperback.diagnosis.budget import BUDGETS
from paperback.diagnosis.finding import arguments_of, find, halves
from paperback.errors import ModelError


@click.command(cls=Command)
@click.argument("place", metavar="FILE.py[:NAME]")
@click.option("--args", "text", metavar='"x=3x5 w=5x4"', help="Random arguments of these shapes; see the help.")
@click.option("--seed", default=0, help="Of the random directions and upstream gradients. Default: 0.")
@click.option("--budget", type=OneOf(BUDGETS), default="normal", help="quick, normal or thorough.")
@job
def doctor(say: Say, place: str, text: str | None, seed: int, budget: str) -> tuple[dict[str, Any], int]:
    """Is a hand-written backward right, and if not, what is wrong with it?

    FILE.py is run. Its pairs are f and f_backward (or f_forward; grad_f, f_vjp, ...), classes and objects with forward
    and backward, and torch.autograd.Functions. Arguments are what f_args() or args() of the file returns, or --args, of
    which every pair gets those that it takes:

    x=3x5 is random numbers of this shape, label=int:3<10 whole numbers below 10, eps=1e-5 that number.
    """
    path, colon, name = place.rpartition(":")
    if not colon or path == "":
        path, name = place, ""
    try:
        module, found = find(path, name or None)
        skipped = {} if name else halves(module, found)
        reports = {}
        for pair in found:
            try:
                args = arguments_of(module, pair, text)
            except DoctorError as error:
                if len(found) == 1:
                    raise DoctorError(f"{pair.name}: {error}") from error
                skipped[pair.name] = str(error)
                continue
            ask = examine.torch if pair.kind == "torch" else examine
            given = (pair.forward, args) if pair.kind == "torch" else (pair.forward, pair.backward, args)
            reports[pair.name] = ask(*given, seed=seed, budget=budget)
            say(str(reports[pair.name]))
    except DoctorError as error:
        raise ModelError(str(error)) from error
    for half, reason in skipped.items():
        say(f"{half}: not checked: {reason}")
    if not reports:
        raise ModelError(f"{path}: nothing could be checked; {'; '.join(f'{n}: {why}' for n, why in skipped.items())}")
    bad = [name for name, report in reports.items() if not report.ok]
    result: dict[str, Any] = {
        "command": "doctor",
        "file": path,
        "reports": {name: report.plain() for name, report in reports.items()},
        "skipped": skipped,
    }
    if bad:
        result["check_failed"] = f"not right: {', '.join(bad)}"
    return result, CHECK_FAILED if bad else 0
