"""True identities, one a line: a name, both sides, and what is declared. Tests, mutants and the benchmark read them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import paperback as pb


@dataclass(frozen=True)
class Identity:
    """`left == right` for all sizes; with `vjp`, `left` claims the gradient of the formula `right` by that input."""

    name: str
    left: str
    right: str
    declared: dict[str, Any] = field(default_factory=dict)
    vjp: str = ""

    @property
    def truth(self) -> str | pb.Formula:
        """The right side: the text, or the derivative that follows from it."""
        if not self.vjp:
            return self.right
        declared = {k: v for k, v in self.declared.items() if not k.startswith("d")}
        return pb.formula(self.right, **declared).vjp(self.vjp)


def _same(name: str, left: str, right: str, **declared: Any) -> Identity:
    return Identity(name, left, right, declared)


def _vjp(name: str, formula: str, wrt: str, claim: str, **declared: Any) -> Identity:
    return Identity(name, claim, formula, declared, wrt)


CONVOLUTION = [
    _same(
        "full convolution commutes",
        "y[m] = sum(i) a[i]*b[m-i] where b pads 0, m < A+B-1",
        "y[m] = sum(j) b[j]*a[m-j] where a pads 0, m < A+B-1",
        a="A", b="B",
    ),
    _same(
        "full convolution associates",
        "u[m] = sum(i) a[i]*b[m-i] where b pads 0, m < A+B-1; y[n] = sum(j) c[j]*u[n-j] where u pads 0, n < A+B+C-2",
        "v[m] = sum(i) b[i]*c[m-i] where c pads 0, m < B+C-1; y[n] = sum(j) a[j]*v[n-j] where v pads 0, n < A+B+C-2",
        a="A", b="B", c="C",
    ),
    _same(
        "a flipped kernel read backwards is the kernel",
        "f[p] = w[P-1-p]; y[i] = sum(p) x[i+p]*f[P-1-p]",
        "y[i] = sum(p) x[i+p]*w[p]",
        x="H", w="P",
    ),
    _same(
        "convolution of the reversed signal",
        "y[i] = sum(p) x[H-1-i-p]*w[p]",
        "f[n] = x[H-1-n]; y[i] = sum(p) f[i+p]*w[p]",
        x="H", w="P",
    ),
    _same(
        "1x1 convolution is a dense layer at every place",
        "y[i,j,k] = sum(p,q,r) x[i+p,j+q,r]*w[p,q,r,k] where w: 1 1 R K",
        "y[i,j,k] = sum(r) x[i,j,r]*w[0,0,r,k] where w: 1 1 R K",
        x="H W R",
    ),
    _same(
        "im2col",
        "c[i,j,p,q,r] = x[i+p,j+q,r] where p < P, q < Q; y[i,j,k] = sum(p,q,r) c[i,j,p,q,r]*w[p,q,r,k]",
        "y[i,j,k] = sum(p,q,r) x[i+p,j+q,r]*w[p,q,r,k]",
        x="H W R", w="P Q R K",
    ),
]  # fmt: skip

ALGEBRA = [
    _same("products associate", "d[i,l] = sum(k) (sum(j) A[i,j]*B[j,k])*C[k,l]",
          "d[i,l] = sum(j) A[i,j]*(sum(k) B[j,k]*C[k,l])"),
    _same("a sum read backwards", "sum(i) x[i]", "sum(i) x[N-1-i]", x="N"),
    _same("counting", "sum(i<N) 1", "N", x="N"),
    _same("flatten", "F[J*K*i + K*j + k] = x[i,j,k]",
          "F[m] = sum(i,j,k) [m == J*K*i + K*j + k]*x[i,j,k] where m < I*J*K", x="I J K"),
]  # fmt: skip

FUNCTIONS = [
    _same("tanh from sigmoid", "2*sigmoid(2*a) - 1", "tanh(a)", scalars=["a"]),
    _same("sigmoid from tanh", "sigmoid(a)", "(tanh(a/2) + 1)/2", scalars=["a"]),
    _same("sigmoid mirrored", "sigmoid(-a)", "1 - sigmoid(a)", scalars=["a"]),
    _same("slope of sigmoid", "1/(2 + exp(t) + exp(-t))", "sigmoid(t)*(1 - sigmoid(t))", scalars=["t"]),
    _same("relu in two halves", "relu(a) - relu(-a)", "a", scalars=["a"]),
    _same("softmax does not feel a shift", "S[i] = exp(z[i] + c)/(sum(k) exp(z[k] + c)) where c scalar",
          "S[i] = exp(z[i])/(sum(k) exp(z[k]))"),
    _same("a softmax sums to 1", "sum(i) exp(z[i] - logsumexp(k) z[k])", "1", z="N"),
    _same("increasing functions pass a maximum", "y[i] = max(p<2) phi(x[2*i+p]) where phi increasing",
          "y[i] = phi(max(p<2) x[2*i+p])", x="H"),
]  # fmt: skip

GRADIENTS = [
    _vjp("valid correlation by its input", "y[i] = sum(p) x[i+p]*w[p]", "x",
         "dx[n] = sum(j) dy[n-j]*w[j] where dy pads 0", x="H", w="P"),
    _vjp("valid correlation by its kernel", "y[i] = sum(p) x[i+p]*w[p]", "w",
         "dw[j] = sum(i) dy[i]*x[i+j]", x="H", w="P"),
    _vjp("softmax", "S[i] = exp(z[i] - logsumexp(k) z[k])", "z", "dz[j] = S[j]*(dS[j] - sum(i) dS[i]*S[i])"),
    _vjp("convolution, stride 2, by its input",
         "C[i,j,k] = sum(p,q,r) x[2*i+p, 2*j+q, r]*w[P-1-p, Q-1-q, r, k] + b[k]", "x",
         "dx[t,u,v] = sum(i,j,k) [0 <= t-2*i < P and 0 <= u-2*j < Q]*dC[i,j,k]*w[P-1+2*i-t, Q-1+2*j-u, v, k]",
         x="H W R", w="P Q R K"),
    _vjp("convolution, stride 2, by its kernel",
         "C[i,j,k] = sum(p,q,r) x[2*i+p, 2*j+q, r]*w[P-1-p, Q-1-q, r, k] + b[k]", "w",
         "dw[c,t,u,k] = sum(i,j) dC[i,j,k]*x[2*i+P-1-c, 2*j+Q-1-t, u]", x="H W R", w="P Q R K"),
    _vjp("gathered over the kernel, stride 2", "y[i] = sum(p) x[2*i+p]*w[p]", "x",
         "dx[t] = sum(p) [2 | t-p and 0 <= t-p < 2*floor((H-P)/2)+1]*dy[(t-p)/2]*w[p]", x="H", w="P"),
]  # fmt: skip

IDENTITIES = [*CONVOLUTION, *ALGEBRA, *FUNCTIONS, *GRADIENTS]
