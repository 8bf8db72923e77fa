"""`paperback derive`: a formula in, its derivative out."""

from __future__ import annotations

__all__ = ["derive"]

from typing import Any

import click

from paperback.cli.job import Say, job
from paperback.cli.options import Command, OneOf, refuse
from paperback.formulas import formula


@click.command(cls=Command)
@click.argument("text", metavar="FORMULA")
@click.option("--wrt", multiple=True, help="The input to differentiate by; may be repeated. Default: every input.")
@click.option("--axes", multiple=True, metavar='"x=H W R"', help="The axes of a tensor; may be repeated.")
@click.option("--size", multiple=True, metavar="s=2", help="A size that is known; may be repeated.")
@click.option("--base", type=OneOf(("0", "1")), help="Where the indices of a formula in LaTeX begin. Default: 0.")
@job
def derive(
    say: Say, text: str, wrt: tuple[str, ...], axes: tuple[str, ...], size: tuple[str, ...], base: str | None
) -> tuple[dict[str, Any], int]:
    """The derivative, the VJP and the JVP of a FORMULA, in plain text or LaTeX, as formulas.

    Example: paperback derive "y[o] = sum(i) x[i]*w[i,o] + b[o]" --wrt x
    """
    declared: dict[str, Any] = dict(_pair("--axes", item) for item in axes)
    for name, value in (_pair("--size", item) for item in size):
        if not value.isdecimal():
            refuse("--size", f"{name} needs a whole number, found {value}; write for example --size {name}=2")
        declared[name] = int(value)
    given = formula(text, base=None if base is None else int(base), **declared)
    found: dict[str, dict[str, str]] = {}
    for name in wrt or given.inputs:
        found[name] = {
            "derivative": str(given.derivative(name)),
            "vjp": str(given.vjp(name)),
            "jvp": str(given.jvp(name)),
        }
    say(str(given))
    for name, formulas in found.items():
        for what, shown in formulas.items():
            say(f"\n{what} by {name}\n{shown}")
    return {"command": "derive", "formula": str(given), "wrt": found}, 0


def _pair(option: str, item: str) -> tuple[str, str]:
    name, equals, value = item.partition("=")
    if not equals or not name.strip():
        example = '"x=H W"' if option == "--axes" else "s=2"
        refuse(option, f"needs a name, = and its value, found {item}; write for example {option} {example}")
    return name.strip(), value.strip()
