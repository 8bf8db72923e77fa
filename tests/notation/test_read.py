"""What formulas mean: grammar, names, declarations, facts, guards, pads, updates."""

from __future__ import annotations

import math
from fractions import Fraction
from typing import Any

import pytest
from tests.notation.formulas import ATTENTION, BATCH_NORM, CONVOLUTION, RUNNING

from paperback.errors import FormulaError
from paperback.notation.block import Block
from paperback.notation.expr import (
    Add,
    Affine,
    AffineGuard,
    Bracket,
    Call,
    Compare,
    Const,
    Divides,
    Index,
    Mul,
    Node,
    Pow,
    Quotient,
    Read,
    Reduce,
    Scalar,
    Size,
)
from paperback.notation.read import read
from paperback.notation.show import show
from paperback.notation.walk import nodes, reads


def value(text: str) -> Node:
    """The tree of an expression in a few scalars and a vector."""
    return read(f"y = {text} where a scalar, b scalar, c scalar, d scalar, m: 3").result.expr


SAME = [
    ("a + b*c", "a + (b*c)"),
    ("a - b - c", "(a - b) - c"),
    ("a/b/c", "(a/b)/c"),
    ("a/b*c", "(a/b)*c"),
    ("a^2/6", "(a^2)/6"),
    ("-a^2", "-(a^2)"),
    ("-a*b", "-(a*b)"),
    ("a^-1", "1/a"),
    ("a^(-1)", "a^-1"),
    ("a^(2/4)", "sqrt(a)"),
    ("2*a/4", "a/2"),
    ("a*0 + b", "b"),
    ("1.5e1", "15"),
    (".5*a", "a/2"),
    ("a·b − c", "a*b - c"),
    ("sum(i) m[i] + a", "(sum(i) m[i]) + a"),
    ("sum(i) m[i]*a + b", "(sum(i) (m[i]*a)) + b"),
    ("sum(i) m[i]*a/b", "sum(i) (m[i]*a/b)"),
    ("a*sum(i) m[i]*b", "a*(sum(i) m[i]*b)"),
    ("sum(i) sum(j) m[i]*m[j]", "sum(i) (sum(j) (m[i]*m[j]))"),
    ("Σ(i) m[i]", "sum(i) m[i]"),
    ("∑(i) m[i]", "sum(i) m[i]"),
    ("sum(i<3 | 0 <= i < 2) m[i]", "sum(i<3 | 0 <= i and i < 2) m[i]"),
    ("sum(i) [i ≥ 1]*m[i]", "sum(i) [0 < i]*m[i]"),
    ("sum(i) [i > 0]*m[i]", "sum(i) [1 <= i]*m[i]"),
    ("[a < b < c]", "[a < b and b < c]"),
    ("[2 < 3]", "[3 > 2]"),
    ("sum(i<3) δ(i,1)*m[i]", "sum(i<3) [i == 1]*m[i]"),
    ("max(a, b)", "max(a,b)"),
    ("max(i) m[i]", "(max(i) (m[i]))"),
    ("exp(a)/sum(i) exp(m[i])", "exp(a - logsumexp(i) m[i])"),
    ("b*exp(a)*c/(sum(i) exp(m[i]))", "b*exp(a - logsumexp(i) m[i])*c"),
    ("log(sum(i | i >= 1) exp(2*m[i]))", "logsumexp(i | i >= 1) 2*m[i]"),
    ("(\n  a +\n b)", "a + b"),
]


@pytest.mark.parametrize(("left", "right"), SAME, ids=[left for left, _ in SAME])
def test_precedence_and_spellings(left: str, right: str) -> None:
    assert read(f"y = {left} where a scalar, b scalar, c scalar, m: 3") == read(
        f"y = {right} where a scalar, b scalar, c scalar, m: 3"
    )


def test_what_is_not_the_same() -> None:
    for left, right in [("a - (b - c)", "a - b - c"), ("a/(b*c)", "a/b*c"), ("(-a)^2", "-a^2"), ("a + b", "b + a")]:
        assert value(left) is not value(right)


def test_nodes() -> None:
    a, b = Scalar("a"), Scalar("b")
    assert value("a") is a and value("pi") is Scalar("pi")
    assert value("a + b") is Add((a, b))
    assert value("a - 2*b") is Add((a, Mul((Const(Fraction(-2)), b))))
    assert value("1 - a") is Add((Mul((Const(Fraction(-1)), a)), Const(Fraction(1))))
    assert value("a/b") is Mul((a, Pow(b, Fraction(-1))))
    assert value("sqrt(a)") is Pow(a, Fraction(1, 2))
    assert value("tanh(a)") is Call("tanh", (a,))
    assert value("[a > b]") is Bracket((Compare(">", a, b),))
    assert value("m[1]") is Read("m", (Affine.of(1),), None)
    node = value("sum(i) 2*i*m[i]")
    assert isinstance(node, Reduce) and isinstance(node.body, Mul) and len(node.body.factors) == 3


def test_affine_values_are_one_index() -> None:
    block = read("y[i] = x[i]*(2*i + N*M - 1) + N*M*x[i] where x: N, z: M")
    found = [n for n in nodes(block.result.expr) if isinstance(n, Index)]
    i = Affine.of(block.result.letters[0])
    N, M = Size.of("N"), Size.of("M")
    assert found == [Index(i * 2 + N * M - 1), Index(Affine.of(N)), Index(Affine.of(M))]
    assert read("y[i] = x[i]/(N*M) where x: N, z: M").result.expr.factors[1] is Pow(
        Index(Affine.of(N * M)), Fraction(-1)
    )


# ------------------------------------------------------------------------------------------------------ statements


def test_separators() -> None:
    one = read("a[i] = x[i]; b[i] = a[i]*2; c = sum(i) b[i]", axes={"x": "N"})
    for text in (
        "a[i] = x[i]\nb[i] = a[i]*2\nc = sum(i) b[i]",
        "\n\na[i] =\n x[i];;\n\n b[i] = a[i] *\n 2\n c = sum(\n i) b[i]\n",
        "a[i] = x[i]\n  where x: N;\nb[i] = a[i]*2\nc = sum(i) b[i]",
        "a[i] = x[i] where\n x: N\nb[i] = (a[i]\n*2)\nc = sum(i) b[\ni]",
    ):
        assert read(text, axes={"x": "N"}) == one
    assert [s.target for s in one.statements] == ["a", "b", "c"]
    assert one.tensor("b").axes == (Size.of("N"),)
    assert list(one.inputs) == ["x"]


def test_scalar_statements_are_read_by_name_or_with_brackets() -> None:
    for text in ("m = sum(i) x[i]\ny[i] = x[i] - m", "m = sum(i) x[i]\ny[i] = x[i] - m[]"):
        block = read(text)
        assert Read("m", (), None) in list(nodes(block.result.expr))


def test_the_order_of_meanings_of_a_name() -> None:
    """An index in scope, else a size, else an earlier statement without axes, else a scalar, else pi."""
    block = read("y[N1] = x[N1]*N1 + N + t + pi where t scalar, x: N")
    terms = block.result.expr.terms
    assert [type(term).__name__ for term in terms] == ["Mul", "Index", "Scalar", "Scalar"]
    assert read("pi = sum(i) x[i]\ny = 2*pi").result.expr is Mul((Const(Fraction(2)), Read("pi", (), None)))
    with pytest.raises(FormulaError, match="p is no index here and no size"):
        read("y = sum(p) x[p] + w[p]")


def test_scalars_are_offered_and_need_not_be_used() -> None:
    assert read("y[t] = x[t]*lr", scalars=("t", "lr")).scalars == ("lr",)
    with pytest.raises(FormulaError, match="t is a scalar and cannot be an index too"):
        read("y[t] = x[t] where t scalar")


def test_where_bounds_the_indices_of_reducers_too() -> None:
    assert read("y[i] = sum(p) x[2*i+p] where p < 2") == read("y[i] = sum(p<2) x[2*i+p]")


def test_sibling_reducers_may_reuse_a_name() -> None:
    block = read("y = sum(k) a[k] + sum(k) b[k]")
    first, second = block.result.expr.terms
    assert first.binders[0].letter != second.binders[0].letter
    assert [str(n.binders[0].extent) for n in (first, second)] == ["K", "b0"]


def test_numbers_for_sizes_go_everywhere() -> None:
    block = read(CONVOLUTION, axes={"x": "H W R", "w": "P Q R K", "b": "K"}, sizes={"s": 2, "P": 3, "Q": 3, "H": 9})
    assert block.inputs["w"].axes == (Size.of(3), Size.of(3), Size.of("R"), Size.of("K"))
    assert str(block.result.axes[0]) == "4" and str(block.result.axes[1]) == "floor((W-3)/2)+1"
    assert [f"{fact.size} {fact.relation} 0" for fact in block.facts] == ["W-3 >= 0"]


def test_axes_may_be_given_in_many_ways() -> None:
    blocks = [
        read("y[i,j] = x[i,j]", axes={"x": "H 3"}),
        read("y[i,j] = x[i,j]", axes={"x": ("H", 3)}),
        read("y[i,j] = x[i,j]", axes={"x": [Size.of("H"), "3"]}),
        read("y[i,j] = x[i,j] where x: H 3"),
        read("y[i,j] = x[i,j]", axes={"x": "H W"}, sizes={"W": 3}),
        read("y[i,j] = x[i,j] where x: H W, W = 3"),
        read("y[i,j] = x[i,j] where i < H, x: H (2+1)"),
    ]
    assert all(block == blocks[0] for block in blocks)


def test_declared_but_not_read() -> None:
    """A tensor that is not read declares its sizes and is an input."""
    block = read("y[t] = x[t] where t < H, i: H", axes={"x": "H", "z": "H W"})
    assert list(block.inputs) == ["x", "z", "i"]


# ----------------------------------------------------------------------------------------------------------- facts


def facts(block: Block) -> list[str]:
    return [f"{f.modulus} | {f.size}" if f.relation == "|" else f"{f.size} {f.relation} 0" for f in block.facts]


FACTS: list[tuple[str, str, list[str]]] = [
    ("x: N, N = 2*M, z: M", "2*M", []),
    ("x: N, M = 2*N, z: M", "N", []),
    ("x: N, N = 2*M", "2*M", []),
    ("x: N, 2*M = N, N = 6", "6", []),
    ("x: N, z: P Q, P*Q = N", "P*Q", []),
    ("x: N, z: P Q, P*Q = 6", "N", ["P*Q-6 == 0"]),
    ("x: N, N = 6", "6", []),
    ("x: N, M = N + 1, M = 5, z: M", "4", []),
    ("x: N, N = K + M, M = 2, K = 3", "5", []),
    ("x: N, P = 3, N = s*(I-1)+P+rest, z: I, s = 2", "N", ["N-2*I-1 >= 0"]),
]


@pytest.mark.parametrize(("clauses", "axis", "left"), FACTS, ids=[clauses for clauses, _, _ in FACTS])
def test_facts(clauses: str, axis: str, left: list[str]) -> None:
    block = read(f"y[i] = x[i] where {clauses}")
    assert (str(block.result.axes[0]), facts(block)) == (axis, left)


def test_pads_and_rests_may_be_0() -> None:
    block = read("y[i] = sum(p) x[i+p-a]*w[p] where x: H, w: P, x pads 0, i < H+2*a-P+1, a size")
    assert block.lower == {"a": 0}
    assert facts(block) == ["H-P+2*a >= 0"]
    assert read("y[i] = x[i] where x: H, H = 2*I + rest, z: I, rest size").lower == {"rest": 0}


def test_constraints_are_dropped_where_they_are_proved() -> None:
    assert facts(read("y[i] = sum(p) x[i+p]*w[p]", axes={"x": "H", "w": "P"})) == ["H-P >= 0"]
    assert facts(read("y[i] = sum(p<2) x[2*i+p]", axes={"x": "H"})) == ["H-2 >= 0"]
    assert facts(read("y[i] = sum(p<2) x[2*i+p]", axes={"x": "6"})) == []
    assert facts(read("y[i] = x[i]*w[H]", axes={"x": "H", "w": "P"})) == ["P-H-1 >= 0"]
    assert facts(read("y[i] = x[i+1]*w[3]", axes={"x": "H", "w": "P"})) == ["H-2 >= 0", "P-4 >= 0"]
    assert facts(read("y[i] = x[i] where i < M, x: H, z: M")) == ["H-M >= 0"]


# -------------------------------------------------------------------------------------------- guards, pads, gathers


def test_guards() -> None:
    block = read("y[t] = sum(i) [0 <= t-2*i < P and x[t] > 1 and 2 | t]*dy[i] where t < H, dy: I, x: H, w: P")
    (bracket,) = (n for n in nodes(block.result.expr) if isinstance(n, Bracket))
    t, i = block.result.letters[0], block.result.expr.binders[0].letter
    form = Affine.of(t) - Affine.of(i) * 2
    x = Read("x", (Affine.of(t),), None)
    assert bracket.guards == (
        AffineGuard(">=", form),
        AffineGuard(">=", Affine.of(Size.of("P") - 1) - form),
        Compare(">", x, Const(Fraction(1))),
        Divides(Size.of(2), Affine.of(t)),
    )


def test_every_comparison_binds_its_own_indices() -> None:
    block = read("y = [0 < sum(i) x[i] < 3]")
    letters = [n.binders[0].letter for n in nodes(block.result.expr) if isinstance(n, Reduce)]
    assert len(set(letters)) == 2


@pytest.mark.parametrize(("pad", "stored"), [("0", Fraction(0)), ("-1", Fraction(-1)), ("0.5", Fraction(1, 2)),
                                             ("inf", math.inf), ("-inf", -math.inf)])  # fmt: skip
def test_pads_hold_for_indices_that_are_not_bare(pad: str, stored: Fraction | float) -> None:
    block = read(f"y[i,j] = x[i-1,j] + x[i,j]\n where x: H W, x pads {pad}, i < H\nz[i] = y[i,0] + x[i,1]")
    first, second = (list(reads(s.expr, "x")) for s in block.statements)
    assert [r.pad for r in first] == [stored, None] and [r.pad for r in second] == [None]
    with pytest.raises(FormulaError, match="j reaches W, but axis 1 of x ends at W-1"):
        read("y[i,j] = x[i-1,j] where x: H W, x pads 0, i < H, j < W+1")


def test_gathers() -> None:
    block = read("y[n,d] = e[l[n],d]", axes={"e": "V D"}, integers=("l",))
    assert block.inputs["l"].integer and not block.inputs["e"].integer
    (index, _) = next(reads(block.result.expr, "e")).indices
    assert isinstance(index, Read) and index.tensor == "l"
    chosen = read("a = argmax(k) z[k]\ny = z[a[]] + z[a[]]")
    assert chosen.tensor("a").integer


def test_quotients() -> None:
    block = read("y[t] = sum(p) [2 | t-p and 0 <= t-p < 2*I]*x[(t-p)/2]*w[p] where x: I, w: P, t < 2*I")
    (index,) = next(reads(block.result.expr, "x")).indices
    assert isinstance(index, Quotient) and index.divisor == Size.of(2) and block.facts == ()


def test_affine_left_sides() -> None:
    block = read("F[J*K*i + K*j + k] = x[i,j,k] where x: I J K")
    assert [str(axis) for axis in block.result.axes] == ["I*J*K"]
    assert [b.letter.name for b in block.result.binders] == ["i", "j", "k"]
    gaps = read("y[2*i] = x[i] where y pads 0, x: N")
    assert gaps.result.pad == 0 and str(gaps.result.axes[0]) == "2*N-1"
    even = read("y[2*i] = x[i] where y pads 0, x: N, y: (2*N)")
    assert str(even.result.axes[0]) == "2*N"
    with pytest.raises(FormulaError, match=r"2\*i does not stay inside axis 0 of y, which has 4"):
        read("y[2*i] = x[i] where y pads 0, x: 3, y: 4")


# --------------------------------------------------------------------------------------------------------- updates


def test_updates_read_old_values() -> None:
    declared: dict[str, Any] = {"axes": {"x": "N H W C", "mean": "C"}, "scalars": ("momentum",)}
    block = read(RUNNING, updates=True, **declared)
    assert [s.target for s in block.statements] == ["mean", "var"]
    assert set(block.inputs) == {"mean", "m", "var", "v", "x"} and block.scalars == ("momentum",)
    assert block.inputs["mean"].axes == (Size.of("C"),)
    with pytest.raises(FormulaError, match="mean is read by the statement that computes it"):
        read(RUNNING, **declared)


def test_updates_may_name_intermediates() -> None:
    block = read("u = 0.9*v[] + g[]\nv = u\nw = w[] - lr*u", axes={"v": "", "w": ""}, scalars=["lr", "t"], updates=True)
    assert set(block.inputs) == {"v", "g", "w"} and block.scalars == ("lr",)


# --------------------------------------------------------------------------------------------------- whole formulas


def test_batch_norm() -> None:
    block = read(BATCH_NORM)
    assert list(block.inputs) == ["x", "scale", "shift"] and block.scalars == ("eps",)
    assert [tuple(map(str, s.axes)) for s in block.statements] == [("C",), ("C",), ("N", "H", "W", "C")]


def test_attention() -> None:
    block = read(ATTENTION)
    assert [tuple(map(str, s.axes)) for s in block.statements] == [("L", "L"), ("L", "E")]
    guarded = [n for n in nodes(block.result.expr) if isinstance(n, Reduce)]
    assert [(n.op, len(n.guards)) for n in guarded] == [("sum", 1), ("logsumexp", 1)]


def test_functions() -> None:
    block = read("y[i] = phi(x[i])*phi'(x[i])*psi(x[i]) where phi function, phi' function, psi increasing")
    assert dict(block.functions) == {"phi": False, "phi'": False, "psi": True}


@pytest.mark.parametrize(
    ("text", "plain"),
    [
        ("y[i] = 0*x[i] + z[i]", "y[i] = z[i] where z: I, x: I"),
        ("y[i] = z[i] - 0*x[i]*z[i]", "y[i] = z[i] where z: I, x: I"),
        ("y[i] = x[i]^0", "y[i] = 1 where i < I, x: I"),
        ("y[i] = (0*x[i])^0/x[i]^0", "y[i] = 1 where i < I, x: I"),
        ("y[i] = -(-0)*x[i]", "y[i] = 0 where i < I, x: I"),
        ("y[i] = z[i] + sum(p) 0*x[i+p]*w[p]", "y[i] = z[i] + sum(p<P) 0 where z: I, w: P, x: (I+P-1)"),
    ],
)
def test_a_factor_zero_leaves_the_axes_of_what_it_multiplies(text: str, plain: str) -> None:
    block = read(text)
    assert block == read(plain)
    assert read(show(block)) == block
