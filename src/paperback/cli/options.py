"""What an option may be given, and what a command says of one that it does not have or that cannot be."""

from __future__ import annotations

__all__ = ["Command", "OneOf", "Real", "Shape", "Whole", "declarations", "needs", "refuse"]

import json
import re
from collections.abc import Iterable
from typing import Any, NoReturn

import click

from paperback.arguments import closest


def refuse(option: str, message: str) -> NoReturn:
    """The error for an option that does not apply, or cannot be."""
    raise click.UsageError(f"{option} {message}", click.get_current_context(silent=True))


def needs(option: str, given: object, condition: bool, where: str, fix: str = "leave it out") -> None:
    """Refuse an option that was given where it would be ignored: it is `where` only."""
    if given is not None and given is not False and not condition:
        refuse(option, f"is {where}; {fix}")


def declarations(axes: Iterable[str], size: Iterable[str], sizes: str | None) -> dict[str, Any]:
    """What the options say of axes and sizes, as keywords of `formula`."""
    declared: dict[str, Any] = dict(_pair("--axes", item) for item in axes)
    numbers = [("--size", item) for item in size]
    numbers += [("--sizes", item) for item in re.split(r"[,\s]+", sizes or "") if item]
    for option, item in numbers:
        name, value = _pair(option, item)
        if not value.isdecimal():
            refuse(option, f"{name} needs a whole number, found {value}; write for example {option} {name}=2")
        declared[name] = int(value)
    return declared


def _pair(option: str, item: str) -> tuple[str, str]:
    name, equals, value = item.partition("=")
    if not equals or not name.strip():
        example = {"--axes": '"x=H W"', "--sizes": '"H=28 W=28"'}.get(option, "s=2")
        refuse(option, f"needs a name, = and its value, found {item}; write for example {option} {example}")
    return name.strip(), value.strip()


class Whole(click.ParamType):  # type: ignore[type-arg]
    """A whole number from `least` on."""

    name = "number"

    def __init__(self, least: int) -> None:
        self.least = least

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        if isinstance(value, int):
            return value
        if not str(value).isdecimal() or int(value) < self.least:
            example = _example(param, max(self.least, 3))
            self.fail(f"needs a whole number from {self.least} on, found {value}; {example}")
        return int(value)


class Real(click.ParamType):  # type: ignore[type-arg]
    """A number low <= value <= high; without the ends where `inside`."""

    name = "number"

    def __init__(self, low: float = 0, high: float = float("inf"), inside: bool = False, usual: float = 0.1) -> None:
        self.low, self.high, self.inside, self.usual = low, high, inside, usual

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        try:
            number = float(value)
        except ValueError:
            number = float("nan")
        good = self.low < number < self.high if self.inside else self.low <= number <= self.high
        if not good or number == float("inf"):
            top = "" if self.high == float("inf") else f" and {'below' if self.inside else 'at most'} {self.high:g}"
            bottom = f"{'above' if self.inside else 'at least'} {self.low:g}"
            self.fail(f"needs a number {bottom}{top}, found {value}; {_example(param, self.usual)}")
        return number


class OneOf(click.ParamType):  # type: ignore[type-arg]
    """One of these words, in capitals or not."""

    name = "name"

    def __init__(self, words: Iterable[str]) -> None:
        self.words = tuple(words)

    def get_metavar(self, param: click.Parameter, ctx: click.Context | None = None) -> str:
        return f"[{'|'.join(self.words)}]"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        word = str(value).lower()
        if word not in self.words:
            what = param.human_readable_name if param else "word"
            self.fail(f"no {what} is called {value}; {closest(value, self.words)}")
        return word


class Shape(click.ParamType):  # type: ignore[type-arg]
    """Whole numbers with x between them, as 28x28x1."""

    name = "shape"

    def __init__(self, example: str) -> None:
        self.example = example

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> tuple[int, ...]:
        if isinstance(value, tuple):
            return value
        parts = str(value).lower().split("x")
        if not all(part.isdecimal() and int(part) > 0 for part in parts):
            self.fail(f"needs whole numbers with x between, found {value}; {_example(param, self.example)}")
        return tuple(int(part) for part in parts)


def _example(param: click.Parameter | None, value: object) -> str:
    return f"write for example {param.opts[0] if param else ''} {value}"


class Command(click.Command):
    """A command that names what was meant with a wrong option, and with --json tells errors of usage as JSON too."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        as_json = "--json" in args
        try:
            return super().parse_args(ctx, args)
        except click.NoSuchOption as error:
            known = [name for param in self.get_params(ctx) for name in param.opts if name.startswith("--")]
            asked = error.option_name
            meant = click.UsageError(f"no option is called {asked}; {closest(asked, known)}", ctx)
        except click.MissingParameter as error:
            name = error.param.human_readable_name if error.param else ""
            meant = click.UsageError(f"{name} is missing; write paperback {ctx.info_name} {name}", ctx)
        except click.UsageError as error:
            meant = error
            if error.message.startswith("Got unexpected extra"):
                extra = error.message.partition("(")[2].rstrip(")")
                meant = click.UsageError(f"found {extra} where an option is needed; options begin with --", ctx)
        if as_json:
            click.echo(json.dumps({"error": meant.format_message()}))
        raise meant
