"""Formulas with sizes, as test cases for everything that is derived from a formula.

A case: (id, text, axes, sizes, integers). Sizes are small, not square, prime where that fits; what an index may be is
given by `integers` (tensor -> number of values). Inputs are short rationals, away from kinks unless ties are asked for.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any

import numpy as np

import paperback as pb
from paperback.notation.bind import holds
from paperback.notation.size import evaluate


@dataclass(frozen=True)
class Case:
    id: str
    text: str
    axes: Mapping[str, str]
    sizes: Mapping[str, int]
    integers: Mapping[str, int] = field(default_factory=dict)
    scalars: Mapping[str, Fraction] = field(default_factory=dict)
    positive: bool = False
    rational: bool = True  # are all values rational?

    def formula(self) -> pb.Formula:
        return pb.formula(self.text, **self.axes)

    def arrays(self, seed: int = 0, *, ties: bool = False) -> dict[str, Any]:
        """Rational inputs: all different (no ties, no zeros), or from four values (many ties)."""
        rng = np.random.default_rng(seed)
        formula, values = self.formula(), dict(self.scalars)
        assert all(holds(fact, self.sizes) for fact in formula.block.facts), self.id
        arrays: dict[str, Any] = dict(values)
        for name, tensor in formula.block.inputs.items():
            shape = tuple(evaluate(axis, self.sizes) for axis in tensor.axes)
            if name in self.integers:
                arrays[name] = rng.integers(0, self.integers[name], shape)
            else:
                arrays[name] = rationals(rng, shape, ties=ties, positive=self.positive)
        return arrays

    @property
    def floats(self) -> list[str]:
        return [name for name in self.formula().block.inputs if name not in self.integers]


def rationals(rng: np.random.Generator, shape: tuple[int, ...], *, ties: bool = False, positive: bool = False) -> Any:
    size = int(np.prod(shape))
    numerators = rng.integers(-1, 3, size) * 4 if ties else rng.permutation(2 * size)[:size] * 2 - 2 * size + 1
    if positive:
        numerators = np.abs(numerators) + 2
    return np.array([Fraction(int(n), 8) for n in numerators], dtype=object).reshape(shape)


def conv1d(s: int, d: int, h: int, p: int, flip: bool, pad: int) -> Case:
    kernel = "w[P-1-p,c,k]" if flip else "w[p,c,k]"
    pads = f", x pads 0, i < floor((H+{2 * pad}-{d}*(P-1)-1)/{s})+1" if pad else ""
    index = f"{s}*i+{d}*p" + (f"-{pad}" if pad else "")
    return Case(
        f"conv1d s{s} d{d} H{h} P{p} {'flip' if flip else 'plain'} pad{pad}",
        f"y[i,k] = sum(p,c) x[{index},c]*{kernel} where x: H C, w: P C K{pads}",
        {}, {"H": h, "P": p, "C": 2, "K": 3},
    )  # fmt: skip


CONVOLUTIONS = [
    conv1d(s, d, h, p, flip, pad)
    for s in (1, 2, 3)
    for d in (1, 2, 3)
    for h, p, flip, pad in ((7, 3, False, 0), (11, 2, True, 0), (7, 2, False, 1), (7, 1, True, 2))
    if h + 2 * pad >= d * (p - 1) + 1
]

_POOL = {"H": 7, "V": 5, "C": 2}
CASES = [
    *CONVOLUTIONS,
    Case(
        "strided dilated convolution",
        "C[i,j,k] = sum(p,q,r) x[2*i+3*p, 3*j+2*q, r] * w[P-1-p,q,r,k] + b[k]",
        {"x": "H V R", "w": "P Q R K", "b": "K"},
        {"H": 11, "V": 7, "P": 3, "Q": 2, "R": 2, "K": 2},
    ),
    Case(
        "transposed convolution",
        "y[t,k] = sum(i,p,c) [t == 2*i+p] * x[i,c] * w[p,c,k] where x: I C, w: P C K, t < 2*(I-1)+P",
        {}, {"I": 4, "P": 3, "C": 2, "K": 2},
    ),
    Case(
        "transposed convolution stride 3",
        "y[t] = sum(i,p) [t == 3*i+p] * x[i] * w[p] where x: I, w: P, t < 3*(I-1)+P",
        {}, {"I": 4, "P": 2},
    ),
    Case("groups", "y[i,g,k] = sum(p,c) x[i+p,g,c]*w[p,g,c,k] where x: H G C",
         {}, {"H": 5, "P": 2, "G": 2, "C": 3, "K": 2}),
    Case("max pool", "y[i,j,c] = max(p<2,q<2) x[2*i+p,2*j+q,c] where x: H V C", {}, _POOL),
    Case("overlapping max pool", "y[i,j,c] = max(p<3,q<2) x[2*i+p,j+q,c] where x: H V C", {}, _POOL),
    Case(
        "max pool padded with -inf",
        "y[i,c] = max(p<3) x[2*i+p-1,c] where x: H C, x pads -inf, i < floor((H-1)/2)+1",
        {}, {"H": 7, "C": 2},
    ),
    Case("min pool", "y[i] = min(p<3) x[2*i+p] where x: H", {}, {"H": 8}),
    Case("average pool drops the remainder", "y[i,c] = sum(p<3) x[3*i+p,c]/3 where x: H C", {}, {"H": 11, "C": 2}),
    Case("max-plus convolution", "y[i] = max(p) (x[i+p] + w[p])", {"x": "H", "w": "P"}, {"H": 7, "P": 3}),
    Case(
        "logsumexp pooling", "y[i,c] = logsumexp(p<3) x[2*i+p,c] where x: H C", {}, {"H": 7, "C": 2}, rational=False
    ),
    Case(
        "causal attention",
        "y[q,d] = sum(m | m <= q) exp(sum(e) Q[q,e]*K[m,e] - logsumexp(u | u <= q) sum(f) Q[q,f]*K[u,f]) * V[m,d]",
        {"Q": "T E", "K": "T E", "V": "T D"}, {"T": 3, "E": 2, "D": 2}, rational=False,
    ),
    Case(
        "layer norm in one line",
        "y[i] = (x[i] - sum(j) x[j]/D) * (sum(k) (x[k] - sum(l) x[l]/D)^2/D + 1/8)^(-1/2) * g[i] + b[i]"
        " where x: D, g: D, b: D",
        {}, {"D": 3}, rational=False,
    ),
    Case(
        "layer norm in three lines",
        "m = sum(i) x[i]/D where x: D\nv = sum(i) (x[i] - m)^2/D\n"
        "y[i] = (x[i] - m)*(v + 1/8)^(-1/2)*g[i] + b[i] where g: D, b: D",
        {}, {"D": 3}, rational=False,
    ),
    Case("bilinear form", "y = sum(i,j) x[i]*A[i,j]*z[j]", {}, {"I": 3, "J": 2}),
    Case("quadratic form reads a tensor twice", "y = sum(i,j) x[i]*A[i,j]*x[j]", {"A": "D D"}, {"D": 3}),
    Case(
        "gated linear unit",
        "y[o] = (sum(i) x[i]*w[i,o] + b[o]) * sigmoid(sum(j) x[j]*v[j,o] + c[o])",
        {"x": "I", "w": "I O", "v": "I O", "b": "O", "c": "O"}, {"I": 3, "O": 2}, rational=False,
    ),
    Case(
        "embedding lookup", "y[t,d] = E[id[t],d] where E: W D, id: T, id int",
        {}, {"W": 4, "D": 2, "T": 5}, {"id": 4},
    ),
    Case(
        "embedding by brackets", "y[t,d] = sum(v) [id[t] == v]*E[v,d] where E: W D, id: T, id int",
        {}, {"W": 4, "D": 2, "T": 5}, {"id": 4},
    ),
    # ten from the literature
    Case("residual block", "y[i] = x[i] + relu(sum(j) w[i,j]*x[j])", {"w": "D D"}, {"D": 3}),
    Case("attention pooling", "a[t] = exp(s[t] - logsumexp(u) s[u]); y[d] = sum(t) a[t]*x[t,d]",
         {}, {"T": 3, "D": 2}, rational=False),
    Case("squeeze and excitation",
         "m[c] = sum(i,j) x[i,j,c]/(H*V) where x: H V C\ng[c] = sigmoid(sum(e) w[e,c]*m[e])\ny[i,j,c] = x[i,j,c]*g[c]",
         {}, {"H": 2, "V": 3, "C": 2}, rational=False),
    Case("pixel shuffle", "y[2*i+a,2*j+b,c] = x[i,j,a,b,c] where x: H V 2 2 C", {}, {"H": 2, "V": 3, "C": 2}),
    Case("local response normalisation",
         "y[c] = x[c] * (1 + sum(d<3) x[c+d-1]^2)^(-3/4) where x: C, x pads 0, c < C", {}, {"C": 5}, rational=False),
    Case("focal loss", "p = sigmoid(z[]); L = -(1 - p)^2*log(p)", {"z": ""}, {}, rational=False),
    Case("contrastive loss",
         "s[n,m] = sum(d) a[n,d]*b[m,d]; l[n] = logsumexp(m) s[n,m] - s[n,n]; L = sum(n) l[n]/N where a: N D, b: N D",
         {}, {"N": 3, "D": 2}, rational=False),
    Case("rotary embedding", "y[t,e] = x[t,e]*c[t] + (2*e - 1)*x[t,1-e]*s[t] where x: T 2", {}, {"T": 3}),
    Case("depthwise separable convolution",
         "d[i,c] = sum(p) x[i+p,c]*w[p,c]; y[i,k] = sum(c) d[i,c]*v[c,k]", {"x": "H C"},
         {"H": 5, "P": 2, "C": 3, "K": 2}),
    Case("huber loss", "y = sum(i) min(x[i]^2/2, abs(x[i]) - 1/2)", {}, {"I": 4}),
    Case("gelu", "y[i] = x[i]*(1 + erf(x[i]*2^(-1/2)))/2", {}, {"I": 3}, rational=False),
    Case("rms norm", "y[i] = x[i]*(sum(j) x[j]^2/D + 1/8)^(-1/2)*g[i] where x: D, g: D", {}, {"D": 3}, rational=False),
    Case("rms norm by its root", "r = sqrt(sum(j) x[j]^2/D + 1/8) where x: D; y[i] = x[i]/r*g[i]", {}, {"D": 3},
         rational=False),
    Case("layer norm by its root",
         "m = sum(i) x[i]/D where x: D; v = sum(i) (x[i] - m)^2/D; y[i] = (x[i] - m)/sqrt(v + 1/8)",
         {}, {"D": 3}, rational=False),
    # corners
    Case("extent-1 axes", "y[i,j,k] = sum(p,q,r) x[i+p,j+q,r]*w[p,q,r,k]", {"x": "H V R"},
         {"H": 1, "V": 4, "P": 1, "Q": 4, "R": 1, "K": 1}),
    Case("diagonal", "y[i] = A[i,i]*x[i]", {"A": "D D"}, {"D": 3}),
    # what a bracket protects stays protected when derivatives are tidied
    Case("a logarithm behind a comparison", "y[i] = sum(p) [w[p] < x[i]]*log(x[i])*w[p] where x: 2, w: 2",
         {}, {}, positive=True, rational=False),
    Case("a read that an inner guard protects", "y[i] = sum(p) [i-p >= 3]*w[i-3]*x[p] where i<5, w: 2, x: 4", {}, {}),
    Case("a read that a common bracket protects",
         "y[i] = [0 <= i < 3]*w[i]*(x[i+1] - x[2*i]) where x: H, x pads 0, i<H, w: 3", {}, {"H": 5}),
    Case("a quotient behind its bracket",
         "y[n] = [3 | 2-n]*z[(2-n)/3]*min(u[n],2*u[n]) where n<3, z: 3, u: 3, z pads 0", {}, {}),
    Case("a known value with a bracket",
         "m[i] = [i<3]*x[i] where i<H, x: H\ny[i] = [i<3]*x[i]*w[i]*v[i] + m[i] where w: 3, v: H, i<H", {}, {"H": 5}),
    Case("two paddings, two lengths",
         "y[i] = sum(p<3) x[i+p-1]*z[i+p-1] where x: 2, z: 4, x pads 2, z pads 0, i<2", {}, {}),
    Case("a square of scalars", "y = (w[]*z[])^2 where w: (), z: ()", {}, {}),
    Case("one sum, two tensors", "y = sum(p<4) (w[3-p] - z[p])^2 where w: 5, z: 4", {}, {}),
    Case("a quotient that divides out", "y[l] = [2 | 2*l]*w[(2*l)/2]^2 where l<2, w: 2", {}, {}),
    Case("a max behind a bracket", "y[i] = [i>=2]*(max(p<2) x[i-2+p]) where x: 4, i<5", {}, {}),
    Case("a max that may be empty", "y[i] = [i>0]*(max(p|p<i) x[p]) where x: 4, i<4", {}, {}),
    Case("padded and guarded reads", "y[i] = w[i]*w[i+1] where w: 3, w pads 0", {}, {}),
    Case("ten tensors", "y[i] = a[i]*b[i]*c[i]*d[i]*e[i]*f[i]*g[i]*t[i]*u[i]*v[i] where a: H", {}, {"H": 2}),
    Case("an autocorrelation", "y[l] = sum(i) x[i]*x[i+l] where x: N, x pads 0, l < N, i < N", {}, {"N": 4}),
    Case("a comparison that reads behind its guard",
         "y[q,l] = max(w[2*q+2*l+2], [0 <= q+l+2 < N]*z[q+l+2]) where q < 2, l < 3, w: 10, z: N", {}, {"N": 4}),
    Case("a guard with a common divisor",
         "y[t] = w[t] - [0 <= 2*t < 2*N]*u[t] where t < 3, w: 3, u: N", {}, {"N": 3}),
    Case("a constraint that a guard carries", "y[l] = u[l+1]*z[l+2] where u: 3, z: 5, l<K, w: K", {}, {"K": 2}),
    Case("two paddings of one tensor",
         "a[i] = sum(p<3) x[i+p-1]*x[i+2*p-2] where x: H, x pads 0, i < H\n"
         "b[i] = sum(p<3) x[i+p-1]*x[i+2*p-2] where x pads 5, i < H\ny[i] = a[i]*b[i]", {}, {"H": 4}),
    Case("sigmoid of a matrix", "y[i,j] = sigmoid(x[i,j])", {}, {"I": 2, "J": 3}, rational=False),
    Case("flatten", "F[J*K*i + K*j + k] = x[i,j,k]^2 where x: I J K", {}, {"I": 2, "J": 3, "K": 2}),
    Case("upsampling with gaps", "y[2*i] = x[i]*w[i] where y pads 0", {}, {"I": 3}),
    Case("reversal", "y[i] = x[N-1-i]*w[i] where x: N", {}, {"N": 4}),
    Case("masked sum", "y[q] = sum(m | m <= q) s[q,m]^2*x[m]", {"s": "T T"}, {"T": 3}),
    Case("subsampling", "y[i] = x[3*i]^2 where x: H", {}, {"H": 8}),
    Case("scatter by a gather", "y[v] = sum(t) [id[t] == v]*x[t]^2 where id: T, id int, v < W",
         {"u": "W"}, {"T": 5, "W": 3}, {"id": 3}),
    Case("log softmax", "y[i] = z[i] - logsumexp(k) z[k]", {}, {"I": 3}, rational=False),
    Case("ratio of sums", "y[i] = x[i] / (sum(k) x[k])", {}, {"I": 3}, positive=True),
    Case("a power of a sum", "y[o] = (sum(i) x[i]*w[i,o])^3", {}, {"I": 3, "O": 2}),
]  # fmt: skip
