"""Claims and their verdicts: identities are proved, and every proved statement is evaluated exactly again."""

from __future__ import annotations

from random import Random

import pytest
from tests.proofs.identities import IDENTITIES, Identity

import paperback as pb
from paperback.calculus import exact
from paperback.proofs.pair import pair
from paperback.proofs.search import evaluate_both, small_points


@pytest.mark.parametrize("identity", IDENTITIES, ids=lambda identity: identity.name)
def test_identities_are_proved_for_all_sizes(identity: Identity) -> None:
    verdict = pb.prove(identity.left, identity.truth, **identity.declared)
    assert verdict.status == "proved for all sizes", str(verdict)
    assert verdict.holds is True


@pytest.mark.parametrize("identity", IDENTITIES, ids=lambda identity: identity.name)
def test_what_is_proved_is_true_at_random_sizes(identity: Identity) -> None:
    declared = dict(identity.declared)
    scalars = declared.pop("scalars", ())
    axes = {name: value for name, value in declared.items() if isinstance(value, str)}
    sizes = {name: value for name, value in declared.items() if isinstance(value, int)}
    both = pair(identity.left, identity.truth, axes, sizes, scalars=scalars)
    seen = 0
    for point in small_points(both, Random(99)):
        left, right = evaluate_both(both, point)
        assert exact.agree(left, right), point
        seen += 1
    assert seen


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
