"""Claims and their verdicts: identities are proved, and every proved statement is evaluated exactly again."""

from __future__ import annotations

from random import Random

import pytest
from tests.proofs.identities import IDENTITIES, Identity

import paperback as pb
from paperback.proofs.degree import degree_of
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


def test_the_script_of_a_counterexample_shows_both_values(capsys: pytest.CaptureFixture[str]) -> None:
    example = pb.prove("y[i] = x[i]/2 where i < N", "y[i] = x[i]*x[i]", x="N").counterexample
    assert example is not None
    exec(example.script(), {})
    shown = dict(line.split(" ", 1) for line in capsys.readouterr().out.splitlines())
    assert {side: eval(value) for side, value in shown.items()} == {
        "left": [float(example.left)], "right": [float(example.right)],
    }  # fmt: skip


def test_a_polynomial_identity_beyond_the_algebra_is_verified() -> None:
    verdict = pb.prove("sum(i<N) i*x[i]^2", "(sum(i<N) N*x[i]^2) - (sum(i<N) (N - i)*x[i]^2) + 0*x[0]", x="N")
    assert verdict.status == "proved for all sizes"
    verdict = pb.prove("sum(i<N) i", "N*(N-1)/2", N=300)  # too many to be written out
    assert (verdict.status, verdict.holds) == ("verified", True)
    assert "wrong with a chance below" in verdict.why
    assert pb.prove("sum(i<N) i", "N*N/2", x="N").status == "refuted"


@pytest.mark.parametrize(
    ("left", "right", "degree"), [("x[i]^3", "0", 3), ("x[i]*w[i] + x[i]", "w[i]", 2), ("1/x[i]", "w[i]", 2)]
)
def test_degrees(left: str, right: str, degree: int) -> None:
    both = pair(f"y[i] = {left} where i < 2", f"y[i] = {right} where i < 2", {"x": "2", "w": "2"}, {})
    assert degree_of(both.left, both.right, {}) == degree


def test_what_was_never_evaluated_says_so() -> None:
    """A proof stands by itself, but nobody has seen it at work."""
    verdict = pb.prove("sum(i<N) x[i]", "sum(i<N) x[N-1-i]", x="N")
    assert verdict.status == "proved for all sizes" and "not compared" not in verdict.why
    verdict = pb.prove("(sum(i<N) x[i])^2", "(sum(i<N) x[N-1-i])^2", N=200_000, x="N")
    assert verdict.status == "proved at sizes"
    assert verdict.why.splitlines()[1:] == ["not compared at any point: no small sizes meet the constraints"]


def test_a_claim_may_read_what_reads_a_scalar() -> None:
    """By the names of the formula: they are evaluated with all that they need."""
    norm = "r = sqrt(sum(i) x[i]^2/N + eps) where x: N, eps scalar; y[i] = x[i]/r"
    claim = "dx[t] = dy[t]/r - x[t]*(sum(i) dy[i]*x[i])/(N*r^{})"
    assert pb.prove_derivative(norm, "x", claim.format(3)).status == "proved for all sizes"
    assert pb.prove_derivative(norm, "x", claim.format(2)).status == "refuted"


def test_a_degenerate_range_is_no_proof() -> None:
    verdict = pb.prove("y[i] = sum(p) x[i+p]*w[p]", "y[i] = sum(p) x[i-p]*w[p] where i < H-P+1", x="H", w="P")
    assert verdict.status in ("ill-formed", "refuted"), str(verdict)


@pytest.mark.parametrize(
    ("claim", "status"),
    [
        ("dx[j] = sum(i) dy[i]*y[i]*(1 - y[i])*A[i,j]", "proved for all sizes"),
        ("J[i,k] = y[i]*(1 - y[i])*A[i,k]", "proved for all sizes"),
        ("dy[i] = y[i]*(1 - y[i])*(sum(j) A[i,j]*dx[j])", "proved for all sizes"),
        ("dx[j] = sum(i) dy[i]*y[i]*A[i,j]", "refuted"),
        ("J[i,k] = y[k]*(1 - y[k])*A[k,i]", "refuted"),
    ],
)
def test_a_claimed_derivative_may_read_what_the_formula_computes(claim: str, status: str) -> None:
    assert pb.prove_derivative("y[i] = sigmoid(sum(j) A[i,j]*x[j])", "x", claim).status == status


def test_the_strided_delta() -> None:
    """d/dx[t] of sum(i,p) x[2*i+p]*w[p]: at odd t-p there is no i."""
    formula = pb.formula("y = sum(i,p) x[2*i+p]*w[p]", x="H", w="P")
    count = "floor((H-P)/2)+1"
    right = f"J[t] = sum(p) [2 | t-p and 0 <= t-p < 2*({count})]*w[p]"
    assert pb.prove_derivative(formula, "x", right).status == "proved for all sizes"
    wrong = f"J[t] = sum(p) [0 <= t-p < 2*({count})]*w[p]"
    assert pb.prove_derivative(formula, "x", wrong).status == "refuted"


def test_a_verdict_is_no_truth_value() -> None:
    with pytest.raises(TypeError, match=r"ask for \.holds"):
        bool(pb.prove("1", "1"))
