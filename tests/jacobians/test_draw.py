"""Matrices on paper: the banded ones of the convolutions that documents print, entry by entry."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

import paperback as pb
from paperback.cli.main import main
from paperback.errors import FormulaError
from paperback.jacobians.draw import matrix_picture

VALID = "y[i] = sum(p) x[i+p]*w[p] where x: d, w: k"
FULL = "y[i] = sum(p) x[i+p-k+1]*w[p] where x: d, w: k, x pads 0, i < d+k-1"

PAPER = {
    (VALID, "x", "d=6 k=3"): """
      x[0]  x[1]  x[2]  x[3]  x[4]  x[5]
y[0]  w[0]  w[1]  w[2]  ·     ·     ·
y[1]  ·     w[0]  w[1]  w[2]  ·     ·
y[2]  ·     ·     w[0]  w[1]  w[2]  ·
y[3]  ·     ·     ·     w[0]  w[1]  w[2]""",
    (FULL, "x", "d=4 k=3"): """
      x[0]  x[1]  x[2]  x[3]
y[0]  w[2]  ·     ·     ·
y[1]  w[1]  w[2]  ·     ·
y[2]  w[0]  w[1]  w[2]  ·
y[3]  ·     w[0]  w[1]  w[2]
y[4]  ·     ·     w[0]  w[1]
y[5]  ·     ·     ·     w[0]""",
    ("S[i] = exp(z[i] - logsumexp(k) z[k]) where z: n", "z", "n=2"): """
      z[0]              z[1]
S[0]  S[0] - S[0]*S[0]  -S[1]*S[0]
S[1]  -S[0]*S[1]        S[1] - S[1]*S[1]""",
    ("y[o] = sum(i) x[i]*w[i,o] where w: I O", "w", "I=2 O=2"): """
      w[0,0]  w[0,1]  w[1,0]  w[1,1]
y[0]  x[0]    ·       x[1]    ·
y[1]  ·       x[0]    ·       x[1]""",
    ("y[i] = relu(x[i]) where x: n", "x", "n=2"): """
      x[0]        x[1]
y[0]  [x[0] > 0]  ·
y[1]  ·           [x[1] > 0]""",
}


@pytest.mark.parametrize(("text", "wrt", "sizes"), PAPER)
def test_the_matrix_is_that_on_paper(text: str, wrt: str, sizes: str) -> None:
    numbers = {name: int(size) for name, _, size in (item.partition("=") for item in sizes.split())}
    assert pb.formula(text).matrix(wrt, **numbers) == PAPER[text, wrt, sizes].lstrip("\n")


def test_the_symbols_are_the_numbers() -> None:
    """Every cell of the text, evaluated with numbers for w, is the entry."""
    w = np.array([2.0, 3.0, 5.0])
    for text in (VALID, FULL):
        formula = pb.formula(text)
        cells = [line.split()[1:] for line in formula.matrix("x", d=5, k=3).splitlines()[1:]]
        values = {f"w[{k}]": value for k, value in enumerate(w)} | {"·": 0.0}
        numbers = [[values[cell] for cell in row] for row in cells]
        assert np.array_equal(numbers, formula.derivative("x")(w=w, x=np.zeros(5)))


def test_the_command_draws_it(tmp_path: Path) -> None:
    file = tmp_path / "toeplitz.png"
    ran = CliRunner().invoke(
        main, ["derive", VALID, "--wrt", "x", "--show-matrix", "--sizes", "d=6 k=3", "--png", str(file)]
    )
    words = "Jacobian by x: Toeplitz, band 0..2; 12 of 24 entries non-zero\n"
    assert ran.exit_code == 0 and ran.output == words + PAPER[VALID, "x", "d=6 k=3"] + "\n"
    assert file.read_bytes().startswith(b"\x89PNG")


def test_the_picture_is_a_square_for_each_entry() -> None:
    conv = pb.formula(VALID).jacobian("x", x=np.zeros(6), w=np.array([1.0, -1.0, 0.5]))
    pixels = matrix_picture(conv)
    assert pixels.shape == (4 * 16, 6 * 16, 3)
    cells = pixels[8::16, 8::16]
    white = cells[0, 5]
    assert np.array_equal((cells != white).any(axis=-1), conv.matrix() != 0)
    assert np.array_equal(cells[0, 0], cells[3, 3]) and not np.array_equal(cells[0, 0], cells[0, 1])


def test_what_cannot_be_drawn() -> None:
    with pytest.raises(FormulaError) as error:
        pb.formula(VALID).matrix("x", k=3)
    assert str(error.value) == "the matrix is drawn for sizes that are numbers: d\n  write them, for example d=4"
    with pytest.raises(FormulaError) as error:
        pb.formula(VALID).matrix("x", d=100, k=3)
    assert str(error.value) == "the matrix by x is not drawn: it has 9,800 entries\n  draw up to 1,024 entries"
