"""Bad formulas: the table says word for word what each is told; damaged formulas are told something, never crash."""

from __future__ import annotations

import json
import random
import warnings
from pathlib import Path
from typing import Any

import pytest
from tests.notation.formulas import GOOD

from paperback.errors import FormulaError, FormulaWarning
from paperback.notation.read import read

Case = tuple[dict[str, Any], str, str]


def cases(table: str = "bad_formulas.txt") -> list[Case]:
    """The entries of a table: what the caller declares, the formula, the message."""
    text = (Path(__file__).parent / table).read_text(encoding="utf-8")
    found: list[Case] = []
    for entry in text.split("\n\n@")[1:]:
        declared, _, rest = entry.partition("\n")
        formula, _, message = rest.partition("\n--\n")
        found.append((json.loads(declared or "{}"), formula, message.rstrip("\n")))
    return found


CASES = cases()


def test_the_table_is_there() -> None:
    assert len(CASES) >= 100
    assert len({message for _, _, message in CASES}) >= 100


@pytest.mark.parametrize(("declared", "formula", "message"), CASES, ids=[formula for _, formula, _ in CASES])
def test_bad_formula(declared: dict[str, Any], formula: str, message: str) -> None:
    with pytest.raises(FormulaError) as caught:
        read(formula, **declared)
    assert str(caught.value) == message


def test_every_message_says_where_and_most_how_to_cure_it() -> None:
    hinted = 0
    for declared, formula, _ in CASES:
        with pytest.raises(FormulaError) as caught:
            read(formula, **declared)
        for problem in caught.value.problems:
            hinted += bool(problem.hint)
            assert problem.start is not None or "sizes" in declared or "axes" in declared or not formula
            assert problem.start is None or 0 <= problem.start <= len(formula)
            assert problem.message[0] != " " and not problem.message.endswith(".")
    assert hinted >= 0.7 * len(CASES)


def test_all_errors_of_a_formula_are_told_at_once() -> None:
    with pytest.raises(FormulaError) as caught:
        read("a[i] = x[i] +\nb[i] = 2x[i]\nc[i] = sigmod(x[i])*y[k]")
    assert [p.message for p in caught.value.problems] == ["2x is no number and no name"]
    with pytest.raises(FormulaError) as caught:
        read("a[i] = * x[i]; b[i] = x[i] z[i]; c = x[[0]")
    assert len(caught.value.problems) == 1  # a bracket that is not closed hides where statements end
    with pytest.raises(FormulaError) as caught:
        read("a[i] = * x[i]; b[i] = x[i] z[i]; c = x[0]")
    assert [p.start for p in caught.value.problems] == [7, 27]
    with pytest.raises(FormulaError) as caught:
        read("a[i] = x[i]*u; b[i] = sigmod(x[i])*y[k]; c[i,j] = x[i]")
    assert [p.message for p in caught.value.problems] == [
        "u is not declared",
        "sigmod is no function",
        "k is no index here and no size",
    ]


def test_an_error_knows_its_parts() -> None:
    with pytest.raises(FormulaError) as caught:
        read("C[i] = A[i] + B[i]", axes={"A": "N", "B": "M"})
    error = caught.value
    assert isinstance(error, ValueError)
    assert error.message == "index i runs over N elsewhere, but axis 0 of B has M"
    assert error.hint == "sizes must be equal; nothing is clipped or broadcast"
    assert error.source[error.problems[0].start : error.problems[0].end] == "B"


def test_a_root_written_as_a_quotient_is_warned_of() -> None:
    with pytest.warns(FormulaWarning, match=r"^x\[i\]\^1/2 is \(x\[i\]\^1\)/2; a root is x\[i\]\^\(1/2\)$"):
        read("y[i] = x[i]^1/2")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        read("y[i] = x[i]^2/6 + x[i]^(1/2) + x[i]^1*2")


def test_damaged_formulas_are_read_or_told_what_is_wrong() -> None:
    """One character less, more, or another one: a block or a FormulaError, nothing else."""
    chance = random.Random(0)
    signs = "()[]+-*/^<>=,|; \nxi20.'where and sum max int pads Σ%\\"
    told = right = 0
    for text, declared in GOOD.values():
        for _ in range(25):
            place = chance.randrange(len(text) + 1)
            sign = chance.choice(("", *signs.split(" "), *signs))
            damaged = text[:place] + sign + text[place + chance.choice((0, 1, 1, 5)) :]
            try:
                with warnings.catch_warnings():
                    warnings.simplefilter("ignore", FormulaWarning)
                    read(damaged, **declared)
                right += 1
            except FormulaError as error:
                assert error.problems and str(error)
                told += 1
    assert told > 700 and right > 100


def test_deep_nesting_is_told() -> None:
    for text in ("y = " + "(" * 3000 + "x[]" + ")" * 3000, "y = " + "sum(k<2) " * 3000 + "x[]"):
        with pytest.raises(FormulaError, match="more than 50"):
            read(text)
    assert read("y = " + "(1 + " * 45 + "x[]" + ")" * 45)
