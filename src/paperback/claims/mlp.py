"""B6 and C6: the Jacobians of a multilayer perceptron, layer by layer.

    z[i] = sum(j) A[i,j]*y[j] + b[i], u[i] = phi(z[i])     one layer: y goes in, u comes out; the last one has no phi
"""

from __future__ import annotations

__all__ = ["ENTRIES"]

from paperback.claims.checks import Derivative, Exact, NoSentence, Prove, Refute, Shape, Structure, Vjp, derivative
from paperback.claims.record import Entry

LAYER = "z[i] = sum(j) A[i,j]*y[j] + b[i] where A: n m, phi function; u[i] = phi(z[i])"
Z = "z[i] = sum(j) A[i,j]*y[j] + b[i] where A: n m, phi' function; "
LAST = "u[k] = sum(j) A[k,j]*y[j] + b[k] where A: 1 n"
NET = (
    "z1[i] = sum(j) A[i,j]*x[j] + b[i] where A: n m, B: l n, phi function; y1[i] = phi(z1[i]); "
    "z2[k] = sum(i) B[k,i]*y1[i] + c[k]; y2[k] = phi(z2[k]); y = sum(k) D[k]*y2[k] + d[]"
)
CHAINED = (
    "z1[i] = sum(j) A[i,j]*x[j] + b[i] where A: n m, B: l n, phi function, phi' function; y1[i] = phi(z1[i]); "
    "z2[k] = sum(i) B[k,i]*y1[i] + c[k]; g2[k] = D[k]*phi'(z2[k]); g1[i] = sum(k) g2[k]*B[k,i]*phi'(z1[i]); "
)
G11 = {"A": [[1, 2], [-1, 1], [0, 3]], "b": [1, 0, -1], "B": [[1, -2, 3]], "c": ["1/2"], "x": [2, 1], "dy": [1]}
SQUARE, RELU = (f"z[i] = sum(j) A[i,j]*x[j] + b[i]; u[i] = {own}; y[k] = sum(i) B[k,i]*u[i] + c[k]" for own in
                ("z[i]^2", "relu(z[i])"))  # fmt: skip


def golden(net: str, value: str, **gradients: list[object]) -> tuple[Exact, ...]:
    """G11: the output and the gradients by name, as Jacobians of one row."""
    found = [Exact(derivative(net, name), G11, [numbers]) for name, numbers in gradients.items()]
    return Exact(net, G11, [value]), *found


BY_BIAS = Derivative(LAYER, "b", Z + "J[i,k] = [i == k]*phi'(z[i]) where b: n, k < n")
BY_INPUT = Derivative(LAYER, "y", Z + "J[i,j] = phi'(z[i])*A[i,j]")
BY_WEIGHTS = Vjp(LAYER, "A", Z + "dA[i,j] = phi'(z[i])*du[i]*y[j]")
LAST_BY_BIAS = Derivative(LAST, "b", "J[k,l] = 1 where k < 1, l < 1")
LAST_BY_INPUT = Derivative(LAST, "y", "J[k,j] = A[k,j] where A: 1 n")
LAST_BY_WEIGHTS = Derivative("u = sum(j) A[0,j]*y[j] + b[] where A: 1 n", "A", "d[k,j] = y[j] where y: n, k < 1")
WHOLE = (
    Prove(derivative(NET, "A"), CHAINED + "d[i,j] = g1[i]*x[j]"),
    Prove(derivative(NET, "B"), CHAINED + "d[k,i] = g2[k]*y1[i]"),
)
COMPONENT = Prove(
    derivative(NET, "A"),
    CHAINED + "e[i] = sum(k) g2[k]*B[k,i]; d[i,j] = e[i]*phi'(z1[i])*x[j]",
)

ENTRIES = (
    Entry("B6a1", "RIGHT", "The Jacobian of w = A v by v is A",
          (Derivative("w[i] = sum(j) A[i,j]*v[j]", "v", "d[i,j] = A[i,j] where v: J"),)),
    Entry("B6a2", "RIGHT", "The last layer: dy/db = 1, dy/dy_{L-1} = A_L", (LAST_BY_BIAS, LAST_BY_INPUT)),
    Entry("B6a3", "OCR", "dy_l/db_l = diag(phi'(z_l))", (BY_BIAS, Structure(LAYER, "b", "diagonal")),
          has="L or e for the index l of a layer."),
    Entry("B6a4", "OCR", "dy_l/dy_{l-1} = diag(phi'(z_l)) A_l", (BY_INPUT,), has="L or e for the index l of a layer."),
    Entry(
        "B6b1", "WRONG", "dy_L/dA_L = y_{L-1}', of the shape 1 x n_{L-1}",
        has="the shape n_{L-1} x 1, and in the next line 1 x n_{L-1}.",
        checks=(
            LAST_BY_WEIGHTS,
            Shape(derivative("u = sum(j) A[0,j]*y[j] + b[] where A: 1 n", "A"), "1 n"),
            Refute("d[j,k] = y[j] where y: n, k < 1", LAST_BY_WEIGHTS.claim),
        ),
    ),
    Entry(
        "B6b2", "RIGHT", "d(z_l)_k/d(A_l)_ij = delta_ik*y[j]",
        checks=(Derivative("z[k] = sum(j) A[k,j]*y[j] + b[k] where A: n m", "A",
                           "J[k,i,j] = [i == k]*y[j] where A: n m, i < n, k < n"),),
    ),
    Entry(
        "B6b3", "OCR", "dy_L/dA_l[i,j] = phi'(z_l[i])*(dy_L/dy_l)[i]*y_{l-1}[j]",
        has="dy_L/dy_L for dy_L/dy_l, which would be 1.",
        checks=(
            BY_WEIGHTS,
            COMPONENT,
            Refute(Z + "dA[i,j] = phi'(z[i])*y[j] where du: n", BY_WEIGHTS.claim),
        ),
    ),
    Entry(
        "B6b4", "WRONG", "B_l = (dy_L/dy_l)' y_{l-1}' has the shape n_l x n_{l-1}",
        has="R^{n_L x n_L} and R^{n_e x n_L}, with n_L = 1; and b_L for B_l.",
        checks=(
            Shape("B[i,j] = g[i]*y[j] where g: n, y: m", "n m"),
            Shape("B[i,j] = g[i]*y[j] where g: 5, y: 3", "5 3"),
            Refute("B[i,j] = g[i]*y[j] where g: 5, y: 3, i < 1, j < 1", "B[i,j] = g[i]*y[j] where g: 5, y: 3"),
            Refute("B[i,j] = g[i]*y[j] where g: 5, y: 3, j < 1", "B[i,j] = g[i]*y[j] where g: 5, y: 3"),
        ),
    ),
    Entry(
        "B6b5", "RIGHT", "(C_l B_l)[i,j] = C_l[i,i]*B_l[i,j] with C_l = diag(phi'(z_l))",
        checks=(
            Prove("C[i,k] = [i == k]*s[i] where s: n, k < n; r[i,j] = sum(k) C[i,k]*B[k,j]",
                  "r[i,j] = s[i]*B[i,j] where s: n"),
        ),
    ),
    Entry(
        "B6b6", "OCR", "dy_L/dA_l = diag(phi'(z_l)) (dy_L/dy_l)' y_{l-1}', for every layer",
        has="L or e for the index l of a layer.",
        checks=(
            *WHOLE,
            *golden(SQUARE, "71/2", A=[[20, 10], [8, 4], [24, 12]], B=[[25, 1, 4]], x=[6, 60]),
            *golden(RELU, "23/2", A=[[2, 1], [0, 0], [6, 3]], B=[[5, 0, 2]], x=[1, 11]),
        ),
    ),
    Entry(
        "B6b7", "IMPLIED", "dy_L/db_l = (dy_L/dy_l) diag(phi'(z_l))",
        checks=(
            Prove(derivative(NET, "b"), CHAINED + "d[i] = g1[i]"),
            Prove(derivative(NET, "c"), CHAINED + "d[k] = g2[k]"),
            *golden(SQUARE, "71/2", b=[10, 4, 12]),
            *golden(RELU, "23/2", b=[1, 0, 3]),
        ),
    ),
    # -------------------------------------------------------------------------------------------------------- file C
    Entry("C6a1", "RIGHT", "The last layer: dy/db = 1, dy/dy_{L-1} = A_L", (LAST_BY_BIAS, LAST_BY_INPUT)),
    Entry("C6a2", "RIGHT", "dy_l/db_l = diag(phi'(z_l))", (BY_BIAS,)),
    Entry("C6a3", "RIGHT", "dy_l/dy_{l-1} = diag(phi'(z_l)) A_l", (BY_INPUT,)),
    Entry(
        "C6b1", "WRONG", "[dy_L/dA_L]_{1,j} = y_{L-1}[j]",
        has="[y_{L-1}]_i, with an i that nothing gives: read as one i, the gradient would be constant.",
        checks=(
            LAST_BY_WEIGHTS,
            NoSentence("d[j] = y[i] where y: n, j < n", "i is no index here and no size"),
            Refute("d[j] = y[0] where y: n, j < n", "d[j] = y[j] where y: n",
                   {"y": ["0.265", "-0.957", "0.382", "-0.999"]}, ("0.265", "-0.957"), (1,)),
        ),
    ),
    Entry(
        "C6b2", "WRONG", "The sum in y_L runs to n_{L-1}",
        has="n_{l-1}: with the sizes 3, 5, 4 that is another number.",
        checks=(
            Shape(derivative(LAST, "y"), "1 n"),
            LAST_BY_INPUT,
            Refute("u = sum(j<3) A[j]*y[j] where A: 4, y: 4", "u = sum(j) A[j]*y[j] where A: 4, y: 4",
                   {"A": [1, 1, 1, 1], "y": [1, 1, 1, 1]}, (3, 4)),
        ),
    ),
    Entry("C6b3", "RIGHT", "dy_L/dA_L = y_{L-1}'", (LAST_BY_WEIGHTS,)),
    Entry("C6b4", "RIGHT", "dy_L/dA_l[i,j] = (dy_L/dy_l)[i]*phi'(z_l[i])*y_{l-1}[j]", (BY_WEIGHTS, COMPONENT)),
    Entry("C6b5", "RIGHT", "dy_L/dA_l = diag(phi'(z_l)) (dy_L/dy_l)' y_{l-1}'",
          (*WHOLE, *golden(SQUARE, "71/2", A=[[20, 10], [8, 4], [24, 12]]))),
)  # fmt: skip
