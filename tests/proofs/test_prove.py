"""Claims and their verdicts: identities are proved, and every proved statement is evaluated exactly again."""

from __future__ import annotations

from random import Random

import pytest
from tests.proofs.identities import IDENTITIES, Identity

import paperback as pb
from paperback.proofs.pair import pair
from paperback.proofs.search import differs, small_points


@pytest.mark.parametrize("identity", IDENTITIES, ids=lambda identity: identity.name)
def test_identities_are_proved_and_true_at_random_sizes(identity: Identity) -> None:
    truth = identity.truth
    verdict = pb.prove(identity.left, truth, **identity.declared)
    assert verdict.status == "proved for all sizes" and verdict.holds is True, str(verdict)
    axes = {name: value for name, value in identity.declared.items() if name != "scalars"}
    both = pair(identity.left, truth, axes, {}, scalars=identity.declared.get("scalars", ()))
    seen = 0
    for point in small_points(both, Random(99)):
        assert differs(both, point) is None, point
        seen += 1
    assert seen >= 8


def test_a_wrong_claim_is_refuted_and_can_be_run_again() -> None:
    verdict = pb.prove("y[i] = sum(p) x[i+p]*w[p]", "y[i] = sum(p) x[i+p]*w[P-1-p]", x="H", w="P")
    assert verdict.status == "refuted" and verdict.holds is False
    example = verdict.counterexample
    assert example is not None and example.sizes == {"H": 2, "P": 2}
    left, right = example.rerun()
    assert left[example.index] == example.left != example.right == right[example.index]


def test_what_is_no_sentence_is_ill_formed() -> None:
    verdict = pb.prove("y[i] = x[i,j]", "y[i] = z[i]")
    assert verdict.status == "ill-formed" and verdict.holds is False
    assert "j is no index here" in verdict.why
