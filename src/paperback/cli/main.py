"""The command `paperback`."""

from __future__ import annotations

__all__ = ["main"]

import sys

import click

from paperback import __version__
from paperback.cli import quietly
from paperback.cli.apply import evaluate, predict, summary
from paperback.cli.claims import claims
from paperback.cli.derive import derive
from paperback.cli.doctor import doctor
from paperback.cli.prove import prove
from paperback.cli.report import report
from paperback.cli.rewrite import diff, rewrite
from paperback.cli.train import train


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 120})
@click.version_option(__version__, prog_name="paperback")
def main() -> None:
    """Neural networks from one line of index notation.

    Exit codes: 0 fine, 1 a check failed, 2 bad usage or bad input.
    """


for _command in (train, evaluate, predict, report, summary, derive, prove, rewrite, diff, claims, doctor):
    main.add_command(_command)
if sys.excepthook is quietly:
    sys.excepthook = sys.__excepthook__
