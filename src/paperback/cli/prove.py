"""`paperback prove`: a claim in, its verdict out."""

from __future__ import annotations

__all__ = ["prove"]

from typing import Any

import click

from paperback.cli.job import CHECK_FAILED, Say, job
from paperback.cli.options import Command, OneOf, declarations, needs, refuse
from paperback.proofs import prove as proofs


@click.command(cls=Command)
@click.argument("left", metavar="LEFT")
@click.argument("right", metavar="[RIGHT]", required=False)
@click.option("--axes", multiple=True, metavar='"x=H W R"', help="The axes of a tensor; may be repeated.")
@click.option("--size", multiple=True, metavar="s=2", help="A size that is known; may be repeated.")
@click.option("--sizes", metavar='"H=28 W=28"', help="Several sizes at once.")
@click.option("--scalar", multiple=True, metavar="NAME", help="A scalar input; may be repeated.")
@click.option("--derivative-of", metavar="FORMULA", help="LEFT claims to be a derivative of this formula.")
@click.option("--wrt", help="The input that it is the derivative by.")
@click.option("--what", type=OneOf(proofs.WHAT), help="Which derivative. Default: what the claim shows.")
@job
def prove(
    say: Say,
    left: str,
    right: str | None,
    axes: tuple[str, ...],
    size: tuple[str, ...],
    sizes: str | None,
    scalar: tuple[str, ...],
    derivative_of: str | None,
    wrt: str | None,
    what: str | None,
) -> tuple[dict[str, Any], int]:
    """Is LEFT equal to RIGHT, for all sizes and inputs? Exit code 0 if that is proved, 1 if it is not.

    Examples: paperback prove "sigmoid(a)" "(tanh(a/2) + 1)/2" --scalar a

    paperback prove --derivative-of "y[i] = sum(p) x[i+p]*w[p]" --wrt x "dx[n] = sum(j) dy[n-j]*w[j] where dy pads 0"
    """
    declared = declarations(axes, size, sizes)
    if derivative_of is None:
        needs("--wrt", wrt, False, "for --derivative-of only")
        needs("--what", what, False, "for --derivative-of only")
        if right is None:
            refuse("RIGHT", 'is missing; write for example paperback prove "sum(i) x[i]" "sum(j) x[j]"')
        verdict = proofs.prove(left, right, scalars=scalar, **declared)
    else:
        needs("RIGHT", right, False, "for a claim of two sides, --derivative-of takes one only")
        if wrt is None:
            refuse("--derivative-of", "needs the input that LEFT is the derivative by: --wrt x")
        verdict = proofs.prove_derivative(derivative_of, wrt, left, what=what, scalars=scalar, **declared)
    say(str(verdict))
    return {"command": "prove", **verdict.json()}, 0 if verdict.holds else CHECK_FAILED
