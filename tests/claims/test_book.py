"""The book of claims: complete, decided, and every planted error is seen."""

from __future__ import annotations

import json
import random
import re
from collections import Counter
from dataclasses import replace
from functools import cache
from itertools import islice
from pathlib import Path

import pytest
from click.testing import CliRunner
from tests.claims import mutants
from tests.claims.catalogue import VERDICTS

import paperback as pb
from paperback import claims
from paperback.claims import SECTIONS
from paperback.claims.checks import Check, NoSentence
from paperback.claims.record import Entry, Finding, decide
from paperback.cli.main import main

ROOT = Path(__file__).parents[2]
BOOK = pb.claims.book()


@cache
def found() -> dict[str, Finding]:
    """Every entry, decided once."""
    return {own.id: decide(own) for own in BOOK.values()}


@pytest.mark.parametrize("name", BOOK)
def test_c9_every_verdict_is_the_catalogues(name: str) -> None:
    finding = found()[name]
    assert finding.agrees, str(finding)


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
    assert set(result) == {"command", "claims", "verdicts", "agree", "total", "seconds"}
    assert set(result["claims"][0]) == {
        "id", "title", "source", "statement", "formulas", "document", "expected", "verdict", "found", "agrees",
        "seconds", "steps",
    }  # fmt: skip
    refuted = [step for step in result["claims"][0]["steps"] if step["status"] == "refuted"]
    assert refuted[0]["of"] == "document" and set(refuted[0]) == {
        "what", "of", "status", "holds", "found", "counterexample",
    }  # fmt: skip
    assert (refuted[0]["counterexample"]["left"], refuted[0]["counterexample"]["right"]) == ("-1/4", "1/4")
    shown = CliRunner().invoke(main, ["claims", "A1.7c"])
    assert "verdict  WRONG" in shown.stdout
    table = CliRunner().invoke(main, ["claims", "A1.7", "E24c", "--wrong"]).stdout.splitlines()
    assert [line.split()[0] for line in table] == ["claim", "A1.7b", "A1.7c", "E24c", "3"]
    assert table[-1].startswith("3 of 3 claims as in the catalogue: 3 WRONG;")


def test_the_command_fails_where_a_verdict_is_another(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(claims._BOOK, "A1.5", replace(BOOK["A1.5"], checks=BOOK["A1.5"].checks[:2]))
    monkeypatch.setitem(claims._BOOK, "A1.6", planted(BOOK["A1.6"], 0))
    ran = CliRunner().invoke(main, ["claims", "A1.4", "A1.5", "A1.6"])
    assert ran.exit_code == 1 and "1 of 3 claims as in the catalogue" in ran.stdout
    assert "check failed: not as in the catalogue: A1.5, A1.6" in ran.stdout
    assert "holds" in claims.check("A1.5").found and not claims.check("A1.6").agrees


def test_the_ids_that_sources_name_are_in_the_book() -> None:
    """Layers, losses and conventions say which claim they are: `Source: claims E1 to E3, B4 (padding with -inf)`."""
    named = set()
    for path in (*(ROOT / "src").rglob("*.py"), *(ROOT / "docs").rglob("*.md")):
        for line in re.findall(r"\b[Cc]laims? [A-E]\d.*", path.read_text(encoding="utf-8")):
            named |= set(re.findall(r"\b[A-E]\d+(?:\.\d+)?\w*(?!\w|\()", line))
    assert len(named) > 30
    for name in named:
        assert pb.claims.select(name)


# ------------------------------------------------------------------------------------------------- planted errors


def planted(entry: Entry, seed: int) -> Entry:
    """The entry with one error."""
    return next(mutants.of_entry(entry, random.Random(f"{entry.id} {seed}")))


@pytest.mark.parametrize("name", random.Random(0).sample(list(BOOK), 30))
def test_a_planted_error_turns_an_entry_red(name: str) -> None:
    assert found()[name].agrees
    entry = planted(BOOK[name], 0)
    assert not decide(entry).agrees, entry.checks


@pytest.mark.parametrize("kind", mutants.KINDS, ids=lambda kind: kind.__name__)
def test_an_error_of_every_kind_of_check_is_seen(kind: type[Check]) -> None:
    """Three errors in each of three checks of a kind."""
    dice, ran = random.Random(kind.__name__), 0
    own = [(entry, check) for entry in BOOK.values() for check in entry.checks if type(check) is kind]
    for entry, check in dice.sample(own, min(3, len(own))):
        alone = replace(entry, checks=(check,), verdict="RIGHT")
        for changed in islice(mutants.of_check(check, dice), 3):
            assert not all(step.step.holds for step in decide(replace(alone, checks=(changed,))).steps), changed
            ran += 1
    assert ran >= 2


@pytest.mark.long
@pytest.mark.parametrize("name", BOOK)
def test_errors_in_every_check_are_seen(name: str) -> None:
    ran = 0
    for seed in range(3):
        for entry in mutants.of_entry(BOOK[name], random.Random(f"{name} {seed}")):
            assert not decide(entry).agrees, entry.checks
            ran += 1
    assert ran >= 3


def test_every_kind_of_check_has_its_mutants() -> None:
    assert {type(check) for entry in BOOK.values() for check in entry.checks} == set(mutants.KINDS)


@pytest.mark.parametrize("name", [own.id for own in BOOK.values() if own.versions])
def test_the_truth_of_a_refutation_is_what_the_entry_states(name: str) -> None:
    """Where no numbers say what the truth is there, it is a formula that another check of the entry decides."""
    entry = BOOK[name]
    for check in entry.versions:
        assert isinstance(check, NoSentence) or check.numbers is not None or check.other in entry.formulas, check


def test_entries_have_what_their_verdict_needs() -> None:
    for entry in BOOK.values():
        assert any(not check.document for check in entry.checks), entry.id
        assert bool(entry.versions) >= (entry.verdict == "WRONG") and bool(entry.has) >= (entry.verdict == "WRONG")
        assert not entry.versions or entry.verdict in ("WRONG", "OCR")
