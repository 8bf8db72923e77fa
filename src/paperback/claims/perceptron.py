"""D1 and D2: a perceptron for NAND, and the discrete cosine transform as a convolution.

    Y[k] = s[k]*sum(j) x[j]*cos(pi*(j + 1/2)*k/N)     the DCT-II of N numbers with the factors s
"""

from __future__ import annotations

__all__ = ["ENTRIES"]

from paperback.claims.checks import Differ, Exact, Measure, Prove, Refute, Shape
from paperback.claims.models import Output
from paperback.claims.record import Entry
from paperback.nn.layers import BlockDCT, DCT1d

INPUTS = {"x": [[0, 0], [1, 0], [0, 1], [1, 1]], "w": [-2, -2], "b": 3}
LOGIT = "a[n] = sum(i) w[i]*x[n,i] + b[]"
UNIT = "f[n] = step(sum(i) w[i]*x[n,i] + b[])"
GRID = "u<9,v<9,c<9"  # weights u-4 and v-4, bias c-4: from -4 to 4
TABLE = "step(c - 4)*step(u + c - 8)*step(v + c - 8)*(1 - step(u + v + c - 12))"
SOLVES = "[c-4 >= 0 and u+c-8 >= 0 and v+c-8 >= 0 and u+v+c-12 < 0]"

RAW = "Y[k] = sum(j) x[j]*cos(pi*(j + 1/2)*k/N) where x: N, k < N"
BY_KERNELS = "Y[k] = sum(j<N) {}x[j]*cos(pi*(-(k-j) + k + 1/2)*k/N) where x: N, k < N"
DCT_I = "Y[k] = x[0] + cos(pi*k)*x[N-1] + 2*sum(j<N) [0 < j < N-1]*x[j]*cos(pi*k*j/(N-1)) where x: N, k < N"
SIGNAL, COLUMN = {"x": [1, 2, 3, 4]}, [[1], [2], [3], [4]]
SECOND, FOURTH = "-(20 + 14*2^(1/2))^(1/2)/2", "-(20 - 14*2^(1/2))^(1/2)/2"
GRAM = "r[k,l] = sum(j<4) s[k]*s[l]*cos(pi*(j + 1/2)*k/4)*cos(pi*(j + 1/2)*l/4) where k < 4, l < 4"
IDENTITY = [[1, 0, 0, 0], [0, 1, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1]]
ORTHONORMAL = {"s": ["1/2", "(1/2)^(1/2)", "(1/2)^(1/2)", "(1/2)^(1/2)"]}
SEPARATE = "T[k,j] = sum(i) M[k,i]*X[i,j] where M: N N, X: N N; Y[k,l] = sum(j) T[k,j]*M[l,j]"
TOGETHER = "Y[k,l] = sum(i,j) M[k,i]*M[l,j]*X[i,j] where M: N N, X: N N"

ENTRIES = (
    Entry("D1a", "RIGHT", "The truth table of NAND is 1, 1, 1, 0",
          (Exact("f[n] = 1 - x[n,0]*x[n,1] where x: m 2", INPUTS, [1, 1, 1, 0]), Exact(UNIT, INPUTS, [1, 1, 1, 0]))),
    Entry(
        "D1b", "RIGHT", "The perceptron: 1 where w.x + b >= 0, else 0",
        says="The step is 1 at 0, by convention; with > it would be 0.",
        checks=(
            Prove(UNIT, "f[n] = [sum(i) w[i]*x[n,i] + b[] >= 0]"),
            Exact("f = step(0)", {}, 1),
            Differ("f = [t[] >= 0]", "f = [t[] > 0]", {"t": 0}, (1, 0)),
        ),
    ),
    Entry(
        "D1c", "RIGHT", "w1 = w2 = -2, b = 3 is NAND: the sums are 3, 1, 1, -1",
        says="It is one of all with b >= 0, b+w1 >= 0, b+w2 >= 0, b+w1+w2 < 0.",
        checks=(
            Exact(LOGIT, INPUTS, [3, 1, 1, -1]),
            Exact(UNIT, INPUTS, [1, 1, 1, 0]),
            Prove(
                "f = step(b[])*step(b[] + v[])*step(b[] + w[])*(1 - step(b[] + v[] + w[]))",
                "f = [b[] >= 0 and b[] + v[] >= 0 and b[] + w[] >= 0 and b[] + v[] + w[] < 0]",
            ),
            Exact(f"n = sum({GRID}) abs({TABLE} - {SOLVES})", {}, 0),
        ),
    ),
    Entry(
        "D2a", "WRONG", "The convolution y[k] = sum(j) x[j]*K[k-j], K = 0 outside its n taps",
        has="sum_{j=-n} without an upper end; to n it would have 2n+1 taps.",
        checks=(
            Prove("y[k] = sum(j) x[j]*K[k-j] where x: N, K: n, K pads 0, k < N+n-1",
                  "y[k] = sum(i) K[i]*x[k-i] where x: N, K: n, x pads 0, k < N+n-1"),
            Refute("y[k] = sum(j<2*n+1) x[j-n]*K[k-j+n] where x: N, K: n, x pads 0, K pads 0, k < N+n-1",
                   "y[k] = sum(j) x[j]*K[k-j] where x: N, K: n, K pads 0, k < N+n-1",
                   {"x": [1, 1, 1, 1], "K": [1, 1]}, (1, 2), (3,)),
        ),
    ),
    Entry(
        "D2b", "WRONG", "cos(pi*(j+1/2)*k/N) makes it the DCT-II",
        has='"DCT-I", which is another transform.',
        checks=(
            Exact(RAW, SIGNAL, [10, SECOND, 0, FOURTH]),
            Output(DCT1d("double"), COLUMN, [[20], [-6.3086440597979], [0], [-0.448341529167967]], within=1e-12),
            Exact(DCT_I, SIGNAL, [15, -4, 0, -1]),
            Refute(DCT_I, "Y[k] = 2*sum(j) x[j]*cos(pi*(j + 1/2)*k/N) where x: N, k < N", SIGNAL, (15, 20), (0,)),
        ),
    ),
    Entry(
        "D2c", "CONV", "The factors s: 1, 2, 1/sqrt(N), or orthonormal",
        says="With s[0] = sqrt(1/N), s[k] = sqrt(2/N) the matrix is orthogonal; 2*alpha_k is s[k].",
        has="1/sqrt(N) for every k, with which rows k >= 1 have the squared norm 1/2, and 2*alpha_k without alpha_k.",
        checks=(
            Exact(GRAM, ORTHONORMAL, IDENTITY),
            Exact(GRAM, {"s": ["1/2"] * 4}, [[1, 0, 0, 0], [0, "1/2", 0, 0], [0, 0, "1/2", 0], [0, 0, 0, "1/2"]]),
            Output(DCT1d("raw"), COLUMN, [[10], [-3.15432202989895], [0], [-0.224170764583984]], within=1e-12),
            Output(DCT1d("root"), COLUMN, [[5], [-1.577161014949475], [0], [-0.112085382291992]], within=1e-12),
            Output(DCT1d(), COLUMN, [[5], [-2.23044249738766], [0], [-0.158512667781108]], within=1e-12),
        ),
    ),
    Entry(
        "D2d", "WRONG", "k runs to N-1: there are N filters",
        has="k <= N; the filter of k = N is 0.",
        checks=(
            Exact("K[j] = cos(pi*(j + 1/2)*k/4) where j < 4, k scalar", {"k": 4}, [0, 0, 0, 0]),
            Shape(RAW, "N"),
            Refute("Y[k] = sum(j) x[j]*cos(pi*(j + 1/2)*k/N) where x: N, k < N+1", RAW),
        ),
    ),
    Entry("D2e", "RIGHT", "With j+1/2 = -(k-j) + k + 1/2 the transform is a sum over K_k[k-j]",
          (Prove(RAW, BY_KERNELS.format("")),)),
    Entry(
        "D2f", "RIGHT", "The kernels are K_k[i] = s_k*cos(pi*(-i+k+1/2)*k/N)",
        checks=(
            Prove("K[k,m] = cos(pi*(-(m-(N-1)+k) + k + 1/2)*k/N) where x: N, k < N, m < N; "
                  "Y[k] = sum(j) x[j]*K[k,N-1-j]", RAW),
        ),
    ),
    Entry(
        "D2g", "WRONG", "The kernel K_k lives on i = k-N+1..k, N taps, others for each k",
        has="0 <= i <= N-1, which is right for k = N-1 only.",
        checks=(
            Prove(RAW, BY_KERNELS.format("[0 <= j < N]*")),
            Exact(BY_KERNELS.format("[0 <= k-j < N]*"), SIGNAL, [1, "cos(pi/8) + 2*cos(3*pi/8)", "-2*2^(1/2)", FOURTH]),
            Measure(BY_KERNELS.format("[0 <= k-j < N]*"), SIGNAL, [1, 1.6892, -2.8284, -0.2242], within=5e-5),
            Refute(BY_KERNELS.format("[0 <= k-j < N]*"), RAW, SIGNAL, (1, 10), (0,)),
        ),
    ),
    Entry(
        "D2h", "RIGHT", "N = 4: four filters of four taps",
        checks=(
            Shape("K[k,j] = cos(pi*(j + 1/2)*k/4) where k < 4, j < 4", "4 4"),
            Exact("K[k,j] = cos(pi*(j + 1/2)*k/4) where k < 4, j < 4", {}, [
                [1, 1, 1, 1],
                ["cos(pi/8)", "cos(3*pi/8)", "-cos(3*pi/8)", "-cos(pi/8)"],
                ["2^(-1/2)", "-2^(-1/2)", "-2^(-1/2)", "2^(-1/2)"],
                ["cos(3*pi/8)", "-cos(pi/8)", "cos(pi/8)", "-cos(3*pi/8)"],
            ]),
        ),
    ),
    Entry(
        "D2i", "CONV", "The DCT of blocks is a convolution with N filters of N taps and stride N",
        says="Each Y[k] is one sample of the k-th convolution; a true convolution stores the filters reversed.",
        checks=(
            Prove("Y[b,k] = sum(j) W[k,j]*x[N*b+j] where x: (N*B), W: N N, b < B",
                  "V[k,j] = W[k,N-1-j] where W: N N; Y[b,k] = sum(j) V[k,N-1-j]*x[N*b+j] where x: (N*B), b < B"),
            Exact("W[k,j] = cos(pi*(j + 1/2)*k/4) where k < 4, j < 4; Y[b,k] = sum(j) W[k,j]*x[4*b+j]",
                  {"x": [1, 2, 3, 4, 0, 0, 0, 0]}, [[10, SECOND, 0, FOURTH], [0, 0, 0, 0]]),
        ),
    ),
    Entry(
        "D2j", "CONV", "The 2-D DCT is two layers, one for columns and one for rows, or one layer with N^2 filters",
        checks=(
            Prove(SEPARATE, TOGETHER),
            Output(BlockDCT(2, "raw"), [[[1], [2]], [[3], [5]]], [[[11, -3 / 2**0.5, -5 / 2**0.5, 0.5]]]),
        ),
    ),
)  # fmt: skip
