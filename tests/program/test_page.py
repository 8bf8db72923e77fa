"""A program as a table: every statement is a row, with the shape of what it computes; and the text says the same."""

from __future__ import annotations

import xml.etree.ElementTree as ET

import paperback as pb
from paperback import nn
from paperback.program.program import Program

MATH = "{http://www.w3.org/1998/Math/MathML}"


def trained() -> Program:
    net = nn.Sequential(nn.Conv2d(3, 3, padding="same"), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(), nn.Dense(4))
    return pb.Model(net, (6, 5, 1)).program("softmax_cross_entropy", pb.optim.SGD(0.1, momentum=0.9))


def rows(program: Program) -> list[list[ET.Element]]:
    return [list(row) for row in ET.fromstring(program._repr_html_()).iter("tr")]


def test_every_statement_has_its_row() -> None:
    program = trained()
    formulas = [cells for cells in rows(program) if cells[0].find(MATH + "math") is not None]
    assert len(formulas) == len(program.statements) + len(program.updates) >= 25
    targets = [next(formula.iter(MATH + "mi")).text for formula, _ in formulas]
    assert sorted(map(str, targets)) == sorted([*(s.target for s in program.statements), *program.updates])
    assert targets[0] == "conv2d_1.y" and targets[-1] == "dense_1.b"
    for target, (_, shape) in zip(targets, formulas, strict=True):
        assert (shape.text or "") == " ".join(map(str, program.tensors[str(target)].axes))


def test_the_sections_of_table_and_text_are_the_same() -> None:
    program = trained()
    titles = [row[0].text for row in rows(program) if row[0].tag == "th"]
    assert titles == [*program.given, "forward", "backward", "update"]
    text = str(program)
    assert all(f"{title}:" in text for title in titles)
    given = [row[0].text for row in rows(program) if row[0].tag == "td" and row[0].find(MATH + "math") is None]
    assert given[1] == "label: N int"


def test_pads_are_said() -> None:
    assert "where input pads 0" in str(trained())
    assert "elsewhere" in trained()._repr_html_()
