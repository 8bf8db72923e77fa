"""Wrong variants of true statements, made by mutators, are refuted with a counterexample; none of them is proved."""

from __future__ import annotations

from collections import Counter
from random import Random

import pytest
from tests.proofs.identities import IDENTITIES, Identity
from tests.proofs.mutators import MUTATORS, mutants

import paperback as pb
from paperback.proofs.pair import pair
from paperback.proofs.search import differs, small_points

LEAST = 200


def wrong_variants(identity: Identity, most: int | None) -> list[str]:
    """Mutants of the left side, another mistake first for every identity; at most so many."""
    found = [text for _, text in mutants(identity.left)]
    Random(identity.name).shuffle(found)
    return found[:most]


def is_equal_at_many_points(wrong: str, identity: Identity) -> bool:
    """Exact evaluation at other points than those of the prover finds no difference."""
    declared = dict(identity.declared)
    scalars = declared.pop("scalars", ())
    both = pair(wrong, identity.truth, declared, {}, scalars=scalars)
    return all(differs(both, point) is None for point in small_points(both, Random(77), 3))


def refutes_all(most: int | None) -> None:
    count: Counter[str] = Counter()
    wrong_verdicts = []
    for identity in IDENTITIES:
        for wrong in wrong_variants(identity, most):
            verdict = pb.prove(wrong, identity.truth, **identity.declared)
            count[verdict.status] += 1
            if verdict.status == "refuted":
                assert verdict.counterexample is not None
            elif verdict.status != "ill-formed" and not is_equal_at_many_points(wrong, identity):
                wrong_verdicts.append((verdict.status, identity.name, wrong))
    assert not wrong_verdicts
    assert count["refuted"] >= LEAST, count
    assert count["tested"] + count["not decided"] <= 0.02 * count["refuted"], count


def test_wrong_variants_are_refuted() -> None:
    refutes_all(4)


@pytest.mark.long
def test_all_wrong_variants_are_refuted() -> None:
    refutes_all(None)


def test_every_mutator_makes_wrong_variants() -> None:
    made = Counter(name for identity in IDENTITIES for name, _ in mutants(identity.left))
    assert all(made[name] >= 1 for name in MUTATORS), made
    assert len(IDENTITIES) >= 40
