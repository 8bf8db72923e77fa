"""The laws of identities: both sides are one function for all sizes, and every wrong version is refuted."""

from __future__ import annotations

import pytest

import paperback as pb
from paperback.identities import IDENTITIES, Identity

WRONG = [(entry, what) for entry in IDENTITIES.values() for what in entry.wrong]


@pytest.mark.parametrize("identity", IDENTITIES.values(), ids=list(IDENTITIES))
def test_both_sides_are_one_function(identity: Identity) -> None:
    verdict = pb.prove(identity.left, identity.right, **identity.declared)
    assert verdict.status == "proved for all sizes", verdict


@pytest.mark.parametrize(("identity", "what"), WRONG, ids=[f"{entry.name}: {what}" for entry, what in WRONG])
def test_a_wrong_version_is_refuted(identity: Identity, what: str) -> None:
    verdict = pb.prove(identity.left, identity.wrong[what], **identity.declared)
    assert verdict.status == "refuted", verdict
    left, right = verdict.counterexample.rerun()
    assert left.shape != right.shape or abs(left - right).max() > 1e-9


def test_all_were_looked_at() -> None:
    assert len(IDENTITIES) >= 22
    assert len(WRONG) >= 30
    assert all(entry.wrong and entry.title and all(entry.replaces) for entry in IDENTITIES.values())
    named = {claim for entry in IDENTITIES.values() for claim in entry.claims}
    assert named >= set("A2.1 A2.2 A2.3a A3.3 A3.5 A3.6 A5.2a B1a B2a B3a B4 C2b C3 C4 D2i D2j E1".split())
