"""The referee's values: against mpmath, plain loops, NumPy, and the golden numbers of the catalogue.

Nothing here uses the calculus: what is checked is `calculus.exact` alone. Its derivatives are in `test_duals`.
"""

from __future__ import annotations

import itertools
import math
from fractions import Fraction as Q
from typing import Any

import mpmath
import numpy as np
import pytest

from paperback.calculus import closures, exact, interval, reals
from paperback.calculus.exact import agree, evaluate, jacobian, vjp
from paperback.calculus.interval import ExactError, Interval
from paperback.engines import exact as engine
from paperback.errors import EngineError, PaperbackError
from paperback.notation.affine import Affine, Letter
from paperback.notation.block import Block
from paperback.notation.expr import (
    AffineGuard,
    Binder,
    Bracket,
    Call,
    Compare,
    Divides,
    Index,
    Mul,
    Pow,
    Quotient,
    Read,
    Reduce,
    Scalar,
    Statement,
    Tensor,
    add,
    const,
    mul,
)
from paperback.notation.read import read
from paperback.notation.size import Size, floor_div
from paperback.program.program import Program, ProgramTensor

INF, NAN = math.inf, math.nan
I, J, K = (Letter.fresh(name) for name in "ijk")


def of(text: str, arrays: dict[str, Any], sizes: dict[str, int] | None = None, **told: Any) -> Any:
    """The result of a formula."""
    block = read(text, **told)
    return evaluate(block, arrays, sizes)[block.result.target]


def binder(letter: Letter, extent: int | str | Size) -> Binder:
    return Binder(letter, Size.of(extent))


def get(tensor: str, *indices: Any, pad: Any = None) -> Read:
    return Read(tensor, tuple(i if isinstance(i, Read | Quotient) else Affine.of(i) for i in indices), pad)


def at_least(affine: Affine) -> AffineGuard:
    return AffineGuard(">=", affine)


def rationals(*shape: int, seed: int = 0) -> Any:
    numbers = np.random.default_rng(seed).integers(-30, 30, math.prod(shape))
    return np.array([Q(int(n), 8) for n in numbers] + [None], dtype=object)[:-1].reshape(shape)


def doubles(values: Any) -> Any:
    return np.array([float(v) for v in np.ravel(values)]).reshape(np.shape(values))


def close(values: Any, expected: Any) -> bool:
    return np.shape(values) == np.shape(expected) and np.allclose(doubles(values), expected, rtol=1e-12, atol=1e-12)


# ------------------------------------------------------------------------------------------------------ intervals

POINTS = [Q(n, d) for n in (-40, -7, -3, -1, 1, 2, 5, 40) for d in (1, 3, 16, 10**6)]
WANTED: dict[str, Any] = {
    "exp": mpmath.exp,
    "expm1": mpmath.expm1,
    "log": mpmath.log,
    "log1p": mpmath.log1p,
    "sqrt": mpmath.sqrt,
    "sin": mpmath.sin,
    "cos": mpmath.cos,
    "tan": mpmath.tan,
    "sinh": mpmath.sinh,
    "cosh": mpmath.cosh,
    "tanh": mpmath.tanh,
    "sigmoid": lambda x: 1 / (1 + mpmath.exp(-x)),
    "softplus": lambda x: mpmath.log1p(mpmath.exp(x)),
    "erf": mpmath.erf,
}


def as_rational(x: Any) -> Q:
    sign, mantissa, exponent, _ = x._mpf_
    return (-1 if sign else 1) * Q(int(mantissa)) * Q(2) ** int(exponent)


def wrong_functions() -> tuple[list[str], int]:
    """The functions that disagree with mpmath at 90 digits somewhere, and the number of points that were compared."""
    wrong, count = set(), 0
    with mpmath.workdps(90):
        for name, function in WANTED.items():
            for x in POINTS:
                if (name in ("log", "sqrt") and x < 0) or (name == "log1p" and x <= -1):
                    continue
                want = as_rational(function(mpmath.mpf(x.numerator) / x.denominator))
                got = reals.apply(name, x)
                low, high = (got.lower, got.upper) if isinstance(got, Interval) else (got, got)
                slack = abs(want) / 10**85
                count += 1
                if not (low - slack <= want <= high + slack and high - low <= (1 + abs(want)) / 10**50):
                    wrong.add(name)
    return sorted(wrong), count


def test_functions_enclose_their_values_at_50_digits() -> None:
    assert wrong_functions() == ([], 14 * 32 - 2 * 16 - 8)


@pytest.mark.parametrize("name", sorted(WANTED))
def test_a_wrong_function_is_seen(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    function, _, limits, fractions = reals.FUNCTIONS[name]
    shifted = (lambda x: function(x) * (1 + Q(1, 10**40)), {}, limits, fractions)
    monkeypatch.setitem(reals.FUNCTIONS, name, shifted)
    assert wrong_functions()[0] == [name]


def test_arithmetic_encloses() -> None:
    third, root2 = Interval.of(Q(1, 3)), interval.root(Interval.of(2), 2)
    assert third.contains(Q(1, 3)) and third.width < Q(1, 10**60)
    for value, want in [
        (third * 3, Q(1)),
        (third + Q(2, 3), Q(1)),
        (1 - third, Q(2, 3)),
        (1 / third, Q(3)),
        (third / 2, Q(1, 6)),
        (root2**2, Q(2)),
        (root2**-2, Q(1, 2)),
        (-root2 * root2, Q(-2)),
        (interval.exp(interval.log(Interval.of(5))), Q(5)),
        (interval.sin(interval.pi()), Q(0)),
        (interval.erf(Interval.of(20)), 1 - Q(1, 10**90)),
    ]:
        assert value.contains(want) and value.width < Q(1, 10**55), want
    assert 1 < root2 < 2 and not root2 > Q(3, 2) and root2 >= 1 and float(root2) == math.sqrt(2)
    assert root2.overlaps(root2) and not root2.overlaps(third) and root2 == root2
    assert repr(root2).startswith("Interval(1.4142135623730950488 +- ")
    large = interval.exp(Interval.of(1000))
    assert repr(large).startswith("Interval(1.9700711140170469939e+434 +- ")
    assert float(large) == math.inf and float(-large) == -math.inf


def test_what_intervals_cannot_decide_is_said() -> None:
    a, b = interval.root(Interval.of(2), 2) ** 2, Interval.of(2)
    for question in (lambda: a < b, lambda: a == b, lambda: (a - b).sign(), lambda: 1 / (a - b), lambda: a >= 2):
        with pytest.raises(ExactError):
            question()
    with pytest.raises(ArithmeticError, match="cannot be compared: they agree in the 50 digits"):
        bool(a < 2)
    with pytest.raises(PaperbackError, match=r"sign of .* cannot be decided"):
        (a - 2).sign()


def test_rational_values_stay_rational() -> None:
    for name, x, want in [
        ("exp", 0, 1), ("log", 1, 0), ("log1p", 0, 0), ("expm1", 0, 0), ("tanh", 0, 0), ("sigmoid", 0, Q(1, 2)),
        ("sin", 0, 0), ("cos", 0, 1), ("tan", 0, 0), ("erf", 0, 0), ("sqrt", Q(9, 4), Q(3, 2)),
        ("sqrt", 0, 0), ("relu", Q(-1, 2), 0), ("abs", Q(-1, 2), Q(1, 2)), ("sign", -3, -1),
        ("sign", 0, 0), ("step", 0, 1), ("step", Q(-1, 9), 0),
    ]:  # fmt: skip
        got = reals.apply(name, Q(x))
        assert type(got) is Q and got == want, name
    assert reals.power(Q(27, 8), Q(-2, 3)) == Q(4, 9) and type(reals.power(Q(2), Q(1, 2))) is Interval
    assert reals.power(Q(10**40 + 1), Q(1, 3)) > 10**13


def test_infinities_and_nan() -> None:
    plus, times, power, apply = reals.total, reals.times, reals.power, reals.apply
    pi, one = interval.pi(), Q(1)
    for got, want in [
        (plus([INF, one, pi]), INF), (times(-INF, pi), -INF), (times(-INF, Q(-1, 3)), INF), (power(Q(0), Q(-1)), INF),
        (power(INF, Q(-1, 2)), Q(0)), (power(-INF, Q(3)), -INF), (power(-INF, Q(2)), INF), (apply("log", Q(0)), -INF),
        (apply("exp", -INF), Q(0)), (apply("tanh", -INF), Q(-1)), (apply("sigmoid", INF), Q(1)),
        (apply("abs", -INF), INF), (apply("relu", -INF), Q(0)), (apply("softplus", -INF), Q(0)),
        (times(Q(0), pi), Q(0)), (apply("step", NAN), Q(0)),
    ]:  # fmt: skip
        assert got == want and isinstance(got, Q) == isinstance(want, Q)
    for lost in (
        plus([INF, -INF]), times(Q(0), INF), times(NAN, one), plus([NAN, pi]), power(Q(-1), Q(1, 2)), power(NAN, Q(2)),
        apply("log", Q(-1)), apply("exp", NAN), apply("sin", INF), power(-INF, Q(1, 2)),
    ):  # fmt: skip
        assert reals.is_nan(lost)
    relations = {
        r: [reals.compare(r, a, b) for a, b in [(NAN, one), (one, NAN), (-INF, pi)]] for r in "< == != >=".split()
    }
    assert relations == {
        "<": [False, False, True],
        "==": [False, False, False],
        "!=": [True, True, True],
        ">=": [False, False, False],
    }


def test_agree() -> None:
    half = Interval.of(Q(1, 3)) * Q(3, 2)
    assert agree(half, Q(1, 2)) and agree([half, 1], [0.5, 1]) and agree(NAN, NAN) and agree(INF, INF)
    assert not agree(half, Q(1, 2) + Q(1, 10**50)) and not agree(Q(1, 3), 1 / 3) and not agree([1], [1, 1])
    assert not agree(Interval.between(0, 1), Q(1, 2)) and not agree(INF, -INF) and not agree(Q(1), NAN)


# ------------------------------------------------------------------------------------- values against other referees


def test_convolution_equals_plain_loops() -> None:
    x, w, b, count = rationals(9, 11, 2), rationals(3, 4, 2, 3, seed=1), rationals(3, seed=2), 0
    text = "C[i,j,k] = sum(p,q,r) x[3*i+p, 2*j+q, r] * w[P-1-p, q, r, k] + b[k]"
    got = of(text, {"x": x, "w": w, "b": b}, axes={"w": "P Q R K"})
    assert got.shape == (3, 4, 3)
    for i, j, k in np.ndindex(*got.shape):
        want = b[k] + sum(
            x[3 * i + p, 2 * j + q, r] * w[2 - p, q, r, k]
            for p, q, r in itertools.product(range(3), range(4), range(2))
        )
        assert got[i, j, k] == want and type(got[i, j, k]) is Q
        count += 1
    assert count == 36


def test_floats_are_the_binary_fractions_they_store() -> None:
    x = np.array([0.1, 1e300, -0.25], dtype=np.float64)
    assert list(of("y[i] = 3*x[i]", {"x": x})) == [3 * Q(0.1), 3 * Q(1e300), Q(-3, 4)]
    assert of("y = sum(i) x[i]", {"x": np.array([0.1, 0.2], np.float32)}) == Q(float(np.float32(0.1))) + Q(
        float(np.float32(0.2))
    )
    assert list(of("y[i] = x[i]", {"x": np.array([2**62], np.int64)})) == [Q(2**62)]


def test_pools_paddings_and_same_convolution() -> None:
    x = rationals(7, 5)
    got = of(
        "M[i,j] = max(p<3,q<2) x[2*i+p-1, 2*j+q] where x: H W, x pads -inf, i < ceil(H/2), j < ceil(W/2)", {"x": x}
    )
    padded = np.full((9, 6), -INF, dtype=object)
    padded[1:8, :5] = x
    assert got.shape == (4, 3)
    assert all(got[i, j] == max(padded[2 * i : 2 * i + 3, 2 * j : 2 * j + 2].ravel()) for i, j in np.ndindex(4, 3))
    inside = "sum(p<2 | j+p < H) x[j+p]"
    got = of(f"A[j] = ({inside}) / (sum(p<2 | j+p < H) 1) where x: H, j < H", {"x": [1, 2, 4]})
    assert list(got) == [Q(3, 2), Q(3), Q(4)]
    assert list(of("C[i] = sum(p) x[i+p-1]*w[p] where x: H, x pads 2, i < H", {"x": [1, 3, 4], "w": [1, 0, 10]})) == [
        32, 41, 23,
    ]  # fmt: skip


def test_softmax_logsumexp_and_attention_equal_numpy() -> None:
    z = rationals(2, 5)
    want = np.exp(doubles(z)) / np.exp(doubles(z)).sum(1, keepdims=True)
    softmax = of("S[n,i] = exp(z[n,i] - logsumexp(k) z[n,k])", {"z": z})
    assert close(softmax, want)
    assert agree(softmax, of("S[n,i] = exp(z[n,i]) / (sum(k) exp(z[n,k]))", {"z": z}))
    assert all(Interval.of(sum(row)).contains(1) for row in softmax)
    huge = of("S[i] = exp(z[i] - logsumexp(k) z[k])", {"z": [10**6, 10**6 - 1]})
    assert close(huge, [1 / (1 + math.exp(-1)), 1 / (1 + math.e)])
    text = """s[q,m] = (sum(d) Q[q,d]*K[m,d]) / D^(1/2)
              l[q] = logsumexp(m | m <= q) s[q,m]
              y[q,d] = sum(m | m <= q) exp(s[q,m] - l[q]) * V[m,d]"""
    axes = {"Q": "N D", "K": "N D", "V": "N D"}
    a = {"Q": rationals(4, 3), "K": rationals(4, 3, seed=1), "V": rationals(4, 3, seed=2)}
    scores = doubles(a["Q"]) @ doubles(a["K"]).T / math.sqrt(3)
    scores[np.triu_indices(4, 1)] = -INF
    weights = np.exp(scores - scores.max(1, keepdims=True))
    assert close(of(text, a, axes=axes), weights / weights.sum(1, keepdims=True) @ doubles(a["V"]))


def test_reducers_over_nothing_and_over_nan() -> None:
    none = "(i<H | i < 0 and i > 0) x[i] where x: H"
    arrays = {"x": [1, 2]}
    assert of(f"y = sum{none}", arrays) == 0 and of(f"y = max{none}", arrays) == -INF
    assert of(f"y = min{none}", arrays) == INF and of(f"y = logsumexp{none}", arrays) == -INF
    assert of(f"y = argmax{none}", arrays) == 0
    nan = {"x": [1, NAN, 5, NAN, INF]}
    for op in ("max", "min", "logsumexp", "sum"):
        assert reals.is_nan(of(f"y = {op}(i) x[i]", nan).item()), op
    assert of("y = argmax(i) x[i]", nan) == 1 and of("y = argmin(i) x[i]", nan) == 1
    assert reals.is_nan(of("y = relu(x[1])", nan, {"H": 5}, axes={"x": "H"}).item())
    assert of("y = logsumexp(i) x[i]", {"x": [-INF, 3, -INF]}) == 3
    assert of("y = logsumexp(i) x[i]", {"x": [-INF, -INF]}) == -INF


def test_first_maximum_wins_in_row_major_order() -> None:
    x = {"x": [[1, 7, 7], [7, 0, 7]]}
    assert of("y = argmax(i,j) x[i,j]", x) == 1 and of("y = argmax(j,i) x[i,j]", x) == 1
    assert of("y = argmin(i,j) x[i,j]", x) == 4 and of("y = argmax(j,i | i > 0) x[i,j]", x) == 1
    assert list(of("J[j] = argmax(i) x[i,j]", x)) == [1, 0, 0]


def test_a_maximum_that_cannot_be_told_has_a_value_but_no_place() -> None:
    x = {"x": [2, 8, 3]}
    both = "r[i] = log(x[i])*(2-i); y = max(i) r[i]"
    assert agree(of(both, {"x": [2, 4]}), interval.log(Interval.of(4)))
    assert agree(jacobian(read(both), {"x": [2, 5]}, "x"), [0, Q(1, 5)])
    assert agree(jacobian(read(both), {"x": [2, 3]}, "x"), [1, 0])
    with pytest.raises(ExactError, match="extreme one cannot be decided"):
        jacobian(read(both), {"x": [2, 4]}, "x")
    with pytest.raises(ExactError, match="extreme one cannot be decided"):
        of("r[i] = log(x[i])*(2-i); y = argmax(i) r[i]", {"x": [2, 4]})
    assert of("r[i] = log(x[i]); y = argmax(i) r[i]", x) == 1
    assert of("y = argmax(i) log(x[i])", {"x": [3, 2]}) == 0
    assert of("m = max(i) log(x[i]); y = sum(i) i*[log(x[i]) == m]", {"x": [3, 2]}) == 0


# ---------------------------------------------------------------------------------------- guards, brackets, left sides


def test_brackets_win_over_anything() -> None:
    poison = mul(get("x", Affine.of(I) - 5), Pow(const(0), Q(-1)), Call("log", (const(-1),)), Scalar("a"))
    statement = Statement.plain("y", [binder(I, 7)], Mul((poison, Bracket((at_least(Affine.of(I) - 5),)))))
    values = evaluate(statement, {"x": [1, 2], "a": 0})["y"]
    assert list(values[:5]) == [0] * 5 and all(map(reals.is_nan, values[5:]))
    arrays = {"x": [0, 4, NAN], "t": [1, 0, INF]}
    assert list(of("y[i] = t[i]/x[i] * [x[i] > 0]", arrays)) == [0, 0, 0]


def test_a_false_guard_stops_what_follows() -> None:
    inside = at_least(Affine.of(I) - 1)
    data = Compare(">", get("x", Affine.of(I) - 1), const(0))
    for guards in ((inside, data), (data, inside)):
        guarded = Statement.plain("y", [], Reduce("sum", (binder(I, 4),), guards, get("x", I)))
        assert evaluate(guarded, {"x": [5, -5, 2, 1]})["y"] == -5 + 1
    small = Compare("<", get("i", I), const(2))
    for order, fails in [((small, data), False), ((data, small), True)]:
        both = Statement.plain("y", [binder(I, 4)], Bracket(order))
        given = {"x": [5, -5, 2], "i": [7, 0, 1, 7] if fails else [7, 1, 1, 7]}
        if fails:
            with pytest.raises(EngineError, match="x: index -1 is out of range on axis 0"):
                evaluate(both, given)
        else:
            assert list(evaluate(both, given)["y"]) == [0, 1, 0, 0]
    j_first = (at_least(Affine.of(J) - 1), Compare(">", get("x", Affine.of(I) + J - 1), const(0)))
    double = Statement.plain("y", [], Reduce("sum", (binder(I, 2), binder(J, 2)), j_first, const(1)))
    assert evaluate(double, {"x": [1, 2]})["y"] == 2


def test_equalities_determine_letters_and_ranges_are_narrowed() -> None:
    """The same sum with and without help for the loops: a strided transposed convolution, in three writings."""
    dy, w = rationals(4), rationals(3, seed=1)
    T = Letter.fresh("t")
    tie = AffineGuard("==", Affine.of(T) - Affine.of(I) * 2 - J)
    delta = Reduce("sum", (binder(I, 4), binder(J, 3)), (tie,), mul(get("dy", I), get("w", J)))
    inner = Affine.of(T) - Affine.of(I) * 2
    window = Bracket((at_least(inner), at_least(-inner + 2)))
    read_w = mul(window, get("dy", I), get("w", inner))
    over = Affine.of(T) - J
    whole = (Divides(Size.of(2), over), at_least(over), at_least(-over + 6))
    quotient = mul(get("dy", Quotient(over, Size.of(2))), get("w", J))
    bodies = [delta, Reduce("sum", (binder(I, 4),), (), read_w), Reduce("sum", (binder(J, 3),), whole, quotient)]
    want = [sum(dy[i] * w[t - 2 * i] for i in range(4) if 0 <= t - 2 * i < 3) for t in range(9)]
    for body in bodies:
        assert list(evaluate(Statement.plain("x", [binder(T, 9)], body), {"dy": dy, "w": w})["x"]) == want


def test_a_determined_letter_needs_no_loop() -> None:
    """sum(i<10^9 | i == 3) would not end otherwise; nor would a range of 10^9 of which two are meant."""
    far = Affine.of(I)
    two = (at_least(far - 10**8), at_least(-far + (10**8 + 1)))
    for guards, want in [
        ((AffineGuard("==", far * 3 - 9),), 3),
        ((AffineGuard("==", far * 3 - 8),), 0),
        (two, 2 * 10**8 + 1),
    ]:
        total = Reduce("sum", (binder(I, 10**9),), guards, Index(Affine.of(I)))
        assert evaluate(Statement.plain("y", [], total), {})["y"] == want
    hoisted = Reduce("sum", (binder(I, 10**9),), (), mul(Bracket((AffineGuard("==", far - 3),)), Index(far)))
    assert evaluate(Statement.plain("y", [], hoisted), {})["y"] == 3


def test_nested_sums_are_not_recomputed() -> None:
    calls = []

    def phi(x: Q) -> Q:
        calls.append(x)
        return x * x

    block = read("y[i] = x[i] * sum(k) phi(x[k]) where phi function")
    x = rationals(20)
    got = evaluate(block, {"x": x}, functions={"phi": phi})["y"]
    assert list(got) == [v * sum(u * u for u in x) for v in x] and len(calls) == 20


def test_left_sides() -> None:
    x = rationals(2, 3, 4)
    flat = of("F[J*K*i + K*j + k] = x[i,j,k] where x: I J K", {"x": x})
    assert list(flat) == list(x.ravel())
    code = of("F[J*K*i + K*j + k] = x[i,j,k] where x: I J K", {"x": np.arange(24).reshape(2, 3, 4)})
    assert [code[n] for n in (3, 4, 12, 23)] == [3, 4, 12, 23]  # golden test G17
    assert list(of("y[2*i] = x[i] where y pads 0", {"x": [5, 6, 7]})) == [5, 0, 6, 0, 7]
    up = Statement("y", (Affine.of(I) * 2 + 1,), (binder(I, 2),), get("x", I), (Size.of(4),), Q(-1))
    assert list(evaluate(up, {"x": [5, 6]})["y"]) == [-1, 5, -1, 6]
    for bad, words in [
        (Statement("y", (Affine.of(I) * 2,), (binder(I, 2),), get("x", I), (Size.of(4),)), "leaves out elements"),
        (
            Statement("y", (Affine.of(I) + J,), (binder(I, 2), binder(J, 2)), const(1), (Size.of(3),)),
            "element 1 .* twice",
        ),
        (
            Statement("y", (Affine.of(I) + 3,), (binder(I, 2),), const(1), (Size.of(4),), Q(0)),
            "y: index 4 is out of range",
        ),
        (Statement("y", (Affine.of(I),), (binder(I, 2),), const(1)), "1 indices and 0 axes"),
    ]:
        with pytest.raises(EngineError, match=words):
            evaluate(bad, {"x": [1, 2]})


# ------------------------------------------------------------------------------------------- arrays, sizes and errors


def test_gathers_are_checked() -> None:
    text = "y[n,d] = E[ids[n], d] where ids int"
    table = rationals(4, 2)
    got = of(text, {"E": table, "ids": np.array([3, 0, 3])})
    assert agree(got, table[[3, 0, 3]])
    for ids, words in [
        ([0, 4], r"E\[.. ids ..\]: index 4 is out of range on axis 0, which has 4 elements"),
        ([-1, 0], "index -1 is out of range"),
        ([0.5, 0], "ids is declared int, but holds 1/2"),
    ]:
        with pytest.raises(EngineError, match=words):
            of(text, {"E": table, "ids": ids})
    padded = Statement.plain("y", [binder(I, 2)], get("E", get("ids", I), I, pad=Q(9)))
    assert list(evaluate(padded, {"E": table, "ids": [7, 3]})["y"]) == [9, table[3, 1]]
    nested = Statement.plain("y", [binder(I, 2)], get("E", get("ids", get("perm", I)), 1))
    assert list(evaluate(nested, {"E": table, "ids": [2, 1], "perm": [1, 0]})["y"]) == [table[1, 1], table[2, 1]]
    with pytest.raises(EngineError, match="ids is used as an index, but holds 1/2"):
        evaluate(nested, {"E": table, "ids": [Q(1, 2), 1], "perm": [1, 0]})


def test_sizes_come_from_shapes_and_are_checked() -> None:
    H = Size.of("H")
    body = get("x", Affine.of(I) + 2)
    statement = Statement.plain("y", [binder(I, H)], add(body, Index(Affine.of(H * H))))
    block = Block((statement,), {"x": Tensor("x", (H + 2,))})
    assert list(evaluate(block, {"x": [0, 0, 1, 2, 3]})["y"]) == [10, 11, 12]
    with pytest.raises(EngineError, match="H"):
        evaluate(block, {"x": [0, 0, 1, 2, 3]}, {"H": 4})
    assert list(evaluate(statement, {"x": [0, 0, 1, 2, 3]}, {"H": 3})["y"]) == [10, 11, 12]
    assert list(evaluate(statement, {"x": [0, 0, 1, 2, 3], "H": 3})["y"]) == [10, 11, 12]
    with pytest.raises(EngineError, match="the size H is not known"):
        evaluate(statement, {"x": [1]})
    with pytest.raises(EngineError, match="z is read, but no array"):
        evaluate(Statement.plain("y", [], get("z", 0)), {})
    with pytest.raises(EngineError, match="x has 1 axes, but is read with 2"):
        evaluate(Statement.plain("y", [], get("x", 0, 0)), {"x": [1]})
    with pytest.raises(EngineError, match="function phi is not known"):
        evaluate(Statement.plain("y", [], Call("phi", (const(1),))), {})
    with pytest.raises(EngineError, match="x holds 'a', which is no number"):
        evaluate(Statement.plain("y", [], get("x", 0)), {"x": ["a"]})
    with pytest.raises(EngineError, match=r"\(1\)/2 is no whole number"):
        evaluate(Statement.plain("y", [], get("x", Quotient(Affine.of(1), Size.of(2)))), {"x": [1]})


def test_rounded_sizes_and_scalars() -> None:
    H = Size.of("H")
    half = Statement.plain(
        "y", [binder(I, floor_div(H, 2))], mul(Scalar("a"), Scalar("pi"), get("x", Affine.of(I) * 2))
    )
    block = Block((half,), {"x": Tensor("x", (H,))}, ("a",))
    got = evaluate(block, {"x": [1, 2, 3, 4, 5], "a": Q(1, 2)})["y"]
    assert close(got, [math.pi / 2, 3 * math.pi / 2])


def test_inputs_are_read_only_and_calls_repeat() -> None:
    x = np.array([1.5, 2.5])
    x.flags.writeable = False
    first, second = (of("y[i] = exp(x[i])", {"x": x}) for _ in range(2))
    assert agree(first, second) and list(x) == [1.5, 2.5]


# ------------------------------------------------------------------------------------------------------- the engine


def test_the_engine_runs_programs_and_updates_read_old_values() -> None:
    def tensor(name: str, role: str, *axes: int | str) -> ProgramTensor:
        return ProgramTensor(name, tuple(map(Size.of, axes)), role)

    n, c = Letter.fresh("n"), Letter.fresh("c")
    y = Statement.plain("y", [binder(n, "N"), binder(I, 2)], mul(get("x", n, I), get("w", I)))
    step = add(get("w", I), mul(const(-1), Scalar("lr"), Reduce("sum", (binder(c, "N"),), (), get("y", c, I))))
    program = Program(
        {t.name: t for t in (tensor("x", "input", "N", 2), tensor("w", "parameter", 2), tensor("v", "optimizer", 2),
                             tensor("lr", "scalar"), tensor("y", "output", "N", 2))},
        (y,),
        ("y",),
        {"w": Statement.plain("w", [binder(I, 2)], step),
         "v": Statement.plain("v", [binder(I, 2)], add(get("v", I), get("w", I)))},
    )  # fmt: skip
    arrays = {"x": np.array([[1, 2], [3, 4], [5, 6]], np.float32), "w": [10, 20], "v": [1, 1], "lr": 0.5}
    out = engine.compile(program, dtype="float32")(arrays)
    assert set(out) == {"y", "w", "v"} and out["y"].dtype == object
    assert out["y"].tolist() == [[10, 40], [30, 80], [50, 120]]
    assert out["w"].tolist() == [10 - 45, 20 - 120] and out["v"].tolist() == [11, 21]
    with pytest.raises(EngineError):
        engine.compile(program)({**arrays, "w": [1, 2, 3]})
    J = jacobian(engine.block_of(program), arrays, "w", "y")
    assert J.shape == (3, 2, 2) and J[:, 0, 0].tolist() == [1, 3, 5] and not J[:, 0, 1].any()
    block = read("y[i] = x[i]^2")
    assert engine.run(block, {"x": [1, 2]})["y"].tolist() == [1, 4]


# -------------------------------------------------------------------------------------- golden tests of the catalogue


def test_golden_G1_sigmoid_output() -> None:
    bce = read("L = softplus(a) - a*y where a scalar, y scalar")
    mse = read("L = (y - sigmoid(a))^2 where a scalar, y scalar")
    log3 = interval.log(Interval.of(3))
    given = {"a": log3, "y": 1}
    assert agree(of("g = sigmoid(a) where a scalar", {"a": log3}), Q(3, 4))
    assert agree(evaluate(bce, given)["L"], interval.log(Interval.of(Q(4, 3))))
    assert agree(evaluate(mse, given)["L"], Q(1, 16))
    assert agree(jacobian(bce, given, "a"), Q(-1, 4)) and agree(jacobian(mse, given, "a"), Q(-3, 32))
    zero = {"a": 0, "y": 1}
    assert agree(evaluate(bce, zero)["L"], interval.log(Interval.of(2))) and evaluate(mse, zero)["L"] == Q(1, 4)
    assert jacobian(bce, zero, "a") == Q(-1, 2) and jacobian(mse, zero, "a") == Q(-1, 4)


@pytest.mark.parametrize("text", ["S[i] = exp(z[i] - logsumexp(k) z[k])", "S[i] = exp(z[i]) / (sum(k) exp(z[k]))"])
def test_golden_G3_softmax(text: str) -> None:
    log2, log3 = (interval.log(Interval.of(n)) for n in (2, 3))
    assert agree(of(text, {"z": [0, log3]}), [Q(1, 4), Q(3, 4)])
    assert agree(of(text, {"z": [Q(7, 5), Q(7, 5) + log3]}), [Q(1, 4), Q(3, 4)])
    z = {"z": [0, log2, log3]}
    assert agree(of(text, z), [Q(1, 6), Q(1, 3), Q(1, 2)])
    want = [["5/36", "-1/18", "-1/12"], ["-1/18", "2/9", "-1/6"], ["-1/12", "-1/6", "1/4"]]
    assert agree(jacobian(read(text), z, "z"), [[Q(v) for v in row] for row in want])


def test_golden_G6_one_dimensional_convolutions() -> None:
    x, count = {"x": [1, 2, 3, 4], "w": [1, 0, 2]}, 0
    for index, head, want in [
        ("i+P-1-p", "", [5, 8]), ("i-p", "i < H+P-1", [1, 2, 5, 8, 6, 8]), ("i+1-p", "i < H", [2, 5, 8, 6]),
        ("i+p", "", [7, 10]), ("i+p-P+1", "i < H+P-1", [2, 4, 7, 10, 3, 4]), ("i+p-1", "i < H", [4, 7, 10, 3]),
    ]:  # fmt: skip
        where = f" where x: H, w: P, x pads 0, {head}" if head else " where x: H, w: P"
        assert list(of(f"C[i] = sum(p) x[{index}]*w[p]{where}", x)) == want, index
        count += 1
    assert count == 6


def test_golden_G7_two_layers() -> None:
    block = read("a[i] = sum(p) x[i+p]*w[p]; h[i] = relu(a[i]); b[i] = sum(p) h[i+p]*v[p]")
    given = {"x": [1, -2, 3, 0, 2, -1, 4], "w": [1, 2], "v": [1, -1, 3]}
    values, g = evaluate(block, given), [1, 2, -1, 1]
    assert list(values["a"]) == [-3, 4, 3, 4, 0, 7] and list(values["b"]) == [5, 13, -1, 25]

    def gradient(name: str, slope: Any = 0) -> list[Q]:
        return list(vjp(block, given, g, name, conventions=exact.Conventions(relu_at_zero=Q(slope))))

    assert gradient("h") == [1, 1, 0, 8, -4, 3] and gradient("v") == [9, 6, 18]
    assert gradient("a") == [0, 1, 0, 8, 0, 3] and gradient("a", Q(1, 2)) == [0, 1, 0, 8, -2, 3]
    assert gradient("w") == [-5, 31] and gradient("x") == [0, 1, 2, 8, 16, 3, 6]


def test_golden_G16_two_dimensional_convolutions() -> None:
    given, g = {"x": np.arange(1, 13).reshape(3, 4), "w": [[1, 2], [3, 5]]}, [[1, 0, -1], [2, 1, 0]]
    for kernel, value, dx, dw in [
        (
            "P-1-p, Q-1-q",
            [[27, 38, 49], [71, 82, 93]],
            [[5, 3, -5, -3], [12, 12, 1, -1], [4, 4, 1, 0]],
            [[29, 26], [17, 14]],
        ),
        (
            "p, q",
            [[50, 61, 72], [94, 105, 116]],
            [[1, 2, -1, -2], [5, 10, -1, -5], [6, 13, 5, 0]],
            [[14, 17], [26, 29]],
        ),
    ]:
        block = read(f"C[i,j] = sum(p,q) x[i+p,j+q]*w[{kernel}] where w: P Q")
        assert evaluate(block, given)["C"].tolist() == value
        assert vjp(block, given, g, "x").tolist() == dx and vjp(block, given, g, "w").tolist() == dw


# --------------------------------------------------------------------------------------------- mutants of the loops


def strided_sums() -> bool:
    """One number that every part of the loops takes part in."""
    dy, w = rationals(4), rationals(3, seed=1)
    tie = AffineGuard("==", Affine.of(K) - Affine.of(I) * 2 - J)
    low = at_least(Affine.of(I) - 1)
    body = mul(Bracket((tie,)), get("dy", I), get("w", J), add(get("w", Affine.of(J) + 1, pad=Q(5)), const(1)))
    statement = Statement.plain("x", [binder(K, 9)], Reduce("sum", (binder(I, 4), binder(J, 3)), (low,), body))
    more = [*w, Q(5)]
    want = [
        sum(dy[i] * w[k - 2 * i] * (more[k - 2 * i + 1] + 1) for i in range(1, 4) if 0 <= k - 2 * i < 3)
        for k in range(9)
    ]
    return list(evaluate(statement, {"dy": dy, "w": w})["x"]) == want


def test_mutants_of_the_loops_are_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    assert strided_sums()
    narrow, affine, read_, total = (
        closures.Closures.narrow, closures.Closures.affine, closures.Closures.of_read, closures.duals.total
    )  # fmt: skip
    caught = 0
    for owner, name, mutant in [
        (closures.Closures, "narrow", lambda self, g, l: lambda e, a, b: (a, b)),
        (closures.Closures, "narrow", lambda self, g, l: lambda e, a, b: narrow(self, g, l)(e, a, b - 1)),
        (closures.Closures, "affine", lambda self, a: lambda e: abs(affine(self, a)(e))),
        (closures.Closures, "affine", lambda self, a: affine(self, Affine(a.terms))),
        (closures.Closures, "of_read", lambda self, n, s: read_(self, Read(n.tensor, n.indices, Q(0)), s)),
        (closures.duals, "total", lambda terms: total(list(terms)[1:])),
        (closures, "_open", lambda body: ([], body)),
        (closures.Closures, "kept", lambda self, n, v, s: (lambda memory: lambda e: memory.setdefault(0, v(e)))({})),
    ]:  # fmt: skip
        with monkeypatch.context() as planted:
            planted.setattr(owner, name, mutant)
            try:
                caught += not strided_sums()
            except EngineError:
                caught += 1
    assert caught == 8
