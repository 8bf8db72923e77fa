"""What all commands share: `--json`, errors as messages, exit codes.

    0   fine
    1   the check failed (an accuracy below --at-least)
    2   bad usage or bad input
    130 Ctrl-C

With `--json` standard output is one line, a JSON object: the result, or {"error": message}. Warnings, and why a command
failed, are lines on standard error; the result of a failed check says it under "check_failed".
"""

from __future__ import annotations

__all__ = ["CHECK_FAILED", "INTERRUPTED", "Failure", "Say", "below", "job", "label_column"]

import functools
import json
import warnings
from collections.abc import Callable
from typing import Any, TextIO

import click

from paperback.errors import PaperbackError

CHECK_FAILED = 1
INTERRUPTED = 130

Say = Callable[[str], None]


class Failure(click.ClickException):
    """Bad input: the message, and exit code 2."""

    exit_code = 2


def _warned(
    message: Warning | str, category: type[Warning], filename: str, lineno: int,
    file: TextIO | None = None, line: str | None = None,
) -> None:  # fmt: skip
    """A warning is a line for people, without the place in the code."""
    click.echo(f"Warning: {message}", err=True)


def job(command: Callable[..., tuple[dict[str, Any], int]]) -> Callable[..., None]:
    """Make a command of a function that takes `say` and its options and returns (result for JSON, exit code).

    `say` prints a line for people; with `--json` it is silent.
    """

    def run(as_json: bool, **options: Any) -> None:
        def say(line: str) -> None:
            if not as_json:
                click.echo(line)

        try:
            with warnings.catch_warnings():
                warnings.showwarning = _warned
                result, code = command(say=say, **options)
        except BrokenPipeError:
            raise  # nobody reads any more: click ends quietly
        except KeyboardInterrupt:
            if as_json:
                click.echo(json.dumps({"error": "interrupted"}))
            click.echo("interrupted", err=True)
            click.get_current_context().exit(INTERRUPTED)
        except click.UsageError as error:
            if as_json:
                click.echo(json.dumps({"error": error.format_message()}))
            raise
        except (PaperbackError, OSError) as error:
            if as_json:
                click.echo(json.dumps({"error": str(error)}))
            raise Failure(str(error)) from error
        if "check_failed" in result:
            click.echo(f"check failed: {result['check_failed']}", err=as_json)
        if as_json:
            click.echo(json.dumps(result, allow_nan=False))
        click.get_current_context().exit(code)

    functools.update_wrapper(run, command)
    return click.option("--json", "as_json", is_flag=True, help="Print one JSON object and nothing else.")(run)


def below(result: dict[str, Any], reached: float, at_least: float | None, what: str = "accuracy") -> int:
    """CHECK_FAILED, with the reason in the result, where what was reached is below `--at-least`; else 0."""
    if at_least is None or reached >= at_least:
        return 0
    result["check_failed"] = f"the {what} {reached:.4f} is below --at-least {at_least:g}"
    return CHECK_FAILED


def label_column(text: str | None) -> int | str | None:
    """`--label` as `data.load` takes it: a whole number is a place, anything else a name."""
    return int(text) if text is not None and text.removeprefix("-").isdecimal() else text
