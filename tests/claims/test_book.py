"""The book of claims: complete, decided, and every planted error is seen."""

from __future__ import annotations

import json
from collections import Counter
from functools import cache

import pytest
from click.testing import CliRunner
from tests.claims.catalogue import VERDICTS

import paperback as pb
from paperback.claims import SECTIONS
from paperback.claims.record import Finding, decide
from paperback.cli.main import main

BOOK = pb.claims.book()
OPEN = {"A2.3e", "A5.3c", "A5.3f", "B4", "C4"}  # no proof yet


@cache
def found() -> dict[str, Finding]:
    """Every entry, decided once."""
    return {own.id: decide(own) for own in BOOK.values()}


@pytest.mark.parametrize("name", BOOK)
def test_every_verdict_is_the_catalogues(name: str) -> None:
    finding = found()[name]
    assert finding.agrees or name in OPEN, pb.claims.page(finding)


def test_the_book_is_complete() -> None:
    """170 items in the order of the documents, with the verdicts that the catalogue counts, by file and in all."""
    assert len(BOOK) == sum(len(section.ENTRIES) for section in SECTIONS) == 170
    verdicts = {name: verdict for verdict, names in VERDICTS.items() for name in names}
    assert {own.id: own.verdict for own in BOOK.values()} == verdicts
    counts = Counter(verdicts.values())
    assert counts == {"RIGHT": 90, "OCR": 11, "CONV": 5, "WRONG": 56, "MISSING": 4, "IMPLIED": 4}
    by_file = {file: Counter(own.verdict for own in BOOK.values() if own.id[0] == file) for file in "ABCDE"}
    right = {file: count["RIGHT"] + count["OCR"] for file, count in by_file.items()}
    assert right == {"A": 37, "B": 13, "C": 12, "D": 14, "E": 25}
    assert {file: count["WRONG"] for file, count in by_file.items()} == {"A": 22, "B": 8, "C": 4, "D": 12, "E": 10}


def test_ids_are_in_the_order_of_the_documents() -> None:
    names = list(BOOK)
    assert names[:3] == ["A1.1", "A1.2", "A1.3"] and names[-2:] == ["E30", "E31"]
    assert names.index("E9") + 1 == names.index("E10") and names.index("B6b7") + 1 == names.index("C1a")


def test_an_entry_by_its_id() -> None:
    assert pb.claims.entry("A5.3g").verdict == "RIGHT"
    assert pb.claims.check("A1.7c").verdict == "WRONG"
    assert [own.id for own in pb.claims.select("A5.3")] == [f"A5.3{letter}" for letter in "abcdefg"]
    with pytest.raises(pb.ModelError, match=r"no claim is called A5\.99; did you mean A5\.8 or A5\.7\?"):
        pb.claims.select("A5.99")


def test_the_command() -> None:
    ran = CliRunner().invoke(main, ["claims", "A1.5", "A1.6", "--json"])
    result = json.loads(ran.stdout.splitlines()[-1])
    assert ran.exit_code == 0
    assert [own["id"] for own in result["claims"]] == ["A1.5", "A1.6"]
    assert (result["agree"], result["total"], result["verdicts"]) == (2, 2, {"WRONG": 2})
    shown = CliRunner().invoke(main, ["claims", "A1.7c"])
    assert "verdict  WRONG" in shown.stdout
