"""Mistakes planted in the prover: without any of them no wrong claim is proved, with each of them one is."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

import paperback as pb
from paperback.calculus.proof import expand, functions, laws, simplify
from paperback.calculus.proof.decide import decide
from paperback.calculus.proof.expand import Expander
from paperback.calculus.proof.match import Matcher
from paperback.calculus.proof.positive import Known
from paperback.calculus.proof.sums import NOTHING, Domain, atom, constant
from paperback.proofs import prove as proofs
from paperback.proofs.pair import Pair, pair

WRONG: list[tuple[str, str, dict[str, Any]]] = [
    ("y[q] = sum(m | m <= q) x[m] where q < T", "y[q] = sum(m | m >= q) x[m]", {"x": "T"}),
    ("sum(i<N) x[i]", "sum(i<M) x[i]", {"x": "N+M", "z": "N"}),
    ("sum(i) x[i]", "sum(i<N-1) x[i]", {"x": "N"}),
    ("sum(i<N) 1", "N+1", {"x": "N"}),
    ("sum(i<N) 1", "1", {"x": "N"}),
    ("b/(a+b)", "1", {"scalars": ["a", "b"]}),
    ("y[i] = sum(p) x[i+p]*w[p]", "y[i] = sum(p) x[i+p]*w[P-1-p]", {"x": "H", "w": "P"}),
    ("y[i] = sum(p) x[i+p]*w[p]", "y[i] = sum(p) x[i+P-1-p]*w[p]", {"x": "H", "w": "P"}),
    ("y[i] = x[i+1] where x pads 0, i < N", "y[i] = x[i-1] where x pads 0, i < N", {"x": "N"}),
    ("y[i] = x[i+1] where x pads 2, i < N", "y[i] = x[i+1] where x pads 0, i < N", {"x": "N"}),
    ("y[i,j] = [i == j]*x[i]", "y[i,j] = x[i] where j < N", {"x": "N"}),
    ("y[t] = [2 | t]*x[t]", "y[t] = [2 | t+1]*x[t]", {"x": "N"}),
    ("exp(a)*exp(b)", "exp(a-b)", {"scalars": ["a", "b"]}),
    ("relu(a)", "a", {"scalars": ["a"]}),
    ("log(a*a)", "2*log(2*a)", {"scalars": ["a"]}),
    ("1/(a+b)", "1/a + 1/b", {"scalars": ["a", "b"]}),
    ("max(i) x[i]", "max(i<N-1) x[i]", {"x": "N"}),
    ("y = max(i) phi(x[i]) where phi function", "phi(max(i) x[i])", {"x": "N"}),
    ("sum(i) x[i]^2", "(sum(i) x[i])^2", {"x": "N"}),
    ("a*[b == 0]", "0", {"scalars": ["a", "b"]}),
    ("sum(q<Q) w[2*q]", "sum(q<Q,r<2) w[2*q+r]", {"w": "2*Q"}),
]  # fmt: skip


def _pair(left: str, right: str, declared: dict[str, Any]) -> Pair:
    axes = {name: value for name, value in declared.items() if name != "scalars"}
    return pair(left, right, axes, {}, scalars=declared.get("scalars", ()))


PAIRS = [_pair(*wrong) for wrong in WRONG]


def nothing_wrong_is_proved() -> None:
    for both in PAIRS:
        assert not decide(both.left, both.right, both.facts, both.lower), both


def _true(*_: Any) -> bool:
    return True


def _free(binders: Any) -> Domain:
    return Domain(tuple(b.letter for b in binders))


def _one(*_: Any) -> Any:
    return constant(1)


def _cold(argument: Any) -> Any:
    return atom(replace(laws.exponential(argument)[0].factors[0][0], parts=(NOTHING,)))


PLANTED: dict[str, tuple[object, str, Callable[..., Any]]] = {
    "guards are ignored": (Expander, "guard", _one),
    "ranges are ignored": (expand, "_ranges", _free),
    "pads are ignored": (Expander, "_padded", lambda self, read, domain, value: value),
    "domains are not compared": (Matcher, "_same_domain", _true),
    "one direction of a domain is not compared": (Matcher, "covers", _true),
    "factors are not compared": (Matcher, "factors_equal", _true),
    "every inequality follows": (Known, "implies", _true),
    "nothing has to be counted": (simplify, "value_of", _one),
    "every sum of two is divided out": (laws, "rest_of", lambda inner, lead: NOTHING),
    "everything is positive": (functions, "positive", _one),
    "exponents of exponentials are lost": (expand, "call_law", lambda name, arguments: _cold(arguments[0])),
    "every function increases": (expand, "INCREASING", {"phi"}),  # type: ignore[dict-item]
}


def test_nothing_wrong_is_proved() -> None:
    nothing_wrong_is_proved()


@pytest.mark.parametrize("name", PLANTED)
def test_planted_mistakes_are_found(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    owner, attribute, mistake = PLANTED[name]
    monkeypatch.setattr(owner, attribute, mistake)
    with pytest.raises(AssertionError):
        nothing_wrong_is_proved()


def test_a_false_proof_is_no_verdict(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the prover is wrong and the first search found nothing, the second raises."""
    search = proofs._Tested.search
    monkeypatch.setattr(proofs, "decide", _true)

    def blind(self: Any, random: Any, effort: int) -> Any:
        return None if effort > 1 else search(self, random, effort)

    monkeypatch.setattr(proofs._Tested, "search", blind)
    with pytest.raises(proofs.UnsoundProofError, match="proved, and false at"):
        pb.prove("relu(a)", "a", scalars=["a"])
