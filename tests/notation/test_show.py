"""What printing looks like, word for word."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import pytest
from tests.notation.formulas import CONVOLUTION, GOOD

from paperback.notation.affine import Affine, Letter
from paperback.notation.expr import Binder, Index, Read, Reduce, Size, Statement, add, const, mul, power, scale
from paperback.notation.read import read
from paperback.notation.show import show, show_expr, show_statement
from paperback.notation.size import floor_div
from paperback.notation.spell import affine_text, number_text, size_text

PRINTED = {
    "convolution": "C[i,j,k] = sum(p,q,r) x[2*i+p,2*j+q,r]*w[P-1-p,Q-1-q,r,k] + b[k] where x: H W R, w: P Q R K, b: K",
    "nothing declared": "y[i] = sum(p) x[i+p]*w[p] where x: x0, w: P",
    "same": "C[i] = sum(p) x[i+p-1]*w[p] where x: H, w: P, x pads 0, i < H",
    "full": "dx[n] = sum(j) dy[n-j]*w[j] where dy: M, w: P, dy pads 0, n < M+P-1",
    "phases": "y[t] = sum(p) [2 | t-p]*x[(t-p)/2]*w[p] where x: I, w: P, x pads 0, t < 2*I",
    "max pool": "y[i,j,c] = max(p<2,q<2) x[2*i+p,2*j+q,c] where x: x0 x1 C",
    "padded pool": "y[i] = max(p<3) x[2*i+p-1] where x: H, x pads -inf, i < floor((H-1)/2)+1",
    "flatten": "F[J*K*i+K*j+k] = x[i,j,k] where x: I J K",
    "upsampling": "y[2*i+a] = x[i] where x: I, a < 2",
    "gaps": "y[2*i] = x[i] where x: I, y pads 0",
    "relu": "y = relu(x[])",
    "gelu": "y[i] = x[i]*(1 + erf(x[i]/sqrt(2)))/2 where x: I",
    "sigmoid, spelled out": "y[i] = 1/(1 + exp(-x[i])) where x: I",
    "softmax": "y[i] = exp(z[i] - logsumexp(k) z[k]) where z: I",
    "softmax in two lines": "l = logsumexp(k) x[k] where x: K\ny[i] = exp(x[i] - l)",
    "softmax, its gradient": "dz[j] = S[j]*(dS[j] - sum(i) dS[i]*S[i]) where S: J, dS: J",
    "cross-entropy of a class": "J = logsumexp(k) z[k] - z[y[]] where z: K, y int",
    "dropout": "y = x[]*mask[]/keep where keep scalar",
    "embedding": "y[n,d] = e[ids[n],d] where e: e0 D, ids: N, ids int",
    "concatenation": "y[i] = [i < N]*x[i] + [i >= N]*z[i-N] where x: N, z: M, i < M+N",
    "unicode": "y'[i] = sum(p) x[i+p]*w[p] where x: x0, w: P",
    "unknown functions": "y[i] = phi(x[i]) + psi(x[i]) where x: I, phi function, psi increasing",
    "roots and powers": "y[i] = x[i]^2/6 + x[i]^(1/3) + 1/x[i] + (x[i] + 1)^(-3/2) where x: I",
    "dotted names": "relu_1.y[n,i] = relu(dense_1.y[n,i]) where dense_1.y: N I",
    "momentum": "u = 0.9*v[] + g[]\nv = u\nw = w[] - lr*u where lr scalar",
}


@pytest.mark.parametrize("name", PRINTED)
def test_printed(name: str) -> None:
    text, declared = GOOD[name]
    assert show(read(text, **declared)) == PRINTED[name]


def test_derivatives_bound_their_left_indices() -> None:
    text = "dz[j] = S[j]*(dS[j] - sum(i) dS[i]*S[i])"
    assert show(read(text), bounded=True) == f"{text} where S: J, dS: J, j < J"


EXPRESSIONS = [
    "a - b",
    "1 - a^2",
    "-a",
    "-a/2 + b",
    "2/3*sum(i<3) m[i]",
    "a*(b + c)",
    "a/(b*c)",
    "a/b/c",
    "a/b*c",
    "1/a*b",
    "a/(sum(i<3) m[i])",
    "(sum(i<3) m[i])*a",
    "a*sum(i<3) m[i]",
    "(sum(i<3) m[i])^2",
    "sum(i<3) (a + m[i])",
    "sum(i<3) (-m[i])",
    "sum(i<3) max(j<3) m[i]*m[j]",
    "sum(i<3) m[i] + a",
    "sum(i<3 | 1 <= i < 3) m[i]",
    "sum(i<3 | i != 1 and m[i] > a) m[i]",
    "sqrt(a)/b",
    "sqrt(a)^3",
    "(a*b)^(-1/2)",
    "a^2^1".replace("^1", ""),
    "(-2)^(1/3)",
    "0.044715*a^3",
    "a/1024",
    "1e-5",
    "[a > 0 and b != 1]*c",
    "max(a, 0) - min(a, b)",
    "log1p(exp(-abs(a)))",
    "a*pi",
    "sum(i<3) (i + 1)*m[i]",
    "sum(i<3) (2*i)*m[i]*a",
    "sum(i<3) i*m[i]",
    "a - 2*(b - c)",
    "sum(i<3) [0 <= i+1 < 3]*m[i]",
    "sum(i<3) [2 | i+1]*m[i]",
]


@pytest.mark.parametrize("text", EXPRESSIONS)
def test_expressions_are_printed_as_they_are_written(text: str) -> None:
    block = read(f"y = {text} where a scalar, b scalar, c scalar, m: 3")
    printed = show(block).partition(" where")[0].removeprefix("y = ")
    assert printed.replace("(i)", "(i<3)").replace("(i |", "(i<3 |").replace("(j)", "(j<3)") == text


NUMBERS = {"0": 0, "12": 12, "1/2": "1/2", "7/3": "7/3", "0.1": "1/10", "0.044715": "0.044715", "1e-5": "1e-5",
           "2.5e-7": "2.5e-7", "0.0001": "0.0001", "1000000": 10**6, "3/1024": "3/1024"}  # fmt: skip


@pytest.mark.parametrize("text", NUMBERS)
def test_numbers(text: str) -> None:
    assert number_text(Fraction(NUMBERS[text])) == text
    block = read(f"y = {text}")
    assert block.result.expr == const(Fraction(NUMBERS[text]))


def test_affine_forms() -> None:
    i, t, p = (Letter.fresh(name) for name in "itp")
    P, s = Size.of("P"), Size.of("s")
    assert affine_text(Affine.of(i) * 2 + p) == "2*i+p"
    assert affine_text(Affine.of(P) - 1 - p) == "P-1-p"
    assert affine_text(Affine.of(i) * 2 - t + (P - 1)) == "2*i-t+P-1"
    assert affine_text(-Affine.of(t) + i) == "i-t"
    assert affine_text(-Affine.of(t)) == "-t"
    assert affine_text(Affine.of(t) * -2 - P) == "-2*t-P"
    assert affine_text(Affine.of(t) * (P + 1) + s) == "(P+1)*t+s"
    assert affine_text(Affine.of(t) * (P * s)) == "P*s*t"
    assert affine_text(Affine()) == "0"
    assert affine_text(Affine.of(floor_div(P - 1, s)) + i) == "i+floor((P-1)/s)"


def test_sizes() -> None:
    H, P = Size.of("H"), Size.of("P")
    assert [str(s) for s in (H - P + 1, P - H, 1 - P, -P - 1, H * P - H, Size())] == [
        "H-P+1", "P-H", "1-P", "-P-1", "H*P-H", "0",
    ]  # fmt: skip
    assert [size_text(s) for s in (H, H + 1, H * P, Size.of(3), Size.of(-3), floor_div(H, P))] == [
        "H", "(H+1)", "(H*P)", "3", "(-3)", "floor(H/P)",
    ]  # fmt: skip


def test_letters_get_names_that_are_free() -> None:
    """Letters of one name in one scope, and letters called as a size, a tensor or a word."""
    outer, inner, other, size, tensor, word = (Letter.fresh(name) for name in ("i", "i", "i", "N", "x", "sum"))
    n = Size.of("N")
    x = Read("x", (Affine.of(inner), Affine.of(outer)), None)
    twice = add(
        Reduce("sum", (Binder(inner, n),), (), x),
        Reduce("sum", (Binder(other, n),), (), Read("x", (Affine.of(outer), Affine.of(other)), None)),
    )
    assert show_statement(Statement.plain("y", (Binder(outer, n),), twice)) == (
        "y[i] = sum(i1<N) x[i1,i] + sum(i1<N) x[i,i1] where i < N"
    )
    indices = tuple(Affine.of(letter) for letter in (size, tensor, word))
    strange = Statement.plain("y", tuple(Binder(l, n) for l in (size, tensor, word)), Read("x", indices, None))
    assert show_statement(strange, extents=False) == "y[N1,x1,sum1] = x[N1,x1,sum1]"


def test_expressions_by_themselves() -> None:
    i = Letter.fresh("i")
    x = Read("x", (Affine.of(i),), None)
    assert show_expr(scale(-2, x)) == "-2*x[i]"
    assert show_expr(mul(x, power(add(x, const(1)), -1))) == "x[i]/(x[i] + 1)"
    assert show_expr(x, {i: "n"}) == "x[n]"
    assert show_expr(Read("m", (), None)) == "m[]"
    assert show_expr(Read("m", (), None), plain=["m"]) == "m"
    assert show_expr(Index(Affine.of(i) * 2 + Size.of("P"))) == "2*i + P"


def test_statements_without_clauses() -> None:
    declared: dict[str, Any] = {"axes": {"x": "H W R", "w": "P Q R K", "b": "K"}, "sizes": {"s": 2}}
    statement = read(CONVOLUTION, **declared).result
    assert show_statement(statement, extents=False) == (
        "C[i,j,k] = sum(p,q,r) x[2*i+p,2*j+q,r]*w[P-1-p,Q-1-q,r,k] + b[k]"
    )
    assert show_statement(statement) == (
        "C[i,j,k] = sum(p<P,q<Q,r<R) x[2*i+p,2*j+q,r]*w[P-1-p,Q-1-q,r,k] + b[k] "
        "where i < floor((H-P)/2)+1, j < floor((W-Q)/2)+1, k < K"
    )
