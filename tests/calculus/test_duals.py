"""The referee's derivatives: dual numbers against central differences at 50 digits, and mutants of every rule.

A difference quotient with h = 10^-15 in exact arithmetic leaves an error of h^2, about 10^-30, for smooth functions.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from fractions import Fraction as Q
from typing import Any

import numpy as np
import pytest

from paperback.calculus import duals, reals
from paperback.calculus.conventions import Conventions
from paperback.calculus.duals import SLOPES, Dual
from paperback.calculus.exact import agree, evaluate, hessian, jacobian, jvp, vjp
from paperback.calculus.interval import ExactError, Interval
from paperback.errors import EngineError
from paperback.notation.block import Block
from paperback.notation.read import read

H = Q(1, 10**15)
TOLERANCE = Q(1, 10**25)


def rationals(*shape: int, seed: int = 0) -> Any:
    """Different numbers, none of them 0: away from every kink."""
    size = math.prod(shape)
    numbers = np.random.default_rng(seed).permutation(2 * size)[:size] * 2 - 2 * size + 1
    out = np.empty(size, dtype=object)
    out[:] = [Q(int(n), 8) for n in numbers]
    return out.reshape(shape)


def positive(*shape: int, seed: int = 0) -> Any:
    return abs(rationals(*shape, seed=seed)) + Q(1, 3)


def size_of(x: Any) -> Q:
    return max(abs(x.lower), abs(x.upper)) if isinstance(x, Interval) else abs(x)


def differences(block: Block, arrays: Mapping[str, Any], name: str, **more: Any) -> Any:
    """(y(x + h) - y(x - h)) / 2h for every element of one input."""
    x, columns = np.asarray(arrays[name], dtype=object), []
    for place in np.ndindex(*x.shape):
        ends = []
        for step in (H, -H):
            moved = x.copy()
            moved[place] = reals.exact(x[place]) + step
            ends.append(evaluate(block, {**arrays, name: moved}, **more)[block.result.target])
        columns.append((ends[0] - ends[1]) / (2 * H))
    return np.stack([np.asarray(c, dtype=object) for c in columns], axis=-1).reshape((*np.shape(columns[0]), *x.shape))


def far_apart(a: Any, b: Any) -> bool:
    difference = np.asarray(a - b, dtype=object)
    return any(size_of(d) > TOLERANCE * (1 + size_of(v)) for d, v in zip(difference.ravel(), np.ravel(b), strict=True))


# ----------------------------------------------------------------------------------------------------- scalar rules

SMOOTH = sorted(set(SLOPES) - {"relu", "abs", "sign", "step"})
POINTS = [Q(n, 8) for n in (-17, -5, -1, 3, 11, 30)]


def wrong_slopes() -> tuple[set[str], int]:
    """The functions whose first or second derivative differs from the difference quotient somewhere, and a count."""
    wrong, count = set(), 0
    for name in SLOPES:
        for x in POINTS:
            if (x < 0 and name in ("log", "sqrt")) or (name == "log1p" and x <= -1):
                continue
            first = duals.call(name, (Dual(1, x, {0: Q(1)}),))
            slope = first.tangent.get(0, Q(0)) if isinstance(first, Dual) else Q(0)
            quotient = (reals.apply(name, x + H) - reals.apply(name, x - H)) / (2 * H)
            second = SLOPES[name](Dual(1, x, {0: Q(1)}), Conventions())
            bend = second.tangent.get(0, Q(0)) if isinstance(second, Dual) else Q(0)
            plain = Conventions()
            bent = (SLOPES[name](x + H, plain) - SLOPES[name](x - H, plain)) / (2 * H)
            count += 1
            if far_apart(slope, quotient) or far_apart(bend, bent):
                wrong.add(name)
    return wrong, count


def test_slopes_equal_difference_quotients() -> None:
    assert set(SLOPES) == set(reals.FUNCTIONS)
    assert wrong_slopes() == (set(), 18 * len(POINTS) - 3 - 3 - 1)


@pytest.mark.parametrize("name", sorted(SLOPES))
@pytest.mark.parametrize("mutation", ["scaled", "shifted", "of the other sign"])
def test_a_wrong_slope_is_seen(name: str, mutation: str, monkeypatch: pytest.MonkeyPatch) -> None:
    rule = SLOPES[name]
    mutants = {
        "scaled": lambda x, c: duals.times(Q(2), rule(x, c)),
        "shifted": lambda x, c: duals.total((rule(x, c), Q(1, 10**6))),
        "of the other sign": lambda x, c: duals.times(Q(-1), rule(x, c)),
    }
    monkeypatch.setitem(SLOPES, name, mutants[mutation])
    flat = name in ("sign", "step") and mutation != "shifted"  # their slope is 0: it has no other sign and no double
    assert name in wrong_slopes()[0] or flat


# ------------------------------------------------------------------------------------------------------- formulas

Z, T, B = rationals(2, 3), rationals(3, seed=5), [[1, 0, 2], [0, 1, 1]]
CASES: dict[str, tuple[str, dict[str, Any]]] = {
    "strided convolution": (
        "C[i,j,k] = sum(p,q,r) x[2*i+p, j+q, r] * w[p,q,r,k] + b[k]",
        {"x": rationals(5, 3, 2), "w": rationals(3, 2, 2, 2, seed=1), "b": rationals(2)},
    ),
    "padded, dilated": (
        "C[i] = sum(p) x[i+2*p-2]*w[p] where x: H, x pads 3, i < H",
        {"x": rationals(5), "w": rationals(3, seed=1)},
    ),
    "max pool": (
        "M[i,j] = max(p<3,q<2) x[2*i+p-1,2*j+q] where x: H W, x pads -inf, i < ceil(H/2), j < floor(W/2)",
        {"x": rationals(5, 4)},
    ),
    "min": ("y[i] = min(k) x[i,k]*x[i,k]", {"x": Z}),
    "average pool": ("y[i] = (sum(p<2 | 2*i+p < H) x[2*i+p]) / 2 where x: H, i < ceil(H/2)", {"x": T}),
    "softmax": ("S[n,i] = exp(z[n,i] - logsumexp(k) z[n,k])", {"z": Z}),
    "softmax by its quotient": ("S[n,i] = exp(z[n,i]) / (sum(k) exp(z[n,k]))", {"z": Z}),
    "cross-entropy": ("L = (sum(n) (logsumexp(k) z[n,k] - z[n,y[n]]) ) / 2 where y int", {"z": Z, "y": [2, 0]}),
    "binary cross-entropy": ("L[i] = softplus(a[i]) - a[i]*y[i]", {"a": T, "y": [0, 1, Q(1, 3)]}),
    "causal attention": (
        """s[q,m] = (sum(d) Q[q,d]*K[m,d]) / 2
           l[q] = logsumexp(m | m <= q) s[q,m]
           y[q,d] = sum(m | m <= q) exp(s[q,m] - l[q]) * V[m,d]""",
        {"Q": Z, "K": rationals(2, 3, seed=1), "V": rationals(2, 3, seed=2)},
    ),
    "layer norm": (
        """m[n] = (sum(i) x[n,i]) / 3; v[n] = (sum(i) (x[n,i]-m[n])^2) / 3
           y[n,i] = (x[n,i]-m[n]) * (v[n]+1/100000)^(-1/2) * g[i]""",
        {"x": Z, "g": T},
    ),
    "gelu": ("y[i] = x[i] * (1 + erf(x[i]/2^(1/2))) / 2", {"x": T}),
    "powers": ("y[i] = x[i]^3 - x[i]^(-2) + x[i]^(1/2) + x[i]^(-3/2)", {"x": positive(3)}),
    "quotients": ("y[i] = x[i] / (w[i] + x[i]*x[i])", {"x": T, "w": positive(3)}),
    "elementwise": ("y[i] = tanh(x[i])*sigmoid(x[i]) + sin(x[i]*cos(x[i])) + expm1(tan(x[i]/9))", {"x": T}),
    "kinks elsewhere": (
        "y[i] = relu(x[i]) - abs(x[i])*3 + max(x[i], 2*x[i]) - min(x[i], x[i]^3) + sign(x[i])",
        {"x": T},
    ),
    "logarithms": ("y = sum(i) (log(x[i])*log1p(x[i]) + sqrt(x[i]))", {"x": positive(3)}),
    "gather": ("y[n,d] = E[ids[n],d]^2 where ids int", {"E": rationals(4, 2), "ids": [3, 0, 3]}),
    "matrix of masks": ("y[n] = sum(i) x[n,i]*[x[n,i] > 0 and b[n,i] != 0]", {"x": Z, "b": B}),
    "through an argmax": ("J[n] = argmax(i) x[n,i]; y[n] = x[n,J[n]]*w[J[n]]", {"x": Z, "w": T}),
    "flatten": ("F[3*i+j] = x[i,j]*x[i,j] where x: I 3", {"x": Z}),
    "spread": ("y[2*i] = x[i]^2 where y pads 7", {"x": T}),
    "pi": ("y[i] = sin(pi*x[i])", {"x": T}),
    "several statements": ("a[i] = x[i]^2; b[i] = a[i]*x[i]; y = sum(i) a[i]*b[i]", {"x": T}),
    "an unknown function": ("y[i] = phi(x[i]*x[0])^2 where x: H, phi function", {"x": T}),
}
FUNCTIONS = {"phi": lambda t: t**3 - 2 * t + 1 / (t * t + 3)}
RAN: dict[str, int] = {"jacobians": 0}


def floats(block: Block) -> list[str]:
    return [name for name, tensor in block.inputs.items() if not tensor.integer]


def blame(case: str) -> list[str]:
    """The inputs of a case whose Jacobian differs from the difference quotients."""
    text, arrays = CASES[case]
    block, more = read(text), {"functions": FUNCTIONS}
    wrong = []
    for name in floats(block):
        J = jacobian(block, arrays, name, **more)
        RAN["jacobians"] += 1
        if far_apart(J, differences(block, arrays, name, **more)):
            wrong.append(name)
    return wrong


@pytest.mark.parametrize("case", CASES)
def test_jacobians_equal_difference_quotients(case: str) -> None:
    before = RAN["jacobians"]
    assert blame(case) == []
    assert RAN["jacobians"] == before + len(floats(read(CASES[case][0]))) > before


@pytest.mark.parametrize("case", CASES)
def test_jvp_and_vjp_are_contractions_of_the_jacobian(case: str) -> None:
    text, arrays = CASES[case]
    block, more = read(text), {"functions": FUNCTIONS}
    names = floats(block)
    tangents = {name: rationals(*np.shape(arrays[name]), seed=3) for name in names}
    J = {name: jacobian(block, arrays, name, **more) for name in names}
    want = sum(np.tensordot(J[n], np.asarray(tangents[n]), axes=np.ndim(tangents[n])) for n in names)
    along = jvp(block, arrays, tangents, **more)
    assert agree(along, want, 40)
    g = rationals(*np.shape(along), seed=4)
    for name in names:
        assert agree(vjp(block, arrays, g, name, **more), np.tensordot(g, J[name], axes=g.ndim), 40)


@pytest.mark.parametrize("case", ["softmax", "powers", "causal attention", "several statements", "gelu", "max pool"])
def test_hessians_equal_difference_quotients_of_jacobians(case: str) -> None:
    text, arrays = CASES[case]
    block = read(text)
    for name in floats(block)[:2]:
        for other in floats(block)[:2]:
            got, x, columns = hessian(block, arrays, name, other), np.asarray(arrays[other]), []
            for place in np.ndindex(*x.shape):
                ends = []
                for step in (H, -H):
                    moved = x.copy()
                    moved[place] += step
                    ends.append(jacobian(block, {**arrays, other: moved}, name))
                columns.append((ends[0] - ends[1]) / (2 * H))
            want = np.stack(columns, axis=-1).reshape(*np.shape(columns[0]), *x.shape)
            assert got.shape == want.shape and not far_apart(got, want), (name, other)


def test_an_intermediate_counts_as_independent() -> None:
    block, given = read("a[i] = x[i]^2; y[i] = a[i]*x[i]"), {"x": [2, 3]}
    assert jacobian(block, given, "a").tolist() == [[2, 0], [0, 3]]
    assert jacobian(block, given, "x").tolist() == [[12, 0], [0, 27]]
    assert jacobian(block, given, "x", "a").tolist() == [[4, 0], [0, 6]]
    assert hessian(block, given, "a", "x")[0].tolist() == [[1, 0], [0, 0]]
    for name, output in [("z", None), ("a", "z"), ("y", "a")]:
        with pytest.raises(EngineError):
            jacobian(block, given, name, output)
    with pytest.raises(EngineError, match=r"cotangent has the shape \(3,\), the output has \(2,\)"):
        vjp(block, given, [1, 2, 3], "x")
    with pytest.raises(EngineError, match=r"tangent of x has the shape \(1,\), needed is \(2,\)"):
        jvp(block, given, {"x": [1]})


# ------------------------------------------------------------------------------------------------------ conventions


def test_kinks_follow_the_conventions() -> None:
    relu, magnitude = read("y[i] = relu(x[i])"), read("y[i] = abs(x[i])")
    x = {"x": [-1, 0, 2]}
    for slope in (Q(0), Q(1, 2), Q(1)):
        table = Conventions(relu_at_zero=slope, abs_at_zero=slope - Q(1, 4))
        assert np.diag(jacobian(relu, x, "x", conventions=table)).tolist() == [0, slope, 1]
        assert np.diag(jacobian(magnitude, x, "x", conventions=table)).tolist() == [-1, slope - Q(1, 4), 1]
        assert np.diag(jacobian(relu, x, "x", conventions={"y": table})).tolist() == [0, slope, 1]
        assert np.diag(jacobian(relu, x, "x", conventions={"z": table})).tolist() == [0, 0, 1]
    assert np.diag(jacobian(magnitude, x, "x")).tolist() == [-1, 0, 1]
    assert np.diag(jacobian(read("y[i] = step(x[i]) + sign(x[i]) + [x[i] >= 0]"), x, "x")).tolist() == [0, 0, 0]


def test_ties_follow_the_conventions() -> None:
    x = {"x": [[3, 1, 3], [3, 0, 2]]}
    want = {"first": [[1, 0, 0], [0, 0, 0]], "split": [[1, 0, 1], [1, 0, 0]], "all": [[1, 0, 1], [1, 0, 0]]}
    for op, sign in [("max(i,j) x[i,j]", 1), ("-(min(i,j) (-x[i,j]))", 1), ("max(j,i) x[i,j]", 1)]:
        for ties, pattern in want.items():
            J = jacobian(read(f"y = {op}"), x, "x", conventions=Conventions(ties=ties))
            assert J.tolist() == [[v * sign * (Q(1, 3) if ties == "split" else 1) for v in row] for row in pattern]
            bent = hessian(read(f"y = ({op})^2"), x, "x", conventions=Conventions(ties=ties))
            assert bent.reshape(6, 6).tolist() == (2 * np.outer(J, J)).tolist()
    two = {"a": [2, 2, -1], "b": [2, 1, 5]}
    assert np.diag(jacobian(read("y[i] = max(a[i], b[i])"), two, "a")).tolist() == [1, 1, 0]
    assert np.diag(jacobian(read("y[i] = max(a[i], b[i])"), two, "b")).tolist() == [0, 0, 1]
    assert np.diag(jacobian(read("y[i] = min(a[i], b[i])"), two, "a")).tolist() == [1, 0, 1]


def test_padding_and_empty_maxima_have_no_tangent() -> None:
    block = read("M[i] = max(p<2) x[2*i+p-3] where x: H, x pads -inf, i < 4")
    J = jacobian(block, {"x": [1, 2, 2]}, "x")
    assert J.tolist() == [[0, 0, 0], [1, 0, 0], [0, 1, 0], [0, 0, 0]]
    soft = read("l = logsumexp(i<3 | i < 2) x[i]")
    assert jacobian(soft, {"x": [0, -math.inf, 3]}, "x").tolist() == [1, 0, 0]
    assert jacobian(read("y = relu(x[0]) + tanh(x[1]) where x: H"), {"x": [-math.inf, math.inf]}, "x").tolist() == [
        0,
        0,
    ]


def test_a_kink_that_cannot_be_decided_is_said() -> None:
    block = read("y = relu(x[0]^(1/2)*x[0]^(1/2) - x[0]) where x: H")
    assert Interval.of(evaluate(block, {"x": [2]})["y"].item()).contains(0)
    with pytest.raises(ExactError, match=r"sign of .* cannot be decided"):
        jacobian(block, {"x": [2]}, "x")


# ------------------------------------------------------------------------------------------------ mutants of the rules


def drop_second(a: Any, b: Any) -> Any:
    return ORIGINAL["times"](a, duals.primal(b))


def drop_tangents(terms: Any) -> Any:
    first, *rest = list(terms) or [Q(0)]
    return ORIGINAL["total"]([first, *map(duals.primal, rest)])


def exponent_kept(x: Any, exponent: Q) -> Any:
    power = ORIGINAL["power"]
    if type(x) is not Dual:
        return power(x, exponent)
    return duals._chain(x, lambda v: power(v, exponent), lambda v: ORIGINAL["times"](exponent, power(v, exponent)))


def last_wins(values: Any, largest: bool, ties: str) -> Any:
    return values[-1] if values else ORIGINAL["extreme"](values, largest, ties)


def hardest(values: Any) -> Any:
    return ORIGINAL["extreme"](values, True, "first")


ORIGINAL = {
    name: getattr(duals, name) for name in ("times", "total", "power", "extreme", "logsumexp", "_chain", "_split")
}
MUTANTS: dict[str, tuple[str, Any]] = {
    "a product without its second term": ("times", drop_second),
    "a sum that forgets tangents": ("total", drop_tangents),
    "a power that keeps its exponent": ("power", exponent_kept),
    "the last maximum": ("extreme", last_wins),
    "logsumexp as a maximum": ("logsumexp", lambda v: duals.times(ORIGINAL["logsumexp"](v), hardest(v))),
    "logsumexp without its tangents": ("logsumexp", lambda v: ORIGINAL["logsumexp"](list(map(duals.primal, v)))),
    "a chain without its inner slope": ("_chain", lambda x, f, s: ORIGINAL["_chain"](x, f, lambda v: Q(1))),
    "the neighbour's slot": (
        "_split",
        lambda x, level: (lambda v, t: (v, {max(k - 1, 0): e for k, e in t.items()}))(*ORIGINAL["_split"](x, level)),
    ),
}


@pytest.mark.parametrize("name", MUTANTS)
def test_a_wrong_rule_is_seen(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    attribute, mutant = MUTANTS[name]
    monkeypatch.setattr(duals, attribute, mutant)
    seen = []
    for case in ("softmax", "layer norm", "max pool", "strided convolution", "powers"):
        text, arrays = CASES[case]
        block = read(text)
        first = floats(block)[0]
        J = jacobian(block, arrays, first)
        if attribute == "extreme" or "maximum" in name:  # it changes values too: difference against the right ones
            with monkeypatch.context() as undone:
                undone.setattr(duals, attribute, ORIGINAL[attribute])
                want = differences(block, arrays, first)
        else:
            want = differences(block, arrays, first)
        if far_apart(J, want):
            seen.append(case)
    assert seen, name


def test_all_cases_ran() -> None:
    """A suite that collects nothing is green too."""
    assert len(CASES) == 25 and len(MUTANTS) == 8 and len(SLOPES) == 18
    assert sum(len(floats(read(text))) for text, _ in CASES.values()) == 35
