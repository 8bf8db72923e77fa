"""E1 to E15: the layers of the CNN sheet, their derivatives, and the cost.

    C[i,j,k] = sum(p,q,r) x[s*i+p, m*j+q, r]*w[P-1-p, Q-1-q, r, k]     x: H W R, w: P Q R K, strides s and m
"""

from __future__ import annotations

__all__ = ["CONV", "ENTRIES"]

from fractions import Fraction

from paperback.calculus.conventions import Conventions
from paperback.claims.checks import (
    Derivative,
    Derived,
    Exact,
    NoSentence,
    Prove,
    Refute,
    Shape,
    Structure,
    Vjp,
    derivative,
    printed,
    vjp,
)
from paperback.claims.record import Entry

SIZES = "where x: H W R, w: P Q R K, v: s m"
CONV = f"C[i,j,k] = sum(p,q,r) x[s*i+p, m*j+q, r]*w[P-1-p, Q-1-q, r, k] {SIZES}"
ROWS, COLUMNS = "floor((H-P)/s)+1", "floor((W-Q)/m)+1"
OUT = f"{SIZES}, i < {ROWS}, j < {COLUMNS}"
COTANGENT = f"{SIZES}, dC: ({ROWS}) ({COLUMNS}) K"
WINDOW = "[0 <= t-s*i <= P-1 and 0 <= u-m*j <= Q-1]"
CONV_BY_X = f"d[i,j,k,t,u,r] = {WINDOW}*w[P-1+s*i-t, Q-1+m*j-u, r, k] {OUT}, t < H, u < W"
CONV_BY_W = f"d[i,j,k,c,t,u,l] = x[s*i+P-1-c, m*j+Q-1-t, u]*[k == l] {OUT}, k < K, l < K, c < P, t < Q"
CONV_BACK_X = f"dx[t,u,r] = sum(i,j,k) {WINDOW}*dC[i,j,k]*w[P-1+s*i-t, Q-1+m*j-u, r, k] {COTANGENT}, t < H, u < W"
CONV_BACK_W = f"dw[c,t,u,k] = sum(i,j) dC[i,j,k]*x[s*i+P-1-c, m*j+Q-1-t, u] {COTANGENT}, c < P, t < Q"
PLANE = "C[i,j] = sum(p,q) x[i+p,j+q]*w[P-1-p,Q-1-q] where x: H W, w: P Q"
G16 = {"x": [[1, 2, 3, 4], [5, 6, 7, 8], [9, 10, 11, 12]], "w": [[1, 2], [3, 5]], "dC": [[1, 0, -1], [2, 1, 0]]}

POOL = "y[i,j] = max(p<2,q<2) x[2*i+p,2*j+q]"
TIES = {"x": [[1, 1], [0, 1]], "dy": [[1]]}
CODES = [[[12 * i + 4 * j + k for k in range(4)] for j in range(3)] for i in range(2)]
RELU = "R[i] = relu(z[i]) where z: n"
SOFTMAX = "S[i] = exp(z[i])/sum(k) exp(z[k]) where z: n"
COST = "J = -sum(k) y[k]*log(exp(z[k])/sum(m) exp(z[m])) where y: n, z: n"
PROBABILITIES = "x[k] = exp(z[k])/sum(m) exp(z[m]) where y: n, z: n; "
OF_LABEL = "J = logsumexp(k) z[k] - z[y[]] where z: n, y int"


def relu_at(slope: Fraction) -> Derived:
    """The derivative of the ReLU with this slope at 0."""
    return Derived(RELU, ("z",), conventions=Conventions(relu_at_zero=slope))


ENTRIES = (
    Entry(
        "E1", "WRONG", "The convolution of the sheet reads its kernel at w[P-1-p, Q-1-q, r, k]",
        says="True convolution, valid: the correlation with w reversed in both directions, channels as they are.",
        has="w_{(P-p)(Q-q)rk} with p from 0: row P does not exist; with P the largest index it does.",
        checks=(
            Prove(CONV, f"f[p,q,r,k] = w[P-1-p,Q-1-q,r,k] {SIZES}; "
                        "C[i,j,k] = sum(p,q,r) x[s*i+p, m*j+q, r]*f[p,q,r,k]"),
            Shape(CONV, f"{ROWS} {COLUMNS} K"),
            Exact(PLANE, G16, [[27, 38, 49], [71, 82, 93]]),
            Exact(PLANE.replace("w[P-1-p,Q-1-q]", "w[p,q]"), G16, [[50, 61, 72], [94, 105, 116]]),
            Exact("C[i] = sum(p<P+1) x[i+p]*w[P-p] where x: H, w: (P+1), v: P", {"x": [1, 2, 3], "w": [1, 10], "P": 1},
                  [12, 23]),
            NoSentence(printed(r"C_{ijk} = \sum_{p,q,r} x_{(s_1 i+p)(s_2 j+q)r} w_{(P-p)(Q-q)rk}",
                               x="H W R", w="P Q R K", v="s1 s2"),
                       "P-p reaches P, but axis 0 of w ends at P-1; Q-q reaches Q, but axis 1 of w ends at Q-1"),
        ),
    ),
    Entry(
        "E2", "OCR", "dC/dx is w where the window meets the place, and 0 elsewhere",
        has="the index of E1, one too large, and no condition on the window: then a read leaves w.",
        checks=(
            Derivative(CONV, "x", CONV_BY_X),
            Vjp(CONV, "x", CONV_BACK_X),
            Exact(vjp(PLANE, "x"), G16, [[5, 3, -5, -3], [12, 12, 1, -1], [4, 4, 1, 0]]),
            NoSentence("d[i,t] = w[2+i-t] where w: 3, i < 3, t < 5",
                       "i-t+2 reaches -2, but axis 0 of w starts at 0; i-t+2 reaches 4, but axis 0 of w ends at 2"),
        ),
    ),
    Entry(
        "E3", "OCR", "dC/dw is the x under the weight, for its own filter",
        has="the index of E1, one too large: the last row of x is passed.",
        checks=(
            Derivative(CONV, "w", CONV_BY_W),
            Vjp(CONV, "w", CONV_BACK_W),
            Exact(vjp(PLANE, "w"), G16, [[29, 26], [17, 14]]),
            NoSentence("d[i,c] = x[i+P-c] where x: H, w: P, i < H-P+1, c < P",
                       "i-c+P reaches H, but axis 0 of x ends at H-1"),
        ),
    ),
    Entry(
        "E4", "RIGHT", "Max-pooling takes the largest of 2x2, with stride 2; odd sizes lose the last row",
        checks=(
            Shape("P[i,j,k] = max(p<2,q<2) x[2*i+p, 2*j+q, k] where x: H W K", "floor(H/2) floor(W/2) K"),
            Exact(POOL, {"x": [[1, 5, 0], [3, 2, 9], [7, 7, 7]]}, [[5]]),
            Exact(vjp(POOL, "x"), TIES, [[1, 0], [0, 0]]),
            Exact(Derived(POOL, ("x",), "vjp", Conventions(ties="split")), TIES, [["1/3", "1/3"], [0, "1/3"]]),
            Exact(Derived(POOL, ("x",), "vjp", Conventions(ties="all")), TIES, [[1, 1], [0, 1]]),
        ),
    ),
    Entry(
        "E5", "WRONG", "Flatten: F[i*J*K + j*K + k] = x[i,j,k], the order of rows, columns, channels",
        has="iJK + iK + k, which has no j: of 24 places 8 are met.",
        checks=(
            Exact("F[J*K*i + K*j + k] = x[i,j,k] where x: I J K", {"x": CODES}, list(range(24))),
            Prove("F[J*K*i + K*j + k] = x[i,j,k] where x: I J K; "
                  "y[i,j,k] = F[J*K*i + K*j + k] where i < I, j < J, k < K", "y[i,j,k] = x[i,j,k] where x: I J K"),
            Structure("F[J*K*i + K*j + k] = x[i,j,k] where x: I J K", "x", "identity"),
            NoSentence(printed(r"F_{(iJ K + iK + k)} = x_{ijk}", x="I J K"), "the left index i appears twice"),
            Refute("n = sum(m<24) max(i<2,j<3,k<4) [m == 12*i + 4*i + k]",
                   "n = sum(m<24) max(i<2,j<3,k<4) [m == 12*i + 4*j + k]", {}, (8, 24)),
        ),
    ),
    Entry("E6", "RIGHT", "The dense layer: D[j] = sum(i) x[i]*w[i,j]",
          (Exact("D[j] = sum(i) x[i]*w[i,j]", {"x": [1, 10], "w": [[1, 2, 3], [4, 5, 6]]}, [41, 52, 63]),
           Prove("D[j] = sum(i) x[i]*w[i,j]", "W[j,i] = w[i,j]; D[j] = sum(i) W[j,i]*x[i]"))),
    Entry("E7", "RIGHT", "dD[j]/dx[k] = w[k,j]",
          (Derivative("D[j] = sum(i) x[i]*w[i,j] where w: n m", "x", "d[j,k] = w[k,j] where w: n m"),)),
    Entry("E8", "RIGHT", "dD[j]/dw[c,k] = x[c]*delta_jk",
          (Derivative("D[j] = sum(i) x[i]*w[i,j] where w: n m", "w",
                      "d[j,c,k] = x[c]*[j == k] where w: n m, j < m, k < m"),)),
    Entry(
        "E9", "RIGHT", "R[i] = z[i] where z[i] >= 0, else 0",
        checks=(Prove(RELU, "R[i] = [z[i] >= 0]*z[i] where z: n"), Exact(RELU, {"z": [-1, 0, 2]}, [0, 0, 2])),
    ),
    Entry(
        "E10", "CONV", "The slope of the ReLU: 1, 0, and 1/2 at 0",
        says="Any number in [0, 1] at 0 is a subgradient; 1/2 is the symmetric quotient, 0 the default here.",
        checks=(
            Derivative(RELU, "z", "d[i,j] = [i == j]*([z[i] > 0] + 1/2*[z[i] == 0]) where z: n, j < n",
                       conventions=Conventions(relu_at_zero=Fraction(1, 2))),
            Exact(relu_at(Fraction(0)), {"z": [0]}, [[0]]),
            Exact(relu_at(Fraction(1, 2)), {"z": [0]}, [["1/2"]]),
            Exact(relu_at(Fraction(1)), {"z": [0]}, [[1]]),
            Prove("q = (relu(h[]) - relu(-h[]))/(2*h[])", "q = 1/2"),
        ),
    ),
    Entry("E11", "RIGHT", "The softmax: exp(z[i])/sum(k) exp(z[k])",
          (Prove(SOFTMAX, "S[i] = exp(z[i] - logsumexp(k) z[k]) where z: n"),
           Exact(SOFTMAX, {"z": [0, "log(2)", "log(3)"]}, ["1/6", "1/3", "1/2"]))),
    Entry(
        "E12", "RIGHT", "dS[i]/dz[j] = S[i]*(1 - S[j]) for i = j, else -S[i]*S[j]",
        checks=(
            Derivative(SOFTMAX, "z", f"{SOFTMAX}; d[i,j] = [i == j]*S[i]*(1 - S[j]) - [i != j]*S[i]*S[j]"),
        ),
    ),
    Entry(
        "E13", "WRONG", "The cost of a batch is the mean of B terms",
        has="a sum to B inclusive, B+1 terms.",
        checks=(
            Exact("J = sum(b) c[b]/B where c: B", {"c": [1, 1, 1, 1]}, 1),
            Derivative("J = sum(b) c[b]/B where c: B", "c", "d[b] = 1/B where c: B, b < B"),
            NoSentence(printed(r"J = \frac{1}{B} \sum_{b=0}^{B} c_b", c="B"),
                       "b reaches B, but axis 0 of c ends at B-1"),
            Refute("J = sum(b<B+1) 1/B where c: B", "J = sum(b<B) 1/B where c: B", {"c": [1, 1, 1, 1]}, ("5/4", 1)),
        ),
    ),
    Entry(
        "E14", "WRONG", "The cost of an example is -sum(i) y[i]*log(x4[i]), of the output of the softmax",
        has="log z^{L-1}, of the scores: with z = (0, 0) that is infinite, the truth is ln 2.",
        checks=(
            Prove(COST, "J = (sum(k) y[k])*logsumexp(k) z[k] - sum(k) y[k]*z[k] where y: n, z: n"),
            Exact(COST, {"z": [0, 0], "y": [1, 0]}, "log(2)"),
            Exact("J = sum(b) (-log(p[b]))/B where p: B", {"p": ["1/2", "1/4"]}, "3/2*log(2)"),
            Refute("J = -sum(i) [y[i] > 0]*y[i]*log(z[i]) where y: n, z: n", COST,
                   {"z": [0, 0], "y": [1, 0]}, ("-log(0)", "log(2)")),
        ),
    ),
    Entry(
        "E15a", "RIGHT", "The derivation, lines 1 to 3: -y[j]*(1 - x[j]) + sum(k, k != j) y[k]*x[j]",
        checks=(
            Prove(derivative(COST, "z"), PROBABILITIES + "d[j] = -y[j]*(1 - x[j]) + sum(k) [k != j]*y[k]*x[j]"),
            Prove(derivative(COST, "z"),
                  PROBABILITIES + "S[k,j] = x[k]*([k == j] - x[j]) where k < n; d[j] = -sum(k) y[k]/x[k]*S[k,j]"),
        ),
    ),
    Entry(
        "E15b", "WRONG", "Line 4: -y[j] + x[j]*sum(k) y[k] over all classes",
        has="the sum over k != j.",
        checks=(
            Prove(derivative(COST, "z"), PROBABILITIES + "d[j] = -y[j] + x[j]*sum(k) y[k]"),
            Refute(PROBABILITIES + "d[j] = -y[j] + x[j]*sum(k) [k != j]*y[k]",
                   PROBABILITIES + "d[j] = -y[j] + x[j]*sum(k) y[k]",
                   {"z": [0, 0], "y": [1, 0]}, ([-1, "1/2"], ["-1/2", "1/2"])),
        ),
    ),
    Entry(
        "E15c", "RIGHT", "The result: dJ/dz = x - y, where the y sum to 1",
        says="In general x*sum(y) - y.",
        checks=(
            Prove(derivative(COST, "z"), PROBABILITIES + "d[j] = x[j]*sum(k) y[k] - y[j]"),
            Prove(derivative(OF_LABEL, "z"),
                  "x[k] = exp(z[k])/sum(m) exp(z[m]) where z: n, y int; d[j] = x[j] - [j == y[]]"),
            Exact(PROBABILITIES + "d[j] = x[j] - y[j]", {"z": [0, 0], "y": [1, 0]}, ["-1/2", "1/2"]),
        ),
    ),
)  # fmt: skip
