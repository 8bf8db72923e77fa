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
from paperback.diagnosis.finding import arguments_of, find
from paperback.errors import ModelError


@click.command(cls=Command)
@click.argument("place", metavar="FILE.py[:NAME]")
@click.option("--args", "text", metavar='"x=3x5 w=5x4"', help="Random arguments of these shapes; see the help.")
@click.option("--seed", default=0, help="Of the random directions and upstream gradients. Default: 0.")
@click.option("--budget", type=OneOf(BUDGETS), default="normal", help="quick, normal or thorough.")
@job
def doctor(say: Say, place: str, text: str | None, seed: int, budget: str) -> tuple[dict[str, Any], int]:
    """Is a hand-written backward right, and if not, what is wrong with it?

    FILE.py is run. Its pairs are f and f_backward (or grad_f, f_vjp, ...), classes with forward and backward, and
    torch.autograd.Functions. Arguments are what f_args() or args() of the file returns, or --args:

    x=3x5 is random numbers of this shape, label=int:3<10 whole numbers below 10, eps=1e-5 that number.
    """
    path, colon, name = place.rpartition(":")
    if not colon or path == "":
        path, name = place, ""
    try:
        module, found = find(path, name or None)
        reports = {}
        for pair in found:
            args = arguments_of(module, pair, text)
            if pair.kind == "torch":
                report = examine.torch(pair.forward, args, seed=seed, budget=budget)
            else:
                report = examine(pair.forward, pair.backward, args, seed=seed, budget=budget)
            reports[pair.name] = report
            say(str(report))
    except DoctorError as error:
        raise ModelError(str(error)) from error
    bad = [name for name, report in reports.items() if not report.ok]
    result: dict[str, Any] = {
        "command": "doctor",
        "file": path,
        "reports": {name: report.plain() for name, report in reports.items()},
    }
    if bad:
        result["check_failed"] = f"not right: {', '.join(bad)}"
    return result, CHECK_FAILED if bad else 0
