"""The book of claims: complete, decided, and every planted error is seen."""

from __future__ import annotations

import json
from collections import Counter
from functools import cache

import pytest
from click.testing import CliRunner

import paperback as pb
from paperback.claims.record import Finding, decide
from paperback.cli.main import main

BOOK = pb.claims.book()
OPEN = {"A1.3", "A2.2", "A2.3e", "A2.4d", "A5.3c", "A5.3f", "A5.6a", "A5.6b", "B4", "C4"}  # no proof yet


@cache
def found() -> dict[str, Finding]:
    """Every entry, decided once."""
    return {own.id: decide(own) for own in BOOK.values()}


@pytest.mark.parametrize("name", BOOK)
def test_every_verdict_is_the_catalogues(name: str) -> None:
    finding = found()[name]
    assert finding.agrees or name in OPEN, pb.claims.page(finding)


def test_ids_are_in_the_order_of_the_documents() -> None:
    assert list(BOOK)[:3] == ["A1.1", "A1.2", "A1.3"]
    assert Counter(name[0] for name in BOOK)["A"] == 62


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
