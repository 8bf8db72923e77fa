"""D3 and D4: the Jacobians of a sigmoid layer, and of a skip connection.

    t[k] = sum(j) W[k,j]*x[j] + b[k], f = sigmoid(t), s = f*(1-f) = 1/(2 + exp(t) + exp(-t))     W: 4 3
    u = f1(x), y = f2(u), F = f3(y), G = f3(y) + y      here f1 = f(A x), f2 = g(B u), f3 = h(C y), by elements
"""

from __future__ import annotations

__all__ = ["ENTRIES"]

from paperback.claims.checks import Derivative, Exact, NoSentence, Prove, Refute, Shape, Structure, derivative
from paperback.claims.record import Entry

LINEAR = "t[k] = sum(j) W[k,j]*x[j] + b[k] where W: 4 3"
LAYER = f"{LINEAR}; f[k] = sigmoid(t[k])"
SLOPE = f"{LINEAR}; s[k] = 1/(2 + exp(t[k]) + exp(-t[k])); "
BY_WEIGHTS = SLOPE + "J[k,i,j] = [i == k]*s[k]*x[j] where i < 4"
BY_INPUT = SLOPE + "J[k,j] = W[k,j]*s[k]"
BY_BIAS = SLOPE + "J[k,i] = [i == k]*s[k] where i < 4"
G14 = {"W": [[2, 1, 0], [0, 0, 0], [1, 0, -2], [0, 1, 4]], "b": [0, 0, 0, 0], "x": [1, -2, "1/2"]}
QUARTERS = ["1/4", "-1/2", "1/8"]

SHAPES = "where A: n m, B: l n, C: l l"
THREE = (
    f"z1[p] = sum(q) A[p,q]*x[q] {SHAPES}, f function, g function, h function; u[p] = f(z1[p]); "
    "z2[i] = sum(p) B[i,p]*u[p]; y[i] = g(z2[i]); z3[o] = sum(i) C[o,i]*y[i]; F[o] = h(z3[o])"
)
SKIP = f"{THREE}; G[o] = F[o] + y[o]"
SLOPES = (
    THREE.replace("h function", "h function, f' function, g' function, h' function")
    + "; K3[o,i] = h'(z3[o])*C[o,i]; K2[i,p] = g'(z2[i])*B[i,p]; "
)
BY_A = "d[o,p,q] = sum(i) {}*K2[i,p]*f'(z1[p])*x[q]"
BY_B = "d[o,i,p] = {}*g'(z2[i])*u[p]"
BY_C = "d[o,r,i] = [o == r]*h'(z3[o])*y[i] where r < l"
SCALARS = {"x": 2, "p": 3, "q": 5, "r": 7}
G15 = "u = x[]*p[]; y = u*q[]; F = y*r[]", "u = x[]*p[]; y = u*q[]; G = y*r[] + y"

ENTRIES = (
    Entry(
        "D3a", "RIGHT", "The set-up: t = W x + b, f = sigmoid(t), sigmoid(u) = 1/(1 + exp(-u))",
        checks=(
            Prove("y = sigmoid(u[])", "y = 1/(1 + exp(-u[]))"),
            Shape(LAYER, "4"),
            Exact(LAYER, G14, ["1/2"] * 4),
        ),
    ),
    Entry(
        "D3b", "WRONG", "dt_k/dW_ij = delta_ki*x_j, 4x4x3 numbers",
        has="x': only row i of W sees x for t_i.",
        checks=(
            Derivative(LINEAR, "W", "J[k,i,j] = [i == k]*x[j] where x: 3, k < 4, i < 4"),
            Structure(LINEAR, "W", "Kronecker product of identity over k,u and row vector over v"),
            Refute("J[k,i,j] = x[j] where x: 3, k < 4, i < 4", "J[k,i,j] = [i == k]*x[j] where x: 3, k < 4, i < 4",
                   {"x": [1, 0, 0]}, (1, 0), (0, 1, 0)),
        ),
    ),
    Entry(
        "D3c", "WRONG", "dt/db is the identity, 4x4",
        has="1.",
        checks=(
            Derivative(LINEAR, "b", "J[k,i] = [i == k] where k < 4, i < 4"),
            Structure(LINEAR, "b", "identity"),
            Refute("J[k,i] = 1 where k < 4, i < 4", "J[k,i] = [i == k] where k < 4, i < 4", {}, (1, 0), (0, 1)),
        ),
    ),
    Entry(
        "D3d", "WRONG", "dt/dx = W, 4x3; dt/dx_i is a column of W",
        has="W', which is the denominator layout.",
        checks=(
            Derivative(LINEAR, "x", "J[k,j] = W[k,j] where W: 4 3"),
            Refute("J[j,k] = W[k,j] where W: 4 3", "J[k,j] = W[k,j] where W: 4 3"),
        ),
    ),
    Entry(
        "D3e", "RIGHT", "sigmoid'(u) = exp(-u)/(1 + exp(-u))^2 = 1/(exp(u) + 2 + exp(-u)) = sigmoid*(1 - sigmoid)",
        checks=(
            Prove(
                derivative("y = sigmoid(u[])", "u"),
                (
                    "d = exp(-u[])/(1 + exp(-u[]))^2",
                    "d = 1/(exp(u[]) + 2 + exp(-u[]))",
                    "d = sigmoid(u[])*(1 - sigmoid(u[]))",
                ),
            ),
            Derivative("y[i] = sigmoid(u[i]) where u: n", "u",
                       "J[i,j] = [i == j]*sigmoid(u[i])*(1 - sigmoid(u[i])) where u: n, j < n"),
            Exact("d = 1/(exp(u[]) + 2 + exp(-u[]))", {"u": 0}, "1/4"),
        ),
    ),
    Entry(
        "D3f", "WRONG", "df_k/dW_ij = delta_ki*s_k*x_j, 4x4x3 numbers",
        has="x/(2 + exp(-t) + exp(t)): three numbers over four.",
        checks=(
            Derivative(LAYER, "W", BY_WEIGHTS),
            NoSentence("d[i] = x[i]/(2 + exp(-t[i]) + exp(t[i])) where x: 3, t: 4",
                       "index i runs over 3 elsewhere, but axis 0 of t has 4"),
        ),
    ),
    Entry(
        "D3g", "WRONG", "df/dx = diag(s) W, 4x3",
        has="W'/(2 + exp(-t) + exp(t)), its transpose.",
        checks=(
            Derivative(LAYER, "x", BY_INPUT),
            Exact(BY_INPUT, G14, [["1/2", "1/4", 0], [0, 0, 0], ["1/4", 0, "-1/2"], [0, "1/4", 1]]),
            Refute(SLOPE + "J[j,k] = W[k,j]*s[k]", BY_INPUT),
        ),
    ),
    Entry(
        "D3h", "WRONG", "df/db = diag(s), 4x4",
        has="1/(2 + exp(-t) + exp(t)), four numbers.",
        checks=(
            Derivative(LAYER, "b", BY_BIAS),
            Structure(LAYER, "b", "diagonal"),
            Refute(SLOPE + "J[k] = s[k]", BY_BIAS),
        ),
    ),
    Entry(
        "D3i", "RIGHT", "df_k/dW_ij = 0 for k != i, else x_j*s_k",
        checks=(
            Derivative(LAYER, "W", BY_WEIGHTS),
            Exact(derivative(LAYER, "W"), G14,
                  [[QUARTERS if k == i else [0, 0, 0] for i in range(4)] for k in range(4)]),
        ),
    ),
    Entry("D3j", "RIGHT", "df_k/dx_i = W[k,i]*s_k", (Derivative(LAYER, "x", BY_INPUT),)),
    Entry(
        "D3k", "WRONG", "df_k/db_i = delta_ki*s_k",
        has="s_k for every i.",
        checks=(
            Derivative(LAYER, "b", BY_BIAS),
            Refute(SLOPE + "J[k,i] = s[k] where i < 4", BY_BIAS, G14, ("1/4", 0), (0, 1)),
        ),
    ),
    # ----------------------------------------------------------------------------------------------------------- skip
    Entry(
        "D4a", "RIGHT", "F = f3(f2(f1(x))) and G = F + f2(f1(x)), a skip over the last layer",
        checks=(
            Prove(SKIP, f"{THREE}; G[o] = h(z3[o]) + g(z2[o])"),
            Exact(G15[0], SCALARS, 210),
            Exact(G15[1], SCALARS, 240),
        ),
    ),
    Entry(
        "D4b", "RIGHT", "The gradients of F: products of the layers' Jacobians",
        checks=(
            Prove(derivative(THREE, "A"), SLOPES + BY_A.format("K3[o,i]")),
            Prove(derivative(THREE, "B"), SLOPES + BY_B.format("K3[o,i]")),
            Prove(derivative(THREE, "C"), SLOPES + BY_C),
            *(Exact(derivative(G15[0], name), SCALARS, n) for name, n in (("p", 70), ("q", 42), ("r", 30))),
        ),
    ),
    Entry(
        "D4c", "RIGHT", "The gradients of G have I + df3/dy in place of df3/dy",
        checks=(
            Prove(derivative(SKIP, "A"), SLOPES + BY_A.format("([o == i] + K3[o,i])")),
            Prove(derivative(SKIP, "B"), SLOPES + BY_B.format("([o == i] + K3[o,i])")),
            *(Exact(derivative(G15[1], name), SCALARS, n) for name, n in (("p", 80), ("q", 48), ("r", 30))),
        ),
    ),
    Entry(
        "D4d", "RIGHT", "The gradients of G are those of F and the gradients of y",
        checks=(
            Prove(derivative(SKIP, "A"),
                  SLOPES + "d[o,p,q] = sum(i) K3[o,i]*K2[i,p]*f'(z1[p])*x[q] + K2[o,p]*f'(z1[p])*x[q]"),
            Prove(derivative(SKIP, "B"), SLOPES + "d[o,i,p] = K3[o,i]*g'(z2[i])*u[p] + [o == i]*g'(z2[i])*u[p]"),
            Prove(derivative(SKIP, "C"), SLOPES + BY_C),
        ),
    ),
    Entry(
        "D4e", "WRONG", "A skip adds a term, and mitigates vanishing gradients",
        says="The identity goes past f3 only: with f3(y) = -y, dF/dy = -I, dG/dy = 0; with df2/du = 0, dG/dth1 = 0.",
        has="that it prevents them.",
        checks=(
            Prove(derivative("F[i] = -y[i] where y: l", "y"), "d[i,j] = -[i == j] where y: l, i < l, j < l"),
            Prove(derivative("G[i] = -y[i] + y[i] where y: l", "y"), "d[i,j] = 0 where y: l, i < l, j < l"),
            Exact(derivative("u = x[]*p[]; y = u*q[]; G = y*r[] + y", "p"), {**SCALARS, "q": 0}, 0),
            Refute("alive = 1", "alive = [abs((1 + r[])*q[]*x[]) > 0]", {"r": -1, "q": 5, "x": 2}, (1, 0)),
        ),
    ),
)  # fmt: skip
