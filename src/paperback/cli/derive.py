"""`paperback derive`: a formula or a network in; its derivatives out, as formulas, LaTeX or source text."""

from __future__ import annotations

__all__ = ["derive"]

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import click

from paperback.cli import matrix
from paperback.cli.job import Say, job
from paperback.cli.network import derive_network, network_options
from paperback.cli.options import Command, OneOf, declarations, needs, refuse
from paperback.engines.emit import TARGETS
from paperback.formulas import Formula, formula

_DERIVATIVES: Mapping[str, Callable[[Formula, str], Formula]] = {
    "jacobian": lambda given, name: given.derivative(name),
    "vjp": lambda given, name: given.vjp(name),
    "jvp": lambda given, name: given.jvp(name),
    "hessian": lambda given, name: given.hessian(name),
}
_USUAL = {"derivative": "jacobian", "vjp": "vjp", "jvp": "jvp"}
FORMS = ("text", "latex", *TARGETS)


@click.command(cls=Command)
@click.argument("text", metavar="[FORMULA]", required=False)
@click.option("--wrt", multiple=True, help="The input to differentiate by; may be repeated. Default: every input.")
@click.option("--what", type=OneOf(("forward", *_DERIVATIVES)),
              help="One derivative, or the formula itself. Default: jacobian, VJP and JVP.")
@click.option("--as", "form", type=OneOf(FORMS), default="text", show_default=True,
              help="How it is written; numpy, torch and jax are source text.")
@click.option("--name", metavar="NAME", help="With --as numpy, torch or jax: the name of the function.")
@click.option("--axes", multiple=True, metavar='"x=H W R"', help="The axes of a tensor; may be repeated.")
@click.option("--size", multiple=True, metavar="s=2", help="A size that is known; may be repeated.")
@click.option("--sizes", metavar='"H=28 W=28"', help="Several sizes that are known.")
@click.option("--show-matrix", is_flag=True, help="Draw the Jacobian, which must be small; --sizes gives its sizes.")
@click.option("--png", metavar="FILE", help="With --show-matrix: a picture of it too, one input in --wrt.")
@click.option("--base", type=OneOf(("0", "1")), help="Where the indices of a formula in LaTeX begin. Default: 0.")
@job
@network_options
def derive(
    say: Say,
    text: str | None,
    wrt: tuple[str, ...],
    what: str | None,
    form: str,
    name: str | None,
    axes: tuple[str, ...],
    size: tuple[str, ...],
    sizes: str | None,
    show_matrix: bool,
    png: str | None,
    base: str | None,
    network: Mapping[str, Any] | None,
) -> tuple[dict[str, Any], int]:
    """The derivatives of a FORMULA, in plain text or LaTeX: its Jacobian, VJP and JVP. Or the chain rule of a network.

    Example: paperback derive "y[o] = sum(i) x[i]*w[i,o] + b[o]" --wrt x

    Example: paperback derive "y[i] = sum(p) x[2*i+p]*w[p]" --what vjp --as torch

    Example: paperback derive "y[i] = sum(p) x[i+p]*w[p]" --axes x=d --axes w=k --wrt x --show-matrix --sizes "d=6 k=3"

    Example: paperback derive --model "conv 3x3x8, relu, maxpool 2, flatten, dense 10" --layer conv2d_1
    """
    if network is not None:
        given_ = {"FORMULA": text, "--wrt": wrt, "--what": what, "--name": name, "--axes": axes, "--size": size,
                  "--sizes": sizes, "--show-matrix": show_matrix, "--png": png, "--base": base}
        for option, value in given_.items():
            needs(option, value or None, False, "of a formula, --model says a network")
        return derive_network(say, form, network)
    if text is None:
        refuse("FORMULA", "is missing; write paperback derive FORMULA, or --model")
    needs("--wrt", wrt or None, what != "forward", "a matter of derivatives, and --what forward is none")
    needs("--name", name, form in TARGETS, "the name of a function, which --as numpy, torch and jax write")
    needs("--png", png, show_matrix, "a picture of the matrix that --show-matrix draws")
    given = formula(text, base=None if base is None else int(base), **declarations(axes, size, sizes))
    by = wrt or _floats(given)
    report: dict[str, Any] = {"command": "derive", "formula": str(given), "as": form}
    if show_matrix:
        drawn = {n: matrix.show_matrix(given, n, png) for n in by}
        say("\n\n".join(f"Jacobian by {n}: {shown}" for n, shown in drawn.items()))
        return {**report, "wrt": list(by), "matrix": drawn}, 0
    if form in TARGETS:
        report["source"] = _source(given, form, what, by, name)
        say(report["source"].rstrip())
        return {**report, "wrt": list(by)}, 0
    write = Formula.latex if form == "latex" else str
    if what == "forward":
        say(write(given))
        return {**report, "wrt": {}}, 0
    asked = {what: what} if what else _USUAL
    found = {n: {label: write(_DERIVATIVES[kind](given, n)) for label, kind in asked.items()} for n in by}
    say(write(given))
    for name_, formulas in found.items():
        for label, shown in formulas.items():
            say(f"\n{label} by {name_}\n{shown}")
    return {**report, "wrt": found}, 0


def _source(given: Formula, form: str, what: str | None, by: Sequence[str], name: str | None) -> str:
    """Source text: one function for each derivative, a vjp or jvp by all inputs at once."""
    if what == "jacobian":
        return "\n\n".join(given.source(form, "derivative", n, name=name) for n in by)
    if what == "hessian":
        return "\n\n".join(given.hessian(n).source(form, name=name and f"{name}_hessian") for n in by)
    if what == "forward":
        return given.source(form, name=name)
    return given.source(form, what or ("forward", "vjp", "jvp"), by, name=name)


def _floats(given: Formula) -> list[str]:
    return [name for name, tensor in given.block.inputs.items() if not tensor.integer]
