"""Proofs at given sizes, by cases: what is proved is true, what is true of linear forms is proved; mutants."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from itertools import product
from random import Random
from typing import Any

import pytest

import paperback as pb
from paperback.calculus import exact
from paperback.calculus.proof import cells
from paperback.calculus.proof.cells import equal_at
from paperback.notation.block import Block
from paperback.notation.read import read
from paperback.proofs import prove as proofs
from paperback.proofs.pair import pair
from paperback.proofs.search import differs, points

BEYOND: list[tuple[str, str, dict[str, Any]]] = [
    ("sum(i<N) i", "N*(N-1)/2", {"x": "N"}),
    ("sum(i<N) i^2", "N*(N-1)*(2*N-1)/6", {"x": "N"}),
    ("sum(i<N | i < N-1) (x[i+1] - x[i])", "x[N-1] - x[0]", {"x": "N"}),
    ("max(i,j) (x[i] + y[j])", "(max(i) x[i]) + (max(j) y[j])", {"x": "I", "y": "J"}),
    ("max(i) max(x[i], y[i])", "max(max(i) x[i], max(i) y[i])", {"x": "I", "y": "I"}),
    ("max(i) abs(x[i])", "max(max(i) x[i], -(min(i) x[i]))", {"x": "I"}),
    ("a = argmax(i) x[i]; m = x[a]", "m = max(i) x[i]", {"x": "I"}),
    ("max(i) (x[i] + max(j) y[i,j])", "max(i,j) (x[i] + y[i,j])", {"x": "I", "y": "I J"}),
    ("max(i) x[i]", "max(x[0], max(i | i > 0) x[i])", {"x": "I"}),
    ("max(i) x[i]", "(sum(i) [x[i] >= max(k) x[k]]*x[i])/(sum(j) [x[j] >= max(l) x[l]])", {"x": "I"}),
    ("(sum(i) x[i]^2)*(sum(j) y[j]^2)", "(sum(i) x[i]*y[i])^2 + (sum(i) sum(j | j < i) (x[i]*y[j] - x[j]*y[i])^2)",
     {"x": "I", "y": "I"}),
]  # fmt: skip
WRONG: list[tuple[str, str, dict[str, Any]]] = [
    ("sum(i<N) i", "N*(N+1)/2", {"x": "N"}),
    ("sum(i<N | i < N-1) (x[i+1] - x[i])", "x[N-1]", {"x": "N"}),
    ("max(i,j) (x[i] + y[j])", "max(i) x[i]", {"x": "I", "y": "J"}),
    ("max(i) x[i]", "max(i | i > 0) x[i]", {"x": "I"}),
    ("max(i) max(x[i], y[i])", "max(i) x[i]", {"x": "I", "y": "I"}),
    ("max(i) abs(x[i])", "max(max(i) x[i], min(i) x[i])", {"x": "I"}),
    ("a = argmax(i) x[i]; m = y[a]", "m = max(i) y[i]", {"x": "I", "y": "I"}),
    ("a[j] = argmax(i) x[i] where j < 2", "a[j] = sum(i) [x[i] == max(k) x[k]]*i where j < 2", {"x": "I"}),
    ("max(i) x[i]", "sum(i) [x[i] >= max(k) x[k]]*x[i]", {"x": "I"}),
    ("y[i] = step(x[i])", "y[i] = [x[i] > 0]", {"x": "I"}),
    ("y[i] = sign(x[i])", "y[i] = 2*[x[i] > 0] - 1", {"x": "I"}),
    ("y[i] = x[i+1] where x pads 2, i < N", "y[i] = x[i+1] where x pads 0, i < N", {"x": "N"}),
    ("y[2*i] = x[i] where y pads 0", "y[2*i] = x[i] where y pads 1", {"x": "N"}),
    ("y[t] = [2 | t]*x[t]", "y[t] = x[t]", {"x": "N"}),
    ("y[i] = max(p<2) x[i+p-1] where x pads -inf, i < N", "y[i] = x[i]", {"x": "N"}),
]  # fmt: skip


@pytest.mark.parametrize(("left", "right", "axes"), BEYOND)
def test_where_there_is_no_proof_for_all_sizes(left: str, right: str, axes: dict[str, Any]) -> None:
    """The sizes are named, at least two; exact evaluation agrees there."""
    verdict = pb.prove(left, right, **axes)
    assert (verdict.status, verdict.holds) == ("proved at sizes", True), verdict
    head, _, listed = verdict.why.partition(" at ")
    assert head == "no proof for all sizes was found; equal wherever both sides are defined"
    both = pair(left, right, axes, {})
    places = [dict(part.split(" = ") for part in place.split(", ")) for place in listed.split("; ")]
    compared = 0
    for place in places:
        assert set(place) == set(both.size_names)
        for point in points(both, {name: int(value) for name, value in place.items()}, Random(1)):
            assert differs(both, point) is None
            compared += 1
    assert len(places) >= 2 and compared >= 8


def at(both: Any, sizes: dict[str, int]) -> tuple[Block, Block]:
    return both.left.at(sizes), both.right.at(sizes)


def nothing_wrong_is_proved() -> None:
    for left, right, axes in WRONG:
        both = pair(left, right, axes, {})
        assert not equal_at(*at(both, dict.fromkeys(both.size_names, 3))), (left, right)


def test_nothing_wrong_is_proved() -> None:
    nothing_wrong_is_proved()
    for left, right, axes in WRONG:
        assert pb.prove(left, right, **axes).status == "refuted"


# ------------------------------------------------------------------------------------- random piecewise linear claims

NAMES = ("a", "b", "c")
GRID = [dict(zip(NAMES, map(Fraction, values), strict=True)) for values in product((-2, 0, 1), repeat=3)]
SAME: list[Callable[[str, str], tuple[str, str]]] = [
    lambda f, g: (f"max({f}, {g})", f"(({f}) + ({g}) + abs(({f}) - ({g})))/2"),
    lambda f, g: (f"min({f}, {g})", f"-max(-({f}), -({g}))"),
    lambda f, g: (f"max({f}, {g})", f"({g}) + relu(({f}) - ({g}))"),
    lambda f, g: (f"relu({f}) + ({g})", f"max({f}, 0) + ({g})"),
    lambda f, g: (f"abs({f}) - ({g})", f"sign({f})*({f}) - ({g})"),
    lambda f, g: (f"({f}) + [{g} >= 0]*({g})", f"({f}) + step({g})*({g})"),
]


def linear(random: Random) -> str:
    terms = [f"({random.choice((-2, -1, 0, 1, 1, 3))})*{name}" for name in NAMES]
    return " + ".join([*terms, f"({random.randrange(-1, 2)})"])


def drawn(random: Random, depth: int) -> tuple[str, str]:
    """Two ways to write one piecewise linear function."""
    if depth == 0:
        return (linear(random),) * 2
    f, g = drawn(random, depth - 1), drawn(random, random.randrange(depth))
    rule = random.choice(SAME)
    one, other = rule(f[0], g[0])[0], rule(f[1], g[1])[1]
    return (one, other) if random.randrange(2) else (other, one)


def block(text: str) -> Block:
    return read(f"y = {text}", scalars=NAMES)


def values(text: str) -> list[Any]:
    return [exact.evaluate(block(text), point)["y"][()] for point in GRID]


def linear_claims_are_decided(seeds: range) -> tuple[int, int]:
    """How many equal pairs were proved, and how many others were found to differ on the grid, and never proved."""
    proved = differ = 0
    for seed in seeds:
        random = Random(seed)
        one, other = drawn(random, 2)
        assert equal_at(block(one), block(other)), (one, other)
        proved += 1
        wrong = other.replace("max", "min", 1) if "max" in other else other.replace("+", "-", 1)
        if values(one) != values(wrong):
            assert not equal_at(block(one), block(wrong)), (one, wrong)
            differ += 1
    return proved, differ


def test_piecewise_linear_claims_are_decided() -> None:
    proved, differ = linear_claims_are_decided(range(24))
    assert proved == 24 and differ >= 14


# ------------------------------------------------------------------------------------------------------------ mutants


def _first_only(original: Any) -> Any:
    return lambda self, asked: original(self, asked)[:1] * 2



def instead(name: str, below: Any) -> Callable[[Any], Any]:
    """Another function of this name: 1 above 0, and this elsewhere."""

    def make(original: Any) -> Any:
        def call(self: Any, called: str, given: Any) -> Any:
            if called != name:
                return original(self, called, given)
            return cells.ONE if self.is_above(given[0]) else below

        return call

    return make


PLANTED: dict[str, tuple[Any, str, Callable[[Any], Any]]] = {
    "only the first case is looked at": (cells._Case, "split", _first_only),
    "every difference is 0": (cells, "_is_zero", lambda _: lambda *_: True),
    "no case is possible": (cells._Case, "is_possible", lambda _: property(lambda self: False)),
    "guards hold": (cells._Entries, "holds", lambda _: lambda *_: True),
    "the first of all is the greatest": (cells._Entries, "is_above", lambda _: lambda *_: False),
    "padding is 0": (cells, "_number", lambda _: lambda pad: cells.NOTHING),
    "steps begin above 0": (cells._Entries, "call", instead("step", cells.NOTHING)),
    "a sign is never 0": (cells._Entries, "call", instead("sign", cells.constant(-1))),
    "positions begin at the last": (cells, "_code", lambda _: lambda binders, at: 0),
}  # fmt: skip


@pytest.mark.parametrize("name", PLANTED)
def test_a_planted_mistake_is_caught(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    owner, attribute, make = PLANTED[name]
    original = vars(owner)[attribute]
    monkeypatch.setattr(owner, attribute, make(original))
    with pytest.raises(AssertionError):
        nothing_wrong_is_proved()
        linear_claims_are_decided(range(4))
        for left, right, axes in BEYOND:
            both = pair(left, right, axes, {})
            assert equal_at(*at(both, dict.fromkeys(both.size_names, 2)))


def test_a_wrong_proof_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    """What the search for a counterexample missed the second time finds."""
    monkeypatch.setattr(proofs, "equal_at", lambda left, right: True)
    calls = iter([None])
    search = proofs._Tested.search
    monkeypatch.setattr(proofs._Tested, "search", lambda self, *given: next(calls, search(self, *given)))
    with pytest.raises(proofs.UnsoundProofError):
        pb.prove("sum(i<N) i", "N*(N+1)/2", x="N")


def test_without_sizes_a_proof_by_cases_is_one_for_all() -> None:
    verdict = pb.prove("max(a, max(b, c))", "max(max(a, b), c)", scalars=["a", "b", "c"])
    assert verdict.status == "proved for all sizes"
