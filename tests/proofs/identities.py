"""True identities: a name, both sides, and what is declared. Tests, mutants and the benchmark read them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import paperback as pb


@dataclass(frozen=True)
class Identity:
    """`left == right` for all sizes; with `wrt`, `left` claims the gradient of the formula `right` by that input."""

    name: str
    left: str
    right: str
    declared: dict[str, Any] = field(default_factory=dict)
    wrt: str = ""

    @property
    def truth(self) -> str | pb.Formula:
        """The right side: the text, or the gradient that follows from it."""
        return pb.formula(self.right, **self.declared).vjp(self.wrt) if self.wrt else self.right


def _same(name: str, left: str, right: str, **declared: Any) -> Identity:
    return Identity(name, left, right, declared)


def _vjp(name: str, formula: str, wrt: str, claim: str, **declared: Any) -> Identity:
    return Identity(name, claim, formula, declared, wrt)


CONVOLUTION = [
    _same("full convolution commutes",
          "y[m] = sum(i) a[i]*b[m-i] where b pads 0, m < A+B-1",
          "y[m] = sum(j) b[j]*a[m-j] where a pads 0, m < A+B-1", a="A", b="B"),
    _same("full convolution associates",
          "u[m] = sum(i) a[i]*b[m-i] where b pads 0, m < A+B-1; y[n] = sum(j) c[j]*u[n-j] where u pads 0, n < A+B+C-2",
          "v[m] = sum(i) b[i]*c[m-i] where c pads 0, m < B+C-1; y[n] = sum(j) a[j]*v[n-j] where v pads 0, n < A+B+C-2",
          a="A", b="B", c="C"),
    _same("full correlation turned around",
          "y[n] = sum(j) b[n+j-(A-1)]*a[j] where b pads 0, n < A+B-1",
          "z[n] = sum(j) a[n+j-(B-1)]*b[j] where a pads 0, n < A+B-1; y[n] = z[A+B-2-n]", a="A", b="B"),
    _same("convolution as an index equation",
          "y[m] = sum(i) a[i]*b[m-i] where b pads 0, m < A+B-1",
          "y[m] = sum(i,j) [m == i+j]*a[i]*b[j] where m < A+B-1", a="A", b="B"),
    _same("flip in w is flip in x",
          "y[i] = sum(p) x[i+P-1-p]*w[p]",
          "f[n] = x[H-1-n]; z[i] = sum(p) f[i+p]*w[p]; y[i] = z[H-P-i]", x="H", w="P"),
    _same("a flipped kernel read backwards",
          "f[p] = w[P-1-p]; y[i] = sum(p) x[i+p]*f[P-1-p]", "y[i] = sum(p) x[i+p]*w[p]", x="H", w="P"),
    _same("true convolution is correlation with the flipped kernel, strides open",
          "C[i,j,k] = sum(p,q,r) x[s*i+p, t*j+q, r]*w[P-1-p,Q-1-q,r,k] where s size, t size",
          "f[p,q,r,k] = w[P-1-p,Q-1-q,r,k]; C[i,j,k] = sum(p,q,r) x[s*i+p, t*j+q, r]*f[p,q,r,k] where s size, t size",
          x="H W R", w="P Q R K"),
    _same("1x1 convolution is a dense layer at every place",
          "y[i,j,k] = sum(p,q,r) x[i+p,j+q,r]*w[p,q,r,k] where w: 1 1 R K",
          "y[i,j,k] = sum(r) x[i,j,r]*w[0,0,r,k] where w: 1 1 R K", x="H W R"),
    _same("im2col",
          "c[i,j,p,q,r] = x[i+p,j+q,r] where p < P, q < Q; y[i,j,k] = sum(p,q,r) c[i,j,p,q,r]*w[p,q,r,k]",
          "y[i,j,k] = sum(p,q,r) x[i+p,j+q,r]*w[p,q,r,k]", x="H W R", w="P Q R K"),
    _same("adjoint in 1-D",
          "sum(i) (sum(p) x[i+p]*w[p])*g[i]",
          "sum(t) x[t]*(sum(p) w[p]*g[t-p]) where g pads 0", x="G+P-1", w="P", g="G"),
    _same("adjoint in 1-D, stride 2, dilation 3",
          "sum(i) (sum(p) x[2*i+3*p]*w[p])*g[i]",
          "sum(t) x[t]*(sum(i,p) [t == 2*i+3*p]*g[i]*w[p])", x="2*I+3*P-4", w="P", g="I"),
    _same("adjoint in 2-D, strides and dilations",
          "sum(i,j) (sum(p,q) x[2*i+3*p,3*j+q]*w[p,q])*g[i,j]",
          "sum(t,u) x[t,u]*(sum(i,j,p,q) [t == 2*i+3*p and u == 3*j+q]*g[i,j]*w[p,q])",
          x="2*I+3*P-4 3*J+Q-3", w="P Q", g="I J"),
    _same("average pooling is a convolution with a diagonal kernel",
          "w[c,d,a,b] = [c == d]/(k*k) where c < C, d < C, a < k, b < k, k size; "
          "Y[c,i,j] = sum(d,a,b) w[c,d,a,b]*X[d,k*i+a,k*j+b]",
          "Y[c,i,j] = (sum(a<k,b<k) X[c,k*i+a,k*j+b])/(k*k) where k size", X="C k*N k*M"),
    _same("a difference is a convolution with fixed weights",
          "w[a,b] = [a == 2 and b == 1] - [a == 1 and b == 1] where a < 3, b < 3; "
          "Y[i,j] = sum(a,b) w[a,b]*X[i+a-1,j+b-1] where X pads 0, i < H, j < W",
          "Y[i,j] = X[i+1,j] - X[i,j] where X pads 0, i < H", X="H W"),
]  # fmt: skip

PHASES = [
    _vjp("gathered over the kernel, stride 2", "y[i] = sum(p) x[2*i+p]*w[p]", "x",
         "dx[t] = sum(p) [2 | t-p and 0 <= t-p < 2*floor((H-P)/2)+1]*dy[(t-p)/2]*w[p]", x="H", w="P"),
    _vjp("gathered over the kernel, stride 3", "y[i] = sum(p) x[3*i+p]*w[p]", "x",
         "dx[t] = sum(p) [3 | t-p and 0 <= t-p < 3*floor((H-P)/3)+1]*dy[(t-p)/3]*w[p]", x="H", w="P"),
    _vjp("gathered over the kernel, stride s", "y[i] = sum(p) x[s*i+p]*w[p] where s size", "x",
         "dx[t] = sum(p) [s | t-p and 0 <= t-p < s*floor((H-P)/s)+1]*dy[(t-p)/s]*w[p] where s size", x="H", w="P"),
    _vjp("in phases, stride 2", "y[i] = sum(p) x[2*i+p]*w[p]", "x",
         "dx[t] = sum(r<2,q<P,i) [t == 2*i+2*q+r and 2*q+r < P]*dy[i]*w[2*q+r]", x="H", w="P"),
    _vjp("in phases, stride 3", "y[i] = sum(p) x[3*i+p]*w[p]", "x",
         "dx[t] = sum(r<3,q<Q,i) [t == 3*i+3*q+r]*dy[i]*w[3*q+r]", x="H", w="3*Q"),
    _vjp("in phases, stride s", "y[i] = sum(p) x[s*i+p]*w[p] where s size", "x",
         "dx[t] = sum(r<s,q<Q,i) [t == s*i+s*q+r]*dy[i]*w[s*q+r] where s size", x="H", w="s*Q"),
    _same("even and odd places", "sum(m) x[m]", "(sum(i) [2 | i]*x[i]) + (sum(i) [2 | i+1]*x[i])", x="N"),
    _same("two by two", "sum(m) x[m]", "(sum(i<A) x[2*i]) + (sum(i<A) x[2*i+1])", x="2*A"),
]  # fmt: skip

ALGEBRA = [
    _same("products associate", "d[i,l] = sum(k) (sum(j) A[i,j]*B[j,k])*C[k,l]",
          "d[i,l] = sum(j) A[i,j]*(sum(k) B[j,k]*C[k,l])"),
    _same("a sum read backwards", "sum(i) x[i]", "sum(i) x[N-1-i]", x="N"),
    _same("a sum without its first term", "sum(i) x[i]", "x[0] + (sum(i | i >= 1) x[i])", x="N"),
    _same("counting", "sum(i<N) 1", "N", x="N"),
    _same("counting below a diagonal", "y[n] = sum(i<N) [i <= n]*x[n] where n < N", "y[n] = (n+1)*x[n]", x="N"),
    _same("row by row", "sum(m) x[m]", "sum(i<A,j<B) x[B*i+j]", x="A*B"),
    _same("flatten", "F[J*K*i + K*j + k] = x[i,j,k]",
          "F[m] = sum(i,j,k) [m == J*K*i + K*j + k]*x[i,j,k] where m < I*J*K", x="I J K"),
    _same("flatten, then dense", "F[J*K*i+K*j+k] = x[i,j,k]; D[m] = sum(a) F[a]*w[a,m]",
          "D[m] = sum(i,j,k) x[i,j,k]*w[J*K*i+K*j+k,m]", x="I J K"),
    _same("variance", "(sum(i) (x[i] - (sum(k) x[k])/N)^2)/N", "(sum(i) x[i]^2)/N - ((sum(i) x[i])/N)^2", x="N"),
    _same("deviations sum to 0", "sum(i) (x[i] - (sum(k) x[k])/N)", "0", x="N"),
    _same("a causal sum", "y[q] = sum(m | m <= q) x[m] where q < T", "y[q] = sum(d<T | d <= q) x[q-d]", x="T"),
    _same("a gather is a product with one-hot rows", "y[t,d] = sum(v) [id[t] == v]*E[v,d] where id int",
          "E[id[t],d] where id int", E="V D", id="T"),
]  # fmt: skip

FUNCTIONS = [
    _same("tanh from sigmoid", "2*sigmoid(2*a) - 1", "tanh(a)", scalars=["a"]),
    _same("sigmoid from tanh", "sigmoid(a)", "(tanh(a/2) + 1)/2", scalars=["a"]),
    _same("sigmoid mirrored", "sigmoid(-a)", "1 - sigmoid(a)", scalars=["a"]),
    _same("slope of sigmoid", "1/(2 + exp(t) + exp(-t))", "sigmoid(t)*(1 - sigmoid(t))", scalars=["t"]),
    _same("tanh of a sum", "tanh(a+b)", "(tanh(a) + tanh(b))/(1 + tanh(a)*tanh(b))", scalars=["a", "b"]),
    _same("logit of sigmoid", "log(sigmoid(a)/(1 - sigmoid(a)))", "a", scalars=["a"]),
    _same("stable cross-entropy of a logit", "max(a, 0) - a*y + log1p(exp(-abs(a)))",
          "-(y*log(sigmoid(a)) + (1 - y)*log(1 - sigmoid(a)))", scalars=["a", "y"]),
    _same("relu in two halves", "relu(a) - relu(-a)", "a", scalars=["a"]),
    _same("a maximum and a minimum", "max(a, b) + min(a, b)", "a + b", scalars=["a", "b"]),
    _same("absolute value of a product", "abs(a*b)", "abs(a)*abs(b)", scalars=["a", "b"]),
    _same("roots of numbers", "sqrt(6)*a/sqrt(8) + 1/sqrt(2*pi)", "sqrt(3)*a/2 + sqrt(1/pi)/sqrt(2)", scalars=["a"]),
    _same("the square of a root", "exp(-(a/sqrt(2))^2)", "exp(-a^2/2)", scalars=["a"]),
    _same("maxima associate", "max(a, max(b, c))", "max(max(c, a), b)", scalars=["a", "b", "c"]),
    _same("softmax does not feel a shift", "S[i] = exp(z[i] + c)/(sum(k) exp(z[k] + c)) where c scalar",
          "S[i] = exp(z[i])/(sum(k) exp(z[k]))"),
    _same("softmax by the maximum", "m = max(k) z[k]; S[i] = exp(z[i] - m)/(sum(k) exp(z[k] - m))",
          "S[i] = exp(z[i] - logsumexp(k) z[k])", z="N"),
    _same("a softmax sums to 1", "sum(i) exp(z[i] - logsumexp(k) z[k])", "1", z="N"),
    _same("two classes", "S[i] = exp(x[i])/(sum(k) exp(x[k])) where x: 2; y = S[1]", "sigmoid(x[1] - x[0])", x="2"),
    _same("a reference class", "S[c] = exp(sum(d) B[c,d]*x[d])/(sum(k) exp(sum(d) B[k,d]*x[d]))",
          "S[c] = exp(sum(d) (B[c,d] - B[0,d])*x[d])/(sum(k) exp(sum(d) (B[k,d] - B[0,d])*x[d]))", B="K D", x="D"),
    _same("increasing functions pass a maximum", "y[i] = max(p<2) phi(x[2*i+p]) where phi increasing",
          "y[i] = phi(max(p<2) x[2*i+p])", x="H"),
    _same("a maximum in two steps", "max(i,j) s[i,j]", "max(i) (max(j) s[i,j])", s="N M"),
    _same("a padded maximum mirrored", "y[i] = max(a<3) x[i+a-1] where x pads -inf, i < H",
          "y[i] = max(a<3) x[i+1-a] where x pads -inf, i < H", x="H"),
    _same("sigmoid network as tanh network",
          "h[j] = tanh(sum(i) (V[j,i]/2)*x[i] + b[j]/2); c[k] = d[k] + (sum(j) W[k,j])/2; "
          "y[k] = (sum(j) (W[k,j]/2)*h[j]) + c[k]",
          "h[j] = sigmoid(sum(i) V[j,i]*x[i] + b[j]); y[k] = (sum(j) W[k,j]*h[j]) + d[k]", V="M D", W="K M"),
]  # fmt: skip

GRADIENTS = [
    _vjp("dense by its input", "y[o] = (sum(i) x[i]*w[i,o]) + b[o]", "x", "dx[i] = sum(o) dy[o]*w[i,o]"),
    _vjp("dense by its weights", "y[o] = (sum(i) x[i]*w[i,o]) + b[o]", "w", "dw[i,o] = x[i]*dy[o]"),
    _vjp("correlation by its input", "y[i] = sum(p) x[i+p]*w[p]", "x",
         "dx[n] = sum(j) dy[n-j]*w[j] where dy pads 0", x="H", w="P"),
    _vjp("correlation by its kernel", "y[i] = sum(p) x[i+p]*w[p]", "w", "dw[j] = sum(i) dy[i]*x[i+j]", x="H", w="P"),
    _vjp("full correlation by its kernel", "y[n] = sum(j) h[n+j-(K-1)]*w[j] where h pads 0, n < D+K-1", "w",
         "dw[j] = sum(n) h[n]*dy[n+K-1-j]", h="D", w="K"),
    _vjp("convolution, stride 2, by its input",
         "C[i,j,k] = sum(p,q,r) x[2*i+p, 2*j+q, r]*w[P-1-p, Q-1-q, r, k] + b[k]", "x",
         "dx[t,u,v] = sum(i,j,k) [0 <= t-2*i < P and 0 <= u-2*j < Q]*dC[i,j,k]*w[P-1+2*i-t, Q-1+2*j-u, v, k]",
         x="H W R", w="P Q R K"),
    _vjp("convolution, strides open, by its kernel",
         "C[i,j,k] = sum(p,q,r) x[s*i+p, z*j+q, r]*w[P-1-p, Q-1-q, r, k] where s size, z size", "w",
         "dw[c,t,u,k] = sum(i,j) dC[i,j,k]*x[s*i+P-1-c, z*j+Q-1-t, u] where s size, z size", x="H W R", w="P Q R K"),
    _vjp("stride 2, dilation 3, padding 2, by its input",
         "y[i] = sum(p) x[2*i+3*p-2]*w[p] where x pads 0, i < I", "x",
         "dx[t] = sum(i,p) [t == 2*i+3*p-2]*dy[i]*w[p]", x="H", w="P", q="I"),
    _vjp("stride 2, dilation 3, padding 2, by its kernel",
         "y[i] = sum(p) x[2*i+3*p-2]*w[p] where x pads 0, i < I", "w",
         "dw[p] = sum(i) dy[i]*x[2*i+3*p-2] where x pads 0", x="H", w="P", q="I"),
    _vjp("average pooling", "y[i,j,c] = (sum(p<2,q<2) x[2*i+p,2*j+q,c])/4", "x",
         "dx[2*i+p,2*j+q,c] = dy[i,j,c]/4 where p < 2, q < 2", x="2*I 2*J C"),
    _vjp("max pooling", "P[i,k] = max(p<2) x[2*i+p,k]", "x",
         "a[i,k] = argmax(p<2) x[2*i+p,k]; dx[t,k] = sum(i) [0 <= t-2*i < 2 and a[i,k] == t-2*i]*dP[i,k]", x="H K"),
    _vjp("flatten", "F[J*K*i+K*j+k] = x[i,j,k]", "x", "dx[i,j,k] = dF[J*K*i+K*j+k]", x="I J K"),
    _vjp("relu", "h[i] = relu(a[i])", "a", "da[i] = dh[i]*[a[i] > 0]"),
    _vjp("sigmoid of a dense layer", "y[j] = sigmoid(sum(i) W[j,i]*x[i] + b[j])", "x",
         "t[j] = sum(i) W[j,i]*x[i] + b[j]; dx[i] = sum(j) dy[j]*W[j,i]/(2 + exp(t[j]) + exp(-t[j]))"),
    _vjp("an open activation", "u[i] = phi((sum(j) A[i,j]*y[j]) + b[i]) where phi function", "A",
         "dA[i,j] = du[i]*phi'((sum(k) A[i,k]*y[k]) + b[i])*y[j]", A="N M"),
    _vjp("gelu", "y[i] = x[i]*(1 + erf(x[i]/sqrt(2)))/2", "x",
         "dx[i] = dy[i]*((1 + erf(x[i]/sqrt(2)))/2 + x[i]*exp(-x[i]^2/2)/sqrt(2*pi))"),
    _vjp("softmax", "S[i] = exp(z[i] - logsumexp(k) z[k])", "z", "dz[j] = S[j]*(dS[j] - (sum(i) dS[i]*S[i]))"),
    _vjp("cross-entropy of a softmax", "x[i] = exp(z[i])/(sum(k) exp(z[k])); J = -(sum(i) y[i]*log(x[i]))", "z",
         "dz[j] = dJ[]*(x[j]*(sum(k) y[k]) - y[j])", z="N", y="N"),
    _vjp("attention scores by queries", "s[q,m] = sum(d) Q[q,d]*K[m,d]", "Q", "dQ[q,d] = sum(m) ds[q,m]*K[m,d]",
         Q="T D", K="U D"),
    _vjp("attention by scores", "p[q,m] = exp(s[q,m] - logsumexp(u) s[q,u]); y[q,d] = sum(m) p[q,m]*v[m,d]", "s",
         "e[q,m] = sum(d) dy[q,d]*v[m,d]; ds[q,m] = p[q,m]*(e[q,m] - (sum(u) p[q,u]*e[q,u]))", s="T U", v="U D"),
    _vjp("causal attention by values",
         "y[q,d] = sum(m | m <= q) exp(s[q,m] - logsumexp(u | u <= q) s[q,u])*v[m,d]", "v",
         "dv[m,d] = sum(q) [m <= q]*exp(s[q,m] - logsumexp(u | u <= q) s[q,u])*dy[q,d]", s="T T", v="T D"),
    _vjp("layer norm",
         "m = (sum(i) x[i])/N; v = (sum(i) (x[i] - m)^2)/N; y[i] = (x[i] - m)*(v + e)^(-1/2) where e scalar",
         "x", "g = (sum(i) dy[i])/N; h = (sum(i) dy[i]*(x[i] - m))/N; "
         "dx[i] = (v + e)^(-1/2)*(dy[i] - g - (x[i] - m)*h/(v + e))", x="N"),
    _vjp("batch norm by its scale", "m[c] = (sum(n) x[n,c])/B; v[c] = (sum(n) (x[n,c] - m[c])^2)/B; "
         "y[n,c] = (x[n,c] - m[c])*(v[c] + e)^(-1/2)*g[c] where e scalar", "g",
         "dg[c] = sum(n) dy[n,c]*(x[n,c] - m[c])*(v[c] + e)^(-1/2)", x="B C"),
    _vjp("embedding", "y[t,d] = E[id[t],d] where id int", "E", "dE[v,d] = sum(t) [id[t] == v]*dy[t,d] where id int",
         E="V D"),
]  # fmt: skip

IDENTITIES = [*CONVOLUTION, *PHASES, *ALGEBRA, *FUNCTIONS, *GRADIENTS]
