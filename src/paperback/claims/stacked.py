"""A5: two stacked 1-D cross-correlations with ReLU, and backpropagation to the hidden layer.

    a1 = corr(x, w1), h = relu(a1), a2 = corr(h, w2)          x: d, h: N, w2: k, a2: A, g = dL/da2

Valid (A5.1 to A5.3), A = N-k+1, and full (A5.4 to A5.6), A = N+k-1. The document counts from 1, these formulas from 0.
"""

from __future__ import annotations

__all__ = ["ENTRIES"]

from fractions import Fraction

from paperback.calculus.conventions import Conventions
from paperback.claims.checks import (
    Derivative,
    Derived,
    Differ,
    Exact,
    NoSentence,
    Prove,
    Refute,
    Shape,
    Structure,
    Vjp,
    printed,
    vjp,
)  # fmt: skip
from paperback.claims.record import Entry

VALID = "a[i] = sum(j) h[i+j]*w[j] where h: N, w: k"
FULL = "a[i] = sum(j) h[i+j-(k-1)]*w[j] where h: N, w: k, h pads 0, i < N+k-1"
TOEPLITZ = "J[i,n] = [0 <= n-i < k]*w[n-i] where h: N, w: k, i < N-k+1, n < N"
FULL_TOEPLITZ = "J[i,n] = [0 <= i-n < k]*w[n-i+k-1] where h: N, w: k, i < N+k-1, n < N"
BACK = "dh[n] = sum(j) da[n-j]*w[j] where da: A, w: k, da pads 0, n < A+k-1"
BACK_TO_H = "dh[n] = sum(j) da[n-j]*w[j] where h: N, w: k, da: (N-k+1), da pads 0, n < N"
FULL_BACK = "dh[n] = sum(j) da[n+j]*w[k-1-j] where da: A, w: k"
FULL_BACK_TO_H = "dh[n] = sum(j) da[n+j]*w[k-1-j] where h: N, w: k, da: (N+k-1)"
GRADIENT = BACK.replace("da", "g")
G_PADS = r"\text{ where } g = 0 \text{ elsewhere}, 1 \le n \le A+k-1"
H_PADS = r"\text{ where } h = 0 \text{ elsewhere}, 1 \le i \le N+k-1"
RELU_NET = "h[n] = relu(a[n]); y[n] = sum(j) h[n+j]*w[j]"
LAYERS = "a[n] = sum(j) x[n+j]*v[j]; h[n] = relu(a[n]); y[n] = sum(j) h[n+j]*w[j]"
G7 = {"x": [1, -2, 3, 0, 2, -1, 4], "v": [1, 2], "w": [1, -1, 3], "dy": [1, 2, -1, 1], "a": [-3, 4, 3, 4, 0, 7]}
FOUR = {"h": [0] * 7, "k": 4}  # N = 7, k = 4: the document's sizes d = 9, k1 = 3, k2 = 4

ENTRIES = (
    # ------------------------------------------------------------------------------------------------ valid: forward
    Entry(
        "A5.1a", "RIGHT", "The first layer, valid: a1[n] = sum(j) x[n+j]*w1[j], of length d-k1+1",
        checks=(
            Shape("a[n] = sum(j) x[n+j]*w[j] where x: d, w: k", "d-k+1"),
            Prove("a[n] = sum(j) x[n+j]*w[j] where x: d, w: k",
                  "a[n] = sum(t) [0 <= t-n < k]*x[t]*w[t-n] where x: d, w: k, n < d-k+1"),
            Prove(printed(r"a_n = \sum_{j=1}^{k} x_{n+j-1} w_j", 1, x="d", w="k"),
                  "a[n] = sum(j) x[n+j]*w[j] where x: d, w: k"),
            Exact("a[n] = sum(j) x[n+j]*v[j]", G7, [-3, 4, 3, 4, 0, 7]),
        ),
    ),
    Entry(
        "A5.1b", "RIGHT", "The second layer, valid, of length d-k1-k2+2",
        checks=(
            Shape("a[n] = sum(j) x[n+j]*v[j] where x: d, v: k1; h[n] = relu(a[n]); "
                  "y[n] = sum(j) h[n+j]*w[j] where w: k2", "d-k1-k2+2"),
            Exact(RELU_NET, G7, [5, 13, -1, 25]),
        ),
    ),
    Entry(
        "A5.2a", "RIGHT", "The Jacobian, valid: row i is w2 shifted right by i, a banded Toeplitz matrix",
        checks=(Derivative(VALID, "h", TOEPLITZ), Structure(VALID, "h", "Toeplitz, band 0..k-1")),
    ),
    Entry(
        "A5.2b", "WRONG", "The last two rows of a2, written out, have k2 terms each",
        says="The last one reads h[N-k..N-1], the one before h[N-k-1..N-2].",
        has="k2+1 terms in the last row, and in the row before h_8 of 7 (d = 9, k1 = 3).",
        checks=(
            Prove(f"{VALID}; r = a[N-k]", "r = sum(j) h[N-k+j]*w[j] where h: N, w: k"),
            Prove(f"{VALID}; r = a[N-k-1]", "r = sum(j<k) h[N-k-1+j]*w[j] where h: N, w: k"),
            NoSentence("r = sum(j<k+1) h[N-k-1+j]*w[j] where h: N, w: k", "j reaches k, but axis 0 of w ends at k-1"),
            NoSentence("r = sum(j<3) h[5+j]*w[j] where h: 7, w: 4", "j+5 reaches 7, but axis 0 of h ends at 6"),
        ),
    ),
    Entry(
        "A5.2c", "WRONG", "da2[i]/dh[n] is 0 exactly where n < i or n > i+k2-1",
        has="n > k2+i for n > i+k2-1: one place too many counts as not zero.",
        checks=(
            Derivative("a[i] = sum(j<k) h[i+j] where h: N, w: k", "h",
                       "J[i,n] = [i <= n <= i+k-1] where h: N, w: k, i < N-k+1, n < N"),
            Refute("J[i,n] = [i <= n <= i+k] where h: N, w: k, i < N-k+1, n < N",
                   "J[i,n] = [i <= n <= i+k-1] where h: N, w: k, i < N-k+1, n < N", FOUR, (1, 0), (0, 4)),
        ),
    ),
    Entry(
        "A5.2d", "WRONG", "da2_i/dh_n = w_j with n = i+j-1 (from 1)",
        has="i = n+j-1, the roles swapped.",
        checks=(
            Derivative(VALID, "h", TOEPLITZ),
            Refute("J[i,n] = [0 <= i-n < k]*w[i-n] where h: N, w: k, i < N-k+1, n < N", TOEPLITZ,
                   {"h": [0] * 7, "w": [1, 2, 3, 4]}, (2, 0), (1, 0)),
            Refute("J[i,n] = [0 <= i-n < k]*w[i-n] where h: N, w: k, i < N-k+1, n < N", TOEPLITZ,
                   {"h": [0] * 7, "w": [1, 2, 3, 4]}, (0, 2), (0, 1)),
        ),
    ),
    Entry(
        "A5.2e", "RIGHT", "The forward formula that the Jacobian starts from",
        checks=(
            Prove(printed(r"a_n = \sum_{j=1}^{k} h_{n+j-1} w_j", 1, h="N", w="k"), VALID),
            Prove(VALID, "a[i] = sum(n) [0 <= n-i < k]*h[n]*w[n-i] where h: N, w: k, i < N-k+1"),
        ),
    ),
    # ----------------------------------------------------------------------------------------------- valid: backward
    Entry(
        "A5.3a", "RIGHT", "The chain rule: dL/dh = g'J",
        checks=(
            Prove(vjp(VALID, "h"), "dh[n] = sum(i) da[i]*[0 <= n-i < k]*w[n-i] where h: N, w: k, da: (N-k+1), n < N"),
            Prove(vjp(VALID, "h"), f"{TOEPLITZ}; dh[n] = sum(i) da[i]*J[i,n]"),
        ),
    ),
    Entry(
        "A5.3b", "WRONG", "dL/dh[n] = sum(j) g[n-j]*w2[j], g = 0 outside",
        has="sum_i dL/da_{n+j-1} w_j: a correlation in place of its adjoint, and i is not used.",
        checks=(
            Vjp(VALID, "h", BACK_TO_H),
            Refute(printed(rf"d_n = \sum_{{j=1}}^{{k}} g_{{n+j-1}} w_j {G_PADS}", 1, g="A", w="k"), GRADIENT,
                   {"g": [1, 10, 100, 1000], "w": [1, 2, 3, 4]}, (4321, 1), (0,)),
            NoSentence(printed(r"d_n = \sum_i g_{n+j-1} w_j", 1, g="A", w="k"), "j is no index here and no size"),
        ),
    ),
    Entry(
        "A5.3c", "RIGHT", "The rows of g'J, written out: g0w0; g0w1 + g1w0; ...; g[A-1]w[k2-1]",
        checks=(
            Prove(f"{BACK}; r = dh[0]", "r = da[0]*w[0] where da: A, w: k"),
            Prove(f"{BACK}; r = dh[1]", "r = da[0]*w[1] + da[1]*w[0] where da: A, w: k"),
            Prove(f"{BACK.replace('k', '3')}; r = dh[1]", "r = da[0]*w[1] + da[1]*w[0] where da: A, w: 3"),
            Prove(f"{BACK}; r = dh[A+k-2]", "r = da[A-1]*w[k-1] where da: A, w: k"),
        ),
    ),
    Entry(
        "A5.3d", "RIGHT", "The formula of the full correlation of g with the flipped w2",
        checks=(
            Prove(printed(rf"d_n = \sum_{{j=1}}^{{k}} g_{{n+j-k}} w_{{k-j+1}} {G_PADS}", 1, g="A", w="k"), GRADIENT),
            Prove(BACK, "dh[n] = sum(j) da[n+j-(k-1)]*w[k-1-j] where da: A, w: k, da pads 0, n < A+k-1"),
        ),
    ),
    Entry(
        "A5.3e", "WRONG", "A term g_{n+j-k2} is padding where its index is below 1 or above |a2| (from 1)",
        has='"n+j-k2 < 0 or n+j > d-k1+1+k2": index 0 and the upper end are missed.',
        checks=(
            Exact("c = sum(n<7,j<4) [0 <= n+j-3 < 4]", {}, 16),
            Prove("dh[n] = sum(j) da[n+j-(k-1)]*w[k-1-j] where da: A, w: k, da pads 0, n < A+k-1",
                  "dh[n] = sum(j) [1 <= n+1+j+1-k <= A]*da[n+j-(k-1)]*w[k-1-j] where da: A, w: k, n < A+k-1"),
            Exact("c = sum(n<7,j<4) abs([0 <= n+j+2-4 and n+j+2 <= 7+4] - [1 <= n+j+2-4 <= 4])", {}, 9),
            Refute("r[n,j] = [0 <= n+j+2-k and n+j+2 <= A+2*k-1] where da: A, w: k, n < A+k-1, j < k",
                   "r[n,j] = [1 <= n+j+2-k <= A] where da: A, w: k, n < A+k-1, j < k",
                   {"da": [0] * 4, "w": [0] * 4}, (1, 0), (0, 2)),
            Refute("r[n,j] = [0 <= n+j+2-k and n+j+2 <= A+2*k-1] where da: A, w: k, n < A+k-1, j < k",
                   "r[n,j] = [1 <= n+j+2-k <= A] where da: A, w: k, n < A+k-1, j < k",
                   {"da": [0] * 4, "w": [0] * 4}, (1, 0), (6, 3)),
        ),
    ),
    Entry(
        "A5.3f", "WRONG", "Row 2 of the last matrix is g1*w2 + g2*w1 (from 1)",
        has="g2*w2 + g1*w1.",
        checks=(
            Prove(f"{BACK}; r = dh[1]", "r = da[0]*w[1] + da[1]*w[0] where da: A, w: k"),
            Prove(f"{BACK.replace('k', '3')}; r = dh[1]", "r = da[0]*w[1] + da[1]*w[0] where da: A, w: 3"),
            Refute("r = da[1]*w[1] + da[0]*w[0] where da: A, w: k", "r = da[0]*w[1] + da[1]*w[0] where da: A, w: k",
                   {"da": [1, 10], "w": [1, 2]}, (21, 12)),
        ),
    ),
    Entry(
        "A5.3g", "RIGHT", "The backward of a valid correlation is the full convolution with w2",
        says="dL/dh = corr_full(g, flip(w2)) = conv_full(g, w2), of length |h|.",
        checks=(
            Vjp(VALID, "h", BACK_TO_H),
            Prove(BACK, "dh[n] = sum(j) da[n+j-(k-1)]*w[k-1-j] where da: A, w: k, da pads 0, n < A+k-1"),
            Exact(vjp("y[n] = sum(j) h[n+j]*w[j]", "h"), {**G7, "h": [0, 4, 3, 4, 0, 7]}, [1, 1, 0, 8, -4, 3]),
        ),
    ),
    # ----------------------------------------------------------------------------------------------------- full
    Entry(
        "A5.4a", "RIGHT", "The first layer, full: a1[n] = sum(j) x[n+j-(k1-1)]*w1[j], of length d+k1-1",
        checks=(
            Shape("a[n] = sum(j) x[n+j-(k-1)]*w[j] where x: d, w: k, x pads 0, n < d+k-1", "d+k-1"),
            Prove(printed(rf"a_i = \sum_{{j=1}}^{{k}} h_{{i+j-k}} w_j {H_PADS}", 1, h="N", w="k"), FULL),
            Prove("a[n] = sum(j) x[n+j-(k-1)]*w[j] where x: d, w: k, x pads 0, n < d+k-1",
                  "a[n] = sum(t) [0 <= n-t < k]*x[t]*w[t-n+k-1] where x: d, w: k, n < d+k-1"),
            Exact("a[n] = sum(j) x[n+j-(k-1)]*v[j] where x: d, v: k, x pads 0, n < d+k-1", G7,
                  [2, -3, 4, 3, 4, 0, 7, 4]),
        ),
    ),
    Entry(
        "A5.4b", "WRONG", "The second layer, full, has the weights w2",
        has="w^1 for w^2 here and in 5.5: a w1 that is shorter has no such weights.",
        checks=(
            Exact(FULL, {"h": [2, 0, 4, 3, 4, 0, 7, 4], "w": [1, -1, 3]}, [6, -2, 14, 5, 13, -1, 25, 5, 3, 4]),
            NoSentence("a[i] = sum(j<3) h[i+j-2]*w1[j] where h: N, w1: 2, h pads 0, i < N+2",
                       "j reaches 2, but axis 0 of w1 ends at 1"),
            Refute("a[i] = sum(j) h[i+j-(k-1)]*w1[j] where h: N, w1: k, w: k, h pads 0, i < N+k-1", FULL,
                   {"h": [1], "w": [3], "w1": [2]}, (2, 3), (0,)),
        ),
    ),
    Entry(
        "A5.4c", "RIGHT", "The second layer, full, has the length d+k1+k2-2",
        checks=(
            Shape("a[n] = sum(j) x[n+j-(k1-1)]*v[j] where x: d, v: k1, x pads 0, n < d+k1-1; h[n] = relu(a[n]); "
                  "y[n] = sum(j) h[n+j-(k2-1)]*w[j] where w: k2, h pads 0, n < d+k1+k2-2", "d+k1+k2-2"),
            Shape("y[n] = sum(j) h[n+j-(k2-1)]*w[j] where h: (d+k1-1), w: k2, v: k1, h pads 0, n < (d+k1-1)+k2-1",
                  "d+k1+k2-2"),
        ),
    ),
    Entry(
        "A5.5a", "RIGHT", "The Jacobian, full: J[i,n] = w2[n-i+k2-1] where 0 <= i-n < k2",
        says="First rows (w_k, 0, ...) and (w_{k-1}, w_k, 0, ...), the last columns end in w1, w2 and 0, w1 (from 1).",
        checks=(
            Derivative(FULL, "h", FULL_TOEPLITZ),
            Structure(FULL, "h", "Toeplitz, band 1-k..0"),
            Exact(FULL_TOEPLITZ, {"h": [0] * 3, "w": [1, 2, 3]},
                  [[3, 0, 0], [2, 3, 0], [1, 2, 3], [0, 1, 2], [0, 0, 1]]),
        ),
    ),
    Entry(
        "A5.5b", "WRONG", "The matrix has rows i < |a2| and columns n < |h|",
        has="columns i and rows n.",
        checks=(
            Shape(FULL_TOEPLITZ, "N+k-1 N"),
            Refute("J[n,i] = [0 <= i-n < k]*w[n-i+k-1] where h: N, w: k, i < N+k-1, n < N", FULL_TOEPLITZ),
        ),
    ),
    Entry(
        "A5.5c", "WRONG", "h_{n+j-k2} is padding where n <= k2-j (from 1)",
        has="n < k2-j: index 0 is padding too.",
        checks=(
            Prove(FULL, "a[i] = sum(j) [i+1 > k-(j+1)]*[i+j-(k-1) < N]*h[i+j-(k-1)]*w[j] where h: N, w: k, i < N+k-1"),
            Refute("r[n,j] = [n+1 < k-(j+1)] where h: N, w: k, n < N+k-1, j < k",
                   "r[n,j] = [n+1 <= k-(j+1)] where h: N, w: k, n < N+k-1, j < k",
                   {"h": [0], "w": [0] * 4}, (0, 1), (0, 2)),
        ),
    ),
    Entry(
        "A5.5d", "WRONG", "da2[i]/dh[n] is not 0 only where i-k2+1 <= n <= i",
        has='"0 if i > n+j-1 or n > i+k2-1", which does not leave out n > i.',
        checks=(
            Derivative("a[i] = sum(j<k) h[i+j-(k-1)] where h: N, w: k, h pads 0, i < N+k-1", "h",
                       "J[i,n] = [i-k+1 <= n <= i] where h: N, w: k, i < N+k-1, n < N"),
            Refute("J[i,n] = [i <= n+k-1 and n <= i+k-1] where h: N, w: k, i < N+k-1, n < N",
                   "J[i,n] = [i-k+1 <= n <= i] where h: N, w: k, i < N+k-1, n < N",
                   {"h": [0] * 3, "k": 4}, (1, 0), (0, 1)),
        ),
    ),
    Entry(
        "A5.5e", "WRONG", "da2_i/dh_n = w_j with n = i+j-k2 (from 1)",
        has="i = n+j-k2.",
        checks=(
            Derivative(FULL, "h", FULL_TOEPLITZ),
            Refute("J[i,n] = [0 <= i-n+k-1 < k]*w[i-n+k-1] where h: N, w: k, i < N+k-1, n < N", FULL_TOEPLITZ,
                   {"h": [0] * 3, "w": [1, 2, 3, 4]}, (3, 0), (0, 1)),
            Refute("J[i,n] = [0 <= i-n+k-1 < k]*w[i-n+k-1] where h: N, w: k, i < N+k-1, n < N", FULL_TOEPLITZ,
                   {"h": [0] * 3, "w": [1, 2, 3, 4]}, (0, 3), (1, 0)),
        ),
    ),
    Entry(
        "A5.6a", "RIGHT", "The first substituted matrix: rows g1*w_k + g2*w_{k-1} + ..., each shifted by one (from 1)",
        checks=(
            Prove(vjp(FULL, "h"), FULL_BACK_TO_H),
            Prove("dh[n] = sum(j) da[n+j]*w[2-j] where w: 3; r = dh[0]",
                  "r = da[0]*w[2] + da[1]*w[1] + da[2]*w[0] where w: 3"),
        ),
    ),
    Entry(
        "A5.6b", "WRONG", "Row 2 of the second matrix is g2*w_k + g3*w_{k-1} + ... (from 1)",
        has="g2*w_{k-1} + g3*w_k.",
        checks=(
            Prove("dh[n] = sum(j) da[n+j]*w[1-j] where da: A, w: 2; r = dh[1]",
                  "r = da[1]*w[1] + da[2]*w[0] where da: A, w: 2"),
            Refute("r = da[1]*w[0] + da[2]*w[1] where da: A, w: 2", "r = da[1]*w[1] + da[2]*w[0] where da: A, w: 2",
                   {"da": [0, 1, 10], "w": [1, 2]}, (21, 12)),
        ),
    ),
    Entry(
        "A5.6c", "WRONG", "The last row starts at g_{|a2|-k2+1}*w_k (from 1)",
        has="g_{|a2|-k2}, which makes k2+1 terms.",
        checks=(
            Prove(f"{FULL_BACK}; r = dh[A-k]", "r = sum(j) da[A-k+j]*w[k-1-j] where da: A, w: k"),
            NoSentence("r = sum(j<k+1) da[A-k-1+j]*w[k-1-j] where da: A, w: k",
                       "k-1-j reaches -1, but axis 0 of w starts at 0"),
        ),
    ),
    Entry(
        "A5.6d", "WRONG", "The gradient is a valid correlation, of length |h|; it follows from 5.5",
        has="the symbol of the full one, whose length is |a2|+k2-1, and a reference to 5.4.",
        checks=(
            Shape(vjp(FULL, "h"), "N"),
            Shape(FULL_BACK_TO_H, "N"),
            Refute("dh[n] = sum(j) da[n+j-(k-1)]*w[k-1-j] where h: N, w: k, da: (N+k-1), da pads 0, n < N+2*k-2",
                   FULL_BACK_TO_H),
        ),
    ),
    Entry(
        "A5.6e", "RIGHT", "The formula of the valid correlation of g with the flipped w2",
        checks=(
            Prove(printed(r"d_n = \sum_{j=1}^{k} g_{n+j-1} w_{k-j+1}", 1, g="A", w="k"), FULL_BACK.replace("da", "g")),
            Prove(FULL_BACK, "dh[n] = sum(t) [0 <= t-n < k]*da[t]*w[k-1-t+n] where da: A, w: k, n < A-k+1"),
        ),
    ),
    Entry(
        "A5.6f", "RIGHT", "The backward of a full correlation is the valid convolution with w2",
        says="dL/dh = corr_valid(g, flip(w2)) = conv_valid(g, w2), of length |h|.",
        checks=(
            Vjp(FULL, "h", FULL_BACK_TO_H),
            Prove(FULL_BACK, "dh[n] = sum(j) da[n+k-1-j]*w[j] where da: A, w: k"),
            Exact(FULL_BACK, {"da": [1, 2, -1, 1, 0, 3, -2, 1, 2, 1], "w": [1, -1, 3]}, [0, 8, -4, 6, -5, 12, -5, 2]),
        ),
    ),
    # -------------------------------------------------------------------------------------------- what is needed
    Entry(
        "A5.7", "IMPLIED", "The gradients by the weights, and through the ReLU",
        says="Valid: dL/dw = corr_valid(h, g). Full: flip(corr_valid(g, h)). dL/da1 = dL/dh*relu'(a1).",
        checks=(
            Vjp(VALID, "w", "dw[j] = sum(i) da[i]*h[i+j] where h: N, w: k, da: (N-k+1)"),
            Vjp(FULL, "w", "dw[j] = sum(n) h[n]*da[n+k-1-j] where h: N, w: k, da: (N+k-1), j < k"),
            Exact(vjp(RELU_NET, "a"), G7, [0, 1, 0, 8, 0, 3]),
            Exact(Derived(RELU_NET, ("a",), "vjp", Conventions(Fraction(1, 2))), G7, [0, 1, 0, 8, -2, 3]),
            Exact(vjp(LAYERS, "w"), G7, [9, 6, 18]),
            Exact(vjp(LAYERS, "v"), G7, [-5, 31]),
            Exact(vjp(LAYERS, "x"), G7, [0, 1, 2, 8, 16, 3, 6]),
        ),
    ),
    Entry(
        "A5.8", "IMPLIED", "The adjoint identity; full convolution commutes and associates, correlation does not",
        says="<corr_valid(x,w), g> = <x, corr_full(g, flip w)>; corr_full(b,a) is corr_full(a,b) backwards.",
        checks=(
            Prove("s = sum(n,j) x[n+j]*w[j]*g[n] where x: d, w: k, g: (d-k+1)",
                  "r[t] = sum(j) g[t-j]*w[j] where x: d, w: k, g: (d-k+1), g pads 0, t < d; s = sum(t) x[t]*r[t]"),
            Prove("y[n] = sum(j) a[n-j]*b[j] where a: d, b: k, a pads 0, n < d+k-1",
                  "y[n] = sum(j) b[n-j]*a[j] where a: d, b: k, b pads 0, n < d+k-1"),
            Prove("y[n] = sum(j) a[n-j]*b[j] where a: d, b: k, c: m, a pads 0, n < d+k-1; "
                  "z[n] = sum(j) y[n-j]*c[j] where y pads 0, n < d+k+m-2",
                  "y[n] = sum(j) b[n-j]*c[j] where a: d, b: k, c: m, b pads 0, n < k+m-1; "
                  "z[n] = sum(j) a[j]*y[n-j] where y pads 0, n < d+k+m-2"),
            Prove("y[n] = sum(j) b[n+j-(d-1)]*a[j] where a: d, b: k, b pads 0, n < d+k-1",
                  "y[n] = sum(j) a[d+k-2-n+j-(k-1)]*b[j] where a: d, b: k, a pads 0, n < d+k-1"),
            Differ("y[n] = sum(j) b[n+j-(d-1)]*a[j] where a: d, b: k, b pads 0, n < d+k-1",
                   "y[n] = sum(j) a[n+j-(k-1)]*b[j] where a: d, b: k, a pads 0, n < d+k-1",
                   {"a": [1, 2], "b": [1, 3]}, (2, 3), (0,)),
        ),
    ),
)  # fmt: skip
