"""The structure that is read off a derivative: words written by hand, claims checked by entry, mistakes caught."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from tests.calculus.entrywise import wrong
from tests.calculus.formulas import CASES, Case

import paperback as pb
from paperback.calculus.structure import Count, Structure
from paperback.notation.size import Size

Array = np.ndarray[Any, Any]


def drawn(case: Case, wrt: str, seed: int) -> tuple[Structure, Structure, Array]:
    """The structure for all sizes, the one at the case's sizes, and the Jacobian at random arrays."""
    formula, random = case.formula(), np.random.default_rng(seed)
    given = case.arrays(seed)
    for name in case.floats:
        numbers = random.standard_normal(np.shape(given[name]))
        given[name] = np.abs(numbers) if case.positive else numbers
    sizes = {name: size for name, size in case.sizes.items() if name in formula.block.size_names}
    dense = formula.derivative(wrt)(**{n: float(a) if n in case.scalars else a for n, a in given.items()}, **sizes)
    return formula.structure(wrt), formula.structure(wrt, **sizes), dense


CANCELLED = {
    ("causal attention", "Q"): "the first row is a softmax of one number, whose slope is p - p*p = 0",
    ("causal attention", "K"): "the same",
    ("a read that a common bracket protects", "w"): "x[i+1] - x[2*i] is 0 for i = 1",
    ("a read that a common bracket protects", "x"): "the same",
}


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.id)
def test_every_claim_holds_entry_by_entry(case: Case) -> None:
    for wrt in case.floats:
        symbolic, numeric, dense = drawn(case, wrt, 0)
        for structure in (symbolic, numeric):
            claimed = structure if (case.id, wrt) not in CANCELLED else at_most(structure)
            assert wrong(claimed, dense, case.sizes) == [], f"{wrt}: {structure}"


def at_most(structure: Structure) -> Structure:
    return replace(structure, count=structure.count.most)


CONV = "y[i] = sum(p) x[i+p]*w[p] where x: d, w: k"
FULL = "y[i] = sum(p) x[i+p-k+1]*w[p] where x: d, w: k, x pads 0, i < d+k-1"
DENSE = "y[o] = sum(i) x[i]*w[i,o] + b[o] where x: I, w: I O"
IMAGE = "y[i,j,k] = sum(p,q,r) x[i+p,j+q,r]*w[p,q,r,k] + b[k] where x: H W R, w: P Q R K"
DEPTH = "y[i,c] = sum(p) x[i+p,c]*w[p,c] where x: H C, w: P C"
GATHER = "y[t,d] = E[id[t],d] where id int, id: T, E: V D"
NORM = "m = sum(i) x[i]/N where x: N\nv = sum(i) (x[i]-m)^2/N\ny[i] = (x[i]-m)*(v+eps)^(-1/2) where N size, eps scalar"
ATTEND = "y[q,d] = sum(m | m <= q) a[q,m]*v[m,d] where a: T T, v: T D"
CHAIN = "h[i] = sum(p) x[i+p]*w[p] where x: d, w: k\ny[i] = sum(q) h[i+q]*v[q] where v: l"
RECTIFIED = "h[i] = sum(p) x[i+p]*w[p] where x: d, w: k\ny[i] = relu(h[i])"
SANDWICH = "C[i,j] = sum(k,l) A[i,k]*X[k,l]*B[l,j] where A: I K, X: K L, B: L J"
WORDS = [
    # identity, diagonal, zero
    ("y[i] = x[i] + b[i] where x: n", "x", "identity", "n"),
    ("y[i] = x[i] + b[i] where x: n", "b", "identity", "n"),
    ("y[i,j] = x[i,j] - b[i,j] where x: n m", "b", "a multiple of the identity", "n*m"),
    ("y[i] = 3*x[i] where x: n", "x", "a multiple of the identity", "n"),
    ("y[i] = s[]*x[i] where x: n", "x", "a multiple of the identity", "n"),
    ("y[i] = s[]*x[i] where x: n", "s", "column vector", "n"),
    ("y[i] = tanh(x[i]) where x: n", "x", "diagonal", "n"),
    ("y[i] = x[i]^2 where x: n", "x", "diagonal", "n"),
    ("y[i] = relu(x[i]) where x: n", "x", "diagonal of 0 and 1", "at most n"),
    ("y[i] = g[i]*x[i] where x: n", "x", "diagonal", "n"),
    ("y[i] = g[i]*x[i] where x: n", "g", "diagonal", "n"),
    ("y[i,j] = exp(x[i,j]) where x: n m", "x", "diagonal", "n*m"),
    ("y[i] = step(x[i]) where x: n", "x", "zero", "0"),
    ("y[i] = [x[i] > 0]*x[i] + [x[i] <= 0]*0.1*x[i] where x: n", "x", "diagonal", "at most n"),
    # sums and products
    ("y = sum(i) x[i] where x: n", "x", "constant row", "n"),
    ("y = sum(i) x[i]^2 where x: n", "x", "row vector", "n"),
    ("y[i] = m[] where i < n, n size", "m", "constant column", "n"),
    ("y[i,j] = a[i]*b[j] where a: n, b: m", "a",
     "Kronecker product of column vector over j and identity over i,t", "m*n"),
    ("y[i] = sum(j) x[j] where x: m, i < n, n size", "x", "rank one", "m*n"),
    ("y[i] = a[i]*(sum(j) x[j]*c[j]) where x: m, a: n", "x", "rank one", "m*n"),
    ("y = (w[]*z[])^2", "w", "a number", "1"),
    # dense layers and matrix products
    (DENSE, "x", "dense", "O*I"),
    (DENSE, "w", "Kronecker product of row vector over t and identity over o,u", "I*O"),
    (DENSE, "b", "identity", "O"),
    (SANDWICH, "X", "Kronecker product of dense over i,t and dense over j,u", "I*K*J*L"),
    (SANDWICH, "A", "Kronecker product of identity over i,t and dense over j,u", "I*J*K"),
    (SANDWICH, "B", "Kronecker product of dense over i,t and identity over j,u", "I*L*J"),
    ("y[i] = sum(j) x[i]*x[j] where x: n", "x", "diagonal plus rank one", "n*n"),
    # convolutions
    (CONV, "x", "Toeplitz, band 0..k-1", "(d-k+1)*k"),
    (CONV, "w", "Hankel", "(d-k+1)*k"),
    (FULL, "x", "Toeplitz, band 1-k..0", "d*k"),
    ("y[i] = sum(p) x[2*i+p]*w[p] where x: d, w: k", "x",
     "strided Toeplitz (stride 2), band 0..k-1", "(floor((d-k)/2)+1)*k"),
    ("y[i] = sum(p) x[s*i+p]*w[p] where x: d, w: k, s size", "x",
     "strided Toeplitz (stride s), band 0..k-1", "(floor((d-k)/s)+1)*k"),
    ("y[i] = sum(p) x[2*i+p]*w[p] where x: d, w: k", "w", "strided Hankel (stride 2)", "(floor((d-k)/2)+1)*k"),
    ("y[i] = sum(p) x[i+p]*w[k-1-p] where x: d, w: k", "w", "Toeplitz", "(d-k+1)*k"),
    ("y[i] = sum(p) x[i+p-1]*w[p] where x: d, w: 3, x pads 0, i < d", "x", "Toeplitz, band -1..1", "3*d-2"),
    (IMAGE, "x", "doubly block Toeplitz, bands 0..P-1 and 0..Q-1, of dense K x R blocks", "K*R*(H-P+1)*P*(W-Q+1)*Q"),
    (IMAGE, "w", "Kronecker product of doubly block Hankel, of dense 1 x R blocks over i,j,t,u,v and identity over k,a",
     "(H-P+1)*(W-Q+1)*P*Q*R*K"),
    (IMAGE, "b", "Kronecker product of constant column over i,j and identity over k,t", "(H-P+1)*(W-Q+1)*K"),
    (DEPTH, "x", "block diagonal of Toeplitz blocks, band 0..P-1", "(H-P+1)*P*C"),
    (DEPTH, "w", "block diagonal of Hankel blocks", "(H-P+1)*P*C"),
    (CHAIN, "x", "Toeplitz, band 0..k+l-2", "(d-k-l+2)*(k+l-1)"),
    (CHAIN, "w", "Hankel", "(d-k-l+2)*k"),
    (RECTIFIED, "x", "banded, band 0..k-1", "at most (d-k+1)*k"),
    ("y[t] = sum(i,p) [t == 2*i+p]*x[i]*w[p] where x: I, w: P, t < 2*(I-1)+P", "x",
     "transposed strided Toeplitz (stride 2), band 0..P-1", "I*P"),
    ("y[m] = sum(j,k) [m == j+k]*w[j]*h[k] where m < J+K-1, w: J, h: K", "h", "Toeplitz, band 1-J..0", "K*J"),
    # pooling, gathers, shapes
    ("y[i] = max(p<2) x[2*i+p] where x: H", "x", "selection (one 1 per row)", "floor(H/2)"),
    ("y[i,c] = max(p<3) x[i+p,c] where x: H C", "x", "selection (one 1 per row)", "(H-2)*C"),
    ("y[c] = max(i,j) x[i,j,c] where x: H W C", "x", "selection (one 1 per row)", "C"),
    ("y[i] = sum(p<2) x[2*i+p]/2 where x: H", "x", "strided Toeplitz (stride 2), band 0..1", "floor(H/2)*2"),
    ("y[i,c] = sum(p<2) x[2*i+p,c]/2 where x: H C", "x",
     "Kronecker product of strided Toeplitz (stride 2), band 0..1 over i,t and identity over c,u", "floor(H/2)*2*C"),
    (GATHER, "E", "Kronecker product of selection (one 1 per row) over t,u and identity over d,v", "T*D"),
    ("y[n] = z[n,l[n]] where l int, l: N, z: N C", "z", "selection (one 1 per row)", "N"),
    ("F[J*K*i + K*j + k] = x[i,j,k] where x: I J K", "x", "identity", "I*J*K"),
    ("y[j,i] = x[i,j] where x: I J", "x", "permutation", "I*J"),
    ("y[j,i] = x[i,j]^2 where x: I J", "x", "diagonal up to a permutation", "I*J"),
    ("y[i] = x[2*i] where x: N, i < floor((N-1)/2)+1", "x", "selection (one 1 per row)", "floor((N-1)/2)+1"),
    ("y[i] = x[N-1-i] where x: N", "x", "selection (one 1 per row)", "N"),
    ("y[2*i] = x[i] where x: N, y pads 0", "x", "identity, rows at 2*i", "N"),
    # softmax, norms, attention
    ("S[i] = exp(z[i] - logsumexp(k) z[k]) where z: I", "z", "diagonal minus rank one", "I*I"),
    ("S[i] = z[i] - logsumexp(k) z[k] where z: I", "z", "diagonal minus rank one", "I*I"),
    ("S[n,i] = exp(z[n,i] - logsumexp(k) z[n,k]) where z: N I", "z",
     "block diagonal of diagonal minus rank one blocks", "I*I*N"),
    ("m = sum(i) x[i]/N where x: N\ny[i] = x[i] - m where N size", "x", "diagonal minus rank one", "N*N"),
    (NORM, "x", "diagonal plus rank at most two", "N*N"),
    (ATTEND, "v", "Kronecker product of lower triangular over q,t and identity over d,u", "T*(T+1)*D/2"),
    (ATTEND, "a", "block diagonal of dense D x T blocks", "D*T*(T+1)/2"),
    ("y[i] = sum(j | j <= i) x[j] where x: N, i < N", "x", "lower triangular Toeplitz", "N*(N+1)/2"),
    ("y[i] = sum(j | j < i) x[j] where x: N, i < N", "x", "strictly lower triangular Toeplitz", "N*(N-1)/2"),
    ("L = -sum(k) t[k]*(z[k] - logsumexp(j) z[j]) where z: K", "z", "row vector", "K"),
]  # fmt: skip


@pytest.mark.parametrize(("text", "wrt", "words", "count"), WORDS)
def test_words_and_counts(text: str, wrt: str, words: str, count: str) -> None:
    found = pb.formula(text).structure(wrt)
    assert (found.words, str(found.count)) == (words, count)


def test_how_many_were_written_by_hand() -> None:
    assert len(WORDS) >= 60 and len(CASES) > 60


def test_a_structure_prints_its_words_and_its_share() -> None:
    conv = pb.formula(CONV)
    assert str(conv.structure("x")) == "Toeplitz, band 0..k-1; (d-k+1)*k of (d-k+1)*d entries non-zero"
    assert str(conv.structure("x", d=6, k=3)) == "Toeplitz, band 0..2; 12 of 24 entries non-zero"
    assert conv.structure("x", d=6, k=3).nnz == 12 and conv.structure("x").nnz == "(d-k+1)*k"
    assert (conv.structure("x").kind, pb.formula(DENSE).structure("w").kind) == ("Toeplitz", "Kronecker")


MUTANTS = {
    "a band that is one short": lambda s: with_pair(s, high=Size.of(1)),
    "a band moved by one": lambda s: with_pair(s, low=Size.of(1), high=Size.of(3)),
    "the wrong stride": lambda s: with_pair(s, stride=Size.of(2)),
    "Hankel for Toeplitz": lambda s: with_pair(s, stride=Size.of(-1)),
    "identity for Toeplitz": lambda s: with_pair(s, kind="identity"),
    "one entry too many": lambda s: replace(s, count=Count.of(s.count.size + 1)),
    "one entry too few, as a bound": lambda s: replace(s, count=Count.of(s.count.size - 1).most),
    "a selection": lambda s: replace(s, parts=(replace(s.parts[0], kind="selection"),)),
    "rank one": lambda s: replace(s, parts=(replace(s.parts[0], kind="rank one"),)),
    "ones": lambda s: replace(s, parts=(replace(s.parts[0], values="ones"),)),
    "zero": lambda s: replace(s, words="zero"),
}


def with_pair(structure: Structure, **changes: Any) -> Structure:
    part = structure.parts[0]
    return replace(structure, parts=(replace(part, pairs=(replace(part.pairs[0], **changes),)),))


@pytest.mark.parametrize("name", MUTANTS)
def test_a_planted_mistake_is_found(name: str) -> None:
    formula, random = pb.formula(CONV), np.random.default_rng(0)
    dense = formula.derivative("x")(x=np.zeros(7), w=random.standard_normal(3))
    truth = formula.structure("x")
    assert wrong(truth, dense, {"d": 7, "k": 3}) == []
    assert wrong(MUTANTS[name](truth), dense, {"d": 7, "k": 3}) != []


def test_a_kronecker_product_that_is_none_is_found() -> None:
    formula, random = pb.formula("y[i,j] = sum(k,l) W[i,j,k,l]*x[k,l] where W: I J K L"), np.random.default_rng(0)
    sizes = {"I": 2, "J": 3, "K": 2, "L": 3}
    dense = formula.derivative("x")(x=np.zeros((2, 3)), W=random.standard_normal((2, 3, 2, 3)))
    claimed = replace(pb.formula(SANDWICH).structure("X"), count=Count.of(Size.of(36)))
    assert any("Kronecker" in mistake for mistake in wrong(claimed, dense, sizes))
    assert wrong(formula.structure("x"), dense, sizes) == []
